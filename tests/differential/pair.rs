//! A contract with its reference model, and comparisons of their states.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Log, LogData, U256, keccak256};
use cotrain_bindings::{self as bindings, Revert, events::TrainerEvent, state};
use cotrain_chain::{Chain, ChainError, Config, Embedded, Receipt, Transaction};
use cotrain_client::deploy::{Deployment, ModelConfig, deploy};
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Kind},
    mechanism::Terms,
    record::Record,
    sample::parse_batch,
    trainer::{Incentive, SignedBatch, Trainer, Waits},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    DAY, START,
    claiming::Operation,
    people::{OWNER, STRANGER, everyone},
    random,
    tally::Tally,
};

pub(crate) const WAITS: Waits = Waits {
    refund: DAY,
    owner_claim: 5 * DAY,
    any_address_claim: 9 * DAY,
    report_notice: 0,
};

/// Waits of a model that needs a notice of half a day before a report.
pub(crate) const WITH_NOTICE: Waits = Waits {
    report_notice: DAY / 2,
    ..WAITS
};

/// Distance from the highest used nonce up to which nonces are compared. The window has 64.
const NONCES: u64 = 70;

/// A contract with its reference model.
pub(crate) struct Pair {
    pub(crate) chain: Embedded,
    pub(crate) model: Deployment,
    pub(crate) reference: Trainer,
    /// Expected money of each wallet.
    pub(crate) wallets: BTreeMap<Address, U256>,
    /// Balances in wei, derived only from the contract's events.
    balances: BTreeMap<Address, u128>,
    /// All contributions, settled or not.
    pub(crate) records: Vec<Record>,
    /// Latest signed batches.
    pub(crate) signed: Vec<SignedBatch>,
    /// Nonce of each author above every nonce that they have signed or canceled.
    pub(crate) nonces: BTreeMap<Address, u64>,
    pub(crate) chance: ChaCha8Rng,
    pub(crate) tally: Tally,
    step: usize,
    context: String,
}

impl Pair {
    pub(crate) fn found(kind: Kind, incentive: Incentive, waits: Waits, seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let classifier = random::classifier(kind, &mut chance);
        let context = format!(
            "{kind}, {incentive:?}, {waits:?}; replay: COTRAIN_SEED={seed} cargo test -p cotrain-tests --test differential"
        );
        Self::with(classifier, incentive, waits, chance, context)
    }

    pub(crate) fn with(
        classifier: Classifier,
        incentive: Incentive,
        waits: Waits,
        chance: ChaCha8Rng,
        context: String,
    ) -> Self {
        let mut chain = Embedded::new(Config {
            start: START,
            gas_price: 0,
        });
        let mut wallets = BTreeMap::new();
        for account in everyone() {
            let wei = U256::from(10).pow(U256::from(36));
            chain.fund(account, wei).expect("money");
            wallets.insert(account, wei);
        }
        let config = ModelConfig {
            owner: OWNER,
            terms: Terms::Trainer { incentive, waits },
        };
        let model = deploy(&mut chain, &config, &classifier).expect("a model");
        let reference = Trainer::new(
            OWNER,
            chain.chain_id(),
            model.trainer,
            incentive,
            waits,
            classifier,
            START,
        )
        .expect("good parameters");
        Self {
            chain,
            model,
            reference,
            wallets,
            balances: BTreeMap::new(),
            records: Vec::new(),
            signed: Vec::new(),
            nonces: BTreeMap::new(),
            chance,
            tally: Tally::default(),
            step: 0,
            context,
        }
    }

    pub(crate) fn run(mut self, steps: usize) -> Tally {
        self.compare();
        for step in 0..steps {
            self.step = step;
            match self.chance.random_range(0..100) {
                0..13 => self.pass_time(),
                13..30 => self.contribute(),
                30..36 => self.contribute_badly(),
                36..50 => self.relay(),
                50..54 => self.deposit(),
                54..57 => self.withdraw(),
                57..59 => self.cancel_nonces(),
                59..71 => self.claim(Operation::Refund),
                71..74 => self.claim(Operation::Announce),
                74..81 => self.claim(Operation::Report),
                81..85 => self.report_for(),
                85..89 => self.claim(Operation::Late),
                89..94 => self.predict(),
                94..97 => self.evaluate(),
                _ => self.meddle(),
            }
            self.compare();
        }
        self.compare_records();
        for author in everyone() {
            self.compare_nonces(author, 0..2 * NONCES);
        }
        self.tally
    }

