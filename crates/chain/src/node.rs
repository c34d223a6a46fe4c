//! The client of a node of the chain, over JSON-RPC: what cotrain needs of it, and why it refused.
//!
//! Requests that fail for a reason that may pass are sent again, with growing waits in between. Nothing that a node
//! says is taken for granted where it can be checked ([`Node::proved_storage`]).

mod error;
pub mod proof;

use std::{fmt, future::IntoFuture, sync::Once, time::Duration};

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_json_rpc::{RpcRecv, RpcSend};
use alloy_network::{Ethereum, TransactionBuilder};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_client::ClientBuilder;
use alloy_rpc_types_eth as rpc;
use alloy_transport::{TransportError, TransportResult};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use url::Url;

pub use self::error::NodeError;
use self::error::{Asked, classify};

/// How long is waited before a request is sent again for the first time; after that, twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait, whatever the node asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Blocks that the priority fee is taken from.
const FEE_BLOCKS: u64 = 10;
/// Of the transactions of a block, ordered by what they pay and weighted by gas, the one whose fee is taken: percent.
const FEE_PERCENTILE: f64 = 50.0;
/// Wei a unit of gas: the least that geth's block builders take by default.
const LEAST_PRIORITY: u128 = 1_000_000;

/// How a node is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeOptions {
    /// How long one request may take.
    pub timeout: Duration,
    /// How often a request is sent again where the node is not reached, takes too long, limits how much it is asked or
    /// has a fault of its own.
    pub retries: u32,
}

impl Default for NodeOptions {
    /// 10 seconds, 5 times.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 5,
        }
    }
}

/// A node of a chain. Clones share its connections.
#[derive(Clone)]
pub struct Node {
    provider: RootProvider<Ethereum>,
    url: Url,
    asked: Asked,
    retries: u32,
    chain_id: u64,
}

/// The state that is asked for: that after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// After the canonical block at this height.
    Number(u64),
    /// After the block with this hash.
    Hash(B256),
}

impl From<At> for BlockId {
    fn from(at: At) -> Self {
        match at {
            At::Number(number) => Self::number(number),
            At::Hash(hash) => Self::hash(hash),
        }
    }
}

/// A block of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The hash of the block before it.
    pub parent: B256,
    /// Its time, in Unix seconds.
    pub time: u64,
    /// Wei a unit of gas costs at least; 0 where the chain has no such fee.
    pub base_fee: u128,
}

/// An event, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLog {
    /// The height of its block.
    pub block: u64,
    /// The hash of its block.
    pub block_hash: B256,
    /// The hash of its transaction.
    pub transaction: B256,
    /// Its place among the events of its block.
    pub index: u64,
    /// The event.
    pub log: alloy_primitives::Log,
}

/// What a unit of gas costs, in wei (EIP-1559).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fees {
    /// What the next block takes away.
    pub base: u128,
    /// What the builder of a block gets.
    pub priority: u128,
}

impl Fees {
    /// The most to offer: enough while the base fee doubles, which takes at least six full blocks.
    #[must_use]
    pub fn max(&self) -> u128 {
        self.base.saturating_mul(2).saturating_add(self.priority)
    }
}

/// What an included transaction left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReceipt {
    /// Its hash.
    pub transaction: B256,
    /// The height of its block.
    pub block: u64,
    /// The hash of its block.
    pub block_hash: B256,
    /// Whether it did what it was to do; otherwise only its gas is spent.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Wei paid for a unit of gas.
    pub gas_price: u128,
    /// The contract created, if one was.
    pub created: Option<Address>,
    /// Its events, in order.
    pub logs: Vec<NodeLog>,
}

