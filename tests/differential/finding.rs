//! Tests a client that knows only an address: it finds out about the model there, and finds models
//! in a registry.

use alloy_primitives::{Address, Bytes, U256, hex};
use cotrain_bindings::{
    self as bindings, Description, Entry, Revert,
    events::{self, ModelCreated, Registered},
    state,
};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction};
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Kind, Parameters},
    market,
    mechanism::{Mechanism, Terms},
    trainer::Incentive,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::{
    INCENTIVES, START,
    pair::WAITS,
    people::{OWNER, STRANGER},
    random,
};

/// A chain with a factory and a registry.
pub(crate) struct Host {
    pub(crate) chain: Embedded,
    pub(crate) factory: Address,
    pub(crate) registry: Address,
}

impl Host {
    pub(crate) fn new() -> Self {
        let chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut host = Self {
            chain,
            factory: Address::ZERO,
            registry: Address::ZERO,
        };
        (host.factory, _) = host.create(bindings::factory_code());
        (host.registry, _) = host.create(bindings::registry_code());
        host
    }

    /// Creates a contract. Returns its address and its runtime code.
    pub(crate) fn create(&mut self, code: Bytes) -> (Address, Bytes) {
        let receipt = self
            .chain
            .send(Transaction::create(OWNER, code))
            .expect("a contract");
        (receipt.created.expect("an address"), receipt.output)
    }

    /// Returns the code at an address, by a creation that would deploy the same.
    ///
    /// It runs `EXTCODECOPY` of all of it, then `RETURN`.
    fn code(&mut self, at: Address) -> Bytes {
        let at = at.as_slice();
        let creation = [
            &hex!("73")[..],
            at,
            &hex!("3b805f5f73"),
            at,
            &hex!("3c5ff3"),
        ];
        let call = Transaction::create(STRANGER, creation.concat().into());
        self.chain.call(call).expect("code").output
    }

    pub(crate) fn send(
        &mut self,
        from: Address,
        to: Address,
        call: Vec<u8>,
    ) -> Result<Receipt, ChainError> {
        self.chain.send(Transaction::call(from, to, call))
    }

    fn ask(&mut self, of: Address, call: Vec<u8>) -> Bytes {
        let call = Transaction::call(STRANGER, of, call);
        self.chain.call(call).expect("an answer").output
    }

    pub(crate) fn number(&mut self, of: Address, call: Vec<u8>) -> U256 {
        bindings::read_number(&self.ask(of, call)).expect("a number")
    }

    /// Creates a model that is still open.
    fn model(&mut self, terms: &Terms, parameters: &Parameters) -> ModelCreated {
        let (trainer, _) = self.create(bindings::contract_code(terms.mechanism()));
        let (classifier, _) = self.create(bindings::classifier_code(parameters.kind()));
        let call = bindings::create_model(trainer, terms, classifier, parameters);
        let receipt = self.send(OWNER, self.factory, call).expect("a model");
        let [log] = receipt.logs.as_slice() else {
            panic!("{receipt:?}")
        };
        assert_eq!(log.topics()[0], events::MODEL_CREATED_TOPIC);
        let created = events::model_created(log).expect("an event");
        let clones = bindings::created_model(&receipt.output).expect("clones");
        assert_eq!((created.trainer, created.classifier), clones);
        let expected = ModelCreated {
            owner: OWNER,
            trainer_implementation: trainer,
            classifier_implementation: classifier,
            ..created
        };
        assert_eq!(created, expected);
        created
    }

    fn description(&mut self, classifier: Address) -> Description {
        let answer = self.ask(classifier, bindings::describe());
        bindings::read_description(&answer).expect("a description")
    }
}

const POINTS: Terms = Terms::Trainer {
    incentive: Incentive::Points,
    waits: WAITS,
};

/// Returns terms of each mechanism.
fn all_terms() -> Vec<Terms> {
    let trainers = INCENTIVES.map(|incentive| Terms::Trainer {
        incentive,
        waits: WAITS,
    });
    let market = market::Terms {
        stake: 1,
        participation: 2,
        reveal_wait: 3,
        scoring_wait: 4,
        most_contributions: 5,
        most_passes: 6,
    };
    [&trainers[..], &[Terms::Market(market)]].concat()
}

