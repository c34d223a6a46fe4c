//! `cotrain data clean`: marks likely lies among the contributions of a model.

use std::fmt::Write as _;

use alloy_primitives::Address;
use clap::Args;
use cotrain_client::decode::Decoder;
use cotrain_indexer::contributed::Contributed;
use cotrain_learning::evaluation::{self, wilson};
use cotrain_results::format::{counted, share};
use serde::Serialize;

use super::{
    super::{block_on, show},
    destination::Destination,
    export::{no_json_on_stdout, warn},
    judged::{Judged, Rule, by_author, judge},
    layout::{Marks, Row},
    source::{Origin, RunFacts, Selection, Source},
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain data clean --out marked.csv                 all contributions, with score and mark
  cotrain data clean --unmarked --bare --out good.csv what is not marked, to train on
  cotrain data clean --neighbors 20 --threshold 0.6 --out marked.parquet
  cotrain data clean --run runs/targeted-poisoner-1 --out -
                                                      a recorded run, whose lies are known

The score is from 0 to 1. Three witnesses speak about a contribution, each from 0 to 1: the model
as its owner closed it, before anyone contributed (1 if it predicts another class); the share of the
10 nearest samples with another class; and what became of the deposit (1 if reporters took any of it,
0 if it was refunded). Their mean is the evidence against the contribution alone. The evidence against
its author is the larger of two means over the author's other contributions: that of the model, and
0.6 of that of the neighbors. With five others, both count the same in the score; with more, the author
counts more. Sparse samples are compared by their cosine, dense ones by their Euclidean distance. Copies
of a sample by its own author are no neighbors. If the node has no state of the closing any more, the
model is no witness, and many liars cannot be found.

A mark is no proof: an author with a few contributions, or a class that the first model did not know,
may be marked wrongly. The table has the columns of `cotrain data export` and: marked (0 or 1), score,
reason, and for a run lie (0 or 1). With --only, all are judged and some written. Neighbors are searched among at most 20,000 contributions: more
are split into parts in their order, and memory grows with their number.
docs/experiments.md has precision and recall on runs with known liars.";

/// Mark likely lies among all contributions to a model
///
/// It takes the model before all contributions, the nearest neighbors, what became of each
/// contribution and its author's other ones as evidence. Nothing is sent.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Clean {
    #[command(flatten)]
    to: Destination,
    /// Leave out what is marked
    #[arg(long)]
    unmarked: bool,
    #[command(flatten)]
    rule: Rule,
    #[command(flatten)]
    selection: Selection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Cleaned {
    chain_id: Option<u64>,
    model: Option<Address>,
    /// Last block that was read.
    block: Option<u64>,
    file: String,
    contributions: u64,
    marked: u64,
    written: u64,
    /// Number of written contributions that the card's encoder did not make.
    inexact: u64,
    /// Authors of marked contributions, those with most of them first.
    authors: Vec<AuthorMarks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Known>,
}

#[derive(Serialize)]
struct AuthorMarks {
    author: Address,
    contributions: u64,
    marked: u64,
}

/// Figures that only a run has, whose data tells true labels.
#[derive(Serialize)]
struct Known {
    scenario: String,
    seed: u64,
    /// Contributions whose label is not that of the data.
    lies: u64,
    /// Marked contributions that are lies.
    found: u64,
    precision: Option<f64>,
    recall: Option<f64>,
    /// 95 % intervals of both.
    precision_interval: Option<[f64; 2]>,
    recall_interval: Option<[f64; 2]>,
    /// Number of test samples, of which the accuracies are shares.
    test_samples: u64,
    accuracy: Accuracies,
}

/// Accuracies on the test data of a run's scenario.
#[derive(Serialize)]
struct Accuracies {
    /// Accuracy of the run's model before the first contribution and after the last.
    initial: f64,
    last: f64,
    /// Accuracy of a model founded on all contributions, on the unmarked and on the true ones.
    /// `None` if there are too few.
    all: Option<f64>,
    unmarked: Option<f64>,
    honest: Option<f64>,
}

/// Runs `cotrain data clean`.
pub(crate) fn run(arguments: &Clean) -> Result<(), CommandError> {
    no_json_on_stdout(&arguments.to.out, arguments.json)?;
    block_on(async {
        let mut source = arguments.selection.open().await?;
        let marks = match source.origin {
            Origin::Run(_) => Marks::Known,
            Origin::Model { .. } => Marks::Judged,
        };
        let mut table = arguments.to.begin(&source, marks)?;
        let all = source.all().await?;
        let mut judged = judge(&source, &all, arguments.rule);
        if let Origin::Run(run) = &source.origin {
            for (one, judged) in all.iter().zip(&mut judged) {
                let contribution = &one.contribution;
                let told = run.truth.is_true(&contribution.sample, contribution.label);
                judged.lie = Some(!told);
            }
        }
        let mut cleaned = Cleaned::of(&source, &all, &judged, arguments.to.out.shown());
        let decoder = Decoder::new(source.encoding, source.encoder.as_ref());
        let rows = all.into_iter().zip(judged);
        let rows = rows.filter(|(one, judged)| {
            arguments.to.takes(one.settled()) && !(arguments.unmarked && judged.marked)
        });
        let rows = rows.map(|(contributed, judged)| Row {
            contributed,
            judged: Some(judged),
        });
        table.write(&decoder, &rows.collect::<Vec<_>>())?;
        table.finish(&decoder)?;
        warn(&source.narrator, &table);
        cleaned.written = table.rows;
        cleaned.inexact = table.inexact;
        if arguments.to.out.is_stdout() {
            source.narrator.say(cleaned.text().trim_end());
            return Ok(());
        }
        show(arguments.json, &cleaned, || cleaned.text())
    })
}

impl Cleaned {
    fn of(source: &Source, all: &[Contributed], judged: &[Judged], file: String) -> Self {
        let (chain_id, model, block) = source.origin.facts();
        let authors = all.iter().zip(judged);
        let authors = authors.map(|(one, judged)| (one.contribution.author, judged.marked));
        let mut authors = by_author(authors);
        authors.retain(|(_, share)| share.out > 0);
        Self {
            chain_id,
            model,
            block,
            file,
            contributions: all.len() as u64,
            marked: judged.iter().filter(|it| it.marked).count() as u64,
            written: 0,
            inexact: 0,
            authors: authors
                .into_iter()
                .map(|(author, share)| AuthorMarks {
                    author,
                    contributions: share.of,
                    marked: share.out,
                })
                .collect(),
            run: match &source.origin {
                Origin::Run(run) => Some(Known::of(run, all, judged)),
                Origin::Model { .. } => None,
            },
        }
    }

    fn text(&self) -> String {
        /// Maximum number of authors in the text.
        const AUTHORS: usize = 10;
        let mut text = format!(
            "wrote {}: {} of {}; {} are marked\n",
            self.file,
            self.written,
            counted(self.contributions, "contribution"),
            self.marked
        );
        for author in self.authors.iter().take(AUTHORS) {
            let _ = writeln!(
                text,
                "author {}: {} of {} marked",
                author.author, author.marked, author.contributions
            );
        }
        if let Some(more @ 1..) = self.authors.len().checked_sub(AUTHORS) {
            let _ = writeln!(text, "and {more} more authors; --json has all");
        }
        if let Some(known) = &self.run {
            text += &known.text(self.marked);
        }
        text
    }
}

impl Known {
    fn of(run: &RunFacts, all: &[Contributed], judged: &[Judged]) -> Self {
        let count =
            |which: fn(&Judged) -> bool| judged.iter().filter(|it| which(it)).count() as u64;
        let lies = count(|it| it.lie == Some(true));
        let marked = count(|it| it.marked);
        let found = count(|it| it.marked && it.lie == Some(true));
        let part = |of: u64| wilson(found, of);
        // A learner may refuse samples of one class only, so that there is no figure.
        let accuracy = |which: fn(&Judged) -> bool| {
            let chosen = all.iter().zip(judged).filter(|(_, judged)| which(judged));
            let samples = chosen.map(|(one, _)| {
                let contribution = &one.contribution;
                (contribution.sample.as_slice(), contribution.label)
            });
            run.truth.accuracy_of(&run.scenario, run.seed, samples).ok()
        };
        Self {
            scenario: run.scenario.name().to_owned(),
            seed: run.seed,
            lies,
            found,
            test_samples: run.truth.test_samples(),
            precision: evaluation::share(found, marked),
            recall: evaluation::share(found, lies),
            precision_interval: part(marked),
            recall_interval: part(lies),
            accuracy: Accuracies {
                initial: run.accuracy.initial,
                last: run.accuracy.last,
                all: accuracy(|_| true),
                unmarked: accuracy(|it| !it.marked),
                honest: accuracy(|it| it.lie == Some(false)),
            },
        }
    }

    fn text(&self, marked: u64) -> String {
        let part = |part: Option<f64>| part.map_or_else(|| "-".to_owned(), share);
        let accuracy = &self.accuracy;
        format!(
            "precision {}, {} of {marked} marked are lies; recall {}, of {} lies\n\
             accuracy on {}: {} of the run's model at the start, {} at the end; founded on all {}, on the unmarked {}, on the \
             true ones {}\n",
            part(self.precision),
            self.found,
            part(self.recall),
            self.lies,
            counted(self.test_samples, "test sample"),
            share(accuracy.initial),
            share(accuracy.last),
            part(accuracy.all),
            part(accuracy.unmarked),
            part(accuracy.honest),
        )
    }
}
