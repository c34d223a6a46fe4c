//! `cotrain label`: the number of labels that strategies need, and the labels of an own pool.

mod pool;
mod rows;
mod trials;

use std::{
    collections::BTreeMap,
    num::{NonZeroU64, NonZeroUsize},
};

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use cotrain_active::{Boosted, Forest, LearnError, Learner, Logistic, Strategy, strategy::Start};
use cotrain_results::{
    labels::{self, Experiment},
    run::Style,
};
use serde::Serialize;

use self::{
    pool::{PoolArgs, Shared},
    rows::Examples,
    trials::{Outcome, Settings},
};
use crate::{
    error::CommandError,
    live::data::{Columns, TypeOptions, left_out},
    output::{self, Narrator},
};

/// Number of trees of a forest.
const TREES: usize = 100;

/// Number of rounds of boosted trees, as their documentation advises.
const ROUNDS: usize = 50;

/// Number of the embedded digits that are set aside, as in published figures.
const TEST_DIGITS: usize = 500;

/// Maximum number of labels of a seed of the digits.
const MAX_DIGITS: usize = 600;

/// Maximum number of labels of a seed of other data.
const MAX_LABELS: usize = 2_000;

/// Strategies that are counted if none is named.
const STRATEGIES: [Strategy; 4] = [
    Strategy::Margin,
    Strategy::LeastConfidence,
    Strategy::Entropy,
    Strategy::KCenter,
];

const EXAMPLES: &str = "\
Learners:
  logistic   multinomial logistic regression, as scikit-learn's with C = 1
  forest     random forest of 100 trees
  boosted    gradient-boosted trees, 50 rounds

Strategies:
  margin             rows whose two likeliest classes have the nearest probabilities
  least-confidence   rows whose likeliest class has the lowest probability
  entropy            rows whose probabilities have the highest entropy
  committee          rows about which members disagree: the trees of a forest, or five copies of
                     another learner that learn from samples of the labeled rows
  density            unsure rows among many similar ones
  k-center           rows that are farthest from all labeled ones
  margin-k-center    of the rows with the lowest margins, those farthest from each other
  typiclust          typical rows of clusters without labels
  random             the control, which always runs
typiclust-margin and k-center-margin are margin with that start, whatever --start says.

Examples:
  cotrain label                                      the embedded digits
  cotrain label --learner forest --strategy margin,committee
  cotrain label --strategy margin --start none       margin alone, as other libraries have it
  cotrain label --data my.csv --label-column class --limit 5000
  cotrain label --json --quiet | jq .strategies.margin
  cotrain label pool.csv --url http://127.0.0.1:8080 --classes ham,spam
  cotrain label pool.csv --url http://127.0.0.1:8080 --answers class --out model.onnx

With FILE, a coordinator chooses rows of your own pool, and you give their labels: at a terminal by
keys, else by lines of a row's number, a comma and a class. Each label is saved at once, and the same
command goes on after an interruption. Every fifth question is about a random row. The model's guess is
noted before its label, so the share of right ones is the accuracy on rows without labels. Rows that a
strategy chooses are harder, so the same share of them is lower.

Without FILE, each seed splits the data anew, and all strategies have its split and its first label. With the same
data, options and seeds, the numbers of labels are the same on every machine. The time of a query
includes the probabilities of the pool, on this machine.

Exit status: 0 success, 2 a mistake in arguments or data, 1 anything else.";

