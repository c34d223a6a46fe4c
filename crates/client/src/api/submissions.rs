//! Signed batches.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::trainer::SignedBatch;
use serde::{Deserialize, Serialize};

use super::text::{Account, Data, Hash, Relayer, Wei, choice};

/// Batch as its author signed it, by EIP-712 (docs/spec.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedBatchBody {
    /// Account that contributes.
    pub author: Account,
    /// Only account that may send the signed batch: the `relayer` of the model. If it is left out or
    /// zero, anyone may.
    pub relayer: Option<Relayer>,
    /// Maximum deposit of each contribution, in wei; below 2^96.
    pub max_deposit: Wei,
    /// Relayer's fee for the signed batch, in wei; below 2^96.
    pub fee: Wei,
    /// Nonce of the author that is not used yet.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 281_474_976_710_655_u64)
    )]
    pub nonce: u64,
    /// Last second in which the signed batch may be sent, in Unix seconds.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 1_099_511_627_775_u64)
    )]
    pub deadline: u64,
    /// One or more items: label (2 bytes), length (2 bytes), sample.
    pub items: Data,
    /// Signature: 65 bytes `r s v`, 64 bytes of ERC-2098, or bytes that the author's contract
    /// accepts.
    pub signature: Data,
}

impl From<SignedBatch> for SignedBatchBody {
    fn from(batch: SignedBatch) -> Self {
        Self {
            author: batch.author.into(),
            relayer: Some(Relayer(batch.relayer)),
            max_deposit: batch.max_deposit.into(),
            fee: batch.fee.into(),
            nonce: batch.nonce,
            deadline: batch.deadline,
            items: batch.items.into(),
            signature: batch.signature.into(),
        }
    }
}

/// Signed batch that the coordinator took, and its state.
///
/// Its content is public only once the signed batch is part of the chain. Before that, a reader
/// could send or copy it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmissionView {
    /// EIP-712 hash that the author signed; in lists null until the signed batch is included.
    pub id: Option<Hash>,
    pub trainer: Account,
    pub author: Account,
    pub nonce: u64,
    /// Only account that may send the signed batch; null until it is included.
    pub relayer: Option<Relayer>,
    /// Maximum deposit of each contribution, in wei; null until the signed batch is included.
    pub max_deposit: Option<Wei>,
    /// Relayer's fee for the signed batch, in wei; null until it is included.
    pub fee: Option<Wei>,
    /// Last second in which the signed batch may be sent, in Unix seconds; null until it is
    /// included.
    pub deadline: Option<u64>,
    /// Items of the signed batch; null until it is included.
    pub items: Option<Data>,
    /// Number of contributions of the signed batch.
    pub contributions: u32,
    /// Time at which the coordinator took the signed batch, in Unix seconds.
    pub received: u64,
    pub status: Status,
    /// Transaction that contains the signed batch.
    pub transaction: Option<Hash>,
    /// Block that contains the signed batch.
    pub block: Option<u64>,
    /// Position of the signed batch's first contribution.
    pub position: Option<u64>,
    /// Reason that the signed batch can never be part of the chain.
    pub reason: Option<String>,
}

choice!(
    Status,
    "State of a signed batch: `waiting` to be sent, `sent` in a transaction, `included` in a block, or `refused` forever.",
    Waiting = "waiting",
    Sent = "sent",
    Included = "included",
    Refused = "refused",
);

impl Status {
    /// Returns `true` if the batch is part of the chain, or never will be.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Included | Self::Refused)
    }
}
