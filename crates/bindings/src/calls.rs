//! Calldata from the types of `protocol`, and the answers read back.

use alloy_primitives::{
    Address, Bytes, U256,
    aliases::{U40, U96},
};
use alloy_sol_types::{SolCall, SolValue};
use cotrain_protocol::{
    classifier::Parameters,
    trainer::{Claim, Incentive, Waits},
};

use crate::contracts::{
    DepositRefundTake::{self, claimLateCall, contributeCall, refundCall, reportCall},
    ModelFactory::createCall,
    SparsePerceptron::{
        checkCall, closeCall, evaluateCall, learnCall, predictCall, wordsCall, writeCall,
    },
};

/// `contribute` of a trainer.
#[must_use]
pub fn contribute(batch: &[u8]) -> Vec<u8> {
    contributeCall {
        batch: Bytes::copy_from_slice(batch),
    }
    .abi_encode()
}

/// `refund` of a trainer.
#[must_use]
pub fn refund(claim: &Claim) -> Vec<u8> {
    refundCall {
        claim: solidity(claim),
    }
    .abi_encode()
}

/// `report` of a trainer.
#[must_use]
pub fn report(claim: &Claim) -> Vec<u8> {
    reportCall {
        claim: solidity(claim),
    }
    .abi_encode()
}

/// `claimLate` of a trainer.
#[must_use]
pub fn claim_late(claim: &Claim) -> Vec<u8> {
    claimLateCall {
        claim: solidity(claim),
    }
    .abi_encode()
}

/// `create` of the factory: a clone of each implementation, owned by the caller.
#[must_use]
pub fn create_model(
    trainer_implementation: Address,
    incentive: &Incentive,
    waits: &Waits,
    classifier_implementation: Address,
    parameters: &Parameters,
) -> Vec<u8> {
    let waits = (waits.refund, waits.owner_claim, waits.any_address_claim);
    let trainer_parameters = match incentive {
        Incentive::DepositRefundTake { cost_weight } => {
            (waits.0, waits.1, waits.2, U256::from(*cost_weight)).abi_encode_params()
        }
        Incentive::Points => waits.abi_encode_params(),
    };
    createCall {
        trainerImplementation: trainer_implementation,
        trainerParameters: trainer_parameters.into(),
        classifierImplementation: classifier_implementation,
        classifierParameters: parameters.abi_encode().into(),
    }
    .abi_encode()
}

/// Trainer and classifier from the answer to [`create_model`].
#[must_use]
pub fn created_model(output: &[u8]) -> Option<(Address, Address)> {
    let created = createCall::abi_decode_returns(output).ok()?;
    Some((created.trainer, created.classifier))
}

/// `write` of a classifier: `values` from word `offset` on.
#[must_use]
pub fn write(offset: usize, values: &[U256]) -> Vec<u8> {
    writeCall {
        offset: U256::from(offset),
        values: values.to_vec(),
    }
    .abi_encode()
}

/// `close` of a classifier: `trainer` may teach from now on.
#[must_use]
pub fn close(trainer: Address) -> Vec<u8> {
    closeCall { trainer }.abi_encode()
}

/// `words` of a classifier: `count` from word `offset` on.
#[must_use]
pub fn words(offset: usize, count: usize) -> Vec<u8> {
    wordsCall {
        offset: U256::from(offset),
        count: U256::from(count),
    }
    .abi_encode()
}

/// The answer to [`words`].
#[must_use]
pub fn read_words(output: &[u8]) -> Option<Vec<U256>> {
    wordsCall::abi_decode_returns(output).ok()
}

/// `predict` of a classifier.
#[must_use]
pub fn predict(samples: &[&[u8]]) -> Vec<u8> {
    predictCall {
        samples: samples
            .iter()
            .map(|sample| Bytes::copy_from_slice(sample))
            .collect(),
    }
    .abi_encode()
}

