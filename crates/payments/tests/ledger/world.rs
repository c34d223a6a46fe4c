//! World around a ledger: what truly happened on the chain, at the node and for the callers.
//!
//! It knows nothing of the ledger's entries but their texts in the store.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::B256;
use cotrain_payments::ledger::{
    Asked, Entry, Fault, InvoiceSeen, Ledger, Owner, PaymentId, PaymentKey, Purchase, RefundId,
    RefundSeen, RefundState, Request, ReservationId, SettlementSeen, Source, UniqueKey,
};

use crate::facts::{Authorization, Invoice, Refund, Truth, name, payer, price, token};

/// Number of accounts: two with tokens, one with an invoice, one with a channel, one for free.
pub(crate) const ACCOUNTS: u8 = 5;
const CHANNEL: u8 = 3;
const FREE: u8 = 4;
/// Fee of a refund.
const FEE: u128 = 5;

/// Something that happens. A number picks one of what there is.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Authorize {
        account: u8,
        units: u64,
    },
    MoveChain(u8),
    LookAtChain(u8),
    MakeInvoice {
        account: u8,
        units: u64,
    },
    PayInvoice {
        pick: u8,
        more: u64,
    },
    ReadStream,
    ExpireInvoices(u8),
    Call {
        account: u8,
        units: u64,
        outcome: u8,
        id: u8,
    },
    Close {
        account: u8,
    },
    ReplaceOwner {
        account: u8,
    },
}

