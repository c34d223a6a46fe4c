//! Random stories of a channel, with models of the contract, the payer and the receiver's books.

use alloy_primitives::U256;
use cotrain_payments::x402::batch::{ChainState, Channel, Reservation};
use cotrain_protocol::signature::recover_strict;
use proptest::prelude::*;

use crate::channel::voucher;
use crate::common::{NOW, PAYER, deployment, facts, pair, payer, terms};

/// Step of a story.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The payer pays this price. It counts as the receiver does, or is off by a number.
    Reserve { price: u8, off: i8 },
    /// An old payment is sent again.
    Replay { index: usize },
    /// The held reservation is charged by this part of 255 of its amount.
    Commit { part: u8 },
    /// An old reservation is charged again.
    CommitOld { index: usize, actual: u8 },
    /// The held reservation is released.
    Release,
    /// All charges are claimed on the chain.
    Claim,
    /// The receiver begins a refund.
    BeginRefund,
    /// The refund happens, with its claim or without it.
    Refund { with_claim: bool },
    /// The payer deposits.
    Deposit { amount: u8 },
    /// The payer requests a withdrawal of this part of 255 of what it may.
    Withdraw { part: u8 },
    /// The withdrawal ends.
    EndWithdrawal,
    /// The receiver reads the chain.
    Mirror,
    /// Time passes, in seconds.
    Wait { seconds: u16 },
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..60_u8, prop_oneof![8 => Just(0_i8), 1 => any::<i8>()])
            .prop_map(|(price, off)| Step::Reserve { price, off }),
        1 => any::<usize>().prop_map(|index| Step::Replay { index }),
        5 => any::<u8>().prop_map(|part| Step::Commit { part }),
        1 => (any::<usize>(), 0..60_u8).prop_map(|(index, actual)| Step::CommitOld { index, actual }),
        1 => Just(Step::Release),
        2 => Just(Step::Claim),
        1 => Just(Step::BeginRefund),
        1 => any::<bool>().prop_map(|with_claim| Step::Refund { with_claim }),
        2 => (1..200_u8).prop_map(|amount| Step::Deposit { amount }),
        1 => any::<u8>().prop_map(|part| Step::Withdraw { part }),
        1 => Just(Step::EndWithdrawal),
        4 => Just(Step::Mirror),
        2 => (0..700_u16).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// Model of the contract, the payer and the receiver's books.
struct Story {
    channel: Channel,
    chain: ChainState,
    now: u64,
    /// Sum of all commits.
    charged: u128,
    /// Totals that the payer signed.
    signed: Vec<u128>,
    /// Reservations that were given, with their amount and the base that they count from.
    given: Vec<(Reservation, u128, u128)>,
    /// Amount and number of the refund that is signed.
    refund: Option<(Reservation, u128, Option<u128>)>,
    /// Tokens that left the contract to the payer.
    returned: u128,
    deposited: u128,
}

impl Story {
    fn new() -> Self {
        let (_, channel) = pair(0);
        Self {
            chain: channel.chain().clone(),
            channel,
            now: NOW,
            charged: 0,
            signed: Vec::new(),
            given: Vec::new(),
            refund: None,
            returned: 0,
            deposited: 0,
        }
    }

    fn state(&self) -> ChainState {
        ChainState {
            read_at: self.now,
            ..self.chain.clone()
        }
    }

    fn present(&mut self, price: u128, total: u128) {
        let payload = voucher(self.channel.config(), total, &payer());
        let base = self.channel.charged();
        let was_locked = self.channel.lock().cloned();
        let result = self
            .channel
            .reserve(&deployment(), &terms(price), &payload, &facts(self.now));
        if let Ok(reservation) = result {
            assert_eq!(total, base + price, "a total that is not the next one");
            assert!(total <= self.channel.chain().promisable());
            if let Some(lock) = was_locked {
                assert!(lock.expires.expect("no refund") <= self.now, "two locks");
            }
            self.given.push((reservation, price, base));
        }
    }

    fn commit(&mut self, index: usize, actual: u128) {
        let (reservation, amount, base) = self.given[index].clone();
        let held = self.channel.lock() == Some(&reservation);
        let before = self.channel.clone();
        match self.channel.commit(&reservation, actual, self.now) {
            Ok(()) => {
                assert!(held && actual <= amount);
                assert!(self.channel.charged() <= base + amount);
                self.charged += actual;
            }
            Err(_) => assert_eq!(self.channel, before),
        }
    }

    /// Claims as the contract does.
    fn claim(&mut self) {
        let Some((claim, entry)) = self.channel.claim() else {
            return;
        };
        let hash = deployment().voucher_hash(entry.channelId, entry.maxClaimableAmount);
        assert_eq!(recover_strict(&claim.signature, hash), Some(PAYER));
        assert!(self.signed.contains(&entry.maxClaimableAmount));
        assert!(entry.totalClaimed <= entry.maxClaimableAmount);
        // The mirrored balance may be old; the contract refuses then.
        if entry.totalClaimed <= self.chain.balance {
            self.chain.total_claimed = self.chain.total_claimed.max(entry.totalClaimed);
        }
    }

