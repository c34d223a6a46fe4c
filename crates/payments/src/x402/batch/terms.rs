//! Terms of an offer of this scheme.

use alloy_primitives::Address;

use super::{ChannelConfig, Deployment, MAX_DELAY, MIN_DELAY, SCHEME};
use crate::x402::{
    Json, Reason,
    token::{Token, TokenFault},
    wire::{Extensions, PaymentRequirements, network},
};

/// Terms of an offer of this scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Token, with its EIP-712 domain.
    pub token: Token,
    /// Maximum price of the request, in atomic units.
    pub amount: u128,
    /// Account that is paid.
    pub receiver: Address,
    /// Account whose key signs claims and refunds.
    pub receiver_authorizer: Address,
    /// Time from the request of a withdrawal to its end, in seconds.
    pub withdraw_delay: u64,
    /// Maximum time of the request, in seconds.
    pub max_timeout: u64,
    /// Deposit that the server suggests, in atomic units.
    pub min_deposit: Option<u128>,
}

impl Terms {
    /// Reads the terms of an offer.
    ///
    /// # Errors
    ///
    /// Fails with the word for the first fault.
    pub fn of(offer: &PaymentRequirements) -> Result<Self, Reason> {
        if offer.scheme != SCHEME {
            return Err(Reason::BatchScheme);
        }
        let malformed = || Reason::InvalidPaymentRequirements;
        let token = Token::of(offer).map_err(|fault| match fault {
            TokenFault::Network => Reason::InvalidNetwork,
            TokenFault::Asset => Reason::InvalidPaymentRequirements,
            TokenFault::Domain => Reason::BatchMissingDomain,
            TokenFault::Method => Reason::BatchAuthorizationRequired,
        })?;
        let extra = |key| offer.extra.get(key);
        let authorizer: Option<Address> = extra("receiverAuthorizer").and_then(|it| it.read().ok());
        let delay: Option<u64> = extra("withdrawDelay").and_then(|it| it.read().ok());
        let delay = delay.ok_or_else(malformed)?;
        if !(MIN_DELAY..=MAX_DELAY).contains(&delay) {
            return Err(Reason::BatchWithdrawDelayRange);
        }
        let amount = offer.amount.to_u128().ok_or_else(malformed)?;
        let hint = extra("minDeposit").and_then(|it| it.read::<super::super::Decimal>().ok());
        Ok(Self {
            token,
            amount,
            receiver: offer.recipient().ok_or_else(malformed)?,
            receiver_authorizer: authorizer
                .filter(|it| !it.is_zero())
                .ok_or(Reason::BatchReceiverAuthorizerMismatch)?,
            withdraw_delay: delay,
            max_timeout: offer.max_timeout_seconds,
            min_deposit: hint
                .and_then(super::super::Decimal::to_u128)
                .filter(|hint| *hint >= amount.max(1)),
        })
    }

    /// Returns the offer of these terms.
    #[must_use]
    pub fn offer(&self) -> PaymentRequirements {
        let mut extra = Json::object([
            ("assetTransferMethod", Json::from("eip3009")),
            ("name", self.token.name.clone().into()),
            ("version", self.token.version.clone().into()),
            (
                "receiverAuthorizer",
                self.receiver_authorizer.to_string().into(),
            ),
            ("withdrawDelay", self.withdraw_delay.into()),
        ]);
        if let Some(hint) = self.min_deposit {
            extra.set("minDeposit", hint.to_string().into());
        }
        PaymentRequirements {
            scheme: SCHEME.to_owned(),
            network: network(self.token.chain_id),
            amount: self.amount.into(),
            asset: self.token.address.to_string(),
            pay_to: self.receiver.to_string(),
            max_timeout_seconds: self.max_timeout,
            extra,
            others: Extensions::new(),
        }
    }

    /// Checks that a channel has these terms.
    ///
    /// # Errors
    ///
    /// Fails with the word for the first difference.
    pub fn check(&self, deployment: &Deployment, config: &ChannelConfig) -> Result<(), Reason> {
        let faults = [
            (
                self.token.chain_id != deployment.chain_id(),
                Reason::BatchNetworkMismatch,
            ),
            (
                config.receiver != self.receiver,
                Reason::BatchReceiverMismatch,
            ),
            (
                config.receiver_authorizer != self.receiver_authorizer,
                Reason::BatchReceiverAuthorizerMismatch,
            ),
            (
                config.token != self.token.address,
                Reason::BatchTokenMismatch,
            ),
            (
                config.withdraw_delay != self.withdraw_delay,
                Reason::BatchWithdrawDelayMismatch,
            ),
            (
                !(MIN_DELAY..=MAX_DELAY).contains(&config.withdraw_delay),
                Reason::BatchWithdrawDelayRange,
            ),
        ];
        let fault = faults.into_iter().find(|(is_fault, _)| *is_fault);
        fault.map_or(Ok(()), |(_, reason)| Err(reason))
    }
}
