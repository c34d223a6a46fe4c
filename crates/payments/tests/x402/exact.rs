//! Payments by `exact`, and the evidence that ends their settlement.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::SolEvent;
use cotrain_payments::x402::{
    Decimal, Json, Reason,
    abi::Erc3009::{AuthorizationCanceled, AuthorizationUsed, Transfer},
    batch::{Limits, PayerChannel, payload::BatchPayload},
    exact::{
        self, ExactPayload, PayerState, Payment,
        evidence::{Evidence, Failure, Settlement},
    },
    wire::{PaymentPayload, PaymentRequirements},
};
use cotrain_protocol::signature::Key;

use crate::common::{NOW, PAYER, deployment, payer, required, signer, terms, token};

const NONCE: B256 = B256::repeat_byte(9);

fn offer() -> PaymentRequirements {
    exact::offer(&token(), 1000, terms(1).receiver, 60)
}

/// Returns the payload of a signed payment for an offer.
fn signed(offer: &PaymentRequirements) -> PaymentPayload<ExactPayload> {
    let key = payer();
    let payment = exact::sign(
        &required(offer.clone()),
        offer,
        PAYER,
        NONCE,
        NOW,
        signer(&key),
    );
    payment.expect("a payment")
}

/// Returns a payment as a receiver reads it.
fn received<P: serde::Serialize>(payment: &PaymentPayload<P>) -> PaymentPayload {
    let text = serde_json::to_vec(payment).expect("JSON");
    serde_json::from_slice(&text).expect("a payment")
}

/// Returns the payment with changed terms, signed anew by the payer.
fn resigned(change: impl FnOnce(&mut ExactPayload)) -> PaymentPayload {
    let mut payment = signed(&offer());
    change(&mut payment.payload);
    let hash = token().transfer_hash(&payment.payload.authorization);
    payment.payload.signature = payer().sign(hash).into();
    received(&payment)
}

fn verified() -> Payment {
    let payment = received(&signed(&offer()));
    exact::verify(&payment, &offer(), NOW).expect("a payment")
}

#[test]
fn verify_takes_what_sign_made_within_its_time() {
    let payment = received(&signed(&offer()));
    let verify = |now| exact::verify(&payment, &offer(), now).map(drop);
    assert_eq!(verify(NOW), Ok(()));
    assert_eq!(verify(NOW + 60 - exact::MARGIN), Ok(()));
    let late = verify(NOW + 61 - exact::MARGIN);
    assert_eq!(late, Err(Reason::ExactValidBefore));
    assert_eq!(verify(0), Err(Reason::ExactValidAfter));
}

#[test]
fn verify_refuses_other_terms() {
    let verify = |payment| exact::verify(&payment, &offer(), NOW).map(drop);
    let other = Address::repeat_byte(1);
    assert_eq!(
        verify(resigned(|it| it.authorization.to = other)),
        Err(Reason::ExactRecipientMismatch)
    );
    for value in [999_u64, 1001] {
        let payment = resigned(|it| it.authorization.value = value.into());
        assert_eq!(verify(payment), Err(Reason::ExactValueMismatch));
    }
    let early = resigned(|it| it.authorization.valid_after = NOW.into());
    assert_eq!(verify(early), Err(Reason::ExactValidAfter));
    // With bit 47 in both, OpenZeppelin's token reads numbers of blocks.
    let blocks = resigned(|it| {
        it.authorization.valid_after = (1_u64 << 47).into();
        it.authorization.valid_before = ((1_u64 << 47) + 10).into();
    });
    assert_eq!(verify(blocks), Err(Reason::ExactValidAfter));
    let foreign = resigned(|it| it.authorization.from = other);
    assert_eq!(verify(foreign), Err(Reason::ExactSignature));

    let mut changed = signed(&offer());
    changed.payload.authorization.nonce = B256::ZERO;
    assert_eq!(verify(received(&changed)), Err(Reason::ExactSignature));
    let mut short = signed(&offer());
    short.payload.signature = Bytes::from(short.payload.signature[..64].to_vec());
    assert_eq!(verify(received(&short)), Err(Reason::ExactSignature));
}

#[test]
fn verify_refuses_other_offers() {
    let payment = received(&signed(&offer()));
    let verify = |change: fn(&mut PaymentRequirements)| {
        let mut offer = offer();
        change(&mut offer);
        exact::verify(&payment, &offer, NOW).map(drop)
    };
    assert_eq!(
        verify(|it| it.scheme = "upto".to_owned()),
        Err(Reason::ExactScheme)
    );
    let network = verify(|it| it.network = "eip155:1".to_owned());
    assert_eq!(network, Err(Reason::ExactNetworkMismatch));
    let amount = verify(|it| it.amount = 1001_u64.into());
    assert_eq!(amount, Err(Reason::InvalidPaymentRequirements));
    let name = verify(|it| it.extra.set("name", "Other".into()));
    assert_eq!(name, Err(Reason::InvalidPaymentRequirements));
    let time = verify(|it| it.max_timeout_seconds = 61);
    assert_eq!(time, Err(Reason::InvalidPaymentRequirements));
    assert_eq!(verify(|it| it.pay_to.make_ascii_lowercase()), Ok(()));

    let mut old = payment.clone();
    old.x402_version = 1;
    assert_eq!(
        exact::verify(&old, &offer(), NOW),
        Err(Reason::InvalidVersion)
    );
    let mut malformed = payment.clone();
    malformed.payload = Json::Null;
    assert_eq!(
        exact::verify(&malformed, &offer(), NOW),
        Err(Reason::InvalidPayload)
    );
}

