//! Rounds of one trainer on a chain, compared with the rules after each step.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolValue;
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_chain::Chain;
use cotrain_learning::federated::{
    Examples,
    laboratory::{Joined, Round},
};
use cotrain_protocol::federated::{
    Chunks, Judgment, Sample, Softmax, Values, add_update, aggregate, encode_update, judge, shares,
};

use super::{
    ClientOutcome, RoundOutcome, Settings, Step,
    contract::{ANYONE, CHUNK, Contract},
    run::Outcome,
};
use crate::{
    SimulateError,
    mechanism::contract::{OWNER, same},
};

/// Secret of all commitments: nobody in a simulation looks for it.
const SALT: B256 = B256::repeat_byte(0x5a);

/// Trainer, its clients, and what the rules say of them so far.
pub(super) struct Rounds<'a> {
    contract: Contract<'a>,
    settings: &'a Settings,
    model: Softmax,
    /// Examples of all parts of the test set, one part after the other.
    hidden: &'a Examples,
    clients: Vec<Client>,
    played: Vec<RoundOutcome>,
    version: u32,
    forfeited: u128,
    /// Number of samples that a transaction scores, and of updates for which that was tried.
    piece: (usize, usize),
}

/// Client on the chain.
#[derive(Debug, Clone, Default)]
struct Client {
    account: Address,
    deposited: u128,
    /// Free balance in the trainer.
    balance: u128,
    reward: u128,
    slashed: u128,
    forfeited: u128,
    values: Vec<Option<i64>>,
}

/// Update of a client in a round.
struct Entry<'r> {
    update: &'r [i16],
    bytes: Vec<u8>,
    root: B256,
    revealed: bool,
}

/// Consequence of a settled round for an entry.
#[derive(Clone, Copy)]
struct Booked {
    is_excluded: bool,
    reward: u128,
}

impl<'a> Rounds<'a> {
    /// Deploys a trainer, and commits its owner to the hidden examples.
    pub(super) fn found(
        chain: &'a mut dyn Chain,
        settings: &'a Settings,
        model: Softmax,
        hidden: &'a Examples,
    ) -> Result<Self, SimulateError> {
        let parts = 0..settings.rounds as usize;
        let commitments = parts.map(|part| {
            let items = keccak256(items(hidden, part, settings.samples));
            keccak256((U256::from(part), SALT, items).abi_encode())
        });
        let contract = Contract::found(chain, settings, &model, commitments.collect())?;
        let clients = (0..u64::from(settings.clients)).map(|index| Client {
            account: Address::left_padding_from(&(0xc0de_0000 + index).to_be_bytes()),
            ..Client::default()
        });
        Ok(Self {
            contract,
            settings,
            model,
            hidden,
            clients: clients.collect(),
            played: Vec::new(),
            version: 0,
            forfeited: 0,
            piece: (settings.samples, 0),
        })
    }

    /// Plays a round by transactions.
    pub(super) fn play(&mut self, round: Round<'_>) -> Result<Joined, SimulateError> {
        let each = round.updates.iter().zip(round.revealed);
        let entries = each.map(|(update, &revealed)| {
            let bytes = encode_update(self.settings.width, update)?;
            let root = Chunks::new(&bytes, CHUNK as usize).root();
            Ok(Entry {
                update,
                bytes,
                root,
                revealed,
            })
        });
        let entries = entries.collect::<Result<Vec<_>, SimulateError>>()?;
        self.commit(&entries)?;
        self.reveal(&entries)?;
        let shown: Vec<&Entry<'_>> = entries.iter().filter(|entry| entry.revealed).collect();
        let unchanged = |values| Joined {
            values: Some(values),
            weights: round.weights.to_vec(),
        };
        let rule = self.settings.rule;
        let hostile = usize::from(self.settings.assumed_hostile);
        if shown.len() < rule.needed(hostile) {
            // This call ends the round.
            let call = FederatedTrainer::drawCall {};
            self.contract.send(Step::Draw, ANYONE, &call)?;
            let none: Vec<Option<i64>> = vec![None; entries.len()];
            let outcome = RoundOutcome::failed(shown.len());
            self.close(&entries, None, &none, outcome)?;
            return Ok(unchanged(none));
        }
        let part = self.draw()?;
        let items = Bytes::from(items(self.hidden, part, self.settings.samples));
        let call = FederatedTrainer::revealTestCall {
            salt: SALT,
            items: items.clone(),
        };
        self.contract.send(Step::RevealTest, OWNER, &call)?;
        let updates: Vec<&[i16]> = shown.iter().map(|entry| entry.update).collect();
        let samples: Vec<Sample<'_>> = part_range(part, self.settings.samples)
            .map(|index| self.hidden.sample(index))
            .collect();
        let values = self.model.values(round.weights, &updates, &samples)?;
        self.score(&shown, &items)?;
        let scores = values.leave_one_out();
        let margin = self.settings.margin.into();
        let is_excluded = |score: &i64| judge(*score, margin) == Judgment::Excluded;
        let excluded: Vec<bool> = scores.iter().map(is_excluded).collect();
        let admitted = excluded.iter().filter(|is_excluded| !**is_excluded).count();
        let mut outcome = RoundOutcome {
            admitted,
            improvement: Some(values.improvement()),
            ..RoundOutcome::failed(shown.len())
        };
        let by_client = round.by_client(scores.iter().copied());
        if admitted < rule.needed(hostile) {
            // Scoring the last sample has ended the round.
            self.close(&entries, None, &by_client, outcome)?;
            return Ok(unchanged(by_client));
        }
        self.compare_losses(&values)?;

        let kept = |at: &usize| !excluded[*at];
        let kept: Vec<&Entry<'_>> = (0..shown.len()).filter(kept).map(|at| shown[at]).collect();
        let updates: Vec<&[i16]> = kept.iter().map(|entry| entry.update).collect();
        let joined = aggregate(rule, hostile, self.settings.width, &updates)?;
        let mut weights = round.weights.to_vec();
        add_update(&mut weights, &joined);
        self.aggregate(&kept, &weights)?;

        self.contract
            .send(Step::Settle, ANYONE, &FederatedTrainer::settleCall {})?;
        let improves = values.improvement() > 0;
        let emission = if improves { self.settings.emission } else { 0 };
        let by_root: Vec<(B256, i64)> = shown.iter().map(|entry| entry.root).zip(scores).collect();
        let rewards = shares(emission, &by_root);
        outcome.emitted = rewards.iter().sum();
        outcome.is_settled = true;
        let booked = excluded.into_iter().zip(rewards);
        let booked = booked.map(|(is_excluded, reward)| Booked {
            is_excluded,
            reward,
        });
        let booked = round.by_client(booked);
        self.close(&entries, Some(&booked), &by_client, outcome)?;
        Ok(Joined {
            values: Some(by_client),
            weights,
        })
    }

