use cotrain_protocol::{
    ContractError,
    trainer::{Incentive, Waits},
};
use proptest::prelude::*;

use crate::support::cases;

fn price(cost_weight: u128, n: u64, elapsed: u64) -> u128 {
    Incentive::DepositRefundTake { cost_weight }.price(n, elapsed)
}

#[test]
fn price_falls_with_the_square_root_of_the_interval() {
    for (elapsed, price_of_one) in [
        (0, 3_600),
        (1, 3_600),
        (3, 3_600),
        (4, 1_800),
        (8, 1_800),
        (9, 1_200),
        (3_600, 60),
        (3_600 * 3_600 - 1, 1),
        (3_600 * 3_600, 1),
        (3_601 * 3_601, 0),
        (u64::MAX, 0),
    ] {
        assert_eq!(price(1, 1, elapsed), price_of_one, "after {elapsed} s");
    }
    assert_eq!(price(1_000_000, 1, 600), 3_600 * 1_000_000 / 24);
}

#[test]
fn price_of_one_transactions_items_is_that_of_evenly_spaced_ones() {
    for (n, elapsed, each) in [
        (2, 7, 3_600),
        (2, 8, 1_800),
        (2, 9, 1_800),
        (100, 900, 1_200),
        (100, 899, 1_800),
    ] {
        assert_eq!(price(1, n, elapsed), each, "{n} after {elapsed} s");
    }
    assert_eq!(price(7, u64::MAX, u64::MAX), 7 * 3_600);
    assert_eq!(price(7, 0, 16), price(7, 1, 16));
}

#[test]
fn price_is_zero_for_points() {
    assert_eq!(Incentive::Points.price(1, 0), 0);
    assert_eq!(Incentive::Points.validate(), Ok(()));
}

#[test]
fn validate_holds_to_the_bounds_of_the_specification() {
    let weight = |cost_weight| Incentive::DepositRefundTake { cost_weight }.validate();
    assert_eq!(weight(0), Ok(()));
    assert_eq!(weight((1 << 80) - 1), Ok(()));
    for value in [1 << 80, u128::MAX] {
        assert_eq!(
            weight(value),
            Err(ContractError::InvalidParameter {
                name: "costWeight",
                value
            })
        );
    }
    let with_notice = |refund, owner_claim, any_address_claim, report_notice| {
        Waits {
            refund,
            owner_claim,
            any_address_claim,
            report_notice,
        }
        .validate()
    };
    let waits = |refund, owner_claim, any| with_notice(refund, owner_claim, any, 0);
    let max = (1 << 40) - 1;
    let invalid = |name, value: u64| {
        Err(ContractError::InvalidParameter {
            name,
            value: value.into(),
        })
    };
    assert_eq!(waits(0, 0, 0), Ok(()));
    assert_eq!(waits(max, max, max), Ok(()));
    assert_eq!(waits(2, 1, 0), invalid("refundWait", 2));
    assert_eq!(waits(0, 2, 1), invalid("ownerClaimWait", 2));
    assert_eq!(
        waits(0, 0, max + 1),
        invalid("anyAddressClaimWait", max + 1)
    );
    assert_eq!(with_notice(1, 9, 9, 4), Ok(()));
    assert_eq!(with_notice(1, 10, 10, 4), Ok(()));
    assert_eq!(with_notice(0, max, max, max / 2), Ok(()));
    assert_eq!(with_notice(1, 9, 9, 5), invalid("reportNotice", 5));
    assert_eq!(with_notice(1, 10, 10, 5), invalid("reportNotice", 5));
    assert_eq!(
        with_notice(0, max, max, u64::MAX),
        invalid("reportNotice", u64::MAX)
    );
    // An error that is checked first comes first.
    assert_eq!(with_notice(2, 1, 0, 9), invalid("refundWait", 2));
    assert_eq!(
        waits(u64::MAX, u64::MAX, u64::MAX),
        invalid("anyAddressClaimWait", u64::MAX)
    );
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn price_answers_any_numbers(cost_weight: u128, n: u64, elapsed: u64) {
        let each = price(cost_weight, n, elapsed);
        if cost_weight < 1 << 80 {
            prop_assert!(each < 1 << 92);
            // The root is the largest number whose square does not exceed the interval.
            let interval = u128::from(elapsed / n.max(1));
            let root = (1..).take_while(|root| root * root <= interval).take(5_000).last().unwrap_or(1);
            if root < 4_000 {
                prop_assert_eq!(each, cost_weight * 3_600 / root);
            }
        }
    }
}
