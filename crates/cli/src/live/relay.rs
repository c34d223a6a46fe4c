//! Contributions that are signed here and sent by a coordinator.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, hex};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_bindings::state;
use cotrain_chain::keys::Key;
use cotrain_learning::text::{escaped, escaped_to};
use cotrain_protocol::{
    sample::{Item, encode_batch},
    trainer::{SignedBatch, domain},
};
use reqwest::{Client, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    connection::Session,
    model::{LiveModel, number},
    show,
    wei::Wei,
};
use crate::failure::Failure;

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
        value_parser = humantime::parse_duration,
        requires = "relay"
    )]
    pub(crate) valid: Duration,
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
    pub(crate) arguments: &'a RelayArgs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    /// Wei.
    balance: String,
    next_nonce: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    author: Address,
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
struct Submission {
    id: B256,
    status: String,
    contributions: u32,
    transaction: Option<B256>,
    block: Option<u64>,
    position: Option<u64>,
    reason: Option<String>,
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
        json: bool,
    ) -> Result<(), Failure> {
        let client = client()?;
        let (trainer, author) = (self.model.trainer, self.key.address());
        let account = below(url, &format!("/v1/models/{trainer}/accounts/{author}"))?;
        let account = self.account(&client, &account).await?;
        let most = if let Some(Wei(most)) = self.most {
            most
        } else {
            // Twice what it is now: others may be relayed with it, so that it costs more than alone.
            let count = items.len().min(PER_BATCH) as u64;
            let price = self.model.price(&self.session.node, count).await?;
            price.saturating_mul(2)
        };
        let submissions = below(url, &format!("/v1/models/{trainer}/submissions"))?;
        let mut handed = Vec::new();
        for (some, nonce) in items.chunks(PER_BATCH).zip(account.next_nonce..) {
            let body = self.sign(some, nonce, most).await?;
            let sent = client.post(submissions.clone()).json(&body).send().await;
            let submission: Submission = answer(sent).await?;
            tracing::info!(id = %submission.id, nonce, "handed over");
            handed.push(submission);
        }
        if self.arguments.wait {
            for submission in &mut handed {
                self.follow(&client, url, submission).await?;
            }
        }
        show(json, &handed, || handed.iter().map(text).collect())
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

    async fn sign(&self, items: &[Item<'_>], nonce: u64, most: u128) -> Result<Body, Failure> {
        let now = self.session.node.now().await?;
        let mut batch = SignedBatch {
            author: self.key.address(),
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
        Ok(Body {
            author: batch.author,
            max_deposit: batch.max_deposit.to_string(),
            fee: batch.fee.to_string(),
            nonce,
            deadline: batch.deadline,
            items: batch.items.into(),
            signature: batch.signature.into(),
        })
    }

    /// Waits until a batch is part of the chain, or never will be.
    async fn follow(
        &self,
        client: &Client,
        url: &Url,
        submission: &mut Submission,
    ) -> Result<(), Failure> {
        let address = below(url, &format!("/v1/submissions/{}", submission.id))?;
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
                _ if start.elapsed() > self.arguments.valid => {
                    return Err(anyhow!(
                        "the batch {} was not sent in time; is the coordinator's relayer running?",
                        submission.id
                    )
                    .into());
                }
                _ => sleep(LOOK).await,
            }
            *submission = answer(client.get(address.clone()).send().await).await?;
        }
    }
}

pub(super) fn client() -> Result<Client, Failure> {
    // The node's client has chosen the cryptography for the process.
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
    let problem: Option<Problem> = serde_json::from_slice(&body).ok();
    let words = problem.and_then(|problem| problem.detail.or(problem.title));
    let words = words.unwrap_or_else(|| format!("HTTP status {status}"));
    let error = anyhow!("the coordinator refused: {}", escaped_to(&words, MAX_WORDS));
    Err(if status.is_client_error() {
        Failure::Mistake(error)
    } else {
        Failure::Fault(error)
    })
}

fn text(submission: &Submission) -> String {
    let samples = match submission.contributions {
        1 => "1 sample".to_owned(),
        many => format!("{many} samples"),
    };
    match (submission.position, submission.block) {
        (Some(position), Some(block)) => {
            format!("contributed {samples}, from position {position} on, in block {block}\n")
        }
        _ => format!(
            "handed over {samples}, as {}: {}\n",
            hex::encode_prefixed(submission.id),
            escaped(&submission.status)
        ),
    }
}

/// An address of a coordinator, with a path on it.
pub(super) fn below(url: &Url, path: &str) -> Result<Url, Failure> {
    let base = url.as_str().trim_end_matches('/');
    Url::parse(&format!("{base}{path}")).map_err(Failure::mistake)
}
