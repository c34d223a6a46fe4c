//! Charges of calls, and their receipts.

use cotrain_payments::{
    ledger::{AccountId, Asked, Fault, Source},
    rail::{Hold, RefusalReason},
    x402::wire::SettlementResponse,
};

use super::{Channels, Paid, PayError, STATES, Sale, Slot, now};
use crate::payments::books::State;

impl Channels {
    /// Returns the receipt of a request that was done before.
    pub(super) fn done(
        &self,
        slot: &Slot,
        account: AccountId,
        sale: &Sale,
    ) -> Result<Option<Paid>, PayError> {
        let Some(request) = sale.request(account.0) else {
            return Ok(None);
        };
        let asked = self
            .0
            .books
            .read(|ledger| ledger.reserve(account, sale.price, Source::Voucher, Some(request)));
        match asked {
            Ok(Asked::Done(receipt)) => Ok(Some(Paid {
                response: Some(self.receipt(slot, None)),
                receipt,
            })),
            Err(fault @ Fault::OtherBody) => Err(RefusalReason::Ledger(fault).into()),
            // The rules of the channel say more about what is refused.
            Ok(Asked::Begin(..)) | Err(_) => Ok(None),
        }
    }

    /// Returns the contents of the header `PAYMENT-RESPONSE`.
    pub(super) fn receipt(&self, slot: &Slot, charged: Option<u128>) -> SettlementResponse {
        let channel = &slot.kept.channel;
        channel.receipt(self.0.chain.id(), charged.or(Some(0)), slot.moved)
    }

    /// Charges a call whose work succeeded, and stores its channel.
    pub(super) async fn charge(&self, hold: &Hold, units: u64) -> Result<Paid, PayError> {
        let lost = || PayError::Unavailable("channel");
        let lock = hold.lock.as_ref().ok_or_else(lost)?;
        let slot = self.slot(lock.channel).ok_or_else(lost)?;
        let mut slot = slot.lock().await;
        let mut kept = slot.kept.clone();
        let asset = self.asset(kept.channel.config().token).ok_or_else(lost)?;
        let actual = asset.price.cost(units);
        let committed = kept.channel.commit(lock, actual, now());
        committed.map_err(|error| {
            tracing::warn!(channel = %lock.channel, %error, "cannot charge a call");
            lost()
        })?;
        let state = State {
            rail: STATES,
            name: lock.channel.to_vec(),
            state: kept.stored(),
        };
        let sum = Some(kept.channel.charged());
        let charging = self
            .0
            .books
            .commit_with(hold.reservation, units, sum, Some(state));
        let receipt = charging.await.inspect_err(|_| slot.is_stale = true)?;
        slot.kept = kept;
        let response = self.receipt(&slot, Some(actual));
        slot.moved = None;
        Ok(Paid {
            receipt,
            response: Some(response),
        })
    }
}
