//! Kinds of problems, each with a page at `/problems/{kind}`.

use axum::http::StatusCode;
use cotrain_client::api::Problem;

/// Kind of problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Last part of its type, `/problems/{slug}`.
    pub(super) slug: &'static str,
    pub(super) status: StatusCode,
    /// Title, the same for every occurrence.
    pub(super) title: &'static str,
    /// Meaning of the problem, and advice.
    pub(super) about: &'static str,
}

impl Kind {
    /// Returns the document of a problem of this kind. The path and further fields are left out.
    pub(super) fn document(&self, detail: &str) -> Problem {
        Problem {
            kind: Some(format!("/problems/{}", self.slug)),
            title: Some(self.title.to_owned()),
            status: Some(self.status.as_u16()),
            detail: Some(detail.to_owned()),
            ..Problem::default()
        }
    }
}

macro_rules! kinds {
    ($($name:ident, $slug:literal, $status:ident, $title:literal, $about:literal;)*) => {
        impl Kind {
            $(pub(super) const $name: Self = Self {
                slug: $slug,
                status: StatusCode::$status,
                title: $title,
                about: $about,
            };)*

            /// All kinds.
            pub(super) const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

kinds! {
    INVALID_PATH, "invalid-path", BAD_REQUEST, "The path is malformed",
        "A part of the path is not what it stands for, such as an address or a position.";
    INVALID_QUERY, "invalid-query", BAD_REQUEST, "The query is malformed",
        "A key of the query is unknown, there twice, or its value is out of bounds. /docs names those that a path takes.";
    INVALID_BODY, "invalid-body", BAD_REQUEST, "The body is not JSON",
        "The body could not be read as JSON; the detail has the position.";
    INVALID_REQUEST, "invalid-request", UNPROCESSABLE_ENTITY, "The body does not match the schema",
        "The body is JSON, but not of the form that /docs gives; the detail has the position.";
    INVALID_HEADER, "invalid-header", BAD_REQUEST, "A header is malformed",
        "A header has a value that it cannot have; the detail names it.";
    NOT_FOUND, "not-found", NOT_FOUND, "There is nothing here",
        "No such path. /docs lists those that there are.";
    UNKNOWN_MODEL, "unknown-model", NOT_FOUND, "The model is unknown",
        "This coordinator does not follow a model with that trainer. /v1/models lists those that it does; prediction markets are under /v1/markets.";
    NO_CARD, "no-card", NOT_FOUND, "The model has no card",
        "Its owner has registered none that can be read, or this coordinator follows no registry; the detail says which. Its classes have numbers then, and inputs are features or samples.";
    UNKNOWN_MARKET, "unknown-market", NOT_FOUND, "The market is unknown",
        "This coordinator does not follow a prediction market at that address. /v1/markets lists those that it does.";
    UNKNOWN_CONTRIBUTION, "unknown-contribution", NOT_FOUND, "The contribution is unknown",
        "The model has no contribution at that position, or it has not been read from the chain yet.";
    UNKNOWN_SUBMISSION, "unknown-submission", NOT_FOUND, "The submission is unknown",
        "No signed batch with that id was taken here.";
    UNKNOWN_DELEGATION, "unknown-delegation", NOT_FOUND, "The delegation is unknown",
        "The account delegates nothing to this coordinator's keeper, or its time is over.";
    NOT_SERVED, "not-served", NOT_FOUND, "This is not served here",
        "The coordinator is not set up to do this: it relays only with [relay], and claims for others only with [keep]. It plans deployments only if `api.max_plan_bytes` is above 0, runs simulations only with simulations.enabled, opens labeling sessions only with labels.enabled, and settles payments for others only with x402.facilitator.";
    UNKNOWN_ENCODER, "unknown-encoder", NOT_FOUND, "The table of word vectors is unknown",
        "This coordinator does not have a table with that SHA-256. /v1/encoders lists those that it has.";
    UNKNOWN_SIMULATION, "unknown-simulation", NOT_FOUND, "The simulation is unknown",
        "No simulation with that id is kept here. The oldest results are forgotten, and so are all when the coordinator starts again. Ask for it anew.";
    UNKNOWN_SESSION, "unknown-session", NOT_FOUND, "The labeling session is unknown",
        "No labeling session with that id is open here. It was closed, or had no call for too long, or the coordinator has started again. Open another one.";
    WRONG_TOKEN, "wrong-token", UNAUTHORIZED, "The token is not that of the session",
        "Each call on a labeling session has the header Authorization: Bearer with the token of its opening, or L402 with the credential that paid for it.";
    OUT_OF_UNITS, "out-of-units", PAYMENT_REQUIRED, "The session has too few units left",
        "The call costs more units than the labeling session has left; both numbers are given. Nothing was charged. Ask for less, or open another session.";
    PAYMENT_REQUIRED, "payment-required", PAYMENT_REQUIRED, "The call must be paid for",
        "The headers PAYMENT-REQUIRED (x402) and WWW-Authenticate (L402) have the offers; `accepts` in the body is the same as in the first. Pay by one of them, and send the same request again with the payment. `error` says what was wrong with a payment. Nothing was charged.";
    PAYMENT_MALFORMED, "payment-malformed", BAD_REQUEST, "The payment is malformed",
        "The header PAYMENT-SIGNATURE has base64 of a payment of x402, version 2. Nothing was charged.";
    PAYMENT_CONFLICT, "payment-conflict", CONFLICT, "The payment was used before",
        "A payment buys once. Whoever made it repeats the request with the same Idempotency-Key or payment identifier to get its result. Without one, it cannot be told from anybody who saw the transfer on the chain.";
    PAYMENT_PENDING, "payment-pending", SERVICE_UNAVAILABLE, "Nobody knows yet whether the payment counts",
        "Do not pay again. Send the same request with the same payment and the same key after Retry-After seconds, until another answer comes.";
    STILL_RUNNING, "still-running", SERVICE_UNAVAILABLE, "The same request is in progress",
        "A request with this key is being worked on. Send it again after Retry-After seconds to get its answer.";
    TOO_MANY_INVOICES, "too-many-invoices", TOO_MANY_REQUESTS, "This client has too many unpaid invoices",
        "Pay one of them, or wait until one expires. Retry-After has the advised seconds.";
    ANSWER_LOST, "answer-lost", GONE, "The answer is no longer here",
        "A request with this key was done and charged, and its answer was in memory only. The units that it cost and that were left are given. Look at the session's state, and use a new key for further requests.";
    OTHER_REQUEST, "other-request", CONFLICT, "The key belongs to another request",
        "A request with this Idempotency-Key had another body or path. Use a new key for each new request.";
    LABELING_REJECTED, "labeling-rejected", UNPROCESSABLE_ENTITY, "The labeling session does not take this",
        "Rows, labels, probabilities or options do not fit the session or the coordinator's bounds; the detail says which. Nothing was charged.";
    NO_PAGE, "no-page", NOT_FOUND, "The simulation has no page",
        "It has not ended yet, or it has failed; its state says which.";
    UNKNOWN_SWEEP, "unknown-sweep", NOT_FOUND, "The sweep is unknown",
        "The coordinator's folder has no sweep of that name. /v1/sweeps lists those that it has.";
    METHOD_NOT_ALLOWED, "method-not-allowed", METHOD_NOT_ALLOWED, "The method is not allowed",
        "The header Allow has the methods that the path takes.";
    TOO_LARGE, "too-large", PAYLOAD_TOO_LARGE, "The body is too large",
        "Send less at a time.";
    MEDIA_TYPE, "media-type", UNSUPPORTED_MEDIA_TYPE, "The content type is not JSON",
        "Send the body with Content-Type: application/json.";
    RATE_LIMITED, "rate-limited", TOO_MANY_REQUESTS, "Too many requests",
        "This client makes more requests than it may. Wait as many seconds as Retry-After has.";
    NO_ENCODER, "no-encoder", UNPROCESSABLE_ENTITY, "The model has no encoder",
        "Its owner has published none that fits the contract, so texts and rows cannot become samples here. Send features or a sample.";
    NO_TABLE, "no-table", UNPROCESSABLE_ENTITY, "The model's table of word vectors is not here",
        "The model reads texts by a table that this coordinator does not have. Its operator can add the file to encoders.files. Send features or a sample.";
    INVALID_DATA, "invalid-data", UNPROCESSABLE_ENTITY, "No model can be made of the data",
        "The file cannot be read as a table, or not be learned from as chosen. The detail says why, with the line and the column of a faulty field.";
    NOT_ENCODABLE, "not-encodable", UNPROCESSABLE_ENTITY, "The input cannot be encoded",
        "The input is not of the sort that the model learned from; the detail says what it expects.";
    SAMPLE_REJECTED, "sample-rejected", UNPROCESSABLE_ENTITY, "The sample is not one of the model's",
        "The contract would reject it, for the reason in the detail.";
    SCENARIO_REJECTED, "scenario-rejected", UNPROCESSABLE_ENTITY, "The scenario cannot be run here",
        "It has a mistake, reads files, or is larger than this coordinator allows; the detail says which. `cotrain simulate` runs scenarios of any size.";
    REJECTED, "rejected", UNPROCESSABLE_ENTITY, "The contract would reject this",
        "For the reason in the detail.";
    EXPIRED, "expired", UNPROCESSABLE_ENTITY, "The deadline is over",
        "Sign the batch anew with a later deadline.";
    INVALID_SIGNATURE, "invalid-signature", UNPROCESSABLE_ENTITY, "The signature is not the author's",
        "It does not recover to the author for this trainer on this chain, nor does the author's code accept it.";
    NONCE_USED, "nonce-used", CONFLICT, "The nonce can no longer be used",
        "Sign the batch with the account's next nonce.";
    NONCE_TAKEN, "nonce-taken", CONFLICT, "Another signed batch is pending with this nonce",
        "Sign with the nonce that nextNonce has, or wait until the other one, whose id is given, is included or refused.";
    NONCE_TOO_FAR, "nonce-too-far", CONFLICT, "The nonce is too far ahead",
        "Wait until signed batches with earlier nonces are included, or use a nonce that is at most the one given.";
    BALANCE_TOO_LOW, "balance-too-low", UNPROCESSABLE_ENTITY, "The balance is too low",
        "It has to cover deposits and fee of this signed batch and of the pending ones. Prepay with the trainer (`depositTo`) first.";
    PRICE_TOO_HIGH, "price-too-high", UNPROCESSABLE_ENTITY, "The price is above what the author deposits at most",
        "Sign with a higher maxDeposit, or submit again when the price has fallen.";
    OTHER_RELAYER, "other-relayer", UNPROCESSABLE_ENTITY, "The signed batch is for another relayer",
        "Only the relayer that a signed batch names can send it. Sign with the model's relayer, or with none.";
    FEE_TOO_LOW, "fee-too-low", UNPROCESSABLE_ENTITY, "The fee is too low",
        "Sign with at least the fee that `wanted` gives.";
    TOO_MANY_WAITING, "too-many-waiting", SERVICE_UNAVAILABLE, "Too many signed batches are pending",
        "Submit again later.";
    TOO_MANY_OWN_SESSIONS, "too-many-own-sessions", TOO_MANY_REQUESTS, "This client has too many labeling sessions",
        "Close a session, or wait until one expires. Retry-After has the advised seconds.";
    TOO_MANY_SESSIONS, "too-many-sessions", SERVICE_UNAVAILABLE, "The labeling sessions are too many or too large",
        "The sessions of all clients have as much room as they may. Try again after Retry-After seconds.";
    TOO_MANY_SIMULATIONS, "too-many-simulations", SERVICE_UNAVAILABLE, "Too many simulations are pending",
        "One runs at a time. Try again after Retry-After seconds.";
    OVERLOADED, "overloaded", SERVICE_UNAVAILABLE, "Too many requests at a time",
        "The coordinator works on as many requests as it may. Try again after Retry-After seconds.";
    UNAVAILABLE, "unavailable", SERVICE_UNAVAILABLE, "The store or the node does not answer",
        "Try again later; what was taken before is not lost.";
    NOT_READY, "not-ready", SERVICE_UNAVAILABLE, "The coordinator is not ready",
        "The reasons are given.";
    TIMED_OUT, "timed-out", GATEWAY_TIMEOUT, "The request took too long",
        "Ask for less at a time, or try again later. What was submitted may have been taken: submitting it again is safe.";
    INTERNAL, "internal", INTERNAL_SERVER_ERROR, "Something is wrong with the coordinator",
        "This is a mistake of its own. Its log has more, by the id of the request.";
}
