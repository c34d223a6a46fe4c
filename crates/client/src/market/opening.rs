//! Opening of a market. Its provider commits to the test set and locks the bounty. Then a part is
//! drawn, and the provider reveals it.

use std::{borrow::Cow, path::PathBuf, time::Duration};

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings::{self as bindings, market as calls};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Transaction, keys::Key, node::NodeError};
use cotrain_protocol::{
    ContractError,
    classifier::Classifier,
    market::{Lost, Market, Phase},
    sample::{Item, parse_batch},
};
use tokio::time::{Instant, sleep};

use super::{MarketError, MarketState, TestSet, TestSetError};
use crate::{
    deploy::{ModelConfig, deploy},
    send::{Call, SendError, Sender, gas_cost},
};

/// Maximum gas of a part, with a margin. The contract gives 5,000,000 gas to check a part and as
/// much to evaluate it.
const MAX_GAS_PER_PART: u64 = 4_500_000;
/// Pause between two requests for a new block.
const PAUSE: Duration = Duration::from_millis(500);
/// Maximum time without a block. After it, the opener makes one if [`Opener::makes_blocks`] is set.
const PATIENCE: Duration = Duration::from_secs(3);

/// Step of an opening, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningStep {
    /// The provider commits to the test set and locks the bounty.
    Commit,
    /// A part is drawn.
    Draw,
    /// The provider reveals the drawn part.
    Reveal,
}

impl OpeningStep {
    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Draw => "draw",
            Self::Reveal => "reveal",
        }
    }

    /// Returns the next step of a market; `None` if it has opened, or its bounty was burned before.
    #[must_use]
    pub fn next(market: &Market, now: u64) -> Option<Self> {
        match (market.phase(now), market.drawn_part()) {
            (Phase::Created, _) => Some(Self::Commit),
            (Phase::Committed, None) => Some(Self::Draw),
            (Phase::Committed, Some(_)) => Some(Self::Reveal),
            _ => None,
        }
    }
}

/// Gas of each step of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningGas {
    commit: u64,
    draw: u64,
    reveal: u64,
}

impl OpeningGas {
    /// Returns the gas of the next step and all after it; 0 if no step is left.
    #[must_use]
    pub fn left(&self, next: Option<OpeningStep>) -> u64 {
        match next {
            Some(OpeningStep::Commit) => self.commit + self.draw + self.reveal,
            Some(OpeningStep::Draw) => self.draw + self.reveal,
            Some(OpeningStep::Reveal) => self.reveal,
            None => 0,
        }
    }
}

/// Failure to rehearse an opening.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The chain in this process refuses something.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The samples make no test set.
    #[error(transparent)]
    TestSet(#[from] TestSetError),
    /// A part of the test set is malformed.
    #[error(transparent)]
    Part(#[from] ContractError),
    /// A part needs more gas than the contract certainly gives it: the bounty would be lost.
    #[error(
        "part {part} of the test set would need {gas} gas to be revealed, and at most {max} are safe; make more parts, or take fewer samples"
    )]
    TooDear {
        /// Index of the part.
        part: usize,
        /// Gas that it needs.
        gas: u64,
        /// Maximum gas with a margin.
        max: u64,
    },
    /// The contract emitted no event of the drawn part.
    #[error("the market in this process did not draw a part of its test set")]
    NotDrawn,
}

/// Failure to open a market.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A transaction cannot be sent, or failed.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The market cannot be followed.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The test set cannot be kept or read.
    #[error(transparent)]
    TestSet(#[from] TestSetError),
    /// The market can never open.
    #[error("the market {market} is lost: {lost}; create another one")]
    Lost {
        /// Contract of the market.
        market: Address,
        /// The reason.
        lost: Lost,
    },
    /// The test set lacks the drawn part.
    #[error("the test set of the market {market} has no part {part}; use another node")]
    NoPart {
        /// Contract of the market.
        market: Address,
        /// Index of the part.
        part: usize,
    },
}

