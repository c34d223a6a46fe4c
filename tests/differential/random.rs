//! Random models and samples.

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Kind, Parameters},
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::pair::Pair;

impl Pair {
    pub(crate) fn label(&mut self) -> u16 {
        label(self.reference.classifier(), &mut self.chance)
    }

    pub(crate) fn bad_label(&mut self) -> u16 {
        bad_label(self.reference.classifier(), &mut self.chance)
    }

    /// Draws a sample that the model accepts.
    pub(crate) fn sample(&mut self) -> Vec<u8> {
        sample(self.reference.classifier(), &mut self.chance)
    }

    /// Draws a sample that the model mostly refuses.
    pub(crate) fn bad_sample(&mut self) -> Vec<u8> {
        bad_sample(self.reference.classifier(), &mut self.chance)
    }

    /// Draws `count` items that the model accepts, encoded.
    pub(crate) fn items(&mut self, count: u64) -> Vec<u8> {
        items(self.reference.classifier(), &mut self.chance, count)
    }

    /// Draws two items, encoded. The second is mostly bad, or the bytes are malformed.
    pub(crate) fn bad_items(&mut self) -> Vec<u8> {
        bad_items(self.reference.classifier(), &mut self.chance)
    }
}

fn label(classifier: &Classifier, chance: &mut ChaCha8Rng) -> u16 {
    chance.random_range(0..classifier.classes())
}

fn bad_label(classifier: &Classifier, chance: &mut ChaCha8Rng) -> u16 {
    if chance.random_bool(0.7) {
        label(classifier, chance)
    } else {
        chance.random()
    }
}

