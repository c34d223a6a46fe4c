//! Payments of the labeling service: its ledger, and the rails that payers choose from.
//!
//! The labels call [`Payments`], which finds the [`Rail`], in this order:
//!
//! 1. [`Payments::refused`] for a call without payment. The answer is 402, with offers.
//! 2. [`Payments::admit`] for an opening or a top-up with a payment, or with a proof of an account
//!    that there is. A rail settles here what must be settled before the work.
//! 3. [`Rail::reserve`] before each work that costs units. A call on an open session comes here at
//!    once, since the session knows its rail and its account.
//! 4. [`Rail::commit`] after the work succeeded, or [`Rail::release`] if it failed. The answer leaves
//!    after the commit is stored.
//! 5. [`Rail::refund`] when a session is closed.
//!
//! [`Rail::reconcile`] runs at the start, and then on a timer.
//! A rail changes accounts by rules that it gives to the [`Books`]. Docs: `docs/adr/018-payments.md`.

pub mod books;
pub mod chain;
pub mod channels;
mod error;
pub mod exact;
pub mod facilitator;
pub mod lightning;
pub mod lnd;
mod today;

use std::{fmt, net::IpAddr, sync::Arc};

use alloy_primitives::{Address, B256};
use cotrain_payments::{
    ledger::{AccountId, Fault, Owner, Receipt, Request, RequestId, Source},
    price::UnitPrice,
    rail::{Challenge, Hold, Offers, Presented, Proof, RefusalReason},
    x402::{
        Reason, batch,
        exact::ExactPayload,
        extensions,
        wire::{Extensions, PaymentPayload, PaymentRequired, Resource, SettlementResponse},
    },
};
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

pub use self::{
    books::{Books, BooksError, Reserved},
    error::PayError,
};
/// Names of the rails.
pub use cotrain_payments::rail::Rail as RailKind;

/// Seconds by which the clock of a payer may be ahead, when it signs until when a transfer is valid.
const SLACK: u64 = 60;

/// Call that must be paid for.
#[derive(Debug, Clone)]
pub struct Sale {
    /// Units that the call may cost at most. A top-up costs none.
    pub price: u64,
    /// Units that a purchase buys.
    pub units: u64,
    /// Account that exists and that the call is about; `None` for an opening with a payment.
    pub account: Option<AccountId>,
    /// Names that a new account gets.
    pub fresh: Fresh,
    /// Resource that is paid for.
    pub resource: Resource,
    /// Id that the caller gave the request.
    pub id: Option<RequestId>,
    /// Hash of path and body.
    pub body: B256,
    /// Address of the client, for the bounds of each client.
    pub client: IpAddr,
    /// Time in seconds since 1970.
    pub now: u64,
}

/// Names that a new account gets. They are drawn for each call, and mostly forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fresh {
    /// Id of the session, whose hash names the account.
    pub session: B256,
    /// Hash of the bearer token.
    pub token: B256,
}

impl Fresh {
    /// Returns the account that the id of the session names.
    #[must_use]
    pub fn account(&self) -> AccountId {
        account_of(self.session)
    }
}

/// Returns the account that the id of a session names.
#[must_use]
pub fn account_of(session: B256) -> AccountId {
    AccountId(B256::from_slice(&Sha256::digest(session)))
}

impl Sale {
    /// Returns the request for the ledger, in the scope of its account or payer.
    #[must_use]
    pub fn request(&self, scope: B256) -> Option<Request> {
        let id = self.id.clone()?;
        let body = self.body;
        Some(Request { scope, id, body })
    }
}

/// Account that a payment or a proof gives access to.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Account.
    pub account: AccountId,
    /// Proof of its owner from now on.
    pub owner: Owner,
    /// Id that a new session must have, if the rail has named one before.
    pub session: Option<B256>,
    /// `true` if the answer must tell the fresh bearer token.
    pub is_token_fresh: bool,
    /// `true` if the fresh token must become the account's before the answer leaves: the one of an
    /// earlier answer is void then.
    pub replaces_token: bool,
    /// Contents of the header `PAYMENT-RESPONSE`, if there was a payment.
    pub response: Option<SettlementResponse>,
}

/// Charge of a call.
#[derive(Debug, Clone)]
pub struct Paid {
    /// Receipt of the ledger.
    pub receipt: Receipt,
    /// Contents of the header `PAYMENT-RESPONSE`, if the call had a payment of its own.
    pub response: Option<SettlementResponse>,
}

