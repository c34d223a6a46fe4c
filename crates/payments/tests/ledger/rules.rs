//! Single rules of the ledger, by example.

use alloy_primitives::{Address, B256};
use cotrain_payments::{
    ledger::{
        AccountId, Asked, Entry, Fault, InvoiceSeen, Ledger, Owner, PaymentKey, Purchase, RefundId,
        RefundSeen, Request, ReservationId, SettlementSeen, Source, Token,
    },
    price::{Quote, UnitPrice},
};

const TRANSFERRED: SettlementSeen = SettlementSeen::Transferred {
    transaction: B256::ZERO,
};

fn hash(number: u8) -> B256 {
    B256::repeat_byte(number)
}

fn account(number: u8) -> AccountId {
    AccountId(hash(number))
}

fn key(nonce: u8) -> PaymentKey {
    PaymentKey::Authorization {
        payer: Address::repeat_byte(1),
        token: Token {
            chain: 31_337,
            address: Address::repeat_byte(2),
        },
        nonce: hash(nonce),
    }
}

fn purchase(number: u8, units: u64, price: u64) -> Purchase {
    let price = UnitPrice {
        amount: price.try_into().expect("not zero"),
        units: 1.try_into().expect("not zero"),
    };
    Purchase {
        account: account(number),
        quote: price.quote(units),
        price,
        refund_fee: Some(3),
    }
}

/// Ledger that writes nowhere.
#[derive(Default)]
struct Book(Ledger);

impl Book {
    fn opened(owner: Owner) -> Self {
        let mut book = Self::default();
        let entry = book.0.open(account(1), owner);
        book.take(entry);
        book
    }

    fn take(&mut self, entry: Result<Entry, Fault>) {
        self.0.apply(&entry.expect("an entry")).expect("taken over");
    }

    fn pay(&mut self, nonce: u8, units: u64, price: u64) {
        let entry = self
            .0
            .send_payment(key(nonce), purchase(1, units, price), 9);
        self.take(entry);
        self.see(nonce, TRANSFERRED);
    }

    fn see(&mut self, nonce: u8, seen: SettlementSeen) {
        let entry = self.0.see_payment(key(nonce).id(), seen).expect("evidence");
        self.take(Ok(entry.expect("something new")));
    }

    fn begin(&mut self, units: u64, source: Source) -> ReservationId {
        match self.0.reserve(account(1), units, source, None) {
            Ok(Asked::Begin(reservation, entry)) => {
                self.take(Ok(entry));
                reservation
            }
            other => panic!("{other:?}"),
        }
    }

    fn spend(&mut self, units: u64) {
        let reservation = self.begin(units, Source::Purchases);
        let entry = self.0.commit(reservation, units, None);
        self.take(entry);
    }

    /// Returns bought, spent, reserved, left, refunded and lost units.
    fn units(&self) -> [u64; 6] {
        let it = self.0.account(account(1)).expect("opened");
        [
            it.bought(),
            it.spent(),
            it.reserved(),
            it.left(),
            it.refunded(),
            it.lost(),
        ]
    }
}

#[test]
fn ledger_freezes_and_revokes_what_a_reorganization_removed() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 10, 1);
    book.spend(4);
    book.see(1, SettlementSeen::Removed);
    assert_eq!(book.units(), [10, 4, 0, 6, 0, 0]);
    let asked = book.0.reserve(account(1), 1, Source::Purchases, None);
    assert_eq!(asked, Err(Fault::NotEnough { asked: 1, left: 0 }));
    // The transaction is mined again, elsewhere.
    book.see(1, TRANSFERRED);
    let late = book.begin(2, Source::Purchases);
    book.see(1, SettlementSeen::Removed);
    book.see(1, SettlementSeen::Unusable);
    assert_eq!(book.units(), [6, 4, 2, 0, 0, 4]);
    let entry = book.0.commit(late, 1, None);
    book.take(entry);
    assert_eq!(book.units(), [5, 5, 0, 0, 0, 5]);
}

