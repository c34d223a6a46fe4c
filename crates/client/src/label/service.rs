//! Calls of labeling sessions, which are sent again until their outcome is known.

mod pools;

use std::time::Duration;

use cotrain_payments::{
    l402::Challenge,
    x402::{
        header::{self, PAYMENT_REQUIRED, PAYMENT_RESPONSE, PAYMENT_SIGNATURE},
        wire::SettlementResponse,
    },
};
use reqwest::{
    Method, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::{
    book::{Offers, PaidCall, PayError, WalletError, random},
    lightning::NodeError,
    purse::{Failed, Proof, Purse},
    wire::{
        Closed, NewSession, Opened, Predictions, Quotes, QuotesBody, Refund, SessionState,
        Teaching, Trained, Units,
    },
};
use crate::api::{ApiError, Client, MAX_ANSWER, body, refused, send};

/// Header with the id of a call.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Path of refunds of channels.
const REFUND: &str = "/v1/label/refund";

/// Path of all sessions.
const SESSIONS: &str = "/v1/label/sessions";

/// Maximum time of one answer: a training or a search of a pool may take long.
const TIMEOUT: Duration = Duration::from_mins(5);

/// First wait before a call is sent again. It doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Time after which a call is not sent again.
const PATIENCE: Duration = Duration::from_mins(3);

/// Maximum size of a model, in bytes.
const MAX_MODEL: usize = 256 << 20;

/// Failure of a call.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The coordinator cannot be reached, or refused the call.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The call has a price, and the purse pays none.
    #[error("the call was not paid: {0}")]
    NotPaid(#[source] PayError),
    /// The coordinator says that the payment failed. The money still counts as spent.
    #[error(
        "the coordinator says that the payment failed: {reason}; the money counts as spent, since the signed transfer is valid until {valid_before} (Unix seconds)"
    )]
    PaymentFailed {
        /// Word of x402, or the coordinator's own reason.
        reason: String,
        /// Time at which the transfer becomes void, in Unix seconds.
        valid_before: u64,
    },
    /// The coordinator refuses the voucher of a channel.
    #[error(
        "the coordinator refuses the channel's voucher: {0}; what vouchers promise counts as spent"
    )]
    Voucher(String),
    /// Nobody knows whether the payment was taken.
    #[error(
        "the outcome of a payment is not known yet; run the command again, which sends the same payment and no second one"
    )]
    Unknown(#[source] Box<LabelError>),
    /// The payer's Lightning node does not answer, or the payment is on its way.
    #[error("the outcome of a payment over Lightning is not known yet")]
    Node(#[from] NodeError),
    /// The record of payments cannot be kept.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl LabelError {
    /// Returns the HTTP status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(ApiError::Refused { status, .. }) => Some(status.as_u16()),
            _ => None,
        }
    }
}

/// Id of a session, and the proof of who opened it, which is as good as what was paid for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    session: String,
    /// Value of the header `Authorization`.
    authorization: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}

/// Form of a model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// ONNX.
    Onnx,
}

/// Labeling service of a coordinator, and the purse that pays it.
#[derive(Debug)]
pub struct Service {
    client: Client,
    purse: Purse,
    patience: Duration,
}

/// One call, the same each time it is sent.
struct Call<'a> {
    method: Method,
    path: &'a str,
    query: Option<&'a str>,
    access: Option<&'a Access>,
    body: Option<String>,
    /// Id; `None` if the call changes nothing.
    id: Option<String>,
    max: usize,
    /// `true` if the caller goes on without the answer: unless it is paid, it is sent again once, and
    /// only if its answer is lost.
    is_optional: bool,
}

impl Service {
    /// Makes the service of a coordinator.
    #[must_use]
    pub fn new(client: Client, purse: Purse) -> Self {
        Self {
            client,
            purse,
            patience: PATIENCE,
        }
    }

    /// Sets the time after which a call is not sent again.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Returns the purse.
    #[must_use]
    pub fn purse(&self) -> &Purse {
        &self.purse
    }

