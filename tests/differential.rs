//! The heart of the project: the same random operations go through the deployed bytecode, in an EVM
//! in the process, and through `protocol`; after every step every result, every error and all
//! state are equal, to the last bit.
//!
//! A failure prints the seed. `COTRAIN_SEED=<seed> cargo test -p cotrain-tests --test differential`
//! replays it; `COTRAIN_STEPS=<n>` makes runs longer or shorter.

use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, Revert, state};
use cotrain_chain::{
    Chain, ChainError, Config, Deployment, Embedded, ModelConfig, Transaction, deploy,
};
use cotrain_protocol::{
    Rejection,
    classifier::{Classifier, Kind, Parameters},
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
    trainer::{Claim, Incentive, Trainer, Waits, claims},
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

const START: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const OWNER: Address = Address::repeat_byte(0x0a);
/// Authors and reporters; the owner and a stranger who never contributes are among the callers.
const AUTHORS: [Address; 4] = [
    Address::repeat_byte(1),
    Address::repeat_byte(2),
    Address::repeat_byte(3),
    Address::repeat_byte(4),
];
const STRANGER: Address = Address::repeat_byte(9);
const STEPS: usize = 1_200;

#[test]
fn sparse_perceptron() {
    compare_all(Kind::SparsePerceptron);
}

#[test]
fn dense_perceptron() {
    compare_all(Kind::DensePerceptron);
}

#[test]
fn naive_bayes() {
    compare_all(Kind::NaiveBayes);
}

#[test]
fn sparse_nearest_centroid() {
    compare_all(Kind::SparseNearestCentroid);
}

#[test]
fn dense_nearest_centroid() {
    compare_all(Kind::DenseNearestCentroid);
}

/// Both incentives, a few seeds each, or the one seed that the environment names.
fn compare_all(kind: Kind) {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse().expect("a number"))
    };
    let steps = number("COTRAIN_STEPS")
        .and_then(|steps: u64| usize::try_from(steps).ok())
        .unwrap_or(STEPS);
    let seeds = number("COTRAIN_SEED").map_or(1..=8, |seed: u64| seed..=seed);
    for seed in seeds {
        for incentive in [
            Incentive::DepositRefundTake {
                cost_weight: 1_000_003,
            },
            Incentive::Points,
        ] {
            Pair::found(kind, incentive, seed).run(steps);
        }
    }
}

/// A contract and its twin.
struct Pair {
    chain: Embedded,
    model: Deployment,
    twin: Trainer,
    /// What each account must hold.
    balances: BTreeMap<Address, U256>,
    /// Claims of everything contributed, settled or not.
    claims: Vec<Claim>,
    chance: ChaCha8Rng,
    /// How often each operation succeeded and failed.
    tally: BTreeMap<&'static str, (usize, usize)>,
    context: String,
}