impl Node {
    /// Reaches the node at `url` (http:// or https://) and asks for its chain.
    ///
    /// # Errors
    /// [`NodeError::BadUrl`], or where the node does not answer.
    pub async fn connect(url: &Url, options: NodeOptions) -> Result<Self, NodeError> {
        let shown = display(url);
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(NodeError::BadUrl { url: shown });
        }
        let client = http_client(options.timeout).map_err(|error| NodeError::Unreachable {
            method: "eth_chainId",
            url: shown.clone(),
            reason: error.without_url().to_string(),
        })?;
        let client = ClientBuilder::default().http_with_client(client, url.clone());
        let mut node = Self {
            provider: RootProvider::new(client),
            url: url.clone(),
            asked: Asked {
                url: shown,
                timeout: options.timeout,
            },
            retries: options.retries,
            chain_id: 0,
        };
        let provider = &node.provider;
        node.chain_id = node.ask("eth_chainId", || provider.get_chain_id()).await?;
        Ok(node)
    }

    /// The chain that the node is of (EIP-155).
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Nothing where the node is of chain `wanted`.
    ///
    /// # Errors
    /// [`NodeError::WrongChain`] otherwise.
    pub fn expect_chain(&self, wanted: u64) -> Result<(), NodeError> {
        if self.chain_id == wanted {
            return Ok(());
        }
        Err(NodeError::WrongChain {
            url: self.display_url(),
            found: self.chain_id,
            wanted,
        })
    }

    /// Where the node is. It may hold a password or a key: show [`Node::display_url`].
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where the node is, without user, path and query, which are where keys are.
    #[must_use]
    pub fn display_url(&self) -> String {
        self.asked.url.clone()
    }

    /// The latest block.
    ///
    /// # Errors
    /// Where the node does not answer, or has no block.
    pub async fn head(&self) -> Result<Block, NodeError> {
        let latest = self.block_at(BlockNumberOrTag::Latest).await?;
        latest.ok_or_else(|| NodeError::UnknownBlock {
            method: "eth_getBlockByNumber",
            message: "latest".to_owned(),
        })
    }

    /// The canonical block at a height; none where the chain is not that long.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn block(&self, number: u64) -> Result<Option<Block>, NodeError> {
        self.block_at(number.into()).await
    }

    async fn block_at(&self, tag: BlockNumberOrTag) -> Result<Option<Block>, NodeError> {
        let block = self
            .ask("eth_getBlockByNumber", || {
                self.provider.get_block_by_number(tag)
            })
            .await?;
        Ok(block.map(|block| Block {
            number: block.header.number,
            hash: block.header.hash,
            parent: block.header.parent_hash,
            time: block.header.timestamp,
            base_fee: block.header.base_fee_per_gas.unwrap_or_default().into(),
        }))
    }

    /// The events of `addresses` with one of `topics` as their first, in the blocks from `from` to `to`, both included, in
    /// order. No address or no topic: any.
    ///
    /// # Errors
    /// [`NodeError::TooMuch`] where the node gives fewer at once: ask for half of the blocks. Or where it does not
    /// answer.
    pub async fn logs(
        &self,
        from: u64,
        to: u64,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let filter = filter(addresses, topics).from_block(from).to_block(to);
        self.filtered(&filter).await
    }

    /// The events of one block, by its hash, so that no reorganisation comes between.
    ///
    /// # Errors
    /// [`NodeError::UnknownBlock`] where the node does not have the block, or has forgotten it. Or where it does not
    /// answer.
    pub async fn logs_of(
        &self,
        block: B256,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let logs = self
            .filtered(&filter(addresses, topics).at_block_hash(block))
            .await?;
        // Some nodes, anvil among them, find no events in a block that they do not know.
        if logs.is_empty() {
            self.header(block).await?;
        }
        Ok(logs)
    }

    async fn filtered(&self, filter: &rpc::Filter) -> Result<Vec<NodeLog>, NodeError> {
        const METHOD: &str = "eth_getLogs";
        let found = self.ask(METHOD, || self.provider.get_logs(filter)).await?;
        let mut logs = found
            .into_iter()
            .filter(|log| !log.removed)
            .map(|log| located(METHOD, log))
            .collect::<Result<Vec<_>, _>>()?;
        logs.sort_unstable_by_key(|log| (log.block, log.index));
        Ok(logs)
    }

    /// The header of a block, as the node gives it.
    async fn header(&self, block: B256) -> Result<alloy_consensus::Header, NodeError> {
        const METHOD: &str = "eth_getBlockByHash";
        let found = self
            .ask(METHOD, || self.provider.get_block_by_hash(block))
            .await?;
        let found = found.ok_or_else(|| NodeError::UnknownBlock {
            method: METHOD,
            message: block.to_string(),
        })?;
        Ok(found.header.inner)
    }

    /// Runs a call and forgets what it did; none for `at`: after the latest block.
    ///
    /// # Errors
    /// [`NodeError::Reverted`] with the contract's reason. Or where the node does not answer, or does not have the
    /// state.
    pub async fn call(
        &self,
        to: Address,
        data: Vec<u8>,
        at: Option<At>,
    ) -> Result<Bytes, NodeError> {
        let request = rpc::TransactionRequest::default()
            .with_to(to)
            .with_input(data);
        self.run(request, at).await
    }

    /// The same, with a sender and `value` wei, which it must have.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn call_from(
        &self,
        from: Address,
        to: Address,
        value: U256,
        data: Vec<u8>,
        at: Option<At>,
    ) -> Result<Bytes, NodeError> {
        self.run(request(from, Some(to), value, data), at).await
    }

    async fn run(
        &self,
        request: rpc::TransactionRequest,
        at: Option<At>,
    ) -> Result<Bytes, NodeError> {
        let at = at.map_or(BlockId::latest(), BlockId::from);
        self.ask("eth_call", || self.provider.call(request.clone()).block(at))
            .await
    }

    /// Gas that a transaction would need after the latest block; none for `to`: `data` creates a contract.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn estimate(
        &self,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Vec<u8>,
    ) -> Result<u64, NodeError> {
        let request = request(from, to, value, data);
        self.ask("eth_estimateGas", || {
            self.provider
                .estimate_gas(request.clone())
                .block(BlockId::latest())
        })
        .await
    }

    /// The code of a contract; empty where there is none.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn code(&self, address: Address) -> Result<Bytes, NodeError> {
        self.ask("eth_getCode", || self.provider.get_code_at(address))
            .await
    }

    /// Wei that an account holds.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn balance(&self, address: Address) -> Result<U256, NodeError> {
        self.ask("eth_getBalance", || self.provider.get_balance(address))
            .await
    }

    /// How many transactions of an account are included: the next one's nonce, where none is waiting.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn nonce(&self, address: Address) -> Result<u64, NodeError> {
        self.ask("eth_getTransactionCount", || {
            self.provider.get_transaction_count(address)
        })
        .await
    }

    /// What a unit of gas costs now: the base fee of the next block, and the middle of what was paid above it in the
    /// last blocks.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn fees(&self) -> Result<Fees, NodeError> {
        let history = self
            .ask("eth_feeHistory", || {
                self.provider.get_fee_history(
                    FEE_BLOCKS,
                    BlockNumberOrTag::Latest,
                    &[FEE_PERCENTILE],
                )
            })
            .await?;
        Ok(fees(&history))
    }

    /// Hands a signed transaction to the node. One that the node or the chain has already is handed over too.
    ///
    /// # Errors
    /// [`NodeError::NonceTooLow`], [`NodeError::Underpriced`], [`NodeError::InsufficientFunds`], or where the node does
    /// not answer: then it may have the transaction all the same.
    pub async fn broadcast(&self, raw: &[u8]) -> Result<(), NodeError> {
        let sent = self
            .ask("eth_sendRawTransaction", || {
                self.provider.send_raw_transaction(raw)
            })
            .await;
        match sent {
            Ok(_) | Err(NodeError::AlreadyKnown) => Ok(()),
            // Perhaps its own: an answer that was lost, and it was included before it was sent again.
            Err(NodeError::NonceTooLow) if self.receipt(keccak256(raw)).await?.is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What a transaction left; none where it is not included.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub async fn receipt(&self, hash: B256) -> Result<Option<NodeReceipt>, NodeError> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let found = self
            .ask(METHOD, || self.provider.get_transaction_receipt(hash))
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let (Some(block), Some(block_hash)) = (found.block_number, found.block_hash) else {
            return Ok(None);
        };
        let logs = found.logs().iter().cloned();
        Ok(Some(NodeReceipt {
            transaction: found.transaction_hash,
            block,
            block_hash,
            success: found.status(),
            gas_used: found.gas_used,
            gas_price: found.effective_gas_price,
            created: found.contract_address.filter(|_| found.status()),
            logs: logs
                .map(|log| located(METHOD, log))
                .collect::<Result<_, _>>()?,
        }))
    }

    /// The values at `slots` of the storage of `address` after the block with this hash, proved: only the hash is
    /// trusted.
    ///
    /// # Errors
    /// [`NodeError::NotProved`] where the node's proof does not hold, [`NodeError::UnknownBlock`] or
    /// [`NodeError::StateGone`] where it cannot prove that state any more. Or where it does not answer.
    pub async fn proved_storage(
        &self,
        address: Address,
        slots: &[U256],
        hash: B256,
    ) -> Result<Vec<U256>, NodeError> {
        let header = self.header(hash).await?;
        let keys: Vec<_> = slots.iter().copied().map(B256::from).collect();
        let answer = self
            .ask("eth_getProof", || {
                self.provider.get_proof(address, keys.clone()).hash(hash)
            })
            .await?;
        proof::check(hash, &header, address, slots, &answer).map_err(|error| NodeError::NotProved {
            address,
            block: hash,
            reason: error.to_string(),
        })
    }

    /// A request by its name, for what nodes for development offer besides.
    pub(crate) async fn request<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        parameters: P,
    ) -> Result<R, NodeError> {
        self.ask(method, || {
            self.provider.raw_request(method.into(), parameters.clone())
        })
        .await
    }

    /// Sends a request, again where its failure may pass. alloy's own layer for that always waits equally long and
    /// keeps of the last error only its text.
    async fn ask<T, R>(&self, method: &'static str, request: impl Fn() -> R) -> Result<T, NodeError>
    where
        R: IntoFuture<Output = TransportResult<T>>,
    {
        let mut wait = FIRST_WAIT;
        let mut left = self.retries;
        loop {
            // What alloy traces has the whole address, with the key that may be in it.
            let answer = request()
                .into_future()
                .with_subscriber(NoSubscriber::default())
                .await;
            let failure = match answer {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let wished = wished(&failure);
            let error = classify(method, &self.asked, failure);
            if left == 0 || !error.is_transient() {
                return Err(error);
            }
            left -= 1;
            let now = wished.unwrap_or(wait).min(LONGEST_WAIT);
            tracing::debug!(%error, wait = ?now, left, "the node is asked again");
            tokio::time::sleep(now).await;
            wait *= 2;
        }
    }
}

/// Shows no key.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("url", &self.asked.url)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// The address without user, path and query.
fn display(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    format!("{}://{host}{}", url.scheme(), port.unwrap_or_default())
}

/// How long the node asks to wait.
fn wished(failure: &TransportError) -> Option<Duration> {
    failure.as_transport_err()?.retry_after()
}

/// An HTTP client for a node, which is never asked for anything else.
pub(crate) fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        // Where the program has chosen one already, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

fn filter(addresses: &[Address], topics: &[B256]) -> rpc::Filter {
    rpc::Filter::new()
        .address(addresses.to_vec())
        .event_signature(topics.to_vec())
}

fn request(
    from: Address,
    to: Option<Address>,
    value: U256,
    data: Vec<u8>,
) -> rpc::TransactionRequest {
    rpc::TransactionRequest::default()
        .with_from(from)
        .with_kind(to.map_or(TxKind::Create, TxKind::Call))
        .with_value(value)
        .with_input(data)
}

/// An event of an included transaction: its place is known.
fn located(method: &'static str, log: rpc::Log) -> Result<NodeLog, NodeError> {
    let place = (
        log.block_number,
        log.block_hash,
        log.transaction_hash,
        log.log_index,
    );
    let (Some(block), Some(block_hash), Some(transaction), Some(index)) = place else {
        return Err(NodeError::Malformed {
            method,
            message: "an event without its place".to_owned(),
        });
    };
    Ok(NodeLog {
        block,
        block_hash,
        transaction,
        index,
        log: log.inner,
    })
}

fn fees(history: &rpc::FeeHistory) -> Fees {
    // Blocks without transactions say zero.
    let rewards = history.reward.iter().flatten().flatten();
    let mut rewards: Vec<_> = rewards.copied().filter(|reward| *reward > 0).collect();
    rewards.sort_unstable();
    let middle = rewards.get(rewards.len() / 2).copied();
    Fees {
        // The last one is the next block's.
        base: history.base_fee_per_gas.last().copied().unwrap_or_default(),
        priority: middle.unwrap_or_default().max(LEAST_PRIORITY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priority_fee_is_the_middle_of_what_is_paid() {
        let history = |rewards: &[u128]| rpc::FeeHistory {
            base_fee_per_gas: vec![7, 8, 9],
            reward: Some(rewards.iter().map(|reward| vec![*reward]).collect()),
            ..Default::default()
        };
        let million = 1_000_000;
        let paid = fees(&history(&[0, 9 * million, 2 * million, 0, 3 * million]));
        assert_eq!(paid.base, 9);
        assert_eq!(paid.priority, 3 * million);
        assert_eq!(paid.max(), 18 + 3 * million);
        assert_eq!(fees(&history(&[0, 0])).priority, LEAST_PRIORITY);
        assert_eq!(fees(&rpc::FeeHistory::default()).base, 0);
    }

    #[test]
    fn an_address_is_shown_without_its_keys() {
        let url = |text| Url::parse(text).expect("a URL");
        let secret = url("https://user:password@node.example:8545/v3/key?token=x#y");
        assert_eq!(display(&secret), "https://node.example:8545");
        assert_eq!(display(&url("http://[::1]/k")), "http://[::1]");
    }
}
