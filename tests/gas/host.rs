//! A chain with everything deployed at forge's addresses.
//!
//! Addresses are part of what is signed, and their bytes affect the price of calldata.

use alloy_primitives::{Address, B256, Bytes, U256, address};
use cotrain_bindings::{self as bindings, events, state};
use cotrain_chain::{Chain, Config, Embedded, Receipt, Rules, Transaction};
use cotrain_protocol::{
    classifier::{Kind, Parameters},
    mechanism::{Mechanism, Terms},
    record::{Claims, Contribution, Record},
    sample::parse_batch,
    trainer::{Delegation, Incentive, SignedBatch, Waits, domain},
};
use k256::ecdsa::SigningKey;

use crate::Figures;

pub(crate) const DAY: u64 = 86_400;
pub(crate) const WAITS: Waits = Waits {
    refund: DAY,
    owner_claim: 8 * DAY,
    any_address_claim: 9 * DAY,
    report_notice: 0,
};
const INCENTIVE: Incentive = Incentive::DepositRefundTake {
    cost_weight: 1_000_000_000_000_000_000,
};
const START: u64 = 1_800_000_000;

/// Contract of forge that runs the tests and deploys what they need.
const TESTER: Address = address!("7FA9385bE102ac3EAc297483Dd6233D62b3e1496");
pub(crate) const OWNER: Address = address!("1000000000000000000000000000000000000001");
pub(crate) const ALICE: Address = address!("2000000000000000000000000000000000000002");
pub(crate) const BOB: Address = address!("3000000000000000000000000000000000000003");
pub(crate) const CAROL: Address = address!("4000000000000000000000000000000000000004");

/// Number of a model's words that one transaction writes.
const CHUNK: usize = 256;

/// A model on a chain of its own, with the figures measured there.
pub(crate) struct Host {
    chain: Embedded,
    rules: Rules,
    factory: Address,
    trainer_implementation: Address,
    implementations: Vec<(Kind, Address)>,
    pub(crate) trainer: Address,
    pub(crate) classifier: Address,
    name: &'static str,
    /// Waits of the models to be built.
    pub(crate) waits: Waits,
    pub(crate) figures: Figures,
}

impl Host {
    pub(crate) fn new(rules: Rules) -> Self {
        let config = Config {
            start: START,
            gas_price: 0,
        };
        let mut chain = Embedded::with_rules(config, rules);
        for account in [OWNER, ALICE, BOB, CAROL] {
            chain.fund(account, money()).expect("money");
        }
        chain
            .fund(TESTER, U256::from(u128::MAX >> 32))
            .expect("money");
        // The first nonce of a contract is 1.
        let call = Transaction::call(TESTER, TESTER, vec![]);
        chain.send(call).expect("a nonce");
        let mut deploy = |code: Bytes| {
            let create = Transaction::create(TESTER, code).with_gas_limit(rules.gas_limit());
            let receipt = chain.send(create).expect("a contract");
            receipt.created.expect("its address")
        };
        let factory = deploy(bindings::factory_code());
        let trainer_implementation = deploy(bindings::contract_code(Mechanism::DepositRefundTake));
        deploy(bindings::contract_code(Mechanism::Points));
        let implementations = [
            Kind::SparsePerceptron,
            Kind::DensePerceptron,
            Kind::NaiveBayes,
            Kind::SparseNearestCentroid,
            Kind::DenseNearestCentroid,
        ]
        .map(|kind| (kind, deploy(bindings::classifier_code(kind))));
        Self {
            chain,
            rules,
            factory,
            trainer_implementation,
            implementations: implementations.to_vec(),
            trainer: Address::ZERO,
            classifier: Address::ZERO,
            name: "",
            waits: WAITS,
            figures: Figures::new(),
        }
    }

    /// Creates, writes and closes a model, and uses it from now on. Its price is the sum over all
    /// the transactions.
    pub(crate) fn build(&mut self, name: &'static str, parameters: &Parameters, words: &[U256]) {
        let kind = parameters.kind();
        let (_, implementation) = self
            .implementations
            .iter()
            .find(|(one, _)| *one == kind)
            .expect("all are deployed");
        let call = bindings::create_model(
            self.trainer_implementation,
            &Terms::Trainer {
                incentive: INCENTIVE,
                waits: self.waits,
            },
            *implementation,
            parameters,
        );
        let receipt = self.send(OWNER, self.factory, 0, call);
        (self.trainer, self.classifier) =
            bindings::created_model(&receipt.output).expect("a model");
        self.name = name;
        let mut gas = receipt.gas_used;
        for (chunk, values) in words.chunks(CHUNK).enumerate() {
            let call = bindings::write(chunk * CHUNK, values);
            gas += self.send(OWNER, self.classifier, 0, call).gas_used;
        }
        let call = bindings::close(self.trainer);
        gas += self.send(OWNER, self.classifier, 0, call).gas_used;
        self.record("create", &parameters.features().to_string(), gas);
    }

