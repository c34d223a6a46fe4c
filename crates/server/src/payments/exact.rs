//! Rail x402 `exact`: one signed transfer buys units, which the account's token then spends.
//!
//! A payment is stored before its transaction is sent, with all that it takes to send it again. From
//! then on only evidence of the chain ends it, however often the coordinator starts.

mod refund;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, Bytes};
use cotrain_indexer::{StoreError, with_sources};
use cotrain_payments::{
    ledger::{
        AccountId, Entry, Fault, Ledger, Owner, Payment as LedgerPayment, PaymentId, PaymentKey,
        PaymentState, Purchase, RefundId, Settlement, SettlementSeen,
    },
    price::UnitPrice,
    rail::{Challenge, Offers, Presented, Proof, RefusalReason, Standing, payment_key},
    x402::{
        Authorization, Reason, Token,
        exact::{self, ExactPayload, Payment},
        wire::{PaymentPayload, SettlementResponse, network},
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    Admitted, Answer, Books, BooksError, PayError, PriceLine, Rail, RailKind, Refunded, Sale,
    chain::{Chain, ChainError, Finding, Purse, Transfer},
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
}

/// Transfers that a task of this process works on.
#[derive(Debug, Default)]
struct Busy {
    payments: BTreeSet<PaymentId>,
    refunds: BTreeSet<RefundId>,
}

/// Payment with all that it takes to send it, and to know who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    payment: Payment,
    /// Hash of the request's id. The transfer itself is on the chain for all to see.
    id: Option<B256>,
    /// `true` if it opened its account.
    is_opening: bool,
}

