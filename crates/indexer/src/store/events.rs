//! Events as JSON for clients.

use alloy_primitives::{Address, Log as ChainLog};
use cotrain_bindings::{Revert, events::TrainerEvent, market::events};
use cotrain_protocol::market::Fact;
use serde_json::{Value as Json, json};
use sqlx::{Row, any::AnyRow};

use super::{
    chain::read_log,
    error::StoreError,
    sql::{address, number},
};
use crate::rows::EventRow;

/// Reads an event from the columns that [`ChainStore::events`](super::ChainStore) selects.
/// `explain` describes a revert reason of a model's contracts as text.
pub(super) fn read_event(
    row: &AnyRow,
    explain: impl Fn(Address, &Revert) -> String,
) -> Result<EventRow, StoreError> {
    let (id, trainer) = (row.try_get(0)?, address(row, 1)?);
    let kind: Option<String> = row.try_get(2)?;
    if let Some(kind) = kind {
        let detail: Option<String> = row.try_get(3)?;
        let detail = serde_json::from_str(detail.as_deref().unwrap_or("{}"))
            .map_err(|_| StoreError::Malformed { what: "an event" })?;
        return Ok(EventRow {
            id,
            trainer,
            kind,
            block: number(row, 4)?,
            transaction: None,
            account: None,
            position: None,
            detail,
        });
    }
    let log = read_log(row, 4)?;
    let chain = ChainLog {
        address: trainer,
        data: log.data,
    };
    let (kind, account, position, detail) = if let Some(event) = TrainerEvent::decode(&chain) {
        of_trainer(&event, |reason| explain(trainer, reason))
    } else {
        let fact = events::decode(&chain);
        of_market(fact.ok_or(StoreError::Malformed {
            what: "a log of no model",
        })?)
    };
    Ok(EventRow {
        id,
        trainer,
        kind: kind.to_owned(),
        block: log.block,
        transaction: Some(log.transaction),
        account,
        position,
        detail,
    })
}

/// Kind of an event, its account, its contribution's position, and further facts.
type EventColumns = (&'static str, Option<Address>, Option<u64>, Json);

/// Returns the description of a trainer's event.
fn of_trainer(event: &TrainerEvent, explain: impl Fn(&Revert) -> String) -> EventColumns {
    match event {
        TrainerEvent::Contributed(e) => {
            let detail =
                json!({ "deposit": e.deposit.to_string(), "time": e.time, "items": e.items });
            (
                "contributed",
                Some(e.author),
                Some(e.first_position),
                detail,
            )
        }
        TrainerEvent::Relayed(e) => {
            let batches: Vec<_> = e
                .batches
                .iter()
                .map(|b| json!({ "author": b.author, "nonce": b.nonce, "fee": b.fee.to_string(), "items": b.items }))
                .collect();
            let detail =
                json!({ "deposit": e.deposit.to_string(), "time": e.time, "batches": batches });
            ("relayed", Some(e.relayer), Some(e.first_position), detail)
        }
        TrainerEvent::Skipped(e) => {
            let detail = json!({ "nonce": e.nonce, "reason": explain(&e.reason) });
            ("skipped", Some(e.author), None, detail)
        }
        TrainerEvent::ClaimSkipped(e) => (
            "claim-skipped",
            None,
            Some(e.position),
            json!({ "reason": explain(&e.reason) }),
        ),
        TrainerEvent::Announced(e) => (
            "announced",
            Some(e.announcer),
            Some(e.position),
            json!({ "time": e.time }),
        ),
        TrainerEvent::Refunded(e) => ("refunded", Some(e.to), Some(e.position), wei(e.amount)),
        TrainerEvent::Reported(e) => ("reported", Some(e.to), Some(e.position), wei(e.amount)),
        TrainerEvent::ClaimedLate(e) => {
            ("claimed-late", Some(e.to), Some(e.position), wei(e.amount))
        }
        TrainerEvent::Deposited(e) => ("deposited", Some(e.account), None, wei(e.amount)),
        TrainerEvent::Withdrawn(e) => {
            let detail = json!({ "amount": e.amount.to_string(), "to": e.to });
            ("withdrawn", Some(e.account), None, detail)
        }
        TrainerEvent::NoncesCancelled(e) => (
            "nonces-cancelled",
            Some(e.account),
            None,
            json!({ "last": e.last }),
        ),
    }
}

/// Returns the description of a market's event; `contributed` looks like a trainer's.
fn of_market(fact: Fact) -> EventColumns {
    let kind = fact.kind();
    match fact {
        Fact::Committed {
            bounty,
            number,
            time,
            commitments,
        } => {
            let detail = json!({
                "bounty": bounty.to_string(), "number": number, "time": time, "commitments": commitments,
            });
            (kind, None, None, detail)
        }
        Fact::Drawn { part, block_hash } => {
            let detail = json!({ "part": part, "blockHash": block_hash });
            (kind, None, None, detail)
        }
        Fact::Revealed {
            part,
            time,
            correct,
            salt,
            items,
        } => {
            let detail = json!({
                "part": part, "time": time, "correct": correct, "salt": salt, "items": items,
            });
            (kind, None, None, detail)
        }
        Fact::Contributed {
            first_position,
            author,
            deposit,
            time,
            items,
        } => {
            let detail = json!({ "deposit": deposit.to_string(), "time": time, "items": items });
            (kind, Some(author), Some(first_position), detail)
        }
        Fact::Restarted { pass, model } => {
            (kind, None, None, json!({ "pass": pass, "model": model }))
        }
        Fact::Copied { pass, copied, size } => {
            let detail = json!({ "pass": pass, "copied": copied, "size": size });
            (kind, None, None, detail)
        }
        Fact::LessonFailed { first_position } => (kind, None, Some(first_position), json!({})),
        Fact::Scored(run) => {
            let detail = json!({ "change": run.change, "correct": run.correct });
            (kind, Some(run.author), None, detail)
        }
        Fact::Advanced {
            stage,
            cursor,
            run_author,
            evaluated,
            counted,
        } => {
            let detail = json!({
                "stage": stage.to_string(), "cursor": cursor, "evaluated": evaluated, "counted": counted,
            });
            (kind, run_author, None, detail)
        }
        Fact::BalanceChanged {
            account,
            score,
            balance,
        } => {
            let detail = json!({ "score": score, "balance": balance.to_string() });
            (kind, Some(account), None, detail)
        }
        Fact::Removed { account, pass } => (kind, Some(account), None, json!({ "pass": pass })),
        Fact::SettlementAdvanced {
            stage,
            participant_index,
            pot,
        } => {
            let detail = json!({
                "stage": stage.to_string(), "index": participant_index, "pot": pot.to_string(),
            });
            (kind, None, None, detail)
        }
        Fact::PassSettled(pass) => {
            let detail = json!({
                "pass": pass.pass, "pot": pass.pot.to_string(), "correct": pass.correct, "last": pass.last,
            });
            (kind, None, None, detail)
        }
        Fact::Collected { account, amount } => (kind, Some(account), None, wei(amount)),
        Fact::RemainderCollected { owner, amount } => (kind, Some(owner), None, wei(amount)),
        Fact::Forfeited { bounty } => (kind, None, None, json!({ "bounty": bounty.to_string() })),
    }
}

fn wei(amount: u128) -> Json {
    json!({ "amount": amount.to_string() })
}
