//! Contracts of federated rounds: their code, the creation of a trainer, and their types as `sol!`
//! generates them.
//!
//! Callers use the contracts' calls, events and errors directly.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::{SolCall, SolConstructor, SolValue};
use cotrain_protocol::federated::{RoundPhase, Rule, Softmax, Width};

pub use crate::contracts::{FederatedTrainer, RewardToken, RoundMath, SoftmaxRegression};
use crate::{code::arguments_of, contracts::ModelFactory::createCall};

/// Terms of a federated trainer. Amounts are in the smallest units of their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundTerms {
    /// Token of stakes and bond.
    pub stake_token: Address,
    /// Token of rewards, which the trainer alone mints.
    pub reward_token: Address,
    /// Stake that a commitment locks.
    pub stake: u128,
    /// Part of the stake that an update of too low a value loses.
    pub slash: u128,
    /// Loss of value that an update may cause before it is left out, in 1/256 bit.
    pub margin: u32,
    /// Time for commitments, from the first one on, in seconds.
    pub open_wait: u32,
    /// Time to reveal updates, and to reveal the drawn part, in seconds.
    pub reveal_wait: u32,
    /// Time to score, and to aggregate, in seconds.
    pub work_wait: u32,
    /// Maximum number of clients of a round.
    pub clients: u8,
    /// Rule that joins the updates.
    pub rule: Rule,
    /// Number of updates that the rule takes to be hostile.
    pub hostile: u8,
    /// Width of an update's lanes.
    pub width: Width,
    /// Largest sum of the squares of an update.
    pub max_squared_norm: u64,
    /// Size of the chunks of an update's root, in bytes: a multiple of 32.
    pub chunk: u32,
    /// Tokens that a round with a better model mints.
    pub emission: u128,
    /// Number of versions after which the emission halves.
    pub halving: u32,
    /// Bond that the owner loses with a drawn part that it does not reveal.
    pub bond: u128,
}

impl RoundTerms {
    fn encode(&self) -> Vec<u8> {
        let address = |address: Address| U256::from_be_bytes(address.into_word().0);
        let words = [
            address(self.stake_token),
            address(self.reward_token),
            U256::from(self.stake),
            U256::from(self.slash),
            U256::from(self.margin),
            U256::from(self.open_wait),
            U256::from(self.reveal_wait),
            U256::from(self.work_wait),
            U256::from(self.clients),
            U256::from(rule_number(self.rule)),
            U256::from(self.hostile),
            U256::from(self.width.bits()),
            U256::from(self.max_squared_norm),
            U256::from(self.chunk),
            U256::from(self.emission),
            U256::from(self.halving),
            U256::from(self.bond),
        ];
        words.abi_encode()
    }
}

/// Arguments of a federated trainer's clone, which never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainerArguments {
    /// Account that knows the test set.
    pub owner: Address,
    /// Contract that holds the model.
    pub classifier: Address,
    /// Terms of the rounds.
    pub terms: RoundTerms,
}

/// Reads the arguments of a federated trainer from its code.
///
/// Returns `None` if it is not a clone, or its arguments are not those of a trainer.
#[must_use]
pub fn read_trainer(clone_runtime_code: &[u8]) -> Option<TrainerArguments> {
    let words = words_of(clone_runtime_code)?;
    let words: [U256; 19] = words.try_into().ok()?;
    let address = |index: usize| -> Option<Address> {
        let number: U256 = words[index];
        (number >> 160 == U256::ZERO).then(|| Address::from_word(number.into()))
    };
    Some(TrainerArguments {
        owner: address(0)?,
        classifier: address(1)?,
        terms: RoundTerms {
            stake_token: address(2)?,
            reward_token: address(3)?,
            stake: words[4].try_into().ok()?,
            slash: words[5].try_into().ok()?,
            margin: words[6].try_into().ok()?,
            open_wait: words[7].try_into().ok()?,
            reveal_wait: words[8].try_into().ok()?,
            work_wait: words[9].try_into().ok()?,
            clients: words[10].try_into().ok()?,
            rule: RULES.get(usize::try_from(words[11]).ok()?).copied()?,
            hostile: words[12].try_into().ok()?,
            width: match u8::try_from(words[13]).ok()? {
                8 => Width::Eight,
                16 => Width::Sixteen,
                _ => return None,
            },
            max_squared_norm: words[14].saturating_to(),
            chunk: words[15].try_into().ok()?,
            emission: words[16].try_into().ok()?,
            halving: words[17].try_into().ok()?,
            bond: words[18].try_into().ok()?,
        },
    })
}

