//! Tests commitments to data kept elsewhere, in contributions to the deployed trainer.
//!
//! No learner of this release reads them, so a stand-in describes itself as one that does.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolValue;
use cotrain_bindings::{self as bindings, DescriptionError, Revert, events, state};
use cotrain_chain::{Chain, Transaction};
use cotrain_protocol::{
    classifier::Parameters,
    mechanism::{Mechanism, Terms},
    payload::{Commitment, Payload, PayloadVersion},
    record::Record,
    sample::{Item, encode_batch, parse_batch},
    trainer::SignedBatch,
};

use crate::{
    INCENTIVES, START,
    finding::Host,
    pair::WAITS,
    people::{AUTHORS, Form, OWNER, STRANGER},
};

/// Returns the code of a classifier that answers `describe` with these bytes.
///
/// It predicts class 0 for everything, and accepts all other calls.
fn stand_in(description: &[u8]) -> Vec<u8> {
    /// Length of the code before the description.
    const LENGTH: u8 = 0x3a;
    let (describe, predict) = (bindings::describe(), bindings::predict(&[]));
    let [high, low] = two_bytes(description.len());
    let code = [
        // The selector, and jumps to 0x19 and 0x26.
        &[0x5f, 0x35, 0x60, 0xe0, 0x1c][..],
        &[0x80, 0x63],
        &describe[..4],
        &[0x14, 0x60, 0x19, 0x57, 0x63],
        &predict[..4],
        &[0x14, 0x60, 0x26, 0x57, 0x00],
        // CODECOPY of the description to memory 0, and RETURN.
        &[0x5b, 0x61, high, low, 0x60, LENGTH, 0x5f, 0x39],
        &[0x61, high, low, 0x5f, 0xf3],
        // An offset, the number of samples, and a zero for each.
        &[0x5b, 0x60, 0x20, 0x5f, 0x52],
        &[0x60, 0x24, 0x35, 0x80, 0x60, 0x20, 0x52],
        &[0x60, 0x05, 0x1b, 0x60, 0x40, 0x01, 0x5f, 0xf3],
    ]
    .concat();
    assert_eq!(code.len(), usize::from(LENGTH));
    [&code, description].concat()
}

/// Returns code that creates a contract with this runtime code.
fn creation(runtime: &[u8]) -> Bytes {
    let [high, low] = two_bytes(runtime.len());
    let copy = [0x61, high, low, 0x80, 0x60, 0x0a, 0x5f, 0x39, 0x5f, 0xf3];
    [&copy[..], runtime].concat().into()
}

fn two_bytes(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("short").to_be_bytes()
}

/// A model whose classifier describes itself with a payload version.
struct Fixture {
    host: Host,
    trainer: Address,
    description: Vec<u8>,
}

impl Fixture {
    fn new(version: PayloadVersion) -> Self {
        let mut host = Host::new();
        // The factory creates the classifier first, so the trainer has its second nonce.
        let trainer = host.factory.create(2);
        let description = (
            "stand-in".to_owned(),
            U256::from(version.number()),
            U256::from(2),
            U256::from(1),
            OWNER,
            trainer,
            U256::ZERO,
        );
        let description = (description,).abi_encode_params();
        let (code, _) = host.create(bindings::contract_code(Mechanism::DepositRefundTake));
        let (classifier, _) = host.create(creation(&stand_in(&description)));
        let terms = Terms::Trainer {
            incentive: INCENTIVES[0],
            waits: WAITS,
        };
        // The stand-in needs no parameters, and the factory only passes them on.
        let parameters = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 1,
        };
        let call = bindings::create_model(code, &terms, classifier, &parameters);
        let receipt = host.send(OWNER, host.factory, call).expect("a model");
        let (created, _) = bindings::created_model(&receipt.output).expect("clones");
        assert_eq!(created, trainer);
        for author in AUTHORS.iter() {
            let wei = U256::from(1_u128 << 64);
            host.chain.fund(author.address, wei).expect("money");
        }
        Self {
            host,
            trainer,
            description,
        }
    }

    /// Returns the deposit for `n` contributions now, in wei.
    fn price(&mut self, n: u64) -> U256 {
        let each = self.host.number(self.trainer, state::price(n));
        assert!(!each.is_zero());
        each * U256::from(n)
    }

    /// Refunds the contributions at these positions to their author. Returns the amount of each, in
    /// wei.
    fn refund(&mut self, author: Address, record: &Record, positions: &[u64]) -> Vec<u128> {
        let claims = record.claims(positions);
        let call = bindings::refund(&[claims]);
        let receipt = self
            .host
            .send(author, self.trainer, call)
            .expect("refunded");
        let paid = events::paid(&receipt.logs);
        assert!(paid.iter().all(|paid| paid.to == author));
        let refunded: Vec<_> = paid.iter().map(|paid| paid.position).collect();
        assert_eq!(refunded, positions);
        paid.iter().map(|paid| paid.amount).collect()
    }
}

