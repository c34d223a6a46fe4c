//! Tests refunds, reports and late claims by the design's table.

use std::slice;

use alloy_primitives::{Address, B256};
use cotrain_protocol::{
    ContractError,
    record::Claims,
    trainer::{Incentive, Settled, Settlement, Status, Trainer, is_contract},
};

use crate::world::{WAITS, World, ann, bob, cid, claim_late, owner, refund, report};

/// One of the three kinds of claims.
type Act = fn(&mut Trainer, Address, u64, &[Claims]) -> Result<Settled, ContractError>;

fn settlement(
    status: Status,
    taken: u128,
    first_reporter: impl Into<Option<Address>>,
) -> Settlement {
    Settlement {
        status,
        taken,
        first_reporter: first_reporter.into(),
    }
}

fn position(claim: &Claims) -> u64 {
    claim.contributions[0].position
}

// ---------------------------------------------------------------- Refunds

#[test]
fn refund_pays_an_author_if_the_model_agrees() {
    let mut world = World::new();
    let claim = world.contribute(ann(), 1, 3);
    assert_eq!(world.trainer.held(), 60_000);
    assert_eq!(world.trainer.last_contribution_time(), 3_600);
    assert_eq!(world.trainer.root(0), claim.contributions[0].leaf());
    world.now += WAITS.refund;
    assert_eq!(world.trainer.settlement(0), Settlement::default());
    assert_eq!(
        refund(&mut world.trainer, ann(), world.now, &claim),
        Ok(60_000)
    );
    assert_eq!(
        (world.trainer.good(ann()), world.trainer.total_good()),
        (1, 1)
    );
    assert_eq!(
        (world.trainer.held(), world.trainer.settlement(0)),
        (0, settlement(Status::Closed, 0, None))
    );
    let nothing = Err(ContractError::NothingLeft { position: 0 });
    assert_eq!(
        refund(&mut world.trainer, ann(), world.now, &claim),
        nothing
    );
    assert_eq!(refund(&mut world.trainer, bob(), 0, &claim), nothing);
    assert_eq!(report(&mut world.trainer, bob(), 0, &claim), nothing);
    assert_eq!(
        claim_late(&mut world.trainer, bob(), u64::MAX, &claim),
        nothing
    );
}

#[test]
fn refund_pays_what_reporters_have_left() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.make_good(cid(), 3);
    let claim = world.bad();
    assert_eq!(
        report(&mut world.trainer, bob(), world.now, &claim),
        Ok(15_000)
    );
    // The model now predicts Ann's label.
    world.contribute(ann(), 0, 3);
    assert_eq!(
        refund(&mut world.trainer, ann(), world.now, &claim),
        Ok(45_000)
    );
    assert_eq!(
        world.trainer.settlement(position(&claim)),
        settlement(Status::Closed, 15_000, bob())
    );
}

// ---------------------------------------------------------------- Pushed refunds

#[test]
fn refund_that_is_pushed_is_the_authors_to_keep() {
    let mut world = World::new();
    let claim = world.contribute(ann(), 1, 3);
    world.now += WAITS.refund;
    let settled = world.trainer.refund(bob(), world.now, &[claim]);
    let expected = Settled {
        paid: 0,
        settled: vec![(0, 60_000)],
        skipped: vec![],
    };
    assert_eq!(settled, Ok(expected));
    let trainer = &mut world.trainer;
    assert_eq!((trainer.good(ann()), trainer.good(bob())), (1, 0));
    assert_eq!(
        (trainer.balance(ann()), trainer.balance(bob())),
        (60_000, 0)
    );
    assert_eq!(trainer.held(), 60_000);
    assert_eq!(trainer.withdraw(ann(), 60_000), Ok(()));
    assert_eq!((trainer.balance(ann()), trainer.held()), (0, 0));
}

