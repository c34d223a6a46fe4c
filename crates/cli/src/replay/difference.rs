//! What is different between a step as it was recorded and as it was replayed.

use std::{
    fmt::Display,
    time::{Duration, UNIX_EPOCH},
};

use alloy_primitives::{Address, Log};
use cotrain_bindings::{Revert, function_name};
use cotrain_chain::{ChainError, Outcome, Receipt, Step};
use serde::Serialize;

use crate::people::count;

/// The most that is shown of a value, in characters; JSON has all of it.
const SHOWN: usize = 66;
/// What is shown before the first character that differs.
const BEFORE: usize = 16;

/// The first difference of a replay.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    /// Which step, from 1; none: the state after all steps.
    step: Option<u64>,
    /// What was done.
    #[serde(flatten)]
    what: What,
    /// What is different.
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    /// An account was given money.
    Fund { account: Address, wei: String },
    /// A transaction.
    Transaction {
        /// Which, from 1.
        transaction: u64,
        /// The time of its block, in Unix seconds.
        time: u64,
        from: Address,
        to: Option<Address>,
        /// What it calls, where that is a function of ours.
        function: Option<&'static str>,
        /// Decimal, for it may be more than JSON's numbers hold.
        value_wei: String,
        calldata_bytes: usize,
        gas_limit: u64,
    },
    /// All steps were the same.
    State,
}

/// A part of a step that is different.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    field: String,
    recorded: String,
    replayed: String,
}

impl Field {
    fn new(field: impl Into<String>, recorded: impl Display, replayed: impl Display) -> Self {
        Self {
            field: field.into(),
            recorded: recorded.to_string(),
            replayed: replayed.to_string(),
        }
    }

    pub(super) fn unless_equal<T: Display + PartialEq>(
        field: impl Into<String>,
        recorded: T,
        replayed: T,
    ) -> Option<Self> {
        (recorded != replayed).then(|| Self::new(field, recorded, replayed))
    }

    /// The chain takes no part of what was recorded as `recorded`.
    pub(super) fn rejected(recorded: impl Display, reason: &str) -> Self {
        Self::new("outcome", recorded, format!("rejected: {reason}"))
    }

    fn lines(&self) -> [String; 3] {
        let (from, [recorded, replayed]) = excerpt([&self.recorded, &self.replayed]);
        [
            format!("{}{from}", self.field),
            format!("  recorded  {recorded}"),
            format!("  replayed  {replayed}"),
        ]
    }
}

/// Both values, where they are long only from a little before the first difference on, and where that is.
fn excerpt(values: [&str; 2]) -> (String, [String; 2]) {
    if values.iter().all(|value| value.chars().count() <= SHOWN) {
        return (String::new(), values.map(str::to_owned));
    }
    let [first, second] = values.map(str::chars);
    let same = first.zip(second).take_while(|(one, other)| one == other);
    let same = same.count();
    // Hexadecimal digits come in pairs, after `0x`.
    let start = same.saturating_sub(BEFORE) / 2 * 2;
    let part = |value: &str| {
        let mut rest = value.chars().skip(start);
        let shown: String = rest.by_ref().take(SHOWN - 2).collect();
        let before = if start > 0 { "…" } else { "" };
        let after = if rest.next().is_some() { "…" } else { "" };
        format!("{before}{shown}{after}")
    };
    let lengths = values.map(|value| value.strip_prefix("0x").map(|digits| digits.len() / 2));
    let place = match lengths {
        [Some(recorded), Some(replayed)] => {
            let byte = same.saturating_sub(2) / 2;
            format!(", from byte {byte} of {recorded} recorded and {replayed} replayed on")
        }
        _ => String::new(),
    };
    (place, values.map(part))
}

impl Difference {
    pub(super) fn of_state(field: Field) -> Self {
        Self {
            step: None,
            what: What::State,
            fields: vec![field],
        }
    }

    /// The `number`th step; a transaction is the `transaction`th.
    pub(super) fn of_step(number: u64, transaction: u64, step: &Step, fields: Vec<Field>) -> Self {
        let what = match step {
            Step::Fund { account, wei } => What::Fund {
                account: *account,
                wei: wei.to_string(),
            },
            Step::Transaction {
                time,
                transaction: sent,
                ..
            } => What::Transaction {
                transaction,
                time: *time,
                from: sent.from,
                to: sent.to,
                function: sent.to.and_then(|_| function_name(&sent.data)),
                value_wei: sent.value.to_string(),
                calldata_bytes: sent.data.len(),
                gas_limit: sent.gas_limit,
            },
        };
        Self {
            step: Some(number),
            what,
            fields,
        }
    }

