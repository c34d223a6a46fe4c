//! Rail of Lightning: an invoice buys units, and its preimage with a macaroon spends them (L402).
//!
//! An offer makes an invoice and an account, or an invoice for an account that there is. Its macaroon
//! is bound to both. Whoever has paid knows the preimage, so no other proof of the payment is needed.
//! The units come once the node says that it has the money.
//!
//! The node tells of settlements by a stream, which can break, and which has no history before the
//! first one. So open invoices are also looked up: after each break, once a minute, and when a payer
//! comes before the stream does.

mod key;
mod open;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alloy_primitives::B256;
use cotrain_indexer::with_sources;
use cotrain_payments::{
    l402::{self, Credential, L402Error},
    ledger::{
        AccountId, Fault, InvoiceSeen, Ledger, Owner, Payment, PaymentKey, PaymentState, Purchase,
        Source,
    },
    lnd::{Invoice, NewInvoice},
    macaroon::{self, Caveat, Identifier, Macaroon, Wanted},
    rail::{Challenge, Hold, Presented, Proof, RefusalReason, Standing},
};
use cotrain_relayer::{
    clock::now,
    wait::{Backoff, pause},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub use self::key::KeyError;
use self::open::Open;
use super::{
    Admitted, Answer, Begun, Books, Paid, PayError, PriceLine, Rail, RailKind, Reserved, Sale,
    account_of,
    lnd::{Lnd, LndError},
};
use crate::config::LightningSection;

/// Name of the service in macaroons.
const SERVICE: &str = "label";
/// Capability of a macaroon to spend the units of its account.
const SPEND: &str = "spend";
/// Capability of a macaroon to show that its invoice was paid.
const BUY: &str = "buy";
/// Interval at which open invoices are looked up beside the stream.
const LOOKING: Duration = Duration::from_mins(1);
/// Time that a payment under way is waited for, before the payer is asked to call again.
const PATIENCE: Duration = Duration::from_secs(3);
/// Wait before the node is asked again about a payment under way; each later one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Decimals of a millisatoshi, with which people read amounts in bitcoin.
const DECIMALS: u8 = 11;
/// Name of the node in messages.
const NODE: &str = "Lightning node";

/// Reason why nothing can be sold over Lightning.
#[derive(Debug, thiserror::Error)]
pub enum LightningError {
    /// The node cannot be used.
    #[error(transparent)]
    Node(#[from] LndError),
    /// The key that signs the payers' credentials cannot be read or made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Rail of Lightning; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lightning(Arc<Inner>);

struct Inner {
    lnd: Lnd,
    section: LightningSection,
    books: Books,
    /// Key from which the keys of all macaroons follow.
    secret: [u8; 32],
    open: Mutex<Open>,
    /// `true` if the stream may have missed something.
    has_gap: AtomicBool,
    looked: Mutex<Option<Instant>>,
}

impl fmt::Debug for Inner {
    /// Shows everything but the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lnd, section, .. } = self;
        let mut shown = f.debug_struct("Lightning");
        shown.field("lnd", lnd).field("section", section);
        shown.finish_non_exhaustive()
    }
}

/// Credential whose macaroon is ours, with what it is for.
#[derive(Debug, Clone, Copy)]
struct Known {
    account: AccountId,
    owner: Owner,
    payment_hash: B256,
    /// Random number of the macaroon: the id of the session, if the macaroon came with its account.
    token: B256,
}

impl Lightning {
    /// Connects to the node, and checks that it takes the macaroon.
    ///
    /// # Errors
    /// [`LightningError`].
    pub async fn open(section: LightningSection, books: Books) -> Result<Self, LightningError> {
        let lnd = Lnd::new(&section)?;
        lnd.check().await?;
        let secret = key::read_or_make(&books).await?;
        let bounds = (section.max_client_invoices, section.max_invoices);
        let open = books.read(|ledger| Open::new(bounds, open_invoices(ledger)));
        Ok(Self(Arc::new(Inner {
            lnd,
            section,
            books,
            secret,
            open: Mutex::new(open),
            has_gap: AtomicBool::new(true),
            looked: Mutex::default(),
        })))
    }

    /// Follows the node's settlements until `stop`.
    pub async fn follow(self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let followed = stop.run_until_cancelled(self.0.follow_once(&mut backoff));
            let Some(Err(error)) = followed.await else {
                continue;
            };
            let wait = if error.is_transient() {
                backoff.failed()
            } else {
                backoff.failed_for_long()
            };
            tracing::warn!(%error, ?wait, "cannot follow the Lightning node's invoices now");
            self.0.has_gap.store(true, Ordering::Relaxed);
            pause(wait, &stop).await;
        }
    }
}

impl Inner {
    /// Follows the stream until it breaks.
    async fn follow_once(&self, backoff: &mut Backoff) -> Result<(), LndError> {
        let after = self.books.read(Ledger::settle_index);
        let mut stream = self.lnd.subscribe(after).await?;
        while let Some(invoice) = stream.next().await? {
            backoff.succeeded();
            // What cannot be written is looked up later.
            if let Err(error) = self.take(invoice.r_hash, invoice.seen()).await {
                tracing::warn!(%error, "cannot note what the Lightning node says");
                self.has_gap.store(true, Ordering::Relaxed);
            }
        }
        Err(LndError::Broken {
            reason: "the node has ended it".to_owned(),
        })
    }

    /// Writes what the node says about an invoice, if it is one of ours and there is news.
    async fn take(&self, payment_hash: B256, seen: Option<InvoiceSeen>) -> Result<(), PayError> {
        let id = PaymentKey::Invoice(payment_hash).id();
        let Some(seen) = seen else {
            return Ok(());
        };
        // A host may sell other things by the same node.
        if self.books.read(|ledger| ledger.payment(id).is_none()) {
            return Ok(());
        }
        let writing = self.books.write(move |draft| {
            if let Some(entry) = draft.ledger().see_invoice(payment_hash, seen)? {
                draft.write(entry)?;
            }
            Ok(())
        });
        writing.await?;
        if seen != InvoiceSeen::Accepted {
            self.open().end(payment_hash);
        }
        Ok(())
    }

    /// Asks the node about an invoice, and writes what it says.
    async fn look_up(&self, payment_hash: B256) -> Result<(), PayError> {
        let found = self.lnd.invoice(payment_hash).await.map_err(|error| {
            tracing::warn!(%error, "cannot look an invoice up");
            PayError::Unavailable(NODE)
        })?;
        // Nodes forget canceled invoices only, if their host wants so.
        let canceled = Some(InvoiceSeen::Canceled);
        let seen = found.as_ref().map_or(canceled, Invoice::seen);
        self.take(payment_hash, seen).await
    }

    /// Looks all invoices up that are not decided. It stops at the first failure.
    async fn look_around(&self) -> Result<(), PayError> {
        let now = now();
        let expire = move |draft: &mut super::books::Draft<'_>| {
            let expired: Vec<_> = draft.ledger().expire_invoices(now).collect();
            for entry in expired {
                draft.write(entry)?;
            }
            Ok(())
        };
        self.books.write(expire).await?;
        for payment_hash in self.books.read(undecided) {
            self.look_up(payment_hash).await?;
        }
        Ok(())
    }

    /// Checks a credential: preimage, signature and caveats, and that a payment of the account is its own.
    fn check(
        &self,
        credential: &Credential,
        account: Option<AccountId>,
        capability: &str,
        now: u64,
    ) -> Result<Known, RefusalReason> {
        let payment_hash = credential.payment_hash();
        let found = self.books.read(|ledger| {
            let payment = ledger.payment(PaymentKey::Invoice(payment_hash).id())?;
            let id = payment.purchase.account;
            Some((id, ledger.account(id)?.owner()))
        });
        // Without a payment, the check fails, and tells what is wrong.
        let none = (AccountId::default(), Owner::Invoice(B256::ZERO));
        let (id, owner) = found.unwrap_or(none);
        let wanted = Wanted {
            service: SERVICE,
            capability,
            session: id.0,
            now,
        };
        let expected = if found.is_some() && account.is_none_or(|it| it == id) {
            payment_hash
        } else {
            B256::ZERO
        };
        let key = |name| Some(macaroon::root_key(&self.secret, name));
        let identifier = credential.check(expected, key, &wanted)?;
        Ok(Known {
            account: id,
            owner,
            payment_hash,
            token: identifier.token,
        })
    }

    /// Waits for the node to say that the payment of a credential has arrived.
    ///
    /// Some nodes tell the payer the preimage shortly before they say so. Clients pay and call at once.
    async fn settled(&self, known: &Known) -> Result<(), PayError> {
        let id = PaymentKey::Invoice(known.payment_hash).id();
        let standing = || {
            let find = |ledger: &Ledger| ledger.payment(id).map(Payment::standing);
            self.books.read(find)
        };
        let start = Instant::now();
        let mut wait = FIRST_WAIT;
        while standing() != Some(Standing::Paid) {
            self.look_up(known.payment_hash).await?;
            match standing() {
                Some(Standing::Paid) => break,
                Some(Standing::Pending) if start.elapsed() < PATIENCE => {
                    sleep(wait).await;
                    wait *= 2;
                }
                Some(Standing::Pending) => return Err(RefusalReason::Pending.into()),
                Some(Standing::Unpaid) | None => {
                    return Err(RefusalReason::L402(L402Error::Unpaid).into());
                }
            }
        }
        Ok(())
    }

    async fn offer(&self, sale: &Sale) -> Result<Challenge, PayError> {
        let (price, minimum) = (self.section.price, self.section.min_purchase);
        let quote = price.quote_invoice(sale.units, minimum);
        let value_msat = u64::try_from(quote.amount).map_err(|_| too_much())?;
        let expiry = self.section.expiry.as_secs().max(1);
        let expires = sale.now.saturating_add(expiry);
        let slot = self.open().take(sale.client, sale.now, expires)?;
        let new = NewInvoice {
            memo: format!("{} units of labeling", quote.units),
            value_msat,
            expiry,
            // Payers find a node whose channels are not announced.
            private: true,
        };
        let made = match self.lnd.make_invoice(&new).await {
            Ok(made) => made,
            Err(error) => {
                self.open().give_back(slot);
                tracing::warn!(%error, "cannot make an invoice");
                return Err(PayError::Unavailable(NODE));
            }
        };
        let payment_hash = made.r_hash;
        self.open().name(slot, payment_hash);
        let (account, is_new) = match sale.account {
            Some(account) => (account, false),
            None => (account_of(sale.fresh.session), true),
        };
        let purchase = Purchase {
            account,
            quote,
            price,
            refund_fee: None,
        };
        let body = sale.body;
        let written = self.books.write(move |draft| {
            if is_new {
                let opened = draft.ledger().open(account, Owner::Invoice(payment_hash))?;
                draft.write(opened)?;
            }
            let made = draft
                .ledger()
                .make_invoice(payment_hash, purchase, body, expires)?;
            draft.write(made)
        });
        if let Err(error) = written.await {
            // Nobody has seen the invoice.
            self.open().end(payment_hash);
            return Err(error.into());
        }
        let mut macaroon = self.macaroon(payment_hash, sale.fresh.session, account);
        if is_for_anyone(sale) {
            let names = vec![BUY.to_owned()];
            let service = SERVICE.to_owned();
            macaroon = macaroon.with_caveat(&Caveat::Capabilities { service, names });
        }
        Ok(Challenge::L402(l402::Challenge {
            macaroon,
            invoice: made.payment_request,
        }))
    }

    fn macaroon(&self, payment_hash: B256, token: B256, account: AccountId) -> Macaroon {
        let identifier = Identifier {
            payment_hash,
            token,
        };
        let key = macaroon::root_key(&self.secret, identifier.key_name());
        let service = Caveat::Service {
            name: SERVICE.to_owned(),
            tier: 0,
        };
        let session = Caveat::Session {
            service: SERVICE.to_owned(),
            session: account.0,
        };
        Macaroon::new(&key, &identifier)
            .with_caveat(&service)
            .with_caveat(&session)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `true` if it is time to look all invoices up, which then counts as done.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = self.has_gap.swap(false, Ordering::Relaxed)
            || looked.is_none_or(|before| now.duration_since(before) >= LOOKING);
        if is_due {
            *looked = Some(now);
        }
        is_due
    }
}

