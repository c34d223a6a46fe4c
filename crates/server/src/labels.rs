//! Labeling sessions of clients. They are in memory only, and none of their data is logged.
//!
//! Calls on one session run in sequence, on threads of their own.
//! A call works on a copy, then its units are charged and the copy is taken, in one step.
//! So a call that fails costs nothing and changes nothing.

mod account;
mod answers;
mod caller;
mod opening;
mod pools;
mod prices;
mod receipt;
mod refusal;
mod room;
mod secrets;
mod snapshots;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use axum::body::Bytes;
use cotrain_active::session::{Limits, Session, SessionError};
use cotrain_payments::{
    price::PriceList,
    rail::{Presented, Proof},
};
use cotrain_relayer::clock;
use tokio::sync::{Mutex as TurnMutex, Semaphore};

use self::{
    account::{Account, Booked},
    answers::{Answers, Stored},
    room::Promise,
};
pub(crate) use self::{
    answers::{Answered, Request},
    caller::{Caller, PURCHASE},
    opening::{Closed, Opened},
    pools::pool_id,
    prices::{Asked, Basis},
    receipt::{OutOfUnits, Receipt},
    refusal::Refusal,
    snapshots::{Owner, Restored},
};
use crate::{config::LabelsSection, payments::Payments};

/// Maximum number of opinions about a row, on average.
const MAX_OPINIONS: usize = 20;

/// Minimum time between two new tokens for one session: each is an entry of the ledger for ever.
const TELL_AGAIN: Duration = Duration::from_mins(1);

/// Number of pools and snapshots that are received at the same time, since each takes memory.
const UPLOADS: usize = 2;

/// Advised wait of a client while sessions are too many or too large, in seconds.
pub(crate) const RETRY: u64 = 60;

/// Sessions of one coordinator; cheap to clone. The default opens none.
#[derive(Debug, Clone, Default)]
pub struct Labels(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    section: LabelsSection,
    prices: PriceList,
    payments: Payments,
    sessions: Mutex<Sessions>,
    /// Permits for work, one for each processor.
    work: Arc<Semaphore>,
    /// Permits for receiving a pool or a snapshot.
    uploads: Semaphore,
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<String, Arc<Entry>>,
    /// Sessions that are being opened, by numbers.
    promised: HashMap<u64, Promise>,
    next_promise: u64,
    /// `true` once the coordinator stops: nothing is opened any more.
    stopped: bool,
}

/// Open session.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Request that opened it, if the caller gave it a key.
    opened_by: Option<Request>,
    /// Account of the ledger; `None` if units are free.
    booked: Option<Booked>,
    client: IpAddr,
    opened: Instant,
    turn: Arc<TurnMutex<Live>>,
    seen: Mutex<Seen>,
}

/// Facts that are read without waiting for a turn.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Hash of the token of a session that has one of its own, and not its account's.
    token: Option<B256>,
    /// Time at which the token of its account was last replaced.
    told: Option<Instant>,
    /// Time at which the session is deleted.
    deadline: Instant,
    /// Memory of the session, in bytes.
    bytes: usize,
}

/// Part of a session that calls change, one after the other.
#[derive(Debug)]
struct Live {
    session: Session,
    account: Account,
    answers: Answers,
}

impl Labels {
    /// Creates a service that opens sessions within the bounds of its configuration. Units are free.
    #[must_use]
    pub fn new(section: LabelsSection) -> Self {
        Self::paid(section, Payments::default())
    }

