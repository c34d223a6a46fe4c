//! Signed payments that were taken, and their stored form.

use alloy_primitives::{Address, B256, Bytes};
use cotrain_payments::{
    ledger::{Payment as LedgerPayment, PaymentKey, PaymentState},
    x402::{
        Authorization, Token,
        exact::Payment,
        wire::{SettlementResponse, network},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Payment with all that it takes to send it, and to know who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) payment: Payment,
    /// Hash of the request's id. The transfer itself is on the chain for all to see.
    pub(super) id: Option<B256>,
    /// Hash of path and body of the request.
    pub(super) body: B256,
    /// `true` if it opened its account.
    pub(super) is_opening: bool,
    /// Hashes of the transactions that were signed for it, oldest first.
    pub(super) transactions: Vec<B256>,
    /// Number and hash of the block in which the transfer was seen.
    pub(super) block: Option<(u64, B256)>,
}

/// Maximum number of hashes that are kept of a payment. Each look asks for all of them.
const MAX_HASHES: usize = 8;

/// Form in which a payment is stored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    chain: u64,
    token: Address,
    name: String,
    version: String,
    authorization: Authorization,
    signature: Bytes,
    id: Option<B256>,
    body: B256,
    opening: bool,
    #[serde(default)]
    transactions: Vec<B256>,
    #[serde(default)]
    block: Option<(u64, B256)>,
}

impl Known {
    /// Returns the payment with a transaction that is about to be sent.
    pub(super) fn sent(mut self, transaction: B256) -> Self {
        self.transactions.retain(|it| *it != transaction);
        self.transactions.push(transaction);
        let old = self.transactions.len().saturating_sub(MAX_HASHES);
        self.transactions.drain(..old);
        self
    }

    /// Returns the bytes that are stored.
    pub(super) fn stored(&self) -> Vec<u8> {
        let Self {
            payment,
            id,
            body,
            is_opening,
            transactions,
            block,
        } = self.clone();
        let stored = Stored {
            chain: payment.token.chain_id,
            token: payment.token.address,
            name: payment.token.name,
            version: payment.token.version,
            authorization: payment.authorization,
            signature: payment.signature,
            id,
            body,
            opening: is_opening,
            transactions,
            block,
        };
        // It has texts and numbers only.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Returns the time from which the authorization is void, in seconds since 1970.
    pub(super) fn valid_before(&self) -> u64 {
        let end = self.payment.authorization.valid_before;
        end.to_u64().unwrap_or(u64::MAX)
    }
}

impl From<Stored> for Known {
    fn from(stored: Stored) -> Self {
        Self {
            payment: Payment {
                token: Token {
                    chain_id: stored.chain,
                    address: stored.token,
                    name: stored.name,
                    version: stored.version,
                },
                authorization: stored.authorization,
                signature: stored.signature,
            },
            id: stored.id,
            body: stored.body,
            is_opening: stored.opening,
            transactions: stored.transactions,
            block: stored.block,
        }
    }
}

/// Returns the hash of a request's id.
pub(super) fn hashed(text: &str) -> B256 {
    B256::from_slice(&Sha256::digest(text))
}

/// Returns the answer's header about a payment that counts.
pub(super) fn settled(payment: &LedgerPayment) -> SettlementResponse {
    let transaction = match payment.state {
        PaymentState::Settlement { transaction, .. } => transaction,
        PaymentState::Invoice { .. } => None,
    };
    let (payer, chain) = match payment.key {
        PaymentKey::Authorization { payer, token, .. } => {
            (Some(payer.to_string()), network(token.chain))
        }
        PaymentKey::Invoice(_) => (None, String::new()),
    };
    SettlementResponse {
        success: true,
        payer,
        transaction: transaction.map(|it| it.to_string()).unwrap_or_default(),
        network: chain,
        amount: Some(payment.purchase.quote.amount.to_string()),
        ..SettlementResponse::default()
    }
}
