//! A trainer and the people around it.

use std::slice;

use alloy_primitives::Address;
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Parameters},
    record::{Claims, Record},
    sample::{Item, encode_batch, encode_sparse, parse_batch},
    trainer::{Incentive, Settled, Trainer, Waits},
};

use crate::support::address;

pub(crate) const WAITS: Waits = Waits {
    refund: 100,
    owner_claim: 1_000,
    any_address_claim: 5_000,
    report_notice: 0,
};
pub(crate) const CHAIN_ID: u64 = 31_337;
const COST_WEIGHT: u128 = 1_000;

/// A trainer whose sparse perceptron has 20 zeros, and the people around it.
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
        Self::with_waits(incentive, WAITS)
    }

    pub(crate) fn with_waits(incentive: Incentive, waits: Waits) -> Self {
        let trainer = Trainer::new(owner(), CHAIN_ID, address(2), incentive, waits, model(), 0)
            .expect("valid");
        Self { trainer, now: 0 }
    }

    /// Contributes items, each a label and the one feature that is present. Returns their record.
    pub(crate) fn contribute_all(&mut self, author: Address, all: &[(u16, u16)]) -> Record {
        let (trainer, now) = (&mut self.trainer, self.now);
        let batch = items(all);
        let value = trainer.price(all.len() as u64, now) * all.len() as u128;
        let done = trainer
            .contribute(author, now, value, &batch)
            .expect("accepted");
        assert_eq!(done.surplus, 0);
        let added = [(author, parse_batch(&batch).expect("parsed before"))];
        Record::new(done.first_position, done.deposit, now, &added)
    }

    /// Contributes an hour after the last contribution, for a deposit of 60,000 wei. Returns a
    /// claim.
    pub(crate) fn contribute(&mut self, author: Address, label: u16, feature: u16) -> Claims {
        self.now = self.trainer.last_contribution_time() + 3_600;
        let record = self.contribute_all(author, &[(label, feature)]);
        Claims::alone(record.contributions()[0].clone())
    }

    /// Gives `author` this many more good contributions.
    pub(crate) fn make_good(&mut self, author: Address, count: u64) {
        for _ in 0..count {
            let claim = self.contribute(author, 1, 19);
            self.now += WAITS.refund;
            refund(&mut self.trainer, author, self.now, &claim).expect("good");
        }
    }

    /// Makes a contribution by Ann that the model then disagrees with. Returns a claim.
    pub(crate) fn bad(&mut self) -> Claims {
        let claim = self.contribute(ann(), 0, 3);
        self.contribute(cid(), 1, 3);
        self.now += WAITS.refund;
        claim
    }
}

/// Encodes items, each a label and the one feature that is present.
pub(crate) fn items(all: &[(u16, u16)]) -> Vec<u8> {
    let samples: Vec<_> = all
        .iter()
        .map(|(_, feature)| encode_sparse(&[*feature]))
        .collect();
    let items: Vec<_> = all
        .iter()
        .zip(&samples)
        .map(|((label, _), sample)| Item {
            label: *label,
            sample,
        })
        .collect();
    encode_batch(&items).expect("short")
}

/// Predicts the label of the single contribution of a claim.
pub(crate) fn predict(trainer: &Trainer, claim: &Claims) -> u16 {
    let [one] = &claim.contributions[..] else {
        panic!("one contribution")
    };
    trainer
        .classifier()
        .predict(&one.sample)
        .expect("a sample of the model's")
}

/// Settles a claim on one contribution. Returns the settled amount, in wei.
fn settle(
    claim: &Claims,
    looked: &Result<u128, ContractError>,
    act: impl FnOnce(&[Claims]) -> Result<Settled, ContractError>,
) -> Result<u128, ContractError> {
    let settled = act(slice::from_ref(claim))?;
    assert!(settled.skipped.is_empty());
    let [(position, amount)] = settled.settled[..] else {
        panic!("one contribution")
    };
    assert_eq!(position, claim.contributions[0].position);
    assert_eq!(looked, &Ok(amount), "a look before says what is settled");
    Ok(amount)
}

pub(crate) fn refund(
    trainer: &mut Trainer,
    caller: Address,
    now: u64,
    claim: &Claims,
) -> Result<u128, ContractError> {
    let looked = trainer.can_refund(now, &claim.contributions[0], predict(trainer, claim));
    settle(claim, &looked, |claims| trainer.refund(caller, now, claims))
}

pub(crate) fn announce(
    trainer: &mut Trainer,
    now: u64,
    claim: &Claims,
) -> Result<u128, ContractError> {
    let predicted = predict(trainer, claim);
    let looked = trainer.can_announce(now, &claim.contributions[0], predicted);
    settle(claim, &looked.map(|()| 0), |claims| {
        trainer.announce(now, claims)
    })
}

pub(crate) fn report(
    trainer: &mut Trainer,
    caller: Address,
    now: u64,
    claim: &Claims,
) -> Result<u128, ContractError> {
    let predicted = predict(trainer, claim);
    let looked = trainer.can_report(caller, now, &claim.contributions[0], predicted);
    settle(claim, &looked, |claims| trainer.report(caller, now, claims))
}

pub(crate) fn claim_late(
    trainer: &mut Trainer,
    caller: Address,
    now: u64,
    claim: &Claims,
) -> Result<u128, ContractError> {
    let looked = trainer.can_claim_late(caller, now, &claim.contributions[0]);
    settle(claim, &looked, |claims| {
        trainer.claim_late(caller, now, claims)
    })
}