    pub(crate) fn record(&mut self, action: &str, case: &str, figure: u64) {
        let name = format!("{action}.{}.{case}", self.name);
        self.figures.insert(name, figure);
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        let later = self.chain.now() + seconds;
        self.chain.set_time(later).expect("later");
    }

    pub(crate) fn fund(&mut self, account: Address) {
        self.chain.fund(account, money()).expect("money");
    }

    fn send(&mut self, from: Address, to: Address, value: u128, call: Vec<u8>) -> Receipt {
        let call = Transaction::call(from, to, call)
            .with_value(U256::from(value))
            .with_gas_limit(self.rules.gas_limit());
        self.chain.send(call).expect("a receipt")
    }

    /// Calls the trainer. Returns the gas used.
    pub(crate) fn call(&mut self, from: Address, value: u128, call: Vec<u8>) -> u64 {
        self.send(from, self.trainer, value, call).gas_used
    }

    fn ask(&mut self, call: Vec<u8>) -> U256 {
        let call = Transaction::call(CAROL, self.trainer, call);
        let answer = self.chain.call(call).expect("an answer").output;
        bindings::read_number(&answer).expect("a number")
    }

    /// Returns the price of one contribution, in wei.
    pub(crate) fn price(&mut self) -> u128 {
        self.ask(state::price(1)).to()
    }

    pub(crate) fn good(&mut self, author: Address) -> u64 {
        self.ask(state::good(author)).to()
    }

    pub(crate) fn contribution_count(&mut self) -> u64 {
        self.ask(state::contribution_count()).to()
    }

    pub(crate) fn predict(&mut self, sample: &[u8]) -> u16 {
        let call = Transaction::call(CAROL, self.classifier, bindings::predict(&[sample]));
        let answer = self.chain.call(call).expect("an answer").output;
        bindings::read_labels(&answer).expect("labels")[0]
    }

    /// Prepays for an account.
    pub(crate) fn deposit(&mut self, account: Address, value: u128) {
        self.call(TESTER, value, bindings::deposit_to(account));
    }

    /// Contributes. Returns the record for claims.
    pub(crate) fn contribute(&mut self, author: Address, value: u128, items: &[u8]) -> Record {
        let receipt = self.send(author, self.trainer, value, bindings::contribute(items));
        let event = events::contributed(&receipt.logs).expect("an event");
        let items = parse_batch(&event.items).expect("items");
        Record::new(
            event.first_position,
            event.deposit,
            event.time,
            &[(author, items)],
        )
    }

    pub(crate) fn signed(&self, key: u8, nonce: u64, items: Vec<u8>) -> SignedBatch {
        let key = signing_key(key);
        let batch = SignedBatch {
            author: Address::from_private_key(&key),
            // Most batches name the sender as their relayer.
            relayer: CAROL,
            max_deposit: 1_000_000_000_000_000_000_000,
            fee: 10_000_000_000_000,
            nonce,
            deadline: 2_000_000_000,
            items,
            signature: vec![],
        };
        let hash = batch.signing_hash(&domain(self.chain.chain_id(), self.trainer));
        let signature = sign(&key, hash);
        SignedBatch { signature, ..batch }
    }

    /// Signs that a keeper may report in this second for the account with this key.
    pub(crate) fn delegated(&self, key: u8, keeper: Address) -> Delegation {
        let key = signing_key(key);
        let delegation = Delegation {
            reporter: Address::from_private_key(&key),
            keeper,
            until: self.chain.now(),
            signature: vec![],
        };
        let hash = delegation.signing_hash(&domain(self.chain.chain_id(), self.trainer));
        let signature = sign(&key, hash);
        Delegation {
            signature,
            ..delegation
        }
    }
}

fn signing_key(number: u8) -> SigningKey {
    let mut bytes = [0; 32];
    bytes[31] = number;
    SigningKey::from_slice(&bytes).expect("not zero")
}

/// Signs a hash by ERC-2098.
fn sign(key: &SigningKey, hash: B256) -> Vec<u8> {
    let (signature, id) = key
        .sign_prehash_recoverable(hash.as_slice())
        .expect("a hash");
    let mut signature = signature.to_bytes().to_vec();
    signature[32] |= u8::from(id.is_y_odd()) << 7;
    signature
}

/// Returns the claim on a contribution that came alone.
pub(crate) fn alone(record: &Record) -> [Claims; 1] {
    [Claims::alone(first(record).clone())]
}

fn first(record: &Record) -> &Contribution {
    &record.contributions()[0]
}

fn money() -> U256 {
    U256::from(1_000_000_000_000_000_000_000_000_u128)
}
