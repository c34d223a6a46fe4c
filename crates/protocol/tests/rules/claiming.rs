//! Refunds, reports and late claims by the design's table.

use alloy_primitives::{Address, U256};
use cotrain_protocol::{
    Rejection,
    trainer::{Claim, Incentive},
};

use crate::world::{WAITS, World, ann, bob, cid, owner};

/// What was taken of a closed contribution.
const CLOSED: u128 = (1 << 96) - 1;

#[test]
fn an_author_gets_back_a_deposit_that_the_model_agrees_with() {
    let mut world = World::new();
    let claim = world.contribute(ann(), 1, 3);
    assert_eq!(world.trainer.held(), 60_000);
    assert_eq!(world.trainer.last_contribution_time(), 3_600);
    assert_eq!(world.trainer.root(0), claim.leaf());
    world.now += WAITS.refund;
    assert_eq!(
        world.trainer.can_refund(ann(), world.now, &claim),
        Ok(60_000)
    );
    assert_eq!(world.trainer.settlement(0), U256::ZERO);
    assert_eq!(world.trainer.refund(ann(), world.now, &claim), Ok(60_000));
    assert_eq!(
        (world.trainer.good(ann()), world.trainer.total_good()),
        (1, 1)
    );
    assert_eq!(
        (world.trainer.held(), world.settlement(&claim)),
        (0, (CLOSED, Address::ZERO))
    );
    assert!(world.trainer.is_settled(0));
    let nothing = Err(Rejection::NothingLeft { position: 0 });
    assert_eq!(world.trainer.refund(ann(), world.now, &claim), nothing);
    assert_eq!(world.trainer.refund(bob(), 0, &claim), nothing);
    assert_eq!(world.trainer.report(ann(), 0, &claim), nothing);
    assert_eq!(world.trainer.claim_late(bob(), u64::MAX, &claim), nothing);
}

#[test]
fn reporters_share_a_deposit_by_their_good_contributions() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.make_good(cid(), 3);
    let claim = world.bad();
    let held = world.trainer.held();
    // A quarter, then three quarters: that is all.
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(15_000));
    assert_eq!(world.settlement(&claim), (15_000, bob()));
    assert!(world.trainer.reported(claim.position, bob()));
    assert!(!world.trainer.reported(claim.position, cid()));
    let again = Rejection::AlreadyReported {
        position: claim.position,
        caller: bob(),
    };
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Err(again));
    assert_eq!(
        world.trainer.can_report(cid(), world.now, &claim),
        Ok(45_000)
    );
    assert_eq!(world.trainer.report(cid(), world.now, &claim), Ok(45_000));
    assert_eq!(world.settlement(&claim), (CLOSED, bob()));
    assert!(world.trainer.reported(claim.position, cid()));
    assert_eq!(world.trainer.held(), held - 60_000);
}

#[test]
fn a_share_is_never_more_than_what_is_left_and_never_nothing() {
    let mut world = World::new();
    world.make_good(bob(), 2);
    let claim = world.bad();
    // All are Bob's.
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(60_000));
    assert!(world.trainer.is_settled(claim.position));

    let claim = world.bad();
    world.make_good(cid(), 1);
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(40_000));
    world.make_good(cid(), 6);
    // 7 of 9 would be 46,666.
    assert_eq!(world.trainer.report(cid(), world.now, &claim), Ok(20_000));

    // A twelfth and more of a deposit of 10 wei is 0, so it is all.
    let mut world = World::with(Incentive::DepositRefundTake { cost_weight: 1 });
    world.make_good(bob(), 1);
    world.make_good(cid(), 11);
    world.now = world.trainer.last_contribution_time() + 129_600;
    let claim = world.contribute_all(ann(), &[(0, 3)]).remove(0);
    assert_eq!(claim.deposit, 10);
    world.contribute(cid(), 1, 3);
    world.now += WAITS.refund;
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(10));
}

#[test]
fn an_author_gets_what_reporters_have_left() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.make_good(cid(), 3);
    let claim = world.bad();
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(15_000));
    // The model changes its mind.
    world.contribute(ann(), 0, 3);
    assert_eq!(world.trainer.refund(ann(), world.now, &claim), Ok(45_000));
    assert_eq!(world.settlement(&claim), (CLOSED, bob()));
}

