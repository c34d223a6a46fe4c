//! `cotrain contribute`: labeled samples, with their deposits.

use alloy_primitives::{Address, B256};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_client::{
    api::Client,
    contribute::{
        self, Batch, Contributor, Samples, check_price, count_within, default_max_deposit,
    },
    market::MarketState,
    send::gas_cost,
};
use cotrain_learning::text::escaped_list;
use cotrain_protocol::{mechanism::Mechanism, sample::Item};
use cotrain_results::format::{count, counted};
use serde::Serialize;

use super::{
    acting::Acting,
    block_on,
    chosen::{Chosen, LeftOut},
    connection::{CoordinatorArg, Session},
    data::Columns,
    errors::{not_contributed, unanswered, unfollowed},
    following::{closed_in, follow},
    input::{Encoded, Input, Misfits, labeled},
    model::LiveModel,
    relaying::{RelayArgs, Relaying},
    show,
    spending::{self, Bill, Progress, Range, Target},
    wei::{Wei, format_wei},
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain contribute --text 'a warm and funny film' --label positive --dev 1
  cotrain contribute --row 5.1,3.5,1.4,0.2 --label setosa --keystore key.json
  cotrain contribute --data more.csv --text-column body --label-column class --dev 1
  cotrain contribute --text 'dull' --label negative --dev 1 --relay http://127.0.0.1:8080 --wait
                                    signed, sent by a coordinator, and paid from your prepaid balance

Before it sends anything, it prints chain, node, model and total. It asks for consent above 1 ether, and
on all chains but development chains (--yes, --dry-run, --max-total). It leaves out data that this account
has contributed to the model before, unless you pass --again.

The columns of a table are found by the names in the model's card, in any order, and their types are
the card's. A column that the model does not know is refused, unless --drop names it; so is a missing
or a doubled one.

The deposit of a contribution falls with the time since the last one, and rises with every further one
in the same transaction. `cotrain refund` returns it after the model's wait if the model then agrees with
the contribution; otherwise others may take it.";

/// Teach a model: send labeled samples, with a deposit for each
///
/// Many samples share a transaction, up to its gas limit.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Contribute {
    #[command(flatten)]
    input: Input,
    /// Class of the one example, by name or by number
    #[arg(
        long,
        value_name = "CLASS",
        requires = "Input",
        // Many tables call their classes -1 and 1.
        allow_negative_numbers = true
    )]
    label: Option<String>,
    /// Labeled examples: `movie-reviews`, `digits`, a file that ends in .csv, .tsv, .txt, .parquet
    /// or .libsvm, or a folder with a folder of pictures for each class
    #[arg(long, value_name = "DATA", conflicts_with_all = ["Input", "label"], help_heading = "Data")]
    data: Option<String>,
    #[command(flatten)]
    columns: Columns,
    /// Number of examples to skip at the beginning of the data
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Data")]
    skip: usize,
    /// Maximum number of the data's examples to contribute [default: all]
    #[arg(long, value_name = "N", help_heading = "Data")]
    limit: Option<usize>,
    /// Contribute inputs even if the model knows nothing of them; without this option, a single
    /// input is refused and an example of the data is left out
    #[arg(long, help_heading = "Data")]
    allow_unknown: bool,
    /// Contribute inputs even if numbers are outside the model's range; these numbers are moved to
    /// its bounds
    #[arg(long, help_heading = "Data")]
    allow_clipped: bool,
    /// Contribute examples of the data even if this account has contributed them to this model
    /// before
    #[arg(long, requires = "data", help_heading = "Data")]
    again: bool,
    /// Maximum deposit of each contribution, in wei [default: twice the current deposit]
    #[arg(long, value_name = "WEI", help_heading = None::<&str>)]
    max_deposit: Option<Wei>,
    #[command(flatten)]
    relay: RelayArgs,
    #[command(flatten)]
    acting: Acting,
    #[command(flatten)]
    coordinator: CoordinatorArg,
}

#[derive(Serialize)]
struct Contributed {
    chain_id: u64,
    model: Address,
    author: Address,
    contributions: u64,
    transactions: Vec<Sent>,
    left_out: LeftOut,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Serialize)]
