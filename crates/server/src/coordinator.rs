//! Coordinator: an index with a relayer, and the flag for the leading process.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::Address;
use cotrain_indexer::Index;
use cotrain_relayer::Relayer;

use crate::{
    encoders::Encoders, labels::Labels, payments::facilitator::Facilitator,
    simulations::Simulations,
};

/// Condition of a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// `true` if this process leads: it indexes and sends.
    pub leader: bool,
    /// Condition of its index.
    pub index: cotrain_indexer::Health,
}

/// Index of models and relayer of their contributors' submissions; cheap to clone.
#[derive(Debug, Clone)]
pub struct Coordinator {
    relayer: Relayer,
    encoders: Encoders,
    registry: Option<Address>,
    simulations: Simulations,
    labels: Labels,
    facilitator: Option<Facilitator>,
    leads: Arc<AtomicBool>,
}

impl Coordinator {
    /// Creates a coordinator, which does not lead yet and has no tables of word vectors but the one
    /// that is part of the program.
    #[must_use]
    pub fn new(relayer: Relayer) -> Self {
        Self::with_encoders(relayer, Encoders::default())
    }

    /// Creates a coordinator that serves tables of word vectors. Its index gives them to models
    /// ([`Index::with_tables`]).
    #[must_use]
    pub fn with_encoders(relayer: Relayer, encoders: Encoders) -> Self {
        Self {
            relayer,
            encoders,
            registry: None,
            simulations: Simulations::default(),
            labels: Labels::default(),
            facilitator: None,
            leads: Arc::default(),
        }
    }

    /// Names the registry whose models the coordinator follows.
    #[must_use]
    pub fn following(self, registry: Option<Address>) -> Self {
        Self { registry, ..self }
    }

    /// Returns the registry whose models the coordinator follows, if it follows one.
    #[must_use]
    pub fn registry(&self) -> Option<Address> {
        self.registry
    }

    /// Lets the coordinator run simulations; without this it runs none.
    #[must_use]
    pub fn with_simulations(mut self, simulations: Simulations) -> Self {
        self.simulations = simulations;
        self
    }

    /// Lets the coordinator open labeling sessions; without this it opens none.
    #[must_use]
    pub fn with_labels(mut self, labels: Labels) -> Self {
        self.labels = labels;
        self
    }

    /// Lets the coordinator settle payments for other servers; without this it settles none.
    #[must_use]
    pub fn with_facilitator(mut self, facilitator: Option<Facilitator>) -> Self {
        self.facilitator = facilitator;
        self
    }

    /// Returns the index of the models.
    #[must_use]
    pub fn index(&self) -> &Index {
        self.relayer.index()
    }

    /// Returns the relayer.
    #[must_use]
    pub fn relayer(&self) -> &Relayer {
        &self.relayer
    }

    /// Returns the tables of word vectors.
    #[must_use]
    pub fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// Returns the simulations that clients have asked for.
    #[must_use]
    pub fn simulations(&self) -> &Simulations {
        &self.simulations
    }

    /// Returns the labeling sessions.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// Returns the facilitator of payments; `None` if it is off.
    #[must_use]
    pub fn facilitator(&self) -> Option<&Facilitator> {
        self.facilitator.as_ref()
    }

    /// Records whether this process leads.
    pub(crate) fn set_leader(&self, leads: bool) {
        self.leads.store(leads, Ordering::Relaxed);
    }

    /// Returns the condition of the coordinator and its index.
    pub async fn health(&self) -> Health {
        Health {
            leader: self.leads.load(Ordering::Relaxed),
            index: self.index().health().await,
        }
    }
}
