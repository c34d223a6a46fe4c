//! Opening of sessions, buying units for them, and closing them.

use std::{sync::Arc, time::Instant};

use alloy_primitives::B256;
use cotrain_active::session::{Opening, Session, State};
use cotrain_payments::{
    ledger::{AccountId, Ledger, Owner},
    rail::{Proof, RefusalReason, token_hash},
    x402::wire::SettlementResponse,
};
use tokio::sync::{Mutex as TurnMutex, oneshot};

use super::{
    Answers, Entry, Inner, Labels, Live, Mutex, Receipt, Seen, TELL_AGAIN,
    account::{Account, Booked, Counted},
    caller::{Caller, PURCHASE},
    prices::Basis,
    refusal::Refusal,
    room::Place,
    secrets::Secret,
};
use crate::payments::{
    Admitted, Fresh, Rail, RailKind, Refunded, Sale, account_of, channels::PROBE,
};

/// Session that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Id, 32 bytes in hexadecimal.
    pub(crate) id: String,
    /// Token, 32 random bytes in hexadecimal, which only the opener knows. `None` if the session is
    /// proven by what paid for it, or by a token that the opener has already.
    pub(crate) token: Option<String>,
    pub(crate) receipt: Receipt,
    /// Time at which it is deleted unless there is a call, in Unix seconds.
    pub(crate) expires: u64,
    /// Contents of the header `PAYMENT-RESPONSE`, if there was a payment.
    pub(crate) response: Option<SettlementResponse>,
}

/// Session that was closed.
#[derive(Debug)]
pub(crate) struct Closed {
    /// Last state; `None` if only the account was left.
    pub(crate) state: Option<State>,
    pub(crate) receipt: Receipt,
    /// Money that goes back.
    pub(crate) refunds: Vec<Refunded>,
}

/// Session that is ready, and whose opening is priced.
pub(super) struct Ready {
    pub(super) session: Session,
    pub(super) price: u64,
}