#[test]
fn ledger_tells_no_units_in_a_receipt_that_are_frozen_or_revoked() {
    for (seen, left) in [
        (&[SettlementSeen::Removed][..], 5),
        (&[SettlementSeen::Removed, SettlementSeen::Unusable], 5),
        (&[], 11),
    ] {
        let mut book = Book::opened(Owner::Token(hash(1)));
        book.pay(1, 10, 1);
        book.pay(2, 5, 1);
        let call = book.begin(8, Source::Purchases);
        for seen in seen {
            book.see(1, *seen);
        }
        let receipt = book.0.receipt(call, 4, None).expect("a call in progress");
        assert_eq!(receipt.left, left, "{seen:?}");
        let entry = book.0.commit(call, 4, None);
        book.take(entry);
        let account = book.0.account(account(1)).expect("opened");
        assert_eq!(account.spendable(), left, "{seen:?}");
    }
}

#[test]
fn ledger_refunds_final_payments_only_at_their_own_price() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 10, 100);
    book.pay(2, 10, 7);
    book.spend(4);
    assert_eq!(book.0.refunds(account(1)), Ok(Vec::new()));
    book.see(2, SettlementSeen::Finalized);
    let amounts = |book: &Book| {
        let entries = book.0.refunds(account(1)).expect("refunds");
        let amount = |entry: &Entry| match entry {
            Entry::RefundStarted { amount, .. } => *amount,
            other => panic!("{other:?}"),
        };
        entries.iter().map(amount).collect::<Vec<_>>()
    };
    // Both are of one payer, for whom two refunds would cost the fee twice.
    assert_eq!(amounts(&book), [0; 0]);
    // The oldest units were spent, so 6 of 100 and 10 of 7 are left.
    book.see(1, SettlementSeen::Finalized);
    assert_eq!(amounts(&book), [667]);
    let entries = book.0.refunds(account(1)).expect("refunds");
    let Entry::RefundStarted { taken, .. } = &entries[0] else {
        panic!("another entry");
    };
    // A store that gives more back than the units are worth is found out.
    for forged in [668, 666] {
        let mut entry = entries[0].clone();
        if let Entry::RefundStarted { amount, .. } = &mut entry {
            *amount = forged;
        }
        assert_eq!(book.0.apply(&entry), Err(Fault::OutOfOrder));
    }
    let mut twice = entries[0].clone();
    if let Entry::RefundStarted { taken: parts, .. } = &mut twice {
        parts.extend(taken.clone());
    }
    assert_eq!(book.0.apply(&twice), Err(Fault::OutOfOrder));
    book.take(Ok(entries[0].clone()));
    assert_eq!(book.units(), [20, 4, 0, 0, 16, 0]);
    assert_eq!(book.0.refunds(account(1)), Ok(Vec::new()));
    assert!(book.0.refund(RefundId(0)).is_some());
}

#[test]
fn ledger_keeps_what_the_fee_of_a_refund_would_use_up() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 3, 1);
    book.see(1, SettlementSeen::Finalized);
    assert_eq!(book.0.refunds(account(1)), Ok(Vec::new()));
    assert_eq!(book.units(), [3, 0, 0, 3, 0, 0]);
}

#[test]
fn ledger_remembers_each_transaction_that_can_pay_a_refund() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 10, 1);
    book.see(1, SettlementSeen::Finalized);
    let entries = book.0.refunds(account(1)).expect("refunds");
    book.take(Ok(entries[0].clone()));
    for number in [1, 2, 2, 3] {
        let transaction = hash(number);
        let seen = RefundSeen::Sent { transaction };
        let entry = book.0.see_refund(RefundId(0), seen).expect("evidence");
        book.take(Ok(entry.expect("something new")));
    }
    // The first may be mined instead of the last: it would be a foreign one if it were forgotten.
    let refund = book.0.refund(RefundId(0)).expect("started");
    let known: Vec<_> = refund.transactions().collect();
    assert_eq!(known, [hash(3), hash(2), hash(1)]);
}