/// Returns commitments to large data with locations of several lengths.
fn commitments() -> [Commitment; 3] {
    let longest = "x".repeat(600);
    ["", "https://example.org/updates/7", &longest].map(|location| {
        let data = vec![7; 100_000 + location.len()];
        Commitment::to(&data, location).expect("fits")
    })
}

/// Returns a batch of commitments, all of class 0.
fn batch(commitments: &[Commitment]) -> Vec<u8> {
    let payloads: Vec<_> = commitments.iter().map(Commitment::encode).collect();
    let items = payloads.iter().map(|sample| Item { label: 0, sample });
    encode_batch(&items.collect::<Vec<_>>()).expect("fits")
}

/// Checks that the contributions of a record are these commitments.
fn assert_committed(record: &Record, expected: &[Commitment]) {
    let found = record.contributions().iter().map(|contribution| {
        let payload = Payload::decode(PayloadVersion::Commitment, &contribution.sample);
        payload.expect("a commitment")
    });
    let found: Vec<_> = found.collect();
    let expected = expected.iter().cloned().map(Payload::Commitment);
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn contribute_takes_commitments_and_refund_their_proofs() {
    let mut fixture = Fixture::new(PayloadVersion::Commitment);
    let (author, trainer) = (AUTHORS[0].address, fixture.trainer);
    let commitments = commitments();
    let call = bindings::contribute(&batch(&commitments));
    let send = Transaction::call(author, trainer, call).with_value(fixture.price(3));
    let receipt = fixture.host.chain.send(send).expect("accepted");

    let event = events::contributed(&receipt.logs).expect("an event");
    let items = parse_batch(&event.items).expect("a batch");
    let added = [(event.author, items)];
    let record = Record::new(event.first_position, event.deposit, event.time, &added);
    assert_committed(&record, &commitments);
    let root = fixture.host.number(trainer, state::root(0));
    assert_eq!(U256::from_be_bytes(record.root().0), root);

    let due = START + WAITS.refund;
    fixture.host.chain.set_time(due).expect("later");
    assert_eq!(fixture.refund(author, &record, &[0, 2]), [event.deposit; 2]);
    assert_eq!(fixture.refund(author, &record, &[1]), [event.deposit]);
}

#[test]
fn relay_takes_signed_commitments() {
    let mut fixture = Fixture::new(PayloadVersion::Commitment);
    let (author, trainer) = (&AUTHORS[1], fixture.trainer);
    let commitments = commitments();
    let call = bindings::deposit_to(author.address);
    let prepaid = fixture.price(3);
    let deposit = Transaction::call(author.address, trainer, call).with_value(prepaid);
    fixture.host.chain.send(deposit).expect("prepaid");
    let signed = SignedBatch {
        author: author.address,
        relayer: Address::ZERO,
        max_deposit: prepaid.to(),
        fee: 0,
        nonce: 0,
        deadline: START + WAITS.refund,
        items: batch(&commitments),
        signature: Vec::new(),
    };
    let signed = author.sign(fixture.host.chain.chain_id(), trainer, Form::Long, signed);
    let call = bindings::relay(&[signed], 1_000_000);
    let receipt = fixture.host.send(STRANGER, trainer, call).expect("relayed");

    let event = events::relayed(&receipt.logs).expect("an event");
    let added = event.batches.iter().map(|batch| {
        let items = parse_batch(&batch.items).expect("a batch");
        (batch.author, items)
    });
    let added: Vec<_> = added.collect();
    let record = Record::new(event.first_position, event.deposit, event.time, &added);
    assert_committed(&record, &commitments);
    let due = START + WAITS.refund;
    fixture.host.chain.set_time(due).expect("later");
    let refunded = fixture.refund(author.address, &record, &[0, 1, 2]);
    assert_eq!(refunded, [event.deposit; 3]);
}

/// Checks that the registry accepts only versions of learners.
///
/// It decodes the description by the compiler's code, which knows only the versions of this
/// release's learners.
#[test]
fn register_takes_versions_of_learners_only() {
    for version in PayloadVersion::ALL {
        let mut fixture = Fixture::new(version);
        let registry = fixture.host.registry;
        let call = bindings::register(fixture.trainer, b"a card");
        let registered = fixture.host.send(OWNER, registry, call);
        let read = bindings::read_description(&fixture.description);
        if let PayloadVersion::Inline(_) = version {
            assert!(registered.is_ok(), "{version}");
            assert_eq!(read, Err(DescriptionError::NoLearner));
        } else {
            let refused = registered.expect_err("not registered");
            assert_eq!(refused.revert(), Some(&Revert::Unknown(Bytes::new())));
            assert_eq!(read, Err(DescriptionError::Payload(version.number())));
        }
    }
}