/// Commits, draws and reveals on a chain in this process, and returns the gas of each step. A part
/// that needs more gas than the contract allows would lose the bounty.
///
/// # Errors
/// [`RehearsalError`].
pub fn rehearse(
    config: &ModelConfig,
    classifier: &Classifier,
    items: &[Item<'_>],
    parts: usize,
) -> Result<OpeningGas, RehearsalError> {
    let mut chain = Embedded::new(Config {
        start: 1,
        gas_price: 0,
    });
    let owner = config.owner;
    chain.fund(owner, U256::ONE)?;
    let deployment = deploy(&mut chain, config, classifier)?;
    let key = Key::development(0);
    let set = TestSet::new(&key, chain.chain_id(), deployment.trainer, items, parts)?;
    for (part, (_, batch)) in set.parts().enumerate() {
        let items = parse_batch(batch)?;
        let (samples, labels): (Vec<_>, Vec<_>) =
            items.iter().map(|item| (item.sample, item.label)).unzip();
        for call in [
            bindings::check(batch),
            bindings::evaluate(&samples, &labels),
        ] {
            let call = Transaction::call(owner, deployment.classifier, call);
            let gas = chain.call(call)?.gas_used;
            if gas > MAX_GAS_PER_PART {
                let max = MAX_GAS_PER_PART;
                return Err(RehearsalError::TooDear { part, gas, max });
            }
        }
    }
    let mut send = |value: u64, call: Vec<u8>| -> Result<u64, ChainError> {
        let call = Transaction::call(owner, deployment.trainer, call);
        Ok(chain.send(call.with_value(U256::from(value)))?.gas_used)
    };
    let commit = send(1, calls::commit(&set.commitments()))?;
    // The draw uses the hash of the block after the commitments.
    send(0, bindings::state::owner())?;
    let draw = send(0, calls::draw())?;
    let asked = Transaction::call(owner, deployment.trainer, calls::state::drawn_part());
    let answer = chain.call(asked)?.output;
    let drawn = calls::read_drawn_part(&answer).flatten();
    let drawn = drawn.and_then(|part| Some((part, set.part(usize::try_from(part).ok()?)?)));
    let (part, (salt, items)) = drawn.ok_or(RehearsalError::NotDrawn)?;
    let call = calls::reveal(part, salt, items);
    let reveal = chain.send(Transaction::call(owner, deployment.trainer, call))?;
    Ok(OpeningGas {
        commit,
        draw,
        reveal: reveal.gas_used,
    })
}

/// Transaction of an opening that is part of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The step.
    pub step: OpeningStep,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Height of its block.
    pub block: u64,
    /// Gas that it used.
    pub gas: u64,
    /// Cost of the gas, in wei.
    pub cost: u128,
}

/// Provider that opens a market.
#[derive(Debug)]
pub struct Opener<'a> {
    /// Account of the provider.
    pub sender: &'a Sender<'a>,
    /// Money to lock, in wei.
    pub bounty: u128,
    /// Test set that the market will have, or has.
    pub set: TestSet,
    /// File of the test set.
    pub file: PathBuf,
    /// `true` if the chain makes blocks only for transactions. This account then makes the blocks
    /// that the draw waits for.
    pub makes_blocks: bool,
}

