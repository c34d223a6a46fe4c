//! Tests reports that a keeper sends for reporters who have signed a delegation.

use std::slice;

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_protocol::{
    ContractError,
    trainer::{Delegation, Settled, Status, domain},
};

use crate::{
    signing::Signer,
    support::address,
    world::{CHAIN_ID, World, bob, cid},
};

fn unsigned(reporter: Address) -> Delegation {
    Delegation {
        reporter,
        keeper: bob(),
        until: 1 << 39,
        signature: vec![],
    }
}

#[test]
fn signing_hash_of_a_delegation_is_that_of_eip_712() {
    let word = |number: u64| B256::from(U256::from(number));
    let domain_words = [
        keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        ),
        keccak256("cotrain"),
        keccak256("1"),
        word(CHAIN_ID),
        address(2).into_word(),
    ];
    let words = [
        keccak256("Delegation(address reporter,address keeper,uint40 until)"),
        address(7).into_word(),
        bob().into_word(),
        word(1 << 39),
    ];
    let hashes = [keccak256(domain_words.concat()), keccak256(words.concat())];
    let expected = keccak256([&[0x19, 0x01], hashes.concat().as_slice()].concat());
    let domain = domain(CHAIN_ID, address(2));
    assert_eq!(unsigned(address(7)).signing_hash(&domain), expected);
    // A time that no contract can store.
    let longest = Delegation {
        until: (1 << 40) - 1,
        ..unsigned(address(7))
    };
    let longer = Delegation {
        until: 1 << 40,
        ..longest.clone()
    };
    assert_eq!(longer.signing_hash(&domain), longest.signing_hash(&domain));
}

#[test]
fn signer_depends_on_each_field_of_a_delegation_chain_and_trainer() {
    let key = Signer::new(1);
    let signed = key.delegate(CHAIN_ID, address(2), &unsigned(key.address()));
    let reporter = Some(key.address());
    assert_eq!(signed.signer(&domain(CHAIN_ID, address(2))), reporter);
    assert_ne!(signed.signer(&domain(CHAIN_ID + 1, address(2))), reporter);
    assert_ne!(signed.signer(&domain(CHAIN_ID, address(3))), reporter);
    let changes: [fn(&mut Delegation); 3] = [
        |delegation| delegation.reporter = address(1),
        |delegation| delegation.keeper = address(1),
        |delegation| delegation.until -= 1,
    ];
    for change in changes {
        let mut other = signed.clone();
        change(&mut other);
        assert_ne!(other.signer(&domain(CHAIN_ID, address(2))), reporter);
    }
}

#[test]
fn report_for_needs_the_reporters_own_signature_in_time() {
    let mut world = World::new();
    let key = Signer::new(1);
    let reporter = key.address();
    world.make_good(reporter, 1);
    let claim = world.bad();
    let claims = slice::from_ref(&claim);
    let now = world.now;
    let sign = |change: fn(&mut Delegation)| {
        let mut delegation = unsigned(reporter);
        change(&mut delegation);
        key.delegate(CHAIN_ID, address(2), &delegation)
    };
    let before = world.trainer.clone();
    let invalid = Err(ContractError::InvalidSignature { author: reporter });
    let mut report = |keeper, now, delegation: &Delegation| {
        let result = world.trainer.report_for(keeper, now, delegation, claims);
        if result.is_err() {
            assert_eq!(world.trainer, before);
        }
        result
    };
    let good = sign(|_| ());
    assert_eq!(report(bob(), now, &unsigned(reporter)), invalid);
    // A delegation to Bob is invalid if Cid sends it, or if it names Cid now.
    assert_eq!(report(cid(), now, &good), invalid);
    let others = Delegation {
        keeper: cid(),
        ..good.clone()
    };
    assert_eq!(report(cid(), now, &others), invalid);
    assert_eq!(report(bob(), now, &others), invalid);
    // A delegation expires after its last second, whether signed or not. In that second the signed
    // one is valid.
    let mut last = unsigned(reporter);
    last.until = now;
    let expired = |delegation: &Delegation| {
        Err(ContractError::Expired {
            deadline: delegation.until,
            now: delegation.until + 1,
        })
    };
    assert_eq!(report(bob(), now + 1, &last), expired(&last));
    let last = key.delegate(CHAIN_ID, address(2), &last);
    assert_eq!(report(bob(), now + 1, &last), expired(&last));
    let settled = Settled {
        paid: 0,
        settled: vec![(1, 60_000)],
        skipped: vec![],
    };
    assert_eq!(report(bob(), now, &last), Ok(settled));
}

#[test]
fn report_for_adds_shares_to_the_reporters_balance() {
    let mut world = World::new();
    let key = Signer::new(1);
    let reporter = key.address();
    world.make_good(reporter, 1);
    world.make_good(cid(), 1);
    let claim = world.bad();
    let position = claim.contributions[0].position;
    let claims = [claim];
    let delegation = key.delegate(CHAIN_ID, address(2), &unsigned(reporter));
    let trainer = &mut world.trainer;
    let held = trainer.held();

    // The balance has no room, so nothing has happened.
    let rest = (1 << 96) - 30_000;
    trainer.deposit_to(reporter, rest).expect("room for it");
    let before = trainer.clone();
    let overflow = Err(ContractError::BalanceOverflow { account: reporter });
    assert_eq!(
        trainer.report_for(bob(), world.now, &delegation, &claims),
        overflow
    );
    assert_eq!(*trainer, before);
    trainer.withdraw(reporter, rest).expect("paid");

    let settled = trainer.report_for(bob(), world.now, &delegation, &claims);
    let expected = Settled {
        paid: 0,
        settled: vec![(position, 30_000)],
        skipped: vec![],
    };
    assert_eq!(settled, Ok(expected));
    assert_eq!(trainer.balance(reporter), 30_000);
    assert_eq!(trainer.balance(bob()), 0);
    assert_eq!(trainer.held(), held);
    assert!(trainer.reported(position, reporter) && !trainer.reported(position, bob()));
    assert_eq!(trainer.settlement(position).status, Status::Reported);
    // The same rules hold as for the reporter: each reports a contribution only once, in either
    // way.
    let again = Err(ContractError::AlreadyReported {
        position,
        caller: reporter,
    });
    let twice = trainer.report_for(bob(), world.now, &delegation, &claims);
    assert_eq!(twice, again);
    assert_eq!(trainer.report(reporter, world.now, &claims), again);
    let none = trainer.report_for(bob(), world.now, &delegation, &[]);
    assert_eq!(none, Err(ContractError::NoClaims));
}
