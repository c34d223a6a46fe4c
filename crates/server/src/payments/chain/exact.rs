//! Signed transfers of tokens: checks before they are sent, refunds, and evidence afterwards.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use cotrain_chain::node::{At, Block, NodeError, NodeReceipt};
use cotrain_payments::{
    ledger::{Settlement, SettlementSeen},
    x402::{
        Authorization, Reason, Token,
        abi::Erc3009::{
            AuthorizationCanceled, AuthorizationUsed, authorizationStateCall, balanceOfCall,
        },
        exact::{
            PayerState, Payment,
            evidence::{self, Evidence, Failure},
        },
    },
};

use super::{
    Chain, ChainError, ContractCall, Prepared, Purse, Sent,
    walk::{Searched, Walk},
};

/// Number of requests with which one look searches for a token's event. The next look goes on there.
const SEARCHES: usize = 50;
/// Pause between two looks at a transfer that is not deep enough.
const PAUSE: Duration = Duration::from_millis(250);

/// Signed transfer about which somebody looks for evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Token.
    pub token: Token,
    /// Terms that were signed.
    pub authorization: Authorization,
    /// Hashes of transactions that may have made it, the most likely one first.
    pub transactions: Vec<B256>,
}

/// Facts that the chain shows about a signed transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// Nothing that decides anything.
    Nothing,
    /// The nonce is used, and the search for what used it goes on with the next look.
    Searching,
    /// The tokens moved.
    Moved {
        /// Hash of the transaction, whoever sent it.
        transaction: B256,
        /// Number and hash of its block.
        block: (u64, B256),
        /// `true` if the block is as deep as the host demands.
        counts: bool,
        /// `true` if the block is final.
        is_final: bool,
    },
    /// Our own transaction reverted, and the nonce is unused. Somebody may still use it.
    Reverted,
    /// By a final block, the tokens can never move.
    Void(Failure),
}

impl Finding {
    /// Returns number and hash of the block that has the transfer, if it counts there.
    #[must_use]
    pub fn block(&self) -> Option<(u64, B256)> {
        match self {
            Self::Moved {
                block,
                counts: true,
                ..
            } => Some(*block),
            _ => None,
        }
    }

    /// Returns what the finding tells the ledger about a payment in this state, in order.
    #[must_use]
    pub fn seen(self, state: Settlement) -> Vec<SettlementSeen> {
        let was_paid = state.is_paid();
        match self {
            Self::Nothing | Self::Reverted | Self::Void(_) if state == Settlement::Final => {
                Vec::new()
            }
            Self::Nothing | Self::Reverted if was_paid => vec![SettlementSeen::Removed],
            Self::Nothing | Self::Searching => Vec::new(),
            Self::Reverted => vec![SettlementSeen::Reverted],
            Self::Void(_) if was_paid => vec![SettlementSeen::Removed, SettlementSeen::Unusable],
            Self::Void(_) => vec![SettlementSeen::Unusable],
            Self::Moved {
                transaction,
                counts,
                is_final,
                ..
            } => {
                let mut seen = Vec::new();
                if counts && !was_paid {
                    seen.push(SettlementSeen::Transferred { transaction });
                }
                if is_final && state != Settlement::Final {
                    seen.push(SettlementSeen::Finalized);
                }
                seen
            }
        }
    }
}

impl From<&Payment> for Transfer {
    fn from(payment: &Payment) -> Self {
        Self {
            token: payment.token.clone(),
            authorization: payment.authorization.clone(),
            transactions: Vec::new(),
        }
    }
}

/// Returns the call that makes a payment.
#[must_use]
pub fn payment_call(payment: &Payment) -> ContractCall {
    ContractCall {
        to: payment.token.address,
        data: payment.call(),
        fault: Reason::ExactSimulationFailed,
    }
}

impl Chain {
    /// Holds a verified payment against the token, simulates it, and returns its gas.
    ///
    /// # Errors
    /// [`ChainError::Refused`] if the nonce is used, the balance is too low, or the transfer would
    /// fail; [`ChainError::Pending`] if somebody has sent it; [`ChainError::Node`].
    pub async fn check(&self, payment: &Payment) -> Result<u64, ChainError> {
        let checked = self.check_once(payment).await;
        self.explain(checked, &payment.token, &payment.authorization)
            .await
    }

