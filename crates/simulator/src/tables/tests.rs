use std::time::Duration;

use cotrain_learning::evaluation::Confusion;
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row},
};

use super::*;
use crate::run::{
    Accuracy, Action, AgentOutcome, Counts, DataSizes, End, Event, Gas, SeriesRow, Vocabulary,
};

const UNIT: u128 = 10_u128.pow(18);

fn agent(name: &str, start_units: u128) -> AgentOutcome {
    AgentOutcome {
        name: name.to_owned(),
        kind: "honest",
        stance: crate::run::Stance::Honest,
        start_balance: start_units * UNIT,
        end_balance: 0,
        contributions: 1,
        refunds: 1,
        reports: 0,
        late_claims: 0,
        outbid: 0,
        predictions: 0,
        paid: 0,
        collected: 0,
        gas: 0,
    }
}

/// Returns a run of a day and a half with two agents, whose names need escaping.
fn run() -> Run {
    let row = |seconds, accuracy, balances: [u128; 2], contributions, unclaimed| SeriesRow {
        seconds,
        accuracy,
        balances: balances.to_vec(),
        contributions,
        unclaimed,
    };
    let event = |seconds, action, agent, amount| Event {
        seconds,
        action,
        agent,
        position: 0,
        label: 1,
        amount,
        gas: 99_000,
    };
    Run {
        scenario: "tables".to_owned(),
        scenario_text: String::new(),
        description: String::new(),
        seed: 1,
        backend: "embedded",
        model: "sparse perceptron".to_owned(),
        incentive: "deposit, refund, take",
        agents: vec![agent("day", 10_000), agent("Eve, \"E\"", 3)],
        series: vec![
            row(0, 0.5, [10_000 * UNIT, 3 * UNIT], 0, 0),
            row(43_200, 0.1 + 0.2, [20_000 * UNIT, 2 * UNIT], 1, 1),
            row(100_000, 1.0, [10_000 * UNIT, 1], 1, 0),
        ],
        events: vec![
            event(600, Action::Contribution, 0, 50 * UNIT),
            event(87_000, Action::LateClaim, 1, 50 * UNIT + 1),
        ],
        accuracy: Accuracy {
            initial_float: 0.5,
            initial: 0.5,
            lowest: 0.3,
            last: 1.0,
            baseline: 1.0,
        },
        confusion: Confusion::new(2, []).expect("no labels"),
        classes: vec!["no".to_owned(), "yes".to_owned()],
        columns: Vec::new(),
        row_numbers: Vec::new(),
        doubts: Vec::new(),
        queries: 0,
        unknown: 0,
        features: None,
        counts: Counts::default(),
        gas: Gas::default(),
        facts: vec![],
        words: Vocabulary {
            rules: "",
            stakes: "deposits",
            learns_at_once: true,
            has_claims: true,
        },
        outcome: String::new(),
        relay: None,
        data: DataSizes::default(),
        unit: UNIT,
        seconds: 100_000,
        end: End::Settled,
        digest: String::new(),
        wall: Duration::ZERO,
    }
}

fn rows(bytes: Vec<u8>) -> Vec<Row> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a Parquet file");
    reader
        .get_row_iter(None)
        .expect("rows")
        .collect::<Result<_, _>>()
        .expect("every row")
}

fn names(row: &Row) -> Vec<&str> {
    row.get_column_iter()
        .map(|(name, _)| name.as_str())
        .collect()
}

#[test]
fn series_csv_and_events_csv_write_a_small_run() {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    insta::assert_snapshot!(text(series_csv(&run())), @r#"
    seconds,day,accuracy,contributions,unclaimed,balance_percent_day,"balance_percent_Eve, ""E"""
    0,0,0.5,0,0,100,100
    43200,0.5,0.30000000000000004,1,1,200,66.666666
    100000,1.1574074074074074,1,1,0,100,0
    "#);
    insta::assert_snapshot!(text(events_csv(&run())), @r#"
    seconds,action,agent,position,label,amount_wei,gas
    600,contribution,day,0,1,50000000000000000000,99000
    87000,late_claim,"Eve, ""E""",0,1,50000000000000000001,99000
    "#);
}

#[test]
fn series_csv_reads_back_to_the_bit() {
    let bytes = series_csv(&run());
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let accuracies: Vec<f64> = reader
        .records()
        .map(|record| record.expect("a record")[2].parse().expect("a number"))
        .collect();
    assert_eq!(accuracies, [0.5, 0.1 + 0.2, 1.0]);
}

#[test]
fn series_parquet_reads_back() {
    let rows = rows(series_parquet(&run()).expect("a table"));
    assert_eq!(
        names(&rows[0]),
        [
            "seconds",
            "day",
            "accuracy",
            "contributions",
            "unclaimed",
            "balance_percent_day",
            "balance_percent_Eve, \"E\""
        ]
    );
    let fields: Vec<Field> = rows[1]
        .get_column_iter()
        .map(|(_, field)| field.clone())
        .collect();
    assert_eq!(
        fields,
        [
            Field::Long(43_200),
            Field::Double(0.5),
            Field::Double(0.1 + 0.2),
            Field::Long(1),
            Field::Long(1),
            Field::Double(200.0),
            Field::Double(66.666_666),
        ]
    );
    assert_eq!(rows.len(), 3);
}

#[test]
fn events_parquet_reads_back() {
    let rows = rows(events_parquet(&run()).expect("a table"));
    assert_eq!(
        names(&rows[0]),
        [
            "seconds",
            "action",
            "agent",
            "position",
            "label",
            "amount_wei",
            "gas"
        ]
    );
    let last: Vec<String> = rows[1]
        .get_column_iter()
        .map(|(_, field)| field.to_string())
        .collect();
    assert_eq!(
        last,
        [
            "87000",
            "\"late_claim\"",
            "\"Eve, \"E\"\"",
            "0",
            "1",
            "50000000000000000001.",
            "99000"
        ]
    );
    assert_eq!(rows.len(), 2);
}

#[test]
fn series_parquet_and_events_are_empty_for_an_empty_run() {
    let run = Run {
        series: Vec::new(),
        events: Vec::new(),
        ..run()
    };
    assert!(rows(series_parquet(&run).expect("a table")).is_empty());
    assert!(rows(events_parquet(&run).expect("a table")).is_empty());
    assert_eq!(
        events_csv(&run),
        b"seconds,action,agent,position,label,amount_wei,gas\n"
    );
}

#[test]
fn events_parquet_has_no_clock_and_no_version() {
    let bytes = events_parquet(&run()).expect("a table");
    assert_eq!(bytes, events_parquet(&run()).expect("a table"));
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a Parquet file");
    assert_eq!(
        reader.metadata().file_metadata().created_by(),
        Some("cotrain")
    );
}

#[test]
fn events_parquet_takes_amounts_of_up_to_38_digits() {
    let with = |amount| {
        let mut run = run();
        run.events[0].amount = amount;
        events_parquet(&run)
    };
    let largest = 10_u128.pow(38) - 1;
    let row = rows(with(largest).expect("a table")).swap_remove(0);
    let amount = row
        .get_column_iter()
        .find(|(name, _)| *name == "amount_wei")
        .map(|(_, it)| it.to_string());
    assert_eq!(amount, Some(format!("{largest}.")));
    insta::assert_snapshot!(with(largest + 1).expect_err("too large"), @"Parquet error: a sum is 100000000000000000000000000000000000000 wei, and a table in Parquet holds 38 digits at most");
}
