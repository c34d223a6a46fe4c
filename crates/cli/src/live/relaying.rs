//! Contributions that a coordinator sends for their author: the arguments, the bill and the output.

use std::time::Duration;

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::keys::Key;
use cotrain_client::{
    api::Client,
    contribute::default_max_deposit,
    relay::{
        BatchTerms, MAX_SAMPLES, RelayError, RelayEvent, Signer, SubmittedBatch, Submitter,
        batches, wait_included,
    },
};
use cotrain_protocol::sample::Item;
use cotrain_results::format::counted;
use serde::Serialize;
use url::Url;

use super::{
    chosen::{Chosen, LeftOut},
    connection::Session,
    errors::{not_relayed, question},
    model::LiveModel,
    show,
    signed::Submission,
    spending::{Bill, Progress, Range, SpendingArgs, Target},
    wei::Wei,
};
use crate::error::CommandError;

/// Sender of a signed batch.
#[derive(Debug, Args)]
#[command(next_help_heading = "Relaying")]
pub(crate) struct RelayArgs {
    /// Address of a coordinator: contributions are signed, and it sends them, paid from your
    /// prepaid balance
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<Url>,
    /// Relayer's fee for each signed batch, in wei
    #[arg(long, value_name = "WEI", default_value = "0", requires = "relay")]
    pub(crate) fee: Wei,
    /// Time for which the signed batch may be sent, from now on
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        value_parser = super::whole_seconds,
        requires = "relay"
    )]
    pub(crate) valid: Duration,
    /// Sign so that anyone may send the signed batch, not only the coordinator. Anyone who sees it
    /// on its way can send it first and take the relayer's fee, or raise the price for others
    #[arg(long, requires = "relay")]
    pub(crate) any_relayer: bool,
    /// Wait until the signed batch is part of the chain
    #[arg(long, requires = "relay")]
    pub(crate) wait: bool,
}

/// Author who contributes by signed batches.
pub(crate) struct Relaying<'a> {
    pub(crate) session: &'a Session,
    pub(crate) key: &'a Key,
    pub(crate) model: &'a LiveModel,
    pub(crate) client: Client,
    /// Maximum deposit of each contribution, in wei; `None` if the option is not set.
    pub(crate) max: Option<Wei>,
    pub(crate) spending: &'a SpendingArgs,
    pub(crate) arguments: &'a RelayArgs,
}

/// Submitted batches.
#[derive(Serialize)]
struct Shown {
    chain_id: u64,
    model: Address,
    author: Address,
    submissions: Vec<Submission>,
    left_out: LeftOut,
    #[serde(flatten)]
    progress: Progress,
}

