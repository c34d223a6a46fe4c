//! Checks of entries against the state, and their effects on it.

use alloy_primitives::Address;

use super::{
    Ledger, Payment, PaymentState, Refund, Reservation,
    account::{Account, Taken},
    entry::{Entry, Purchase, Source},
    evidence::{Invoice, InvoiceSeen, RefundSeen, RefundState, Settlement, SettlementSeen},
    fault::Fault,
    key::{AccountId, Owner, PaymentId, PaymentKey, RefundId, Request, ReservationId, Token},
};

impl Ledger {
    /// Takes over an entry that the store has written.
    ///
    /// # Errors
    /// [`Fault`] if the entry does not follow from those before; the ledger stays as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Fault> {
        self.check(entry)?;
        self.take_over(entry)?;
        self.entries += 1;
        Ok(())
    }

    /// Checks everything that could make [`Self::take_over`] fail.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), Fault> {
        match entry {
            Entry::Opened { account, owner } => {
                let taken = self.accounts.contains_key(account);
                let owned = self.owners.contains_key(&owner.hash());
                refuse_if(taken || owned, Fault::AccountTaken)
            }
            Entry::OwnerReplaced { account, owner } => {
                // Units that were bought before can pay no channel's calls, and the other way round.
                let before = self.known(*account)?.owner();
                refuse_if(is_channel(before) != is_channel(*owner), Fault::WrongSource)?;
                refuse_if(self.owners.contains_key(&owner.hash()), Fault::AccountTaken)
            }
            Entry::PaymentSent {
                payment, purchase, ..
            } => {
                let is_invoice = matches!(payment, PaymentKey::Invoice(_));
                refuse_if(is_invoice, Fault::OutOfOrder)?;
                self.check_purchase(payment.id(), purchase)
            }
            Entry::InvoiceMade {
                payment_hash,
                purchase,
                ..
            } => self.check_purchase(PaymentKey::Invoice(*payment_hash).id(), purchase),
            Entry::PaymentSeen { payment, seen } => {
                let next = self.settlement_after(*payment, *seen)?;
                let next = next.ok_or(Fault::OutOfOrder)?;
                let payment = self.paid(*payment)?;
                let is_new = next == Settlement::Settled && payment.credited == 0;
                let units = if is_new {
                    payment.purchase.quote.units
                } else {
                    0
                };
                self.check_credit(payment, units)
            }
            Entry::InvoiceSeen { payment_hash, seen } => {
                let id = PaymentKey::Invoice(*payment_hash).id();
                let next = self.invoice_after(id, *seen)?;
                refuse_if(next.is_none(), Fault::OutOfOrder)?;
                let payment = self.paid(id)?;
                self.check_credit(payment, bought_by_invoice(payment, *seen))
            }
            Entry::Reserved {
                reservation,
                account,
                units,
                source,
                request,
            } => self.check_reservation(*reservation, *account, *units, *source, request.as_ref()),
            Entry::Committed {
                reservation,
                units,
                charged,
            } => self.check_commit(*reservation, *units, *charged),
            Entry::Released { reservation } => {
                self.known(self.held(*reservation)?.account)?;
                Ok(())
            }
            Entry::RefundStarted {
                refund,
                account,
                payer,
                token,
                amount,
                taken,
            } => {
                refuse_if(refund.0 != self.next_refund, Fault::OutOfOrder)?;
                let usable = self.known(*account)?.usable();
                let payee = Some((*payer, *token));
                let from_here = taken
                    .iter()
                    .all(|part| usable.contains(part) && self.payee(part.payment) == payee);
                let once = (1..taken.len()).all(|at| !taken[..at].contains(&taken[at]));
                let is_right = from_here && once && self.worth(taken) == Some(*amount);
                refuse_if(!is_right, Fault::OutOfOrder)
            }
            Entry::RefundSeen { refund, seen } => {
                let next = self.refund_after(*refund, *seen)?;
                refuse_if(next.is_none(), Fault::OutOfOrder)
            }
        }
    }

    fn check_purchase(&self, payment: PaymentId, purchase: &Purchase) -> Result<(), Fault> {
        let owner = self.known(purchase.account)?.owner();
        refuse_if(is_channel(owner), Fault::WrongSource)?;
        refuse_if(self.payments.contains_key(&payment), Fault::PaymentUsed)?;
        let quote = purchase.quote;
        let is_paid_for = quote.units > 0 && quote.amount >= purchase.price.cost(quote.units);
        refuse_if(!is_paid_for, Fault::EmptyQuote)
    }

    fn check_credit(&self, payment: &Payment, units: u64) -> Result<(), Fault> {
        let account = self.known(payment.purchase.account)?;
        let sum = account.bought().checked_add(units);
        refuse_if(sum.is_none(), Fault::Overflow)
    }

    fn check_reservation(
        &self,
        reservation: ReservationId,
        account: AccountId,
        units: u64,
        source: Source,
        request: Option<&Request>,
    ) -> Result<(), Fault> {
        if let Some(request) = request {
            let done = self.requests.answered(request)?.is_some();
            refuse_if(done, Fault::OutOfOrder)?;
        }
        // Numbers of reservations that were told and not stored stay unused.
        refuse_if(reservation.0 < self.next_reservation, Fault::OutOfOrder)?;
        refuse_if(reservation.0 == u64::MAX, Fault::Overflow)?;
        let id = account;
        let account = self.known(id)?;
        if units == 0 {
            let most = account.spendable();
            return Err(Fault::WrongUnits { units, most });
        }
        let by_voucher = source == Source::Voucher;
        refuse_if(
            is_channel(account.owner()) != by_voucher,
            Fault::WrongSource,
        )?;
        match source {
            Source::Purchases => {
                let left = account.spendable();
                let asked = units;
                refuse_if(left < units, Fault::NotEnough { asked, left })
            }
            Source::Voucher | Source::Free => {
                let busy = self.reservations.values().any(|held| held.account == id);
                refuse_if(by_voucher && busy, Fault::Busy)?;
                let sum = account.bought().checked_add(units);
                refuse_if(sum.is_none(), Fault::Overflow)
            }
        }
    }

    fn check_commit(
        &self,
        reservation: ReservationId,
        units: u64,
        charged: Option<u128>,
    ) -> Result<(), Fault> {
        let held = self.held(reservation)?;
        let account = self.known(held.account)?;
        let most = held.units;
        refuse_if(
            units == 0 || units > most,
            Fault::WrongUnits { units, most },
        )?;
        match (held.source, charged) {
            (Source::Voucher, Some(sum)) => {
                let before = account.charged();
                refuse_if(sum <= before, Fault::NotRising { before, sum })
            }
            (Source::Purchases | Source::Free, None) => Ok(()),
            _ => Err(Fault::WrongSource),
        }
    }

    /// Changes the state by an entry that was checked.
    fn take_over(&mut self, entry: &Entry) -> Result<(), Fault> {
        match entry {
            Entry::Opened { account, owner } => {
                self.accounts.insert(*account, Account::new(*owner));
                self.owners.insert(owner.hash(), *account);
            }
            Entry::OwnerReplaced { account, owner } => {
                // The proof before stays taken, and opens nothing.
                self.change(*account)?.set_owner(*owner);
                self.owners.insert(owner.hash(), *account);
            }
            Entry::PaymentSent {
                payment,
                purchase,
                valid_before,
            } => {
                let state = PaymentState::Settlement {
                    state: Settlement::Sent,
                    valid_before: *valid_before,
                    transaction: None,
                };
                self.add_payment(*payment, *purchase, state);
            }
            Entry::InvoiceMade {
                payment_hash,
                purchase,
                request,
                expires,
            } => {
                let state = PaymentState::Invoice {
                    state: Invoice::Open,
                    request: *request,
                    expires: *expires,
                };
                self.add_payment(PaymentKey::Invoice(*payment_hash), *purchase, state);
            }
            Entry::PaymentSeen { payment, seen } => self.settle(*payment, *seen)?,
            Entry::InvoiceSeen { payment_hash, seen } => {
                self.settle_invoice(PaymentKey::Invoice(*payment_hash).id(), *seen)?;
            }
            Entry::Reserved {
                reservation,
                account,
                units,
                source,
                request,
            } => self.set_aside(*reservation, *account, *units, *source, request.as_ref())?,
            Entry::Committed {
                reservation,
                units,
                charged,
            } => {
                let receipt = self.receipt(*reservation, *units, *charged)?;
                let held = self.end(*reservation, *units)?;
                if let Some(sum) = charged {
                    self.change(held.account)?.charge(*sum);
                }
                if let Some(request) = &held.request {
                    self.requests.end(request, Some(receipt));
                }
            }
            Entry::Released { reservation } => {
                let held = self.end(*reservation, 0)?;
                if let Some(request) = &held.request {
                    self.requests.end(request, None);
                }
            }
            Entry::RefundStarted {
                refund,
                account,
                payer,
                token,
                amount,
                taken,
            } => {
                self.change(*account)?.refund(taken);
                self.next_refund += 1;
                let started = Refund {
                    account: *account,
                    payer: *payer,
                    token: *token,
                    amount: *amount,
                    state: RefundState::Started,
                    transaction: None,
                    replaced: Vec::new(),
                    taken: taken.clone(),
                };
                self.refunds.insert(*refund, started);
            }
            Entry::RefundSeen { refund, seen } => self.see(*refund, *seen)?,
        }
        Ok(())
    }

    fn add_payment(&mut self, key: PaymentKey, purchase: Purchase, state: PaymentState) {
        let payment = Payment {
            key,
            purchase,
            state,
            credited: 0,
        };
        self.payments.insert(key.id(), payment);
    }

    fn settle(&mut self, id: PaymentId, seen: SettlementSeen) -> Result<(), Fault> {
        let next = self.settlement_after(id, seen)?.ok_or(Fault::OutOfOrder)?;
        let payment = self.payments.get_mut(&id).ok_or(Fault::UnknownPayment)?;
        if let PaymentState::Settlement {
            state, transaction, ..
        } = &mut payment.state
        {
            *state = next;
            if let SettlementSeen::Transferred { transaction: hash } = seen {
                *transaction = Some(hash);
            }
        }
        let was_credited = payment.credited > 0;
        let Purchase { account, quote, .. } = payment.purchase;
        match next {
            Settlement::Settled => {
                payment.credited = quote.units;
                self.change(account)?.credit(id, quote.units);
            }
            Settlement::Unknown if was_credited => self.change(account)?.freeze(id),
            Settlement::Void if was_credited => self.change(account)?.revoke(id),
            _ => {}
        }
        Ok(())
    }

    fn settle_invoice(&mut self, id: PaymentId, seen: InvoiceSeen) -> Result<(), Fault> {
        let next = self.invoice_after(id, seen)?.ok_or(Fault::OutOfOrder)?;
        let payment = self.payments.get_mut(&id).ok_or(Fault::UnknownPayment)?;
        if let PaymentState::Invoice { state, .. } = &mut payment.state {
            *state = next;
        }
        if let InvoiceSeen::Settled { settle_index, .. } = seen {
            let units = bought_by_invoice(payment, seen);
            payment.credited = units;
            let account = payment.purchase.account;
            self.settle_index = self.settle_index.max(settle_index);
            self.change(account)?.credit(id, units);
        }
        Ok(())
    }

    fn set_aside(
        &mut self,
        reservation: ReservationId,
        account: AccountId,
        units: u64,
        source: Source,
        request: Option<&Request>,
    ) -> Result<(), Fault> {
        let payer = self.change(account)?;
        let taken = if source == Source::Purchases {
            let taken = payer.take(units).ok_or(Fault::OutOfOrder)?;
            payer.reserve(&taken);
            taken
        } else {
            payer.reserve_unpaid(units);
            Vec::new()
        };
        if let Some(request) = request {
            self.requests.run(request, reservation);
        }
        self.next_reservation = reservation.0 + 1;
        let held = Reservation {
            account,
            units,
            source,
            taken,
            request: request.cloned(),
        };
        self.reservations.insert(reservation, held);
        Ok(())
    }

    /// Ends a reservation, spending some of its units.
    fn end(&mut self, reservation: ReservationId, units: u64) -> Result<Reservation, Fault> {
        let held = self
            .reservations
            .remove(&reservation)
            .ok_or(Fault::UnknownReservation)?;
        let payer = self.change(held.account)?;
        if held.source == Source::Purchases {
            payer.spend(&held.taken, units);
        } else {
            payer.spend_unpaid(held.units, units);
        }
        Ok(held)
    }

    fn see(&mut self, id: RefundId, seen: RefundSeen) -> Result<(), Fault> {
        let next = self.refund_after(id, seen)?.ok_or(Fault::OutOfOrder)?;
        let refund = self.refunds.get_mut(&id).ok_or(Fault::UnknownRefund)?;
        refund.state = next;
        if let RefundSeen::Sent { transaction } = seen {
            let before = refund.transaction.replace(transaction);
            let before = before.filter(|it| *it != transaction);
            refund.replaced.extend(before);
        }
        if next == RefundState::Failed {
            let (account, taken) = (refund.account, refund.taken.clone());
            self.change(account)?.undo_refund(&taken);
        }
        Ok(())
    }

    pub(super) fn settlement_after(
        &self,
        id: PaymentId,
        seen: SettlementSeen,
    ) -> Result<Option<Settlement>, Fault> {
        match self.paid(id)?.state {
            PaymentState::Settlement { state, .. } => Ok(state.after(seen)?),
            PaymentState::Invoice { .. } => Err(Fault::UnknownPayment),
        }
    }

    pub(super) fn invoice_after(
        &self,
        id: PaymentId,
        seen: InvoiceSeen,
    ) -> Result<Option<Invoice>, Fault> {
        match self.paid(id)?.state {
            PaymentState::Invoice { state, .. } => Ok(state.after(seen)),
            PaymentState::Settlement { .. } => Err(Fault::UnknownPayment),
        }
    }

    pub(super) fn refund_after(
        &self,
        id: RefundId,
        seen: RefundSeen,
    ) -> Result<Option<RefundState>, Fault> {
        let refund = self.refunds.get(&id).ok_or(Fault::UnknownRefund)?;
        Ok(refund.state.after(seen)?)
    }

    /// Returns who gets the money for a purchase's units back, or `None` if it cannot go back yet.
    pub(super) fn payee(&self, payment: PaymentId) -> Option<(Address, Token)> {
        let payment = self.payments.get(&payment)?;
        payment.purchase.refund_fee?;
        match (payment.key, payment.state) {
            (
                PaymentKey::Authorization { payer, token, .. },
                PaymentState::Settlement {
                    // A refund of a payment that a reorganization can remove would be a gift.
                    state: Settlement::Final,
                    ..
                },
            ) => Some((payer, token)),
            _ => None,
        }
    }

    /// Returns the amount that goes back for units of one payer, less the highest fee of its
    /// purchases, or `None` if nothing is left of it.
    pub(super) fn worth(&self, taken: &[Taken]) -> Option<u128> {
        let mut sum: u128 = 0;
        let mut fee = 0;
        for part in taken {
            let purchase = self.payments.get(&part.payment)?.purchase;
            sum = sum.checked_add(purchase.price.worth(part.units))?;
            fee = purchase.refund_fee?.max(fee);
        }
        sum.checked_sub(fee).filter(|&amount| amount > 0)
    }

    pub(super) fn held(&self, id: ReservationId) -> Result<&Reservation, Fault> {
        self.reservations.get(&id).ok_or(Fault::UnknownReservation)
    }

    pub(super) fn known(&self, id: AccountId) -> Result<&Account, Fault> {
        self.accounts.get(&id).ok_or(Fault::UnknownAccount)
    }

    fn paid(&self, id: PaymentId) -> Result<&Payment, Fault> {
        self.payments.get(&id).ok_or(Fault::UnknownPayment)
    }

    fn change(&mut self, id: AccountId) -> Result<&mut Account, Fault> {
        self.accounts.get_mut(&id).ok_or(Fault::UnknownAccount)
    }
}

/// Returns the units that a settled invoice buys, by the amount that arrived.
fn bought_by_invoice(payment: &Payment, seen: InvoiceSeen) -> u64 {
    match seen {
        InvoiceSeen::Settled { amount, .. } => payment.purchase.price.buys(amount.into()),
        _ => 0,
    }
}

fn is_channel(owner: Owner) -> bool {
    matches!(owner, Owner::Channel(_))
}

fn refuse_if(is_wrong: bool, fault: Fault) -> Result<(), Fault> {
    if is_wrong { Err(fault) } else { Ok(()) }
}
