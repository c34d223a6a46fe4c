//! What a market's logs say. Whoever emitted them: look at the log's address first.

use alloy_primitives::{Address, B256, Bytes, Log};
use alloy_sol_types::SolEventInterface;
use cotrain_protocol::market::{PassSettled, Run, Stage};

use super::stage;
use crate::{contracts::PredictionMarket::PredictionMarketEvents as Events, events::Contributed};

/// All that a market emits. Money is in wei, time in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarketEvent {
    /// The owner committed to a test set and locked the bounty.
    Committed {
        /// What was locked.
        bounty: u128,
        /// The number of the block.
        number: u64,
        /// When.
        time: u64,
        /// One a part.
        commitments: Vec<B256>,
    },
    /// A part was drawn for contributors to test with.
    Drawn {
        /// Which.
        part: u64,
        /// What it was drawn by.
        block_hash: B256,
    },
    /// A part was revealed.
    Revealed {
        /// Which.
        part: u64,
        /// When.
        time: u64,
        /// How many of its samples the initial model predicts right.
        correct: u64,
        /// What it was hidden by.
        salt: B256,
        /// Labels and samples.
        items: Bytes,
    },
    /// Labelled samples were contributed; the deposit is the stake.
    Contributed(Contributed),
    /// A pass began with a new model.
    Restarted {
        /// Which, from 1.
        pass: u64,
        /// The model.
        model: Address,
    },
    /// Words were copied to the model of a pass.
    Copied {
        /// Which, from 1.
        pass: u64,
        /// How many so far.
        copied: u64,
        /// How many it has.
        size: u64,
    },
    /// The contributions of a transaction could not be taught.
    LessonFailed {
        /// The position of the first of them.
        batch: u64,
    },
    /// Consecutive contributions of an author were scored.
    Scored(Run),
    /// How far a call of `score` came.
    Advanced {
        /// What is next.
        stage: Stage,
        /// The position of the next contribution.
        cursor: u64,
        /// Whose contribution was taught last; none at the beginning of a pass.
        run_author: Option<Address>,
        /// How many samples have been evaluated since.
        evaluated: u64,
        /// How many of their samples are predicted right.
        counted: u64,
    },
    /// A participant was paid for a pass, or paid.
    BalanceChanged {
        /// Who.
        account: Address,
        /// In the pass; not 0.
        score: i64,
        /// After it.
        balance: u128,
    },
    /// A participant cannot pay for any further loss.
    Removed {
        /// Who.
        account: Address,
        /// The pass, from 1.
        pass: u64,
    },
    /// How far a call of `settle` came that did not end the pass.
    SettlementAdvanced {
        /// What is next.
        stage: Stage,
        /// The place of the next participant.
        place: u64,
        /// What those looked at can afford to play for.
        pot: u128,
    },
    /// A pass ended.
    PassSettled(PassSettled),
    /// A participant was paid out.
    Collected {
        /// Who.
        account: Address,
        /// How much.
        amount: u128,
    },
    /// The owner was paid what the balances do not need.
    RemainderCollected {
        /// Who.
        owner: Address,
        /// How much.
        amount: u128,
    },
    /// The bounty was burned.
    Forfeited {
        /// How much it was.
        bounty: u128,
    },
}

impl MarketEvent {
    /// What a log says; none where it is none of these, or of values that no market of ours emits.
    #[must_use]
    pub fn decode(log: &Log) -> Option<Self> {
        let event = Events::decode_raw_log(log.topics(), &log.data.data).ok()?;
        Some(match event {
            Events::Committed(e) => Self::Committed {
                bounty: e.bounty.try_into().ok()?,
                number: e.number.try_into().ok()?,
                time: e.time.try_into().ok()?,
                commitments: e.commitments,
            },
            Events::Drawn(e) => Self::Drawn {
                part: e.part.try_into().ok()?,
                block_hash: e.blockHash,
            },
            Events::Revealed(e) => Self::Revealed {
                part: e.part.try_into().ok()?,
                time: e.time.try_into().ok()?,
                correct: e.correct.try_into().ok()?,
                salt: e.salt,
                items: e.items,
            },
            Events::Contributed(e) => Self::Contributed(Contributed {
                batch: e.batch.try_into().ok()?,
                author: e.author,
                deposit: e.deposit.try_into().ok()?,
                time: e.time.try_into().ok()?,
                items: e.items,
            }),
            Events::Restarted(e) => Self::Restarted {
                pass: e.pass.try_into().ok()?,
                model: e.model,
            },
            Events::Copied(e) => Self::Copied {
                pass: e.pass.try_into().ok()?,
                copied: e.copied.try_into().ok()?,
                size: e.size.try_into().ok()?,
            },
            Events::LessonFailed(e) => Self::LessonFailed {
                batch: e.batch.try_into().ok()?,
            },
            Events::Scored(e) => Self::Scored(Run {
                author: e.author,
                change: e.change.try_into().ok()?,
                correct: e.correct.try_into().ok()?,
            }),
            Events::Advanced(e) => Self::Advanced {
                stage: stage(e.stage)?,
                cursor: e.cursor.try_into().ok()?,
                run_author: (!e.runAuthor.is_zero()).then_some(e.runAuthor),
                evaluated: e.evaluated.try_into().ok()?,
                counted: e.counted.try_into().ok()?,
            },
            Events::BalanceChanged(e) => Self::BalanceChanged {
                account: e.account,
                score: e.score.try_into().ok()?,
                balance: e.balance.try_into().ok()?,
            },
            Events::Removed(e) => Self::Removed {
                account: e.account,
                pass: e.pass.try_into().ok()?,
            },
            Events::SettlementAdvanced(e) => Self::SettlementAdvanced {
                stage: stage(e.stage)?,
                place: e.place.try_into().ok()?,
                pot: e.pot.try_into().ok()?,
            },
            Events::PassSettled(e) => Self::PassSettled(PassSettled {
                pass: e.pass.try_into().ok()?,
                pot: e.pot.try_into().ok()?,
                correct: e.correct.try_into().ok()?,
                last: e.last,
            }),
            Events::Collected(e) => Self::Collected {
                account: e.account,
                amount: e.amount.try_into().ok()?,
            },
            Events::RemainderCollected(e) => Self::RemainderCollected {
                owner: e.owner,
                amount: e.amount.try_into().ok()?,
            },
            Events::Forfeited(e) => Self::Forfeited {
                bounty: e.bounty.try_into().ok()?,
            },
        })
    }
}
