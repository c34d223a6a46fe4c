//! Tests paid predictions: figures computed by hand, and shares as exact fractions.

use std::collections::BTreeMap;

use alloy_primitives::U256;
use cotrain_protocol::{
    ContractError,
    prediction_fees::{Collected, PredictionFees, Shared},
};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::{collection::vec, prelude::*};

use crate::{
    support::{address, cases},
    world::{ann, bob, cid, model},
};

/// A sample of the model that predicts 0.
const SAMPLE: &[u8] = &[0, 3];

fn sell(prediction_fees: &mut PredictionFees, value: u128, count: usize) -> Option<Shared> {
    let sold = prediction_fees.predict(&model(), value, &vec![SAMPLE; count]);
    let sold = sold.expect("enough money");
    assert_eq!(sold.labels, vec![0; count]);
    assert_eq!(sold.paid + sold.surplus, value);
    sold.shared
}

#[test]
fn predict_keeps_what_cannot_be_divided_for_the_next_payment() {
    let mut prediction_fees = PredictionFees::new(10).expect("a price");
    // Nobody is registered, so the payment is kept, also from the next one to register.
    assert_eq!(sell(&mut prediction_fees, 15, 1), None);
    assert_eq!(prediction_fees.register(ann(), 3), (3, true));
    assert_eq!(prediction_fees.earned(ann()), 0);
    // 20 wei for three shares are 6 2/3 each. 2^64 is one more than a multiple of 3, so two units
    // remain.
    let units = |wei: u128| U256::from(wei) << 64;
    let shared = Shared {
        amount: 20,
        per_share: (units(20) - U256::from(2)) / U256::from(3),
        waiting: U256::from(2),
    };
    assert_eq!(sell(&mut prediction_fees, 10, 1), Some(shared));
    let paid = |amount, registered| Ok(Collected { amount, registered });
    assert_eq!(prediction_fees.collect(ann(), 3), paid(19, false));
    assert_eq!(
        prediction_fees.collect(ann(), 3),
        Err(ContractError::NothingToCollect { caller: ann() })
    );
    // With the two units, 10 more wei make 30 in all: nothing is lost.
    let shared = sell(&mut prediction_fees, 10, 1).expect("shared");
    assert_eq!((shared.amount, shared.waiting), (10, U256::ZERO));
    assert_eq!(prediction_fees.earned(ann()), 11);
    assert_eq!(prediction_fees.collect(ann(), 3), paid(11, false));
    assert_eq!(prediction_fees.held(), 0);
}

#[test]
fn register_counts_shares_for_later_payments_only() {
    let mut prediction_fees = PredictionFees::new(8).expect("a price");
    assert_eq!(prediction_fees.register(ann(), 1), (1, true));
    sell(&mut prediction_fees, 8, 1);
    assert_eq!(prediction_fees.register(bob(), 3), (3, true));
    assert_eq!(prediction_fees.earned(bob()), 0);
    sell(&mut prediction_fees, 16, 2);
    assert_eq!(
        (prediction_fees.earned(ann()), prediction_fees.earned(bob())),
        (12, 12)
    );
    // Collecting registers shares for later payments; so can others.
    let collected = prediction_fees.collect(ann(), 5).expect("earned");
    assert_eq!((collected.amount, collected.registered), (12, true));
    assert_eq!(prediction_fees.register(bob(), 3), (3, false));
    // A lower number, which no trainer reports, changes nothing.
    assert_eq!(prediction_fees.register(bob(), 2), (3, false));
    assert_eq!(
        (
            prediction_fees.shares(ann()),
            prediction_fees.total_shares()
        ),
        (5, 8)
    );
    sell(&mut prediction_fees, 8, 1);
    assert_eq!(
        (prediction_fees.earned(ann()), prediction_fees.earned(bob())),
        (5, 15)
    );
    assert_eq!(prediction_fees.held(), 20);
}

#[test]
fn prediction_fees_stay_the_same_if_a_call_is_refused() {
    let mut prediction_fees = PredictionFees::new(10).expect("a price");
    prediction_fees.register(ann(), 1);
    let before = prediction_fees.clone();
    let mut refusal = |value, samples: &[&[u8]]| {
        let refused = prediction_fees.predict(&model(), value, samples);
        assert_eq!(prediction_fees, before);
        refused.map(|_| ())
    };
    assert_eq!(refusal(10, &[]), Err(ContractError::NoSamples));
    assert_eq!(
        refusal(19, &[SAMPLE; 2]),
        Err(ContractError::PaymentTooLow {
            required: 20,
            sent: 19
        })
    );
    assert_eq!(
        refusal(20, &[SAMPLE, &[1]]),
        Err(ContractError::OddSampleLength { item: 1, length: 1 })
    );
    // Not even more shares are registered.
    let nothing = Err(ContractError::NothingToCollect { caller: cid() });
    assert_eq!(prediction_fees.collect(cid(), 4), nothing);
    assert_eq!(prediction_fees, before);
    assert_eq!(
        PredictionFees::new(1 << 96).map(|_| ()),
        Err(ContractError::InvalidParameter {
            name: "price",
            value: 1 << 96
        })
    );
}

#[derive(Debug, Clone)]
enum Operation {
    Sell(usize),
    /// Registers an account after this many more of its contributions have become good.
    Register(u8, u64),
    Collect(u8),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (1_usize..4).prop_map(Operation::Sell),
        (0_u8..4, 0_u64..5).prop_map(|(who, more)| Operation::Register(who, more)),
        (0_u8..4).prop_map(Operation::Collect),
    ]
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn earned_is_each_accounts_share_less_one_wei_at_most(
        price in prop_oneof![0_u128..10, Just((1 << 96) - 1)],
        operations in vec(operation(), 1..60),
    ) {
        let mut prediction_fees = PredictionFees::new(price).expect("a price");
        let mut good: BTreeMap<u8, u64> = BTreeMap::new();
        let mut earned: BTreeMap<u8, BigRational> = BTreeMap::new();
        let mut waiting = BigRational::from_integer(BigInt::ZERO);
        for operation in operations {
            match operation {
                Operation::Sell(count) => {
                    let paid = price * count as u128;
                    sell(&mut prediction_fees, paid, count);
                    waiting += BigInt::from(paid);
                    let total = prediction_fees.total_shares();
                    if total > 0 && paid > 0 {
                        for (who, good) in &good {
                            let share = BigRational::new((*good).into(), total.into());
                            let all = earned.entry(*who).or_default();
                            *all += &waiting * share;
                        }
                        waiting = BigRational::from_integer(BigInt::ZERO);
                    }
                }
                Operation::Register(who, more) => {
                    let good = good.entry(who).or_default();
                    *good += more;
                    let (shares, registered) = prediction_fees.register(address(who), *good);
                    prop_assert_eq!((shares, registered), (*good, more > 0));
                }
                Operation::Collect(who) => {
                    let good = good.get(&who).copied().unwrap_or_default();
                    if let Ok(collected) = prediction_fees.collect(address(who), good) {
                        *earned.entry(who).or_default() -= BigInt::from(collected.amount);
                    }
                }
            }
            let mut owed = 0;
            for who in 0..4 {
                let seen = prediction_fees.earned(address(who));
                let exact = earned.get(&who).cloned().unwrap_or_default().floor().to_integer();
                // It may lack up to 1 wei, because of the units that are still to be divided.
                let missing = exact - BigInt::from(seen);
                prop_assert!(missing == BigInt::ZERO || missing == BigInt::from(1));
                owed += seen;
            }
            prop_assert!(owed <= prediction_fees.held());
        }
    }
}
