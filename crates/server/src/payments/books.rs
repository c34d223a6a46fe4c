//! Ledger of payments in the coordinator's database. One process writes it.
//!
//! A caller hands in a rule and waits until the entries that it writes are stored. One task runs all
//! rules, one after the other, and stores the entries of those that wait in one transaction: a disk
//! takes many entries as fast as one. Readers see an entry once it is stored.
//!
//! A call begins once its reservation is written, and does not wait until it is stored: its charge is
//! stored after it or together with it, and without a charge it has cost nothing.
//!
//! If a transaction fails, nobody knows whether the database has it. So the ledger is read again, its
//! callers are told that their entries may be missing, and their reservations end.

mod disk;
mod writer;

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
};

use cotrain_indexer::{ChainStore, StoreError};
use cotrain_payments::ledger::{
    Account, AccountId, Asked, Entry, Fault, Ledger, Owner, Receipt, Request, ReservationId, Source,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

pub(super) use self::disk::{keep_alone, states};
use self::writer::{Ends, Writer};

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
    ends: Arc<Ends>,
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
#[derive(Debug, Clone, Default)]
struct Group {
    entries: Vec<Entry>,
    states: Vec<Kept>,
}

/// State of a rail that is stored with entries.
#[derive(Debug, Clone)]
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

    /// Runs a rule; if it fails, takes back what it has written.
    fn attempt<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (entries, states) = (self.group.entries.len(), self.group.states.len());
        let result = rule(self);
        if result.is_err() {
            self.is_torn = self.group.entries.len() > entries;
            self.group.entries.truncate(entries);
            self.group.states.truncate(states);
        }
        result
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
        let stored = Arc::new(RwLock::new(ledger));
        let ends = Arc::<Ends>::default();
        let stop = CancellationToken::new();
        let writer = Writer::new(store.clone(), lock, Arc::clone(&stored), Arc::clone(&ends));
        let writer = tokio::spawn(writer.run(waiting, stop.clone()));
        Ok(Self(Arc::new(Shared {
            stored,
            store: store.clone(),
            rules,
            ends,
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
        let (tell, told) = oneshot::channel();
        let rule = move |draft: &mut Draft<'_>| {
            let result = draft.attempt(rule);
            // A refusal follows from entries that may not be stored yet, so it waits like a success.
            let end = move |is_stored| {
                // The caller may have gone.
                let _ = tell.send(told_after(result, is_stored));
            };
            Box::new(end) as End
        };
        self.hand_in(Rule(Box::new(rule)), told).await
    }

    async fn hand_in<T>(
        &self,
        rule: Rule,
        told: oneshot::Receiver<Result<T, BooksError>>,
    ) -> Result<T, BooksError> {
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

    /// Sets units of an account aside for a call, which can begin at once. The caller has proven the
    /// account's owner, and ends the call by a commit or a release.
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
        let (tell, told) = oneshot::channel();
        let ends = Arc::clone(&self.0.ends);
        let rule = move |draft: &mut Draft<'_>| {
            let asked = draft.attempt(|draft| {
                let asked = draft.ledger().reserve(account, units, source, request)?;
                if let Asked::Begin(_, entry) = &asked {
                    draft.write(entry.clone())?;
                }
                Ok(asked)
            });
            match asked {
                Ok(Asked::Begin(reservation, _)) => {
                    let account = draft.ledger().account(account);
                    let left = account.map_or(0, Account::spendable);
                    let told = tell.send(Ok(Reserved::Begin { reservation, left }));
                    if told.is_err() {
                        // The caller has gone.
                        ends.abandon(reservation);
                    }
                    Box::new(|_| {}) as End
                }
                Ok(Asked::Done(receipt)) => Box::new(move |is_stored| {
                    let done = Ok(Reserved::Done(receipt));
                    let _ = tell.send(told_after(done, is_stored));
                }),
                Err(fault) => Box::new(move |is_stored| {
                    let _ = tell.send(told_after(Err(fault), is_stored));
                }),
            }
        };
        self.hand_in(Rule(Box::new(rule)), told).await
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
        let written = Arc::new(OnceLock::new());
        let noted = Arc::clone(&written);
        let ends = Arc::clone(&self.0.ends);
        let committed = self.write(move |draft| {
            if ends.is_lost(reservation) {
                return Err(Fault::UnknownReservation);
            }
            let receipt = draft.ledger().receipt(reservation, units, charged)?;
            let entry = draft.ledger().commit(reservation, units, charged)?;
            draft.write(entry)?;
            if let Some(State { rail, name, state }) = state {
                draft.keep(rail, &name, Some(state));
            }
            Ok(noted.get_or_init(|| receipt).clone())
        });
        match committed.await {
            Err(BooksError::Unwritten) => {
                // The database may have it. The next rule sees the ledger as it is stored.
                let ended = self.write(move |draft| {
                    let held = draft.ledger().reservation(reservation);
                    Ok(held.is_none())
                });
                match (ended.await, written.get()) {
                    (Ok(true), Some(receipt)) if !self.0.ends.is_lost(reservation) => {
                        Ok(receipt.clone())
                    }
                    _ => Err(BooksError::Unwritten),
                }
            }
            Err(BooksError::Refused(Fault::UnknownReservation))
                if self.0.ends.is_lost(reservation) =>
            {
                Err(BooksError::Unwritten)
            }
            committed => committed,
        }
    }

    /// Ends a call that costs nothing. If the database fails, the writer tries again later.
    ///
    /// A call that has ended before stays as it is.
    pub async fn release(&self, reservation: ReservationId) {
        self.0.ends.abandon(reservation);
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
}

/// Answer to a request for a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The work may begin.
    Begin {
        /// Number of the reservation.
        reservation: ReservationId,
        /// Units of the account that are neither reserved nor spent after it.
        left: u64,
    },
    /// The same request was done before, at this cost.
    Done(Receipt),
}

/// Returns what a rule's caller is told once its group is stored, or once that has failed.
fn told_after<T>(result: Result<T, Fault>, is_stored: bool) -> Result<T, BooksError> {
    if is_stored {
        result.map_err(BooksError::from)
    } else {
        Err(BooksError::Unwritten)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rule")
    }
}

#[cfg(test)]
mod tests;
