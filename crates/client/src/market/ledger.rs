//! State of a market from its events, and the next due action.

use alloy_primitives::{Address, Bytes, Log, U256};
use cotrain_bindings::{
    Revert,
    market::{self as calls, events},
};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{Block, NodeError},
};
use cotrain_protocol::{
    ContractError,
    market::{Contributions, Fact, Market, Pace, Phase, Step},
    mechanism::Terms,
    sample::parse_batch,
    trainer::FactError,
};

use super::{counters::Counters, error::MarketError};
use crate::{
    contribute::Samples,
    estimate::{Misfit, judge},
    model::ModelFacts,
    send::SendError,
};

/// A market after some of its events, with all contributions in it.
#[derive(Debug, Clone)]
pub struct MarketLedger {
    address: Address,
    market: Market,
    contributions: Vec<Contributions>,
    model: Option<Address>,
}

/// Transaction that anyone may send next, so that a market continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Draw the part that contributors test with.
    Draw,
    /// Do a step of the scoring.
    Score(Step),
}

/// Money of an account that a market would pay out now, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collectable {
    /// Balance or stakes of a participant.
    pub balance: u128,
    /// Rest that the provider gets.
    pub remainder: u128,
}

impl Collectable {
    /// Returns all of the money.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.balance.saturating_add(self.remainder)
    }

    /// Returns the calls that collect the money. An amount of 0 needs no call.
    #[must_use]
    pub fn calls(&self) -> Vec<Vec<u8>> {
        let all = [
            (self.balance, calls::collect()),
            (self.remainder, calls::collect_remainder()),
        ];
        let some = all.into_iter().filter(|(amount, _)| *amount > 0);
        some.map(|(_, call)| call).collect()
    }
}

/// Action that fits a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The action.
    pub action: Action,
    /// Its calldata.
    pub data: Bytes,
    /// Gas that it would use now. If it is due only in the next block, the maximum gas of a
    /// transaction.
    pub gas: u64,
}

impl MarketLedger {
    /// Returns a market before its first event.
    ///
    /// # Errors
    /// [`MarketError::OtherMechanism`] or [`MarketError::Terms`].
    pub fn new(facts: &ModelFacts) -> Result<Self, MarketError> {
        let address = facts.trainer;
        let Terms::Market(terms) = facts.terms else {
            let mechanism = facts.terms.mechanism();
            return Err(MarketError::OtherMechanism { address, mechanism });
        };
        let market = Market::followed(
            facts.owner,
            address,
            facts.classifier,
            terms,
            facts.parameters,
        );
        let market = market.map_err(|source| MarketError::Terms {
            market: address,
            source,
        })?;
        Ok(Self {
            address,
            market,
            contributions: Vec::new(),
            model: None,
        })
    }

    /// Applies a log of the market and returns its fact; `None` if it is no event of markets.
    ///
    /// # Errors
    /// [`FactError`] if the fact does not follow from the earlier ones. The caller must go back
    /// to an earlier ledger then.
    pub fn take(&mut self, log: &Log) -> Result<Option<Fact>, FactError> {
        let Some(fact) = events::decode(log) else {
            return Ok(None);
        };
        self.market.apply(&fact)?;
        match &fact {
            Fact::Contributed {
                author,
                time,
                items,
                ..
            } => self.contributions.push(Contributions {
                author: *author,
                time: *time,
                items: items.to_vec(),
            }),
            Fact::Restarted { model, .. } => self.model = Some(*model),
            _ => {}
        }
        Ok(Some(fact))
    }

