//! Types of LND's messages against the definitions that `lightning/` keeps of them.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use cotrain_payments::lnd::{Invoice, InvoiceState, MadeInvoice, Payment, PaymentStatus};
use serde::{Deserialize, Serialize};
use serde_json::to_value;

#[derive(Deserialize)]
struct Definitions {
    /// Types of fields, by message.
    messages: BTreeMap<String, BTreeMap<String, String>>,
    /// Names of values, by enum.
    enums: BTreeMap<String, Vec<String>>,
}

fn definitions() -> Definitions {
    let text = include_str!("../../../lightning/tests/node/messages.json");
    serde_json::from_str(text).expect("definitions")
}

/// Checks that a message has no field that LND has not, and each in LND's form.
fn check(definitions: &Definitions, name: &str, message: impl Serialize) {
    let message = to_value(message).expect("a message");
    let fields = &definitions.messages[name];
    for (field, value) in message.as_object().expect("an object") {
        let kind = fields.get(field);
        let kind = kind.unwrap_or_else(|| panic!("{name} has no field {field}"));
        let fits = match kind.as_str() {
            "int64" | "uint64" => value.as_str().is_some_and(|it| it.parse::<u64>().is_ok()),
            "string" => value.is_string(),
            "bytes" => value.as_str().is_some_and(|it| it.ends_with('=')),
            other => {
                let values = definitions.enums.get(other);
                let values = values.unwrap_or_else(|| panic!("{name}.{field} is a {other}"));
                values.iter().any(|it| value == it.as_str())
            }
        };
        assert!(fits, "{name}.{field} is a {kind}, not {value}");
    }
}

#[test]
fn invoice_and_payment_have_the_fields_and_forms_that_lnd_publishes() {
    let definitions = definitions();
    let r_hash = B256::repeat_byte(1);
    let made = MadeInvoice {
        r_hash,
        payment_request: "lnbc1".into(),
        add_index: 1,
    };
    check(&definitions, "AddInvoiceResponse", made);
    for state in [
        InvoiceState::Open,
        InvoiceState::Settled,
        InvoiceState::Canceled,
        InvoiceState::Accepted,
    ] {
        let invoice = Invoice {
            r_hash,
            payment_request: "lnbc1".into(),
            value_msat: 1,
            amt_paid_msat: u64::MAX,
            state,
            creation_date: 1,
            expiry: 1,
            add_index: 1,
            settle_index: 1,
        };
        check(&definitions, "Invoice", invoice);
    }
    for status in [
        PaymentStatus::Initiated,
        PaymentStatus::InFlight,
        PaymentStatus::Succeeded,
        PaymentStatus::Failed,
    ] {
        let payment = Payment {
            payment_hash: r_hash,
            payment_preimage: String::new(),
            status,
            value_msat: 1,
            fee_msat: 1,
            failure_reason: "FAILURE_REASON_NONE".into(),
        };
        check(&definitions, "Payment", payment);
    }
}
