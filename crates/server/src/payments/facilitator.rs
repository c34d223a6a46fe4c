//! Facilitator of x402: verifies and settles payments for other servers.
//!
//! It spends the host's gas, up to a limit each day, and signs nothing for others: claims and refunds
//! must bring the signatures of their receiver's authorizer.

mod kept;
mod sending;
mod transfers;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::node::NodeReceipt;
use cotrain_indexer::{ChainStore, StoreError};
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

use self::transfers::{Asker, TransferKey, Transfers, Turn, key_of, locked};
use super::chain::{
    Chain, ChainError, ContractCall, MAX_CLAIMS, Purse, Sent, Transfer, payment_call, refunded,
    settled,
};

/// Maximum gas of a transaction for others. A claim of [`MAX_CLAIMS`] channels fits.
const MAX_GAS: u64 = 2_500_000;

/// Maximum number of settlements at the same time. Further ones are told to come again.
const AT_A_TIME: usize = 16;

/// Maximum time for which a verified transfer is remembered, and the time for which it is after its
/// end, in seconds. A server may ask late whether it was made in time.
const REMEMBERED: (u64, u64) = (3_600, 600);

/// Facilitator of a chain; cheap to clone.
#[derive(Debug, Clone)]
pub struct Facilitator {
    chain: Chain,
    store: ChainStore,
    transfers: Arc<Mutex<Transfers>>,
    settling: Arc<Semaphore>,
}

