//! Calls to the settlement contract.
//!
//! Claim, then settle, through one queue of nonces: a settlement before its claim moves nothing.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolValue};

use super::{
    Deployment,
    abi::BatchSettlement as Contract,
    payload::{DepositPayload, Erc3009Authorization, RefundPayload, VoucherClaim},
};

/// Returns the call that deposits by the collector.
///
/// Returns `None` if the amount does not fit 128 bits, or the transfer is by another method.
#[must_use]
pub fn deposit(deployment: &Deployment, payload: &DepositPayload) -> Option<Bytes> {
    let authorization = payload
        .deposit
        .authorization
        .erc3009_authorization
        .as_ref()?;
    let call = Contract::depositCall {
        config: payload.channel_config.to_abi(),
        amount: payload.deposit.amount.to_u128()?,
        collector: deployment.collector(),
        collectorData: collector_data(authorization),
    };
    Some(call.abi_encode().into())
}

/// Returns what the collector reads: the terms of the transfer, the salt and the signature.
#[must_use]
pub fn collector_data(authorization: &Erc3009Authorization) -> Bytes {
    let it = authorization;
    let salt = U256::from_be_bytes(it.salt.0);
    let fields = (
        it.valid_after.0,
        it.valid_before.0,
        salt,
        it.signature.clone(),
    );
    fields.abi_encode_params().into()
}

/// Returns the call that claims, with the signature of the batch by the receiver's authorizer.
///
/// Returns `None` if an amount does not fit 128 bits.
#[must_use]
pub fn claim(claims: &[VoucherClaim], signature: Bytes) -> Option<Bytes> {
    let claims: Option<_> = claims.iter().map(VoucherClaim::to_abi).collect();
    let call = Contract::claimWithSignatureCall {
        voucherClaims: claims?,
        authorizerSignature: signature,
    };
    Some(call.abi_encode().into())
}

/// Returns the call that transfers what was claimed and not settled yet.
#[must_use]
pub fn settle(receiver: Address, token: Address) -> Bytes {
    Contract::settleCall { receiver, token }.abi_encode().into()
}

/// Returns the call of a refund, with the claims before it in one transaction.
///
/// Returns `None` if a value or a signature is missing, or an amount does not fit 128 bits.
#[must_use]
pub fn refund(payload: &RefundPayload) -> Option<Bytes> {
    let refund: Bytes = Contract::refundWithSignatureCall {
        config: payload.channel_config.to_abi(),
        amount: payload.amount?.to_u128()?,
        nonce: payload.refund_nonce?.0,
        receiverAuthorizerSignature: payload.refund_authorizer_signature.clone()?,
    }
    .abi_encode()
    .into();
    let claims = payload.claims.as_deref().unwrap_or_default();
    if claims.is_empty() {
        return Some(refund);
    }
    let claim = claim(claims, payload.claim_authorizer_signature.clone()?)?;
    let data = vec![claim, refund];
    Some(Contract::multicallCall { data }.abi_encode().into())
}