#[test]
fn ledger_credits_late_invoices_by_the_amount_that_arrived() {
    let mut book = Book::opened(Owner::Invoice(hash(7)));
    let price = purchase(1, 1, 3).price;
    let terms = Purchase {
        quote: price.quote_invoice(1_001, 0),
        refund_fee: None,
        ..purchase(1, 1, 3)
    };
    assert_eq!(terms.quote.units, 1_333);
    let entry = book.0.make_invoice(hash(7), terms, hash(0), 60);
    book.take(entry);
    assert_eq!(book.0.expire_invoices(59).count(), 0);
    let expired: Vec<_> = book.0.expire_invoices(60).collect();
    book.take(Ok(expired[0].clone()));
    assert_eq!(book.0.expire_invoices(60).count(), 0);
    // Only our clock said so: the payer may have paid in time, and the stream may have missed it.
    let unsettled = |book: &Book| book.0.unsettled().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(unsettled(&book), [PaymentKey::Invoice(hash(7)).id()]);
    let settled = |amount| InvoiceSeen::Settled {
        amount,
        settle_index: 5,
    };
    let entry = book.0.see_invoice(hash(7), settled(4_003)).expect("known");
    book.take(Ok(entry.expect("new")));
    assert_eq!(book.units(), [1_334, 0, 0, 1_334, 0, 0]);
    assert_eq!(book.0.settle_index(), 5);
    assert_eq!(unsettled(&book), []);
    // The node's stream repeats itself after a restart.
    assert_eq!(book.0.see_invoice(hash(7), settled(4_003)), Ok(None));
    let repeated = Entry::InvoiceSeen {
        payment_hash: hash(7),
        seen: settled(4_003),
    };
    assert_eq!(book.0.apply(&repeated), Err(Fault::OutOfOrder));
}

#[test]
fn ledger_takes_one_call_of_a_channel_at_a_time_and_rising_sums() {
    let mut book = Book::opened(Owner::Channel(hash(3)));
    let first = book.begin(10, Source::Voucher);
    let second = book.0.reserve(account(1), 1, Source::Voucher, None);
    assert_eq!(second, Err(Fault::Busy));
    let entry = book.0.release(first);
    book.take(entry);
    // The client signs the same sum again, since nothing was charged.
    let again = book.begin(10, Source::Voucher);
    let none = book.0.commit(again, 10, None);
    assert_eq!(none, Err(Fault::WrongSource));
    let zero = book.0.commit(again, 10, Some(0));
    assert_eq!(zero, Err(Fault::NotRising { before: 0, sum: 0 }));
    let entry = book.0.commit(again, 4, Some(8));
    book.take(entry);
    assert_eq!(book.units(), [4, 4, 0, 0, 0, 0]);
    let third = book.begin(2, Source::Voucher);
    let same = book.0.commit(third, 2, Some(8));
    assert_eq!(same, Err(Fault::NotRising { before: 8, sum: 8 }));
    let foreign = book.0.reserve(account(1), 1, Source::Purchases, None);
    assert_eq!(foreign, Err(Fault::WrongSource));
}

#[test]
fn ledger_answers_a_repeated_request_without_charging_again() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 10, 1);
    let request = |body| Request {
        scope: hash(1),
        id: "request-00000001".parse().expect("an id"),
        body: hash(body),
    };
    let ask = |book: &Book, body| {
        book.0
            .reserve(account(1), 4, Source::Purchases, Some(request(body)))
    };
    let Ok(Asked::Begin(reservation, entry)) = ask(&book, 1) else {
        panic!("not begun");
    };
    book.take(Ok(entry));
    assert_eq!(ask(&book, 1), Err(Fault::Running));
    let entry = book.0.commit(reservation, 3, None);
    book.take(entry);
    let Ok(Asked::Done(receipt)) = ask(&book, 1) else {
        panic!("not done");
    };
    assert_eq!((receipt.units, receipt.reserved, receipt.left), (3, 4, 7));
    assert_eq!(ask(&book, 2), Err(Fault::OtherBody));
    assert_eq!(book.units(), [10, 3, 0, 7, 0, 0]);
}

