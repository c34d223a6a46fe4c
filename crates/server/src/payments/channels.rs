//! Rail x402 `batch-settlement`: each call pays for itself by a voucher of the payer's channel.
//!
//! A channel is locked from the reservation of a call to its end, so that each voucher pays for one
//! call. The state of a channel is stored in the transaction of the ledger's entry. What can be read
//! from the chain is not stored anew for its own sake.

mod charges;
mod claims;
mod deposits;
mod refund;

/// Time after a transaction was sent in which the same is not sent again, in seconds. A slow one would
/// be paid for twice.
const QUIET: u64 = 60;

/// Units of the offer on which a payer signs a refund. It moves nothing, but an offer has an amount.
pub const PROBE: u64 = 1;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};
use cotrain_indexer::{StoreError, with_sources};
use cotrain_payments::{
    ledger::{Account, AccountId, Entry, Owner, Source},
    rail::{Challenge, Hold, Offers, Presented, RefusalReason},
    x402::{
        Reason,
        batch::{
            ChainState, Channel, Facts, Purpose, Refusal, Reservation, Terms,
            payload::BatchPayload, verify,
        },
        wire::{PaymentPayload, SettlementResponse, network},
    },
};
use cotrain_relayer::clock::now;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use self::deposits::without_deposit;
use super::{
    Admitted, Answer, Begun, Books, BooksError, Paid, PayError, PriceLine, Rail, RailKind,
    Reserved, Sale,
    chain::{Chain, Purse},
    exact::Asset,
};

/// Name of the rail among the states of the books.
const STATES: &str = "channels";

/// Units whose price is the deposit that offers suggest.
const SUGGESTED: u64 = 1_000;

/// Units whose price is the least deposit and the least refund. The host pays gas for each.
const LEAST: u64 = 100;

/// Number of times that a question is put to the chain for one request.
const QUESTIONS: usize = 4;

/// Terms on which the host sells by channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelTerms {
    /// Tokens, in the order of offers.
    pub assets: Vec<Asset>,
    /// Account that gets the tokens.
    pub pay_to: Address,
    /// Maximum time of a request, in seconds.
    pub max_timeout: u64,
    /// Time from the request of a withdrawal to its end, in seconds.
    pub withdraw_delay: u64,
    /// Maximum time that a charge stays unclaimed, in seconds.
    pub claim_after: u64,
    /// Units whose price is claimed at once.
    pub claim_above: u64,
}

/// Rail x402 `batch-settlement`; cheap to clone.
#[derive(Debug, Clone)]
pub struct Channels(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    books: Books,
    chain: Chain,
    terms: ChannelTerms,
    slots: Mutex<BTreeMap<B256, Arc<tokio::sync::Mutex<Slot>>>>,
    /// First block whose withdrawals were not looked for; `None` if that is not known.
    next_block: Mutex<Option<u64>>,
}

/// Channel with what this process knows of it.
#[derive(Debug)]
struct Slot {
    kept: Kept,
    /// Deposit that the next receipt tells: its transaction and amount.
    moved: Option<(B256, u128)>,
    /// `true` if the database may have a newer state.
    is_stale: bool,
    /// Time until which no further claim is sent, in Unix seconds: one is on its way.
    quiet_until: u64,
    /// Time until which no deposit is sent again, in Unix seconds: one is on its way.
    deposit_until: u64,
}

/// Form in which a channel is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    channel: Channel,
    /// Amount that the payer asked for in the refund that locks the channel; `None` for all.
    asked: Option<u128>,
    /// Time of the last refund, in Unix seconds; 0 if there was none.
    #[serde(default)]
    refunded_at: u64,
}

impl Slot {
    fn new(kept: Kept) -> Self {
        Self {
            kept,
            moved: None,
            is_stale: false,
            quiet_until: 0,
            deposit_until: 0,
        }
    }
}

