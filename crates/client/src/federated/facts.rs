//! Facts of a federated trainer that never change.

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_bindings::{
    self as bindings,
    federated::{self as contracts, FederatedTrainer, RoundTerms, SoftmaxRegression},
};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_protocol::federated::Softmax;

use super::ask::ask;
use crate::model::{ReadError, Reader};

/// Number of 16-bit weights of a storage word.
const LANES: usize = 16;

/// Facts of a federated trainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundFacts {
    /// Id of the chain.
    pub chain_id: u64,
    /// Contract that runs the rounds.
    pub trainer: Address,
    /// Account that knows the test set.
    pub owner: Address,
    /// Contract that holds the model.
    pub classifier: Address,
    /// Terms of the rounds.
    pub terms: RoundTerms,
    /// Shape of the model.
    pub model: Softmax,
    /// `true` if trainer and model are clones of this release's code at its own addresses, and the
    /// model obeys this trainer alone.
    pub verified: bool,
}

/// Failure to read a federated trainer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoundsError {
    /// The node failed.
    #[error("cannot read the trainer {trainer} from the node")]
    Node {
        /// The trainer.
        trainer: Address,
        /// Failure of the node.
        source: NodeError,
    },
    /// The address has no federated trainer.
    #[error(
        "{trainer} is no trainer of federated rounds on chain {chain_id}; check the address and the chain, or name another \
         with --model"
    )]
    NoTrainer {
        /// The address.
        trainer: Address,
        /// Id of the chain.
        chain_id: u64,
    },
    /// The node's answers contradict each other.
    #[error(
        "the node's answers about the trainer {trainer} contradict each other: {reason}; try again, or use another node"
    )]
    Contradictory {
        /// The trainer.
        trainer: Address,
        /// The contradiction.
        reason: String,
    },
}

impl RoundFacts {
    /// Reads the facts of a trainer from its code.
    ///
    /// # Errors
    /// [`RoundsError`].
    pub async fn read(node: &Node, trainer: Address) -> Result<Self, RoundsError> {
        let chain_id = node.chain_id();
        let failed = |source| RoundsError::Node { trainer, source };
        let missing = RoundsError::NoTrainer { trainer, chain_id };
        let code = node.code(trainer).await.map_err(failed)?;
        let Some(arguments) = contracts::read_trainer(&code) else {
            return Err(missing);
        };
        let model_code = node.code(arguments.classifier).await.map_err(failed)?;
        let Some(model) = contracts::read_model(&model_code) else {
            return Err(missing);
        };
        let described = SoftmaxRegression::describeCall {};
        let described = ask(node, arguments.classifier, &described, None).await;
        let own = bindings::implementation_of(&code) == Some(trainer_implementation())
            && bindings::implementation_of(&model_code)
                == Some(bindings::deployed_at(&contracts::model_code()));
        Ok(Self {
            chain_id,
            trainer,
            owner: arguments.owner,
            classifier: arguments.classifier,
            terms: arguments.terms,
            model,
            verified: own && described.map_err(failed)?.trainer == trainer,
        })
    }

    /// Reads version and weights of the model at the latest block, which must belong together.
    ///
    /// # Errors
    /// [`RoundsError`].
    pub async fn weights(&self, node: &Node) -> Result<(u64, Vec<i16>), RoundsError> {
        let trainer = self.trainer;
        let failed = |source| RoundsError::Node { trainer, source };
        let head = node.head().await.map_err(failed)?;
        let at = Some(At::Hash(head.hash));
        let status = ask(node, trainer, &FederatedTrainer::statusCall {}, at);
        let version = status.await.map_err(failed)?.version;
        let count = self.model.parameters().div_ceil(LANES);
        let reader = Reader::new(node, trainer, at);
        let words = reader.words(self.classifier, count).await;
        let words = words.map_err(|error| match error {
            ReadError::Node { source, .. } => failed(source),
            other => RoundsError::Contradictory {
                trainer,
                reason: other.to_string(),
            },
        })?;
        let asked = FederatedTrainer::modelOfCall { version };
        let root = ask(node, trainer, &asked, at).await.map_err(failed)?;
        let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        // The owner wrote version 0, of which the contract has no hash.
        if root != B256::ZERO && root != keccak256(bytes) {
            return Err(RoundsError::Contradictory {
                trainer,
                reason: format!("the weights are not those of version {version}"),
            });
        }
        let mut weights: Vec<i16> = words.iter().flat_map(lanes).collect();
        weights.truncate(self.model.parameters());
        Ok((version.saturating_to(), weights))
    }
}

/// Returns the address that this release's trainer has on chains with the CREATE2 deployer.
fn trainer_implementation() -> Address {
    let math = bindings::deployed_at(&contracts::math_code());
    bindings::deployed_at(&contracts::trainer_code(math))
}

/// Returns the 16-bit numbers of a storage word, the lowest first.
fn lanes(word: &U256) -> impl Iterator<Item = i16> + use<> {
    let bytes = word.to_le_bytes::<32>();
    let (pairs, _) = bytes.as_chunks::<2>();
    let numbers: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    numbers.into_iter()
}