    fn pass_time(&mut self) {
        let seconds = match self.chance.random_range(0..4) {
            0 => self.chance.random_range(0..3),
            1 => self.chance.random_range(0..3_600),
            2 => self.chance.random_range(0..DAY),
            _ => self.chance.random_range(0..3 * DAY),
        };
        self.pass(seconds);
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.chain
            .set_time(self.chain.now() + seconds)
            .expect("later");
    }

    pub(crate) fn now(&self) -> u64 {
        self.chain.now()
    }

    /// Returns the step and the context of a failure, which tells how to replay it.
    pub(crate) fn at(&self) -> String {
        format!("step {}, {}", self.step, self.context)
    }

    /// Sends a call to the trainer.
    pub(crate) fn send(
        &mut self,
        from: Address,
        value: u128,
        call: Vec<u8>,
    ) -> Result<Receipt, ChainError> {
        let call = Transaction::call(from, self.model.trainer, call);
        let sent = self.chain.send(call.with_value(U256::from(value)));
        if let Ok(receipt) = &sent {
            receipt.logs.iter().for_each(|log| self.follow(log));
        }
        sent
    }

    /// Follows an event like an indexer, which knows only events.
    fn follow(&mut self, log: &Log) {
        match TrainerEvent::decode(log).expect("an event of a trainer") {
            TrainerEvent::Deposited(event) => *self.followed(event.account) += event.amount,
            TrainerEvent::Withdrawn(event) => *self.followed(event.account) -= event.amount,
            TrainerEvent::Relayed(event) => {
                for batch in event.batches {
                    let items = parse_batch(&batch.items).expect("parsed before").len();
                    *self.followed(batch.author) -= event.deposit * items as u128 + batch.fee;
                    *self.followed(event.relayer) += batch.fee;
                }
            }
            _ => {}
        }
    }

    fn followed(&mut self, account: Address) -> &mut u128 {
        self.balances.entry(account).or_default()
    }

    /// Reads from the trainer.
    pub(crate) fn ask(&mut self, call: Vec<u8>) -> Vec<u8> {
        let call = Transaction::call(STRANGER, self.model.trainer, call);
        self.chain.call(call).expect("an answer").output.to_vec()
    }

    fn wallet(&mut self, account: Address) -> &mut U256 {
        self.wallets.get_mut(&account).expect("a wallet")
    }

    /// Records money that went from a wallet to the trainer.
    pub(crate) fn spend(&mut self, account: Address, wei: u128) {
        *self.wallet(account) -= U256::from(wei);
    }

    /// Records money that went from the trainer to a wallet.
    pub(crate) fn earn(&mut self, account: Address, wei: u128) {
        *self.wallet(account) += U256::from(wei);
    }

    /// Checks that both refused for the same reason, or neither refused.
    pub(crate) fn same_refusal<C, T>(
        &self,
        chain: Result<C, ChainError>,
        reference: Result<T, ContractError>,
    ) {
        match (chain.map(|_| ()), reference.map(|_| ())) {
            (Ok(()), Ok(())) => {}
            (
                Err(ChainError::Reverted {
                    revert: Revert::Contract(chain),
                    ..
                }),
                Err(reference),
            ) if chain == reference => {}
            (chain, reference) => panic!("chain {chain:?}, reference {reference:?}; {}", self.at()),
        }
    }

    /// Checks that the contract refused for a reason that the rules do not know.
    pub(crate) fn refused(&self, chain: &Result<Receipt, ChainError>, revert: &Revert) {
        let seen = chain.as_ref().err().and_then(ChainError::revert);
        assert_eq!(seen, Some(revert), "{}", self.at());
    }

    /// Checks that the receipt has only this event: indexed addresses, and a number.
    pub(crate) fn only_event(
        &self,
        receipt: &Receipt,
        signature: &str,
        indexed: &[Address],
        value: u128,
    ) {
        let topics = indexed.iter().map(Address::into_word);
        let data = LogData::new_unchecked(
            [keccak256(signature)].into_iter().chain(topics).collect(),
            U256::from(value).to_be_bytes_vec().into(),
        );
        let expected = Log {
            address: self.model.trainer,
            data,
        };
        assert_eq!(receipt.logs, [expected], "{}", self.at());
    }

