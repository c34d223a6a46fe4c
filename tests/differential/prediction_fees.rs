//! Tests paid predictions: the same random payments, registrations and payouts in the bytecode and
//! the reference model.
//!
//! They run beside a trainer whose contributors get good contributions.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{
    self as bindings, Revert,
    prediction_fees::{self as calls, PredictionFeesEvent, state},
};
use cotrain_chain::{Chain, ChainError, Transaction};
use cotrain_client::deploy::{DeploymentCost, deploy_prediction_fees};
use cotrain_protocol::{ContractError, classifier::Kind, prediction_fees::PredictionFees};
use rand::{RngExt, seq::IndexedRandom};

use crate::{
    INCENTIVES,
    claiming::Operation,
    pair::{Pair, WAITS},
    people::{OWNER, STRANGER, everyone},
    tally::Tally,
};

const STEPS: usize = 250;
const SEEDS: u64 = 3;

const LEAST: &[(&str, usize, usize)] = &[
    ("sell", 60, 60),
    ("shared", 30, 0),
    ("register", 100, 0),
    ("more shares", 20, 0),
    ("payout", 20, 50),
];
const REASONS: &[(&str, &[&str])] = &[
    ("sell", &["NoSamples", "PaymentTooLow"]),
    ("payout", &["NothingToCollect"]),
];

#[test]
fn prediction_fees_share_alike_what_is_paid() {
    for kind in Kind::ALL {
        let mut tally = Tally::default();
        for seed in 1..=SEEDS {
            for incentive in INCENTIVES {
                let pair = Pair::found(kind, incentive, WAITS, seed);
                tally += PredictionFeesPair::found(pair).run();
            }
        }
        tally.require(kind, LEAST, REASONS);
    }
}

#[test]
fn prediction_fees_take_a_price_of_96_bits() {
    let mut pair = Pair::found(Kind::SparsePerceptron, INCENTIVES[0], WAITS, 1);
    let trainer = pair.model.trainer;
    for price in [(1 << 96) - 1, 1 << 96] {
        let mut cost = DeploymentCost::default();
        let seen = deploy_prediction_fees(&mut pair.chain, OWNER, trainer, price, &mut cost);
        assert_eq!(cost.transactions, u64::from(seen.is_ok()));
        let seen = seen.map_err(|error| error.revert().cloned());
        let expected = PredictionFees::new(price).map_err(|error| Some(Revert::Contract(error)));
        assert_eq!(seen.map(|_| ()), expected.map(|_| ()));
    }
}

/// A trainer and a contract that sells its predictions, each with its reference model.
struct PredictionFeesPair {
    pair: Pair,
    contract: Address,
    prediction_fees: PredictionFees,
}

impl PredictionFeesPair {
    fn found(mut pair: Pair) -> Self {
        let prices = [0, 1, 7, 1_000_000_007, (1 << 96) - 1];
        let price = *prices.choose(&mut pair.chance).expect("prices");
        let trainer = pair.model.trainer;
        let mut cost = DeploymentCost::default();
        let contract = deploy_prediction_fees(&mut pair.chain, OWNER, trainer, price, &mut cost);
        let mut found = Self {
            pair,
            contract: contract.expect("a contract"),
            prediction_fees: PredictionFees::new(price).expect("a price"),
        };
        assert_eq!(found.read(state::price()), U256::from(price));
        let answer = found.ask(state::trainer());
        assert_eq!(bindings::read_address(&answer), Some(trainer));
        found
    }

    fn run(mut self) -> Tally {
        for _ in 0..STEPS {
            match self.pair.chance.random_range(0..10) {
                0 => self.pair.pass(50_000),
                1..3 => self.pair.contribute(),
                3..5 => self.pair.claim(Operation::Refund),
                5..7 => self.predict(),
                7..9 => self.register(),
                _ => self.collect(),
            }
            self.compare();
        }
        self.pair.tally
    }

    fn predict(&mut self) {
        let caller = self.anyone();
        let count = self.pair.chance.random_range(0..4);
        let bad = self.pair.chance.random_bool(0.2);
        let samples: Vec<_> = (0..count)
            .map(|_| {
                if bad {
                    self.pair.bad_sample()
                } else {
                    self.pair.sample()
                }
            })
            .collect();
        let samples: Vec<_> = samples.iter().map(Vec::as_slice).collect();
        let required = self.prediction_fees.price() * samples.len() as u128;
        let value = match self.pair.chance.random_range(0..6) {
            0 => required.saturating_sub(1),
            1 => required + 5,
            _ => required,
        };
        let model = self.pair.reference.classifier();
        let expected = self.prediction_fees.predict(model, value, &samples);
        let sent = self.send(caller, value, bindings::predict(&samples));
        let expected = expected.map(|sold| {
            self.pair.earn(caller, sold.surplus);
            let mut events = vec![PredictionFeesEvent::Predicted {
                caller,
                samples: samples.len() as u64,
                paid: sold.paid,
            }];
            if let Some(shared) = sold.shared {
                self.pair.tally.count("shared", true);
                events.push(PredictionFeesEvent::Shared(shared));
            }
            (sold.labels, events)
        });
        let sent = sent.map(|(output, events)| {
            let labels = bindings::read_labels(&output).expect("labels");
            (labels, events)
        });
        self.same("sell", sent, expected);
    }