/// The answer to [`predict`]: one label a sample.
#[must_use]
pub fn read_labels(output: &[u8]) -> Option<Vec<u16>> {
    let labels = predictCall::abi_decode_returns(output).ok()?;
    labels
        .into_iter()
        .map(|label| u16::try_from(label).ok())
        .collect()
}

/// `evaluate` of a classifier; the answer is a number.
#[must_use]
pub fn evaluate(samples: &[&[u8]], labels: &[u16]) -> Vec<u8> {
    evaluateCall {
        samples: samples
            .iter()
            .map(|sample| Bytes::copy_from_slice(sample))
            .collect(),
        labels: labels.iter().map(|label| U256::from(*label)).collect(),
    }
    .abi_encode()
}

/// `check` of a classifier.
#[must_use]
pub fn check(batch: &[u8]) -> Vec<u8> {
    checkCall {
        batch: Bytes::copy_from_slice(batch),
    }
    .abi_encode()
}

/// `learn` of a classifier.
#[must_use]
pub fn learn(batch: &[u8]) -> Vec<u8> {
    learnCall {
        batch: Bytes::copy_from_slice(batch),
    }
    .abi_encode()
}

/// An answer that is one number.
#[must_use]
pub fn read_number(output: &[u8]) -> Option<U256> {
    U256::abi_decode(output).ok()
}

/// Reads of a trainer's state; each answer is one number ([`read_number`]).
pub mod state {
    use alloy_primitives::{Address, U256};
    use alloy_sol_types::SolCall;

    use crate::contracts::DepositRefundTake::{
        contributionCountCall, goodCall, lastContributionTimeCall, priceCall, reportedCall,
        rootCall, settlementCall, totalGoodCall,
    };

    /// Wei that each of `n` contributions in one transaction deposits now.
    #[must_use]
    pub fn price(n: u64) -> Vec<u8> {
        priceCall { n: U256::from(n) }.abi_encode()
    }

    /// Contributions so far.
    #[must_use]
    pub fn contribution_count() -> Vec<u8> {
        contributionCountCall {}.abi_encode()
    }

    /// When the last contribution was made, in Unix seconds.
    #[must_use]
    pub fn last_contribution_time() -> Vec<u8> {
        lastContributionTimeCall {}.abi_encode()
    }

    /// Good contributions of everyone.
    #[must_use]
    pub fn total_good() -> Vec<u8> {
        totalGoodCall {}.abi_encode()
    }

    /// Good contributions of `author`.
    #[must_use]
    pub fn good(author: Address) -> Vec<u8> {
        goodCall { author }.abi_encode()
    }

    /// The Merkle root of the batch that begins at position `batch`.
    #[must_use]
    pub fn root(batch: u64) -> Vec<u8> {
        rootCall {
            batch: U256::from(batch),
        }
        .abi_encode()
    }

    /// The settlement word of the contribution at `position`.
    #[must_use]
    pub fn settlement(position: u64) -> Vec<u8> {
        settlementCall {
            position: U256::from(position),
        }
        .abi_encode()
    }

    /// Whether `reporter` has reported the contribution at `position` (0 or 1).
    #[must_use]
    pub fn reported(position: u64, reporter: Address) -> Vec<u8> {
        reportedCall {
            position: U256::from(position),
            reporter,
        }
        .abi_encode()
    }
}

/// A claim as the contract takes it. Times beyond 2^40 and deposits beyond 2^96 exist in no
/// contract; they are cut to what fits, and no record holds them.
fn solidity(claim: &Claim) -> DepositRefundTake::Claim {
    DepositRefundTake::Claim {
        author: claim.author,
        label: claim.label,
        deposit: U96::saturating_from(claim.deposit),
        time: U40::saturating_from(claim.time),
        batch: claim.batch,
        position: claim.position,
        sample: Bytes::copy_from_slice(&claim.sample),
        proof: claim.proof.clone(),
    }
}
