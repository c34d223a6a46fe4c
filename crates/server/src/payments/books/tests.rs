use std::num::NonZeroU64;

use alloy_primitives::B256;
use cotrain_payments::{
    ledger::{InvoiceSeen, Owner, Purchase},
    price::{Quote, UnitPrice},
};
use sqlx::Executor;
use tempfile::TempDir;

use super::*;

/// Database of a test, which can be opened again.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder }
    }

    async fn store(&self) -> ChainStore {
        let database = self.folder.path().join("db");
        let store = ChainStore::open(&database.to_string_lossy()).await;
        store.expect("a database")
    }

    async fn books(&self) -> Books {
        Books::open(&self.store().await).await.expect("books")
    }
}

fn hash(number: u64) -> B256 {
    B256::left_padding_from(&number.to_be_bytes())
}

fn account(number: u64) -> AccountId {
    AccountId(hash(number))
}

fn invoice(number: u64, units: u64) -> [Entry; 3] {
    let owner = Owner::Token(hash(number));
    let one = NonZeroU64::MIN;
    let price = UnitPrice {
        amount: one,
        units: one,
    };
    let quote = Quote {
        units,
        amount: units.into(),
    };
    let account = account(number);
    [
        Entry::Opened { account, owner },
        Entry::InvoiceMade {
            payment_hash: hash(number),
            purchase: Purchase {
                account,
                quote,
                price,
                refund_fee: None,
            },
            request: B256::ZERO,
            expires: 1,
        },
        Entry::InvoiceSeen {
            payment_hash: hash(number),
            seen: InvoiceSeen::Settled {
                amount: units,
                settle_index: number,
            },
        },
    ]
}

async fn buy(books: &Books, number: u64, units: u64) {
    let bought = books.write(move |draft| {
        let mut entries = invoice(number, units).into_iter();
        entries.try_for_each(|entry| draft.write(entry))
    });
    bought.await.expect("bought");
}

async fn begin(books: &Books, number: u64, units: u64) -> Result<ReservationId, BooksError> {
    let asked = books.reserve(account(number), units, Source::Purchases, None);
    match asked.await? {
        Reserved::Begin { reservation, .. } => Ok(reservation),
        Reserved::Done(receipt) => panic!("{receipt:?}"),
    }
}

fn state(books: &Books, number: u64) -> (u64, u64, u64) {
    books.read(|ledger| {
        let account = ledger.account(account(number)).expect("an account");
        assert!(account.is_balanced());
        (account.left(), account.reserved(), account.spent())
    })
}

#[tokio::test]
async fn books_have_one_writer_and_end_calls_that_a_stop_interrupted() {
    let world = World::new();
    let books = world.books().await;
    let second = Books::open(&world.store().await).await;
    assert!(matches!(second, Err(OpenError::Taken)), "{second:?}");
    buy(&books, 1, 10).await;
    let done = begin(&books, 1, 4).await.expect("begun");
    let receipt = books.commit(done, 3, None).await.expect("charged");
    assert_eq!((receipt.units, receipt.left), (3, 7));
    begin(&books, 1, 5).await.expect("begun");
    // A rule that ends after it shows that the reservation is stored.
    books.write(|_| Ok(())).await.expect("written");
    assert_eq!(state(&books, 1), (2, 5, 3));
    books.close().await;
    let closed = begin(&books, 1, 1).await;
    assert!(matches!(closed, Err(BooksError::Closed)), "{closed:?}");
    drop(books);

    let books = world.books().await;
    assert_eq!(state(&books, 1), (7, 0, 3));
    let late = books.commit(done, 1, None).await;
    assert!(matches!(late, Err(BooksError::Refused(_))), "{late:?}");
}