/// Form in which a payment is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    chain: u64,
    token: Address,
    name: String,
    version: String,
    authorization: Authorization,
    signature: Bytes,
    id: Option<B256>,
    opening: bool,
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
        Ok(Self(Arc::new(Inner {
            books,
            chain,
            terms,
            known: Mutex::new(known),
            busy: Mutex::default(),
        })))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<PaymentId, Known>> {
        let known = self.0.known.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    fn busy(&self) -> MutexGuard<'_, Busy> {
        let busy = self.0.busy.lock();
        busy.unwrap_or_else(PoisonError::into_inner)
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
            Challenge::X402(exact::offer(&asset.token, amount, *pay_to, *max_timeout))
        };
        let assets = assets.iter();
        assets.map(|asset| (asset, offer(asset))).collect()
    }

    async fn take(&self, presented: &Presented, sale: &Sale) -> Result<Admitted, PayError> {
        let Some(payment) = &presented.payment else {
            return self.by_token(presented);
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
        let again = key.and_then(|key| self.known().get(&key.id()).cloned());
        let again = again.filter(|known| {
            known.payment.authorization == payload.authorization
                && known.payment.signature == payload.signature
        });
        match again {
            Some(known) => self.take_again(known, sale).await,
            None => self.take_first(payment, sale).await,
        }
    }

    /// Finds the account of a bearer token.
    fn by_token(&self, presented: &Presented) -> Result<Admitted, PayError> {
        let owner = match &presented.proof {
            Some(proof @ Proof::Bearer(_)) => proof.owner(),
            _ => return Err(RefusalReason::Unpaid.into()),
        };
        let account = self.0.books.read(|ledger| ledger.account_of(owner));
        let account = account.ok_or(RefusalReason::Ledger(Fault::UnknownAccount))?;
        Ok(Admitted {
            account,
            owner,
            session: None,
            is_token_fresh: false,
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
        let now = self.0.chain.now().await.map_err(unavailable)?.max(sale.now);
        let verified = exact::verify(payment, chosen, now).map_err(RefusalReason::from)?;
        let asset = offered
            .iter()
            .find(|(asset, _)| asset.token.address == verified.token.address);
        let (asset, _) = asset.ok_or(RefusalReason::X402(Reason::InvalidPaymentRequirements))?;
        let gas = self.0.chain.check(&verified).await.map_err(refused)?;
        let preparing = self.0.chain.prepare_payment(&verified, gas, Purse::Host);
        let prepared = preparing.await.map_err(refused)?;

        let key = payment_key(&verified);
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
            is_opening: sale.account.is_none(),
        };
        let stored = known.stored();
        let valid_before = known.valid_before();
        let is_opening = known.is_opening;
        self.busy().payments.insert(key.id());
        let sent = self.0.books.write(move |draft| {
            if draft.ledger().payment(key.id()).is_some() {
                return Err(Fault::PaymentUsed);
            }
            if is_opening {
                draft.write(Entry::Opened { account, owner })?;
            }
            draft.write(draft.ledger().send_payment(key, purchase, valid_before)?)?;
            draft.keep(STATES, key.id().hash().as_slice(), Some(stored));
            Ok(())
        });
        if let Err(error) = sent.await {
            self.busy().payments.remove(&key.id());
            return Err(error.into());
        }
        self.known().insert(key.id(), known.clone());
        // The payment goes on if the caller goes away.
        let rail = self.clone();
        let settling = tokio::spawn(async move {
            let transfer = Transfer::from(&known.payment);
            let found = rail.0.chain.settle(prepared, &transfer).await;
            let recorded = rail.record(key.id(), found).await;
            rail.busy().payments.remove(&key.id());
            recorded
        });
        settling.await.unwrap_or(Err(BooksError::Unwritten))?;
        self.admitted(key.id(), owner, is_opening)
    }

    /// Answers for a payment that was presented before. It is never taken twice.
    async fn take_again(&self, known: Known, sale: &Sale) -> Result<Admitted, PayError> {
        let id = payment_key(&known.payment).id();
        // A transfer is public once it is sent. Only its payer knows the id of the request.
        let given = sale.id.as_ref().map(|id| hashed(&id.to_string()));
        let purchase = self
            .0
            .books
            .read(|ledger| ledger.payment(id).map(|it| it.purchase));
        let purchase = purchase.ok_or(RefusalReason::Pending)?;
        let is_same_call = match sale.account {
            Some(account) => !known.is_opening && account == purchase.account,
            None => known.is_opening,
        };
        if given.is_none() || given != known.id || !is_same_call {
            return Err(RefusalReason::Ledger(Fault::PaymentUsed).into());
        }
        if !self.busy().payments.contains(&id) {
            let found = self.0.chain.look(&self.transfer(id, &known)).await;
            self.record(id, found).await?;
        }
        let owner = Owner::Token(sale.fresh.token);
        let admitted = self.admitted(id, owner, known.is_opening)?;
        if known.is_opening {
            let account = purchase.account;
            let replaced = self.0.books.write(move |draft| {
                let entry = draft.ledger().replace_owner(account, owner)?;
                draft.write(entry)
            });
            replaced.await?;
        }
        Ok(admitted)
    }

    /// Returns the account of a payment that counts, or the reason why it does not.
    fn admitted(
        &self,
        id: PaymentId,
        owner: Owner,
        is_opening: bool,
    ) -> Result<Admitted, PayError> {
        let payment = self.0.books.read(|ledger| ledger.payment(id).cloned());
        let payment = payment.ok_or(RefusalReason::Pending)?;
        match payment.standing() {
            Standing::Pending => Err(RefusalReason::Pending.into()),
            Standing::Unpaid => Err(RefusalReason::X402(Reason::ExactTransactionFailed).into()),
            Standing::Paid => {
                let account = payment.purchase.account;
                let known = |ledger: &Ledger| ledger.account(account).map(|it| it.owner());
                let owner = match is_opening {
                    true => owner,
                    false => self.0.books.read(known).unwrap_or(owner),
                };
                Ok(Admitted {
                    account,
                    owner,
                    session: None,
                    is_token_fresh: is_opening,
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
            let state = match draft.ledger().payment(id).map(|it| it.state) {
                Some(PaymentState::Settlement { state, .. }) => state,
                _ => return Err(Fault::UnknownPayment),
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
        if !self.busy().payments.insert(id) {
            return;
        }
        let mut found = self.0.chain.look(&self.transfer(id, &known)).await;
        let state = self
            .0
            .books
            .read(|ledger| ledger.payment(id).map(|it| it.state));
        let is_pending = matches!(
            state,
            Some(PaymentState::Settlement { state, .. }) if state.is_pending()
        );
        if is_pending
            && matches!(found, Ok(Finding::Nothing))
            && let Ok(gas) = self.0.chain.check(&known.payment).await
            && let Ok(prepared) = self
                .0
                .chain
                .prepare_payment(&known.payment, gas, Purse::Host)
                .await
        {
            let transfer = Transfer::from(&known.payment);
            found = self.0.chain.settle(prepared, &transfer).await;
        }
        if let Err(error) = self.record(id, found).await {
            tracing::warn!(%error, "cannot write the state of a payment");
        }
        self.busy().payments.remove(&id);
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
        match proven == Some(owner) {
            true => Ok(()),
            false => Err(RefusalReason::Scheme),
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

impl Known {
    fn stored(&self) -> Vec<u8> {
        let Self {
            payment,
            id,
            is_opening,
        } = self.clone();
        let stored = Stored {
            chain: payment.token.chain_id,
            token: payment.token.address,
            name: payment.token.name,
            version: payment.token.version,
            authorization: payment.authorization,
            signature: payment.signature,
            id,
            opening: is_opening,
        };
        // It has texts and numbers only.
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    fn valid_before(&self) -> u64 {
        let end = self.payment.authorization.valid_before;
        end.to_u64().unwrap_or(u64::MAX)
    }
}

impl From<Stored> for Known {
    fn from(stored: Stored) -> Self {
        Self {
            payment: Payment {
                token: Token {
                    chain_id: stored.chain,
                    address: stored.token,
                    name: stored.name,
                    version: stored.version,
                },
                authorization: stored.authorization,
                signature: stored.signature,
            },
            id: stored.id,
            is_opening: stored.opening,
        }
    }
}

/// Returns the name of the account that a session's id gives.
pub(super) fn account_of(sale: &Sale) -> AccountId {
    AccountId(B256::from_slice(&Sha256::digest(sale.fresh.session)))
}

fn hashed(text: &str) -> B256 {
    B256::from_slice(&Sha256::digest(text))
}

/// Returns the answer's header about a payment that counts.
fn settled(payment: &LedgerPayment) -> SettlementResponse {
    let transaction = match payment.state {
        PaymentState::Settlement { transaction, .. } => transaction,
        PaymentState::Invoice { .. } => None,
    };
    let (payer, chain) = match payment.key {
        PaymentKey::Authorization { payer, token, .. } => {
            (Some(payer.to_string()), network(token.chain))
        }
        PaymentKey::Invoice(_) => (None, String::new()),
    };
    SettlementResponse {
        success: true,
        payer,
        transaction: transaction.map(|it| it.to_string()).unwrap_or_default(),
        network: chain,
        amount: Some(payment.purchase.quote.amount.to_string()),
        ..SettlementResponse::default()
    }
}

/// Returns the refusal for a failure before anything was stored or sent.
fn refused(error: ChainError) -> PayError {
    match error {
        ChainError::Refused(reason) => RefusalReason::X402(reason).into(),
        error => unavailable(error),
    }
}

fn unavailable(error: ChainError) -> PayError {
    tracing::warn!(error = %with_sources(&error), "cannot take a payment now");
    PayError::Unavailable("chain")
}
