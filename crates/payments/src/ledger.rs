//! Ledger of accounts, payments, reservations and refunds, without a database.
//!
//! Rules look at the state and return an [`Entry`]. A store writes it in one transaction, together
//! with its [unique names](Entry::unique), and then [`Ledger::apply`] takes it over. All entries
//! from the beginning make the same state again, so a crash loses at most an entry that nobody was
//! told of. After a start, write and apply all entries of [`Ledger::recover`].
//!
//! Every entry is checked when it is applied, so a damaged store is an error and not a wrong
//! balance. Docs: `docs/adr/018-payments.md`.

mod account;
mod apply;
mod entry;
mod evidence;
mod fault;
mod key;
mod request;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use self::request::Requests;
pub use self::{
    account::{Account, Taken},
    entry::{Entry, Purchase, Receipt, Source, UniqueKey},
    evidence::{
        Contradiction, Invoice, InvoiceSeen, RefundSeen, RefundState, Settlement, SettlementSeen,
    },
    fault::Fault,
    key::{
        AccountId, Owner, PaymentId, PaymentKey, RefundId, Request, RequestId, RequestIdError,
        ReservationId, Token,
    },
    request::REMEMBERED,
};

/// State that the entries so far make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    accounts: BTreeMap<AccountId, Account>,
    /// Accounts by the hash of their proof.
    owners: BTreeMap<B256, AccountId>,
    payments: BTreeMap<PaymentId, Payment>,
    reservations: BTreeMap<ReservationId, Reservation>,
    refunds: BTreeMap<RefundId, Refund>,
    requests: Requests,
    /// Number of the next reservation.
    next_reservation: u64,
    /// Number of the next refund.
    next_refund: u64,
    /// Highest number of a settlement in the node's stream.
    settle_index: u64,
    /// Number of entries so far.
    entries: u64,
}

/// Payment for units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Facts that only this payment has.
    pub key: PaymentKey,
    /// Terms.
    pub purchase: Purchase,
    /// State, by the kind of payment.
    pub state: PaymentState,
    /// Units that the account got.
    pub credited: u64,
}

/// State of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Authorization.
    Settlement {
        /// State.
        state: Settlement,
        /// Time from which the authorization is void, in seconds since 1970.
        valid_before: u64,
        /// Transaction that moved the tokens, once one was seen.
        transaction: Option<B256>,
    },
    /// Invoice.
    Invoice {
        /// State.
        state: Invoice,
        /// Hash of the request that it was quoted for.
        request: B256,
        /// Time from which nobody should pay, in seconds since 1970.
        expires: u64,
    },
}

/// Units that a call in progress has set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Account that pays.
    pub account: AccountId,
    /// Maximum number of units that the call may cost.
    pub units: u64,
    /// Source of the units.
    pub source: Source,
    /// Units by purchase.
    taken: Vec<Taken>,
    /// Request, if the caller gave it an id.
    request: Option<Request>,
}

/// Refund of an `exact` payment's units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Account that the units left.
    pub account: AccountId,
    /// Account on the chain that gets the tokens.
    pub payer: Address,
    /// Token.
    pub token: Token,
    /// Amount in atomic units, without the fee.
    pub amount: u128,
    /// State.
    pub state: RefundState,
    /// Last transaction that was signed.
    pub transaction: Option<B256>,
    /// Transactions before it, oldest first. Each can still be mined instead.
    replaced: Vec<B256>,
    taken: Vec<Taken>,
}

/// Answer to a request for a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// The work may begin once this entry is written.
    Begin(ReservationId, Entry),
    /// The same request was done before, at this cost.
    Done(Receipt),
}

impl Refund {
    /// Returns all transactions that were signed, the last one first. One of them at most is mined.
    ///
    /// The refund has failed only if none of them moved the tokens.
    pub fn transactions(&self) -> impl Iterator<Item = B256> {
        let replaced = self.replaced.iter().rev();
        self.transaction.into_iter().chain(replaced.copied())
    }
}

impl Ledger {
    /// Returns an account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// Returns the account that a proof spends from.
    #[must_use]
    pub fn account_of(&self, owner: Owner) -> Option<AccountId> {
        let id = *self.owners.get(&owner.hash())?;
        let account = self.accounts.get(&id)?;
        (account.owner() == owner).then_some(id)
    }

