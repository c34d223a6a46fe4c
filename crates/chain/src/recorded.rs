//! Recording of all changes of a chain: enough to repeat them on another chain and to compare.

use std::io;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::{Chain, ChainError, Receipt, Transaction};

/// A change of a chain.
///
/// The passing of time is no step: only transactions see the time, and each step has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// An account was given money out of nothing.
    Fund {
        /// Account that got the money.
        account: Address,
        /// Amount in wei.
        wei: U256,
    },
    /// A transaction became part of the chain.
    Transaction {
        /// Time of its block, in Unix seconds.
        time: u64,
        /// Transaction that was sent.
        transaction: Transaction,
        /// Outcome of the transaction.
        outcome: Outcome,
    },
}

/// Outcome of a transaction that became part of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The transaction succeeded.
    Success(Receipt),
    /// The contract reverted.
    Reverted {
        /// Reason of the contract, as bytes.
        data: Bytes,
        /// Gas spent.
        gas_used: u64,
    },
    /// The EVM stopped the transaction.
    Halted {
        /// Reason, worded differently by each kind of chain.
        reason: String,
        /// Gas spent.
        gas_used: u64,
    },
}

impl Outcome {
    /// Converts the answer of [`Chain::send`] to an outcome.
    ///
    /// # Errors
    /// The same error if it does not imply that the transaction is part of the chain.
    pub fn of(answer: Result<Receipt, ChainError>) -> Result<Self, ChainError> {
        match answer {
            Ok(receipt) => Ok(Self::Success(receipt)),
            Err(ChainError::Reverted { data, gas_used, .. }) => Ok(Self::Reverted {
                data: data.into(),
                gas_used,
            }),
            Err(ChainError::Halted { reason, gas_used }) => Ok(Self::Halted { reason, gas_used }),
            Err(error) => Err(error),
        }
    }

    /// Returns the gas used.
    #[must_use]
    pub fn gas_used(&self) -> u64 {
        match self {
            Self::Success(receipt) => receipt.gas_used,
            Self::Reverted { gas_used, .. } | Self::Halted { gas_used, .. } => *gas_used,
        }
    }
}

/// A chain that passes every [`Step`] to a function, right after the step has happened.
///
/// Calls and rejected transactions change nothing, so they are not steps.
/// If the function fails, the chain returns [`ChainError::Unrecorded`] for that step and for every
/// later one.
/// So nothing is recorded after a gap.
#[derive(Debug)]
pub struct Recorded<C, F> {
    chain: C,
    tell: F,
    steps: u64,
    /// Digest of the state, if computed since the last step.
    digest: Option<B256>,
    /// Error of the step that could not be recorded; `None` if there is no gap.
    gap: Option<ChainError>,
}

impl<C: Chain, F: FnMut(&Step) -> io::Result<()>> Recorded<C, F> {
    /// Records the steps of `chain`, which must not have any yet, by calls of `tell`.
    pub fn new(chain: C, tell: F) -> Self {
        Self {
            chain,
            tell,
            steps: 0,
            digest: None,
            gap: None,
        }
    }

    /// Returns the number of steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Fails after a gap.
    fn complete(&self) -> Result<(), ChainError> {
        self.gap.clone().map_or(Ok(()), Err)
    }

    fn record(&mut self, step: &Step) -> Result<(), ChainError> {
        self.digest = None;
        self.steps += 1;
        self.gap = (self.tell)(step).err().map(|error| ChainError::Unrecorded {
            step: self.steps,
            reason: error.to_string(),
        });
        self.complete()
    }
}

