//! HTTP/1.1 server, with or without TLS.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Maximum size of a request's body. Transactions are the largest: 100,000 bytes as hexadecimal digits.
const MAX_BODY: usize = 1 << 18;
/// Maximum time for a handshake, for the head of a request, and for its body.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum number of connections at once.
const MAX_CONNECTIONS: usize = 256;
/// Pause after a failed accept, which is most often a lack of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Body of an answer.
pub(crate) enum Body {
    /// Text; `None` once it is sent.
    Text(Option<Bytes>),
    /// Lines that arrive one by one.
    Lines(mpsc::Receiver<Bytes>),
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Text(Some(Bytes::from(text)).filter(|text| !text.is_empty()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take()),
            Self::Lines(lines) => lines.poll_recv(context),
        };
        bytes.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
            Self::Lines(_) => SizeHint::default(),
        }
    }
}

/// Accepts connections for ever and answers their requests by `answer`.
pub(crate) async fn serve<A, F>(listener: TcpListener, tls: Option<TlsAcceptor>, answer: A)
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(BREATH).await;
            continue;
        };
        // Answers are small and their reader waits for them. Without the option they are only slower.
        let _ = stream.set_nodelay(true);
        let (tls, answer) = (tls.clone(), answer.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, answer).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                        connection(stream, answer).await;
                    }
                }
            }
            drop(slot);
        });
    }
}

async fn connection<S, A, F>(stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await;
            let response = match body {
                Ok(Ok(body)) => answer(Request::from_parts(head, body.to_bytes())).await?,
                Ok(Err(error)) if error.is::<LengthLimitError>() => {
                    refused(StatusCode::PAYLOAD_TOO_LARGE)
                }
                Ok(Err(_)) => refused(StatusCode::BAD_REQUEST),
                Err(_) => refused(StatusCode::REQUEST_TIMEOUT),
            };
            Ok::<_, Infallible>(response)
        }
    });
    // The error is the client's: it went away, or it does not speak HTTP.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn refused(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(String::new()));
    *response.status_mut() = status;
    response
}
