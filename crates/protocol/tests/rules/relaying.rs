//! Tests signed batches that relayers send, by the order of the specification.

use std::slice;

use alloy_primitives::Address;
use cotrain_protocol::{
    ContractError,
    classifier::Hosted,
    record::Record,
    sample::parse_batch,
    trainer::{Accepted, Relayed, SignedBatch, Trainer, covering_gas},
};

use crate::{
    signing::Signer,
    support::address,
    world::{CHAIN_ID, WAITS, World, bob, incentive, items, model, owner, refund},
};

const HOUR: u64 = 3_600;

impl World {
    /// Signs a batch whose author allows everything. It has one item with the feature 3.
    fn sign(
        &self,
        signer: &Signer,
        nonce: u64,
        change: impl FnOnce(&mut SignedBatch),
    ) -> SignedBatch {
        let mut batch = SignedBatch {
            author: signer.address(),
            relayer: Address::ZERO,
            max_deposit: 1 << 95,
            fee: 7,
            nonce,
            deadline: 1 << 39,
            items: items(&[(1, 3)]),
            signature: vec![],
        };
        change(&mut batch);
        signer.sign(CHAIN_ID, self.trainer.address(), batch)
    }

    /// Relays a batch with this nonce. Returns `true` if it was accepted.
    pub(crate) fn use_nonce(&mut self, signer: &Signer, nonce: u64) -> bool {
        self.now += HOUR;
        self.trainer
            .deposit_to(signer.address(), 60_007)
            .expect("room for it");
        let batch = self.sign(signer, nonce, |_| {});
        let relayed = self.trainer.relay(bob(), self.now, &[batch]);
        match &relayed.expect("no overflow").outcomes[..] {
            [Ok(_)] => true,
            [Err(ContractError::NonceUsed { author, nonce: of })] => {
                assert_eq!((*author, *of), (signer.address(), nonce));
                false
            }
            other => panic!("{other:?}"),
        }
    }
}

fn accepted(position: u64, count: u64, changed: usize) -> Accepted {
    Accepted {
        position,
        count,
        changed,
    }
}

#[test]
fn check_signed_says_what_a_relay_does() {
    let mut world = World::new();
    let ann = Signer::new(1);
    world
        .trainer
        .deposit_to(ann.address(), 200_000)
        .expect("room");
    world.now = HOUR;
    let used = world.sign(&ann, 9, |_| {});
    world
        .trainer
        .relay(bob(), world.now, &[used])
        .expect("relayed");
    world.now += HOUR;
    let now = world.now;
    let batches = [
        world.sign(&ann, 5, |_| {}),
        world.sign(&ann, 5, |batch| batch.items = vec![]),
        world.sign(&ann, 5, |batch| batch.items = vec![1]),
        world.sign(&ann, 5, |batch| batch.items = items(&[(7, 3)])),
        world.sign(&ann, 5, |batch| batch.deadline = now - 1),
        world.sign(&ann, 9, |_| {}),
        world.sign(&ann, 5, |batch| batch.max_deposit = 1),
        world.sign(&ann, 5, |batch| batch.fee = 1 << 80),
        SignedBatch {
            nonce: 6,
            ..world.sign(&ann, 5, |_| {})
        },
    ];
    let before = world.trainer.clone();
    let domain = before.domain();
    for (index, batch) in batches.iter().enumerate() {
        let signer = batch.signer_if_sent_by(bob(), &domain);
        let checked = before.check_signed(now, batch, signer);
        let relayed = before.clone().relay(bob(), now, slice::from_ref(batch));
        let outcome = relayed.expect("no overflow").outcomes.remove(0);
        assert_eq!(checked, outcome.map(|_| ()), "{index}");
        assert_eq!(checked.is_ok(), index == 0, "{index}");
    }
}

