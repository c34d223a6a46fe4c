//! The log of signed batches that peers replicate, without a chain.
//!
//! Peers exchange items in any order. Equal sets of items give every peer the same model, the same
//! points and the same [`Digest`]. `docs/log.md` has the rules to the bit.
//!
//! This crate has no I/O, no clock and no random numbers. The rules of a contribution are those of
//! `cotrain-protocol`.
//!
//! ```
//! use alloy_primitives::B256;
//! use cotrain_log::{Admission, Log, Terms};
//! use cotrain_protocol::{
//!     classifier::{Classifier, Parameters},
//!     sample::{Item, encode_batch, encode_sparse},
//!     signature::Key,
//! };
//!
//! let key = Key::new(B256::with_last_byte(7)).expect("a key");
//! let model = Classifier::new(Parameters::SparsePerceptron {
//!     features: 1_000,
//!     learning_rate: 1,
//!     intercept: 0,
//! })?;
//! let terms = Terms::new(model, 1_800_000_000, Admission::authors([key.address()]))?;
//!
//! let sample = encode_sparse(&[3, 159]);
//! let items = encode_batch(&[Item { label: 1, sample: &sample }])?;
//! let draft = terms.draft(key.address(), 0, items);
//! let signature = key.sign(draft.hash()).to_vec();
//! let bytes = draft.signed(signature);
//!
//! let mut log = Log::new(terms);
//! log.add(&bytes)?;
//! assert_eq!(log.model().predict(&sample)?, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// The model must be the same on every peer, so nothing here has floats.
#![deny(clippy::float_arithmetic)]

mod digest;
mod fold;
mod item;
mod log;
mod set;
mod terms;

pub use self::{
    digest::{Digest, Standing},
    fold::SNAPSHOT_EVERY,
    item::{Item, Refusal, Turn},
    log::Log,
    set::{Added, Set},
    terms::{Admission, Draft, ITEM_BYTES, Terms, TermsError},
};
