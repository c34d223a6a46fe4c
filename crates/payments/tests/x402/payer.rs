//! The payer's rules: what it chooses, signs and believes.

use std::cell::Cell;

use alloy_primitives::{Address, B256};
use cotrain_payments::x402::{
    Json,
    batch::{self, Limits, PayError, PayerChannel, payload::BatchPayload},
    exact,
    payer::{Asset, ChooseError, choose},
    wire::{PaymentRequirements, SettlementResponse},
};
use cotrain_protocol::signature::Key;
use proptest::prelude::*;

use crate::common::{
    CHAIN, NOW, PAYER, chain, deployment, facts, pair, pay, payer, required, signer, terms, token,
    unlimited,
};

fn asset() -> Asset {
    Asset {
        chain_id: CHAIN,
        token: token().address,
        max_payment: 1000,
    }
}

#[test]
fn choose_takes_the_first_offer_within_the_limits() {
    let mut required = required(exact::offer(&token(), 1001, terms(1).receiver, 60));
    let assets = [asset()];
    let schemes = [exact::SCHEME, batch::SCHEME];
    let left = Cell::new(u128::MAX);
    let chosen = |required: &_, schemes: &[&str]| {
        choose(required, schemes, &assets, |_| left.get()).map(|it| it.scheme.clone())
    };
    let above = ChooseError::AboveLimit {
        price: 1001,
        limit: 1000,
    };
    assert_eq!(chosen(&required, &schemes), Err(above));
    required.accepts.push(terms(10).offer());
    required
        .accepts
        .push(exact::offer(&token(), 5, terms(1).receiver, 60));
    assert_eq!(chosen(&required, &schemes), Ok(batch::SCHEME.to_owned()));
    assert_eq!(
        chosen(&required, &[exact::SCHEME]),
        Ok(exact::SCHEME.to_owned())
    );
    left.set(9);
    assert_eq!(chosen(&required, &schemes), Ok(exact::SCHEME.to_owned()));
    left.set(4);
    let above = ChooseError::AboveLimit { price: 5, limit: 4 };
    assert_eq!(chosen(&required, &schemes), Err(above));
    assert_eq!(
        chosen(&required, &["upto"]),
        Err(ChooseError::NoneAllowed(3))
    );
}

#[test]
fn choose_skips_assets_that_the_payer_does_not_allow() {
    let check = |change: fn(&mut PaymentRequirements)| {
        let mut offer = terms(10).offer();
        change(&mut offer);
        let assets = [asset()];
        choose(&required(offer), &[batch::SCHEME], &assets, |_| 1000).is_ok()
    };
    assert!(check(|_| ()));
    assert!(!check(|it| it.network = "eip155:1".to_owned()));
    assert!(!check(|it| it.asset = Address::ZERO.to_string()));
    assert!(!check(|it| it.extra = Json::Null));
    assert!(!check(|it| it.extra.set("withdrawDelay", 10_u64.into())));
}

fn try_pay(
    channel: &mut PayerChannel,
    amount: u128,
    limits: &Limits,
) -> Result<BatchPayload, PayError<()>> {
    let key = payer();
    let sign = |hash| Ok(key.sign(hash));
    let offer = terms(amount).offer();
    channel.pay(&deployment(), &offer, limits, B256::ZERO, NOW, sign)
}

#[test]
fn pay_signs_nothing_above_a_limit() {
    let limits = Limits {
        request: 10,
        total: 25,
        deposits: 30,
    };
    let (mut channel, _) = pair(100);
    let price = PayError::Price {
        price: 11,
        limit: 10,
    };
    assert_eq!(try_pay(&mut channel, 11, &limits), Err(price));
    assert!(try_pay(&mut channel, 10, &limits).is_ok());
    // The server says that it charged nothing, so that the total stays.
    assert!(try_pay(&mut channel, 10, &limits).is_ok());
    assert_eq!(channel.promised(), 10);

    let (mut poor, _) = pair(0);
    let Ok(BatchPayload::Deposit(deposit)) = try_pay(&mut poor, 10, &limits) else {
        panic!("expected a deposit");
    };
    assert_eq!(
        deposit.deposit.amount,
        30_u64.into(),
        "5 requests, within the limit"
    );
    // The answer is lost, and so may be the deposit: another one would exceed the limit.
    let error = PayError::Deposit {
        needed: 10,
        left: 0,
    };
    assert_eq!(try_pay(&mut poor, 10, &limits), Err(error));
    poor.mirror(30);
    assert!(try_pay(&mut poor, 10, &limits).is_ok());
    let small = Limits {
        deposits: 9,
        ..limits
    };
    let error = PayError::Deposit {
        needed: 10,
        left: 9,
    };
    let (mut poor, _) = pair(0);
    assert_eq!(try_pay(&mut poor, 10, &small), Err(error));
    assert_eq!(poor.promised(), 0);
}

