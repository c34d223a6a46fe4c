//! Calls about invoices.

use std::sync::Arc;

use hyper::body::Bytes;
use ldk_node::{
    bitcoin::hashes::{Hash as _, sha256},
    lightning_invoice::{Bolt11InvoiceDescription, Description},
    lightning_types::payment::PaymentHash,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Answer, Code, Status,
    message::{self, AddInvoice, CancelInvoice},
};
use crate::{
    http::Body,
    node::{Lightning, now},
    secrets,
    store::{Bytes32, Cancel, Invoice, State},
};

/// Lifetime of an invoice if the caller names none, in seconds: a day, as in LND.
const DEFAULT_EXPIRY: i64 = 86_400;
/// Maximum lifetime of an invoice, in seconds: a year, as in LND.
const MAX_EXPIRY: i64 = 31_536_000;
/// Number of invoices that a stream reads from the database at once.
const BATCH: u32 = 100;

/// Reads an amount that may be given in satoshi or in millisatoshi.
pub(super) fn msat(sat: i64, msat: i64) -> Answer<u64> {
    if sat != 0 && msat != 0 {
        return Err(Status::invalid(
            "expected an amount in satoshi or in millisatoshi, found both",
        ));
    }
    u64::try_from(msat)
        .ok()
        .zip(
            u64::try_from(sat)
                .ok()
                .and_then(|sat| sat.checked_mul(1000)),
        )
        .map(|(msat, sat)| msat + sat)
        .ok_or_else(|| Status::invalid("expected an amount that is not negative"))
}

/// Makes an invoice.
pub(super) fn add(lightning: &Lightning, request: &AddInvoice) -> Answer<Value> {
    let value_msat = msat(request.value, request.value_msat)?;
    let expiry = if request.expiry == 0 {
        DEFAULT_EXPIRY
    } else {
        request.expiry
    };
    let expiry = u32::try_from(expiry)
        .ok()
        .filter(|_| expiry <= MAX_EXPIRY)
        .ok_or_else(|| {
            Status::invalid(format!(
                "expected an expiry of 1 to {MAX_EXPIRY} seconds, found {expiry}"
            ))
        })?;
    let preimage = if request.r_preimage.is_empty() {
        secrets::random().map_err(|_| Status::new(Code::Unknown, "cannot get random numbers"))?
    } else {
        Bytes32::try_from(request.r_preimage.as_slice())
            .map_err(|_| Status::invalid("expected a preimage of 32 bytes"))?
    };
    let description = Description::new(request.memo.clone())
        .map_err(|_| Status::invalid("expected a memo of 639 bytes at most"))?;
    let description = Bolt11InvoiceDescription::Direct(description);
    let hash = sha256::Hash::hash(&preimage).to_byte_array();
    if lightning.store.invoice(&hash, now())?.is_some() {
        return Err(Status::new(
            Code::Unknown,
            "invoice with payment hash already exists",
        ));
    }
    let (bolt11, payment_hash) = (lightning.node.bolt11_payment(), PaymentHash(hash));
    let made = if value_msat == 0 {
        bolt11.receive_variable_amount_for_hash(&description, expiry, payment_hash)?
    } else {
        bolt11.receive_for_hash(value_msat, &description, expiry, payment_hash)?
    };
    let invoice = Invoice {
        add_index: 0,
        hash,
        preimage,
        secret: made.payment_secret().0,
        memo: request.memo.clone(),
        value_msat,
        request: made.to_string(),
        created: made.duration_since_epoch().as_secs(),
        expiry: u64::from(expiry),
        private: request.private,
        state: State::Open,
        settle_index: 0,
        settled: 0,
        paid_msat: 0,
    };
    let index = lightning
        .store
        .add(&invoice)?
        .ok_or_else(|| Status::new(Code::Unknown, "invoice with payment hash already exists"))?;
    Ok(json!({
        "r_hash": message::base64(&hash),
        "payment_request": invoice.request,
        "add_index": index.to_string(),
        "payment_addr": message::base64(&invoice.secret),
    }))
}

/// Reads the base64 of a query's payment hash.
pub(super) fn hash_of_query(text: Option<&String>) -> Answer<Bytes32> {
    // A plus sign of an unescaped hash was read as a space.
    text.and_then(|text| message::from_base64(&text.replace(' ', "+")))
        .and_then(|bytes| Bytes32::try_from(bytes).ok())
        .ok_or_else(|| Status::invalid("expected a payment_hash of 32 bytes as base64"))
}

