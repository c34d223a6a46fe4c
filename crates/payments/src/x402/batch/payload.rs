//! Payloads of the scheme.

use alloy_primitives::{Address, B256, Bytes};
use serde::{Deserialize, Serialize};

use super::{ChannelConfig, Deployment, abi};
use crate::x402::{
    Decimal,
    token::{Authorization, Token},
};

/// Payload, by its key `type`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum BatchPayload {
    /// Payment that also deposits.
    Deposit(DepositPayload),
    /// Payment out of the channel's balance.
    Voucher(VoucherPayload),
    /// Request of the payer to get the rest back, with a voucher over what was charged.
    Refund(RefundPayload),
    /// Claim of vouchers by the receiver; only for facilitators.
    Claim(ClaimPayload),
    /// Transfer of what was claimed; only for facilitators.
    Settle(SettlePayload),
}

/// Signed voucher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedVoucher {
    /// Id of the channel.
    pub channel_id: B256,
    /// Total that the payer promises, in atomic units.
    pub max_claimable_amount: Decimal,
    /// Signature of the voucher.
    pub signature: Bytes,
}

/// Payment out of the channel's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherPayload {
    /// Parties and terms of the channel.
    pub channel_config: ChannelConfig,
    /// Voucher over what was charged and the price.
    pub voucher: SignedVoucher,
}

/// Payment that also deposits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositPayload {
    /// Parties and terms of the channel.
    pub channel_config: ChannelConfig,
    /// Voucher over what was charged and the price.
    pub voucher: SignedVoucher,
    /// Deposit.
    pub deposit: Deposit,
}

/// Deposit into a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deposit {
    /// Amount in atomic units.
    pub amount: Decimal,
    /// Signed transfer to the collector.
    pub authorization: DepositAuthorization,
}

/// Signed transfer of a deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositAuthorization {
    /// Transfer by EIP-3009; `None` if the payer chose another method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erc3009_authorization: Option<Erc3009Authorization>,
}

/// Terms and signature of a transfer to the collector. The nonce follows from channel and salt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erc3009Authorization {
    /// Last second in which it is not valid yet, in Unix seconds.
    pub valid_after: Decimal,
    /// First second in which it is not valid any more, in Unix seconds.
    pub valid_before: Decimal,
    /// Random number of the payer.
    pub salt: B256,
    /// Signature by the payer.
    pub signature: Bytes,
}

/// Refund. The payer sends the first three keys; the receiver adds the others for a facilitator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefundPayload {
    /// Parties and terms of the channel.
    pub channel_config: ChannelConfig,
    /// Voucher over what was charged.
    pub voucher: SignedVoucher,
    /// Amount in atomic units; `None` for all that is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// The channel's number of refunds on the chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_nonce: Option<Decimal>,
    /// Claims to make before the refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Vec<VoucherClaim>>,
    /// Signature of the refund by the receiver's authorizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund_authorizer_signature: Option<Bytes>,
    /// Signature of the claims by the receiver's authorizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_authorizer_signature: Option<Bytes>,
}

/// Claims of the receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimPayload {
    /// One row a channel.
    pub claims: Vec<VoucherClaim>,
    /// Signature of the claims by the receiver's authorizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_authorizer_signature: Option<Bytes>,
}

/// Transfer of what was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettlePayload {
    /// Account that is paid.
    pub receiver: Address,
    /// Token.
    pub token: Address,
}

/// Claim from one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoucherClaim {
    /// Voucher that covers the claim.
    pub voucher: ClaimedVoucher,
    /// Signature of the voucher.
    pub signature: Bytes,
    /// Total that the receiver takes, in atomic units.
    pub total_claimed: Decimal,
}

/// Voucher of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimedVoucher {
    /// Parties and terms of the channel.
    pub channel: ChannelConfig,
    /// Total that the payer promised, in atomic units.
    pub max_claimable_amount: Decimal,
}

impl VoucherClaim {
    /// Returns the claim as the contract reads it, or `None` if an amount does not fit 128 bits.
    #[must_use]
    pub fn to_abi(&self) -> Option<abi::VoucherClaim> {
        Some(abi::VoucherClaim {
            voucher: abi::Voucher {
                channel: self.voucher.channel.to_abi(),
                maxClaimableAmount: self.voucher.max_claimable_amount.to_u128()?,
            },
            signature: self.signature.clone(),
            totalClaimed: self.total_claimed.to_u128()?,
        })
    }
}

impl BatchPayload {
    /// Returns the channel's configuration and voucher, if the payload is about one channel.
    #[must_use]
    pub fn channel(&self) -> Option<(&ChannelConfig, &SignedVoucher)> {
        match self {
            Self::Deposit(it) => Some((&it.channel_config, &it.voucher)),
            Self::Voucher(it) => Some((&it.channel_config, &it.voucher)),
            Self::Refund(it) => Some((&it.channel_config, &it.voucher)),
            Self::Claim(_) | Self::Settle(_) => None,
        }
    }
}

impl DepositPayload {
    /// Returns the transfer to the collector that the payer signed.
    ///
    /// Returns `None` if the payer chose another method than EIP-3009.
    #[must_use]
    pub fn transfer(&self, deployment: &Deployment) -> Option<Authorization> {
        let authorization = self.deposit.authorization.erc3009_authorization.as_ref()?;
        Some(authorization.transfer(
            self.channel_config.payer,
            deployment.collector(),
            deployment.channel_id(&self.channel_config),
            self.deposit.amount,
        ))
    }
}

impl Erc3009Authorization {
    /// Returns the transfer that the payer signed: from the payer to the collector.
    pub(crate) fn transfer(
        &self,
        payer: Address,
        collector: Address,
        channel: B256,
        amount: Decimal,
    ) -> Authorization {
        Authorization {
            from: payer,
            to: collector,
            value: amount,
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            nonce: super::deployment::deposit_nonce(channel, self.salt),
        }
    }

    /// Returns `true` if the payer's key signed the transfer.
    pub(crate) fn is_signed(&self, token: &Token, transfer: &Authorization) -> bool {
        transfer.is_signed(token.receive_hash(transfer), &self.signature)
    }
}
