//! Differences between a recorded step and its replay.

use std::{
    fmt::Display,
    time::{Duration, UNIX_EPOCH},
};

use alloy_primitives::{Address, Log};
use cotrain_bindings::{Revert, function_name};
use cotrain_chain::{ChainError, Outcome, Receipt, Step};
use cotrain_results::format::count;
use serde::Serialize;

/// Maximum length of a hexadecimal number that is shown whole, in characters. JSON always has it
/// whole.
const SHOWN: usize = 66;
/// Number of bytes shown of a longer number.
const BYTES: usize = 32;
/// Number of shown bytes before the first different byte.
const BEFORE: usize = 8;

/// The first difference of a replay.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    /// Number of the step, from 1; `None` for the state after all steps.
    step: Option<u64>,
    /// Kind of the step, with its contents.
    #[serde(flatten)]
    what: What,
    /// Parts that are different.
    fields: Vec<Field>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What {
    /// The chain gave money to an account.
    Fund { account: Address, wei: String },
    /// A transaction.
    Transaction {
        /// Number of the transaction, from 1.
        transaction: u64,
        /// The time of its block, in Unix seconds.
        time: u64,
        from: Address,
        to: Option<Address>,
        /// Function that it calls, if it is one of this release's.
        function: Option<&'static str>,
        /// Value in wei as decimal text, because it may exceed the numbers of JSON.
        value_wei: String,
        calldata_bytes: usize,
        gas_limit: u64,
    },
    /// All steps were the same.
    State,
}

/// Difference in a part of a step.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Field {
    name: String,
    recorded: String,
    replayed: String,
}

impl Field {
    fn new(name: impl Into<String>, recorded: impl Display, replayed: impl Display) -> Self {
        Self {
            name: name.into(),
            recorded: recorded.to_string(),
            replayed: replayed.to_string(),
        }
    }

    pub(super) fn unless_equal<T: Display + PartialEq>(
        name: impl Into<String>,
        recorded: T,
        replayed: T,
    ) -> Option<Self> {
        (recorded != replayed).then(|| Self::new(name, recorded, replayed))
    }

    /// Describes a step that succeeded in the recording as `recorded` and that the chain rejects.
    pub(super) fn rejected(recorded: impl Display, reason: &str) -> Self {
        Self::new("outcome", recorded, format!("rejected: {reason}"))
    }

    fn lines(&self) -> [String; 3] {
        let (from, [recorded, replayed]) = excerpt([&self.recorded, &self.replayed]);
        [
            format!("{}{from}", self.name),
            format!("  recorded  {recorded}"),
            format!("  replayed  {replayed}"),
        ]
    }
}

/// Returns both values, and a text that says where they begin. Long hexadecimal numbers are cut to
/// a window around the first difference.
fn excerpt(values: [&str; 2]) -> (String, [String; 2]) {
    let whole = (String::new(), values.map(str::to_owned));
    let [Some(one), Some(other)] = values.map(|value| value.strip_prefix("0x")) else {
        return whole;
    };
    if values.iter().all(|value| value.len() <= SHOWN) {
        return whole;
    }
    let lengths = [one, other].map(|digits| digits.len() / 2);
    let pairs = one.bytes().zip(other.bytes());
    let byte = pairs.take_while(|(one, other)| one == other).count() / 2;
    let start = byte.saturating_sub(BEFORE);
    let part = |digits: &str| {
        let shown: String = digits.chars().skip(2 * start).take(2 * BYTES).collect();
        let before = if start > 0 { "…" } else { "0x" };
        let after = if digits.len() > 2 * (start + BYTES) {
            "…"
        } else {
            ""
        };
        format!("{before}{shown}{after}")
    };
    let of = match lengths {
        [recorded, replayed] if recorded == replayed => recorded.to_string(),
        [recorded, replayed] => format!("{recorded} recorded and {replayed} replayed"),
    };
    (
        format!(", from byte {byte} of {of} on"),
        [part(one), part(other)],
    )
}