fn sample(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<u8> {
    let (features, encoding) = (classifier.features(), classifier.encoding());
    match encoding {
        Encoding::Sparse => {
            let share = chance.random_range(0.0..0.6);
            let present: Vec<u16> = (0..features)
                .filter(|_| chance.random_bool(share))
                .map(|feature| u16::try_from(feature).expect("features fit"))
                .collect();
            encode_sparse(&present)
        }
        Encoding::Dense16 | Encoding::Dense32 => {
            let numbers = if chance.random_bool(0.3) {
                longest(classifier)
            } else {
                numbers(classifier, chance)
            };
            encode_numbers(encoding, &numbers)
        }
    }
}

fn bounds_of(classifier: &Classifier) -> Bounds {
    classifier.parameters().bounds().expect("a dense model")
}

/// Draws numbers within the model's bounds, sometimes at the largest either way or just below.
fn numbers(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<i64> {
    let bounds = bounds_of(classifier);
    let largest = i64::from(bounds.max_number);
    let shift = chance.random_range(0..40);
    let mut rest = bounds.max_squared_length;
    (0..classifier.features())
        .map(|_| {
            let number = match chance.random_range(0..12) {
                0 => largest,
                1 => largest - 1,
                2 => -largest,
                _ => chance.random_range(-largest..=largest) >> shift,
            };
            // The number fits the rest of the length, and the encoding.
            let max = i64::try_from(rest.isqrt()).expect("few bits");
            let number = number.clamp(-max, max).min(room(classifier));
            rest -= u128::from(number.unsigned_abs()).pow(2);
            number
        })
        .collect()
}

/// Returns the largest number of the model's encoding.
fn room(classifier: &Classifier) -> i64 {
    match classifier.encoding() {
        Encoding::Dense16 => i16::MAX.into(),
        _ => i32::MAX.into(),
    }
}

/// Returns the largest numbers within the bounds. With some numbers of features, the squared length
/// is the maximum.
fn longest(classifier: &Classifier) -> Vec<i64> {
    let bounds = bounds_of(classifier);
    let mut rest = bounds.max_squared_length;
    (0..classifier.features())
        .map(|_| {
            let number = i64::try_from(rest.isqrt())
                .expect("few bits")
                .min(bounds.max_number.into());
            rest -= u128::from(number.unsigned_abs()).pow(2);
            -number
        })
        .collect()
}

fn encode_numbers(encoding: Encoding, numbers: &[i64]) -> Vec<u8> {
    match encoding {
        Encoding::Sparse => unreachable!("no numbers"),
        Encoding::Dense16 => {
            let numbers: Vec<i16> = numbers
                .iter()
                .map(|number| i16::try_from(*number).expect("fits"))
                .collect();
            encode_dense16(&numbers)
        }
        Encoding::Dense32 => {
            let numbers: Vec<i32> = numbers
                .iter()
                .map(|number| i32::try_from(*number).expect("fits"))
                .collect();
            encode_dense32(&numbers)
        }
    }
}

fn bad_sample(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<u8> {
    if classifier.encoding() != Encoding::Sparse && chance.random_bool(0.5) {
        return sample_out_of_bounds(classifier, chance);
    }
    let mut sample = sample(classifier, chance);
    match chance.random_range(0..3) {
        0 => sample.push(chance.random()),
        1 => sample.extend_from_slice(&[0, 0]),
        _ => {
            for byte in &mut sample {
                if chance.random_bool(0.1) {
                    *byte = chance.random();
                }
            }
        }
    }
    sample
}

/// Draws a well-formed sample out of bounds, if the encoding has room for one.
///
/// A number is just above the largest, or the squared length just above the maximum, or all numbers
/// are random.
fn sample_out_of_bounds(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<u8> {
    let largest = i64::from(bounds_of(classifier).max_number);
    let room = room(classifier);
    let mut numbers = longest(classifier);
    let index = chance.random_range(0..numbers.len());
    match chance.random_range(0..3) {
        0 => numbers[index] = (largest + 1).min(room),
        1 => {
            // The sample had the maximum squared length, or nearly. So one more for its smallest
            // number exceeds it.
            let smallest = numbers.iter_mut().rev().find(|number| -**number < largest);
            if let Some(number) = smallest {
                *number -= 1;
            }
        }
        _ => {
            for number in &mut numbers {
                *number = chance.random_range(-room - 1..=room);
            }
        }
    }
    encode_numbers(classifier.encoding(), &numbers)
}

/// Draws `count` items that a model accepts, encoded.
pub(crate) fn items(classifier: &Classifier, chance: &mut ChaCha8Rng, count: u64) -> Vec<u8> {
    let items: Vec<_> = (0..count)
        .map(|_| (label(classifier, chance), sample(classifier, chance)))
        .collect();
    encode(&items)
}

/// Draws two items, encoded. The second is mostly bad, or the bytes are malformed.
pub(crate) fn bad_items(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<u8> {
    let mut batch = encode(&[
        (label(classifier, chance), sample(classifier, chance)),
        (
            bad_label(classifier, chance),
            bad_sample(classifier, chance),
        ),
    ]);
    match chance.random_range(0..4) {
        0 => batch.truncate(chance.random_range(0..=batch.len())),
        1 => {
            let index = chance.random_range(0..batch.len());
            batch[index] = chance.random();
        }
        2 => {
            batch = (0..chance.random_range(0..40))
                .map(|_| chance.random())
                .collect();
        }
        _ => {}
    }
    batch
}

/// Encodes items with these labels and samples.
pub(crate) fn encode(items: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<_> = items
        .iter()
        .map(|(label, sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&items).expect("short samples")
}

/// Draws the widest bounds, or narrower ones.
fn bounds(encoding: Encoding, features: u32, chance: &mut ChaCha8Rng) -> Bounds {
    let widest = Bounds::widest(encoding, features).expect("numbers");
    let max_number = match chance.random_range(0..3) {
        0 => widest.max_number,
        _ => (widest.max_number >> chance.random_range(0..16)).max(1),
    };
    let longest = u128::from(features) * u128::from(max_number).pow(2);
    let max_squared_length = match chance.random_range(0..3) {
        0 => longest,
        _ => (longest >> chance.random_range(0..8)).max(1),
    };
    Bounds {
        max_number,
        max_squared_length,
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

/// Draws a small model with random words.
///
/// Some are as training leaves them, and some have any bits, because an owner may write anything.
pub(crate) fn classifier(kind: Kind, chance: &mut ChaCha8Rng) -> Classifier {
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
            bounds: bounds(kind.encoding(), features, chance),
        },
        Kind::NaiveBayes => Parameters::NaiveBayes {
            classes,
            features,
            smoothing: *[1, 256, u32::MAX].choose(chance).expect("smoothings"),
        },
        Kind::SparseNearestCentroid => Parameters::SparseNearestCentroid { classes, features },
        Kind::DenseNearestCentroid => Parameters::DenseNearestCentroid {
            classes,
            features,
            bounds: bounds(kind.encoding(), features, chance),
        },
    };
    let mut classifier = Classifier::new(parameters).expect("good parameters");
    let count = classifier.words().len();
    let headers = match kind {
        Kind::SparsePerceptron | Kind::DensePerceptron => 0,
        _ => usize::from(classes),
    };
    let style = chance.random_range(0..4);
    let words: Vec<U256> = (0..count)
        .map(|index| match style {
            // Nothing is learned yet: every class is empty.
            0 => U256::ZERO,
            1 => U256::from(chance.random::<u64>() & 0x0000_0003_0000_0007),
            // These are at the edges of every lane width, where sums saturate. Classes are nearly
            // full.
            2 if index < headers => U256::from(chance.random_range(u32::MAX - 9..=u32::MAX)),
            2 => U256::from_limbs(core::array::from_fn(|_| {
                *EDGES.choose(chance).expect("edges")
            })),
            // The word has any bits.
            _ => U256::from_limbs(chance.random()),
        })
        .collect();
    classifier
        .write(0, &words)
        .expect("as many words as there are");
    classifier
}