impl Opener<'_> {
    /// Commits, draws and reveals, without the steps that are done already. `done` receives each
    /// step that is part of the chain.
    ///
    /// The file of the test set is written before the bounty is locked. A lost file is written
    /// again from the same data, options and key.
    ///
    /// # Errors
    /// [`OpeningError`]. A later call resumes, unless the market is lost.
    pub async fn open(
        &self,
        state: &mut MarketState,
        mut done: impl FnMut(&Opened),
    ) -> Result<(), OpeningError> {
        if self.is_committed(state) {
            self.set.save(&self.file)?;
        }
        loop {
            let now = self.sender.node.now().await?;
            let market = state.market();
            // Heights count from the next block.
            let block = state.block().map_or(0, |block| block.number) + 1;
            if let Some(lost) = market.lost(now, block) {
                let market = market.address();
                return Err(OpeningError::Lost { market, lost });
            }
            let Some(step) = OpeningStep::next(market, now) else {
                return Ok(());
            };
            let (value, data) = match step {
                OpeningStep::Commit => {
                    // The file must be on the disk before the commitments depend on it.
                    self.set.save(&self.file)?;
                    (self.bounty, calls::commit(&self.set.commitments()))
                }
                OpeningStep::Draw => {
                    self.wait_for_draw(market).await?;
                    (0, calls::draw())
                }
                OpeningStep::Reveal => {
                    let set = self.committed_set(state)?;
                    let part = market.drawn_part().unwrap_or_default();
                    let (salt, items) = set.part(part).ok_or(OpeningError::NoPart {
                        market: market.address(),
                        part,
                    })?;
                    (0, calls::reveal(part as u64, salt, items))
                }
            };
            let call = Call {
                to: Some(market.address()),
                value,
                data: data.into(),
            };
            let receipt = self.sender.send(call).await?;
            self.sender.budget.spend(value);
            done(&Opened {
                step,
                transaction: receipt.transaction,
                block: receipt.block,
                gas: receipt.gas_used,
                cost: gas_cost(&receipt),
            });
            state.update(self.sender.node).await?;
        }
    }

    /// Returns `true` if the market is committed to [`Opener::set`].
    fn is_committed(&self, state: &MarketState) -> bool {
        self.set.commitments() == state.market().commitments()
    }

    /// Returns the test set that the market is committed to: [`Opener::set`], or that of the file.
    fn committed_set(&self, state: &MarketState) -> Result<Cow<'_, TestSet>, TestSetError> {
        if self.is_committed(state) {
            return Ok(Cow::Borrowed(&self.set));
        }
        TestSet::load_of(&self.file, state.market()).map(Cow::Owned)
    }

    /// Waits for the first block in which the draw succeeds: nodes estimate gas in their latest
    /// block.
    async fn wait_for_draw(&self, market: &Market) -> Result<(), OpeningError> {
        let earliest = market.earliest_draw().unwrap_or_default();
        let start = Instant::now();
        while self.sender.node.head().await?.number < earliest {
            if self.makes_blocks && start.elapsed() > PATIENCE {
                let nothing = Call {
                    to: Some(self.sender.address()),
                    value: 0,
                    data: Vec::new().into(),
                };
                self.sender.send(nothing).await?;
            } else {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::{classifier::Parameters, market, mechanism::Terms};

    use super::*;

    #[test]
    fn rehearse_measures_each_step_and_left_adds_those_to_come() {
        let terms = market::Terms {
            stake: 10,
            participation: 1_000,
            reveal_wait: 50,
            scoring_wait: 500,
            most_contributions: 10,
            most_passes: 8,
        };
        let config = ModelConfig {
            owner: Address::with_last_byte(9),
            terms: Terms::Market(terms),
        };
        let parameters = Parameters::SparsePerceptron {
            features: 20,
            learning_rate: 1,
            intercept: 0,
        };
        let classifier = Classifier::new(parameters).expect("a model");
        let sample = [0, 7];
        let item = Item {
            label: 1,
            sample: &sample,
        };
        let gas = rehearse(&config, &classifier, &[item; 6], 3).expect("an opening");
        let left = |step| gas.left(Some(step));
        assert_eq!(gas.left(None), 0);
        assert_eq!(left(OpeningStep::Reveal), gas.reveal);
        assert_eq!(left(OpeningStep::Draw), gas.draw + gas.reveal);
        let all = gas.commit + gas.draw + gas.reveal;
        assert_eq!(left(OpeningStep::Commit), all);
        // Each step is a transaction.
        for step in [gas.commit, gas.draw, gas.reveal] {
            assert!(step > 21_000, "{gas:?}");
        }
        let error = rehearse(&config, &classifier, &[item; 6], 7).unwrap_err();
        let RehearsalError::TestSet(error) = error else {
            panic!("another failure: {error}");
        };
        assert!(matches!(error, TestSetError::TooFew { .. }), "{error}");
    }
}
