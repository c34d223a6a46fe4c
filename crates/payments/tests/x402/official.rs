//! Payments that the official client made, and what the official packages accept of ours.
//!
//! `tests/x402/vectors.mjs` writes the vectors with viem and `@x402/evm`, and gives `ours.json` to them.

use alloy_primitives::{B256, Bytes, U256, b256};
use cotrain_payments::x402::{
    Json, Reason,
    batch::{
        self, Channel, ChannelConfig, ClaimEntry, PayerChannel, Terms, calls, payload::BatchPayload,
    },
    exact,
    extensions::{
        BAZAAR, Endpoint, PAYMENT_IDENTIFIER, add_identifier, describe, identifier,
        offer_identifier,
    },
    header,
    wire::{PaymentPayload, PaymentRequirements},
};
use serde_json::{Value, json};

use crate::common::{
    CHAIN, NOW, PAYER, chain, deployment, facts, payer, required, signer, terms, token,
};

const ID: &str = "pay_7d5d747be160e280504c099d984bcfe0";

fn file(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn vectors() -> Value {
    file(include_str!("../../../../tests/x402/vectors.json"))
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("a value of the type")
}

/// Returns the payment of a header, and the offer that it accepts.
fn payment(vector: &Value) -> (PaymentPayload, PaymentRequirements) {
    let value = vector["header"].as_str().expect("a header");
    let json = header::decode(value).expect("base64");
    let payment = serde_json::from_slice(&json).expect("a payment");
    (payment, read(&vector["offer"]))
}

/// Returns JSON with all hex strings in lower case: checksums of addresses differ otherwise.
fn lower(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("0x") => text.make_ascii_lowercase(),
        Value::Array(values) => values.iter_mut().for_each(lower),
        Value::Object(values) => values.values_mut().for_each(lower),
        _ => {}
    }
}

fn assert_same(ours: impl serde::Serialize, theirs: &Value) {
    let mut ours = serde_json::to_value(ours).expect("JSON");
    let mut theirs = theirs.clone();
    lower(&mut ours);
    lower(&mut theirs);
    assert_eq!(ours, theirs);
}

#[test]
fn deployment_has_the_golden_hashes() {
    let deployment = deployment();
    let config = ChannelConfig {
        payer: PAYER,
        payer_authorizer: PAYER,
        receiver: terms(1).receiver,
        receiver_authorizer: terms(1).receiver_authorizer,
        token: token().address,
        withdraw_delay: 900,
        salt: B256::ZERO,
    };
    let id = deployment.channel_id(&config);
    let claim = ClaimEntry {
        channelId: id,
        maxClaimableAmount: 7,
        totalClaimed: 7,
    };
    let hashes = [
        deployment.separator(),
        id,
        deployment.voucher_hash(id, 7),
        deployment.refund_hash(id, U256::ZERO, 5),
        deployment.claims_hash(vec![claim]),
    ];
    let golden = [
        b256!("0xbf720f8d28a5c76a2f7743512598984fa4b90dd1efdb19af73f64cc6587d68af"),
        b256!("0x5799a4bdc936d9df5ef9f14b674f7a79ca22f7db2287f707b220311ee3d08e25"),
        b256!("0xbec75c03f28b1ecdebeb7cb113ed6c7cb2e6225944249bbe9f264071566ce9cc"),
        b256!("0xbe60a1f3f7dbbf8d42de89140f173413dbf168ed9497b0c0029274e6f2d52ad0"),
        b256!("0xcb79ee67a22e1b33ae6cbc311e287783db234258ae135adf3deb861aa93c806d"),
    ];
    assert_eq!(hashes, golden);
}

#[test]
fn deployment_hashes_as_viem() {
    let deployment = deployment();
    let vectors = vectors();
    let digests = vectors["digests"].as_array().expect("digests");
    assert_eq!(digests.len(), 4);
    for vector in digests {
        let config: ChannelConfig = read(&vector["config"]);
        let number: u128 = vector["number"]
            .as_str()
            .expect("text")
            .parse()
            .expect("a number");
        let id = deployment.channel_id(&config);
        assert_eq!(id, read::<B256>(&vector["channelId"]));
        assert_eq!(
            deployment.voucher_hash(id, number),
            read::<B256>(&vector["voucher"])
        );
        let refund = deployment.refund_hash(id, U256::from(number), number);
        assert_eq!(refund, read::<B256>(&vector["refund"]));
        let rows = [(number, number), (u128::MAX, 1)].map(|(max, total)| ClaimEntry {
            channelId: id,
            maxClaimableAmount: max,
            totalClaimed: total,
        });
        let rows = rows.into_iter().take(read(&vector["rows"])).collect();
        assert_eq!(
            deployment.claims_hash(rows),
            read::<B256>(&vector["claims"])
        );
    }
}

