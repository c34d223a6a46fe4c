//! The facts of a model that never change, and its first weights.

use std::ops::Deref;

use alloy_primitives::{Address, U256};
use cotrain_bindings::{self as bindings, state as getters};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_client::{
    card::PublishedCard,
    described::DescribedModel,
    market::MarketError,
    model::{ReadError, Reader},
    registry::NoCard,
};
use cotrain_protocol::{ContractError, mechanism::Mechanism};

use crate::{
    store::StoreError,
    taken::{Beginning, Cursor, TakeError},
};

/// A described model on a chain, with the first block whose events the follower reads.
#[derive(Debug, Clone)]
pub struct ModelInfo {
    /// Facts and card.
    pub described: DescribedModel,
    /// Registered bytes of the card, or the reason why there is none.
    pub published: Result<PublishedCard, NoCard>,
    /// Number of the block in which the owner closed the model; no contribution is earlier.
    pub from_block: u64,
}

/// Gives access to facts and card: only the first block is added to the described model.
impl Deref for ModelInfo {
    type Target = DescribedModel;

    fn deref(&self) -> &DescribedModel {
        &self.described
    }
}

/// Reason why a model cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The node failed.
    #[error("cannot read the model {trainer} from the node")]
    Node {
        /// Trainer of the model.
        trainer: Address,
        /// Cause.
        source: NodeError,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node has deleted events that the follower needs.
    #[error(
        "the node does not have the events of block {block}, and the model {trainer}, closed in block {from_block}, needs all events since its creation; use a node that keeps them; an archive of old states is not needed"
    )]
    History {
        /// Trainer of the model.
        trainer: Address,
        /// First block that is needed.
        block: u64,
        /// Block in which the model was closed.
        from_block: u64,
        /// The node's refusal.
        source: Box<NodeError>,
    },
    /// The model cannot be read, and the node is not the cause.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// The contract's mechanism has no deposits and claims.
    #[error("{trainer} is a {}; expected a model with deposits and claims", mechanism.description().title)]
    NoTrainer {
        /// Address of the contract.
        trainer: Address,
        /// Its mechanism.
        mechanism: Mechanism,
    },
    /// The owner had not closed the model in the first block.
    #[error(
        "the model {trainer} was not closed in block {block}; wait until its owner has closed it, or name a later block to begin with"
    )]
    Open {
        /// Trainer of the model.
        trainer: Address,
        /// Number of the block.
        block: u64,
    },
    /// The model had contributions before the block that should be the first.
    #[error(
        "the model {trainer} has {contributions} contributions in block {block} already, so its first weights cannot be read; name the block in which it was closed, if that is another one"
    )]
    Late {
        /// Trainer of the model.
        trainer: Address,
        /// Number of the first block.
        block: u64,
        /// Number of contributions before it.
        contributions: u64,
    },
    /// Neither the caller nor the card says in which block the model was closed.
    #[error(
        "cannot tell in which block the model {trainer} was closed: the registry has no card of it that says so; name its registry with --registry, or, in a configuration, set `from_block`"
    )]
    NoBeginning {
        /// Trainer of the model.
        trainer: Address,
    },
    /// The model is registered, but no caller has named it, and it fails a condition.
    #[error(
        "the model {trainer} is registered and passed over: {reason}; name it in `models` to follow it all the same"
    )]
    PassedOver {
        /// Trainer of the model.
        trainer: Address,
        /// Reason why it is passed over, as text.
        reason: String,
    },
    /// The weights do not fit the model's parameters.
    #[error("the weights of the model {trainer} do not fit its parameters")]
    Weights {
        /// Trainer of the model.
        trainer: Address,
        /// Cause.
        source: ContractError,
    },
    /// The market cannot be followed.
    #[error(transparent)]
    Market(Box<MarketError>),
    /// A log contradicts the known state.
    #[error(transparent)]
    Take(#[from] TakeError),
}

impl From<ReadError> for ModelError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Node { trainer, source } => Self::Node { trainer, source },
            other => Self::Read(Box::new(other)),
        }
    }
}

impl From<MarketError> for ModelError {
    fn from(error: MarketError) -> Self {
        Self::Market(Box::new(error))
    }
}

impl ModelInfo {
    /// Sets the first block to follow; `from_block` is required if there is no card.
    ///
    /// # Errors
    /// [`ModelError::NoBeginning`].
    pub fn new(
        described: DescribedModel,
        published: Result<PublishedCard, NoCard>,
        from_block: Option<u64>,
    ) -> Result<Self, ModelError> {
        let trainer = described.facts.trainer;
        let card = described.card.as_ref();
        let from_block = from_block.or(card.map(|card| card.from_block));
        let from_block = from_block.ok_or(ModelError::NoBeginning { trainer })?;
        if let Some(contradiction) = &described.contradiction {
            tracing::warn!(%trainer, "{contradiction}: no samples are made by the card");
        }
        Ok(Self {
            described,
            published,
            from_block,
        })
    }

