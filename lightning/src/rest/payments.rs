//! Calls that pay.

use std::{
    str::FromStr as _,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ldk_node::{NodeError, bitcoin::Network, lightning_invoice::Bolt11Invoice};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Answer, Code, Rest, Status, invoices,
    message::{self, SendPayment},
};
use crate::{
    http::Body,
    node::{Lightning, report},
    store::{Begin, Bytes32, Payment, Reason, Status as State},
};

/// Seconds for which LDK looks for routes, whoever asks.
const LOOKING: i64 = 10;
/// Maximum number of payments in one list.
const MAX_LIST: u64 = 1000;

/// Answers `GET /v1/payments`: the oldest first, after `index`.
pub(super) fn list(
    lightning: &Lightning,
    index: u64,
    count: u64,
    incomplete: bool,
) -> Answer<Value> {
    let count = if count == 0 {
        MAX_LIST
    } else {
        count.min(MAX_LIST)
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let found = lightning.store.payments_after(index, count, incomplete)?;
    let edge = |payment: Option<&Payment>| payment.map_or(0, |payment| payment.index).to_string();
    Ok(json!({
        "payments": found.iter().map(message::payment).collect::<Vec<_>>(),
        "first_index_offset": edge(found.first()),
        "last_index_offset": edge(found.last()),
        "total_num_payments": "0",
    }))
}

/// Checks a request to pay.
fn read(lightning: &Lightning, request: &SendPayment) -> Answer<(Bolt11Invoice, Payment)> {
    let invoice = Bolt11Invoice::from_str(&request.payment_request)
        .map_err(|error| Status::invalid(format!("cannot read payment_request: {error}")))?;
    if Network::from(invoice.currency()) != lightning.network {
        return Err(Status::invalid(
            "expected an invoice of this node's network",
        ));
    }
    if invoice.is_expired() {
        return Err(Status::invalid("invoice expired"));
    }
    if request.timeout_seconds != 0 && request.timeout_seconds < LOOKING {
        return Err(Status::invalid(format!(
            "expected a timeout_seconds of at least {LOOKING}: this node looks for routes as long"
        )));
    }
    let asked = invoices::msat(request.amt, request.amt_msat)?;
    let value_msat = match (invoice.amount_milli_satoshis(), asked) {
        (Some(amount), 0) => amount,
        (Some(_), _) => {
            return Err(Status::invalid("expected no amount: the invoice has one"));
        }
        (None, 0) => {
            return Err(Status::invalid("expected an amount: the invoice has none"));
        }
        (None, amount) => amount,
    };
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let payment = Payment {
        index: 0,
        hash: *invoice.payment_hash().as_ref(),
        request: request.payment_request.clone(),
        value_msat,
        fee_limit_msat: invoices::msat(request.fee_limit_sat, request.fee_limit_msat)?,
        created_ns: u64::try_from(created.as_nanos()).unwrap_or(u64::MAX),
        height: lightning.height(),
        status: State::InFlight,
        preimage: None,
        fee_msat: 0,
        reason: Reason::None,
    };
    Ok((invoice, payment))
}

/// Records a payment and sends it.
fn start(lightning: &Lightning, request: &SendPayment) -> Answer<Bytes32> {
    let (invoice, payment) = read(lightning, request)?;
    match lightning.store.begin(&payment)? {
        Begin::Send => {}
        Begin::Paid => return Err(Status::new(Code::AlreadyExists, "invoice is already paid")),
        Begin::InFlight => {
            return Err(Status::new(Code::AlreadyExists, "payment is in transition"));
        }
    }
    match lightning.send(&invoice, &payment) {
        Ok(()) => {}
        // LDK refused before anything left.
        Err(
            NodeError::PaymentSendingFailed
            | NodeError::InvalidInvoice
            | NodeError::InvalidAmount
            | NodeError::NotRunning,
        ) => {
            let channels = lightning.node.list_channels();
            let free: u64 = channels
                .iter()
                .map(|channel| channel.outbound_capacity_msat)
                .sum();
            let short = free < payment.value_msat;
            let reason = if short {
                Reason::InsufficientBalance
            } else {
                Reason::NoRoute
            };
            lightning.store.fail(&payment.hash, reason)?;
        }
        // Something may have left: the end comes as an event.
        Err(error) => report(&format!("payment in an unknown state: {error}")),
    }
    Ok(payment.hash)
}

/// Answers `POST /v2/router/send`: a stream of the payment's states, until it is paid or has failed.
/// The payment goes on if the caller goes away.
pub(super) async fn send(rest: &Rest, request: SendPayment) -> Answer<Body> {
    let quiet = request.no_inflight_updates;
    let mut changes = rest.lightning.store.changes();
    let hash = rest
        .blocking(move |lightning| start(lightning, &request))
        .await?;
    let lightning = Arc::clone(&rest.lightning);
    let (sender, lines) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut shown = false;
        while let Ok(Some(payment)) = lightning.store.payment(&hash) {
            let flying = payment.status == State::InFlight;
            if !flying || !(shown || quiet) {
                shown = true;
                if sender
                    .send(invoices::line(&message::payment(&payment)))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            if !flying {
                return;
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    Ok(Body::Lines(lines))
}
