//! Measured cases, as in `contracts/test/gas/Gas.t.sol`.

use alloy_primitives::{Address, U256, keccak256};
use alloy_sol_types::SolValue;
use cotrain_bindings as bindings;
use cotrain_chain::Rules;
use cotrain_protocol::{
    classifier::{Bounds, Parameters},
    record::Record,
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
    trainer::SignedBatch,
};

use crate::{
    Figures,
    host::{ALICE, BOB, CAROL, DAY, Host, OWNER, WAITS, alone},
};

const PRESENT_20: [u16; 20] = [
    1, 2, 3, 14, 15, 26, 37, 48, 59, 110, 111, 112, 213, 314, 515, 616, 717, 818, 919, 920,
];
const PRESENT_60: [u16; 60] = [
    1, 2, 3, 14, 15, 26, 37, 48, 59, 84, 110, 111, 112, 163, 186, 187, 194, 208, 213, 223, 245,
    310, 312, 314, 333, 364, 379, 430, 442, 515, 566, 600, 605, 611, 614, 616, 617, 622, 651, 654,
    688, 717, 764, 765, 774, 778, 780, 786, 818, 828, 834, 854, 880, 882, 908, 912, 919, 920, 965,
    990,
];
const HUNDRED: u16 = 100;
/// Notice before reports in seconds, on models that need one.
const NOTICE: u64 = 6 * 3_600;
/// Gas that a relayed batch's lesson may use: enough for 100 items under one signature.
const LESSON_GAS: u64 = 2_000_000;
/// More wei than any contribution needs. The contract pays the rest back.
const PLENTY: u128 = 100_000_000_000_000_000_000;

/// Measures all cases by these rules.
pub(crate) fn measure(rules: Rules) -> Figures {
    [
        // As in forge, `sparse_perceptron` comes after `announcing` and `hundred`. All three create
        // a model of the same kind and size for different gas, and the last figure counts.
        announcing,
        hundred,
        sparse_perceptron,
        naive_bayes,
        sparse_nearest_centroid,
        dense_perceptron,
        dense_nearest_centroid,
        word_vectors,
    ]
    .into_iter()
    .flat_map(|case| {
        let mut host = Host::new(rules);
        case(&mut host);
        host.figures
    })
    .collect()
}

/// Measures announcements and the reports after them, on a model with a notice: alone, and 100 of
/// one batch.
fn announcing(host: &mut Host) {
    host.waits.report_notice = NOTICE;
    let parameters = Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 1,
        intercept: -10_000,
    };
    host.build("sparse-perceptron", &parameters, &pattern(63));
    let sample = encode_sparse(&PRESENT_20);
    let made = host.contribute_one(BOB, 0, &sample);
    host.pass(WAITS.refund);
    host.call(BOB, 0, bindings::refund(&alone(&made)));

    let made = host.contribute_one(ALICE, 1, &sample);
    host.pass(WAITS.refund);
    let gas = host.call(CAROL, 0, bindings::announce(&alone(&made)));
    host.record("announce", "20", gas);
    host.pass(NOTICE);
    let gas = host.call(BOB, 0, bindings::report(&alone(&made)));
    host.record("report", "20-announced", gas);
    host.report_hundred(&sample, 1);
}

fn sparse_perceptron(host: &mut Host) {
    let parameters = Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 100,
        intercept: 0,
    };
    host.build("sparse-perceptron", &parameters, &pattern(63));
    host.when_wrong("20", &encode_sparse(&PRESENT_20));
    host.when_wrong("60", &encode_sparse(&PRESENT_60));
}

fn naive_bayes(host: &mut Host) {
    let parameters = Parameters::NaiveBayes {
        classes: 2,
        features: 1_000,
        smoothing: 256,
    };
    host.build("naive-bayes", &parameters, &counts(2, 63));
    host.always("20", &encode_sparse(&PRESENT_20));
    host.always("60", &encode_sparse(&PRESENT_60));
}

fn sparse_nearest_centroid(host: &mut Host) {
    let parameters = Parameters::SparseNearestCentroid {
        classes: 2,
        features: 1_000,
    };
    host.build("sparse-nearest-centroid", &parameters, &counts(2, 63));
    host.always("20", &encode_sparse(&PRESENT_20));
    host.always("60", &encode_sparse(&PRESENT_60));
}

