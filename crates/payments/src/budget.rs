//! Budget of a payer, which no payment of any rail can exceed.
//!
//! Money counts from the moment before it could be taken: an invoice before the wallet gets it, a
//! signature before it is sent. It is free again only if evidence says that it will never be taken.
//! A client stores the budget before it pays, so a crash forgets no payment.

use std::collections::BTreeMap;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ledger::{PaymentId, Token};

/// Money that a limit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Currency {
    /// Atomic units of a token, by whichever scheme.
    Token(Token),
    /// Millisatoshi, with fees of routes.
    Lightning,
}

/// Proof that a payment will never take money.
///
/// That an invoice has expired is none: the money may be on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSpent {
    /// Neither signature nor invoice has left this program.
    NeverSent,
    /// The own node or wallet says that the payment failed.
    Failed,
    /// In a final block, the authorization is void or canceled with its nonce unused.
    Unusable,
}

/// Limits of a payer, and what was spent of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Budget {
    limits: Vec<Limit>,
    payments: BTreeMap<PaymentId, Spending>,
    /// Vouchers by channel.
    channels: BTreeMap<B256, Channel>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Limit {
    currency: Currency,
    amount: u128,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Spending {
    currency: Currency,
    /// Maximum that the payment could take.
    maximum: u128,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Sent, or about to be; nobody knows how it ends.
    Open,
    /// This amount was taken, with fees.
    Paid(u128),
    NotSpent(NotSpent),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Channel {
    currency: Currency,
    /// Highest sum that a voucher permits. The server can claim it, whatever it says it charged.
    signed: u128,
}

/// Reason for which a budget permits no payment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BudgetError {
    /// The payer has set no limit for this money.
    #[error(
        "cannot pay: the budget has no limit in this currency; set one, or choose another offer"
    )]
    NoLimit,
    /// The payment exceeds what is left.
    #[error("cannot pay {asked}: the budget has {left} left in this currency; raise it, or stop")]
    Exceeded {
        /// Amount of the payment.
        asked: u128,
        /// Amount left.
        left: u128,
    },
    /// The payment was begun with other terms, or has ended.
    #[error("cannot begin the payment again: it had another amount, or has ended; make a new one")]
    Begun,
    /// No such payment is open.
    #[error("cannot end the payment: none such was begun")]
    Unknown,
    /// The payment took more than it could, or ended otherwise before.
    #[error(
        "cannot end the payment with {paid}: expected at most {maximum}, and one end only; look at the wallet"
    )]
    Contradiction {
        /// Amount that it is said to have taken.
        paid: u128,
        /// Maximum that it could take.
        maximum: u128,
    },
}

impl Budget {
    /// Makes a budget without limits, which permits nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limit of a currency. One below what was spent permits nothing more.
    pub fn set_limit(&mut self, currency: Currency, amount: u128) {
        self.limits.retain(|limit| limit.currency != currency);
        self.limits.push(Limit { currency, amount });
    }

    /// Returns what was spent or could still be taken.
    #[must_use]
    pub fn counted(&self, currency: Currency) -> u128 {
        let payments = self.payments.values().filter(|it| it.currency == currency);
        let channels = self.channels.values().filter(|it| it.currency == currency);
        let paid = payments.map(Spending::counted);
        paid.chain(channels.map(|it| it.signed))
            .fold(0, u128::saturating_add)
    }

    /// Returns what is left of a limit, or `None` if there is no limit.
    #[must_use]
    pub fn left(&self, currency: Currency) -> Option<u128> {
        let limit = self.limits.iter().find(|it| it.currency == currency)?;
        Some(limit.amount.saturating_sub(self.counted(currency)))
    }

    /// Returns the payments of which nobody knows how they ended.
    pub fn open(&self) -> impl Iterator<Item = PaymentId> {
        let open = self.payments.iter();
        open.filter(|(_, it)| it.state == State::Open)
            .map(|(id, _)| *id)
    }

    /// Counts a payment, before it is sent. To begin it again with the same terms changes nothing.
    ///
    /// `maximum` includes all fees.
    ///
    /// # Errors
    /// [`BudgetError`] if it must not be sent.
    pub fn begin(
        &mut self,
        payment: PaymentId,
        currency: Currency,
        maximum: u128,
    ) -> Result<(), BudgetError> {
        let spending = Spending {
            currency,
            maximum,
            state: State::Open,
        };
        if let Some(begun) = self.payments.get(&payment) {
            return if *begun == spending {
                Ok(())
            } else {
                Err(BudgetError::Begun)
            };
        }
        self.permit(currency, maximum)?;
        self.payments.insert(payment, spending);
        Ok(())
    }

