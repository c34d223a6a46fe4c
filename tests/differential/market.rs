//! Tests prediction markets: the same random life in the bytecode and in the reference model.

mod dividing;
mod opening;
mod operations;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256, address};
use cotrain_bindings::{
    self as bindings, Revert,
    market::{self as calls, events::decode, state},
};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction};
use cotrain_client::deploy::{Deployment, ModelConfig, deploy};
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Kind},
    market::{Contributions, Fact, Limits, Market, Phase, Stage, Terms},
    mechanism::{self, Mechanism},
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    START,
    people::{OWNER, STRANGER, everyone},
    random,
    tally::Tally,
};

/// Address at which bounties are burned.
const BURNED: Address = address!("000000000000000000000000000000000000dEaD");
/// Maximum number of steps of each market.
const STEPS: usize = 400;
/// Number of steps after the end of a market, when little is left to do.
const STEPS_WHEN_OVER: usize = 30;
const SEEDS: u64 = 64;

// ---------------------------------------------------------------- Requirements

/// Minimum number of successes and of failures of each operation, for each kind of model.
const LEAST: &[(&str, usize, usize)] = &[
    ("commit", 40, 40),
    ("draw", 30, 50),
    ("reveal", 80, 80),
    ("forfeit", 5, 50),
    ("contribute", 150, 150),
    ("restart", 30, 40),
    ("score", 100, 50),
    ("cut records", 3, 0),
    ("settle", 40, 40),
    ("removed", 3, 0),
    ("last pass", 20, 3),
    ("collect", 50, 100),
    ("remainder", 20, 100),
];

/// Reasons for which each operation must fail at least once.
const REASONS: &[(&str, &[&str])] = &[
    ("commit", &["NotOwner", "WrongPhase", "InvalidParameter"]),
    (
        "draw",
        &[
            "WrongPhase",
            "AlreadyDrawn",
            "TooEarlyToDraw",
            "TooLateToDraw",
        ],
    ),
    (
        "reveal",
        &[
            "WrongPhase",
            "UnknownPart",
            "NotDrawn",
            "NotTheDrawnPart",
            "AlreadyRevealed",
            "TooLate",
            "TooLong",
            "CommitmentDiffers",
        ],
    ),
    ("forfeit", &["WrongPhase", "TooEarly"]),
    (
        "contribute",
        &[
            "WrongPhase",
            "TooLong",
            "EmptyBatch",
            "MalformedBatch",
            "TooManyContributions",
            "DepositTooLow",
        ],
    ),
    ("restart", &["WrongPhase", "WrongStage", "NoProgress"]),
    (
        "score",
        &[
            "WrongPhase",
            "WrongStage",
            "NoProgress",
            "UnknownContribution",
        ],
    ),
    ("settle", &["WrongPhase", "WrongStage", "NoProgress"]),
    ("collect", &["WrongPhase", "NothingToCollect"]),
    ("remainder", &["NotOwner", "WrongPhase", "NothingToCollect"]),
];

// ---------------------------------------------------------------- Markets of each learner

#[test]
fn market_of_sparse_perceptron() {
    compare_all(Kind::SparsePerceptron);
}

#[test]
fn market_of_dense_perceptron() {
    compare_all(Kind::DensePerceptron);
}

#[test]
fn market_of_naive_bayes() {
    compare_all(Kind::NaiveBayes);
}

#[test]
fn market_of_sparse_nearest_centroid() {
    compare_all(Kind::SparseNearestCentroid);
}

#[test]
fn market_of_dense_nearest_centroid() {
    compare_all(Kind::DenseNearestCentroid);
}

/// Runs many seeds, or the one that the environment names.
fn compare_all(kind: Kind) {
    let one = std::env::var("COTRAIN_SEED").ok();
    let one: Option<u64> = one.map(|seed| seed.parse().expect("a number"));
    let mut tally = Tally::default();
    for seed in one.map_or(1..=SEEDS, |seed| seed..=seed) {
        tally += MarketPair::found(kind, seed).run();
    }
    if one.is_none() {
        tally.require(kind, LEAST, REASONS);
    }
}