#[test]
fn refund_to_a_full_balance_keeps_no_other_back() {
    let mut world = World::new();
    let full = world.contribute(ann(), 1, 3);
    let other = world.contribute(cid(), 1, 3);
    world.now += WAITS.refund;
    let rest = (1 << 96) - 60_000;
    world.trainer.deposit_to(ann(), rest).expect("room for it");
    let overflow = ContractError::BalanceOverflow { account: ann() };
    let before = world.trainer.clone();
    let alone = world
        .trainer
        .refund(bob(), world.now, slice::from_ref(&full));
    assert_eq!(alone, Err(overflow.clone()));
    assert_eq!(world.trainer, before);
    let both = world
        .trainer
        .refund(bob(), world.now, &[full.clone(), other]);
    let expected = Settled {
        paid: 0,
        settled: vec![(1, 60_000)],
        skipped: vec![(0, overflow)],
    };
    assert_eq!(both, Ok(expected));
    // A payout needs no room in the balance.
    assert_eq!(
        refund(&mut world.trainer, ann(), world.now, &full),
        Ok(60_000)
    );
    assert_eq!(world.trainer.balance(ann()), rest);
}

/// Checks to the wei that a pushed refund may fill a balance up to the largest one.
#[test]
fn refund_pushed_up_to_the_largest_balance() {
    let mut world = World::new();
    let claim = world.contribute(ann(), 1, 3);
    world.now += WAITS.refund;
    let rest = (1 << 96) - 1 - 60_000;
    world.trainer.deposit_to(ann(), rest).expect("room for it");
    let pushed = world.trainer.refund(bob(), world.now, &[claim]);
    assert_eq!(pushed.map(|all| all.settled), Ok(vec![(0, 60_000)]));
    assert_eq!(world.trainer.balance(ann()), (1 << 96) - 1);
}

#[test]
fn is_contract_excludes_accounts_with_keys() {
    assert!(!is_contract(&[]));
    assert!(is_contract(&[0]));
    let delegated = [&[0xef, 0x01, 0x00][..], &[7; 20]].concat();
    assert!(!is_contract(&delegated));
}

#[test]
fn refund_is_pushed_only_to_contracts_that_have_used_a_nonce() {
    let mut world = World::new();
    world.trainer.note_contract(ann());
    let first = world.contribute(ann(), 1, 3);
    let second = world.contribute(ann(), 1, 3);
    let other = world.contribute(cid(), 1, 3);
    world.now += WAITS.refund;
    // Money from another account proves nothing.
    world.trainer.deposit_to(ann(), 5).expect("room for it");
    let reason = ContractError::AuthorIsContract { author: ann() };
    let before = world.trainer.clone();
    let alone = world
        .trainer
        .refund(bob(), world.now, slice::from_ref(&first));
    assert_eq!(alone, Err(reason.clone()));
    assert_eq!(world.trainer, before);
    let both = world
        .trainer
        .refund(bob(), world.now, &[first.clone(), other]);
    let both = both.expect("one of them");
    assert_eq!(both.settled, [(2, 60_000)]);
    assert_eq!(both.skipped, [(0, reason)]);
    let own = refund(&mut world.trainer, ann(), world.now, &first);
    assert_eq!(own, Ok(60_000));
    world.trainer.cancel_nonces(ann(), 0);
    let pushed = world.trainer.refund(bob(), world.now, &[second]);
    assert_eq!(pushed.map(|all| all.settled), Ok(vec![(1, 60_000)]));
    assert_eq!(world.trainer.balance(ann()), 60_005);
}

// ---------------------------------------------------------------- Reports

#[test]
fn report_shares_a_deposit_by_good_contributions() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.make_good(cid(), 3);
    let claim = world.bad();
    let held = world.trainer.held();
    // A quarter and three quarters: that is the whole deposit.
    assert_eq!(
        report(&mut world.trainer, bob(), world.now, &claim),
        Ok(15_000)
    );
    assert_eq!(
        world.trainer.settlement(position(&claim)),
        settlement(Status::Reported, 15_000, bob())
    );
    assert!(world.trainer.reported(position(&claim), bob()));
    assert!(!world.trainer.reported(position(&claim), cid()));
    let again = ContractError::AlreadyReported {
        position: position(&claim),
        caller: bob(),
    };
    assert_eq!(
        report(&mut world.trainer, bob(), world.now, &claim),
        Err(again)
    );
    assert_eq!(
        report(&mut world.trainer, cid(), world.now, &claim),
        Ok(45_000)
    );
    assert_eq!(
        world.trainer.settlement(position(&claim)),
        settlement(Status::Closed, 60_000, bob())
    );
    assert!(world.trainer.reported(position(&claim), cid()));
    assert_eq!(world.trainer.held(), held - 60_000);
}