#[test]
fn relay_makes_one_record_of_batches_of_many_authors() {
    let mut world = World::new();
    let (ann, cid) = (Signer::new(1), Signer::new(2));
    world
        .trainer
        .deposit_to(ann.address(), 200_000)
        .expect("room");
    world
        .trainer
        .deposit_to(cid.address(), 60_006)
        .expect("room");
    // One hour for each contribution that parses.
    world.now = 4 * HOUR;
    let batches = [
        world.sign(&ann, 5, |batch| batch.items = items(&[(1, 3), (1, 4)])),
        world.sign(&cid, 0, |_| {}),
        world.sign(&ann, 0, |batch| batch.fee = 0),
        world.sign(&cid, 0, |batch| batch.items = vec![1]),
    ];
    let relayed = world.trainer.relay(bob(), world.now, &batches);
    let too_low = ContractError::BalanceTooLow {
        required: 60_007,
        balance: 60_006,
    };
    let expected = Relayed {
        first_position: Some(0),
        deposit: 60_000,
        outcomes: vec![
            Ok(accepted(0, 2, 2)),
            Err(too_low),
            Ok(accepted(2, 1, 0)),
            Err(ContractError::MalformedBatch { offset: 0 }),
        ],
    };
    assert_eq!(relayed, Ok(expected));
    let trainer = &mut world.trainer;
    assert_eq!(trainer.balance(ann.address()), 200_000 - 180_007);
    assert_eq!(trainer.balance(cid.address()), 60_006);
    assert_eq!(trainer.balance(bob()), 7);
    assert_eq!(trainer.held(), 260_006);
    assert_eq!(trainer.contribution_count(), 3);
    assert_eq!(trainer.last_contribution_time(), world.now);
    let used = [0, 1, 5].map(|nonce| trainer.nonce_used(ann.address(), nonce));
    assert_eq!(used, [true, false, true]);
    assert!(!trainer.nonce_used(cid.address(), 0));

    let added = [0, 2].map(|index: usize| {
        let batch = &batches[index];
        (batch.author, parse_batch(&batch.items).expect("accepted"))
    });
    let record = Record::new(0, 60_000, world.now, &added);
    assert_eq!(trainer.root(0), record.root());
    world.now += WAITS.refund;
    let claim = record.claims(&[2]);
    let refunded = refund(trainer, ann.address(), world.now, &claim);
    assert_eq!(refunded, Ok(60_000));
    assert_eq!(trainer.held(), 200_006);
}

#[test]
fn relay_checks_in_order_and_changes_nothing_if_it_skips_a_batch() {
    let signer = Signer::new(1);
    let author = signer.address();
    let mut world = World::new();
    world.now = HOUR;
    let mut wrong = world.sign(&signer, 3, |batch| {
        // An item that parses, and then one that does not.
        batch.items = vec![0, 9, 0, 1, 5, 1];
        batch.max_deposit = 59_999;
        batch.deadline = HOUR - 1;
    });
    world.trainer.cancel_nonces(author, 3);
    let skipped = |trainer: &mut Trainer, batch: &SignedBatch, reason| {
        let before = trainer.clone();
        let relayed = trainer.relay(bob(), HOUR, slice::from_ref(batch));
        let expected = Relayed {
            first_position: None,
            deposit: 60_000,
            outcomes: vec![Err(reason)],
        };
        assert_eq!(relayed, Ok(expected));
        assert_eq!(trainer, &before);
    };
    let trainer = &mut world.trainer;
    skipped(trainer, &wrong, ContractError::MalformedBatch { offset: 5 });
    wrong.items.clear();
    skipped(trainer, &wrong, ContractError::EmptyBatch);
    wrong.items = vec![0, 9, 0, 1, 5];
    let expired = ContractError::Expired {
        deadline: HOUR - 1,
        now: HOUR,
    };
    skipped(trainer, &wrong, expired);
    wrong.deadline = HOUR;
    skipped(
        trainer,
        &wrong,
        ContractError::NonceUsed { author, nonce: 3 },
    );
    wrong.nonce = 4;
    let too_high = ContractError::PriceTooHigh {
        price: 60_000,
        max_deposit: 59_999,
    };
    skipped(trainer, &wrong, too_high);
    wrong.max_deposit = 60_000;
    trainer.deposit_to(author, 60_006).expect("room");
    let too_low = |required| ContractError::BalanceTooLow {
        required,
        balance: 60_006,
    };
    skipped(trainer, &wrong, too_low(60_007));
    wrong.fee = u128::MAX;
    skipped(trainer, &wrong, too_low(u128::MAX));
    wrong.fee = 6;
    skipped(trainer, &wrong, ContractError::InvalidSignature { author });
    wrong = signer.sign(CHAIN_ID, trainer.address(), wrong);
    let label = ContractError::LabelOutOfRange {
        item: 0,
        label: 9,
        classes: 2,
    };
    skipped(trainer, &wrong, label);
    // The first item alone would change the model.
    wrong.items = [items(&[(1, 3)]), vec![0, 1, 0, 1, 5]].concat();
    wrong.max_deposit = 100_000;
    wrong = signer.sign(CHAIN_ID, trainer.address(), wrong);
    trainer.deposit_to(author, 140_000).expect("room");
    let before = trainer.clone();
    let relayed = trainer.relay(bob(), HOUR, slice::from_ref(&wrong));
    let odd = ContractError::OddSampleLength { item: 1, length: 1 };
    assert_eq!(relayed.expect("no overflow").outcomes, [Err(odd)]);
    assert_eq!(trainer, &before);
    trainer.withdraw(author, 140_000).expect("more than that");
    wrong.items = items(&[(1, 3)]);
    wrong = signer.sign(CHAIN_ID, trainer.address(), wrong);
    let relayed = trainer.relay(bob(), HOUR, &[wrong]).expect("no overflow");
    assert_eq!(relayed.outcomes, [Ok(accepted(0, 1, 1))]);
    assert_eq!((trainer.balance(author), trainer.balance(bob())), (0, 6));
}

