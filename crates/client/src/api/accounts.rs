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
    /// Money that was prepaid or refunded and is not spent or withdrawn.
    pub balance: Wei,
    /// Part of the balance that the pending signed batches here may still cost.
    pub committed: Wei,
    /// Number of the account's refunded contributions.
    pub good: u64,
    /// Lowest nonce above all nonces that are used or pending here.
    pub next_nonce: u64,
}

/// Delegation of reports to the keeper, as the account signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DelegationBody {
    /// Account that signs, and that the keeper reports for.
    pub reporter: Account,
    /// Account that reports: the `keeper` of the model.
    pub keeper: Account,
    /// Last second of the delegation, in Unix seconds.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 1_099_511_627_775_u64)
    )]
    pub until: u64,
    /// Signature of the reporter, in the forms that a signed batch allows.
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

/// Delegation of reports to the keeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DelegationView {
    pub account: Account,
    /// Last second of the delegation, in Unix seconds.
    pub until: u64,
    /// Time at which the coordinator took the delegation, in Unix seconds.
    pub received: u64,
}