    /// Where it is, in words.
    pub(super) fn place(&self) -> String {
        self.step.map_or_else(
            || "the state after the last step".to_owned(),
            |step| format!("step {step}"),
        )
    }

    /// For people, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let place = self.place();
        let mut lines = match &self.what {
            What::Fund { account, wei } => vec![format!("{place}: {wei} wei for {account}")],
            What::State => vec![place],
            What::Transaction {
                transaction,
                time,
                from,
                to,
                function,
                value_wei,
                calldata_bytes,
                gas_limit,
            } => {
                let what = match (to, function) {
                    (None, _) => "creates a contract",
                    (Some(_), Some(name)) => name,
                    (Some(_), None) => "an unknown function",
                };
                let mut lines = vec![
                    format!(
                        "{place}: transaction {} at {}",
                        count(*transaction),
                        utc(*time)
                    ),
                    format!("from      {from}"),
                ];
                lines.extend(to.map(|to| format!("to        {to}")));
                lines.push(format!(
                    "calls     {what}, {} bytes of calldata",
                    count(*calldata_bytes as u64)
                ));
                lines.push(format!("value     {value_wei} wei"));
                lines.push(format!("gas limit {}", count(*gas_limit)));
                lines
            }
        };
        for field in &self.fields {
            lines.push(String::new());
            lines.extend(field.lines());
        }
        lines
    }
}

/// The time in words; beyond the year 9999, as it is.
fn utc(time: u64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    if time >= YEAR_10000 {
        return format!("{time} s");
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time)).to_string()
}

/// What is different between what came of a transaction and what comes of it now.
///
/// # Errors
/// Where the chain fails, so that nothing is known of the transaction.
pub(super) fn compare(
    recorded: &Outcome,
    answer: Result<Receipt, ChainError>,
) -> Result<Vec<Field>, ChainError> {
    let replayed = match Outcome::of(answer) {
        Ok(replayed) => replayed,
        Err(ChainError::Rejected { reason }) => {
            return Ok(vec![Field::rejected(words(recorded), &reason)]);
        }
        Err(error) => return Err(error),
    };
    let mut fields = match (recorded, &replayed) {
        (Outcome::Success(recorded), Outcome::Success(replayed)) => receipts(recorded, replayed),
        (Outcome::Reverted { data, .. }, Outcome::Reverted { data: now, .. }) => {
            let reasons = Field::unless_equal("outcome", words(recorded), words(&replayed));
            let data = Field::unless_equal("revert data", data, now);
            reasons.into_iter().chain(data).collect()
        }
        // Each kind of chain has words of its own for the same.
        (Outcome::Halted { .. }, Outcome::Halted { .. }) => Vec::new(),
        _ => vec![Field::new("outcome", words(recorded), words(&replayed))],
    };
    let gas = [recorded, &replayed].map(Outcome::gas_used);
    if gas[0] != gas[1] {
        let gas = gas.map(count);
        fields.push(Field::new("gas used", &gas[0], &gas[1]));
    }
    Ok(fields)
}

fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Success(_) => "success".to_owned(),
        Outcome::Reverted { data, .. } => format!("reverted: {}", Revert::decode(data)),
        Outcome::Halted { reason, .. } => format!("halted: {reason}"),
    }
}

fn receipts(recorded: &Receipt, replayed: &Receipt) -> Vec<Field> {
    let created = |receipt: &Receipt| {
        let created = receipt.created;
        created.map_or_else(|| "nothing".to_owned(), |address| address.to_string())
    };
    let mut fields = Vec::new();
    fields.extend(Field::unless_equal(
        "output",
        &recorded.output,
        &replayed.output,
    ));
    fields.extend(Field::unless_equal(
        "created",
        created(recorded),
        created(replayed),
    ));
    fields.extend(Field::unless_equal(
        "events",
        recorded.logs.len(),
        replayed.logs.len(),
    ));
    let pairs = recorded.logs.iter().zip(&replayed.logs);
    fields.extend(
        pairs
            .enumerate()
            .flat_map(|(place, (one, other))| logs(place, one, other)),
    );
    fields
}

fn logs(place: usize, recorded: &Log, replayed: &Log) -> Vec<Field> {
    let topics = |log: &Log| {
        let topics = log.topics().iter().map(ToString::to_string);
        topics.collect::<Vec<_>>().join(" ")
    };
    [
        Field::unless_equal(
            format!("event {place}, address"),
            recorded.address,
            replayed.address,
        ),
        Field::unless_equal(
            format!("event {place}, topics"),
            topics(recorded),
            topics(replayed),
        ),
        Field::unless_equal(
            format!("event {place}, data"),
            &recorded.data.data,
            &replayed.data.data,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