#[test]
fn pay_deposits_what_the_server_suggests_within_the_limit() {
    let pay = |hint| {
        let mut terms = terms(10);
        terms.min_deposit = hint;
        let (mut channel, _) = pair(0);
        let key = payer();
        let limits = Limits {
            deposits: 70,
            ..unlimited()
        };
        let payload = channel.pay(
            &deployment(),
            &terms.offer(),
            &limits,
            B256::ZERO,
            NOW,
            signer(&key),
        );
        let Ok(BatchPayload::Deposit(payload)) = payload else {
            panic!("expected a deposit");
        };
        payload.deposit.amount.to_u128().expect("an amount")
    };
    assert_eq!(pay(None), 50);
    assert_eq!(pay(Some(60)), 60);
    assert_eq!(pay(Some(1_000_000)), 70);
    assert_eq!(pay(Some(9)), 50, "a hint below the price is none");
}

#[test]
fn pay_refuses_another_receiver() {
    let (mut channel, _) = pair(100);
    let mut offer = terms(1).offer();
    offer.pay_to = Address::repeat_byte(1).to_string();
    let key = payer();
    let paid = channel.pay(
        &deployment(),
        &offer,
        &unlimited(),
        B256::ZERO,
        NOW,
        signer(&key),
    );
    assert_eq!(paid, Err(PayError::OtherChannel));
}

fn answer(charged: &str, total: Option<&str>) -> SettlementResponse {
    let mut extra = Json::object([("chargedAmount", Json::from(charged))]);
    if let Some(total) = total {
        let state = Json::object([("chargedCumulativeAmount", Json::from(total))]);
        extra.set("channelState", state);
    }
    SettlementResponse {
        success: true,
        extra: Some(extra),
        ..SettlementResponse::default()
    }
}

#[test]
fn answered_believes_no_charge_above_the_price() {
    let (mut channel, _) = pair(100);
    let payload = pay(&mut channel, 10);
    let mut count = |charged, total| channel.answered(&answer(charged, total), 10, &payload);
    assert!(count("11", None).is_err());
    assert!(count("7", Some("8")).is_err());
    assert!(count("-1", None).is_err());
    assert_eq!(count("7", Some("7")), Ok(7));
    assert_eq!(count("3", None), Ok(3));
    assert_eq!(channel.charged(), 10);
}

#[test]
fn correct_believes_only_the_payers_own_voucher() {
    let stranger = Key::new(B256::with_last_byte(9)).expect("a key");
    let correct = |signer: &Key, total: u128, said: &str, claimed| {
        let (mut channel, _) = pair(100);
        let signature = signer.sign(deployment().voucher_hash(channel.id(), total));
        let signature = alloy_primitives::Bytes::from(signature).to_string();
        let mut offer = terms(10).offer();
        let state = Json::object([("chargedCumulativeAmount", Json::from(said))]);
        offer.extra.set("channelState", state);
        let voucher = [
            ("signedMaxClaimable", Json::from(total.to_string())),
            ("signature", signature.into()),
        ];
        offer.extra.set("voucherState", Json::object(voucher));
        let corrected = channel.correct(&deployment(), &offer, 100, claimed);
        (corrected, channel.charged())
    };
    assert_eq!(correct(&payer(), 40, "30", 0), (true, 30));
    assert_eq!(
        correct(&payer(), 40, "41", 0),
        (false, 0),
        "above the voucher"
    );
    assert_eq!(
        correct(&payer(), 40, "30", 31),
        (false, 0),
        "below what is claimed"
    );
    assert_eq!(correct(&stranger, 40, "30", 0), (false, 0), "forged");
    let (mut channel, _) = pair(100);
    assert!(channel.correct(&deployment(), &terms(10).offer(), 100, 20));
    assert_eq!(channel.charged(), 20, "the chain's total, without a proof");
}