impl Pair {
    fn found(kind: Kind, incentive: Incentive, seed: u64) -> Self {
        let context = format!(
            "{kind}, {incentive:?}; replay: COTRAIN_SEED={seed} cargo test -p cotrain-tests --test differential"
        );
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let classifier = random_classifier(kind, &mut chance);
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

    fn run(mut self, steps: usize) {
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

    fn pass_time(&mut self) {
        let seconds = match self.chance.random_range(0..4) {
            0 => self.chance.random_range(0..3),
            1 => self.chance.random_range(0..3_600),
            2 => self.chance.random_range(0..DAY),
            _ => self.chance.random_range(0..3 * DAY),
        };
        self.chain
            .set_time(self.chain.now() + seconds)
            .expect("later");
    }

    fn contribute(&mut self, step: usize) {
        let author = *AUTHORS.choose(&mut self.chance).expect("authors");
        let count = if self.chance.random_bool(0.7) {
            1
        } else {
            self.chance.random_range(2..=7)
        };
        let items: Vec<(u16, Vec<u8>)> =
            (0..count).map(|_| (self.label(), self.sample())).collect();
        let items: Vec<_> = items
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        let batch = encode_batch(&items).expect("short samples");
        let required = self.twin.price(count, self.chain.now()) * u128::from(count);
        let value = match self.chance.random_range(0..10) {
            0 => required.saturating_sub(1),
            1..4 => required + self.chance.random_range(0..1_000_000_000),
            _ => required,
        };
        self.send_contribution(step, author, value, &batch);
    }

    /// Batches that are malformed, and samples that the model refuses.
    fn contribute_badly(&mut self, step: usize) {
        let author = *AUTHORS.choose(&mut self.chance).expect("authors");
        let good = (self.label(), self.sample());
        let bad = (self.bad_label(), self.bad_sample());
        let items = [
            Item {
                label: good.0,
                sample: &good.1,
            },
            Item {
                label: bad.0,
                sample: &bad.1,
            },
        ];
        let mut batch = encode_batch(&items).expect("short samples");
        match self.chance.random_range(0..4) {
            0 => batch.truncate(self.chance.random_range(0..=batch.len())),
            1 => {
                let place = self.chance.random_range(0..batch.len());
                batch[place] = self.chance.random();
            }
            2 => {
                batch = (0..self.chance.random_range(0..40))
                    .map(|_| self.chance.random())
                    .collect();
            }
            _ => {}
        }
        self.send_contribution(step, author, u128::MAX >> 40, &batch);
    }

    fn send_contribution(&mut self, step: usize, author: Address, value: u128, batch: &[u8]) {
        let now = self.chain.now();
        let call = bindings::contribute(batch);
        let sent = self.chain.send(
            Transaction::call(author, self.model.trainer, call).with_value(U256::from(value)),
        );
        let expected = self.twin.contribute(author, now, value, batch);
        self.count("contribute", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(expected)) => {
                let event = bindings::events::contributed(&receipt.logs).expect("an event");
                let seen = (
                    event.batch,
                    event.author,
                    event.deposit,
                    event.time,
                    &event.data[..],
                );
                assert_eq!(
                    seen,
                    (expected.batch, author, expected.deposit, now, batch),
                    "step {step}, {}",
                    self.context
                );
                let deposited = U256::from(value - expected.surplus);
                *self.balances.get_mut(&author).expect("an account") -= deposited;
                let added = claims(
                    event.batch,
                    event.author,
                    event.deposit,
                    event.time,
                    &event.data,
                )
                .expect("a batch that was accepted");
                assert_eq!(
                    added.len() as u64,
                    expected.count,
                    "step {step}, {}",
                    self.context
                );
                self.claims.extend(added);
            }
            (sent, expected) => self.same_refusal(step, sent.map(|_| ()), expected.map(|_| ())),
        }
        let batch = self.twin.contribution_count();
        for batch in [0, batch.saturating_sub(1), batch] {
            let root = self.read(state::root(batch));
            assert_eq!(
                root,
                U256::from_be_bytes(self.twin.root(batch).0),
                "root {batch} after step {step}, {}",
                self.context
            );
        }
    }

    /// A claim of a random kind by a random caller, sometimes of something that never was.
    fn claim(&mut self, step: usize, operation: &'static str) {
        let Some(mut claim) = self.claims.choose(&mut self.chance).cloned() else {
            return;
        };
        let callers = [
            claim.author,
            claim.author,
            AUTHORS[0],
            AUTHORS[1],
            AUTHORS[2],
            AUTHORS[3],
            OWNER,
            STRANGER,
        ];
        let caller = *callers.choose(&mut self.chance).expect("callers");
        if self.chance.random_bool(0.1) {
            self.forge(&mut claim);
        }
        let now = self.chain.now();
        let (call, expected) = match operation {
            "refund" => (
                bindings::refund(&claim),
                self.twin.refund(caller, now, &claim),
            ),
            "report" => (
                bindings::report(&claim),
                self.twin.report(caller, now, &claim),
            ),
            _ => (
                bindings::claim_late(&claim),
                self.twin.claim_late(caller, now, &claim),
            ),
        };
        let sent = self
            .chain
            .send(Transaction::call(caller, self.model.trainer, call));
        self.count(operation, expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(amount)) => {
                let paid = bindings::events::paid(&receipt.logs).expect("an event");
                assert_eq!(
                    (paid.position, paid.to, paid.amount),
                    (claim.position, caller, amount),
                    "step {step}, {}",
                    self.context
                );
                *self.balances.get_mut(&caller).expect("an account") += U256::from(amount);
            }
            (sent, expected) => self.same_refusal(step, sent.map(|_| ()), expected.map(|_| ())),
        }
        let settlement = self.read(state::settlement(claim.position));
        assert_eq!(
            settlement,
            self.twin.settlement(claim.position),
            "settlement after step {step}, {}",
            self.context
        );
        let reported = self.read(state::reported(claim.position, caller));
        let expected = U256::from(u8::from(self.twin.reported(claim.position, caller)));
        assert_eq!(
            reported, expected,
            "reported after step {step}, {}",
            self.context
        );
    }

