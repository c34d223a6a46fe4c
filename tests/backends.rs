//! Tests that every kind of chain behaves the same: the embedded one, and a node, here anvil.
//!
//! Without anvil these tests fail and say how to get it.

use std::{num::NonZeroUsize, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_bindings as bindings;
use cotrain_chain::{
    Chain, ChainError, Config, Embedded, Receipt, Remote, RemoteError, TRANSACTION_GAS_LIMIT,
    Transaction,
    anvil::{Anvil, AnvilConfig},
    node::NodeError,
};
use cotrain_client::deploy::{Deployment, ModelConfig, deploy};
use cotrain_protocol::{
    classifier::{Classifier, Parameters},
    mechanism::Terms,
    sample::{Item, encode_batch, encode_sparse},
    trainer::{Incentive, Waits},
};
use cotrain_simulator::{
    Options, Threads, beginning, run::Run, scenario::Scenario, simulate, simulate_on,
};

const OWNER: Address = Address::repeat_byte(1);
const AUTHOR: Address = Address::repeat_byte(2);
const POOR: Address = Address::repeat_byte(3);
const CONFIG: Config = Config {
    start: 1_767_225_600,
    gas_price: 1_000_000_000,
};

fn anvil(arguments: &[&str]) -> Anvil {
    let config = AnvilConfig::default();
    let arguments = arguments.iter().map(|&argument| argument.to_owned());
    spawn(&AnvilConfig {
        arguments: arguments.collect(),
        ..config
    })
}

fn spawn(config: &AnvilConfig) -> Anvil {
    Anvil::spawn(config).unwrap_or_else(|error| panic!("{error}"))
}

/// Answer of a chain, without the words that differ between kinds of chains.
#[derive(Debug, PartialEq)]
enum Answer {
    Done(Receipt),
    Reverted(ChainError),
    Halted(u64),
    Rejected,
}

impl Answer {
    fn of(answer: Result<Receipt, ChainError>) -> Self {
        match answer {
            Ok(receipt) => Self::Done(receipt),
            Err(error @ ChainError::Reverted { .. }) => Self::Reverted(error),
            Err(ChainError::Halted { gas_used, .. }) => Self::Halted(gas_used),
            Err(ChainError::Rejected { .. }) => Self::Rejected,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Deploys a model with some weights other than 0.
fn found<C: Chain>(chain: &mut C) -> Deployment {
    let parameters = Parameters::SparsePerceptron {
        features: 100,
        learning_rate: 1,
        intercept: 0,
    };
    let mut classifier = Classifier::new(parameters).expect("good parameters");
    let words = (0..classifier.words().len()).map(|i| U256::from(i * 7 % 13));
    let words: Vec<_> = words.collect();
    classifier.write(0, &words).expect("all words");
    let config = ModelConfig {
        owner: OWNER,
        terms: Terms::Trainer {
            incentive: Incentive::DepositRefundTake { cost_weight: 1_000 },
            waits: Waits {
                refund: 60,
                owner_claim: 600,
                any_address_claim: 600,
                report_notice: 0,
            },
        },
    };
    deploy(chain, &config, &classifier).expect("a model")
}

fn batch(features: &[u16]) -> Vec<u8> {
    let sample = encode_sparse(features);
    encode_batch(&[Item {
        label: 1,
        sample: &sample,
    }])
    .expect("a short sample")
}

/// Runs a history on a chain. Returns its answers, values and final state.
fn history<C: Chain>(chain: &mut C) -> (Vec<Answer>, Vec<U256>, B256) {
    let wei = U256::from(u128::MAX);
    chain.fund(OWNER, wei).expect("money");
    chain.fund(AUTHOR, wei / U256::from(2)).expect("money");
    chain.fund(AUTHOR, U256::from(1)).expect("more money");
    let model = found(chain);
    let mut answers = Vec::new();
    for transaction in transactions(&model) {
        answers.push(Answer::of(chain.call(transaction.clone())));
        answers.push(Answer::of(chain.send(transaction.clone())));
        // The chain runs it three times in one second, then once later. It refuses to go back in
        // time.
        answers.push(Answer::of(chain.send(transaction.clone())));
        let before = chain.state_digest().expect("a digest");
        let attempted = Answer::of(chain.attempt(transaction));
        let after = chain.state_digest().expect("a digest");
        let done = matches!(attempted, Answer::Done(_));
        assert_eq!(after != before, done, "what fails changes nothing");
        answers.push(attempted);
        chain.set_time(chain.now() + 7).expect("later");
        let back = chain.set_time(chain.now() - 1);
        assert!(matches!(back, Err(ChainError::TimeRunsBack { .. })));
        answers.push(Answer::of(chain.call(time())));
    }
    let words = model.words(chain).expect("words");
    let held = [
        OWNER,
        AUTHOR,
        POOR,
        model.trainer,
        Address::repeat_byte(0xfe),
    ];
    let held = held.map(|account| chain.balance(account).expect("a balance"));
    let values = [words, held.to_vec()].concat();
    (answers, values, chain.state_digest().expect("a digest"))
}

/// Returns contributions, and transactions that fail in every way.
fn transactions(model: &Deployment) -> Vec<Transaction> {
    let contribute = |features: &[u16]| {
        let call = bindings::contribute(&batch(features));
        Transaction::call(AUTHOR, model.trainer, call).with_value(U256::from(10_000))
    };
    vec![
        contribute(&[1, 5, 17]),
        contribute(&[2, 99]),
        // These revert: no such feature, too little money, nothing to learn.
        contribute(&[100]),
        contribute(&[7]).with_value(U256::ZERO),
        Transaction::call(AUTHOR, model.trainer, bindings::contribute(&[])),
        // These are not contracts of this release. One reverts with a word, one runs out of gas,
        // and one has an invalid opcode.
        Transaction::create(
            AUTHOR,
            Bytes::from_static(&[0x60, 0xaa, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xfd]),
        ),
        Transaction::create(AUTHOR, Bytes::from_static(&[0x5b, 0x5f, 0x56])).with_gas_limit(90_000),
        Transaction::create(AUTHOR, Bytes::from_static(&[0xfe])).with_gas_limit(90_000),
        contribute(&[3]).with_gas_limit(60_000),
        // No block includes these: too little gas, too much gas, too little money in three ways.
        contribute(&[3]).with_gas_limit(21_000),
        contribute(&[3]).with_gas_limit(TRANSACTION_GAS_LIMIT + 1),
        Transaction::call(POOR, AUTHOR, vec![]).with_value(U256::from(1)),
        Transaction::call(AUTHOR, OWNER, vec![]).with_value(U256::MAX),
    ]
}

/// Returns a call that returns its time.
fn time() -> Transaction {
    Transaction::create(
        AUTHOR,
        Bytes::from_static(&[0x42, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]),
    )
}

#[test]
fn chain_has_the_same_state_after_the_same_history() {
    let wanted = history(&mut Embedded::new(CONFIG));
    let failed = |answer: &Answer| !matches!(answer, Answer::Done(_));
    assert!(wanted.0.iter().any(failed) && !wanted.0.iter().all(failed));

    let fast = spawn(&AnvilConfig::for_simulation(CONFIG.start));
    let mut remote = Remote::connect(fast.url(), CONFIG).expect("a chain");
    assert_eq!(history(&mut remote), wanted);
    // A user starts anvil with funded accounts and with fees.
    let plain = anvil(&[&format!("--timestamp={}", CONFIG.start - 5)]);
    let mut remote = Remote::connect(plain.url(), CONFIG).expect("a chain");
    assert_eq!(history(&mut remote), wanted);
}

#[test]
fn call_needs_no_money_for_gas() {
    let anvil = spawn(&AnvilConfig::for_simulation(CONFIG.start));
    let mut remote = Remote::connect(anvil.url(), CONFIG).expect("a chain");
    let mut embedded = Embedded::new(CONFIG);
    let transfer = Transaction::call(POOR, AUTHOR, vec![]);
    let called = remote.call(transfer.clone());
    assert_eq!(
        Answer::of(called),
        Answer::of(embedded.call(transfer.clone()))
    );
    assert_eq!(Answer::of(remote.send(transfer)), Answer::Rejected);
}

#[test]
fn connect_refuses_a_chain_on_which_no_simulation_can_begin() {
    let connect = |anvil: &Anvil| Remote::connect(anvil.url(), CONFIG).expect_err("refused");
    let start = format!("--timestamp={}", CONFIG.start);
    let late = connect(&anvil(&[&format!("--timestamp={}", CONFIG.start + 1)]));
    assert!(
        matches!(late, RemoteError::TooLate { now, .. } if now == CONFIG.start + 1),
        "{late:?}"
    );

    let used = anvil(&[&start]);
    let mut remote = Remote::connect(used.url(), CONFIG).expect("a chain");
    remote.fund(AUTHOR, U256::from(u128::MAX)).expect("money");
    remote.send(time()).expect("a block");
    let used = connect(&used);
    assert!(
        matches!(used, RemoteError::NotEmpty { blocks: 1, .. }),
        "{used:?}"
    );

    let other = spawn(&AnvilConfig {
        chain_id: 1,
        timestamp: Some(CONFIG.start),
        ..AnvilConfig::default()
    });
    let other = connect(&other);
    let wrong = RemoteError::Node(NodeError::WrongChain {
        url: String::new(),
        found: 1,
        wanted: 31_337,
    });
    assert_eq!(
        std::mem::discriminant(&other),
        std::mem::discriminant(&wrong),
        "{other:?}"
    );
}

/// A short economy in which every agent pays for gas.
const SCENARIO: &str = r#"
[data]
source = "movie-reviews"
features = 100
initial_share = 0.995

[model]
kind = "sparse-perceptron"

[incentive]
kind = "deposit-refund-take"
deposit_after_one_hour = 1.0
refund_wait = "1h"
owner_claim_wait = "1 day"
any_address_claim_wait = "1 day"

[chain]
gas_price_gwei = 1

[run]
evaluate_every = "1h"

[[agents]]
name = "Good"
kind = "honest"
start_balance = 100
deposit = { mean = 50, sd = 10 }
wait = { mean = "600s", sd = "1s" }

[[agents]]
name = "Bad"
kind = "flipper"
start_balance = 100
deposit = { mean = 100, sd = 3 }
wait = { mean = "1h", sd = "1s" }
"#;

/// Runs a simulation on the embedded chain and on anvil, and drops what may differ.
fn both(relay: Option<usize>) -> [Run; 2] {
    let scenario = Scenario::parse("short", "short.toml", SCENARIO, None).expect("a scenario");
    let options = Options {
        seed: 1,
        data_dir: None,
        relay: relay.and_then(NonZeroUsize::new),
        threads: Threads::Two,
    };
    let beginning = beginning(&scenario);
    let anvil = spawn(&AnvilConfig::for_simulation(beginning.start));
    let remote = Remote::connect(anvil.url(), beginning).expect("a chain");
    let runs = [
        simulate(&scenario, &options, &mut |_| {}),
        simulate_on(remote, &scenario, &options, &mut |_| {}),
    ];
    let runs = runs.map(|run| run.expect("a run"));
    assert_eq!(
        runs.each_ref().map(|run| run.backend),
        ["embedded", "anvil"]
    );
    runs.map(|run| Run {
        backend: "",
        wall: Duration::ZERO,
        ..run
    })
}

#[test]
fn simulate_on_gives_the_same_run_on_every_chain() {
    let [embedded, anvil] = both(None);
    assert!(embedded.counts.refunds > 0 && embedded.counts.reports > 0);
    assert!(embedded.counts.contributions > 20, "{:?}", embedded.counts);
    // Every event, balance and figure is equal. The digest covers every weight and the rest of the
    // state.
    assert_eq!(embedded, anvil);
}

#[test]
fn simulate_on_gives_the_same_relayed_run_on_every_chain() {
    let [embedded, anvil] = both(Some(5));
    assert!(embedded.relay.is_some_and(|relay| relay.relays > 3));
    assert_eq!(embedded, anvil);
}