    /// Returns the contract of the market.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Returns the market, without the weights of its models.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Returns the contract's counters as they follow from the events.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            progress: self.market.progress(),
            contributions: self.market.contribution_count(),
            money: U256::from(self.market.held()),
        }
    }

    /// Returns the money that an account can collect in a block of the time `now`, in Unix seconds.
    #[must_use]
    pub fn collectable(&self, account: Address, now: u64) -> Collectable {
        Collectable {
            balance: self.market.collectable(account, now),
            remainder: if account == self.market.owner() {
                self.market.remainder(now)
            } else {
                0
            },
        }
    }

    /// Returns the parts that the provider must reveal in a block of the time `now`, in Unix
    /// seconds. Before the market opens, that is the drawn part; after its closing, all other
    /// parts.
    #[must_use]
    pub fn parts_to_reveal(&self, now: u64) -> Vec<usize> {
        let market = &self.market;
        match market.phase(now) {
            Phase::Committed => market.drawn_part().into_iter().collect(),
            Phase::Revealing => (0..market.commitments().len())
                .filter(|part| market.part(*part).is_none())
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Counts the samples that an author has contributed.
    ///
    /// # Errors
    /// If items of the author are malformed. A contract of this release accepts no such items.
    pub fn samples_of(&self, author: Address) -> Result<Samples, ContractError> {
        let mut samples = Samples::default();
        for made in self.contributions.iter().filter(|it| it.author == author) {
            for item in parse_batch(&made.items)? {
                samples.add(item.label, item.sample.to_vec());
            }
        }
        Ok(samples)
    }

    /// Returns all contributions in order, one record a transaction.
    #[must_use]
    pub fn contributions(&self) -> &[Contributions] {
        &self.contributions
    }

    /// Returns the model of the last pass that has begun. In a settled market, that is the trained
    /// model.
    #[must_use]
    pub fn model(&self) -> Option<Address> {
        self.model
    }

    /// Returns the action that anyone may take next so that the market continues. `None` if the
    /// market is over, or waits for time, the provider or contributors.
    ///
    /// `now` is the time of the chain's next block, in Unix seconds. `block` is the height of the
    /// last block that was read.
    #[must_use]
    pub fn action(&self, now: u64, block: u64, pace: &Pace) -> Option<Action> {
        if self.market.phase(now) == Phase::Committed {
            // Nodes estimate gas as if in the latest block, so that block must already be late
            // enough.
            let earliest = self.market.earliest_draw();
            let is_due = self.market.drawn_part().is_none()
                && earliest.is_some_and(|earliest| block >= earliest)
                && self.market.lost(now, block + 1).is_none();
            return is_due.then_some(Action::Draw);
        }
        let limits = pace.limits();
        let step = self.market.next_step(now, &self.contributions, limits)?;
        Some(Action::Score(step))
    }

    /// Returns the calldata of an action.
    #[must_use]
    pub fn call(&self, action: &Action) -> Vec<u8> {
        match action {
            Action::Draw => calls::draw(),
            Action::Score(Step::Restart { words }) => calls::restart(*words),
            Action::Score(Step::Score { records, samples }) => {
                let records = self.contributions.get(records.clone());
                calls::score(records.unwrap_or_default(), *samples)
            }
            Action::Score(Step::Settle { max }) => calls::settle(*max),
        }
    }

    /// Makes the next step smaller than an action that did not fit a transaction. Returns `false`
    /// if no smaller step exists.
    #[must_use]
    fn shrink(&self, pace: &mut Pace, action: &Action) -> bool {
        match action {
            Action::Score(Step::Score { records, samples }) => {
                pace.shrink(&self.market, records.len(), *samples)
            }
            _ => false,
        }
    }

    /// Records the estimate of a sent step in the pace of the next steps. The ledger must be the
    /// one before the step.
    ///
    /// The estimate includes the maximum gas of the last lesson: see [`Pace::ESTIMATE_PER_STEP`]. A
    /// step that is due only in the next block has no estimate and does not change the pace.
    pub fn note(&self, pace: &mut Pace, ready: &Ready) {
        let Action::Score(step) = &ready.action else {
            return;
        };
        if ready.gas < TRANSACTION_GAS_LIMIT {
            pace.used(ready.gas, self.market.evaluates(step, &self.contributions));
        }
    }

    /// Finds the due action that fits a transaction; `None` if none is due. `estimate` returns the
    /// gas of a call of the market after `block`, the latest block. `now` is the time of the next
    /// block, in Unix seconds.
    ///
    /// # Errors
    /// The failure of the estimate, if no smaller step may succeed; [`SendError::TooMuchGas`].
    pub async fn prepare<F>(
        &self,
        block: &Block,
        now: u64,
        pace: &mut Pace,
        estimate: impl Fn(Bytes) -> F,
    ) -> Result<Option<Ready>, SendError>
    where
        F: Future<Output = Result<u64, SendError>>,
    {
        loop {
            let Some(action) = self.action(now, block.number, pace) else {
                return Ok(None);
            };
            let data = Bytes::from(self.call(&action));
            let error = match judge(estimate(data.clone()).await, None) {
                Ok(gas) => return Ok(Some(Ready { action, data, gas })),
                Err(Misfit::Refused(error)) if matches!(&*error, SendError::Node(error) if self.is_due_by_time(error, block.time, now)) =>
                {
                    let gas = TRANSACTION_GAS_LIMIT;
                    return Ok(Some(Ready { action, data, gas }));
                }
                Err(Misfit::TooLarge(error) | Misfit::Unclear(error)) => error,
                Err(Misfit::NotYet(error) | Misfit::Refused(error) | Misfit::Failed(error)) => {
                    return Err(*error);
                }
            };
            if !self.shrink(pace, &action) {
                return Err(*error);
            }
        }
    }

    /// Returns `true` if the market refused a call for the phase of the latest block, but the next
    /// block begins another phase. `latest` and `now` are the times of these blocks. The caller
    /// then sends the due call nevertheless.
    #[must_use]
    pub fn is_due_by_time(&self, error: &NodeError, latest: u64, now: u64) -> bool {
        let NodeError::Reverted(Revert::Contract(ContractError::WrongPhase { phase, .. })) = error
        else {
            return false;
        };
        self.market.phase(latest) == *phase && self.market.phase(now) != *phase
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, keccak256};
    use cotrain_protocol::{
        classifier::Parameters,
        market::{self, commitment},
        sample::{Item, encode_batch},
    };

    use super::*;

    const TERMS: market::Terms = market::Terms {
        stake: 10,
        participation: 1_000,
        reveal_wait: 50,
        scoring_wait: 500,
        most_contributions: 10,
        most_passes: 8,
    };
    const START: u64 = 10_000;
    const BLOCK: u64 = 77;
    /// Last block of the draw.
    const LATEST: u64 = BLOCK + 257;

    fn ledger(facts: &[Fact]) -> MarketLedger {
        let parameters = Parameters::SparsePerceptron {
            features: 20,
            learning_rate: 1,
            intercept: 0,
        };
        let (owner, address) = (Address::with_last_byte(1), Address::with_last_byte(2));
        let classifier = Address::with_last_byte(3);
        let followed = Market::followed(owner, address, classifier, TERMS, parameters);
        let mut ledger = MarketLedger {
            address,
            market: followed.expect("a market"),
            contributions: Vec::new(),
            model: None,
        };
        for fact in facts {
            ledger.market.apply(fact).expect("a fact");
        }
        ledger
    }

    /// Returns the items of each part and of each contribution: ten samples.
    fn items() -> Vec<u8> {
        let sample = [0, 7];
        let item = Item {
            label: 1,
            sample: &sample,
        };
        encode_batch(&[item; 10]).expect("a batch")
    }

    fn committed() -> Fact {
        let commitments = (0..2).map(|part| commitment(part, B256::ZERO, &items()));
        Fact::Committed {
            bounty: 1_000,
            number: BLOCK,
            time: START,
            commitments: commitments.collect(),
        }
    }

    /// Returns a draw, and the part that it draws.
    fn drawn() -> (Fact, u64) {
        let block_hash = keccak256("a block");
        let draw = |part| Fact::Drawn { part, block_hash };
        let market = ledger(&[committed()]).market;
        let part = (0..2).find(|part| market.clone().apply(&draw(*part)).is_ok());
        let part = part.expect("a part is drawn");
        (draw(part), part)
    }

    fn revealed(part: u64, time: u64) -> Fact {
        Fact::Revealed {
            part,
            time,
            correct: 4,
            salt: B256::ZERO,
            items: items().into(),
        }
    }

    /// Returns the items of a contribution.
    fn contributed_items() -> Vec<u8> {
        let item = Item {
            label: 1,
            sample: &[0, 3],
        };
        encode_batch(&[item]).expect("a batch")
    }

    fn contributed(first_position: u64, author: Address, time: u64) -> Fact {
        Fact::Contributed {
            first_position,
            author,
            deposit: TERMS.stake,
            time,
            items: contributed_items().into(),
        }
    }

    /// Returns a market whose contributions, of two authors, are scored on ten samples; and the
    /// time.
    fn scoring() -> (MarketLedger, u64) {
        let (draw, part) = drawn();
        let opened = START + 10;
        let now = opened + TERMS.participation;
        let mut ledger = ledger(&[committed(), draw, revealed(part, opened)]);
        for (batch, author) in [(0, 8), (1, 9)] {
            let author = Address::with_last_byte(author);
            let fact = contributed(batch, author, opened);
            ledger.market.apply(&fact).expect("a contribution");
            ledger.contributions.push(Contributions {
                author,
                time: opened,
                items: contributed_items(),
            });
        }
        let copied = Fact::Copied {
            pass: 1,
            copied: 2,
            size: 2,
        };
        for fact in [revealed(1 - part, now), copied] {
            ledger.market.apply(&fact).expect("a fact");
        }
        (ledger, now)
    }

    #[test]
    fn samples_of_counts_those_of_one_author() {
        let (ledger, _) = scoring();
        let mut samples = ledger.samples_of(Address::with_last_byte(8)).expect("read");
        assert!(samples.take(1, &[0, 3]) && !samples.take(1, &[0, 3]));
        let others = ledger.samples_of(Address::with_last_byte(7));
        assert_eq!(others.expect("read"), Samples::default());
    }

    #[test]
    fn parts_to_reveal_are_the_drawn_one_first_and_then_the_others() {
        let (draw, part) = drawn();
        let opened = START + 10;
        let closed = opened + TERMS.participation;
        let part_index = usize::try_from(part).expect("a part");
        assert!(ledger(&[committed()]).parts_to_reveal(START + 1).is_empty());
        let facts = [committed(), draw, revealed(part, opened)];
        let drawn = ledger(&facts[..2]);
        assert_eq!(drawn.parts_to_reveal(opened), [part_index]);
        let mut open = ledger(&facts);
        assert!(open.parts_to_reveal(opened + 1).is_empty());
        // Without a contribution there is nothing to score, so the provider need not reveal.
        assert!(open.parts_to_reveal(closed).is_empty());
        let contributed = contributed(0, Address::with_last_byte(8), opened);
        open.market.apply(&contributed).expect("a contribution");
        assert_eq!(open.parts_to_reveal(closed), [1 - part_index]);
        let (scoring, now) = scoring();
        assert!(scoring.parts_to_reveal(now).is_empty());
    }

    #[test]
    fn collectable_is_the_stakes_of_a_market_that_failed() {
        let (scoring, now) = scoring();
        let late = now + TERMS.scoring_wait + 1;
        let collectable = |account, now| {
            let found = scoring.collectable(account, now);
            (found.balance, found.remainder)
        };
        let author = Address::with_last_byte(8);
        assert_eq!(collectable(author, now), (0, 0));
        assert_eq!(collectable(author, late), (TERMS.stake, 0));
        assert_eq!(collectable(Address::with_last_byte(7), late), (0, 0));
        assert_eq!(collectable(scoring.market().owner(), late), (0, 0));
    }

    #[test]
    fn calls_collect_only_what_is_there() {
        let of = |balance, remainder| {
            let money = Collectable { balance, remainder };
            (money.total(), money.calls())
        };
        let (own, rest) = (calls::collect(), calls::collect_remainder());
        assert_eq!(of(0, 0), (0, vec![]));
        assert_eq!(of(3, 0), (3, vec![own.clone()]));
        assert_eq!(of(0, 4), (4, vec![rest.clone()]));
        assert_eq!(of(3, 4), (7, vec![own, rest]));
    }

    #[test]
    fn action_is_a_draw_only_if_the_market_can_still_open() {
        let draws = |ledger: &MarketLedger, now, block| {
            let action = ledger.action(now, block, &Pace::default());
            assert!(matches!(action, None | Some(Action::Draw)), "{action:?}");
            action.is_some()
        };
        let late = START + TERMS.reveal_wait;
        let committed_only = ledger(&[committed()]);
        for (now, block, expected) in [
            (START + 1, BLOCK + 1, false),
            (START + 1, BLOCK + 2, true),
            (late, LATEST - 1, true),
            // The next block is too late.
            (late, LATEST, false),
            (late + 1, BLOCK + 2, false),
        ] {
            let found = draws(&committed_only, now, block);
            assert_eq!(found, expected, "{now}, {block}");
        }
        assert!(!draws(&ledger(&[]), START, BLOCK + 2));
        assert!(!draws(
            &ledger(&[committed(), drawn().0]),
            START + 1,
            BLOCK + 2
        ));
    }

    #[test]
    fn note_learns_from_the_estimates_of_steps_that_evaluate() {
        let (ledger, now) = scoring();
        let began = Pace::new(Pace::ESTIMATE_PER_STEP);
        let action = ledger.action(now, BLOCK + 9, &began).expect("a step");
        assert!(matches!(action, Action::Score(Step::Score { .. })));
        let after = |action: &Action, gas| {
            let mut pace = began;
            let ready = Ready {
                action: action.clone(),
                data: Bytes::new(),
                gas,
            };
            ledger.note(&mut pace, &ready);
            pace.limits().samples
        };
        // Each of two authors is evaluated on ten samples.
        assert_eq!(after(&action, 6_000_000), 40);
        assert_eq!(after(&action, 12_000_000), 20);
        let unchanged = began.limits().samples;
        assert_eq!(after(&action, TRANSACTION_GAS_LIMIT), unchanged);
        let restart = Action::Score(Step::Restart { words: 1 });
        assert_eq!(after(&restart, 6_000_000), unchanged);
        assert_eq!(after(&Action::Draw, 6_000_000), unchanged);
    }
}
