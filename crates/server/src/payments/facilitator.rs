//! Facilitator of x402: verifies and settles payments for other servers.
//!
//! It spends the host's gas, up to a limit each day, and signs nothing for others: claims and refunds
//! must bring the signatures of their receiver's authorizer.

mod transfers;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

use alloy_primitives::{Address, B256};
use cotrain_chain::node::NodeReceipt;
use cotrain_payments::x402::{
    Json, Reason, batch,
    batch::{
        Terms,
        payload::{BatchPayload, ClaimPayload, DepositPayload, RefundPayload, SettlePayload},
        verify::Fault,
    },
    exact,
    wire::{
        FacilitatorRequest, PaymentRequirements, SettlementResponse, SupportedKind,
        SupportedResponse, VERSION, VerifyResponse, network,
    },
};

use tokio::sync::Semaphore;

use self::transfers::{TransferKey, Transfers, Turn, key_of, locked};
use super::chain::{
    Chain, ChainError, ContractCall, Finding, MAX_CLAIMS, Purse, Sent, Transfer, payment_call,
    refunded, settled,
};

/// Maximum gas of a transaction for others. A claim of [`MAX_CLAIMS`] channels fits.
const MAX_GAS: u64 = 2_500_000;

/// Maximum number of settlements at the same time. Further ones are told to come again.
const AT_A_TIME: usize = 16;

/// Maximum time for which a verified transfer is remembered, in seconds.
const REMEMBERED: u64 = 3_600;

/// Facilitator of a chain; cheap to clone.
#[derive(Debug, Clone)]
pub struct Facilitator {
    chain: Chain,
    transfers: Arc<Mutex<Transfers>>,
    settling: Arc<Semaphore>,
}

/// Reason why a payment is not settled, with what is known of it.
#[derive(Debug)]
struct Failure {
    reason: Reason,
    message: Option<String>,
    transaction: Option<B256>,
}

impl Failure {
    /// `true` if no repetition of the request could have another answer.
    fn is_final(&self) -> bool {
        self.reason.status() != 503
    }

    fn pending(transaction: Option<B256>) -> Self {
        Self {
            transaction,
            ..Reason::SettlementPending.into()
        }
    }

    fn busy() -> Self {
        Self {
            message: Some("too many payments are settled now; try again".to_owned()),
            ..Reason::UnexpectedSettleError.into()
        }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            message: None,
            transaction: None,
        }
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let reason = error.reason();
        let message = match &error {
            ChainError::Refused(_) => None,
            ChainError::Daily(_) => Some(error.to_string()),
            ChainError::Node(_) | ChainError::Send(_) => {
                tracing::warn!(error = %cotrain_indexer::with_sources(&error), "the facilitator cannot use the chain");
                Some("the chain cannot be used now; try again later".to_owned())
            }
        };
        Self {
            reason,
            message,
            transaction: None,
        }
    }
}

/// Values of a settlement that succeeded.
#[derive(Debug, Default)]
struct Done {
    transaction: B256,
    amount: Option<u128>,
    extra: Option<Json>,
}

