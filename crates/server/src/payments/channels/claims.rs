//! Claims of what vouchers promise, before a payer can take it back.

use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};
use cotrain_indexer::{StoreError, with_sources};
use cotrain_payments::x402::batch::ClaimRule;

use super::{Books, Channels, PayError, Purse, QUIET, now};
use crate::payments::chain::{ClaimBatch, Sent};

/// Name of the block from which withdrawals are looked for, among the states of the books.
const BLOCK: &str = "channels-block";

/// Returns the stored block from which withdrawals are looked for.
pub(super) async fn next_block(books: &Books) -> Result<Option<u64>, StoreError> {
    let states = books.states(BLOCK).await?;
    let block = states
        .first()
        .and_then(|(_, state)| state.as_slice().try_into().ok());
    Ok(block.map(u64::from_be_bytes))
}

impl Channels {
    /// Looks for payers that asked for their money, and reads the state of their channels.
    pub(super) async fn watch_withdrawals(&self) {
        if let Err(error) = self.read_withdrawals().await {
            tracing::warn!(%error, "cannot look for withdrawals from channels now");
        }
    }

    async fn read_withdrawals(&self) -> Result<(), PayError> {
        let before = *self.next_block();
        let chain = &self.0.chain;
        // Blocks that are not final are read again, since others may take their place.
        let depth = chain.options().final_after;
        let from = match before {
            Some(block) => block.saturating_sub(depth),
            // Each channel is read from the chain when it is first seen.
            None => chain.head().await?.saturating_sub(depth),
        };
        let (channels, next) = chain.withdrawals(from).await?;
        for channel in channels {
            self.refresh(channel).await?;
        }
        if before != Some(next) {
            let block = next.to_be_bytes().to_vec();
            let kept = self.0.books.write(move |draft| {
                draft.keep(BLOCK, b"next", Some(block));
                Ok(())
            });
            kept.await?;
            *self.next_block() = Some(next);
        }
        Ok(())
    }

    fn next_block(&self) -> MutexGuard<'_, Option<u64>> {
        let block = self.0.next_block.lock();
        block.unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the state of a channel from the chain, if it is one of ours.
    async fn refresh(&self, channel: B256) -> Result<(), PayError> {
        let Some(slot) = self.slot(channel) else {
            return Ok(());
        };
        let mut slot = slot.lock().await;
        self.freshen(&mut slot).await?;
        let state = self.state(channel).await?;
        let before = slot.kept.channel.chain().clone();
        slot.kept.channel.mirror(state);
        let after = slot.kept.channel.chain();
        let is_new = (
            before.balance,
            before.total_claimed,
            before.withdraw_requested_at,
        ) != (
            after.balance,
            after.total_claimed,
            after.withdraw_requested_at,
        );
        if is_new {
            self.keep(&mut slot).await?;
        }
        Ok(())
    }

    /// Claims from all channels of which a claim is due, and has the contract pay out.
    pub(super) async fn claim_due(&self) {
        if let Err(error) = self.claim_all().await {
            tracing::warn!(%error, "cannot claim from channels now");
        }
    }

    async fn claim_all(&self) -> Result<(), PayError> {
        let all: Vec<_> = self.slots().values().cloned().collect();
        let (mut claims, now) = (Vec::new(), now());
        for slot in all {
            let mut slot = slot.lock().await;
            let Some(asset) = self.asset(slot.kept.channel.config().token) else {
                continue;
            };
            let rule = ClaimRule {
                every: self.0.terms.claim_after,
                above: asset.price.cost(self.0.terms.claim_above),
            };
            let Some(due) = slot.kept.channel.due(rule, now) else {
                continue;
            };
            if now < slot.quiet_until {
                continue;
            }
            if let Some(claim) = slot.kept.channel.claim() {
                slot.quiet_until = now + QUIET;
                tracing::debug!(channel = %slot.kept.channel.id(), ?due, "claiming");
                claims.push(claim);
            }
        }
        if claims.is_empty() {
            return Ok(());
        }
        let batches = self.0.chain.claims(claims).await?;
        let mut payees = BTreeSet::new();
        for batch in batches {
            payees.insert(batch.payee);
            self.claim_batch(batch).await?;
        }
        for payee in payees {
            self.settle(payee).await?;
        }
        Ok(())
    }

    async fn claim_batch(&self, batch: ClaimBatch) -> Result<(), PayError> {
        let chain = &self.0.chain;
        let prepared = chain.prepare(&batch.call, batch.gas, Purse::Host).await;
        match prepared?.send().await {
            Sent::Included(receipt) if receipt.success => {
                tracing::info!(transaction = %receipt.transaction, channels = batch.channels.len(), "claimed from channels");
            }
            Sent::Included(receipt) => {
                tracing::warn!(transaction = %receipt.transaction, "a claim from channels failed on the chain");
            }
            Sent::Refused(error) => {
                tracing::warn!(error = %with_sources(&error), "a claim from channels was not sent");
            }
            Sent::Unknown => {}
        }
        for channel in batch.channels {
            self.refresh(channel).await?;
        }
        Ok(())
    }

    /// Has the contract pay out what was claimed.
    async fn settle(&self, payee: (Address, Address)) -> Result<(), PayError> {
        let chain = &self.0.chain;
        let unsettled = chain.unsettled(payee.0, payee.1).await;
        if unsettled? == 0 {
            return Ok(());
        }
        let call = chain.settlement(payee.0, payee.1);
        let gas = chain.simulate(&call).await?;
        let prepared = chain.prepare(&call, gas, Purse::Host).await;
        if let Sent::Included(receipt) = prepared?.send().await {
            tracing::info!(transaction = %receipt.transaction, "channels have paid out");
        }
        Ok(())
    }
}
