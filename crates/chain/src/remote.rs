//! A chain on a development node, whose time and balances can be set.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
    time::Duration,
};

use alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
use alloy_network::TransactionBuilder;
use alloy_primitives::{Address, B256, Bytes, Log, LogData, TxKind, U64, U256, keccak256};
use alloy_rpc_types_eth::{TransactionReceipt, TransactionRequest};
use flate2::read::GzDecoder;
use revm::{context_interface::cfg::gas::calculate_initial_tx_gas, primitives::hardfork::SpecId};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::{
    Chain, ChainError, Config, Embedded, FEES, HASHES, Receipt, TRANSACTION_GAS_LIMIT, Transaction,
    digest::StateDigest,
    node::{Node, NodeError, NodeOptions},
};

/// Gas limit of a block. No transaction can fill half of it, which would raise the base fee.
const BLOCK_GAS_LIMIT: u64 = 200_000_000;

/// Options with a long timeout and no retries: a transaction sent again might be executed twice.
const OPTIONS: NodeOptions = NodeOptions {
    timeout: Duration::from_mins(1),
    retries: 0,
};

/// Reason why a node cannot be the chain of a simulation.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The node is not one for development.
    #[error(
        "the node at {url} is not one for development; a simulation sets its time and gives money away, so that it \
         needs anvil"
    )]
    NotForDevelopment {
        /// Address of the node.
        url: String,
        /// Error for a method of anvil.
        source: NodeError,
    },
    /// The chain already has blocks.
    #[error(
        "the chain at {url} has {blocks} blocks already; a simulation begins with an empty one: start anvil anew"
    )]
    NotEmpty {
        /// Address of the node.
        url: String,
        /// Number of blocks without the first.
        blocks: u64,
    },
    /// The chain's time is past the first second of the simulation.
    #[error(
        "the time of the chain at {url} is {now}, and the simulation begins at {start}; start anvil anew with \
         `--timestamp {start}`"
    )]
    TooLate {
        /// Address of the node.
        url: String,
        /// Time of the chain, in Unix seconds.
        now: u64,
        /// First second of the simulation, in Unix seconds.
        start: u64,
    },
    /// The node failed to answer.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The operating system refused the runtime.
    #[error("cannot make a runtime for requests")]
    Runtime(#[source] io::Error),
}

/// A chain on a development node: anvil, or one that understands its methods.
///
/// The node sends transactions for accounts without their keys. Each transaction is a block of its
/// own.
/// Its time moves only on request, like [`Embedded`]'s. Nobody else may use it at the same time.
#[derive(Debug)]
pub struct Remote {
    runtime: Runtime,
    node: Node,
    gas_price: u128,
    now: u64,
    /// Whether the node knows `now`.
    told: bool,
    /// Known balances: those asked for since the last transaction.
    balances: HashMap<Address, U256>,
    /// Accounts before the simulation.
    ///
    /// Unchanged ones are not part of the simulation's digest, such as the accounts to which anvil
    /// gives money.
    before: Accounts,
}

/// Accounts of a state, as anvil dumps them.
type Accounts = BTreeMap<Address, Account>;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Account {
    nonce: u64,
    balance: U256,
    code: Bytes,
    storage: HashMap<U256, U256>,
}

#[derive(Deserialize)]
struct State {
    accounts: Accounts,
}

/// Trace of a transaction's call, in `OpenEthereum`'s format.
#[derive(Debug, Deserialize)]
struct Replay {
    /// Reason of the failure; `None` if the call succeeded.
    error: Option<String>,
    result: Option<ReplayResult>,
}

#[derive(Debug, Deserialize)]
struct ReplayResult {
    /// Output of the call; for a creation, the code.
    #[serde(alias = "code", default)]
    output: Bytes,
}

/// Trace of a simulated call, in the format of geth's `callTracer`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    /// Gas used; for the outermost call, that of the whole transaction.
    gas_used: U64,
    to: Option<Address>,
    #[serde(default)]
    output: Bytes,
    /// Reason of the failure; `None` if the call succeeded.
    error: Option<String>,
    #[serde(default)]
    logs: Vec<TraceLog>,
    #[serde(default)]
    calls: Vec<Trace>,
}

#[derive(Debug, Deserialize)]
struct TraceLog {
    /// Index among all events of the transaction.
    index: U64,
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

impl Remote {
    /// Connects to the empty chain of the node at `url`, and makes it behave like [`Embedded`].
    ///
    /// It gets no base fee and the same receiver of fees, and its time moves only on request.
    ///
    /// # Errors
    /// If the node is not for development, its chain is not empty or its time is past the start.
    pub fn connect(url: &Url, config: Config) -> Result<Self, RemoteError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(RemoteError::Runtime)?;
        let node = runtime.block_on(Node::connect(url, OPTIONS))?;
        let mut remote = Self {
            runtime,
            node,
            gas_price: config.gas_price,
            now: config.start,
            told: false,
            balances: HashMap::new(),
            before: Accounts::new(),
        };
        remote.check(config.start)?;
        remote.settle()?;
        remote.before = remote.accounts()?;
        Ok(remote)
    }

