//! Trainer on a chain: its deployment, transactions with their gas, and answers.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use cotrain_bindings::{
    self as bindings,
    channels::{Erc3009Token, token_code},
    federated::{
        FederatedTrainer, RewardToken, RoundTerms, create, math_code, model_code,
        reward_token_code, trainer_code,
    },
};
use cotrain_chain::{Chain, ChainError, Receipt, Transaction};
use cotrain_protocol::federated::Softmax;

use super::{Settings, Spent, Step};
use crate::{
    SimulateError,
    mechanism::contract::{OWNER, same},
};

/// Account that sends what anyone may send.
pub(super) const ANYONE: Address = Address::repeat_byte(0x0b);

/// Size of the chunks of an update's root, in bytes.
pub(super) const CHUNK: u32 = 4_096;

/// Time of each phase, in seconds.
const WAIT: u32 = 3_600;

/// Cap of the reward token: far above the largest emission.
const CAP: u128 = 1 << 95;

/// Number of versions after which the emission halves: more than a run has.
const HALVING: u32 = 1_000;

/// Trainer with its model and tokens on a chain.
pub(super) struct Contract<'a> {
    chain: &'a mut dyn Chain,
    pub(super) trainer: Address,
    classifier: Address,
    stake_token: Address,
    reward_token: Address,
    /// Bond of the owner.
    pub(super) bond: u128,
    pub(super) spent: Spent,
}

impl<'a> Contract<'a> {
    /// Deploys a trainer with its model and tokens, and commits its owner to a test set.
    pub(super) fn found(
        chain: &'a mut dyn Chain,
        settings: &Settings,
        model: &Softmax,
        commitments: Vec<B256>,
    ) -> Result<Self, SimulateError> {
        let mut found = Self {
            chain,
            trainer: Address::ZERO,
            classifier: Address::ZERO,
            stake_token: Address::ZERO,
            reward_token: Address::ZERO,
            bond: settings.stake,
            spent: Spent::default(),
        };
        let math = found.deploy(math_code())?;
        let implementation = found.deploy(trainer_code(math))?;
        let model_implementation = found.deploy(model_code())?;
        let factory = found.deploy(bindings::factory_code())?;
        found.stake_token = found.deploy(token_code())?;
        found.reward_token = found.deploy(reward_token_code("Reward", "RWD", CAP, OWNER))?;
        let terms = RoundTerms {
            stake_token: found.stake_token,
            reward_token: found.reward_token,
            stake: settings.stake,
            slash: settings.slash,
            margin: settings.margin,
            open_wait: WAIT,
            reveal_wait: WAIT,
            work_wait: WAIT,
            clients: settings.clients,
            rule: settings.rule,
            hostile: settings.assumed_hostile,
            width: settings.width,
            max_squared_norm: u64::MAX,
            chunk: CHUNK,
            emission: settings.emission,
            halving: HALVING,
            bond: found.bond,
        };
        let call = create(implementation, &terms, model_implementation, model);
        let created = found.send_to(Step::Deploy, OWNER, factory, call)?.output;
        let addresses = bindings::created_model(&created);
        (found.trainer, found.classifier) =
            addresses.ok_or(ChainError::UnexpectedAnswer { call: "create" })?;
        let (trainer, classifier, token) = (found.trainer, found.classifier, found.reward_token);
        found.send_to(Step::Deploy, OWNER, classifier, bindings::close(trainer))?;
        let named = RewardToken::setTrainerCall { account: trainer };
        found.send_to(Step::Deploy, OWNER, token, named.abi_encode())?;
        found.deposit(OWNER, found.bond)?;
        let call = FederatedTrainer::commitTestCall { commitments };
        found.send(Step::Deploy, OWNER, &call)?;
        Ok(found)
    }

    fn deploy(&mut self, code: alloy_primitives::Bytes) -> Result<Address, SimulateError> {
        let receipt = self.chain.send(Transaction::create(OWNER, code))?;
        self.spent.add(Step::Deploy, receipt.gas_used);
        let created = receipt.created;
        Ok(created.ok_or(ChainError::UnexpectedAnswer { call: "create" })?)
    }