impl Kept {
    fn stored(&self) -> Vec<u8> {
        // It has texts and numbers only.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a stored channel. Locks of calls ended with the process that had them.
    fn read(state: &[u8]) -> Result<Self, StoreError> {
        let mut kept: Self = serde_json::from_slice(state)
            .map_err(|_| StoreError::Malformed { what: "a channel" })?;
        if let Some(lock) = kept.channel.lock().cloned()
            && matches!(lock.purpose, Purpose::Payment { .. })
        {
            // It is its own lock.
            let _ = kept.channel.release(&lock);
        }
        Ok(kept)
    }
}

impl Channels {
    /// Opens the rail, and reads all channels.
    ///
    /// # Errors
    /// If the database fails, or a stored channel is malformed.
    pub async fn open(books: Books, chain: Chain, terms: ChannelTerms) -> Result<Self, StoreError> {
        let mut slots = BTreeMap::new();
        for (_, state) in books.states(STATES).await? {
            let kept = Kept::read(&state)?;
            let id = kept.channel.id();
            slots.insert(id, Arc::new(tokio::sync::Mutex::new(Slot::new(kept))));
        }
        let next_block = claims::next_block(&books).await?;
        Ok(Self(Arc::new(Inner {
            books,
            chain,
            terms,
            slots: Mutex::new(slots),
            next_block: Mutex::new(next_block),
        })))
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<B256, Arc<tokio::sync::Mutex<Slot>>>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot(&self, channel: B256) -> Option<Arc<tokio::sync::Mutex<Slot>>> {
        self.slots().get(&channel).cloned()
    }

    /// Returns the terms of a call in a token.
    fn terms_of(&self, asset: &Asset, units: u64) -> Terms {
        Terms {
            token: asset.token.clone(),
            amount: asset.price.cost(units),
            receiver: self.0.terms.pay_to,
            receiver_authorizer: self.0.chain.account(),
            withdraw_delay: self.0.terms.withdraw_delay,
            max_timeout: self.0.terms.max_timeout,
            min_deposit: Some(asset.price.cost(SUGGESTED.max(units))),
        }
    }

    fn challenges(&self, units: u64) -> Vec<Challenge> {
        let assets = self.0.terms.assets.iter();
        assets
            .map(|asset| Challenge::X402(self.terms_of(asset, units).offer()))
            .collect()
    }

    fn asset(&self, token: Address) -> Option<&Asset> {
        let mut assets = self.0.terms.assets.iter();
        assets.find(|asset| asset.token.address == token)
    }

    /// Returns the terms that a payment accepts, and its payload.
    fn chosen(
        &self,
        payment: &PaymentPayload,
        units: u64,
    ) -> Result<(Terms, BatchPayload), RefusalReason> {
        let offers = Offers::new(self.challenges(units));
        let chosen = offers.chosen(payment)?;
        let terms = Terms::of(chosen)?;
        let payload = payment.payload.read();
        Ok((terms, payload.map_err(|_| Reason::InvalidPayload)?))
    }

    /// Reads the state of a channel from the chain, at this machine's time.
    async fn state(&self, channel: B256) -> Result<ChainState, PayError> {
        let mut state = self.0.chain.channel(channel).await?;
        // How old the state is may not depend on the time of blocks.
        state.read_at = now();
        Ok(state)
    }

    /// Returns the slot of a payment's channel. A channel that is new here is read from the chain.
    async fn found(
        &self,
        terms: &Terms,
        payload: &BatchPayload,
    ) -> Result<Arc<tokio::sync::Mutex<Slot>>, PayError> {
        let payment = payload.channel();
        let (config, voucher) = payment.ok_or(RefusalReason::X402(Reason::BatchPayloadType))?;
        let deployment = self.0.chain.deployment();
        verify::total(deployment, terms, config, voucher).map_err(RefusalReason::from)?;
        if let Some(slot) = self.slot(voucher.channel_id) {
            return Ok(slot);
        }
        let state = self.state(voucher.channel_id).await?;
        let is_deposit = matches!(payload, BatchPayload::Deposit(_));
        if state.balance == 0 && !is_deposit {
            return Err(RefusalReason::X402(Reason::BatchChannelNotFound).into());
        }
        // The deposit may have been made before a restart.
        let total = voucher.max_claimable_amount.to_u128();
        let is_funded = total.is_some_and(|total| state.balance >= total);
        let channel = Channel::open(deployment, config.clone(), state);
        // Strangers must not fill the memory: only who can pay gets a slot.
        let mut dry = channel.clone();
        match payload {
            BatchPayload::Deposit(deposit) if is_funded => {
                self.lock(&mut dry, terms, &without_deposit(deposit.clone()))
                    .await?
            }
            _ => self.lock(&mut dry, terms, payload).await?,
        };
        let kept = Kept {
            channel,
            asked: None,
            refunded_at: 0,
        };
        let mut slots = self.slots();
        let new = || Arc::new(tokio::sync::Mutex::new(Slot::new(kept)));
        Ok(slots.entry(voucher.channel_id).or_insert_with(new).clone())
    }

    /// Checks a payment and locks its channel. The chain is asked for what the rules lack.
    async fn lock(
        &self,
        channel: &mut Channel,
        terms: &Terms,
        payload: &BatchPayload,
    ) -> Result<Reservation, PayError> {
        let chain = &self.0.chain;
        let mut facts = Facts {
            now: now(),
            chain: None,
            payer_balance: None,
            contract: None,
        };
        for _ in 0..QUESTIONS {
            let refusal = match channel.reserve(chain.deployment(), terms, payload, &facts) {
                Ok(reservation) => return Ok(reservation),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::NeedsChain => {
                    facts.chain = Some(self.state(channel.id()).await?);
                    if matches!(payload, BatchPayload::Deposit(_)) {
                        let config = channel.config();
                        let balance = chain.balance(config.token, config.payer).await;
                        facts.payer_balance = Some(balance?);
                    }
                }
                Refusal::NeedsContractCheck(check) => {
                    let answer = chain.ask_contract(check).await;
                    facts.contract = Some(answer?);
                }
                Refusal::Busy(_) => {
                    return Err(RefusalReason::X402(Reason::BatchChannelBusy).into());
                }
                Refusal::Invalid(reason) => return Err(RefusalReason::X402(reason).into()),
                Refusal::Mismatch(state) => return Err(PayError::Mismatch(state)),
            }
        }
        Err(PayError::Unavailable("chain"))
    }

    /// Stores the state of a channel.
    async fn keep(&self, slot: &mut Slot) -> Result<(), BooksError> {
        let (id, state) = (slot.kept.channel.id(), slot.kept.stored());
        let kept = self.0.books.write(move |draft| {
            draft.keep(STATES, id.as_slice(), Some(state));
            Ok(())
        });
        kept.await.inspect_err(|_| slot.is_stale = true)
    }

    /// Reads a channel again, if the database may have a newer state.
    async fn freshen(&self, slot: &mut Slot) -> Result<(), PayError> {
        if !slot.is_stale {
            return Ok(());
        }
        let id = slot.kept.channel.id();
        let states = self.0.books.states(STATES).await.map_err(|error| {
            tracing::warn!(error = %with_sources(&error), "cannot read a channel again");
            BooksError::Unwritten
        })?;
        let state = states.into_iter().find(|(name, _)| name == id.as_slice());
        if let Some((_, state)) = state {
            slot.kept = Kept::read(&state).map_err(|_| BooksError::Unwritten)?;
        }
        slot.is_stale = false;
        Ok(())
    }

    async fn take(&self, presented: &Presented, sale: &Sale) -> Result<Admitted, PayError> {
        let payment = presented.payment.as_ref().ok_or(RefusalReason::Unpaid)?;
        if sale.account.is_some() || sale.price == 0 {
            // A channel is topped up by a deposit beside the voucher of a call.
            return Err(RefusalReason::X402(Reason::BatchPayloadType).into());
        }
        let (terms, payload) = self.chosen(payment, sale.price)?;
        let slot = self.found(&terms, &payload).await?;
        let mut slot = slot.lock().await;
        self.freshen(&mut slot).await?;
        let payload = self.fund(&mut slot, &terms, payload).await?;
        let mut dry = slot.kept.channel.clone();
        self.lock(&mut dry, &terms, &payload).await?;
        let channel = slot.kept.channel.id();
        let owner = Owner::Channel(channel);
        let (fresh, state) = (sale.fresh.account(), slot.kept.stored());
        let account = self.0.books.write(move |draft| {
            draft.keep(STATES, channel.as_slice(), Some(state));
            if let Some(account) = draft.ledger().account_of(owner) {
                return Ok(account);
            }
            draft.write(Entry::Opened {
                account: fresh,
                owner,
            })?;
            Ok(fresh)
        });
        Ok(Admitted {
            account: account.await?,
            owner,
            session: None,
            is_token_fresh: false,
            replaces_token: false,
            response: None,
        })
    }

    async fn hold(
        &self,
        account: AccountId,
        presented: &Presented,
        sale: &Sale,
    ) -> Result<Begun, PayError> {
        let payment = presented.payment.as_ref().ok_or(RefusalReason::Unpaid)?;
        let (terms, payload) = self.chosen(payment, sale.price)?;
        let (_, voucher) = payload
            .channel()
            .ok_or(RefusalReason::X402(Reason::BatchPayloadType))?;
        let owner = self
            .0
            .books
            .read(|ledger| ledger.account(account).map(Account::owner));
        if owner != Some(Owner::Channel(voucher.channel_id)) {
            return Err(RefusalReason::X402(Reason::BatchChannelIdMismatch).into());
        }
        let slot = self.found(&terms, &payload).await?;
        let mut slot = slot.lock().await;
        self.freshen(&mut slot).await?;
        // The caller has proven the channel, so a repeated request gets its receipt.
        let request = sale.request(account.0);
        if let Some(done) = self.done(&slot, account, sale)? {
            return Ok(Begun::Done(done));
        }
        let payload = self.fund(&mut slot, &terms, payload).await?;
        let lock = self.lock(&mut slot.kept.channel, &terms, &payload).await?;
        let reserving = self
            .0
            .books
            .reserve(account, sale.price, Source::Voucher, request);
        match reserving.await {
            Ok(Reserved::Begin { reservation, left }) => Ok(Begun::Held(Hold {
                reservation,
                left,
                lock: Some(lock),
            })),
            other => {
                // The lock was taken a moment ago.
                let _ = slot.kept.channel.release(&lock);
                match other? {
                    Reserved::Done(receipt) => Ok(Begun::Done(Paid {
                        response: Some(self.receipt(&slot, None)),
                        receipt,
                    })),
                    Reserved::Begin { .. } => Err(PayError::Unavailable("ledger")),
                }
            }
        }
    }
}

impl Rail for Channels {
    fn kind(&self) -> RailKind {
        RailKind::Channel
    }