    /// Checks that a new record, built from its event, is that of the contract and of the reference
    /// model.
    pub(crate) fn remember(&mut self, record: Record) {
        let root = record.root();
        let first_position = record.first_position();
        assert_eq!(self.reference.root(first_position), root, "{}", self.at());
        self.compare_root(first_position);
        self.records.push(record);
    }

    /// Compares all state except that of single contributions and nonces.
    pub(crate) fn compare(&mut self) {
        for (account, expected) in &self.wallets {
            let seen = self.chain.balance(*account).expect("a balance");
            assert_eq!(seen, *expected, "wallet of {account}, {}", self.at());
        }
        let held = self.chain.balance(self.model.trainer).expect("a balance");
        assert_eq!(
            held,
            U256::from(self.reference.held()),
            "held, {}",
            self.at()
        );
        let now = self.chain.now();
        let reference = &self.reference;
        let mut numbers = vec![
            (
                "contributionCount",
                state::contribution_count(),
                u128::from(reference.contribution_count()),
            ),
            (
                "lastContributionTime",
                state::last_contribution_time(),
                u128::from(reference.last_contribution_time()),
            ),
            (
                "totalGood",
                state::total_good(),
                reference.total_good().into(),
            ),
            ("price(1)", state::price(1), reference.price(1, now)),
            ("price(7)", state::price(7), reference.price(7, now)),
        ];
        for account in everyone() {
            let (good, balance) = (reference.good(account).into(), reference.balance(account));
            let followed = self.balances.get(&account).copied().unwrap_or_default();
            assert_eq!(followed, balance, "balance by events, {}", self.at());
            numbers.push(("good", state::good(account), good));
            numbers.push(("balanceOf", state::balance_of(account), balance));
        }
        for (name, call, expected) in numbers {
            assert_eq!(
                self.read(call),
                U256::from(expected),
                "{name}, {}",
                self.at()
            );
        }
        let words = self.model.words(&mut self.chain).expect("words");
        assert_eq!(
            words,
            self.reference.classifier().words(),
            "model, {}",
            self.at()
        );
    }

    pub(crate) fn compare_root(&mut self, position: u64) {
        let root = self.read(state::root(position));
        let expected = U256::from_be_bytes(self.reference.root(position).0);
        assert_eq!(root, expected, "root {position}, {}", self.at());
    }

    /// Compares the state of one contribution.
    pub(crate) fn compare_settlement(&mut self, position: u64) {
        let answer = self.ask(state::settlement(position));
        let settlement = bindings::read_settlement(&answer).expect("a settlement");
        let expected = self.reference.settlement(position);
        assert_eq!(settlement, expected, "settlement {position}, {}", self.at());
        let announced = self.read(state::announced(position));
        let expected = U256::from(self.reference.announced(position).unwrap_or_default());
        assert_eq!(announced, expected, "announced {position}, {}", self.at());
    }

    pub(crate) fn compare_reported(&mut self, position: u64, reporter: Address) {
        let seen = self.read(state::reported(position, reporter));
        let expected = U256::from(self.reference.reported(position, reporter));
        assert_eq!(seen, expected, "reported {position}, {}", self.at());
    }

    /// Compares every root, settlement and mark of a reporter.
    fn compare_records(&mut self) {
        for position in 0..=self.reference.contribution_count() {
            self.compare_root(position);
            self.compare_settlement(position);
            for reporter in everyone() {
                self.compare_reported(position, reporter);
            }
        }
    }

    /// Compares which nonces are used.
    ///
    /// `ages` count down from a little above the nonce that the author should use next.
    pub(crate) fn compare_nonces(&mut self, account: Address, ages: impl IntoIterator<Item = u64>) {
        let top = self.nonces.get(&account).copied().unwrap_or_default() + 3;
        for nonce in ages.into_iter().filter_map(|age| top.checked_sub(age)) {
            let used = self.read(state::nonce_used(account, nonce));
            let expected = U256::from(self.reference.nonce_used(account, nonce));
            assert_eq!(used, expected, "nonce {nonce} of {account}, {}", self.at());
        }
    }

    fn read(&mut self, call: Vec<u8>) -> U256 {
        bindings::read_number(&self.ask(call)).expect("a number")
    }
}
