//! Scheme `exact` by EIP-3009: one payment is one signed transfer of exactly the price.
//!
//! Anyone may send the signed transfer, so that a reverted transaction does not tell that the payment
//! failed. [`evidence`] tells it.

pub mod evidence;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use super::{
    Decimal, Json, Reason,
    token::{Authorization, Token, TokenFault},
    wire::{Extensions, PaymentPayload, PaymentRequired, PaymentRequirements},
};

/// Name of the scheme.
pub const SCHEME: &str = "exact";

/// Seconds for which an authorization must stay valid when it is verified.
///
/// The package refuses the same: a block must still take the transfer.
pub const MARGIN: u64 = 6;

/// Maximum seconds for which a payer signs a transfer, whatever time the server asks for.
///
/// Until then, nobody knows whether a transfer that the server calls failed will still happen.
pub const MAX_VALIDITY: u64 = 3_600;

/// Values of a payment by this scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactPayload {
    /// Signature of the authorization by its payer.
    pub signature: Bytes,
    /// Signed transfer.
    pub authorization: Authorization,
}

/// State of the token that the caller reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayerState {
    /// Balance of the payer in the token, in atomic units.
    pub balance: U256,
    /// Whether the token's `authorizationState` of payer and nonce is set.
    pub nonce_used: bool,
}

/// Payment whose signature and terms are verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Token that moves.
    pub token: Token,
    /// Signed transfer.
    pub authorization: Authorization,
    /// Signature of the authorization.
    pub signature: Bytes,
}

impl Payment {
    /// Returns the key under which a payment is accepted once: payer, token and nonce.
    #[must_use]
    pub fn key(&self) -> (Address, Address, B256) {
        let Authorization { from, nonce, .. } = self.authorization;
        (from, self.token.address, nonce)
    }

    /// Returns the data of the call that transfers, for the token's address.
    #[must_use]
    pub fn call(&self) -> Bytes {
        // `verify` and `sign` make 65 bytes.
        let call = self.authorization.transfer_call(&self.signature);
        call.unwrap_or_default()
    }

    /// Checks the state of the token at the payer.
    ///
    /// # Errors
    ///
    /// Fails if the nonce is used, or the balance is below the amount.
    pub fn check(&self, state: PayerState) -> Result<(), Reason> {
        if state.nonce_used {
            return Err(Reason::ExactNonceUsed);
        }
        if state.balance < self.authorization.value.0 {
            return Err(Reason::ExactInsufficientBalance);
        }
        Ok(())
    }
}

/// Creates an offer of this scheme.
#[must_use]
pub fn offer(
    token: &Token,
    amount: u128,
    pay_to: Address,
    max_timeout: u64,
) -> PaymentRequirements {
    PaymentRequirements {
        scheme: SCHEME.to_owned(),
        network: super::wire::network(token.chain_id),
        amount: amount.into(),
        asset: token.address.to_string(),
        pay_to: pay_to.to_string(),
        max_timeout_seconds: max_timeout,
        extra: Json::object([
            ("assetTransferMethod", Json::from("eip3009")),
            ("name", token.name.clone().into()),
            ("version", token.version.clone().into()),
        ]),
        others: Extensions::new(),
    }
}

/// Verifies a payment against our offer, at `now` in Unix seconds, without the state of the chain.
///
/// [`Payment::check`] checks that state. The caller simulates the transfer after both.
///
/// # Errors
///
/// Fails with the word for the first fault.
pub fn verify(
    payment: &PaymentPayload,
    offer: &PaymentRequirements,
    now: u64,
) -> Result<Payment, Reason> {
    if payment.accepted.scheme != SCHEME || offer.scheme != SCHEME {
        return Err(Reason::ExactScheme);
    }
    if payment.accepted.network != offer.network {
        return Err(Reason::ExactNetworkMismatch);
    }
    payment.check_accepts(offer)?;
    let token = token(offer)?;
    let recipient = offer
        .recipient()
        .ok_or(Reason::InvalidPaymentRequirements)?;
    let payload: ExactPayload = payment.payload.read().map_err(|_| Reason::InvalidPayload)?;
    let authorization = payload.authorization;
    let hash = token.transfer_hash(&authorization);
    if !authorization.is_signed(hash, &payload.signature) {
        return Err(Reason::ExactSignature);
    }
    if authorization.to != recipient {
        return Err(Reason::ExactRecipientMismatch);
    }
    if authorization.valid_before.0 < U256::from(now) + U256::from(MARGIN) {
        return Err(Reason::ExactValidBefore);
    }
    // The token requires a time after `validAfter`, not at it. This also refuses numbers of blocks,
    // which OpenZeppelin's token reads if bit 47 of both is set.
    if authorization.valid_after.0 >= U256::from(now) {
        return Err(Reason::ExactValidAfter);
    }
    if authorization.value != offer.amount {
        return Err(Reason::ExactValueMismatch);
    }
    Ok(Payment {
        token,
        authorization,
        signature: payload.signature,
    })
}

/// Signs a payment for an offer of a server.
///
/// It is valid from now on for the offer's time, at most [`MAX_VALIDITY`]. `nonce` must be random, and `sign` signs a hash with
/// the key of `from`.
///
/// # Errors
///
/// Fails if the offer is not of this scheme, or lacks a value, or `sign` fails.
pub fn sign<E>(
    required: &PaymentRequired,
    offer: &PaymentRequirements,
    from: Address,
    nonce: B256,
    now: u64,
    sign: impl FnOnce(B256) -> Result<[u8; 65], E>,
) -> Result<PaymentPayload<ExactPayload>, SignError<E>> {
    check_offer(offer).map_err(SignError::Offer)?;
    let token = token(offer).map_err(SignError::Offer)?;
    let to = offer.recipient();
    let authorization = Authorization {
        from,
        to: to.ok_or(SignError::Offer(Reason::InvalidPaymentRequirements))?,
        value: offer.amount,
        valid_after: 0_u64.into(),
        valid_before: valid_before(now, offer.max_timeout_seconds),
        nonce,
    };
    let signature = sign(token.transfer_hash(&authorization)).map_err(SignError::Signer)?;
    let payload = ExactPayload {
        signature: signature.into(),
        authorization,
    };
    Ok(PaymentPayload::new(required, offer, payload))
}

/// Returns the end of a transfer that is signed `now` for an offer of this time.
pub(super) fn valid_before(now: u64, max_timeout: u64) -> Decimal {
    now.saturating_add(max_timeout.min(MAX_VALIDITY)).into()
}

/// Reason why a payment cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError<E> {
    /// The offer has a fault.
    #[error("cannot pay: the server's offer has the fault `{0}`; choose another offer")]
    Offer(Reason),
    /// The signer failed.
    #[error("cannot pay: the signer failed")]
    Signer(#[source] E),
}

/// Checks that an offer has all that a payment needs.
///
/// # Errors
///
/// Fails with the word for the first fault.
pub fn check_offer(offer: &PaymentRequirements) -> Result<(), Reason> {
    if offer.scheme != SCHEME {
        return Err(Reason::UnsupportedScheme);
    }
    token(offer)?;
    let recipient = offer.recipient().map(drop);
    recipient.ok_or(Reason::InvalidPaymentRequirements)
}

fn token(offer: &PaymentRequirements) -> Result<Token, Reason> {
    Token::of(offer).map_err(|fault| match fault {
        TokenFault::Network => Reason::InvalidNetwork,
        TokenFault::Asset => Reason::InvalidPaymentRequirements,
        TokenFault::Domain => Reason::ExactMissingDomain,
        TokenFault::Method => Reason::ExactMethodUnsupported,
    })
}
