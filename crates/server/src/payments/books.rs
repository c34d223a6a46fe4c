//! Ledger of payments in the coordinator's database. One process writes it.
//!
//! A caller hands in a rule and waits until the entries that it writes are stored. One task runs all
//! rules, one after the other, and stores the entries of those that wait in one transaction: a disk
//! takes many entries as fast as one. Readers see an entry once it is stored.
//!
//! If a transaction fails, nobody knows whether the database has it. So the ledger is read again, its
//! callers are told that their entries may be missing, and their reservations end.

mod disk;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use cotrain_indexer::{ChainStore, StoreError, store::Leadership, with_sources};
use cotrain_payments::ledger::{
    Account, AccountId, Asked, Entry, Fault, Ledger, Owner, Receipt, Request, ReservationId, Source,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub(super) use self::disk::{keep_alone, states};

/// Maximum number of rules whose entries share a transaction.
const MAX_GROUP: usize = 256;

/// Number of rules that can wait before callers wait to hand in theirs.
const WAITING: usize = 1_024;

/// Reason why the books cannot do something.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The ledger refuses.
    #[error(transparent)]
    Refused(#[from] Fault),
    /// The database did not store the entries, or did not say that it did.
    #[error("cannot write the ledger now: the database fails; repeat the request with its id")]
    Unwritten,
    /// The coordinator stops.
    #[error("cannot write the ledger: the coordinator stops; repeat the request with its id")]
    Closed,
}

/// Reason why the books cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process writes the ledger.
    #[error(
        "cannot keep the ledger of payments: another coordinator keeps it in this database; stop it, or give this one a database of its own"
    )]
    Taken,
    /// An entry has a form of another version.
    #[error(
        "cannot read entry {number} of the ledger of payments: it has the form {found}, expected {expected}; use the version of cotrain that wrote it"
    )]
    Form {
        /// Number of the entry.
        number: u64,
        /// Version of its form.
        found: u64,
        /// Version that this program reads.
        expected: u64,
    },
    /// An entry cannot be read, or does not follow from those before.
    #[error(
        "cannot read entry {number} of the ledger of payments: {reason}; restore the database from a backup"
    )]
    Damaged {
        /// Number of the entry.
        number: u64,
        /// Cause.
        reason: String,
    },
}

/// Ledger of payments with its store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Books(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// State that the stored entries make.
    stored: Arc<RwLock<Ledger>>,
    store: ChainStore,
    rules: mpsc::Sender<Rule>,
    /// Calls whose end could not be stored yet.
    abandoned: Arc<Mutex<BTreeSet<ReservationId>>>,
    stop: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Rule that waits for its turn. It returns what tells its caller of the end.
struct Rule(Box<dyn FnOnce(&mut Draft<'_>) -> End + Send>);

/// Report to a caller: `true` if the entries are stored.
type End = Box<dyn FnOnce(bool) + Send>;

/// Ledger as a rule sees it: with all entries of rules before, stored or not.
#[derive(Debug)]
pub struct Draft<'a> {
    ledger: &'a mut Ledger,
    group: &'a mut Group,
    /// `true` if the ledger refused an entry after it took others of the same rule.
    is_torn: bool,
}

/// Entries and states that share a transaction.
#[derive(Debug, Default)]
struct Group {
    entries: Vec<Entry>,
    states: Vec<Kept>,
}

/// State of a rail that is stored with entries.
#[derive(Debug)]
struct Kept {
    rail: &'static str,
    name: Vec<u8>,
    /// `None` deletes it.
    state: Option<Vec<u8>>,
}

/// State of a rail, to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Rail.
    pub rail: &'static str,
    /// Name of the state.
    pub name: Vec<u8>,
    /// State.
    pub state: Vec<u8>,
}

impl Draft<'_> {
    /// Returns the ledger, with the entries that this rule has written.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        self.ledger
    }

    /// Writes an entry. If the rule fails after it, the entry is not stored.
    ///
    /// # Errors
    /// [`Fault`] if the entry does not follow from those before.
    pub fn write(&mut self, entry: Entry) -> Result<(), Fault> {
        self.ledger.apply(&entry)?;
        self.group.entries.push(entry);
        Ok(())
    }

    /// Stores a state of a rail in the same transaction; `None` deletes it.
    pub fn keep(&mut self, rail: &'static str, name: &[u8], state: Option<Vec<u8>>) {
        let name = name.to_vec();
        self.group.states.push(Kept { rail, name, state });
    }
}

