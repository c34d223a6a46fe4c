//! Presentation of federated rounds: terminal, page, JSON and the files of their results.

mod page;
mod summary;
mod terminal;

use cotrain_simulator::federated::FederatedRun;

pub use self::{summary::Summary, terminal::text};
use crate::{error::ResultsError, results::FEDERATED_FILES};

/// Returns the files of a run with their names, in the order of [`FEDERATED_FILES`].
///
/// `scenario` is the text of its scenario. `command` is the command that repeats the run.
///
/// # Errors
/// If the page cannot be rendered.
pub fn files(
    run: &FederatedRun,
    scenario: String,
    command: &str,
) -> Result<Vec<(&'static str, Vec<u8>)>, ResultsError> {
    let mut json = serde_json::to_vec_pretty(&Summary::with_details(run))?;
    json.push(b'\n');
    let contents = [
        scenario.into_bytes(),
        run.rounds_csv(),
        run.values_csv(),
        page::html(run, command)?.into_bytes(),
        json,
    ];
    Ok(FEDERATED_FILES.into_iter().zip(contents).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cotrain_simulator::federated::{ClientOutcome, RoundOutcome, Scenario, Spent};

    use super::*;
    use crate::run::Style;

    /// Returns two rounds of three clients, made up. The second round failed.
    fn run() -> FederatedRun {
        let sets =
            ["clients=3", "hostile=1", "rounds=2"].map(|set| set.parse().expect("a setting"));
        let scenario = Scenario::embedded().expect("a scenario");
        let scenario = scenario.with(&sets).expect("valid settings");
        let client = |kind, reward, slashed, values: [Option<i64>; 2]| ClientOutcome {
            kind,
            deposited: 1_000,
            withdrawn: 1_000 - slashed,
            slashed,
            forfeited: 0,
            reward,
            values: values.into(),
        };
        let settled = RoundOutcome {
            revealed: 3,
            admitted: 2,
            improvement: Some(1_234),
            emitted: 999_999,
            is_settled: true,
        };
        FederatedRun {
            scenario: "made-up".to_owned(),
            description: "Two rounds, <b>made up</b>.".to_owned(),
            settings: *scenario.settings(),
            seed: 3,
            backend: "embedded",
            learned: 1_000,
            test: 450,
            parameters: 650,
            accuracy: vec![0.1, 0.9, 0.9],
            by_mean: vec![0.1, 0.5, 0.4],
            backdoor: 0.0,
            rounds: vec![
                settled,
                RoundOutcome {
                    admitted: 1,
                    emitted: 0,
                    is_settled: false,
                    ..settled
                },
            ],
            clients: vec![
                client("honest", 600_000, 0, [Some(300), Some(-7)]),
                client("honest", 399_999, 0, [Some(200), None]),
                client("sign", 0, 500, [Some(-900), Some(-901)]),
            ],
            spent: Spent::default(),
            digest: "00112233".to_owned(),
            wall: Duration::from_secs(2),
        }
    }

    #[test]
    fn text_of_federated_rounds_has_accuracies_clients_and_failures() {
        let text = text(&run(), Style::plain(80));
        for wanted in [
            "1 round of 2 failed: trimmed-mean needs 3 updates",
            "  after 2 rounds         90.0 %\n  by the plain mean      40.0 %\n",
            "1       honest           1 of 2  600,000        0          0\n",
            "3       sign             0 of 2        0      500          0\n",
            "2 rounds in 2.0 s, 60 a minute",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
    }

    #[test]
    fn files_of_federated_rounds_hold_every_value() {
        let files = files(
            &run(),
            "kind = \"federated\"\n".to_owned(),
            "cotrain simulate x",
        );
        let files = files.expect("a page");
        let content = |name: &str| {
            let file = files.iter().find(|file| file.0 == name).expect(name);
            String::from_utf8(file.1.clone()).expect("UTF-8")
        };
        let rounds = content("rounds.csv");
        let rounds: Vec<&str> = rounds.lines().skip(1).collect();
        let expected = [
            "0,0.1,0.1,,,,,",
            "1,0.9,0.5,3,2,1234,999999,true",
            "2,0.9,0.4,3,1,1234,0,false",
        ];
        assert_eq!(rounds, expected);
        let values = content("values.csv");
        assert!(
            values.contains("\n1,sign-3,sign,-900\n2,honest-1,honest,-7\n2,honest-2,honest,\n")
        );
        let page = content("report.html");
        for wanted in [
            "999,999",
            "cotrain simulate x",
            "00112233",
            "&lt;b&gt;made up",
            "1 round of 2 failed",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        for tag in ["<link", " src=", "@import", "url(", "fetch("] {
            assert!(!page.contains(tag), "{tag}");
        }
        let summary = content("summary.json");
        let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
        assert_eq!(summary["failed_rounds"], 1);
        assert_eq!(summary["rewards"]["honest-1"], 600_000);
        assert_eq!(summary["losses"]["sign-3"], 500);
        assert_eq!(summary["positive_share"]["honest"], 2.0 / 3.0);
    }
}
