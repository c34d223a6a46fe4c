//! Rules on a payload that need the chain's state, and none of ours.
//!
//! A facilitator checks these; a receiver checks them and the rules of [`Channel`](super::Channel).

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_protocol::signature::recover_strict;
use serde::{Deserialize, Serialize};

use super::{
    ChannelConfig, Deployment, Terms,
    payload::{BatchPayload, Deposit, SignedVoucher},
};
use crate::x402::{Decimal, Json, Reason, exact::MARGIN};

/// State of a channel on the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainState {
    /// Deposits minus withdrawals and refunds, in atomic units.
    pub balance: u128,
    /// Total that the receiver claimed, in atomic units. It is part of the balance.
    pub total_claimed: u128,
    /// Amount of the pending withdrawal, in atomic units; 0 if none is pending.
    pub withdraw_amount: u128,
    /// Time of the request of the pending withdrawal, in Unix seconds; 0 if none is pending.
    pub withdraw_requested_at: u64,
    /// Number of refunds, which the next signed refund must name.
    pub refund_nonce: U256,
    /// Time at which this was read, in Unix seconds.
    pub read_at: u64,
}

impl ChainState {
    /// Returns the total that vouchers may promise: the balance without a pending withdrawal.
    ///
    /// A payer that asked for money back cannot also spend it.
    #[must_use]
    pub fn promisable(&self) -> u128 {
        let unclaimed = self.balance.saturating_sub(self.total_claimed);
        let withdrawn = match self.withdraw_requested_at {
            0 => 0,
            _ => self.withdraw_amount.min(unclaimed),
        };
        self.balance.saturating_sub(withdrawn)
    }

    /// Returns the state as a facilitator answers it: `extra` of `/verify`, and `extra.channelState` of
    /// `/settle`.
    #[must_use]
    pub fn snapshot(&self, channel: B256) -> Json {
        Json::object([
            ("channelId", Json::from(channel.to_string())),
            ("balance", self.balance.to_string().into()),
            ("totalClaimed", self.total_claimed.to_string().into()),
            ("withdrawRequestedAt", self.withdraw_requested_at.into()),
            ("refundNonce", self.refund_nonce.to_string().into()),
        ])
    }

    /// Reads what a facilitator answered about a channel at `read_at`, in Unix seconds.
    ///
    /// It does not tell the amount of a pending withdrawal, which counts as all that is unclaimed then.
    /// Returns `None` if the answer is malformed, or about another channel.
    #[must_use]
    pub fn of_snapshot(snapshot: &Json, channel: B256, read_at: u64) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Snapshot {
            channel_id: B256,
            balance: Decimal,
            total_claimed: Decimal,
            withdraw_requested_at: u64,
            refund_nonce: Decimal,
        }
        let it: Snapshot = snapshot.read().ok()?;
        if it.channel_id != channel {
            return None;
        }
        Some(Self {
            balance: it.balance.to_u128()?,
            total_claimed: it.total_claimed.to_u128()?,
            withdraw_amount: match it.withdraw_requested_at {
                0 => 0,
                _ => u128::MAX,
            },
            withdraw_requested_at: it.withdraw_requested_at,
            refund_nonce: it.refund_nonce.0,
            read_at,
        })
    }

    /// Returns the state of a channel that was never used.
    #[must_use]
    pub fn unused(read_at: u64) -> Self {
        Self {
            balance: 0,
            total_claimed: 0,
            withdraw_amount: 0,
            withdraw_requested_at: 0,
            refund_nonce: U256::ZERO,
            read_at,
        }
    }
}

/// Question whether an account takes a signature, which only the chain answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractCheck {
    /// Account that is said to have signed.
    pub account: Address,
    /// Hash that is said to be signed.
    pub hash: B256,
    /// Signature.
    pub signature: Bytes,
}

/// Answer of the chain to a [`ContractCheck`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractAnswer {
    /// Question.
    pub check: ContractCheck,
    /// Answer.
    pub verdict: Verdict,
}

/// Finding about an account and a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The account has no code: a key signs for it.
    NoCode,
    /// The account's `isValidSignature` answered with the magic value of ERC-1271.
    Accepts,
    /// It answered anything else, or reverted.
    Refuses,
}

/// Fault of a payload, or a question about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The payload is refused.
    Invalid(Reason),
    /// The caller must ask the chain, and check again with the answer.
    NeedsContractCheck(ContractCheck),
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Self::Invalid(reason)
    }
}

/// Returns the total of a voucher, after its form, its channel and its channel's terms are checked.
///
/// # Errors
///
/// Fails with the word for the first fault.
pub fn total(
    deployment: &Deployment,
    terms: &Terms,
    config: &ChannelConfig,
    voucher: &SignedVoucher,
) -> Result<u128, Reason> {
    if deployment.channel_id(config) != voucher.channel_id {
        return Err(Reason::BatchChannelIdMismatch);
    }
    terms.check(deployment, config)?;
    let total = voucher.max_claimable_amount.to_u128();
    total.ok_or(Reason::BatchVoucherPayload)
}

