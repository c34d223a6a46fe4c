//! Rail x402 `exact`: one signed transfer buys units, which the account's token then spends.
//!
//! A payment is stored before its transaction is sent, with all that it takes to send it again. From
//! then on only evidence of the chain ends it, however often the coordinator starts.

mod known;
mod refund;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use cotrain_indexer::{StoreError, with_sources};
use cotrain_payments::{
    ledger::{
        Account, AccountId, Entry, Fault, Ledger, Owner, PaymentId, PaymentKey, PaymentState,
        Purchase, Settlement, SettlementSeen,
    },
    price::UnitPrice,
    rail::{Challenge, Offers, Presented, Proof, RefusalReason, Standing, payment_key},
    x402::{
        Reason, Token,
        exact::{self, ExactPayload, Payment},
        wire::{PaymentPayload, network},
    },
};
use sha2::{Digest, Sha256};

use self::known::{Known, Stored, hashed, settled};
use super::{
    Admitted, Answer, Books, BooksError, PayError, PriceLine, Rail, RailKind, Refunded, Sale,
    chain::{Chain, ChainError, Finding, Prepared, Purse, Transfer},
};

/// Name of the rail among the states of the books.
const STATES: &str = "exact";

/// Time after which a transfer is sent anew that this process has sent, and that nobody has seen.
const AGAIN: Duration = Duration::from_mins(10);

/// Seconds by which a payer's clock may be ahead.
const SLACK: u64 = 60;

/// Token that buys units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Token, with its EIP-712 domain.
    pub token: Token,
    /// Decimals of the token.
    pub decimals: u8,
    /// Price of units.
    pub price: UnitPrice,
    /// Fee of a refund, in atomic units.
    pub refund_fee: u128,
}

/// Terms on which the host sells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Tokens, in the order of offers.
    pub assets: Vec<Asset>,
    /// Account that gets the tokens. Units go back only if it is the account that pays gas.
    pub pay_to: Address,
    /// Maximum time from an offer to the end of a payment, in seconds.
    pub max_timeout: u64,
}

/// Rail x402 `exact`; cheap to clone.
#[derive(Debug, Clone)]
pub struct Exact(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    books: Books,
    chain: Chain,
    terms: Terms,
    known: Mutex<BTreeMap<PaymentId, Known>>,
    busy: Mutex<Busy>,
    /// Accounts whose units go back as soon as their payments are final.
    closed: Mutex<BTreeSet<AccountId>>,
}

/// Transfers that tasks of this process work on.
#[derive(Debug, Default)]
struct Busy {
    transfers: BTreeSet<B256>,
    /// Times at which their transactions were sent. Each is sent at rising fees until it is included.
    sent: BTreeMap<B256, Instant>,
    /// Payments that counted, and that the last look did not find.
    missing: BTreeSet<PaymentId>,
}

/// Mark of a transfer that a task works on, by the name of its payment or the nonce of its refund.
#[derive(Debug)]
struct Turn {
    rail: Exact,
    name: B256,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.rail.busy().transfers.remove(&self.name);
    }
}

impl Exact {
    /// Opens the rail, and reads the payments that were taken before.
    ///
    /// # Errors
    /// If the database fails, or a stored payment is malformed.
    pub async fn open(books: Books, chain: Chain, terms: Terms) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for (_, state) in books.states(STATES).await? {
            let stored: Stored =
                serde_json::from_slice(&state).map_err(|_| StoreError::Malformed {
                    what: "a signed payment",
                })?;
            let one = Known::from(stored);
            known.insert(payment_key(&one.payment).id(), one);
        }
        let closed = books.states(refund::CLOSED).await?;
        let closed = closed
            .iter()
            .filter_map(|(name, _)| B256::try_from(name.as_slice()).ok());
        let closed = Mutex::new(closed.map(AccountId).collect());
        Ok(Self(Arc::new(Inner {
            books,
            chain,
            terms,
            known: Mutex::new(known),
            busy: Mutex::default(),
            closed,
        })))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<PaymentId, Known>> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    fn closed(&self) -> MutexGuard<'_, BTreeSet<AccountId>> {
        let closed = self.0.closed.lock();
        closed.unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> MutexGuard<'_, Busy> {
        let busy = self.0.busy.lock();
        busy.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the mark of a transfer, or `None` if another task works on it.
    fn turn(&self, name: B256) -> Option<Turn> {
        let rail = self.clone();
        let is_free = self.busy().transfers.insert(name);
        is_free.then_some(Turn { rail, name })
    }

