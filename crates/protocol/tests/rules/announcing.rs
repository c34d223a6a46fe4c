//! Tests the notice before a report.

use std::slice;

use cotrain_protocol::{
    ContractError,
    record::Claims,
    trainer::{Announcement, Fact, Status, Waits},
};

use crate::world::{
    WAITS, World, ann, announce, bob, cid, claim_late, incentive, owner, refund, report,
};

const NOTICE: u64 = 30;

/// Creates two reporters with a good contribution each, and a contribution of Ann's that the model
/// disagrees with.
fn world() -> (World, Claims) {
    let waits = Waits {
        report_notice: NOTICE,
        ..WAITS
    };
    let mut world = World::with_waits(incentive(), waits);
    world.make_good(bob(), 1);
    world.make_good(cid(), 1);
    let claim = world.bad();
    (world, claim)
}

#[test]
fn announce_without_a_notice_is_refused() {
    let mut world = World::new();
    let claim = world.bad();
    let no_notice = Err(ContractError::NoNotice);
    assert_eq!(announce(&mut world.trainer, world.now, &claim), no_notice);
    assert_eq!(
        world.trainer.announce(world.now, &[]),
        Err(ContractError::NoNotice)
    );
    assert_eq!(world.trainer.announced(claim.first_position), None);
}

#[test]
fn report_needs_an_announcement_that_is_old_enough_and_not_too_old() {
    let (mut world, claim) = world();
    let (position, start) = (claim.first_position, world.now);
    let not_announced = Err(ContractError::NotAnnounced { position });
    assert_eq!(
        report(&mut world.trainer, bob(), start, &claim),
        not_announced
    );
    assert_eq!(announce(&mut world.trainer, start, &claim), Ok(0));
    assert_eq!(world.trainer.announced(position), Some(start));
    let (earliest, until) = (start + NOTICE, start + 2 * NOTICE);
    assert_eq!(
        world.trainer.announcement(position),
        Some(Announcement { earliest, until })
    );
    for now in [start, earliest - 1] {
        assert_eq!(
            report(&mut world.trainer, bob(), now, &claim),
            Err(ContractError::TooEarly { now, earliest })
        );
    }
    let late = world.trainer.clone();
    assert_eq!(
        report(&mut world.trainer, bob(), earliest, &claim),
        Ok(30_000)
    );
    assert_eq!(report(&mut world.trainer, cid(), until, &claim), Ok(30_000));
    world.trainer = late;
    assert_eq!(
        report(&mut world.trainer, bob(), until + 1, &claim),
        not_announced
    );
}

#[test]
fn announce_is_refused_while_the_last_announcement_serves() {
    let (mut world, claim) = world();
    let (position, start) = (claim.first_position, world.now);
    let until = start + 2 * NOTICE;
    announce(&mut world.trainer, start, &claim).expect("announced");
    for now in [start, until] {
        assert_eq!(
            announce(&mut world.trainer, now, &claim),
            Err(ContractError::AlreadyAnnounced { position, until })
        );
    }
    assert_eq!(announce(&mut world.trainer, until + 1, &claim), Ok(0));
    assert_eq!(world.trainer.announced(position), Some(until + 1));
}

#[test]
fn announce_needs_a_refund_to_be_possible_and_the_model_to_disagree() {
    let (mut world, claim) = world();
    let earliest = claim.contributions[0].time + WAITS.refund;
    assert_eq!(
        announce(&mut world.trainer, earliest - 1, &claim),
        Err(ContractError::TooEarly {
            now: earliest - 1,
            earliest
        })
    );
    // The model predicts Ann's label again.
    world.contribute(ann(), 0, 3);
    assert_eq!(
        announce(&mut world.trainer, world.now, &claim),
        Err(ContractError::PredictionAgrees { label: 0 })
    );
    refund(&mut world.trainer, bob(), world.now, &claim).expect("good");
    assert_eq!(
        announce(&mut world.trainer, world.now, &claim),
        Err(ContractError::NothingLeft {
            position: claim.first_position
        })
    );
}

#[test]
fn refund_during_the_notice_closes() {
    let (mut world, claim) = world();
    announce(&mut world.trainer, world.now, &claim).expect("announced");
    let now = world.now + NOTICE;
    world
        .trainer
        .contribute(ann(), now, u128::MAX, &crate::world::items(&[(0, 3)]))
        .expect("accepted");
    assert_eq!(
        report(&mut world.trainer, bob(), now, &claim),
        Err(ContractError::PredictionAgrees { label: 0 })
    );
    assert_eq!(refund(&mut world.trainer, cid(), now, &claim), Ok(60_000));
    assert_eq!(
        report(&mut world.trainer, bob(), now, &claim),
        Err(ContractError::NothingLeft {
            position: claim.first_position
        })
    );
}

#[test]
fn claim_late_is_allowed_to_the_owner_after_an_announcement() {
    let (mut world, claim) = world();
    let now = claim.contributions[0].time + WAITS.owner_claim;
    announce(&mut world.trainer, now, &claim).expect("announced");
    assert_eq!(
        claim_late(&mut world.trainer, owner(), now, &claim),
        Ok(60_000)
    );
    assert_eq!(
        world.trainer.settlement(claim.first_position).status,
        Status::Closed
    );
}

#[test]
fn apply_of_an_announcement_leads_to_the_same_trainer() {
    let (mut world, claim) = world();
    let mut follower = world.trainer.clone();
    let settled = world
        .trainer
        .announce(world.now, slice::from_ref(&claim))
        .expect("announced");
    assert_eq!(
        (settled.paid, settled.settled),
        (0, vec![(claim.first_position, 0)])
    );
    assert_ne!(follower, world.trainer);
    let fact = Fact::Announced {
        position: claim.first_position,
        time: world.now,
    };
    follower.apply(&fact).expect("allowed");
    assert_eq!(follower, world.trainer);
}