struct Sent {
    transaction: B256,
    block: u64,
    /// Position of the first contribution; the others follow it.
    position: u64,
    contributions: u64,
    /// Deposit of each contribution in wei, as text.
    deposit: String,
    gas: u64,
    gas_cost: String,
}

/// Runs `cotrain contribute`.
pub(crate) fn run(arguments: &Contribute) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.acting.connection.open().await?;
        let key = arguments.acting.key.key(session.node.chain_id())?;
        let mut model = LiveModel::find(&session, &arguments.acting.model).await?;
        let description = model.facts.terms.mechanism().description();
        if arguments.relay.relay.is_some() && !description.takes_signed_batches {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {} is a {}, which takes no signed contributions; leave out --relay",
                model.facts.trainer,
                description.title
            )));
        }
        if arguments.input.text.is_some() || arguments.data.is_some() {
            let coordinator = arguments.coordinator.coordinator.as_ref();
            let coordinator = coordinator.or(arguments.relay.relay.as_ref());
            model.prepare_texts(&session, coordinator).await?;
        }
        let relaying = match &arguments.relay.relay {
            Some(url) => Some(Relaying {
                session: &session,
                key: &key,
                model: &model,
                client: Client::new(url).map_err(unanswered)?,
                max: arguments.max_deposit,
                spending: &arguments.acting.spending,
                arguments: &arguments.relay,
            }),
            None => None,
        };
        // The chain alone tells what was contributed before, and pending batches are not on it yet.
        // A run with --skip continues an earlier one, so it is allowed.
        if let Some(relaying) = &relaying
            && arguments.data.is_some()
            && !arguments.again
            && arguments.skip == 0
        {
            relaying.check_nothing_waits().await?;
        }
        let chosen = choose(&session, arguments, &model, key.address()).await?;
        let items: Vec<Item<'_>> = chosen
            .samples
            .iter()
            .map(|(label, input)| Item {
                label: *label,
                sample: &input.sample,
            })
            .collect();
        if let Some(relaying) = relaying {
            let json = arguments.acting.json;
            return relaying.contribute(&items, &chosen, json).await;
        }
        let budget = arguments.acting.spending.budget();
        let sender = arguments
            .acting
            .gas_fees
            .sender(&session.node, &key, &budget);
        let sending = Sending {
            session: &session,
            contributor: Contributor {
                sender: &sender,
                facts: &model.facts,
            },
            model: &model,
            arguments,
        };
        sending.contribute(&items, &chosen).await
    })
}

/// Returns the samples to contribute. By default it leaves out samples that the model knows nothing
/// of or has from this author already. It refuses samples outside the model's range.
async fn choose(
    session: &Session,
    arguments: &Contribute,
    model: &LiveModel,
    author: Address,
) -> Result<Chosen, CommandError> {
    let mut chosen = match &arguments.data {
        Some(data) => from_data(session, arguments, model, data)?,
        None => Chosen {
            samples: vec![single(arguments, model)?],
            rows: Vec::new(),
            window: None,
            left_out: LeftOut::default(),
        },
    };
    let misfits = |chosen: &Chosen| Misfits::of(chosen.samples.iter().map(|(_, input)| input));
    if let Some(message) = misfits(&chosen).describe_unknown(model) {
        if arguments.allow_unknown {
            session.narrator.say(format_args!("warning: {message}"));
        } else if arguments.data.is_none() {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {message}, so it would learn nothing of it; say --allow-unknown to \
                 contribute it all the same"
            )));
        } else {
            session.narrator.say(format_args!(
                "{message}: they are left out (--allow-unknown contributes them)"
            ));
            chosen.left_out.unknown = chosen.keep(|_, input| !input.is_unknown());
        }
    }
    // Only the remaining inputs count: the unknown ones are not contributed.
    if let Some(message) = misfits(&chosen).describe_unseen(model) {
        session.narrator.say(format_args!("warning: {message}"));
    }
    if let Some(message) = misfits(&chosen).describe_clipped() {
        if !arguments.allow_clipped {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {message}, so the model would learn other numbers than yours; are unit and \
                 columns those that it was trained on? Say --allow-clipped to contribute all the same"
            )));
        }
        session.narrator.say(format_args!("warning: {message}"));
    }
    if arguments.data.is_some() && !arguments.again {
        leave_out_known(session, model, author, &mut chosen).await?;
    }
    if chosen.samples.is_empty() {
        return Err(CommandError::Mistake(anyhow!(
            "nothing was sent: nothing is left to contribute; {} of the examples are unknown to the model and \
             {} were contributed before (--allow-unknown and --again contribute them)",
            chosen.left_out.unknown,
            chosen.left_out.contributed_before
        )));
    }
    Ok(chosen)
}