/// Behavior of a server towards a payer.
#[derive(Debug, Clone)]
enum Served {
    /// It charges this part of 255 of the price.
    Charges(u8),
    /// It answers nothing that counts.
    Fails,
    /// It says any charge and total.
    Lies(u8, u8),
    /// It corrects by the largest voucher, saying any total.
    Corrects(u8),
}

fn served() -> impl Strategy<Value = Served> {
    prop_oneof![
        any::<u8>().prop_map(Served::Charges),
        Just(Served::Fails),
        any::<(u8, u8)>().prop_map(|(charged, total)| Served::Lies(charged, total)),
        any::<u8>().prop_map(Served::Corrects),
    ]
}

proptest! {
    #[test]
    fn payer_channel_never_promises_more_than_its_limit(
        story in proptest::collection::vec((1..50_u128, served()), 1..40),
        total in 0..300_u128,
    ) {
        let (mut payer_side, _) = pair(1000);
        let limits = Limits { request: 40, total, deposits: 0 };
        let mut largest = None;
        for (price, served) in story {
            let Ok(payload) = try_pay(&mut payer_side, price, &limits) else {
                continue;
            };
            let (_, voucher) = payload.channel().expect("a channel");
            let promised = voucher.max_claimable_amount.to_u128().expect("an amount");
            prop_assert!(price <= 40 && promised <= total);
            if largest.as_ref().is_none_or(|(most, _)| promised > *most) {
                largest = Some((promised, voucher.signature.clone()));
            }
            match served {
                Served::Fails => {}
                Served::Charges(part) => {
                    let charged = price * u128::from(part) / 255;
                    let counted = payer_side.answered(&answer(&charged.to_string(), None), price, &payload);
                    prop_assert_eq!(counted, Ok(charged));
                }
                Served::Lies(charged, said) => {
                    let lie = answer(&charged.to_string(), Some(&said.to_string()));
                    let _ = payer_side.answered(&lie, price, &payload);
                }
                Served::Corrects(said) => {
                    let (most, signature) = largest.clone().expect("a voucher");
                    let mut offer = terms(price).offer();
                    let state = [("chargedCumulativeAmount", Json::from(said.to_string()))];
                    offer.extra.set("channelState", Json::object(state));
                    let voucher = [
                        ("signedMaxClaimable", Json::from(most.to_string())),
                        ("signature", signature.to_string().into()),
                    ];
                    offer.extra.set("voucherState", Json::object(voucher));
                    payer_side.correct(&deployment(), &offer, 1000, 0);
                }
            }
            prop_assert!(payer_side.charged() <= payer_side.promised());
            prop_assert!(payer_side.promised() <= total);
        }
    }
}

#[test]
fn pay_satisfies_the_receivers_rules() {
    let (mut payer_side, mut channel) = pair(100);
    for price in [10, 1, 30] {
        let payload = pay(&mut payer_side, price);
        let reserved = channel.reserve(&deployment(), &terms(price), &payload, &facts(NOW));
        let reservation = reserved.expect("a reservation");
        channel.commit(&reservation, price, NOW).expect("charged");
        let receipt = channel.receipt(CHAIN, Some(price), None);
        assert_eq!(payer_side.answered(&receipt, price, &payload), Ok(price));
    }
    assert_eq!((channel.charged(), payer_side.charged()), (41, 41));
    // A payer that lost its state begins at the chain's total, and is corrected.
    let mut fresh = PayerChannel::open(&deployment(), &terms(1), PAYER, B256::ZERO, 100, 0);
    let payload = pay(&mut fresh, 1);
    let refusal = channel.reserve(&deployment(), &terms(1), &payload, &facts(NOW));
    let Err(batch::Refusal::Mismatch(corrective)) = refusal else {
        panic!("expected a correction");
    };
    let mut offer = terms(1).offer();
    corrective.enrich(&mut offer);
    assert!(fresh.correct(&deployment(), &offer, 100, 0));
    let payload = pay(&mut fresh, 1);
    assert!(
        channel
            .reserve(&deployment(), &terms(1), &payload, &facts(NOW))
            .is_ok()
    );
    assert_eq!(chain(100, 0, NOW), *channel.chain());
}
