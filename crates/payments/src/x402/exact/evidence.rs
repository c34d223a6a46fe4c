//! Evidence that ends an unknown settlement of an `exact` payment.
//!
//! A timer decides nothing, and neither does a reverted transaction: anyone may have sent the same
//! signed transfer before. The token's `authorizationState` alone proves nothing either, because a
//! cancellation sets it too.

use alloy_primitives::{Address, B256, Log, U256};
use alloy_sol_types::SolEvent;

use super::{
    super::token::{
        Authorization, Token,
        abi::Erc3009::{AuthorizationCanceled, AuthorizationUsed, Transfer},
    },
    Payment,
};

/// State of a settlement that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// No evidence yet. The answer is 503, and never a demand to pay again.
    Unknown,
    /// This transaction moved the amount.
    Settled {
        /// Hash of the transaction.
        transaction: B256,
    },
    /// The transfer can never happen any more.
    Failed(Failure),
}

/// Reason why a signed transfer can never happen any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The payer canceled the authorization.
    Canceled,
    /// Another transfer used the nonce.
    NonceUsedElsewhere,
    /// A final block is past the authorization's time, and the nonce is unused there.
    Expired,
}

/// Facts from blocks that the caller counts as final.
#[derive(Debug, Clone, Copy)]
pub enum Evidence<'a> {
    /// All logs of one transaction that succeeded, in order.
    ///
    /// It is ours, or one that has the token's event for payer and nonce.
    Transaction {
        /// Hash of the transaction.
        hash: B256,
        /// Logs of all contracts.
        logs: &'a [Log],
    },
    /// A transaction of ours that reverted.
    Reverted,
    /// A final block, and the token's `authorizationState` of payer and nonce at it.
    Block {
        /// Time of the block, in Unix seconds.
        time: u64,
        /// Whether the nonce is used or canceled.
        nonce_used: bool,
    },
}

impl Payment {
    /// Returns the state of the settlement after this evidence.
    #[must_use]
    pub fn judge(&self, evidence: Evidence<'_>) -> Settlement {
        judge(&self.token, &self.authorization, evidence)
    }
}

/// Returns the state of the settlement of a signed transfer after this evidence.
///
/// It also serves deposits into channels, whose transfers go to the collector.
#[must_use]
pub fn judge(token: &Token, authorization: &Authorization, evidence: Evidence<'_>) -> Settlement {
    match evidence {
        Evidence::Transaction { hash, logs } => in_logs(token.address, authorization, hash, logs),
        Evidence::Reverted => Settlement::Unknown,
        Evidence::Block { time, nonce_used } => {
            // The token requires a time before `validBefore`.
            let past = U256::from(time) >= authorization.valid_before.0;
            if past && !nonce_used {
                Settlement::Failed(Failure::Expired)
            } else {
                Settlement::Unknown
            }
        }
    }
}

/// Looks for the use of the nonce. The transfer must be the token's next event after it.
///
/// One transaction may use several nonces of a payer, and move the amount only once. A transfer
/// anywhere in it would count for each of them.
fn in_logs(token: Address, terms: &Authorization, hash: B256, logs: &[Log]) -> Settlement {
    let mut logs = logs.iter().filter(|log| log.address == token);
    while let Some(log) = logs.next() {
        if let Ok(used) = AuthorizationUsed::decode_log(log)
            && (used.authorizer, used.nonce) == (terms.from, terms.nonce)
        {
            let next = logs.next().and_then(|log| Transfer::decode_log(log).ok());
            // A token that tells its transfers in another way does not prove that none paid us.
            let Some(next) = next.filter(|it| it.from == terms.from) else {
                return Settlement::Unknown;
            };
            let moved = (next.to, next.value) == (terms.to, terms.value.0);
            return if moved {
                Settlement::Settled { transaction: hash }
            } else {
                Settlement::Failed(Failure::NonceUsedElsewhere)
            };
        }
        if let Ok(canceled) = AuthorizationCanceled::decode_log(log)
            && (canceled.authorizer, canceled.nonce) == (terms.from, terms.nonce)
        {
            return Settlement::Failed(Failure::Canceled);
        }
    }
    Settlement::Unknown
}