/// Leaves out what the author has contributed before, so that nobody pays twice for the same data.
/// Each contribution on the chain counts for one example.
async fn leave_out_known(
    session: &Session,
    model: &LiveModel,
    author: Address,
    chosen: &mut Chosen,
) -> Result<(), CommandError> {
    let before = contributed_before(session, model, author).await;
    let mut before = before.map_err(|failure| {
        failure.context(
            "nothing was sent: cannot find out whether any of this was contributed before; try again, or say --again \
             to contribute all of it",
        )
    })?;
    chosen.left_out.contributed_before =
        chosen.keep(|label, input| !before.take(label, &input.sample));
    if chosen.left_out.contributed_before > 0 {
        session.narrator.say(format_args!(
            "{author} has contributed {} of these to this model before: they are left out (--again \
             contributes them)",
            chosen.left_out.contributed_before
        ));
    }
    Ok(())
}

/// Counts the author's contributions of each sample.
async fn contributed_before(
    session: &Session,
    model: &LiveModel,
    author: Address,
) -> Result<Samples, CommandError> {
    match model.facts.terms.mechanism() {
        Mechanism::DepositRefundTake | Mechanism::Points => {
            let index = follow(session, model).await?;
            Ok(index.samples_of(author).await?)
        }
        Mechanism::PredictionMarket => {
            let state = MarketState::read(&session.node, &model.facts, closed_in(model)).await;
            let state = state.map_err(unfollowed)?;
            state
                .ledger()
                .samples_of(author)
                .map_err(CommandError::mistake)
        }
    }
}

fn from_data(
    session: &Session,
    arguments: &Contribute,
    model: &LiveModel,
    data: &str,
) -> Result<Chosen, CommandError> {
    let all = labeled(session, model, &arguments.columns, data)?;
    let count = all.len();
    let samples: Vec<_> = all
        .into_iter()
        .skip(arguments.skip)
        .take(arguments.limit.unwrap_or(usize::MAX))
        .collect();
    if samples.is_empty() {
        return Err(CommandError::Mistake(anyhow!(
            "of the {count} examples of `{data}`, --skip and --limit leave none"
        )));
    }
    Ok(Chosen {
        rows: (arguments.skip..).take(samples.len()).collect(),
        window: arguments.limit.map(|limit| (arguments.skip, limit)),
        samples,
        left_out: LeftOut::default(),
    })
}

fn single(arguments: &Contribute, model: &LiveModel) -> Result<(u16, Encoded), CommandError> {
    let Some(input) = arguments.input.sample(model)? else {
        return Err(CommandError::Mistake(anyhow!(
            "there is nothing to contribute; give --text, --row, --picture, --features or --sample with \
             --label, or --data"
        )));
    };
    let label = arguments.label.as_ref().ok_or_else(|| {
        CommandError::Mistake(anyhow!(
            "what is its class? Say it with --label; the model's are {}",
            escaped_list(
                &(0..model.facts.parameters.classes())
                    .map(|label| model.class(label))
                    .collect::<Vec<_>>()
            )
        ))
    })?;
    Ok((model.label(label)?, input))
}

/// Author who contributes by own transactions.
struct Sending<'a> {
    session: &'a Session,
    contributor: Contributor<'a>,
    model: &'a LiveModel,
    arguments: &'a Contribute,
}

