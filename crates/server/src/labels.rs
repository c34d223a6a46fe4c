//! Labeling sessions of clients. They are in memory only, and none of their data is logged.
//!
//! Calls on one session run in sequence, on threads of their own.
//! A call works on a copy, then its units are charged and the copy is taken, in one step.
//! So a call that fails costs nothing and changes nothing.

mod account;
mod answers;
mod caller;
mod opening;
mod prices;
mod receipt;
mod refusal;
mod secrets;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use alloy_primitives::B256;
use axum::body::Bytes;
use cotrain_active::session::{Limits, Session, SessionError};
use cotrain_payments::{
    price::{PriceList, Work},
    rail::{Presented, Proof},
};
use tokio::sync::{Mutex as TurnMutex, Semaphore};

use self::{
    account::{Account, Booked},
    answers::{Answers, Stored},
};
pub(crate) use self::{
    answers::{Answered, Request},
    caller::Caller,
    opening::{Closed, Opened},
    receipt::{OutOfUnits, Receipt},
    refusal::Refusal,
};
use crate::{config::LabelsSection, payments::Payments};

/// Maximum number of opinions about a row, on average.
const MAX_OPINIONS: usize = 20;

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
}

#[derive(Debug, Default)]
struct Sessions {
    by_id: HashMap<String, Arc<Entry>>,
    /// `true` once the coordinator stops: nothing is opened any more.
    stopped: bool,
}

/// Open session.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Hash of the token of a session that has one of its own, and not its account's.
    token: Option<B256>,
    /// Account of the ledger; `None` if units are free.
    booked: Option<Booked>,
    client: IpAddr,
    features: u32,
    learner: &'static str,
    strategy: &'static str,
    /// Number of rows of the fixed set, which each training looks at.
    fixed: u64,
    turn: Arc<TurnMutex<Live>>,
    seen: Mutex<Seen>,
}

/// Facts that are read without waiting for a turn.
#[derive(Debug, Clone, Copy)]
struct Seen {
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

/// Work that a call on a session asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// Training on new rows and opinions about others.
    Training { rows: usize },
    /// Decisions or predictions.
    Deciding { rows: usize },
    /// Search of a pool.
    Query { pool: usize, picks: usize },
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
        entry.seen().deadline = now + inner.section.time_to_live;
        Ok(Arc::clone(entry))
    }

    /// Returns the time at which a session is deleted that is used now, in Unix seconds.
    pub(crate) fn expires(&self) -> Result<u64, Refusal> {
        Ok(self.inner()?.expires())
    }

    /// Returns the price of work on a session, in units.
    pub(crate) fn price(&self, entry: &Entry, asked: Asked) -> Result<u64, Refusal> {
        let prices = self.prices()?;
        let units = |work: &Work<'_>| prices.units(entry.learner, entry.features, work);
        Ok(match asked {
            Asked::Training { rows } => {
                let training = units(&Work::Training { rows: rows as u64 })?;
                // The fixed set costs as much as a search of it by margins.
                let looking = match entry.fixed {
                    0 => 0,
                    pool => units(&Work::Query {
                        strategy: "margin",
                        pool,
                        picks: 1,
                    })?,
                };
                training.saturating_add(looking)
            }
            Asked::Deciding { rows } => units(&Work::Deciding { rows: rows as u64 })?,
            Asked::Query { pool, picks } => units(&Work::Query {
                strategy: entry.strategy,
                pool: pool as u64,
                picks: picks as u64,
            })?,
        })
    }

    /// Works on a session in its turn, and returns the answer. It is stored under the request's key.
    ///
    /// `work` gets the session and the units that will be spent with this call.
    /// If the caller goes away, the work ends, and its answer is there for the same request.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        entry: Arc<Entry>,
        caller: Caller,
        price: u64,
        work: impl FnOnce(&Session, u64) -> Result<(Session, T), SessionError> + Send + 'static,
        answer: impl FnOnce(T, Receipt) -> Vec<u8> + Send + 'static,
    ) -> Result<Answered, Refusal> {
        let inner = Arc::clone(self.inner()?);
        let mut turn = Arc::clone(&entry.turn).lock_owned().await;
        let request = caller.request.clone();
        match request.as_ref().map(|request| turn.answers.find(request)) {
            Some(Stored::Same(answer)) => return Ok(answer),
            Some(Stored::Other) => return Err(Refusal::OtherBody),
            Some(Stored::None) | None => {}
        }
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
                Ok(Err(refusal)) => {
                    held.release().await;
                    return Err(refusal);
                }
                Err(_) => {
                    held.release().await;
                    return Err(Refusal::Failed);
                }
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
        let permit = Arc::clone(&self.inner()?.work).acquire_owned().await;
        let making = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            make(&session)
        });
        making.await.map_err(|_| Refusal::Failed)
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
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expires(&self) -> u64 {
        (caller::now() + self.section.time_to_live).as_secs()
    }

    /// Notes the memory of a session. Returns an error if all would take more than they may.
    fn make_room(&self, entry: &Entry, bytes: usize) -> Result<(), Refusal> {
        let sessions = self.sessions();
        let before = entry.seen().bytes;
        let others = sessions.bytes().saturating_sub(before);
        if bytes > before && others + bytes > self.section.max_bytes {
            return Err(Refusal::Memory);
        }
        entry.seen().bytes = bytes;
        Ok(())
    }
}

impl Sessions {
    fn bytes(&self) -> usize {
        self.by_id.values().map(|it| it.seen().bytes).sum()
    }

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
            _ if token.is_some() && token == self.token => Ok(()),
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
        }
    }
}

#[cfg(test)]
mod tests;