#[tokio::test]
async fn write_that_fails_leaves_nothing_behind() {
    let world = World::new();
    let books = world.books().await;
    let store = world.store().await;
    buy(&books, 1, 10).await;
    // A rule that fails after its first entry takes it back.
    let torn = books.write(|draft| {
        let [opened, ..] = invoice(2, 5);
        draft.write(opened.clone())?;
        draft.keep("test", b"torn", Some(vec![1]));
        draft.write(opened)
    });
    let torn = torn.await;
    assert!(
        matches!(torn, Err(BooksError::Refused(Fault::AccountTaken))),
        "{torn:?}"
    );
    buy(&books, 2, 5).await;

    // The database fails: nothing changes, and the books go on once it works again.
    let held = begin(&books, 1, 2).await.expect("begun");
    books.write(|_| Ok(())).await.expect("written");
    let pool = store.pool();
    let broken = "ALTER TABLE payment_names RENAME TO elsewhere";
    pool.execute(broken).await.expect("broken");
    // A call begins without the database, and is not charged.
    let unstored = begin(&books, 1, 3).await.expect("begun");
    let lost = books.commit(unstored, 3, None).await;
    assert!(matches!(lost, Err(BooksError::Unwritten)), "{lost:?}");
    assert_eq!(state(&books, 1), (8, 2, 0));
    let lost = books.commit(held, 2, None).await;
    assert!(matches!(lost, Err(BooksError::Unwritten)), "{lost:?}");
    let refused = books.write(|draft| {
        let [opened, ..] = invoice(3, 5);
        draft.write(opened)
    });
    let refused = refused.await;
    assert!(matches!(refused, Err(BooksError::Unwritten)), "{refused:?}");
    books.release(held).await;
    let mended = "ALTER TABLE elsewhere RENAME TO payment_names";
    pool.execute(mended).await.expect("mended");
    let kept = books.write(|draft| {
        draft.keep("test", b"name", Some(vec![1]));
        draft.keep("test", b"name", Some(vec![2]));
        draft.keep("test", b"other", Some(vec![3]));
        draft.keep("test", b"other", None);
        Ok(())
    });
    kept.await.expect("kept");
    // The call that failed to end has ended, and the one that the database never had is not charged.
    assert_eq!(state(&books, 1), (10, 0, 0));
    let late = books.commit(unstored, 3, None).await;
    assert!(matches!(late, Err(BooksError::Unwritten)), "{late:?}");
    // No other call gets its number.
    let next = begin(&books, 1, 4).await.expect("begun");
    assert!(next > unstored, "{next:?}");
    books.commit(next, 1, None).await.expect("charged");
    let late = books.commit(unstored, 3, None).await;
    assert!(matches!(late, Err(BooksError::Unwritten)), "{late:?}");
    assert_eq!(state(&books, 1), (9, 0, 1));
    books.close().await;
    drop(books);
    let books = world.books().await;
    assert_eq!(state(&books, 1), (9, 0, 1));
    assert_eq!(state(&books, 2), (5, 0, 0));
    let states = books.states("test").await.expect("read");
    assert_eq!(states, [(b"name".to_vec(), vec![2])]);
}

#[tokio::test]
async fn commit_with_finds_what_the_database_has_stored_without_an_answer() {
    let world = World::new();
    let books = world.books().await;
    buy(&books, 1, 10).await;
    let held = begin(&books, 1, 4).await.expect("begun");
    let voucher = State {
        rail: disk::ANSWER_LOST,
        name: b"channel".to_vec(),
        state: vec![1],
    };
    let receipt = books.commit_with(held, 3, None, Some(voucher)).await;
    let receipt = receipt.expect("charged");
    assert_eq!((receipt.units, receipt.left), (3, 7));
    // The caller takes its work, so nothing is released.
    books.release(held).await;
    assert_eq!(state(&books, 1), (7, 0, 3));
    let states = books.states(disk::ANSWER_LOST).await.expect("read");
    assert_eq!(states, [(b"channel".to_vec(), vec![1])]);
}

#[tokio::test]
async fn commit_charges_a_call_that_the_database_stored_without_an_answer() {
    let world = World::new();
    let books = world.books().await;
    buy(&books, 1, 10).await;
    let keeping = books.write(|draft| {
        draft.keep(disk::ANSWER_LOST, b"other", Some(vec![1]));
        Ok(())
    });
    let (kept, held) = tokio::join!(keeping, begin(&books, 1, 4));
    assert!(matches!(kept, Err(BooksError::Unwritten)), "{kept:?}");
    let held = held.expect("begun");
    // Both shared the transaction, so the ledger that is read again has the reservation.
    let receipt = books.commit(held, 3, None).await.expect("charged");
    assert_eq!((receipt.units, receipt.left), (3, 7));
    assert_eq!(state(&books, 1), (7, 0, 3));
}

#[tokio::test]
async fn books_release_a_call_whose_reservation_shows_late() {
    let world = World::new();
    let books = world.books().await;
    let store = world.store().await;
    buy(&books, 1, 10).await;
    let pool = store.pool();
    let broken = "ALTER TABLE payment_names RENAME TO elsewhere";
    pool.execute(broken).await.expect("broken");
    let held = begin(&books, 1, 4).await.expect("begun");
    let lost = books.commit(held, 3, None).await;
    assert!(matches!(lost, Err(BooksError::Unwritten)), "{lost:?}");
    books.release(held).await;
    // The transaction that was reported as failed has been stored: another connection ended it.
    let mended = "ALTER TABLE elsewhere RENAME TO payment_names";
    pool.execute(mended).await.expect("mended");
    let from = books.read(Ledger::entries);
    let entry = Entry::Reserved {
        reservation: held,
        account: account(1),
        units: 4,
        source: Source::Purchases,
        request: None,
    };
    let late = Group {
        entries: vec![entry],
        states: Vec::new(),
    };
    disk::write(&store, from, &late).await.expect("stored");
    // The next entry has its number, and the ledger is read again.
    let opening = |number| {
        books.write(move |draft| {
            let [opened, ..] = invoice(number, 5);
            draft.write(opened)
        })
    };
    let refused = opening(2).await;
    assert!(matches!(refused, Err(BooksError::Unwritten)), "{refused:?}");
    let late = books.commit(held, 3, None).await;
    assert!(matches!(late, Err(BooksError::Unwritten)), "{late:?}");
    opening(3).await.expect("written");
    assert_eq!(state(&books, 1), (10, 0, 0));
}

