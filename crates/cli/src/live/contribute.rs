//! `cotrain contribute`: labelled samples, with their deposit.

use alloy_primitives::{Address, B256};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_bindings::{self as bindings, events};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    keys::Key,
    node::{NodeError, NodeReceipt},
};
use cotrain_learning::text::escaped_list;
use cotrain_protocol::sample::{Item, encode_batch};
use serde::Serialize;

use super::{
    block_on,
    connection::Session,
    data::Columns,
    evaluate::labelled,
    input::Input,
    model::LiveModel,
    relay,
    send::{Acting, Sender, gas_cost},
    show,
    wei::Wei,
};
use crate::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  cotrain contribute --text 'a warm and funny film' --label positive --dev 1
  cotrain contribute --row 5.1,3.5,1.4,0.2 --label setosa --keystore key.json
  cotrain contribute --data more.csv --text-column body --label-column class --dev 1
  cotrain contribute --text 'dull' --label negative --dev 1 --relay http://127.0.0.1:8080 --wait
                                    signed; somebody else sends it, and you pay from what you prepaid

What a contribution deposits falls with the time since the last one, and rises with every further one
in the same transaction. It comes back with `cotrain refund` after the model's wait, if the model then
agrees with it; otherwise others may take it.";

/// Teach a model: send labelled samples, with a deposit for each
///
/// Many samples go into as few transactions as hold them.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Contribute {
    #[command(flatten)]
    input: Input,
    /// The class of the one example: its name, or its number
    #[arg(long, value_name = "CLASS", requires = "Input")]
    label: Option<String>,
    /// Examples with their classes: `movie-reviews`, or a file that ends in .csv, .tsv or .libsvm
    #[arg(long, value_name = "DATA", conflicts_with_all = ["Input", "label"], help_heading = "Data")]
    data: Option<String>,
    #[command(flatten)]
    columns: Columns,
    /// Pass over the first so many of the data's examples
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Data")]
    skip: usize,
    /// Contribute at most so many of the data's examples [default: all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<usize>,
    /// The most to deposit for each contribution [default: twice what it is now]
    #[arg(long, value_name = "WEI", help_heading = None::<&str>)]
    max_deposit: Option<Wei>,
    #[command(flatten)]
    relay: relay::RelayArgs,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Contributed {
    model: Address,
    author: Address,
    contributions: u64,
    transactions: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    transaction: B256,
    block: u64,
    /// The position of the first; the others follow it.
    position: u64,
    contributions: u64,
    /// Wei for each, as text.
    deposit: String,
    gas: u64,
    gas_cost: String,
}

/// Contributes.
pub(crate) fn run(arguments: &Contribute) -> Result<(), Failure> {
    block_on(async {
        let session = arguments.acting.connection.open().await?;
        let key = arguments.acting.key.key(session.node.chain_id())?;
        let model = LiveModel::find(&session, &arguments.acting.model).await?;
        let samples = samples(arguments, &model)?;
        let items: Vec<Item<'_>> = samples
            .iter()
            .map(|(label, sample)| Item {
                label: *label,
                sample,
            })
            .collect();
        if let Some(url) = &arguments.relay.relay {
            let most = arguments.max_deposit;
            let signing = relay::Signing {
                session: &session,
                key: &key,
                model: &model,
                most,
                arguments: &arguments.relay,
            };
            return signing.contribute(url, &items, arguments.acting.json).await;
        }
        let contributed = send_all(&session, &key, &model, arguments, &items).await?;
        show(arguments.acting.json, &contributed, || text(&contributed))
    })
}

fn samples(arguments: &Contribute, model: &LiveModel) -> Result<Vec<(u16, Vec<u8>)>, Failure> {
    if let Some(data) = &arguments.data {
        let all = labelled(model, &arguments.columns, data)?;
        let count = all.len();
        let some: Vec<_> = all
            .into_iter()
            .skip(arguments.skip)
            .take(arguments.limit.unwrap_or(usize::MAX))
            .collect();
        if some.is_empty() {
            return Err(Failure::Mistake(anyhow!(
                "of the {count} examples of `{data}`, --skip and --limit leave none"
            )));
        }
        return Ok(some);
    }
    let Some(sample) = arguments.input.sample(model)? else {
        return Err(Failure::Mistake(anyhow!(
            "there is nothing to contribute; give --text, --row, --features or --sample with --label, or \
             --data"
        )));
    };
    let label = arguments.label.as_ref().ok_or_else(|| {
        Failure::Mistake(anyhow!(
            "what is its class? Say it with --label; the model's are {}",
            escaped_list(
                &(0..model.parameters.classes())
                    .map(|label| model.class(label))
                    .collect::<Vec<_>>()
            )
        ))
    })?;
    Ok(vec![(model.label(label)?, sample)])
}