#[test]
fn report_rounds_a_share_down_and_pays_at_most_what_is_left() {
    let mut world = World::new();
    world.make_good(bob(), 2);
    let claim = world.bad();
    // All good contributions are Bob's.
    assert_eq!(
        report(&mut world.trainer, bob(), world.now, &claim),
        Ok(60_000)
    );
    assert_eq!(
        world.trainer.settlement(position(&claim)),
        settlement(Status::Closed, 60_000, bob())
    );

    let claim = world.bad();
    world.make_good(cid(), 1);
    assert_eq!(
        report(&mut world.trainer, bob(), world.now, &claim),
        Ok(40_000)
    );
    world.make_good(cid(), 6);
    // 7 of 9 would be 46,666 wei.
    assert_eq!(
        report(&mut world.trainer, cid(), world.now, &claim),
        Ok(20_000)
    );

    // A twelfth of a deposit of 10 wei is 0, and closes nothing.
    let mut world = World::with(Incentive::DepositRefundTake { cost_weight: 1 });
    world.make_good(bob(), 1);
    world.make_good(cid(), 11);
    world.now = world.trainer.last_contribution_time() + 129_600;
    let claim = world.contribute_all(ann(), &[(0, 3)]).claims(&[12]);
    assert_eq!(claim.contributions[0].deposit, 10);
    world.contribute(cid(), 1, 3);
    world.now += WAITS.refund;
    assert_eq!(report(&mut world.trainer, bob(), world.now, &claim), Ok(0));
    assert_eq!(
        world.trainer.settlement(12),
        settlement(Status::Reported, 0, bob())
    );
    assert_eq!(report(&mut world.trainer, cid(), world.now, &claim), Ok(9));
    assert_eq!(
        world.trainer.settlement(12),
        settlement(Status::Reported, 9, bob())
    );
}

/// Checks that a report without a deposit marks the reporter and closes nothing, whatever the
/// mechanism.
#[test]
fn report_without_a_deposit_closes_nothing() {
    for incentive in [
        Incentive::Points,
        Incentive::DepositRefundTake { cost_weight: 0 },
    ] {
        let mut world = World::with(incentive);
        world.make_good(bob(), 1);
        world.make_good(cid(), 1);
        let claim = world.bad();
        for reporter in [bob(), cid()] {
            assert_eq!(
                report(&mut world.trainer, reporter, world.now, &claim),
                Ok(0)
            );
            assert!(world.trainer.reported(position(&claim), reporter));
            assert_eq!(
                world.trainer.settlement(position(&claim)),
                settlement(Status::Reported, 0, bob())
            );
        }
        // The model now predicts Ann's label.
        world.contribute(cid(), 0, 3);
        assert_eq!(refund(&mut world.trainer, ann(), world.now, &claim), Ok(0));
        assert_eq!(world.trainer.good(ann()), 1);
        assert_eq!(
            world.trainer.settlement(position(&claim)),
            settlement(Status::Closed, 0, bob())
        );
    }
}

// ---------------------------------------------------------------- Late claims

/// Checks the late claim of the owner, which 0xDeCA10B never allowed.
#[test]
fn claim_late_admits_the_owner_before_others() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.now = world.trainer.last_contribution_time() + 7_200;
    let record = world.contribute_all(ann(), &[(1, 3), (1, 3)]);
    let too_early = |now, earliest| Err(ContractError::TooEarly { now, earliest });
    let (first, second) = (&record.claims(&[1]), &record.claims(&[2]));
    let (owners, anyones) = (
        first.contributions[0].time + WAITS.owner_claim,
        second.contributions[0].time + WAITS.any_address_claim,
    );
    let trainer = &mut world.trainer;
    assert_eq!(
        claim_late(trainer, owner(), owners - 1, first),
        too_early(owners - 1, owners)
    );
    assert_eq!(claim_late(trainer, owner(), owners, first), Ok(60_000));
    assert_eq!(trainer.settlement(1), settlement(Status::Closed, 0, None));
    assert_eq!(
        claim_late(trainer, bob(), anyones - 1, second),
        too_early(anyones - 1, anyones)
    );
    // Authors can claim late too, whatever the model predicts.
    assert_eq!(claim_late(trainer, ann(), anyones, second), Ok(60_000));
    assert_eq!((trainer.held(), trainer.total_good()), (0, 1));
}