    /// Returns `true` if a transaction of the transfer may still be on its way from this process.
    fn is_under_way(&self, name: B256) -> bool {
        let sent = self.busy().sent.get(&name).copied();
        sent.is_some_and(|sent| sent.elapsed() < AGAIN)
    }

    /// Sends a transaction, and returns what the chain shows within the time that a request waits.
    async fn settle(
        &self,
        name: B256,
        prepared: Prepared,
        transfer: &Transfer,
    ) -> Result<Finding, ChainError> {
        self.busy().sent.insert(name, Instant::now());
        let found = self.0.chain.settle(prepared, transfer).await;
        if matches!(found, Err(ChainError::Send(_))) {
            self.busy().sent.remove(&name);
        }
        found
    }

    /// Returns the offers of units, with the asset of each.
    fn requirements(&self, units: u64) -> Vec<(&Asset, Challenge)> {
        let Terms {
            assets,
            pay_to,
            max_timeout,
        } = &self.0.terms;
        let offer = |asset: &Asset| {
            let amount = asset.price.quote(units).amount;
            let mut offer = exact::offer(&asset.token, amount, *pay_to, *max_timeout);
            offer.extra.set("units", units.into());
            if self.refunds() {
                let fee = asset.refund_fee.to_string();
                offer.extra.set("refundFee", fee.into());
            }
            Challenge::X402(offer)
        };
        let assets = assets.iter();
        assets.map(|asset| (asset, offer(asset))).collect()
    }

    async fn take(&self, presented: &Presented, sale: &Sale) -> Result<Admitted, PayError> {
        let Some(payment) = &presented.payment else {
            return self.by_token(presented).await;
        };
        let payload: ExactPayload = payment
            .payload
            .read()
            .map_err(|_| RefusalReason::X402(Reason::InvalidPayload))?;
        // A payment that was presented before needs no offer: prices may have changed, and time passed.
        let token = payment.accepted.asset().zip(payment.accepted.chain_id());
        let key = token.map(|(address, chain)| PaymentKey::Authorization {
            payer: payload.authorization.from,
            token: cotrain_payments::ledger::Token { chain, address },
            nonce: payload.authorization.nonce,
        });
        let known = key.and_then(|key| self.known().get(&key.id()).cloned());
        // A bearer token beside a payment names the account that it tops up.
        let mut sale = sale.clone();
        if sale.account.is_none()
            && let Some(proof @ Proof::Bearer(_)) = &presented.proof
        {
            sale.account = self.0.books.read(|ledger| ledger.account_of(proof.owner()));
        }
        let admitted = match known {
            Some(known) => {
                let is_same = known.payment.authorization == payload.authorization
                    && known.payment.signature == payload.signature;
                if !is_same {
                    return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
                }
                self.take_again(known, &sale).await?
            }
            None => self.take_first(payment, &sale).await?,
        };
        self.set_closed(admitted.account, false).await?;
        Ok(admitted)
    }

    /// Finds the account of a bearer token.
    async fn by_token(&self, presented: &Presented) -> Result<Admitted, PayError> {
        let owner = match &presented.proof {
            Some(proof @ Proof::Bearer(_)) => proof.owner(),
            _ => return Err(RefusalReason::Unpaid.into()),
        };
        // A token that opens nothing is as good as none: the caller may buy.
        let account = self.0.books.read(|ledger| ledger.account_of(owner));
        let account = account.ok_or(RefusalReason::Unpaid)?;
        self.set_closed(account, false).await?;
        Ok(Admitted {
            account,
            owner,
            session: None,
            is_token_fresh: false,
            replaces_token: false,
            response: None,
        })
    }