fn dense_perceptron(host: &mut Host) {
    for (features, words, size) in [(9, 1, "9"), (400, 25, "400")] {
        let parameters = Parameters::DensePerceptron {
            features,
            learning_rate: 65_536,
            intercept: 0,
            bounds: Bounds::widest(Encoding::Dense16, features).expect("numbers"),
        };
        host.build("dense-perceptron", &parameters, &pattern(words));
        host.when_wrong(size, &encode_dense16(&numbers(features)));
    }
}

fn dense_nearest_centroid(host: &mut Host) {
    let parameters = Parameters::DenseNearestCentroid {
        classes: 2,
        features: 9,
        bounds: Bounds::widest(Encoding::Dense32, 9).expect("numbers"),
    };
    host.build("dense-nearest-centroid", &parameters, &counts(2, 3));
    let sample: Vec<i32> = numbers(9).into_iter().map(i32::from).collect();
    host.always("9", &encode_dense32(&sample));
}

/// Measures samples of word vectors, alone and 100 of their author in one transaction.
fn word_vectors(host: &mut Host) {
    for (dimensions, size) in [(64, "64"), (128, "128")] {
        let parameters = Parameters::DenseNearestCentroid {
            classes: 2,
            features: dimensions,
            bounds: Bounds::widest(Encoding::Dense32, dimensions).expect("numbers"),
        };
        host.build(
            "dense-nearest-centroid",
            &parameters,
            &counts(2, u64::from(dimensions / 4)),
        );
        // One standard deviation either way.
        let wide = |number: i16| i32::from(number) * 65_536 / 1_000;
        let sample: Vec<i32> = numbers(dimensions).into_iter().map(wide).collect();
        let sample = encode_dense32(&sample);
        host.always(size, &sample);

        let all: Vec<u8> = (0..HUNDRED)
            .flat_map(|label| items(&[(label % 2, &sample)]))
            .collect();
        let each = format!("{size}-each-of-100");
        host.steady();
        let call = bindings::contribute(&all);
        host.record_each(&each, "bytes", call.len() as u64);
        let gas = host.call(ALICE, 1_000 * PLENTY, call);
        host.record_each(&each, "contribute", gas);
    }
}

/// Measures 100 contributions in one transaction, half of which change the model.
///
/// They are sent by their author, under one signature, and under 100 signatures of 100 people.
/// Then 100 are refunded in one transaction, by their author and by another account.
/// At last 100 are reported, by the reporter and by a keeper.
fn hundred(host: &mut Host) {
    // The bias to class 0 is so strong that 150 lessons of class 1 do not turn the model. Only
    // lessons of class 1 change it.
    let parameters = Parameters::SparsePerceptron {
        features: 1_000,
        learning_rate: 1,
        intercept: -10_000,
    };
    host.build("sparse-perceptron", &parameters, &pattern(63));
    let sample = encode_sparse(&PRESENT_20);
    let item = |label: u16| items(&[(label % 2, &sample)]);
    let all: Vec<u8> = (0..HUNDRED).flat_map(item).collect();
    host.contribute_one(ALICE, 0, &sample);

    host.steady();
    let call = bindings::contribute(&all);
    host.record_each("20-each-of-100", "bytes", call.len() as u64);
    let gas = host.call(ALICE, 1_000 * PLENTY, call);
    host.record_each("20-each-of-100", "contribute", gas);

    let one = vec![host.signed(1, 1, all)];
    host.relay("20-each-of-100-under-one-signature", &one);
    let people: Vec<_> = (0..100)
        .map(|person| host.signed(person + 1, 2, item(person.into())))
        .collect();
    host.relay("20-each-of-100-people", &people);

    host.refund_hundred(&sample, BOB, "20-each-of-100");
    host.refund_hundred(&sample, CAROL, "20-pushed-each-of-100");
    host.report_hundred(&sample, 1);
    host.report_hundred(&sample, 2);
}