impl Rail for Lightning {
    fn kind(&self) -> RailKind {
        RailKind::Lightning
    }

    fn books(&self) -> &Books {
        &self.0.books
    }

    fn prices(&self) -> Vec<PriceLine> {
        vec![PriceLine {
            rail: RailKind::Lightning,
            network: "lightning".to_owned(),
            asset: "msat".to_owned(),
            name: "bitcoin".to_owned(),
            decimals: DECIMALS,
            pay_to: None,
            price: self.0.section.price,
            minimum: self.0.section.min_purchase.into(),
            refund_fee: None,
        }]
    }

    fn serves(&self, owner: Owner) -> bool {
        matches!(owner, Owner::Invoice(_))
    }

    fn offers<'a>(&'a self, sale: &'a Sale) -> Answer<'a, Vec<Challenge>> {
        async { Ok(vec![self.0.offer(sale).await?]) }.boxed()
    }

    fn admit<'a>(&'a self, presented: &'a Presented, sale: &'a Sale) -> Answer<'a, Admitted> {
        async move {
            let credential = credential(presented)?;
            let capability = if is_for_anyone(sale) { BUY } else { SPEND };
            let known = self
                .0
                .check(credential, sale.account, capability, sale.now)?;
            self.0.settled(&known).await?;
            let named = account_of(known.token) == known.account;
            Ok(Admitted {
                account: known.account,
                owner: known.owner,
                session: named.then_some(known.token),
                is_token_fresh: false,
                replaces_token: false,
                response: None,
            })
        }
        .boxed()
    }

    fn prove(&self, presented: &Presented, owner: Owner) -> Result<(), RefusalReason> {
        let account = self.0.books.read(|ledger| ledger.account_of(owner));
        let account = account.ok_or(L402Error::OtherPayment)?;
        let credential = credential(presented)?;
        self.0.check(credential, Some(account), SPEND, now())?;
        Ok(())
    }

    fn reserve<'a>(
        &'a self,
        account: AccountId,
        presented: &'a Presented,
        sale: &'a Sale,
    ) -> Answer<'a, Begun> {
        async move {
            // A top-up that was just paid is credited first.
            let credential = credential(presented)?;
            let known = self.0.check(credential, Some(account), SPEND, sale.now)?;
            self.0.settled(&known).await?;
            let request = sale.request(account.0);
            let reserving = self
                .0
                .books
                .reserve(account, sale.price, Source::Purchases, request);
            Ok(match reserving.await? {
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
        }
        .boxed()
    }

    fn reconcile(&self) -> BoxFuture<'_, ()> {
        async {
            if self.0.is_due()
                && let Err(error) = self.0.look_around().await
            {
                tracing::warn!(error = %with_sources(&error), "cannot look open invoices up now");
                self.0.has_gap.store(true, Ordering::Relaxed);
            }
        }
        .boxed()
    }
}