    fn pay_out(&mut self, amount: u128) -> u128 {
        let left = self.chain.balance - self.chain.total_claimed;
        let moved = amount.min(left);
        self.chain.balance -= moved;
        self.returned += moved;
        moved
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Reserve { price, off } => {
                let price = u128::from(price);
                let next = self.channel.charged() + price;
                let total = next.saturating_add_signed(off.into());
                self.signed.push(total);
                self.present(price, total);
            }
            Step::Replay { index } => {
                if !self.signed.is_empty() {
                    let total = self.signed[index % self.signed.len()];
                    self.present(7, total);
                }
            }
            Step::Commit { part } => {
                if let Some(last) = self.given.len().checked_sub(1) {
                    let actual = self.given[last].1 * u128::from(part) / 255;
                    self.commit(last, actual);
                }
            }
            Step::CommitOld { index, actual } => {
                if !self.given.is_empty() {
                    self.commit(index % self.given.len(), actual.into());
                }
            }
            Step::Release => {
                if let Some((reservation, ..)) = self.given.last() {
                    let charged = self.channel.charged();
                    let _ = self.channel.release(reservation);
                    assert_eq!(self.channel.charged(), charged);
                }
            }
            Step::Claim => self.claim(),
            Step::BeginRefund => {
                self.channel.mirror(self.state());
                if let Ok(reservation) = self.channel.begin_refund(self.now) {
                    let plan = self
                        .channel
                        .plan_refund(&reservation, None)
                        .expect("a plan");
                    let claim = plan.claim.map(|(_, entry)| entry.totalClaimed);
                    self.refund = Some((reservation, plan.amount, claim));
                }
            }
            Step::Refund { with_claim } => {
                if let Some((reservation, amount, claim)) = self.refund.take() {
                    let claim = claim.filter(|it| with_claim && *it <= self.chain.balance);
                    self.chain.total_claimed = self.chain.total_claimed.max(claim.unwrap_or(0));
                    self.chain.refund_nonce += U256::ONE;
                    let moved = self.pay_out(amount);
                    let pending = &mut self.chain.withdraw_amount;
                    *pending = pending.saturating_sub(moved);
                    if *pending == 0 {
                        self.chain.withdraw_requested_at = 0;
                    }
                    self.channel
                        .refunded(&reservation, self.state())
                        .expect("refunded");
                }
            }
            Step::Deposit { amount } => {
                self.chain.balance += u128::from(amount);
                self.deposited += u128::from(amount);
            }
            Step::Withdraw { part } => {
                let left = self.chain.balance - self.chain.total_claimed;
                let amount = left * u128::from(part) / 255;
                if self.chain.withdraw_requested_at == 0 && amount > 0 {
                    self.chain.withdraw_amount = amount;
                    self.chain.withdraw_requested_at = self.now;
                }
            }
            Step::EndWithdrawal => {
                if self.chain.withdraw_requested_at > 0 {
                    self.now = self.now.max(self.chain.withdraw_requested_at + 900);
                    self.pay_out(self.chain.withdraw_amount);
                    self.chain.withdraw_amount = 0;
                    self.chain.withdraw_requested_at = 0;
                }
            }
            Step::Mirror => self.channel.mirror(self.state()),
            Step::Wait { seconds } => self.now += u64::from(seconds),
        }
        self.check();
    }

    fn check(&self) {
        assert_eq!(self.channel.charged(), self.charged, "the books");
        assert!(
            self.chain.total_claimed <= self.charged,
            "claimed above charged"
        );
        let largest = self.signed.iter().max().copied().unwrap_or(0);
        assert!(self.charged <= largest, "charged above signed");
        match self.channel.voucher() {
            Some(voucher) => {
                assert!(self.charged <= voucher.total, "charged above the voucher");
                assert!(self.signed.contains(&voucher.total));
            }
            None => assert_eq!(self.charged, 0),
        }
        let inside = self.chain.balance + self.returned;
        assert_eq!(inside, self.deposited, "tokens");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn channel_keeps_its_bounds_in_any_order(steps in proptest::collection::vec(steps(), 1..60)) {
        let mut story = Story::new();
        story.run(Step::Deposit { amount: 100 });
        story.run(Step::Mirror);
        for step in steps {
            story.run(step);
        }
        // Charges that the receiver claims before the payer takes money out are never lost.
        let funded = story.charged.min(story.chain.balance);
        story.channel.mirror(story.state());
        story.claim();
        prop_assert!(story.chain.total_claimed >= funded);
    }

    #[test]
    fn refund_never_takes_charges(price in 1..100_u128, part in 0..=255_u128, with_claim: bool) {
        let mut story = Story::new();
        story.run(Step::Deposit { amount: 100 });
        story.run(Step::Mirror);
        story.signed.push(price);
        story.present(price, price);
        story.commit(0, price * part / 255);
        story.run(Step::BeginRefund);
        story.run(Step::Refund { with_claim });
        story.claim();
        prop_assert_eq!(story.chain.total_claimed, story.charged);
        prop_assert_eq!(story.chain.balance, story.charged);
    }
}