#[tokio::test]
async fn reserve_releases_a_call_whose_caller_has_gone() {
    let world = World::new();
    let books = world.books().await;
    buy(&books, 1, 10).await;
    {
        let asked = books.reserve(account(1), 4, Source::Purchases, None);
        let mut asked = std::pin::pin!(asked);
        // The rule is handed in, and nobody waits for its answer.
        assert!(futures_util::poll!(asked.as_mut()).is_pending());
    }
    // It is released without another rule, some time after these two.
    books.write(|_| Ok(())).await.expect("written");
    while state(&books, 1) != (10, 0, 0) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    books.close().await;
    drop(books);
    assert_eq!(state(&world.books().await, 1), (10, 0, 0));
}

#[tokio::test]
async fn books_of_another_form_or_with_a_gap_are_refused() {
    let world = World::new();
    let books = world.books().await;
    buy(&books, 1, 10).await;
    books.close().await;
    drop(books);
    let store = world.store().await;
    let change = async |statement: &'static str| {
        store.pool().execute(statement).await.expect("changed");
        Books::open(&store).await.map(drop).expect_err("refused")
    };
    let newer = change("UPDATE payment_entries SET version = 2 WHERE number = 1").await;
    let OpenError::Form {
        number: 1,
        found: 2,
        ..
    } = newer
    else {
        panic!("{newer}");
    };
    let gap = change("DELETE FROM payment_entries WHERE number = 1").await;
    let OpenError::Damaged { number: 1, .. } = gap else {
        panic!("{gap}");
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn write_shares_transactions_and_loses_no_unit() {
    const CLIENTS: u64 = 32;
    const CALLS: u64 = 20;
    let world = World::new();
    let books = world.books().await;
    for number in 0..CLIENTS {
        buy(&books, number, 2 * CALLS).await;
    }
    let calls = (0..CLIENTS).map(|number| {
        let books = books.clone();
        tokio::spawn(async move {
            for call in 0..CALLS {
                let held = begin(&books, number, 2).await.expect("begun");
                if call % 4 == 0 {
                    books.release(held).await;
                } else {
                    books.commit(held, 1, None).await.expect("charged");
                }
            }
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("whole");
    }
    let spent = CALLS - CALLS / 4;
    let whole = (2 * CALLS - spent, 0, spent);
    assert!((0..CLIENTS).all(|number| state(&books, number) == whole));
    books.close().await;
    drop(books);
    let books = world.books().await;
    assert!((0..CLIENTS).all(|number| state(&books, number) == whole));
}

#[tokio::test]
async fn open_reads_the_ledger_of_ten_thousand_accounts() {
    const ACCOUNTS: u64 = 10_000;
    let world = World::new();
    let store = world.store().await;
    let entries = (0..ACCOUNTS).flat_map(|number| invoice(number, 10));
    let group = Group {
        entries: entries.collect(),
        states: Vec::new(),
    };
    disk::write(&store, 0, &group).await.expect("written");
    let books = Books::open(&store).await.expect("books");
    assert_eq!(state(&books, ACCOUNTS - 1), (10, 0, 0));
}

#[tokio::test]
async fn books_write_nothing_after_their_lock_is_gone() {
    let postgres = cotrain_test_support::Postgres::start();
    let database = postgres.database("books");
    let store = ChainStore::open(&database).await.unwrap();
    let books = Books::open(&store).await.unwrap();
    buy(&books, 1, 100).await;
    let other = ChainStore::open(&database).await.unwrap();
    let taken = Books::open(&other).await;
    assert!(matches!(taken, Err(OpenError::Taken)), "{taken:?}");
    let ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'";
    other.pool().execute(ended).await.unwrap();
    let others = loop {
        match Books::open(&other).await {
            Err(OpenError::Taken) => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
            opened => break opened.unwrap(),
        }
    };
    // A call may begin, and is never charged.
    if let Ok(late) = begin(&books, 1, 10).await {
        let charged = books.commit(late, 10, None).await;
        assert!(matches!(charged, Err(BooksError::Closed)), "{charged:?}");
    }
    let late = books.write(|_| Ok(())).await;
    assert!(matches!(late, Err(BooksError::Closed)), "{late:?}");
    let reserved = others
        .reserve(account(1), 10, Source::Purchases, None)
        .await;
    assert!(
        matches!(reserved, Ok(Reserved::Begin { .. })),
        "{reserved:?}"
    );
}
