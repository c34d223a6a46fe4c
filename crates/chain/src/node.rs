//! JSON-RPC client of a node of the chain.
//!
//! If a request fails for a reason that may pass, the client sends it again after growing waits.
//! It verifies a node's answers where it can ([`Node::proved_storage`]).

mod error;
mod forward;
pub mod proof;
mod ranges;

use std::{
    fmt,
    future::IntoFuture,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_json_rpc::{RpcRecv, RpcSend};
use alloy_network::{Ethereum, TransactionBuilder};
use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, TxKind, U64, U256, keccak256};
use alloy_provider::{Provider, RootProvider};
use alloy_rpc_client::ClientBuilder;
use alloy_rpc_types_eth as rpc;
use alloy_transport::{TransportError, TransportResult};
use serde::Deserialize;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use url::Url;

pub use self::{error::NodeError, forward::Refusal};
use self::{
    error::{Asked, classify},
    ranges::Ranges,
};

/// Wait before a request is sent again for the first time. It doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Maximum wait, also if the node asks for more.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Number of blocks that the priority fee is derived from.
const FEE_BLOCKS: u64 = 10;
/// Percentile of a block's priority fees, weighted by gas.
const FEE_PERCENTILE: f64 = 50.0;
/// Minimum priority fee in wei for a unit of gas: the default minimum of geth's block builders.
const LEAST_PRIORITY: u128 = 1_000_000;
/// Number of retries after a malformed answer.
///
/// A cut answer may be right the next time, but a page of another server never is.
const MALFORMED_RETRIES: u32 = 2;
/// Number of consecutive blocks whose bloom filter contradicts all their logs, after which the
/// client ignores bloom filters.
///
/// On some chains they cover more than the logs.
const STRANGE_BLOOMS: u32 = 8;

/// Options for requests to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeOptions {
    /// Timeout of one request.
    pub timeout: Duration,
    /// Maximum number of retries of a request.
    ///
    /// The client retries if the node is unreachable, too slow, rate-limited or has a fault of its
    /// own.
    pub retries: u32,
}

impl Default for NodeOptions {
    /// Returns a timeout of 10 seconds and 5 retries.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 5,
        }
    }
}

/// JSON-RPC client of one node. Clones share the connection pool.
#[derive(Clone)]
pub struct Node {
    provider: RootProvider<Ethereum>,
    url: Url,
    asked: Asked,
    retries: u32,
    chain_id: u64,
    learned: Arc<Learned>,
}

/// Facts that the client has learned about a node.
#[derive(Debug, Default)]
struct Learned {
    ranges: Mutex<Ranges>,
    /// `true` from a failed request until the next successful one.
    silent: AtomicBool,
    /// Number of consecutive blocks whose bloom filter contradicts all their logs.
    strange_blooms: AtomicU32,
}

impl Learned {
    fn ranges(&self) -> MutexGuard<'_, Ranges> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Header fields that cotrain needs. A node may leave out all others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
    base_fee_per_gas: Option<U256>,
    /// Bloom filter as the node gives it: `None`, empty or all zeros if it keeps none.
    logs_bloom: Option<Bytes>,
}

impl Header {
    /// Returns the bloom filter of the block's logs, if the node keeps one.
    fn bloom(&self) -> Option<Bloom> {
        let bloom = self.logs_bloom.as_ref()?;
        let bloom = (bloom.len() == 256).then(|| Bloom::from_slice(bloom))?;
        (!bloom.is_zero()).then_some(bloom)
    }
}

impl From<&Header> for Block {
    fn from(header: &Header) -> Self {
        Self {
            number: header.number.to(),
            hash: header.hash,
            parent: header.parent_hash,
            time: header.timestamp.to(),
            base_fee: header.base_fee_per_gas.unwrap_or_default().saturating_to(),
        }
    }
}

/// Fields of the block that a node is building.
#[derive(Debug, Deserialize)]
struct Pending {
    number: Option<U64>,
    timestamp: U64,
}

