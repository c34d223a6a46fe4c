//! Tests properties of every trainer: money is conserved, and errors change nothing.
//! A look beforehand returns the amount that a claim pays.

use std::{cell::RefCell, collections::BTreeMap, sync::LazyLock};

use alloy_primitives::Address;
use cotrain_protocol::{
    ContractError,
    classifier::{Bounds, Classifier, Parameters},
    record::{Claims, Contribution, Record},
    sample::{
        Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse, parse_batch,
    },
    trainer::{Incentive, Settled, SignedBatch, Status, Trainer, Waits},
};
use proptest::{collection::vec, prelude::*, sample::Index, test_runner::TestRunner};

use crate::{
    signing::Signer,
    support::{address, cases},
};

const WAITS: Waits = Waits {
    refund: 50,
    owner_claim: 200,
    any_address_claim: 400,
    report_notice: 0,
};
/// Number of people who contribute. All can sign, and the first one owns the trainer.
const PEOPLE: u8 = 5;
const CHAIN_ID: u64 = 31_337;

// ---------------------------------------------------------------- Operations

#[derive(Debug, Clone)]
enum Operation {
    /// Contributes labels and samples from a small set. `more` wei are added to the price.
    Contribute {
        author: u8,
        items: Vec<(u16, usize)>,
        more: i128,
    },
    Relay {
        relayer: u8,
        batches: Vec<Signed>,
    },
    Deposit {
        account: u8,
        amount: u128,
    },
    Withdraw {
        account: u8,
        amount: u128,
    },
    CancelNonces {
        account: u8,
        last: u64,
    },
    /// Claims contributions, each named by an index. Consecutive ones of one batch form a group.
    Claim {
        kind: Kind,
        caller: Caller,
        claims: Vec<Index>,
    },
    /// Claims a deposit that was never made.
    Lie {
        kind: Kind,
        caller: u8,
        claim: Index,
    },
    Wait {
        seconds: u64,
    },
}

#[derive(Debug, Clone)]
struct Signed {
    author: u8,
    /// Labels and indices of samples.
    items: Vec<(u16, usize)>,
    fee: u128,
    nonce: u64,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Refund,
    Report,
    Late,
}

#[derive(Debug, Clone, Copy)]
enum Caller {
    /// Author of the first contribution.
    Author,
    Anyone(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    let people = || 0..PEOPLE;
    let callers = || prop_oneof![Just(Caller::Author), people().prop_map(Caller::Anyone)];
    let items = || vec((0_u16..2, 0_usize..4), 1..4);
    let more = prop_oneof![Just(0_i128), 0_i128..1_000, -1_000_i128..0];
    let signed =
        (people(), items(), 0_u128..100, 0_u64..100).prop_map(|(author, items, fee, nonce)| {
            Signed {
                author,
                items,
                fee,
                nonce,
            }
        });
    let batches = vec(signed, 1..4);
    let claims = || vec(any::<Index>(), 1..5);
    let claim = |kind| {
        (callers(), claims()).prop_map(move |(caller, claims)| Operation::Claim {
            kind,
            caller,
            claims,
        })
    };
    let kinds = prop_oneof![Just(Kind::Refund), Just(Kind::Report), Just(Kind::Late)];
    prop_oneof![
        4 => (people(), items(), more)
            .prop_map(|(author, items, more)| Operation::Contribute { author, items, more }),
        1 => (people(), batches).prop_map(|(relayer, batches)| Operation::Relay { relayer, batches }),
        3 => (people(), 0_u128..20_000_000)
            .prop_map(|(account, amount)| Operation::Deposit { account, amount }),
        1 => (people(), 0_u128..5_000_000)
            .prop_map(|(account, amount)| Operation::Withdraw { account, amount }),
        1 => (people(), 0_u64..10).prop_map(|(account, last)| Operation::CancelNonces { account, last }),
        4 => claim(Kind::Refund),
        6 => claim(Kind::Report),
        1 => claim(Kind::Late),
        1 => (kinds, people(), any::<Index>())
            .prop_map(|(kind, caller, claim)| Operation::Lie { kind, caller, claim }),
        5 => (0_u64..120).prop_map(|seconds| Operation::Wait { seconds }),
    ]
}

// ---------------------------------------------------------------- Models

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
                bounds: Bounds::widest(Encoding::Dense16, 3).expect("numbers"),
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
                bounds: Bounds::widest(Encoding::Dense32, 3).expect("numbers"),
            },
            dense32,
        ),
    ]
}