impl Labels {
    /// Opens a session of a client, which may spend or buy a number of units.
    ///
    /// If the caller goes away, the opening ends nevertheless, and the same payment finds it.
    pub(crate) async fn open(
        &self,
        caller: Caller,
        opening: Opening,
        units: Option<u64>,
    ) -> Result<Opened, Refusal> {
        let inner = Arc::clone(self.inner()?);
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let mut only_answer = None;
            let opened = inner
                .opened(&caller, opening, units, &mut only_answer)
                .await;
            let id = opened.as_ref().ok().map(|opened| opened.id.clone());
            let is_told = tell.send(opened).is_ok() && id.is_some();
            let Some(booked) = only_answer.filter(|_| !is_told) else {
                return;
            };
            // Nobody else can use the account, so the money goes back.
            inner.sessions().by_id.remove(&id.unwrap_or_default());
            if let Err(error) = booked.rail.refund(booked.account).await {
                tracing::warn!(%error, "cannot refund an opening whose answer is lost now");
            }
        });
        told.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Buys units for the account of a session. Anyone may pay.
    pub(crate) async fn buy(
        &self,
        id: &str,
        caller: Caller,
        units: u64,
    ) -> Result<(Receipt, Option<SettlementResponse>), Refusal> {
        let inner = Arc::clone(self.inner()?);
        let booked = inner.booked(id, &caller)?;
        let units = units.min(inner.section.max_units);
        let buying = tokio::spawn(async move {
            let sale = caller.sale(0, units, Some(booked.account));
            let kind = Some(booked.rail.kind());
            let admitting = inner.payments.admit(&caller.presented, &sale, kind);
            let (_, admitted) = admitting.await?;
            Ok((booked.receipt(0), admitted.response))
        });
        buying.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Returns the money in a payer's channel that was not charged, whether a session is open or not.
    pub(crate) async fn give_back(&self, caller: Caller) -> Result<SettlementResponse, Refusal> {
        let payments = self.inner()?.payments.clone();
        if !payments.has(RailKind::Channel) {
            return Err(Refusal::NothingSold);
        }
        let giving = tokio::spawn(async move {
            let sale = caller.sale(PROBE, PROBE, None);
            Ok(payments.give_back(&caller.presented, &sale).await?)
        });
        giving.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Deletes a session. What runs on it ends first. What is left of its money goes back.
    pub(crate) async fn close(&self, id: &str, caller: Caller) -> Result<Closed, Refusal> {
        let inner = Arc::clone(self.inner()?);
        let (entry, booked) = match self.find(id, &caller.presented) {
            Ok(entry) => {
                let booked = entry.booked.clone();
                (Some(entry), booked)
            }
            // The account outlives the session.
            Err(Refusal::Unknown) if inner.payments.is_on() => {
                let booked = inner.booked(id, &caller)?;
                booked.prove(&caller.presented)?;
                (None, Some(booked))
            }
            Err(refusal) => return Err(refusal),
        };
        // From here on nobody finds it, and it is dropped with the last call that has it.
        inner.sessions().by_id.remove(id);
        let (state, receipt) = match entry {
            Some(entry) => {
                let turn = entry.turn.lock().await;
                (Some(turn.session.state()), Some(turn.account.receipt()))
            }
            None => (None, None),
        };
        let closing = tokio::spawn(async move {
            let Some(booked) = booked else {
                return Ok((None, Vec::new()));
            };
            let refunds = booked.rail.refund(booked.account).await;
            let refunds = refunds.map_err(Refusal::Unpayable)?;
            Ok((Some(booked.receipt(0)), refunds))
        });
        let closed = closing.await.unwrap_or(Err(Refusal::Failed));
        let (booked, refunds) = closed?;
        let receipt = booked.or(receipt).ok_or(Refusal::Unknown)?;
        Ok(Closed {
            state,
            receipt,
            refunds,
        })
    }
}

impl Inner {
    /// Prepares a session. What is wrong is told before what is missing of its price.
    async fn ready(&self, opening: Opening) -> Result<Ready, Refusal> {
        let price = Basis::of_opening(&opening).opening(&self.prices)?;
        let limits = self.section.limits();
        let opening = self.apart(move || Session::open(opening, limits));
        let session = opening.await??;
        Ok(Ready { session, price })
    }

    /// Opens a session. `only_answer` becomes the account to which the answer alone gives access.
    async fn opened(
        &self,
        caller: &Caller,
        opening: Opening,
        units: Option<u64>,
        only_answer: &mut Option<Booked>,
    ) -> Result<Opened, Refusal> {
        let ready = self.ready(opening).await?;
        if self.payments.is_on() {
            self.open_paid(caller, ready, units, only_answer).await
        } else {
            self.open_free(caller, ready, units)
        }
    }

    fn open_free(
        &self,
        caller: &Caller,
        ready: Ready,
        units: Option<u64>,
    ) -> Result<Opened, Refusal> {
        let max = self.section.max_units;
        let account = Counted::new(units.map_or(max, |units| units.min(max)));
        let price = ready.price;
        let account = account.charged(price)?;
        let (id, token) = (Secret::new()?, Secret::new()?);
        let place = self.place(caller.client, ready.session.bytes())?;
        let hash = Some(token_hash(&token.text()));
        let free = Account::Free(account);
        self.insert(place, id.text(), caller, ready, hash, free)?;
        Ok(Opened {
            id: id.text(),
            token: Some(token.text()),
            receipt: account.receipt(price),
            expires: self.expires(Instant::now()),
            response: None,
        })
    }

    async fn open_paid(
        &self,
        caller: &Caller,
        ready: Ready,
        units: Option<u64>,
        only_answer: &mut Option<Booked>,
    ) -> Result<Opened, Refusal> {
        // Nobody shall pay for a session for which there is no room. One that is open needs no other.
        let place = match self.place(caller.client, ready.session.bytes()) {
            Err(refusal) if !self.may_have_open(caller) => return Err(refusal),
            place => place,
        };
        let (id, token) = (Secret::new()?, Secret::new()?);
        let price = ready.price;
        let units = units
            .unwrap_or(PURCHASE)
            .clamp(price, self.section.max_units.max(price));
        let mut sale = caller.sale(price, units, None);
        sale.fresh = Fresh {
            session: id.bytes(),
            token: token_hash(&token.text()),
        };
        let (rail, admitted) = self.payments.admit(&caller.presented, &sale, None).await?;
        let Admitted {
            account: owned,
            session,
            is_token_fresh,
            replaces_token,
            response,
            ..
        } = admitted;
        let fresh = replaces_token.then_some(Owner::Token(sale.fresh.token));
        sale.account = Some(owned);
        let booked = Booked {
            payments: self.payments.clone(),
            rail: Arc::clone(&rail),
            account: owned,
        };
        // Without a key, a repetition of the payment cannot be told from one by anybody else.
        *only_answer = (is_token_fresh && caller.id.is_none()).then(|| booked.clone());
        // A voucher proves a call and no question about the session, so those need a token.
        let is_by_call = rail.kind() == RailKind::Channel;
        let told = (is_token_fresh || is_by_call).then(|| token.text());
        let open = if is_by_call {
            self.opened_before(owned, caller, &token.text())
        } else {
            self.open_session_of(owned)
        };
        if let Some(id) = open {
            // The answer to the opening was lost, or the account has a session already.
            if fresh.is_some() && !self.may_tell(&id) {
                return Err(Refusal::Unpayable(RefusalReason::Pending.into()));
            }
            booked.tell_token(fresh).await?;
            let opened = self.sessions().by_id.get(&id).map(|entry| entry.opened);
            return Ok(Opened {
                id,
                token: told,
                receipt: booked.receipt(0),
                expires: self.expires(opened.unwrap_or_else(Instant::now)),
                response,
            });
        }
        let place = place?;
        let charged = charged(&booked, caller, sale, &place).await;
        let (receipt, account, paid) =
            charged.map_err(|refusal| refusal.after(response.clone()))?;
        // The token before is void only now, when nothing else can keep this answer from its caller.
        booked.tell_token(fresh).await?;
        if only_answer.is_some() {
            booked.reopened().await?;
        }
        let id = session.unwrap_or_else(|| id.bytes());
        let id = alloy_primitives::hex::encode(id);
        let hash = is_by_call.then(|| token_hash(&token.text()));
        self.insert(place, id.clone(), caller, ready, hash, account)?;
        Ok(Opened {
            id,
            token: told,
            receipt,
            expires: self.expires(Instant::now()),
            response: paid.or(response),
        })
    }

    /// Returns the account of a session, also of one that is no longer open.
    pub(super) fn booked(&self, id: &str, caller: &Caller) -> Result<Booked, Refusal> {
        if !self.payments.is_on() {
            return Err(Refusal::NothingSold);
        }
        let open = self.sessions().by_id.get(id).cloned();
        if let Some(booked) = open.and_then(|entry| entry.booked.clone()) {
            return Ok(booked);
        }
        let named = Secret::read(id).map(|id| account_of(id.bytes()));
        let proven = caller.presented.proof.as_ref().map(Proof::owner);
        let find = |ledger: &Ledger| {
            let named = named.filter(|id| ledger.account(*id).is_some());
            let account = named.or_else(|| ledger.account_of(proven?))?;
            let owner = ledger.account(account)?.owner();
            Some((account, owner))
        };
        let books = self.payments.books().ok_or(Refusal::NothingSold)?;
        let (account, owner) = books.read(find).ok_or(Refusal::Unknown)?;
        let rail: Arc<dyn Rail> = self.payments.rail_of(owner).ok_or(Refusal::Unknown)?;
        Ok(Booked {
            payments: self.payments.clone(),
            rail,
            account,
        })
    }

    /// Returns the id of the open session of an account. A channel pays for many.
    pub(super) fn open_session_of(&self, account: AccountId) -> Option<String> {
        let sessions = self.sessions();
        let mut open = sessions.by_id.iter();
        let of_account = |entry: &Entry| {
            let booked = entry.booked.as_ref();
            booked.is_some_and(|it| it.account == account && it.rail.kind() != RailKind::Channel)
        };
        open.find(|(_, entry)| of_account(entry))
            .map(|(id, _)| id.clone())
    }

    /// Returns `true` if the account of an open session may get a new token now, and notes that it does.
    fn may_tell(&self, id: &str) -> bool {
        let entry = self.sessions().by_id.get(id).cloned();
        entry.is_some_and(|entry| {
            let (mut seen, now) = (entry.seen(), Instant::now());
            let is_due = seen.told.is_none_or(|told| now - told >= TELL_AGAIN);
            if is_due {
                seen.told = Some(now);
            }
            is_due
        })
    }

    /// Returns `true` if the caller's payment or request may have opened a session that is still open.
    fn may_have_open(&self, caller: &Caller) -> bool {
        let known = self.payments.known(&caller.presented);
        let is_same = |entry: &Entry| {
            let opened_by = entry.opened_by.as_ref();
            opened_by.is_some_and(|it| caller.request.as_ref() == Some(it))
        };
        known.is_some_and(|it| self.open_session_of(it).is_some())
            || self.sessions().by_id.values().any(|it| is_same(it))
    }

    /// Returns the id of the open session of a channel that the same request has opened. It gets a new
    /// token, and the one before is void.
    ///
    /// The voucher that came with the request was checked: only the channel's payer can sign it.
    fn opened_before(&self, account: AccountId, caller: &Caller, token: &str) -> Option<String> {
        let request = caller.request.as_ref()?;
        let sessions = self.sessions();
        let mut open = sessions.by_id.iter();
        let (id, entry) = open.find(|(_, entry)| {
            let booked = entry.booked.as_ref();
            let is_its = booked.is_some_and(|booked| booked.account == account);
            is_its && entry.opened_by.as_ref() == Some(request)
        })?;
        let mut seen = entry.seen();
        seen.token = Some(token_hash(token));
        seen.deadline = self.deadline(entry.opened, Instant::now());
        Some(id.clone())
    }

    /// Opens a session in its place.
    pub(super) fn insert(
        &self,
        place: Place<'_>,
        id: String,
        caller: &Caller,
        ready: Ready,
        token: Option<B256>,
        account: Account,
    ) -> Result<(), Refusal> {
        let booked = match &account {
            Account::Booked(booked) => Some(booked.clone()),
            Account::Free(_) => None,
        };
        let opened = Instant::now();
        let seen = Seen {
            token,
            told: None,
            deadline: self.deadline(opened, opened),
            bytes: ready.session.bytes(),
        };
        let entry = Entry {
            opened_by: caller.request.clone(),
            booked,
            client: caller.client,
            opened,
            turn: Arc::new(TurnMutex::new(Live {
                session: ready.session,
                account,
                answers: Answers::default(),
            })),
            seen: Mutex::new(seen),
        };
        place.fill(id, entry)
    }
}

/// Charges the opening of a session on an account.
async fn charged(
    booked: &Booked,
    caller: &Caller,
    mut sale: Sale,
    place: &Place<'_>,
) -> Result<(Receipt, Account, Option<SettlementResponse>), Refusal> {
    let is_by_call = booked.rail.kind() == RailKind::Channel;
    if !is_by_call {
        place.claim(booked.account)?;
    }
    let held = match booked.hold(&caller.presented, &sale).await {
        // This request has opened a session before, which is gone. It is charged once, as long as
        // nothing else was done since. An account of a channel never has units, so it cannot tell.
        Err(Refusal::AnswerLost { left, .. }) if !is_by_call && booked.receipt(0).left == left => {
            return Ok((booked.receipt(0), Account::Booked(booked.clone()), None));
        }
        Err(Refusal::AnswerLost { .. }) => {
            sale.id = None;
            booked.hold(&caller.presented, &sale).await?
        }
        held => held?,
    };
    let receipt = held.receipt();
    if let Err(refusal) = place.check() {
        return Err(held.refuse(refusal).await);
    }
    let (account, paid) = held.commit().await?;
    Ok((receipt, account, paid))
}
