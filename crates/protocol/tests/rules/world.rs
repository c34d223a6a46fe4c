//! A trainer and the people around it.

use alloy_primitives::{Address, B256};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    sample::{Item, encode_batch, encode_sparse},
    trainer::{Claim, Incentive, Trainer, Waits, claims},
};

use crate::support::address;

pub(crate) const WAITS: Waits = Waits {
    refund: 100,
    owner_claim: 1_000,
    any_address_claim: 5_000,
};
const COST_WEIGHT: u128 = 1_000;

/// A trainer of a sparse perceptron of 20 zeros, and the people around it.
pub(crate) struct World {
    pub(crate) trainer: Trainer,
    pub(crate) now: u64,
}

pub(crate) fn owner() -> Address {
    address(1)
}

pub(crate) fn ann() -> Address {
    address(11)
}

pub(crate) fn bob() -> Address {
    address(12)
}

pub(crate) fn cid() -> Address {
    address(13)
}

pub(crate) fn model() -> Classifier {
    let parameters = Parameters::SparsePerceptron {
        features: 20,
        learning_rate: 1,
        intercept: 0,
    };
    Classifier::new(parameters).expect("valid")
}

pub(crate) fn incentive() -> Incentive {
    Incentive::DepositRefundTake {
        cost_weight: COST_WEIGHT,
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(incentive())
    }

    pub(crate) fn with(incentive: Incentive) -> Self {
        let trainer =
            Trainer::new(owner(), address(2), incentive, WAITS, model(), 0).expect("valid");
        Self { trainer, now: 0 }
    }

    /// Each item is a label and the one feature that is present.
    pub(crate) fn contribute_all(&mut self, author: Address, items: &[(u16, u16)]) -> Vec<Claim> {
        let samples: Vec<_> = items
            .iter()
            .map(|(_, feature)| encode_sparse(&[*feature]))
            .collect();
        let items: Vec<_> = items
            .iter()
            .zip(&samples)
            .map(|((label, _), sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        let batch = encode_batch(&items).expect("short");
        let (trainer, now) = (&mut self.trainer, self.now);
        let value = trainer.price(items.len() as u64, now) * items.len() as u128;
        let done = trainer
            .contribute(author, now, value, &batch)
            .expect("accepted");
        assert_eq!(done.surplus, 0);
        claims(done.batch, author, done.deposit, now, &batch).expect("parsed before")
    }

    /// An hour after the last contribution: a deposit of 60,000.
    pub(crate) fn contribute(&mut self, author: Address, label: u16, feature: u16) -> Claim {
        self.now = self.trainer.last_contribution_time() + 3_600;
        self.contribute_all(author, &[(label, feature)]).remove(0)
    }

    /// Gives `author` this many more good contributions.
    pub(crate) fn make_good(&mut self, author: Address, count: u64) {
        for _ in 0..count {
            let claim = self.contribute(author, 1, 19);
            self.now += WAITS.refund;
            self.trainer.refund(author, self.now, &claim).expect("good");
        }
    }

    /// A contribution of Ann's that the model disagrees with by now.
    pub(crate) fn bad(&mut self) -> Claim {
        let claim = self.contribute(ann(), 0, 3);
        self.contribute(cid(), 1, 3);
        self.now += WAITS.refund;
        claim
    }

    pub(crate) fn settlement(&self, claim: &Claim) -> (u128, Address) {
        let word = self.trainer.settlement(claim.position);
        let reporter = Address::from_word(B256::from(word >> 96));
        (word.wrapping_to::<u128>() & ((1 << 96) - 1), reporter)
    }
}
