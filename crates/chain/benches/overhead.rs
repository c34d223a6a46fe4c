//! Compares the time of a contribution through [`Chain`] with a bare loop of revm transactions.
//!
//! Both run the same contracts with the same calldata, in alternating turns, in one process.
//! Prints `name<TAB>value<TAB>unit`.

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction};
use cotrain_client::deploy::{Deployment, ModelConfig, deploy};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    mechanism::Terms,
    sample::{Item, encode_batch, encode_sparse},
    trainer::{Incentive, Waits},
};
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext, MainnetEvm,
    context::{TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    handler::MainnetContext,
    primitives::{TxKind, hardfork::SpecId},
};

const OWNER: Address = Address::repeat_byte(1);
const AUTHOR: Address = Address::repeat_byte(2);
const START: u64 = 1_767_225_600;
const FEATURES: u16 = 1_000;
/// Number of transactions in one turn.
const TURN: u64 = 2_000;
const TURNS: u64 = 7;

fn main() {
    for present in [20, 60, 95] {
        let mut embedded = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut bare = Bare::new();
        let through = found(&mut embedded);
        let alone = found(&mut bare);
        let mut ratios = Vec::new();
        let mut rates = Vec::new();
        for turn in 0..TURNS {
            let batches: Vec<_> = (0..TURN).map(|i| batch(turn * TURN + i, present)).collect();
            let a = in_chain(&mut embedded, &through, &batches);
            let b = in_loop(&mut bare, &alone, &batches);
            ratios.push(a.as_secs_f64() / b.as_secs_f64());
            // A turn has 2,000 transactions, which a float represents exactly.
            #[allow(clippy::cast_precision_loss)]
            rates.push((TURN as f64 / a.as_secs_f64(), TURN as f64 / b.as_secs_f64()));
        }
        ratios.sort_by(f64::total_cmp);
        rates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let middle = ratios.len() / 2;
        let (chain_rate, loop_rate) = rates[middle];
        print(
            &format!("chain_contributions_{present}_present"),
            chain_rate,
            "per second",
        );
        print(
            &format!("bare_loop_contributions_{present}_present"),
            loop_rate,
            "per second",
        );
        print(
            &format!("chain_over_bare_loop_{present}_present"),
            ratios[middle],
            "ratio",
        );
    }
}

// A benchmark reports its result by printing.
#[allow(clippy::print_stdout)]
fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.2}\t{unit}");
}

/// Deploys a sparse perceptron of 1,000 weights, some of them not 0. Its contributions cost little.
fn found<C: Chain>(chain: &mut C) -> Deployment {
    let parameters = Parameters::SparsePerceptron {
        features: u32::from(FEATURES),
        learning_rate: 1,
        intercept: 0,
    };
    let mut classifier = Classifier::new(parameters).expect("good parameters");
    let words: Vec<_> = (0..classifier.words().len())
        .map(|i| U256::from(i * 7 % 13))
        .collect();
    classifier
        .write(0, &words)
        .expect("as many words as there are");
    let config = ModelConfig {
        owner: OWNER,
        terms: Terms::Trainer {
            incentive: Incentive::DepositRefundTake { cost_weight: 1_000 },
            waits: Waits {
                refund: 86_400,
                owner_claim: 777_600,
                any_address_claim: 777_600,
                report_notice: 0,
            },
        },
    };
    chain.fund(OWNER, U256::from(u128::MAX)).expect("money");
    chain.fund(AUTHOR, U256::from(u128::MAX)).expect("money");
    deploy(chain, &config, &classifier).expect("a model")
}

/// Encodes the `number`-th batch, of one item. Its `present` features are spread evenly, and labels
/// alternate.
fn batch(number: u64, present: u16) -> Vec<u8> {
    let step = FEATURES / present;
    let shift = u16::try_from(number % u64::from(step)).expect("below the step");
    let features: Vec<u16> = (0..present).map(|i| i * step + shift).collect();
    let sample = encode_sparse(&features);
    encode_batch(&[Item {
        label: u16::from(number % 2 == 1),
        sample: &sample,
    }])
    .expect("a short sample")
}