    /// Simulates a call that makes a transfer, and returns its gas.
    ///
    /// # Errors
    /// As [`Chain::check`], with the call's word if it would fail.
    pub async fn simulate_transfer(
        &self,
        call: &ContractCall,
        transfer: &Transfer,
    ) -> Result<u64, ChainError> {
        let simulated = self.simulate(call).await;
        self.explain(simulated, &transfer.token, &transfer.authorization)
            .await
    }

    /// Returns the result of a check, with the true reason of a refusal: somebody may have sent the
    /// transfer between two looks of the check, or a moment before it.
    async fn explain(
        &self,
        checked: Result<u64, ChainError>,
        token: &Token,
        authorization: &Authorization,
    ) -> Result<u64, ChainError> {
        let reason = match checked {
            Err(ChainError::Refused(reason)) if reason != Reason::ExactNonceUsed => reason,
            checked => return checked,
        };
        let (token, from, nonce) = (token.address, authorization.from, authorization.nonce);
        // The block that the node is building comes first: what it lacks, the latest one lacked, too.
        if !self.nonce_used_next(token, from, nonce).await? {
            return Err(ChainError::Refused(reason));
        }
        if self.nonce_used(token, from, nonce, None).await? {
            return Err(ChainError::Refused(Reason::ExactNonceUsed));
        }
        Err(ChainError::Pending)
    }

    async fn check_once(&self, payment: &Payment) -> Result<u64, ChainError> {
        let Authorization { from, nonce, .. } = payment.authorization;
        let token = payment.token.address;
        let (balance, nonce_used) = tokio::try_join!(
            self.balance_of(token, from),
            self.nonce_used(token, from, nonce, None),
        )?;
        let state = PayerState {
            balance,
            nonce_used,
        };
        payment.check(state).map_err(ChainError::Refused)?;
        self.simulate(&payment_call(payment)).await
    }

    /// Signs the transaction of a payment that was checked, and simulated at `gas`.
    ///
    /// # Errors
    /// As [`Chain::prepare`].
    pub async fn prepare_payment(
        &self,
        payment: &Payment,
        gas: u64,
        purse: Purse,
    ) -> Result<Prepared, ChainError> {
        self.prepare(&payment_call(payment), gas, purse).await
    }

