//! Operations that contribute, score, settle and collect.

use alloy_primitives::{Address, U256};
use alloy_sol_types::{SolCall, sol};
use cotrain_bindings::{self as bindings, Revert, market as calls};
use cotrain_chain::ChainError;
use cotrain_protocol::{
    ContractError,
    market::{Contributions, Fact, Limits, MAX_BYTES, Stage, Step},
};
use rand::{
    RngExt,
    seq::{IndexedMutRandom, IndexedRandom},
};

use super::MarketPair;
use crate::{
    people::{AUTHORS, OWNER},
    random,
};

sol! {
    function score(bytes records, uint256 max) external;
}

impl MarketPair {
    pub(super) fn contribute(&mut self) {
        let count = self.chance.random_range(1..=3);
        let items = random::items(
            self.reference.initial().classifier(),
            &mut self.chance,
            count,
        );
        let required = self.reference.stake() * u128::from(count);
        let value = match self.chance.random_range(0..8) {
            0 => required - 1,
            1..4 => required + self.chance.random_range(0..1_000_000_000),
            _ => required,
        };
        self.send_contribution(value, &items);
    }

    /// Contributes batches that are malformed or too long, and samples that the model refuses.
    pub(super) fn contribute_badly(&mut self) {
        let items = match self.chance.random_range(0..10) {
            0 => vec![],
            1 => vec![0; MAX_BYTES + 1],
            _ => random::bad_items(self.reference.initial().classifier(), &mut self.chance),
        };
        self.send_contribution(u128::MAX >> 20, &items);
    }

    pub(super) fn send_contribution(&mut self, value: u128, items: &[u8]) {
        let author = AUTHORS.choose(&mut self.chance).expect("authors").address;
        let now = self.now();
        let sent = self.send(author, value, bindings::contribute(items));
        let expected = self.reference.contribute(author, now, value, items);
        let expected = expected.map(|done| {
            *self.wallet(author) += U256::from(done.surplus);
            self.records.push(Contributions {
                author,
                time: now,
                items: items.to_vec(),
            });
            vec![Fact::Contributed {
                first_position: done.first_position,
                author,
                deposit: self.reference.stake(),
                time: now,
                items: items.to_vec().into(),
            }]
        });
        self.same("contribute", sent, expected);
    }

    pub(super) fn restart(&mut self) {
        let size = self.reference.initial().classifier().words().len() as u64;
        let words = match self.chance.random_range(0..8) {
            0 => 0,
            1..4 => self.chance.random_range(0..=size),
            4 => u64::MAX,
            _ => size,
        };
        let from = self.anyone();
        let begins = self.reference.progress().copied == 0;
        let sent = self.send(from, 0, calls::restart(words));
        let expected = self.reference.restart(self.now(), words).map(|()| {
            let progress = self.reference.progress();
            let pass = progress.pass;
            let copied = Fact::Copied {
                pass,
                copied: progress.copied,
                size,
            };
            if !begins {
                return vec![copied];
            }
            // Only the chain knows the model's address. The address is read from the chain, and its
            // words are compared.
            let answer = self.ask(calls::state::progress());
            let (_, model) = calls::read_progress(&answer).expect("a progress");
            let model = model.expect("a model");
            vec![Fact::Restarted { pass, model }, copied]
        });
        self.same("restart", sent, expected);
    }

    /// Sends the step that a driver would send, with random limits.
    pub(super) fn score_due(&mut self) {
        let limits = Limits {
            words: 1,
            records: self.chance.random_range(1..6),
            samples: self.chance.random_range(1..40),
            looks: 1,
        };
        let step = self.reference.next_step(self.now(), &self.records, limits);
        if let Some(Step::Score { records, samples }) = step {
            let records = self.records[records].to_vec();
            self.send_score(&records, samples);
            assert!(
                self.reference.progress().stage != Stage::Copying,
                "{}",
                self.at()
            );
        } else {
            self.score_any();
        }
    }

    /// Sends records from around the cursor, sometimes wrong ones or a part of one.
    pub(super) fn score_any(&mut self) {
        let cursor = self.reference.progress().cursor;
        let index = (0..=cursor).filter(|batch| !self.reference.root(*batch).is_zero());
        // These are batches before the cursor, without the one at it. The end has none at it.
        let index = index
            .count()
            .saturating_sub(usize::from(cursor < self.reference.contribution_count()));
        let index = if self.chance.random_bool(0.8) {
            index
        } else {
            self.chance.random_range(0..=self.records.len())
        };
        let rest = self.records.get(index..).unwrap_or_default();
        let count = self.chance.random_range(0..=rest.len().min(5));
        let mut records = rest[..count].to_vec();
        let samples = self.chance.random_range(0..30);
        match self.chance.random_range(0..10) {
            0..2 => self.spoil(&mut records),
            2..4 => return self.send_cut(&records, samples),
            _ => {}
        }
        self.send_score(&records, samples);
    }