#[test]
fn ledger_gives_a_grant_to_no_second_account_or_payment() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    let again = book.0.open(account(1), Owner::Token(hash(2)));
    assert_eq!(again, Err(Fault::AccountTaken));
    let same_proof = book.0.open(account(2), Owner::Token(hash(1)));
    assert_eq!(same_proof, Err(Fault::AccountTaken));
    book.pay(1, 10, 1);
    let entry = book.0.open(account(2), Owner::Token(hash(2)));
    book.take(entry);
    let reused = book.0.send_payment(key(1), purchase(2, 10, 1), 9);
    assert_eq!(reused, Err(Fault::PaymentUsed));
    let nobody = book.0.send_payment(key(2), purchase(3, 10, 1), 9);
    assert_eq!(nobody, Err(Fault::UnknownAccount));
    let gift = Purchase {
        quote: Quote {
            units: 11,
            amount: 10,
        },
        ..purchase(1, 1, 1)
    };
    assert_eq!(book.0.send_payment(key(2), gift, 9), Err(Fault::EmptyQuote));
    // A proof that was replaced opens nothing, and is never free again.
    let entry = book.0.replace_owner(account(1), Owner::Token(hash(3)));
    book.take(entry);
    assert_eq!(book.0.account_of(Owner::Token(hash(1))), None);
    let old = book.0.open(account(4), Owner::Token(hash(1)));
    assert_eq!(old, Err(Fault::AccountTaken));
    // Units that were bought could never be spent by vouchers.
    let channel = book.0.replace_owner(account(1), Owner::Channel(hash(5)));
    assert_eq!(channel, Err(Fault::WrongSource));
    // A hash of one kind is no proof of another.
    assert_eq!(book.0.account_of(Owner::Channel(hash(3))), None);
}

#[test]
fn ledger_refuses_entries_out_of_order_and_stays_as_it_was() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, u64::MAX, 1);
    let before = book.0.clone();
    let reservation = ReservationId(0);
    let reserved = |reservation, units| Entry::Reserved {
        reservation,
        account: account(1),
        units,
        source: Source::Purchases,
        request: None,
    };
    for (entry, expected) in [
        (reserved(ReservationId(u64::MAX), 1), Fault::Overflow),
        (
            reserved(reservation, 0),
            Fault::WrongUnits {
                units: 0,
                most: u64::MAX,
            },
        ),
        (Entry::Released { reservation }, Fault::UnknownReservation),
        (
            Entry::PaymentSeen {
                payment: key(9).id(),
                seen: TRANSFERRED,
            },
            Fault::UnknownPayment,
        ),
        (
            Entry::PaymentSent {
                payment: PaymentKey::Invoice(hash(1)),
                purchase: purchase(1, 1, 1),
                valid_before: 9,
            },
            Fault::OutOfOrder,
        ),
    ] {
        assert_eq!(book.0.apply(&entry), Err(expected), "{entry:?}");
        assert_eq!(book.0, before);
    }
    let entry = book.0.send_payment(key(2), purchase(1, 1, 1), 9);
    book.take(entry);
    let one_more = book.0.see_payment(key(2).id(), TRANSFERRED);
    assert_eq!(one_more, Err(Fault::Overflow));
}

#[test]
fn skip_reservations_leaves_numbers_out_that_nobody_gets_again() {
    let mut book = Book::opened(Owner::Token(hash(1)));
    book.pay(1, 10, 1);
    book.0.skip_reservations(ReservationId(5));
    book.0.skip_reservations(ReservationId(2));
    assert_eq!(book.0.next_reservation(), ReservationId(5));
    let asked = book.0.reserve(account(1), 4, Source::Purchases, None);
    let Ok(Asked::Begin(ReservationId(5), entry)) = asked else {
        panic!("{asked:?}");
    };
    book.0.apply(&entry).unwrap();
    assert_eq!(book.0.next_reservation(), ReservationId(6));
    // A ledger that is read again takes the gap, and no number before it.
    let Entry::Reserved { reservation, .. } = entry.clone() else {
        panic!("{entry:?}");
    };
    let again = book.0.apply(&entry);
    assert_eq!(again, Err(Fault::OutOfOrder), "{reservation:?}");
}
