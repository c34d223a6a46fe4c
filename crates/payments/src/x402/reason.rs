//! Words of x402 that say why a payment failed.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! reasons {
    ($($name:ident = $word:literal,)*) => {
        /// Word of x402 that says why a payment failed.
        ///
        /// The words that begin with `invalid_exact_evm` or `invalid_batch_settlement_evm` are those of
        /// the npm package `@x402/evm` 2.27.0, or else those of the specification.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = concat!("Word `", $word, "`.")] $name,)*
            /// Word that this list lacks.
            Other(String),
        }

        impl Reason {
            /// Returns the word.
            #[must_use]
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Other(word) => word,
                }
            }

            /// Reads a word.
            #[must_use]
            pub fn of(word: &str) -> Self {
                match word {
                    $($word => Self::$name,)*
                    _ => Self::Other(word.to_owned()),
                }
            }

            /// All words of this list.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

reasons! {
    // Of the specification's core.
    InsufficientFunds = "insufficient_funds",
    InvalidNetwork = "invalid_network",
    InvalidPayload = "invalid_payload",
    InvalidPaymentRequirements = "invalid_payment_requirements",
    InvalidScheme = "invalid_scheme",
    InvalidTransactionState = "invalid_transaction_state",
    InvalidVersion = "invalid_x402_version",
    SettlementPending = "settlement_pending",
    UnexpectedSettleError = "unexpected_settle_error",
    UnexpectedVerifyError = "unexpected_verify_error",
    UnsupportedScheme = "unsupported_scheme",
    // Of `exact`, in the specification. The package has other words for the same three faults.
    SpecExactRecipientMismatch = "invalid_exact_evm_payload_recipient_mismatch",
    SpecExactSignature = "invalid_exact_evm_payload_signature",
    // Of `exact`, in the package.
    ExactInsufficientBalance = "invalid_exact_evm_insufficient_balance",
    ExactMethodUnsupported = "invalid_exact_evm_eip3009_not_supported",
    ExactMissingDomain = "invalid_exact_evm_missing_eip712_domain",
    ExactNetworkMismatch = "invalid_exact_evm_network_mismatch",
    ExactNonceUsed = "invalid_exact_evm_nonce_already_used",
    ExactRecipientMismatch = "invalid_exact_evm_recipient_mismatch",
    ExactScheme = "invalid_exact_evm_scheme",
    ExactSignature = "invalid_exact_evm_signature",
    ExactSimulationFailed = "invalid_exact_evm_transaction_simulation_failed",
    ExactTransactionFailed = "invalid_exact_evm_transaction_failed",
    ExactTransferMismatch = "invalid_exact_evm_transfer_event_mismatch",
    ExactValidAfter = "invalid_exact_evm_payload_authorization_valid_after",
    ExactValidBefore = "invalid_exact_evm_payload_authorization_valid_before",
    ExactValueMismatch = "invalid_exact_evm_payload_authorization_value_mismatch",
    // Of `batch-settlement`.
    BatchAuthorizerMismatch = "invalid_batch_settlement_evm_authorizer_address_mismatch",
    BatchAuthorizerMissing = "invalid_batch_settlement_evm_authorizer_not_configured",
    BatchAuthorizationRequired = "invalid_batch_settlement_evm_erc3009_authorization_required",
    BatchAuthorizationSignature = "invalid_batch_settlement_evm_receive_authorization_signature",
    BatchBelowClaimed = "invalid_batch_settlement_evm_cumulative_below_claimed",
    BatchChannelBusy = "invalid_batch_settlement_evm_channel_busy",
    BatchChannelIdMismatch = "invalid_batch_settlement_evm_channel_id_mismatch",
    BatchChannelMissing = "invalid_batch_settlement_evm_missing_channel",
    BatchChannelNotFound = "invalid_batch_settlement_evm_channel_not_found",
    BatchChargeExceedsSigned = "invalid_batch_settlement_evm_charge_exceeds_signed_cumulative",
    BatchClaimPayload = "invalid_batch_settlement_evm_claim_payload",
    BatchClaimSimulationFailed = "invalid_batch_settlement_evm_claim_simulation_failed",
    BatchClaimTransactionFailed = "invalid_batch_settlement_evm_claim_transaction_failed",
    BatchCumulativeMismatch = "invalid_batch_settlement_evm_cumulative_amount_mismatch",
    BatchDepositBelowMinimum = "invalid_batch_settlement_evm_deposit_below_min_deposit",
    BatchDepositPayload = "invalid_batch_settlement_evm_deposit_payload",
    BatchDepositSimulationFailed = "invalid_batch_settlement_evm_deposit_simulation_failed",
    BatchDepositTransactionFailed = "invalid_batch_settlement_evm_deposit_transaction_failed",
    BatchExceedsBalance = "invalid_batch_settlement_evm_cumulative_exceeds_balance",
    BatchInsufficientBalance = "invalid_batch_settlement_evm_insufficient_balance",
    BatchMissingDomain = "invalid_batch_settlement_evm_missing_eip712_domain",
    BatchNetworkMismatch = "invalid_batch_settlement_evm_network_mismatch",
    BatchNothingToSettle = "invalid_batch_settlement_evm_nothing_to_settle",
    BatchPayloadType = "invalid_batch_settlement_evm_payload_type",
    BatchReceiverAuthorizerMismatch = "invalid_batch_settlement_evm_receiver_authorizer_mismatch",
    BatchReceiverMismatch = "invalid_batch_settlement_evm_receiver_mismatch",
    BatchRefundAmount = "invalid_batch_settlement_evm_refund_amount_invalid",
    BatchRefundNoBalance = "invalid_batch_settlement_evm_refund_no_balance",
    BatchRefundPayload = "invalid_batch_settlement_evm_refund_payload",
    BatchRefundSimulationFailed = "invalid_batch_settlement_evm_refund_simulation_failed",
    BatchRefundTransactionFailed = "invalid_batch_settlement_evm_refund_transaction_failed",
    BatchRpcReadFailed = "invalid_batch_settlement_evm_rpc_read_failed",
    BatchScheme = "invalid_batch_settlement_evm_scheme",
    BatchSettlePayload = "invalid_batch_settlement_evm_settle_payload",
    BatchSettleSimulationFailed = "invalid_batch_settlement_evm_settle_simulation_failed",
    BatchSettleTransactionFailed = "invalid_batch_settlement_evm_settle_transaction_failed",
    BatchStateUnavailable = "invalid_batch_settlement_evm_verification_state_unavailable",
    BatchTokenMismatch = "invalid_batch_settlement_evm_token_mismatch",
    BatchTransactionReverted = "invalid_batch_settlement_evm_transaction_reverted",
    BatchValidAfter = "invalid_batch_settlement_evm_payload_authorization_valid_after",
    BatchValidBefore = "invalid_batch_settlement_evm_payload_authorization_valid_before",
    BatchVoucherPayload = "invalid_batch_settlement_evm_voucher_payload",
    BatchVoucherSignature = "invalid_batch_settlement_evm_voucher_signature",
    BatchWaitFailed = "invalid_batch_settlement_evm_wait_for_receipt_failed",
    BatchWithdrawDelayMismatch = "invalid_batch_settlement_evm_withdraw_delay_mismatch",
    BatchWithdrawDelayRange = "invalid_batch_settlement_evm_withdraw_delay_out_of_range",
}

