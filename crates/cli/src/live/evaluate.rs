//! `cotrain evaluate`: the accuracy of a model.

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings as bindings;
use cotrain_client::predict::evaluate;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, ModelArg},
    data::Columns,
    input::{Misfits, labeled},
    model::LiveModel,
    predict::not_predicted,
    show,
    spending::Target,
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain evaluate                                          on the film reviews
  cotrain evaluate --data test.csv --text-column body --label-column class
  cotrain evaluate --data test.libsvm --on-chain            by the contract's own `evaluate`";

/// Measure a model on labeled data, free
///
/// Data that the model has learned from flatters it: measure on other data.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Evaluate {
    /// Data to measure on: `movie-reviews`, or a file that ends in .csv, .tsv or .libsvm
    #[arg(
        long,
        value_name = "DATA",
        default_value = "movie-reviews",
        help_heading = "Data"
    )]
    data: String,
    #[command(flatten)]
    columns: Columns,
    /// Maximum number of examples, from the first one on [default: all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<usize>,
    /// Let the contract evaluate, in the node
    #[arg(long)]
    on_chain: bool,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Evaluated {
    chain_id: u64,
    model: Address,
    block_hash: B256,
    correct: usize,
    examples: usize,
    accuracy: f64,
    misfits: Misfits,
}

/// Runs `cotrain evaluate`.
pub(crate) fn run(arguments: &Evaluate) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let model = LiveModel::find(&session, &arguments.model).await?;
        let mut samples = labeled(&model, &arguments.columns, &arguments.data)?;
        samples.truncate(arguments.limit.unwrap_or(samples.len()));
        Target::new(&session, Some(&model)).tell(&session);
        let misfits = Misfits::of(samples.iter().map(|(_, sample)| sample));
        misfits.warn(&session, &model);
        let block = session.node.head().await?.hash;
        let correct = if arguments.on_chain {
            let samples: Vec<_> = samples
                .iter()
                .map(|(label, input)| (*label, input.sample.as_slice()))
                .collect();
            let counted = evaluate(&session.node, &model.facts, block, &samples).await;
            counted.map_err(not_predicted)?
        } else {
            let words = model.words(&session, block).await?;
            let reference = model.reference(&words)?;
            let mut correct = 0;
            for (number, (label, input)) in (1..).zip(&samples) {
                let class = reference.predict(&input.sample).map_err(|rejection| {
                    let refused =
                        format!("nothing was measured: the model refuses example {number}");
                    CommandError::Mistake(
                        anyhow!(model.explain(&bindings::Revert::Contract(rejection)))
                            .context(refused),
                    )
                })?;
                correct += usize::from(class == *label);
            }
            correct
        };
        let evaluated = Evaluated {
            chain_id: session.node.chain_id(),
            model: model.facts.trainer,
            block_hash: block,
            correct,
            examples: samples.len(),
            accuracy: share(correct, samples.len()),
            misfits,
        };
        show(arguments.json, &evaluated, || {
            format!(
                "accuracy  {:.1} %, {correct} of {} examples\n",
                100.0 * evaluated.accuracy,
                evaluated.examples
            )
        })
    })
}

// Counts of examples are far below 2^52, so the conversion is exact.
#[allow(clippy::cast_precision_loss)]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}