// ---------------------------------------------------------------- All kinds of claims

#[test]
fn trainer_checks_claims_in_the_order_of_the_table() {
    let mut world = World::new();
    let agreed = world.contribute(ann(), 1, 3);
    let early = |world: &World, claim: &Claims, wait| {
        Err(ContractError::TooEarly {
            now: world.now,
            earliest: claim.contributions[0].time + wait,
        })
    };
    let trainer = |world: &World| world.trainer.clone();

    let mut unknown = agreed.clone();
    unknown.contributions[0].deposit += 1;
    let error = Err(ContractError::UnknownContribution { first_position: 0 });
    assert_eq!(refund(&mut trainer(&world), bob(), 0, &unknown), error);
    assert_eq!(report(&mut trainer(&world), ann(), 0, &unknown), error);
    assert_eq!(claim_late(&mut trainer(&world), bob(), 0, &unknown), error);

    let own = Err(ContractError::OwnContribution { author: ann() });
    assert_eq!(report(&mut trainer(&world), ann(), world.now, &agreed), own);
    world.now += WAITS.refund - 1;
    assert_eq!(
        refund(&mut trainer(&world), ann(), world.now, &agreed),
        early(&world, &agreed, WAITS.refund)
    );
    assert_eq!(
        report(&mut trainer(&world), bob(), world.now, &agreed),
        early(&world, &agreed, WAITS.refund)
    );
    assert_eq!(
        claim_late(&mut trainer(&world), bob(), world.now, &agreed),
        early(&world, &agreed, WAITS.any_address_claim)
    );
    world.now += 1;
    let no_good = Err(ContractError::NoGoodContribution { caller: bob() });
    assert_eq!(
        report(&mut trainer(&world), bob(), world.now, &agreed),
        no_good
    );

    world.make_good(bob(), 1);
    let same = Err(ContractError::PredictionAgrees { label: 1 });
    assert_eq!(
        report(&mut trainer(&world), bob(), world.now, &agreed),
        same
    );
    world.make_good(cid(), 1);
    let bad = world.bad();
    let differs = Err(ContractError::PredictionDiffers {
        label: 0,
        predicted: 1,
    });
    assert_eq!(
        refund(&mut trainer(&world), ann(), world.now, &bad),
        differs
    );
    report(&mut world.trainer, bob(), world.now, &bad).expect("half of it");
    // This error comes before a check of the prediction.
    world.contribute(ann(), 0, 3);
    let again = Err(ContractError::AlreadyReported {
        position: position(&bad),
        caller: bob(),
    });
    assert_eq!(report(&mut trainer(&world), bob(), world.now, &bad), again);
    let same = Err(ContractError::PredictionAgrees { label: 0 });
    assert_eq!(report(&mut trainer(&world), cid(), world.now, &bad), same);
}

#[test]
fn trainer_of_points_counts_good_contributions_without_money() {
    let mut world = World::with(Incentive::Points);
    world.make_good(bob(), 1);
    let claim = world.bad();
    assert_eq!(report(&mut world.trainer, bob(), world.now, &claim), Ok(0));
    assert_eq!(
        world.trainer.settlement(position(&claim)),
        settlement(Status::Reported, 0, bob())
    );
    let late = world.bad();
    assert_eq!(
        claim_late(
            &mut world.trainer,
            owner(),
            world.now + WAITS.owner_claim,
            &late
        ),
        Ok(0)
    );
    assert_eq!(
        world.trainer.settlement(position(&late)).status,
        Status::Closed
    );
    assert_eq!((world.trainer.held(), world.trainer.total_good()), (0, 1));
}

