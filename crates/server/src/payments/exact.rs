//! Rail x402 `exact`: one signed transfer buys units, which the account's token then spends.
//!
//! A payment is stored before its transaction is sent, with all that it takes to send it again. From
//! then on only evidence of the chain ends it, however often the coordinator starts.

mod known;
mod refund;
mod taking;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};
use cotrain_indexer::{StoreError, with_sources};
use cotrain_payments::{
    ledger::{
        AccountId, Entry, Fault, Owner, Payment as LedgerPayment, PaymentId, PaymentState,
        Settlement, SettlementSeen,
    },
    price::UnitPrice,
    rail::{Challenge, Presented, Proof, RefusalReason, Standing, payment_key},
    x402::{
        Token,
        exact::{self, Payment},
        wire::network,
    },
};
use cotrain_relayer::clock;

use self::known::{Known, Stored};
use super::{
    Admitted, Answer, Books, BooksError, PayError, PriceLine, Rail, RailKind, Refunded, Sale,
    chain::{Chain, ChainError, Finding, Prepared, Purse, Transfer},
    today::Today,
};

/// Name of the rail among the states of the books.
const STATES: &str = "exact";

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
    /// Smallest number of units that a payment buys.
    pub min_units: u64,
    /// Maximum number of payments in a day whose transactions fail, at the cost of the host.
    pub max_daily_failures: u64,
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
    /// Transfers whose transactions are sent now, at rising fees until they are included.
    sent: BTreeSet<B256>,
    /// Accounts that are being opened, and that nobody can use if the answer is lost. Until it is told,
    /// the database has them as closed.
    opening: BTreeSet<AccountId>,
    /// Pending payments, by payer and token. A second one may find no tokens left.
    pending: BTreeMap<(Address, Address), PaymentId>,
    /// Number of payments whose transactions failed.
    failures: Today<u64>,
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