/// Checks that a client can read everything that a reference model needs.
#[test]
fn create_model_makes_a_model_found_by_its_trainer() {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    for kind in Kind::ALL {
        for terms in all_terms() {
            let classifier = random::classifier(kind, &mut chance);
            let mut host = Host::new();
            let created = host.model(&terms, classifier.parameters());
            assert_eq!(host.description(created.classifier).trainer, None);
            let close = bindings::close(created.trainer);
            host.send(OWNER, created.classifier, close).expect("closed");
            found(&mut host, &created, &terms, &classifier);
        }
    }
}

/// Checks that the factory creates no model from an account without code, or with other code.
#[test]
fn create_model_takes_only_implementations() {
    let mut host = Host::new();
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let classifier = random::classifier(Kind::NaiveBayes, &mut chance);
    let parameters = classifier.parameters();
    let terms = POINTS;
    let (right_trainer, _) = host.create(bindings::contract_code(Mechanism::Points));
    let (right_classifier, _) = host.create(bindings::classifier_code(parameters.kind()));
    let mut create = |trainer, classifier| {
        let call = bindings::create_model(trainer, &terms, classifier, parameters);
        match host.send(OWNER, host.factory, call) {
            Err(ChainError::Reverted { revert, .. }) => Some(revert),
            Ok(_) => None,
            Err(error) => panic!("{error}"),
        }
    };
    let nobody = Address::repeat_byte(0x77);
    let refused = Some(Revert::NoCode {
        implementation: nobody,
    });
    assert_eq!(create(nobody, right_classifier), refused);
    assert_eq!(create(right_trainer, nobody), refused);
    // Each lacks the functions that the factory calls on the other.
    let silence = Some(Revert::Unknown(Bytes::new()));
    assert_eq!(create(right_classifier, right_classifier), silence);
    assert_eq!(create(right_trainer, right_trainer), silence);
    assert_eq!(create(right_trainer, right_classifier), None);
}

fn found(host: &mut Host, created: &ModelCreated, terms: &Terms, expected: &Classifier) {
    let trainer = created.trainer;
    let code = host.code(trainer);
    let implementation = bindings::implementation_of(&code).expect("a clone");
    assert_eq!(implementation, created.trainer_implementation);
    let mechanism = bindings::known_mechanism(&host.code(implementation)).expect("ours");
    let values = mechanism.description().terms.iter();
    let values: Vec<u128> = values
        .map(|term| host.number(trainer, bindings::term(term)).to())
        .collect();
    assert_eq!(Terms::from_values(mechanism, &values), Some(*terms));
    let owner = bindings::read_address(&host.ask(trainer, state::owner()));
    assert_eq!(owner, Some(OWNER));
    let classifier = bindings::read_address(&host.ask(trainer, state::classifier()));
    let classifier = classifier.expect("a classifier");
    assert_eq!(classifier, created.classifier);

    let code = host.code(classifier);
    let implementation = bindings::implementation_of(&code).expect("a clone");
    assert_eq!(implementation, created.classifier_implementation);
    let kind = bindings::known_classifier(&host.code(implementation));
    assert_eq!(kind, Some(expected.kind()));
    let description = host.description(classifier);
    let whole = Description {
        kind: expected.kind(),
        classes: expected.classes(),
        features: expected.features(),
        owner: OWNER,
        trainer: Some(trainer),
        words: expected.words().len(),
    };
    assert_eq!(description, whole);
    let answers: Vec<_> = description
        .getters()
        .into_iter()
        .map(|call| host.ask(classifier, call))
        .collect();
    let parameters = description.parameters(&answers);
    assert_eq!(parameters.as_ref(), Some(expected.parameters()));
    assert_eq!(description.parameters(&[[0; 32]; 3]), None);
}