/// Answer to a request for a reservation by a rail.
#[derive(Debug)]
pub enum Begun {
    /// The work may begin.
    Held(Hold),
    /// The same request was done before.
    Done(Paid),
}

/// Money that goes back for the units of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// Account on the chain that gets it.
    pub payer: Address,
    /// Token.
    pub token: Address,
    /// Amount in atomic units.
    pub amount: u128,
    /// Hash of the transaction, once it is known.
    pub transaction: Option<B256>,
}

/// Price of units in one asset, for lists and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceLine {
    /// Rail.
    pub rail: RailKind,
    /// Network, such as `eip155:8453` or `lightning`.
    pub network: String,
    /// Address of the token, or `msat`.
    pub asset: String,
    /// Name of the asset for people.
    pub name: String,
    /// Decimals of the asset, with which people read amounts.
    pub decimals: u8,
    /// Account that is paid, if the rail names one.
    pub pay_to: Option<String>,
    /// Price of units.
    pub price: UnitPrice,
    /// Smallest amount of a purchase.
    pub minimum: u128,
    /// Fee of a refund, in atomic units; `None` if no money goes back for units.
    pub refund_fee: Option<u128>,
}

/// Answer of a rail that has to wait for others.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, PayError>>;

/// Way to pay.
pub trait Rail: fmt::Debug + Send + Sync {
    /// Returns the name.
    fn kind(&self) -> RailKind;

    /// Returns the ledger.
    fn books(&self) -> &Books;

    /// Returns the prices in all assets, in the order of offers.
    fn prices(&self) -> Vec<PriceLine>;

    /// Returns `true` if accounts with this proof are paid for by this rail.
    fn serves(&self, owner: Owner) -> bool;

    /// Makes the offers for a sale: of its price for a rail that is paid by the call, of its units else.
    fn offers<'a>(&'a self, sale: &'a Sale) -> Answer<'a, Vec<Challenge>>;

    /// Returns `true` if the request of a sale needs an id to be paid for by this rail.
    fn needs_id(&self, sale: &Sale) -> bool {
        let _ = sale;
        false
    }

    /// Returns the account of a proof, or of a payment that was taken before.
    fn known(&self, presented: &Presented) -> Option<AccountId> {
        let owner = presented.proof.as_ref()?.owner();
        self.books().read(|ledger| ledger.account_of(owner))
    }

    /// Settles what must be settled before the work, and returns the account.
    ///
    /// It is called for an opening, for a top-up, and for a proof of an account without a session.
    /// An unknown outcome is [`RefusalReason::Pending`].
    fn admit<'a>(&'a self, presented: &'a Presented, sale: &'a Sale) -> Answer<'a, Admitted>;

    /// Checks that a request proves the owner of an open session, before anything else of its call.
    ///
    ///
    /// # Errors
    /// [`RefusalReason`] if the proof is missing, or that of another account.
    fn prove(&self, presented: &Presented, owner: Owner) -> Result<(), RefusalReason>;

    /// Sets units aside for a call on an account, before its work.
    ///
    /// The default takes units that were bought before.
    fn reserve<'a>(
        &'a self,
        account: AccountId,
        _presented: &'a Presented,
        sale: &'a Sale,
    ) -> Answer<'a, Begun> {
        Box::pin(async move {
            let request = sale.request(account.0);
            let reserving = self
                .books()
                .reserve(account, sale.price, Source::Purchases, request);
            let reserved = match reserving.await {
                // Units of a payment that is unknown again may be back soon: nobody must buy others.
                Err(BooksError::Refused(Fault::NotEnough { asked, .. }))
                    if self.books().left(account) >= asked =>
                {
                    return Err(RefusalReason::Pending.into());
                }
                reserved => reserved?,
            };
            Ok(match reserved {
                Reserved::Begin { reservation, left } => Begun::Held(Hold {
                    reservation,
                    left,
                    lock: None,
                }),
                Reserved::Done(receipt) => Begun::Done(Paid {
                    receipt,
                    response: None,
                }),
            })
        })
    }

    /// Charges a call whose work succeeded. After an error, the caller releases it.
    fn commit<'a>(&'a self, hold: &'a Hold, units: u64) -> Answer<'a, Paid> {
        Box::pin(async move {
            let receipt = self.books().commit(hold.reservation, units, None).await?;
            Ok(Paid {
                receipt,
                response: None,
            })
        })
    }

    /// Ends a call whose work failed. It costs nothing.
    fn release<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, ()> {
        Box::pin(self.books().release(hold.reservation))
    }

    /// Begins to send the money for the units left back, if this rail does that.
    fn refund(&self, account: AccountId) -> Answer<'_, Vec<Refunded>> {
        let _ = account;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Notes that a session works on an account again, so that nothing of it goes back.
    fn reopened(&self, account: AccountId) -> Answer<'_, ()> {
        let _ = account;
        Box::pin(async { Ok(()) })
    }

    /// Returns the money in the payer's channel that was not charged, if this rail has channels.
    fn give_back<'a>(&'a self, payment: &'a PaymentPayload) -> Answer<'a, SettlementResponse> {
        let _ = payment;
        Box::pin(async { Err(RefusalReason::X402(Reason::UnsupportedScheme).into()) })
    }

    /// Looks for evidence about everything that is not decided, and acts on it.
    fn reconcile(&self) -> BoxFuture<'_, ()>;
}

