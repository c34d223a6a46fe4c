//! Durable invoices and payments, in one SQLite file beside the node's own.
//!
//! The node's events arrive at least once, so each change here is safe to repeat.
//! Both indices of an invoice are given in the transaction of its change: a subscriber that names the
//! last index it has seen misses nothing and gets nothing twice, over restarts too.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use tokio::sync::watch;

/// 32 bytes: a payment hash, a preimage or a payment secret.
pub(crate) type Bytes32 = [u8; 32];

const SCHEMA: &str = "
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS invoices (
    add_index INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    preimage BLOB NOT NULL,
    secret BLOB NOT NULL,
    memo TEXT NOT NULL,
    value_msat INTEGER NOT NULL,
    request TEXT NOT NULL,
    created INTEGER NOT NULL,
    expiry INTEGER NOT NULL,
    private INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    settle_index INTEGER UNIQUE,
    settled INTEGER NOT NULL DEFAULT 0,
    paid_msat INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS open_invoices ON invoices (created + expiry) WHERE state = 0;
CREATE TABLE IF NOT EXISTS payments (
    payment_index INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    request TEXT NOT NULL,
    value_msat INTEGER NOT NULL,
    fee_limit_msat INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    height INTEGER NOT NULL,
    status INTEGER NOT NULL DEFAULT 1,
    preimage BLOB,
    fee_msat INTEGER NOT NULL DEFAULT 0,
    reason INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS payments_in_flight ON payments (payment_index) WHERE status = 1;
";

/// State of an invoice; the numbers are those of LND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for a payment.
    Open = 0,
    /// Paid, and the preimage is out.
    Settled = 1,
    /// Expired or canceled; a payment for it fails.
    Canceled = 2,
    /// Payment arrived and is being claimed.
    Accepted = 3,
}

impl State {
    fn read(number: i64) -> rusqlite::Result<Self> {
        match number {
            0 => Ok(Self::Open),
            1 => Ok(Self::Settled),
            2 => Ok(Self::Canceled),
            3 => Ok(Self::Accepted),
            _ => Err(rusqlite::Error::IntegralValueOutOfRange(0, number)),
        }
    }
}

/// Invoice that this node made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invoice {
    /// Number in the order of creation, from 1.
    pub(crate) add_index: u64,
    /// Payment hash.
    pub(crate) hash: Bytes32,
    /// Preimage of the hash.
    pub(crate) preimage: Bytes32,
    /// Payment secret.
    pub(crate) secret: Bytes32,
    /// Description.
    pub(crate) memo: String,
    /// Amount asked for, in millisatoshi; 0 if the payer decides.
    pub(crate) value_msat: u64,
    /// BOLT 11 text.
    pub(crate) request: String,
    /// Time of creation, in seconds since 1970.
    pub(crate) created: u64,
    /// Lifetime, in seconds.
    pub(crate) expiry: u64,
    /// `true` if the caller asked for hints to private channels.
    pub(crate) private: bool,
    /// State.
    pub(crate) state: State,
    /// Number in the order of settlement, from 1; 0 before it.
    pub(crate) settle_index: u64,
    /// Time of settlement, in seconds since 1970; 0 before it.
    pub(crate) settled: u64,
    /// Amount received, in millisatoshi.
    pub(crate) paid_msat: u64,
}

impl Invoice {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            add_index: row.get("add_index")?,
            hash: row.get("hash")?,
            preimage: row.get("preimage")?,
            secret: row.get("secret")?,
            memo: row.get("memo")?,
            value_msat: row.get("value_msat")?,
            request: row.get("request")?,
            created: row.get("created")?,
            expiry: row.get("expiry")?,
            private: row.get("private")?,
            state: State::read(row.get("state")?)?,
            settle_index: row.get::<_, Option<u64>>("settle_index")?.unwrap_or(0),
            settled: row.get("settled")?,
            paid_msat: row.get("paid_msat")?,
        })
    }
}

/// Order for an arrived payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Claim it with this preimage.
    Claim(Bytes32),
    /// Fail it.
    Refuse,
}

/// Outcome of a cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// Canceled now or before.
    Done,
    /// Paid, or being claimed.
    TooLate,
    /// Unknown hash.
    Unknown,
}

/// Status of a payment; the numbers are those of LND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Sent, outcome unknown.
    InFlight = 1,
    /// Paid, and the preimage is known.
    Succeeded = 2,
    /// Not paid.
    Failed = 3,
}