/// Checks the signature of a voucher by the rules of the contract.
///
/// # Errors
///
/// Fails if the signer is another, or if only the chain can tell.
pub fn signature(
    deployment: &Deployment,
    config: &ChannelConfig,
    total: u128,
    voucher: &SignedVoucher,
    answer: Option<&ContractAnswer>,
) -> Result<(), Fault> {
    let hash = deployment.voucher_hash(voucher.channel_id, total);
    let by_key = |account| recover_strict(&voucher.signature, hash) == Some(account);
    let is_signed = if config.payer_authorizer.is_zero() {
        // The payer may be a contract, and even an account with a key may have code.
        let check = ContractCheck {
            account: config.payer,
            hash,
            signature: voucher.signature.clone(),
        };
        match answer.filter(|it| it.check == check).map(|it| it.verdict) {
            None => return Err(Fault::NeedsContractCheck(check)),
            Some(Verdict::NoCode) => by_key(config.payer),
            Some(Verdict::Accepts) => true,
            Some(Verdict::Refuses) => false,
        }
    } else {
        by_key(config.payer_authorizer)
    };
    let fault = Fault::Invalid(Reason::BatchVoucherSignature);
    is_signed.then_some(()).ok_or(fault)
}

/// Checks a deposit's amount, time, signature and funds, and returns its amount.
///
/// # Errors
///
/// Fails with the word for the first fault.
pub fn deposit(
    deployment: &Deployment,
    terms: &Terms,
    config: &ChannelConfig,
    deposit: &Deposit,
    payer_balance: U256,
    now: u64,
) -> Result<u128, Reason> {
    let amount = deposit.amount.to_u128().filter(|it| *it > 0);
    let amount = amount.ok_or(Reason::BatchDepositPayload)?;
    let authorization = deposit.authorization.erc3009_authorization.as_ref();
    let authorization = authorization.ok_or(Reason::BatchAuthorizationRequired)?;
    if authorization.valid_before.0 < U256::from(now) + U256::from(MARGIN) {
        return Err(Reason::BatchValidBefore);
    }
    // As for `exact`, this also refuses numbers of blocks.
    if authorization.valid_after.0 >= U256::from(now) {
        return Err(Reason::BatchValidAfter);
    }
    let transfer = authorization.transfer(
        config.payer,
        deployment.collector(),
        deployment.channel_id(config),
        deposit.amount,
    );
    if !authorization.is_signed(&terms.token, &transfer) {
        return Err(Reason::BatchAuthorizationSignature);
    }
    if payer_balance < U256::from(amount) {
        return Err(Reason::BatchInsufficientBalance);
    }
    Ok(amount)
}

/// Checks that a total lies above what is claimed, by the price, and within the channel's funds.
///
/// # Errors
///
/// Fails with the word for the bound that it breaks.
pub fn bounds(chain: &ChainState, deposit: u128, total: u128, amount: u128) -> Result<(), Reason> {
    let least = chain.total_claimed.checked_add(amount);
    if least.is_none_or(|least| total < least) {
        return Err(Reason::BatchBelowClaimed);
    }
    let funds = chain.promisable().checked_add(deposit);
    if funds.is_none_or(|funds| total > funds) {
        return Err(Reason::BatchExceedsBalance);
    }
    Ok(())
}

/// Verifies a payload as a facilitator does, and returns the channel's id.
///
/// # Errors
///
/// Fails with the first fault, or with a question.
pub fn payload(
    deployment: &Deployment,
    terms: &Terms,
    payload: &BatchPayload,
    chain: &ChainState,
    payer_balance: U256,
    answer: Option<&ContractAnswer>,
    now: u64,
) -> Result<B256, Fault> {
    let (config, voucher) = payload.channel().ok_or(Reason::BatchPayloadType)?;
    let total = total(deployment, terms, config, voucher)?;
    signature(deployment, config, total, voucher, answer)?;
    let (deposited, amount) = match payload {
        BatchPayload::Deposit(it) => {
            let amount = deposit(deployment, terms, config, &it.deposit, payer_balance, now)?;
            (amount, terms.amount)
        }
        BatchPayload::Refund(it) => {
            refund_amount(it.amount)?;
            (0, 0)
        }
        _ => (0, terms.amount),
    };
    if chain.balance == 0 && deposited == 0 {
        return Err(Reason::BatchChannelNotFound.into());
    }
    bounds(chain, deposited, total, amount)?;
    Ok(voucher.channel_id)
}

/// Returns the amount that a refund asks for, or `None` if it asks for all.
pub(crate) fn refund_amount(amount: Option<Decimal>) -> Result<Option<u128>, Reason> {
    let Some(amount) = amount else {
        return Ok(None);
    };
    let amount = amount.to_u128().filter(|it| *it > 0);
    amount.map(Some).ok_or(Reason::BatchRefundAmount)
}
