//! Labeling sessions of clients. They are in memory only, and none of their data is logged.
//!
//! Calls on one session run in sequence, on threads of their own.
//! A call works on a copy, then its units are charged and the copy is taken, in one step.
//! So a call that fails costs nothing and changes nothing.

mod account;
mod answers;
mod prices;
mod refusal;
mod secrets;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use axum::body::Bytes;
use cotrain_active::session::{Limits, Opening, Session, SessionError, State};
use cotrain_payments::price::{PriceList, Work};
use tokio::sync::{Mutex as TurnMutex, Semaphore};

use self::{
    account::Account,
    answers::{Answers, Stored},
    secrets::Secret,
};
pub(crate) use self::{
    account::{OutOfUnits, Receipt},
    answers::Request,
    refusal::Refusal,
};
use crate::config::LabelsSection;

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
    token: Secret,
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

/// Session that was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Id, 32 random bytes in hexadecimal.
    pub(crate) id: String,
    /// Token, 32 random bytes in hexadecimal, which only the opener knows.
    pub(crate) token: String,
    pub(crate) receipt: Receipt,
    /// Time at which it is deleted unless there is a call, in Unix seconds.
    pub(crate) expires: u64,
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
    /// Creates a service that opens sessions within the bounds of its configuration.
    #[must_use]
    pub fn new(section: LabelsSection) -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        Self(section.enabled.then(|| {
            Arc::new(Inner {
                section,
                prices: prices::list(),
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

    /// Opens a session of a client, which may spend a number of units.
    pub(crate) fn open(
        &self,
        client: IpAddr,
        opening: Opening,
        units: Option<u64>,
    ) -> Result<Opened, Refusal> {
        let inner = self.inner()?;
        let section = &inner.section;
        let learner = opening.learner.name();
        let strategy = opening.strategy.name();
        let features = u32::try_from(opening.features).unwrap_or(u32::MAX).max(1);
        let price = inner.prices.units(learner, features, &Work::Opening)?;
        let max = section.max_units;
        let account = Account::new(units.map_or(max, |units| units.min(max)));
        let fixed = opening.fixed.as_ref().map_or(0, |rows| rows.nrows() as u64);
        // What is wrong is told before what is missing of its price.
        let session = Session::open(opening, section.limits())?;
        let account = account.charged(price)?;
        let (id, token) = (Secret::new()?, Secret::new()?);
        let now = Instant::now();
        let bytes = session.bytes();
        let entry = Entry {
            token: token.hashed(),
            client,
            features,
            learner,
            strategy,
            fixed,
            turn: Arc::new(TurnMutex::new(Live {
                session,
                account,
                answers: Answers::default(),
            })),
            seen: Mutex::new(Seen {
                deadline: now + section.time_to_live,
                bytes,
            }),
        };
        let mut sessions = inner.sessions();
        sessions.delete_expired(now);
        if sessions.stopped || sessions.by_id.len() >= section.max_sessions {
            let max = section.max_sessions;
            return Err(Refusal::Full { max });
        }
        let own = sessions.by_id.values().filter(|it| it.client == client);
        let max = section.max_client_sessions;
        if own.count() >= max {
            return Err(Refusal::ClientFull { max });
        }
        if sessions.bytes() + bytes > section.max_bytes {
            return Err(Refusal::Memory);
        }
        sessions.by_id.insert(id.text(), Arc::new(entry));
        Ok(Opened {
            id: id.text(),
            token: token.text(),
            receipt: account.receipt(price),
            expires: inner.expires(),
        })
    }

    /// Returns the session of an id to whoever has its token, and puts off its end.
    pub(crate) fn find(&self, id: &str, token: Option<&str>) -> Result<Arc<Entry>, Refusal> {
        let inner = self.inner()?;
        let now = Instant::now();
        let mut sessions = inner.sessions();
        sessions.delete_expired(now);
        let entry = sessions.by_id.get(id).ok_or(Refusal::Unknown)?;
        let given = token.and_then(Secret::read).ok_or(Refusal::Token)?;
        if given.hashed() != entry.token {
            return Err(Refusal::Token);
        }
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
        request: Option<Request>,
        price: u64,
        work: impl FnOnce(&Session, u64) -> Result<(Session, T), SessionError> + Send + 'static,
        answer: impl FnOnce(T, Receipt) -> Vec<u8> + Send + 'static,
    ) -> Result<Bytes, Refusal> {
        let inner = Arc::clone(self.inner()?);
        let mut turn = Arc::clone(&entry.turn).lock_owned().await;
        match request.as_ref().map(|request| turn.answers.find(request)) {
            Some(Stored::Same(answer)) => return Ok(answer),
            Some(Stored::Other) => return Err(Refusal::OtherBody),
            Some(Stored::None) | None => {}
        }
        let charged = turn.account.charged(price)?;
        let permit = Arc::clone(&inner.work).acquire_owned().await;
        let working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let (session, worked) = work(&turn.session, charged.spent())?;
            let answer = Bytes::from(answer(worked, charged.receipt(price)));
            let mut answers = turn.answers.clone();
            if let Some(request) = request {
                answers.store(request, answer.clone());
            }
            // The stored answer counts too: it can be larger than the session.
            inner.make_room(&entry, session.bytes() + answers.bytes())?;
            turn.session = session;
            turn.account = charged;
            turn.answers = answers;
            Ok(answer)
        });
        working.await.unwrap_or(Err(Refusal::Failed))
    }

    /// Reads a session in its turn.
    pub(crate) async fn read<T>(
        &self,
        entry: &Entry,
        read: impl FnOnce(&Session, Receipt) -> T,
    ) -> T {
        let turn = entry.turn.lock().await;
        read(&turn.session, turn.account.receipt(0))
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

    /// Deletes a session. What runs on it ends first. Returns its last state.
    pub(crate) async fn close(
        &self,
        id: &str,
        entry: Arc<Entry>,
    ) -> Result<(State, Receipt), Refusal> {
        // From here on nobody finds it, and it is dropped with the last call that has it.
        self.inner()?.sessions().by_id.remove(id);
        Ok(self
            .read(&entry, |session, receipt| (session.state(), receipt))
            .await)
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
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let end = now.unwrap_or(Duration::ZERO) + self.section.time_to_live;
        end.as_secs()
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
mod tests {
    use std::net::Ipv4Addr;

    use cotrain_active::{
        annotators::Method,
        session::{Batch, Input, LearnerKind},
        strategy::Strategy,
        stream::{Gate, Manager},
    };
    use ndarray::Array2;

    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn section() -> LabelsSection {
        LabelsSection {
            enabled: true,
            max_sessions: 3,
            max_client_sessions: 2,
            ..LabelsSection::default()
        }
    }

    fn opening() -> Opening {
        Opening {
            learner: LearnerKind::Logistic,
            classes: Some(2),
            features: 1_000,
            strategy: Strategy::Margin,
            gate: Some(Gate::Budget {
                manager: Manager::Quantile,
                share: 0.5,
            }),
            stopping: Vec::new(),
            fixed: None,
            method: Method::DawidSkene,
            seed: 0,
        }
    }

    fn open(labels: &Labels, client: u8) -> Result<Opened, Refusal> {
        labels.open(Ipv4Addr::new(10, 0, 0, client).into(), opening(), None)
    }

    async fn train(labels: &Labels, opened: &Opened, rows: usize) -> Result<Bytes, Refusal> {
        let entry = labels.find(&opened.id, Some(&opened.token))?;
        let price = labels.price(&entry, Asked::Training { rows })?;
        let work = move |session: &Session, spent| {
            let opinion = |index| cotrain_active::annotators::Opinion {
                row: session.rows() + index,
                annotator: 0,
                label: index % 2,
            };
            let batch = Batch {
                rows: Array2::zeros((rows, 1_000)),
                opinions: (0..rows).map(opinion).collect(),
                fixed: None,
            };
            session.train(&batch, spent)
        };
        let answer = |_, receipt: Receipt| receipt.charged.to_string().into_bytes();
        labels.work(entry, None, price, work, answer).await
    }

    #[test]
    fn open_refuses_beyond_the_bounds() {
        let labels = Labels::new(section());
        assert!(open(&labels, 1).is_ok() && open(&labels, 1).is_ok());
        let refused = open(&labels, 1);
        assert!(matches!(refused, Err(Refusal::ClientFull { max: 2 })));
        assert!(open(&labels, 2).is_ok());
        assert!(matches!(open(&labels, 3), Err(Refusal::Full { max: 3 })));
        labels.stop();
        assert_eq!(labels.count(), 0);
        assert!(open(&labels, 1).is_err());
        assert!(matches!(
            open(&Labels::default(), 1),
            Err(Refusal::Disabled)
        ));
        let few = Labels::new(section()).open(CLIENT, opening(), Some(1));
        assert!(matches!(few, Err(Refusal::Units(_))), "{few:?}");
    }

    #[tokio::test]
    async fn delete_expired_forgets_sessions_without_calls() {
        let labels = Labels::new(LabelsSection {
            time_to_live: Duration::from_millis(200),
            ..section()
        });
        let [used, unused] = [(); 2].map(|()| open(&labels, 1).unwrap());
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(80)).await;
            labels.delete_expired();
            assert!(labels.find(&used.id, Some(&used.token)).is_ok());
        }
        assert!(matches!(
            labels.find(&unused.id, Some(&unused.token)),
            Err(Refusal::Unknown)
        ));
        assert_eq!(labels.count(), 1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        labels.delete_expired();
        assert_eq!(labels.count(), 0);
    }

    #[tokio::test]
    async fn work_keeps_within_the_memory_of_all_sessions() {
        let labels = Labels::new(LabelsSection {
            max_bytes: 1 << 20,
            ..section()
        });
        let (first, second) = (open(&labels, 1).unwrap(), open(&labels, 2).unwrap());
        // A row has 8,000 bytes.
        assert!(train(&labels, &first, 60).await.is_ok());
        assert!(train(&labels, &second, 40).await.is_ok());
        let refused = train(&labels, &second, 60).await;
        assert!(matches!(refused, Err(Refusal::Memory)), "{refused:?}");
        let entry = labels.find(&first.id, Some(&first.token)).unwrap();
        labels.close(&first.id, entry).await.unwrap();
        assert!(train(&labels, &second, 60).await.is_ok());
    }

    #[tokio::test]
    async fn work_counts_the_memory_of_the_answer_that_it_stores() {
        let labels = Labels::new(LabelsSection {
            max_bytes: 1 << 20,
            ..section()
        });
        let opened = open(&labels, 1).unwrap();
        let entry = labels.find(&opened.id, Some(&opened.token)).unwrap();
        let working = |request: Option<Request>, size: usize| {
            let work = |session: &Session, _| Ok::<_, SessionError>((session.clone(), ()));
            let answer = move |(), _: Receipt| vec![b' '; size];
            labels.work(Arc::clone(&entry), request, 1, work, answer)
        };
        let request = || Some(Request::new("0123456789abcdef", b"body"));
        let before = entry.seen().bytes;
        let refused = working(request(), 1 << 20).await;
        assert!(matches!(refused, Err(Refusal::Memory)), "{refused:?}");
        assert!(working(None, 1 << 20).await.is_ok());
        assert_eq!(entry.seen().bytes, before);
        assert!(working(request(), 1_000).await.is_ok());
        assert_eq!(entry.seen().bytes, before + 1_000);
    }

    #[tokio::test]
    async fn work_ends_and_is_charged_once_if_the_caller_goes_away() {
        let labels = Labels::new(section());
        let opened = open(&labels, 1).unwrap();
        let entry = labels.find(&opened.id, Some(&opened.token)).unwrap();
        let request = || Request::new("0123456789abcdef", b"body");
        let rows = Array2::zeros((2, 1_000));
        let deciding = || {
            let rows = rows.clone();
            let work = move |session: &Session, _| {
                thread::sleep(Duration::from_millis(50));
                session.decide(&Input::Rows(rows))
            };
            let answer = |_, receipt: Receipt| receipt.spent.to_string().into_bytes();
            labels.work(Arc::clone(&entry), Some(request()), 7, work, answer)
        };
        let left = tokio::time::timeout(Duration::from_millis(10), deciding()).await;
        assert!(left.is_err());
        let answer = deciding().await.unwrap();
        assert_eq!(answer, opened_with(&opened, 7));
        let (state, receipt) = labels
            .read(&entry, |session, receipt| (session.state(), receipt))
            .await;
        assert_eq!(state.seen, 2);
        assert_eq!(receipt.spent, opened.receipt.spent + 7);
    }

    fn opened_with(opened: &Opened, more: u64) -> String {
        (opened.receipt.spent + more).to_string()
    }

    #[tokio::test]
    async fn work_that_fails_or_panics_costs_nothing() {
        let labels = Labels::new(section());
        let opened = open(&labels, 1).unwrap();
        let entry = labels.find(&opened.id, Some(&opened.token)).unwrap();
        let answer = |(), _: Receipt| Vec::new();
        let failing = |_: &Session, _| Err(SessionError::NoGate);
        let failed = labels.work(Arc::clone(&entry), None, 5, failing, answer);
        assert!(matches!(failed.await, Err(Refusal::Session(_))));
        let panicking = |_: &Session, _| -> Result<(Session, ()), _> { panic!("as tested") };
        let failed = labels.work(Arc::clone(&entry), None, 5, panicking, answer);
        assert!(matches!(failed.await, Err(Refusal::Failed)));
        let spent = labels.read(&entry, |_, receipt| receipt.spent).await;
        assert_eq!(spent, opened.receipt.spent);
    }
}
