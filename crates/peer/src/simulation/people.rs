//! Users of simulated peers: they sign items, and their peers share checks of them.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use alloy_primitives::{B256, U256};
use cotrain_log::{Admission, Item, Refusal, Terms};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item as Sample, encode_batch, encode_sparse},
    signature::Key,
};

use crate::{chance::Chance, check::Check};

/// Number of features of the simulated model.
const FEATURES: u16 = 1_000;
/// Number of features in a sample.
const PRESENT: u16 = 20;

/// Checker that remembers its answers, since simulated peers check the same items.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    terms: Arc<Terms>,
    known: Rc<RefCell<BTreeMap<B256, Result<Item, Refusal>>>>,
}

impl Check for Memory {
    fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    fn item(&self, bytes: &[u8]) -> Result<Item, Refusal> {
        let mut known = self.known.borrow_mut();
        let check = || self.terms.item(bytes);
        known
            .entry(Item::id_of(bytes))
            .or_insert_with(check)
            .clone()
    }
}

/// Users, one for each honest peer.
#[derive(Debug)]
pub(super) struct People {
    keys: Vec<Key>,
    memory: Memory,
}

impl People {
    /// Creates users and the log that lists them. Returns `None` if there is none.
    pub(super) fn new(count: usize) -> Option<Self> {
        let keys: Option<Vec<_>> = (1..=count)
            .map(|number| Key::new(B256::from(U256::from(number))))
            .collect();
        let keys = keys?;
        let model = Classifier::new(Parameters::SparsePerceptron {
            features: FEATURES.into(),
            learning_rate: 1,
            intercept: 0,
        });
        let authors = keys.iter().map(Key::address);
        let terms = Terms::new(model.ok()?, 0, Admission::authors(authors)).ok()?;
        let memory = Memory {
            terms: Arc::new(terms),
            known: Rc::default(),
        };
        Some(Self { keys, memory })
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Returns the address of a user.
    pub(super) fn key(&self, user: usize) -> Option<&Key> {
        self.keys.get(user)
    }

    /// Returns a signed item with a random sample.
    pub(super) fn sign(&self, user: usize, nonce: u64, chance: &mut Chance) -> Option<Vec<u8>> {
        let key = self.key(user)?;
        let step = FEATURES / PRESENT;
        let sample: Vec<_> = (0..PRESENT)
            .map(|at| at * step + u16::try_from(chance.below(step.into())).unwrap_or_default())
            .collect();
        let sample = encode_sparse(&sample);
        let label = u16::from(chance.below(2) == 1);
        let sample = Sample {
            label,
            sample: &sample,
        };
        let draft = self
            .memory
            .terms
            .draft(key.address(), nonce, encode_batch(&[sample]).ok()?);
        let signature = key.sign(draft.hash());
        Some(draft.signed(signature.to_vec()))
    }
}
