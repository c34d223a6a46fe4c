//! Operations with signed batches that relayers send.

use alloy_primitives::{Address, Bytes, Log, U256};
use alloy_sol_types::SolValue;
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_protocol::{
    record::Record,
    sample::parse_batch,
    trainer::{Relayed, SignedBatch},
};
use rand::{
    RngExt,
    seq::{IndexedRandom, SliceRandom},
};

use crate::{
    pair::Pair,
    people::{AUTHORS, Author, Form, OWNER, STRANGER, everyone},
};

/// More gas than any lesson here uses. A precompile as an author burns all of it.
const GAS_PER_BATCH: u64 = 1_000_000;
/// Number of signed batches that may be sent again.
const REMEMBERED: usize = 50;

impl Pair {
    /// Relays batches of random authors, sometimes with an earlier one, or with the end missing.
    pub(crate) fn relay(&mut self) {
        let relayer = *everyone()
            .choose(&mut self.chance)
            .expect("there are people");
        let mut all: Vec<_> = (0..self.chance.random_range(1..=8))
            .map(|_| {
                let count = self.chance.random_range(1..=4);
                if self.chance.random_bool(0.85) {
                    self.items(count)
                } else {
                    self.bad_items()
                }
            })
            .collect();
        if self.chance.random_bool(0.05) {
            all[0].clear();
        }
        let count: usize = all
            .iter()
            .flat_map(|items| parse_batch(items))
            .map(|items| items.len())
            .sum();
        let price = self.reference.price(count as u64, self.now());
        let mut batches: Vec<_> = all
            .into_iter()
            .map(|items| {
                let batch = self.signed_batch(relayer, price, items);
                self.signed.push(batch.clone());
                // The relay repeats an earlier batch, or this one.
                let again = self.signed.choose(&mut self.chance).cloned();
                if self.chance.random_bool(0.1) {
                    again.unwrap_or(batch)
                } else {
                    batch
                }
            })
            .collect();
        let old = self.signed.len().saturating_sub(REMEMBERED);
        self.signed.drain(..old);
        if self.chance.random_bool(0.2) {
            batches.shuffle(&mut self.chance);
        }
        if self.chance.random_bool(0.03) {
            self.relay_torn(relayer, &batches);
        } else {
            self.send_batches(relayer, &batches);
        }
    }

    /// Draws a batch that is mostly accepted.
    fn signed_batch(&mut self, relayer: Address, price: u128, items: Vec<u8>) -> SignedBatch {
        let now = self.now();
        let author = AUTHORS.choose(&mut self.chance).expect("there are authors");
        let chance = &mut self.chance;
        let next = self.nonces.entry(author.address).or_default();
        let nonce = match chance.random_range(0..20) {
            0 => chance.random_range(0..=*next),
            1 => next.saturating_sub(chance.random_range(0..70)),
            2 => *next + chance.random_range(0..70),
            _ => *next,
        };
        *next = (nonce + 1).max(*next);
        let batch = SignedBatch {
            author: author.address,
            relayer: match chance.random_range(0..20) {
                0 => STRANGER,
                1..10 => Address::ZERO,
                _ => relayer,
            },
            max_deposit: match chance.random_range(0..20) {
                0 => price.saturating_sub(1),
                1..10 => price,
                10..15 => price * 2,
                _ => (1 << 96) - 1,
            },
            fee: match chance.random_range(0..20) {
                0 => chance.random_range(0..1 << 96),
                1..10 => 0,
                _ => chance.random_range(0..1_000),
            },
            nonce,
            deadline: match chance.random_range(0..20) {
                0 => chance.random_range(0..now),
                1 => now - 1,
                2..5 => now,
                5..10 => (1 << 40) - 1,
                _ => now + chance.random_range(0..1_000_000),
            },
            items,
            signature: vec![],
        };
        if self.chance.random_bool(0.9) {
            self.sign(author, batch)
        } else {
            self.sign_badly(author, batch)
        }
    }

    pub(crate) fn sign(&mut self, author: &Author, batch: SignedBatch) -> SignedBatch {
        let forms = [Form::Long, Form::Compact, Form::Malleable];
        let form = *forms.choose(&mut self.chance).expect("there are forms");
        author.sign(
            self.reference.chain_id(),
            self.reference.address(),
            form,
            batch,
        )
    }

    /// Forges a batch: signed by another, for another chain or trainer, changed, or of no account.
    fn sign_badly(&mut self, author: &Author, batch: SignedBatch) -> SignedBatch {
        let (chain_id, trainer) = (self.reference.chain_id(), self.reference.address());
        let signed = |chain_id, trainer| author.sign(chain_id, trainer, Form::Long, batch.clone());
        let mut forged = match self.chance.random_range(0..10) {
            0 => {
                let other = AUTHORS.iter().find(|other| other.address != author.address);
                return self.sign(other.expect("another"), batch);
            }
            1 => return signed(chain_id, STRANGER),
            2 => return signed(chain_id + 1, trainer),
            _ => signed(chain_id, trainer),
        };
        match self.chance.random_range(0..11) {
            0 => forged.fee ^= 1,
            // The forged batch is for anyone, or for another relayer than the signed one.
            10 => {
                let others = [Address::ZERO, STRANGER, OWNER];
                forged.relayer = *others.choose(&mut self.chance).expect("three");
            }
            1 => forged.max_deposit ^= 1,
            2 => forged.deadline ^= 1,
            3 => forged.nonce += 1,
            4 => forged.items.push(0),
            // The author does not exist, is a contract without signatures, or is a precompile that
            // returns its input.
            5 => {
                let nobody = [
                    Address::ZERO,
                    self.model.classifier,
                    Address::with_last_byte(4),
                ];
                forged.author = *nobody.choose(&mut self.chance).expect("there are some");
            }
            6 => {
                let length = self.chance.random_range(0..70);
                forged.signature.resize(length, 0);
            }
            7 => {
                let filling = [0, u8::MAX];
                let filling = filling.choose(&mut self.chance).expect("two");
                forged.signature.fill(*filling);
            }
            8 => {
                let parities = [0, 1, 26, 27, 28, 29];
                forged.signature[64] = *parities.choose(&mut self.chance).expect("some");
            }
            _ => {
                let index = self.chance.random_range(0..64);
                forged.signature[index] ^= 1;
            }
        }
        forged
    }

