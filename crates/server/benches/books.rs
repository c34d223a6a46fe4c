//! Measures the calls that the ledger of payments charges durably.
//!
//! Each call is a reservation and a charge, and waits for the disk twice. The file is in the folder of
//! temporary files. Prints `name<TAB>value<TAB>unit`.

use std::{
    num::NonZeroU64,
    time::{Duration, Instant},
};

use alloy_primitives::B256;
use cotrain_indexer::ChainStore;
use cotrain_payments::{
    ledger::{AccountId, Entry, InvoiceSeen, Owner, Purchase, Source},
    price::{Quote, UnitPrice},
};
use cotrain_server::payments::{Books, Reserved};

const CLIENTS: u64 = 64;
const CALLS: u64 = 500;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("books.sqlite");
    let store = ChainStore::open(&database.to_string_lossy()).await;
    let books = Books::open(&store.expect("a database")).await;
    let books = books.expect("books");
    for number in 0..CLIENTS {
        let bought = books.write(move |draft| {
            let mut entries = bought(number).into_iter();
            entries.try_for_each(|entry| draft.write(entry))
        });
        bought.await.expect("bought");
    }
    let start = Instant::now();
    let clients = (0..CLIENTS).map(|number| {
        let books = books.clone();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for _ in 0..CALLS {
                times.push(call(&books, account(number)).await);
            }
            times
        })
    });
    let mut times: Vec<Duration> = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        times.extend(client.await.expect("whole"));
    }
    let took = start.elapsed();
    books.close().await;
    times.sort_unstable();
    let calls = times.len();
    let p99 = times[calls * 99 / 100].as_secs_f64() * 1_000.0;
    let rate = u32::try_from(calls).map_or(0.0, f64::from) / took.as_secs_f64();
    print(&format!("paid_calls_durable\t{rate:.0}\tcalls/s"));
    print(&format!("paid_call_durable_p99\t{p99:.1}\tms"));
}

/// Reserves a unit and charges it.
async fn call(books: &Books, account: AccountId) -> Duration {
    let start = Instant::now();
    let reserved = books.reserve(account, 1, Source::Purchases, None);
    match reserved.await.expect("reserved") {
        Reserved::Begin { reservation, .. } => {
            let charged = books.commit(reservation, 1, None);
            charged.await.expect("charged");
        }
        Reserved::Done(receipt) => panic!("a call without an id was done before: {receipt:?}"),
    }
    start.elapsed()
}

fn hash(number: u64) -> B256 {
    B256::left_padding_from(&number.to_be_bytes())
}

fn account(number: u64) -> AccountId {
    AccountId(hash(number))
}

/// Returns the entries of an account that bought units.
fn bought(number: u64) -> [Entry; 3] {
    let (account, payment_hash) = (account(number), hash(number));
    let price = UnitPrice {
        amount: NonZeroU64::MIN,
        units: NonZeroU64::MIN,
    };
    let quote = Quote {
        units: CALLS,
        amount: CALLS.into(),
    };
    let purchase = Purchase {
        account,
        quote,
        price,
        refund_fee: None,
    };
    let seen = InvoiceSeen::Settled {
        amount: CALLS,
        settle_index: number,
    };
    [
        Entry::Opened {
            account,
            owner: Owner::Token(hash(number)),
        },
        Entry::InvoiceMade {
            payment_hash,
            purchase,
            request: B256::ZERO,
            expires: 1,
        },
        Entry::InvoiceSeen { payment_hash, seen },
    ]
}

// A benchmark's result is its output.
#[allow(clippy::print_stdout)]
fn print(line: &str) {
    println!("{line}");
}
