//! Logs of every learner, and people who write items good and bad.

use std::array;

use alloy_primitives::{Address, B256, U256, uint};
use cotrain_log::{Admission, Terms};
use cotrain_protocol::{
    classifier::{Bounds, Classifier, Parameters},
    sample::{Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
    signature::Key,
    trainer::SignedBatch,
};
use proptest::{prelude::*, test_runner::Config};

/// Time of the logs.
pub(crate) const TIME: u64 = 1_800_000_000;
/// Number of people.
const PEOPLE: usize = 3;
/// Order of secp256k1.
const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Returns a configuration that prints the input of a failure and writes nothing to disk.
pub(crate) fn cases(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

/// Returns the keys of all people.
pub(crate) fn people() -> [Key; PEOPLE] {
    array::from_fn(|number| Key::new(B256::from(U256::from(number + 1))).expect("not zero"))
}

/// Returns small parameters of each learner.
pub(crate) fn learners() -> [Parameters; 5] {
    let bounds = |encoding| Bounds::widest(encoding, 5).expect("numbers");
    [
        Parameters::SparsePerceptron {
            features: 20,
            learning_rate: 3,
            intercept: -1,
        },
        Parameters::DensePerceptron {
            features: 5,
            learning_rate: 65_536,
            intercept: 1,
            bounds: bounds(Encoding::Dense16),
        },
        Parameters::NaiveBayes {
            classes: 3,
            features: 20,
            smoothing: 256,
        },
        Parameters::SparseNearestCentroid {
            classes: 3,
            features: 20,
        },
        Parameters::DenseNearestCentroid {
            classes: 3,
            features: 5,
            bounds: bounds(Encoding::Dense32),
        },
    ]
}

/// Returns the terms of a log that begins with this learner, for all people.
pub(crate) fn terms(parameters: Parameters) -> Terms {
    let model = Classifier::new(parameters).expect("parameters");
    let authors = people().map(|key| key.address());
    Terms::new(model, TIME, Admission::authors(authors)).expect("terms")
}

/// Fault of bytes that are no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Truncated,
    Longer,
    Bound,
    Expired,
    Fee,
    NoItems,
    HalfItem,
    Label,
    Forged,
    HighS,
    Short,
    Nonce,
}

/// Plan of bytes that somebody writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) author: usize,
    pub(crate) nonce: u64,
    pub(crate) content: u64,
    pub(crate) fault: Option<Fault>,
}

/// Draws what people write. Many nonces are equal, and a third of the bytes is at fault.
pub(crate) fn written() -> impl Strategy<Value = Written> {
    use Fault::*;
    let fault = prop::sample::select(vec![
        Truncated, Longer, Bound, Expired, Fee, NoItems, HalfItem, Label, Forged, HighS, Short,
        Nonce,
    ]);
    let nonce = prop_oneof![0_u64..6, 0_u64..200, Just((1 << 48) - 1)];
    let fault = prop_oneof![2 => Just(None), 1 => fault.prop_map(Some)];
    (0..PEOPLE, nonce, any::<u64>(), fault).prop_map(|(author, nonce, content, fault)| Written {
        author,
        nonce,
        content,
        fault,
    })
}

/// Returns the next of a sequence of numbers (`SplitMix64`).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut number = *state;
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Returns one to three labeled samples that a learner takes, by a number.
pub(crate) fn items(parameters: Parameters, mut content: u64) -> Vec<u8> {
    let state = &mut content;
    let features = parameters.features();
    let samples: Vec<_> = (0..=next(state) % 3)
        .map(|_| {
            let label = u16::try_from(next(state) % u64::from(parameters.classes()));
            let sample = match parameters.encoding() {
                Encoding::Sparse => {
                    let present = next(state);
                    let all = (0..features).filter(|it| present >> (it % 64) & 1 == 1);
                    let all: Vec<_> = all.filter_map(|it| u16::try_from(it).ok()).collect();
                    encode_sparse(&all)
                }
                Encoding::Dense16 => {
                    let numbers = (0..features).map(|_| next(state).to_be_bytes());
                    let all: Vec<_> = numbers
                        .map(|it| i16::from_be_bytes([it[0], it[1]]))
                        .collect();
                    encode_dense16(&all)
                }
                Encoding::Dense32 => {
                    let numbers = (0..features).map(|_| next(state).to_be_bytes());
                    let all: Vec<_> = numbers
                        .map(|it| i32::from_be_bytes([it[0], it[1], it[2], it[3]]))
                        .collect();
                    encode_dense32(&all)
                }
            };
            (label.expect("a class"), sample)
        })
        .collect();
    let samples: Vec<_> = samples
        .iter()
        .map(|(label, sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&samples).expect("short samples")
}

impl Written {
    /// Returns the signed batch before it is encoded.
    pub(crate) fn batch(self, terms: &Terms) -> SignedBatch {
        let keys = people();
        let key = &keys[self.author];
        let parameters = *terms.trainer().classifier().parameters();
        let fault = |fault| self.fault == Some(fault);
        let mut batch = SignedBatch {
            author: key.address(),
            relayer: Address::ZERO,
            max_deposit: u128::from(self.content % 3),
            fee: u128::from(fault(Fault::Fee)),
            nonce: self.nonce,
            deadline: if fault(Fault::Expired) {
                TIME - 1
            } else {
                TIME
            },
            items: items(parameters, self.content),
            signature: Vec::new(),
        };
        match self.fault {
            Some(Fault::Bound) => batch.relayer = terms.name(),
            Some(Fault::NoItems) => batch.items.clear(),
            Some(Fault::HalfItem) => batch.items.truncate(3),
            Some(Fault::Label) => batch.items[0] = 1,
            _ => {}
        }
        let mut signature = key.sign(batch.signing_hash(terms.domain())).to_vec();
        match self.fault {
            Some(Fault::Forged) => signature[40] ^= 1,
            Some(Fault::HighS) => {
                let s = ORDER - U256::from_be_slice(&signature[32..64]);
                signature[32..64].copy_from_slice(&s.to_be_bytes::<32>());
                signature[64] = 27 + 28 - signature[64];
            }
            Some(Fault::Short) => {
                signature[32] |= (signature[64] - 27) << 7;
                signature.truncate(64);
            }
            Some(Fault::Nonce) => batch.nonce ^= 1,
            _ => {}
        }
        batch.signature = signature;
        batch
    }

    /// Returns the bytes that are written.
    pub(crate) fn bytes(self, terms: &Terms) -> Vec<u8> {
        let mut bytes = self.batch(terms).encode();
        match self.fault {
            Some(Fault::Truncated) => bytes.truncate(bytes.len() - 1),
            Some(Fault::Longer) => bytes.push(0),
            _ => {}
        }
        bytes
    }
}

/// Returns the order of `count` things, by a number.
pub(crate) fn shuffled(count: usize, mut seed: u64) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    for end in (1..count).rev() {
        let other = next(&mut seed) % (end as u64 + 1);
        order.swap(end, usize::try_from(other).expect("an index"));
    }
    order
}