/// Reason why a payment is not settled, with what is known of it.
#[derive(Debug)]
struct Failure {
    reason: Reason,
    message: Option<String>,
    transaction: Option<B256>,
    /// `true` if the transfer was sent, and cannot succeed any more.
    is_over: bool,
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
            is_over: false,
        }
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Self {
        let reason = error.reason();
        let message = match &error {
            ChainError::Refused(_) => None,
            ChainError::Pending | ChainError::Daily(_) => Some(error.to_string()),
            ChainError::Node(_) | ChainError::Send(_) => {
                tracing::warn!(error = %cotrain_indexer::with_sources(&error), "the facilitator cannot use the chain");
                Some("the chain cannot be used now; try again later".to_owned())
            }
        };
        Self {
            message,
            ..reason.into()
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
    /// Opens the facilitator of a chain, and takes up what it had sent before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open(chain: Chain, store: ChainStore) -> Result<Self, StoreError> {
        let mut transfers = Transfers::default();
        for (key, pending) in kept::all(&store).await? {
            transfers.resume(key, pending);
        }
        Ok(Self {
            chain,
            store,
            transfers: Arc::new(Mutex::new(transfers)),
            settling: Arc::new(Semaphore::new(AT_A_TIME)),
        })
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

    /// Returns whether a payment would settle now, to a server at this address. It sends nothing.
    pub async fn verify(&self, request: &FacilitatorRequest, client: IpAddr) -> VerifyResponse {
        let payer = payer_of(request).map(|it| it.to_string());
        let by = Asker::new(client, &request.payment_payload);
        match self.verified(request, by).await {
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

    /// Settles a payment, a claim or a refund for a server at this address.
    ///
    /// An outcome that is not known in time is `settlement_pending`, with the transaction. The same
    /// request of the same server asks for it again. It goes on if the caller goes away, and its
    /// answer waits then.
    pub async fn settle(&self, request: FacilitatorRequest, client: IpAddr) -> SettlementResponse {
        let network = network(self.chain.id());
        let payer = payer_of(&request);
        let key = self.transfer_key(&request);
        let (settled, turn) = self.begin(request, client, key).await;
        if let Some(key) = key.filter(|_| turn.is_some()) {
            match &settled {
                Ok(_) => self.answer(key).await,
                Err(failure) if failure.is_over => self.forget(key).await,
                Err(_) => {}
            }
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
        client: IpAddr,
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
                let pending = transfers.pending(&key);
                let sent = pending.and_then(|it| it.transactions.first());
                return (Err(Failure::pending(sent.copied())), None);
            }
        }
        let facilitator = self.clone();
        let settling = tokio::spawn(async move {
            let _permit = permit;
            let by = Asker::new(client, &request.payment_payload);
            let settled = facilitator.settled(&request, by).await;
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

    async fn verified(
        &self,
        request: &FacilitatorRequest,
        by: Asker,
    ) -> Result<Option<Json>, Failure> {
        self.check_version(request)?;
        let (payment, offer) = (&request.payment_payload, &request.payment_requirements);
        match offer.scheme.as_str() {
            exact::SCHEME => {
                let now = self.chain.now().await?;
                let payment = exact::verify(payment, offer, now)?;
                let gas = self.chain.check(&payment).await?;
                bounded(gas, Reason::ExactSimulationFailed)?;
                self.note_verified(&Transfer::from(&payment), by, now);
                Ok(None)
            }
            batch::SCHEME => {
                payment.check_accepts(offer)?;
                let payload = read(&payment.payload)?;
                let (channel, _) = self.check_channel(offer, &payload).await?;
                if let BatchPayload::Deposit(deposit) = &payload {
                    let (_, transfer) = self.chain.deposit(&Terms::of(offer)?.token, deposit)?;
                    self.note_verified(&transfer, by, self.chain.now().await?);
                }
                Ok(Some(channel))
            }
            _ => Err(Reason::UnsupportedScheme.into()),
        }
    }

    /// Remembers a transfer that is good now.
    fn note_verified(&self, transfer: &Transfer, by: Asker, now: u64) {
        let end = transfer.authorization.valid_before.to_u64();
        let end = end.unwrap_or(u64::MAX).saturating_add(REMEMBERED.1);
        let end = end.min(now.saturating_add(REMEMBERED.0));
        locked(&self.transfers).note_verified(key_of(transfer), by, end, now);
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

    async fn settled(&self, request: &FacilitatorRequest, by: Asker) -> Result<Done, Failure> {
        self.check_version(request)?;
        let (payment, offer) = (&request.payment_payload, &request.payment_requirements);
        match offer.scheme.as_str() {
            exact::SCHEME => {
                let now = self.chain.now().await?;
                let end = payment.payload.read::<exact::ExactPayload>().ok();
                let end = end.and_then(|it| it.authorization.valid_before.to_u64());
                let at = self.time_of(self.transfer_key(request), end, now);
                let signed = exact::verify(payment, offer, at)?;
                let call = payment_call(&signed);
                let transfer = Transfer::from(&signed);
                let check = async || {
                    exact::verify(payment, offer, now)?;
                    let gas = self.chain.check(&signed).await?;
                    bounded(gas, Reason::ExactSimulationFailed)?;
                    Ok(gas)
                };
                let failed = Reason::ExactTransactionFailed;
                let transaction = self
                    .transfer(by, now, transfer, call, failed, check)
                    .await?;
                Ok(Done {
                    transaction,
                    amount: signed.authorization.value.to_u128(),
                    extra: None,
                })
            }
            batch::SCHEME => {
                payment.check_accepts(offer)?;
                match read(&payment.payload)? {
                    BatchPayload::Deposit(deposit) => self.deposit(by, offer, deposit).await,
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
        by: Asker,
        offer: &PaymentRequirements,
        deposit: DepositPayload,
    ) -> Result<Done, Failure> {
        let (terms, now) = (Terms::of(offer)?, self.chain.now().await?);
        let (call, transfer) = self.chain.deposit(&terms.token, &deposit)?;
        let (deployment, config) = (self.chain.deployment(), &deposit.channel_config);
        batch::verify::total(deployment, &terms, config, &deposit.voucher)?;
        let end = transfer.authorization.valid_before.to_u64();
        let at = self.time_of(Some(key_of(&transfer)), end, now);
        // The balance of the payer is asked for if nothing was sent.
        let moved = &deposit.deposit;
        batch::verify::deposit(deployment, &terms, config, moved, U256::MAX, at)?;
        let (channel, amount) = (deposit.voucher.channel_id, deposit.deposit.amount);
        let payload = BatchPayload::Deposit(deposit);
        let check = async || Ok(self.check_channel(offer, &payload).await?.1);
        let failed = Reason::BatchDepositTransactionFailed;
        let transaction = self
            .transfer(by, now, transfer, call, failed, check)
            .await?;
        // The deposit is settled, whether its state can be read now or not.
        let state = self.chain.channel(channel).await.ok();
        let state = state.map(|it| Json::object([("channelState", it.snapshot(channel))]));
        Ok(Done {
            transaction,
            amount: amount.to_u128(),
            extra: state,
        })
    }

    /// Returns the time at which the terms of a transfer are checked: before its end, if it was good
    /// before or was sent. What became of it is asked of the chain then.
    fn time_of(&self, key: Option<TransferKey>, end: Option<u64>, now: u64) -> u64 {
        let transfers = locked(&self.transfers);
        let is_known = key.is_some_and(|key| {
            transfers.pending(&key).is_some() || transfers.verifier(&key, now).is_some()
        });
        match end.filter(|_| is_known) {
            Some(end) => now.min(end.saturating_sub(exact::MARGIN)),
            None => now,
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
        Reason::UnexpectedSettleError | Reason::SettlementPending => Reason::UnexpectedVerifyError,
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
