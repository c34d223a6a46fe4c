//! Connections of the HTTP API: their number, their timeouts, and their shutdown.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, Request},
};
use cotrain_client::api::PROBLEM_JSON;
use http_body::{Frame, SizeHint};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

use super::kinds::Kind;
use crate::config::ApiSection;

/// Interval at which a connection's deadline is checked, since its reads and writes move it.
const TICK: Duration = Duration::from_millis(500);

/// Maximum number of connections above the limit that get a refusal at a time. Further ones are
/// closed silently.
const REFUSALS: usize = 64;

/// Maximum time that a client may take to read its refusal.
const REFUSAL: Duration = Duration::from_secs(1);

/// Pause in accepting after the system refused, since it has no more file descriptors.
const EXHAUSTED: Duration = Duration::from_secs(1);

/// Serves connections until `stop`. Then waiting connections end at once, and running requests get
/// `api.shutdown_timeout` to finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    config: &ApiSection,
    stop: &CancellationToken,
) {
    let permits = Arc::new(Semaphore::new(config.max_connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let limits = Limits {
        header: config.header_timeout,
        idle: config.idle_timeout,
    };
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_clients(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; is `api.max_connections` above the limit of open files?");
                let _ = time::timeout(EXHAUSTED, stop.cancelled()).await;
                continue;
            }
        };
        // Answers are small and must not wait for more data.
        let _ = stream.set_nodelay(true);
        if let Ok(permit) = permits.clone().try_acquire_owned() {
            let (router, stop) = (router.clone(), stop.clone());
            connections.spawn(async move {
                attend(stream, peer, router, limits, &stop).await;
                drop(permit);
            });
        } else if let Ok(permit) = refusals.clone().try_acquire_owned() {
            metrics::counter!("cotrain_connections_refused_total").increment(1);
            connections.spawn(async move {
                let _ = time::timeout(REFUSAL, refuse(stream)).await;
                drop(permit);
            });
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if time::timeout(config.shutdown_timeout, ended).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "closing connections whose requests were not answered within `api.shutdown_timeout`"
        );
        connections.abort_all();
    }
}

/// Maximum times that a connection may wait for its client.
#[derive(Debug, Clone, Copy)]
struct Limits {
    header: Duration,
    idle: Duration,
}

/// Returns `true` if only one connection failed, before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Tells a client that too many connections are open.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let kind = &Kind::OVERLOADED;
    let document = kind.document("too many connections are open; try again later");
    let body = json!(document).to_string();
    let answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: {PROBLEM_JSON}\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        kind.status,
        body.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A close with unread data would reset the connection, and lose the answer.
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Serves one connection until either side ends it, or the client exceeds a timeout.
async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stop: &CancellationToken,
) {
    let activity = Arc::new(Activity::new());
    let io = TokioIo::new(Watched {
        stream,
        activity: activity.clone(),
    });
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let working = Working::begin(&activity);
        let answer = router.call(request);
        async move {
            let answer = answer.await?;
            Ok::<_, Infallible>(answer.map(|body| Answer {
                body,
                _working: working,
            }))
        }
    });
    let connection = http1::Builder::new()
        // Our own timeouts distinguish a late header from an idle connection.
        .header_read_timeout(None::<Duration>)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut is_stopping = false;
    loop {
        let now = Instant::now();
        let deadline = activity.deadline(limits);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return;
        }
        let next = now + TICK;
        let wake = deadline.map_or(next, |deadline| deadline.min(next));
        tokio::select! {
            // Faults of the client are not the server's concern.
            _ = connection.as_mut() => return,
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                if activity.awaits_header() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
            () = time::sleep_until(wake) => {}
        }
    }
}

