//! Contributions that are signed here and sent by a coordinator.

use std::{fmt, time::Duration};

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::state;
use cotrain_chain::keys::Key;
use cotrain_client::api::{
    AccountAnswer, ApiError, Client, POLL_INTERVAL, SignedBatchBody, Status, SubmissionView,
    Submitted,
};
use cotrain_learning::text::{escaped, escaped_to};
use cotrain_protocol::{
    sample::{Item, encode_batch},
    trainer::{LARGEST_NONCE, SignedBatch, domain},
};
use cotrain_report::format::counted;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    chosen::{Chosen, LeftOut},
    connection::Session,
    errors::unanswered,
    model::LiveModel,
    show,
    spending::{Bill, Progress, Range, SpendingArgs, Target},
    wei::Wei,
};
use crate::failure::Failure;

/// How long a coordinator may be behind the chain.
const BEHIND: Duration = Duration::from_secs(10);
/// Longest message of a coordinator that is shown, in characters.
const MAX_WORDS: usize = 1_000;
/// Samples of one signed batch. Its transaction is the relayer's, which joins it with others and splits by gas; a batch
/// itself cannot be split, so it is far below what one transaction holds.
const PER_BATCH: usize = 50;
/// How often one batch is signed with another nonce because its own went to somebody else: each signature is a right to
/// spend, so there are few.
const TRIES: usize = 4;

/// Who sends what is signed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Relaying")]
pub(crate) struct RelayArgs {
    /// Sign, and let the coordinator at this address send it; paid from what you prepaid
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<Url>,
    /// What the coordinator gets for each batch
    #[arg(long, value_name = "WEI", default_value = "0", requires = "relay")]
    pub(crate) fee: Wei,
    /// Until when it may be sent, from now on
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1h",
        value_parser = super::whole_seconds,
        requires = "relay"
    )]
    pub(crate) valid: Duration,
    /// Sign so that anyone may send it, not only the coordinator: whoever sees it on its way can send it first and take the
    /// fee, or make it too dear for others
    #[arg(long, requires = "relay")]
    pub(crate) any_relayer: bool,
    /// Wait until it is part of the chain
    #[arg(long, requires = "relay")]
    pub(crate) wait: bool,
}

/// What signing takes.
pub(crate) struct Signing<'a> {
    pub(crate) session: &'a Session,
    pub(crate) key: &'a Key,
    pub(crate) model: &'a LiveModel,
    /// For each contribution.
    pub(crate) most: Option<Wei>,
    pub(crate) spending: &'a SpendingArgs,
    pub(crate) arguments: &'a RelayArgs,
}

/// The batches that were handed over.
#[derive(Serialize)]
struct Handed {
    chain_id: u64,
    model: Address,
    author: Address,
    submissions: Vec<Submission>,
    left_out: LeftOut,
    #[serde(flatten)]
    progress: Progress,
}

/// Signed batch as it is printed: what a coordinator says of it.
#[derive(Debug, Serialize)]
pub(super) struct Submission {
    id: B256,
    status: Status,
    contributions: u32,
    transaction: Option<B256>,
    block: Option<u64>,
    position: Option<u64>,
    reason: Option<String>,
}

impl Submission {
    /// Reads the answer about the batch `id`.
    pub(super) fn new(id: B256, view: SubmissionView) -> Self {
        Self {
            id: view.id.map_or(id, |id| id.0),
            status: view.status,
            contributions: view.contributions,
            transaction: view.transaction.map(|hash| hash.0),
            block: view.block,
            position: view.position,
            reason: view.reason,
        }
    }

    /// Describes it for people.
    pub(super) fn text(&self, client: &Client) -> String {
        let samples = counted(self.contributions.into(), "sample");
        match (self.position, self.block, &self.reason) {
            (Some(position), Some(block), _) => {
                format!("contributed {samples}, from position {position} on, in block {block}\n")
            }
            (_, _, Some(reason)) => format!(
                "will not send {samples}, handed over as {}: {}\n",
                self.id,
                escaped_to(reason, MAX_WORDS)
            ),
            _ => format!(
                "handed over {samples}, as {}: {}\nask again  cotrain submission {} --relay {}\n",
                self.id,
                escaped(self.status.as_str()),
                self.id,
                client.shown()
            ),
        }
    }
}

