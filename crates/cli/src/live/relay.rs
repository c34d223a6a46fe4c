//! Contributions that are signed here and sent by a coordinator.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_bindings::state;
use cotrain_chain::{keys::Key, node::choose_cryptography};
use cotrain_learning::text::{escaped, escaped_to};
use cotrain_protocol::{
    sample::{Item, encode_batch},
    trainer::{SignedBatch, domain},
};
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    connection::Session,
    contribute::{Chosen, LeftOut},
    model::{LiveModel, number},
    show,
    spending::{Bill, Progress, Range, SpendingArgs, Target},
    wei::{Wei, in_words},
};
use crate::{failure::Failure, people::counted};

/// How long a coordinator may take to answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is asked what became of a batch.
const LOOK: Duration = Duration::from_millis(300);
/// How long a coordinator may be behind the chain.
const BEHIND: Duration = Duration::from_secs(10);
/// Longest message of a coordinator that is shown, in characters.
const MAX_WORDS: usize = 1_000;
/// Samples of one signed batch.
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    /// Wei.
    balance: String,
    /// The most that batches that wait may cost, in wei.
    committed: String,
    next_nonce: u64,
}

/// The part of a coordinator's model that signing takes.
#[derive(Deserialize)]
struct Model {
    relayer: Option<Address>,
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    author: Address,
    relayer: Address,
    max_deposit: String,
    fee: String,
    nonce: u64,
    deadline: u64,
    items: Bytes,
    signature: Bytes,
}

/// What became of a batch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Submission {
    pub(super) id: B256,
    status: String,
    contributions: u32,
    transaction: Option<B256>,
    block: Option<u64>,
    position: Option<u64>,
    reason: Option<String>,
}

/// What is told where another batch has a nonce.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    next_nonce: u64,
}

