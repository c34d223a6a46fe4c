//! Headers and problems about payments.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header::WWW_AUTHENTICATE};
use cotrain_payments::{
    ledger::Fault,
    rail::{self, RefusalReason},
    x402::{
        header,
        wire::{PaymentRequired, SettlementResponse},
    },
};
use serde::Serialize;

use super::discovery::describe_opening;
use crate::{
    api::{kinds::Kind, problem::Problem},
    labels::{OutOfUnits, RETRY, Receipt, Refusal},
    payments::{BooksError, PayError, Refused},
};

/// Header of a request with its payment.
pub(in crate::api) const PAYMENT_SIGNATURE: HeaderName =
    HeaderName::from_static("payment-signature");
const PAYMENT_REQUIRED: HeaderName = HeaderName::from_static("payment-required");
const PAYMENT_RESPONSE: HeaderName = HeaderName::from_static("payment-response");
/// Header with the units that a call cost.
const CHARGED: HeaderName = HeaderName::from_static("x-units-charged");
/// Header with the units that are left.
const LEFT: HeaderName = HeaderName::from_static("x-units-left");

/// Headers of answers that web pages may read.
pub(in crate::api) const EXPOSED: [HeaderName; 5] = [
    PAYMENT_REQUIRED,
    PAYMENT_RESPONSE,
    WWW_AUTHENTICATE,
    CHARGED,
    LEFT,
];

/// Returns the headers of an answer: units, and the result of a payment.
pub(super) fn headers(receipt: Receipt, response: Option<&SettlementResponse>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CHARGED, receipt.charged.into());
    headers.insert(LEFT, receipt.left.into());
    if let Some(response) = response.and_then(encoded) {
        headers.insert(PAYMENT_RESPONSE, response);
    }
    headers
}

/// Returns the header with the result of a payment.
pub(super) fn settled(response: &SettlementResponse) -> HeaderMap {
    let header = encoded(response).map(|value| (PAYMENT_RESPONSE, value));
    header.into_iter().collect()
}

fn encoded(value: &impl Serialize) -> Option<HeaderValue> {
    let json = serde_json::to_vec(value).ok()?;
    HeaderValue::from_str(&header::encode(&json)).ok()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let refusal = match refusal {
            Refusal::Bought { response, refusal } => {
                return with_response(Self::from(*refusal), Some(&response));
            }
            refusal => refusal,
        };
        let kind = match &refusal {
            Refusal::Disabled | Refusal::NothingSold => &Kind::NOT_SERVED,
            Refusal::Uploads => {
                return Self::new(&Kind::OVERLOADED, refusal).retry_after(rail::RETRY);
            }
            Refusal::Full { .. } | Refusal::Memory => {
                return Self::new(&Kind::TOO_MANY_SESSIONS, refusal).retry_after(RETRY);
            }
            Refusal::ClientFull { .. } => {
                return Self::new(&Kind::TOO_MANY_OWN_SESSIONS, refusal).retry_after(RETRY);
            }
            Refusal::Units(OutOfUnits { price, left }) => {
                let (price, left) = (*price, *left);
                return Self::new(&Kind::OUT_OF_UNITS, refusal)
                    .with("price", price)
                    .with("left", left);
            }
            Refusal::AnswerLost { charged, left } => {
                let (charged, left) = (*charged, *left);
                return Self::new(&Kind::ANSWER_LOST, refusal)
                    .with("charged", charged)
                    .with("left", left);
            }
            Refusal::Unpaid(refused) => return unpaid(refused),
            Refusal::Unpayable(error) => return unpayable(error),
            Refusal::Unknown => &Kind::UNKNOWN_SESSION,
            Refusal::Token => &Kind::WRONG_TOKEN,
            Refusal::OtherBody => &Kind::OTHER_REQUEST,
            Refusal::Price(_)
            | Refusal::Session(_)
            | Refusal::SnapshotSize { .. }
            | Refusal::Seal(_)
            | Refusal::Ledger
            | Refusal::Open => &Kind::LABELING_REJECTED,
            Refusal::Bought { .. } | Refusal::Failed => &Kind::INTERNAL,
        };
        Self::new(kind, refusal)
    }
}

/// Returns the problem of a call that must be paid for, with the offers.
fn unpaid(refused: &Refused) -> Problem {
    let mut problem = unpayable(&refused.error).with("price", refused.price);
    if let Some(left) = refused.left {
        problem = problem.with("left", left);
    }
    if let Some(mut required) = refused.required.clone() {
        describe_opening(&mut required);
        problem = offered(problem, &required);
    }
    for challenge in refused.offers.www_authenticate() {
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            problem = problem.header(WWW_AUTHENTICATE, value);
        }
    }
    with_response(problem, refused.response.as_ref())
}

/// Adds the result of a payment.
fn with_response(problem: Problem, response: Option<&SettlementResponse>) -> Problem {
    match response.and_then(encoded) {
        Some(response) => problem.header(PAYMENT_RESPONSE, response),
        None => problem,
    }
}

/// Adds the offers of x402 to the body and to a header. They are the same.
fn offered(mut problem: Problem, required: &PaymentRequired) -> Problem {
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(required) {
        for (name, value) in fields {
            problem = problem.with(&name, value);
        }
    }
    match encoded(required) {
        Some(value) => problem.header(PAYMENT_REQUIRED, value),
        None => problem,
    }
}

fn unpayable(error: &PayError) -> Problem {
    let kind = match (error.status(), error) {
        (
            _,
            PayError::Unavailable(_)
            | PayError::Full { .. }
            | PayError::Books(BooksError::Unwritten | BooksError::Closed),
        ) => &Kind::UNAVAILABLE,
        (_, PayError::Books(BooksError::Refused(Fault::Running))) => &Kind::STILL_RUNNING,
        (
            _,
            PayError::Refused(RefusalReason::Ledger(Fault::OtherBody))
            | PayError::Books(BooksError::Refused(Fault::OtherBody)),
        ) => &Kind::OTHER_REQUEST,
        // Units or sums that the ledger does not take, and no malformed header.
        (400, PayError::Refused(RefusalReason::Ledger(_))) => &Kind::LABELING_REJECTED,
        (_, PayError::NoId) => &Kind::INVALID_HEADER,
        (_, PayError::TooManyOpen { .. }) => &Kind::TOO_MANY_INVOICES,
        (503, _) => &Kind::PAYMENT_PENDING,
        (402, _) => &Kind::PAYMENT_REQUIRED,
        (401, _) => &Kind::WRONG_TOKEN,
        (404, _) => &Kind::UNKNOWN_SESSION,
        (409, _) => &Kind::PAYMENT_CONFLICT,
        (400, PayError::Refused(_)) => &Kind::PAYMENT_MALFORMED,
        (400, _) => &Kind::LABELING_REJECTED,
        _ => &Kind::INTERNAL,
    };
    let mut problem = Problem::new(kind, error);
    if let Some(word) = error.word() {
        problem = problem.with("error", word.word());
    }
    match (error.status(), error.retry_after()) {
        (429, _) => problem.retry_after(RETRY),
        (_, Some(seconds)) => problem.retry_after(seconds),
        (_, None) => problem,
    }
}