#[test]
fn exact_verifies_what_the_official_client_signed() {
    let vectors = vectors();
    let (payment, offer) = payment(&vectors["exact"]);
    let verified = exact::verify(&payment, &offer, NOW).expect("a payment");
    assert_eq!(verified.authorization.from, PAYER);
    assert_eq!(verified.call(), read::<Bytes>(&vectors["exact"]["call"]));
    assert_eq!(identifier(&payment.extensions, true), Ok(Some(ID)));
    assert_eq!(
        exact::verify(&payment, &offer, NOW + 55),
        Err(Reason::ExactValidBefore)
    );
}

#[test]
fn exact_signs_what_the_official_client_signs() {
    let vectors = vectors();
    let theirs = &vectors["exact"]["payment"];
    let offer = exact::offer(&token(), 1000, terms(1).receiver, 60);
    assert_same(&offer, &vectors["exact"]["offer"]);
    let mut required = required(offer.clone());
    let offered: Json = read(&vectors["identifier"]);
    required
        .extensions
        .insert(PAYMENT_IDENTIFIER.to_owned(), offered);
    let nonce = read(&theirs["payload"]["authorization"]["nonce"]);
    let key = payer();
    let signed = exact::sign(&required, &offer, PAYER, nonce, NOW, signer(&key));
    let mut signed = signed.expect("a payment");
    add_identifier(&mut signed.extensions, ID);
    assert_same(&signed, theirs);
}

/// Returns the receiver's channel before anything was paid.
fn channel(payment: &PaymentPayload, balance: u128) -> (Channel, BatchPayload) {
    let payload: BatchPayload = payment.payload.read().expect("a payload of the scheme");
    let (config, _) = payload.channel().expect("a channel");
    let state = chain(balance, 0, NOW);
    (Channel::open(&deployment(), config.clone(), state), payload)
}

#[test]
fn channel_takes_the_official_clients_deposit_voucher_and_refund() {
    let vectors = vectors();
    let (first, offer) = payment(&vectors["deposit"]);
    first.check_accepts(&offer).expect("our offer");
    let terms = Terms::of(&offer).expect("terms");
    let (mut channel, deposit) = channel(&first, 0);
    let mut facts = facts(NOW);
    facts.chain = Some(channel.chain().clone());
    let reservation = channel.reserve(&deployment(), &terms, &deposit, &facts);
    let reservation = reservation.expect("a reservation");
    let unfunded = channel.clone().commit(&reservation, 700, NOW);
    assert!(matches!(
        unfunded,
        Err(batch::LockError::Unfunded { balance: 0 })
    ));
    channel.mirror(chain(5000, 0, NOW));
    channel.commit(&reservation, 700, NOW).expect("charged");

    let (second, _) = payment(&vectors["voucher"]);
    let voucher: BatchPayload = second.payload.read().expect("a payload");
    facts.chain = None;
    let reservation = channel.reserve(&deployment(), &terms, &voucher, &facts);
    channel
        .release(&reservation.expect("a reservation"))
        .expect("released");
    assert_eq!(channel.charged(), 700);

    let (third, _) = payment(&vectors["refund"]);
    let refund: BatchPayload = third.payload.read().expect("a payload");
    facts.chain = Some(channel.chain().clone());
    let reservation = channel.reserve(&deployment(), &terms, &refund, &facts);
    let plan = channel.plan_refund(&reservation.expect("a reservation"), None);
    assert_eq!(plan.expect("a plan").amount, 4300);
}

