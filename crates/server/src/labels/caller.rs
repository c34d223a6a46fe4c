//! Facts about a call that do not depend on its session: who calls, what proves and what pays.

use std::net::IpAddr;

use alloy_primitives::B256;
use cotrain_payments::{
    ledger::{AccountId, RequestId},
    rail::Presented,
    x402::wire::Resource,
};
use cotrain_relayer::clock;

use super::answers::Request;
use crate::payments::{Fresh, Sale};

/// Units of a purchase for which the caller names no number.
pub(crate) const PURCHASE: u64 = 1_000;

/// Caller with what it presented.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Proof and payment.
    pub(crate) presented: Presented,
    /// Request, if the caller gave it a key.
    pub(crate) request: Option<Request>,
    /// Key of the request, as the ledger knows it.
    pub(crate) id: Option<RequestId>,
    /// Hash of path and body.
    pub(crate) body: B256,
    /// URL of the call.
    pub(crate) url: String,
    /// Address of the client.
    pub(crate) client: IpAddr,
}

impl Caller {
    /// Returns the sale of a call, with offers of `units`.
    ///
    /// They must follow from the call alone: its repetition with a payment must find the same offer.
    pub(super) fn sale(&self, price: u64, units: u64, account: Option<AccountId>) -> Sale {
        Sale {
            price,
            units,
            account,
            fresh: Fresh::default(),
            resource: Resource {
                url: self.url.clone(),
                description: Some("Labeling work".to_owned()),
                mime_type: Some("application/json".to_owned()),
                ..Resource::default()
            },
            id: self.id.clone(),
            body: self.body,
            client: self.client,
            now: clock::now(),
        }
    }
}
