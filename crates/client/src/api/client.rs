//! HTTP client of a coordinator.

use std::time::Duration;

use alloy_primitives::{Address, B256};
use cotrain_chain::node::choose_cryptography;
use cotrain_learning::{
    text::escaped_to,
    vectors::{MAX_TABLE_BYTES, NamedTableError, Table, TableId},
};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    accounts::{AccountAnswer, DelegationBody, DelegationView},
    markets::MarketView,
    models::{ModelView, Price},
    problem::Problem,
    submissions::{SignedBatchBody, SubmissionView},
    text::{Account, Hash},
};

/// Maximum time of an answer, from the request to its last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time of the answer with a table of word vectors, which may have 256 MiB.
const TABLE_TIMEOUT: Duration = Duration::from_mins(10);

/// Interval between two requests for a state that is not final.
pub const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Maximum size of an answer's body, in bytes: far above any batch that fits a transaction.
pub const MAX_ANSWER: usize = 8 << 20;

/// Maximum length of a coordinator's message in errors and output, in characters.
pub const MAX_WORDS: usize = 1_000;

/// Failure of a request to a coordinator.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The HTTP client cannot be set up.
    #[error("cannot set up HTTP")]
    Setup(#[source] reqwest::Error),
    /// No answer came: the coordinator may have taken the request nevertheless.
    #[error("cannot reach the coordinator; check its address")]
    Unreachable(#[source] reqwest::Error),
    /// The answer ended early.
    #[error("cannot read the coordinator's answer to its end; ask again")]
    Interrupted(#[source] reqwest::Error),
    /// The answer is larger than any answer to the request.
    #[error(
        "cannot read the coordinator's answer: it has more than {max} bytes; check the coordinator's address"
    )]
    TooLarge {
        /// Maximum size, in bytes: [`MAX_ANSWER`], or more for a table of word vectors.
        max: usize,
    },
    /// The answer is not the table of word vectors that was asked for.
    #[error(transparent)]
    Table(NamedTableError),
    /// The answer is not of this API.
    #[error("the answer is not a coordinator's; check its address: {message}")]
    Malformed {
        /// Fault in the answer, escaped and cut.
        message: String,
    },
    /// The coordinator answered with a problem.
    #[error("the coordinator refused: {}", self.refusal().unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: StatusCode,
        /// Problem document; without members if the body has none.
        problem: Box<Problem>,
    },
    /// The coordinator's answer to a submission is lost, and it did not answer whether it has the
    /// batch.
    #[error(
        "the signed batch may have been taken all the same; ask for it by its id before you sign its samples again: {0}"
    )]
    Unsure(#[source] Box<ApiError>),
}

impl ApiError {
    /// Returns `true` if the coordinator refused because of the request itself. The same request
    /// would fail again.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if status.is_client_error())
    }

    /// Returns `true` if no connection was made, so that nothing was sent.
    pub(crate) fn is_before_sending(&self) -> bool {
        matches!(self, Self::Unreachable(error) if error.is_connect())
    }

    /// Returns the reason of a refusal as text, escaped and cut; `None` for other errors.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let Self::Refused { status, problem } = self else {
            return None;
        };
        Some(match problem.message() {
            Some(message) => escaped_to(message, MAX_WORDS).to_string(),
            None => format!("HTTP status {status}"),
        })
    }

    /// Returns a free nonce of the author, if the coordinator refused because another batch has the
    /// submitted one.
    #[must_use]
    pub fn next_nonce(&self) -> Option<u64> {
        match self {
            Self::Refused { status, problem } if *status == StatusCode::CONFLICT => {
                problem.next_nonce()
            }
            _ => None,
        }
    }
}

/// Outcome of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submitted {
    /// The coordinator took the batch.
    Taken(Box<SubmissionView>),
    /// The coordinator had the same batch already.
    Known,
}

/// Client of one coordinator. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
}

impl Client {
    /// Makes a client of the coordinator at an address.
    ///
    /// # Errors
    /// [`ApiError::Setup`].
    pub fn new(base: &Url) -> Result<Self, ApiError> {
        Self::with_timeout(base, TIMEOUT)
    }

    fn with_timeout(base: &Url, timeout: Duration) -> Result<Self, ApiError> {
        choose_cryptography();
        let http = reqwest::Client::builder()
            .timeout(timeout)
            // A table of word vectors has a longer time, but not to wait for its next bytes.
            .read_timeout(timeout)
            // A redirect turns a POST into a GET, whose answer would look as if the coordinator had
            // known the batch before.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ApiError::Setup)?;
        Ok(Self {
            http,
            base: base.clone(),
        })
    }