/// `true` if the caller need not have proven the account: it buys units for somebody.
///
/// Such a payment gives no right to spend, or 1 sat would buy all units of somebody else. A call with
/// a price comes here only with a proof, so its offer may spend, as clients expect that pay and repeat.
fn is_for_anyone(sale: &Sale) -> bool {
    sale.account.is_some() && sale.price == 0
}

fn credential(presented: &Presented) -> Result<&Credential, RefusalReason> {
    match &presented.proof {
        Some(Proof::L402(credential)) => Ok(credential),
        Some(Proof::Bearer(_)) => Err(L402Error::OtherPayment.into()),
        None => Err(RefusalReason::Scheme),
    }
}

fn too_much() -> PayError {
    RefusalReason::Ledger(Fault::Overflow).into()
}

/// Returns the hashes of the invoices about which the node must be asked.
fn undecided(ledger: &Ledger) -> Vec<B256> {
    let unsettled = ledger.unsettled();
    unsettled
        .filter_map(|(_, payment)| invoice(payment))
        .collect()
}

/// Returns the invoices that can still be paid, with their times.
fn open_invoices(ledger: &Ledger) -> Vec<(B256, u64)> {
    let open = ledger.unsettled().filter_map(|(_, payment)| {
        let PaymentState::Invoice { expires, .. } = payment.state else {
            return None;
        };
        Some((invoice(payment)?, expires))
    });
    open.collect()
}

fn invoice(payment: &Payment) -> Option<B256> {
    match payment.key {
        PaymentKey::Invoice(payment_hash) => Some(payment_hash),
        PaymentKey::Authorization { .. } => None,
    }
}

#[cfg(test)]
mod tests;