/// Count the labels that strategies need, or label your own pool with a labeling service
///
/// Without FILE, it needs no chain, server or money. The labels of the data are all known, and hidden until a
/// strategy asks for them, from one labeled row on. So you see what active learning would save on
/// data like yours. With FILE, a coordinator chooses the rows that are worth a label.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Label {
    #[command(flatten)]
    pool: PoolArgs,
    /// Data whose labels are all known: `digits` or `movie-reviews`, which come with cotrain, a
    /// file that ends in .csv, .tsv, .txt, .parquet or .libsvm, or a folder with a folder of
    /// pictures for each class
    #[arg(
        long,
        value_name = "DATA",
        default_value = "digits",
        help_heading = "Data"
    )]
    data: String,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    types: TypeOptions,
    /// Maximum number of examples, drawn at random [default: all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<NonZeroUsize>,
    /// Number of examples to measure on, of each class the same share [default: 500 of the digits,
    /// a fifth of other data]
    #[arg(long, value_name = "N", help_heading = "Data")]
    test: Option<NonZeroUsize>,
    /// Learner
    #[arg(long, value_enum, default_value_t = LearnerKind::Logistic)]
    learner: LearnerKind,
    /// Strategies, separated by commas; one for an own pool [default: margin, least-confidence,
    /// entropy and k-center; margin for an own pool]
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        value_parser = str::parse::<Strategy>
    )]
    strategy: Vec<Strategy>,
    /// Strategy for the first labels, three for each class, before strategies that need a model; for
    /// an own pool, before margin [default: typiclust]
    #[arg(long, value_enum)]
    start: Option<StartKind>,
    /// Number of seeds, from 0 on
    #[arg(long, value_name = "N", default_value = "20")]
    seeds: NonZeroU64,
    /// Number of labels a query asks for [default: 5 for logistic, else 10]
    #[arg(long, value_name = "N")]
    batch: Option<NonZeroUsize>,
    /// Maximum number of labels; a seed that needs more counts as never [default: 600 of the digits,
    /// 2000 of other data; all rows of an own pool]
    #[arg(long, value_name = "N")]
    max_labels: Option<NonZeroUsize>,
    /// Print one JSON object to stdout instead of the readable summary
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
    /// Write nothing but errors to stderr
    #[arg(long, help_heading = None::<&str>)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LearnerKind {
    Logistic,
    Forest,
    Boosted,
}