impl Books {
    /// Opens the ledger of a database, and ends the calls that were in progress when it was closed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(store: &ChainStore) -> Result<Self, OpenError> {
        let lock = store.keep_books().await?.ok_or(OpenError::Taken)?;
        let mut ledger = disk::read(store).await?;
        let mut group = Group::default();
        let open: Vec<_> = ledger.recover().collect();
        for entry in open {
            let number = ledger.entries();
            let damaged = |fault: Fault| OpenError::Damaged {
                number,
                reason: fault.to_string(),
            };
            ledger.apply(&entry).map_err(damaged)?;
            group.entries.push(entry);
        }
        let before = ledger.entries() - group.entries.len() as u64;
        disk::write(store, before, &group).await?;
        let (rules, waiting) = mpsc::channel(WAITING);
        let stored = Arc::new(RwLock::new(ledger.clone()));
        let abandoned = Arc::<Mutex<BTreeSet<ReservationId>>>::default();
        let stop = CancellationToken::new();
        let writer = Writer {
            store: store.clone(),
            draft: ledger,
            stored: Arc::clone(&stored),
            abandoned: Arc::clone(&abandoned),
            is_stale: false,
            lock,
        };
        let writer = tokio::spawn(writer.run(waiting, stop.clone()));
        Ok(Self(Arc::new(Shared {
            stored,
            store: store.clone(),
            rules,
            abandoned,
            stop,
            writer: Mutex::new(Some(writer)),
        })))
    }

    /// Reads the ledger as it is stored.
    pub fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.0.stored.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the units of an account, with those of payments that are unknown again.
    #[must_use]
    pub fn left(&self, account: AccountId) -> u64 {
        let left = |ledger: &Ledger| ledger.account(account).map_or(0, Account::left);
        self.read(left)
    }

    /// Gives an account another owner. Who asks must have proven the payment that opened it.
    ///
    /// # Errors
    /// [`BooksError`].
    pub async fn replace_owner(&self, account: AccountId, owner: Owner) -> Result<(), BooksError> {
        self.write(move |draft| {
            let entry = draft.ledger().replace_owner(account, owner)?;
            draft.write(entry)
        })
        .await
    }

    /// Runs a rule, and waits until its entries and states are stored.
    ///
    /// If the caller stops waiting, they are stored nevertheless.
    ///
    /// # Errors
    /// [`BooksError`]. After [`BooksError::Unwritten`] the database may have the entries.
    pub async fn write<T: Send + 'static>(
        &self,
        rule: impl FnOnce(&mut Draft<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, BooksError> {
        let (tell, told) = tokio::sync::oneshot::channel();
        let rule = move |draft: &mut Draft<'_>| {
            let (entries, states) = (draft.group.entries.len(), draft.group.states.len());
            let result = rule(draft);
            if result.is_err() {
                draft.is_torn = draft.group.entries.len() > entries;
                draft.group.entries.truncate(entries);
                draft.group.states.truncate(states);
            }
            // A refusal follows from entries that may not be stored yet, so it waits like a success.
            let end = move |is_stored| {
                let result = match result {
                    Ok(value) if is_stored => Ok(value),
                    Err(fault) if is_stored => Err(fault.into()),
                    _ => Err(BooksError::Unwritten),
                };
                // The caller may have gone.
                let _ = tell.send(result);
            };
            Box::new(end) as End
        };
        let rule = Rule(Box::new(rule));
        let handed_in = self.0.rules.send(rule).await;
        handed_in.map_err(|_| BooksError::Closed)?;
        let lost = |_| {
            if self.0.stop.is_cancelled() {
                Err(BooksError::Closed)
            } else {
                Err(BooksError::Unwritten)
            }
        };
        told.await.unwrap_or_else(lost)
    }

    /// Sets units of an account aside for a call. The caller has proven the account's owner.
    ///
    /// # Errors
    /// [`BooksError`].
    pub async fn reserve(
        &self,
        account: AccountId,
        units: u64,
        source: Source,
        request: Option<Request>,
    ) -> Result<Reserved, BooksError> {
        self.write(
            move |draft| match draft.ledger().reserve(account, units, source, request)? {
                Asked::Begin(reservation, entry) => {
                    draft.write(entry)?;
                    Ok(Reserved::Begin(reservation))
                }
                Asked::Done(receipt) => Ok(Reserved::Done(receipt)),
            },
        )
        .await
    }

    /// Charges a call whose work succeeded, and returns its receipt.
    ///
    /// `charged` is the sum that the channel was charged with this call, if a voucher pays.
    ///
    /// # Errors
    /// [`BooksError`]. The caller then releases the call.
    pub async fn commit(
        &self,
        reservation: ReservationId,
        units: u64,
        charged: Option<u128>,
    ) -> Result<Receipt, BooksError> {
        self.commit_with(reservation, units, charged, None).await
    }

    /// Charges a call as [`Books::commit`] does, and stores a state of a rail in the same transaction.
    ///
    /// # Errors
    /// [`BooksError`]. The caller then releases the call.
    pub async fn commit_with(
        &self,
        reservation: ReservationId,
        units: u64,
        charged: Option<u128>,
        state: Option<State>,
    ) -> Result<Receipt, BooksError> {
        let before = self.read(|ledger| ledger.receipt(reservation, units, charged).ok());
        let committed = self.write(move |draft| {
            let receipt = draft.ledger().receipt(reservation, units, charged)?;
            let entry = draft.ledger().commit(reservation, units, charged)?;
            draft.write(entry)?;
            if let Some(State { rail, name, state }) = state {
                draft.keep(rail, &name, Some(state));
            }
            Ok(receipt)
        });
        match (committed.await, before) {
            // The database may have it. The next rule sees the ledger as it is stored.
            (Err(BooksError::Unwritten), Some(receipt)) => {
                let ended = self.write(move |draft| {
                    let held = draft.ledger().reservation(reservation);
                    Ok(held.is_none())
                });
                match ended.await {
                    Ok(true) => Ok(receipt),
                    _ => Err(BooksError::Unwritten),
                }
            }
            (committed, _) => committed,
        }
    }

    /// Ends a call that costs nothing. If the database fails, the writer tries again later.
    ///
    /// A call that has ended before stays as it is.
    pub async fn release(&self, reservation: ReservationId) {
        self.abandoned().insert(reservation);
        // The writer ends abandoned calls before any other rule. This one wakes it.
        let _ = self.write(|_| Ok(())).await;
    }

    /// Returns the states that a rail keeps, with their names.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn states(&self, rail: &str) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        disk::states(&self.0.store, rail).await
    }

    /// Stores what waits, and stops. Nothing is written any more.
    pub async fn close(&self) {
        self.0.stop.cancel();
        let writer = self.0.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that panicked has said so.
            let _ = writer.await;
        }
    }

    fn abandoned(&self) -> std::sync::MutexGuard<'_, BTreeSet<ReservationId>> {
        let abandoned = self.0.abandoned.lock();
        abandoned.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answer to a request for a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The work may begin.
    Begin(ReservationId),
    /// The same request was done before, at this cost.
    Done(Receipt),
}

