//! States of payments and refunds, and the evidence that moves them.
//!
//! Time alone ends none of them: see `docs/adr/018-payments.md`.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// State of an `exact` payment after its authorization was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The transaction's hash is stored, and it may be sent.
    Sent,
    /// Nobody knows whether the tokens have moved or will move.
    Unknown,
    /// The own transaction reverted and the nonce is unused. Somebody may still use it.
    Failed,
    /// The tokens moved, in a block that is not final.
    Settled,
    /// The tokens moved, in a final block.
    Final,
    /// The tokens can never move.
    Void,
}

/// Evidence about an `exact` payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementSeen {
    /// Sender or facilitator gave no answer that says more.
    Lost,
    /// A receipt or the token's events show the transfer, deep enough for the host.
    Transferred {
        /// Hash of the transaction that moved the tokens, whoever sent it.
        transaction: B256,
    },
    /// The block with the transfer has left the chain.
    Removed,
    /// The own transaction reverted, and the token has the nonce unused.
    Reverted,
    /// A final block is later than `validBefore` with the nonce unused, or has it canceled.
    Unusable,
    /// The block with the transfer is final.
    Finalized,
}

/// State of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Invoice {
    /// Nobody has paid.
    Open,
    /// A payment is held, and the node decides about it.
    Accepted,
    /// The node has the money.
    Settled,
    /// The node refuses payments.
    Canceled,
    /// The time of the invoice has passed.
    Expired,
}

/// Evidence about an invoice, by the node or, for the expiry, by the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceSeen {
    /// The node holds a payment.
    Accepted,
    /// The node has the money.
    Settled {
        /// Amount that arrived, in millisatoshi.
        amount: u64,
        /// Number of the settlement in the node's stream.
        settle_index: u64,
    },
    /// The node canceled the invoice.
    Canceled,
    /// The time of the invoice has passed.
    Expired,
}

/// State of a refund of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// The units have left the account, and no transaction exists.
    Started,
    /// A transaction's hash is stored, and it may be sent.
    Sent,
    /// Nobody knows whether the tokens have moved or will move.
    Unknown,
    /// The tokens moved, in a block that is not final.
    Paid,
    /// The tokens moved, in a final block.
    Final,
    /// The tokens can never move by this refund, and the units are back.
    Failed,
}

/// Evidence about a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundSeen {
    /// A transaction is signed and goes out as soon as this is stored.
    Sent {
        /// Its hash. A later one replaces it, at the same nonce.
        transaction: B256,
    },
    /// The sender gave no answer that says more.
    Lost,
    /// A receipt shows the transfer.
    Paid,
    /// The block with the transfer has left the chain.
    Removed,
    /// In a final block one of the refund's transactions reverted, or a foreign one has their nonce.
    Failed,
    /// The block with the transfer is final.
    Finalized,
}

/// Evidence that no honest source can have after what was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "cannot take {seen} of a payment that is {state}: the evidence contradicts itself; look at the node"
)]
pub struct Contradiction {
    /// State before.
    pub state: &'static str,
    /// Evidence.
    pub seen: &'static str,
}

impl Settlement {
    /// Returns the state after evidence, or `None` if the evidence says nothing new.
    ///
    /// # Errors
    /// [`Contradiction`] if final evidence said otherwise, or a final state comes out of order.
    pub fn after(self, seen: SettlementSeen) -> Result<Option<Self>, Contradiction> {
        use SettlementSeen as Seen;
        let contradiction = |seen| {
            Err(Contradiction {
                state: self.name(),
                seen,
            })
        };
        let next = match (self, seen) {
            // Nothing is learned, so only what was sure of being sent becomes unsure.
            (Self::Sent, Seen::Lost) | (Self::Settled, Seen::Removed) => Self::Unknown,
            (Self::Sent | Self::Unknown | Self::Failed, Seen::Transferred { .. }) => Self::Settled,
            (Self::Sent | Self::Unknown, Seen::Reverted) => Self::Failed,
            (Self::Sent | Self::Unknown | Self::Failed, Seen::Unusable) => Self::Void,
            (Self::Settled, Seen::Finalized) => Self::Final,
            (Self::Void, Seen::Transferred { .. }) => return contradiction("a transfer"),
            (Self::Final, Seen::Removed) => return contradiction("the removal"),
            (Self::Settled | Self::Final, Seen::Unusable) => {
                return contradiction("an unused nonce");
            }
            (Self::Sent | Self::Unknown | Self::Failed | Self::Void, Seen::Finalized) => {
                return contradiction("the finality");
            }
            _ => return Ok(None),
        };
        Ok(Some(next))
    }

