//! Calldata built from the types of `protocol`, and decoders of the answers.

use alloy_primitives::{
    Address, B256, Bytes, U256,
    aliases::{U40, U48},
    keccak256,
};
use alloy_sol_types::{SolCall, SolValue, sol};
use cotrain_protocol::{
    classifier::Parameters,
    mechanism::{Term, Terms},
    record::Claims,
    trainer::{Delegation, Settlement, SignedBatch, Status},
};

use crate::contracts::{
    DepositRefundTake::{
        DepositRefundTakeCalls, announceCall, cancelNoncesCall, claimLateCall, contributeCall,
        depositToCall, refundCall, relayCall, reportCall, reportForCall, settlementCall,
        withdrawToCall,
    },
    ModelFactory::{ModelFactoryCalls, createCall},
    ModelRegistry::ModelRegistryCalls,
    SparsePerceptron::{
        SparsePerceptronCalls, checkCall, closeCall, evaluateCall, learnCall, predictCall,
        wordsCall, writeCall,
    },
};

sol! {
    // ERC-1271, which contract wallets implement. The contracts of this release call it, but none
    // has it.
    function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4 magic);
}

/// Returns the calldata of a trainer's `contribute`.
#[must_use]
pub fn contribute(items: &[u8]) -> Vec<u8> {
    contributeCall {
        items: Bytes::copy_from_slice(items),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `relay`.
///
/// The lesson and the signature check of each batch may use `gas_per_batch` gas.
#[must_use]
pub fn relay(batches: &[SignedBatch], gas_per_batch: u64) -> Vec<u8> {
    relayCall {
        batches: batches.iter().flat_map(SignedBatch::encode).collect(),
        gasPerBatch: U256::from(gas_per_batch),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `refund`.
#[must_use]
pub fn refund(claims: &[Claims]) -> Vec<u8> {
    refundCall {
        claims: encode(claims),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `announce`.
#[must_use]
pub fn announce(claims: &[Claims]) -> Vec<u8> {
    announceCall {
        claims: encode(claims),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `report`.
#[must_use]
pub fn report(claims: &[Claims]) -> Vec<u8> {
    reportCall {
        claims: encode(claims),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `reportFor`, which the keeper sends.
///
/// A time that is too large for the contract becomes the largest that it can hold.
#[must_use]
pub fn report_for(delegation: &Delegation, claims: &[Claims]) -> Vec<u8> {
    reportForCall {
        reporter: delegation.reporter,
        until: U40::saturating_from(delegation.until),
        signature: Bytes::copy_from_slice(&delegation.signature),
        claims: encode(claims),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `claimLate`.
#[must_use]
pub fn claim_late(claims: &[Claims]) -> Vec<u8> {
    claimLateCall {
        claims: encode(claims),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `depositTo`. The value sent with it is prepaid for
/// `account`.
#[must_use]
pub fn deposit_to(account: Address) -> Vec<u8> {
    depositToCall { account }.abi_encode()
}

/// Returns the calldata of a trainer's `withdrawTo`, for `amount` wei of the sender's balance.
#[must_use]
pub fn withdraw_to(to: Address, amount: u128) -> Vec<u8> {
    withdrawToCall {
        to,
        amount: U256::from(amount),
    }
    .abi_encode()
}

/// Returns the calldata of a trainer's `cancelNonces`, for the sender's nonce `last` and all below
/// it.
///
/// A nonce that is too large for the contract becomes the largest that it can hold.
#[must_use]
pub fn cancel_nonces(last: u64) -> Vec<u8> {
    cancelNoncesCall {
        last: U48::saturating_from(last),
    }
    .abi_encode()
}

/// Returns the calldata of the factory's `create`, which clones a mechanism's contract and a
/// classifier.
///
/// The caller becomes their owner.
#[must_use]
pub fn create_model(
    implementation: Address,
    terms: &Terms,
    classifier_implementation: Address,
    parameters: &Parameters,
) -> Vec<u8> {
    let terms = terms.values().into_iter().map(U256::from);
    createCall {
        trainerImplementation: implementation,
        trainerParameters: terms.flat_map(|word| word.to_be_bytes::<32>()).collect(),
        classifierImplementation: classifier_implementation,
        classifierParameters: parameters.abi_encode().into(),
    }
    .abi_encode()
}

/// Returns the calldata of the getter of one of a contract's terms. [`read_number`] decodes the
/// answer.
#[must_use]
pub fn term(term: &Term) -> Vec<u8> {
    keccak256(format!("{}()", term.name))[..4].to_vec()
}

/// Decodes trainer and classifier from the answer to [`create_model`].
#[must_use]
pub fn created_model(output: &[u8]) -> Option<(Address, Address)> {
    let created = createCall::abi_decode_returns(output).ok()?;
    Some((created.trainer, created.classifier))
}

/// Returns the calldata of a classifier's `write`, which sets `values` from word `offset` on.
#[must_use]
pub fn write(offset: usize, values: &[U256]) -> Vec<u8> {
    writeCall {
        offset: U256::from(offset),
        values: values.to_vec(),
    }
    .abi_encode()
}

/// Returns the calldata of a classifier's `close`. From then on `trainer` may teach.
#[must_use]
pub fn close(trainer: Address) -> Vec<u8> {
    closeCall { trainer }.abi_encode()
}

/// Returns the calldata of a classifier's `words`, which reads `count` words from word `offset` on.
#[must_use]
pub fn words(offset: usize, count: usize) -> Vec<u8> {
    wordsCall {
        offset: U256::from(offset),
        count: U256::from(count),
    }
    .abi_encode()
}

/// Decodes the answer to [`words`].
#[must_use]
pub fn read_words(output: &[u8]) -> Option<Vec<U256>> {
    wordsCall::abi_decode_returns(output).ok()
}

/// Returns the calldata of a classifier's `predict`.
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

/// Decodes the answer to [`predict`]: one label a sample.
#[must_use]
pub fn read_labels(output: &[u8]) -> Option<Vec<u16>> {
    let labels = predictCall::abi_decode_returns(output).ok()?;
    labels
        .into_iter()
        .map(|label| u16::try_from(label).ok())
        .collect()
}

/// Returns the calldata of a classifier's `evaluate`. The answer is a number.
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

/// Returns the calldata of a classifier's `check`.
#[must_use]
pub fn check(batch: &[u8]) -> Vec<u8> {
    checkCall {
        batch: Bytes::copy_from_slice(batch),
    }
    .abi_encode()
}

/// Returns the calldata of a classifier's `learn`.
#[must_use]
pub fn learn(batch: &[u8]) -> Vec<u8> {
    learnCall {
        batch: Bytes::copy_from_slice(batch),
    }
    .abi_encode()
}

/// Returns the calldata of a contract wallet's `isValidSignature` (ERC-1271).
///
/// It asks if the wallet accepts the signature as its own.
#[must_use]
pub fn is_valid_signature(hash: B256, signature: &[u8]) -> Vec<u8> {
    isValidSignatureCall {
        hash,
        signature: Bytes::copy_from_slice(signature),
    }
    .abi_encode()
}

/// Returns `true` if the answer to [`is_valid_signature`] accepts the signature: it is the
/// function's own selector.
#[must_use]
pub fn read_valid_signature(output: &[u8]) -> bool {
    isValidSignatureCall::abi_decode_returns(output)
        .is_ok_and(|answer| answer == isValidSignatureCall::SELECTOR)
}

/// Decodes an answer that is one number.
#[must_use]
pub fn read_number(output: &[u8]) -> Option<U256> {
    U256::abi_decode(output).ok()
}

/// Decodes an answer that is one address.
#[must_use]
pub fn read_address(output: &[u8]) -> Option<Address> {
    Address::abi_decode(output).ok()
}

/// Decodes the answer to [`state::settlement`].
#[must_use]
pub fn read_settlement(output: &[u8]) -> Option<Settlement> {
    let settlement = settlementCall::abi_decode_returns(output).ok()?;
    let status = match settlement.status {
        0 => Status::Untouched,
        1 => Status::Reported,
        2 => Status::Closed,
        _ => return None,
    };
    let first = settlement.firstReporter;
    Some(Settlement {
        status,
        taken: settlement.taken.try_into().ok()?,
        first_reporter: (!first.is_zero()).then_some(first),
    })
}

/// Returns the name of the function that this calldata calls, or `None` if no contract of this
/// release has it.
#[must_use]
pub fn function_name(calldata: &[u8]) -> Option<&'static str> {
    let selector = *calldata.first_chunk()?;
    DepositRefundTakeCalls::name_by_selector(selector)
        .or_else(|| SparsePerceptronCalls::name_by_selector(selector))
        .or_else(|| ModelFactoryCalls::name_by_selector(selector))
        .or_else(|| ModelRegistryCalls::name_by_selector(selector))
}

/// Calldata that reads a trainer's state and parameters.
///
/// Each answer is one number ([`read_number`]), unless its function names another decoder.
pub mod state {
    use alloy_primitives::{Address, U256, aliases::U48};
    use alloy_sol_types::SolCall;

    use crate::contracts::DepositRefundTake::{
        announcedCall, balanceOfCall, classifierCall, contributionCountCall, goodCall,
        lastContributionTimeCall, nonceUsedCall, ownerCall, priceCall, reportedCall, rootCall,
        settlementCall, totalGoodCall,
    };

    /// Returns the calldata that reads the classifier. [`read_address`](super::read_address)
    /// decodes the answer.
    #[must_use]
    pub fn classifier() -> Vec<u8> {
        classifierCall {}.abi_encode()
    }

    /// Returns the calldata that reads the owner, who may claim late before others.
    ///
    /// [`read_address`](super::read_address) decodes the answer.
    #[must_use]
    pub fn owner() -> Vec<u8> {
        ownerCall {}.abi_encode()
    }

    /// Returns the calldata that reads the time of the last announcement of the contribution at
    /// `position`.
    ///
    /// The answer is in Unix seconds, and 0 if the contribution was never announced.
    #[must_use]
    pub fn announced(position: u64) -> Vec<u8> {
        announcedCall {
            position: U256::from(position),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the deposit for each of `n` contributions in one transaction
    /// now, in wei.
    #[must_use]
    pub fn price(n: u64) -> Vec<u8> {
        priceCall { n: U256::from(n) }.abi_encode()
    }

    /// Returns the calldata that reads the number of contributions so far.
    #[must_use]
    pub fn contribution_count() -> Vec<u8> {
        contributionCountCall {}.abi_encode()
    }

    /// Returns the calldata that reads the time of the last contribution, in Unix seconds.
    #[must_use]
    pub fn last_contribution_time() -> Vec<u8> {
        lastContributionTimeCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of good contributions of all authors.
    #[must_use]
    pub fn total_good() -> Vec<u8> {
        totalGoodCall {}.abi_encode()
    }

    /// Returns the calldata that reads the number of good contributions of `author`.
    #[must_use]
    pub fn good(author: Address) -> Vec<u8> {
        goodCall { author }.abi_encode()
    }

    /// Returns the calldata that reads the Merkle root of the transaction whose contributions begin at
    /// position `first_position`.
    #[must_use]
    pub fn root(first_position: u64) -> Vec<u8> {
        rootCall {
            firstPosition: U256::from(first_position),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the settlement of the contribution at `position`.
    ///
    /// [`read_settlement`](super::read_settlement) decodes the answer.
    #[must_use]
    pub fn settlement(position: u64) -> Vec<u8> {
        settlementCall {
            position: U256::from(position),
        }
        .abi_encode()
    }

    /// Returns the calldata that reads the balance of `account`, in wei.
    ///
    /// The account has prepaid it, or got it by refunds and reports of others.
    #[must_use]
    pub fn balance_of(account: Address) -> Vec<u8> {
        balanceOfCall { account }.abi_encode()
    }

    /// Returns the calldata that asks if a nonce of `account`, below 2^48, can no longer be used (0
    /// or 1).
    #[must_use]
    pub fn nonce_used(account: Address, nonce: u64) -> Vec<u8> {
        nonceUsedCall {
            account,
            nonce: U48::saturating_from(nonce),
        }
        .abi_encode()
    }

    /// Returns the calldata that asks if `reporter` has reported the contribution at `position` (0
    /// or 1).
    #[must_use]
    pub fn reported(position: u64, reporter: Address) -> Vec<u8> {
        reportedCall {
            position: U256::from(position),
            reporter,
        }
        .abi_encode()
    }
}

fn encode(claims: &[Claims]) -> Bytes {
    claims.iter().flat_map(Claims::encode).collect()
}