/// Reads the shape of a softmax regression from its clone's code.
///
/// Returns `None` if it is not a clone, or its arguments are not those of such a model.
#[must_use]
pub fn read_model(clone_runtime_code: &[u8]) -> Option<Softmax> {
    let words: [U256; 5] = words_of(clone_runtime_code)?.try_into().ok()?;
    let [_, classes, features, scale, max_feature] = words;
    let model = Softmax::new(
        features.try_into().ok()?,
        classes.try_into().ok()?,
        max_feature.try_into().ok()?,
        scale.try_into().ok()?,
    );
    model.ok()
}

fn words_of(clone_runtime_code: &[u8]) -> Option<Vec<U256>> {
    let (words, []) = arguments_of(clone_runtime_code)?.as_chunks::<32>() else {
        return None;
    };
    Some(
        words
            .iter()
            .map(|word| U256::from_be_bytes(*word))
            .collect(),
    )
}

/// Rules by the number that contracts have for them.
const RULES: [Rule; 4] = [Rule::Mean, Rule::Median, Rule::TrimmedMean, Rule::MultiKrum];

/// Returns the number that contracts have for a rule.
#[must_use]
pub fn rule_number(rule: Rule) -> u8 {
    let index = (0..).zip(RULES).find(|(_, it)| *it == rule);
    index.map_or(0, |(index, _)| index)
}

/// Returns the phase with this number in contracts; `None` if there is none.
#[must_use]
pub fn read_phase(number: u8) -> Option<RoundPhase> {
    [
        RoundPhase::Open,
        RoundPhase::Reveal,
        RoundPhase::Draw,
        RoundPhase::Test,
        RoundPhase::Score,
        RoundPhase::Aggregate,
        RoundPhase::Settle,
    ]
    .get(usize::from(number))
    .copied()
}

/// Returns the calldata of the factory's `create`, which clones a trainer and its model.
///
/// The caller becomes their owner. [`created_model`](crate::created_model) decodes the answer.
#[must_use]
pub fn create(
    trainer_implementation: Address,
    terms: &RoundTerms,
    model_implementation: Address,
    model: &Softmax,
) -> Vec<u8> {
    let parameters = [
        U256::from(model.classes()),
        U256::from(model.features()),
        U256::from(model.scale()),
        U256::from(model.max_feature()),
    ];
    createCall {
        trainerImplementation: trainer_implementation,
        trainerParameters: terms.encode().into(),
        classifierImplementation: model_implementation,
        classifierParameters: parameters.abi_encode().into(),
    }
    .abi_encode()
}

/// Returns the code that creates the arithmetic of all federated trainers.
#[must_use]
pub fn math_code() -> Bytes {
    RoundMath::BYTECODE.clone()
}

/// Returns the code that creates the implementation of a trainer, which calls `math`.
#[must_use]
pub fn trainer_code(math: Address) -> Bytes {
    let arguments = FederatedTrainer::constructorCall { math };
    with_arguments(&FederatedTrainer::BYTECODE, &arguments.abi_encode())
}

/// Returns the code that creates the implementation of a model.
#[must_use]
pub fn model_code() -> Bytes {
    SoftmaxRegression::BYTECODE.clone()
}

/// Returns the code that creates a reward token. `owner` names the trainer that mints it.
#[must_use]
pub fn reward_token_code(name: &str, symbol: &str, cap: u128, owner: Address) -> Bytes {
    let arguments = RewardToken::constructorCall {
        name_: name.to_owned(),
        symbol_: symbol.to_owned(),
        cap_: U256::from(cap),
        owner_: owner,
    };
    with_arguments(&RewardToken::BYTECODE, &arguments.abi_encode())
}

fn with_arguments(code: &Bytes, arguments: &[u8]) -> Bytes {
    [&code[..], arguments].concat().into()
}