#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
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
        let client = client()?;
        let (trainer, author) = (self.model.trainer, self.key.address());
        let relayer = self.relayer(&client, url).await?;
        let account = below(url, &format!("/v1/models/{trainer}/accounts/{author}"))?;
        let account = self.account(&client, &account).await?;
        // Twice what it is now: others may be relayed with it, so that it costs more than alone.
        let count = items.len().min(PER_BATCH) as u64;
        let price = self.model.price(&self.session.node, count).await?;
        let most = self.most.map_or(price.saturating_mul(2), |Wei(most)| most);
        let bill = self.bill(
            url,
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
        let mut handed = Handed {
            chain_id: self.session.node.chain_id(),
            model: trainer,
            author,
            submissions: Vec::new(),
            left_out: chosen.left_out,
            progress: Progress::whole(items.len() as u64),
        };
        let mut stopped = None;
        let mut done = 0;
        let mut nonce = account.next_nonce;
        for some in items.chunks(PER_BATCH) {
            match self
                .hand_over(&client, url, some, relayer, nonce, most)
                .await
            {
                Ok((submission, used)) => {
                    tracing::info!(id = %submission.id, nonce = used, "handed over");
                    nonce = used + 1;
                    handed.submissions.push(submission);
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
            handed.progress = Progress::stopped(done as u64, of, failure, chosen.go_on(done));
        }
        let mut failed = Vec::new();
        if self.arguments.wait {
            for submission in &mut handed.submissions {
                if let Err(failure) = self.follow(&client, url, submission).await {
                    failed.push(failure);
                }
            }
        }
        show(json, &handed, || {
            let texts = handed.submissions.iter().map(|it| text(it, url));
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
        let trainer = self.model.trainer;
        let address = below(url, &format!("/v1/models/{trainer}/accounts/{author}"))?;
        let account: Account = answer(client()?.get(address).send().await).await?;
        if account.committed.parse() == Ok(0_u128) {
            return Ok(());
        }
        Err(Failure::Mistake(anyhow!(
            "nothing was signed: batches of {author} that may cost {} wait with {}, and may have these examples; wait \
             until they are part of the chain (`cotrain submission`), or say --again",
            escaped(&in_words(&account.committed)),
            shown(url)
        )))
    }

    /// Makes the bill: the money that the signatures commit.
    fn bill(&self, url: &Url, count: u64, each: Range) -> Bill {
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
            ("relay", shown(url)),
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
    fn check_balance(&self, account: &Account, needed: u128) -> Result<(), Failure> {
        let wei = |text: &str| text.parse().unwrap_or(0_u128);
        let (balance, committed) = (wei(&account.balance), wei(&account.committed));
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
            self.model.trainer,
            Wei(needed),
            Wei(missing)
        )))
    }

    /// Returns the only account that may send what is signed: the coordinator's relayer, or zero if anyone may.
    async fn relayer(&self, client: &Client, url: &Url) -> Result<Address, Failure> {
        if self.arguments.any_relayer {
            return Ok(Address::ZERO);
        }
        let address = below(url, &format!("/v1/models/{}", self.model.trainer))?;
        let model: Model = answer(client.get(address).send().await).await?;
        let relayer = model.relayer.filter(|relayer| !relayer.is_zero());
        relayer.ok_or_else(|| {
            Failure::Mistake(anyhow!(
                "cannot sign: the coordinator at {} names no relayer for the model; use one that relays, or sign for \
                 anyone with --any-relayer",
                shown(url)
            ))
        })
    }

    /// Signs some items and hands them over; with the nonce that they have at last. Where another batch of the same
    /// account has the nonce, they are signed anew: two acts are never told as one.
    async fn hand_over(
        &self,
        client: &Client,
        url: &Url,
        items: &[Item<'_>],
        relayer: Address,
        mut nonce: u64,
        most: u128,
    ) -> Result<(Submission, u64), Failure> {
        let trainer = self.model.trainer;
        let submissions = below(url, &format!("/v1/models/{trainer}/submissions"))?;
        for left in (0..TRIES).rev() {
            let (id, body) = self.sign(items, relayer, nonce, most).await?;
            let sent = client.post(submissions.clone()).json(&body).send().await;
            let next = match sent {
                Ok(response) if response.status() == StatusCode::CONFLICT && left > 0 => {
                    let body = response
                        .bytes()
                        .await
                        .map_err(reqwest::Error::without_url)?;
                    match serde_json::from_slice(&body).ok() {
                        Some(Taken { next_nonce }) if next_nonce > nonce => next_nonce,
                        _ => return Err(refused(StatusCode::CONFLICT, &body)),
                    }
                }
                // The same samples until the same second, signed at the same time elsewhere: that batch is not this one.
                Ok(response) if response.status() == StatusCode::OK && left > 0 => nonce + 1,
                Ok(response) if response.status() == StatusCode::OK => {
                    let known: Submission = answer(Ok(response)).await?;
                    return Err(Failure::Fault(anyhow!(
                        "nothing was handed over: the coordinator has the batch {} already, of another command that \
                         signed the same; call this one again",
                        known.id
                    )));
                }
                sent => {
                    let taken = match answer::<Submission>(sent).await {
                        // Only the answer may be lost: what was taken is not to be signed again.
                        Err(failure @ Failure::Fault(_)) => match ask(client, url, id).await {
                            Ok(submission) => submission,
                            Err(Failure::Mistake(_)) => return Err(failure),
                            Err(Failure::Fault(_)) => return Err(unsure(&failure, id, url)),
                        },
                        answered => answered?,
                    };
                    return Ok((taken, nonce));
                }
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
    async fn account(&self, client: &Client, address: &Url) -> Result<Account, Failure> {
        let start = Instant::now();
        loop {
            let account: Account = answer(client.get(address.clone()).send().await).await?;
            let call = state::balance_of(self.key.address());
            let node = &self.session.node;
            let balance = number(node, self.model.trainer, call, "balanceOf").await?;
            if account.balance == balance.to_string() || start.elapsed() > BEHIND {
                return Ok(account);
            }
            sleep(LOOK).await;
        }
    }

    /// Signs a batch; its id, and what to hand over.
    async fn sign(
        &self,
        items: &[Item<'_>],
        relayer: Address,
        nonce: u64,
        most: u128,
    ) -> Result<(B256, Body), Failure> {
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
        let domain = domain(self.session.node.chain_id(), self.model.trainer);
        let hash = batch.signing_hash(&domain);
        batch.signature = self.key.sign_hash(&hash).to_vec();
        let body = Body {
            author: batch.author,
            relayer: batch.relayer,
            max_deposit: batch.max_deposit.to_string(),
            fee: batch.fee.to_string(),
            nonce,
            deadline: batch.deadline,
            items: batch.items.into(),
            signature: batch.signature.into(),
        };
        Ok((hash, body))
    }

    /// Waits until a batch is part of the chain, or never will be.
    async fn follow(
        &self,
        client: &Client,
        url: &Url,
        submission: &mut Submission,
    ) -> Result<(), Failure> {
        follow(client, url, submission, self.arguments.valid).await
    }
}

/// A coordinator may have taken a batch and not answered.
fn unsure(failure: &Failure, id: B256, url: &Url) -> Failure {
    Failure::Fault(anyhow!("{:#}", failure.error()).context(format!(
        "the batch {id} may have been taken all the same; before you sign its samples again, see with `cotrain \
         submission {id} --relay {}`",
        shown(url)
    )))
}

/// Waits until a batch is part of the chain, or never will be.
pub(super) async fn follow(
    client: &Client,
    url: &Url,
    submission: &mut Submission,
    patience: Duration,
) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        match submission.status.as_str() {
            "included" => return Ok(()),
            "refused" => {
                return Err(anyhow!(
                    "the batch {} will not be sent: {}",
                    submission.id,
                    escaped_to(
                        submission.reason.as_deref().unwrap_or("no reason is given"),
                        MAX_WORDS
                    )
                )
                .into());
            }
            _ if start.elapsed() > patience => {
                return Err(anyhow!(
                    "the batch {} was not sent in time; is the coordinator's relayer running?",
                    submission.id
                )
                .into());
            }
            _ => sleep(LOOK).await,
        }
        *submission = ask(client, url, submission.id).await?;
    }
}

/// Asks a coordinator what became of a batch.
pub(super) async fn ask(client: &Client, url: &Url, id: B256) -> Result<Submission, Failure> {
    let address = below(url, &format!("/v1/submissions/{id}"))?;
    answer(client.get(address).send().await).await
}

pub(super) fn client() -> Result<Client, Failure> {
    choose_cryptography();
    Ok(Client::builder().timeout(TIMEOUT).build()?)
}

/// An answer, or why the coordinator refuses.
pub(super) async fn answer<T: DeserializeOwned>(
    sent: Result<Response, reqwest::Error>,
) -> Result<T, Failure> {
    let response = sent
        .map_err(reqwest::Error::without_url)
        .context("cannot reach the coordinator; is --relay its address?")?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(reqwest::Error::without_url)?;
    if status.is_success() {
        let read = serde_json::from_slice(&body);
        return Ok(read.context("the answer is not a coordinator's; is --relay its address?")?);
    }
    Err(refused(status, &body))
}

/// Returns why a coordinator refuses.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let problem: Option<Problem> = serde_json::from_slice(body).ok();
    let words = problem.and_then(|problem| problem.detail.or(problem.title));
    let words = words.unwrap_or_else(|| format!("HTTP status {status}"));
    let error = anyhow!("the coordinator refused: {}", escaped_to(&words, MAX_WORDS));
    if status.is_client_error() {
        Failure::Mistake(error)
    } else {
        Failure::Fault(error)
    }
}

/// A submission in words.
pub(super) fn text(submission: &Submission, relay: &Url) -> String {
    let samples = counted(submission.contributions.into(), "sample");
    match (submission.position, submission.block, &submission.reason) {
        (Some(position), Some(block), _) => {
            format!("contributed {samples}, from position {position} on, in block {block}\n")
        }
        (_, _, Some(reason)) => format!(
            "will not send {samples}, handed over as {}: {}\n",
            submission.id,
            escaped_to(reason, MAX_WORDS)
        ),
        _ => format!(
            "handed over {samples}, as {}: {}\nask again  cotrain submission {} --relay {}\n",
            submission.id,
            escaped(&submission.status),
            submission.id,
            shown(relay)
        ),
    }
}

/// A coordinator's address without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Neither fails for http.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.as_str().trim_end_matches('/').to_owned()
}

/// An address of a coordinator, with a path on it.
pub(super) fn below(url: &Url, path: &str) -> Result<Url, Failure> {
    let base = url.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}{path}")).map_err(Failure::mistake)
}