/// Sends one contribution every 600 seconds through the chain, as the simulator does. Returns the
/// time taken.
fn in_chain(chain: &mut Embedded, model: &Deployment, batches: &[Vec<u8>]) -> Duration {
    let started = Instant::now();
    for batch in batches {
        chain.set_time(chain.now() + 600).expect("later");
        let call = Transaction::call(AUTHOR, model.trainer, bindings::contribute(batch));
        let receipt = chain
            .send(call.with_value(U256::from(150_000)))
            .expect("a contribution");
        assert!(bindings::events::contributed(&receipt.logs).is_some());
    }
    started.elapsed()
}

/// Sends the same in a plain loop over revm, with the calldata built before the clock starts.
fn in_loop(bare: &mut Bare, model: &Deployment, batches: &[Vec<u8>]) -> Duration {
    let calls: Vec<_> = batches
        .iter()
        .map(|batch| bindings::contribute(batch))
        .collect();
    let started = Instant::now();
    for call in calls {
        bare.now += 600;
        let transaction =
            Transaction::call(AUTHOR, model.trainer, call).with_value(U256::from(150_000));
        let result = bare.transact(transaction);
        assert!(result.is_success(), "{result:?}");
    }
    started.elapsed()
}

/// revm with its own in-memory database and a commit after each transaction: the obvious loop.
struct Bare {
    evm: MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>,
    nonces: std::collections::HashMap<Address, u64>,
    now: u64,
}

impl Bare {
    fn new() -> Self {
        let context = Context::mainnet()
            .with_db(CacheDB::<EmptyDB>::default())
            .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA));
        Self {
            evm: context.build_mainnet(),
            nonces: std::collections::HashMap::new(),
            now: START,
        }
    }

    fn transact(&mut self, transaction: Transaction) -> ExecutionResult {
        let nonce = self.nonces.entry(transaction.from).or_default();
        self.evm.ctx.block.timestamp = U256::from(self.now);
        let environment = TxEnv {
            caller: transaction.from,
            kind: transaction.to.map_or(TxKind::Create, TxKind::Call),
            value: transaction.value,
            data: transaction.data,
            gas_limit: transaction.gas_limit,
            nonce: *nonce,
            ..TxEnv::default()
        };
        *nonce += 1;
        self.evm
            .transact_commit(environment)
            .expect("a valid transaction")
    }
}

/// Implements only the methods that deploying the same model needs.
impl Chain for Bare {
    fn name(&self) -> &'static str {
        "bare loop"
    }

    fn chain_id(&self) -> u64 {
        self.evm.ctx.cfg.chain_id
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError> {
        self.now = seconds;
        Ok(())
    }

    fn block_number(&mut self) -> Result<u64, ChainError> {
        unimplemented_here("block number")
    }

    fn block_hash(&mut self, _: u64) -> Result<B256, ChainError> {
        unimplemented_here("block hash")
    }

    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError> {
        let database = &mut self.evm.ctx.journaled_state.database;
        let info = revm::state::AccountInfo {
            balance: wei,
            ..Default::default()
        };
        database.insert_account_info(account, info);
        Ok(())
    }

    fn balance(&mut self, _: Address) -> Result<U256, ChainError> {
        unimplemented_here("balance")
    }

    fn gas_price(&self) -> u128 {
        0
    }

    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        let result = self.transact(transaction);
        let gas_used = result.tx_gas_used();
        let created = result.created_address();
        let ExecutionResult::Success { logs, output, .. } = result else {
            return Err(ChainError::Rejected {
                reason: format!("{result:?}"),
            });
        };
        Ok(Receipt {
            gas_used,
            output: output.into_data(),
            created,
            logs,
        })
    }

    fn call(&mut self, _: Transaction) -> Result<Receipt, ChainError> {
        unimplemented_here("call")
    }

    fn state_digest(&mut self) -> Result<B256, ChainError> {
        unimplemented_here("state_digest")
    }
}

fn unimplemented_here<T>(what: &str) -> Result<T, ChainError> {
    Err(ChainError::Rejected {
        reason: format!("the bare loop has no {what}"),
    })
}
