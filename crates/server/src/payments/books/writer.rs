//! Task that runs the rules of the books. While it stores a group of entries, it runs the rules of the
//! next one.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use cotrain_indexer::{ChainStore, store::Leadership, with_sources};
use cotrain_payments::ledger::{Ledger, ReservationId};
use futures_util::future::OptionFuture;
use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use super::{Draft, End, Group, MAX_GROUP, OpenError, Rule, disk};

/// Calls that have begun, and whose end their callers do not write.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    /// Calls whose release is not stored yet.
    abandoned: BTreeSet<ReservationId>,
    /// Numbers of calls that began, and that the database does not have.
    lost: Vec<Range<ReservationId>>,
}

impl Ends {
    /// Notes a call that the writer must release before it runs another rule.
    pub(super) fn abandon(&self, reservation: ReservationId) {
        self.open().abandoned.insert(reservation);
    }

    /// Returns `true` if a call began, and cannot be charged since the database failed.
    pub(super) fn is_lost(&self, reservation: ReservationId) -> bool {
        let open = self.open();
        open.lost.iter().any(|lost| lost.contains(&reservation))
    }

    fn lose(&self, range: Range<ReservationId>) {
        let mut open = self.open();
        // As long as nothing is stored, each range begins where the one before did.
        open.lost.retain(|lost| lost.start < range.start);
        if !range.is_empty() {
            open.lost.push(range);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Task that writes the ledger.
pub(super) struct Writer {
    /// State with all entries, also those that are not stored yet.
    draft: Ledger,
    stored: Arc<RwLock<Ledger>>,
    ends: Arc<Ends>,
    /// Disk, unless it stores a group.
    disk: Option<Disk>,
    /// Group that is being stored.
    current: Batch,
    /// Group of the rules that ran meanwhile.
    next: Batch,
    /// `true` if nobody knows whether the last transaction was stored.
    is_stale: bool,
}

/// Rules that ran, and whose entries share a transaction.
#[derive(Default)]
struct Batch {
    group: Arc<Group>,
    /// Calls that the writer released in it.
    released: BTreeSet<ReservationId>,
    ends: Vec<End>,
}

/// Database, and the right to write the ledger in it.
struct Disk {
    store: ChainStore,
    lock: Leadership,
}

/// End of a transaction.
enum Written {
    Stored,
    Failed,
    /// Another process may keep the ledger since the lock is gone.
    Unlocked,
}

impl Disk {
    async fn write(mut self, from: u64, group: Arc<Group>) -> (Self, Written) {
        if !self.lock.holds().await {
            return (self, Written::Unlocked);
        }
        let written = match disk::write(&self.store, from, &group).await {
            Ok(()) => Written::Stored,
            Err(error) => {
                tracing::error!(error = %with_sources(&error), "cannot write the ledger of payments");
                Written::Failed
            }
        };
        (self, written)
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.group.entries.is_empty()
    }

    fn tell(self, is_stored: bool) {
        for end in self.ends {
            end(is_stored);
        }
    }
}

impl Writer {
    pub(super) fn new(
        store: ChainStore,
        lock: Leadership,
        stored: Arc<RwLock<Ledger>>,
        ends: Arc<Ends>,
    ) -> Self {
        let draft = read(&stored).clone();
        Self {
            draft,
            stored,
            ends,
            disk: Some(Disk { store, lock }),
            current: Batch::default(),
            next: Batch::default(),
            is_stale: false,
        }
    }

    /// Runs rules until the books are closed, or their lock is gone.
    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Rule>, stop: CancellationToken) {
        let mut rules = Vec::with_capacity(MAX_GROUP);
        let mut storing = None;
        let mut is_open = true;
        while is_open || storing.is_some() || !self.next.is_empty() {
            if storing.is_none() && !self.next.is_empty() {
                storing = self.store();
            }
            // A ledger is read again only while nothing is being stored.
            let room = MAX_GROUP.saturating_sub(self.next.ends.len());
            let takes = is_open && room > 0 && !(self.is_stale && storing.is_some());
            tokio::select! {
                biased;
                () = stop.cancelled(), if !waiting.is_closed() => waiting.close(),
                Some(written) = OptionFuture::from(storing.as_mut()) => {
                    storing = None;
                    if !self.finish(written, &stop) {
                        return;
                    }
                }
                count = waiting.recv_many(&mut rules, room), if takes => {
                    is_open = count > 0;
                    self.take(rules.drain(..)).await;
                }
            }
        }
    }

    /// Runs rules, whose entries will be stored together.
    async fn take(&mut self, rules: impl Iterator<Item = Rule>) {
        if self.is_stale
            && let Err(error) = self.read_again().await
        {
            tracing::error!(error = %with_sources(&error), "cannot read the ledger of payments again");
            // Rules that are dropped tell their callers so.
            rules.for_each(drop);
            return;
        }
        self.release_abandoned();
        for rule in rules {
            let end = self.run_rule(rule);
            self.next.ends.push(end);
        }
    }

    /// Begins to store the next group.
    fn store(&mut self) -> Option<JoinHandle<(Disk, Written)>> {
        let disk = self.disk.take()?;
        self.current = std::mem::take(&mut self.next);
        let from = read(&self.stored).entries();
        Some(tokio::spawn(
            disk.write(from, Arc::clone(&self.current.group)),
        ))
    }

    /// Tells the callers of a group of its end. Returns `false` if nothing can be written any more.
    fn finish(
        &mut self,
        written: Result<(Disk, Written), JoinError>,
        stop: &CancellationToken,
    ) -> bool {
        let batch = std::mem::take(&mut self.current);
        // A transaction that panicked took the lock with it.
        let (disk, written) = match written {
            Ok((disk, written)) => (Some(disk), written),
            Err(_) => (None, Written::Unlocked),
        };
        self.disk = disk;
        match written {
            Written::Unlocked => {
                // The channels and sessions of this process do not know the entries of others.
                tracing::error!(
                    "the ledger of payments is closed: the connection that locks it is gone; start this coordinator again"
                );
                // Callers learn from it why they are told nothing.
                stop.cancel();
                return false;
            }
            Written::Stored => {
                let mut stored = self.stored.write().unwrap_or_else(PoisonError::into_inner);
                for entry in &batch.group.entries {
                    // The draft has taken it.
                    if let Err(fault) = stored.apply(entry) {
                        tracing::error!(error = %fault, "the ledger of payments differs from its draft");
                        self.is_stale = true;
                    }
                }
                drop(stored);
                batch.tell(true);
                if !self.is_stale {
                    self.release_abandoned();
                }
            }
            Written::Failed => {
                self.is_stale = true;
                // Rules of the next group saw entries that may not be stored.
                for batch in [batch, std::mem::take(&mut self.next)] {
                    self.ends.open().abandoned.extend(&batch.released);
                    batch.tell(false);
                }
            }
        }
        true
    }

    fn run_rule(&mut self, rule: Rule) -> End {
        let mut draft = Draft {
            ledger: &mut self.draft,
            group: Arc::make_mut(&mut self.next.group),
            is_torn: false,
        };
        let end = (rule.0)(&mut draft);
        if draft.is_torn {
            // What the rule wrote before it failed is taken back.
            let mut ledger = read(&self.stored).clone();
            let groups = [&self.current.group, &self.next.group];
            for entry in groups.iter().flat_map(|group| &group.entries) {
                if let Err(fault) = ledger.apply(entry) {
                    tracing::error!(error = %fault, "the ledger of payments differs from its draft");
                    self.is_stale = true;
                }
            }
            ledger.skip_reservations(self.draft.next_reservation());
            self.draft = ledger;
        }
        end
    }

    /// Releases the calls whose release is not stored yet.
    fn release_abandoned(&mut self) {
        let abandoned = std::mem::take(&mut self.ends.open().abandoned);
        for reservation in abandoned {
            // A call that has ended is no longer known.
            if let Ok(entry) = self.draft.release(reservation)
                && self.draft.apply(&entry).is_ok()
            {
                Arc::make_mut(&mut self.next.group).entries.push(entry);
                self.next.released.insert(reservation);
            }
        }
    }

    async fn read_again(&mut self) -> Result<(), OpenError> {
        let Some(disk) = &self.disk else {
            return Ok(());
        };
        let mut ledger = disk::read(&disk.store).await?;
        let told = self.draft.next_reservation();
        self.ends.lose(ledger.next_reservation()..told);
        // A transaction that seemed to have failed may be there after all: nobody charges its calls.
        for reservation in ledger.reservations() {
            if self.ends.is_lost(reservation) {
                self.ends.abandon(reservation);
            }
        }
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = ledger.clone();
        ledger.skip_reservations(told);
        self.draft = ledger;
        self.is_stale = false;
        Ok(())
    }
}

fn read(ledger: &RwLock<Ledger>) -> std::sync::RwLockReadGuard<'_, Ledger> {
    ledger.read().unwrap_or_else(PoisonError::into_inner)
}