impl Facilitator {
    /// Creates the facilitator of a chain.
    #[must_use]
    pub fn new(chain: Chain) -> Self {
        Self {
            chain,
            transfers: Arc::default(),
            settling: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// Returns the account that sends the transactions.
    #[must_use]
    pub fn account(&self) -> Address {
        self.chain.account()
    }

    /// Returns the schemes that it settles, and the account that sends.
    #[must_use]
    pub fn supported(&self) -> SupportedResponse {
        let kinds = [exact::SCHEME, batch::SCHEME].map(|scheme| SupportedKind {
            x402_version: VERSION,
            scheme: scheme.to_owned(),
            network: network(self.chain.id()),
            extra: Json::default(),
        });
        let signers = vec![self.chain.account().to_string()];
        SupportedResponse {
            kinds: kinds.into(),
            extensions: Vec::new(),
            signers: BTreeMap::from([("eip155:*".to_owned(), signers)]),
        }
    }

    /// Returns whether a payment would settle now. It sends nothing.
    pub async fn verify(&self, request: &FacilitatorRequest) -> VerifyResponse {
        let payer = payer_of(request).map(|it| it.to_string());
        match self.verified(request).await {
            Ok(extra) => VerifyResponse {
                is_valid: true,
                payer,
                extra,
                ..VerifyResponse::default()
            },
            Err(failure) => VerifyResponse {
                invalid_reason: Some(verify_word(failure.reason)),
                invalid_message: failure.message,
                payer,
                ..VerifyResponse::default()
            },
        }
    }

    /// Settles a payment, a claim or a refund.
    ///
    /// An outcome that is not known in time is `settlement_pending`, with the transaction. The same
    /// request asks for it again. It goes on if the caller goes away, and its answer waits then.
    pub async fn settle(&self, request: FacilitatorRequest) -> SettlementResponse {
        let network = network(self.chain.id());
        let payer = payer_of(&request);
        let key = self.transfer_key(&request);
        let (settled, turn) = self.begin(request, key).await;
        if let Some(key) = key
            && turn.is_some()
            && settled.as_ref().err().is_none_or(Failure::is_final)
        {
            locked(&self.transfers).forget(&key);
        }
        // Nobody else may ask for the answer until it is forgotten.
        drop(turn);
        match settled {
            Ok(done) => SettlementResponse {
                success: true,
                payer: payer.map(|it| it.to_string()),
                transaction: done.transaction.to_string(),
                network,
                amount: done.amount.map(|it| it.to_string()),
                extra: done.extra,
                ..SettlementResponse::default()
            },
            Err(failure) => {
                let mut answer = SettlementResponse::failure(&network, payer, failure.reason);
                answer.error_message = failure.message;
                let hash = failure.transaction.map(|it| it.to_string());
                answer.transaction = hash.unwrap_or_default();
                answer
            }
        }
    }

    /// Settles in a task of its own. Returns the turn of its transfer, if it had one.
    async fn begin(
        &self,
        request: FacilitatorRequest,
        key: Option<TransferKey>,
    ) -> (Result<Done, Failure>, Option<Turn>) {
        let Ok(permit) = Arc::clone(&self.settling).try_acquire_owned() else {
            return (Err(Failure::busy()), None);
        };
        let mut turn = None;
        if let Some(key) = key {
            turn = Turn::take(Arc::clone(&self.transfers), key);
            if turn.is_none() {
                let transfers = locked(&self.transfers);
                let pending = transfers.pending.get(&key);
                let sent = pending.and_then(|it| it.transactions.first());
                return (Err(Failure::pending(sent.copied())), None);
            }
        }
        let facilitator = self.clone();
        let settling = tokio::spawn(async move {
            let _permit = permit;
            let settled = facilitator.settled(&request).await;
            // Without anybody to take it, the turn ends here, and the answer waits.
            (settled, turn)
        });
        let failed = |_| (Err(Reason::UnexpectedSettleError.into()), None);
        settling.await.unwrap_or_else(failed)
    }

    /// Returns the key of the transfer that a request wants to be settled, if it is about one.
    fn transfer_key(&self, request: &FacilitatorRequest) -> Option<TransferKey> {
        let token = request.payment_requirements.asset()?;
        let payload = &request.payment_payload.payload;
        let terms = match request.payment_requirements.scheme.as_str() {
            exact::SCHEME => payload.read::<exact::ExactPayload>().ok()?.authorization,
            _ => match payload.read().ok()? {
                BatchPayload::Deposit(deposit) => deposit.transfer(self.chain.deployment())?,
                _ => return None,
            },
        };
        Some((terms.from, token, terms.nonce))
    }

    fn check_version(&self, request: &FacilitatorRequest) -> Result<(), Reason> {
        if request.x402_version != VERSION {
            return Err(Reason::InvalidVersion);
        }
        let offer = &request.payment_requirements;
        if offer.chain_id() != Some(self.chain.id()) {
            return Err(Reason::InvalidNetwork);
        }
        Ok(())
    }

    async fn verified(&self, request: &FacilitatorRequest) -> Result<Option<Json>, Failure> {
        self.check_version(request)?;
        let (payment, offer) = (&request.payment_payload, &request.payment_requirements);
        match offer.scheme.as_str() {
            exact::SCHEME => {
                let now = self.chain.now().await?;
                let payment = exact::verify(payment, offer, now)?;
                let gas = self.chain.check(&payment).await?;
                bounded(gas, Reason::ExactSimulationFailed)?;
                self.note_verified(&Transfer::from(&payment), offer, now);
                Ok(None)
            }
            batch::SCHEME => {
                payment.check_accepts(offer)?;
                let payload = read(&payment.payload)?;
                let (channel, _) = self.check_channel(offer, &payload).await?;
                if let BatchPayload::Deposit(deposit) = &payload {
                    let (_, transfer) = self.chain.deposit(&Terms::of(offer)?.token, deposit)?;
                    self.note_verified(&transfer, offer, self.chain.now().await?);
                }
                Ok(Some(channel))
            }
            _ => Err(Reason::UnsupportedScheme.into()),
        }
    }

    /// Remembers a transfer that is good now.
    fn note_verified(&self, transfer: &Transfer, offer: &PaymentRequirements, now: u64) {
        let end = transfer.authorization.valid_before.to_u64();
        let until = now.saturating_add(offer.max_timeout_seconds.min(REMEMBERED));
        let end = end.unwrap_or(u64::MAX).min(until);
        locked(&self.transfers).note_verified(key_of(transfer), end);
    }

    /// Checks a payload about one channel. Returns its state, and the gas of a deposit.
    async fn check_channel(
        &self,
        offer: &PaymentRequirements,
        payload: &BatchPayload,
    ) -> Result<(Json, u64), Failure> {
        let chain = &self.chain;
        let terms = Terms::of(offer)?;
        let (config, voucher) = payload.channel().ok_or(Reason::BatchPayloadType)?;
        // Nothing is read from the chain for a voucher of another channel.
        batch::verify::total(chain.deployment(), &terms, config, voucher)?;
        let (state, balance) = tokio::try_join!(
            chain.channel(voucher.channel_id),
            chain.balance(config.token, config.payer),
        )?;
        let (mut answer, now) = (None, state.read_at);
        loop {
            let checked = batch::verify::payload(
                chain.deployment(),
                &terms,
                payload,
                &state,
                balance,
                answer.as_ref(),
                now,
            );
            match checked {
                Ok(_) => break,
                Err(Fault::NeedsContractCheck(check)) if answer.is_none() => {
                    answer = Some(chain.ask_contract(check).await?);
                }
                Err(Fault::NeedsContractCheck(_)) => {
                    return Err(Reason::BatchVoucherSignature.into());
                }
                Err(Fault::Invalid(reason)) => return Err(reason.into()),
            }
        }
        let gas = match payload {
            BatchPayload::Deposit(deposit) => {
                let (call, _) = chain.deposit(&terms.token, deposit)?;
                let gas = chain.simulate(&call).await?;
                bounded(gas, Reason::BatchDepositSimulationFailed)?;
                gas
            }
            _ => 0,
        };
        Ok((state.snapshot(voucher.channel_id), gas))
    }

    async fn settled(&self, request: &FacilitatorRequest) -> Result<Done, Failure> {
        self.check_version(request)?;
        let (payment, offer) = (&request.payment_payload, &request.payment_requirements);
        match offer.scheme.as_str() {
            exact::SCHEME => {
                let now = self.chain.now().await?;
                let payment = exact::verify(payment, offer, now)?;
                let call = payment_call(&payment);
                let transfer = Transfer::from(&payment);
                let check = async || {
                    let gas = self.chain.check(&payment).await?;
                    bounded(gas, Reason::ExactSimulationFailed)?;
                    Ok(gas)
                };
                let failed = Reason::ExactTransactionFailed;
                let transaction = self.transfer(transfer, call, failed, check).await?;
                Ok(Done {
                    transaction,
                    amount: payment.authorization.value.to_u128(),
                    extra: None,
                })
            }
            batch::SCHEME => {
                payment.check_accepts(offer)?;
                match read(&payment.payload)? {
                    BatchPayload::Deposit(deposit) => self.deposit(offer, deposit).await,
                    BatchPayload::Claim(claim) => self.claim(&claim).await,
                    BatchPayload::Settle(settle) => self.settle_receiver(&settle).await,
                    BatchPayload::Refund(refund) => self.refund(&refund).await,
                    // A receiver keeps vouchers, and sends their claims.
                    BatchPayload::Voucher(_) => Err(Reason::BatchPayloadType.into()),
                }
            }
            _ => Err(Reason::UnsupportedScheme.into()),
        }
    }

    async fn deposit(
        &self,
        offer: &PaymentRequirements,
        deposit: DepositPayload,
    ) -> Result<Done, Failure> {
        let token = Terms::of(offer)?.token;
        let (call, transfer) = self.chain.deposit(&token, &deposit)?;
        let (channel, amount) = (deposit.voucher.channel_id, deposit.deposit.amount);
        let payload = BatchPayload::Deposit(deposit);
        let check = async || Ok(self.check_channel(offer, &payload).await?.1);
        let failed = Reason::BatchDepositTransactionFailed;
        let transaction = self.transfer(transfer, call, failed, check).await?;
        // The deposit is settled, whether its state can be read now or not.
        let state = self.chain.channel(channel).await.ok();
        let state = state.map(|it| Json::object([("channelState", it.snapshot(channel))]));
        Ok(Done {
            transaction,
            amount: amount.to_u128(),
            extra: state,
        })
    }

    /// Makes a signed transfer once, and returns the transaction that moved the tokens.
    ///
    /// `check` returns the gas of the call, or the fault of the payment. `failed` is the word for a
    /// transaction that reverted.
    async fn transfer(
        &self,
        mut transfer: Transfer,
        call: ContractCall,
        failed: Reason,
        check: impl AsyncFnOnce() -> Result<u64, Failure>,
    ) -> Result<B256, Failure> {
        let key = key_of(&transfer);
        let (pending, was_verified) = {
            let transfers = locked(&self.transfers);
            let pending = transfers.pending.get(&key).cloned();
            (pending, transfers.verified.contains_key(&key))
        };
        let found = if let Some(pending) = pending {
            transfer.transactions = pending.transactions;
            self.chain.look(&transfer).await
        } else {
            match check().await {
                Ok(gas) => {
                    let prepared = self.chain.prepare(&call, gas, Purse::Strangers).await?;
                    let hash = prepared.hash();
                    if !locked(&self.transfers).note_pending(key, hash, Instant::now()) {
                        return Err(Failure::busy());
                    }
                    transfer.transactions.push(hash);
                    self.chain.settle(prepared, &transfer).await
                }
                // Somebody may have sent it since it was verified.
                Err(failure) if was_verified && failure.is_final() => {
                    match self.chain.look(&transfer).await? {
                        found @ Finding::Moved { .. } => Ok(found),
                        // The search for what used it goes on with the next look.
                        Finding::Nothing if failure.reason == Reason::ExactNonceUsed => {
                            return Err(Failure::pending(None));
                        }
                        _ => return Err(failure),
                    }
                }
                Err(failure) => return Err(failure),
            }
        };
        let transaction = transfer.transactions.first().copied();
        match found {
            Ok(Finding::Moved {
                transaction,
                counts: true,
                ..
            }) => Ok(transaction),
            Ok(Finding::Reverted | Finding::Void(_)) => Err(Failure {
                transaction,
                ..failed.into()
            }),
            // It may still happen, and a payer that pays again would pay twice.
            Ok(Finding::Nothing | Finding::Moved { .. }) | Err(ChainError::Node(_)) => {
                Err(Failure::pending(transaction))
            }
            Err(error) => {
                // The node did not take it, so the next request sends it again.
                locked(&self.transfers).pending.remove(&key);
                Err(error.into())
            }
        }
    }

    async fn claim(&self, claim: &ClaimPayload) -> Result<Done, Failure> {
        if claim.claims.is_empty() || claim.claims.len() > MAX_CLAIMS {
            return Err(Reason::BatchClaimPayload.into());
        }
        let signature = claim.claim_authorizer_signature.clone();
        let signature = signature.ok_or(Reason::BatchAuthorizerMissing)?;
        let call = self.chain.signed_claim(&claim.claims, signature)?;
        let receipt = self
            .send(&call, Reason::BatchClaimTransactionFailed)
            .await?;
        Ok(Done {
            transaction: receipt.transaction,
            ..Done::default()
        })
    }

    async fn settle_receiver(&self, settle: &SettlePayload) -> Result<Done, Failure> {
        let payee = (settle.receiver, settle.token);
        if self.chain.unsettled(payee.0, payee.1).await? == 0 {
            return Err(Reason::BatchNothingToSettle.into());
        }
        let call = self.chain.settlement(payee.0, payee.1);
        let receipt = self
            .send(&call, Reason::BatchSettleTransactionFailed)
            .await?;
        let contract = self.chain.deployment().settlement();
        Ok(Done {
            transaction: receipt.transaction,
            amount: Some(settled(contract, &receipt, payee)),
            extra: None,
        })
    }

    async fn refund(&self, refund: &RefundPayload) -> Result<Done, Failure> {
        if refund.refund_authorizer_signature.is_none() {
            return Err(Reason::BatchAuthorizerMissing.into());
        }
        refund.asked()?;
        let call = self.chain.refund_call(refund)?;
        let channel = self.chain.deployment().channel_id(&refund.channel_config);
        let receipt = self
            .send(&call, Reason::BatchRefundTransactionFailed)
            .await?;
        let contract = self.chain.deployment().settlement();
        let state = self.chain.channel(channel).await.ok();
        Ok(Done {
            transaction: receipt.transaction,
            amount: Some(refunded(contract, &receipt, channel)),
            extra: state.map(|it| Json::object([("channelState", it.snapshot(channel))])),
        })
    }

    /// Sends a call that the contract makes harmless to send twice.
    async fn send(&self, call: &ContractCall, failed: Reason) -> Result<NodeReceipt, Failure> {
        let gas = self.chain.simulate(call).await?;
        bounded(gas, call.fault.clone())?;
        let prepared = self.chain.prepare(call, gas, Purse::Strangers).await?;
        let transaction = Some(prepared.hash());
        match prepared.send().await {
            Sent::Included(receipt) if receipt.success => Ok(receipt),
            Sent::Included(receipt) => Err(Failure {
                transaction: Some(receipt.transaction),
                ..failed.into()
            }),
            Sent::Refused(error) => Err(error.into()),
            Sent::Unknown => Err(Failure::pending(transaction)),
        }
    }
}

/// Refuses a call that would use more gas than others may.
fn bounded(gas: u64, fault: Reason) -> Result<(), Reason> {
    if gas > MAX_GAS { Err(fault) } else { Ok(()) }
}

/// Reads a payload of a channel's scheme.
fn read(payload: &Json) -> Result<BatchPayload, Reason> {
    payload.read().map_err(|_| Reason::InvalidPayload)
}

/// Returns the word of verifying for one of settling.
fn verify_word(reason: Reason) -> Reason {
    match reason {
        Reason::UnexpectedSettleError => Reason::UnexpectedVerifyError,
        reason => reason,
    }
}

/// Returns the account that a payment says it is of.
fn payer_of(request: &FacilitatorRequest) -> Option<Address> {
    let payload = &request.payment_payload.payload;
    if let Ok(payload) = payload.read::<exact::ExactPayload>() {
        return Some(payload.authorization.from);
    }
    let payload: BatchPayload = payload.read().ok()?;
    payload.channel().map(|(config, _)| config.payer)
}
