//! State common to all handlers.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use cotrain_client::api::Account;
use cotrain_indexer::{HostedMarket, HostedModel, Index};
use cotrain_relayer::Relayer;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{kinds::Kind, planning::Plans, problem::Problem};
use crate::{
    config::ApiSection, coordinator::Coordinator, encoders::Encoders, labels::Labels,
    simulations::Simulations,
};

/// Maximum number of bodies with reads of the chain that are worked on at the same time. The answers
/// to each may have 4 MiB.
const READS: usize = 32;

/// Coordinator with the limits of its API; cheap to clone.
#[derive(Clone)]
pub(super) struct App(Arc<Shared>);

pub(super) struct Shared {
    pub(super) coordinator: Coordinator,
    /// Permits for running requests, except for streams.
    pub(super) requests: Semaphore,
    /// Permits for streams.
    pub(super) streams: Arc<Semaphore>,
    pub(super) timeout: Duration,
    pub(super) max_page: u32,
    pub(super) metrics: bool,
    /// Bounds of plans; `None` if none are made.
    pub(super) plans: Option<Plans>,
    /// Permits for reads of the chain that are forwarded; `None` if none are.
    pub(super) rpc: Option<Semaphore>,
    /// Whether the last address of `X-Forwarded-For` is the client's.
    pub(super) trust_forwarded_for: bool,
    /// Signal to end the streams, which would otherwise keep the server running.
    pub(super) stop: CancellationToken,
}

impl App {
    pub(super) fn new(
        coordinator: Coordinator,
        config: &ApiSection,
        stop: &CancellationToken,
    ) -> Self {
        Self(Arc::new(Shared {
            coordinator,
            requests: Semaphore::new(config.concurrency),
            streams: Arc::new(Semaphore::new(config.max_streams)),
            timeout: config.timeout,
            max_page: config.max_page,
            metrics: config.metrics,
            plans: Plans::new(config.max_plan_bytes),
            rpc: config.rpc.then(|| Semaphore::new(READS)),
            trust_forwarded_for: config.trust_forwarded_for,
            stop: stop.clone(),
        }))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Shared {
    pub(super) fn index(&self) -> &Index {
        self.coordinator.index()
    }

    pub(super) fn relayer(&self) -> &Relayer {
        self.coordinator.relayer()
    }

    pub(super) fn simulations(&self) -> &Simulations {
        self.coordinator.simulations()
    }

    pub(super) fn labels(&self) -> &Labels {
        self.coordinator.labels()
    }

    /// Returns the folder of the sweeps that anyone may see; `None` if there is none.
    pub(super) fn sweeps(&self) -> Option<PathBuf> {
        self.simulations().sweeps().map(Path::to_owned)
    }

    pub(super) fn encoders(&self) -> &Encoders {
        self.coordinator.encoders()
    }

    /// Returns the model of a trainer.
    pub(super) fn model(&self, trainer: &Account) -> Result<Arc<HostedModel>, Problem> {
        self.index().model(trainer.0).ok_or_else(|| {
            let detail = if self.index().market(trainer.0).is_some() {
                format!("{trainer} is a prediction market, not a model with deposits and claims; ask for /v1/markets/{trainer}")
            } else {
                format!("no model with the trainer {trainer} is followed here; /v1/models lists those that are")
            };
            Problem::new(&Kind::UNKNOWN_MODEL, detail).with("trainer", trainer.to_string())
        })
    }

    /// Returns the market at an address.
    pub(super) fn market(&self, market: &Account) -> Result<Arc<HostedMarket>, Problem> {
        self.index().market(market.0).ok_or_else(|| {
            let detail = if self.index().model(market.0).is_some() {
                format!("{market} is a model with deposits and claims, not a prediction market; ask for /v1/models/{market}")
            } else {
                format!("no market at {market} is followed here; /v1/markets lists those that are")
            };
            Problem::new(&Kind::UNKNOWN_MARKET, detail).with("market", market.to_string())
        })
    }

    /// Returns the time of the chain, in Unix seconds.
    pub(super) fn now(&self) -> u64 {
        self.index().now()
    }
}
