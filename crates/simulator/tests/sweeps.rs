//! Tests that a sweep's results do not depend on the order or number of threads of its runs.
//!
//! Its tables hold the results of all runs.

use std::num::NonZeroUsize;

use bytes::Bytes;
use cotrain_simulator::{
    Options, Threads,
    scenario::Scenario,
    simulate,
    sweep::{
        self, Plan, Record, Work,
        tables::{Tables, Targets},
    },
};
use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

const SCENARIO: &str = r#"
[data]
source = "movie-reviews"
features = 100
initial_share = 0.985

[model]
kind = "naive-bayes"

[incentive]
kind = "deposit-refund-take"
deposit_after_one_hour = 1
refund_wait = "1h"
any_address_claim_wait = "1 day"

[[agents]]
name = "Good"
kind = "honest"
start_balance = 1000
deposit = { mean = 50, sd = 10 }
wait = { mean = "10m", sd = "1m" }
"#;

const BAD: &str = r#"
[[agents]]
name = "Bad"
kind = "flipper"
start_balance = 500
deposit = { mean = 50, sd = 10 }
wait = { mean = "30m", sd = "1m" }
"#;

fn plan(text: &str, sets: &[&str]) -> Plan {
    let scenario = Scenario::parse("short", "short.toml", text, None).expect("a scenario");
    let axes = sets.iter().map(|set| set.parse().expect("an axis"));
    Plan::new(
        scenario,
        axes.collect(),
        "1..2".parse().expect("seeds"),
        None,
    )
    .expect("a plan")
}

/// Returns the records of all runs, sorted.
fn records(plan: &Plan, jobs: usize) -> Vec<Record> {
    let work = Work {
        runs: (0..plan.runs()).collect(),
        jobs: NonZeroUsize::new(jobs).expect("a number"),
        data_dir: None,
    };
    let mut records = Vec::new();
    sweep::run::<()>(plan, &work, &mut |done| {
        records.push(done.expect("a run"));
        Ok(())
    })
    .expect("all of them");
    records.sort_by_key(|record| record.run);
    records
}

type Written = Targets<Vec<u8>>;

fn tables(plan: &Plan, agents: &[&str], records: &[Record]) -> Written {
    let agents: Vec<_> = agents.iter().map(|&name| name.to_owned()).collect();
    let targets = Targets {
        runs_csv: Vec::new(),
        runs_parquet: Vec::new(),
        series_csv: Vec::new(),
        series_parquet: Vec::new(),
    };
    let mut tables = Tables::new(plan, &agents, targets).expect("tables");
    for record in records {
        tables.add(record.clone()).expect("a row");
    }
    tables.finish().expect("tables")
}

#[test]
fn run_of_a_sweep_is_the_run_alone() {
    let plan = plan(
        &[SCENARIO, BAD].concat(),
        &["agents.Bad.start_balance=500,1500.5"],
    );
    let records = records(&plan, 2);
    assert_eq!(records, self::records(&plan, 1));
    let shares = records
        .iter()
        .map(|it| it.percent.hostile_share.to_string());
    // 500 of 1,500, and 1,500.5 of 2,500.5, cut to 6 decimals.
    assert_eq!(
        shares.collect::<Vec<_>>(),
        ["33.333333", "33.333333", "60.007998", "60.007998"]
    );
    for threads in [Threads::One, Threads::Two] {
        let options = Options {
            seed: 2,
            data_dir: None,
            relay: None,
            threads,
        };
        let scenario = plan.scenario_at(1).expect("a scenario");
        let run = simulate(&scenario, &options, &mut |_| {}).expect("a run");
        let record = &records[3];
        assert_eq!((record.run, record.seed), (3, 2));
        assert_eq!(record.digest, run.digest);
        assert_eq!(record.accuracy, run.accuracy);
        assert_eq!(record.series.seconds.len(), run.series.len());
        assert_eq!(
            record.percent.honest,
            Some(run.agents[0].balance_percent()),
            "there is one honest agent"
        );
    }
}

