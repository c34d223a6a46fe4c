//! What holds of every trainer whatever happens: money is conserved, errors change nothing, and a
//! look beforehand says what a claim pays.

use std::{cell::RefCell, collections::BTreeMap};

use alloy_primitives::Address;
use cotrain_protocol::{
    Rejection,
    classifier::{Classifier, Parameters},
    sample::{Item, encode_batch, encode_dense16, encode_dense32, encode_sparse},
    trainer::{Claim, Incentive, Trainer, Waits, claims},
};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

use crate::support::{address, cases};

const WAITS: Waits = Waits {
    refund: 50,
    owner_claim: 200,
    any_address_claim: 400,
};
/// The owner, and people who contribute.
const PEOPLE: u8 = 5;

#[derive(Debug, Clone)]
enum Operation {
    /// Labels and samples out of a few, with so much more or less wei than they need.
    Contribute {
        author: u8,
        items: Vec<(u16, usize)>,
        more: i128,
    },
    Refund {
        caller: Caller,
        claim: Index,
    },
    Report {
        caller: Caller,
        claim: Index,
    },
    ClaimLate {
        caller: Caller,
        claim: Index,
    },
    /// A claim with a deposit that was never made.
    Lie {
        caller: u8,
        claim: Index,
    },
    Wait {
        seconds: u64,
    },
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    Author,
    Anyone(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let people = 0..PEOPLE;
    let callers = || prop_oneof![Just(Caller::Author), (0..PEOPLE).prop_map(Caller::Anyone)];
    let items = vec((0_u16..2, 0_usize..4), 1..4);
    let more = prop_oneof![Just(0_i128), 0_i128..1_000, -1_000_i128..0];
    prop_oneof![
        4 => (people.clone(), items, more)
            .prop_map(|(author, items, more)| Operation::Contribute { author, items, more }),
        4 => (callers(), any::<Index>()).prop_map(|(caller, claim)| Operation::Refund { caller, claim }),
        6 => (callers(), any::<Index>()).prop_map(|(caller, claim)| Operation::Report { caller, claim }),
        1 => (callers(), any::<Index>()).prop_map(|(caller, claim)| Operation::ClaimLate { caller, claim }),
        1 => (people, any::<Index>()).prop_map(|(caller, claim)| Operation::Lie { caller, claim }),
        5 => (0_u64..120).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

fn models() -> [(Parameters, [Vec<u8>; 4]); 5] {
    let sparse: [&[u16]; 4] = [&[], &[0], &[0, 1], &[1, 2]];
    let sparse = sparse.map(encode_sparse);
    let dense: [[i16; 3]; 4] = [[0, 0, 0], [5, 0, -1], [5, 0, 1], [-5, 2, 0]];
    let dense32 = dense.map(|values| encode_dense32(&values.map(i32::from)));
    [
        (
            Parameters::SparsePerceptron {
                features: 3,
                learning_rate: 2,
                intercept: -1,
            },
            sparse.clone(),
        ),
        (
            Parameters::DensePerceptron {
                features: 3,
                learning_rate: 65_536,
                intercept: 1,
            },
            dense.map(|values| encode_dense16(&values)),
        ),
        (
            Parameters::NaiveBayes {
                classes: 2,
                features: 3,
                smoothing: 256,
            },
            sparse.clone(),
        ),
        (
            Parameters::SparseNearestCentroid {
                classes: 2,
                features: 3,
            },
            sparse,
        ),
        (
            Parameters::DenseNearestCentroid {
                classes: 2,
                features: 3,
            },
            dense32,
        ),
    ]
}

/// How often what succeeded: a suite in which everything is rejected would show nothing.
#[derive(Debug, Default)]
struct Successes {
    contributions: u64,
    refunds: u64,
    reports: u64,
    partial_reports: u64,
    late_claims: u64,
}

struct World {
    trainer: Trainer,
    samples: [Vec<u8>; 4],
    now: u64,
    claims: Vec<Claim>,
    /// Wei that has been paid out of each contribution.
    paid: BTreeMap<u64, u128>,
    good: BTreeMap<Address, u64>,
}

impl World {
    fn new(parameters: Parameters, samples: [Vec<u8>; 4], incentive: Incentive) -> Self {
        let classifier = Classifier::new(parameters).expect("valid");
        let trainer = Trainer::new(address(0), address(99), incentive, WAITS, classifier, 10);
        Self {
            trainer: trainer.expect("valid"),
            samples,
            now: 10,
            claims: vec![],
            paid: BTreeMap::new(),
            good: BTreeMap::new(),
        }
    }

    fn run(&mut self, operation: &Operation, successes: &mut Successes) {
        match operation {
            Operation::Contribute {
                author,
                items,
                more,
            } => {
                successes.contributions += self.contribute(address(*author), items, *more);
            }
            Operation::Refund { caller, claim } => {
                let paid = self.claim(*caller, *claim, Trainer::can_refund, Trainer::refund);
                if let Some((claim, paid)) = paid {
                    assert_eq!(paid, self.left_before(&claim, paid));
                    *self.good.entry(claim.author).or_default() += 1;
                    successes.refunds += 1;
                }
            }
            Operation::Report { caller, claim } => {
                let paid = self.claim(*caller, *claim, Trainer::can_report, Trainer::report);
                if let Some((claim, _)) = paid {
                    successes.reports += 1;
                    successes.partial_reports +=
                        u64::from(!self.trainer.is_settled(claim.position));
                }
            }
            Operation::ClaimLate { caller, claim } => {
                let paid = self.claim(
                    *caller,
                    *claim,
                    Trainer::can_claim_late,
                    Trainer::claim_late,
                );
                if let Some((claim, paid)) = paid {
                    assert_eq!(paid, self.left_before(&claim, paid));
                    successes.late_claims += 1;
                }
            }
            Operation::Lie { caller, claim } if !self.claims.is_empty() => {
                self.lie(address(*caller), *claim);
            }
            Operation::Lie { .. } => {}
            Operation::Wait { seconds } => self.now += seconds,
        }
        self.check();
    }

    fn contribute(&mut self, author: Address, items: &[(u16, usize)], more: i128) -> u64 {
        let items: Vec<_> = items
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample: &self.samples[*sample],
            })
            .collect();
        let batch = encode_batch(&items).expect("short");
        let count = items.len() as u64;
        let deposit = self.trainer.price(count, self.now);
        let required = deposit * u128::from(count);
        let sent = required.saturating_add_signed(more);
        let before = self.trainer.clone();
        match self.trainer.contribute(author, self.now, sent, &batch) {
            Ok(done) => {
                assert_eq!(
                    (done.count, done.deposit, done.surplus),
                    (count, deposit, sent - required)
                );
                assert_eq!(done.batch, self.claims.len() as u64);
                let claims = claims(done.batch, author, deposit, self.now, &batch);
                self.claims.extend(claims.expect("parsed before"));
                count
            }
            Err(rejection) => {
                assert_eq!(rejection, Rejection::DepositTooLow { required, sent });
                assert!(sent < required);
                assert_eq!(self.trainer, before);
                0
            }
        }
    }

    /// The claim and what it paid, where it succeeded.
    fn claim(
        &mut self,
        caller: Caller,
        claim: Index,
        look: impl Fn(&Trainer, Address, u64, &Claim) -> Result<u128, Rejection>,
        act: impl Fn(&mut Trainer, Address, u64, &Claim) -> Result<u128, Rejection>,
    ) -> Option<(Claim, u128)> {
        if self.claims.is_empty() {
            return None;
        }
        let claim = claim.get(&self.claims).clone();
        let caller = match caller {
            Caller::Author => claim.author,
            Caller::Anyone(number) => address(number),
        };
        let before = self.trainer.clone();
        let expected = look(&before, caller, self.now, &claim);
        let result = act(&mut self.trainer, caller, self.now, &claim);
        assert_eq!(result, expected);
        if result.is_err() {
            assert_eq!(self.trainer, before);
        }
        let paid = result.ok()?;
        *self.paid.entry(claim.position).or_default() += paid;
        Some((claim, paid))
    }

    fn lie(&mut self, caller: Address, claim: Index) {
        let mut claim = claim.get(&self.claims).clone();
        claim.deposit += 1;
        let before = self.trainer.clone();
        let error = Err(Rejection::UnknownContribution {
            batch: claim.batch,
            leaf: claim.leaf(),
        });
        assert_eq!(self.trainer.refund(caller, u64::MAX, &claim), error);
        assert_eq!(self.trainer.report(caller, u64::MAX, &claim), error);
        assert_eq!(self.trainer.claim_late(caller, u64::MAX, &claim), error);
        assert_eq!(self.trainer, before);
    }

    fn left_before(&self, claim: &Claim, paid: u128) -> u128 {
        claim.deposit - (self.paid[&claim.position] - paid)
    }

    /// What holds after every step.
    fn check(&self) {
        let paid = |claim: &Claim| self.paid.get(&claim.position).copied().unwrap_or_default();
        // Never more than the deposit, and nothing is kept of what is closed.
        let left = |claim: &Claim| {
            claim
                .deposit
                .checked_sub(paid(claim))
                .expect("not paid twice")
        };
        for claim in &self.claims {
            let word = self.trainer.settlement(claim.position);
            let taken = word.wrapping_to::<u128>() % (1 << 96);
            if self.trainer.is_settled(claim.position) {
                assert_eq!((left(claim), taken), (0, (1 << 96) - 1));
            } else {
                assert_eq!(taken, paid(claim));
            }
        }
        assert_eq!(
            self.trainer.held(),
            self.claims.iter().map(left).sum::<u128>()
        );
        assert_eq!(self.trainer.contribution_count(), self.claims.len() as u64);
        assert_eq!(self.trainer.total_good(), self.good.values().sum::<u64>());
        for number in 0..PEOPLE {
            let good = self.good.get(&address(number)).copied().unwrap_or_default();
            assert_eq!(self.trainer.good(address(number)), good);
        }
    }

    /// In the end anyone can claim what is left: no wei stays.
    fn end(&mut self) {
        for claim in &self.claims {
            let end = claim.time + WAITS.any_address_claim;
            let _ = self.trainer.claim_late(address(77), end, claim);
        }
        assert_eq!(self.trainer.held(), 0);
    }
}

#[test]
fn money_is_conserved() {
    for incentive in [
        Incentive::DepositRefundTake { cost_weight: 1_000 },
        Incentive::Points,
    ] {
        for (parameters, samples) in models() {
            let successes = RefCell::new(Successes::default());
            let outcome =
                TestRunner::new(cases(100)).run(&vec(operation(), 0..150), |operations| {
                    let mut world = World::new(parameters, samples.clone(), incentive);
                    for operation in &operations {
                        world.run(operation, &mut successes.borrow_mut());
                    }
                    world.end();
                    Ok(())
                });
            if let Err(error) = outcome {
                panic!("{incentive:?} {parameters:?}: {error}");
            }
            let all = successes.into_inner();
            let least = all
                .contributions
                .min(all.refunds)
                .min(all.reports)
                .min(all.late_claims);
            assert!(least > 20, "{incentive:?} {parameters:?}: {all:?}");
            assert_eq!(
                all.partial_reports > 20,
                incentive != Incentive::Points,
                "{parameters:?}: {all:?}"
            );
        }
    }
}