/// Refusal of a call, with all that its answer needs.
#[derive(Debug)]
pub struct Refused {
    /// Reason.
    pub error: PayError,
    /// Units that the call costs.
    pub price: u64,
    /// Units that the account can spend, if there is one.
    pub left: Option<u64>,
    /// Offers that would permit the call.
    pub offers: Offers,
    /// Contents of the header `PAYMENT-REQUIRED`, if x402 is offered.
    pub required: Option<PaymentRequired>,
    /// Contents of the header `PAYMENT-RESPONSE`, if a payment failed for good.
    pub response: Option<SettlementResponse>,
}

/// Rails of one coordinator; cheap to clone. The default has none: nobody pays.
#[derive(Debug, Clone, Default)]
pub struct Payments(Option<Arc<Selling>>);

#[derive(Debug)]
struct Selling {
    books: Books,
    /// Rails, in the order of offers.
    rails: Vec<Arc<dyn Rail>>,
}

impl Payments {
    /// Sells by these rails. Without any, nobody pays.
    #[must_use]
    pub fn new(books: Books, mut rails: Vec<Arc<dyn Rail>>) -> Self {
        rails.sort_by_key(|rail| rail.kind());
        Self((!rails.is_empty()).then(|| Arc::new(Selling { books, rails })))
    }

    /// Returns `true` if sessions are paid for.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the ledger; `None` if nobody pays.
    #[must_use]
    pub fn books(&self) -> Option<&Books> {
        self.0.as_ref().map(|selling| &selling.books)
    }

    /// Returns the prices of all rails, in the order of offers.
    #[must_use]
    pub fn prices(&self) -> Vec<PriceLine> {
        self.rails().iter().flat_map(|rail| rail.prices()).collect()
    }

    /// Returns the rail that serves accounts with this proof.
    #[must_use]
    pub fn rail_of(&self, owner: Owner) -> Option<Arc<dyn Rail>> {
        let mut rails = self.rails().iter();
        rails.find(|rail| rail.serves(owner)).cloned()
    }

    /// Finds the account of an opening or a top-up. `rail` is that of the session, if there is one.
    ///
    /// # Errors
    /// [`Refused`]: a call without payment and proof gets the offers.
    pub async fn admit(
        &self,
        presented: &Presented,
        sale: &Sale,
        rail: Option<RailKind>,
    ) -> Result<(Arc<dyn Rail>, Admitted), Box<Refused>> {
        let chosen = match (&presented.payment, &presented.proof) {
            (Some(payment), _) => RailKind::of_scheme(&payment.accepted.scheme),
            (None, Some(Proof::L402(_))) => Some(RailKind::Lightning),
            // A purchase needs a payment. Without one, a token opens an account that there is.
            (None, Some(Proof::Bearer(_))) if rail.is_none() => Some(RailKind::Exact),
            (None, _) => None,
        };
        let chosen = chosen.filter(|it| rail.is_none_or(|rail| rail == *it));
        let found = self
            .rails()
            .iter()
            .find(|rail| Some(rail.kind()) == chosen)
            .cloned();
        let Some(found) = found else {
            let reason = match presented.payment {
                Some(_) => Reason::UnsupportedScheme.into(),
                None => RefusalReason::Unpaid,
            };
            return Err(self.refused(reason.into(), sale, rail).await);
        };
        match found.admit(presented, sale).await {
            Ok(admitted) => Ok((found, admitted)),
            Err(error) => {
                let response = failed(&error, presented);
                let mut refused = self.refused(error, sale, rail).await;
                refused.response = response;
                Err(refused)
            }
        }
    }