    /// Changes one thing of a claim.
    fn forge(&mut self, claim: &mut Claim) {
        match self.chance.random_range(0..7) {
            0 => claim.author = STRANGER,
            1 => claim.label ^= 1,
            2 => claim.deposit += 1,
            3 => claim.time -= 1,
            4 => claim.batch = self.chance.random_range(0..=self.twin.contribution_count()),
            5 => claim.position += 1,
            _ => claim.proof.push(claim.author.into_word()),
        }
    }

    fn predict(&mut self, step: usize) {
        let bad = self.chance.random_bool(0.3);
        let samples: Vec<_> = (0..3)
            .map(|_| {
                if bad {
                    self.bad_sample()
                } else {
                    self.sample()
                }
            })
            .collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let expected = self.twin.classifier().predict_all(&samples);
        let call = Transaction::call(STRANGER, self.model.classifier, bindings::predict(&samples));
        self.count("predict", expected.is_ok());
        match (self.chain.call(call), expected) {
            (Ok(answer), Ok(expected)) => {
                let labels = bindings::read_labels(&answer.output).expect("labels");
                assert_eq!(labels, expected, "step {step}, {}", self.context);
            }
            (answer, expected) => self.same_refusal(step, answer.map(|_| ()), expected.map(|_| ())),
        }
    }

