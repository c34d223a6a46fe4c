//! REST interface: paths, rights and errors as LND's, for the calls that a merchant and a payer need.

mod channels;
mod invoices;
mod message;
mod payments;

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
};
use ldk_node::{NodeError, bitcoin::hex::FromHex as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    http::{self, Body},
    macaroon::{self, Right, RootKey},
    node::Lightning,
};

/// Header that carries a macaroon, as hexadecimal digits.
const MACAROON: &str = "grpc-metadata-macaroon";

/// Start of the path that ends with a payment hash.
const INVOICE: &str = "/v1/invoice/";

/// Calls: method, path, right that they need, and parameters that they take in the query.
const CALLS: &[(Method, &str, Right, &[&str])] = &[
    (Method::POST, "/v1/invoices", Right::Invoice, &[]),
    (Method::GET, INVOICE, Right::Invoice, &[]),
    (
        Method::GET,
        "/v2/invoices/lookup",
        Right::Invoice,
        &["payment_hash"],
    ),
    (
        Method::GET,
        "/v1/invoices/subscribe",
        Right::Invoice,
        &["add_index", "settle_index"],
    ),
    (Method::POST, "/v2/invoices/cancel", Right::Invoice, &[]),
    (Method::GET, "/v1/newaddress", Right::Invoice, &["type"]),
    (Method::GET, "/v1/getinfo", Right::Admin, &[]),
    (Method::GET, "/v1/balance/channels", Right::Admin, &[]),
    (Method::GET, "/v1/balance/blockchain", Right::Admin, &[]),
    (Method::GET, "/v1/channels", Right::Admin, &[]),
    (Method::POST, "/v1/channels", Right::Admin, &[]),
    (Method::POST, "/v1/peers", Right::Admin, &[]),
    (
        Method::GET,
        "/v1/payments",
        Right::Admin,
        &["include_incomplete", "index_offset", "max_payments"],
    ),
    (Method::POST, "/v2/router/send", Right::Admin, &[]),
];

/// Error of a call: a code of gRPC, the status that belongs to it, and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    code: Code,
    message: String,
}

/// Codes of gRPC that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    FailedPrecondition = 9,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Status {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Returns an error of the request's content.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    fn http(&self) -> StatusCode {
        match self.code {
            Code::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Code::InvalidArgument | Code::FailedPrecondition => StatusCode::BAD_REQUEST,
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::AlreadyExists => StatusCode::CONFLICT,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        }
    }

    /// Returns the JSON of the error.
    pub(crate) fn json(&self) -> Value {
        json!({ "code": self.code as i32, "message": self.message, "details": [] })
    }
}

impl From<rusqlite::Error> for Status {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(Code::Unknown, format!("cannot use the database: {error}"))
    }
}

impl From<NodeError> for Status {
    fn from(error: NodeError) -> Self {
        let code = match error {
            NodeError::ConnectionFailed => Code::Unavailable,
            NodeError::InsufficientFunds => Code::FailedPrecondition,
            NodeError::InvalidAmount
            | NodeError::InvalidInvoice
            | NodeError::InvalidPublicKey
            | NodeError::InvalidSocketAddress => Code::InvalidArgument,
            _ => Code::Unknown,
        };
        Self::new(code, error.to_string())
    }
}

/// Result of a call.
pub(crate) type Answer<T> = Result<T, Status>;

/// Call with its path parameter and query.
struct Call {
    query: HashMap<String, String>,
    body: Bytes,
}

impl Call {
    /// Reads the body. An empty one is a message without fields.
    fn message<T: DeserializeOwned + Default>(&self) -> Answer<T> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Status::invalid(format!("cannot read the body: {error}")))
    }

    /// Returns a whole number of the query, 0 if it is missing.
    fn number(&self, name: &str) -> Answer<u64> {
        let Some(text) = self.query.get(name) else {
            return Ok(0);
        };
        text.parse().map_err(|_| {
            Status::invalid(format!("expected a whole number as {name}, found {text}"))
        })
    }

    /// Refuses parameters that the call would ignore.
    fn only(&self, names: &[&str]) -> Answer<()> {
        match self
            .query
            .keys()
            .find(|name| !names.contains(&name.as_str()))
        {
            None => Ok(()),
            Some(name) => Err(Status::invalid(format!("cannot use the parameter {name}"))),
        }
    }
}