#[test]
fn relay_of_a_bound_batch_is_its_relayers_alone() {
    let mut world = World::new();
    let signer = Signer::new(1);
    let author = signer.address();
    world.trainer.deposit_to(author, 1 << 40).expect("room");
    world.now = HOUR;
    let batch = world.sign(&signer, 0, |batch| batch.relayer = bob());
    let before = world.trainer.clone();
    let sniped = world
        .trainer
        .relay(address(99), HOUR, slice::from_ref(&batch));
    let outcomes = sniped.expect("no overflow").outcomes;
    assert_eq!(outcomes, [Err(ContractError::InvalidSignature { author })]);
    assert_eq!(world.trainer, before, "nothing has changed, nor the price");
    // A forger cannot pretend that anyone may send it.
    let free = SignedBatch {
        relayer: Address::ZERO,
        ..batch.clone()
    };
    let relayed = world.trainer.relay(address(99), HOUR, &[free]);
    let outcomes = relayed.expect("no overflow").outcomes;
    assert_eq!(outcomes, [Err(ContractError::InvalidSignature { author })]);
    let relayed = world.trainer.relay(bob(), HOUR, &[batch]);
    let outcomes = relayed.expect("no overflow").outcomes;
    assert_eq!(outcomes, [Ok(accepted(0, 1, 1))]);
    assert_eq!(world.trainer.balance(bob()), 7);
}

#[test]
fn relay_signed_by_does_what_relay_does() {
    let mut world = World::new();
    let (ann, cid) = (Signer::new(1), Signer::new(2));
    for author in [ann.address(), cid.address()] {
        world.trainer.deposit_to(author, 1 << 40).expect("room");
    }
    world.now = HOUR;
    let mut forged = world.sign(&cid, 0, |batch| batch.author = ann.address());
    forged.nonce = 1;
    let batches = [
        world.sign(&ann, 0, |batch| batch.relayer = bob()),
        forged,
        world.sign(&cid, 0, |batch| batch.relayer = address(99)),
        world.sign(&cid, 1, |_| {}),
    ];
    let domain = world.trainer.domain();
    let signers = batches
        .each_ref()
        .map(|batch| batch.signer_if_sent_by(bob(), &domain));
    let mut other = world.trainer.clone();
    let relayed = world.trainer.relay(bob(), HOUR, &batches);
    let outcomes = &relayed.as_ref().expect("no overflow").outcomes;
    let accepted: Vec<_> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, false, false, true]);
    let same = other.relay_signed_by(bob(), HOUR, &batches, &signers);
    assert_eq!(same, relayed);
    assert_eq!(other, world.trainer);
}

#[test]
fn relay_signed_by_skips_what_has_no_signer() {
    let mut world = World::new();
    let signer = Signer::new(1);
    let author = signer.address();
    world.trainer.deposit_to(author, 1 << 40).expect("room");
    world.now = HOUR;
    let batch = world.sign(&signer, 0, |_| {});
    let before = world.trainer.clone();
    for signers in [&[][..], &[None], &[Some(bob())]] {
        let batches = slice::from_ref(&batch);
        let relayed = world.trainer.relay_signed_by(bob(), HOUR, batches, signers);
        let outcomes = relayed.expect("no overflow").outcomes;
        assert_eq!(outcomes, [Err(ContractError::InvalidSignature { author })]);
        assert_eq!(world.trainer, before);
    }
}

