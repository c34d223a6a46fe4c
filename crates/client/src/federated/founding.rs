//! Founding of a federated trainer: one list of its transactions, on a node's chain or to measure
//! them in this process.

use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, Bytes, Log, U256, keccak256};
use alloy_sol_types::SolCall;
use cotrain_bindings::{
    self as bindings, channels, events,
    federated::{self as contracts, FederatedTrainer, RewardToken, RoundTerms},
};
use cotrain_chain::{
    Chain, ChainError, Config, Embedded, Transaction,
    keys::Key,
    node::{Node, NodeError},
};
use cotrain_protocol::federated::Softmax;
use serde::Serialize;

use super::token::Token;
use crate::{
    card::{Card, CardError},
    deploy::{
        CLOSED, DeployError, DeployEvent, Done, MODEL, REGISTERED, REGISTRY, Silent, StepGas, Steps,
    },
    identity::Facts,
    journal::{Journal, JournalError},
    market::{TestSet, TestSetError},
    send::Sender,
};

const FACTORY: &str = "factory";
const MATH: &str = "round math";
const TRAINER: &str = "trainer";
const CLASSIFIER: &str = "classifier";
const TEST_TOKEN: &str = "test token";
const REWARD_TOKEN: &str = "reward token";
const MINTER: &str = "minter";
const MINTED: &str = "minted";
const APPROVED: &str = "approved";
const BOND: &str = "bond";
const TEST_SET: &str = "test set";

/// Federated trainer that is to be founded.
#[derive(Debug, Clone)]
pub struct Founding {
    /// Account that founds it and knows the test set.
    pub owner: Address,
    /// Shape of the model, which begins with zeros.
    pub model: Softmax,
    /// Terms of the rounds. The founding fills in the tokens.
    pub terms: RoundTerms,
    /// Token of stakes and bond; `None` creates a test token that anyone may mint, with the bond.
    pub stake_token: Option<Address>,
    /// Name and symbol of the reward token.
    pub reward: (String, String),
    /// Maximum supply of the reward token, in its smallest units.
    pub cap: u128,
    /// The card, without the block of the closing.
    pub card: Card,
    /// Encoded samples of each part of the test set.
    pub parts: Vec<Vec<u8>>,
    /// Registry of models; `None` for a new one.
    pub registry: Option<Address>,
}

/// Federated trainer that was founded, with its contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Founded {
    /// Contract that runs the rounds.
    pub trainer: Address,
    /// Contract that holds the model.
    pub classifier: Address,
    /// Registry that lists it.
    pub registry: Address,
    /// Token of stakes and bond.
    pub stake_token: Address,
    /// Token of rewards.
    pub reward_token: Address,
    /// Height of the block of the model's closing.
    pub block: u64,
}

/// Failure to found a trainer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoundError {
    /// A transaction was not done.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// The test set cannot be kept, so nothing was committed to.
    #[error(transparent)]
    TestSet(#[from] TestSetError),
    /// The chain in this process refused a step.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl From<Silent> for FoundError {
    fn from(error: Silent) -> Self {
        Self::Deploy(error.into())
    }
}

impl From<CardError> for FoundError {
    fn from(error: CardError) -> Self {
        Self::Deploy(error.into())
    }
}

impl Founding {
    /// Returns the facts that another run must share with this one to resume from its journal.
    ///
    /// # Errors
    /// If the card cannot be registered.
    pub fn facts(&self, chain: &str) -> Result<Facts, CardError> {
        let none = |address: Option<Address>| {
            address.map_or_else(|| "new".to_owned(), |address| address.to_string())
        };
        let card = self.card.closed_in(0).to_bytes()?;
        let facts = [
            ("chain", chain.to_owned()),
            ("owner", self.owner.to_string()),
            ("registry", none(self.registry)),
            ("stake token", none(self.stake_token)),
            ("parameters", format!("{:?}", self.model)),
            ("terms", format!("{:?}", self.terms)),
            ("reward", format!("{:?}, at most {}", self.reward, self.cap)),
            ("card", keccak256(card).to_string()),
            ("test set", keccak256(self.parts.concat()).to_string()),
        ];
        Ok(facts.map(|(name, value)| (name.to_owned(), value)).into())
    }