// ---------------------------------------------------------------- The market and its reference model

/// A market and its reference model.
struct MarketPair {
    chain: Embedded,
    deployment: Deployment,
    reference: Market,
    /// A market that follows only the events.
    followed: Market,
    /// Expected money of each wallet.
    wallets: BTreeMap<Address, U256>,
    /// Salts and items of the committed parts.
    parts: Vec<(B256, Vec<u8>)>,
    /// All contributions.
    records: Vec<Contributions>,
    chance: ChaCha8Rng,
    tally: Tally,
    step: usize,
    context: String,
}

impl MarketPair {
    fn found(kind: Kind, seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let classifier = random::classifier(kind, &mut chance);
        let terms = terms(&mut chance);
        let context = format!(
            "{kind}, {terms:?}; replay: COTRAIN_SEED={seed} cargo test -p cotrain-tests --test differential market"
        );
        Self::over(classifier, terms, chance, context)
    }

    /// Creates a market that begins with this model.
    fn over(classifier: Classifier, terms: Terms, chance: ChaCha8Rng, context: String) -> Self {
        let mut chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut wallets = BTreeMap::from([(BURNED, U256::ZERO)]);
        for account in everyone() {
            let wei = U256::from(10).pow(U256::from(36));
            chain.fund(account, wei).expect("money");
            wallets.insert(account, wei);
        }
        let config = ModelConfig {
            owner: OWNER,
            terms: mechanism::Terms::Market(terms),
        };
        let deployment = deploy(&mut chain, &config, &classifier).expect("a market");
        let (trainer, model) = (deployment.trainer, deployment.classifier);
        let parameters = *classifier.parameters();
        let followed = Market::followed(OWNER, trainer, model, terms, parameters);
        let reference = Market::new(OWNER, trainer, model, terms, classifier);
        Self {
            chain,
            deployment,
            reference: reference.expect("good parameters"),
            followed: followed.expect("good parameters"),
            wallets,
            parts: Vec::new(),
            records: Vec::new(),
            chance,
            tally: Tally::default(),
            step: 0,
            context,
        }
    }

    fn run(mut self) -> Tally {
        self.compare();
        let mut over = 0;
        for step in 0..STEPS {
            self.step = step;
            let phase = self.reference.phase(self.now());
            over += usize::from(matches!(
                phase,
                Phase::Settled | Phase::Failed | Phase::Forfeited
            ));
            if over > STEPS_WHEN_OVER {
                break;
            }
            if self.chance.random_bool(0.2) {
                self.anything();
            } else {
                self.what_is_due();
            }
            self.compare();
        }
        self.compare_created();
        self.tally
    }
}

// ---------------------------------------------------------------- Steps

impl MarketPair {
    /// Runs a random operation, which may not fit the phase.
    fn anything(&mut self) {
        match self.chance.random_range(0..12) {
            0 => self.commit(),
            1 => self.draw(),
            2 => self.reveal_any(),
            3 => self.forfeit(),
            4 => self.contribute(),
            5 => self.contribute_badly(),
            6 => self.restart(),
            7 => self.score_any(),
            8 => self.settle(),
            9 => self.collect(),
            10 => self.collect_remainder(),
            _ => self.pass_time(),
        }
    }

