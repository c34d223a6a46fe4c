//! Models and samples drawn at random.

use alloy_primitives::U256;
use cotrain_protocol::{
    classifier::{Classifier, Kind, Parameters},
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::pair::Pair;

impl Pair {
    pub(crate) fn label(&mut self) -> u16 {
        label(self.twin.classifier(), &mut self.chance)
    }

    pub(crate) fn bad_label(&mut self) -> u16 {
        bad_label(self.twin.classifier(), &mut self.chance)
    }

    /// A sample that the model accepts.
    pub(crate) fn sample(&mut self) -> Vec<u8> {
        sample(self.twin.classifier(), &mut self.chance)
    }

    /// A sample that the model refuses more often than not.
    pub(crate) fn bad_sample(&mut self) -> Vec<u8> {
        bad_sample(self.twin.classifier(), &mut self.chance)
    }

    /// The bytes of so many items that the model accepts.
    pub(crate) fn items(&mut self, count: u64) -> Vec<u8> {
        items(self.twin.classifier(), &mut self.chance, count)
    }

    /// The bytes of two items, of which the second is bad more often than not, or of something malformed.
    pub(crate) fn bad_items(&mut self) -> Vec<u8> {
        bad_items(self.twin.classifier(), &mut self.chance)
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

fn bad_sample(classifier: &Classifier, chance: &mut ChaCha8Rng) -> Vec<u8> {
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

/// The bytes of so many items that a model accepts.
pub(crate) fn items(classifier: &Classifier, chance: &mut ChaCha8Rng, count: u64) -> Vec<u8> {
    let items: Vec<_> = (0..count)
        .map(|_| (label(classifier, chance), sample(classifier, chance)))
        .collect();
    encode(&items)
}

/// The bytes of two items, of which the second is bad more often than not, or of something malformed.
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
            let place = chance.random_range(0..batch.len());
            batch[place] = chance.random();
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

/// The bytes of items with these labels and samples.
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
