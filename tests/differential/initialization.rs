//! Tests a model before its initialization is closed: who may write, close and teach.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, Revert};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Transaction};
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Hosted, Kind},
    mechanism::{Mechanism, Terms},
    sample::{Item, encode_batch},
    trainer::{Incentive, Waits},
};
use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use crate::{
    START,
    people::{OWNER, STRANGER},
    random,
};

/// Account that teaches instead of a trainer.
const TEACHER: Address = Address::repeat_byte(7);

#[test]
fn hosted_is_written_closed_and_taught_by_the_same_callers() {
    for kind in Kind::ALL {
        for seed in 1..=12 {
            run(kind, seed);
        }
    }
}

fn run(kind: Kind, seed: u64) {
    let context = format!("{kind}, seed {seed}");
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let parameters = *random::classifier(kind, &mut chance).parameters();
    let empty = Classifier::new(parameters).expect("good parameters");
    let mut chain = Embedded::new(Config {
        start: START,
        gas_price: 0,
    });
    let model = create(&mut chain, &empty);
    let size = empty.words().len() as u64;
    let mut reference = Hosted::new(OWNER, empty);
    for step in 0..60 {
        let caller = *[OWNER, OWNER, OWNER, STRANGER, TEACHER]
            .choose(&mut chance)
            .expect("callers");
        let (call, expected) = match chance.random_range(0..12) {
            0..8 => {
                let offset = chance.random_range(0..=size);
                let count = chance.random_range(0..=3);
                let words: Vec<U256> = (0..count)
                    .map(|_| U256::from_limbs(chance.random()))
                    .collect();
                let call = bindings::write(usize::try_from(offset).expect("small"), &words);
                (call, reference.write(caller, offset, &words))
            }
            // The closing is rare, so that most steps come before it.
            8 if step > 30 => {
                let trainer = *[Address::ZERO, TEACHER]
                    .choose(&mut chance)
                    .expect("trainers");
                (bindings::close(trainer), reference.close(caller, trainer))
            }
            _ => {
                // An empty sparse sample is well formed, but an empty dense one is not.
                let items = [Item {
                    label: 1,
                    sample: &[],
                }];
                let batch = encode_batch(&items).expect("a short sample");
                (
                    bindings::learn(&batch),
                    reference.learn(caller, &batch).map(|_| ()),
                )
            }
        };
        let sent = chain
            .send(Transaction::call(caller, model, call))
            .map(|_| ());
        match (sent, expected) {
            (Ok(()), Ok(())) => {}
            (
                Err(ChainError::Reverted {
                    revert: Revert::Contract(refusal),
                    ..
                }),
                Err(expected),
            ) => {
                assert_eq!(refusal, expected, "step {step}, {context}");
            }
            (sent, expected) => {
                panic!("step {step}: chain {sent:?}, reference {expected:?}; {context}")
            }
        }
        assert_eq!(
            read(&mut chain, model, size),
            reference.classifier().words(),
            "step {step}, {context}"
        );
    }
    let late = reference.write(OWNER, 0, &[]);
    let open = reference.trainer().is_none();
    assert_eq!(
        late,
        if open {
            Ok(())
        } else {
            Err(ContractError::InitializationClosed)
        }
    );
}

/// Creates a clone that nobody has written or closed.
fn create(chain: &mut Embedded, classifier: &Classifier) -> Address {
    let mut deploy = |code| {
        let receipt = chain
            .send(Transaction::create(OWNER, code))
            .expect("a contract");
        receipt.created.expect("its address")
    };
    let factory = deploy(bindings::factory_code());
    let trainer = deploy(bindings::contract_code(Mechanism::Points));
    let implementation = deploy(bindings::classifier_code(classifier.kind()));
    let waits = Waits {
        refund: 1,
        owner_claim: 1,
        any_address_claim: 1,
        report_notice: 0,
    };
    let call = bindings::create_model(
        trainer,
        &Terms::Trainer {
            incentive: Incentive::Points,
            waits,
        },
        implementation,
        classifier.parameters(),
    );
    let receipt = chain
        .send(Transaction::call(OWNER, factory, call))
        .expect("a model");
    let (_, model) = bindings::created_model(&receipt.output).expect("its addresses");
    model
}

fn read(chain: &mut Embedded, model: Address, size: u64) -> Vec<U256> {
    let call = bindings::words(0, usize::try_from(size).expect("small"));
    let answer = chain
        .call(Transaction::call(STRANGER, model, call))
        .expect("words");
    bindings::read_words(&answer.output).expect("words")
}
