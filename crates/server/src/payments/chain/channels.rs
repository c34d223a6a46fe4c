//! Channels of x402 `batch-settlement`: their state, and the calls of receiver and facilitator.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, SolEvent};
use cotrain_chain::node::{At, NodeError, NodeReceipt};
use cotrain_payments::x402::{
    Reason, Token,
    batch::{
        ChainState, ClaimEntry, ContractAnswer, ContractCheck, Deployment, RefundPlan, Verdict,
        abi::{
            BatchSettlement::{
                Refunded, Settled, WithdrawInitiated, channelsCall, pendingWithdrawalsCall,
                receiversCall, refundNonceCall,
            },
            SignatureCheck::isValidSignatureCall,
        },
        calls,
        payload::{DepositPayload, RefundPayload, SignedVoucher, VoucherClaim},
    },
};

use super::{Chain, ChainError, ContractCall, Transfer};

/// Maximum number of channels of one claim, which uses about 19,000 gas for each.
pub const MAX_CLAIMS: usize = 100;

/// Claims of one transaction, with those that the contract would refuse left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimBatch {
    /// Call that claims.
    pub call: ContractCall,
    /// Gas of the call.
    pub gas: u64,
    /// Channels of the claims.
    pub channels: Vec<B256>,
    /// Receiver and token of all claims, for the settlement after them.
    pub payee: (Address, Address),
}