    fn register(&mut self) {
        let [caller, account] = [(); 2].map(|()| self.anyone());
        let sent = self.send(caller, 0, calls::register(account));
        let (shares, more) = self
            .prediction_fees
            .register(account, self.pair.reference.good(account));
        self.pair.tally.count("more shares", more);
        let expected = Ok((shares.into(), self.registered(account, more)));
        let sent = sent.map(|(output, events)| (number(&output), events));
        self.same("register", sent, expected);
    }

    fn collect(&mut self) {
        let account = self.anyone();
        let sent = self.send(account, 0, calls::collect());
        let good = self.pair.reference.good(account);
        let expected = self
            .prediction_fees
            .collect(account, good)
            .map(|collected| {
                let amount = collected.amount;
                self.pair.earn(account, amount);
                let mut events = self.registered(account, collected.registered);
                events.push(PredictionFeesEvent::Collected { account, amount });
                (amount, events)
            });
        let sent = sent.map(|(output, events)| (number(&output), events));
        self.same("payout", sent, expected);
    }

    fn registered(&self, account: Address, more: bool) -> Vec<PredictionFeesEvent> {
        let event = PredictionFeesEvent::Registered {
            account,
            shares: self.prediction_fees.shares(account),
            total_shares: self.prediction_fees.total_shares(),
        };
        Vec::from_iter(more.then_some(event))
    }

    fn anyone(&mut self) -> Address {
        *everyone().choose(&mut self.pair.chance).expect("people")
    }

    /// Sends a call. Returns its answer and its events.
    fn send(
        &mut self,
        from: Address,
        value: u128,
        call: Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<PredictionFeesEvent>), ChainError> {
        let call = Transaction::call(from, self.contract, call);
        let receipt = self.pair.chain.send(call.with_value(U256::from(value)))?;
        self.pair.spend(from, value);
        let events = receipt.logs.iter();
        let events = events.map(|log| PredictionFeesEvent::decode(log).expect("an event of these"));
        Ok((receipt.output.to_vec(), events.collect()))
    }

    /// Checks that both succeeded with the same answer and events, or both refused for the same
    /// reason.
    fn same<T: PartialEq + std::fmt::Debug>(
        &mut self,
        operation: &'static str,
        chain: Result<T, ChainError>,
        reference: Result<T, ContractError>,
    ) {
        self.pair.tally.count(operation, reference.is_ok());
        if let Err(reason) = &reference {
            self.pair.tally.reason(operation, reason);
        }
        let at = self.pair.at();
        match (chain, reference) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected, "{operation}, {at}"),
            (chain, reference) => self.pair.same_refusal(chain, reference),
        }
    }

    fn ask(&mut self, call: Vec<u8>) -> Vec<u8> {
        let call = Transaction::call(STRANGER, self.contract, call);
        let answer = self.pair.chain.call(call).expect("an answer");
        answer.output.to_vec()
    }

    fn read(&mut self, call: Vec<u8>) -> U256 {
        bindings::read_number(&self.ask(call)).expect("a number")
    }

    fn compare(&mut self) {
        self.pair.compare();
        let at = self.pair.at();
        let held = self.pair.chain.balance(self.contract).expect("a balance");
        assert_eq!(held, U256::from(self.prediction_fees.held()), "held, {at}");
        let total = self.read(state::total_shares());
        assert_eq!(
            total,
            U256::from(self.prediction_fees.total_shares()),
            "{at}"
        );
        let mut owed = U256::ZERO;
        for account in everyone() {
            let shares = self.read(state::shares(account));
            assert_eq!(
                shares,
                U256::from(self.prediction_fees.shares(account)),
                "{at}"
            );
            let earned = self.read(state::earned(account));
            assert_eq!(
                earned,
                U256::from(self.prediction_fees.earned(account)),
                "{at}"
            );
            owed += earned;
        }
        assert!(owed <= held, "{owed} owed, {held} held, {at}");
    }
}

fn number(output: &[u8]) -> u128 {
    let number = bindings::read_number(output).expect("a number");
    number.try_into().expect("wei")
}