    async fn take_first(
        &self,
        payment: &PaymentPayload,
        sale: &Sale,
    ) -> Result<Admitted, PayError> {
        let offered = self.requirements(sale.units);
        let offers = Offers::new(offered.iter().map(|(_, offer)| offer.clone()).collect());
        let chosen = offers.chosen(payment).map_err(RefusalReason::from)?;
        // What costs nothing is checked first.
        exact::verify(payment, chosen, sale.now).map_err(RefusalReason::from)?;
        let now = self
            .0
            .chain
            .now()
            .await
            .map_err(|error| unavailable(&error))?
            .max(sale.now);
        let verified = exact::verify(payment, chosen, now).map_err(RefusalReason::from)?;
        // Nobody knows how an authorization ends before its time is over.
        let latest = now.saturating_add(self.0.terms.max_timeout + SLACK);
        if verified.authorization.valid_before.to_u64() > Some(latest)
            || verified.authorization.valid_before.to_u64().is_none()
        {
            return Err(RefusalReason::X402(Reason::ExactValidBefore).into());
        }
        let asset = offered
            .iter()
            .find(|(asset, _)| asset.token.address == verified.token.address);
        let (asset, _) = asset.ok_or(RefusalReason::X402(Reason::InvalidPaymentRequirements))?;
        let key = payment_key(&verified);
        let id = key.id();
        let turn = self.turn(id.hash()).ok_or(RefusalReason::Pending)?;
        let gas = self.0.chain.check(&verified).await.map_err(refused)?;
        let preparing = self.0.chain.prepare_payment(&verified, gas, Purse::Host);
        let prepared = preparing.await.map_err(refused)?;

        let owner = Owner::Token(sale.fresh.token);
        let account = sale.account.unwrap_or_else(|| account_of(sale));
        let purchase = Purchase {
            account,
            quote: asset.price.quote(sale.units),
            price: asset.price,
            refund_fee: self.refunds().then_some(asset.refund_fee),
        };
        let known = Known {
            payment: verified,
            id: sale.id.as_ref().map(|id| hashed(&id.to_string())),
            body: sale.body,
            is_opening: sale.account.is_none(),
        };
        let stored = known.stored();
        let valid_before = known.valid_before();
        let is_opening = known.is_opening;
        // Without an id, only the first answer can tell the token. If it is lost, the money goes back.
        let is_closed = is_opening && known.id.is_none();
        // It is known before it is stored: a write whose answer is lost may have stored it.
        self.known().insert(id, known.clone());
        if is_closed {
            self.closed().insert(account);
        }
        let sent = self.0.books.write(move |draft| {
            if draft.ledger().payment(id).is_some() {
                return Err(Fault::PaymentUsed);
            }
            if is_opening {
                draft.write(Entry::Opened { account, owner })?;
            }
            draft.write(draft.ledger().send_payment(key, purchase, valid_before)?)?;
            draft.keep(STATES, id.hash().as_slice(), Some(stored));
            if is_closed {
                draft.keep(refund::CLOSED, account.0.as_slice(), Some(vec![1]));
            }
            Ok(())
        });
        if let Err(error) = sent.await {
            if matches!(error, BooksError::Refused(_)) {
                self.known().remove(&id);
                self.closed().remove(&account);
            }
            return Err(error.into());
        }
        // The payment goes on if the caller goes away.
        let rail = self.clone();
        let settling = tokio::spawn(async move {
            let _turn = turn;
            let transfer = Transfer::from(&known.payment);
            let found = rail.settle(id.hash(), prepared, &transfer).await;
            rail.record(id, found).await
        });
        settling.await.unwrap_or(Err(BooksError::Unwritten))?;
        self.admitted(id, owner, is_opening, false)
    }