    fn what_is_due(&mut self) {
        match self.reference.phase(self.chain.now()) {
            Phase::Created => self.commit(),
            Phase::Committed => match self.chance.random_range(0..10) {
                0 => self.pass_time(),
                1 => self.forfeit(),
                2..6 => self.draw(),
                6 => self.reveal_any(),
                _ => self.reveal_due(),
            },
            Phase::Open => match self.chance.random_range(0..24) {
                0 => self.pass_time(),
                1..5 => self.contribute_badly(),
                _ => self.contribute(),
            },
            Phase::Revealing => match self.chance.random_range(0..12) {
                0 => self.pass_time(),
                1..4 => self.reveal_any(),
                _ => self.reveal_due(),
            },
            Phase::Scoring if self.chance.random_bool(0.01) => self.pass_time(),
            Phase::Scoring if self.chance.random_bool(0.15) => {
                match self.chance.random_range(0..3) {
                    0 => self.restart(),
                    1 => self.score_any(),
                    _ => self.settle(),
                }
            }
            Phase::Scoring => match self.reference.progress().stage {
                Stage::Copying => self.restart(),
                Stage::Teaching if self.chance.random_bool(0.4) => self.score_any(),
                Stage::Teaching => self.score_due(),
                Stage::Finding | Stage::Paying => self.settle(),
            },
            Phase::Settled | Phase::Failed => match self.chance.random_range(0..6) {
                0..2 => self.collect_remainder(),
                2 => self.forfeit(),
                _ => self.collect(),
            },
            Phase::Forfeited if self.chance.random_bool(0.5) => self.collect(),
            Phase::Forfeited => self.anything(),
        }
    }

    /// Moves the time a little, or much, or to a second at which a phase ends.
    fn pass_time(&mut self) {
        let now = self.chain.now();
        let terms = self.reference.terms();
        let mut ends = vec![self.reference.committed_time() + terms.reveal_wait];
        ends.extend(self.reference.closing_time());
        ends.extend(
            self.reference
                .closing_time()
                .map(|time| time + terms.reveal_wait),
        );
        ends.extend(
            self.reference
                .scoring_time()
                .map(|time| time + terms.scoring_wait),
        );
        let later: Vec<_> = ends
            .into_iter()
            .flat_map(|time| [time.saturating_sub(1), time, time + 1])
            .filter(|time| *time >= now)
            .collect();
        let time = match later.choose(&mut self.chance) {
            Some(time) if self.chance.random_bool(0.5) => *time,
            _ => now + self.chance.random_range(0..80),
        };
        self.chain.set_time(time).expect("later");
    }

    fn now(&self) -> u64 {
        self.chain.now()
    }

    /// Returns the step and the context of a failure, which tells how to replay it.
    fn at(&self) -> String {
        format!("step {}, {}", self.step, self.context)
    }

    fn anyone(&mut self) -> Address {
        *everyone().choose(&mut self.chance).expect("people")
    }
}

// ---------------------------------------------------------------- Calls

impl MarketPair {
    /// Sends a call and records its cost for the sender.
    fn send(&mut self, from: Address, value: u128, call: Vec<u8>) -> Result<Vec<Fact>, ChainError> {
        let call = Transaction::call(from, self.deployment.trainer, call);
        let receipt = self.chain.send(call.with_value(U256::from(value)))?;
        *self.wallet(from) -= U256::from(value);
        let facts = self.events(&receipt);
        for fact in &facts {
            let applied = self.followed.apply(fact);
            applied.unwrap_or_else(|error| panic!("{fact:?}: {error:?}; {}", self.at()));
        }
        Ok(facts)
    }

    /// Returns the events of the market. The models have their own events.
    fn events(&self, receipt: &Receipt) -> Vec<Fact> {
        let logs = receipt.logs.iter();
        logs.filter(|log| log.address == self.deployment.trainer)
            .map(|log| decode(log).expect("an event of a market"))
            .collect()
    }

    fn wallet(&mut self, account: Address) -> &mut U256 {
        self.wallets.get_mut(&account).expect("a wallet")
    }

