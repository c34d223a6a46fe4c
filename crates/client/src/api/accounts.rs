//! Accounts and delegations.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::trainer::Delegation;
use serde::{Deserialize, Serialize};

use super::text::{Account, Data, Wei};

/// An account of a model's trainer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccountAnswer {
    pub address: Account,
    /// Prepaid or refunded, and not spent or withdrawn.
    pub balance: Wei,
    /// What of it the signed batches that wait here may still cost.
    pub committed: Wei,
    /// How many of its contributions have been refunded.
    pub good: u64,
    /// The lowest nonce above all that are used or that wait here.
    pub next_nonce: u64,
}

/// What an account lets the keeper do, as it signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DelegationBody {
    /// For whom reports are made: who signs.
    pub reporter: Account,
    /// Who makes them: the `keeper` of the model.
    pub keeper: Account,
    /// The last second of it, in Unix seconds.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 1_099_511_627_775_u64)
    )]
    pub until: u64,
    /// As for a batch.
    pub signature: Data,
}

impl From<Delegation> for DelegationBody {
    fn from(delegation: Delegation) -> Self {
        Self {
            reporter: delegation.reporter.into(),
            keeper: delegation.keeper.into(),
            until: delegation.until,
            signature: delegation.signature.into(),
        }
    }
}

/// What an account lets the keeper do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DelegationView {
    pub account: Account,
    /// The last second of it, in Unix seconds.
    pub until: u64,
    /// When it was taken, in Unix seconds.
    pub received: u64,
}