impl Relaying<'_> {
    fn signer(&self) -> Signer<'_> {
        Signer {
            node: &self.session.node,
            key: self.key,
            facts: &self.model.facts,
            client: &self.client,
        }
    }

    /// Checks that no batch of the author is pending with the coordinator. The samples of a pending
    /// batch are not on the chain yet.
    pub(crate) async fn check_nothing_waits(&self) -> Result<(), CommandError> {
        let checked = self.signer().check_nothing_waits().await;
        checked.map_err(not_relayed)
    }

    /// Signs the items and submits them.
    pub(crate) async fn contribute(
        &self,
        items: &[Item<'_>],
        chosen: &Chosen,
        json: bool,
    ) -> Result<(), CommandError> {
        let (signer, of) = (self.signer(), items.len() as u64);
        let relayer = if self.arguments.any_relayer {
            Address::ZERO
        } else {
            signer.relayer().await.map_err(not_relayed)?
        };
        let account = signer.account().await.map_err(not_relayed)?;
        let price = signer.price(items.len()).await.map_err(not_relayed)?;
        let max = match self.max {
            Some(Wei(max)) => max,
            None => default_max_deposit(self.model.facts.terms.mechanism(), price),
        };
        let bill = self.bill(
            of,
            Range {
                now: price.min(max),
                at_most: max,
            },
        );
        signer
            .check_prepaid(&account, bill.value.at_most)
            .map_err(|short| not_relayed(short.into()))?;
        if !self.spending.agreed(self.session, &bill, json)? {
            return Ok(());
        }
        let author = signer.address();
        let submitter = Submitter {
            signer,
            terms: BatchTerms {
                relayer,
                max_deposit: max,
                fee: self.arguments.fee.0,
                valid: self.arguments.valid,
            },
            budget: &self.spending.budget(),
            report: &|RelayEvent::NonceTaken { nonce, next }| {
                self.session.narrator.say(format_args!(
                    "the nonce {nonce} is another signed batch's of {author}; signing anew with {next}"
                ));
            },
        };
        let mut taken = Vec::new();
        let sent = submitter.all(items, account.next_nonce, &mut taken).await;
        let (progress, stopped) = match sent {
            Ok(()) => (Progress::whole(of), None),
            Err(error @ RelayError::Known { .. }) if taken.is_empty() => {
                return Err(CommandError::Fault(anyhow!("{error}; run the same again")));
            }
            Err(error) if taken.is_empty() => return Err(not_relayed(error)),
            Err(error) => {
                let done = taken.iter().map(|batch| batch.samples).sum();
                let go_on = go_on(&error, chosen, done);
                let failure = not_relayed(error);
                let progress = Progress::stopped(done as u64, of, &failure, go_on);
                (progress, Some(failure))
            }
        };
        let failed = if self.arguments.wait {
            self.wait(&mut taken).await
        } else {
            Vec::new()
        };
        let shown = Shown {
            chain_id: self.session.node.chain_id(),
            model: self.model.facts.trainer,
            author,
            submissions: taken.into_iter().map(Submission::from).collect(),
            left_out: chosen.left_out,
            progress,
        };
        show(json, &shown, || {
            let texts = shown.submissions.iter().map(|it| it.text(&self.client));
            texts.collect()
        })?;
        for failure in failed.iter().skip(1) {
            let error = failure.error();
            self.session.narrator.say(format_args!("error: {error:#}"));
        }
        match (stopped, failed.into_iter().next()) {
            (Some(failure), _) => Err(shown.progress.explain(failure, "samples are submitted")),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(()),
        }
    }

    /// Waits until all batches are part of the chain, and returns the failures.
    async fn wait(&self, submitted: &mut [SubmittedBatch]) -> Vec<CommandError> {
        let mut failed = Vec::new();
        for batch in submitted {
            let (id, patience) = (batch.id, self.arguments.valid);
            let waited = wait_included(&self.client, id, &mut batch.submission, patience).await;
            failed.extend(waited.map_err(not_relayed).err());
        }
        failed
    }

    /// Makes the bill: the money that the signatures commit.
    fn bill(&self, count: u64, each: Range) -> Bill {
        let batches = batches(count);
        let Wei(fee) = self.arguments.fee;
        let fees = fee.saturating_mul(batches.into());
        let deposits = each.times(count);
        let valid = humantime::format_duration(self.arguments.valid);
        let mut notes = vec![
            (
                "sign",
                format!(
                    "{batches} {}, valid for {valid}",
                    if batches == 1 {
                        "signed batch"
                    } else {
                        "signed batches"
                    }
                ),
            ),
            ("relay", self.client.shown()),
        ];
        if fees > 0 {
            notes.push(("fees", format!("{} for the relayer, included", Wei(fees))));
        }
        Bill {
            action: format!(
                "sign {} for a relayer to send, paid from what is prepaid",
                counted(count, "sample")
            ),
            target: Target::new(self.session, Some(self.model)),
            account: self.key.address(),
            count,
            each: Some(each),
            value: Range {
                now: deposits.now.saturating_add(fees),
                at_most: deposits.at_most.saturating_add(fees),
            },
            gas: None,
            gas_cost: Range::exactly(0),
            notes,
        }
    }
}

/// Returns as text how to continue after the first `done` samples. The user must not sign samples
/// again before it is known whether the coordinator took them.
fn go_on(error: &RelayError, chosen: &Chosen, done: usize) -> String {
    match error {
        RelayError::Unsure {
            id, coordinator, ..
        } => format!(
            "first find out about the next {MAX_SAMPLES}: {}",
            question(*id, coordinator)
        ),
        _ => chosen.go_on(done),
    }
}