    /// Sends the transaction of a transfer, and returns what the chain shows within the time that a
    /// request waits.
    ///
    /// # Errors
    /// [`ChainError::Node`] if nothing is known, or [`ChainError::Send`] if the node refused the
    /// transaction and nothing was found. The payer may still send the transfer.
    pub async fn settle(
        &self,
        prepared: Prepared,
        transfer: &Transfer,
    ) -> Result<Finding, ChainError> {
        let begun = tokio::time::Instant::now();
        let mut transfer = transfer.clone();
        let hash = prepared.hash();
        if !transfer.transactions.contains(&hash) {
            transfer.transactions.push(hash);
        }
        let refused = match prepared.send().await {
            Sent::Included(receipt) => {
                transfer
                    .transactions
                    .retain(|it| *it != receipt.transaction);
                transfer.transactions.insert(0, receipt.transaction);
                None
            }
            Sent::Refused(error) => Some(error),
            Sent::Unknown => None,
        };
        let patience = self.options().patience;
        loop {
            let found = self.look(&transfer).await?;
            let is_open = matches!(
                found,
                Finding::Nothing | Finding::Searching | Finding::Moved { counts: false, .. }
            );
            if !is_open || begun.elapsed() >= patience || refused.is_some() {
                return match (found, refused) {
                    (Finding::Nothing, Some(error)) => Err(error),
                    _ => Ok(found),
                };
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Signs a transfer of `amount` from our account, which anyone may send at any time.
    ///
    /// The token takes `nonce` once, so the same refund never moves twice, however often it is sent.
    #[must_use]
    pub fn refund(&self, token: &Token, to: Address, amount: u128, nonce: B256) -> Payment {
        let authorization = Authorization {
            from: self.account(),
            to,
            value: amount.into(),
            valid_after: 0_u64.into(),
            valid_before: u64::MAX.into(),
            nonce,
        };
        let hash = token.transfer_hash(&authorization);
        Payment {
            token: token.clone(),
            authorization,
            signature: self.0.key.sign_hash(&hash).into(),
        }
    }

    /// Returns what the chain shows about a signed transfer.
    ///
    /// # Errors
    /// [`ChainError::Node`]. Nothing is known then.
    pub async fn look(&self, transfer: &Transfer) -> Result<Finding, ChainError> {
        let node = &self.0.node;
        let head = node.head().await?;
        let mut reverted = false;
        for hash in &transfer.transactions {
            let Some(receipt) = node.receipt(*hash).await? else {
                continue;
            };
            if !receipt.success {
                reverted = true;
                continue;
            }
            let found = self.judge(transfer, &receipt, &head);
            if found != Finding::Nothing {
                return Ok(found);
            }
        }
        let (token, authorization) = (transfer.token.address, &transfer.authorization);
        let (from, nonce) = (authorization.from, authorization.nonce);
        if self.nonce_used(token, from, nonce, None).await? {
            return Ok(self.search(transfer).await?);
        }
        self.searches().remove(&(token, from, nonce));
        if let Some(deep) = self.final_block(&head).await? {
            let at = Some(At::Number(deep.number));
            let nonce_used = match self.nonce_used(token, from, nonce, at).await {
                // A node without that state cannot show that the time is over.
                Err(ChainError::Node(error)) if error.is_state_gone() => true,
                used => used?,
            };
            let evidence = Evidence::Block {
                time: deep.time,
                nonce_used,
            };
            let judged = evidence::judge(&transfer.token, authorization, evidence);
            if let evidence::Settlement::Failed(failure) = judged {
                return Ok(Finding::Void(failure));
            }
        }
        Ok(if reverted {
            Finding::Reverted
        } else {
            Finding::Nothing
        })
    }

    /// Returns `true` if the block that had a transfer has left the chain, and the transfer with it.
    ///
    /// A node that lags shows neither receipt nor use of the nonce. So the chain must be as long as it
    /// was with that block, and have another one at its height.
    ///
    /// # Errors
    /// [`ChainError::Node`]. Nothing is known then.
    pub async fn has_lost(
        &self,
        transfer: &Transfer,
        (number, hash): (u64, B256),
    ) -> Result<bool, ChainError> {
        let head = self.0.node.head().await?;
        if head.number < number {
            return Ok(false);
        }
        let Authorization { from, nonce, .. } = transfer.authorization;
        let at = Some(At::Number(head.number));
        if self
            .nonce_used(transfer.token.address, from, nonce, at)
            .await?
        {
            return Ok(false);
        }
        let block = self.0.node.block(number).await?;
        Ok(block.is_some_and(|block| block.hash != hash))
    }

    /// Looks for the transaction that used the nonce, from the head backwards.
    ///
    /// The event is there, so a search that takes long goes on with the next look.
    async fn search(&self, transfer: &Transfer) -> Result<Finding, NodeError> {
        let node = &self.0.node;
        // The nonce may have been used after the head that the caller knows.
        let head = node.head().await?;
        let Authorization { from, nonce, .. } = transfer.authorization;
        let (address, indexed) = (transfer.token.address, [from.into_word(), nonce]);
        let key = (address, from, nonce);
        let topics = [
            AuthorizationUsed::SIGNATURE_HASH,
            AuthorizationCanceled::SIGNATURE_HASH,
        ];
        let before = self.searches().get(&key).copied();
        let mut walk = Walk::new(head.number, self.0.options.final_depth(), before);
        for _ in 0..SEARCHES {
            let (logs, first) = node.logs_back(walk.to, address, &topics, indexed).await?;
            for log in logs {
                // The transfer is the event after it, so all events of the transaction are needed.
                if let Some(receipt) = node.receipt(log.transaction).await?
                    && receipt.success
                {
                    self.searches().remove(&key);
                    return Ok(self.judge(transfer, &receipt, &head));
                }
            }
            if !walk.pass(first) {
                // It has moved to another block meanwhile.
                self.searches().remove(&key);
                return Ok(Finding::Searching);
            }
            // A request that fails loses nothing of the way.
            self.searches().insert(key, walk.searched());
        }
        Ok(Finding::Searching)
    }

    fn searches(&self) -> MutexGuard<'_, BTreeMap<(Address, Address, B256), Searched>> {
        let searches = self.0.searches.lock();
        searches.unwrap_or_else(PoisonError::into_inner)
    }

    /// Judges the events of a transaction that succeeded.
    fn judge(&self, transfer: &Transfer, receipt: &NodeReceipt, head: &Block) -> Finding {
        let logs: Vec<_> = receipt.logs.iter().map(|log| log.log.clone()).collect();
        let evidence = Evidence::Transaction {
            hash: receipt.transaction,
            logs: &logs,
        };
        let depth = head.number.saturating_sub(receipt.block);
        let is_final = depth >= self.0.options.final_depth();
        match evidence::judge(&transfer.token, &transfer.authorization, evidence) {
            evidence::Settlement::Settled { transaction } => Finding::Moved {
                transaction,
                block: (receipt.block, receipt.block_hash),
                counts: depth + 1 >= self.0.options.confirmations,
                is_final,
            },
            evidence::Settlement::Failed(failure) if is_final => Finding::Void(failure),
            _ => Finding::Nothing,
        }
    }

    /// Returns the last final block, or `None` if the chain is too short.
    async fn final_block(&self, head: &Block) -> Result<Option<Block>, NodeError> {
        match head.number.checked_sub(self.0.options.final_depth()) {
            Some(number) => self.0.node.block(number).await,
            None => Ok(None),
        }
    }

    pub(super) async fn balance_of(
        &self,
        token: Address,
        account: Address,
    ) -> Result<U256, ChainError> {
        let call = balanceOfCall { account };
        self.view(token, &call, None).await
    }

    async fn nonce_used(
        &self,
        token: Address,
        authorizer: Address,
        nonce: B256,
        at: Option<At>,
    ) -> Result<bool, ChainError> {
        let call = authorizationStateCall { authorizer, nonce };
        if at.is_none() {
            return self.view(token, &call, at).await;
        }
        let answer = self.0.node.call(token, call.abi_encode(), at).await?;
        // Before the token was there, none of its nonces was used.
        if answer.is_empty() {
            return Ok(false);
        }
        decoded::<authorizationStateCall>(token, &answer)
    }

    /// Returns `true` if the nonce is used, or a transaction that uses it is pending.
    async fn nonce_used_next(
        &self,
        token: Address,
        authorizer: Address,
        nonce: B256,
    ) -> Result<bool, ChainError> {
        let call = authorizationStateCall { authorizer, nonce };
        let answer = self.0.node.call_next(token, call.abi_encode()).await?;
        decoded::<authorizationStateCall>(token, &answer)
    }

    /// Calls a view function of a contract.
    pub(super) async fn view<C: SolCall>(
        &self,
        contract: Address,
        call: &C,
        at: Option<At>,
    ) -> Result<C::Return, ChainError> {
        let answer = self.0.node.call(contract, call.abi_encode(), at).await?;
        decoded::<C>(contract, &answer)
    }
}

/// Returns what a contract's view function answered.
fn decoded<C: SolCall>(contract: Address, answer: &Bytes) -> Result<C::Return, ChainError> {
    C::abi_decode_returns(answer).map_err(|error| {
        ChainError::Node(NodeError::Malformed {
            method: "eth_call",
            message: format!("{contract} answered {answer}: {error}"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_tells_the_ledger_in_order_and_never_against_what_is_final() {
        let moved = |counts, is_final| Finding::Moved {
            transaction: B256::ZERO,
            block: (1, B256::ZERO),
            counts,
            is_final,
        };
        let transferred = SettlementSeen::Transferred {
            transaction: B256::ZERO,
        };
        let void = Finding::Void(Failure::Expired);
        let removed = SettlementSeen::Removed;
        for (finding, state, seen) in [
            (moved(false, false), Settlement::Sent, vec![]),
            (moved(true, false), Settlement::Sent, vec![transferred]),
            (
                moved(true, true),
                Settlement::Unknown,
                vec![transferred, SettlementSeen::Finalized],
            ),
            (moved(true, false), Settlement::Settled, vec![]),
            (Finding::Nothing, Settlement::Unknown, vec![]),
            (Finding::Nothing, Settlement::Settled, vec![removed]),
            (Finding::Searching, Settlement::Settled, vec![]),
            (Finding::Searching, Settlement::Unknown, vec![]),
            (
                void,
                Settlement::Settled,
                vec![removed, SettlementSeen::Unusable],
            ),
            (void, Settlement::Failed, vec![SettlementSeen::Unusable]),
            (void, Settlement::Final, vec![]),
            (
                Finding::Reverted,
                Settlement::Sent,
                vec![SettlementSeen::Reverted],
            ),
        ] {
            let mut state = state;
            assert_eq!(finding.seen(state), seen, "{finding:?} {state:?}");
            for one in seen {
                state = state.after(one).unwrap().unwrap_or(state);
            }
        }
    }
}
