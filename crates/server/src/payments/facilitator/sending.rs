//! Transfers that a facilitator makes: each is sent once, and its outcome told once.

use alloy_primitives::B256;
use cotrain_indexer::with_sources;
use cotrain_payments::x402::Reason;
use cotrain_relayer::clock;

use super::{
    Facilitator, Failure, kept,
    transfers::{Asker, Pending, TransferKey, key_of, locked},
};
use crate::payments::chain::{ChainError, ContractCall, Finding, Purse, Transfer};

impl Facilitator {
    /// Makes a signed transfer once, and returns the transaction that moved the tokens. The caller has
    /// checked its signature and terms.
    ///
    /// `check` returns the gas of the call, or the fault of the payment. `failed` is the word for a
    /// transaction that reverted.
    pub(super) async fn transfer(
        &self,
        by: Asker,
        now: u64,
        mut transfer: Transfer,
        call: ContractCall,
        failed: Reason,
        check: impl AsyncFnOnce() -> Result<u64, Failure>,
    ) -> Result<B256, Failure> {
        let key = key_of(&transfer);
        let (pending, verifier) = {
            let transfers = locked(&self.transfers);
            (
                transfers.pending(&key).cloned(),
                transfers.verifier(&key, now),
            )
        };
        if let Some(pending) = pending.as_ref().filter(|it| it.by != by) {
            return Err(Failure::pending(pending.transactions.first().copied()));
        }
        let mut looked = None;
        if let Some(pending) = &pending {
            transfer.transactions.clone_from(&pending.transactions);
            looked = Some(self.chain.look(&transfer).await);
        }
        // The process before this one may have ended before it sent it.
        let is_lost = pending.is_some_and(|it| it.is_resumed);
        let found = match looked {
            Some(found) if !(is_lost && matches!(found, Ok(Finding::Nothing))) => found,
            looked => match (check().await, looked) {
                (Ok(gas), _) => {
                    let prepared = self.chain.prepare(&call, gas, Purse::Strangers).await?;
                    let hash = prepared.hash();
                    transfer.transactions.insert(0, hash);
                    let pending = Pending {
                        by,
                        transactions: transfer.transactions.clone(),
                        since: clock::now(),
                        is_resumed: false,
                    };
                    self.note(key, pending).await?;
                    self.chain.settle(prepared, &transfer).await
                }
                (Err(_), Some(found)) => found,
                // Somebody may have sent it since it was verified.
                (Err(failure), None) if verifier.is_some() && failure.is_final() => {
                    match self.chain.look(&transfer).await? {
                        found @ Finding::Moved { .. } if verifier == Some(by) => Ok(found),
                        // It is told to who verified it first.
                        Finding::Moved { .. } | Finding::Searching => {
                            return Err(Failure::pending(None));
                        }
                        Finding::Nothing if failure.reason == Reason::ExactNonceUsed => {
                            return Err(Failure::pending(None));
                        }
                        _ => return Err(failure),
                    }
                }
                (Err(failure), None) => return Err(failure),
            },
        };
        let transaction = transfer.transactions.first().copied();
        match found {
            Ok(Finding::Moved {
                transaction,
                counts: true,
                ..
            }) => Ok(transaction),
            Ok(Finding::Reverted | Finding::Void(_)) => Err(Failure {
                transaction,
                is_over: true,
                ..failed.into()
            }),
            // It may still happen, and a payer that pays again would pay twice.
            Ok(Finding::Nothing | Finding::Searching | Finding::Moved { .. })
            | Err(ChainError::Node(_)) => Err(Failure::pending(transaction)),
            Err(error) => {
                // The node did not take it, so the next request sends it again.
                self.forget(key).await;
                Err(error.into())
            }
        }
    }

    /// Notes a transfer that is about to be sent, also over a restart.
    async fn note(&self, key: TransferKey, pending: Pending) -> Result<(), Failure> {
        let noted = locked(&self.transfers).note_pending(key, pending.clone());
        let old = noted.ok_or_else(Failure::busy)?;
        for old in old {
            self.forget(old).await;
        }
        if let Err(error) = kept::keep(&self.store, key, &pending).await {
            tracing::warn!(error = %with_sources(&error), "cannot note a transfer of the facilitator, so it is not sent");
            locked(&self.transfers).forget_pending(&key);
            return Err(Reason::UnexpectedSettleError.into());
        }
        Ok(())
    }

    /// Forgets that a transfer was sent.
    pub(super) async fn forget(&self, key: TransferKey) {
        locked(&self.transfers).forget_pending(&key);
        self.forget_kept(key).await;
    }

    /// Forgets a transfer of which the caller is told that it is paid.
    pub(super) async fn answer(&self, key: TransferKey) {
        locked(&self.transfers).answer(key);
        self.forget_kept(key).await;
    }

    async fn forget_kept(&self, key: TransferKey) {
        if let Err(error) = kept::forget(&self.store, key).await {
            tracing::warn!(error = %with_sources(&error), "cannot forget a transfer of the facilitator");
        }
    }
}