impl Host {
    /// Refunds 100 contributions of one batch by BOB, who has one good contribution already.
    ///
    /// So the very first refund of an author is not measured.
    fn refund_hundred(&mut self, sample: &[u8], caller: Address, case: &str) {
        let made = self.contribute_one(BOB, 0, sample);
        self.pass(WAITS.refund);
        self.call(BOB, 0, bindings::refund(&alone(&made)));

        let all = items(&[(0, sample); HUNDRED as usize]);
        let made = self.contribute(BOB, 1_000 * PLENTY, &all);
        self.pass(WAITS.refund);
        let positions: Vec<_> = made
            .contributions()
            .iter()
            .map(|one| one.position)
            .collect();
        let call = bindings::refund(&[made.claims(&positions)]);
        self.record_each("20-refund-each-of-100", "bytes", call.len() as u64);
        let good = self.good(BOB);
        let gas = self.call(caller, 0, call);
        self.record_each(case, "refund", gas);
        assert_eq!(self.good(BOB), good + 100, "all refunded");
    }

    /// Reports 100 contributions of one batch by ALICE. The reporter has this key and one good
    /// contribution of many.
    ///
    /// With the key 1 the reporter reports, and with another key a keeper does.
    fn report_hundred(&mut self, sample: &[u8], key: u8) {
        let reporter = self.delegated(key, CAROL).reporter;
        self.fund(reporter);
        let made = self.contribute_one(reporter, 0, sample);
        self.pass(WAITS.refund);
        self.call(reporter, 0, bindings::refund(&alone(&made)));

        let all = items(&[(1, sample); HUNDRED as usize]);
        let made = self.contribute(ALICE, 1_000 * PLENTY, &all);
        self.pass(WAITS.refund);
        let positions: Vec<_> = made
            .contributions()
            .iter()
            .map(|one| one.position)
            .collect();
        let claims = [made.claims(&positions)];
        let mut case = "20-each-of-100";
        let notice = self.waits.report_notice;
        if notice != 0 {
            let gas = self.call(CAROL, 0, bindings::announce(&claims));
            self.record_each(case, "announce", gas);
            self.pass(notice);
            case = "20-announced-each-of-100";
        }
        if key == 1 {
            let gas = self.call(reporter, 0, bindings::report(&claims));
            self.record_each(case, "report", gas);
        } else {
            let call = bindings::report_for(&self.delegated(key, CAROL), &claims);
            let gas = self.call(CAROL, 0, call);
            self.record_each("20-each-of-100", "reportFor", gas);
        }
    }

    /// Relays in the steady state: all authors and the relayer have money, and lower nonces are
    /// used.
    fn relay(&mut self, case: &str, batches: &[SignedBatch]) {
        for batch in batches {
            self.deposit(batch.author, 1_000 * PLENTY);
        }
        self.deposit(CAROL, 1);
        self.steady();
        let count = self.contribution_count();
        let call = bindings::relay(batches, LESSON_GAS);
        self.record_each(case, "bytes", call.len() as u64);
        let gas = self.call(CAROL, 0, call);
        self.record_each(case, "relay", gas);
        let added = self.contribution_count() - count;
        assert_eq!(added, u64::from(HUNDRED), "all accepted");
        let predicted = self.predict(&encode_sparse(&PRESENT_20));
        assert_eq!(predicted, 0, "as sure as before");
    }

    fn record_each(&mut self, case: &str, action: &str, all: u64) {
        self.record(action, case, all / u64::from(HUNDRED));
    }

    fn steady(&mut self) {
        self.pass(DAY);
        assert_ne!(self.contribution_count(), 0, "not the first contribution");
    }

    /// Measures a model that learns only from wrong predictions.
    fn when_wrong(&mut self, size: &str, sample: &[u8]) {
        let predicted = self.predict(sample);
        self.settle(size, predicted, sample);
        self.measure(&format!("{size}-unchanged"), predicted, sample);
        self.measure(&format!("{size}-learns"), 1 - predicted, sample);
        // The predicted label does not change the model, and the contract pays the rest back.
        self.pass(DAY);
        let label = self.predict(sample);
        let call = bindings::contribute(&items(&[(label, sample)]));
        let gas = self.call(ALICE, PLENTY, call);
        self.record("contribute", &format!("{size}-with-change"), gas);
    }

    /// Measures a model that learns from every contribution.
    fn always(&mut self, size: &str, sample: &[u8]) {
        let predicted = self.predict(sample);
        self.settle(size, predicted, sample);
        self.measure(size, predicted, sample);
    }