    fn books(&self) -> &Books {
        &self.0.books
    }

    fn prices(&self) -> Vec<PriceLine> {
        let assets = self.0.terms.assets.iter();
        assets
            .map(|asset| PriceLine {
                rail: RailKind::Channel,
                network: network(asset.token.chain_id),
                asset: asset.token.address.to_string(),
                name: asset.token.name.clone(),
                decimals: asset.decimals,
                pay_to: Some(self.0.terms.pay_to.to_string()),
                price: asset.price,
                minimum: asset.price.cost(1),
                // What was not charged was never paid.
                refund_fee: None,
            })
            .collect()
    }

    fn serves(&self, owner: Owner) -> bool {
        matches!(owner, Owner::Channel(_))
    }

    fn offers<'a>(&'a self, sale: &'a Sale) -> Answer<'a, Vec<Challenge>> {
        // A call without a price needs no voucher.
        let offers = match sale.price {
            0 => Vec::new(),
            price => self.challenges(price),
        };
        Box::pin(async move { Ok(offers) })
    }

    fn admit<'a>(&'a self, presented: &'a Presented, sale: &'a Sale) -> Answer<'a, Admitted> {
        Box::pin(self.take(presented, sale))
    }

    /// Checks that a payment has a voucher of the channel, by its payer and above what is charged.
    ///
    /// Claims publish the vouchers below. Only the chain can tell about a voucher of a contract, so a
    /// contract's calls need the token of their session.
    fn prove(&self, presented: &Presented, owner: Owner) -> Result<(), RefusalReason> {
        let payment = presented.payment.as_ref().ok_or(RefusalReason::Unpaid)?;
        let payload: BatchPayload = payment.payload.read().map_err(|_| Reason::InvalidPayload)?;
        let (config, voucher) = payload.channel().ok_or(Reason::BatchPayloadType)?;
        let deployment = self.0.chain.deployment();
        let is_it = deployment.channel_id(config) == voucher.channel_id
            && owner == Owner::Channel(voucher.channel_id);
        if !is_it {
            return Err(Reason::BatchChannelIdMismatch.into());
        }
        let total = voucher.max_claimable_amount.to_u128();
        let total = total.ok_or(Reason::BatchVoucherPayload)?;
        match verify::signature(deployment, config, total, voucher, None) {
            Ok(()) => {}
            Err(verify::Fault::NeedsContractCheck(_)) => return Err(RefusalReason::Scheme),
            Err(verify::Fault::Invalid(reason)) => return Err(reason.into()),
        }
        let slot = self.slot(voucher.channel_id);
        let slot = slot.ok_or(Reason::BatchChannelNotFound)?;
        let slot = slot.try_lock().map_err(|_| Reason::BatchChannelBusy)?;
        if total <= slot.kept.channel.charged() {
            return Err(RefusalReason::Scheme);
        }
        Ok(())
    }

    fn reserve<'a>(
        &'a self,
        account: AccountId,
        presented: &'a Presented,
        sale: &'a Sale,
    ) -> Answer<'a, Begun> {
        Box::pin(self.hold(account, presented, sale))
    }

    fn commit<'a>(&'a self, hold: &'a Hold, units: u64) -> Answer<'a, Paid> {
        Box::pin(self.charge(hold, units))
    }

    fn release<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(lock) = &hold.lock
                && let Some(slot) = self.slot(lock.channel)
            {
                // A lock that another request has taken over stays.
                let _ = slot.lock().await.kept.channel.release(lock);
            }
            self.0.books.release(hold.reservation).await;
        })
    }

    fn give_back<'a>(&'a self, payment: &'a PaymentPayload) -> Answer<'a, SettlementResponse> {
        Box::pin(self.refund_channel(payment))
    }

    fn reconcile(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.watch_withdrawals().await;
            self.end_refunds().await;
            self.claim_due().await;
        })
    }
}