#[test]
fn sign_refuses_offers_that_lack_a_value() {
    let key = Key::new(B256::with_last_byte(5)).expect("a key");
    let sign = |change: fn(&mut PaymentRequirements)| {
        let mut offer = offer();
        change(&mut offer);
        let required = required(offer.clone());
        exact::sign(&required, &offer, PAYER, NONCE, NOW, signer(&key)).map(drop)
    };
    assert!(sign(|it| it.asset = "USD".to_owned()).is_err());
    assert!(sign(|it| it.extra = Json::Null).is_err());
    assert!(sign(|it| it.extra.set("assetTransferMethod", "permit2".into())).is_err());
    assert!(sign(|it| it.network = "solana:x".to_owned()).is_err());
    assert!(sign(|it| it.pay_to = "merchant".to_owned()).is_err());
    assert!(sign(|_| ()).is_ok());
}

#[test]
fn sign_ends_its_authorization_whatever_time_the_server_asks_for() {
    let mut endless = offer();
    endless.max_timeout_seconds = u64::MAX;
    let end = Decimal::from(NOW + exact::MAX_VALIDITY);
    assert_eq!(signed(&endless).payload.authorization.valid_before, end);

    let mut endless = terms(10);
    endless.max_timeout = u64::MAX;
    let mut channel = PayerChannel::open(&deployment(), &endless, PAYER, NONCE, 0, 0);
    let limits = Limits {
        request: 10,
        total: 10,
        deposits: 100,
    };
    let key = payer();
    let offer = endless.offer();
    let paid = channel.pay(&deployment(), &offer, &limits, NONCE, NOW, signer(&key));
    let BatchPayload::Deposit(payload) = paid.expect("a payment") else {
        panic!("expected a deposit");
    };
    let transfer = payload.transfer(&deployment()).expect("a transfer");
    assert_eq!(transfer.valid_before, end);
}

#[test]
fn payment_needs_funds_and_an_unused_nonce() {
    let payment = verified();
    let check = |balance: u64, nonce_used| {
        let balance = U256::from(balance);
        payment.check(PayerState {
            balance,
            nonce_used,
        })
    };
    assert_eq!(check(1000, false), Ok(()));
    assert_eq!(check(999, false), Err(Reason::ExactInsufficientBalance));
    assert_eq!(check(1000, true), Err(Reason::ExactNonceUsed));
    assert_eq!(payment.key(), (PAYER, token().address, NONCE));
}

/// Returns a log of the token.
fn log(event: &impl SolEvent) -> Log {
    Log {
        address: token().address,
        data: event.encode_log_data(),
    }
}

fn used(nonce: B256) -> Log {
    log(&AuthorizationUsed {
        authorizer: PAYER,
        nonce,
    })
}

fn moved(to: Address, value: u64) -> Log {
    log(&Transfer {
        from: PAYER,
        to,
        value: U256::from(value),
    })
}

fn judged(logs: &[Log]) -> Settlement {
    let hash = B256::repeat_byte(1);
    verified().judge(Evidence::Transaction { hash, logs })
}

#[test]
fn judge_settles_by_the_transfer_after_the_nonce() {
    let receiver = terms(1).receiver;
    let settled = Settlement::Settled {
        transaction: B256::repeat_byte(1),
    };
    let ours = [used(NONCE), moved(receiver, 1000)];
    assert_eq!(judged(&ours), settled);
    let mut foreign = ours[0].clone();
    foreign.address = Address::repeat_byte(1);
    let between = [
        foreign.clone(),
        ours[0].clone(),
        foreign.clone(),
        ours[1].clone(),
    ];
    assert_eq!(judged(&between), settled);

    assert_eq!(judged(&[]), Settlement::Unknown);
    assert_eq!(
        judged(&ours[1..]),
        Settlement::Unknown,
        "a transfer without the nonce"
    );
    assert_eq!(judged(&[foreign, ours[1].clone()]), Settlement::Unknown);
    let other = [used(B256::ZERO), moved(receiver, 1000)];
    assert_eq!(judged(&other), Settlement::Unknown);
}

#[test]
fn judge_counts_one_transfer_for_one_nonce() {
    let receiver = terms(1).receiver;
    let elsewhere = Settlement::Failed(Failure::NonceUsedElsewhere);
    // The payer spends the nonce on itself, in one transaction with another payment to us.
    let trick = [
        used(NONCE),
        moved(PAYER, 1000),
        used(B256::ZERO),
        moved(receiver, 1000),
    ];
    assert_eq!(judged(&trick), elsewhere);
    assert_eq!(judged(&[used(NONCE), moved(receiver, 999)]), elsewhere);
    // A token with other events, or in another order, says nothing about where the money went.
    let order = [moved(receiver, 1000), used(NONCE)];
    assert_eq!(judged(&order), Settlement::Unknown);
    let third = [used(NONCE), used(B256::ZERO), moved(receiver, 1000)];
    assert_eq!(judged(&third), Settlement::Unknown);
    let canceled = log(&AuthorizationCanceled {
        authorizer: PAYER,
        nonce: NONCE,
    });
    assert_eq!(judged(&[canceled]), Settlement::Failed(Failure::Canceled));
}

#[test]
fn judge_expires_only_at_a_final_block_with_an_unused_nonce() {
    let judge = |time, nonce_used| verified().judge(Evidence::Block { time, nonce_used });
    assert_eq!(judge(NOW + 59, false), Settlement::Unknown);
    assert_eq!(judge(NOW + 60, true), Settlement::Unknown);
    assert_eq!(judge(NOW + 60, false), Settlement::Failed(Failure::Expired));
    assert_eq!(verified().judge(Evidence::Reverted), Settlement::Unknown);
}