    /// Creates a service whose units are paid for.
    #[must_use]
    pub fn paid(section: LabelsSection, payments: Payments) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self(section.enabled.then(|| {
            Arc::new(Inner {
                section,
                prices: prices::list(),
                payments,
                sessions: Mutex::default(),
                work: Arc::new(Semaphore::new(processors)),
                uploads: Semaphore::new(UPLOADS),
            })
        }))
    }

    fn inner(&self) -> Result<&Arc<Inner>, Refusal> {
        self.0.as_ref().ok_or(Refusal::Disabled)
    }

    /// Returns the prices of all work.
    pub(crate) fn prices(&self) -> Result<&PriceList, Refusal> {
        Ok(&self.inner()?.prices)
    }

    /// Returns the bounds of sessions.
    pub(crate) fn section(&self) -> Result<&LabelsSection, Refusal> {
        Ok(&self.inner()?.section)
    }

    /// Returns the maximum size of a pool or a snapshot, in bytes; 0 if no sessions are opened.
    pub(crate) fn max_upload(&self) -> usize {
        self.section().map_or(0, |section| section.max_upload)
    }

    /// Returns the payments for units.
    pub(crate) fn payments(&self) -> Result<&Payments, Refusal> {
        Ok(&self.inner()?.payments)
    }

    /// Returns the session of an id to whoever proves that it is theirs, and puts off its end.
    pub(crate) fn find(&self, id: &str, presented: &Presented) -> Result<Arc<Entry>, Refusal> {
        let inner = self.inner()?;
        let now = Instant::now();
        let mut sessions = inner.sessions();
        sessions.delete_expired(now);
        let entry = sessions.by_id.get(id).ok_or(Refusal::Unknown)?;
        entry.prove(presented)?;
        entry.seen().deadline = inner.deadline(entry.opened, now);
        Ok(Arc::clone(entry))
    }

    /// Returns the time at which a session is deleted that is used now, in Unix seconds.
    pub(crate) fn expires(&self, entry: &Entry) -> Result<u64, Refusal> {
        Ok(self.inner()?.expires(entry.opened))
    }

    /// Works on a session in its turn, and returns the answer. It is stored under the request's key.
    ///
    /// The price is that of the work on the session as its turn finds it. `check` returns the work, or
    /// refuses what does not fit the session, before anything of it is reserved or paid for. The work
    /// gets the session and the units that will be spent with this call.
    /// If the caller goes away, the work ends, and its answer is there for the same request.
    pub(crate) async fn work<T: Send + 'static, W>(
        &self,
        entry: Arc<Entry>,
        caller: Caller,
        asked: Asked,
        check: impl FnOnce(&Session) -> Result<W, SessionError>,
        answer: impl FnOnce(T, Receipt) -> Vec<u8> + Send + 'static,
    ) -> Result<Answered, Refusal>
    where
        W: FnOnce(&Session, u64) -> Result<(Session, T), SessionError> + Send + 'static,
    {
        let inner = Arc::clone(self.inner()?);
        let mut turn = Arc::clone(&entry.turn).lock_owned().await;
        let request = caller.request.clone();
        match request.as_ref().map(|request| turn.answers.find(request)) {
            Some(Stored::Same(answer)) => return Ok(*answer),
            Some(Stored::Other) => return Err(Refusal::OtherBody),
            Some(Stored::None) | None => {}
        }
        let price = prices::units(&inner.prices, &turn.session, asked)?;
        let work = check(&turn.session)?;
        // What is known to be too large does no work.
        let bytes = prices::bytes(&turn.session, asked) + turn.answers.bytes();
        inner.check_bytes(&inner.sessions(), &entry, bytes)?;
        // From here on, the call ends whatever its caller does.
        let calling = tokio::spawn(async move {
            let held = turn.account.hold(&caller, price).await?;
            let receipt = held.receipt();
            let before = entry.seen().bytes;
            let permit = Arc::clone(&inner.work).acquire_owned().await;
            let (session, answers) = (turn.session.clone(), turn.answers.clone());
            let seen = (Arc::clone(&inner), Arc::clone(&entry));
            let working = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let (session, worked) = work(&session, receipt.spent)?;
                let answer = Answered {
                    body: Bytes::from(answer(worked, receipt)),
                    receipt,
                    response: None,
                };
                let mut answers = answers;
                if let Some(request) = request.clone() {
                    answers.store(request, answer.clone());
                }
                // The stored answer counts too: it can be larger than the session.
                let (inner, entry) = seen;
                inner.make_room(&entry, session.bytes() + answers.bytes())?;
                Ok((session, answer, request))
            });
            let (session, mut answer, request) = match working.await {
                Ok(Ok(worked)) => worked,
                Ok(Err(refusal)) => return Err(held.refuse(refusal).await),
                Err(_) => return Err(held.refuse(Refusal::Failed).await),
            };
            let (account, response) = match held.commit().await {
                Ok(charged) => charged,
                Err(refusal) => {
                    entry.seen().bytes = before;
                    return Err(refusal);
                }
            };
            answer.response = response;
            if let Some(request) = request {
                turn.answers.store(request, answer.clone());
            }
            turn.session = session;
            turn.account = account;
            Ok(answer)
        });
        calling.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Reads a session in its turn.
    pub(crate) async fn read<T>(
        &self,
        entry: &Entry,
        read: impl FnOnce(&Session, Receipt) -> T,
    ) -> T {
        let turn = entry.turn.lock().await;
        read(&turn.session, turn.account.receipt())
    }

    /// Makes something of a session, as one of the works that run at a time.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        entry: &Entry,
        make: impl FnOnce(&Session) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        // What is large is shared, so the session's turn ends with the copy of some pointers.
        let session = self.read(entry, |session, _| session.clone()).await;
        self.inner()?.apart(move || make(&session)).await
    }

    /// Deletes the sessions whose time is over.
    pub fn delete_expired(&self) {
        if let Some(inner) = &self.0 {
            inner.sessions().delete_expired(Instant::now());
        }
    }

    /// Returns the number of open sessions.
    #[must_use]
    pub fn count(&self) -> usize {
        let inner = self.0.as_ref();
        inner.map_or(0, |inner| inner.sessions().by_id.len())
    }

    /// Deletes all sessions, and opens none any more.
    pub fn stop(&self) {
        if let Some(inner) = &self.0 {
            let mut sessions = inner.sessions();
            sessions.stopped = true;
            sessions.by_id.clear();
        }
    }
}