// ---------------------------------------------------------------- World

/// Counts of successes by operation. A suite in which everything is rejected would show nothing.
#[derive(Debug, Default)]
struct Successes {
    contributions: u64,
    relayed: u64,
    withdrawals: u64,
    refunds: u64,
    pushed_refunds: u64,
    reports: u64,
    partial_reports: u64,
    late_claims: u64,
    skipped: u64,
}

fn person(number: u8) -> Address {
    static ALL: LazyLock<Vec<Address>> = LazyLock::new(|| {
        (0..PEOPLE)
            .map(|number| Signer::new(number + 1).address())
            .collect()
    });
    ALL[usize::from(number)]
}

struct World {
    trainer: Trainer,
    samples: [Vec<u8>; 4],
    now: u64,
    /// Contributions by position, each with the index of its record.
    contributions: Vec<(Contribution, usize)>,
    records: Vec<Record>,
    /// Settled money of each contribution, in wei.
    settled: BTreeMap<u64, u128>,
    balances: BTreeMap<Address, u128>,
    good: BTreeMap<Address, u64>,
}

impl World {
    fn new(parameters: Parameters, samples: [Vec<u8>; 4], incentive: Incentive) -> Self {
        let classifier = Classifier::new(parameters).expect("valid");
        let trainer = Trainer::new(
            person(0),
            CHAIN_ID,
            address(99),
            incentive,
            WAITS,
            classifier,
            10,
        );
        Self {
            trainer: trainer.expect("valid"),
            samples,
            now: 10,
            contributions: vec![],
            records: vec![],
            settled: BTreeMap::new(),
            balances: BTreeMap::new(),
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
                successes.contributions += self.contribute(person(*author), items, *more);
            }
            Operation::Relay { relayer, batches } => {
                successes.relayed += self.relay(person(*relayer), batches);
            }
            Operation::Deposit { account, amount } => {
                let account = person(*account);
                assert_eq!(self.trainer.deposit_to(account, *amount), Ok(()));
                *self.balances.entry(account).or_default() += amount;
            }
            Operation::Withdraw { account, amount } => {
                let account = person(*account);
                let balance = self.balances.entry(account).or_default();
                let done = self.trainer.withdraw(account, *amount);
                assert_eq!(done.is_ok(), amount <= balance);
                if done.is_ok() {
                    *balance -= amount;
                    successes.withdrawals += 1;
                }
            }
            Operation::CancelNonces { account, last } => {
                self.trainer.cancel_nonces(person(*account), *last);
                assert!(self.trainer.nonce_used(person(*account), *last));
            }
            Operation::Claim {
                kind,
                caller,
                claims,
            } if !self.contributions.is_empty() => {
                self.claim(*kind, *caller, claims, successes);
            }
            Operation::Lie {
                kind,
                caller,
                claim,
            } if !self.contributions.is_empty() => {
                self.lie(*kind, person(*caller), *claim);
            }
            Operation::Claim { .. } | Operation::Lie { .. } => {}
            Operation::Wait { seconds } => self.now += seconds,
        }
        self.check();
    }

    fn items(&self, items: &[(u16, usize)]) -> Vec<Item<'_>> {
        items
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample: &self.samples[*sample],
            })
            .collect()
    }

    fn remember(&mut self, record: Record) {
        let index = self.records.len();
        let contributions = record.contributions().iter().cloned();
        self.contributions
            .extend(contributions.map(|contribution| (contribution, index)));
        self.records.push(record);
    }

    fn contribute(&mut self, author: Address, items: &[(u16, usize)], more: i128) -> u64 {
        let items = self.items(items);
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
                assert_eq!(done.first_position, self.contributions.len() as u64);
                let items = parse_batch(&batch).expect("accepted");
                let record =
                    Record::new(done.first_position, deposit, self.now, &[(author, items)]);
                self.remember(record);
                count
            }
            Err(rejection) => {
                assert_eq!(rejection, ContractError::DepositTooLow { required, sent });
                assert!(sent < required);
                assert_eq!(self.trainer, before);
                0
            }
        }
    }

    fn relay(&mut self, relayer: Address, all: &[Signed]) -> u64 {
        let batches: Vec<_> = all
            .iter()
            .map(|signed| {
                let author = Signer::new(signed.author + 1);
                let batch = SignedBatch {
                    author: person(signed.author),
                    relayer: Address::ZERO,
                    max_deposit: 10_000_000,
                    fee: signed.fee,
                    nonce: signed.nonce,
                    deadline: 1_000_000,
                    items: encode_batch(&self.items(&signed.items)).expect("short"),
                    signature: vec![],
                };
                author.sign(CHAIN_ID, self.trainer.address(), batch)
            })
            .collect();
        let before = self.trainer.clone();
        let done = self.trainer.relay(relayer, self.now, &batches);
        let done = done.expect("balances are small");
        let mut added = vec![];
        let (first, mut position) = (self.contributions.len() as u64, 0);
        let mut fees = 0;
        for (batch, outcome) in batches.iter().zip(&done.outcomes) {
            let balance = self.balances.entry(batch.author).or_default();
            let items = parse_batch(&batch.items).expect("encoded before");
            let count = items.len() as u64;
            let required = done.deposit * u128::from(count) + batch.fee;
            match outcome {
                Ok(accepted) => {
                    assert_eq!(
                        (accepted.position, accepted.count),
                        (first + position, count)
                    );
                    assert!(!before.nonce_used(batch.author, batch.nonce));
                    *balance -= required;
                    fees += batch.fee;
                    position += count;
                    added.push((batch.author, items));
                }
                Err(ContractError::BalanceTooLow { .. }) => assert!(*balance < required),
                Err(ContractError::NonceUsed { .. }) => {
                    assert!(self.trainer.nonce_used(batch.author, batch.nonce));
                }
                Err(other) => panic!("{other}"),
            }
        }
        *self.balances.entry(relayer).or_default() += fees;
        assert_eq!(done.first_position, (!added.is_empty()).then_some(first));
        if added.is_empty() {
            assert_eq!(self.trainer, before);
        } else {
            let record = Record::new(first, done.deposit, self.now, &added);
            self.remember(record);
        }
        position
    }

    fn act(
        &mut self,
        kind: Kind,
        caller: Address,
        now: u64,
        claims: &[Claims],
    ) -> Result<Settled, ContractError> {
        match kind {
            Kind::Refund => self.trainer.refund(caller, now, claims),
            Kind::Report => self.trainer.report(caller, now, claims),
            Kind::Late => self.trainer.claim_late(caller, now, claims),
        }
    }

    fn look(&self, kind: Kind, caller: Address, one: &Contribution) -> Result<u128, ContractError> {
        let predicted = self.trainer.classifier().predict(&one.sample);
        let predicted = predicted.expect("accepted before");
        match kind {
            Kind::Refund => self.trainer.can_refund(self.now, one, predicted),
            Kind::Report => self.trainer.can_report(caller, self.now, one, predicted),
            Kind::Late => self.trainer.can_claim_late(caller, self.now, one),
        }
    }

    fn claim(&mut self, kind: Kind, caller: Caller, claims: &[Index], successes: &mut Successes) {
        let chosen: Vec<_> = claims
            .iter()
            .map(|index| index.get(&self.contributions))
            .collect();
        let caller = match caller {
            Caller::Author => chosen[0].0.author,
            Caller::Anyone(number) => person(number),
        };
        let groups: Vec<_> = chosen
            .chunk_by(|a, b| a.1 == b.1)
            .map(|group| {
                let positions: Vec<_> = group.iter().map(|(one, _)| one.position).collect();
                self.records[group[0].1].claims(&positions)
            })
            .collect();
        let all: Vec<_> = groups
            .iter()
            .flat_map(|group| group.contributions.clone())
            .collect();
        let looked: Vec<_> = all.iter().map(|one| self.look(kind, caller, one)).collect();
        let before = self.trainer.clone();
        let Ok(settled) = self.act(kind, caller, self.now, &groups) else {
            assert!(looked.iter().all(Result::is_err));
            assert_eq!(self.trainer, before);
            return;
        };
        // The look beforehand predicted each outcome, unless a contribution is claimed twice.
        let mut outcomes: BTreeMap<_, Vec<Result<u128, ContractError>>> = BTreeMap::new();
        for (position, amount) in &settled.settled {
            outcomes.entry(*position).or_default().push(Ok(*amount));
        }
        for (position, reason) in &settled.skipped {
            let reason = Err(reason.clone());
            outcomes.entry(*position).or_default().push(reason);
        }
        let mut paid = 0;
        for (one, looked) in all.iter().zip(looked) {
            let Some(outcomes) = outcomes.remove(&one.position) else {
                continue;
            };
            assert_eq!(outcomes[0], looked);
            assert!(outcomes[1..].iter().all(Result::is_err));
            successes.skipped += outcomes.iter().filter(|one| one.is_err()).count() as u64;
            let Ok(amount) = looked else { continue };
            *self.settled.entry(one.position).or_default() += amount;
            if matches!(kind, Kind::Refund) && one.author != caller {
                *self.balances.entry(one.author).or_default() += amount;
                successes.pushed_refunds += 1;
            } else {
                paid += amount;
            }
            let status = self.trainer.settlement(one.position).status;
            match kind {
                Kind::Refund => {
                    *self.good.entry(one.author).or_default() += 1;
                    successes.refunds += 1;
                }
                Kind::Report => {
                    assert!(self.trainer.reported(one.position, caller));
                    successes.reports += 1;
                    successes.partial_reports += u64::from(status == Status::Reported);
                }
                Kind::Late => successes.late_claims += 1,
            }
            if !matches!(kind, Kind::Report) {
                assert_eq!((status, self.left(one)), (Status::Closed, 0));
            }
        }
        assert!(outcomes.is_empty());
        assert_eq!(settled.paid, paid);
    }

    fn lie(&mut self, kind: Kind, caller: Address, claim: Index) {
        let (contribution, index) = claim.get(&self.contributions);
        let mut claims = self.records[*index].claims(&[contribution.position]);
        claims.contributions[0].deposit += 1;
        let first_position = claims.first_position;
        let genuine = self.records[0].claims(&[0]);
        let before = self.trainer.clone();
        let outcome = self.act(kind, caller, u64::MAX, &[genuine, claims]);
        assert_eq!(
            outcome,
            Err(ContractError::UnknownContribution { first_position })
        );
        assert_eq!(self.trainer, before);
    }

    /// Returns the rest of a deposit. Panics if more than the deposit has been settled.
    fn left(&self, one: &Contribution) -> u128 {
        let settled = self.settled.get(&one.position).copied().unwrap_or_default();
        one.deposit.checked_sub(settled).expect("not settled twice")
    }

    /// Checks what must hold after every step.
    fn check(&self) {
        let mut left = 0;
        for (one, _) in &self.contributions {
            let settlement = self.trainer.settlement(one.position);
            if settlement.status == Status::Closed {
                assert_eq!(self.left(one), 0);
            } else {
                assert_eq!(settlement.taken, one.deposit - self.left(one));
            }
            left += self.left(one);
        }
        let balances: u128 = self.balances.values().sum();
        assert_eq!(self.trainer.held(), left + balances);
        assert_eq!(
            self.trainer.contribution_count(),
            self.contributions.len() as u64
        );
        assert_eq!(self.trainer.total_good(), self.good.values().sum::<u64>());
        for person in (0..PEOPLE).map(person) {
            let good = self.good.get(&person).copied().unwrap_or_default();
            assert_eq!(self.trainer.good(person), good);
            let balance = self.balances.get(&person).copied().unwrap_or_default();
            assert_eq!(self.trainer.balance(person), balance);
        }
    }

    /// Claims the rest late and withdraws all balances. No wei stays.
    fn end(&mut self) {
        let claims: Vec<_> = self
            .records
            .iter()
            .map(|record| {
                let all: Vec<_> = record
                    .contributions()
                    .iter()
                    .map(|one| one.position)
                    .collect();
                record.claims(&all)
            })
            .collect();
        let end = self.now + WAITS.any_address_claim;
        let _ = self.trainer.claim_late(address(77), end, &claims);
        for person in (0..PEOPLE).map(person) {
            let balance = self.trainer.balance(person);
            assert_eq!(self.trainer.withdraw(person, balance), Ok(()));
        }
        assert_eq!(self.trainer.held(), 0);
    }
}

// ---------------------------------------------------------------- Conservation of money

#[test]
fn trainer_conserves_money() {
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
            let counts = [
                all.contributions,
                all.relayed,
                all.withdrawals,
                all.refunds,
                all.pushed_refunds,
                all.reports,
                all.late_claims,
                all.skipped,
            ];
            let least = counts.into_iter().min().unwrap_or_default();
            assert!(least > 20, "{incentive:?} {parameters:?}: {all:?}");
            assert!(all.partial_reports > 20, "{parameters:?}: {all:?}");
        }
    }
}