impl Difference {
    pub(super) fn of_state(field: Field) -> Self {
        Self {
            step: None,
            what: What::State,
            fields: vec![field],
        }
    }

    /// Returns the difference of step `number`; if it is a transaction, its number is
    /// `transaction`.
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

    /// Returns the step of the difference as text.
    pub(super) fn location(&self) -> String {
        self.step.map_or_else(
            || "the state after the last step".to_owned(),
            |step| format!("step {step}"),
        )
    }

    /// Returns the lines for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let location = self.location();
        let mut lines = match &self.what {
            What::Fund { account, wei } => vec![format!("{location}: {wei} wei for {account}")],
            What::State => vec![location],
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
                    (None, _) => "creates   a contract".to_owned(),
                    (Some(_), Some(name)) => format!("calls     {name}"),
                    (Some(_), None) => "calls     an unknown function".to_owned(),
                };
                let mut lines = vec![
                    format!(
                        "{location}: transaction {} at {}",
                        count(*transaction),
                        utc(*time)
                    ),
                    format!("from      {from}"),
                ];
                lines.extend(to.map(|to| format!("to        {to}")));
                lines.push(format!(
                    "{what}, {} bytes of calldata",
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

/// Returns a time as text; a time after the year 9999 as a number of seconds.
fn utc(time: u64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    if time >= YEAR_10000 {
        return format!("{time} s");
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time)).to_string()
}

/// Returns the differences between the recorded outcome of a transaction and the replayed one.
///
/// # Errors
/// If the chain fails, so that the outcome is unknown.
pub(super) fn compare(
    recorded: &Outcome,
    answer: Result<Receipt, ChainError>,
) -> Result<Vec<Field>, ChainError> {
    let replayed = match Outcome::of(answer) {
        Ok(replayed) => replayed,
        Err(ChainError::Rejected { reason }) => {
            return Ok(vec![Field::rejected(describe(recorded), &reason)]);
        }
        Err(error) => return Err(error),
    };
    let mut fields = match (recorded, &replayed) {
        (Outcome::Success(recorded), Outcome::Success(replayed)) => receipts(recorded, replayed),
        (Outcome::Reverted { data, .. }, Outcome::Reverted { data: now, .. }) => {
            let reasons = Field::unless_equal("outcome", describe(recorded), describe(&replayed));
            let data = Field::unless_equal("revert data", data, now);
            reasons.into_iter().chain(data).collect()
        }
        // Kinds of chains describe the same halt in different words.
        (Outcome::Halted { .. }, Outcome::Halted { .. }) => Vec::new(),
        _ => vec![Field::new(
            "outcome",
            describe(recorded),
            describe(&replayed),
        )],
    };
    let gas = [recorded, &replayed].map(Outcome::gas_used);
    if gas[0] != gas[1] {
        let gas = gas.map(count);
        fields.push(Field::new("gas used", &gas[0], &gas[1]));
    }
    Ok(fields)
}

fn describe(outcome: &Outcome) -> String {
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
            .flat_map(|(location, (one, other))| logs(location, one, other)),
    );
    fields
}

fn logs(location: usize, recorded: &Log, replayed: &Log) -> Vec<Field> {
    let event = |part: &str| format!("event {location}, {part}");
    let mut fields = Vec::new();
    fields.extend(Field::unless_equal(
        event("address"),
        recorded.address,
        replayed.address,
    ));
    let (topics, now) = (recorded.topics(), replayed.topics());
    fields.extend(Field::unless_equal(
        event("topics"),
        topics.len(),
        now.len(),
    ));
    for (number, (topic, now)) in topics.iter().zip(now).enumerate() {
        let name = event(&format!("topic {number}"));
        fields.extend(Field::unless_equal(name, topic, now));
    }
    fields.extend(Field::unless_equal(
        event("data"),
        &recorded.data.data,
        &replayed.data.data,
    ));
    fields
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;

    use super::*;

    fn reverted(data: &'static [u8], gas_used: u64) -> ChainError {
        ChainError::Reverted {
            revert: Revert::decode(data),
            data: data.into(),
            gas_used,
        }
    }

    fn halted(reason: &str, gas_used: u64) -> ChainError {
        ChainError::Halted {
            reason: reason.to_owned(),
            gas_used,
        }
    }

    /// Returns the differences between two unsuccessful outcomes, line by line.
    fn different(recorded: ChainError, replayed: ChainError) -> String {
        let recorded = Outcome::of(Err(recorded)).expect("part of the chain");
        let fields = compare(&recorded, Err(replayed)).expect("an answer");
        let lines = fields.iter().flat_map(Field::lines);
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn compare_finds_each_difference_between_refusals() {
        assert_eq!(different(reverted(&[7], 9), reverted(&[7], 9)), "");
        insta::assert_snapshot!(different(reverted(&[7], 9), reverted(&[8, 9], 10)), @r"
        outcome
          recorded  reverted: a reason that cotrain does not know: 0x07
          replayed  reverted: a reason that cotrain does not know: 0x0809
        revert data
          recorded  0x07
          replayed  0x0809
        gas used
          recorded  9
          replayed  10
        ");
        insta::assert_snapshot!(different(reverted(&[7], 9), halted("out of gas", 9)), @r"
        outcome
          recorded  reverted: a reason that cotrain does not know: 0x07
          replayed  halted: out of gas
        ");
        let rejected = ChainError::Rejected {
            reason: "no money".to_owned(),
        };
        insta::assert_snapshot!(different(reverted(&[], 9), rejected), @r"
        outcome
          recorded  reverted: no reason was given; is there a cotrain contract at that address?
          replayed  rejected: no money
        ");
    }

    #[test]
    fn compare_ignores_the_reason_of_a_halt_but_not_its_gas() {
        assert_eq!(different(halted("OutOfGas", 9), halted("no gas", 9)), "");
        let gas = different(halted("OutOfGas", 9), halted("OutOfGas", 1_000));
        assert_eq!(gas, "gas used\n  recorded  9\n  replayed  1,000");
    }

    #[test]
    fn compare_returns_the_error_of_a_chain_that_fails() {
        let recorded = Outcome::of(Ok(Receipt {
            gas_used: 21_000,
            output: Bytes::new(),
            created: None,
            logs: Vec::new(),
        }));
        let failure = ChainError::TimeRunsBack { now: 2, wanted: 1 };
        let compared = compare(&recorded.expect("a success"), Err(failure.clone()));
        assert_eq!(compared, Err(failure));
    }

    #[test]
    fn excerpt_shows_long_numbers_at_their_first_difference() {
        let number = |bytes: &[u8]| Bytes::copy_from_slice(bytes).to_string();
        let shown = |one: &[u8], other: &[u8]| {
            let (location, [one, other]) = excerpt([&number(one), &number(other)]);
            format!("{location}\n{one}\n{other}")
        };
        let mut other = [0x11; 100];
        other[40] = 0x12;
        insta::assert_snapshot!(shown(&[0x11; 100], &other), @r"
        , from byte 40 of 100 on
        …1111111111111111111111111111111111111111111111111111111111111111…
        …1111111111111111121111111111111111111111111111111111111111111111…
        ");
        insta::assert_snapshot!(shown(&[0x11; 100], &[0x11; 99]), @r"
        , from byte 99 of 100 recorded and 99 replayed on
        …111111111111111111
        …1111111111111111
        ");
        insta::assert_snapshot!(shown(&[0x11; 100], &[]), @r"
        , from byte 0 of 100 recorded and 0 replayed on
        0x1111111111111111111111111111111111111111111111111111111111111111…
        0x
        ");
        assert_eq!(shown(&[1], &[2]), "\n0x01\n0x02");
        let describe = "0x, ".repeat(50);
        assert_eq!(
            excerpt([&describe, "more"]).1,
            [describe, "more".to_owned()]
        );
    }

    #[test]
    fn utc_formats_every_time() {
        assert_eq!(utc(1_767_225_600), "2026-01-01T00:00:00Z");
        assert_eq!(utc(u64::MAX), "18446744073709551615 s");
    }
}