    /// Returns the refusal of a call, with offers if the caller may pay now.
    pub async fn refused(
        &self,
        error: PayError,
        sale: &Sale,
        rail: Option<RailKind>,
    ) -> Box<Refused> {
        let left = sale.account.and_then(|account| self.left(account));
        let mut refused = Refused {
            error,
            price: sale.price,
            left,
            offers: Offers::default(),
            required: None,
            response: None,
        };
        if refused.error.status() != 402 {
            return Box::new(refused);
        }
        let (mut challenges, mut failed) = (Vec::new(), None);
        for one in self.rails() {
            if rail.is_some_and(|rail| rail != one.kind()) {
                continue;
            }
            match one.offers(sale).await {
                Ok(offers) => challenges.extend(offers),
                // The other rails may do.
                Err(error) => {
                    tracing::warn!(rail = ?one.kind(), %error, "cannot offer a way to pay");
                    failed.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failed.filter(|_| challenges.is_empty()) {
            // A 402 without an offer would tell the caller to pay, and not how.
            refused.error = error;
            return Box::new(refused);
        }
        if let PayError::Mismatch(state) = &refused.error {
            for challenge in &mut challenges {
                if let Challenge::X402(offer) = challenge
                    && offer.scheme == batch::SCHEME
                {
                    state.enrich(offer);
                }
            }
        }
        refused.offers = Offers::new(challenges);
        let word = refused.error.word();
        let mut rails = self.rails().iter();
        let extensions = offered_extensions(rails.any(|one| one.needs_id(sale)));
        refused.required = refused
            .offers
            .payment_required(sale.resource.clone(), word, extensions);
        Box::new(refused)
    }

    /// Returns the money in a payer's channel that was not charged.
    ///
    /// # Errors
    /// [`Refused`]: a call without payment gets the offer of channels, on which a client signs.
    pub async fn give_back(
        &self,
        presented: &Presented,
        sale: &Sale,
    ) -> Result<SettlementResponse, Box<Refused>> {
        let kind = RailKind::Channel;
        let rail = self.rails().iter().find(|rail| rail.kind() == kind);
        let given = match (rail, &presented.payment) {
            (Some(rail), Some(payment)) => rail.give_back(payment).await,
            (None, Some(_)) => Err(RefusalReason::X402(Reason::UnsupportedScheme).into()),
            (_, None) => Err(RefusalReason::Unpaid.into()),
        };
        match given {
            Ok(response) => Ok(response),
            Err(error) => Err(self.refused(error, sale, Some(kind)).await),
        }
    }

    /// Returns `true` if a rail is on.
    #[must_use]
    pub fn has(&self, kind: RailKind) -> bool {
        self.rails().iter().any(|rail| rail.kind() == kind)
    }

    /// Returns the account of a proof, or of a payment that was taken before.
    #[must_use]
    pub fn known(&self, presented: &Presented) -> Option<AccountId> {
        self.rails().iter().find_map(|rail| rail.known(presented))
    }

    /// Returns the units that an account can spend.
    #[must_use]
    pub fn left(&self, account: AccountId) -> Option<u64> {
        let spendable = |ledger: &cotrain_payments::ledger::Ledger| {
            let account = ledger.account(account)?;
            Some(account.spendable())
        };
        self.books()?.read(spendable)
    }

    /// Lets all rails look for evidence.
    pub async fn reconcile(&self) {
        for rail in self.rails() {
            rail.reconcile().await;
        }
    }

    fn rails(&self) -> &[Arc<dyn Rail>] {
        self.0.as_ref().map_or(&[], |selling| &selling.rails)
    }
}

/// Returns the result of a payment that failed for good.
fn failed(error: &PayError, presented: &Presented) -> Option<SettlementResponse> {
    let PayError::Refused(RefusalReason::X402(reason @ Reason::ExactTransactionFailed)) = error
    else {
        return None;
    };
    let payment = presented.payment.as_ref()?;
    let payload: Option<ExactPayload> = payment.payload.read().ok();
    let payer = payload.map(|payload| payload.authorization.from);
    let network = &payment.accepted.network;
    Some(SettlementResponse::failure(network, payer, reason.clone()))
}

/// Returns the extensions that each offer of x402 has.
#[must_use]
pub fn offered_extensions(needs_id: bool) -> Extensions {
    let identifier = extensions::offer_identifier(needs_id);
    [(extensions::PAYMENT_IDENTIFIER.to_owned(), identifier)].into()
}