impl Signing<'_> {
    /// Signs the items and hands them over.
    pub(crate) async fn contribute(
        &self,
        url: &Url,
        items: &[Item<'_>],
        chosen: &Chosen,
        json: bool,
    ) -> Result<(), Failure> {
        let client = Client::new(url).map_err(unanswered)?;
        let (trainer, author) = (self.model.facts.trainer, self.key.address());
        let relayer = self.relayer(&client).await?;
        let account = self.account(&client).await?;
        // Twice what it is now: others may be relayed with it, so that it costs more than alone.
        let count = items.len().min(PER_BATCH) as u64;
        let price = self.model.price(&self.session.node, count).await?;
        let most = self.most.map_or(price.saturating_mul(2), |Wei(most)| most);
        let bill = self.bill(
            &client,
            items.len() as u64,
            Range {
                now: price.min(most),
                at_most: most,
            },
        );
        self.check_balance(&account, bill.value.at_most)?;
        if !self.spending.agreed(self.session, &bill, json)? {
            return Ok(());
        }
        let mut progress = Progress::whole(items.len() as u64);
        let mut submissions = Vec::new();
        let mut stopped = None;
        let mut done = 0;
        let mut nonce = account.next_nonce;
        let mut signed = 0;
        for some in items.chunks(PER_BATCH) {
            match self
                .hand_over(&client, some, relayer, nonce, most, &mut signed)
                .await
            {
                Ok(batch) => {
                    tracing::info!(id = %batch.id, nonce = batch.nonce, "handed over");
                    nonce = batch.nonce + 1;
                    submissions.push((batch.id, batch.taken));
                    done += some.len();
                }
                Err(failure) if done == 0 => return Err(failure),
                Err(failure) => {
                    stopped = Some(failure);
                    break;
                }
            }
        }
        if let Some(failure) = &stopped {
            let of = items.len() as u64;
            // What may have been taken is not to be signed again before that is known.
            let go_on = match failure.error().downcast_ref::<Unsure>() {
                Some(unsure) => format!(
                    "first find out about the next {PER_BATCH}: {}",
                    unsure.question()
                ),
                None => chosen.go_on(done),
            };
            progress = Progress::stopped(done as u64, of, failure, go_on);
        }
        let mut failed = Vec::new();
        if self.arguments.wait {
            for (id, submission) in &mut submissions {
                if let Err(failure) = follow(&client, *id, submission, self.arguments.valid).await {
                    failed.push(failure);
                }
            }
        }
        let submissions = submissions.into_iter();
        let submissions = submissions.map(|(id, view)| Submission::new(id, view));
        let handed = Handed {
            chain_id: self.session.node.chain_id(),
            model: trainer,
            author,
            submissions: submissions.collect(),
            left_out: chosen.left_out,
            progress,
        };
        show(json, &handed, || {
            let texts = handed.submissions.iter().map(|it| it.text(&client));
            texts.collect()
        })?;
        for failure in failed.iter().skip(1) {
            let error = failure.error();
            self.session.narrator.say(format_args!("error: {error:#}"));
        }
        match (stopped, failed.into_iter().next()) {
            (Some(failure), _) => Err(handed.progress.explain(failure, "samples are handed over")),
            (None, Some(failure)) => Err(failure),
            (None, None) => Ok(()),
        }
    }

    /// Checks that no batch of the author waits with the coordinator: the chain does not tell of its samples yet.
    pub(crate) async fn check_nothing_waits(&self, url: &Url) -> Result<(), Failure> {
        let author = self.key.address();
        let client = Client::new(url).map_err(unanswered)?;
        let account = client.account(self.model.facts.trainer, author).await;
        let committed = account.map_err(unanswered)?.committed.0;
        if committed == 0 {
            return Ok(());
        }
        Err(Failure::Mistake(anyhow!(
            "nothing was signed: batches of {author} that may cost {} wait with {}, and may have these examples; wait \
             until they are part of the chain (`cotrain submission`), or say --again",
            Wei(committed),
            client.shown()
        )))
    }

    /// Makes the bill: the money that the signatures commit.
    fn bill(&self, client: &Client, count: u64, each: Range) -> Bill {
        let batches = count.div_ceil(PER_BATCH as u64);
        let Wei(fee) = self.arguments.fee;
        let fees = fee.saturating_mul(batches.into());
        let deposits = each.times(count);
        let valid = humantime::format_duration(self.arguments.valid);
        let mut notes = vec![
            (
                "sign",
                format!(
                    "{batches} {}, good for {valid}",
                    if batches == 1 { "batch" } else { "batches" }
                ),
            ),
            ("relay", client.shown()),
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

    /// Checks that all of it is prepaid before any of it is handed over.
    fn check_balance(&self, account: &AccountAnswer, needed: u128) -> Result<(), Failure> {
        let (balance, committed) = (account.balance.0, account.committed.0);
        let all = committed.saturating_add(needed);
        if all <= balance {
            return Ok(());
        }
        let missing = all - balance;
        let waiting = match committed {
            0 => String::new(),
            committed => format!(" besides the {} of batches that wait", Wei(committed)),
        };
        Err(Failure::Mistake(anyhow!(
            "nothing was signed: the account {} has {} prepaid with the model {}, and this may cost {}{waiting}: \
             {} is missing; prepay it with `cotrain deposit {missing}`, or contribute fewer with --limit",
            self.key.address(),
            Wei(balance),
            self.model.facts.trainer,
            Wei(needed),
            Wei(missing)
        )))
    }

    /// Returns the only account that may send what is signed: the coordinator's relayer, or zero if anyone may.
    async fn relayer(&self, client: &Client) -> Result<Address, Failure> {
        if self.arguments.any_relayer {
            return Ok(Address::ZERO);
        }
        let model = client
            .model(self.model.facts.trainer)
            .await
            .map_err(unanswered)?;
        model.relayer.map(|relayer| relayer.0).ok_or_else(|| {
            Failure::Mistake(anyhow!(
                "cannot sign: the coordinator at {} names no relayer for the model; use one that relays, or sign for \
                 anyone with --any-relayer",
                client.shown()
            ))
        })
    }

    /// Signs some items and hands them over. If another batch of the same account has the nonce, they are signed anew:
    /// two acts are never told as one.
    async fn hand_over(
        &self,
        client: &Client,
        items: &[Item<'_>],
        relayer: Address,
        mut nonce: u64,
        most: u128,
        signed: &mut u128,
    ) -> Result<HandedBatch, Failure> {
        for left in (0..TRIES).rev() {
            self.count_signature(items.len(), most, signed)?;
            let (id, body) = self.sign(items, relayer, nonce, most).await?;
            let next = match client.submit(self.model.facts.trainer, id, &body).await {
                Ok(Submitted::Taken(taken)) => {
                    return Ok(HandedBatch {
                        id,
                        nonce,
                        taken: *taken,
                    });
                }
                // The same samples until the same second, signed at the same time elsewhere: that batch is not this one.
                Ok(Submitted::Known) if left > 0 => nonce + 1,
                Ok(Submitted::Known) => {
                    return Err(Failure::Fault(anyhow!(
                        "nothing was handed over: the coordinator has the batch {id} already, of another command that \
                         signed the same; call this one again"
                    )));
                }
                Err(ApiError::Unsure(error)) => return Err(unsure(*error, id, client)),
                Err(error) => match error.next_nonce() {
                    Some(next) if next > nonce && left > 0 => next,
                    _ => return Err(unanswered(error)),
                },
            };
            self.session.narrator.say(format_args!(
                "the nonce {nonce} is another batch's of {}; signing anew with {next}",
                self.key.address()
            ));
            nonce = next;
        }
        Err(Failure::Fault(anyhow!(
            "nothing was handed over: other batches of {} took {TRIES} nonces; call it again",
            self.key.address()
        )))
    }

    /// The author's account as the coordinator has it, once it has seen what the chain has: money that
    /// was prepaid a moment ago.
    async fn account(&self, client: &Client) -> Result<AccountAnswer, Failure> {
        let (trainer, author) = (self.model.facts.trainer, self.key.address());
        let start = Instant::now();
        loop {
            let account = client.account(trainer, author).await.map_err(unanswered)?;
            let call = state::balance_of(author);
            let balance = self
                .model
                .ask(&self.session.node, "balanceOf", call)
                .await?;
            if account.balance.0 == balance || start.elapsed() > BEHIND {
                return Ok(account);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Adds to `signed` the wei that one more signature may cost, within `--max-total`: a coordinator that refuses a batch can
    /// relay it all the same.
    fn count_signature(&self, items: usize, most: u128, signed: &mut u128) -> Result<(), Failure> {
        let cost = most
            .saturating_mul(items as u128)
            .saturating_add(self.arguments.fee.0);
        let all = signed.saturating_add(cost);
        match self.spending.max_total {
            Some(total) if all > total.0 => Err(Failure::Fault(anyhow!(
                "nothing more was signed: the signatures that the coordinator would have then could cost {}, which is more than \
                 --max-total {total}; find out what became of the batches (`cotrain submission`), or allow more",
                Wei(all)
            ))),
            _ => {
                *signed = all;
                Ok(())
            }
        }
    }

    /// Checks that a nonce, which the coordinator says, is not far above those that the chain has used: all that are below it
    /// are used up with it.
    async fn check_nonce(&self, nonce: u64) -> Result<(), Failure> {
        /// More batches of one account than ever wait.
        const AHEAD: u64 = 4_096;
        let Some(below) = nonce.checked_sub(AHEAD) else {
            return Ok(());
        };
        let author = self.key.address();
        let call = state::nonce_used(author, below.min(LARGEST_NONCE));
        let used = self
            .model
            .ask(&self.session.node, "nonceUsed", call)
            .await?;
        if nonce <= LARGEST_NONCE && used == 1 {
            return Ok(());
        }
        Err(Failure::Fault(anyhow!(
            "nothing more was signed: the coordinator wants the nonce {nonce}, and the chain has not used {below} of {author}; \
             with it, all nonces below would be used up; use another coordinator"
        )))
    }

    /// Signs a batch; its id, and what to hand over.
    async fn sign(
        &self,
        items: &[Item<'_>],
        relayer: Address,
        nonce: u64,
        most: u128,
    ) -> Result<(B256, SignedBatchBody), Failure> {
        self.check_nonce(nonce).await?;
        let now = self.session.node.now().await?;
        let mut batch = SignedBatch {
            author: self.key.address(),
            relayer,
            max_deposit: most,
            fee: self.arguments.fee.0,
            nonce,
            deadline: now.saturating_add(self.arguments.valid.as_secs()),
            items: encode_batch(items).map_err(Failure::mistake)?,
            signature: Vec::new(),
        };
        let domain = domain(self.session.node.chain_id(), self.model.facts.trainer);
        let hash = batch.signing_hash(&domain);
        batch.signature = self.key.sign_hash(&hash).to_vec();
        Ok((hash, batch.into()))
    }
}

/// Batch that a coordinator took.
struct HandedBatch {
    id: B256,
    nonce: u64,
    taken: SubmissionView,
}

/// A batch that a coordinator may have taken without an answer.
#[derive(Debug)]
struct Unsure {
    id: B256,
    relay: String,
}

impl Unsure {
    /// The command that says what became of it.
    fn question(&self) -> String {
        format!("cotrain submission {} --relay {}", self.id, self.relay)
    }
}

impl fmt::Display for Unsure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, question) = (self.id, self.question());
        write!(
            f,
            "the batch {id} may have been taken all the same; before you sign its samples again, see with `{question}`"
        )
    }
}

/// A coordinator may have taken a batch and not answered.
fn unsure(error: ApiError, id: B256, client: &Client) -> Failure {
    let relay = client.shown();
    Failure::Fault(anyhow!("{:#}", unanswered(error).error()).context(Unsure { id, relay }))
}

/// Waits until a batch is part of the chain, or never will be.
pub(super) async fn follow(
    client: &Client,
    id: B256,
    submission: &mut SubmissionView,
    patience: Duration,
) -> Result<(), Failure> {
    let followed = client.follow(id, submission, patience).await;
    followed.map_err(unanswered)?;
    let id = submission.id.as_ref().map_or(id, |id| id.0);
    match &submission.status {
        Status::Included => Ok(()),
        Status::Refused => Err(anyhow!(
            "the batch {id} will not be sent: {}",
            escaped_to(
                submission.reason.as_deref().unwrap_or("no reason is given"),
                MAX_WORDS
            )
        )
        .into()),
        Status::Waiting | Status::Sent | Status::Other(_) => Err(anyhow!(
            "the batch {id} was not sent in time; is the coordinator's relayer running?"
        )
        .into()),
    }
}