/// Checks that only this release's code is known, byte for byte. Immutables must fit each other.
#[test]
fn known_mechanism_and_known_classifier_know_only_our_code() {
    let mut host = Host::new();
    for mechanism in Mechanism::ALL {
        let (_, code) = host.create(bindings::contract_code(mechanism));
        assert_eq!(bindings::known_mechanism(&code), Some(mechanism));
        assert_eq!(bindings::known_classifier(&code), None);
        assert_eq!(bindings::implementation_of(&code), None);
        assert_eq!(bindings::known_mechanism(&code[..code.len() - 1]), None);
        // Each byte, including those of the immutables.
        for at in 0..code.len() {
            let mut other = code.to_vec();
            other[at] ^= 1;
            assert_eq!(bindings::known_mechanism(&other), None, "byte {at}");
        }
        // At another address it is still the same code.
        let (_, again) = host.create(bindings::contract_code(mechanism));
        // A market has no immutables.
        assert_eq!(again == code, mechanism == Mechanism::PredictionMarket);
        assert_eq!(bindings::known_mechanism(&again), Some(mechanism));
    }
    for kind in Kind::ALL {
        let (_, code) = host.create(bindings::classifier_code(kind));
        assert_eq!(bindings::known_classifier(&code), Some(kind));
        assert_eq!(bindings::known_mechanism(&code), None);
        let mut other = code.to_vec();
        other[code.len() / 2] ^= 1;
        assert_eq!(bindings::known_classifier(&other), None);
    }
    assert_eq!(bindings::known_mechanism(&[]), None);
    assert_eq!(bindings::known_classifier(&[]), None);
}

#[test]
fn implementation_of_finds_that_of_clones_only() {
    let mut host = Host::new();
    let parameters = Parameters::SparseNearestCentroid {
        classes: 2,
        features: 3,
    };
    let created = host.model(&POINTS, &parameters);
    let code = host.code(created.trainer);
    assert_eq!(
        bindings::implementation_of(&code),
        Some(created.trainer_implementation)
    );
    for at in (0..10).chain(30..45) {
        let mut other = code.to_vec();
        other[at] ^= 1;
        assert_eq!(bindings::implementation_of(&other), None, "byte {at}");
    }
    for length in 0..45 {
        assert_eq!(bindings::implementation_of(&code[..length]), None);
    }
}

#[test]
fn register_makes_models_known() {
    let mut host = Host::new();
    let registry = host.registry;
    let parameters = Parameters::SparseNearestCentroid {
        classes: 2,
        features: 3,
    };
    let models = [0, 1].map(|_| host.model(&POINTS, &parameters));
    let [first, second] = models.map(|created| created.trainer);

    let register = |trainer| bindings::register(trainer, b"a card");
    let refused = host.send(OWNER, registry, register(first));
    let not_ready = Revert::ModelNotReady { trainer: first };
    assert_eq!(refused.expect_err("open").revert(), Some(&not_ready));
    for created in &models {
        let close = bindings::close(created.trainer);
        host.send(OWNER, created.classifier, close).expect("closed");
    }
    let refused = host.send(STRANGER, registry, register(first));
    let not_owner = Revert::Contract(ContractError::NotOwner {
        caller: STRANGER,
        owner: OWNER,
    });
    assert_eq!(refused.expect_err("strange").revert(), Some(&not_owner));

    assert_eq!(known(&mut host, 0, 9), []);
    let mut entries = Vec::new();
    for trainer in [first, second] {
        let receipt = host
            .send(OWNER, registry, register(trainer))
            .expect("known");
        let [log] = receipt.logs.as_slice() else {
            panic!("{receipt:?}")
        };
        assert_eq!(log.topics()[0], events::REGISTERED_TOPIC);
        let expected = Registered {
            trainer,
            owner: OWNER,
            card: Bytes::from_static(b"a card"),
        };
        assert_eq!(events::registered(log), Some(expected));
        assert_eq!(events::model_created(log), None);

        let answer = host.ask(registry, bindings::registry_entry(trainer));
        let entry = bindings::read_registry_entry(&answer).flatten();
        entries.push(entry.expect("an entry"));
    }
    assert_eq!([entries[0].trainer, entries[1].trainer], [first, second]);
    // Each transaction is a block of its own.
    assert_eq!(entries[0].card_block + 1, entries[1].card_block);
    assert_eq!(known(&mut host, 0, 9), entries);
    assert_eq!(known(&mut host, 1, 1), entries[1..]);
    assert_eq!(known(&mut host, 2, 1), []);
    assert_eq!(
        host.number(registry, bindings::registry_count()),
        U256::from(2)
    );
    let answer = host.ask(registry, bindings::registry_entry(STRANGER));
    assert_eq!(bindings::read_registry_entry(&answer), Some(None));
}

fn known(host: &mut Host, offset: u64, count: u64) -> Vec<Entry> {
    let call = bindings::registry_entries(offset, count);
    let answer = host.ask(host.registry, call);
    bindings::read_registry_entries(&answer).expect("entries")
}