    /// Records the amount that a payment took, with its fees.
    ///
    /// It counts also if the payment was thought unspent: money that is gone is gone.
    ///
    /// # Errors
    /// [`BudgetError::Contradiction`] if it took more than it could, or another amount before. The
    /// higher amount counts then.
    pub fn paid(&mut self, payment: PaymentId, paid: u128) -> Result<(), BudgetError> {
        let spending = self.begun(payment)?;
        let maximum = spending.maximum;
        let before = match spending.state {
            State::Open => None,
            State::Paid(before) => Some(before),
            State::NotSpent(_) => Some(0),
        };
        spending.state = State::Paid(paid.max(before.unwrap_or(0)));
        if paid > maximum || before.is_some_and(|before| before != paid) {
            return Err(BudgetError::Contradiction { paid, maximum });
        }
        Ok(())
    }

    /// Frees the money of a payment, by evidence that it will never take any.
    ///
    /// # Errors
    /// [`BudgetError::Contradiction`] if it took some before.
    pub fn not_spent(&mut self, payment: PaymentId, evidence: NotSpent) -> Result<(), BudgetError> {
        let spending = self.begun(payment)?;
        if let State::Paid(_) = spending.state {
            let maximum = spending.maximum;
            return Err(BudgetError::Contradiction { paid: 0, maximum });
        }
        spending.state = State::NotSpent(evidence);
        Ok(())
    }

    /// Counts a voucher of a channel, before it is signed.
    ///
    /// Only what exceeds the highest sum so far needs money. A deposit needs none: what no voucher
    /// permits can be withdrawn.
    ///
    /// # Errors
    /// [`BudgetError`] if it must not be signed.
    pub fn sign(
        &mut self,
        channel: B256,
        currency: Currency,
        sum: u128,
    ) -> Result<(), BudgetError> {
        let signed = match self.channels.get(&channel) {
            Some(known) if known.currency != currency => return Err(BudgetError::Begun),
            Some(known) => known.signed,
            None => 0,
        };
        // A lower sum gives the server nothing that it could not claim already.
        let more = sum.saturating_sub(signed);
        self.permit(currency, more)?;
        let signed = signed.max(sum);
        self.channels.insert(channel, Channel { currency, signed });
        Ok(())
    }

    fn permit(&self, currency: Currency, asked: u128) -> Result<(), BudgetError> {
        let left = self.left(currency).ok_or(BudgetError::NoLimit)?;
        if asked > left {
            return Err(BudgetError::Exceeded { asked, left });
        }
        Ok(())
    }

    fn begun(&mut self, payment: PaymentId) -> Result<&mut Spending, BudgetError> {
        self.payments.get_mut(&payment).ok_or(BudgetError::Unknown)
    }
}