impl Chain {
    /// Returns the contracts of channels.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.0.options.deployment
    }

    /// Reads the state of a channel.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn channel(&self, id: B256) -> Result<ChainState, ChainError> {
        let head = self.0.node.head().await?;
        let read_at = self.0.node.now_after(&head).await;
        // All parts must be of one block.
        let at = Some(At::Number(head.number));
        let contract = self.deployment().settlement();
        let (channel, withdrawal, nonce) = (
            channelsCall { channelId: id },
            pendingWithdrawalsCall { channelId: id },
            refundNonceCall { channelId: id },
        );
        let (channel, withdrawal, refund_nonce) = tokio::try_join!(
            self.view(contract, &channel, at),
            self.view(contract, &withdrawal, at),
            self.view(contract, &nonce, at),
        )?;
        Ok(ChainState {
            balance: channel.balance,
            total_claimed: channel.totalClaimed,
            withdraw_amount: withdrawal.amount,
            withdraw_requested_at: withdrawal.initiatedAt.to(),
            refund_nonce,
            read_at,
        })
    }

    /// Returns an account's balance of a token, in atomic units.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn balance(&self, token: Address, account: Address) -> Result<U256, ChainError> {
        self.balance_of(token, account).await
    }

    /// Asks an account's code about a signature, as the settlement contract would (ERC-1271).
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn ask_contract(&self, check: ContractCheck) -> Result<ContractAnswer, ChainError> {
        let code = self.0.node.code(check.account).await?;
        let verdict = if code.is_empty() {
            Verdict::NoCode
        } else {
            let call = isValidSignatureCall {
                hash: check.hash,
                signature: check.signature.clone(),
            };
            let data = call.abi_encode();
            match self.0.node.call(check.account, data, None).await {
                Ok(answer) if accepts(&answer) => Verdict::Accepts,
                Ok(_) | Err(NodeError::Reverted(_)) => Verdict::Refuses,
                Err(error) => return Err(error.into()),
            }
        };
        Ok(ContractAnswer { check, verdict })
    }

    /// Returns the call of a deposit, and the transfer by which its outcome is known.
    ///
    /// # Errors
    /// [`ChainError::Refused`] if the deposit is by another method than EIP-3009.
    pub fn deposit(
        &self,
        token: &Token,
        payload: &DepositPayload,
    ) -> Result<(ContractCall, Transfer), ChainError> {
        let data = calls::deposit(self.deployment(), payload);
        let transfer = payload.transfer(self.deployment());
        let (Some(data), Some(authorization)) = (data, transfer) else {
            return Err(ChainError::Refused(Reason::BatchDepositPayload));
        };
        let call = self.contract_call(data, Reason::BatchDepositSimulationFailed);
        let transfer = Transfer {
            token: token.clone(),
            authorization,
            transactions: Vec::new(),
        };
        Ok((call, transfer))
    }

    /// Returns the call of claims that are signed already.
    ///
    /// # Errors
    /// [`ChainError::Refused`] if an amount does not fit 128 bits.
    pub fn signed_claim(
        &self,
        claims: &[VoucherClaim],
        signature: Bytes,
    ) -> Result<ContractCall, ChainError> {
        let data = calls::claim(claims, signature);
        let data = data.ok_or(ChainError::Refused(Reason::BatchClaimPayload))?;
        Ok(self.contract_call(data, Reason::BatchClaimSimulationFailed))
    }

    /// Signs claims of channels whose authorizer is our account, and simulates them.
    ///
    /// They are sorted by receiver and token, and each batch has one of both. Code of a payer can fail
    /// a batch: the claims that fail alone are left out.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn claims(
        &self,
        mut claims: Vec<(VoucherClaim, ClaimEntry)>,
    ) -> Result<Vec<ClaimBatch>, ChainError> {
        let payee = |claim: &VoucherClaim| {
            let channel = &claim.voucher.channel;
            (channel.receiver, channel.token)
        };
        claims.sort_by_key(|(claim, entry)| (payee(claim), entry.channelId));
        let mut waiting: Vec<&[_]> = claims
            .chunk_by(|one, other| payee(&one.0) == payee(&other.0))
            .flat_map(|same| same.chunks(MAX_CLAIMS))
            .collect();
        let mut batches = Vec::new();
        while let Some(some) = waiting.pop() {
            let Some(((first, _), _)) = some.split_first() else {
                continue;
            };
            let call = self.claim(some)?;
            match self.simulate(&call).await {
                Ok(gas) => batches.push(ClaimBatch {
                    call,
                    gas,
                    channels: some.iter().map(|(_, entry)| entry.channelId).collect(),
                    payee: payee(first),
                }),
                Err(ChainError::Refused(reason)) if some.len() == 1 => {
                    tracing::warn!(channel = %some[0].1.channelId, %reason, "cannot claim from this channel now");
                }
                Err(ChainError::Refused(_)) => {
                    let (one, other) = some.split_at(some.len() / 2);
                    waiting.extend([one, other]);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(batches)
    }

    /// Returns the call of claims that our account signs.
    fn claim(&self, claims: &[(VoucherClaim, ClaimEntry)]) -> Result<ContractCall, ChainError> {
        let (claims, entries): (Vec<_>, Vec<_>) = claims.iter().cloned().unzip();
        let hash = self.deployment().claims_hash(entries);
        self.signed_claim(&claims, self.signature(&hash))
    }

    /// Returns the call that transfers what was claimed.
    #[must_use]
    pub fn settlement(&self, receiver: Address, token: Address) -> ContractCall {
        let data = calls::settle(receiver, token);
        self.contract_call(data, Reason::BatchSettleSimulationFailed)
    }

    /// Returns the amount that a receiver has claimed and not been paid, in atomic units.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn unsettled(&self, receiver: Address, token: Address) -> Result<u128, ChainError> {
        let call = receiversCall { receiver, token };
        let paid = self.view(self.deployment().settlement(), &call, None);
        let paid = paid.await?;
        Ok(paid.totalClaimed.saturating_sub(paid.totalSettled))
    }

    /// Signs a refund of a channel whose authorizer is our account.
    #[must_use]
    pub fn sign_refund(&self, plan: &RefundPlan, voucher: SignedVoucher) -> RefundPayload {
        let deployment = self.deployment();
        let refund = self.signature(&plan.refund_hash(deployment));
        let claim = plan
            .claim_hash(deployment)
            .map(|hash| self.signature(&hash));
        plan.complete(voucher, refund, claim)
    }

    /// Returns the call of a signed refund.
    ///
    /// # Errors
    /// [`ChainError::Refused`] if a value or a signature is missing.
    pub fn refund_call(&self, payload: &RefundPayload) -> Result<ContractCall, ChainError> {
        let data = calls::refund(payload);
        let data = data.ok_or(ChainError::Refused(Reason::BatchRefundPayload))?;
        Ok(self.contract_call(data, Reason::BatchRefundSimulationFailed))
    }

    /// Returns the channels whose payers asked for a withdrawal in the blocks from `from` to the
    /// head, and the block after the last one that this covers.
    ///
    /// # Errors
    /// [`ChainError::Node`].
    pub async fn withdrawals(&self, from: u64) -> Result<(Vec<B256>, u64), ChainError> {
        let head = self.0.node.head().await?.number;
        let (mut channels, mut next) = (Vec::new(), from);
        while next <= head {
            let contracts = [self.deployment().settlement()];
            let topics = [WithdrawInitiated::SIGNATURE_HASH];
            let logs = self.0.node.logs_from(next, head, &contracts, &topics);
            let (logs, last) = logs.await?;
            let initiated = logs.iter();
            channels.extend(initiated.filter_map(|log| log.log.topics().get(1).copied()));
            next = last + 1;
        }
        Ok((channels, next))
    }

    fn contract_call(&self, data: Bytes, fault: Reason) -> ContractCall {
        ContractCall {
            to: self.deployment().settlement(),
            data,
            fault,
        }
    }

    fn signature(&self, hash: &B256) -> Bytes {
        self.0.key.sign_hash(hash).into()
    }
}

/// Returns the amount that a transaction settled for a receiver, in atomic units.
#[must_use]
pub fn settled(contract: Address, receipt: &NodeReceipt, payee: (Address, Address)) -> u128 {
    let events = receipt
        .logs
        .iter()
        .filter(|log| log.log.address == contract);
    let settled = events.filter_map(|log| Settled::decode_log(&log.log).ok());
    let ours = settled.filter(|it| (it.receiver, it.token) == payee);
    ours.map(|it| it.amount).sum()
}

/// Returns the amount that a transaction refunded of a channel, in atomic units.
#[must_use]
pub fn refunded(contract: Address, receipt: &NodeReceipt, channel: B256) -> u128 {
    let events = receipt
        .logs
        .iter()
        .filter(|log| log.log.address == contract);
    let refunded = events.filter_map(|log| Refunded::decode_log(&log.log).ok());
    let ours = refunded.filter(|it| it.channelId == channel);
    ours.map(|it| it.amount).sum()
}

/// Returns `true` if a contract's answer is the magic value of ERC-1271.
fn accepts(answer: &[u8]) -> bool {
    let mut magic = B256::ZERO;
    magic[..4].copy_from_slice(&isValidSignatureCall::SELECTOR);
    answer.get(..32) == Some(&magic[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_takes_only_the_magic_value_in_a_word() {
        let mut word = [0_u8; 32];
        word[..4].copy_from_slice(&[0x16, 0x26, 0xba, 0x7e]);
        assert!(accepts(&word));
        assert!(!accepts(&word[..4]));
        word[31] = 1;
        assert!(!accepts(&word));
        assert!(!accepts(&[0; 32]));
    }
}
