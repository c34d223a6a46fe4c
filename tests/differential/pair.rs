//! A contract and its twin, and what must be equal between them.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, Revert, state};
use cotrain_chain::{
    Chain, ChainError, Config, Deployment, Embedded, ModelConfig, Transaction, deploy,
};
use cotrain_protocol::{
    Rejection,
    classifier::Kind,
    trainer::{Claim, Incentive, Trainer, Waits},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{AUTHORS, DAY, OWNER, START, STEPS, STRANGER, random};

/// A contract and its twin.
pub(super) struct Pair {
    pub(super) chain: Embedded,
    pub(super) model: Deployment,
    pub(super) twin: Trainer,
    /// What each account must hold.
    pub(super) balances: BTreeMap<Address, U256>,
    /// Claims of everything contributed, settled or not.
    pub(super) claims: Vec<Claim>,
    pub(super) chance: ChaCha8Rng,
    /// How often each operation succeeded and failed.
    pub(super) tally: BTreeMap<&'static str, (usize, usize)>,
    pub(super) context: String,
}

impl Pair {
    pub(super) fn found(kind: Kind, incentive: Incentive, seed: u64) -> Self {
        let context = format!(
            "{kind}, {incentive:?}; replay: COTRAIN_SEED={seed} cargo test -p cotrain-tests --test differential"
        );
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let classifier = random::classifier(kind, &mut chance);
        let mut chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut balances = BTreeMap::new();
        for account in AUTHORS.into_iter().chain([OWNER, STRANGER]) {
            let wei = U256::from(10_u128.pow(30));
            chain.fund(account, wei).expect("money");
            balances.insert(account, wei);
        }
        let waits = Waits {
            refund: DAY,
            owner_claim: 5 * DAY,
            any_address_claim: 9 * DAY,
        };
        let config = ModelConfig {
            owner: OWNER,
            incentive,
            waits,
        };
        let model = deploy(&mut chain, &config, &classifier).expect("a model");
        let twin = Trainer::new(OWNER, model.trainer, incentive, waits, classifier, START)
            .expect("good parameters");
        Self {
            chain,
            model,
            twin,
            balances,
            claims: Vec::new(),
            chance,
            tally: BTreeMap::new(),
            context,
        }
    }

    pub(super) fn run(mut self, steps: usize) {
        self.compare_model(0);
        for step in 0..steps {
            match self.chance.random_range(0..100) {
                0..15 => self.pass_time(),
                15..40 => self.contribute(step),
                40..48 => self.contribute_badly(step),
                48..64 => self.claim(step, "refund"),
                64..80 => self.claim(step, "report"),
                80..88 => self.claim(step, "late"),
                88..94 => self.predict(step),
                94..97 => self.evaluate(step),
                _ => self.meddle(step),
            }
            self.compare_money(step);
            self.compare_model(step);
        }
        self.compare_records();
        // Operations that never succeed, or never fail, would compare nothing.
        for (operation, least) in [
            ("contribute", 50),
            ("refund", 5),
            ("report", 3),
            ("late", 3),
            ("predict", 10),
            ("evaluate", 3),
        ] {
            let (good, bad) = self.tally.get(operation).copied().unwrap_or_default();
            if steps >= STEPS {
                assert!(
                    good >= least && bad > 0,
                    "{operation}: {good} good, {bad} bad: {}",
                    self.context
                );
            }
        }
    }

    /// Both refused, for the same reason; or both did not.
    pub(super) fn same_refusal(
        &self,
        step: usize,
        chain: Result<(), ChainError>,
        twin: Result<(), Rejection>,
    ) {
        match (chain, twin) {
            (Ok(()), Ok(())) => {}
            (
                Err(ChainError::Reverted {
                    revert: Revert::Contract(chain),
                    ..
                }),
                Err(twin),
            ) if chain == twin => {}
            (chain, twin) => panic!(
                "step {step}: chain {chain:?}, twin {twin:?}; {}",
                self.context
            ),
        }
    }

    pub(super) fn compare_money(&mut self, step: usize) {
        for (account, expected) in &self.balances {
            let seen = self.chain.balance(*account).expect("a balance");
            assert_eq!(
                seen, *expected,
                "{account} after step {step}, {}",
                self.context
            );
        }
        let held = self.chain.balance(self.model.trainer).expect("a balance");
        assert_eq!(
            held,
            U256::from(self.twin.held()),
            "held after step {step}, {}",
            self.context
        );
        let now = self.chain.now();
        for (name, call, expected) in [
            (
                "contributionCount",
                state::contribution_count(),
                u128::from(self.twin.contribution_count()),
            ),
            (
                "lastContributionTime",
                state::last_contribution_time(),
                u128::from(self.twin.last_contribution_time()),
            ),
            (
                "totalGood",
                state::total_good(),
                u128::from(self.twin.total_good()),
            ),
            ("price(1)", state::price(1), self.twin.price(1, now)),
            ("price(7)", state::price(7), self.twin.price(7, now)),
        ] {
            assert_eq!(
                self.read(call),
                U256::from(expected),
                "{name} after step {step}, {}",
                self.context
            );
        }
        for author in AUTHORS {
            let good = self.read(state::good(author));
            assert_eq!(
                good,
                U256::from(self.twin.good(author)),
                "good({author}) after step {step}, {}",
                self.context
            );
        }
    }

    /// Every root, settlement and reporter's mark there is.
    fn compare_records(&mut self) {
        for position in 0..=self.twin.contribution_count() {
            let root = self.read(state::root(position));
            let expected = U256::from_be_bytes(self.twin.root(position).0);
            assert_eq!(root, expected, "root {position}, {}", self.context);
            let settlement = self.read(state::settlement(position));
            let expected = self.twin.settlement(position);
            assert_eq!(
                settlement, expected,
                "settlement {position}, {}",
                self.context
            );
            for reporter in AUTHORS {
                let reported = self.read(state::reported(position, reporter));
                let expected = U256::from(u8::from(self.twin.reported(position, reporter)));
                assert_eq!(reported, expected, "reported {position}, {}", self.context);
            }
        }
    }

    pub(super) fn compare_model(&mut self, step: usize) {
        let words = self.model.words(&mut self.chain).expect("words");
        assert_eq!(
            words,
            self.twin.classifier().words(),
            "model after step {step}, {}",
            self.context
        );
    }

    pub(super) fn read(&mut self, call: Vec<u8>) -> U256 {
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.trainer, call))
            .expect("an answer");
        bindings::read_number(&answer.output).expect("a number")
    }

    pub(super) fn count(&mut self, operation: &'static str, success: bool) {
        let (good, bad) = self.tally.entry(operation).or_default();
        if success { *good += 1 } else { *bad += 1 }
    }
}