#[test]
fn run_ends_a_sweep_at_an_error_of_the_listener() {
    let plan = plan(SCENARIO, &["data.features=100,120,140"]);
    let work = Work {
        runs: (0..plan.runs()).collect(),
        jobs: NonZeroUsize::MIN,
        data_dir: None,
    };
    let mut seen = 0;
    let ended = sweep::run(&plan, &work, &mut |_| {
        seen += 1;
        if seen == 2 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((ended, seen), (Err("enough"), 2));
}

#[test]
fn run_names_a_run_that_fails() {
    // The initial model gets none of the 100 training samples.
    let plan = plan(SCENARIO, &["data.initial_share=0.0001"]);
    let work = Work {
        runs: vec![1],
        jobs: NonZeroUsize::MIN,
        data_dir: None,
    };
    let ended = sweep::run(&plan, &work, &mut |done| done.map(drop));
    let failed = ended.expect_err("a failure");
    assert_eq!(
        failed.to_string(),
        "run 1 of the sweep (data.initial_share = 0.0001; seed 2)"
    );
    assert!(failed.source.is_users_mistake());
}

#[test]
fn tables_hold_settings_as_what_they_are_and_empty_cells() {
    let plan = plan(
        SCENARIO,
        &[
            "data.features=100,120",
            "agents.Good.mistakes=0,0.5",
            "incentive.refund_wait=1h",
        ],
    );
    let records = records(&plan, 2);
    let written = tables(&plan, &["Good", "Gone"], &records);
    let text = String::from_utf8(written.runs_csv).expect("UTF-8");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some(
            "run,seed,data.features,agents.Good.mistakes,incentive.refund_wait,accuracy_initial,\
             accuracy_lowest,accuracy_final,accuracy_baseline,test_samples,correct_final,\
             accuracy_final_low,accuracy_final_high,majority,days,end,contributions,refunds,reports,\
             late_claims,transactions,gas,hostile_share_percent,honest_percent,hostile_percent,\
             balance_percent_Good,contributions_Good,balance_percent_Gone,contributions_Gone,digest"
        )
    );
    let last = lines.last().expect("rows");
    assert!(last.starts_with("7,2,120,0.5,1h,"), "{last}");
    // Without hostile agents, cells for their money are empty, as are those of an agent that the
    // run lacks.
    let cells: Vec<_> = last.split(',').collect();
    assert_eq!(
        (cells[22], cells[24], cells[27], cells[28]),
        ("0", "", "", "")
    );

    let reader = SerializedFileReader::new(Bytes::from(written.runs_parquet)).expect("Parquet");
    let rows: Vec<_> = reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row").into_columns())
        .collect();
    assert_eq!(rows.len(), 8);
    let field = |row: usize, name: &str| {
        let columns = &rows[row];
        let found = columns.iter().find(|(column, _)| column == name);
        found.expect(name).1.clone()
    };
    assert_eq!(field(7, "data.features"), Field::Long(120));
    assert_eq!(field(7, "agents.Good.mistakes"), Field::Double(0.5));
    assert_eq!(
        field(7, "incentive.refund_wait"),
        Field::Str("1h".to_owned())
    );
    assert_eq!(field(7, "hostile_percent"), Field::Null);
    assert_eq!(field(7, "contributions_Gone"), Field::Null);
    assert_eq!(
        field(2, "honest_percent"),
        Field::Double(records[2].percent.honest.expect("honest people"))
    );

    let series = String::from_utf8(written.series_csv).expect("UTF-8");
    assert!(series.starts_with("run,seconds,day,accuracy,contributions,unclaimed,balance_percent_Good,balance_percent_Gone\n0,0,0,"), "{series}");
    let evaluations: usize = records.iter().map(|it| it.series.seconds.len()).sum();
    assert_eq!(series.lines().count(), 1 + evaluations);
}