    /// Answers for a payment that was presented before. It is never taken twice.
    async fn take_again(&self, known: Known, sale: &Sale) -> Result<Admitted, PayError> {
        let id = payment_key(&known.payment).id();
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let payment = payment.ok_or(RefusalReason::Pending)?;
        let is_same_call = match sale.account {
            Some(account) => !known.is_opening && account == payment.purchase.account,
            None => known.is_opening,
        };
        if !is_same_call {
            return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
        }
        // What counts is not looked at again: a node that lags would take it back.
        if payment.standing() == Standing::Pending {
            let turn = self.turn(id.hash()).ok_or(RefusalReason::Pending)?;
            let found = self.0.chain.look(&self.transfer(id, &known)).await;
            self.record(id, found).await?;
            drop(turn);
        }
        let owner = Owner::Token(sale.fresh.token);
        let admitted = self.admitted(id, owner, known.is_opening, known.is_opening)?;
        if known.is_opening {
            // A transfer is public once it is sent. Only its payer knows the id of the request.
            let given = sale.id.as_ref().map(|id| hashed(&id.to_string()));
            if given.is_none() || given != known.id {
                return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
            }
            if sale.body != known.body {
                return Err(RefusalReason::Ledger(Fault::OtherBody).into());
            }
        }
        Ok(admitted)
    }

    /// Returns the account of a payment that counts, or the reason why it does not.
    fn admitted(
        &self,
        id: PaymentId,
        fresh: Owner,
        is_opening: bool,
        replaces_token: bool,
    ) -> Result<Admitted, PayError> {
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let payment = payment.ok_or(RefusalReason::Pending)?;
        match payment.standing() {
            Standing::Pending => Err(RefusalReason::Pending.into()),
            Standing::Unpaid => Err(RefusalReason::X402(Reason::ExactTransactionFailed).into()),
            Standing::Paid => {
                let account = payment.purchase.account;
                let known = |ledger: &Ledger| ledger.account(account).map(Account::owner);
                let owner = self.0.books.read(known).filter(|_| !is_opening);
                Ok(Admitted {
                    account,
                    owner: owner.unwrap_or(fresh),
                    session: None,
                    is_token_fresh: is_opening,
                    replaces_token,
                    response: Some(settled(&payment)),
                })
            }
        }
    }

    fn transfer(&self, id: PaymentId, known: &Known) -> Transfer {
        let mut transfer = Transfer::from(&known.payment);
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        if let Some(PaymentState::Settlement { transaction, .. }) = payment.map(|it| it.state) {
            transfer.transactions.extend(transaction);
        }
        transfer
    }

    /// Writes what the chain shows about a payment.
    async fn record(
        &self,
        id: PaymentId,
        found: Result<Finding, ChainError>,
    ) -> Result<(), BooksError> {
        let found = found.inspect_err(
            |error| tracing::warn!(error = %with_sources(error), "a payment is not decided"),
        );
        let seen = self.0.books.write(move |draft| {
            let payment = draft.ledger().payment(id).map(|it| it.state);
            let Some(PaymentState::Settlement { state, .. }) = payment else {
                return Err(Fault::UnknownPayment);
            };
            let seen = match found {
                Ok(found) => found.seen(state),
                Err(_) => Vec::new(),
            };
            // Whoever waited for it waits no more.
            let seen = match (seen.is_empty(), state) {
                (true, Settlement::Sent) => vec![SettlementSeen::Lost],
                _ => seen,
            };
            for one in seen {
                if let Some(entry) = draft.ledger().see_payment(id, one)? {
                    draft.write(entry)?;
                }
            }
            Ok(())
        });
        seen.await
    }