    /// Brings the model to its steady state, and measures claims on the way.
    fn settle(&mut self, size: &str, label: u16, sample: &[u8]) {
        // A refunded contribution makes BOB a possible reporter.
        let made = self.contribute_one(BOB, label, sample);
        self.pass(WAITS.refund);
        self.call(BOB, 0, bindings::refund(&alone(&made)));

        let author = Address::from_word(keccak256(size));
        self.fund(author);
        for which in ["first", "next"] {
            let made = self.contribute_one(author, label, sample);
            self.pass(WAITS.refund);
            let call = bindings::refund(&alone(&made));
            self.record("bytes", &format!("{size}-refund"), call.len() as u64);
            let gas = self.call(author, 0, call);
            self.record("refund", &format!("{size}-{which}"), gas);
        }

        let made = self.disagreeing(ALICE, label, sample);
        self.pass(WAITS.refund);
        let gas = self.call(BOB, 0, bindings::report(&alone(&made)));
        self.record("report", &format!("{size}-part"), gas);
        let made = self.disagreeing(CAROL, label, sample);
        self.pass(WAITS.any_address_claim);
        let gas = self.call(OWNER, 0, bindings::claim_late(&alone(&made)));
        self.record("claimLate", size, gas);
    }

    /// Makes a contribution that the model disagrees with. The model learns from it, and other
    /// lessons undo that.
    fn disagreeing(&mut self, author: Address, label: u16, sample: &[u8]) -> Record {
        let made = self.contribute_one(author, 1 - label, sample);
        while self.predict(sample) != label {
            self.contribute_one(BOB, label, sample);
        }
        made
    }

    fn measure(&mut self, case: &str, label: u16, sample: &[u8]) {
        self.pass(DAY);
        let price = self.price();
        let call = bindings::contribute(&items(&[(label, sample)]));
        let size = case.split('-').next().unwrap_or_default();
        self.record("bytes", &format!("{size}-contribute"), call.len() as u64);
        let gas = self.call(ALICE, price, call);
        self.record("contribute", case, gas);
    }

    /// Contributes for the exact price.
    fn contribute_one(&mut self, author: Address, label: u16, sample: &[u8]) -> Record {
        let price = self.price();
        self.contribute(author, price, &items(&[(label, sample)]))
    }
}

/// Encodes items.
fn items(all: &[(u16, &[u8])]) -> Vec<u8> {
    let all: Vec<_> = all
        .iter()
        .map(|(label, sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&all).expect("short samples")
}

/// Returns words whose lanes all have a value: small positive and negative weights.
fn pattern(count: u64) -> Vec<U256> {
    let weight =
        |(i, lane): (u64, u64)| hashed((i, lane).abi_encode(), 200).wrapping_sub(U256::from(100));
    words(count, weight)
}

/// Returns headers of 1,000 samples, and counts, 16 a word.
fn counts(classes: u64, words_per_class: u64) -> Vec<U256> {
    let header = U256::from(1_000) | U256::from(1_000_000) << 32;
    let mut all = vec![header; usize::try_from(classes).expect("few")];
    for class in 0..classes {
        let count = |(i, lane): (u64, u64)| hashed((class, i, lane).abi_encode(), 100);
        all.extend(words(words_per_class, count));
    }
    all
}

/// Returns words of 16 lanes.
fn words(count: u64, value: impl Fn((u64, u64)) -> U256) -> Vec<U256> {
    let mask = U256::from(u16::MAX);
    (0..count)
        .map(|i| {
            (0..16).rev().fold(U256::ZERO, |word, lane| {
                word << 16 | value((i, lane)) & mask
            })
        })
        .collect()
}

/// Returns numbers from -1000 to 1000.
fn numbers(count: u32) -> Vec<i16> {
    (0..u64::from(count))
        .map(|i| {
            let number: i16 = hashed(i.abi_encode(), 2_001).to();
            number - 1_000
        })
        .collect()
}

/// Returns a number below `end`, derived from these words.
fn hashed(words: Vec<u8>, end: u64) -> U256 {
    U256::from_be_bytes(keccak256(words).0) % U256::from(end)
}