    /// Returns the shared code that the chain has already, by the names of its steps.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn reusable(&self, node: &Node) -> Result<Vec<&'static str>, NodeError> {
        let math = contracts::math_code();
        let at = bindings::deployed_at(&math);
        let mut found = Vec::new();
        for (name, code) in [
            (FACTORY, bindings::factory_code()),
            (MATH, math),
            (TRAINER, contracts::trainer_code(at)),
            (CLASSIFIER, contracts::model_code()),
            (TEST_TOKEN, channels::token_code()),
        ] {
            if !node.code(bindings::deployed_at(&code)).await?.is_empty() {
                found.push(name);
            }
        }
        if self.registry.is_some() {
            found.push(REGISTRY);
        }
        if self.stake_token.is_some() {
            found.extend([TEST_TOKEN, MINTED]);
        }
        Ok(found)
    }

    /// Founds the trainer, or goes on with what the journal has. The test set is in `file` before
    /// the chain has its commitments. Returns the trainer, the finished steps and the cost of their
    /// gas, in wei.
    ///
    /// # Errors
    /// [`FoundError`]. The same call goes on after it.
    pub async fn found(
        &self,
        sender: Sender<'_>,
        journal: Journal,
        file: &(dyn Fn(Address) -> PathBuf + Sync),
        report: &(dyn Fn(DeployEvent<'_>) + Sync),
    ) -> Result<(Founded, Vec<Done>, u128), FoundError> {
        let key = sender.key;
        let mut site = OnNode {
            steps: Steps::new(sender, journal, report),
            key,
            file,
        };
        let founded = found(&mut site, self).await?;
        let finished: Result<(), JournalError> = site.steps.finish(founded.trainer);
        finished.map_err(DeployError::from)?;
        Ok((founded, site.steps.done().to_vec(), site.steps.cost()))
    }
}

/// Measures the gas of each step on a chain in this process, with a test token.
///
/// # Errors
/// [`FoundError`].
pub async fn measure(founding: &Founding) -> Result<StepGas, FoundError> {
    let mut site = InProcess {
        chain: Embedded::new(Config {
            start: 1,
            gas_price: 0,
        }),
        owner: founding.owner,
        gas: Vec::new(),
    };
    let here = Founding {
        stake_token: None,
        registry: None,
        ..founding.clone()
    };
    found(&mut site, &here).await?;
    Ok(StepGas::new(site.gas))
}

/// Chain that a trainer is founded on.
trait Site {
    /// Returns the address of code that many trainers share.
    async fn shared(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError>;
    /// Creates a contract.
    async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError>;
    /// Calls a contract. Returns its events, and the height of the block.
    async fn call(
        &mut self,
        name: &str,
        to: Address,
        data: Bytes,
    ) -> Result<(Vec<Log>, u64), FoundError>;
    /// Makes the test set of a trainer, and keeps it.
    fn test_set(&mut self, trainer: Address, parts: &[Vec<u8>]) -> Result<Vec<B256>, TestSetError>;
}

/// Does all steps in order.
async fn found(site: &mut impl Site, founding: &Founding) -> Result<Founded, FoundError> {
    let registry = match founding.registry {
        Some(registry) => registry,
        None => site.create(REGISTRY, bindings::registry_code()).await?,
    };
    let factory = site.shared(FACTORY, bindings::factory_code()).await?;
    let math = site.shared(MATH, contracts::math_code()).await?;
    let code = contracts::trainer_code(math);
    let trainer_code = site.shared(TRAINER, code).await?;
    let model_code = site.shared(CLASSIFIER, contracts::model_code()).await?;
    let (name, symbol) = &founding.reward;
    let code = contracts::reward_token_code(name, symbol, founding.cap, founding.owner);
    let reward_token = site.create(REWARD_TOKEN, code).await?;
    let stake_token = match founding.stake_token {
        Some(token) => token,
        None => site.shared(TEST_TOKEN, channels::token_code()).await?,
    };
    let terms = RoundTerms {
        stake_token,
        reward_token,
        ..founding.terms
    };
    let create = contracts::create(trainer_code, &terms, model_code, &founding.model);
    let (logs, _) = site.call(MODEL, factory, create.into()).await?;
    let mut of_factory = logs.iter().filter(|log| log.address == factory);
    let created = of_factory.find_map(events::model_created);
    let created = created.ok_or(Silent { factory })?;
    let (trainer, classifier) = (created.trainer, created.classifier);
    let close = bindings::close(trainer).into();
    let (_, block) = site.call(CLOSED, classifier, close).await?;
    let minter = RewardToken::setTrainerCall { account: trainer };
    let minter = minter.abi_encode().into();
    site.call(MINTER, reward_token, minter).await?;
    let card = founding.card.closed_in(block).to_bytes()?;
    let register = bindings::register(trainer, &card).into();
    site.call(REGISTERED, registry, register).await?;
    let bond = founding.terms.bond;
    if founding.stake_token.is_none() {
        let mint = Token::mint(founding.owner, bond);
        site.call(MINTED, stake_token, mint).await?;
    }
    let approve = Token::approve(trainer, bond);
    site.call(APPROVED, stake_token, approve).await?;
    let amount = U256::from(bond);
    let deposit = FederatedTrainer::depositCall { amount };
    let deposit = deposit.abi_encode().into();
    site.call(BOND, trainer, deposit).await?;
    let commitments = site.test_set(trainer, &founding.parts)?;
    let commit = FederatedTrainer::commitTestCall { commitments };
    site.call(TEST_SET, trainer, commit.abi_encode().into())
        .await?;
    Ok(Founded {
        trainer,
        classifier,
        registry,
        stake_token,
        reward_token,
        block,
    })
}

/// Chain of a node.
struct OnNode<'a> {
    steps: Steps<'a>,
    key: &'a Key,
    file: &'a (dyn Fn(Address) -> PathBuf + Sync),
}

impl Site for OnNode<'_> {
    async fn shared(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError> {
        Ok(self.steps.shared(name, code).await?.address)
    }

    async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError> {
        Ok(self.steps.create(name, code).await?)
    }

    async fn call(
        &mut self,
        name: &str,
        to: Address,
        data: Bytes,
    ) -> Result<(Vec<Log>, u64), FoundError> {
        let receipt = self.steps.step(name, Some(to), data.to_vec()).await?;
        let logs = receipt.logs.into_iter().map(|log| log.log).collect();
        Ok((logs, receipt.block))
    }

    fn test_set(&mut self, trainer: Address, parts: &[Vec<u8>]) -> Result<Vec<B256>, TestSetError> {
        let chain_id = self.steps.sender().node.chain_id();
        let set = TestSet::of_parts(self.key, chain_id, trainer, parts);
        let file: PathBuf = (self.file)(trainer);
        set.save(Path::new(&file))?;
        Ok(set.commitments())
    }
}

/// Chain in this process.
struct InProcess {
    chain: Embedded,
    owner: Address,
    gas: Vec<(String, u64)>,
}

impl Site for InProcess {
    async fn shared(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError> {
        self.create(name, code).await
    }

    async fn create(&mut self, name: &str, code: Bytes) -> Result<Address, FoundError> {
        let receipt = self.chain.send(Transaction::create(self.owner, code))?;
        self.gas.push((name.to_owned(), receipt.gas_used));
        let missing = ChainError::UnexpectedAnswer { call: "create" };
        Ok(receipt.created.ok_or(missing)?)
    }

    async fn call(
        &mut self,
        name: &str,
        to: Address,
        data: Bytes,
    ) -> Result<(Vec<Log>, u64), FoundError> {
        let call = Transaction::call(self.owner, to, data.to_vec());
        let receipt = self.chain.send(call)?;
        self.gas.push((name.to_owned(), receipt.gas_used));
        Ok((receipt.logs, u64::from(u32::MAX)))
    }

    fn test_set(&mut self, trainer: Address, parts: &[Vec<u8>]) -> Result<Vec<B256>, TestSetError> {
        Ok(TestSet::of_parts(&Key::development(0), 0, trainer, parts).commitments())
    }
}
