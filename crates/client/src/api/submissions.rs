//! Signed batches.

#![expect(
    missing_docs,
    reason = "a doc comment is text of the API's document, where some names say everything"
)]

use cotrain_protocol::trainer::SignedBatch;
use serde::{Deserialize, Serialize};

use super::text::{Account, Data, Hash, Relayer, Wei, choice};

/// A batch as its author signed it, by EIP-712 (docs/spec.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedBatchBody {
    /// Who contributes.
    pub author: Account,
    /// The only account that may send it: the `relayer` of the model. Left out or zero: anyone may.
    pub relayer: Option<Relayer>,
    /// The most that may be deposited for each contribution; below 2^96.
    pub max_deposit: Wei,
    /// What the relayer gets for the batch; below 2^96.
    pub fee: Wei,
    /// One of the author's that is not used yet.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 281_474_976_710_655_u64)
    )]
    pub nonce: u64,
    /// The last second in which it may be sent, in Unix seconds.
    #[cfg_attr(
        feature = "openapi",
        schema(minimum = 0, maximum = 1_099_511_627_775_u64)
    )]
    pub deadline: u64,
    /// One or more items: label (2 bytes), length (2 bytes), sample.
    pub items: Data,
    /// 65 bytes `r s v` or 64 of ERC-2098; of a contract, what it takes for one.
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

/// A signed batch that was taken, and where it is on its way. What was signed is told only once it is part of the chain,
/// and public there: whoever knew it before could send or copy it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubmissionView {
    /// The EIP-712 hash that its author signed; in lists null until it is included.
    pub id: Option<Hash>,
    pub trainer: Account,
    pub author: Account,
    pub nonce: u64,
    /// The only account that may send it; null until it is included.
    pub relayer: Option<Relayer>,
    /// Null until it is included.
    pub max_deposit: Option<Wei>,
    /// Null until it is included.
    pub fee: Option<Wei>,
    /// In Unix seconds; null until it is included.
    pub deadline: Option<u64>,
    /// Null until it is included.
    pub items: Option<Data>,
    /// How many contributions it has.
    pub contributions: u32,
    /// When it was taken, in Unix seconds.
    pub received: u64,
    pub status: Status,
    /// The transaction that it is in.
    pub transaction: Option<Hash>,
    /// The block that has it.
    pub block: Option<u64>,
    /// The position of its first contribution.
    pub position: Option<u64>,
    /// Why it will never be part of the chain.
    pub reason: Option<String>,
}

choice!(
    Status,
    "`waiting` to be sent; `sent` in a transaction; `included` in a block; or `refused` forever.",
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
