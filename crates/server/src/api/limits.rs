//! Limits on the requests of one client, and of all clients together.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{Extensions, HeaderMap, request::Parts},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use cotrain_payments::{rail, x402::header};
use tower_governor::{
    GovernorError, GovernorLayer, governor::GovernorConfigBuilder, key_extractor::KeyExtractor,
};

use super::{app::App, kinds::Kind, problem::Problem};
use crate::config::ApiSection;

/// Number of requests after which inactive clients are forgotten.
const FORGET: u64 = 1_024;

/// Key of a client: the connection's address, or the one that the proxy names.
#[derive(Debug, Clone, Copy)]
struct Client {
    trust_forwarded_for: bool,
}

impl KeyExtractor for Client {
    type Key = IpAddr;

    fn extract<T>(&self, request: &axum::http::Request<T>) -> Result<IpAddr, GovernorError> {
        Ok(self.address(request.headers(), request.extensions()))
    }
}

impl Client {
    fn address(self, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
        let forwarded = self
            .trust_forwarded_for
            .then(|| last_forwarded(headers))
            .flatten();
        let peer = || {
            let info = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(info.0.ip())
        };
        // Without a connection, as in tests, all requests belong to one client.
        network(
            forwarded
                .or_else(peer)
                .unwrap_or(Ipv6Addr::UNSPECIFIED.into()),
        )
    }
}

/// Address by which a client is told from others.
pub(super) struct ClientAddress(pub(super) IpAddr);

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let client = Client {
            trust_forwarded_for: app.trust_forwarded_for,
        };
        Ok(Self(client.address(&parts.headers, &parts.extensions)))
    }
}

/// Returns the address that the proxy added. Only the last address is the proxy's own; earlier ones
/// come from the client.
fn last_forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?;
    last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
}

/// Returns the first 64 bits of an IPv6 address, since its holder chooses the rest. Returns an IPv4
/// address unchanged.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => address.into(),
            None => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        },
        IpAddr::V4(_) => address,
    }
}

/// Share of the client of a request in its rate, for a request that stands for many.
#[derive(Clone)]
pub(super) struct Quota(Arc<dyn Fn(NonZeroU32) -> bool + Send + Sync>);

impl Quota {
    /// Counts further requests against the client's rate. Returns `false`, and counts none, if the
    /// client may not make that many now.
    pub(super) fn take(&self, further: u32) -> bool {
        NonZeroU32::new(further).is_none_or(|further| (self.0)(further))
    }
}

/// Limits the rate of each client's requests. Without a configured rate, there is no limit.
pub(super) fn per_client(router: Router, config: &ApiSection) -> Router {
    let client = Client {
        trust_forwarded_for: config.trust_forwarded_for,
    };
    let period = Duration::from_secs(1).checked_div(config.rate);
    let governor = period.and_then(|period| {
        GovernorConfigBuilder::default()
            .period(period)
            .burst_size(config.burst)
            .key_extractor(client)
            .finish()
    });
    let Some(governor) = governor.map(Arc::new) else {
        return router;
    };
    let (limiter, seen) = (Arc::clone(&governor), Arc::new(AtomicU64::new(1)));
    let layer = GovernorLayer::new(governor).error_handler(|error| {
        let seconds = match error {
            GovernorError::TooManyRequests { wait_time, .. } => wait_time + 1,
            _ => 1,
        };
        let detail = format!("too many requests; wait {seconds} s");
        Problem::new(&Kind::RATE_LIMITED, detail)
            .retry_after(seconds)
            .into_response()
    });
    router
        .layer(layer)
        .layer(from_fn(move |mut request: Request, next: Next| {
            if let Ok(key) = client.extract(&request) {
                let limiter = Arc::clone(limiter.limiter());
                let quota = move |further| {
                    let taken = limiter.check_key_n(&key, further);
                    taken.is_ok_and(|now| now.is_ok())
                };
                request.extensions_mut().insert(Quota(Arc::new(quota)));
            }
            if seen.fetch_add(1, Ordering::Relaxed).is_multiple_of(FORGET) {
                limiter.limiter().retain_recent();
            }
            next.run(request)
        }))
}

/// Limits the number of concurrent requests and the duration of each.
pub(super) async fn at_a_time(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.requests.try_acquire() else {
        return Problem::new(
            &Kind::OVERLOADED,
            "too many requests are being worked on; try again",
        )
        .retry_after(1)
        .into_response();
    };
    let is_paid = request.headers().contains_key(header::PAYMENT_SIGNATURE);
    let worked = tokio::time::timeout(app.timeout, next.run(request)).await;
    worked.unwrap_or_else(|_| {
        let limit = humantime::format_duration(app.timeout);
        if is_paid {
            let detail = format!(
                "the payment took longer than {limit}, and goes on; do not pay again, and repeat the request"
            );
            let problem = Problem::new(&Kind::PAYMENT_PENDING, detail);
            return problem.retry_after(rail::RETRY).into_response();
        }
        let detail = format!("the request took longer than {limit}; ask for less at a time");
        Problem::new(&Kind::TIMED_OUT, detail).into_response()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_is_identified_by_what_it_cannot_choose() {
        let mut headers = HeaderMap::new();
        assert_eq!(last_forwarded(&headers), None);
        headers.insert("x-forwarded-for", "1.1.1.1, 2.2.2.2".parse().unwrap());
        assert_eq!(last_forwarded(&headers), Some([2, 2, 2, 2].into()));
        headers.append("x-forwarded-for", "3.3.3.3".parse().unwrap());
        assert_eq!(last_forwarded(&headers), Some([3, 3, 3, 3].into()));
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:1.2.3.4"), "1.2.3.4");
        assert_eq!(of("1.2.3.4"), "1.2.3.4");
    }
}
