//! The client of a node of the chain, over JSON-RPC: what cotrain needs of it, and why it refused.
//!
//! Requests that fail for a reason that may pass are sent again, with growing waits in between. Nothing that a node
//! says is taken for granted where it can be checked ([`Node::proved_storage`]).

mod error;
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

pub use self::error::NodeError;
use self::{
    error::{Asked, classify},
    ranges::Ranges,
};

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
/// Times that a request is sent again whose answer is malformed: a cut answer may pass, a page of another server
/// does not.
const MALFORMED_RETRIES: u32 = 2;
/// Bloom filters that contradict all logs of their blocks, in a row, until they are no longer asked: on some chains
/// they hold more than the logs.
const STRANGE_BLOOMS: u32 = 8;

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
    learned: Arc<Learned>,
}

/// Facts that the client has learned about a node.
#[derive(Debug, Default)]
struct Learned {
    ranges: Mutex<Ranges>,
    /// `true` from a request that was not answered until the next one that is.
    silent: AtomicBool,
    /// Blocks in a row whose bloom filter contradicts all of their logs.
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
    /// As the node gives it: `None`, empty or all zeros if it keeps none.
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
            learned: Arc::default(),
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

    /// Returns the time that the next block will have, as far as the node tells, in Unix seconds: that of the block
    /// that it is building, or else of its latest block. Contracts go by the time of the block, never by this
    /// machine's.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn now(&self) -> Result<u64, NodeError> {
        let latest = self.head().await?;
        Ok(self.now_after(&latest).await)
    }

    /// Returns the same as [`now`](Self::now), of the block after `latest`.
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

    /// Returns the events of `addresses` with one of `topics` as their first, in the blocks from `from` to `to`, both
    /// included, in order. No address or no topic means any.
    ///
    /// # Errors
    /// [`NodeError::TooMuch`] if the node gives fewer at once: use [`logs_from`](Self::logs_from). Or if it does not
    /// answer.
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

    /// Returns the same events as [`logs`](Self::logs) as far as the node gives them at once, and the last block of
    /// these, at most `to`. Whatever a node refuses for more than one block is asked for again for half of them,
    /// unless the refusal is known to have another reason; the width that it answers is remembered.
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
            let blocks = last.saturating_sub(from) + 1;
            match self.logs(from, last, addresses, topics).await {
                Ok(logs) => {
                    self.learned.ranges().answered(blocks, logs.len());
                    return Ok((logs, last));
                }
                Err(error) if blocks > 1 && error.may_be_of_width() => {
                    tracing::debug!(%error, from, blocks, "half as many blocks are asked for");
                    self.learned.ranges().refused(blocks);
                }
                Err(error) => {
                    // A range may be what a node needs too long for.
                    if matches!(
                        error,
                        NodeError::TimedOut { .. } | NodeError::Unavailable { .. }
                    ) {
                        self.learned.ranges().narrow(blocks);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Halves the ranges that [`logs_from`](Self::logs_from) asks for, after its answer for `blocks` blocks proved
    /// wrong.
    pub fn narrow_logs(&self, blocks: u64) {
        self.learned.ranges().narrow(blocks);
    }

    /// Returns the events of one block, by its hash, so that no reorganisation comes between. An empty answer is
    /// held against the bloom filter of the block's header.
    ///
    /// # Errors
    /// [`NodeError::UnknownBlock`] if the node does not have the block, or has forgotten it;
    /// [`NodeError::Contradictory`] if the block has logs that the node does not give. Or if it does not answer.
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

    /// Returns all logs of a block, which its bloom filter proves to be all.
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

    /// Returns the logs that the node finds, each once and in order, without those that were not asked for.
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

    /// Returns the whole header of a block, whose hash can be computed.
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

    /// Returns the gas that a transaction would need in the block that the node is building, whose time is
    /// [`now`](Self::now): on a quiet chain the latest block may be long past. Nodes that do not estimate in it answer as
    /// [`estimate`](Self::estimate) does.
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
            Ok(gas) => Ok(gas),
            // Asking the same node for another block would change nothing.
            Err(
                error @ (NodeError::Reverted(_)
                | NodeError::InsufficientFunds { .. }
                | NodeError::Unreachable { .. }
                | NodeError::TimedOut { .. }
                | NodeError::RateLimited { .. }
                | NodeError::Denied { .. }),
            ) => Err(error),
            Err(_) => self.estimate(from, to, value, data).await,
        }
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
        self.balance_at(address, None).await
    }

    /// Returns the wei that an account held at `at`; `None` means after the latest block.
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

    /// Returns the price of a unit of gas: the base fee of the next block, and the middle of the tips of the last
    /// blocks. If nobody paid a tip there, the node's own suggestion; a node without a fee history is asked for
    /// `eth_maxPriorityFeePerGas` or `eth_gasPrice`.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn fees(&self) -> Result<Fees, NodeError> {
        let history = self
            .ask("eth_feeHistory", || {
                self.provider.get_fee_history(
                    FEE_BLOCKS,
                    BlockNumberOrTag::Latest,
                    &[FEE_PERCENTILE],
                )
            })
            .await;
        let told = match &history {
            Ok(history) => fees(history),
            // The node has none, or one of another form.
            Err(
                NodeError::Unsupported { .. }
                | NodeError::Other { .. }
                | NodeError::Malformed { .. },
            ) => None,
            Err(error) => return Err(error.clone()),
        };
        let (base, in_price) = match told {
            Some((base, Some(tip))) => {
                return Ok(Fees {
                    base,
                    priority: tip.max(LEAST_PRIORITY),
                });
            }
            Some((base, None)) => (base, base),
            None => {
                let latest = self.head().await?.base_fee;
                // The next block's is at most an eighth higher.
                (latest.saturating_add(latest / 8), latest)
            }
        };
        let suggested = self.suggested_tip(in_price).await?;
        Ok(Fees {
            base,
            priority: suggested.max(LEAST_PRIORITY),
        })
    }

    /// Returns the tip that the node suggests, in wei for a unit of gas; 0 if it has no suggestion. `base` is the
    /// base fee that the node's gas price includes.
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
        let silent = &self.learned.silent;
        loop {
            // What alloy traces has the whole address, with the key that may be in it.
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
            // Said once, before the first wait: a command that waits without a word looks dead.
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

/// Chooses the cryptography of TLS for this process, which every HTTP client needs. A choice that was made before
/// stays.
pub fn choose_cryptography() {
    static CRYPTOGRAPHY: Once = Once::new();
    CRYPTOGRAPHY.call_once(|| {
        // Where the program has chosen one already, it stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// An HTTP client for a node, which is never asked for anything else.
pub(crate) fn http_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    choose_cryptography();
    reqwest::Client::builder()
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// Method that finds logs.
const METHOD_LOGS: &str = "eth_getLogs";

/// Checks whether a log is one that was asked for: a node's filter is not taken for granted.
fn wanted(log: &NodeLog, addresses: &[Address], topics: &[B256]) -> bool {
    let topic = log.log.topics().first();
    (addresses.is_empty() || addresses.contains(&log.log.address))
        && (topics.is_empty() || topic.is_some_and(|topic| topics.contains(topic)))
}

/// Checks whether a block with this bloom filter may hold a log of one of the addresses with one of the topics.
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

/// Returns the base fee of the next block and the middle of the tips, if any was paid; `None` without blocks.
fn fees(history: &rpc::FeeHistory) -> Option<(u128, Option<u128>)> {
    // The last one is the next block's.
    let base = *history.base_fee_per_gas.last()?;
    // Blocks without transactions say zero.
    let rewards = history.reward.iter().flatten().flatten();
    let mut rewards: Vec<_> = rewards.copied().filter(|reward| *reward > 0).collect();
    rewards.sort_unstable();
    Some((base, rewards.get(rewards.len() / 2).copied()))
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
        assert_eq!(paid, Some((9, Some(3 * million))));
        assert_eq!(fees(&history(&[0, 0])), Some((9, None)));
        assert_eq!(fees(&rpc::FeeHistory::default()), None);
        let (base, priority) = (9, 3 * million);
        assert_eq!(Fees { base, priority }.max(), 18 + 3 * million);
    }

    #[test]
    fn a_header_needs_five_fields() {
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
    fn an_address_is_shown_without_its_keys() {
        let url = |text| Url::parse(text).expect("a URL");
        let secret = url("https://user:password@node.example:8545/v3/key?token=x#y");
        assert_eq!(display(&secret), "https://node.example:8545");
        assert_eq!(display(&url("http://[::1]/k")), "http://[::1]");
    }
}