/// Decodes `%41` and `+` of a query.
fn percent(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digits = tail.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        match (
            byte,
            digits.and_then(|digits| <[u8; 1]>::from_hex(digits).ok()),
        ) {
            (b'%', Some([decoded])) => {
                out.push(decoded);
                rest = &tail[2..];
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn query(text: &str) -> HashMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (percent(name), percent(value)))
        .collect()
}

/// Returns the right of the presented macaroon if it covers `needed`.
fn authorize(root: &RootKey, headers: &HeaderMap, needed: Right) -> Answer<()> {
    let mut found = headers.get_all(MACAROON).iter();
    let (Some(text), None) = (found.next(), found.next()) else {
        let count = headers.get_all(MACAROON).iter().count();
        let message = format!("expected 1 macaroon, got {count}");
        return Err(Status::new(Code::Unauthenticated, message));
    };
    let bytes = text
        .to_str()
        .ok()
        .and_then(|text| Vec::<u8>::from_hex(text).ok());
    let right = macaroon::verify(root, &bytes.unwrap_or_default())
        .map_err(|refusal| Status::new(Code::Unauthenticated, refusal.to_string()))?;
    if right.covers(needed) {
        Ok(())
    } else {
        Err(Status::new(Code::PermissionDenied, "permission denied"))
    }
}

/// Answer of a call: one message, or a stream of them.
pub(crate) enum Reply {
    /// One message.
    Message(Value),
    /// Messages, one a line.
    Stream(Body),
}

/// State that the calls share.
struct Rest {
    lightning: Arc<Lightning>,
    root: RootKey,
}

impl Rest {
    /// Runs a call of the node on a thread that may wait: they write to disk and to peers.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Lightning) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let lightning = Arc::clone(&self.lightning);
        tokio::task::spawn_blocking(move || work(&lightning))
            .await
            .unwrap_or_else(|_| {
                Err(Status::new(
                    Code::Unknown,
                    "cannot finish the call: it panicked",
                ))
            })
    }

    async fn message<F>(&self, work: F) -> Answer<Reply>
    where
        F: FnOnce(&Lightning) -> Answer<Value> + Send + 'static,
    {
        self.blocking(work).await.map(Reply::Message)
    }

    async fn route(&self, request: Request<Bytes>) -> Answer<Reply> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_end_matches('/');
        let (known, hash) = match path.strip_prefix(INVOICE) {
            Some(hash) => (INVOICE, hash),
            None => (path, ""),
        };
        let (_, _, right, parameters) = CALLS
            .iter()
            .find(|(method, path, ..)| *method == head.method && *path == known)
            .ok_or_else(|| Status::new(Code::NotFound, "Not Found"))?;
        authorize(&self.root, &head.headers, *right)?;
        let call = Call {
            query: query(head.uri.query().unwrap_or_default()),
            body,
        };
        call.only(parameters)?;
        match right {
            Right::Invoice => self.invoice_call(known, hash, &call).await,
            Right::Admin => {
                self.admin_call(known, head.method == Method::POST, &call)
                    .await
            }
        }
    }

    /// Runs a call that an invoice macaroon allows.
    async fn invoice_call(&self, path: &str, hash: &str, call: &Call) -> Answer<Reply> {
        match path {
            INVOICE => {
                let hash = message::from_hex32(hash).ok_or_else(|| {
                    Status::invalid("expected a payment hash of 64 hexadecimal digits")
                })?;
                self.message(move |node| invoices::look_up(node, &hash))
                    .await
            }
            "/v2/invoices/lookup" => {
                let hash = invoices::hash_of_query(call.query.get("payment_hash"))?;
                self.message(move |node| invoices::look_up(node, &hash))
                    .await
            }
            "/v1/invoices/subscribe" => {
                let (added, settled) = (call.number("add_index")?, call.number("settle_index")?);
                invoices::subscribe(Arc::clone(&self.lightning), added, settled).map(Reply::Stream)
            }
            "/v2/invoices/cancel" => {
                let request = call.message()?;
                self.message(move |node| invoices::cancel(node, &request))
                    .await
            }
            "/v1/newaddress" => {
                let kind = call.query.get("type").cloned();
                self.message(move |node| channels::new_address(node, kind.as_deref()))
                    .await
            }
            _ => {
                let request = call.message()?;
                self.message(move |node| invoices::add(node, &request))
                    .await
            }
        }
    }

    /// Runs a call that needs the admin macaroon.
    async fn admin_call(&self, path: &str, post: bool, call: &Call) -> Answer<Reply> {
        match path {
            "/v1/balance/channels" => {
                self.message(|node| Ok(channels::channel_balance(node)))
                    .await
            }
            "/v1/balance/blockchain" => {
                self.message(|node| Ok(channels::wallet_balance(node)))
                    .await
            }
            "/v1/channels" if post => channels::open(self, call.message()?)
                .await
                .map(Reply::Message),
            "/v1/channels" => self.message(|node| Ok(channels::list(node))).await,
            "/v1/peers" => {
                let request = call.message()?;
                self.message(move |node| channels::connect(node, &request))
                    .await
            }
            "/v1/payments" => {
                let incomplete = match call.query.get("include_incomplete").map(String::as_str) {
                    None | Some("false") => false,
                    Some("true") => true,
                    Some(_) => return Err(Status::invalid("expected true or false")),
                };
                let (after, count) = (call.number("index_offset")?, call.number("max_payments")?);
                self.message(move |node| payments::list(node, after, count, incomplete))
                    .await
            }
            "/v2/router/send" => payments::send(self, call.message()?)
                .await
                .map(Reply::Stream),
            _ => self.message(|node| Ok(channels::info(node))).await,
        }
    }
}