/// Activity of a connection, which tells whether the server or the client must act next.
#[derive(Debug)]
struct Activity(Mutex<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    /// Start of the phase.
    since: Instant,
    /// Time since which the client has not read pending output; `None` if nothing is blocked.
    unread: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The request's header is incomplete, or a new connection has sent nothing yet.
    Header,
    /// The server is reading or answering a request.
    Working,
    /// The server has answered all requests.
    Idle,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(State {
            phase: Phase::Header,
            since: Instant::now(),
            unread: None,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.lock();
        state.phase = phase;
        state.since = Instant::now();
    }

    /// Records that the client sent something.
    fn read(&self) {
        if self.lock().phase == Phase::Idle {
            self.enter(Phase::Header);
        }
    }

    /// Records whether the client accepted the output.
    fn wrote(&self, blocked: bool) {
        let mut state = self.lock();
        if !blocked {
            state.unread = None;
        } else if state.unread.is_none() {
            state.unread = Some(Instant::now());
        }
    }

    fn awaits_header(&self) -> bool {
        self.lock().phase == Phase::Header
    }

    /// Returns the deadline for the client's next action; `None` while the server is working.
    fn deadline(&self, limits: Limits) -> Option<Instant> {
        let state = *self.lock();
        let phase = match state.phase {
            Phase::Header => Some(state.since + limits.header),
            Phase::Idle => Some(state.since + limits.idle),
            Phase::Working => None,
        };
        let unread = state.unread.map(|since| since + limits.idle);
        [phase, unread].into_iter().flatten().min()
    }
}

/// Running request; it ends when this is dropped.
#[derive(Debug)]
struct Working(Arc<Activity>);

impl Working {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.enter(Phase::Working);
        Self(activity.clone())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// Body of a response. The request counts as answered once the whole body is sent.
#[derive(Debug)]
struct Answer {
    body: Body,
    _working: Working,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Stream of a connection that records reads and writes.
#[derive(Debug)]
struct Watched {
    stream: TcpStream,
    activity: Arc<Activity>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.activity.wrote(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.activity.wrote(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{sync::oneshot, task::JoinHandle};

    use super::*;

    /// Server with the given limits. It has a page, and one that never answers.
    struct Server {
        address: SocketAddr,
        stop: CancellationToken,
        running: JoinHandle<()>,
    }

    async fn server(change: impl FnOnce(&mut ApiSection)) -> Server {
        let mut config = ApiSection {
            header_timeout: Duration::from_millis(600),
            idle_timeout: Duration::from_millis(1_500),
            shutdown_timeout: Duration::from_millis(800),
            ..ApiSection::default()
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/slow", get(std::future::pending::<&'static str>))
            .route("/large", get(async || Body::from(vec![b'x'; 64 << 20])));
        let stopped = stop.clone();
        let running = tokio::spawn(async move { serve(listener, router, &config, &stopped).await });
        Server {
            address,
            stop,
            running,
        }
    }

    impl Server {
        async fn send(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.expect("connected");
            stream.write_all(text.as_bytes()).await.expect("sent");
            stream
        }

        /// Stops the server, and returns how long that takes.
        async fn stop(self) -> Duration {
            let start = Instant::now();
            self.stop.cancel();
            self.running.await.expect("it ends");
            start.elapsed()
        }
    }

    /// Reads until the other side closes. Returns the text and the time that this takes.
    async fn rest(mut stream: TcpStream) -> (String, Duration) {
        let start = Instant::now();
        let mut all = Vec::new();
        // A reset also ends the connection.
        let _ = stream.read_to_end(&mut all).await;
        (String::from_utf8_lossy(&all).into_owned(), start.elapsed())
    }

    const HALF: &str = "GET / HTTP/1.1\r\nHost: x\r\n";
    const WHOLE: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    #[tokio::test]
    async fn serve_ends_half_requests_at_the_header_timeout_and_delays_no_others() {
        let server = server(|config| config.max_connections = 1_000).await;
        let mut halves = Vec::new();
        for number in 0..300 {
            let text = if number % 2 == 0 { HALF } else { "" };
            halves.push(server.send(text).await);
        }
        let start = Instant::now();
        let (answer, _) = rest(
            server
                .send(&WHOLE.replace("x\r\n", "x\r\nConnection: close\r\n"))
                .await,
        )
        .await;
        assert!(answer.ends_with("here"), "{answer}");
        for half in halves {
            assert_eq!(rest(half).await.0, "");
        }
        let took = start.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}");
        server.stop().await;
    }

    #[tokio::test]
    async fn serve_ends_a_header_that_trickles() {
        let server = server(|_| {}).await;
        let mut stream = server.send("GET / HTTP/1.1\r\n").await;
        let start = Instant::now();
        while stream.write_all(b"X: y\r\n").await.is_ok() {
            time::sleep(Duration::from_millis(50)).await;
            assert!(start.elapsed() < Duration::from_secs(5), "it goes on");
        }
        server.stop().await;
    }

    #[tokio::test]
    async fn serve_ends_a_connection_that_is_idle_since_its_last_answer() {
        let server = server(|_| {}).await;
        let mut stream = server.send(WHOLE).await;
        time::sleep(Duration::from_secs(1)).await;
        // This is later than the header timeout: between requests, only the idle timeout counts.
        stream.write_all(WHOLE.as_bytes()).await.expect("sent");
        let (answers, took) = rest(stream).await;
        assert_eq!(answers.matches("here").count(), 2, "{answers}");
        assert!(
            Duration::from_millis(1_300) < took && took < Duration::from_secs(4),
            "{took:?}"
        );
        server.stop().await;
    }

    #[tokio::test]
    async fn serve_drops_a_client_that_does_not_read_the_answer() {
        let server = server(|_| {}).await;
        let stream = server.send(&WHOLE.replace("GET /", "GET /large")).await;
        time::sleep(Duration::from_secs(3)).await;
        let (answer, _) = rest(stream).await;
        assert!(answer.len() < 64 << 20, "it waited for its reader");
        server.stop().await;
    }

    #[tokio::test]
    async fn serve_refuses_connections_above_the_limit() {
        let server = server(|config| config.max_connections = 2).await;
        let first = server.send(WHOLE).await;
        let second = server.send(WHOLE).await;
        let (answer, _) = rest(server.send(WHOLE).await).await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.contains("retry-after: 1"), "{answer}");
        assert!(answer.contains("too many connections"), "{answer}");
        drop((first, second));
        time::sleep(Duration::from_millis(200)).await;
        let text = WHOLE.replace("x\r\n", "x\r\nConnection: close\r\n");
        assert!(rest(server.send(&text).await).await.0.ends_with("here"));
        server.stop().await;
    }

    #[tokio::test]
    async fn serve_stops_despite_half_a_request_and_idle_connections() {
        let server = server(|config| {
            config.header_timeout = Duration::from_mins(10);
            config.idle_timeout = Duration::from_mins(10);
            config.shutdown_timeout = Duration::from_mins(10);
        })
        .await;
        let open = [
            server.send(HALF).await,
            server.send("").await,
            server.send(WHOLE).await,
            server.send(&format!("{WHOLE}{HALF}")).await,
        ];
        time::sleep(Duration::from_millis(200)).await;
        let took = server.stop().await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        drop(open);
    }

    #[tokio::test]
    async fn serve_waits_for_an_unanswered_request_until_the_deadline() {
        let server = server(|_| {}).await;
        let slow = server.send(&WHOLE.replace("GET /", "GET /slow")).await;
        time::sleep(Duration::from_millis(200)).await;
        let took = server.stop().await;
        assert!(
            Duration::from_millis(700) < took && took < Duration::from_secs(3),
            "{took:?}"
        );
        assert_eq!(rest(slow).await.0, "");
    }

    #[tokio::test]
    async fn serve_completes_an_answer_under_way_before_it_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (begun, begins) = oneshot::channel();
        let begun = Arc::new(Mutex::new(Some(begun)));
        let router = Router::new().route(
            "/",
            get(async move || {
                let begun = begun.lock().expect("a lock").take().expect("once");
                let _ = begun.send(());
                time::sleep(Duration::from_millis(300)).await;
                "whole"
            }),
        );
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            serve(listener, router, &ApiSection::default(), &stopped).await;
        });
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(WHOLE.as_bytes()).await.expect("sent");
        begins.await.expect("begun");
        stop.cancel();
        assert!(rest(stream).await.0.ends_with("whole"));
        running.await.expect("it ends");
    }
}
