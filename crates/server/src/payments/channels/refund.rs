//! Refunds of channels that their payers ask for.
//!
//! The lock of a refund is stored before its signature is sent, and ends by the chain alone: anyone
//! who has the signature can use it.

use cotrain_payments::{
    rail::RefusalReason,
    x402::{
        Reason,
        batch::{
            Purpose, Reservation,
            payload::{BatchPayload, RefundPayload, SignedVoucher},
        },
        wire::{PaymentPayload, SettlementResponse},
    },
};

use super::{B256, Channels, Kept, LEAST, PROBE, PayError, Purse, QUIET, Slot};
use crate::payments::{
    chain::{Sent, refunded},
    today::DAY,
};

impl Channels {
    /// Returns the rest of a channel to its payer.
    pub(super) async fn refund_channel(
        &self,
        payment: &PaymentPayload,
    ) -> Result<SettlementResponse, PayError> {
        let (terms, payload) = self.chosen(payment, PROBE)?;
        let BatchPayload::Refund(refund) = &payload else {
            return Err(RefusalReason::X402(Reason::BatchPayloadType).into());
        };
        let asked = refund.asked().map_err(RefusalReason::from)?;
        let slot = self.found(&terms, &payload).await?;
        let mut slot = slot.lock().await;
        self.freshen(&mut slot).await?;
        let lock = self.lock(&mut slot.kept.channel, &terms, &payload).await?;
        let now = super::now();
        let asset = self.asset(terms.token.address);
        let least = asset.map_or(0, |asset| asset.price.cost(LEAST));
        if let Err(reason) = check_refund(&slot.kept, asked, least, now) {
            let _ = slot.kept.channel.release(&lock);
            return Err(RefusalReason::X402(reason).into());
        }
        let before = slot.kept.refunded_at;
        slot.kept.asked = asked;
        slot.kept.refunded_at = now;
        if let Err(error) = self.keep(&mut slot).await {
            // The signature was not sent, so the lock may go.
            let _ = slot.kept.channel.release(&lock);
            slot.kept.refunded_at = before;
            return Err(error.into());
        }
        let moved = self
            .send_refund(&mut slot, &lock, refund.voucher.clone(), before)
            .await?;
        let channel = &slot.kept.channel;
        Ok(channel.receipt(self.0.chain.id(), None, Some(moved)))
    }

    /// Signs and sends the refund that locks a channel. Returns its transaction and the amount.
    ///
    /// If nothing could be sent, the last refund stays that of the time `before`.
    async fn send_refund(
        &self,
        slot: &mut Slot,
        lock: &Reservation,
        voucher: SignedVoucher,
        before: u64,
    ) -> Result<(B256, u128), PayError> {
        let chain = &self.0.chain;
        let plan = slot.kept.channel.plan_refund(lock, slot.kept.asked);
        let plan = plan.map_err(|_| RefusalReason::X402(Reason::BatchChannelBusy))?;
        let signed: RefundPayload = chain.sign_refund(&plan, voucher);
        let call = chain.refund_call(&signed)?;
        let prepared = async {
            let gas = chain.simulate(&call).await?;
            chain.prepare(&call, gas, Purse::Refunds).await
        };
        let prepared = match prepared.await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Nothing was sent, so the lock may go.
                let _ = slot.kept.channel.release(lock);
                slot.kept.refunded_at = before;
                self.keep(slot).await?;
                return Err(error.into());
            }
        };
        let Sent::Included(receipt) = prepared.send().await else {
            return Err(RefusalReason::Pending.into());
        };
        let state = self.state(lock.channel).await?;
        slot.kept.channel.refunded(lock, state).map_err(|error| {
            tracing::warn!(channel = %lock.channel, %error, "a refund is not decided");
            RefusalReason::Pending
        })?;
        self.keep(slot).await?;
        let amount = refunded(chain.deployment().settlement(), &receipt, lock.channel);
        Ok((receipt.transaction, amount))
    }

    /// Ends the refunds that the chain shows, and sends the others again.
    pub(super) async fn end_refunds(&self) {
        let all: Vec<_> = self.slots().values().cloned().collect();
        for slot in all {
            // A channel that is in use is not waiting for this.
            let Ok(mut slot) = slot.try_lock() else {
                continue;
            };
            let lock = slot.kept.channel.lock().cloned();
            let Some(lock) = lock.filter(|it| matches!(it.purpose, Purpose::Refund { .. })) else {
                continue;
            };
            if let Err(error) = self.end_refund(&mut slot, &lock).await {
                tracing::warn!(channel = %lock.channel, %error, "a refund is not decided");
            }
        }
    }

    async fn end_refund(&self, slot: &mut Slot, lock: &Reservation) -> Result<(), PayError> {
        let state = self.state(lock.channel).await?;
        if slot.kept.channel.refunded(lock, state).is_ok() {
            return Ok(self.keep(slot).await?);
        }
        let now = super::now();
        if now < slot.quiet_until {
            return Ok(());
        }
        slot.quiet_until = now + QUIET;
        // The voucher is for the payload alone: neither the refund nor its claim needs it.
        let voucher = SignedVoucher {
            channel_id: lock.channel,
            max_claimable_amount: slot.kept.channel.charged().into(),
            signature: slot
                .kept
                .channel
                .voucher()
                .map(|it| it.signature.clone())
                .unwrap_or_default(),
        };
        let plan = slot.kept.channel.plan_refund(lock, slot.kept.asked);
        let Ok(plan) = plan else {
            return Ok(());
        };
        let chain = &self.0.chain;
        let call = chain.refund_call(&chain.sign_refund(&plan, voucher))?;
        let gas = chain.simulate(&call).await?;
        let prepared = chain.prepare(&call, gas, Purse::Host).await;
        prepared?.send().await;
        let state = self.state(lock.channel).await?;
        if slot.kept.channel.refunded(lock, state).is_ok() {
            self.keep(slot).await?;
        }
        Ok(())
    }
}

/// Checks that a refund is worth the host's gas: it returns `least` or all that is left, and the last
/// one is a while ago.
///
/// Claims publish vouchers, and a request names the amount without a signature. So a request for a
/// channel of which all is claimed may be a stranger's: it returns all that is left, once a day.
fn check_refund(kept: &Kept, asked: Option<u128>, least: u128, now: u64) -> Result<(), Reason> {
    let channel = &kept.channel;
    let left = channel.refundable();
    let is_public = channel.charged() <= channel.chain().total_claimed;
    let (least, pause) = if is_public {
        (left, DAY)
    } else {
        (least.min(left), QUIET)
    };
    if asked.is_some_and(|asked| asked < least) {
        return Err(Reason::BatchRefundAmount);
    }
    if now.saturating_sub(kept.refunded_at) < pause {
        return Err(Reason::BatchChannelBusy);
    }
    Ok(())
}
