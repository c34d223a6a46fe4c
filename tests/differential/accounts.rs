//! Operations on prepaid money and nonces.

use cotrain_bindings as bindings;
use cotrain_protocol::trainer::Incentive;
use rand::{RngExt, seq::IndexedRandom};

use crate::{
    pair::Pair,
    people::{STRANGER, everyone},
};

/// Upper bound of a balance, exclusive, in wei.
const BALANCE_END: u128 = 1 << 96;
/// Upper bound of a nonce, exclusive.
const NONCE_END: u64 = 1 << 48;

impl Pair {
    /// Deposits money for some contributions, or up to the largest balance, or one wei more.
    pub(crate) fn deposit(&mut self) {
        let [sender, account] = [(); 2].map(|()| {
            *everyone()
                .choose(&mut self.chance)
                .expect("there are people")
        });
        let room = BALANCE_END - self.reference.balance(account);
        let max = match self.reference.incentive() {
            Incentive::DepositRefundTake { cost_weight } => cost_weight * 100_000,
            Incentive::Points => 10_000,
        };
        let amount = match self.chance.random_range(0..10) {
            0..=3 => room - 1,
            4 => room,
            _ => self.chance.random_range(0..max),
        };
        let sent = self.send(sender, amount, bindings::deposit_to(account));
        let expected = self.reference.deposit_to(account, amount);
        self.tally.count("deposit", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(())) => {
                self.only_event(&receipt, "Deposited(address,uint256)", &[account], amount);
                self.spend(sender, amount);
            }
            (sent, expected) => self.same_refusal(sent, expected),
        }
    }

    /// Withdraws a part of the balance, or all of it, or one wei more.
    pub(crate) fn withdraw(&mut self) {
        let [caller, to] = [(); 2].map(|()| {
            *everyone()
                .choose(&mut self.chance)
                .expect("there are people")
        });
        let balance = self.reference.balance(caller);
        let amount = match self.chance.random_range(0..3) {
            0 => self.chance.random_range(0..=balance),
            1 => balance,
            _ => balance + 1,
        };
        let sent = self.send(caller, 0, bindings::withdraw_to(to, amount));
        let expected = self.reference.withdraw(caller, amount);
        self.tally.count("withdraw", expected.is_ok());
        match (sent, expected) {
            (Ok(receipt), Ok(())) => {
                let signature = "Withdrawn(address,address,uint256)";
                self.only_event(&receipt, signature, &[caller, to], amount);
                self.earn(to, amount);
            }
            (sent, expected) => self.same_refusal(sent, expected),
        }
    }

    /// Cancels nonces that were signed with, or the next ones. Only a stranger, who never signs,
    /// cancels all.
    pub(crate) fn cancel_nonces(&mut self) {
        let caller = *everyone()
            .choose(&mut self.chance)
            .expect("there are people");
        let next = self.nonces.entry(caller).or_default();
        let last = match self.chance.random_range(0..6) {
            0 if caller == STRANGER => NONCE_END - 1,
            0 | 1 => (*next + self.chance.random_range(0..70)).min(NONCE_END - 1),
            2 | 3 => next.saturating_sub(self.chance.random_range(0..70)),
            _ => next.saturating_sub(1),
        };
        *next = (last + 1).max(*next).min(NONCE_END - 4);
        let sent = self.send(caller, 0, bindings::cancel_nonces(last));
        self.reference.cancel_nonces(caller, last);
        self.tally.count("cancel", true);
        let receipt = sent.expect("nobody refuses");
        let signature = "NoncesCancelled(address,uint256)";
        self.only_event(&receipt, signature, &[caller], last.into());
        self.compare_nonces(caller, [0, 1, 2, 3, 4, 5, 66, 67, 68, 69, 100]);
    }
}