impl Reason {
    /// Returns the HTTP status of an answer with this word.
    ///
    /// It is 400 for a malformed payment, and 503 if the outcome or the chain's state is unknown. A 402
    /// would make a correct payer pay twice then. It is 402 otherwise.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidPayload
            | Self::InvalidVersion
            | Self::BatchClaimPayload
            | Self::BatchDepositPayload
            | Self::BatchPayloadType
            | Self::BatchRefundPayload
            | Self::BatchSettlePayload
            | Self::BatchVoucherPayload => 400,
            Self::SettlementPending
            | Self::UnexpectedSettleError
            | Self::UnexpectedVerifyError
            | Self::BatchRpcReadFailed
            | Self::BatchStateUnavailable
            | Self::BatchWaitFailed => 503,
            _ => 402,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Cow::<'de, str>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn status_never_asks_to_pay_again_for_an_unknown_outcome() {
        assert_eq!(Reason::SettlementPending.status(), 503);
        assert_eq!(Reason::InvalidPayload.status(), 400);
        assert_eq!(Reason::InsufficientFunds.status(), 402);
        assert_eq!(Reason::of("invalid_moon").status(), 402);
    }

    #[test]
    fn reason_has_each_word_once() {
        let words: BTreeSet<_> = Reason::ALL.iter().map(Reason::word).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert_eq!(Reason::of(reason.word()), *reason);
        }
        let unknown = Reason::Other("invalid_moon".to_owned());
        assert_eq!(Reason::of("invalid_moon"), unknown);
    }
}