/// Reason of a failed payment; the numbers are those of LND.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Payment that has not failed.
    None = 0,
    /// Attempts took too long.
    Timeout = 1,
    /// No route to the payee.
    NoRoute = 2,
    /// Error that is none of the others.
    Error = 3,
    /// Payee refused: unknown or expired invoice, or wrong amount.
    IncorrectDetails = 4,
    /// Own channels hold too little.
    InsufficientBalance = 5,
}

impl Reason {
    fn read(number: i64) -> rusqlite::Result<Self> {
        match number {
            0 => Ok(Self::None),
            1 => Ok(Self::Timeout),
            2 => Ok(Self::NoRoute),
            3 => Ok(Self::Error),
            4 => Ok(Self::IncorrectDetails),
            5 => Ok(Self::InsufficientBalance),
            _ => Err(rusqlite::Error::IntegralValueOutOfRange(0, number)),
        }
    }
}

/// Payment that this node sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    /// Number in the order of creation, from 1.
    pub(crate) index: u64,
    /// Payment hash.
    pub(crate) hash: Bytes32,
    /// BOLT 11 text.
    pub(crate) request: String,
    /// Amount, in millisatoshi.
    pub(crate) value_msat: u64,
    /// Maximum fee, in millisatoshi.
    pub(crate) fee_limit_msat: u64,
    /// Time of creation, in nanoseconds since 1970.
    pub(crate) created_ns: u64,
    /// Height of the chain at creation.
    pub(crate) height: u32,
    /// Status.
    pub(crate) status: Status,
    /// Preimage, once paid.
    pub(crate) preimage: Option<Bytes32>,
    /// Fee paid, in millisatoshi.
    pub(crate) fee_msat: u64,
    /// Reason of a failure.
    pub(crate) reason: Reason,
}

impl Payment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            index: row.get("payment_index")?,
            hash: row.get("hash")?,
            request: row.get("request")?,
            value_msat: row.get("value_msat")?,
            fee_limit_msat: row.get("fee_limit_msat")?,
            created_ns: row.get("created_ns")?,
            height: row.get("height")?,
            status: match row.get("status")? {
                1 => Status::InFlight,
                2 => Status::Succeeded,
                3 => Status::Failed,
                number => return Err(rusqlite::Error::IntegralValueOutOfRange(0, number)),
            },
            preimage: row.get("preimage")?,
            fee_msat: row.get("fee_msat")?,
            reason: Reason::read(row.get("reason")?)?,
        })
    }
}

/// Outcome of `Store::begin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// Recorded: send it.
    Send,
    /// Sent before, and still in flight.
    InFlight,
    /// Sent and paid before.
    Paid,
}

/// Database of invoices and payments.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    changes: watch::Sender<u64>,
}