    /// `true` if the tokens moved, as far as anybody knows.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Settled | Self::Final)
    }

    /// `true` if the payer must wait, and must not pay again.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Sent | Self::Unknown | Self::Failed)
    }

    /// `true` if no evidence can change the state, so nobody needs to look for any.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Final | Self::Void)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Settled => "settled",
            Self::Final => "final",
            Self::Void => "void",
        }
    }
}

impl Invoice {
    /// Returns the state after evidence, or `None` if the evidence says nothing new.
    ///
    /// A settlement counts in every state: the node has the money, however late it came.
    #[must_use]
    pub fn after(self, seen: InvoiceSeen) -> Option<Self> {
        use InvoiceSeen as Seen;
        match (self, seen) {
            (Self::Settled, _) => None,
            (_, Seen::Settled { .. }) => Some(Self::Settled),
            (Self::Open | Self::Expired, Seen::Accepted) => Some(Self::Accepted),
            (Self::Open | Self::Accepted | Self::Expired, Seen::Canceled) => Some(Self::Canceled),
            (Self::Open, Seen::Expired) => Some(Self::Expired),
            _ => None,
        }
    }
}

impl RefundState {
    /// Returns the state after evidence, or `None` if the evidence says nothing new.
    ///
    /// # Errors
    /// [`Contradiction`] if final evidence said otherwise, or comes out of order.
    pub fn after(self, seen: RefundSeen) -> Result<Option<Self>, Contradiction> {
        use RefundSeen as Seen;
        let contradiction = |seen| {
            Err(Contradiction {
                state: self.name(),
                seen,
            })
        };
        let next = match (self, seen) {
            (Self::Started | Self::Sent | Self::Unknown, Seen::Sent { .. }) => Self::Sent,
            (Self::Sent, Seen::Lost) | (Self::Paid, Seen::Removed) => Self::Unknown,
            (Self::Sent | Self::Unknown, Seen::Paid) => Self::Paid,
            (Self::Paid, Seen::Finalized) => Self::Final,
            (Self::Started | Self::Sent | Self::Unknown, Seen::Failed) => Self::Failed,
            (Self::Failed | Self::Started, Seen::Paid) => return contradiction("a transfer"),
            (Self::Paid | Self::Final, Seen::Failed) => return contradiction("the failure"),
            (Self::Final, Seen::Removed) => return contradiction("the removal"),
            (Self::Failed | Self::Paid | Self::Final, Seen::Sent { .. }) => {
                return contradiction("a new transaction");
            }
            (_, Seen::Finalized) if self != Self::Final => return contradiction("the finality"),
            _ => return Ok(None),
        };
        Ok(Some(next))
    }

    /// `true` if no evidence can change the state, so nobody needs to look for any.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Final | Self::Failed)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Paid => "paid",
            Self::Final => "final",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSFERRED: SettlementSeen = SettlementSeen::Transferred {
        transaction: B256::ZERO,
    };

    /// Returns the last state of a payment that was sent and of which this was seen.
    fn seen(evidence: &[SettlementSeen]) -> Result<Settlement, Contradiction> {
        evidence.iter().try_fold(Settlement::Sent, |state, &seen| {
            Ok(state.after(seen)?.unwrap_or(state))
        })
    }