    /// Returns prices and bounds.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn quotes(&mut self, work: &QuotesBody) -> Result<Quotes, LabelError> {
        let call = Call {
            id: None,
            ..Call::post("/v1/label/quotes", None, work)?
        };
        self.json(call).await
    }

    /// Opens a session.
    ///
    /// `before` is a session whose model is gone. If it was paid for, its account has units that are
    /// left, and the new session spends them.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn open(
        &mut self,
        session: &NewSession,
        before: Option<&Access>,
    ) -> Result<(Access, Units), LabelError> {
        let answer = match self.send(Call::post(SESSIONS, before, session)?).await {
            // Nobody knows that account any more.
            Err(error) if before.is_some() && matches!(error.status(), Some(401 | 404)) => {
                return Box::pin(self.open(session, None)).await;
            }
            answer => answer?,
        };
        self.opened(&answer, before)
    }

    /// Reads the answer to an opening.
    fn opened(
        &self,
        answer: &[u8],
        before: Option<&Access>,
    ) -> Result<(Access, Units), LabelError> {
        let opened: Opened = read(answer)?;
        let authorization = opened.token.map(|token| format!("Bearer {token}"));
        let authorization = authorization.or_else(|| self.purse.credential().map(str::to_owned));
        let authorization = authorization.or_else(|| Some(before?.authorization.clone()));
        let access = Access {
            session: opened.session,
            authorization: authorization.ok_or_else(|| malformed("the session has no token"))?,
        };
        Ok((access, opened.units))
    }

    /// Sends a call again whose payment had no known outcome when the program ended. Returns the
    /// session if it was an opening.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn finish(
        &mut self,
        access: Option<&Access>,
    ) -> Result<Option<(Access, Units)>, LabelError> {
        let Some(open) = self.purse.open_payment() else {
            return Ok(None);
        };
        let PaidCall { path, body, id } = open.call.clone();
        let is_opening = path == SESSIONS;
        let answer = self
            .send(Call {
                method: Method::POST,
                path: &path,
                query: None,
                access,
                body: Some(body),
                id: Some(id),
                max: MAX_ANSWER,
                is_optional: false,
            })
            .await?;
        is_opening.then(|| self.opened(&answer, access)).transpose()
    }

    /// Returns the state of a session.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn state(&mut self, access: &Access) -> Result<SessionState, LabelError> {
        let path = of(access, "");
        self.json(Call::get(&path, access)).await
    }

    /// Teaches a session labeled rows.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn teach(&mut self, access: &Access, rows: &Teaching) -> Result<Trained, LabelError> {
        let path = of(access, "/examples");
        self.json(Call::post(&path, Some(access), rows)?).await
    }

    /// Returns the probabilities of rows.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn predict(
        &mut self,
        access: &Access,
        rows: &[&[f64]],
    ) -> Result<Predictions, LabelError> {
        #[derive(Serialize)]
        struct Body<'a> {
            rows: &'a [&'a [f64]],
        }
        let path = of(access, "/predictions");
        let body = Body { rows };
        let answer: Predictions = self.json(Call::post(&path, Some(access), &body)?).await?;
        if answer.rows.len() != rows.len() {
            return Err(malformed("it has another number of predictions than rows"));
        }
        Ok(answer)
    }

    /// Returns the file of a session's model.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn model(&mut self, access: &Access, form: Form) -> Result<Vec<u8>, LabelError> {
        let path = of(access, "/model");
        let call = Call {
            query: match form {
                Form::Json => None,
                Form::Onnx => Some("form=onnx"),
            },
            max: MAX_MODEL,
            ..Call::get(&path, access)
        };
        self.send(call).await
    }

    /// Closes a session: the coordinator deletes its rows, labels and model.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn close(&mut self, access: &Access) -> Result<Closed, LabelError> {
        let path = of(access, "/close");
        let call = Call {
            method: Method::POST,
            ..Call::get(&path, access)
        };
        self.json(call).await
    }

    /// Asks for what is left in the purse's channel. Returns `None` if there is no channel, or the
    /// coordinator has no part in it.
    ///
    /// # Errors
    /// [`LabelError`].
    pub async fn refund(&mut self) -> Result<Option<Refund>, LabelError> {
        if !self.purse.has_channel() {
            return Ok(None);
        }
        let call = Call {
            method: Method::GET,
            path: REFUND,
            query: None,
            access: None,
            body: None,
            id: None,
            max: MAX_ANSWER,
            is_optional: false,
        };
        let start = Instant::now();
        let mut proof = None;
        loop {
            let response = self.attempt(&call, proof.as_ref()).await?;
            let (status, settled) = (response.status(), settlement(&response));
            if let Some(settled) = settled.filter(|it| it.success && status.is_success()) {
                self.purse.refunded()?;
                return Ok(Some(Refund {
                    payer: settled.payer.unwrap_or_default(),
                    asset: settled.network,
                    amount: settled.amount.unwrap_or_default(),
                    transaction: Some(settled.transaction).filter(|it| !it.is_empty()),
                }));
            }
            let (offers, asked) = (offers(&response), retry_after(&response));
            if status == StatusCode::PAYMENT_REQUIRED && proof.is_none() {
                let header = self.purse.refund(&offers).map_err(LabelError::NotPaid)?;
                let Some(header) = header else {
                    return Ok(None);
                };
                proof = Some(Proof::Signature(header));
                continue;
            }
            let refusal = refused(response).await;
            let wait = asked.unwrap_or(FIRST_WAIT).clamp(FIRST_WAIT, LONGEST_WAIT);
            let is_busy = status == StatusCode::SERVICE_UNAVAILABLE;
            if !is_busy || start.elapsed() + wait > self.patience {
                return Err(refusal.into());
            }
            sleep(wait).await;
        }
    }

    async fn json<T: DeserializeOwned>(&mut self, call: Call<'_>) -> Result<T, LabelError> {
        read(&self.send(call).await?)
    }

    /// Sends a call until it has an outcome, and pays for it once if it has a price.
    async fn send(&mut self, call: Call<'_>) -> Result<Vec<u8>, LabelError> {
        let start = Instant::now();
        let mut wait = FIRST_WAIT;
        let mut corrected = false;
        let mut was_lost = false;
        loop {
            let completed = self.purse.complete().await?;
            completed.map_err(LabelError::NotPaid)?;
            let proof = call.id.as_ref().and_then(|id| self.purse.proof(id));
            let failure = match self.attempt(&call, proof.as_ref()).await {
                Ok(response) => match self.judge(&call, response, proof.is_some()).await? {
                    Judged::Answer(answer) => return Ok(answer),
                    Judged::Paid => continue,
                    Judged::Corrected(offers) if !corrected => {
                        corrected = true;
                        self.begin(&call, &offers)?;
                        continue;
                    }
                    Judged::Corrected(_) => {
                        let told = "it was corrected, and is still another one".to_owned();
                        return Err(LabelError::Voucher(told));
                    }
                    Judged::Again(failure, asked) => (failure, asked),
                },
                Err(error) => (LabelError::Api(error), None),
            };
            let (failure, asked) = failure;
            let now = asked.unwrap_or(wait).clamp(FIRST_WAIT, LONGEST_WAIT);
            let is_answered = failure.status().is_some();
            let is_given_up = call.is_optional && proof.is_none() && (is_answered || was_lost);
            was_lost |= !is_answered;
            if is_given_up || start.elapsed() + now > self.patience {
                return Err(match proof {
                    Some(_) => LabelError::Unknown(Box::new(failure)),
                    None => failure,
                });
            }
            tracing::warn!(error = %failure, wait = ?now, "the call is sent again");
            sleep(now).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, call: &Call<'_>, proof: Option<&Proof>) -> Result<Response, ApiError> {
        let mut url = self.client.at(call.path);
        url.set_query(call.query);
        let http = self.client.http();
        let mut request = http.request(call.method.clone(), url).timeout(TIMEOUT);
        let authorization = match proof {
            Some(Proof::Credential(credential)) => Some(credential),
            _ => call.access.map(|access| &access.authorization),
        };
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(id) = &call.id {
            request = request.header(IDEMPOTENCY_KEY, id);
        }
        if let Some(Proof::Signature(payment)) = proof {
            request = request.header(PAYMENT_SIGNATURE, payment);
        }
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        send(request).await
    }

    /// Begins the payment of a call.
    fn begin(&mut self, call: &Call<'_>, offers: &Offers) -> Result<(), LabelError> {
        let paid = PaidCall {
            path: call.path.to_owned(),
            body: call.body.clone().unwrap_or_default(),
            id: call.id.clone().unwrap_or_default(),
        };
        self.purse.begin(offers, paid).map_err(LabelError::NotPaid)
    }

    /// Decides what follows from an answer.
    async fn judge(
        &mut self,
        call: &Call<'_>,
        response: Response,
        was_paid: bool,
    ) -> Result<Judged, LabelError> {
        let status = response.status();
        let settled = settlement(&response);
        if was_paid && let Some(settled) = settled.as_ref().filter(|it| it.success) {
            self.purse.paid(settled)?;
        }
        if status.is_success() {
            if was_paid && settled.is_none() {
                // The coordinator took the payment, whatever it says of it.
                self.purse.paid(&SettlementResponse::default())?;
            }
            return match body(response, call.max).await {
                Ok(answer) => Ok(Judged::Answer(answer)),
                // The same call gets the same answer.
                Err(error @ ApiError::Interrupted(_)) => Ok(Judged::Again(error.into(), None)),
                Err(error) => Err(error.into()),
            };
        }
        let offers = offers(&response);
        let asked = retry_after(&response);
        let refusal = refused(response).await;
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT => Ok(Judged::Again(refusal.into(), asked)),
            StatusCode::PAYMENT_REQUIRED if was_paid => {
                if settled.is_none() && self.purse.correct(&offers)? {
                    return Ok(Judged::Corrected(offers));
                }
                let failed = self.purse.failed()?;
                let word = settled.and_then(|it| it.error_reason);
                let word = word.or_else(|| offers.x402.and_then(|it| it.error));
                let own = || refusal.refusal().unwrap_or_default();
                let reason = word.map_or_else(own, |word| word.word().to_owned());
                Err(match failed {
                    Failed::Transfer(valid_before) => LabelError::PaymentFailed {
                        reason,
                        valid_before,
                    },
                    Failed::Voucher => LabelError::Voucher(reason),
                    Failed::Open => LabelError::Unknown(Box::new(refusal.into())),
                })
            }
            StatusCode::PAYMENT_REQUIRED if offers.x402.is_some() || offers.l402.is_some() => {
                if call.id.is_none() {
                    return Err(refusal.into());
                }
                self.begin(call, &offers)?;
                Ok(Judged::Paid)
            }
            _ if was_paid && self.purse.open_payment().is_some() && !self.purse.released()? => {
                Err(LabelError::Unknown(Box::new(refusal.into())))
            }
            _ => Err(refusal.into()),
        }
    }
}