    pub(crate) fn send_batches(&mut self, relayer: Address, batches: &[SignedBatch]) {
        let now = self.now();
        let sent = self.send(relayer, 0, bindings::relay(batches, GAS_PER_BATCH));
        let expected = self.reference.relay(relayer, now, batches);
        self.tally.count("relay", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                let skipped = self.compare_skipped(&receipt.logs, batches, &expected);
                let accepted = expected.first_position.is_some();
                let events = skipped + usize::from(accepted);
                assert_eq!(receipt.logs.len(), events, "{}", self.at());
                if let Some(first_position) = expected.first_position {
                    self.compare_relayed(
                        &receipt.logs,
                        relayer,
                        first_position,
                        batches,
                        &expected,
                    );
                }
            }
            (sent, expected) => {
                if let Err(reason) = &expected {
                    self.tally.reason("relay", reason);
                }
                self.same_refusal(sent, expected);
                self.compare_root(self.reference.contribution_count());
            }
        }
        // This covers the next nonce, the highest used one, those below it and the window's end.
        for author in &*AUTHORS {
            let within = self.chance.random_range(5..66);
            self.compare_nonces(author.address, [2, 3, 4, within, 66, 67, 68]);
        }
    }

    /// Compares the contract's reasons for skips with those of the reference model. Returns how
    /// many it skipped.
    fn compare_skipped(
        &mut self,
        logs: &[Log],
        batches: &[SignedBatch],
        expected: &Relayed,
    ) -> usize {
        let mut skipped = Vec::new();
        for (batch, outcome) in batches.iter().zip(&expected.outcomes) {
            self.tally.count("signed batch", outcome.is_ok());
            if let Err(reason) = outcome {
                self.tally.reason("signed batch", reason);
                skipped.push(events::Skipped {
                    author: batch.author,
                    nonce: batch.nonce,
                    reason: Revert::Contract(reason.clone()),
                });
            }
        }
        assert_eq!(events::skipped(logs), skipped, "{}", self.at());
        skipped.len()
    }

    /// Compares the contract's record with the batches that the reference model has accepted.
    fn compare_relayed(
        &mut self,
        logs: &[Log],
        relayer: Address,
        first_position: u64,
        batches: &[SignedBatch],
        expected: &Relayed,
    ) {
        let event = events::relayed(logs).expect("an event");
        let accepted = batches
            .iter()
            .zip(&expected.outcomes)
            .filter(|(_, outcome)| outcome.is_ok());
        let wanted = events::Relayed {
            first_position,
            relayer,
            deposit: expected.deposit,
            time: self.now(),
            batches: accepted
                .map(|(signed, _)| events::RelayedBatch {
                    author: signed.author,
                    // The contract records the actual sender, even if a forger wrote another one.
                    relayer: match signed.relayer {
                        Address::ZERO => Address::ZERO,
                        _ => relayer,
                    },
                    max_deposit: signed.max_deposit,
                    fee: signed.fee,
                    nonce: signed.nonce,
                    deadline: signed.deadline,
                    items: signed.items.clone().into(),
                })
                .collect(),
        };
        assert_eq!(event, wanted, "{}", self.at());
        let mut position = first_position;
        let added: Vec<_> = event
            .batches
            .iter()
            .zip(expected.outcomes.iter().flatten())
            .map(|(one, accepted)| {
                let items = parse_batch(&one.items).expect("parsed before");
                let seen = (accepted.position, accepted.count);
                assert_eq!(seen, (position, items.len() as u64), "{}", self.at());
                position += accepted.count;
                (one.author, items)
            })
            .collect();
        self.remember(Record::new(
            event.first_position,
            event.deposit,
            event.time,
            &added,
        ));
    }

    /// Relays batches, the last of which lacks its end. The contract refuses everything.
    fn relay_torn(&mut self, relayer: Address, batches: &[SignedBatch]) {
        let encoded: Vec<_> = batches.iter().map(SignedBatch::encode).collect();
        let last = encoded.last().map_or(0, Vec::len);
        let mut bytes = encoded.concat();
        let offset = bytes.len() - last;
        bytes.truncate(bytes.len() - self.chance.random_range(1..last));
        let mut call = bindings::relay(&[], GAS_PER_BATCH)[..4].to_vec();
        call.extend((Bytes::from(bytes), U256::from(GAS_PER_BATCH)).abi_encode_params());
        let sent = self.send(relayer, 0, call);
        let offset = offset as u64;
        self.refused(&sent, &Revert::MalformedRelay { offset });
        self.tally.count("relay", false);
    }
}

/// Returns the same call with these bytes as its argument: all functions that take only bytes are
/// encoded alike.
pub(crate) fn with_bytes(call: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut other = bindings::contribute(bytes);
    other[..4].copy_from_slice(&call[..4]);
    other
}
