use alloy_primitives::{Address, B256, U256};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext, MainnetEvm,
    context::{
        ContextSetters, ContextTr, JournalTr, LocalContextTr, TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultGas},
    },
    context_interface::{context::take_error, journaled_state::account::JournaledAccountTr},
    database_interface::{Database, EmptyDB},
    handler::{EvmTr, FrameResult, Handler, MainnetContext, post_execution},
    primitives::{TxKind, hardfork::SpecId},
};

use crate::{
    Chain, ChainError, FEES, HASHES, Receipt, TRANSACTION_GAS_LIMIT, Transaction,
    digest::StateDigest, keys::DEVELOPMENT_CHAIN,
};

type Evm = MainnetEvm<MainnetContext<EmptyDB>>;
type EvmError = EVMError<core::convert::Infallible, InvalidTransaction>;

/// Start of a chain for a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Time of the first block, in Unix seconds.
    pub start: u64,
    /// Price of a unit of gas, in wei.
    pub gas_price: u128,
}

/// Rules of Ethereum that an [`Embedded`] chain follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rules {
    /// The rules since December 2025.
    #[default]
    Osaka,
    /// The rules of the next fork, as revm implements them.
    ///
    /// New state costs far more gas, and that gas does not count toward [`TRANSACTION_GAS_LIMIT`]
    /// (EIP-8037).
    /// So a transaction may get more gas than that limit.
    /// It needs more if it creates much state, as the creation of an implementation does.
    Amsterdam,
}

impl Rules {
    fn spec(self) -> SpecId {
        match self {
            Self::Osaka => SpecId::OSAKA,
            Self::Amsterdam => SpecId::AMSTERDAM,
        }
    }

    /// Returns the maximum gas limit of a transaction.
    #[must_use]
    pub fn gas_limit(self) -> u64 {
        match self {
            Self::Osaka => TRANSACTION_GAS_LIMIT,
            // The gas limit of a block, which the fork does not set. It suffices to create any
            // contract.
            Self::Amsterdam => 200_000_000,
        }
    }
}

/// An EVM (revm) in the process, with all its state in memory.
///
/// The state stays in revm's own journal from the first transaction to the last.
/// Nothing is copied to a database and back between transactions.
/// So a transaction is cheaper here than in a loop that commits each one.
pub struct Embedded {
    evm: Evm,
    now: u64,
    gas_price: u128,
}

impl Embedded {
    /// Chain id of development chains.
    pub const CHAIN_ID: u64 = DEVELOPMENT_CHAIN;

    /// Creates an empty chain with the rules of Osaka.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self::with_rules(config, Rules::Osaka)
    }

    /// Creates an empty chain with the given rules.
    #[must_use]
    pub fn with_rules(config: Config, rules: Rules) -> Self {
        let context = Context::mainnet()
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = Self::CHAIN_ID;
                cfg.set_spec_and_mainnet_gas_params(rules.spec());
            })
            .modify_block_chained(|block| {
                // As on a node, which has its first block before any transaction.
                block.number = U256::ONE;
                block.timestamp = U256::from(config.start);
                block.beneficiary = FEES;
                block.gas_limit = rules.gas_limit();
            });
        Self {
            evm: context.build_mainnet(),
            now: config.start,
            gas_price: config.gas_price,
        }
    }

    /// Converts `transaction` to revm's type, with the sender's next nonce.
    fn environment(&mut self, transaction: Transaction) -> TxEnv {
        let nonce = self
            .evm
            .ctx
            .journaled_state
            .inner
            .state
            .get(&transaction.from)
            .map_or(0, |a| a.info.nonce);
        TxEnv {
            caller: transaction.from,
            kind: transaction.to.map_or(TxKind::Create, TxKind::Call),
            value: transaction.value,
            data: transaction.data,
            gas_limit: transaction.gas_limit,
            gas_price: self.gas_price,
            nonce,
            chain_id: Some(Self::CHAIN_ID),
            ..TxEnv::default()
        }
    }
}