    /// Gives an account stake tokens, and deposits them.
    pub(super) fn deposit(&mut self, account: Address, amount: u128) -> Result<(), SimulateError> {
        let (token, amount) = (self.stake_token, U256::from(amount));
        let mint = Erc3009Token::mintCall {
            to: account,
            amount,
        };
        self.send_to(Step::Deposit, OWNER, token, mint.abi_encode())?;
        let approve = Erc3009Token::approveCall {
            spender: self.trainer,
            value: amount,
        };
        self.send_to(Step::Deposit, account, token, approve.abi_encode())?;
        self.send(
            Step::Deposit,
            account,
            &FederatedTrainer::depositCall { amount },
        )?;
        Ok(())
    }

    /// Sends a call of the trainer.
    pub(super) fn send(
        &mut self,
        step: Step,
        from: Address,
        call: &impl SolCall,
    ) -> Result<Receipt, SimulateError> {
        self.send_to(step, from, self.trainer, call.abi_encode())
    }

    /// Runs a call of the trainer without sending it. Returns `false` if it fails.
    pub(super) fn would_succeed(&mut self, call: &impl SolCall) -> Result<bool, SimulateError> {
        let call = Transaction::call(ANYONE, self.trainer, call.abi_encode());
        match self.chain.call(call) {
            Ok(_) => Ok(true),
            Err(ChainError::Halted { .. } | ChainError::Reverted { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends a transaction that does nothing, so that the chain has one more block.
    pub(super) fn pass_block(&mut self) -> Result<(), SimulateError> {
        self.send_to(Step::Draw, ANYONE, ANYONE, Vec::new())?;
        Ok(())
    }

    /// Lets the time of a phase go by.
    pub(super) fn pass_phase(&mut self) -> Result<(), SimulateError> {
        let now = self.chain.now();
        Ok(self.chain.set_time(now + u64::from(WAIT) + 1)?)
    }

    fn send_to(
        &mut self,
        step: Step,
        from: Address,
        to: Address,
        data: Vec<u8>,
    ) -> Result<Receipt, SimulateError> {
        let receipt = self.chain.send(Transaction::call(from, to, data))?;
        self.spent.add(step, receipt.gas_used);
        Ok(receipt)
    }

    /// Returns the trainer's answer to a call.
    pub(super) fn read<C: SolCall>(&mut self, call: &C) -> Result<C::Return, SimulateError> {
        let call = Transaction::call(ANYONE, self.trainer, call.abi_encode());
        let answer = self.chain.call(call)?.output;
        let unexpected = |_| ChainError::UnexpectedAnswer { call: C::SIGNATURE };
        Ok(C::abi_decode_returns(&answer).map_err(unexpected)?)
    }

    /// Checks that the model on the chain has these words.
    pub(super) fn compare_model(&mut self, expected: Vec<U256>) -> Result<(), SimulateError> {
        let call = bindings::words(0, expected.len());
        let call = Transaction::call(ANYONE, self.classifier, call);
        let found = bindings::read_words(&self.chain.call(call)?.output);
        same("words", &found, &Some(expected))
    }

    /// Returns an account's stake tokens and reward tokens outside of the trainer.
    pub(super) fn held(&mut self, account: Address) -> Result<(u128, u128), SimulateError> {
        let mut balance = |token| -> Result<u128, SimulateError> {
            let call = Erc3009Token::balanceOfCall { account };
            let call = Transaction::call(ANYONE, token, call.abi_encode());
            let answer = bindings::read_number(&self.chain.call(call)?.output);
            let number = answer.and_then(|number| u128::try_from(number).ok());
            let unexpected = ChainError::UnexpectedAnswer { call: "balanceOf" };
            Ok(number.ok_or(unexpected)?)
        };
        Ok((balance(self.stake_token)?, balance(self.reward_token)?))
    }

    /// Returns the number of all reward tokens.
    pub(super) fn minted(&mut self) -> Result<U256, SimulateError> {
        let call = RewardToken::totalSupplyCall {}.abi_encode();
        let call = Transaction::call(ANYONE, self.reward_token, call);
        let answer = bindings::read_number(&self.chain.call(call)?.output);
        let unexpected = ChainError::UnexpectedAnswer {
            call: "totalSupply",
        };
        Ok(answer.ok_or(unexpected)?)
    }

    /// Returns the digest of the chain's state.
    pub(super) fn state(&mut self) -> Result<B256, SimulateError> {
        Ok(self.chain.state_digest()?)
    }
}