    /// Returns the coordinator's address without user, password and query, which may be secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut url = self.base.clone();
        // Neither call fails for an HTTP address.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Returns the model of a trainer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn model(&self, trainer: Address) -> Result<ModelView, ApiError> {
        self.get(&of_model(trainer, "")).await
    }

    /// Returns the prediction market at an address.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn market(&self, market: Address) -> Result<MarketView, ApiError> {
        self.get(&format!("/v1/markets/{}", Account(market))).await
    }

    /// Returns the price of `n` contributions in one transaction now.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn price(&self, trainer: Address, n: u64) -> Result<Price, ApiError> {
        let mut url = self.at(&of_model(trainer, "/price"));
        url.query_pairs_mut().append_pair("n", &n.to_string());
        json(self.http.get(url)).await
    }

    /// Returns an account of a trainer.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn account(
        &self,
        trainer: Address,
        address: Address,
    ) -> Result<AccountAnswer, ApiError> {
        let path = format!("/accounts/{}", Account(address));
        self.get(&of_model(trainer, &path)).await
    }

    /// Submits a signed batch whose EIP-712 hash is `id`.
    ///
    /// If the answer is lost, the client asks the coordinator for the batch, because the author
    /// must not sign again what was taken. If the coordinator does not have the batch, its fate is
    /// unknown: it may be on its way to the store.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiError::Unsure`] if the batch may have been taken.
    pub async fn submit(
        &self,
        trainer: Address,
        id: B256,
        batch: &SignedBatchBody,
    ) -> Result<Submitted, ApiError> {
        let url = self.at(&of_model(trainer, "/submissions"));
        let sent = send(self.http.post(url).json(batch)).await;
        let taken = match sent {
            Ok(response) => {
                let is_known = response.status() == StatusCode::OK;
                match read::<SubmissionView>(response).await {
                    Ok(known) if is_known && known.id == Some(Hash(id)) => {
                        return Ok(Submitted::Known);
                    }
                    Ok(_) if is_known => Err(ApiError::Malformed {
                        message: "it is of another signed batch".to_owned(),
                    }),
                    taken => taken,
                }
            }
            Err(error) => Err(error),
        };
        match taken {
            Ok(taken) => Ok(Submitted::Taken(Box::new(taken))),
            Err(error) if error.is_mistake() || error.is_before_sending() => Err(error),
            Err(error) => match self.submission(id).await {
                Ok(submission) => Ok(Submitted::Taken(Box::new(submission))),
                Err(_) => Err(ApiError::Unsure(Box::new(error))),
            },
        }
    }

    /// Returns the signed batch with that id.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn submission(&self, id: B256) -> Result<SubmissionView, ApiError> {
        self.get(&format!("/v1/submissions/{}", Hash(id))).await
    }

    /// Asks for a batch until it is part of the chain or never will be, or `patience` is over.
    /// Afterwards `submission` is its newest known state, also after an error.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn follow(
        &self,
        id: B256,
        submission: &mut SubmissionView,
        patience: Duration,
    ) -> Result<(), ApiError> {
        let start = Instant::now();
        while !submission.status.is_final() && start.elapsed() <= patience {
            sleep(POLL_INTERVAL).await;
            *submission = self.submission(id).await?;
        }
        Ok(())
    }

    /// Submits a delegation.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn delegate(
        &self,
        trainer: Address,
        delegation: &DelegationBody,
    ) -> Result<DelegationView, ApiError> {
        let url = self.at(&of_model(trainer, "/delegations"));
        json(self.http.post(url).json(delegation)).await
    }

    /// Returns the delegation of an account.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn delegation(
        &self,
        trainer: Address,
        account: Address,
    ) -> Result<DelegationView, ApiError> {
        let path = format!("/delegations/{}", Account(account));
        self.get(&of_model(trainer, &path)).await
    }

    /// Returns a table of word vectors, whose SHA-256 is compared before it is read.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiError::Table`] if the answer is another table or none.
    pub async fn encoder(&self, id: TableId) -> Result<Table, ApiError> {
        let url = self.at(&format!("/v1/encoders/{}", id.hexadecimal()));
        let response = send(self.http.get(url).timeout(TABLE_TIMEOUT)).await?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        let max = usize::try_from(MAX_TABLE_BYTES).unwrap_or(usize::MAX);
        let bytes = body(response, max).await?;
        Table::read_named(&bytes, id).map_err(ApiError::Table)
    }

    /// Returns the HTTP client, for requests of other parts of the API.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        json(self.http.get(self.at(path))).await
    }

    /// Returns the address of a path below the coordinator's own address.
    pub(crate) fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }
}

fn of_model(trainer: Address, path: &str) -> String {
    format!("/v1/models/{}{path}", Account(trainer))
}

pub(crate) async fn send(request: RequestBuilder) -> Result<Response, ApiError> {
    let sent = request.send().await;
    // The address may contain a password, so the error must not show it.
    sent.map_err(|error| ApiError::Unreachable(error.without_url()))
}

async fn json<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, ApiError> {
    read(send(request).await?).await
}

/// Reads an answer, or the reason of a refusal.
async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ApiError> {
    if !response.status().is_success() {
        return Err(refused(response).await);
    }
    let body = body(response, MAX_ANSWER).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::Malformed {
        message: escaped_to(&error.to_string(), MAX_WORDS).to_string(),
    })
}

/// Returns the reason of a refusal.
pub(crate) async fn refused(response: Response) -> ApiError {
    let status = response.status();
    let problem = match body(response, MAX_ANSWER).await {
        Ok(body) => Problem::read(&body),
        // The status alone is reason enough.
        Err(ApiError::TooLarge { .. }) => Problem::default(),
        Err(error) => return error,
    };
    ApiError::Refused {
        status,
        problem: Box::new(problem),
    }
}

/// Reads a body of at most `max` bytes.
pub(crate) async fn body(mut response: Response, max: usize) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| ApiError::Interrupted(error.without_url()))?;
        let Some(chunk) = chunk else {
            return Ok(body);
        };
        if chunk.len() > max - body.len() {
            return Err(ApiError::TooLarge { max });
        }
        body.extend_from_slice(&chunk);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn with_timeout_ends_the_wait_for_an_answer_that_does_not_come() {
        // The system accepts connections, and no program answers them.
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let url = url.parse().expect("an address");
        let client = Client::with_timeout(&url, Duration::from_millis(100)).expect("a client");
        let start = Instant::now();
        let error = client.submission(B256::ZERO).await.expect_err("no answer");
        let ApiError::Unreachable(cause) = error else {
            panic!("{error:?}");
        };
        assert!(cause.is_timeout(), "{cause:?}");
        // A table may take long, but its bytes must keep coming.
        let id = TableId::parse(&"0".repeat(64), 2).expect("a SHA-256");
        client.encoder(id).await.expect_err("no answer");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