impl Chain for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn chain_id(&self) -> u64 {
        Self::CHAIN_ID
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
        self.now = seconds;
        self.evm
            .ctx
            .modify_block(|block| block.timestamp = U256::from(seconds));
        Ok(())
    }

    fn block_number(&mut self) -> Result<u64, ChainError> {
        Ok(self.evm.ctx.block.number.saturating_to())
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError> {
        let next = self.block_number()?;
        if !(1..=HASHES).contains(&next.saturating_sub(number)) {
            return Ok(B256::ZERO);
        }
        // There are no blocks to hash: a hash of the number replaces the block's hash.
        match self.evm.ctx.journaled_state.database.block_hash(number) {
            Ok(hash) => Ok(hash),
            Err(never) => match never {},
        }
    }

    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError> {
        let mut loaded = match self.evm.ctx.journaled_state.load_account_mut(account) {
            Ok(loaded) => loaded,
            Err(never) => match never {},
        };
        if !loaded.data.incr_balance(wei) {
            return Err(ChainError::Rejected {
                reason: format!("account {account} cannot hold {wei} wei more; fund it with less"),
            });
        }
        // No transaction encloses this change, so nothing can roll it back.
        self.evm.ctx.journaled_state.commit_tx();
        Ok(())
    }

    fn balance(&mut self, account: Address) -> Result<U256, ChainError> {
        let state = &self.evm.ctx.journaled_state.inner.state;
        Ok(state
            .get(&account)
            .map_or(U256::ZERO, |account| account.info.balance))
    }

    fn gas_price(&self) -> u128 {
        self.gas_price
    }

    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        let gas_limit = transaction.gas_limit;
        let environment = self.environment(transaction);
        let result = self.evm.transact_one(environment);
        if result.is_ok() {
            self.evm.ctx.modify_block(|block| block.number += U256::ONE);
        }
        receipt(result, gas_limit)
    }

    /// Runs the transaction once, and rolls it back if it fails.
    fn attempt(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        let gas_limit = transaction.gas_limit;
        let environment = self.environment(transaction);
        self.evm.ctx.set_tx(environment);
        let result = Kept::Success.run(&mut self.evm);
        if result.as_ref().is_ok_and(ExecutionResult::is_success) {
            self.evm.ctx.modify_block(|block| block.number += U256::ONE);
        }
        receipt(result, gas_limit)
    }

    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        let gas_limit = transaction.gas_limit;
        let mut environment = self.environment(transaction);
        // As on nodes, a call needs no money for gas.
        environment.gas_price = 0;
        self.evm.ctx.set_tx(environment);
        receipt(Kept::Nothing.run(&mut self.evm), gas_limit)
    }

    fn state_digest(&mut self) -> Result<B256, ChainError> {
        let state = &self.evm.ctx.journaled_state.inner.state;
        let mut accounts: Vec<_> = state
            .iter()
            .filter(|(_, account)| !account.is_empty())
            .collect();
        accounts.sort_unstable_by_key(|(address, _)| **address);
        let mut digest = StateDigest::default();
        for (address, account) in accounts {
            let storage = account.storage.iter();
            let storage = storage.map(|(slot, value)| (*slot, value.present_value));
            let info = &account.info;
            digest.account(
                *address,
                info.balance,
                info.nonce,
                info.code_hash,
                storage.collect(),
            );
        }
        Ok(digest.finalize())
    }
}

/// State that remains after a transaction, which runs by the ordinary rules.
///
/// All other changes are rolled back: nonce, fees and state.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Keeps nothing, as after a call.
    Nothing,
    /// Keeps everything if the transaction succeeds, and nothing otherwise.
    Success,
}

impl Handler for Kept {
    type Evm = Evm;
    type Error = EvmError;
    type HaltReason = HaltReason;

    fn execution_result(
        &mut self,
        evm: &mut Evm,
        result: FrameResult,
        gas: ResultGas,
    ) -> Result<ExecutionResult, EvmError> {
        take_error::<EvmError, _>(evm.ctx().error())?;
        let result = post_execution::output(evm.ctx(), result, gas);
        if *self == Self::Success && result.is_success() {
            evm.ctx().journal_mut().commit_tx();
        } else {
            evm.ctx().journal_mut().discard_tx();
        }
        evm.ctx().local_mut().clear();
        evm.frame_stack().clear();
        Ok(result)
    }
}

/// Converts revm's result to this crate's types.
fn receipt(
    result: Result<ExecutionResult, EvmError>,
    gas_limit: u64,
) -> Result<Receipt, ChainError> {
    let result = result.map_err(|error| ChainError::Rejected {
        reason: error.to_string(),
    })?;
    let gas_used = result.tx_gas_used();
    match result {
        ExecutionResult::Success { logs, output, .. } => {
            let created = output.address().copied();
            Ok(Receipt {
                gas_used,
                created,
                logs,
                output: output.into_data(),
            })
        }
        ExecutionResult::Revert { output, .. } => {
            Err(ChainError::of_revert(&output, gas_used, gas_limit))
        }
        ExecutionResult::Halt { reason, .. } => Err(ChainError::Halted {
            reason: format!("{reason:?}"),
            gas_used,
        }),
    }
}

/// Shows the time and the gas price, without the state.
impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded")
            .field("now", &self.now)
            .field("gas_price", &self.gas_price)
            .finish_non_exhaustive()
    }
}