    /// Commits all clients to their updates. The last one ends the phase.
    fn commit(&mut self, entries: &[Entry<'_>]) -> Result<(), SimulateError> {
        let round = U256::from(self.played.len());
        for (client, entry) in self.clients.iter_mut().zip(entries) {
            if client.balance < self.settings.stake {
                let missing = self.settings.stake - client.balance;
                self.contract.deposit(client.account, missing)?;
                client.deposited += missing;
                client.balance += missing;
            }
            let (trainer, author) = (self.contract.trainer, client.account);
            let version = U256::from(self.version);
            let hash = (trainer, round, author, version, entry.root, SALT).abi_encode();
            let call = FederatedTrainer::commitCall {
                hash: keccak256(hash),
            };
            self.contract.send(Step::Commit, author, &call)?;
            client.balance -= self.settings.stake;
        }
        Ok(())
    }

    /// Reveals the updates, each in a transaction of its own. Time ends the phase if some are kept.
    fn reveal(&mut self, entries: &[Entry<'_>]) -> Result<(), SimulateError> {
        let shown = entries.iter().enumerate().filter(|it| it.1.revealed);
        for (index, entry) in shown {
            let revelation = FederatedTrainer::Revelation {
                index: U256::from(index),
                baseVersion: U256::from(self.version),
                salt: SALT,
                update: Bytes::copy_from_slice(&entry.bytes),
            };
            let call = FederatedTrainer::revealCall {
                revelations: vec![revelation],
            };
            let author = self.clients[index].account;
            self.contract.send(Step::Reveal, author, &call)?;
        }
        if entries.iter().any(|entry| !entry.revealed) {
            self.contract.pass_phase()?;
        }
        Ok(())
    }

    /// Draws a part of the test set.
    fn draw(&mut self) -> Result<usize, SimulateError> {
        let draw = FederatedTrainer::drawCall {};
        self.contract.send(Step::Draw, ANYONE, &draw)?;
        // The hash of the block after the first call decides, and it is known one block later.
        self.contract.pass_block()?;
        self.contract.send(Step::Draw, ANYONE, &draw)?;
        let part = self.contract.read(&FederatedTrainer::statusCall {})?.part;
        Ok(part.saturating_to())
    }

    /// Scores all samples, as many at once as a transaction can.
    fn score(&mut self, shown: &[&Entry<'_>], items: &Bytes) -> Result<(), SimulateError> {
        let updates = concatenated(shown);
        let call = |from: usize, count: usize| FederatedTrainer::scoreCall {
            from: U256::from(from),
            count: U256::from(count),
            updates: updates.clone(),
            items: items.clone(),
        };
        let samples = self.settings.samples;
        if self.piece.1 < shown.len() {
            let mut count = samples;
            while count > 1 && !self.contract.would_succeed(&call(0, count))? {
                count = count.div_ceil(2);
            }
            self.piece = (count, shown.len());
        }
        for from in (0..samples).step_by(self.piece.0) {
            let count = self.piece.0.min(samples - from);
            self.contract
                .send(Step::Score, ANYONE, &call(from, count))?;
        }
        Ok(())
    }

    /// Compares the losses that the contract has summed up.
    fn compare_losses(&mut self, values: &Values) -> Result<(), SimulateError> {
        let expected: Vec<U256> = [values.base, values.all]
            .into_iter()
            .chain(values.without.iter().copied())
            .map(|value| U256::from(value.unsigned_abs()))
            .collect();
        let found = self.contract.read(&FederatedTrainer::lossesCall {})?;
        same("losses", &found, &expected)
    }

    /// Aggregates the admitted updates, and compares the model.
    fn aggregate(&mut self, kept: &[&Entry<'_>], weights: &[i16]) -> Result<(), SimulateError> {
        let updates = concatenated(kept);
        let call = FederatedTrainer::aggregateCall { updates };
        self.contract.send(Step::Aggregate, ANYONE, &call)?;
        self.version += 1;
        let words: Vec<U256> = weights.chunks(16).map(word).collect();
        let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        self.contract.compare_model(words)?;
        let version = U256::from(self.version);
        let call = FederatedTrainer::modelOfCall { version };
        let root = self.contract.read(&call)?;
        same("modelOf", &root, &keccak256(bytes))
    }

    /// Books the end of a round, and compares the money of all. A failed round has no `booked`.
    fn close(
        &mut self,
        entries: &[Entry<'_>],
        booked: Option<&[Option<Booked>]>,
        values: &[Option<i64>],
        outcome: RoundOutcome,
    ) -> Result<(), SimulateError> {
        let stake = self.settings.stake;
        for (index, (client, entry)) in self.clients.iter_mut().zip(entries).enumerate() {
            client.values.push(values[index]);
            if !entry.revealed {
                client.forfeited += stake;
                self.forfeited += stake;
                continue;
            }
            client.balance += stake;
            let Some(booked) = booked.and_then(|booked| booked[index]) else {
                continue;
            };
            client.reward += booked.reward;
            if booked.is_excluded {
                client.balance -= self.settings.slash;
                client.slashed += self.settings.slash;
                self.forfeited += self.settings.slash;
            }
        }
        self.played.push(outcome);
        let status = self.contract.read(&FederatedTrainer::statusCall {})?;
        let round = (status.number, status.version, status.phase);
        let expected = (U256::from(self.played.len()), U256::from(self.version), 0);
        same("status", &round, &expected)?;
        for client in &self.clients {
            let account = client.account;
            let call = FederatedTrainer::accountOfCall { account };
            let found = self.contract.read(&call)?;
            let expected = (U256::from(client.balance), U256::from(client.reward));
            same("accountOf", &(found.balance, found.reward), &expected)?;
        }
        let found = self.contract.read(&FederatedTrainer::forfeitedCall {})?;
        same("forfeited", &found, &U256::from(self.forfeited))
    }

    /// Lets all clients collect their rewards and withdraw their stakes, and compares all tokens.
    pub(super) fn finish(mut self, names: &[&'static str]) -> Result<Outcome, SimulateError> {
        for client in &self.clients {
            if client.reward > 0 {
                let call = FederatedTrainer::collectCall {};
                self.contract.send(Step::Collect, client.account, &call)?;
            }
            if client.balance > 0 {
                let amount = U256::from(client.balance);
                let call = FederatedTrainer::withdrawCall { amount };
                self.contract.send(Step::Withdraw, client.account, &call)?;
            }
            let held = self.contract.held(client.account)?;
            same("balanceOf", &held, &(client.balance, client.reward))?;
        }
        let (left, _) = self.contract.held(self.contract.trainer)?;
        same("balanceOf", &left, &(self.forfeited + self.contract.bond))?;
        let rewards: u128 = self.clients.iter().map(|client| client.reward).sum();
        same(
            "totalSupply",
            &self.contract.minted()?,
            &U256::from(rewards),
        )?;
        let clients = self.clients.into_iter().zip(names);
        let clients = clients.map(|(client, kind)| ClientOutcome {
            kind,
            deposited: client.deposited,
            withdrawn: client.balance,
            slashed: client.slashed,
            forfeited: client.forfeited,
            reward: client.reward,
            values: client.values,
        });
        Ok(Outcome {
            state: self.contract.state()?,
            clients: clients.collect(),
            rounds: self.played,
            spent: self.contract.spent,
        })
    }
}

fn part_range(part: usize, samples: usize) -> std::ops::Range<usize> {
    part * samples..(part + 1) * samples
}

/// Returns the bytes of a part of the test set.
fn items(hidden: &Examples, part: usize, samples: usize) -> Vec<u8> {
    let item = |index: usize| {
        let Sample { label, features } = hidden.sample(index);
        // A model has at most 256 classes.
        let label = u8::try_from(label).unwrap_or(u8::MAX);
        [&[label], features].concat()
    };
    part_range(part, samples).flat_map(item).collect()
}

fn concatenated(entries: &[&Entry<'_>]) -> Bytes {
    let bytes: Vec<&[u8]> = entries.iter().map(|entry| &entry.bytes[..]).collect();
    bytes.concat().into()
}

/// Packs up to 16 weights into a storage word.
fn word(weights: &[i16]) -> U256 {
    weights.iter().rev().fold(U256::ZERO, |word, weight| {
        (word << 16) | U256::from(weight.cast_unsigned())
    })
}
