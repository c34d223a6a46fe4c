use alloy_primitives::{Address, hex};

use super::*;
use crate::{
    ledger::{AccountId, Ledger, Purchase, SettlementSeen},
    macaroon::{Identifier, Macaroon},
    price::UnitPrice,
    x402::{Json, Token as X402Token},
};

const HASH: B256 = B256::repeat_byte(1);

fn token() -> X402Token {
    X402Token {
        chain_id: 31_337,
        address: Address::repeat_byte(7),
        name: "Dollar".into(),
        version: "1".into(),
    }
}

fn exact_offer(amount: u128) -> PaymentRequirements {
    exact::offer(&token(), amount, Address::repeat_byte(8), 60)
}

fn channel_offer() -> PaymentRequirements {
    PaymentRequirements {
        scheme: batch::SCHEME.into(),
        ..exact_offer(1)
    }
}

fn macaroon() -> Macaroon {
    let identifier = Identifier {
        payment_hash: HASH,
        token: HASH,
    };
    Macaroon::new(&[1; 32], &identifier)
}

fn offers() -> Offers {
    Offers::new(vec![
        Challenge::L402(l402::Challenge {
            macaroon: macaroon(),
            invoice: "lnbc1".into(),
        }),
        Challenge::X402(exact_offer(5)),
        Challenge::X402(exact_offer(6)),
        Challenge::X402(channel_offer()),
    ])
}

#[test]
fn offers_put_the_channel_first_and_keep_the_order_of_assets() {
    let offers = offers();
    let required = offers.payment_required(Resource::default(), None, Extensions::new());
    let required = required.expect("offers of x402");
    let told: Vec<_> = required
        .accepts
        .iter()
        .map(|it| (it.scheme.as_str(), it.amount.to_u128()))
        .collect();
    let expected = [
        ("batch-settlement", Some(1)),
        ("exact", Some(5)),
        ("exact", Some(6)),
    ];
    assert_eq!(told, expected);
    let headers: Vec<_> = offers.www_authenticate().collect();
    assert_eq!(headers.len(), 1);
    assert!(headers[0].starts_with("L402 version=\"0\""));
    let lightning = Offers::new(vec![offers.0[3].clone()]);
    assert!(!lightning.is_empty());
    let none = lightning.payment_required(Resource::default(), None, Extensions::new());
    assert_eq!(none, None);
}

#[test]
fn offers_find_what_a_payment_chose() {
    let offers = offers();
    let required = offers.payment_required(Resource::default(), None, Extensions::new());
    let required = required.expect("offers of x402");
    let second = PaymentPayload::new(&required, &required.accepts[2], Json::Null);
    assert_eq!(offers.chosen(&second), Ok(&required.accepts[2]));
    let mut cheaper = second.clone();
    cheaper.accepted.amount = 4_u128.into();
    assert!(offers.chosen(&cheaper).is_err());
    let none = Offers::default();
    assert_eq!(
        none.chosen(&second),
        Err(Reason::InvalidPaymentRequirements)
    );
}

#[test]
fn presented_reads_both_schemes_and_no_other() {
    let read = |header: &str| Presented::read(Some(header), None).map(|it| it.proof);
    let bearer = Proof::Bearer(token_hash("secret"));
    assert_eq!(read("Bearer secret"), Ok(Some(bearer.clone())));
    assert_eq!(read("bearer  secret "), Ok(Some(bearer.clone())));
    assert_eq!(bearer.owner(), Owner::Token(token_hash("secret")));
    let credential = l402::Credential::new(macaroon(), [3; 32]);
    let proof = read(&credential.header())
        .expect("readable")
        .expect("a proof");
    assert_eq!(proof.owner(), Owner::Invoice(credential.payment_hash()));
    for other in ["Basic abc", "Bearer", "Bearer ", ""] {
        assert_eq!(read(other), Err(RefusalReason::Scheme), "{other}");
    }
    let malformed = read(&format!("L402 x:{}", hex::encode([3; 32])));
    assert!(matches!(malformed, Err(RefusalReason::L402(_))));
    assert_eq!(Presented::read(None, None), Ok(Presented::default()));
}

#[test]
fn refusal_reason_asks_for_money_only_if_the_caller_may_pay() {
    let refused = |reason: RefusalReason| (reason.status(), reason.retry_after());
    assert_eq!(refused(RefusalReason::Unpaid), (402, None));
    let not_enough = Fault::NotEnough { asked: 2, left: 1 };
    assert_eq!(refused(not_enough.into()), (402, None));
    assert_eq!(refused(RefusalReason::Pending), (503, Some(RETRY)));
    let pending = Reason::SettlementPending;
    assert_eq!(refused(pending.into()), (503, Some(RETRY)));
    assert_eq!(refused(Fault::Running.into()), (503, Some(RETRY)));
    assert_eq!(refused(Fault::OtherBody.into()), (409, None));
    assert_eq!(refused(Fault::Busy.into()), (402, Some(RETRY)));
    // The same payment came twice at once: nobody knows yet how the first ends.
    assert_eq!(refused(Fault::PaymentUsed.into()), (409, None));
    assert_eq!(refused(L402Error::Preimage.into()), (401, None));
    let word = RefusalReason::from(Fault::Busy).word();
    assert_eq!(word, Some(Reason::BatchChannelBusy));
}

#[test]
fn payment_stands_as_its_evidence_says() {
    let account = AccountId(HASH);
    let one = 1.try_into().expect("not zero");
    let price = UnitPrice {
        amount: one,
        units: one,
    };
    let purchase = Purchase {
        account,
        quote: price.quote(5),
        price,
        refund_fee: None,
    };
    let key = PaymentKey::Authorization {
        payer: Address::ZERO,
        token: Token {
            chain: 1,
            address: Address::ZERO,
        },
        nonce: HASH,
    };
    let mut ledger = Ledger::default();
    let opened = ledger.open(account, Owner::Token(HASH)).expect("opened");
    ledger.apply(&opened).expect("applied");
    let sent = ledger.send_payment(key, purchase, 9).expect("sent");
    ledger.apply(&sent).expect("applied");
    let standing = |ledger: &Ledger| ledger.payment(key.id()).expect("sent").standing();
    assert_eq!(standing(&ledger), Standing::Pending);
    // Anyone may still send the same authorization: a second payment would be one too many.
    let reverted = ledger.see_payment(key.id(), SettlementSeen::Reverted);
    let reverted = reverted.expect("evidence").expect("new");
    ledger.apply(&reverted).expect("applied");
    assert_eq!(standing(&ledger), Standing::Pending);
    let mut see = |seen| {
        let entry = ledger.see_payment(key.id(), seen).expect("evidence");
        ledger.apply(&entry.expect("new")).expect("applied");
        standing(&ledger)
    };
    let transaction = HASH;
    let settled = see(SettlementSeen::Transferred { transaction });
    assert_eq!(settled, Standing::Paid);
    assert_eq!(see(SettlementSeen::Removed), Standing::Pending);
    assert_eq!(see(SettlementSeen::Unusable), Standing::Unpaid);
}