    /// Checks that both succeeded with these events, or both refused for the same reason.
    fn same(
        &mut self,
        operation: &'static str,
        chain: Result<Vec<Fact>, ChainError>,
        reference: Result<Vec<Fact>, ContractError>,
    ) {
        self.tally.count(operation, reference.is_ok());
        if let Err(reason) = &reference {
            self.tally.reason(operation, reason);
        }
        match (chain, reference) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected, "{operation}, {}", self.at()),
            (
                Err(ChainError::Reverted {
                    revert: Revert::Contract(chain),
                    ..
                }),
                Err(reference),
            ) if chain == reference => {}
            (chain, reference) => panic!(
                "{operation}: chain {chain:?}, reference {reference:?}; {}",
                self.at()
            ),
        }
    }

    fn ask(&mut self, call: Vec<u8>) -> Vec<u8> {
        let call = Transaction::call(STRANGER, self.deployment.trainer, call);
        self.chain.call(call).expect("an answer").output.to_vec()
    }

    fn read(&mut self, call: Vec<u8>) -> U256 {
        bindings::read_number(&self.ask(call)).expect("a number")
    }
}

// ---------------------------------------------------------------- Comparisons

impl MarketPair {
    /// Compares the reference model, which made the same calls, with the market that followed the
    /// events.
    fn compare_followed(&self) {
        let (reference, followed, now) = (&self.reference, &self.followed, self.now());
        let books = |market: &Market| {
            let accounts = everyone().into_iter();
            (
                (market.phase(now), market.progress(), market.held()),
                (market.remainder(now), market.remaining_bounty()),
                (market.samples(), market.initial_correct()),
                (market.closing_time(), market.scoring_time()),
                (market.drawn_part(), market.revealed_count()),
                (market.contribution_count(), market.participants().to_vec()),
                accounts
                    .map(|one| (market.account(one), market.collectable(one, now)))
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(books(followed), books(reference), "followed, {}", self.at());
        for (records, samples) in [(1, 1), (2, 3), (100, 1_000)] {
            let limits = Limits {
                words: 10,
                records,
                samples,
                looks: 3,
            };
            let step = |market: &Market| market.next_step(now, &self.records, limits);
            assert_eq!(step(followed), step(reference), "next step, {}", self.at());
        }
    }

    /// Compares all state that changes.
    fn compare(&mut self) {
        self.compare_followed();
        for (account, expected) in &self.wallets {
            let seen = self.chain.balance(*account).expect("a balance");
            assert_eq!(seen, *expected, "wallet of {account}, {}", self.at());
        }
        let held = self.chain.balance(self.deployment.trainer);
        let held = held.expect("a balance");
        assert_eq!(
            held,
            U256::from(self.reference.held()),
            "held, {}",
            self.at()
        );
        let now = self.now();
        let phase = calls::read_phase(&self.ask(state::phase()));
        assert_eq!(phase, Some(self.reference.phase(now)), "{}", self.at());
        self.compare_progress();
        let reference = &self.reference;
        let count = |count: usize| count as u128;
        let mut numbers = vec![
            ("remainder", state::remainder(), reference.remainder(now)),
            (
                "participantCount",
                state::participant_count(),
                count(reference.participants().len()),
            ),
            (
                "contributionCount",
                bindings::state::contribution_count(),
                reference.contribution_count().into(),
            ),
            (
                "partCount",
                state::part_count(),
                count(reference.commitments().len()),
            ),
            (
                "revealedCount",
                state::revealed_count(),
                count(reference.revealed_count()),
            ),
            ("samples", state::samples(), reference.samples().into()),
            (
                "initialCorrect",
                state::initial_correct(),
                reference.initial_correct().into(),
            ),
            ("bounty", state::bounty(), reference.bounty()),
            (
                "remainingBounty",
                state::remaining_bounty(),
                reference.remaining_bounty(),
            ),
            (
                "committedBlock",
                state::committed_block(),
                reference.committed_block().into(),
            ),
            (
                "committedTime",
                state::committed_time(),
                reference.committed_time().into(),
            ),
            (
                "closingTime",
                state::closing_time(),
                reference.closing_time().unwrap_or_default().into(),
            ),
            (
                "scoringTime",
                state::scoring_time(),
                reference.scoring_time().unwrap_or_default().into(),
            ),
        ];
        for account in everyone() {
            let collectable = reference.collectable(account, now);
            numbers.push(("collectable", state::collectable(account), collectable));
        }
        for (name, call, expected) in numbers {
            let seen = self.read(call);
            assert_eq!(seen, U256::from(expected), "{name}, {}", self.at());
        }
        for account in everyone() {
            let seen = calls::read_account(&self.ask(state::account(account)));
            assert_eq!(seen, Some(self.reference.account(account)), "{}", self.at());
        }
        let drawn = calls::read_drawn_part(&self.ask(state::drawn_part())).expect("a part");
        let expected = self.reference.drawn_part().map(|part| part as u64);
        assert_eq!(drawn, expected, "{}", self.at());
        let last = self.records.len().saturating_sub(1) as u64;
        for position in last..=self.reference.contribution_count() {
            let root = self.read(bindings::state::root(position));
            let expected = U256::from_be_bytes(self.reference.root(position).0);
            assert_eq!(root, expected, "root {position}, {}", self.at());
        }
    }

    /// Compares the progress of the scoring, and the words of the pass's model.
    fn compare_progress(&mut self) {
        let progress = calls::read_progress(&self.ask(state::progress()));
        let (progress, model) = progress.expect("a progress");
        assert_eq!(progress, self.reference.progress(), "{}", self.at());
        let words = model.map(|model| {
            let words = self.deployment.words_of(&mut self.chain, model);
            words.expect("words")
        });
        let expected = self.reference.model().map(Classifier::words);
        assert_eq!(words, expected, "{}", self.at());
        let address = bindings::read_address(&self.ask(state::model()));
        assert_eq!(address, Some(model.unwrap_or_default()), "{}", self.at());
    }

    /// Compares state that is written once: terms, test set, participants and the initial model.
    fn compare_created(&mut self) {
        let description = Mechanism::PredictionMarket.description();
        let terms = description.terms.iter();
        let terms: Vec<u128> = terms
            .map(|term| self.read(bindings::term(term)).to())
            .collect();
        let terms = mechanism::Terms::from_values(Mechanism::PredictionMarket, &terms);
        let expected = mechanism::Terms::Market(self.reference.terms());
        assert_eq!(terms, Some(expected), "{}", self.at());
        for part in 0..=self.parts.len() {
            let commitment = self.read(state::commitment(part as u64));
            let expected = self.reference.commitments().get(part).copied();
            let expected = U256::from_be_bytes(expected.unwrap_or_default().0);
            assert_eq!(commitment, expected, "{}", self.at());
            let items = calls::read_part(&self.ask(state::part(part as u64)));
            let expected = self.reference.part(part).unwrap_or_default();
            assert_eq!(items.expect("items")[..], *expected, "{}", self.at());
        }
        for (index, expected) in self
            .reference
            .participants()
            .to_vec()
            .into_iter()
            .enumerate()
        {
            let seen = bindings::read_address(&self.ask(state::participant(index as u64)));
            assert_eq!(seen, Some(expected), "{}", self.at());
        }
        let stake = self.read(bindings::state::price(3));
        assert_eq!(stake, U256::from(self.reference.stake()), "{}", self.at());
        let words = self.deployment.words(&mut self.chain).expect("words");
        let initial = self.reference.initial().classifier().words();
        assert_eq!(words, initial, "{}", self.at());
    }
}

fn terms(chance: &mut ChaCha8Rng) -> Terms {
    let stakes = [1, 2, 7, 100, 1_000, 1_000_000_007, (1 << 96) - 1];
    Terms {
        stake: *stakes.choose(chance).expect("stakes"),
        participation: chance.random_range(100..1_000),
        reveal_wait: chance.random_range(50..1_000),
        scoring_wait: chance.random_range(50..1_000),
        most_contributions: chance.random_range(1..40),
        most_passes: chance.random_range(1..6),
    }
}