    /// Checks that a simulation can begin on this chain.
    fn check(&self, start: u64) -> Result<(), RemoteError> {
        let url = self.node.display_url();
        if let Err(source) = self.request::<Value>("anvil_nodeInfo", json!([])) {
            return Err(if source.is_transient() {
                source.into()
            } else {
                RemoteError::NotForDevelopment { url, source }
            });
        }
        // Authors sign the chain's id, so the gas of their signed batches depends on it.
        self.node.expect_chain(Embedded::CHAIN_ID)?;
        let head = self.runtime.block_on(self.node.head())?;
        if head.number > 0 {
            return Err(RemoteError::NotEmpty {
                url,
                blocks: head.number,
            });
        }
        if head.time > start {
            return Err(RemoteError::TooLate {
                url,
                now: head.time,
                start,
            });
        }
        Ok(())
    }

    /// Makes the node's chain behave as the embedded one.
    fn settle(&self) -> Result<(), NodeError> {
        for (method, parameters) in [
            ("anvil_setLoggingEnabled", json!([false])),
            ("anvil_autoImpersonateAccount", json!([true])),
            ("evm_setAutomine", json!([true])),
            ("anvil_setCoinbase", json!([FEES])),
            ("evm_setBlockGasLimit", json!([U64::from(BLOCK_GAS_LIMIT)])),
            // Once it is zero, blocks that are less than half full keep it zero.
            ("anvil_setNextBlockBaseFeePerGas", json!(["0x0"])),
            // Without this, time passes between blocks.
            ("anvil_setBlockTimestampInterval", json!([0])),
        ] {
            self.request::<Value>(method, parameters)?;
        }
        Ok(())
    }

    fn request<R>(&self, method: &'static str, parameters: Value) -> Result<R, NodeError>
    where
        R: alloy_json_rpc::RpcRecv,
    {
        self.runtime.block_on(self.node.request(method, parameters))
    }

    /// Returns all accounts except the one in which the EVM keeps the hashes of blocks (EIP-2935).
    ///
    /// The embedded chain has no blocks to hash.
    fn accounts(&self) -> Result<Accounts, NodeError> {
        const METHOD: &str = "anvil_dumpState";
        let dump: Bytes = self.request(METHOD, json!([]))?;
        let malformed = |message: String| NodeError::Malformed {
            method: METHOD,
            message,
        };
        let mut text = Vec::new();
        GzDecoder::new(dump.as_ref())
            .read_to_end(&mut text)
            .map_err(|error| malformed(error.to_string()))?;
        let state: State =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        let mut accounts = state.accounts;
        accounts.remove(&HISTORY_STORAGE_ADDRESS);
        Ok(accounts)
    }

    /// Returns the balance of an account, from the node or from an earlier answer.
    fn held(&mut self, account: Address) -> Result<U256, NodeError> {
        if let Some(known) = self.balances.get(&account) {
            return Ok(*known);
        }
        let balance = self.runtime.block_on(self.node.balance(account))?;
        self.balances.insert(account, balance);
        Ok(balance)
    }
}

impl Chain for Remote {
    fn name(&self) -> &'static str {
        "anvil"
    }

    fn chain_id(&self) -> u64 {
        self.node.chain_id()
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError> {
        if seconds < self.now {
            return Err(ChainError::TimeRunsBack {
                now: self.now,
                wanted: seconds,
            });
        }
        self.told &= seconds == self.now;
        self.now = seconds;
        Ok(())
    }

    fn block_number(&mut self) -> Result<u64, ChainError> {
        let head = self.runtime.block_on(self.node.head())?;
        Ok(head.number + 1)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError> {
        let next = self.block_number()?;
        if !(1..=HASHES).contains(&next.saturating_sub(number)) {
            return Ok(B256::ZERO);
        }
        let block = self.runtime.block_on(self.node.block(number))?;
        Ok(block.map(|block| block.hash).unwrap_or_default())
    }

    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError> {
        let balance = self.held(account)?.checked_add(wei);
        let balance = balance.ok_or_else(|| ChainError::Rejected {
            reason: format!("account {account} cannot hold {wei} wei more; fund it with less"),
        })?;
        self.request::<Value>("anvil_setBalance", json!([account, balance]))?;
        self.balances.insert(account, balance);
        Ok(())
    }

    fn balance(&mut self, account: Address) -> Result<U256, ChainError> {
        Ok(self.held(account)?)
    }

    fn gas_price(&self) -> u128 {
        self.gas_price
    }

    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        check_gas_limit(&transaction)?;
        if !self.told {
            self.request::<Value>("evm_setNextBlockTimestamp", json!([self.now]))?;
            self.told = true;
        }
        self.balances.clear();
        let gas_limit = transaction.gas_limit;
        let request = request(transaction, self.gas_price);
        let receipt: TransactionReceipt = self
            .request("eth_sendTransactionSync", json!([request]))
            .map_err(rejected)?;
        // The receipt has neither the output nor the reason of a failure.
        // anvil has this trace ready, while geth's tracer would run the transaction again.
        let traces: Vec<Replay> =
            self.request("trace_transaction", json!([receipt.transaction_hash]))?;
        let outermost = traces.into_iter().next();
        let outermost = outermost.ok_or(NodeError::Malformed {
            method: "trace_transaction",
            message: "no trace".to_owned(),
        })?;
        let logs = receipt.logs().iter().map(|log| log.inner.clone());
        Ok(Receipt {
            gas_used: receipt.gas_used,
            created: receipt.contract_address,
            logs: logs.collect(),
            output: outermost.outcome(receipt.gas_used, gas_limit)?,
        })
    }

    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        check_gas_limit(&transaction)?;
        let gas_limit = transaction.gas_limit;
        let creates = transaction.to.is_none();
        // As on nodes, a call needs no money for gas.
        let request = request(transaction, 0);
        let options = json!({
            "tracer": "callTracer",
            "tracerConfig": {"withLog": true},
            "blockOverrides": {"time": U64::from(self.now)},
        });
        // A plain call gives neither the gas used nor the events.
        let mut trace: Trace = self
            .request("debug_traceCall", json!([request, "latest", options]))
            .map_err(rejected)?;
        let output = trace.outcome(gas_limit)?;
        Ok(Receipt {
            gas_used: trace.gas_used.to(),
            output,
            created: trace.to.filter(|_| creates),
            logs: trace.take_logs(),
        })
    }

