//! The life of contributions by the design's table, and the ancestor's faults in it.

use alloy_primitives::{Address, B256, U256};
use cotrain_protocol::{
    Rejection,
    classifier::{Classifier, Hosted, Parameters},
    sample::{Item, encode_batch, encode_sparse},
    trainer::{Claim, Incentive, Trainer, Waits, claims},
};

use crate::support::address;

const WAITS: Waits = Waits {
    refund: 100,
    owner_claim: 1_000,
    any_address_claim: 5_000,
};
const COST_WEIGHT: u128 = 1_000;
const CLOSED: u128 = (1 << 96) - 1;

/// A trainer of a sparse perceptron of 20 zeros, and the people around it.
struct World {
    trainer: Trainer,
    now: u64,
}

fn owner() -> Address {
    address(1)
}

fn ann() -> Address {
    address(11)
}

fn bob() -> Address {
    address(12)
}

fn cid() -> Address {
    address(13)
}

fn model() -> Classifier {
    let parameters = Parameters::SparsePerceptron {
        features: 20,
        learning_rate: 1,
        intercept: 0,
    };
    Classifier::new(parameters).expect("valid")
}

fn incentive() -> Incentive {
    Incentive::DepositRefundTake {
        cost_weight: COST_WEIGHT,
    }
}

impl World {
    fn new() -> Self {
        Self::with(incentive())
    }

    fn with(incentive: Incentive) -> Self {
        let trainer =
            Trainer::new(owner(), address(2), incentive, WAITS, model(), 0).expect("valid");
        Self { trainer, now: 0 }
    }