/// Next step after an answer.
enum Judged {
    /// The coordinator has proved another total of the channel, and offers anew.
    Corrected(Offers),
    Answer(Vec<u8>),
    /// The call has a payment now, and is sent with it.
    Paid,
    /// The call is sent again, after the wait that the coordinator asks for.
    Again(LabelError, Option<Duration>),
}

impl<'a> Call<'a> {
    fn post(
        path: &'a str,
        access: Option<&'a Access>,
        body: &impl Serialize,
    ) -> Result<Self, LabelError> {
        // Bodies have names and finite numbers only.
        let body = serde_json::to_string(body).map_err(|error| malformed(&error.to_string()))?;
        Ok(Self {
            method: Method::POST,
            path,
            query: None,
            access,
            body: Some(body),
            id: Some(random()?.to_string()),
            max: MAX_ANSWER,
            is_optional: false,
        })
    }

    fn get(path: &'a str, access: &'a Access) -> Self {
        Self {
            method: Method::GET,
            path,
            query: None,
            access: Some(access),
            body: None,
            id: None,
            max: MAX_ANSWER,
            is_optional: false,
        }
    }
}

/// Returns a path of a session.
fn of(access: &Access, rest: &str) -> String {
    // An id has hexadecimal digits only, and another one must lead to no other path.
    let is_plain = access.session.bytes().all(|it| it.is_ascii_alphanumeric());
    let session = if is_plain {
        access.session.as_str()
    } else {
        "-"
    };
    format!("{SESSIONS}/{session}{rest}")
}

fn malformed(message: &str) -> LabelError {
    ApiError::Malformed {
        message: message.to_owned(),
    }
    .into()
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, LabelError> {
    serde_json::from_slice(answer).map_err(|error| malformed(&error.to_string()))
}

/// Reads the JSON of an x402 header.
fn of_header<T: DeserializeOwned>(response: &Response, name: &str) -> Option<T> {
    let value = response.headers().get(name)?.to_str().ok()?;
    serde_json::from_slice(&header::decode(value).ok()?).ok()
}

fn settlement(response: &Response) -> Option<SettlementResponse> {
    of_header(response, PAYMENT_RESPONSE)
}

fn offers(response: &Response) -> Offers {
    let values = response.headers().get_all(WWW_AUTHENTICATE).into_iter();
    let challenges = values.filter_map(|value| Challenge::read(value.to_str().ok()?).ok()?);
    Offers {
        x402: of_header(response, PAYMENT_REQUIRED),
        l402: { challenges }.next(),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}