#[test]
fn payer_channel_signs_what_the_official_client_signs() {
    let vectors = vectors();
    let offer = terms(1000).offer();
    assert_same(&offer, &vectors["deposit"]["offer"]);
    let mut ours = PayerChannel::open(&deployment(), &terms(1000), PAYER, B256::ZERO, 0, 0);
    let key = payer();
    let theirs = &vectors["deposit"]["payment"]["payload"];
    let authorization = &theirs["deposit"]["authorization"]["erc3009Authorization"];
    let limits = crate::common::unlimited();
    let salt = read(&authorization["salt"]);
    let deposit = ours.pay(&deployment(), &offer, &limits, salt, NOW, signer(&key));
    let deposit = deposit.expect("a payment");
    assert_same(&deposit, theirs);

    let receipt = read(&file(include_str!("../../../../tests/x402/ours.json"))["receipt"]);
    assert_eq!(ours.answered(&receipt, 1000, &deposit), Ok(700));
    let voucher = ours.pay(&deployment(), &offer, &limits, salt, NOW, signer(&key));
    assert_same(
        voucher.expect("a payment"),
        &vectors["voucher"]["payment"]["payload"],
    );
    let refund = ours.refund(&deployment(), None, signer(&key));
    assert_same(
        refund.expect("a refund"),
        &vectors["refund"]["payment"]["payload"],
    );
}

#[test]
fn payer_channel_is_corrected_as_the_official_client() {
    let vectors = vectors();
    let ours = file(include_str!("../../../../tests/x402/ours.json"));
    let offer: PaymentRequirements = read(&ours["corrective"]["accepts"][0]);
    let mut channel = PayerChannel::open(&deployment(), &terms(1000), PAYER, B256::ZERO, 5000, 0);
    assert!(channel.correct(&deployment(), &offer, 5000, 0));
    assert_eq!((channel.charged(), channel.promised()), (700, 1000));
    let key = payer();
    let limits = crate::common::unlimited();
    let voucher = channel.pay(
        &deployment(),
        &offer,
        &limits,
        B256::ZERO,
        NOW,
        signer(&key),
    );
    assert_same(voucher.expect("a payment"), &vectors["corrected"]);
}

#[test]
fn calls_deposit_with_the_official_clients_signature() {
    let (payment, _) = payment(&vectors()["deposit"]);
    let BatchPayload::Deposit(deposit) = payment.payload.read().expect("a payload") else {
        panic!("expected a deposit");
    };
    let call = calls::deposit(&deployment(), &deposit).expect("a call");
    let authorization = deposit.deposit.authorization.erc3009_authorization;
    let authorization = authorization.expect("an authorization");
    let data = calls::collector_data(&authorization);
    // Three words, the offset and the length of the signature, and its 65 bytes in 96.
    assert_eq!(data.len(), 5 * 32 + 96);
    assert_eq!(data[64..96], authorization.salt[..]);
    assert!(call.windows(data.len()).any(|part| part == &data[..]));
}

/// Returns what our code answers in the story of the vectors. The official packages take it.
fn ours() -> Value {
    let (mut payer, mut channel) = crate::common::pair(0);
    let deposit = crate::common::pay(&mut payer, 1000);
    let mut facts = facts(NOW);
    facts.chain = Some(channel.chain().clone());
    let reservation = channel.reserve(&deployment(), &terms(1000), &deposit, &facts);
    let reservation = reservation.expect("a reservation");
    channel.mirror(chain(5000, 0, NOW));
    channel.commit(&reservation, 700, NOW).expect("charged");
    let transaction = B256::repeat_byte(0x11);
    let receipt = channel.receipt(CHAIN, Some(700), Some((transaction, 5000)));

    let mut corrected = terms(1000).offer();
    channel.corrective().enrich(&mut corrected);
    let mut corrective = required(corrected);
    corrective.error = Some(Reason::BatchCumulativeMismatch);

    let reservation = channel.begin_refund(NOW).expect("a reservation");
    let mut after = chain(700, 700, NOW);
    after.refund_nonce = U256::ONE;
    channel.refunded(&reservation, after).expect("refunded");
    let refunded = channel.receipt(CHAIN, None, Some((transaction, 4300)));
    let endpoint = Endpoint {
        body: Json::object([("rows", Json::Array(vec![]))]),
        schema: Json::object([("type", Json::from("object"))]),
        answer: Json::object([("session", Json::from("x"))]),
    };
    json!({
        "receipt": receipt,
        "corrective": corrective,
        "refunded": refunded,
        "identifier": offer_identifier(false),
        (BAZAAR): describe(&endpoint),
    })
}

#[test]
fn channel_answers_what_the_official_packages_take() {
    let written = file(include_str!("../../../../tests/x402/ours.json"));
    let ours = ours();
    assert_eq!(
        ours, written,
        "write this into tests/x402/ours.json, and run `npm ci && npm run vectors` there:\n{ours:#}"
    );
}