    fn state_digest(&mut self) -> Result<B256, ChainError> {
        let mut digest = StateDigest::default();
        for (address, account) in self.accounts()? {
            let empty = account.nonce == 0 && account.balance.is_zero() && account.code.is_empty();
            if !empty && self.before.get(&address) != Some(&account) {
                digest.account(
                    address,
                    account.balance,
                    account.nonce,
                    keccak256(&account.code),
                    account.storage.into_iter().collect(),
                );
            }
        }
        Ok(digest.finalize())
    }
}

/// Returns the output of a transaction, or the error by which it failed.
fn outcome(
    output: Bytes,
    error: Option<String>,
    gas_used: u64,
    gas_limit: u64,
) -> Result<Bytes, ChainError> {
    match error {
        None => Ok(output),
        Some(error) if error.to_lowercase().contains("reverted") => {
            Err(ChainError::of_revert(&output, gas_used, gas_limit))
        }
        Some(reason) => Err(ChainError::Halted { reason, gas_used }),
    }
}

impl Replay {
    fn outcome(self, gas_used: u64, gas_limit: u64) -> Result<Bytes, ChainError> {
        let output = self.result.map(|result| result.output);
        outcome(output.unwrap_or_default(), self.error, gas_used, gas_limit)
    }
}

impl Trace {
    fn outcome(&mut self, gas_limit: u64) -> Result<Bytes, ChainError> {
        let output = std::mem::take(&mut self.output);
        outcome(output, self.error.take(), self.gas_used.to(), gas_limit)
    }

    /// Returns the events of this call and of those within it, in order.
    fn take_logs(&mut self) -> Vec<Log> {
        let mut logs = Vec::new();
        self.collect_logs(&mut logs);
        logs.sort_unstable_by_key(|log| log.index);
        let log = |log: TraceLog| Log {
            address: log.address,
            data: LogData::new_unchecked(log.topics, log.data),
        };
        logs.into_iter().map(log).collect()
    }

    fn collect_logs(&mut self, logs: &mut Vec<TraceLog>) {
        logs.append(&mut self.logs);
        for call in &mut self.calls {
            call.collect_logs(logs);
        }
    }
}

/// Checks the bounds of a transaction's gas limit.
///
/// anvil checks the maximum only if an option asks for it. If the limit is below the minimum, anvil
/// does not answer for half a minute.
fn check_gas_limit(transaction: &Transaction) -> Result<(), ChainError> {
    let creates = transaction.to.is_none();
    let least = calculate_initial_tx_gas(SpecId::OSAKA, &transaction.data, creates, 0, 0, 0, None);
    let least = least.initial_regular_gas.max(least.floor_gas);
    if (least..=TRANSACTION_GAS_LIMIT).contains(&transaction.gas_limit) {
        return Ok(());
    }
    Err(ChainError::Rejected {
        reason: format!(
            "the transaction was given {} gas; from {least} to {TRANSACTION_GAS_LIMIT} are possible",
            transaction.gas_limit
        ),
    })
}

fn request(transaction: Transaction, gas_price: u128) -> TransactionRequest {
    TransactionRequest::default()
        .with_from(transaction.from)
        .with_kind(transaction.to.map_or(TxKind::Create, TxKind::Call))
        .with_value(transaction.value)
        .with_input(transaction.data)
        .with_gas_limit(transaction.gas_limit)
        .with_gas_price(gas_price)
}

/// Converts a node's refusal of a transaction, which was therefore not included.
fn rejected(error: NodeError) -> ChainError {
    match error {
        NodeError::Other { message, .. } | NodeError::InsufficientFunds { message } => {
            ChainError::Rejected { reason: message }
        }
        NodeError::NonceTooLow | NodeError::Underpriced | NodeError::AlreadyKnown => {
            ChainError::Rejected {
                reason: error.to_string(),
            }
        }
        error => error.into(),
    }
}