    /// Each item is a label and the one feature that is present.
    fn contribute_all(&mut self, author: Address, items: &[(u16, u16)]) -> Vec<Claim> {
        let samples: Vec<_> = items
            .iter()
            .map(|(_, feature)| encode_sparse(&[*feature]))
            .collect();
        let items: Vec<_> = items
            .iter()
            .zip(&samples)
            .map(|((label, _), sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        let batch = encode_batch(&items).expect("short");
        let (trainer, now) = (&mut self.trainer, self.now);
        let value = trainer.price(items.len() as u64, now) * items.len() as u128;
        let done = trainer
            .contribute(author, now, value, &batch)
            .expect("accepted");
        assert_eq!(done.surplus, 0);
        claims(done.batch, author, done.deposit, now, &batch).expect("parsed before")
    }

    /// An hour after the last contribution: a deposit of 60,000.
    fn contribute(&mut self, author: Address, label: u16, feature: u16) -> Claim {
        self.now = self.trainer.last_contribution_time() + 3_600;
        self.contribute_all(author, &[(label, feature)]).remove(0)
    }

    /// Gives `author` this many more good contributions.
    fn make_good(&mut self, author: Address, count: u64) {
        for _ in 0..count {
            let claim = self.contribute(author, 1, 19);
            self.now += WAITS.refund;
            self.trainer.refund(author, self.now, &claim).expect("good");
        }
    }

    /// A contribution of Ann's that the model disagrees with by now.
    fn bad(&mut self) -> Claim {
        let claim = self.contribute(ann(), 0, 3);
        self.contribute(cid(), 1, 3);
        self.now += WAITS.refund;
        claim
    }

    fn settlement(&self, claim: &Claim) -> (u128, Address) {
        let word = self.trainer.settlement(claim.position);
        let reporter = Address::from_word(B256::from(word >> 96));
        (word.wrapping_to::<u128>() & CLOSED, reporter)
    }
}

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

/// The ancestor's contributors could not make the same contribution twice in one block.
#[test]
fn the_same_contribution_twice_in_one_second_is_two() {
    let mut world = World::new();
    world.now = 3_600;
    let first = world.contribute_all(ann(), &[(1, 3)]).remove(0);
    let second = world.contribute_all(ann(), &[(1, 3)]).remove(0);
    let both = world.contribute_all(ann(), &[(1, 3), (1, 3)]);
    assert_eq!(first.deposit, 60_000);
    assert_eq!(second.deposit, 3_600_000);
    world.now += WAITS.refund;
    for claim in [&first, &second, &both[0], &both[1]] {
        assert_eq!(
            world.trainer.refund(ann(), world.now, claim),
            Ok(claim.deposit)
        );
    }
    assert_eq!((world.trainer.held(), world.trainer.total_good()), (0, 4));
}

#[test]
fn a_claim_is_on_what_was_contributed_and_nothing_else() {
    let mut world = World::new();
    world.now = 3_600;
    let claims = world.contribute_all(ann(), &[(1, 3), (0, 4), (1, 5)]);
    world.contribute(bob(), 1, 3);
    let genuine = &claims[1];
    assert_eq!(world.trainer.check_record(genuine), Ok(()));
    let wrong: [fn(&mut Claim); 10] = [
        |claim| claim.author = bob(),
        |claim| claim.label = 1,
        |claim| claim.deposit -= 1,
        |claim| claim.time -= 1,
        |claim| claim.batch = 1,
        |claim| claim.batch = 3,
        |claim| claim.position = 2,
        |claim| claim.sample.push(0),
        |claim| claim.proof.clear(),
        |claim| claim.proof.reverse(),
    ];
    for (number, change) in wrong.into_iter().enumerate() {
        let mut claim = genuine.clone();
        change(&mut claim);
        assert_ne!(&claim, genuine);
        let error = Rejection::UnknownContribution {
            batch: claim.batch,
            leaf: claim.leaf(),
        };
        assert_eq!(
            world.trainer.check_record(&claim),
            Err(error),
            "change {number}"
        );
    }
    // Where there is no batch, not even the root of none is known.
    let mut nowhere = genuine.clone();
    (nowhere.batch, nowhere.proof) = (7, vec![]);
    assert!(world.trainer.check_record(&nowhere).is_err());
    assert_eq!(world.trainer.root(7), B256::ZERO);
}

#[test]
fn a_batch_pays_the_price_of_as_many_and_is_claimed_one_by_one() {
    let mut world = World::new();
    let samples = [encode_sparse(&[3]), encode_sparse(&[4])];
    let items = [
        Item {
            label: 1,
            sample: &samples[0],
        },
        Item {
            label: 1,
            sample: &samples[1],
        },
    ];
    let batch = encode_batch(&items).expect("short");
    // Two hours for two are one for one.
    let required = 2 * 60_000;
    let before = world.trainer.clone();
    let error = Rejection::DepositTooLow {
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
    assert_eq!((done.batch, done.count, done.deposit), (0, 2, 60_000));
    assert_eq!((done.surplus, done.changed), (5, 2));
    assert_eq!(
        (world.trainer.held(), world.trainer.contribution_count()),
        (required, 2)
    );
    for claim in claims(0, ann(), 60_000, 7_200, &batch).expect("parsed before") {
        assert_eq!(world.trainer.refund(ann(), 7_300, &claim), Ok(60_000));
    }
    assert_eq!(world.trainer.held(), 0);
}

#[test]
fn a_contribution_is_checked_in_order_and_changes_nothing_where_it_is_rejected() {
    let trainer = || World::new().trainer;
    let check = |mut trainer: Trainer, value, batch: &[u8], error| {
        let before = trainer.clone();
        assert_eq!(trainer.contribute(ann(), 3_600, value, batch), Err(error));
        assert_eq!(trainer, before);
    };
    check(trainer(), 0, &[], Rejection::EmptyBatch);
    check(
        trainer(),
        0,
        &[0, 9, 0, 0, 0],
        Rejection::MalformedBatch { offset: 4 },
    );
    check(
        trainer(),
        0,
        &[0, 9, 0, 0],
        Rejection::DepositTooLow {
            required: 60_000,
            sent: 0,
        },
    );
    // The first item teaches the model something; the second one takes that back.
    let batch = [0, 1, 0, 2, 0, 3, 0, 1, 0, 1, 0];
    check(
        trainer(),
        u128::MAX,
        &batch,
        Rejection::OddSampleLength { item: 1, length: 1 },
    );

    let open = Hosted::new(owner(), model());
    let with = |model| {
        Trainer::with_model(owner(), address(2), incentive(), WAITS, model, 0).expect("valid")
    };
    check(
        with(open.clone()),
        u128::MAX,
        &[0, 9, 0, 0],
        Rejection::InitializationOpen,
    );
    check(
        with(open.clone()),
        0,
        &[0, 9, 0, 0],
        Rejection::DepositTooLow {
            required: 60_000,
            sent: 0,
        },
    );
    let mut others = open;
    others.close(owner(), address(3)).expect("its owner");
    let error = Rejection::NotTrainer {
        caller: address(2),
        trainer: address(3),
    };
    check(with(others), u128::MAX, &[0, 9, 0, 0], error);
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

#[test]
fn bounds_are_checked_at_creation() {
    let new = |address, waits, incentive| {
        Trainer::new(owner(), address, incentive, waits, model(), 0).err()
    };
    let wrong = Waits {
        refund: 2_000,
        ..WAITS
    };
    let too_much = Incentive::DepositRefundTake {
        cost_weight: 1 << 80,
    };
    let error = |name, value| Some(Rejection::InvalidParameter { name, value });
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
        Some(Rejection::InvalidTrainer)
    );
    assert_eq!(new(address(2), WAITS, incentive()), None);
}