impl<C: Chain, F: FnMut(&Step) -> io::Result<()>> Chain for Recorded<C, F> {
    fn name(&self) -> &'static str {
        self.chain.name()
    }

    fn chain_id(&self) -> u64 {
        self.chain.chain_id()
    }

    fn now(&self) -> u64 {
        self.chain.now()
    }

    fn set_time(&mut self, seconds: u64) -> Result<(), ChainError> {
        self.chain.set_time(seconds)
    }

    fn block_number(&mut self) -> Result<u64, ChainError> {
        self.chain.block_number()
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ChainError> {
        self.chain.block_hash(number)
    }

    fn fund(&mut self, account: Address, wei: U256) -> Result<(), ChainError> {
        self.complete()?;
        self.chain.fund(account, wei)?;
        self.record(&Step::Fund { account, wei })
    }

    fn balance(&mut self, account: Address) -> Result<U256, ChainError> {
        self.chain.balance(account)
    }

    fn gas_price(&self) -> u128 {
        self.chain.gas_price()
    }

    fn send(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        self.complete()?;
        let time = self.chain.now();
        let answer = self.chain.send(transaction.clone());
        if let Ok(outcome) = Outcome::of(answer.clone()) {
            self.record(&Step::Transaction {
                time,
                transaction,
                outcome,
            })?;
        }
        answer
    }

    fn call(&mut self, transaction: Transaction) -> Result<Receipt, ChainError> {
        self.chain.call(transaction)
    }

    fn state_digest(&mut self) -> Result<B256, ChainError> {
        // The end of a recording asks for the digest once more, and a node computes it slowly.
        if let Some(digest) = self.digest {
            return Ok(digest);
        }
        Ok(*self.digest.insert(self.chain.state_digest()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Embedded};

    const SENDER: Address = Address::repeat_byte(1);
    const CONFIG: Config = Config {
        start: 1_767_225_600,
        gas_price: 1,
    };

    /// Returns code that creates a contract with this code, of at most 32 bytes.
    fn creation(code: &[u8]) -> Bytes {
        let length = u8::try_from(code.len()).expect("short");
        // PUSHn code, PUSH1 0, MSTORE, PUSH1 length, PUSH1 32 - length, RETURN.
        let push = 0x5f + length;
        [
            &[push],
            code,
            &[0x60, 0, 0x52, 0x60, length, 0x60, 32 - length, 0xf3],
        ]
        .concat()
        .into()
    }

    /// Runs a history: money, a contract that always reverts with a byte, and one that always
    /// halts.
    ///
    /// It calls each of them. An account without money then tries to send a transaction.
    fn history<C: Chain>(chain: &mut C) -> Result<(), ChainError> {
        chain.fund(SENDER, U256::from(u64::MAX))?;
        let create = |code| Transaction::create(SENDER, creation(code));
        let created = |receipt: Receipt| receipt.created.expect("a contract");
        // PUSH1 7, PUSH1 0, MSTORE8, PUSH1 1, PUSH1 0, REVERT; INVALID.
        let refuses =
            created(chain.send(create(&[0x60, 7, 0x60, 0, 0x53, 0x60, 1, 0x60, 0, 0xfd]))?);
        let stops = created(chain.send(create(&[0xfe]))?);
        chain.set_time(CONFIG.start + 5)?;
        chain.set_time(CONFIG.start + 9)?;
        for to in [refuses, stops] {
            let call = Transaction::call(SENDER, to, Vec::new()).with_gas_limit(50_000);
            chain.call(call.clone()).expect_err("fails");
            chain.send(call).expect_err("fails");
        }
        let poor = Address::repeat_byte(9);
        let rejected = chain.send(Transaction::call(poor, refuses, Vec::new()));
        assert!(matches!(rejected, Err(ChainError::Rejected { .. })));
        let back = chain.set_time(CONFIG.start);
        assert!(matches!(back, Err(ChainError::TimeRunsBack { .. })));
        Ok(())
    }

    #[test]
    fn recorded_reports_every_change_and_nothing_else() {
        let mut steps = Vec::new();
        let mut chain = Recorded::new(Embedded::new(CONFIG), |step: &Step| {
            steps.push(step.clone());
            Ok(())
        });
        history(&mut chain).expect("possible");
        assert_eq!(chain.steps(), 5);
        let digest = chain.state_digest().expect("a digest");
        assert_eq!(chain.state_digest(), Ok(digest));
        chain.fund(SENDER, U256::ONE).expect("money");
        assert_ne!(chain.state_digest(), Ok(digest), "not the one remembered");

        let told = |step: &Step| match step {
            Step::Fund { wei, .. } => format!("fund {wei}"),
            Step::Transaction {
                time,
                transaction,
                outcome,
            } => {
                assert_eq!(transaction.from, SENDER);
                let after = time - CONFIG.start;
                match outcome {
                    Outcome::Success(receipt) => format!("{after}: {}", receipt.output),
                    Outcome::Reverted { data, .. } => format!("{after}: reverted {data}"),
                    Outcome::Halted { gas_used, .. } => format!("{after}: halted {gas_used}"),
                }
            }
        };
        assert_eq!(
            steps.iter().map(told).collect::<Vec<_>>(),
            [
                "fund 18446744073709551615",
                "0: 0x600760005360016000fd",
                "0: 0xfe",
                "9: reverted 0x07",
                "9: halted 50000",
                "fund 1"
            ]
        );
    }

    #[test]
    fn recorded_reports_steps_that_can_be_repeated() {
        let mut steps = Vec::new();
        let mut first = Recorded::new(Embedded::new(CONFIG), |step: &Step| {
            steps.push(step.clone());
            Ok(())
        });
        history(&mut first).expect("possible");
        let digest = first.state_digest();
        let mut second = Embedded::new(CONFIG);
        for step in steps {
            match step {
                Step::Fund { account, wei } => second.fund(account, wei).expect("money"),
                Step::Transaction {
                    time,
                    transaction,
                    outcome,
                } => {
                    second.set_time(time).expect("forward");
                    assert_eq!(Outcome::of(second.send(transaction)), Ok(outcome));
                }
            }
        }
        assert_eq!(second.state_digest(), digest);
    }

    /// Attempts transactions that fail, which changes nothing, and then one that succeeds.
    fn attempts<C: Chain>(chain: &mut C) -> (Receipt, u64, B256) {
        chain.fund(SENDER, U256::from(u64::MAX)).expect("money");
        let before = (chain.block_number(), chain.state_digest());
        // PUSH0, PUSH0, REVERT; INVALID; too little gas to begin.
        let codes: [&'static [u8]; 2] = [&[0x5f, 0x5f, 0xfd], &[0xfe]];
        let fails = codes.map(|code| Transaction::create(SENDER, Bytes::from_static(code)));
        let works = Transaction::create(SENDER, creation(&[0xfe]));
        for fails in fails.into_iter().chain([works.clone().with_gas_limit(1)]) {
            chain.attempt(fails).expect_err("fails");
            assert_eq!((chain.block_number(), chain.state_digest()), before);
        }
        let receipt = chain.attempt(works).expect("works");
        let after = (chain.block_number(), chain.state_digest());
        (
            receipt,
            after.0.expect("a block"),
            after.1.expect("a digest"),
        )
    }

    #[test]
    fn attempt_sends_only_what_succeeds() {
        let mut chain = Embedded::new(CONFIG);
        chain.fund(SENDER, U256::from(u64::MAX)).expect("money");
        let works = Transaction::create(SENDER, creation(&[0xfe]));
        let receipt = chain.send(works).expect("works");
        let number = chain.block_number().expect("a block");
        let sent = (receipt, number, chain.state_digest().expect("a digest"));

        assert_eq!(attempts(&mut Embedded::new(CONFIG)), sent);
        let mut steps = 0;
        let mut recorded = Recorded::new(Embedded::new(CONFIG), |_: &Step| {
            steps += 1;
            Ok(())
        });
        assert_eq!(attempts(&mut &mut recorded), sent);
        assert_eq!(steps, 2, "the money and what has succeeded");
    }

    #[test]
    fn recorded_does_nothing_after_a_step_it_cannot_report() {
        let mut told = 0;
        let mut chain = Recorded::new(Embedded::new(CONFIG), |_: &Step| {
            told += 1;
            if told == 3 {
                return Err(io::Error::other("the disk is full"));
            }
            Ok(())
        });
        let gap = ChainError::Unrecorded {
            step: 3,
            reason: "the disk is full".to_owned(),
        };
        assert_eq!(history(&mut chain), Err(gap.clone()));
        let before = chain.state_digest();
        assert_eq!(chain.fund(SENDER, U256::ONE), Err(gap.clone()));
        let more = Transaction::create(SENDER, creation(&[0xfe]));
        assert_eq!(chain.send(more), Err(gap));
        chain.digest = None;
        assert_eq!(chain.state_digest(), before);
        assert_eq!(told, 3);
    }
}