    fn evaluate(&mut self, step: usize) {
        let samples: Vec<_> = (0..5).map(|_| self.sample()).collect();
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let labels: Vec<u16> = (0..5).map(|_| self.label()).collect();
        let predicted = self
            .twin
            .classifier()
            .predict_all(&samples)
            .expect("good samples");
        let right = predicted
            .iter()
            .zip(&labels)
            .filter(|(a, b)| a == b)
            .count();
        let call = bindings::evaluate(&samples, &labels);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call))
            .expect("an answer");
        assert_eq!(
            bindings::read_number(&answer.output),
            Some(U256::from(right)),
            "step {step}, {}",
            self.context
        );
        self.count("evaluate", true);
        // And with a label missing.
        let call = bindings::evaluate(&samples, &labels[1..]);
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.classifier, call));
        let expected = Revert::LengthsDiffer {
            samples: 5,
            labels: 4,
        };
        assert_eq!(
            answer.as_ref().err().and_then(ChainError::revert),
            Some(&expected),
            "step {step}, {}",
            self.context
        );
        self.count("evaluate", false);
    }

    /// Strangers teach, owners write after the closing, batches are only checked.
    fn meddle(&mut self, step: usize) {
        let classifier = self.model.classifier;
        let good = (self.label(), self.sample());
        let bad = (self.bad_label(), self.bad_sample());
        let items = [
            Item {
                label: good.0,
                sample: &good.1,
            },
            Item {
                label: bad.0,
                sample: &bad.1,
            },
        ];
        let batch = encode_batch(&items).expect("short samples");
        let learned = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::learn(&batch),
        ));
        let expected = Rejection::NotTrainer {
            caller: STRANGER,
            trainer: self.model.trainer,
        };
        self.same_refusal(step, learned.map(|_| ()), Err(expected));

        let written = self.chain.send(Transaction::call(
            OWNER,
            classifier,
            bindings::write(0, &[U256::MAX]),
        ));
        self.same_refusal(
            step,
            written.map(|_| ()),
            Err(Rejection::InitializationClosed),
        );
        let closed = self.chain.send(Transaction::call(
            STRANGER,
            classifier,
            bindings::close(STRANGER),
        ));
        let expected = Rejection::NotOwner {
            caller: STRANGER,
            owner: OWNER,
        };
        self.same_refusal(step, closed.map(|_| ()), Err(expected));

        let checked = self.chain.call(Transaction::call(
            STRANGER,
            classifier,
            bindings::check(&batch),
        ));
        self.same_refusal(
            step,
            checked.map(|_| ()),
            self.twin.classifier().check(&items),
        );
    }

    /// Both refused, for the same reason; or both did not.
    fn same_refusal(
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

    fn compare_money(&mut self, step: usize) {
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

    fn compare_model(&mut self, step: usize) {
        let words = self.model.words(&mut self.chain).expect("words");
        assert_eq!(
            words,
            self.twin.classifier().words(),
            "model after step {step}, {}",
            self.context
        );
    }

    fn read(&mut self, call: Vec<u8>) -> U256 {
        let answer = self
            .chain
            .call(Transaction::call(STRANGER, self.model.trainer, call))
            .expect("an answer");
        bindings::read_number(&answer.output).expect("a number")
    }

    fn count(&mut self, operation: &'static str, success: bool) {
        let (good, bad) = self.tally.entry(operation).or_default();
        if success { *good += 1 } else { *bad += 1 }
    }

    fn label(&mut self) -> u16 {
        let classes = self.twin.classifier().classes();
        self.chance.random_range(0..classes)
    }

    fn bad_label(&mut self) -> u16 {
        if self.chance.random_bool(0.7) {
            self.label()
        } else {
            self.chance.random()
        }
    }

    /// A sample that the model accepts.
    fn sample(&mut self) -> Vec<u8> {
        let classifier = self.twin.classifier();
        let (features, encoding) = (classifier.features(), classifier.encoding());
        let chance = &mut self.chance;
        match encoding {
            Encoding::Sparse => {
                let share = chance.random_range(0.0..0.6);
                let present: Vec<u16> = (0..features)
                    .filter(|_| chance.random_bool(share))
                    .map(|feature| u16::try_from(feature).expect("features fit"))
                    .collect();
                encode_sparse(&present)
            }
            Encoding::Dense16 => encode_dense16(
                &(0..features)
                    .map(|_| chance.random::<i16>() >> 4)
                    .collect::<Vec<_>>(),
            ),
            Encoding::Dense32 => {
                let shift = chance.random_range(0..31);
                encode_dense32(
                    &(0..features)
                        .map(|_| chance.random::<i32>() >> shift)
                        .collect::<Vec<_>>(),
                )
            }
        }
    }

    /// A sample that the model refuses more often than not.
    fn bad_sample(&mut self) -> Vec<u8> {
        let mut sample = self.sample();
        match self.chance.random_range(0..3) {
            0 => sample.push(self.chance.random()),
            1 => sample.extend_from_slice(&[0, 0]),
            _ => {
                for byte in &mut sample {
                    if self.chance.random_bool(0.1) {
                        *byte = self.chance.random();
                    }
                }
            }
        }
        sample
    }
}

/// Words at the edges of lanes of 16, 32 and 64 bits.
const EDGES: [u64; 7] = [
    0,
    u64::MAX,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x7fff_7ffe_8000_8001,
    0xffff_fffe_ffff_fff0,
    0xffff_ffff_7fff_ffff,
];

/// A small model with random words: now and then such as training leaves, now and then any bits at
/// all, since an owner may write what it likes.
fn random_classifier(kind: Kind, chance: &mut ChaCha8Rng) -> Classifier {
    let features = chance.random_range(1..=70);
    let classes = chance.random_range(2..=4);
    let parameters = match kind {
        Kind::SparsePerceptron => Parameters::SparsePerceptron {
            features,
            learning_rate: *[1, 1, 30, 32_767].choose(chance).expect("rates"),
            intercept: chance.random_range(-100..100),
        },
        Kind::DensePerceptron => Parameters::DensePerceptron {
            features,
            learning_rate: *[1, 65_536, 3_000_000, u32::MAX]
                .choose(chance)
                .expect("rates"),
            intercept: chance.random_range(-1_000_000..1_000_000),
        },
        Kind::NaiveBayes => Parameters::NaiveBayes {
            classes,
            features,
            smoothing: *[1, 256, u32::MAX].choose(chance).expect("smoothings"),
        },
        Kind::SparseNearestCentroid => Parameters::SparseNearestCentroid { classes, features },
        Kind::DenseNearestCentroid => Parameters::DenseNearestCentroid { classes, features },
    };
    let mut classifier = Classifier::new(parameters).expect("good parameters");
    let count = classifier.words().len();
    let headers = match kind {
        Kind::SparsePerceptron | Kind::DensePerceptron => 0,
        _ => usize::from(classes),
    };
    let style = chance.random_range(0..4);
    let words: Vec<U256> = (0..count)
        .map(|place| match style {
            // Nothing learned yet: every class is empty.
            0 => U256::ZERO,
            1 => U256::from(chance.random::<u64>() & 0x0000_0003_0000_0007),
            // At the edges of every width of lane, where sums saturate; classes about to be full.
            2 if place < headers => U256::from(chance.random_range(u32::MAX - 9..=u32::MAX)),
            2 => U256::from_limbs(core::array::from_fn(|_| {
                *EDGES.choose(chance).expect("edges")
            })),
            // Any bits at all.
            _ => U256::from_limbs(chance.random()),
        })
        .collect();
    classifier
        .write(0, &words)
        .expect("as many words as there are");
    classifier
}