    /// Changes one of the records.
    fn spoil(&mut self, records: &mut [Contributions]) {
        let anyone = self.anyone();
        let Some(record) = records.choose_mut(&mut self.chance) else {
            return;
        };
        match self.chance.random_range(0..4) {
            0 => record.author = anyone,
            1 => record.time += 1,
            2 => record.items.clear(),
            _ => record
                .items
                .truncate(self.chance.random_range(0..record.items.len())),
        }
    }

    fn send_score(&mut self, records: &[Contributions], samples: u64) {
        let from = self.anyone();
        let sent = self.send(from, 0, calls::score(records, samples));
        let expected = self.reference_score(records, samples);
        self.same("score", sent, expected);
    }

    pub(super) fn reference_score(
        &mut self,
        records: &[Contributions],
        samples: u64,
    ) -> Result<Vec<Fact>, ContractError> {
        let scored = self.reference.score(self.now(), records, samples)?;
        let progress = self.reference.progress();
        let mut events: Vec<_> = scored.runs.into_iter().map(Fact::Scored).collect();
        events.push(Fact::Advanced {
            stage: progress.stage,
            cursor: progress.cursor,
            run_author: progress.run_author,
            evaluated: progress.evaluated,
            counted: progress.counted,
        });
        Ok(events)
    }

    /// Sends the records with a cut last one, which matters only if the contract reaches it.
    fn send_cut(&mut self, records: &[Contributions], samples: u64) {
        let Some((last, whole)) = records.split_last() else {
            return;
        };
        let bytes: Vec<_> = whole.iter().flat_map(Contributions::encode).collect();
        let last = last.encode();
        let kept = self.chance.random_range(1..last.len());
        let call = scoreCall {
            records: [&bytes, &last[..kept]].concat().into(),
            max: U256::from(samples),
        };
        let sent = self.send(OWNER, 0, call.abi_encode());
        if self.looks_beyond(whole, samples) {
            let offset = bytes.len() as u64;
            let malformed = Revert::MalformedRecords { offset };
            let seen = sent.as_ref().err().and_then(ChainError::revert);
            assert_eq!(seen, Some(&malformed), "{}", self.at());
            self.tally.count("cut records", true);
        } else {
            let expected = self.reference_score(whole, samples);
            self.same("score", sent, expected);
        }
    }

    /// Returns `true` if the contract would read a record after these.
    fn looks_beyond(&self, records: &[Contributions], samples: u64) -> bool {
        let mut reference = self.reference.clone();
        let all_taken = match reference.score(self.now(), records, samples) {
            Ok(scored) => scored.taken == records.len(),
            Err(reason) => reason == ContractError::NoProgress && records.is_empty(),
        };
        let progress = reference.progress();
        all_taken && progress.evaluated == 0 && progress.cursor < reference.contribution_count()
    }

    pub(super) fn settle(&mut self) {
        let max = self.chance.random_range(0..6);
        let from = self.anyone();
        let sent = self.send(from, 0, calls::settle(max));
        let pass = self.reference.progress().pass;
        let expected = self.reference.settle(self.now(), max).map(|settled| {
            let mut events = Vec::new();
            for change in settled.changes {
                events.push(Fact::BalanceChanged {
                    account: change.account,
                    score: change.score,
                    balance: change.balance,
                });
                if change.removed {
                    self.tally.count("removed", true);
                    events.push(Fact::Removed {
                        account: change.account,
                        pass,
                    });
                }
            }
            let progress = self.reference.progress();
            events.push(match settled.pass {
                Some(pass) => {
                    self.tally.count("last pass", pass.last);
                    Fact::PassSettled(pass)
                }
                None => Fact::SettlementAdvanced {
                    stage: progress.stage,
                    participant_index: progress.participant_index,
                    pot: progress.pot,
                },
            });
            events
        });
        self.same("settle", sent, expected);
    }

    pub(super) fn collect(&mut self) {
        let account = self.anyone();
        let sent = self.send(account, 0, calls::collect());
        let expected = self.reference.collect(account, self.now()).map(|amount| {
            *self.wallet(account) += U256::from(amount);
            vec![Fact::Collected { account, amount }]
        });
        self.same("collect", sent, expected);
    }

    pub(super) fn collect_remainder(&mut self) {
        let owner = self.owner_or_not();
        let sent = self.send(owner, 0, calls::collect_remainder());
        let expected = self.reference.collect_remainder(owner, self.now());
        let expected = expected.map(|amount| {
            *self.wallet(owner) += U256::from(amount);
            vec![Fact::RemainderCollected { owner, amount }]
        });
        self.same("remainder", sent, expected);
    }

    /// Returns mostly the owner.
    pub(super) fn owner_or_not(&mut self) -> Address {
        if self.chance.random_bool(0.8) {
            OWNER
        } else {
            self.anyone()
        }
    }
}
