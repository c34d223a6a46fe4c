//! Tests contributions and their records by the design's table.

use alloy_primitives::{Address, B256};
use cotrain_protocol::{
    ContractError,
    classifier::Hosted,
    record::{Claims, Record},
    sample::parse_batch,
    trainer::{Incentive, Trainer, Waits},
};

use crate::{
    support::address,
    world::{CHAIN_ID, WAITS, World, ann, bob, incentive, items, model, owner, refund},
};

/// Checks for two equal contributions in one second, which 0xDeCA10B's contributors could not make
/// in one block.
#[test]
fn contribute_counts_the_same_contribution_twice_in_one_second() {
    let mut world = World::new();
    world.now = 3_600;
    let first = world.contribute_all(ann(), &[(1, 3)]);
    let second = world.contribute_all(ann(), &[(1, 3)]);
    let both = world.contribute_all(ann(), &[(1, 3), (1, 3)]);
    assert_eq!(first.contributions()[0].deposit, 60_000);
    assert_eq!(second.contributions()[0].deposit, 3_600_000);
    world.now += WAITS.refund;
    for record in [&first, &second, &both] {
        for contribution in record.contributions() {
            let claim = record.claims(&[contribution.position]);
            assert_eq!(
                refund(&mut world.trainer, ann(), world.now, &claim),
                Ok(contribution.deposit)
            );
        }
    }
    assert_eq!((world.trainer.held(), world.trainer.total_good()), (0, 4));
}

#[test]
fn check_record_takes_only_what_was_contributed() {
    let mut world = World::new();
    world.now = 3_600;
    let record = world.contribute_all(ann(), &[(1, 3), (0, 4), (1, 5)]);
    world.contribute(bob(), 1, 3);
    assert_eq!(world.trainer.root(0), record.root());
    let genuine = &record.claims(&[1, 2]);
    assert_eq!(world.trainer.check_record(genuine), Ok(()));
    let wrong: [fn(&mut Claims); 14] = [
        |claims| claims.contributions[0].author = bob(),
        |claims| claims.contributions[0].label = 1,
        |claims| claims.contributions[0].deposit -= 1,
        |claims| claims.contributions[0].time -= 1,
        |claims| claims.contributions[0].position = 2,
        |claims| claims.contributions[0].sample.push(0),
        |claims| claims.contributions.reverse(),
        |claims| claims.contributions.truncate(1),
        |claims| claims.first_position = 1,
        |claims| claims.first_position = 3,
        |claims| claims.proof.clear(),
        |claims| claims.flags.clear(),
        |claims| claims.flags.reverse(),
        |claims| claims.flags.push(false),
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        let mut claims = genuine.clone();
        change(&mut claims);
        assert_ne!(&claims, genuine);
        let error = ContractError::UnknownContribution {
            first_position: claims.first_position,
        };
        assert_eq!(
            world.trainer.check_record(&claims),
            Err(error),
            "change {number}"
        );
    }
    // At a position without a batch, not even an empty claim is valid.
    let nowhere = Claims {
        first_position: 7,
        contributions: vec![],
        proof: vec![B256::ZERO],
        flags: vec![],
    };
    assert!(world.trainer.check_record(&nowhere).is_err());
    assert_eq!(world.trainer.root(7), B256::ZERO);
}

#[test]
fn contribute_charges_a_batch_per_item_and_each_is_claimed_alone() {
    let mut world = World::new();
    let batch = items(&[(1, 3), (1, 4)]);
    // Two contributions in two hours cost as much as one in one hour, each.
    let required = 2 * 60_000;
    let before = world.trainer.clone();
    let error = ContractError::DepositTooLow {
        required,
        sent: required - 1,
    };
    assert_eq!(
        world.trainer.contribute(ann(), 7_200, required - 1, &batch),
        Err(error)
    );
    assert_eq!(world.trainer, before);
    let done = world
        .trainer
        .contribute(ann(), 7_200, required + 5, &batch)
        .expect("accepted");
    assert_eq!(
        (done.first_position, done.count, done.deposit),
        (0, 2, 60_000)
    );
    assert_eq!((done.surplus, done.changed), (5, 2));
    assert_eq!(
        (world.trainer.held(), world.trainer.contribution_count()),
        (required, 2)
    );
    let added = [(ann(), parse_batch(&batch).expect("parsed before"))];
    let record = Record::new(0, 60_000, 7_200, &added);
    for position in [0, 1] {
        let claim = record.claims(&[position]);
        assert_eq!(refund(&mut world.trainer, ann(), 7_300, &claim), Ok(60_000));
    }
    assert_eq!(world.trainer.held(), 0);
}

#[test]
fn contribute_checks_in_order_and_changes_nothing_if_it_rejects() {
    let trainer = || World::new().trainer;
    let check = |mut trainer: Trainer, value, batch: &[u8], error| {
        let before = trainer.clone();
        assert_eq!(trainer.contribute(ann(), 3_600, value, batch), Err(error));
        assert_eq!(trainer, before);
    };
    check(trainer(), 0, &[], ContractError::EmptyBatch);
    check(
        trainer(),
        0,
        &[0, 9, 0, 0, 0],
        ContractError::MalformedBatch { offset: 4 },
    );
    check(
        trainer(),
        0,
        &[0, 9, 0, 0],
        ContractError::DepositTooLow {
            required: 60_000,
            sent: 0,
        },
    );
    // The first item changes the model, and the error of the second one undoes that.
    let batch = [0, 1, 0, 2, 0, 3, 0, 1, 0, 1, 0];
    check(
        trainer(),
        u128::MAX,
        &batch,
        ContractError::OddSampleLength { item: 1, length: 1 },
    );

    let open = Hosted::new(owner(), model());
    let with = |model| {
        Trainer::with_model(owner(), CHAIN_ID, address(2), incentive(), WAITS, model, 0)
            .expect("valid")
    };
    check(
        with(open.clone()),
        u128::MAX,
        &[0, 9, 0, 0],
        ContractError::InitializationOpen,
    );
    check(
        with(open.clone()),
        0,
        &[0, 9, 0, 0],
        ContractError::DepositTooLow {
            required: 60_000,
            sent: 0,
        },
    );
    let mut others = open;
    others.close(owner(), address(3)).expect("its owner");
    let error = ContractError::NotTrainer {
        caller: address(2),
        trainer: address(3),
    };
    check(with(others), u128::MAX, &[0, 9, 0, 0], error);
}

#[test]
fn new_checks_the_bounds_of_a_trainer() {
    let new = |address, waits, incentive| {
        Trainer::new(owner(), CHAIN_ID, address, incentive, waits, model(), 0).err()
    };
    let wrong = Waits {
        refund: 2_000,
        ..WAITS
    };
    let too_much = Incentive::DepositRefundTake {
        cost_weight: 1 << 80,
    };
    let error = |name, value| Some(ContractError::InvalidParameter { name, value });
    assert_eq!(
        new(Address::ZERO, wrong, too_much),
        error("refundWait", 2_000)
    );
    assert_eq!(
        new(Address::ZERO, WAITS, too_much),
        error("costWeight", 1 << 80)
    );
    assert_eq!(
        new(Address::ZERO, WAITS, incentive()),
        Some(ContractError::InvalidTrainer)
    );
    assert_eq!(new(address(2), WAITS, incentive()), None);
}
