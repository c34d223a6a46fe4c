//! `cotrain predict`: what a model says, free.

use std::path::PathBuf;

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::{self as bindings, Revert};
use cotrain_chain::node::{At, NodeError};
use cotrain_learning::text::escaped;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, ModelArg, Session},
    input::{self, Input},
    model::LiveModel,
    show, words,
};
use crate::failure::Failure;

/// Samples predicted in one call.
const SAMPLES_PER_CALL: usize = 50;

const EXAMPLES: &str = "\
Examples:
  cotrain predict --text 'a warm and funny film'
  cotrain predict --row 5.1,3.5,1.4,0.2
  cotrain predict --features 3,17,159              feature numbers, from 0
  cotrain predict --file reviews.txt --local       many, by a copy of the model
  cotrain predict --file mail.csv --text-column body
  cotrain predict --text 'dull' --verify           do not trust the node

With --verify, each word of the model is proved by the block's hash (eth_getProof). Who gives
--block-hash from elsewhere needs to trust the node for nothing but what the model was created with.";

/// Predict the class of a text, a row of numbers or a sample, free
///
/// The contract computes it in the node, or this program computes the same with the model's words.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Predict {
    #[command(flatten)]
    input: Input,
    /// A file with an example a line, texts or rows; or a table (.csv, .tsv) with a header; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "Input")]
    file: Option<PathBuf>,
    /// The column of the table that has the texts; other columns are passed over
    #[arg(long, value_name = "NAME", requires = "file")]
    text_column: Option<String>,
    /// Read the model once, keep it, and predict here
    #[arg(long)]
    local: bool,
    /// As --local, with a proof of every word of the model
    #[arg(long)]
    verify: bool,
    /// The block after which the model is asked for [default: the latest]
    #[arg(long, value_name = "HASH", value_parser = words::block_hash)]
    block_hash: Option<B256>,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Predicted {
    model: Address,
    block_hash: B256,
    by: &'static str,
    predictions: Vec<Prediction>,
}

#[derive(Serialize)]
struct Prediction {
    label: u16,
    class: String,
}

/// Predicts.
pub(crate) fn run(arguments: &Predict) -> Result<(), Failure> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let model = LiveModel::find(&session, &arguments.model).await?;
        let samples = match (&arguments.file, arguments.input.sample(&model)?) {
            (Some(file), _) => input::file(&model, file, arguments.text_column.as_deref())?,
            (None, Some(sample)) => vec![sample],
            (None, None) => {
                return Err(Failure::Mistake(anyhow!(
                    "there is nothing to predict; give --text, --row, --features, --sample or --file"
                )));
            }
        };
        let block = if let Some(hash) = arguments.block_hash {
            hash
        } else {
            let head = session.node.head().await?;
            tracing::info!(number = head.number, hash = %head.hash, "the latest block");
            head.hash
        };
        let (labels, by) = if arguments.verify {
            let words = words::proved(&session, &model, block).await?;
            session.narrator.say(format_args!(
                "{} words of the model are proved by block {block}{}",
                words.len(),
                match arguments.block_hash {
                    Some(_) => "",
                    None => ", which is the latest that the node tells of",
                }
            ));
            (local(&model, &words, &samples)?, "proved words")
        } else if arguments.local {
            let words = words::cached(&session, &model, block).await?;
            (local(&model, &words, &samples)?, "words")
        } else {
            (remote(&session, &model, block, &samples).await?, "contract")
        };
        let predicted = Predicted {
            model: model.trainer,
            block_hash: block,
            by,
            predictions: labels
                .into_iter()
                .map(|label| Prediction {
                    label,
                    class: model.class(label),
                })
                .collect(),
        };
        show(arguments.json, &predicted, || {
            let classes = predicted.predictions.iter();
            classes
                .map(|it| format!("{}\n", escaped(&it.class)))
                .collect()
        })
    })
}

/// By the model's twin here.
fn local(
    model: &LiveModel,
    words: &[alloy_primitives::U256],
    samples: &[Vec<u8>],
) -> Result<Vec<u16>, Failure> {
    let twin = model.twin(words)?;
    let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
    twin.predict_all(&samples).map_err(Failure::mistake)
}

/// By the contract.
async fn remote(
    session: &Session,
    model: &LiveModel,
    block: B256,
    samples: &[Vec<u8>],
) -> Result<Vec<u16>, Failure> {
    let mut labels = Vec::with_capacity(samples.len());
    for samples in samples.chunks(SAMPLES_PER_CALL) {
        let samples: Vec<&[u8]> = samples.iter().map(Vec::as_slice).collect();
        let call = bindings::predict(&samples);
        let at = Some(At::Hash(block));
        let answer = session.node.call(model.classifier, call, at).await;
        let answer = answer.map_err(|error| match error {
            NodeError::Reverted(Revert::Contract(rejection)) => Failure::mistake(rejection),
            error => error.into(),
        })?;
        let some = bindings::read_labels(&answer)
            .filter(|some| some.len() == samples.len())
            .ok_or_else(|| {
                anyhow!(cotrain_chain::ChainError::UnexpectedAnswer { call: "predict" })
            })?;
        labels.extend(some);
    }
    Ok(labels)
}