impl Inner {
    /// Works apart from the tasks that answer other requests, on as many works as there are processors.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let permit = Arc::clone(&self.work).acquire_owned().await;
        let working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        working.await.map_err(|_| Refusal::Failed)
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the end of a session that is used now: some time after that, and at its maximum age.
    fn deadline(&self, opened: Instant, now: Instant) -> Instant {
        let Self { section, .. } = self;
        (now + section.time_to_live).min(opened + section.max_age)
    }

    /// Returns that end in Unix seconds.
    fn expires(&self, opened: Instant) -> u64 {
        let now = Instant::now();
        let left = self.deadline(opened, now).saturating_duration_since(now);
        clock::now().saturating_add(left.as_secs())
    }

    /// Notes the memory of a session. Returns an error if all would take more than they may.
    fn make_room(&self, entry: &Entry, bytes: usize) -> Result<(), Refusal> {
        let sessions = self.sessions();
        self.check_bytes(&sessions, entry, bytes)?;
        entry.seen().bytes = bytes;
        Ok(())
    }

    /// Checks that a session may have so many bytes.
    fn check_bytes(&self, sessions: &Sessions, entry: &Entry, bytes: usize) -> Result<(), Refusal> {
        let before = entry.seen().bytes;
        let others = sessions.bytes().saturating_sub(before);
        if bytes > before && others + bytes > self.section.max_bytes {
            return Err(Refusal::Memory);
        }
        Ok(())
    }
}

impl Sessions {
    fn delete_expired(&mut self, now: Instant) {
        self.by_id.retain(|_, entry| entry.seen().deadline > now);
    }
}

impl Entry {
    /// Checks that a request comes from whoever opened the session.
    fn prove(&self, presented: &Presented) -> Result<(), Refusal> {
        let token = match &presented.proof {
            Some(Proof::Bearer(hash)) => Some(*hash),
            _ => None,
        };
        match &self.booked {
            _ if token.is_some() && token == self.seen().token => Ok(()),
            Some(booked) => booked.prove(presented),
            None => Err(Refusal::Token),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LabelsSection {
    fn limits(&self) -> Limits {
        Limits {
            classes: self.max_classes,
            features: self.max_features,
            rows: self.max_rows,
            opinions: MAX_OPINIONS,
            numbers: self.max_numbers,
            call: self.max_call,
            pools: self.max_pools,
            pool_rows: self.max_pool_rows,
            pool_numbers: self.max_pool_numbers,
        }
    }
}

#[cfg(test)]
mod tests;
