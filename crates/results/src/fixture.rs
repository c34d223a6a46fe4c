//! Invented run for tests: eight days of one honest and one hostile agent.

use std::time::Duration;

use cotrain_learning::evaluation::Confusion;
use cotrain_simulator::run::{
    Accuracy, Action, AgentOutcome, Counts, DataSizes, End, Event, Gas, Relay, Run, SeriesRow,
    Stance, Vocabulary,
};

const UNIT: u128 = 1_000_000_000_000_000_000;
const HALF_A_DAY: u64 = 43_200;

/// Returns the run, with a deposit mechanism and without a relayer.
pub(crate) fn run() -> Run {
    Run {
        scenario: "made-up".to_owned(),
        scenario_text: "description = \"An honest and a hostile agent, made up.\"\n".to_owned(),
        description: "An honest and a hostile agent, made up.".to_owned(),
        seed: 3,
        backend: "embedded",
        model: "sparse perceptron".to_owned(),
        incentive: "deposit, refund, take",
        agents: vec![agent("Good", true, 15_056), agent("Bad", false, 48)],
        series: (0..=16).map(row).collect(),
        events: vec![Event {
            seconds: 600,
            action: Action::Contribution,
            agent: 0,
            position: 0,
            label: 1,
            amount: 50 * UNIT,
            gas: 98_765,
        }],
        accuracy: Accuracy {
            initial_float: 0.612,
            initial: 0.61,
            lowest: 0.594,
            last: 0.73,
            baseline: 0.764,
        },
        confusion: Confusion::new(2, pairs()).expect("labels of classes"),
        classes: vec!["negative".to_owned(), "positive".to_owned()],
        columns: Vec::new(),
        row_numbers: Vec::new(),
        doubts: Vec::new(),
        queries: 0,
        unknown: 0,
        features: None,
        counts: Counts {
            contributions: 1_200,
            refunds: 1_000,
            reports: 150,
            late_claims: 20,
            transactions: 2_375,
            changed: 321,
        },
        gas: Gas {
            total: 260_000_000,
            deployment: 5_000_000,
            contributions: 118_800_000,
            claims: 136_200_000,
            others: 0,
            upkeep: 0,
        },
        facts: vec![],
        words: Vocabulary {
            rules: "A contribution carries a deposit.",
            stakes: "deposits",
            learns_at_once: true,
            has_claims: true,
        },
        outcome: String::new(),
        relay: None,
        data: DataSizes {
            initial: 664,
            remaining: 7_636,
            test: 2_075,
            features: 2_000,
            classes: 2,
            clamped: 0,
        },
        unit: UNIT,
        seconds: 16 * HALF_A_DAY,
        end: End::Settled,
        digest: "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff".to_owned(),
        wall: Duration::from_millis(3_210),
    }
}

/// Returns 2,075 pairs of a true and a predicted label; 1,515 are right.
fn pairs() -> impl Iterator<Item = (u16, u16)> {
    let counts = [((0, 0), 800), ((0, 1), 250), ((1, 0), 310), ((1, 1), 715)];
    counts
        .into_iter()
        .flat_map(|(pair, count)| std::iter::repeat_n(pair, count))
}

/// Returns the same run for a prediction market.
pub(crate) fn market() -> Run {
    Run {
        incentive: "prediction market",
        words: Vocabulary {
            rules: "A contribution carries a stake.",
            stakes: "stakes",
            learns_at_once: false,
            has_claims: false,
        },
        outcome: "Together, the contributions improved it.".to_owned(),
        counts: Counts {
            contributions: 1_200,
            transactions: 2_375,
            ..Counts::default()
        },
        ..run()
    }
}

/// Returns the same run with up to 20 contributions per transaction.
pub(crate) fn relayed() -> Run {
    Run {
        relay: Some(Relay {
            size: 20,
            relays: 61,
            claims: 212,
            prepayments: 5,
            contributions_alone: 165_600_000,
            claims_alone: 187_200_000,
            prepaying: 250_000,
            unsent: 0,
            fees: 0,
        }),
        ..run()
    }
}

fn agent(name: &str, harmless: bool, end_units: u128) -> AgentOutcome {
    AgentOutcome {
        name: name.to_owned(),
        kind: if harmless { "honest" } else { "flipper" },
        stance: if harmless {
            Stance::Honest
        } else {
            Stance::Hostile
        },
        start_balance: 10_000 * UNIT,
        end_balance: end_units * UNIT,
        contributions: if harmless { 1_100 } else { 100 },
        refunds: if harmless { 980 } else { 20 },
        reports: if harmless { 150 } else { 0 },
        late_claims: if harmless { 20 } else { 0 },
        outbid: 0,
        predictions: 0,
        paid: 0,
        collected: 0,
        gas: if harmless { 240_000_000 } else { 15_000_000 },
    }
}

fn row(half_days: u64) -> SeriesRow {
    let wobble = [0.0, 0.008, -0.011, 0.004, -0.006];
    let index = usize::try_from(half_days).expect("a small number");
    let rise = 0.12 * (0..half_days).map(|_| 1.0 / 16.0).sum::<f64>();
    let units = u128::from(half_days);
    SeriesRow {
        seconds: half_days * HALF_A_DAY,
        accuracy: 0.61
            + rise
            + if half_days == 16 {
                0.0
            } else {
                wobble[index % 5]
            },
        balances: vec![
            (10_000 + units * units * 20 - 4 * units) * UNIT,
            (10_000 - units * 622) * UNIT,
        ],
        contributions: half_days * 75,
        unclaimed: if half_days == 16 { 0 } else { 75 },
    }
}