impl LearnerKind {
    fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Forest => "forest",
            Self::Boosted => "boosted",
        }
    }

    /// Returns a learner that has learned nothing.
    fn make(
        self,
        classes: usize,
        features: usize,
        seed: u64,
    ) -> Result<Box<dyn Learner>, LearnError> {
        Ok(match self {
            Self::Logistic => Box::new(Logistic::new(classes, features)?),
            Self::Forest => Box::new(Forest::new(classes, features, TREES, seed)?),
            Self::Boosted => Box::new(Boosted::new(classes, features, ROUNDS, seed)?),
        })
    }

    fn batch(self) -> usize {
        match self {
            Self::Logistic => 5,
            Self::Forest | Self::Boosted => 10,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum StartKind {
    #[default]
    Typiclust,
    KCenter,
    None,
}

impl StartKind {
    fn start(self) -> Option<Start> {
        match self {
            Self::Typiclust => Some(Start::TypiClust),
            Self::KCenter => Some(Start::KCenter),
            Self::None => None,
        }
    }
}

/// Result of the command.
#[derive(Serialize)]
struct Counted<'a> {
    data: &'a str,
    learner: &'static str,
    /// Number of seeds, from 0 on.
    seeds: u64,
    strategies: BTreeMap<&'static str, &'a Outcome>,
}

/// Runs `cotrain label`.
pub(crate) fn run(arguments: &Label) -> Result<(), CommandError> {
    let Some(file) = &arguments.pool.file else {
        return count(arguments);
    };
    let batch = arguments
        .batch
        .map_or(arguments.learner.batch(), NonZeroUsize::get);
    let shared = Shared {
        columns: &arguments.columns,
        types: &arguments.types,
        learner: arguments.learner.name(),
        strategy: of_pool(&arguments.strategy, arguments.start)?,
        batch,
        max_labels: arguments.max_labels.map(NonZeroUsize::get),
        json: arguments.json,
        quiet: arguments.quiet,
    };
    pool::run(&arguments.pool, file, &shared)
}

/// Returns the strategy of an own pool: the one that is named, with its start.
fn of_pool(named: &[Strategy], start: Option<StartKind>) -> Result<Strategy, CommandError> {
    let named = match named {
        [] => Strategy::Margin,
        [one] => *one,
        several => {
            return Err(CommandError::Mistake(anyhow!(
                "--strategy names {} strategies for one pool; expected one",
                several.len()
            )));
        }
    };
    if named != Strategy::Margin {
        return match start.and_then(StartKind::start) {
            Some(start) => Err(ignored(start, &[named], "margin")),
            None => Ok(named),
        };
    }
    let start = start.unwrap_or_default().start();
    Ok(start.map_or(named, Strategy::StartThenMargin))
}

/// Returns the mistake of naming a start that no strategy has.
fn ignored(start: Start, strategies: &[Strategy], takers: &str) -> CommandError {
    let names: Vec<&str> = strategies.iter().map(|it| it.name()).collect();
    CommandError::Mistake(anyhow!(
        "--start is {}, and {} would ignore it; leave it out, or name {takers} with --strategy",
        start.strategy().name(),
        names.join(", ")
    ))
}

/// Counts the labels that strategies need.
fn count(arguments: &Label) -> Result<(), CommandError> {
    let narrator = Narrator::start(arguments.quiet)?;
    let source = arguments
        .columns
        .founding(&arguments.data, None, &arguments.types)?;
    for told in left_out(&source)? {
        narrator.say(told);
    }
    let examples = Examples::read(&source, &arguments.data, arguments.limit)?;
    examples.tell(&narrator);
    let count = examples.labels.len();
    let test = arguments.test.map_or_else(
        || match arguments.data.as_str() {
            "digits" if count > 2 * TEST_DIGITS => TEST_DIGITS,
            _ => count.div_ceil(5),
        },
        NonZeroUsize::get,
    );
    if test >= count {
        return Err(CommandError::Mistake(anyhow!(
            "cannot measure on {test} of {count} examples: none would be left to label; \
             expected --test below {count}"
        )));
    }
    let strategies = with_control(match arguments.strategy.as_slice() {
        [] => &STRATEGIES,
        named => named,
    });
    let start = arguments.start.unwrap_or_default().start();
    let takes_start = strategies.iter().any(|it| it.takes_start());
    if let (false, Some(start), true) = (takes_start, start, arguments.start.is_some()) {
        return Err(ignored(start, &strategies, "one that needs a model"));
    }
    let max_labels = match arguments.data.as_str() {
        "digits" => MAX_DIGITS,
        _ => MAX_LABELS,
    };
    let settings = Settings {
        strategies,
        start: start.filter(|_| takes_start),
        seeds: arguments.seeds.get(),
        batch: arguments
            .batch
            .map_or(arguments.learner.batch(), NonZeroUsize::get),
        max_labels: arguments
            .max_labels
            .map_or(max_labels.min(count - test), NonZeroUsize::get),
        test,
    };
    let make = |seed| {
        let (classes, features) = (examples.classes.len(), examples.rows.ncols());
        arguments.learner.make(classes, features, seed)
    };
    let runs = settings.strategies.len() as u64 * settings.seeds;
    let bar = narrator.runs(0, usize::try_from(runs).unwrap_or(usize::MAX));
    let outcomes = trials::run(&examples, &settings, &make, &|| bar.inc(1));
    bar.finish_and_clear();
    let outcomes = outcomes.map_err(CommandError::mistake)?;
    let named = settings.strategies.iter().map(|it| it.name());
    if arguments.json {
        let counted = Counted {
            data: &arguments.data,
            learner: arguments.learner.name(),
            seeds: settings.seeds,
            strategies: named.zip(&outcomes).collect(),
        };
        return output::print_json(&(serde_json::to_string_pretty(&counted)? + "\n"));
    }
    let experiment = Experiment {
        data: &arguments.data,
        learner: arguments.learner.name(),
        start: settings.start.map(|it| it.strategy().name()),
        pool: count - test,
        test,
        batch: settings.batch,
        max_labels: settings.max_labels,
        strategies: named
            .zip(&outcomes)
            .map(|(name, outcome)| labels::Needed {
                name,
                to_90: &outcome.labels_to_90,
                to_95: &outcome.labels_to_95,
                milliseconds: outcome.milliseconds_per_query,
            })
            .collect(),
    };
    output::print_raw(&labels::text(&experiment, Style::of_stdout()))
}

/// Returns each strategy once, and the random control at the end.
fn with_control(chosen: &[Strategy]) -> Vec<Strategy> {
    let mut all: Vec<Strategy> = Vec::new();
    for &strategy in chosen {
        if strategy != Strategy::Random && !all.contains(&strategy) {
            all.push(strategy);
        }
    }
    all.push(Strategy::Random);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_control_runs_each_strategy_once_and_random_always() {
        use Strategy::{Entropy, Margin, Random};
        assert_eq!(with_control(&[]), [Random]);
        let chosen = [Random, Margin, Entropy, Margin];
        assert_eq!(with_control(&chosen), [Margin, Entropy, Random]);
    }
}