/// Returns the invoice of a payment hash.
pub(super) fn look_up(lightning: &Lightning, hash: &Bytes32) -> Answer<Value> {
    match lightning.store.invoice(hash, now())? {
        Some(invoice) => Ok(message::invoice(&invoice)),
        None => Err(Status::new(Code::NotFound, "unable to locate invoice")),
    }
}

/// Cancels an open invoice.
pub(super) fn cancel(lightning: &Lightning, request: &CancelInvoice) -> Answer<Value> {
    let hash = Bytes32::try_from(request.payment_hash.as_slice())
        .map_err(|_| Status::invalid("expected a payment_hash of 32 bytes as base64"))?;
    lightning.store.expire(now())?;
    match lightning.store.cancel(&hash)? {
        Cancel::Done => Ok(json!({})),
        Cancel::TooLate => Err(Status::new(Code::Unknown, "invoice already settled")),
        Cancel::Unknown => Err(Status::new(Code::NotFound, "unable to locate invoice")),
    }
}

/// Returns a line of a stream.
pub(super) fn line(message: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({ "result": message })))
}

/// Streams added and settled invoices: first those after the given indices, then new ones.
/// An index of 0 asks for new ones only.
///
/// The stream reads the database behind two cursors, so a slow client costs no memory.
pub(super) fn subscribe(lightning: Arc<Lightning>, added: u64, settled: u64) -> Answer<Body> {
    let (last_added, last_settled) = lightning.store.last_indices()?;
    let start = |asked: u64, last: u64| if asked == 0 { last } else { asked };
    let mut cursors = (start(added, last_added), start(settled, last_settled));
    let (sender, lines) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut changes = lightning.store.changes();
        loop {
            match send_new(&lightning, &sender, &mut cursors).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(status) => {
                    let text = format!("{}\n", json!({ "error": status.json() }));
                    let _ = sender.send(Bytes::from(text)).await;
                    return;
                }
            }
            tokio::select! {
                woken = changes.changed() => if woken.is_err() { return },
                () = sender.closed() => return,
            }
        }
    });
    Ok(Body::Lines(lines))
}

/// Returns an added invoice as the stream tells it. A settlement behind the cursor `settled` is left
/// out: it follows in its turn. A client that keeps the last index it has seen would otherwise skip
/// the settlements before.
fn as_added(invoice: &Invoice, settled: u64) -> Invoice {
    let mut told = invoice.clone();
    if invoice.settle_index > settled {
        (told.state, told.settle_index, told.settled, told.paid_msat) = (State::Open, 0, 0, 0);
    }
    told
}

/// Sends what lies behind the cursors and moves them. Returns `false` if the client is gone.
async fn send_new(
    lightning: &Lightning,
    sender: &mpsc::Sender<Bytes>,
    (added, settled): &mut (u64, u64),
) -> Answer<bool> {
    loop {
        let mut found = lightning.store.added_after(*added, BATCH)?;
        let new = found.len();
        found.extend(lightning.store.settled_after(*settled, BATCH)?);
        if found.is_empty() {
            return Ok(true);
        }
        for (position, invoice) in found.iter().enumerate() {
            let told = if position < new {
                as_added(invoice, *settled)
            } else {
                invoice.clone()
            };
            if sender.send(line(&message::invoice(&told))).await.is_err() {
                return Ok(false);
            }
            if position < new {
                *added = invoice.add_index;
            } else {
                *settled = invoice.settle_index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn msat_takes_one_unit() {
        assert_eq!(msat(0, 0), Ok(0));
        assert_eq!(msat(2, 0), Ok(2000));
        assert_eq!(msat(0, 1999), Ok(1999));
        for (sat, milli) in [(1, 1), (-1, 0), (0, -1), (i64::MAX, 0)] {
            assert!(msat(sat, milli).is_err(), "{sat} {milli}");
        }
    }

    #[test]
    fn hash_of_query_repairs_an_unescaped_plus() {
        let hash = [0xfb; 32];
        let text = message::base64(&hash);
        assert!(text.contains('+'));
        assert_eq!(hash_of_query(Some(&text.replace('+', " "))), Ok(hash));
        assert_eq!(
            hash_of_query(Some(&text.replace('+', "-").replace('/', "_"))),
            Ok(hash)
        );
        assert!(hash_of_query(Some(&"AAAA".to_owned())).is_err());
        assert!(hash_of_query(None).is_err());
    }
}
