//! `cotrain federated train`: an update from data on this machine.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use clap::Args;
use cotrain_client::federated::{LocalData, Measure, UpdateFile, train};
use cotrain_learning::federated::Training;
use cotrain_results::format::counted;
use serde::Serialize;

use super::view::{View, unread, unusable};
use crate::{
    error::CommandError,
    live::{
        block_on,
        connection::{Connection, ModelArg},
        data::{Columns, TypeOptions},
        show,
    },
};

/// Train the current model on data of yours, and write the update to a file
///
/// The data stay on this machine; only the update leaves it, when you submit it. The same data,
/// options and version give the same update. Nothing is sent, and no key is needed. A table needs the
/// columns of the model, in the same order.
#[derive(Debug, Args)]
pub(crate) struct Train {
    /// Labeled examples: `digits`, a table of whole numbers from 0 to 255, or a folder with a folder
    /// of pictures for each class
    #[arg(long, value_name = "DATA", help_heading = "Data")]
    data: String,
    /// Data to measure on [default: a fifth of the data, set aside at random]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    test: Option<PathBuf>,
    #[command(flatten)]
    columns: Columns,
    #[command(flatten)]
    types: TypeOptions,
    /// Number of examples to skip, after the test data is set aside
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Data")]
    skip: usize,
    /// Maximum number of examples to train on [default: all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<usize>,
    /// Seed of the choice of the test data and of the order of the examples
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Data")]
    seed: u32,
    /// Number of passes over the examples
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Training")]
    epochs: u32,
    /// Rate of stochastic gradient descent
    #[arg(long, value_name = "RATE", default_value_t = 0.5, value_parser = rate, help_heading = "Training")]
    rate: f64,
    /// Number of examples of a step
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Training"
    )]
    batch: u32,
    /// File for the update
    #[arg(long, value_name = "FILE", default_value = "update.json", help_heading = None::<&str>)]
    out: PathBuf,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Trained<'a> {
    chain_id: u64,
    trainer: Address,
    /// Version of the model that the update is based on.
    version: u64,
    examples: usize,
    before: Measure,
    /// Figures of the model with this update alone.
    after: Measure,
    update: &'a Path,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.0..=1_000.0).contains(&rate) && rate > 0.0 => Ok(rate),
        _ => Err("expected a number above 0, at most 1000".to_owned()),
    }
}

/// Trains an update.
pub(crate) fn run(arguments: &Train) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let view = View::find(&session, &arguments.model).await?;
        view.target(&session).tell(&session);
        let source = arguments.columns.founding(
            &arguments.data,
            arguments.test.as_deref(),
            &arguments.types,
        )?;
        let classes = view.card.as_ref().map(|card| card.classes.as_slice());
        let data = LocalData::read(&source, arguments.seed.into())
            .and_then(|data| data.fit(&view.facts.model, classes))
            .and_then(|data| data.window(arguments.skip, arguments.limit));
        let data = data.map_err(unusable)?;
        let weights = view.facts.weights(&session.node).await;
        let (version, weights) = weights.map_err(unread)?;
        let terms = Training {
            epochs: arguments.epochs,
            rate: arguments.rate,
            batch: arguments.batch as usize,
            seed: arguments.seed,
        };
        let trained = train(&view.facts, &weights, &data, &terms);
        let trained = trained.map_err(CommandError::mistake)?;
        UpdateFile::new(&view.facts, version, &trained.update)
            .and_then(|file| file.save(&arguments.out))
            .map_err(unusable)?;
        let shown = Trained {
            chain_id: view.facts.chain_id,
            trainer: view.facts.trainer,
            version,
            examples: data.train.len(),
            before: trained.before,
            after: trained.after,
            update: &arguments.out,
        };
        show(arguments.json, &shown, || {
            format!(
                "version    {version}\ntrained    on {}\nbefore     {}\nafter      {}\nupdate     {}\n",
                counted(data.train.len() as u64, "example"),
                figures(trained.before),
                figures(trained.after),
                arguments.out.display()
            )
        })
    })
}

fn figures(measure: Measure) -> String {
    format!(
        "{} of {} right, loss {:.3} bit",
        measure.correct, measure.samples, measure.loss
    )
}
