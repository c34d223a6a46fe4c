//! Tests balances and nonces against plain numbers and sets.

use std::collections::BTreeSet;

use cotrain_protocol::ContractError;
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use crate::{
    signing::Signer,
    support::cases,
    world::{World, ann, bob},
};

const LAST_NONCE: u64 = (1 << 48) - 1;

#[test]
fn deposit_to_adds_money_that_withdraw_pays_out() {
    let mut trainer = World::new().trainer;
    let max = (1 << 96) - 1;
    assert_eq!(trainer.deposit_to(ann(), 5), Ok(()));
    assert_eq!(trainer.deposit_to(bob(), max), Ok(()));
    assert_eq!((trainer.balance(ann()), trainer.balance(bob())), (5, max));
    assert_eq!(trainer.held(), max + 5);
    let before = trainer.clone();
    for (account, amount) in [(bob(), 1), (ann(), max - 4), (ann(), u128::MAX)] {
        let overflow = ContractError::BalanceOverflow { account };
        assert_eq!(trainer.deposit_to(account, amount), Err(overflow));
    }
    for required in [6, u128::MAX] {
        let too_low = ContractError::BalanceTooLow {
            required,
            balance: 5,
        };
        assert_eq!(trainer.withdraw(ann(), required), Err(too_low));
    }
    assert_eq!(trainer, before);
    assert_eq!(trainer.withdraw(ann(), 2), Ok(()));
    assert_eq!((trainer.balance(ann()), trainer.held()), (3, max + 3));
}

#[test]
fn cancel_nonces_cancels_all_up_to_the_last_one() {
    let mut trainer = World::new().trainer;
    assert!(!trainer.nonce_used(ann(), 0));
    assert!(!trainer.nonce_used(ann(), LAST_NONCE));
    assert!(trainer.nonce_used(ann(), LAST_NONCE + 1));
    trainer.cancel_nonces(ann(), 0);
    assert!(trainer.nonce_used(ann(), 0));
    assert!(!trainer.nonce_used(ann(), 1));
    trainer.cancel_nonces(ann(), 1_000);
    trainer.cancel_nonces(ann(), 3);
    assert!((0..=1_000).all(|nonce| trainer.nonce_used(ann(), nonce)));
    assert!(!trainer.nonce_used(ann(), 1_001));
    assert!(!trainer.nonce_used(bob(), 0));
    trainer.cancel_nonces(ann(), u64::MAX);
    assert!(trainer.nonce_used(ann(), LAST_NONCE));
}

#[test]
fn nonce_used_remembers_64_nonces() {
    #[derive(Debug, Clone)]
    enum Step {
        Use(i64),
        Cancel(i64),
    }
    // Steps relative to the highest used nonce, mostly near the ends of the window.
    let near = || prop_oneof![4 => -70_i64..70, 1 => Just(-64), 1 => Just(-63), 1 => 63_i64..66, 1 => 0_i64..1_000];
    let steps = prop_oneof![
        6 => near().prop_map(Step::Use),
        1 => near().prop_map(Step::Cancel),
    ];
    let start = prop_oneof![Just(0), Just(LAST_NONCE - 200)];
    TestRunner::new(cases(60))
        .run(&(start, vec(steps, 1..40)), |(start, steps)| {
            let mut world = World::new();
            let key = Signer::new(1);
            let mut used = BTreeSet::new();
            // Until a nonce is used, steps are relative to the start.
            let mut highest = start;
            let is_used = |used: &BTreeSet<u64>, nonce: u64| {
                used.contains(&nonce) || used.last().is_some_and(|last| nonce + 64 <= *last)
            };
            for step in steps {
                let (Step::Use(by) | Step::Cancel(by)) = step;
                let Some(nonce) = highest.checked_add_signed(by).filter(|n| *n <= LAST_NONCE)
                else {
                    continue;
                };
                if matches!(step, Step::Use(_)) {
                    prop_assert_eq!(world.use_nonce(&key, nonce), !is_used(&used, nonce));
                    if !is_used(&used, nonce) {
                        used.insert(nonce);
                    }
                } else {
                    world.trainer.cancel_nonces(key.address(), nonce);
                    used.extend(nonce.saturating_sub(200)..=nonce);
                }
                highest = used.last().copied().unwrap_or(start);
                for nonce in highest.saturating_sub(130)..=(highest + 130).min(LAST_NONCE) {
                    let expected = is_used(&used, nonce);
                    prop_assert_eq!(
                        world.trainer.nonce_used(key.address(), nonce),
                        expected,
                        "{}",
                        nonce
                    );
                }
            }
            Ok(())
        })
        .expect("as a set");
}