/// Mark of a transfer whose transaction this process sends.
struct UnderWay {
    rail: Exact,
    name: B256,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.rail.busy().sent.remove(&self.name);
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
        let mut busy = Busy::default();
        books.read(|ledger| {
            let unsettled = ledger.unsettled();
            let pending = unsettled.filter(|(_, it)| it.standing() == Standing::Pending);
            for (id, _) in pending {
                let payer = known.get(&id).map(|known| payer(&known.payment));
                busy.pending.extend(payer.map(|payer| (payer, id)));
            }
        });
        Ok(Self(Arc::new(Inner {
            books,
            chain,
            terms,
            known: Mutex::new(known),
            busy: Mutex::new(busy),
            closed,
        })))
    }

    fn known_payments(&self) -> MutexGuard<'_, BTreeMap<PaymentId, Known>> {
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

    /// Returns `true` if this process sends a transaction of the transfer now.
    fn is_under_way(&self, name: B256) -> bool {
        self.busy().sent.contains(&name)
    }

    /// Sends a transaction, and returns what the chain shows within the time that a request waits.
    async fn settle(
        &self,
        name: B256,
        prepared: Prepared,
        transfer: &Transfer,
    ) -> Result<Finding, ChainError> {
        self.busy().sent.insert(name);
        let rail = self.clone();
        let prepared = prepared.marked(UnderWay { rail, name });
        self.0.chain.settle(prepared, transfer).await
    }

    /// Returns `true` if an opening needs an id: no money would go back if its answer were lost.
    fn needs_id(&self, asset: &Asset, units: u64) -> bool {
        let units = units.max(self.0.terms.min_units);
        !self.refunds() || asset.price.quote(units).amount <= asset.refund_fee
    }

    /// Returns the offers of units, with the asset of each.
    fn requirements(&self, units: u64) -> Vec<(&Asset, Challenge)> {
        let Terms {
            assets,
            pay_to,
            max_timeout,
            min_units,
            ..
        } = &self.0.terms;
        let units = units.max(*min_units);
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

    fn transfer(&self, id: PaymentId, known: &Known) -> Transfer {
        let mut transfer = Transfer::from(&known.payment);
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let mut seen = None;
        if let Some(PaymentState::Settlement { transaction, .. }) = payment.map(|it| it.state) {
            seen = transaction;
        }
        let signed = known.transactions.iter().rev().copied();
        let others = signed.filter(|it| Some(*it) != seen);
        transfer.transactions.extend(seen.into_iter().chain(others));
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
        // The block is stored with the evidence: only its loss takes the evidence back.
        let before = self.known_payments().get(&id).cloned();
        let known = before
            .clone()
            .zip(found.as_ref().ok().and_then(Finding::block));
        let known = known.map(|(known, block)| Known {
            block: Some(block),
            ..known
        });
        let known = known.filter(|it| Some(it) != before.as_ref());
        let stored = known.as_ref().map(Known::stored);
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
            let mut has_failed = false;
            for one in seen {
                if let Some(entry) = draft.ledger().see_payment(id, one)? {
                    draft.write(entry)?;
                    has_failed |= one == SettlementSeen::Reverted;
                }
            }
            if stored.is_some() {
                draft.keep(STATES, id.hash().as_slice(), stored);
            }
            let payment = draft.ledger().payment(id).map(LedgerPayment::standing);
            Ok((has_failed, payment == Some(Standing::Pending)))
        });
        let (has_failed, is_pending) = seen.await?;
        if let Some(known) = known {
            self.known_payments().insert(id, known);
        }
        let payer = self
            .known_payments()
            .get(&id)
            .map(|known| payer(&known.payment));
        let mut busy = self.busy();
        if has_failed {
            *busy.failures.at(clock::now(), || 0) += 1;
        }
        if let Some(payer) = payer {
            if is_pending {
                busy.pending.insert(payer, id);
            } else if busy.pending.get(&payer) == Some(&id) {
                busy.pending.remove(&payer);
            }
        }
        drop(busy);
        Ok(())
    }

    /// Looks at a payment that is not decided, unless another task does.
    async fn pursue(&self, id: PaymentId) {
        let Some(turn) = self.turn(id.hash()) else {
            return;
        };
        if let Err(error) = self.advance(id, &turn).await {
            tracing::warn!(%error, "cannot write the state of a payment");
        }
    }

    /// Looks at a payment in its turn, sends it again if it can still be mined, and writes what the
    /// chain shows.
    async fn advance(&self, id: PaymentId, _turn: &Turn) -> Result<(), BooksError> {
        let known = self.known_payments().get(&id).cloned();
        let Some(known) = known else {
            return Ok(());
        };
        let chain = &self.0.chain;
        let transfer = self.transfer(id, &known);
        let mut found = chain.look(&transfer).await;
        let state = self
            .0
            .books
            .read(|ledger| ledger.payment(id).map(|it| it.state));
        let Some(PaymentState::Settlement { state, .. }) = state else {
            return Ok(());
        };
        if state.is_paid() && matches!(found, Ok(Finding::Nothing | Finding::Reverted)) {
            // A node may lag behind the one that showed the transfer.
            found = match known.block {
                Some(block) => match chain.has_lost(&transfer, block).await {
                    Ok(false) => return Ok(()),
                    lost => lost.map(|_| Finding::Nothing),
                },
                None => return Ok(()),
            };
        }
        // What has failed once may fail again, at the cost of the host.
        if matches!(state, Settlement::Sent | Settlement::Unknown)
            && matches!(found, Ok(Finding::Nothing))
            && !self.is_under_way(id.hash())
            && let Ok(gas) = chain.check(&known.payment).await
            && let Ok(prepared) = chain
                .prepare_payment(&known.payment, gas, Purse::Host)
                .await
        {
            let known = known.sent(prepared.hash());
            self.keep(id, known.clone()).await?;
            let transfer = self.transfer(id, &known);
            found = self.settle(id.hash(), prepared, &transfer).await;
        }
        self.record(id, found).await
    }

    /// Stores what is known of a payment.
    async fn keep(&self, id: PaymentId, known: Known) -> Result<(), BooksError> {
        let stored = known.stored();
        let kept = self.0.books.write(move |draft| {
            draft.keep(STATES, id.hash().as_slice(), Some(stored));
            Ok(())
        });
        kept.await?;
        self.known_payments().insert(id, known);
        Ok(())
    }

    async fn reconcile_payments(&self) {
        let unsettled: Vec<_> = self
            .0
            .books
            .read(|ledger| ledger.unsettled().map(|(id, _)| id).collect());
        for id in unsettled {
            self.pursue(id).await;
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
                minimum: asset.price.quote(self.0.terms.min_units).amount,
                refund_fee: self.refunds().then_some(asset.refund_fee),
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

    fn needs_id(&self, sale: &Sale) -> bool {
        let mut assets = self.0.terms.assets.iter();
        sale.account.is_none() && assets.any(|asset| Self::needs_id(self, asset, sale.units))
    }

    fn known(&self, presented: &Presented) -> Option<AccountId> {
        self.known_account(presented)
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

    fn reopened(&self, account: AccountId) -> Answer<'_, ()> {
        Box::pin(async move { Ok(self.reopen(account).await?) })
    }

    fn reconcile(&self) -> futures_util::future::BoxFuture<'_, ()> {
        Box::pin(async {
            self.reconcile_payments().await;
            self.reconcile_refunds().await;
        })
    }
}

/// Returns payer and token of a payment.
fn payer(payment: &Payment) -> (Address, Address) {
    (payment.authorization.from, payment.token.address)
}

#[cfg(test)]
mod tests;