impl Store {
    /// Opens the database, and makes it if it is missing.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection: Mutex::new(connection),
            changes: watch::Sender::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic while the lock was held rolled its transaction back, so the database is sound.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a receiver that wakes after each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Records a new invoice and returns its `add_index`; that of `invoice` is ignored.
    /// `None` if the hash is in use.
    pub(crate) fn add(&self, invoice: &Invoice) -> rusqlite::Result<Option<u64>> {
        let connection = self.lock();
        let rows = connection.execute(
            "INSERT OR IGNORE INTO invoices
             (hash, preimage, secret, memo, value_msat, request, created, expiry, private)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                invoice.hash,
                invoice.preimage,
                invoice.secret,
                invoice.memo,
                invoice.value_msat,
                invoice.request,
                invoice.created,
                invoice.expiry,
                invoice.private,
            ],
        )?;
        if rows == 0 {
            return Ok(None);
        }
        let index = u64::try_from(connection.last_insert_rowid()).unwrap_or_default();
        drop(connection);
        self.changed();
        Ok(Some(index))
    }

    /// Cancels the open invoices that have expired at `now`.
    pub(crate) fn expire(&self, now: u64) -> rusqlite::Result<()> {
        self.lock().execute(
            "UPDATE invoices SET state = 2 WHERE state = 0 AND created + expiry <= ?",
            [now],
        )?;
        Ok(())
    }

    /// Returns the invoice of a payment hash, as it is at `now`.
    pub(crate) fn invoice(&self, hash: &Bytes32, now: u64) -> rusqlite::Result<Option<Invoice>> {
        self.expire(now)?;
        self.lock()
            .query_row(
                "SELECT * FROM invoices WHERE hash = ?",
                [hash],
                Invoice::read,
            )
            .optional()
    }

    /// Cancels an open invoice.
    pub(crate) fn cancel(&self, hash: &Bytes32) -> rusqlite::Result<Cancel> {
        let connection = self.lock();
        connection.execute(
            "UPDATE invoices SET state = 2 WHERE hash = ? AND state = 0",
            [hash],
        )?;
        let state: Option<i64> = connection
            .query_row("SELECT state FROM invoices WHERE hash = ?", [hash], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(match state.map(State::read).transpose()? {
            None => Cancel::Unknown,
            Some(State::Canceled) => Cancel::Done,
            Some(_) => Cancel::TooLate,
        })
    }

    /// Decides about an arrived payment: an open invoice becomes accepted.
    pub(crate) fn accept(&self, hash: &Bytes32, msat: u64, now: u64) -> rusqlite::Result<Verdict> {
        self.expire(now)?;
        let connection = self.lock();
        connection.execute(
            "UPDATE invoices SET state = 3, paid_msat = :msat
             WHERE hash = :hash AND state = 0 AND value_msat <= :msat",
            named_params! { ":hash": hash, ":msat": msat },
        )?;
        // Accepted before, if the event is repeated: the claim may not have happened.
        let preimage = connection
            .query_row(
                "SELECT preimage FROM invoices WHERE hash = ? AND state = 3",
                [hash],
                |row| row.get(0),
            )
            .optional()?;
        Ok(preimage.map_or(Verdict::Refuse, Verdict::Claim))
    }

    /// Records that a payment was received. Returns `false` if the invoice is unknown or settled
    /// already. An invoice that has expired in the meantime is credited too: the money is here.
    pub(crate) fn settle(&self, hash: &Bytes32, msat: u64, now: u64) -> rusqlite::Result<bool> {
        let rows = self.lock().execute(
            "UPDATE invoices SET state = 1, paid_msat = :msat, settled = :now,
                 settle_index = (SELECT COALESCE(MAX(settle_index), 0) + 1 FROM invoices)
             WHERE hash = :hash AND state <> 1",
            named_params! { ":hash": hash, ":msat": msat, ":now": now },
        )?;
        if rows > 0 {
            self.changed();
        }
        Ok(rows > 0)
    }

    /// Returns the last `add_index` and the last `settle_index`; 0 if there is none.
    pub(crate) fn last_indices(&self) -> rusqlite::Result<(u64, u64)> {
        self.lock().query_row(
            "SELECT COALESCE(MAX(add_index), 0), COALESCE(MAX(settle_index), 0) FROM invoices",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// Returns at most `count` invoices that were added after `index`, in this order.
    pub(crate) fn added_after(&self, index: u64, count: u32) -> rusqlite::Result<Vec<Invoice>> {
        self.lock()
            .prepare_cached(
                "SELECT * FROM invoices WHERE add_index > ? ORDER BY add_index LIMIT ?",
            )?
            .query_map(params![index, count], Invoice::read)?
            .collect()
    }

    /// Returns at most `count` invoices that were settled after `index`, in this order.
    pub(crate) fn settled_after(&self, index: u64, count: u32) -> rusqlite::Result<Vec<Invoice>> {
        self.lock()
            .prepare_cached(
                "SELECT * FROM invoices WHERE settle_index > ? ORDER BY settle_index LIMIT ?",
            )?
            .query_map(params![index, count], Invoice::read)?
            .collect()
    }

    /// Records a payment before it is sent. A failed one may be sent again, and keeps its number.
    pub(crate) fn begin(&self, payment: &Payment) -> rusqlite::Result<Begin> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let status: Option<i64> = transaction
            .query_row(
                "SELECT status FROM payments WHERE hash = ?",
                [payment.hash],
                |row| row.get(0),
            )
            .optional()?;
        match status {
            Some(2) => return Ok(Begin::Paid),
            Some(1) => return Ok(Begin::InFlight),
            _ => {}
        }
        transaction.execute(
            "INSERT INTO payments (hash, request, value_msat, fee_limit_msat, created_ns, height)
             VALUES (:hash, :request, :value, :limit, :created, :height)
             ON CONFLICT (hash) DO UPDATE SET status = 1, reason = 0, request = :request,
                 value_msat = :value, fee_limit_msat = :limit, created_ns = :created, height = :height",
            named_params! {
                ":hash": payment.hash,
                ":request": payment.request,
                ":value": payment.value_msat,
                ":limit": payment.fee_limit_msat,
                ":created": payment.created_ns,
                ":height": payment.height,
            },
        )?;
        transaction.commit()?;
        Ok(Begin::Send)
    }

    /// Records a preimage. It also turns a failed payment into a paid one: a preimage is proof.
    pub(crate) fn succeed(
        &self,
        hash: &Bytes32,
        preimage: &Bytes32,
        fee_msat: u64,
    ) -> rusqlite::Result<()> {
        self.lock().execute(
            "UPDATE payments SET status = 2, reason = 0, preimage = ?, fee_msat = ?
             WHERE hash = ? AND status <> 2",
            params![preimage, fee_msat, hash],
        )?;
        self.changed();
        Ok(())
    }

    /// Records that a payment in flight has failed.
    pub(crate) fn fail(&self, hash: &Bytes32, reason: Reason) -> rusqlite::Result<()> {
        self.lock().execute(
            "UPDATE payments SET status = 3, reason = ? WHERE hash = ? AND status = 1",
            params![reason as i64, hash],
        )?;
        self.changed();
        Ok(())
    }

    /// Returns the payment of a hash.
    pub(crate) fn payment(&self, hash: &Bytes32) -> rusqlite::Result<Option<Payment>> {
        self.lock()
            .query_row(
                "SELECT * FROM payments WHERE hash = ?",
                [hash],
                Payment::read,
            )
            .optional()
    }

    /// Returns at most `count` payments after the number `index`; those in flight only if asked.
    pub(crate) fn payments_after(
        &self,
        index: u64,
        count: u32,
        incomplete: bool,
    ) -> rusqlite::Result<Vec<Payment>> {
        self.lock()
            .prepare_cached(
                "SELECT * FROM payments WHERE payment_index > ? AND (? OR status = 2)
                 ORDER BY payment_index LIMIT ?",
            )?
            .query_map(params![index, incomplete, count], Payment::read)?
            .collect()
    }

    /// Returns the payments in flight.
    pub(crate) fn in_flight(&self) -> rusqlite::Result<Vec<Payment>> {
        self.lock()
            .prepare_cached("SELECT * FROM payments WHERE status = 1 ORDER BY payment_index")?
            .query_map([], Payment::read)?
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(number: u8, value_msat: u64) -> Invoice {
        Invoice {
            add_index: 0,
            hash: [number; 32],
            preimage: [number + 100; 32],
            secret: [0; 32],
            memo: format!("invoice {number}"),
            value_msat,
            request: String::new(),
            created: 1000,
            expiry: 60,
            private: false,
            state: State::Open,
            settle_index: 0,
            settled: 0,
            paid_msat: 0,
        }
    }

    fn payment(number: u8) -> Payment {
        Payment {
            index: 0,
            hash: [number; 32],
            request: "lnbcrt1".to_owned(),
            value_msat: 5,
            fee_limit_msat: 1,
            created_ns: 7,
            height: 3,
            status: Status::InFlight,
            preimage: None,
            fee_msat: 0,
            reason: Reason::None,
        }
    }

    fn store() -> Store {
        Store::open(Path::new(":memory:")).expect("database")
    }

    fn state(store: &Store, number: u8, now: u64) -> State {
        store
            .invoice(&[number; 32], now)
            .expect("read")
            .expect("known")
            .state
    }

    #[test]
    fn accept_takes_an_open_invoice_and_repeats_its_answer() {
        let store = store();
        assert_eq!(store.add(&invoice(1, 5)).expect("add"), Some(1));
        assert_eq!(store.add(&invoice(1, 6)).expect("add"), None, "same hash");
        assert_eq!(
            store.accept(&[1; 32], 4, 1001).expect("accept"),
            Verdict::Refuse,
            "too little"
        );
        assert_eq!(state(&store, 1, 1001), State::Open);
        for _ in 0..2 {
            let verdict = store.accept(&[1; 32], 5, 1001).expect("accept");
            assert_eq!(verdict, Verdict::Claim([101; 32]));
        }
        assert_eq!(
            state(&store, 1, 9999),
            State::Accepted,
            "an accepted invoice does not expire"
        );
        assert!(store.settle(&[1; 32], 5, 1002).expect("settle"));
        assert!(
            !store.settle(&[1; 32], 5, 1003).expect("settle"),
            "the event is repeated"
        );
        let settled = store.invoice(&[1; 32], 1003).expect("read").expect("known");
        assert_eq!(
            (settled.settled, settled.settle_index, settled.paid_msat),
            (1002, 1, 5)
        );
        let verdict = store.accept(&[1; 32], 5, 1004).expect("accept");
        assert_eq!(verdict, Verdict::Refuse, "paid already");
        let verdict = store.accept(&[9; 32], 5, 1004).expect("accept");
        assert_eq!(verdict, Verdict::Refuse, "unknown");
    }

    #[test]
    fn expire_cancels_open_invoices_in_their_last_second() {
        let store = store();
        store.add(&invoice(1, 0)).expect("add");
        assert_eq!(state(&store, 1, 1059), State::Open);
        assert_eq!(
            store.accept(&[1; 32], 1, 1060).expect("accept"),
            Verdict::Refuse
        );
        assert_eq!(state(&store, 1, 1059), State::Canceled, "it stays canceled");
        assert!(
            store.settle(&[1; 32], 1, 1061).expect("settle"),
            "late money is credited"
        );
    }

    #[test]
    fn cancel_is_too_late_for_a_paid_invoice() {
        let store = store();
        for number in 1..=2 {
            store.add(&invoice(number, 0)).expect("add");
        }
        assert_eq!(store.cancel(&[1; 32]).expect("cancel"), Cancel::Done);
        assert_eq!(store.cancel(&[1; 32]).expect("cancel"), Cancel::Done);
        assert_eq!(store.cancel(&[3; 32]).expect("cancel"), Cancel::Unknown);
        store.accept(&[2; 32], 1, 1001).expect("accept");
        assert_eq!(store.cancel(&[2; 32]).expect("cancel"), Cancel::TooLate);
    }

    #[test]
    fn settled_after_continues_in_the_order_of_settlement() {
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("db");
        let store = Store::open(&file).expect("database");
        for number in 1..=5 {
            store.add(&invoice(number, 0)).expect("add");
        }
        for number in [4, 2, 5] {
            store.settle(&[number; 32], 1, 1001).expect("settle");
        }
        drop(store);
        let store = Store::open(&file).expect("database");
        store.settle(&[1; 32], 1, 1001).expect("settle");
        let order = |index, count| -> Vec<(u64, u64)> {
            let found = store.settled_after(index, count).expect("read");
            found
                .iter()
                .map(|invoice| (invoice.add_index, invoice.settle_index))
                .collect()
        };
        assert_eq!(order(0, 9), [(4, 1), (2, 2), (5, 3), (1, 4)]);
        assert_eq!(order(1, 2), [(2, 2), (5, 3)]);
        assert_eq!(order(4, 9), []);
        assert_eq!(store.last_indices().expect("read"), (5, 4));
        let added = store.added_after(3, 9).expect("read");
        assert_eq!(
            added
                .iter()
                .map(|invoice| invoice.add_index)
                .collect::<Vec<_>>(),
            [4, 5]
        );
    }

    #[test]
    fn begin_sends_each_payment_once_unless_it_failed() {
        let store = store();
        assert_eq!(store.begin(&payment(1)).expect("begin"), Begin::Send);
        assert_eq!(store.begin(&payment(1)).expect("begin"), Begin::InFlight);
        store.fail(&[1; 32], Reason::NoRoute).expect("fail");
        let failed = store.payment(&[1; 32]).expect("read").expect("known");
        assert_eq!(
            (failed.status, failed.reason),
            (Status::Failed, Reason::NoRoute)
        );
        assert_eq!(store.begin(&payment(1)).expect("begin"), Begin::Send);
        assert_eq!(store.in_flight().expect("read").len(), 1);
        store.succeed(&[1; 32], &[9; 32], 2).expect("succeed");
        store.fail(&[1; 32], Reason::Error).expect("fail");
        assert_eq!(store.begin(&payment(1)).expect("begin"), Begin::Paid);
        let paid = store.payment(&[1; 32]).expect("read").expect("known");
        assert_eq!(
            (paid.status, paid.preimage, paid.index),
            (Status::Succeeded, Some([9; 32]), 1)
        );
        assert!(store.in_flight().expect("read").is_empty());
    }

    #[test]
    fn succeed_overrules_a_failure() {
        let store = store();
        store.begin(&payment(1)).expect("begin");
        store.fail(&[1; 32], Reason::Timeout).expect("fail");
        assert!(store.payments_after(0, 9, false).expect("read").is_empty());
        store.succeed(&[1; 32], &[9; 32], 2).expect("succeed");
        let paid = store.payments_after(0, 9, false).expect("read");
        assert_eq!(
            (paid[0].status, paid[0].reason),
            (Status::Succeeded, Reason::None)
        );
        assert!(store.payments_after(1, 9, true).expect("read").is_empty());
    }
}