async fn send_all(
    session: &Session,
    key: &Key,
    model: &LiveModel,
    arguments: &Contribute,
    items: &[Item<'_>],
) -> Result<Contributed, Failure> {
    let sender = Sender {
        node: &session.node,
        key,
        max_fee: arguments.acting.fees.max_fee,
    };
    let mut contributed = Contributed {
        model: model.trainer,
        author: key.address(),
        contributions: 0,
        transactions: Vec::new(),
    };
    let mut most = arguments.max_deposit.map(|Wei(most)| most);
    let (mut rest, mut size) = (items, items.len());
    while !rest.is_empty() {
        size = size.min(rest.len());
        let (some, later) = rest.split_at(size);
        let price = model.price(&session.node, size as u64).await?;
        // A first price sets what is too much for those after it.
        let limit = *most.get_or_insert(price.saturating_mul(2));
        let batch = encode_batch(some).map_err(Failure::mistake)?;
        let sent = if batch.len() > MOST_BYTES {
            None
        } else {
            check_price(price, limit, &contributed, rest.len())?;
            // What is sent above the price comes back.
            let each = price.saturating_add(price / 4).min(limit);
            let value = each.saturating_mul(size as u128);
            attempt(&sender, model, value, &batch, size).await?
        };
        let Some(receipt) = sent else {
            size = size.div_ceil(2);
            tracing::info!(size, "too many for one transaction");
            continue;
        };
        contributed.add(&receipt, size as u64)?;
        rest = later;
        if !rest.is_empty() {
            let done = contributed.contributions;
            session
                .narrator
                .say(format_args!("{done} of {} contributed", items.len()));
        }
    }
    Ok(contributed)
}

/// Calldata of so many bytes costs more than a transaction may use: 10 gas a byte at least.
const MOST_BYTES: usize = 1_000_000;

/// Sends a batch; none where it is too large for a transaction and can be smaller.
async fn attempt(
    sender: &Sender<'_>,
    model: &LiveModel,
    value: u128,
    batch: &[u8],
    size: usize,
) -> Result<Option<NodeReceipt>, Failure> {
    let call = bindings::contribute(batch);
    if size > 1 {
        let (from, value) = (sender.key.address(), alloy_primitives::U256::from(value));
        let gas = sender
            .node
            .estimate(from, Some(model.trainer), value, call.clone());
        // A margin of a quarter is added to what it is now.
        match gas.await {
            Ok(gas) if gas > TRANSACTION_GAS_LIMIT / 5 * 4 => return Ok(None),
            Ok(_) => {}
            Err(error @ NodeError::Reverted(bindings::Revert::Contract(_))) => {
                return Err(error.into());
            }
            Err(error @ NodeError::InsufficientFunds { .. }) => return Err(error.into()),
            Err(error) if error.is_transient() => return Err(error.into()),
            // Nodes have many words for too much gas.
            Err(error) => {
                tracing::info!(%error, "cannot be estimated");
                return Ok(None);
            }
        }
    }
    sender
        .send(Some(model.trainer), value, call)
        .await
        .map(Some)
}

fn check_price(
    price: u128,
    most: u128,
    contributed: &Contributed,
    left: usize,
) -> Result<(), Failure> {
    if price <= most {
        return Ok(());
    }
    Err(Failure::Mistake(anyhow!(
        "{} samples are contributed and {left} are not: each would deposit {} now, at most {} is allowed; \
         wait a while, contribute fewer at once, or allow more with --max-deposit{}",
        contributed.contributions,
        Wei(price),
        Wei(most),
        match contributed.contributions {
            0 => String::new(),
            done => format!(" (and go on with {done} more in --skip)"),
        }
    )))
}

impl Contributed {
    fn add(&mut self, receipt: &NodeReceipt, contributions: u64) -> Result<(), Failure> {
        let logs: Vec<_> = receipt
            .logs
            .iter()
            .filter(|log| log.log.address == self.model)
            .map(|log| log.log.clone())
            .collect();
        let event = events::contributed(&logs)
            .with_context(|| format!("the model {} did not say what it took", self.model))?;
        self.contributions += contributions;
        self.transactions.push(Sent {
            transaction: receipt.transaction,
            block: receipt.block,
            position: event.batch,
            contributions,
            deposit: event.deposit.to_string(),
            gas: receipt.gas_used,
            gas_cost: gas_cost(receipt).to_string(),
        });
        Ok(())
    }
}

fn text(contributed: &Contributed) -> String {
    let line = |sent: &Sent| {
        let wei = |text: &str| {
            text.parse()
                .map_or_else(|_| text.to_owned(), |wei| Wei(wei).to_string())
        };
        let (first, last) = (sent.position, sent.position + sent.contributions - 1);
        let positions = if first == last {
            format!("position {first}")
        } else {
            format!("positions {first} to {last}")
        };
        format!(
            "contributed {} sample{}, {positions}\ndeposit     {} each\ngas         {} ({})\n",
            sent.contributions,
            if sent.contributions == 1 { "" } else { "s" },
            wei(&sent.deposit),
            sent.gas,
            wei(&sent.gas_cost),
        )
    };
    let lines: Vec<_> = contributed.transactions.iter().map(line).collect();
    lines.join("\n")
}