/// State to read: the state after a block.
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
    /// Height of the block.
    pub number: u64,
    /// Hash of the block.
    pub hash: B256,
    /// Hash of the block before it.
    pub parent: B256,
    /// Time of the block, in Unix seconds.
    pub time: u64,
    /// Minimum price of a unit of gas, in wei; 0 if the chain has no such fee.
    pub base_fee: u128,
}

/// An event and its position on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLog {
    /// Height of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Hash of its transaction.
    pub transaction: B256,
    /// Index among the events of its block.
    pub index: u64,
    /// The event.
    pub log: alloy_primitives::Log,
}

/// Price of a unit of gas, in wei (EIP-1559).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GasFees {
    /// Base fee, which the next block burns.
    pub base: u128,
    /// Priority fee, which the builder of the block gets.
    pub priority: u128,
}

impl GasFees {
    /// Returns the maximum fee to offer.
    ///
    /// It suffices until the base fee has doubled, which takes at least six full blocks.
    #[must_use]
    pub fn max(&self) -> u128 {
        self.base.saturating_mul(2).saturating_add(self.priority)
    }
}

/// Result of an included transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeReceipt {
    /// Hash of the transaction.
    pub transaction: B256,
    /// Height of its block.
    pub block: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Whether the transaction succeeded. If it failed, only its gas is spent.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Price paid for a unit of gas, in wei.
    pub gas_price: u128,
    /// Address of the created contract; `None` if none was created.
    pub created: Option<Address>,
    /// Events of the transaction, in order.
    pub logs: Vec<NodeLog>,
}