#[test]
fn encode_marks_what_is_bound() {
    let world = World::new();
    let signer = Signer::new(1);
    let free = world.sign(&signer, 0, |_| {});
    let bound = world.sign(&signer, 0, |batch| batch.relayer = bob());
    let (free, bound) = (free.encode(), bound.encode());
    assert_eq!((free[55], bound[55]), (0, 1));
    assert_eq!(free.len(), bound.len());
    // Everything except the signature, which follows the items.
    assert_eq!((&free[..55], &free[56..66]), (&bound[..55], &bound[56..66]));
}

#[test]
fn covering_gas_has_a_63rd_more_for_the_last_call() {
    let limit = covering_gas(1_000_000, 10, 630_000);
    assert_eq!(limit, 1_000_000 + 6_300_000 + 10_000 + 8_000);
    // Nine of the ten have used all their gas. The rest suffices for the last one.
    let left = limit - 1_000_000 - 9 * 630_000 - 8_000;
    assert!(left - left / 64 >= 630_000);
    let less = left - 2;
    assert!(less - less / 64 < 630_000, "and hardly less would");
    assert_eq!(covering_gas(u64::MAX, 2, 1 << 63), u64::MAX);
}

#[test]
fn relay_teaches_an_open_model_nothing() {
    let model = Hosted::new(owner(), model());
    let trainer = Trainer::with_model(owner(), CHAIN_ID, address(2), incentive(), WAITS, model, 0);
    let mut world = World {
        trainer: trainer.expect("valid"),
        now: HOUR,
    };
    let signer = Signer::new(1);
    world
        .trainer
        .deposit_to(signer.address(), 60_007)
        .expect("room");
    let batch = world.sign(&signer, 0, |_| {});
    let relayed = world.trainer.relay(bob(), HOUR, &[batch]);
    let outcomes = relayed.expect("no overflow").outcomes;
    assert_eq!(outcomes, [Err(ContractError::InitializationOpen)]);
    assert_eq!(world.trainer.balance(signer.address()), 60_007);
}

#[test]
fn relay_accepts_a_batch_once() {
    let mut world = World::new();
    let signer = Signer::new(1);
    let author = signer.address();
    world.trainer.deposit_to(author, 1 << 40).expect("room");
    world.now = HOUR;
    let batch = world.sign(&signer, 0, |_| {});
    let used = Err(ContractError::NonceUsed { author, nonce: 0 });
    // An author may also be the relayer: then the fee returns to them.
    let twice = world
        .trainer
        .relay(author, HOUR, &[batch.clone(), batch.clone()]);
    let deposit = 3_600 * 1_000 / 42;
    let expected = Relayed {
        first_position: Some(0),
        deposit,
        outcomes: vec![Ok(accepted(0, 1, 1)), used.clone()],
    };
    assert_eq!(twice, Ok(expected));
    assert_eq!(world.trainer.balance(author), (1 << 40) - deposit);
    let again = world.trainer.relay(bob(), HOUR, &[batch]);
    assert_eq!(again.expect("no overflow").outcomes, [used]);
    let nothing = world.trainer.relay(bob(), HOUR, &[]);
    assert_eq!(nothing.map(|relayed| relayed.first_position), Ok(None));
}

#[test]
fn relay_fails_if_the_relayers_balance_cannot_hold_the_fees() {
    let mut world = World::new();
    let signer = Signer::new(1);
    world.now = HOUR;
    world
        .trainer
        .deposit_to(signer.address(), 60_007)
        .expect("room");
    world
        .trainer
        .deposit_to(bob(), (1 << 96) - 7)
        .expect("room");
    let batch = world.sign(&signer, 0, |_| {});
    let before = world.trainer.clone();
    let overflow = ContractError::BalanceOverflow { account: bob() };
    let relayed = world.trainer.relay(bob(), HOUR, slice::from_ref(&batch));
    assert_eq!(relayed, Err(overflow));
    assert_eq!(world.trainer, before);
    world.trainer.withdraw(bob(), 1).expect("more than that");
    assert!(world.trainer.relay(bob(), HOUR, &[batch]).is_ok());
    assert_eq!(world.trainer.balance(bob()), (1 << 96) - 1);
}