/// Task that writes the ledger.
struct Writer {
    store: ChainStore,
    /// State with all entries, also those that are being stored.
    draft: Ledger,
    stored: Arc<RwLock<Ledger>>,
    abandoned: Arc<Mutex<BTreeSet<ReservationId>>>,
    /// `true` if nobody knows whether the last transaction was stored.
    is_stale: bool,
    lock: Leadership,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Rule>, stop: CancellationToken) {
        let mut rules = Vec::with_capacity(MAX_GROUP);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !waiting.is_closed() => waiting.close(),
                count = waiting.recv_many(&mut rules, MAX_GROUP) => {
                    if count == 0 {
                        return;
                    }
                    // Another process may keep the ledger since the lock is gone, and the channels
                    // and sessions of this one do not know its entries.
                    if !self.lock.holds().await {
                        tracing::error!("the ledger of payments is closed: the connection that locks it is gone; start this coordinator again");
                        stop.cancel();
                        return;
                    }
                    self.write(rules.drain(..)).await;
                }
            }
        }
    }

    /// Runs rules, stores their entries together, and tells the callers.
    async fn write(&mut self, rules: impl Iterator<Item = Rule>) {
        if self.is_stale
            && let Err(error) = self.read_again().await
        {
            tracing::error!(error = %with_sources(&error), "cannot read the ledger of payments again");
            // Rules that are dropped tell their callers so.
            rules.for_each(drop);
            return;
        }
        let before = self.draft.entries();
        let mut group = Group::default();
        let ended = self.end_abandoned(&mut group);
        let ends: Vec<_> = rules.map(|rule| self.run_rule(rule, &mut group)).collect();
        let is_stored = match disk::write(&self.store, before, &group).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(error = %with_sources(&error), "cannot write the ledger of payments");
                false
            }
        };
        if is_stored {
            let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
            for entry in &group.entries {
                // The draft has taken it.
                if let Err(fault) = stored.apply(entry) {
                    tracing::error!(error = %fault, "the ledger of payments differs from its draft");
                    self.is_stale = true;
                }
            }
        } else {
            self.is_stale = true;
            let mut abandoned = self
                .abandoned
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            abandoned.extend(ended);
            abandoned.extend(group.entries.iter().filter_map(|entry| match entry {
                Entry::Reserved { reservation, .. } => Some(*reservation),
                _ => None,
            }));
        }
        for end in ends {
            end(is_stored);
        }
    }

    fn run_rule(&mut self, rule: Rule, group: &mut Group) -> End {
        let mut draft = Draft {
            ledger: &mut self.draft,
            group,
            is_torn: false,
        };
        let end = (rule.0)(&mut draft);
        if draft.is_torn {
            // What the rule wrote before it failed is taken back.
            let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
            let mut ledger = stored.clone();
            for entry in &group.entries {
                if let Err(fault) = ledger.apply(entry) {
                    tracing::error!(error = %fault, "the ledger of payments differs from its draft");
                    self.is_stale = true;
                }
            }
            self.draft = ledger;
        }
        end
    }

    /// Ends the calls whose end could not be stored, and returns them.
    fn end_abandoned(&mut self, group: &mut Group) -> BTreeSet<ReservationId> {
        let mut abandoned = self
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let ended = std::mem::take(&mut *abandoned);
        for reservation in &ended {
            // A call that has ended is no longer known.
            if let Ok(entry) = self.draft.release(*reservation)
                && self.draft.apply(&entry).is_ok()
            {
                group.entries.push(entry);
            }
        }
        ended
    }

    async fn read_again(&mut self) -> Result<(), OpenError> {
        let ledger = disk::read(&self.store).await?;
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = ledger.clone();
        self.draft = ledger;
        self.is_stale = false;
        Ok(())
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}

#[cfg(test)]
mod tests;