#[test]
fn trainer_settles_groups_one_by_one_and_skips_what_cannot_be() {
    let mut world = World::new();
    world.now = 3 * 3_600;
    let first = world.contribute_all(ann(), &[(1, 3), (0, 4), (0, 3)]);
    world.now += 2 * 3_600;
    let second = world.contribute_all(bob(), &[(1, 3), (1, 3)]);
    world.now += WAITS.refund;
    let groups = [
        first.claims(&[2, 0, 1, 0]),
        second.claims(&[3, 4]),
        first.claims(&[0]),
    ];
    assert_eq!(groups[0].contributions, first.contributions());
    let settled = world.trainer.refund(ann(), world.now, &groups);
    let expected = Settled {
        paid: 120_000,
        settled: vec![(0, 60_000), (1, 60_000), (3, 60_000), (4, 60_000)],
        skipped: vec![
            (
                2,
                ContractError::PredictionDiffers {
                    label: 0,
                    predicted: 1,
                },
            ),
            (0, ContractError::NothingLeft { position: 0 }),
        ],
    };
    assert_eq!(settled, Ok(expected));
    assert_eq!(world.trainer.balance(bob()), 120_000);
    assert_eq!(world.trainer.held(), 180_000);

    // The first claim of a position takes the whole share.
    let groups = [first.claims(&[1, 2]), first.claims(&[2])];
    let settled = world.trainer.report(bob(), world.now, &groups);
    let again = ContractError::AlreadyReported {
        position: 2,
        caller: bob(),
    };
    let expected = Settled {
        paid: 30_000,
        settled: vec![(2, 30_000)],
        skipped: vec![(1, ContractError::NothingLeft { position: 1 }), (2, again)],
    };
    assert_eq!(settled, Ok(expected));

    let groups = [first.claims(&[0, 1, 2])];
    let settled = world.trainer.claim_late(owner(), u64::MAX, &groups);
    let expected = Settled {
        paid: 30_000,
        settled: vec![(2, 30_000)],
        skipped: vec![
            (0, ContractError::NothingLeft { position: 0 }),
            (1, ContractError::NothingLeft { position: 1 }),
        ],
    };
    assert_eq!(settled, Ok(expected));
    assert_eq!(world.trainer.held(), 120_000);
}

#[test]
fn trainer_fails_with_the_first_reason_if_no_claim_can_be_settled() {
    let mut world = World::new();
    world.now = 2 * 3_600;
    let record = world.contribute_all(ann(), &[(1, 3), (0, 3)]);
    let later = world.contribute(bob(), 1, 3);
    world.now = 2 * 3_600 + WAITS.refund;
    let both = record.claims(&[0, 1]);
    let before = world.trainer.clone();
    let check = |act: Act, claims: &[Claims], error| {
        let mut trainer = before.clone();
        assert_eq!(act(&mut trainer, cid(), world.now, claims), Err(error));
        assert_eq!(trainer, before);
    };
    let mut wrong = both.clone();
    wrong.proof.push(B256::ZERO);
    let nobody = Claims {
        contributions: vec![],
        proof: vec![record.root()],
        flags: vec![],
        ..both.clone()
    };
    let nowhere = Claims {
        first_position: 7,
        proof: vec![B256::ZERO],
        ..nobody.clone()
    };
    let all: [Act; 3] = [Trainer::refund, Trainer::report, Trainer::claim_late];
    for act in all {
        check(act, &[], ContractError::NoClaims);
        check(act, slice::from_ref(&nobody), ContractError::NoClaims);
        for unknown in [&wrong, &nowhere] {
            let first_position = unknown.first_position;
            let error = ContractError::UnknownContribution { first_position };
            check(act, &[both.clone(), unknown.clone()], error);
        }
    }
    let early = |claim: &Claims, wait| ContractError::TooEarly {
        now: world.now,
        earliest: claim.contributions[0].time + wait,
    };
    let late = [later.clone(), both.clone()];
    check(
        Trainer::claim_late,
        &late,
        early(&later, WAITS.any_address_claim),
    );
    let no_good = ContractError::NoGoodContribution { caller: cid() };
    check(Trainer::report, &[both.clone(), later.clone()], no_good);
    check(
        Trainer::refund,
        &[later.clone(), record.claims(&[1])],
        early(&later, WAITS.refund),
    );
}