#[test]
fn claims_are_checked_in_the_order_of_the_table() {
    let mut world = World::new();
    let agreed = world.contribute(ann(), 1, 3);
    let early = |world: &World, claim: &Claim, wait| {
        Err(Rejection::TooEarly {
            now: world.now,
            earliest: claim.time + wait,
        })
    };
    let trainer = |world: &World| world.trainer.clone();

    let mut unknown = agreed.clone();
    unknown.deposit += 1;
    let error = Err(Rejection::UnknownContribution {
        batch: 0,
        leaf: unknown.leaf(),
    });
    assert_eq!(trainer(&world).refund(bob(), 0, &unknown), error);
    assert_eq!(trainer(&world).report(ann(), 0, &unknown), error);
    assert_eq!(trainer(&world).claim_late(bob(), 0, &unknown), error);

    let not_author = Err(Rejection::NotAuthor {
        caller: bob(),
        author: ann(),
    });
    assert_eq!(
        trainer(&world).refund(bob(), world.now, &agreed),
        not_author
    );
    let own = Err(Rejection::OwnContribution { author: ann() });
    assert_eq!(trainer(&world).report(ann(), world.now, &agreed), own);
    world.now += WAITS.refund - 1;
    assert_eq!(
        trainer(&world).refund(ann(), world.now, &agreed),
        early(&world, &agreed, 100)
    );
    assert_eq!(
        trainer(&world).report(bob(), world.now, &agreed),
        early(&world, &agreed, 100)
    );
    assert_eq!(
        trainer(&world).claim_late(bob(), world.now, &agreed),
        early(&world, &agreed, 5_000)
    );
    world.now += 1;
    let no_good = Err(Rejection::NoGoodContribution { caller: bob() });
    assert_eq!(trainer(&world).report(bob(), world.now, &agreed), no_good);

    world.make_good(bob(), 1);
    let same = Err(Rejection::PredictionAgrees { label: 1 });
    assert_eq!(trainer(&world).report(bob(), world.now, &agreed), same);
    world.make_good(cid(), 1);
    let bad = world.bad();
    let differs = Err(Rejection::PredictionDiffers {
        label: 0,
        predicted: 1,
    });
    assert_eq!(trainer(&world).refund(ann(), world.now, &bad), differs);
    world
        .trainer
        .report(bob(), world.now, &bad)
        .expect("half of it");
    // Before the prediction is asked for.
    world.contribute(ann(), 0, 3);
    let again = Err(Rejection::AlreadyReported {
        position: bad.position,
        caller: bob(),
    });
    assert_eq!(trainer(&world).report(bob(), world.now, &bad), again);
    let same = Err(Rejection::PredictionAgrees { label: 0 });
    assert_eq!(trainer(&world).report(cid(), world.now, &bad), same);
}

/// The ancestor's owner could never claim.
#[test]
fn the_owner_claims_late_before_others() {
    let mut world = World::new();
    world.make_good(bob(), 1);
    world.now = world.trainer.last_contribution_time() + 7_200;
    let claims = world.contribute_all(ann(), &[(1, 3), (1, 3)]);
    let too_early = |now, earliest| Err(Rejection::TooEarly { now, earliest });
    let (first, second) = (&claims[0], &claims[1]);
    let (owners, anyones) = (
        first.time + WAITS.owner_claim,
        second.time + WAITS.any_address_claim,
    );
    let trainer = &mut world.trainer;
    assert_eq!(
        trainer.claim_late(owner(), owners - 1, first),
        too_early(owners - 1, owners)
    );
    assert_eq!(trainer.can_claim_late(owner(), owners, first), Ok(60_000));
    assert_eq!(trainer.claim_late(owner(), owners, first), Ok(60_000));
    assert!(trainer.is_settled(first.position));
    assert_eq!(
        trainer.claim_late(bob(), anyones - 1, second),
        too_early(anyones - 1, anyones)
    );
    // Authors too, whatever the model predicts.
    assert_eq!(trainer.claim_late(ann(), anyones, second), Ok(60_000));
    assert_eq!((trainer.held(), trainer.total_good()), (0, 1));
}

#[test]
fn points_count_good_contributions_without_money() {
    let mut world = World::with(Incentive::Points);
    world.make_good(bob(), 1);
    let claim = world.bad();
    assert_eq!(world.trainer.report(bob(), world.now, &claim), Ok(0));
    assert_eq!(world.settlement(&claim), (CLOSED, bob()));
    let late = world.bad();
    assert_eq!(
        world
            .trainer
            .claim_late(owner(), world.now + WAITS.owner_claim, &late),
        Ok(0)
    );
    assert!(world.trainer.is_settled(late.position));
    assert_eq!((world.trainer.held(), world.trainer.total_good()), (0, 1));
}
