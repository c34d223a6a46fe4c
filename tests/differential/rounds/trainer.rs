//! Whole rounds of a trainer: its money, models and versions against the reference rules.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, SolValue};
use cotrain_bindings::{
    self as bindings, Revert,
    channels::{Erc3009Token, token_code},
    federated::{
        FederatedTrainer, RewardToken, RoundTerms, create, math_code, model_code,
        reward_token_code, rule_number, trainer_code,
    },
};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction};
use cotrain_protocol::{
    ContractError,
    federated::{
        Chunks, Judgment, RoundPhase, Rule, Softmax, add_update, aggregate, encode_update, judge,
        shares,
    },
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{ANYONE, WIDTHS, items_of, joined, losses_of, slices, words_of};
use crate::START;

const OWNER: Address = Address::repeat_byte(0x10);
const WAIT: u32 = 3_600;
const CAP: u128 = 1 << 90;
const CHUNK: u32 = 32;
const MAX_SQUARED_NORM: u64 = 1 << 40;
const SALT: B256 = B256::repeat_byte(0x5a);

#[test]
fn federated_trainer_pays_rounds_as_the_rules() {
    let mut tally = Tally::default();
    for rule in Rule::ALL {
        for seed in 0..4 {
            let mut rounds = Rounds::found(rule, seed);
            for _ in 0..4 {
                rounds.play(&mut tally);
            }
        }
    }
    // Each outcome must have happened, so that it was compared.
    for (name, count) in [
        ("settled", tally.settled),
        ("too few", tally.too_few),
        ("excluded", tally.excluded),
        ("rewarded", tally.rewarded),
        ("copies", tally.copies),
        ("forfeited", tally.forfeited),
    ] {
        assert!(count >= 4, "{name}: {count} of {tally:?}");
    }
}

#[derive(Debug, Default)]
struct Tally {
    settled: usize,
    too_few: usize,
    excluded: usize,
    rewarded: usize,
    copies: usize,
    forfeited: usize,
}

/// Rounds of one trainer, with the state that the rules expect.
struct Rounds {
    chain: Embedded,
    trainer: Address,
    classifier: Address,
    terms: RoundTerms,
    model: Softmax,
    weights: Vec<i16>,
    parts: Vec<Vec<(u8, Vec<u8>)>>,
    chance: ChaCha8Rng,
    round: u64,
    version: u32,
    /// Free balance of each author, and its reward.
    accounts: BTreeMap<Address, (u128, u128)>,
    forfeited: u128,
}

/// Update of an author in a round.
struct Entry {
    author: Address,
    update: Vec<i16>,
    revealed: bool,
}

impl Rounds {
    fn found(rule: Rule, seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64((seed << 2) | u64::from(rule_number(rule)));
        let mut chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut deploy = |code| {
            let receipt = chain.send(Transaction::create(OWNER, code));
            receipt.expect("code").created.expect("an address")
        };
        let math = deploy(math_code());
        let implementation = deploy(trainer_code(math));
        let model_implementation = deploy(model_code());
        let factory = deploy(bindings::factory_code());
        let stake_token = deploy(token_code());
        let reward_token = deploy(reward_token_code("Reward", "RWD", CAP, OWNER));
        let terms = RoundTerms {
            stake_token,
            reward_token,
            stake: 1_000,
            slash: chance.random_range(0..=1_000),
            margin: chance.random_range(0..200),
            open_wait: WAIT,
            reveal_wait: WAIT,
            work_wait: WAIT,
            clients: 12,
            rule,
            hostile: chance.random_range(1..=2),
            width: *WIDTHS.choose(&mut chance).expect("some"),
            max_squared_norm: MAX_SQUARED_NORM,
            chunk: CHUNK,
            emission: 1_000_000_007,
            halving: 2,
            bond: 5,
        };
        let model = Softmax::new(20, 3, 16, 6).expect("a model");
        let call = create(implementation, &terms, model_implementation, &model);
        let created = chain.send(Transaction::call(OWNER, factory, call));
        let created = created.expect("a trainer").output;
        let (trainer, classifier) = bindings::created_model(&created).expect("addresses");
        let parts = (0..4).map(|_| part(&mut chance, &model)).collect();
        let mut rounds = Self {
            chain,
            trainer,
            classifier,
            terms,
            weights: vec![0; model.parameters()],
            model,
            parts,
            chance,
            round: 0,
            version: 0,
            accounts: BTreeMap::new(),
            forfeited: 0,
        };
        rounds.call(OWNER, classifier, bindings::close(trainer));
        let named = RewardToken::setTrainerCall { account: trainer };
        rounds.call(OWNER, reward_token, named.abi_encode());
        rounds.deposit(OWNER, terms.bond);
        let commitments = rounds.parts.iter().enumerate().map(|(index, part)| {
            let items = keccak256(items_of(part));
            keccak256((U256::from(index), SALT, items).abi_encode())
        });
        let commitments = commitments.collect();
        rounds.send(OWNER, &FederatedTrainer::commitTestCall { commitments });
        rounds
    }

    fn call(&mut self, from: Address, to: Address, data: Vec<u8>) -> Receipt {
        let sent = self.chain.send(Transaction::call(from, to, data));
        sent.expect("a transaction that succeeds")
    }

    fn send(&mut self, from: Address, call: &impl SolCall) -> Receipt {
        self.call(from, self.trainer, call.abi_encode())
    }

    fn read<C: SolCall>(&mut self, call: &C) -> C::Return {
        let call = Transaction::call(ANYONE, self.trainer, call.abi_encode());
        let receipt = self.chain.call(call).expect("an answer");
        C::abi_decode_returns(&receipt.output).expect("an answer of its type")
    }

    fn deposit(&mut self, account: Address, amount: u128) {
        let (token, amount) = (self.terms.stake_token, U256::from(amount));
        let mint = Erc3009Token::mintCall {
            to: account,
            amount,
        };
        self.call(ANYONE, token, mint.abi_encode());
        let approve = Erc3009Token::approveCall {
            spender: self.trainer,
            value: amount,
        };
        self.call(account, token, approve.abi_encode());
        self.send(account, &FederatedTrainer::depositCall { amount });
    }

    fn pass(&mut self) {
        let now = self.chain.now();
        self.chain
            .set_time(now + u64::from(WAIT) + 1)
            .expect("later");
    }

    /// Plays one round, and compares all that it changes.
    fn play(&mut self, tally: &mut Tally) {
        let entries = self.commit(tally);
        self.reveal(&entries);
        let revealed: Vec<&Entry> = entries.iter().filter(|entry| entry.revealed).collect();
        let minimum = self.terms.rule.needed(self.terms.hostile.into());
        if revealed.len() < minimum {
            self.send(ANYONE, &FederatedTrainer::drawCall {});
            tally.too_few += 1;
            return self.close(&entries, &[], &[]);
        }
        let part = self.draw();
        let samples = self.parts[part].clone();
        let items: Bytes = items_of(&samples).into();
        let updates: Vec<Vec<i16>> = revealed.iter().map(|it| it.update.clone()).collect();
        let (values, sums) = losses_of(&self.model, &self.weights, &updates, &samples);
        self.score(&updates, &items, &sums[..], samples.len());

        let scores = values.leave_one_out();
        let judged: Vec<Judgment> = scores
            .iter()
            .map(|score| judge(*score, self.terms.margin.into()))
            .collect();
        let admitted: Vec<Vec<i16>> = updates
            .iter()
            .zip(&judged)
            .filter(|(_, judgment)| **judgment != Judgment::Excluded)
            .map(|(update, _)| update.clone())
            .collect();
        if admitted.len() < minimum {
            tally.too_few += 1;
            return self.close(&entries, &[], &[]);
        }
        tally.excluded += updates.len() - admitted.len();
        self.aggregate(&admitted);
        self.send(ANYONE, &FederatedTrainer::settleCall {});
        let halvings = (self.version - 1) / self.terms.halving;
        let emission = if values.improvement() > 0 {
            self.terms.emission >> halvings
        } else {
            0
        };
        let earning: Vec<(B256, i64)> = updates
            .iter()
            .zip(&scores)
            .map(|(update, score)| (self.root(update), *score))
            .collect();
        let rewards = shares(emission, &earning);
        tally.settled += 1;
        tally.rewarded += rewards.iter().filter(|reward| **reward > 0).count();
        self.close(&entries, &judged, &rewards);
    }

    fn root(&self, update: &[i16]) -> B256 {
        let bytes = encode_update(self.terms.width, update).expect("within the lanes");
        Chunks::new(&bytes, CHUNK as usize).root()
    }

    /// Commits authors to helpful, useless, harmful and copied updates. Time goes on to the reveal.
    fn commit(&mut self, tally: &mut Tally) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for index in 0..self.chance.random_range(5..=12_u8) {
            let mut update = self.update();
            if index > 0 && self.chance.random_bool(0.15) {
                update.clone_from(&entries[0].update);
                tally.copies += 1;
            }
            let author = Address::repeat_byte(0xa0 + index);
            let free = self.accounts.get(&author).map_or(0, |it| it.0);
            if free < self.terms.stake {
                self.deposit(author, self.terms.stake);
                self.accounts.entry(author).or_default().0 += self.terms.stake;
            }
            let hash = keccak256(
                (
                    self.trainer,
                    U256::from(self.round),
                    author,
                    U256::from(self.version),
                    self.root(&update),
                    SALT,
                )
                    .abi_encode(),
            );
            self.send(author, &FederatedTrainer::commitCall { hash });
            self.accounts.entry(author).or_default().0 -= self.terms.stake;
            let revealed = !self.chance.random_bool(0.15);
            tally.forfeited += usize::from(!revealed);
            entries.push(Entry {
                author,
                update,
                revealed,
            });
        }
        if entries.len() < self.terms.clients.into() {
            self.pass();
        }
        entries
    }

    /// Draws an update: towards or away from what the samples of all parts show, or noise.
    fn update(&mut self) -> Vec<i16> {
        let (classes, features) = (self.model.classes(), self.model.features());
        let strength: i16 = match self.chance.random_range(0..8) {
            0 => self.chance.random_range(-6..0),
            1 => 0,
            _ => self.chance.random_range(4..16),
        };
        let width = self.terms.width;
        (0..self.model.parameters())
            .map(|parameter| {
                let (class, feature) = (parameter / features, parameter % features);
                let is_own = class < classes && feature % classes == class;
                let noise = self.chance.random_range(-3..=3);
                let towards = if is_own { strength } else { -strength / 4 };
                (towards + noise).clamp(width.min(), width.max())
            })
            .collect()
    }

    fn reveal(&mut self, entries: &[Entry]) {
        let revelations: Vec<_> = (0_usize..)
            .zip(entries)
            .filter(|(_, entry)| entry.revealed)
            .map(|(index, entry)| FederatedTrainer::Revelation {
                index: U256::from(index),
                baseVersion: U256::from(self.version),
                salt: SALT,
                update: joined(self.terms.width, [&entry.update]),
            })
            .collect();
        let all = revelations.len() == entries.len();
        self.send(ANYONE, &FederatedTrainer::revealCall { revelations });
        if !all {
            self.expect_phase(RoundPhase::Reveal);
            self.pass();
        }
        self.expect_phase(RoundPhase::Draw);
    }

    /// Checks the phase by the error of a call that does not fit it.
    fn expect_phase(&mut self, current: RoundPhase) {
        let call = FederatedTrainer::settleCall {}.abi_encode();
        let refused = self
            .chain
            .call(Transaction::call(ANYONE, self.trainer, call));
        let required = RoundPhase::Settle;
        assert_eq!(
            refused.as_ref().err().and_then(ChainError::revert),
            Some(&Revert::Contract(ContractError::NotInPhase {
                current,
                required
            }))
        );
    }

    /// Draws a part and reveals it.
    fn draw(&mut self) -> usize {
        self.send(ANYONE, &FederatedTrainer::drawCall {});
        // Two blocks later, the hash of the one between is known.
        self.call(ANYONE, ANYONE, Vec::new());
        self.call(ANYONE, ANYONE, Vec::new());
        self.send(ANYONE, &FederatedTrainer::drawCall {});
        let part = self.read(&FederatedTrainer::statusCall {}).part;
        let part = usize::try_from(part).expect("a small part");
        let call = FederatedTrainer::revealTestCall {
            salt: SALT,
            items: items_of(&self.parts[part]).into(),
        };
        self.send(OWNER, &call);
        part
    }

    /// Scores in two calls, and compares the sums.
    fn score(&mut self, updates: &[Vec<i16>], items: &Bytes, sums: &[U256], samples: usize) {
        let bytes = joined(self.terms.width, updates);
        let half = samples / 2;
        let mut logs = Vec::new();
        for (from, count) in [(0, half), (half, samples - half)] {
            let call = FederatedTrainer::scoreCall {
                from: U256::from(from),
                count: U256::from(count),
                updates: bytes.clone(),
                items: items.clone(),
            };
            logs.extend(self.send(ANYONE, &call).logs);
        }
        // The contract keeps the sums, also if the sieve leaves too few updates.
        let status = self.read(&FederatedTrainer::statusCall {});
        if status.number == U256::from(self.round) {
            assert_eq!(self.read(&FederatedTrainer::lossesCall {}), sums);
        }
        assert!(!logs.is_empty());
    }

    fn aggregate(&mut self, admitted: &[Vec<i16>]) {
        let (rule, hostile) = (self.terms.rule, self.terms.hostile.into());
        let updates = joined(self.terms.width, admitted);
        self.send(ANYONE, &FederatedTrainer::aggregateCall { updates });
        let delta = aggregate(rule, hostile, self.terms.width, &slices(admitted));
        add_update(&mut self.weights, &delta.expect("enough updates"));
        self.version += 1;
        let expected = words_of(&self.weights);
        let call = bindings::words(0, expected.len());
        let call = Transaction::call(ANYONE, self.classifier, call);
        let answer = self.chain.call(call).expect("words").output;
        assert_eq!(bindings::read_words(&answer), Some(expected.clone()));
        let bytes: Vec<u8> = expected.iter().flat_map(U256::to_be_bytes::<32>).collect();
        let version = U256::from(self.version);
        let root = self.read(&FederatedTrainer::modelOfCall { version });
        assert_eq!(root, keccak256(bytes));
    }

    /// Books the expected end of a round, and compares all money.
    ///
    /// `judged` and `rewards` are those of the revealed updates; a failed round has none.
    fn close(&mut self, entries: &[Entry], judged: &[Judgment], rewards: &[u128]) {
        let mut index = 0;
        for entry in entries {
            if !entry.revealed {
                self.forfeited += self.terms.stake;
                continue;
            }
            let is_excluded = judged.get(index) == Some(&Judgment::Excluded);
            let slash = if is_excluded { self.terms.slash } else { 0 };
            self.forfeited += slash;
            let account = self.accounts.entry(entry.author).or_default();
            account.0 += self.terms.stake - slash;
            account.1 += rewards.get(index).copied().unwrap_or_default();
            index += 1;
        }
        self.round += 1;
        let status = self.read(&FederatedTrainer::statusCall {});
        assert_eq!(status.number, U256::from(self.round));
        assert_eq!(status.version, U256::from(self.version));
        assert_eq!(status.phase, 0);
        for (account, (balance, reward)) in self.accounts.clone() {
            let found = self.read(&FederatedTrainer::accountOfCall { account });
            assert_eq!(found.balance, U256::from(balance), "balance of {account}");
            assert_eq!(found.reward, U256::from(reward), "reward of {account}");
        }
        let forfeited = self.read(&FederatedTrainer::forfeitedCall {});
        assert_eq!(forfeited, U256::from(self.forfeited));
        let free: u128 = self.accounts.values().map(|it| it.0).sum();
        let call = Erc3009Token::balanceOfCall {
            account: self.trainer,
        };
        let call = Transaction::call(ANYONE, self.terms.stake_token, call.abi_encode());
        let held = self.chain.call(call).expect("a balance").output;
        let expected = U256::from(free + self.forfeited + self.terms.bond);
        assert_eq!(bindings::read_number(&held), Some(expected));
    }
}

/// Draws samples whose class can be told by its own features.
fn part(chance: &mut ChaCha8Rng, model: &Softmax) -> Vec<(u8, Vec<u8>)> {
    let classes = u8::try_from(model.classes()).expect("few classes");
    (0..12)
        .map(|index| {
            let label = index % classes;
            let feature = |feature: usize| {
                let is_own = feature % model.classes() == usize::from(label);
                chance.random_range(if is_own { 6..=16 } else { 0..=8 })
            };
            (label, (0..model.features()).map(feature).collect())
        })
        .collect()
}