fn respond(answer: Answer<Reply>) -> Response<Body> {
    let (status, body) = match answer {
        Ok(Reply::Message(message)) => (StatusCode::OK, Body::from(message.to_string())),
        Ok(Reply::Stream(body)) => (StatusCode::OK, body),
        Err(status) => (status.http(), Body::from(status.json().to_string())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Serves the REST interface until the process ends.
pub(crate) async fn serve(
    lightning: Arc<Lightning>,
    root: RootKey,
    tls: TlsAcceptor,
    listener: TcpListener,
) {
    let rest = Arc::new(Rest { lightning, root });
    http::serve(listener, Some(tls), move |request| {
        let rest = Arc::clone(&rest);
        async move { Ok::<_, Infallible>(respond(rest.route(request).await)) }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: RootKey = [3; 32];

    fn check(values: &[&str], needed: Right) -> Option<Status> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                "Grpc-Metadata-macaroon",
                HeaderValue::from_str(value).expect("header"),
            );
        }
        authorize(&ROOT, &headers, needed).err()
    }

    #[test]
    fn authorize_wants_one_macaroon_with_the_right() {
        let admin = message::hex(&macaroon::bake(&ROOT, Right::Admin));
        let invoice = message::hex(&macaroon::bake(&ROOT, Right::Invoice));
        assert_eq!(check(&[&admin], Right::Admin), None);
        assert_eq!(check(&[&admin.to_uppercase()], Right::Invoice), None);
        assert_eq!(check(&[&invoice], Right::Invoice), None);
        let denied = check(&[&invoice], Right::Admin).expect("denied");
        assert_eq!(denied.http(), StatusCode::FORBIDDEN);
        for values in [&[][..], &["zz"], &[""], &[&admin[2..]], &[&admin, &invoice]] {
            let status = check(values, Right::Invoice).expect("refused");
            assert_eq!(status.http(), StatusCode::UNAUTHORIZED, "{values:?}");
            assert_eq!(status.json()["code"], 16);
        }
    }

    #[test]
    fn query_decodes_percent_signs() {
        let found = query("payment_hash=%2B%2f8%3d&a+b=1&&flag&bad=%zz%");
        assert_eq!(found["payment_hash"], "+/8=");
        assert_eq!(found["a b"], "1");
        assert_eq!(
            (found["flag"].as_str(), found["bad"].as_str()),
            ("", "%zz%")
        );
    }
}
