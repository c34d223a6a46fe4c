//! `cotrain evaluate`: the accuracy of a model.

use alloy_primitives::{Address, B256, U256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings as bindings;
use cotrain_chain::node::Node;
use cotrain_client::predict::{evaluate, predict};
use cotrain_learning::evaluation::Confusion;
use cotrain_results::measured::Measured;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, CoordinatorArg, ModelArg},
    data::Columns,
    input::{Encoded, Labeled, Misfits, labeled},
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
  cotrain evaluate --data test.libsvm --on-chain            by the contract, in the node

The interval is Wilson's with a confidence of 95 %: of a hundred such intervals, each from other data
of the same kind, some 95 contain the accuracy on all such data. The majority baseline is the accuracy
of always predicting the most common class. Recall is the share of a class's examples that are
predicted right. Precision is the share of the predictions of a class that are right. F1 is their
harmonic mean. A share without anything to divide by is `-`, and null with --json. For more than ten
classes, or long counts, the text has no confusion matrix; --json always has it.

The columns of a table are found by the names in the model's card, in any order, and their types are
the card's. A column that the model does not know is refused, unless --drop names it; so is a missing
or a doubled one.";

/// Measure a model on labeled data, free
///
/// Data that the model has learned from flatters it: measure on other data.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Evaluate {
    /// Data to measure on: `movie-reviews`, `digits`, a file that ends in .csv, .tsv, .txt,
    /// .parquet or .libsvm, or a folder with a folder of pictures for each class
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
    /// Let the contract predict and count, in the node; without it, a copy of the model predicts
    #[arg(long)]
    on_chain: bool,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    coordinator: CoordinatorArg,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Evaluated {
    chain_id: u64,
    model: Address,
    block_hash: B256,
    examples: u64,
    #[serde(flatten)]
    measured: Measured,
    misfits: Misfits,
}

/// Runs `cotrain evaluate`.
pub(crate) fn run(arguments: &Evaluate) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let mut model = LiveModel::find(&session, &arguments.model).await?;
        let coordinator = arguments.coordinator.coordinator.as_ref();
        model.prepare_texts(&session, coordinator).await?;
        let mut samples = labeled(&session, &model, &arguments.columns, &arguments.data)?;
        let count = samples.len();
        samples.truncate(arguments.limit.unwrap_or(count));
        if samples.is_empty() {
            return Err(CommandError::Mistake(anyhow!(
                "cannot measure the model: --limit 0 leaves none of the {count} examples of `{}`; \
                 leave --limit out, or give a number above 0",
                arguments.data
            )));
        }
        Target::new(&session, Some(&model)).tell(&session);
        let misfits = Misfits::of(samples.iter().map(|(_, sample)| sample));
        misfits.warn(&session, &model);
        let block = session.node.head().await?.hash;
        let predicted = if arguments.on_chain {
            by_contract(&session.node, &model, block, &samples).await?
        } else {
            let words = model.words(&session, block).await?;
            by_copy(&model, &words, &samples)?
        };
        let classes = model.classes();
        let pairs = samples.iter().map(|(label, _)| *label).zip(predicted);
        let confusion = Confusion::new(classes.len(), pairs).map_err(|error| {
            let context =
                "the node predicts a class that the model does not have; use another node";
            CommandError::Fault(anyhow!(error).context(context))
        })?;
        let evaluated = Evaluated {
            chain_id: session.node.chain_id(),
            model: model.facts.trainer,
            block_hash: block,
            examples: confusion.n(),
            measured: Measured::new(&confusion, classes),
            misfits,
        };
        show(arguments.json, &evaluated, || evaluated.measured.text())
    })
}

/// Returns the contract's predictions, which its own count of right ones must confirm.
async fn by_contract(
    node: &Node,
    model: &LiveModel,
    block: B256,
    samples: &Labeled,
) -> Result<Vec<u16>, CommandError> {
    let items: Vec<_> = samples
        .iter()
        .map(|(label, input)| (*label, input.sample.as_slice()))
        .collect();
    let counted = evaluate(node, &model.facts, block, &items).await;
    let counted = counted.map_err(not_predicted)?;
    let inputs: Vec<&[u8]> = items.iter().map(|(_, sample)| *sample).collect();
    let mut predicted = Vec::with_capacity(items.len());
    let asked = predict(node, &model.facts, block, &inputs, &mut predicted).await;
    asked.map_err(not_predicted)?;
    let pairs = items.iter().zip(&predicted);
    let correct = pairs.filter(|((label, _), class)| label == *class).count();
    if correct != counted {
        return Err(CommandError::Fault(anyhow!(
            "the node contradicts itself: `predict` is right {correct} times and `evaluate` counts {counted}; \
             use another node, or leave --on-chain out"
        )));
    }
    Ok(predicted)
}

/// Returns the predictions of the reference model with these words.
fn by_copy(model: &LiveModel, words: &[U256], samples: &Labeled) -> Result<Vec<u16>, CommandError> {
    let reference = model.reference(words)?;
    let predict = |(number, (_, input)): (usize, &(u16, Encoded))| {
        reference.predict(&input.sample).map_err(|rejection| {
            let refused = format!("nothing was measured: the model refuses example {number}");
            CommandError::Mistake(
                anyhow!(model.explain(&bindings::Revert::Contract(rejection))).context(refused),
            )
        })
    };
    (1..).zip(samples).map(predict).collect()
}