    /// Returns the word for contracts of the mechanism.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.facts.terms.mechanism().description().word
    }

    /// Returns the error for a contract without deposits and claims, if a caller needs them.
    pub(crate) fn no_trainer(&self) -> ModelError {
        ModelError::NoTrainer {
            trainer: self.facts.trainer,
            mechanism: self.facts.terms.mechanism(),
        }
    }

    /// Returns the error of a node that did not return events from `block` on.
    pub(crate) fn no_history(&self, block: u64, source: NodeError) -> ModelError {
        let trainer = self.facts.trainer;
        match source {
            NodeError::HistoryGone { .. } => ModelError::History {
                trainer,
                block,
                from_block: self.from_block,
                source: Box::new(source),
            },
            source => ModelError::Node { trainer, source },
        }
    }

    /// Returns the block in which the model was closed.
    ///
    /// # Errors
    /// [`ModelError::Open`] if the chain does not have the block yet, or if the node fails.
    pub(crate) async fn first_block(&self, node: &Node) -> Result<Cursor, ModelError> {
        let (trainer, block) = (self.facts.trainer, self.from_block);
        let first = node.block(block).await;
        let first = first.map_err(|source| self.no_history(block, source))?;
        let hash = first.ok_or(ModelError::Open { trainer, block })?.hash;
        Ok(Cursor { block, hash })
    }

    /// Reads the first weights of a closed model.
    ///
    /// They are the weights after the block of the closing.
    /// If the node has no state so old, they are the present weights.
    ///
    /// # Errors
    /// [`ModelError::Open`], [`ModelError::Late`], or if the node fails.
    pub(crate) async fn beginning(&self, node: &Node) -> Result<(Cursor, Beginning), ModelError> {
        let (trainer, block) = (self.facts.trainer, self.from_block);
        let from = self.first_block(node).await?;
        let read = self.state_at(node, from).await;
        let (contributions, time, words) = match read {
            Err(ModelError::Node { source, .. }) if source.is_state_gone() => {
                tracing::info!(%trainer, block, "the node has forgotten the state of the block in which the model was closed; beginning with its present weights");
                let (base, words, time) = self.present(node).await?;
                let beginning = Beginning {
                    base: Some(base),
                    words,
                    time,
                };
                return Ok((from, beginning));
            }
            read => read?,
        };
        if contributions != 0 {
            return Err(ModelError::Late {
                trainer,
                block,
                contributions,
            });
        }
        let beginning = Beginning {
            base: None,
            words,
            time,
        };
        Ok((from, beginning))
    }

    /// Reads the latest weights, with their block and the time of the last contribution.
    /// The node needs no old state for this.
    ///
    /// # Errors
    /// [`ModelError::Open`], or if the node fails.
    pub(crate) async fn present(
        &self,
        node: &Node,
    ) -> Result<(Cursor, Vec<U256>, u64), ModelError> {
        /// Maximum number of attempts: a node without old states may drop the state during a read.
        const TRIES: u32 = 5;
        let trainer = self.facts.trainer;
        let mut tries = 1;
        loop {
            let head = node.head().await;
            let head = head.map_err(|source| ModelError::Node { trainer, source })?;
            let base = Cursor {
                block: head.number,
                hash: head.hash,
            };
            match self.state_at(node, base).await {
                Ok((_, time, words)) => return Ok((base, words, time)),
                Err(ModelError::Node {
                    source: NodeError::StateGone { .. } | NodeError::UnknownBlock { .. },
                    ..
                }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns `true` if the model's initialization is closed, after a block or now.
    ///
    /// # Errors
    /// If the node fails.
    pub(crate) async fn is_closed(&self, node: &Node, at: Option<At>) -> Result<bool, ModelError> {
        let (trainer, classifier) = (self.facts.trainer, self.facts.classifier);
        match node.call(classifier, bindings::describe(), at).await {
            Ok(answer) => {
                let found = bindings::read_description(&answer);
                Ok(found.is_ok_and(|found| found.trainer == Some(trainer)))
            }
            Err(NodeError::Reverted { .. }) => Ok(false),
            Err(source) => Err(ModelError::Node { trainer, source }),
        }
    }

    /// Reads the number of contributions, the time of the last one and the weights after a block.
    async fn state_at(
        &self,
        node: &Node,
        block: Cursor,
    ) -> Result<(u64, u64, Vec<U256>), ModelError> {
        let trainer = self.facts.trainer;
        let at = Some(At::Hash(block.hash));
        let open = ModelError::Open {
            trainer,
            block: block.block,
        };
        if !self.is_closed(node, at).await? {
            return Err(open);
        }
        let reader = Reader::new(node, trainer, at);
        let contributions = reader
            .number("contributionCount", getters::contribution_count())
            .await?;
        let time = reader
            .number("lastContributionTime", getters::last_contribution_time())
            .await?;
        let words = self.facts.words(node, at).await?;
        Ok((contributions, time, words))
    }
}
