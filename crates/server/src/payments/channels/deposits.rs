//! Deposits into channels, which are settled before the work of their call.

use std::time::Duration;

use cotrain_payments::{
    rail::RefusalReason,
    x402::{
        Reason,
        batch::{
            Terms,
            payload::{BatchPayload, DepositPayload, VoucherPayload},
        },
    },
};

use super::{Channels, LEAST, PayError, Purse, QUIET, Slot, now};
use crate::payments::{
    SLACK,
    chain::{ChainError, Finding},
};

/// Number of looks for a deposit in a channel's balance, and the pause between them. Some nodes have
/// the receipt of a block before they have its state.
const LOOKS: (usize, Duration) = (10, Duration::from_millis(200));

impl Channels {
    /// Makes the deposit of a payment, once. Returns the payment without it.
    pub(super) async fn fund(
        &self,
        slot: &mut Slot,
        terms: &Terms,
        payload: BatchPayload,
    ) -> Result<BatchPayload, PayError> {
        let deposit = match payload {
            BatchPayload::Deposit(deposit) => deposit,
            BatchPayload::Voucher(_) => return Ok(payload),
            _ => return Err(RefusalReason::X402(Reason::BatchPayloadType).into()),
        };
        let chain = &self.0.chain;
        let (call, transfer) = chain.deposit(&terms.token, &deposit)?;
        let mut found = chain.look(&transfer).await?;
        if found == Finding::Nothing && now() < slot.deposit_until {
            return self.without_another(slot, deposit).await;
        }
        if found == Finding::Nothing {
            // The rules decide whether the deposit is good, and change nothing yet.
            let mut dry = slot.kept.channel.clone();
            let payload = BatchPayload::Deposit(deposit.clone());
            self.lock(&mut dry, terms, &payload).await?;
            self.check_worth(terms, &deposit)?;
            let gas = match chain.simulate_transfer(&call, &transfer).await {
                // It was made a moment ago, and the next look finds it.
                Err(ChainError::Refused(Reason::ExactNonceUsed)) => {
                    return Err(RefusalReason::Pending.into());
                }
                gas => gas?,
            };
            let prepared = chain.prepare(&call, gas, Purse::Host).await;
            let sent = chain.settle(prepared?, &transfer).await;
            if matches!(
                sent,
                Ok(Finding::Nothing | Finding::Searching) | Err(ChainError::Node(_))
            ) {
                slot.deposit_until = now() + QUIET;
            }
            found = sent.map_err(|error| match error {
                // It may have been sent.
                ChainError::Node(_) => PayError::from(RefusalReason::Pending),
                error => PayError::from(error),
            })?;
        }
        match found {
            Finding::Moved {
                transaction,
                counts: true,
                ..
            } => {
                slot.moved = deposit.deposit.amount.to_u128().map(|it| (transaction, it));
                self.note_deposit(slot, &deposit).await?;
                Ok(without_deposit(deposit))
            }
            Finding::Nothing | Finding::Searching | Finding::Moved { .. } => {
                Err(RefusalReason::Pending.into())
            }
            Finding::Reverted | Finding::Void(_) => {
                Err(RefusalReason::X402(Reason::BatchDepositTransactionFailed).into())
            }
        }
    }

    /// Returns a payment without its deposit while another one is on its way, if the channel has
    /// enough by now. A client whose answer was lost signs a new deposit, and needs none.
    async fn without_another(
        &self,
        slot: &mut Slot,
        deposit: DepositPayload,
    ) -> Result<BatchPayload, PayError> {
        let state = self.state(slot.kept.channel.id()).await?;
        let total = deposit.voucher.max_claimable_amount.to_u128();
        if total.is_none_or(|total| state.balance < total) {
            return Err(RefusalReason::Pending.into());
        }
        slot.kept.channel.mirror(state);
        Ok(without_deposit(deposit))
    }

    /// Checks that a deposit is worth the host's gas, and that its outcome is known soon.
    fn check_worth(&self, terms: &Terms, deposit: &DepositPayload) -> Result<(), PayError> {
        let asset = self.asset(terms.token.address);
        let least = asset.map_or(0, |asset| asset.price.cost(LEAST));
        let amount = deposit.deposit.amount.to_u128();
        if amount.is_none_or(|amount| amount < least) {
            return Err(RefusalReason::X402(Reason::BatchDepositBelowMinimum).into());
        }
        let authorization = deposit.deposit.authorization.erc3009_authorization.as_ref();
        let end = authorization.and_then(|it| it.valid_before.to_u64());
        let latest = now().saturating_add(terms.max_timeout + SLACK);
        if end.is_none_or(|end| end > latest) {
            return Err(RefusalReason::X402(Reason::BatchValidBefore).into());
        }
        Ok(())
    }

    /// Mirrors a channel after its deposit.
    async fn note_deposit(
        &self,
        slot: &mut Slot,
        deposit: &DepositPayload,
    ) -> Result<(), PayError> {
        let total = deposit.voucher.max_claimable_amount.to_u128();
        for _ in 0..LOOKS.0 {
            let state = self.state(slot.kept.channel.id()).await?;
            let is_there = total.is_none_or(|total| state.balance >= total);
            slot.kept.channel.mirror(state);
            if is_there {
                return Ok(());
            }
            tokio::time::sleep(LOOKS.1).await;
        }
        // The payer has withdrawn it already, or the node lags for long.
        Ok(())
    }
}

/// Returns the voucher of a deposit that is made.
pub(super) fn without_deposit(deposit: DepositPayload) -> BatchPayload {
    BatchPayload::Voucher(VoucherPayload {
        channel_config: deposit.channel_config,
        voucher: deposit.voucher,
    })
}