    /// Looks at a payment that is not decided, and sends it again if it can still be mined.
    async fn pursue(&self, id: PaymentId, known: Known) {
        let Some(_turn) = self.turn(id.hash()) else {
            return;
        };
        let mut found = self.0.chain.look(&self.transfer(id, &known)).await;
        let state = self
            .0
            .books
            .read(|ledger| ledger.payment(id).map(|it| it.state));
        let Some(PaymentState::Settlement { state, .. }) = state else {
            return;
        };
        let is_nothing = matches!(found, Ok(Finding::Nothing));
        // A node may lag behind the one that showed the transfer, so one look takes nothing back.
        if state.is_paid() && is_nothing {
            if self.busy().missing.insert(id) {
                return;
            }
            // What was included, and is no longer, is sent by nobody.
            self.busy().sent.remove(&id.hash());
        }
        self.busy().missing.remove(&id);
        if state.is_pending()
            && is_nothing
            && !self.is_under_way(id.hash())
            && let Ok(gas) = self.0.chain.check(&known.payment).await
            && let Ok(prepared) = self
                .0
                .chain
                .prepare_payment(&known.payment, gas, Purse::Host)
                .await
        {
            let transfer = Transfer::from(&known.payment);
            found = self.settle(id.hash(), prepared, &transfer).await;
        }
        if let Err(error) = self.record(id, found).await {
            tracing::warn!(%error, "cannot write the state of a payment");
        }
    }

    async fn reconcile_payments(&self) {
        let unsettled: Vec<_> = self
            .0
            .books
            .read(|ledger| ledger.unsettled().map(|(id, _)| id).collect());
        for id in unsettled {
            let known = self.known().get(&id).cloned();
            if let Some(known) = known {
                self.pursue(id, known).await;
            }
        }
    }
}

impl Rail for Exact {
    fn kind(&self) -> RailKind {
        RailKind::Exact
    }

    fn books(&self) -> &Books {
        &self.0.books
    }

    fn prices(&self) -> Vec<PriceLine> {
        let assets = self.0.terms.assets.iter();
        assets
            .map(|asset| PriceLine {
                rail: RailKind::Exact,
                network: network(asset.token.chain_id),
                asset: asset.token.address.to_string(),
                name: asset.token.name.clone(),
                decimals: asset.decimals,
                pay_to: Some(self.0.terms.pay_to.to_string()),
                price: asset.price,
                minimum: asset.price.cost(1),
            })
            .collect()
    }

    fn serves(&self, owner: Owner) -> bool {
        matches!(owner, Owner::Token(_))
    }

    fn offers<'a>(&'a self, sale: &'a Sale) -> Answer<'a, Vec<Challenge>> {
        let offers = self.requirements(sale.units);
        Box::pin(async move { Ok(offers.into_iter().map(|(_, offer)| offer).collect()) })
    }

    fn admit<'a>(&'a self, presented: &'a Presented, sale: &'a Sale) -> Answer<'a, Admitted> {
        Box::pin(self.take(presented, sale))
    }

    fn prove(&self, presented: &Presented, owner: Owner) -> Result<(), RefusalReason> {
        let proven = presented.proof.as_ref().map(Proof::owner);
        if proven == Some(owner) {
            Ok(())
        } else {
            Err(RefusalReason::Scheme)
        }
    }

    fn refund(&self, account: AccountId) -> Answer<'_, Vec<Refunded>> {
        Box::pin(self.refund_account(account))
    }

    fn reconcile(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {
            self.reconcile_payments().await;
            self.reconcile_refunds().await;
        })
    }
}

/// Returns the name of the account that a session's id gives.
pub(super) fn account_of(sale: &Sale) -> AccountId {
    AccountId(B256::from_slice(&Sha256::digest(sale.fresh.session)))
}

/// Returns the refusal for a failure before anything was stored or sent.
fn refused(error: ChainError) -> PayError {
    match error {
        // The tokens may have moved to us by somebody else's transaction. Whoever paid must not pay again.
        ChainError::Refused(Reason::ExactNonceUsed) => {
            RefusalReason::Ledger(Fault::PaymentUsed).into()
        }
        ChainError::Refused(reason) => RefusalReason::X402(reason).into(),
        error => unavailable(&error),
    }
}

fn unavailable(error: &ChainError) -> PayError {
    tracing::warn!(error = %with_sources(error), "cannot take a payment now");
    PayError::Unavailable("chain")
}
