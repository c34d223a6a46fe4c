//! Tests authors that are contracts, to which others may not always push refunds.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_chain::{Chain, Transaction};
use cotrain_protocol::{
    ContractError,
    classifier::Kind,
    record::Record,
    sample::{Item, encode_batch},
};

use crate::{
    DAY, INCENTIVES,
    claiming::Operation,
    pair::{Pair, WAITS},
    people::{OWNER, STRANGER},
};

/// Returns code that creates a contract. While it is created, the contract makes these calls of
/// `to`.
///
/// The first call gets all the money. The contract can do nothing afterwards.
fn creation(to: Address, calls: &[Vec<u8>]) -> Vec<u8> {
    /// Length of the code that copies and sends one call.
    const EACH: usize = 38;
    /// Code that returns the runtime code of a contract which does nothing.
    const END: [u8; 7] = [0x5f, 0x5f, 0x53, 0x60, 0x01, 0x5f, 0xf3];
    let two = |number: usize| u16::try_from(number).expect("short").to_be_bytes();
    let (mut code, mut data) = (Vec::new(), Vec::new());
    for (index, call) in calls.iter().enumerate() {
        let offset = two(calls.len() * EACH + END.len() + data.len());
        let size = two(call.len());
        // CODECOPY of the call to memory 0.
        code.extend([
            0x61, size[0], size[1], 0x61, offset[0], offset[1], 0x5f, 0x39,
        ]);
        // CALL with CALLVALUE or with nothing, and with all gas.
        let value = if index == 0 { 0x34 } else { 0x5f };
        code.extend([0x5f, 0x5f, 0x61, size[0], size[1], 0x5f, value, 0x73]);
        code.extend(to);
        code.extend([0x5a, 0xf1]);
        data.extend(call);
    }
    assert_eq!(code.len(), calls.len() * EACH);
    [code, END.to_vec(), data].concat()
}

impl Pair {
    /// Creates a contract that contributes and then makes other calls of the trainer. Returns its
    /// address.
    fn create_author(&mut self, item: Item<'_>, others: &[Vec<u8>]) -> Address {
        let (now, value) = (self.now(), self.reference.price(1, self.now()));
        let batch = encode_batch(&[item]).expect("short");
        let calls = [&[bindings::contribute(&batch)], others].concat();
        let code = creation(self.model.trainer, &calls);
        let create = Transaction::create(OWNER, code.into()).with_value(U256::from(value));
        let receipt = self.chain.send(create).expect("a contract");
        let author = receipt.created.expect("a contract");
        self.spend(OWNER, value);
        self.reference.note_contract(author);
        self.reference
            .contribute(author, now, value, &batch)
            .expect("accepted");
        let event = events::contributed(&receipt.logs).expect("an event");
        assert_eq!(event.author, author);
        self.remember(Record::new(
            event.first_position,
            event.deposit,
            event.time,
            &[(author, vec![item])],
        ));
        author
    }
}

#[test]
fn refund_is_pushed_only_to_contracts_that_have_acted() {
    let mut pair = Pair::found(Kind::SparsePerceptron, INCENTIVES[0], WAITS, 1);
    pair.pass(DAY);
    let label = pair.reference.classifier().predict(&[]).expect("a sample");
    let item = Item { label, sample: &[] };
    let silent = pair.create_author(item, &[]);
    let acting = pair.create_author(item, &[bindings::cancel_nonces(0)]);
    pair.reference.cancel_nonces(acting, 0);
    pair.pass(WAITS.refund);
    let claims: Vec<_> = pair
        .records
        .iter()
        .map(|record| record.claims(&[record.first_position()]))
        .collect();
    let deposit = claims[1].contributions[0].deposit;
    let (nothing, silents) = (ContractError::NothingLeft { position: 1 }, &claims[..1]);
    pair.send_claims(Operation::Refund, STRANGER, &claims);
    pair.compare();
    assert_eq!(
        (
            pair.reference.balance(silent),
            pair.reference.balance(acting)
        ),
        (0, deposit)
    );
    // A call with nothing else fails with that reason.
    let refund = bindings::refund(silents);
    let sent = pair.send(STRANGER, 0, refund);
    let reason = ContractError::AuthorIsContract { author: silent };
    pair.refused(&sent, &Revert::Contract(reason.clone()));
    let now = pair.now();
    assert_eq!(pair.reference.refund(STRANGER, now, silents), Err(reason));
    assert_eq!(
        pair.reference.refund(STRANGER, now, &claims[1..]),
        Err(nothing)
    );
}
