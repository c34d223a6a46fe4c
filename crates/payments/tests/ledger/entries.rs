//! Ledger against arbitrary entries, as a damaged store could have them.

use alloy_primitives::{Address, B256};
use cotrain_payments::{
    ledger::{
        AccountId, Entry, InvoiceSeen, Ledger, Owner, PaymentKey, Purchase, RefundId, RefundSeen,
        Request, ReservationId, SettlementSeen, Source, Taken, Token,
    },
    price::{Quote, UnitPrice},
};
use proptest::prelude::*;

fn hash() -> impl Strategy<Value = B256> {
    (0..3u8).prop_map(B256::repeat_byte)
}

fn account() -> impl Strategy<Value = AccountId> {
    hash().prop_map(AccountId)
}

fn owner() -> impl Strategy<Value = Owner> {
    (hash(), 0..3u8).prop_map(|(hash, kind)| match kind {
        0 => Owner::Token(hash),
        1 => Owner::Channel(hash),
        _ => Owner::Invoice(hash),
    })
}

fn key() -> impl Strategy<Value = PaymentKey> {
    let token = Token {
        chain: 1,
        address: Address::ZERO,
    };
    (hash(), 0..4u8).prop_map(move |(nonce, kind)| match kind {
        0 => PaymentKey::Invoice(nonce),
        _ => PaymentKey::Authorization {
            payer: Address::ZERO,
            token,
            nonce,
        },
    })
}

/// Small and huge numbers.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..20u64, 1 => u64::MAX - 3..=u64::MAX]
}

fn purchase() -> impl Strategy<Value = Purchase> {
    let fee = prop::option::of(0..5u128);
    (account(), number(), 1..4u64, 1..4u64, fee, -1..2i8).prop_map(
        |(account, units, amount, per, refund_fee, more)| {
            let price = UnitPrice {
                amount: amount.try_into().expect("not zero"),
                units: per.try_into().expect("not zero"),
            };
            let cost = price.cost(units);
            let amount = cost.saturating_add_signed(more.into());
            Purchase {
                account,
                quote: Quote { units, amount },
                price,
                refund_fee,
            }
        },
    )
}

fn settlement_seen() -> impl Strategy<Value = SettlementSeen> {
    prop_oneof![
        3 => hash().prop_map(|transaction| SettlementSeen::Transferred { transaction }),
        2 => Just(SettlementSeen::Finalized),
        1 => Just(SettlementSeen::Lost),
        1 => Just(SettlementSeen::Removed),
        1 => Just(SettlementSeen::Reverted),
        1 => Just(SettlementSeen::Unusable),
    ]
}

fn refund_seen() -> impl Strategy<Value = RefundSeen> {
    prop_oneof![
        hash().prop_map(|transaction| RefundSeen::Sent { transaction }),
        Just(RefundSeen::Lost),
        Just(RefundSeen::Paid),
        Just(RefundSeen::Removed),
        Just(RefundSeen::Failed),
        Just(RefundSeen::Finalized),
    ]
}

fn request() -> impl Strategy<Value = Option<Request>> {
    prop::option::of(
        (hash(), 0..3u8, hash()).prop_map(|(scope, id, body)| Request {
            scope,
            id: format!("request-{id:08}").parse().expect("an id"),
            body,
        }),
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let reservation = || (0..6u64).prop_map(ReservationId);
    let refund = || (0..3u64).prop_map(RefundId);
    let source = prop_oneof![
        Just(Source::Purchases),
        Just(Source::Voucher),
        Just(Source::Free)
    ];
    let invoice_seen = prop_oneof![
        Just(InvoiceSeen::Accepted),
        Just(InvoiceSeen::Canceled),
        Just(InvoiceSeen::Expired),
        (number(), 0..9u64).prop_map(|(amount, settle_index)| InvoiceSeen::Settled {
            amount,
            settle_index
        }),
    ];
    let taken = (key(), number()).prop_map(|(key, units)| Taken {
        payment: key.id(),
        units,
    });
    let charged = prop::option::of(number().prop_map(u128::from));
    prop_oneof![
        3 => (account(), owner()).prop_map(|(account, owner)| Entry::Opened { account, owner }),
        1 => (account(), owner())
            .prop_map(|(account, owner)| Entry::OwnerReplaced { account, owner }),
        3 => (key(), purchase()).prop_map(|(payment, purchase)| Entry::PaymentSent {
            payment,
            purchase,
            valid_before: 0
        }),
        4 => (key(), settlement_seen())
            .prop_map(|(key, seen)| Entry::PaymentSeen { payment: key.id(), seen }),
        2 => (hash(), purchase()).prop_map(|(payment_hash, purchase)| Entry::InvoiceMade {
            payment_hash,
            purchase,
            request: B256::ZERO,
            expires: 0
        }),
        3 => (hash(), invoice_seen)
            .prop_map(|(payment_hash, seen)| Entry::InvoiceSeen { payment_hash, seen }),
        6 => (reservation(), account(), number(), source, request()).prop_map(
            |(reservation, account, units, source, request)| Entry::Reserved {
                reservation,
                account,
                units,
                source,
                request
            }
        ),
        4 => (reservation(), number(), charged).prop_map(|(reservation, units, charged)| {
            Entry::Committed { reservation, units, charged }
        }),
        2 => reservation().prop_map(|reservation| Entry::Released { reservation }),
        2 => (refund(), account(), 0..30u128, prop::collection::vec(taken, 0..3)).prop_map(
            |(refund, account, amount, taken)| Entry::RefundStarted {
                refund,
                account,
                payer: Address::ZERO,
                token: Token { chain: 1, address: Address::ZERO },
                amount,
                taken
            }
        ),
        2 => (refund(), refund_seen()).prop_map(|(refund, seen)| Entry::RefundSeen { refund, seen }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn ledger_stays_balanced_under_any_entries(entries in prop::collection::vec(entry(), 1..80)) {
        let mut ledger = Ledger::default();
        for entry in &entries {
            let before = ledger.clone();
            if ledger.apply(entry).is_err() {
                prop_assert_eq!(&ledger, &before, "{:?}", entry);
            }
            for (id, account) in ledger.accounts() {
                prop_assert!(account.is_balanced(), "{:?} after {:?}: {:?}", id, entry, account);
            }
            // What the rules offer, they also take.
            let accounts: Vec<_> = ledger.accounts().map(|(id, _)| id).collect();
            for account in accounts {
                let mut refunding = ledger.clone();
                for refund in refunding.refunds(account).expect("known") {
                    refunding.apply(&refund).expect("offered");
                }
            }
        }
        let mut recovered = ledger.clone();
        for entry in ledger.recover() {
            recovered.apply(&entry).expect("offered");
        }
        prop_assert_eq!(recovered.recover().count(), 0);
    }
}
