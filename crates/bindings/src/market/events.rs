//! Events of markets. Any contract can emit such logs, so check the log's address first.

use alloy_primitives::{B256, Log};
use alloy_sol_types::SolEventInterface;
use cotrain_protocol::market::{Fact, PassSettled, Run};

use super::stage;
use crate::contracts::PredictionMarket::PredictionMarketEvents as Events;

/// First topics of all events of a market.
pub const TOPICS: &[B256] = &TOPIC_WORDS;

const TOPIC_WORDS: [B256; Events::SELECTORS.len()] = {
    let mut words = [B256::ZERO; Events::SELECTORS.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = B256::new(Events::SELECTORS[index]);
        index += 1;
    }
    words
};

/// Decodes a log of a market as a fact.
///
/// Returns `None` if it is another event, or has values that no market of this release emits.
#[must_use]
pub fn decode(log: &Log) -> Option<Fact> {
    let event = Events::decode_raw_log(log.topics(), &log.data.data).ok()?;
    Some(match event {
        Events::Committed(e) => Fact::Committed {
            bounty: e.bounty.try_into().ok()?,
            number: e.number.try_into().ok()?,
            time: e.time.try_into().ok()?,
            commitments: e.commitments,
        },
        Events::Drawn(e) => Fact::Drawn {
            part: e.part.try_into().ok()?,
            block_hash: e.blockHash,
        },
        Events::Revealed(e) => Fact::Revealed {
            part: e.part.try_into().ok()?,
            time: e.time.try_into().ok()?,
            correct: e.correct.try_into().ok()?,
            salt: e.salt,
            items: e.items,
        },
        Events::Contributed(e) => Fact::Contributed {
            first_position: e.firstPosition.try_into().ok()?,
            author: e.author,
            deposit: e.deposit.try_into().ok()?,
            time: e.time.try_into().ok()?,
            items: e.items,
        },
        Events::Restarted(e) => Fact::Restarted {
            pass: e.pass.try_into().ok()?,
            model: e.model,
        },
        Events::Copied(e) => Fact::Copied {
            pass: e.pass.try_into().ok()?,
            copied: e.copied.try_into().ok()?,
            size: e.size.try_into().ok()?,
        },
        Events::LessonFailed(e) => Fact::LessonFailed {
            first_position: e.firstPosition.try_into().ok()?,
        },
        Events::Scored(e) => Fact::Scored(Run {
            author: e.author,
            change: e.change.try_into().ok()?,
            correct: e.correct.try_into().ok()?,
        }),
        Events::Advanced(e) => Fact::Advanced {
            stage: stage(e.stage)?,
            cursor: e.cursor.try_into().ok()?,
            run_author: (!e.runAuthor.is_zero()).then_some(e.runAuthor),
            evaluated: e.evaluated.try_into().ok()?,
            counted: e.counted.try_into().ok()?,
        },
        Events::BalanceChanged(e) => Fact::BalanceChanged {
            account: e.account,
            score: e.score.try_into().ok()?,
            balance: e.balance.try_into().ok()?,
        },
        Events::Removed(e) => Fact::Removed {
            account: e.account,
            pass: e.pass.try_into().ok()?,
        },
        Events::SettlementAdvanced(e) => Fact::SettlementAdvanced {
            stage: stage(e.stage)?,
            participant_index: e.participantIndex.try_into().ok()?,
            pot: e.pot.try_into().ok()?,
        },
        Events::PassSettled(e) => Fact::PassSettled(PassSettled {
            pass: e.pass.try_into().ok()?,
            pot: e.pot.try_into().ok()?,
            correct: e.correct.try_into().ok()?,
            last: e.last,
        }),
        Events::Collected(e) => Fact::Collected {
            account: e.account,
            amount: e.amount.try_into().ok()?,
        },
        Events::RemainderCollected(e) => Fact::RemainderCollected {
            owner: e.owner,
            amount: e.amount.try_into().ok()?,
        },
        Events::Forfeited(e) => Fact::Forfeited {
            bounty: e.bounty.try_into().ok()?,
        },
    })
}
