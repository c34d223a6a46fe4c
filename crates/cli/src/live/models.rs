//! `cotrain models`: the models of a registry.

use std::time::Duration;

use alloy_primitives::Address;
use clap::Args;
use cotrain_bindings::Entry;
use cotrain_learning::text::{MAX_DESCRIPTION, escaped, escaped_list, escaped_to};
use serde::Serialize;

use super::{
    block_on,
    bounds::{ShownBounds, describe_bounds, describe_features},
    connection::{Connection, Session},
    model::{LiveModel, entries},
    show,
    spending::Target,
    wei::format_wei,
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain models                                   in the registry that was used last
  cotrain models --registry 0x5FbD…                in another one
  cotrain models --json | jq -r '.[].trainer'      for a script";

/// List the models of a registry
///
/// Prints the name, learner, classes and number of contributions of each model, and the current
/// deposit of one sample. Anyone may register anything. A model is `verified` if both contracts run
/// this release's code, the classifier obeys this trainer alone, and card and contract agree about
/// samples.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Models {
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON array to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Listed {
    chain_id: u64,
    name: String,
    description: String,
    trainer: Address,
    classifier: Address,
    owner: Address,
    learner: &'static str,
    classes: Vec<String>,
    /// Number of features in the contract, including the constant of a dense perceptron's
    /// intercept.
    features: u32,
    #[serde(skip)]
    features_text: String,
    /// Bounds of samples, in the contract's integers.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds: Option<ShownBounds>,
    #[serde(skip)]
    learns_from: Option<String>,
    incentive: &'static str,
    contributions: u128,
    /// Price in wei, as text.
    price: String,
    /// Wait in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_wait: Option<u64>,
    /// Time from the announcement of a report to the report, in seconds; 0 if none is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    report_notice: Option<u64>,
    verified: bool,
}

/// Lists models.
pub(crate) fn run(arguments: &Models) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let registry = session.registry()?;
        Target::new(&session, None).tell(&session);
        let mut listed = Vec::new();
        for entry in entries(&session.node, registry).await? {
            match list(&session, registry, &entry).await {
                Ok(model) => listed.push(model),
                Err(failure) => session.narrator.say(format_args!(
                    "passed over {}: {}",
                    entry.trainer,
                    escaped_to(&failure.message(), 1_000)
                )),
            }
        }
        show(arguments.json, &listed, || {
            let texts: Vec<_> = listed.iter().map(text).collect();
            texts.join("\n")
        })
    })
}

async fn list(session: &Session, registry: Address, entry: &Entry) -> Result<Listed, CommandError> {
    let model = LiveModel::listed(session, registry, entry).await?;
    let count = cotrain_bindings::state::contribution_count();
    let contributions = model.ask(&session.node, "contributionCount", count).await?;
    let price = model.price(&session.node, 1).await?;
    let description = model.card.as_ref().map(|card| card.description.clone());
    let encoder = model.encoder().ok();
    let waits = model.facts.waits();
    Ok(Listed {
        chain_id: session.node.chain_id(),
        name: model.name(),
        description: description.unwrap_or_default(),
        trainer: model.facts.trainer,
        classifier: model.facts.classifier,
        owner: model.facts.owner,
        learner: model.facts.parameters.kind().name(),
        classes: model.classes(),
        features: model.facts.parameters.features(),
        features_text: describe_features(&model.facts.parameters, encoder),
        bounds: model.facts.parameters.bounds().map(Into::into),
        learns_from: describe_bounds(&model.facts.parameters, encoder),
        incentive: model.facts.terms.mechanism().name(),
        contributions,
        price: price.to_string(),
        refund_wait: waits.map(|waits| waits.refund),
        report_notice: waits.map(|waits| waits.report_notice),
        verified: model.verified(),
    })
}

fn text(model: &Listed) -> String {
    let description = match model.description.as_str() {
        "" => String::new(),
        description => format!("  {}\n", escaped_to(description, MAX_DESCRIPTION)),
    };
    let notice = match model.report_notice {
        None | Some(0) => String::new(),
        Some(seconds) => format!(
            "  report notice  {}\n",
            humantime::format_duration(Duration::from_secs(seconds))
        ),
    };
    let refund = model.refund_wait.map_or_else(
        || format!("  incentive      {}\n", model.incentive),
        |seconds| {
            format!(
                "  refund after   {}\n",
                humantime::format_duration(Duration::from_secs(seconds))
            )
        },
    );
    let bounds = model
        .learns_from
        .as_ref()
        .map(|bounds| format!("  learns from    {bounds}\n"));
    format!(
        "{}\n{description}  model          {}{}\n  learner        {}, {}\n{}  classes        {}\n  \
         contributions  {}\n  deposit now    {}\n",
        escaped(&model.name),
        model.trainer,
        if model.verified {
            ""
        } else {
            " (not verified)"
        },
        model.learner,
        model.features_text,
        bounds.unwrap_or_default(),
        escaped_list(&model.classes),
        model.contributions,
        format_wei(&model.price),
    ) + &refund
        + &notice
}