pub(crate) struct World {
    ledger: Ledger,
    /// Texts of all entries that were written.
    log: Vec<String>,
    names: BTreeSet<UniqueKey>,
    /// Writes left until the process dies, and `true` if it dies at once.
    crash: Option<u8>,
    dead: bool,
    authorizations: Vec<Authorization>,
    invoices: Vec<Invoice>,
    refunds: BTreeMap<RefundId, Refund>,
    /// Units of calls whose commit was written, by account.
    charged: [u64; ACCOUNTS as usize],
    /// Costs of requests that were answered.
    answered: BTreeMap<(u8, u8), u64>,
    channel_sum: u128,
    settled: u64,
    owners: u8,
    now: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            ledger: Ledger::default(),
            log: Vec::new(),
            names: BTreeSet::new(),
            crash: None,
            dead: false,
            authorizations: Vec::new(),
            invoices: Vec::new(),
            refunds: BTreeMap::new(),
            charged: [0; ACCOUNTS as usize],
            answered: BTreeMap::new(),
            channel_sum: 0,
            settled: 0,
            owners: 0,
            now: 0,
        };
        for account in 0..ACCOUNTS {
            let hash = B256::with_last_byte(100 + account);
            let owner = match account {
                2 => Owner::Invoice(hash),
                CHANNEL => Owner::Channel(hash),
                _ => Owner::Token(hash),
            };
            let entry = world.ledger.open(name(account), owner).expect("opened");
            assert!(world.write(&entry));
        }
        world
    }

    /// Does one thing; the process dies before, between or after its writes if `crash` says so.
    pub(crate) fn step(&mut self, op: &Op, crash: Option<u8>) {
        self.crash = crash;
        self.act(op);
        if self.crash.take().is_some() || self.dead {
            self.restart();
        }
    }

    /// Writes an entry and takes it over. Returns `false` if the process died before the write.
    ///
    /// A process that died after the write does nothing more either, but the entry counts.
    fn write(&mut self, entry: &Entry) -> bool {
        if self.dead {
            return false;
        }
        // An even number dies after a write, an odd one before.
        if self.crash == Some(1) {
            self.dead = true;
            return false;
        }
        let text = serde_json::to_string(entry).expect("an entry has a text");
        for name in entry.unique() {
            assert!(self.names.insert(name.clone()), "{name:?} was taken");
        }
        self.log.push(text);
        if self.crash == Some(0) {
            self.dead = true;
            return true;
        }
        self.crash = self.crash.map(|left| left.saturating_sub(2));
        self.ledger.apply(entry).expect("an entry that was decided");
        true
    }

    fn replayed(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for text in &self.log {
            let entry = serde_json::from_str(text).expect("an entry");
            ledger.apply(&entry).expect("an entry of the log");
        }
        ledger
    }

    fn restart(&mut self) {
        (self.crash, self.dead) = (None, false);
        self.ledger = self.replayed();
        let entries: Vec<_> = self.ledger.recover().collect();
        for entry in entries {
            assert!(self.write(&entry));
        }
        assert_eq!(self.ledger.recover().count(), 0);
    }

    fn act(&mut self, op: &Op) {
        match *op {
            Op::Authorize { account, units } => self.authorize(account, units),
            Op::MoveChain(pick) => self.move_chain(pick),
            Op::LookAtChain(pick) => self.look_at_chain(pick),
            Op::MakeInvoice { account, units } => self.make_invoice(account, units),
            Op::PayInvoice { pick, more } => self.pay_invoice(pick, more),
            Op::ReadStream => self.read_stream(),
            Op::ExpireInvoices(time) => {
                self.now += u64::from(time);
                let entries: Vec<_> = self.ledger.expire_invoices(self.now).collect();
                for entry in entries {
                    self.write(&entry);
                }
            }
            Op::Call {
                account,
                units,
                outcome,
                id,
            } => self.call(account, units, outcome, id),
            Op::Close { account } => self.close(account),
            Op::ReplaceOwner { account } => {
                self.owners += 1;
                let hash = B256::repeat_byte(self.owners);
                let owner = match account {
                    2 => Owner::Invoice(hash),
                    CHANNEL => Owner::Channel(hash),
                    _ => Owner::Token(hash),
                };
                let before = self.ledger.account(name(account)).expect("opened").owner();
                let entry = self.ledger.replace_owner(name(account), owner);
                self.write(&entry.expect("replaced"));
                if !self.dead {
                    assert_eq!(self.ledger.account_of(owner), Some(name(account)));
                    assert_eq!(self.ledger.account_of(before), None);
                }
            }
        }
    }

    fn authorize(&mut self, account: u8, units: u64) {
        let nonce = u8::try_from(self.authorizations.len()).expect("few");
        let key = PaymentKey::Authorization {
            payer: payer(account),
            token: token(),
            nonce: B256::with_last_byte(nonce),
        };
        let quote = price().quote(units);
        let purchase = Purchase {
            account: name(account),
            quote,
            price: price(),
            refund_fee: Some(FEE),
        };
        let entry = self.ledger.send_payment(key, purchase, 0);
        if account == CHANNEL {
            return assert_eq!(entry, Err(Fault::WrongSource));
        }
        let entry = entry.expect("taken");
        // The transaction goes out only after the entry was written.
        if self.write(&entry) {
            self.authorizations.push(Authorization {
                key,
                account,
                units,
                amount: quote.amount,
                truth: Truth::Pending,
            });
            if !self.dead {
                let again = self.ledger.send_payment(key, purchase, 0);
                assert_eq!(again, Err(Fault::PaymentUsed));
            }
        }
    }

    fn move_chain(&mut self, pick: u8) {
        let payments = self.authorizations.iter_mut().map(|it| &mut it.truth);
        let refunds = self.refunds.values_mut().map(|it| &mut it.truth);
        let open: Vec<_> = payments
            .map(|it| (it, true))
            .chain(refunds.map(|it| (it, false)))
            .collect();
        let mut open: Vec<_> = open.into_iter().filter(|(it, _)| !it.is_over()).collect();
        if !open.is_empty() {
            let at = usize::from(pick / 4) % open.len();
            let (truth, can_revert) = &mut open[at];
            **truth = truth.next(pick, *can_revert);
        }
    }

    /// Looks at one payment or refund, and takes what it sees as evidence.
    fn look_at_chain(&mut self, pick: u8) {
        let count = self.authorizations.len() + self.refunds.len();
        if count == 0 {
            return;
        }
        let at = usize::from(pick / 2) % count;
        if let Some(payment) = self.authorizations.get(at) {
            let lost = pick.is_multiple_of(2);
            let (id, truth) = (payment.key.id(), payment.truth);
            self.see_payment(id, truth, lost);
        } else {
            let at = at - self.authorizations.len();
            let (id, truth) = self
                .refunds
                .iter()
                .nth(at)
                .map(|(id, it)| (*id, it.truth))
                .expect("one");
            self.see_refund(id, truth);
        }
    }

    fn see_payment(&mut self, id: PaymentId, truth: Truth, lost: bool) {
        use SettlementSeen as Seen;
        let moved = Seen::Transferred {
            transaction: B256::ZERO,
        };
        // A node tells a removal before what follows it.
        let evidence: &[_] = match truth {
            Truth::Pending if lost => &[Seen::Removed, Seen::Lost],
            Truth::Pending => &[Seen::Removed],
            Truth::Reverted => &[Seen::Removed, Seen::Reverted],
            Truth::Moved => &[moved],
            Truth::Final => &[moved, Seen::Finalized],
            Truth::Never => &[Seen::Removed, Seen::Unusable],
        };
        for &seen in evidence {
            if self.dead {
                return;
            }
            let entry = self.ledger.see_payment(id, seen).expect("true evidence");
            if let Some(entry) = entry {
                self.write(&entry);
            }
        }
    }

    fn see_refund(&mut self, id: RefundId, truth: Truth) {
        use RefundSeen as Seen;
        let sent = Seen::Sent {
            transaction: B256::with_last_byte(1),
        };
        let state = self.ledger.refund(id).expect("a refund").state;
        let is_sent = state != RefundState::Started;
        // Nothing moves on the chain before the transaction's hash was stored.
        let evidence: &[_] = match truth {
            Truth::Never => &[Seen::Removed, Seen::Failed],
            _ if !is_sent => &[sent],
            Truth::Pending | Truth::Reverted => &[Seen::Removed, Seen::Lost],
            Truth::Moved => &[Seen::Paid],
            Truth::Final => &[Seen::Paid, Seen::Finalized],
        };
        for &seen in evidence {
            if self.dead {
                return;
            }
            let entry = self.ledger.see_refund(id, seen).expect("true evidence");
            if let Some(entry) = entry {
                self.write(&entry);
            }
        }
    }

    fn make_invoice(&mut self, account: u8, units: u64) {
        let hash = B256::repeat_byte(u8::try_from(self.invoices.len()).expect("few"));
        let quote = price().quote_invoice(units, 0);
        let purchase = Purchase {
            account: name(account),
            quote,
            price: price(),
            refund_fee: None,
        };
        let expires = self.now + 300;
        let entry = self
            .ledger
            .make_invoice(hash, purchase, B256::ZERO, expires);
        if account == CHANNEL {
            return assert_eq!(entry, Err(Fault::WrongSource));
        }
        // A payer learns of an invoice only after it was written.
        if self.write(&entry.expect("made")) {
            let amount = u64::try_from(quote.amount).expect("small");
            self.invoices.push(Invoice {
                hash,
                account,
                amount,
                expires,
                paid: None,
            });
        }
    }

    fn pay_invoice(&mut self, pick: u8, more: u64) {
        let mut open: Vec<_> = self
            .invoices
            .iter_mut()
            .filter(|it| it.paid.is_none())
            .collect();
        if !open.is_empty() {
            let at = usize::from(pick) % open.len();
            self.settled += 1;
            open[at].paid = Some((open[at].amount + more, self.settled));
        }
    }

    /// Reads the node's stream from where the ledger stands, and one settlement before it again.
    fn read_stream(&mut self) {
        let from = self.ledger.settle_index();
        let mut settled: Vec<_> = self
            .invoices
            .iter()
            .filter_map(|it| it.paid.map(|(amount, index)| (index, amount, it.hash)))
            .filter(|(index, ..)| *index >= from)
            .collect();
        settled.sort_unstable();
        for (settle_index, amount, hash) in settled {
            if self.dead {
                return;
            }
            let seen = InvoiceSeen::Settled {
                amount,
                settle_index,
            };
            if let Some(entry) = self.ledger.see_invoice(hash, seen).expect("known") {
                self.write(&entry);
            }
        }
    }

    fn call(&mut self, account: u8, units: u64, outcome: u8, id: u8) {
        let source = match account {
            CHANNEL => Source::Voucher,
            FREE => Source::Free,
            _ => Source::Purchases,
        };
        // The body depends on the id, so that some requests are repeated and none is changed.
        let request = Request {
            scope: name(account).0,
            id: format!("request-{id:08}").parse().expect("an id"),
            body: B256::with_last_byte(id),
        };
        let left = self
            .ledger
            .account(name(account))
            .expect("opened")
            .spendable();
        let asked = self
            .ledger
            .reserve(name(account), units, source, Some(request));
        let key = (account, id);
        let (reservation, entry) = match asked {
            Ok(Asked::Begin(reservation, entry)) => (reservation, entry),
            Ok(Asked::Done(receipt)) => {
                assert_eq!(Some(&receipt.units), self.answered.get(&key));
                return;
            }
            Err(Fault::NotEnough { asked, left: told }) => {
                assert!(source == Source::Purchases && left < units);
                assert_eq!((asked, told), (units, left));
                return;
            }
            Err(fault) => panic!("{fault}"),
        };
        assert!(source != Source::Purchases || units <= left);
        assert!(!self.answered.contains_key(&key), "a request ran twice");
        if !self.write(&entry) || self.dead {
            return;
        }
        self.end_call(reservation, account, units, outcome, key);
    }

    fn end_call(
        &mut self,
        reservation: ReservationId,
        account: u8,
        units: u64,
        outcome: u8,
        key: (u8, u8),
    ) {
        let spent = u64::from(outcome) % (units + 1);
        if spent == 0 {
            let entry = self.ledger.release(reservation).expect("released");
            self.write(&entry);
            return;
        }
        let charged = (account == CHANNEL).then(|| self.channel_sum + price().cost(spent));
        let too_much = self.ledger.commit(reservation, units + 1, charged);
        assert!(matches!(too_much, Err(Fault::WrongUnits { .. })));
        let receipt = self
            .ledger
            .receipt(reservation, spent, charged)
            .expect("a receipt");
        let entry = self
            .ledger
            .commit(reservation, spent, charged)
            .expect("committed");
        if self.write(&entry) {
            self.charged[usize::from(account)] += spent;
            self.channel_sum = charged.unwrap_or(self.channel_sum);
            self.answered.insert(key, spent);
            if !self.dead {
                let account = self.ledger.account(name(account)).expect("opened");
                assert_eq!(receipt.left, account.spendable());
            }
        }
    }

    fn close(&mut self, account: u8) {
        let entries = self.ledger.refunds(name(account)).expect("refunds");
        for entry in entries {
            let Entry::RefundStarted {
                refund,
                amount,
                ref taken,
                payer: to,
                ..
            } = entry
            else {
                panic!("another entry");
            };
            assert_eq!(to, payer(account));
            let units = taken.iter().map(|part| part.units).sum();
            if self.write(&entry) {
                let truth = Truth::Pending;
                self.refunds.insert(
                    refund,
                    Refund {
                        account,
                        units,
                        amount,
                        truth,
                    },
                );
            }
        }
    }

    /// Checks what must hold at every moment.
    pub(crate) fn check(&self) {
        for (id, account) in self.ledger.accounts() {
            assert!(account.is_balanced(), "{id:?}: {account:?}");
        }
        for account in 0..ACCOUNTS {
            let spent = self.ledger.account(name(account)).expect("opened").spent();
            assert_eq!(spent, self.charged[usize::from(account)]);
        }
        let channel = self.ledger.account(name(CHANNEL)).expect("opened");
        assert_eq!(channel.charged(), self.channel_sum);
    }

    /// Lets everything come to its end, and compares the ledger with what truly happened.
    pub(crate) fn settle(mut self) {
        self.restart();
        for payment in &mut self.authorizations {
            payment.truth = match payment.truth {
                Truth::Moved | Truth::Final => Truth::Final,
                _ => Truth::Never,
            };
        }
        let seen: Vec<_> = self
            .authorizations
            .iter()
            .map(|it| (it.key.id(), it.truth))
            .collect();
        for (id, truth) in seen {
            self.see_payment(id, truth, false);
        }
        for id in self.refunds.keys().copied().collect::<Vec<_>>() {
            let refund = self.refunds.get_mut(&id).expect("one");
            refund.truth = match refund.truth {
                Truth::Moved | Truth::Final => Truth::Final,
                _ => Truth::Never,
            };
            let truth = refund.truth;
            self.see_refund(id, truth);
            self.see_refund(id, truth);
        }
        self.read_stream();
        self.check();
        self.compare();
        assert_eq!(self.replayed(), self.ledger);
        let text = serde_json::to_string(&self.ledger).expect("a text");
        assert_eq!(
            serde_json::from_str::<Ledger>(&text).expect("a ledger"),
            self.ledger
        );
    }

    fn compare(&self) {
        assert_eq!(self.ledger.unpaid().count(), 0);
        for account in 0..ACCOUNTS {
            let ledger = self.ledger.account(name(account)).expect("opened");
            let paid = |it: &&Authorization| it.account == account && it.truth == Truth::Final;
            let tokens = self.authorizations.iter().filter(paid);
            let invoices = self.invoices.iter().filter(|it| it.account == account);
            let by_invoices: u64 = invoices
                .filter_map(|it| it.paid)
                .map(|(amount, _)| price().buys(amount.into()))
                .sum();
            let charged = self.charged[usize::from(account)];
            let unpaid = if account == CHANNEL || account == FREE {
                charged
            } else {
                0
            };
            let by_tokens: u64 = tokens.clone().map(|it| it.units).sum();
            let bought = by_tokens + by_invoices + unpaid + ledger.lost();
            assert_eq!(ledger.bought(), bought, "account {account}");
            let back = |it: &&Refund| it.account == account && it.truth == Truth::Final;
            let refunds = self.refunds.values().filter(back);
            let refunded: u64 = refunds.clone().map(|it| it.units).sum();
            assert_eq!(ledger.refunded(), refunded, "account {account}");
            let left = bought - charged - refunded;
            assert_eq!((ledger.left(), ledger.spendable()), (left, left));
            assert_eq!(ledger.reserved(), 0);
            let paid: u128 = tokens.map(|it| it.amount).sum();
            let back: u128 = refunds.map(|it| it.amount).sum();
            assert!(back <= paid, "account {account} got {back} of {paid} back");
        }
        // An expired invoice that nobody paid costs and gives nothing.
        let expired = self
            .invoices
            .iter()
            .filter(|it| it.expires <= self.now && it.paid.is_none());
        for invoice in expired {
            let payment = self.ledger.payment(PaymentKey::Invoice(invoice.hash).id());
            assert_eq!(payment.expect("made").credited, 0);
        }
    }
}