    /// Returns all accounts with their names.
    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Account)> {
        self.accounts.iter().map(|(id, account)| (*id, account))
    }

    /// Returns a payment.
    #[must_use]
    pub fn payment(&self, id: PaymentId) -> Option<&Payment> {
        self.payments.get(&id)
    }

    /// Returns the payments about which somebody must look for evidence.
    ///
    /// An invoice that expired is one of them until the node says that it canceled it. The stream of
    /// settlements may have missed its payment: before the first settlement it has no history. And a
    /// look-up of a later invoice moves its index past what it missed.
    pub fn unsettled(&self) -> impl Iterator<Item = (PaymentId, &Payment)> {
        let payments = self.payments.iter().map(|(id, payment)| (*id, payment));
        payments.filter(|(_, payment)| match payment.state {
            PaymentState::Settlement { state, .. } => !state.is_over(),
            PaymentState::Invoice { state, .. } => {
                matches!(state, Invoice::Open | Invoice::Accepted | Invoice::Expired)
            }
        })
    }

    /// Returns a call in progress.
    #[must_use]
    pub fn reservation(&self, id: ReservationId) -> Option<&Reservation> {
        self.reservations.get(&id)
    }

    /// Returns a refund.
    #[must_use]
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.refunds.get(&id)
    }

    /// Returns the refunds that evidence can still change.
    pub fn unpaid(&self) -> impl Iterator<Item = (RefundId, &Refund)> {
        let refunds = self.refunds.iter().map(|(id, refund)| (*id, refund));
        refunds.filter(|(_, refund)| !refund.state.is_over())
    }

    /// Returns the number from which the node's stream of settlements goes on.
    #[must_use]
    pub const fn settle_index(&self) -> u64 {
        self.settle_index
    }

    /// Returns the number of entries so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Returns the calls in progress.
    pub fn reservations(&self) -> impl Iterator<Item = ReservationId> {
        self.reservations.keys().copied()
    }

    /// Returns the number of the next reservation.
    #[must_use]
    pub const fn next_reservation(&self) -> ReservationId {
        ReservationId(self.next_reservation)
    }

    /// Leaves out all numbers of reservations below one: callers may know them, though none is stored.
    pub fn skip_reservations(&mut self, next: ReservationId) {
        self.next_reservation = self.next_reservation.max(next.0);
    }

    /// Opens an account without units.
    ///
    /// # Errors
    /// [`Fault::AccountTaken`].
    pub fn open(&self, account: AccountId, owner: Owner) -> Result<Entry, Fault> {
        self.checked(Entry::Opened { account, owner })
    }

    /// Gives an account another proof. The caller must have proven the payment again.
    ///
    /// # Errors
    /// [`Fault::UnknownAccount`] or [`Fault::AccountTaken`].
    pub fn replace_owner(&self, account: AccountId, owner: Owner) -> Result<Entry, Fault> {
        self.checked(Entry::OwnerReplaced { account, owner })
    }

    /// Takes an authorization, whose transaction may be sent once the entry is written.
    ///
    /// # Errors
    /// [`Fault::PaymentUsed`] if it was presented before: its state then says how to answer.
    pub fn send_payment(
        &self,
        payment: PaymentKey,
        purchase: Purchase,
        valid_before: u64,
    ) -> Result<Entry, Fault> {
        self.checked(Entry::PaymentSent {
            payment,
            purchase,
            valid_before,
        })
    }

    /// Takes evidence about an authorization. Returns `None` if it says nothing new.
    ///
    /// # Errors
    /// [`Fault::UnknownPayment`], or a [`Contradiction`].
    pub fn see_payment(
        &self,
        payment: PaymentId,
        seen: SettlementSeen,
    ) -> Result<Option<Entry>, Fault> {
        if self.settlement_after(payment, seen)?.is_none() {
            return Ok(None);
        }
        self.checked(Entry::PaymentSeen { payment, seen }).map(Some)
    }

    /// Records an invoice before the payer learns of it.
    ///
    /// # Errors
    /// [`Fault::PaymentUsed`] if the node repeats a payment hash.
    pub fn make_invoice(
        &self,
        payment_hash: B256,
        purchase: Purchase,
        request: B256,
        expires: u64,
    ) -> Result<Entry, Fault> {
        self.checked(Entry::InvoiceMade {
            payment_hash,
            purchase,
            request,
            expires,
        })
    }

    /// Takes evidence about an invoice. Returns `None` if it says nothing new.
    ///
    /// # Errors
    /// [`Fault::UnknownPayment`]
    pub fn see_invoice(
        &self,
        payment_hash: B256,
        seen: InvoiceSeen,
    ) -> Result<Option<Entry>, Fault> {
        let id = PaymentKey::Invoice(payment_hash).id();
        if self.invoice_after(id, seen)?.is_none() {
            return Ok(None);
        }
        self.checked(Entry::InvoiceSeen { payment_hash, seen })
            .map(Some)
    }

    /// Returns the entries for the invoices whose time has passed.
    pub fn expire_invoices(&self, now: u64) -> impl Iterator<Item = Entry> {
        self.payments.values().filter_map(move |payment| {
            let PaymentKey::Invoice(payment_hash) = payment.key else {
                return None;
            };
            let PaymentState::Invoice { state, expires, .. } = payment.state else {
                return None;
            };
            let passed = state == Invoice::Open && expires <= now;
            let seen = InvoiceSeen::Expired;
            passed.then_some(Entry::InvoiceSeen { payment_hash, seen })
        })
    }

    /// Sets units aside for a call.
    ///
    /// The caller must have proven the account's owner.
    ///
    /// # Errors
    /// [`Fault`] if the account cannot pay, or the request runs or has another body.
    pub fn reserve(
        &self,
        account: AccountId,
        units: u64,
        source: Source,
        request: Option<Request>,
    ) -> Result<Asked, Fault> {
        if let Some(request) = &request
            && let Some(receipt) = self.requests.answered(request)?
        {
            return Ok(Asked::Done(receipt.clone()));
        }
        let reservation = ReservationId(self.next_reservation);
        let entry = self.checked(Entry::Reserved {
            reservation,
            account,
            units,
            source,
            request,
        })?;
        Ok(Asked::Begin(reservation, entry))
    }

    /// Charges a call whose work succeeded: at least one unit, and at most those reserved.
    ///
    /// `charged` is the sum that the channel was charged with this call, if a voucher pays.
    ///
    /// # Errors
    /// [`Fault`] if the numbers do not fit the reservation.
    pub fn commit(
        &self,
        reservation: ReservationId,
        units: u64,
        charged: Option<u128>,
    ) -> Result<Entry, Fault> {
        self.checked(Entry::Committed {
            reservation,
            units,
            charged,
        })
    }

    /// Returns the proof of what a call will have cost once its commit is written.
    ///
    /// # Errors
    /// [`Fault::UnknownReservation`], or [`Fault::UnknownAccount`].
    pub fn receipt(
        &self,
        reservation: ReservationId,
        units: u64,
        charged: Option<u128>,
    ) -> Result<Receipt, Fault> {
        let held = self.held(reservation)?;
        let account = self.known(held.account)?;
        Ok(Receipt {
            account: held.account,
            reservation,
            reserved: held.units,
            units,
            left: account.spendable() + account.usable_rest(&held.taken, units),
            charged,
        })
    }

    /// Ends a call whose work failed: it costs nothing.
    ///
    /// # Errors
    /// [`Fault::UnknownReservation`].
    pub fn release(&self, reservation: ReservationId) -> Result<Entry, Fault> {
        self.checked(Entry::Released { reservation })
    }

    /// Returns the entries that a start must write: it releases all calls that were in progress.
    ///
    /// An answer leaves only after its commit is written, so none of them was answered.
    pub fn recover(&self) -> impl Iterator<Item = Entry> {
        let open = self.reservations();
        open.map(|reservation| Entry::Released { reservation })
    }

    /// Returns the entries that send the money for all units left back, one for each payer and token.
    ///
    /// The number of each follows the one before, so write and apply them in order.
    /// Units of payments that are not final stay, and so does what the fee would use up.
    /// Each refund costs the fee, so the units of a payer go back once all its payments are final.
    ///
    /// # Errors
    /// [`Fault::UnknownAccount`].
    pub fn refunds(&self, account: AccountId) -> Result<Vec<Entry>, Fault> {
        let mut groups: BTreeMap<(Address, Token), Vec<Taken>> = BTreeMap::new();
        for taken in self.known(account)?.usable() {
            if let Some(payee) = self.payee(taken.payment) {
                groups.entry(payee).or_default().push(taken);
            }
        }
        for (_, payment) in self.unsettled() {
            if let PaymentKey::Authorization { payer, token, .. } = payment.key
                && payment.purchase.account == account
            {
                groups.remove(&(payer, token));
            }
        }
        let mut entries = Vec::new();
        for ((payer, token), taken) in groups {
            let Some(amount) = self.worth(&taken) else {
                continue;
            };
            let number = self.next_refund + entries.len() as u64;
            entries.push(Entry::RefundStarted {
                refund: RefundId(number),
                account,
                payer,
                token,
                amount,
                taken,
            });
        }
        Ok(entries)
    }

    /// Takes evidence about a refund. Returns `None` if it says nothing new.
    ///
    /// # Errors
    /// [`Fault::UnknownRefund`], or a [`Contradiction`].
    pub fn see_refund(&self, refund: RefundId, seen: RefundSeen) -> Result<Option<Entry>, Fault> {
        if self.refund_after(refund, seen)?.is_none() {
            return Ok(None);
        }
        self.checked(Entry::RefundSeen { refund, seen }).map(Some)
    }

    fn checked(&self, entry: Entry) -> Result<Entry, Fault> {
        self.check(&entry)?;
        Ok(entry)
    }
}
