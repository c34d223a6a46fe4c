//! Translation of the contracts' errors.

use alloy_primitives::{B256, U256};
use cotrain_protocol::{ContractError, federated::CommitProblem};

use super::Revert;
use crate::contracts::Errors::ErrorsErrors as Error;
use crate::federated::read_phase;
use crate::market::{phase, stage};

/// Names of the parameters that the contracts check, as their errors spell them.
const PARAMETERS: &[&str] = &[
    "features",
    "learningRate",
    "intercept",
    "classes",
    "smoothing",
    "refundWait",
    "ownerClaimWait",
    "anyAddressClaimWait",
    "reportNotice",
    "costWeight",
    "arguments",
    "maxNumber",
    "maxSquaredLength",
    "stake",
    "participation",
    "revealWait",
    "scoringWait",
    "mostContributions",
    "mostPasses",
    "parts",
    "bounty",
    "price",
    "slash",
    "margin",
    "openWait",
    "workWait",
    "rule",
    "f",
    "clients",
    "width",
    "chunk",
    "halving",
    "emission",
    "cap",
    "bond",
    "samples",
    "scale",
    "maxFeature",
];

/// Translates an error. Returns `None` if a value does not fit its type; contracts of this release
/// send none.
// The function has one arm for each error.
#[allow(clippy::too_many_lines)]
pub(super) fn understand(error: Error) -> Option<Revert> {
    let rejection = match error {
        Error::EmptyBatch(_) => ContractError::EmptyBatch,
        Error::MalformedBatch(e) => ContractError::MalformedBatch {
            offset: e.offset.try_into().ok()?,
        },
        Error::InvalidParameter(e) => invalid_parameter(e.name, e.value)?,
        Error::DepositTooLow(e) => ContractError::DepositTooLow {
            required: e.required.try_into().ok()?,
            sent: e.sent.try_into().ok()?,
        },
        Error::PaymentFailed(e) => ContractError::PaymentFailed {
            to: e.to,
            amount: e.amount.try_into().ok()?,
        },
        Error::BalanceOverflow(e) => ContractError::BalanceOverflow { account: e.account },
        Error::BalanceTooLow(e) => ContractError::BalanceTooLow {
            required: e.required.try_into().ok()?,
            balance: e.balance.try_into().ok()?,
        },
        Error::MalformedRelay(e) => {
            return Some(Revert::MalformedRelay {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::GasTooLow(e) => {
            return Some(Revert::GasTooLow {
                left: e.left,
                allowance: e.allowance,
            });
        }
        Error::Expired(e) => ContractError::Expired {
            deadline: e.deadline.try_into().ok()?,
            now: e.time.try_into().ok()?,
        },
        Error::NonceUsed(e) => ContractError::NonceUsed {
            author: e.author,
            nonce: e.nonce.try_into().ok()?,
        },
        Error::PriceTooHigh(e) => ContractError::PriceTooHigh {
            price: e.price.try_into().ok()?,
            max_deposit: e.maxDeposit.try_into().ok()?,
        },
        Error::InvalidSignature(e) => ContractError::InvalidSignature { author: e.author },
        Error::ClassifierFailed(_) => ContractError::ClassifierFailed,
        Error::NoClaims(_) => ContractError::NoClaims,
        Error::MalformedClaims(e) => {
            return Some(Revert::MalformedClaims {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::UnknownContribution(e) => ContractError::UnknownContribution {
            first_position: e.position.try_into().ok()?,
        },
        Error::NothingLeft(e) => ContractError::NothingLeft {
            position: e.position.try_into().ok()?,
        },
        Error::OwnContribution(e) => ContractError::OwnContribution { author: e.author },
        Error::TooEarly(e) => ContractError::TooEarly {
            now: e.time.try_into().ok()?,
            earliest: e.earliest.try_into().ok()?,
        },
        Error::NoGoodContribution(e) => ContractError::NoGoodContribution { caller: e.caller },
        Error::AlreadyReported(e) => ContractError::AlreadyReported {
            position: e.position.try_into().ok()?,
            caller: e.caller,
        },
        Error::NoNotice(_) => ContractError::NoNotice,
        Error::AlreadyAnnounced(e) => ContractError::AlreadyAnnounced {
            position: e.position.try_into().ok()?,
            until: e.until.try_into().ok()?,
        },
        Error::NotAnnounced(e) => ContractError::NotAnnounced {
            position: e.position.try_into().ok()?,
        },
        Error::PredictionDiffers(e) => ContractError::PredictionDiffers {
            label: e.label.try_into().ok()?,
            predicted: e.predicted.try_into().ok()?,
        },
        Error::AuthorIsContract(e) => ContractError::AuthorIsContract { author: e.author },
        Error::PredictionAgrees(e) => ContractError::PredictionAgrees {
            label: e.label.try_into().ok()?,
        },
        Error::AlreadyInitialized(_) => return Some(Revert::AlreadyInitialized),
        Error::NotInitialized(_) => return Some(Revert::NotInitialized),
        Error::Reentrancy(_) => return Some(Revert::Reentrancy),
        Error::LabelOutOfRange(e) => ContractError::LabelOutOfRange {
            item: e.item.try_into().ok()?,
            label: e.label.try_into().ok()?,
            classes: e.classes.try_into().ok()?,
        },
        Error::OddSampleLength(e) => ContractError::OddSampleLength {
            item: e.item.try_into().ok()?,
            length: e.length.try_into().ok()?,
        },
        Error::WrongSampleLength(e) => ContractError::WrongSampleLength {
            item: e.item.try_into().ok()?,
            length: e.length.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
        Error::FeatureNotIncreasing(e) => ContractError::FeatureNotIncreasing {
            item: e.item.try_into().ok()?,
            at: e.index.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            previous: e.previous.try_into().ok()?,
        },
        Error::FeatureOutOfRange(e) => ContractError::FeatureOutOfRange {
            item: e.item.try_into().ok()?,
            at: e.index.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            features: e.features.try_into().ok()?,
        },
        Error::TooManyFeatures(e) => ContractError::TooManyFeatures {
            item: e.item.try_into().ok()?,
            present: e.present.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::NumberTooLarge(e) => ContractError::NumberTooLarge {
            item: e.item.try_into().ok()?,
            feature: e.feature.try_into().ok()?,
            number: e.number.try_into().ok()?,
            max: e.maximum.try_into().ok()?,
        },
        Error::SquaredLengthTooLarge(e) => ContractError::SquaredLengthTooLarge {
            item: e.item.try_into().ok()?,
            squared_length: e.squaredLength.try_into().ok()?,
            max: e.maximum.try_into().ok()?,
        },
        Error::NotOwner(e) => ContractError::NotOwner {
            caller: e.caller,
            owner: e.owner,
        },
        Error::InitializationOpen(_) => ContractError::InitializationOpen,
        Error::InitializationClosed(_) => ContractError::InitializationClosed,
        Error::InvalidTrainer(_) => ContractError::InvalidTrainer,
        Error::NotTrainer(e) => ContractError::NotTrainer {
            caller: e.caller,
            trainer: e.trainer,
        },
        Error::WordsOutOfRange(e) => ContractError::WordsOutOfRange {
            offset: e.offset.try_into().ok()?,
            count: e.count.try_into().ok()?,
            size: e.size.try_into().ok()?,
        },
        Error::LengthsDiffer(e) => {
            return Some(Revert::LengthsDiffer {
                samples: e.samples.try_into().ok()?,
                labels: e.labels.try_into().ok()?,
            });
        }
        Error::WrongPhase(e) => ContractError::WrongPhase {
            phase: phase(e.phase)?,
            required: phase(e.required)?,
        },
        Error::WrongStage(e) => ContractError::WrongStage {
            stage: stage(e.stage)?,
            required: stage(e.required)?,
        },
        Error::AlreadyDrawn(e) => ContractError::AlreadyDrawn {
            part: e.part.try_into().ok()?,
        },
        Error::TooEarlyToDraw(e) => ContractError::TooEarlyToDraw {
            number: e.number.try_into().ok()?,
            earliest: e.earliest.try_into().ok()?,
        },
        Error::TooLateToDraw(e) => ContractError::TooLateToDraw {
            number: e.number.try_into().ok()?,
            latest: e.latest.try_into().ok()?,
        },
        Error::NotDrawn(_) => ContractError::NotDrawn,
        Error::UnknownPart(e) => ContractError::UnknownPart {
            part: e.part.try_into().ok()?,
            parts: e.parts.try_into().ok()?,
        },
        Error::NotTheDrawnPart(e) => ContractError::NotTheDrawnPart {
            part: e.part.try_into().ok()?,
            drawn: e.drawn.try_into().ok()?,
        },
        Error::AlreadyRevealed(e) => ContractError::AlreadyRevealed {
            part: e.part.try_into().ok()?,
        },
        Error::TooLate(e) => ContractError::TooLate {
            now: e.time.try_into().ok()?,
            latest: e.latest.try_into().ok()?,
        },
        Error::CommitmentDiffers(e) => ContractError::CommitmentDiffers {
            part: e.part.try_into().ok()?,
            commitment: Box::new(e.commitment),
            committed: Box::new(e.committed),
        },
        Error::TooLong(e) => ContractError::TooLong {
            length: e.length.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::TooManyContributions(e) => ContractError::TooManyContributions {
            count: e.count.try_into().ok()?,
            max: e.max.try_into().ok()?,
        },
        Error::MalformedRecords(e) => {
            return Some(Revert::MalformedRecords {
                offset: e.offset.try_into().ok()?,
            });
        }
        Error::NoProgress(_) => ContractError::NoProgress,
        Error::NothingToCollect(e) => ContractError::NothingToCollect { caller: e.account },
        Error::NoSamples(_) => ContractError::NoSamples,
        Error::PaymentTooLow(e) => ContractError::PaymentTooLow {
            required: e.required.try_into().ok()?,
            sent: e.sent.try_into().ok()?,
        },
        Error::NoCode(e) => {
            return Some(Revert::NoCode {
                implementation: e.implementation,
            });
        }
        Error::DelegatedCode(e) => {
            return Some(Revert::DelegatedCode {
                implementation: e.implementation,
            });
        }
        Error::NotATrainer(e) => {
            return Some(Revert::NotATrainer {
                implementation: e.implementation,
            });
        }
        Error::NotAClassifier(e) => {
            return Some(Revert::NotAClassifier {
                implementation: e.implementation,
            });
        }
        Error::ModelNotClosedForMarket(e) => ContractError::ModelNotClosedForMarket {
            classifier: e.classifier,
            trainer: e.trainer,
        },
        Error::ModelNotReady(e) => return Some(Revert::ModelNotReady { trainer: e.trainer }),
        Error::NotInPhase(e) => ContractError::NotInPhase {
            current: read_phase(e.current)?,
            required: read_phase(e.required)?,
        },
        Error::PhaseOver(e) => ContractError::PhaseOver {
            now: e.time.try_into().ok()?,
            deadline: e.deadline.try_into().ok()?,
        },
        Error::PhaseNotOver(e) => ContractError::PhaseNotOver {
            now: e.time.try_into().ok()?,
            deadline: e.deadline.try_into().ok()?,
        },
        Error::CannotCommit(e) => ContractError::CannotCommit {
            author: e.author,
            problem: commit_problem(e.problem)?,
        },
        Error::NoPartLeft(_) => ContractError::NoPartLeft,
        Error::TestSetInUse(e) => ContractError::TestSetInUse {
            committed: e.committed.try_into().ok()?,
            left: e.left.try_into().ok()?,
        },
        Error::NothingToReveal(e) => ContractError::NothingToReveal {
            index: e.index.try_into().ok()?,
            committed: e.committed.try_into().ok()?,
        },
        Error::StaleBase(e) => ContractError::StaleBase {
            version: e.version.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
        Error::HashDiffers(e) => ContractError::HashDiffers {
            index: e.index.try_into().ok()?,
            hash: Box::new(e.hash),
            expected: Box::new(e.expected),
        },
        Error::DrawTooEarly(e) => ContractError::DrawTooEarly {
            number: e.number.try_into().ok()?,
            earliest: e.earliest.try_into().ok()?,
        },
        Error::WrongSampleRange(e) => ContractError::WrongSampleRange {
            from: e.from.try_into().ok()?,
            count: e.count.try_into().ok()?,
            scored: e.scored.try_into().ok()?,
            samples: e.samples.try_into().ok()?,
        },
        Error::TokenMovedOtherAmount(e) => ContractError::TokenMovedOtherAmount {
            moved: e.moved.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
        Error::StakeBalanceTooLow(e) => ContractError::StakeBalanceTooLow {
            amount: e.amount.try_into().ok()?,
            balance: e.balance.try_into().ok()?,
        },
        Error::StakeBalanceTooHigh(e) => ContractError::StakeBalanceTooHigh {
            balance: e.balance.try_into().ok()?,
            maximum: e.maximum.try_into().ok()?,
        },
        Error::NotOurs(e) => ContractError::NotOurs {
            account: e.account,
            trainer: e.trainer,
        },
        Error::WrongUpdateLength(e) => ContractError::WrongUpdateLength {
            length: e.length.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
        Error::GuardBitSet(e) => ContractError::GuardBitSet {
            word: e.word.try_into().ok()?,
        },
        Error::PaddingNotZero(e) => ContractError::PaddingNotZero {
            parameters: e.parameters.try_into().ok()?,
        },
        Error::NormTooLarge(e) => ContractError::NormTooLarge {
            squared_norm: e.squaredNorm.try_into().ok()?,
            maximum: e.maximum.try_into().ok()?,
        },
        Error::WrongSamplesLength(e) => ContractError::WrongSamplesLength {
            length: e.length.try_into().ok()?,
            size: e.size.try_into().ok()?,
        },
        Error::SampleOutOfBounds(e) => ContractError::SampleOutOfBounds {
            sample: e.sample.try_into().ok()?,
        },
        Error::LearnsFromUpdates(_) => ContractError::LearnsFromUpdates,
        Error::WrongAggregate(e) => ContractError::WrongAggregate {
            words: e.words.try_into().ok()?,
            expected: e.expected.try_into().ok()?,
        },
    };
    Some(Revert::Contract(rejection))
}

fn invalid_parameter(name: B256, value: U256) -> Option<ContractError> {
    let text = name.as_slice().split(|byte| *byte == 0).next()?;
    let name = PARAMETERS.iter().find(|known| known.as_bytes() == text)?;
    Some(ContractError::InvalidParameter {
        name,
        value: value.try_into().ok()?,
    })
}

/// Translates a reason, of which 0 is none.
fn commit_problem(number: u8) -> Option<CommitProblem> {
    Some(match number {
        1 => CommitProblem::CommittedAlready,
        2 => CommitProblem::BalanceTooLow,
        3 => CommitProblem::Owner,
        4 => CommitProblem::NotSigned,
        _ => return None,
    })
}