impl Spending {
    fn counted(&self) -> u128 {
        match self.state {
            State::Open => self.maximum,
            State::Paid(amount) => amount,
            State::NotSpent(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::PaymentKey;

    fn payment(number: u8) -> PaymentId {
        PaymentKey::Invoice(B256::repeat_byte(number)).id()
    }

    fn token(number: u8) -> Currency {
        Currency::Token(Token {
            chain: 1,
            address: Address::repeat_byte(number),
        })
    }

    fn budget(limit: u128) -> Budget {
        let mut budget = Budget::new();
        budget.set_limit(Currency::Lightning, limit);
        budget
    }

    #[test]
    fn budget_permits_nothing_without_a_limit() {
        let mut budget = budget(100);
        let foreign = budget.begin(payment(1), token(1), 1);
        assert_eq!(foreign, Err(BudgetError::NoLimit));
        assert_eq!(
            budget.sign(B256::ZERO, token(1), 0),
            Err(BudgetError::NoLimit)
        );
        assert_eq!(budget.left(token(1)), None);
        budget.set_limit(token(1), 5);
        let too_much = budget.begin(payment(1), token(1), 6);
        assert_eq!(too_much, Err(BudgetError::Exceeded { asked: 6, left: 5 }));
        // The limits of two currencies are apart.
        assert_eq!(budget.left(Currency::Lightning), Some(100));
    }

    #[test]
    fn budget_counts_open_payments_until_evidence() {
        let mut budget = budget(100);
        let lightning = Currency::Lightning;
        budget.begin(payment(1), lightning, 60).expect("within");
        assert_eq!(budget.begin(payment(1), lightning, 60), Ok(()));
        let other_terms = budget.begin(payment(1), lightning, 59);
        assert_eq!(other_terms, Err(BudgetError::Begun));
        let more = budget.begin(payment(2), lightning, 41);
        assert_eq!(
            more,
            Err(BudgetError::Exceeded {
                asked: 41,
                left: 40
            })
        );
        assert_eq!(budget.open().collect::<Vec<_>>(), [payment(1)]);
        budget
            .not_spent(payment(1), NotSpent::Failed)
            .expect("evidence");
        assert_eq!(budget.left(lightning), Some(100));
        // An ended payment is not begun again: its invoice might be paid twice.
        let again = budget.begin(payment(1), lightning, 60);
        assert_eq!(again, Err(BudgetError::Begun));
        budget.begin(payment(2), lightning, 41).expect("within");
        budget.paid(payment(2), 40).expect("evidence");
        assert_eq!(budget.left(lightning), Some(60));
        assert_eq!(budget.paid(payment(3), 1), Err(BudgetError::Unknown));
    }

    #[test]
    fn budget_believes_what_is_worse() {
        let mut budget = budget(100);
        let lightning = Currency::Lightning;
        budget.begin(payment(1), lightning, 60).expect("within");
        let over = budget.paid(payment(1), 70);
        let expected = |paid| Err(BudgetError::Contradiction { paid, maximum: 60 });
        assert_eq!(over, expected(70));
        assert_eq!(budget.left(lightning), Some(30));
        assert_eq!(budget.paid(payment(1), 50), expected(50));
        let undone = budget.not_spent(payment(1), NotSpent::Unusable);
        assert_eq!(undone, expected(0));
        assert_eq!(budget.left(lightning), Some(30));
        budget.begin(payment(2), lightning, 20).expect("within");
        budget
            .not_spent(payment(2), NotSpent::NeverSent)
            .expect("evidence");
        assert!(budget.paid(payment(2), 20).is_err());
        assert_eq!(budget.left(lightning), Some(10));
    }

    #[test]
    fn budget_counts_the_highest_voucher_of_each_channel_and_payments_of_the_token() {
        let mut budget = Budget::new();
        budget.set_limit(token(1), 100);
        let [first, second] = [1, 2].map(B256::repeat_byte);
        budget.sign(first, token(1), 30).expect("within");
        budget.sign(second, token(1), 20).expect("within");
        // The server charged less, so the next voucher may repeat the sum.
        budget.sign(first, token(1), 30).expect("within");
        budget.sign(first, token(1), 10).expect("lower");
        assert_eq!(budget.left(token(1)), Some(50));
        budget.begin(payment(1), token(1), 45).expect("within");
        let over = budget.sign(first, token(1), 36);
        assert_eq!(over, Err(BudgetError::Exceeded { asked: 6, left: 5 }));
        budget.sign(first, token(1), 35).expect("within");
        assert_eq!(budget.sign(first, token(2), 35), Err(BudgetError::Begun));
        budget.set_limit(token(1), 10);
        assert_eq!(budget.left(token(1)), Some(0));
    }

    #[derive(Debug, Clone)]
    enum Step {
        Begin { payment: u8, amount: u64 },
        Sign { channel: u8, sum: u64 },
        Take { payment: u8, fails: bool },
        Tell { payment: u8 },
        Crash,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..9u8, 0..80u64).prop_map(|(payment, amount)| Step::Begin { payment, amount }),
            (0..3u8, 0..80u64).prop_map(|(channel, sum)| Step::Sign { channel, sum }),
            (0..9u8, any::<bool>()).prop_map(|(payment, fails)| Step::Take { payment, fails }),
            (0..9u8).prop_map(|payment| Step::Tell { payment }),
            Just(Step::Crash),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Others take all that they may, whenever they like; the payer learns of it late or never.
        #[test]
        fn budget_is_never_exceeded_by_what_others_take(
            steps in prop::collection::vec(step(), 1..60),
            limit in 0..300u64,
        ) {
            let currency = token(1);
            let mut budget = Budget::new();
            budget.set_limit(currency, limit.into());
            let mut sent: BTreeMap<u8, (u128, Option<bool>)> = BTreeMap::new();
            let mut vouchers: BTreeMap<u8, u128> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Begin { payment: number, amount } => {
                        let amount = amount.into();
                        if budget.begin(payment(number), currency, amount).is_ok() {
                            sent.entry(number).or_insert((amount, None));
                        }
                    }
                    Step::Sign { channel, sum } => {
                        if budget.sign(B256::repeat_byte(channel), currency, sum.into()).is_ok() {
                            let highest = vouchers.entry(channel).or_default();
                            *highest = (*highest).max(sum.into());
                        }
                    }
                    Step::Take { payment, fails } => {
                        if let Some((_, end)) = sent.get_mut(&payment) {
                            end.get_or_insert(!fails);
                        }
                    }
                    Step::Tell { payment: number } => match sent.get(&number) {
                        Some((amount, Some(true))) => budget.paid(payment(number), *amount).expect("true"),
                        Some((_, Some(false))) => {
                            budget.not_spent(payment(number), NotSpent::Failed).expect("true");
                        }
                        _ => {}
                    },
                    Step::Crash => {
                        let text = serde_json::to_string(&budget).expect("a text");
                        budget = serde_json::from_str(&text).expect("a budget");
                    }
                }
                let taken = sent.values().filter(|(_, end)| *end != Some(false));
                let taken: u128 = taken.map(|(amount, _)| amount).sum();
                let taken = taken + vouchers.values().sum::<u128>();
                prop_assert!(taken <= limit.into(), "{taken} of {limit}");
                prop_assert!(budget.counted(currency) >= taken);
            }
        }
    }
}