impl Sending<'_> {
    async fn contribute(&self, items: &[Item<'_>], chosen: &Chosen) -> Result<(), CommandError> {
        let json = self.arguments.acting.json;
        let first = self.fit(items).await?;
        let (bill, max) = self.bill(items.len() as u64, &first).await?;
        let agreed = self
            .arguments
            .acting
            .spending
            .agreed(self.session, &bill, json)?;
        if !agreed {
            return Ok(());
        }
        let mut contributed = Contributed {
            chain_id: self.session.node.chain_id(),
            model: self.model.facts.trainer,
            author: self.contributor.sender.address(),
            contributions: 0,
            transactions: Vec::new(),
            left_out: chosen.left_out,
            progress: Progress::default(),
        };
        let sent = self.send_all(items, first, max, &mut contributed).await;
        let (done, of) = (contributed.contributions, items.len() as u64);
        let Err(failure) = sent else {
            contributed.progress = Progress::whole(of);
            return show(json, &contributed, || text(&contributed));
        };
        if done == 0 {
            return Err(failure);
        }
        let go_on = chosen.go_on(usize::try_from(done).unwrap_or(usize::MAX));
        contributed.progress = Progress::stopped(done, of, &failure, go_on);
        show(json, &contributed, || text(&contributed))?;
        Err(contributed
            .progress
            .explain(failure, "samples are contributed"))
    }

    /// Returns the bill, and the maximum deposit of each sample.
    async fn bill(&self, count: u64, first: &Batch) -> Result<(Bill, u128), CommandError> {
        let arguments = self.arguments;
        let gas_fees = self.session.node.gas_fees().await?;
        let gas = first.gas_of_all(count);
        let gas_cost = gas.map_or(Range::exactly(0), |gas| {
            let acting = &arguments.acting;
            spending::gas_cost_of_all(gas, &gas_fees, &acting.gas_fees, &acting.spending)
        });
        let mut max = match arguments.max_deposit {
            Some(Wei(max)) => max,
            None => default_max_deposit(self.model.facts.terms.mechanism(), first.price),
        };
        if let Some(Wei(total)) = arguments.acting.spending.max_total {
            let within = count_within(total, max, first.price, count, gas_cost.at_most);
            max = within.map_err(|error| not_contributed(error.into()))?;
        }
        check_price(first.price, max).map_err(|error| not_contributed(error.into()))?;
        let each = Range {
            now: first.price,
            at_most: max,
        };
        let bill = Bill {
            action: format!("contribute {}", counted(count, "sample")),
            target: Target::new(self.session, Some(self.model)),
            account: self.contributor.sender.address(),
            count,
            each: Some(each),
            value: each.times(count),
            gas,
            gas_cost,
            notes: Vec::new(),
        };
        Ok((bill, max))
    }

    async fn send_all(
        &self,
        items: &[Item<'_>],
        first: Batch,
        max: u128,
        contributed: &mut Contributed,
    ) -> Result<(), CommandError> {
        let of = items.len() as u64;
        let sent = self.contributor.send_all(items, first, max, |sent| {
            contributed.add(&sent);
            if contributed.contributions < of {
                self.session.narrator.say(format_args!(
                    "{} of {} contributed",
                    count(contributed.contributions),
                    count(of)
                ));
            }
        });
        sent.await.map_err(not_contributed)
    }

    /// Finds how many of the items fit into one transaction.
    async fn fit(&self, items: &[Item<'_>]) -> Result<Batch, CommandError> {
        let fitting = self.contributor.fit(items, items.len()).await;
        Ok(fitting
            .map_err(not_contributed)?
            .context("there is nothing to contribute")?)
    }
}

impl Contributed {
    /// Adds a transaction.
    fn add(&mut self, sent: &contribute::Contributed) {
        let (receipt, contributions) = (&sent.receipt, sent.size as u64);
        self.contributions += contributions;
        self.transactions.push(Sent {
            transaction: receipt.transaction,
            block: receipt.block,
            position: sent.position,
            contributions,
            deposit: sent.deposit.to_string(),
            gas: receipt.gas_used,
            gas_cost: gas_cost(receipt).to_string(),
        });
    }
}

fn text(contributed: &Contributed) -> String {
    let line = |sent: &Sent| {
        let (first, last) = (sent.position, sent.position + sent.contributions - 1);
        let positions = if first == last {
            format!("position {first}")
        } else {
            format!("positions {first} to {last}")
        };
        format!(
            "contributed {}, {positions}\ndeposit     {} each\ngas         {} ({})\n",
            counted(sent.contributions, "sample"),
            format_wei(&sent.deposit),
            sent.gas,
            format_wei(&sent.gas_cost),
        )
    };
    let lines: Vec<_> = contributed.transactions.iter().map(line).collect();
    lines.join("\n")
}