impl Node {
    /// Connects to the node at `url` (http:// or https://) and asks for its chain id.
    ///
    /// # Errors
    /// [`NodeError::BadUrl`], or if the node does not answer.
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
            learned: Arc::default(),
        };
        let provider = &node.provider;
        node.chain_id = node.ask("eth_chainId", || provider.get_chain_id()).await?;
        Ok(node)
    }

    /// Returns the id of the node's chain (EIP-155).
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// Checks that the node serves chain `wanted`.
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

    /// Returns the node's address. It may hold a password or a key: show [`Node::display_url`]
    /// instead.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the node's address without user, path and query, which may hold keys.
    #[must_use]
    pub fn display_url(&self) -> String {
        self.asked.url.clone()
    }

    /// Returns the latest block.
    ///
    /// # Errors
    /// If the node does not answer, or has no block.
    pub async fn head(&self) -> Result<Block, NodeError> {
        let latest = self.block_at(BlockNumberOrTag::Latest).await?;
        latest.ok_or_else(|| NodeError::UnknownBlock {
            method: "eth_getBlockByNumber",
            message: "latest".to_owned(),
        })
    }

    /// Returns the canonical block at a height, or `None` if the chain is shorter.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn block(&self, number: u64) -> Result<Option<Block>, NodeError> {
        self.block_at(number.into()).await
    }

    async fn block_at(&self, tag: BlockNumberOrTag) -> Result<Option<Block>, NodeError> {
        let found: Option<Header> = self.request("eth_getBlockByNumber", (tag, false)).await?;
        let block = found.as_ref().map(Block::from);
        if let (Some(block), BlockNumberOrTag::Number(number)) = (block, tag)
            && block.number != number
        {
            return Err(NodeError::Contradictory {
                method: "eth_getBlockByNumber",
                message: format!(
                    "asked for block {number}, the node gave block {}",
                    block.number
                ),
            });
        }
        Ok(block)
    }

    /// Returns the time of the next block in Unix seconds, as far as the node reports it.
    ///
    /// It is the time of the block that the node is building, or else of its latest block.
    /// Contracts use the time of the block, never this machine's.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn now(&self) -> Result<u64, NodeError> {
        let latest = self.head().await?;
        Ok(self.now_after(&latest).await)
    }

    /// Returns the time of the block after `latest`, like [`now`](Self::now).
    pub async fn now_after(&self, latest: &Block) -> u64 {
        let pending: Result<Option<Pending>, _> = self
            .request("eth_getBlockByNumber", (BlockNumberOrTag::Pending, false))
            .await;
        // Many nodes build no block: they answer nothing, an error or their latest block.
        match pending {
            Ok(Some(Pending {
                number: Some(number),
                timestamp,
            })) if number.to::<u64>() == latest.number + 1 => {
                timestamp.to::<u64>().max(latest.time)
            }
            _ => latest.time,
        }
    }

    /// Returns the events of `addresses` whose first topic is one of `topics`, in order.
    ///
    /// They are in the blocks from `from` to `to`, both included. No address or no topic means any.
    ///
    /// # Errors
    /// [`NodeError::TooMuch`] if the node gives fewer at once: use [`logs_from`](Self::logs_from).
    /// Or if it does not answer.
    pub async fn logs(
        &self,
        from: u64,
        to: u64,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let asked = filter(addresses, topics).from_block(from).to_block(to);
        let mut logs = self.filtered(&asked, addresses, topics).await?;
        logs.retain(|log| (from..=to).contains(&log.block));
        Ok(logs)
    }

    /// Returns the events of one contract whose first topic is one of `topics`, and whose indexed
    /// fields begin with `indexed`.
    ///
    /// They are in the last blocks up to `to` that the node gives at once. The first of these blocks
    /// comes with them. Widths are learned as by [`logs_from`](Self::logs_from).
    ///
    /// # Errors
    /// As [`logs_from`](Self::logs_from).
    pub async fn logs_back(
        &self,
        to: u64,
        address: Address,
        topics: &[B256],
        indexed: [B256; 2],
    ) -> Result<(Vec<NodeLog>, u64), NodeError> {
        loop {
            let width = self.learned.ranges().width();
            let first = (to + 1).saturating_sub(width);
            let asked = filter(&[address], topics).from_block(first).to_block(to);
            let asked = asked.topic1(indexed[0]).topic2(indexed[1]);
            let answer = self.filtered(&asked, &[address], topics).await;
            if let Some(mut logs) = self.learn_range(first, to, answer)? {
                // The client does not trust a node's filter.
                logs.retain(|log| {
                    (first..=to).contains(&log.block)
                        && log.log.topics().get(1..3) == Some(&indexed)
                });
                return Ok((logs, first));
            }
        }
    }

    /// Returns the events of [`logs`](Self::logs) that the node gives at once, and the last block
    /// that they cover.
    ///
    /// That block is at most `to`. If the node refuses more than one block, the client asks for
    /// half of them.
    /// It does not if the refusal is known to have another reason. It remembers the width that the
    /// node answers.
    ///
    /// # Errors
    /// If the node refuses even one block, or for a reason that fewer blocks do not mend.
    pub async fn logs_from(
        &self,
        from: u64,
        to: u64,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<(Vec<NodeLog>, u64), NodeError> {
        loop {
            let width = self.learned.ranges().width();
            let last = to.min(from.saturating_add(width - 1));
            let answer = self.logs(from, last, addresses, topics).await;
            if let Some(logs) = self.learn_range(from, last, answer)? {
                return Ok((logs, last));
            }
        }
    }

    /// Learns from the answer to a request for the events of a range. Returns `None` if fewer blocks
    /// are to be asked for.
    fn learn_range(
        &self,
        from: u64,
        last: u64,
        answer: Result<Vec<NodeLog>, NodeError>,
    ) -> Result<Option<Vec<NodeLog>>, NodeError> {
        let blocks = last.saturating_sub(from) + 1;
        match answer {
            Ok(logs) => {
                self.learned.ranges().answered(blocks, logs.len());
                Ok(Some(logs))
            }
            Err(error) if blocks > 1 && error.may_be_of_width() => {
                tracing::debug!(%error, from, blocks, "half as many blocks are asked for");
                self.learned.ranges().refused(blocks);
                Ok(None)
            }
            Err(error) => {
                // The node may have needed too long for the range.
                if matches!(
                    error,
                    NodeError::TimedOut { .. } | NodeError::Unavailable { .. }
                ) {
                    self.learned.ranges().narrow(blocks);
                }
                Err(error)
            }
        }
    }

    /// Halves the ranges of [`logs_from`](Self::logs_from), after its answer for `blocks` blocks
    /// proved wrong.
    pub fn narrow_logs(&self, blocks: u64) {
        self.learned.ranges().narrow(blocks);
    }

    /// Returns the events of one block by its hash, so that no reorganization can interfere.
    ///
    /// It checks an empty answer against the bloom filter of the block's header.
    ///
    /// # Errors
    /// [`NodeError::UnknownBlock`] if the node does not have the block, or has forgotten it;
    /// [`NodeError::Contradictory`] if the block has logs that the node does not give. Or if it
    /// does not answer.
    pub async fn logs_of(
        &self,
        block: B256,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let asked = filter(addresses, topics).at_block_hash(block);
        let mut logs = self.filtered(&asked, addresses, topics).await?;
        if logs.is_empty() {
            // Some nodes, anvil among them, find no events in a block that they do not know.
            let header = self.header(block).await?;
            if let Some(bloom) = header.bloom()
                && may_hold(&bloom, addresses, topics)
            {
                logs = self.all_logs(block, &bloom).await?;
                logs.retain(|log| wanted(log, addresses, topics));
            }
        }
        logs.retain(|log| log.block_hash == block);
        Ok(logs)
    }

    /// Returns all logs of a block, and proves by its bloom filter that none is missing.
    async fn all_logs(&self, block: B256, bloom: &Bloom) -> Result<Vec<NodeLog>, NodeError> {
        let asked = rpc::Filter::new().at_block_hash(block);
        let logs = self.filtered(&asked, &[], &[]).await?;
        let mut of_logs = Bloom::ZERO;
        for log in &logs {
            of_logs.accrue_log(&log.log);
        }
        let strange = &self.learned.strange_blooms;
        if of_logs.contains(bloom) {
            strange.store(0, Ordering::Relaxed);
        } else if strange.fetch_add(1, Ordering::Relaxed) < STRANGE_BLOOMS {
            return Err(NodeError::Contradictory {
                method: METHOD_LOGS,
                message: format!(
                    "the header of block {block} tells of logs that the answer does not have"
                ),
            });
        }
        Ok(logs)
    }

    /// Returns the logs that the node finds, each once and in order, without those that were not
    /// requested.
    async fn filtered(
        &self,
        asked: &rpc::Filter,
        addresses: &[Address],
        topics: &[B256],
    ) -> Result<Vec<NodeLog>, NodeError> {
        let found = self
            .ask(METHOD_LOGS, || self.provider.get_logs(asked))
            .await?;
        let mut logs = found
            .into_iter()
            .filter(|log| !log.removed)
            .map(|log| located(METHOD_LOGS, log))
            .collect::<Result<Vec<_>, _>>()?;
        logs.retain(|log| wanted(log, addresses, topics));
        logs.sort_by_key(|log| (log.block, log.block_hash, log.index));
        logs.dedup_by_key(|log| (log.block_hash, log.index));
        Ok(logs)
    }

    /// Returns the header of a block by its hash.
    async fn header(&self, block: B256) -> Result<Header, NodeError> {
        const METHOD: &str = "eth_getBlockByHash";
        let found: Option<Header> = self.request(METHOD, (block, false)).await?;
        found.ok_or_else(|| NodeError::UnknownBlock {
            method: METHOD,
            message: block.to_string(),
        })
    }

    /// Returns the whole header of a block, from which its hash can be computed.
    async fn whole_header(&self, block: B256) -> Result<alloy_consensus::Header, NodeError> {
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

    /// Calls a contract in the state at `at` and discards the changes; `None` means after the
    /// latest block.
    ///
    /// # Errors
    /// [`NodeError::Reverted`] with the contract's reason. Or if the node does not answer, or does
    /// not have the state.
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

    /// Calls like [`call`](Self::call), in the block that the node is building: after the pending
    /// transactions that it knows.
    ///
    /// Nodes that cannot call in that block answer for the latest one.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn call_next(&self, to: Address, data: Vec<u8>) -> Result<Bytes, NodeError> {
        let request = rpc::TransactionRequest::default()
            .with_to(to)
            .with_input(data.clone());
        let called = self.ask("eth_call", || {
            self.provider
                .call(request.clone())
                .block(BlockId::pending())
        });
        match called.await {
            Err(error) if error.may_be_of_pending() => self.call(to, data, None).await,
            called => called,
        }
    }

    /// Calls like [`call`](Self::call), from a sender with `value` wei, which it must have.
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

    /// Estimates the gas of a transaction after the latest block. If `to` is `None`, `data` creates
    /// a contract.
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

    /// Estimates the gas of a transaction in the block that the node is building, whose time is
    /// [`now`](Self::now).
    ///
    /// On a quiet chain the latest block may be long past.
    /// Nodes that cannot estimate in that block answer like [`estimate`](Self::estimate).
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn estimate_next(
        &self,
        from: Address,
        to: Option<Address>,
        value: U256,
        data: Vec<u8>,
    ) -> Result<u64, NodeError> {
        let request = request(from, to, value, data.clone());
        let estimated = self.ask("eth_estimateGas", || {
            self.provider
                .estimate_gas(request.clone())
                .block(BlockId::pending())
        });
        match estimated.await {
            Err(error) if error.may_be_of_pending() => self.estimate(from, to, value, data).await,
            estimated => estimated,
        }
    }

    /// Returns the code of a contract; empty if there is none.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn code(&self, address: Address) -> Result<Bytes, NodeError> {
        self.ask("eth_getCode", || self.provider.get_code_at(address))
            .await
    }

    /// Returns the balance of an account after the latest block, in wei.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn balance(&self, address: Address) -> Result<U256, NodeError> {
        self.balance_at(address, None).await
    }

    /// Returns the balance of an account at `at`, in wei; `None` means after the latest block.
    ///
    /// # Errors
    /// As [`Node::call`].
    pub async fn balance_at(&self, address: Address, at: Option<At>) -> Result<U256, NodeError> {
        let at = at.map_or(BlockId::latest(), BlockId::from);
        self.ask("eth_getBalance", || {
            self.provider.get_balance(address).block_id(at)
        })
        .await
    }

    /// Returns the number of an account's included transactions: its next nonce if none is pending.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn nonce(&self, address: Address) -> Result<u64, NodeError> {
        self.ask("eth_getTransactionCount", || {
            self.provider.get_transaction_count(address)
        })
        .await
    }

    /// Returns the price of a unit of gas: the next block's base fee, and the median tip of the
    /// last blocks.
    ///
    /// If nobody paid a tip there, the node's own suggestion replaces it.
    /// A node without a fee history is asked for `eth_maxPriorityFeePerGas` or `eth_gasPrice`.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn gas_fees(&self) -> Result<GasFees, NodeError> {
        let history = self
            .ask("eth_feeHistory", || {
                self.provider.get_fee_history(
                    FEE_BLOCKS,
                    BlockNumberOrTag::Latest,
                    &[FEE_PERCENTILE],
                )
            })
            .await;
        let message = match &history {
            Ok(history) => gas_fees(history),
            // The node has no fee history, or one in another format.
            Err(
                NodeError::Unsupported { .. }
                | NodeError::Other { .. }
                | NodeError::Malformed { .. },
            ) => None,
            Err(error) => return Err(error.clone()),
        };
        let (base, in_price) = match message {
            Some((base, Some(tip))) => {
                return Ok(GasFees {
                    base,
                    priority: tip.max(LEAST_PRIORITY),
                });
            }
            Some((base, None)) => (base, base),
            None => {
                let latest = self.head().await?.base_fee;
                // The base fee of the next block is at most an eighth higher.
                (latest.saturating_add(latest / 8), latest)
            }
        };
        let suggested = self.suggested_tip(in_price).await?;
        Ok(GasFees {
            base,
            priority: suggested.max(LEAST_PRIORITY),
        })
    }

    /// Returns the tip that the node suggests, in wei for a unit of gas; 0 if it suggests none.
    ///
    /// `base` is the base fee that the node's gas price includes.
    async fn suggested_tip(&self, base: u128) -> Result<u128, NodeError> {
        let tip = self
            .ask("eth_maxPriorityFeePerGas", || {
                self.provider.get_max_priority_fee_per_gas()
            })
            .await;
        let price = match tip {
            Ok(tip) => return Ok(tip),
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => {
                self.ask("eth_gasPrice", || self.provider.get_gas_price())
                    .await
            }
        };
        match price {
            Ok(price) => Ok(price.saturating_sub(base)),
            Err(error) if error.is_transient() => Err(error),
            Err(_) => Ok(0),
        }
    }

    /// Sends a signed transaction to the node. It succeeds too if the node or the chain already has
    /// the transaction.
    ///
    /// # Errors
    /// [`NodeError::NonceTooLow`], [`NodeError::Underpriced`], [`NodeError::InsufficientFunds`], or
    /// if the node does not answer: then it may have the transaction all the same.
    pub async fn broadcast(&self, raw: &[u8]) -> Result<(), NodeError> {
        let sent = self
            .ask("eth_sendRawTransaction", || {
                self.provider.send_raw_transaction(raw)
            })
            .await;
        match sent {
            Ok(_) | Err(NodeError::AlreadyKnown) => Ok(()),
            // The nonce may be used by this transaction: the first answer was lost, and the chain
            // included it before the retry.
            Err(NodeError::NonceTooLow) if self.receipt(keccak256(raw)).await?.is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the receipt of a transaction, or `None` if it is not included.
    ///
    /// # Errors
    /// If the node does not answer.
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

    /// Returns the values at `slots` of the storage of `address` after a block, with verified
    /// proofs.
    ///
    /// Only the block's `hash` is trusted.
    ///
    /// # Errors
    /// [`NodeError::NotProved`] if the node's proof is wrong, [`NodeError::UnknownBlock`] or
    /// [`NodeError::StateGone`] if it cannot prove that state any more. Or if it does not answer.
    pub async fn proved_storage(
        &self,
        address: Address,
        slots: &[U256],
        hash: B256,
    ) -> Result<Vec<U256>, NodeError> {
        let header = self.whole_header(hash).await?;
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

    /// Sends a request by its name, for the additional methods of development nodes.
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

    /// Sends a request, and sends it again if its failure may pass.
    ///
    /// alloy's own retry layer always waits equally long, and keeps only the text of the last
    /// error.
    async fn ask<T, R>(&self, method: &'static str, request: impl Fn() -> R) -> Result<T, NodeError>
    where
        R: IntoFuture<Output = TransportResult<T>>,
    {
        let mut wait = FIRST_WAIT;
        let mut left = self.retries;
        let silent = &self.learned.silent;
        loop {
            // alloy traces the whole address, with any key in it, so tracing is off here.
            let answer = request()
                .into_future()
                .with_subscriber(NoSubscriber::default())
                .await;
            let failure = match answer {
                Ok(answer) => {
                    if silent.swap(false, Ordering::Relaxed) {
                        tracing::info!(node = self.asked.url, "the node answers again");
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let wished = wished(&failure);
            let error = classify(method, &self.asked, failure);
            if matches!(error, NodeError::Malformed { .. }) {
                left = left.min(MALFORMED_RETRIES.saturating_sub(self.retries - left));
            }
            if left == 0 || !error.is_transient() {
                return Err(error);
            }
            left -= 1;
            let now = wished.unwrap_or(wait).min(LONGEST_WAIT);
            // Warned once, before the first wait, because a silently waiting command looks dead.
            if silent.swap(true, Ordering::Relaxed) {
                tracing::debug!(%error, wait = ?now, left, "the node is asked again");
            } else {
                tracing::warn!(%error, retries = left + 1, "no good answer from the node; asking again");
            }
            tokio::time::sleep(now).await;
            wait *= 2;
        }
    }
}

/// Shows the address without any key.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("url", &self.asked.url)
            .field("chain_id", &self.chain_id)
            .finish_non_exhaustive()
    }
}

/// Returns the address without user, path and query.
fn display(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}"));
    format!("{}://{host}{}", url.scheme(), port.unwrap_or_default())
}

/// Returns how long the node asks the client to wait.
fn wished(failure: &TransportError) -> Option<Duration> {
    failure.as_transport_err()?.retry_after()
}

/// Chooses the TLS cryptography of this process, which every HTTP client needs.
///
/// It keeps an earlier choice.
pub fn choose_cryptography() {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        // Fails if the program has chosen one already; that choice stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Creates an HTTP client for requests to one node. It follows no redirects.
pub(crate) fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    choose_cryptography();
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Method that finds logs.
const METHOD_LOGS: &str = "eth_getLogs";

/// Returns `true` if a log was requested. The client does not trust a node's filter.
fn wanted(log: &NodeLog, addresses: &[Address], topics: &[B256]) -> bool {
    let topic = log.log.topics().first();
    (addresses.is_empty() || addresses.contains(&log.log.address))
        && (topics.is_empty() || topic.is_some_and(|topic| topics.contains(topic)))
}

/// Returns `true` if a block with this bloom filter may hold a log of one of the addresses with one
/// of the topics.
fn may_hold(bloom: &Bloom, addresses: &[Address], topics: &[B256]) -> bool {
    let holds = |raw: &[u8]| bloom.contains_input(BloomInput::Raw(raw));
    (addresses.is_empty() || addresses.iter().any(|address| holds(address.as_slice())))
        && (topics.is_empty() || topics.iter().any(|topic| holds(topic.as_slice())))
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

/// Converts an event of an included transaction, which must have its position.
fn located(method: &'static str, log: rpc::Log) -> Result<NodeLog, NodeError> {
    let location = (
        log.block_number,
        log.block_hash,
        log.transaction_hash,
        log.log_index,
    );
    let (Some(block), Some(block_hash), Some(transaction), Some(index)) = location else {
        return Err(NodeError::Malformed {
            method,
            message: "an event without its block, transaction or index".to_owned(),
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

/// Returns the base fee of the next block and the median of the tips above 0; `None` without
/// blocks.
///
/// The tip is `None` if nobody paid one.
fn gas_fees(history: &rpc::FeeHistory) -> Option<(u128, Option<u128>)> {
    // The last entry is for the next block.
    let base = *history.base_fee_per_gas.last()?;
    // Blocks without transactions report zero.
    let rewards = history.reward.iter().flatten().flatten();
    let mut rewards: Vec<_> = rewards.copied().filter(|reward| *reward > 0).collect();
    rewards.sort_unstable();
    Some((base, rewards.get(rewards.len() / 2).copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gas_fees_take_the_middle_of_what_is_paid_as_the_priority_fee() {
        let history = |rewards: &[u128]| rpc::FeeHistory {
            base_fee_per_gas: vec![7, 8, 9],
            reward: Some(rewards.iter().map(|reward| vec![*reward]).collect()),
            ..Default::default()
        };
        let million = 1_000_000;
        let paid = gas_fees(&history(&[0, 9 * million, 2 * million, 0, 3 * million]));
        assert_eq!(paid, Some((9, Some(3 * million))));
        assert_eq!(gas_fees(&history(&[0, 0])), Some((9, None)));
        assert_eq!(gas_fees(&rpc::FeeHistory::default()), None);
        let (base, priority) = (9, 3 * million);
        assert_eq!(GasFees { base, priority }.max(), 18 + 3 * million);
    }

    #[test]
    fn header_needs_four_fields() {
        let zeros = "0".repeat(64);
        let least = format!(
            r#"{{"number":"0x5","hash":"0x{zeros}","parentHash":"0x{zeros}","timestamp":"0x7"}}"#
        );
        let header: Header = serde_json::from_str(&least).expect("a header");
        let block = Block::from(&header);
        assert_eq!((block.number, block.time, block.base_fee), (5, 7, 0));
        assert_eq!(header.bloom(), None);
        for bloom in ["null", r#""0x""#, &format!(r#""0x{}""#, "00".repeat(256))] {
            let more = least.replace(
                '}',
                &format!(r#","baseFeePerGas":"0x9","logsBloom":{bloom}}}"#),
            );
            let header: Header = serde_json::from_str(&more).expect("a header");
            assert_eq!((Block::from(&header).base_fee, header.bloom()), (9, None));
        }
    }

    #[test]
    fn display_shows_an_address_without_its_keys() {
        let url = |text| Url::parse(text).expect("a URL");
        let secret = url("https://user:password@node.example:8545/v3/key?token=x#y");
        assert_eq!(display(&secret), "https://node.example:8545");
        assert_eq!(display(&url("http://[::1]/k")), "http://[::1]");
    }
}