    #[test]
    fn settlement_leaves_unknown_only_by_evidence() {
        use SettlementSeen::{Finalized, Lost, Removed, Reverted, Unusable};
        assert_eq!(seen(&[Lost]), Ok(Settlement::Unknown));
        assert_eq!(seen(&[Lost, Lost, Removed]), Ok(Settlement::Unknown));
        assert_eq!(seen(&[Lost, TRANSFERRED]), Ok(Settlement::Settled));
        assert_eq!(seen(&[Lost, Unusable]), Ok(Settlement::Void));
        assert_eq!(seen(&[Lost, TRANSFERRED, Finalized]), Ok(Settlement::Final));
        // Somebody else may have sent it, or may send it later.
        assert_eq!(seen(&[Reverted, TRANSFERRED]), Ok(Settlement::Settled));
        assert_eq!(
            seen(&[TRANSFERRED, Lost, Reverted]),
            Ok(Settlement::Settled)
        );
        let removed = [TRANSFERRED, Removed];
        assert_eq!(seen(&removed), Ok(Settlement::Unknown));
        assert_eq!(
            seen(&[&removed[..], &[Unusable]].concat()),
            Ok(Settlement::Void)
        );
    }

    #[test]
    fn settlement_refuses_evidence_against_what_is_final() {
        use SettlementSeen::{Finalized, Removed, Unusable};
        for evidence in [
            &[Unusable, TRANSFERRED][..],
            &[TRANSFERRED, Finalized, Removed],
            &[TRANSFERRED, Finalized, Unusable],
            &[TRANSFERRED, Unusable],
            &[Finalized],
        ] {
            assert!(seen(evidence).is_err(), "{evidence:?}");
        }
    }

    #[test]
    fn invoice_counts_a_settlement_in_every_state() {
        let settled = InvoiceSeen::Settled {
            amount: 1,
            settle_index: 1,
        };
        for state in [
            Invoice::Open,
            Invoice::Accepted,
            Invoice::Canceled,
            Invoice::Expired,
        ] {
            assert_eq!(state.after(settled), Some(Invoice::Settled), "{state:?}");
        }
        for seen in [
            settled,
            InvoiceSeen::Accepted,
            InvoiceSeen::Canceled,
            InvoiceSeen::Expired,
        ] {
            assert_eq!(Invoice::Settled.after(seen), None, "{seen:?}");
        }
        // The node decides about a payment that it holds, not the time.
        assert_eq!(Invoice::Accepted.after(InvoiceSeen::Expired), None);
        let accepted = Invoice::Expired.after(InvoiceSeen::Accepted);
        assert_eq!(accepted, Some(Invoice::Accepted));
    }

    #[test]
    fn refund_state_never_pays_after_a_failure_or_fails_after_a_payment() {
        use RefundSeen::{Failed, Finalized, Lost, Paid, Removed};
        let refund = |evidence: &[RefundSeen]| {
            evidence
                .iter()
                .try_fold(RefundState::Started, |state, &seen| {
                    Ok::<_, Contradiction>(state.after(seen)?.unwrap_or(state))
                })
        };
        let sent = RefundSeen::Sent {
            transaction: B256::ZERO,
        };
        assert_eq!(refund(&[sent, Lost, Paid]), Ok(RefundState::Paid));
        assert_eq!(refund(&[sent, Lost, sent]), Ok(RefundState::Sent));
        assert_eq!(refund(&[sent, Lost, Failed]), Ok(RefundState::Failed));
        assert_eq!(refund(&[sent, Paid, Removed]), Ok(RefundState::Unknown));
        let last = refund(&[sent, Paid, Finalized, Finalized, Lost]);
        assert_eq!(last, Ok(RefundState::Final));
        for evidence in [
            &[Paid][..],
            &[sent, Failed, Paid],
            &[sent, Paid, Failed],
            &[sent, Failed, sent],
            &[sent, Paid, Finalized, Removed],
            &[sent, Finalized],
        ] {
            assert!(refund(evidence).is_err(), "{evidence:?}");
        }
    }
}
