//! Errors of the contracts, with their values.

use alloy_primitives::{Address, B256};
use thiserror::Error;

use crate::{
    Amount,
    federated::{CommitProblem, RoundPhase},
    market::{Phase, Stage},
};

/// Reason to reject an action. A rejected action has changed nothing.
///
/// Each variant is the contracts' error of the same name, with the same values in the same order.
/// Only [`SampleTooLong`](Self::SampleTooLong) has no such error: no contract can meet it.
/// Money is in wei, time in seconds, lengths and offsets in bytes.
/// Indices of items, and indices within a sample, count from 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "each message names every field")]
pub enum ContractError {
    /// A batch of no bytes.
    #[error("the batch is empty; send at least one item")]
    EmptyBatch,
    /// An item that extends past the end of its batch.
    #[error("the batch ends within the item that begins at byte {offset}")]
    MalformedBatch { offset: u64 },
    /// A sample that no item can hold: its length has 16 bits.
    #[error("sample of item {item} has {length} bytes; an item holds at most 65535")]
    SampleTooLong { item: u64, length: u64 },
    /// A label that is not one of the model's.
    #[error("label of item {item} is {label}; the model has classes 0 to {}", classes.saturating_sub(1))]
    LabelOutOfRange { item: u64, label: u16, classes: u16 },
    /// A sparse sample that does not consist of whole indices.
    #[error("sample of item {item} has {length} bytes; feature indices have 2 bytes each")]
    OddSampleLength { item: u64, length: u64 },
    /// A dense sample that does not have exactly one number a feature.
    #[error("sample of item {item} has {length} bytes; the model's samples have {expected}")]
    WrongSampleLength {
        item: u64,
        length: u64,
        expected: u64,
    },
    /// An index of a sparse sample that is not above the index before it.
    #[error(
        "feature {feature} at index {at} of item {item} comes after feature {previous}; \
         sort the indices and name each once"
    )]
    FeatureNotIncreasing {
        item: u64,
        at: u64,
        feature: u16,
        previous: u16,
    },
    /// A last index that is not one of the model's features.
    #[error(
        "feature {feature} at index {at} of item {item} is not one of the model's, 0 to {}",
        features.saturating_sub(1)
    )]
    FeatureOutOfRange {
        item: u64,
        at: u64,
        feature: u16,
        features: u32,
    },
    /// More present features than a prediction can read over all classes within one transaction.
    #[error(
        "sample of item {item} has {present} present features; a prediction can read at most {max} in each class"
    )]
    TooManyFeatures { item: u64, present: u32, max: u32 },
    /// A number outside the bounds of the samples to learn from.
    #[error(
        "number {number} of feature {feature} of item {item} is out of bounds; the model learns from numbers of \
         {max} either way at most, so clip it"
    )]
    NumberTooLarge {
        item: u64,
        feature: u32,
        number: i32,
        max: u32,
    },
    /// A sample whose squared length is outside the bounds of the samples to learn from.
    #[error(
        "the squared length of the sample of item {item} is {squared_length}; the model learns from samples of at \
         most {max}, so scale its numbers down"
    )]
    SquaredLengthTooLarge {
        item: u64,
        squared_length: u128,
        max: u128,
    },

    /// An address other than the owner writes or closes the model.
    #[error("{caller} is not the model's owner {owner}")]
    NotOwner { caller: Address, owner: Address },
    /// The owner writes or closes the model after the end of its initialization.
    #[error("the model's initialization is closed forever")]
    InitializationClosed,
    /// A trainer teaches the model before the end of its initialization.
    #[error("the model is still being initialized; its owner has to close that first")]
    InitializationOpen,
    /// Words outside the model.
    #[error(
        "{count} storage words from index {offset} on do not fit the model of {size} storage words"
    )]
    WordsOutOfRange { offset: u64, count: u64, size: u64 },
    /// The zero address as trainer.
    #[error("the zero address cannot be the trainer; name the contract that teaches")]
    InvalidTrainer,
    /// A parameter, fixed at creation, that is outside its bounds.
    #[error("{name} is {value}, which is outside its bounds")]
    InvalidParameter { name: &'static str, value: u128 },
    /// An address other than the trainer teaches the model.
    #[error("{caller} may not teach the model; only its trainer {trainer} may")]
    NotTrainer { caller: Address, trainer: Address },

    /// A payment below the price of the contributions.
    #[error("{} was sent; these contributions need {}", Amount(*sent), Amount(*required))]
    DepositTooLow { required: u128, sent: u128 },
    /// A receiver that refuses a payment.
    ///
    /// The rules alone never reject with this: only a chain knows.
    #[error("{to} refused a payment of {}", Amount(*amount))]
    PaymentFailed { to: Address, amount: u128 },
    /// A balance that would reach 2^96 wei.
    #[error("the balance of {account} would reach 2^96 wei; withdraw some of it first")]
    BalanceOverflow { account: Address },
    /// A withdrawal, or a signed batch with its fee, that the balance does not cover.
    #[error(
        "the prepaid balance is {}, and this needs {}: {} is missing; prepay it with `cotrain deposit`",
        Amount(*balance),
        Amount(*required),
        Amount(required.saturating_sub(*balance))
    )]
    BalanceTooLow { required: u128, balance: u128 },

    /// A signed batch or a delegation that arrives after its deadline.
    #[error(
        "it is {now}; this was signed to be sent until {deadline} (Unix seconds), so have it signed anew \
         with a later time"
    )]
    Expired { deadline: u64, now: u64 },
    /// A signed batch whose nonce is used or canceled, or 64 or more below the highest used nonce.
    #[error("nonce {nonce} of {author} can no longer be used; sign the batch with the next one")]
    NonceUsed { author: Address, nonce: u64 },
    /// A signed batch whose price a contribution is above its author's maximum deposit.
    #[error(
        "each contribution needs {}; its author deposits at most {}, so relay it later or with fewer others",
        Amount(*price),
        Amount(*max_deposit)
    )]
    PriceTooHigh { price: u128, max_deposit: u128 },
    /// An invalid signature of a signed batch or a delegation.
    ///
    /// The author of the batch, or the reporter of the delegation, has not signed it, or has signed
    /// it for another sender or keeper.
    #[error(
        "{author} has not signed this for this trainer on this chain and for whoever sends it; have exactly what \
         is sent signed, and let the account that it names send it"
    )]
    InvalidSignature { author: Address },
    /// A classifier that fails without a reason.
    ///
    /// The rules alone never reject with this: only a chain knows.
    #[error("the classifier failed without a reason; send more gas, or look at its code")]
    ClassifierFailed,

    /// A call without claims.
    #[error("there are no claims; name at least one contribution")]
    NoClaims,
    /// Contributions whose proof does not lead to the batch's root.
    ///
    /// In a market it also means that the contributions to score are not the next ones.
    #[error(
        "this is not what was contributed from position {first_position} on: it does not lead to the root; rebuild it, and the \
         proof of a claim, from the transaction's event"
    )]
    UnknownContribution { first_position: u64 },
    /// A claim on a contribution that has no deposit left.
    #[error(
        "nothing is left of the deposit of contribution {position}; leave it out of the claims"
    )]
    NothingLeft { position: u64 },
    /// An author who reports their own contribution.
    #[error("{author} cannot report their own contribution; ask for a refund instead")]
    OwnContribution { author: Address },
    /// A claim before its earliest time.
    #[error("it is {now}; claim this from {earliest} on (Unix seconds)")]
    TooEarly { now: u64, earliest: u64 },
    /// A reporter without a good contribution.
    #[error("{caller} has no good contribution; have one refunded first")]
    NoGoodContribution { caller: Address },
    /// A second report by the same reporter.
    #[error("{caller} has reported contribution {position} before; leave it out of the claims")]
    AlreadyReported { position: u64, caller: Address },
    /// An announcement on a trainer that needs no notice before a report.
    #[error("reports need no notice here; report at once")]
    NoNotice,
    /// An announcement of a contribution that is already announced.
    #[error(
        "contribution {position} is announced, and that serves until {until} (Unix seconds); leave it out of the \
         claims"
    )]
    AlreadyAnnounced { position: u64, until: u64 },
    /// A report of a contribution that nobody has announced, or whose announcement is too old.
    #[error(
        "contribution {position} is not announced, or was too long ago; announce it and report it after the notice"
    )]
    NotAnnounced { position: u64 },
    /// A refund although the model predicts another label.
    #[error("the model predicts {predicted}, not {label}; a refund needs it to agree")]
    PredictionDiffers { label: u16, predicted: u16 },
    /// A refund that another account claims for a contract which has never used or canceled a nonce
    /// in this trainer.
    #[error(
        "{author} is a contract that may be unable to withdraw; let it claim the refund itself, or call \
         cancelNonces once so that others may push it"
    )]
    AuthorIsContract { author: Address },
    /// An announcement or a report although the model predicts the label.
    #[error("the model predicts {label} too; a report and its announcement need it to disagree")]
    PredictionAgrees { label: u16 },

    /// A call that does not fit the market's phase.
    ///
    /// Some calls work in more phases than `required` tells:
    /// - `reveal` names [`Phase::Revealing`], and the drawn part is revealed in
    ///   [`Phase::Committed`].
    /// - `collect` names [`Phase::Settled`], and participants also collect in [`Phase::Failed`] and
    ///   [`Phase::Forfeited`].
    /// - `forfeit` names [`Phase::Committed`], and also works in [`Phase::Failed`].
    #[error("the market is in the phase {phase}; this needs {required}")]
    WrongPhase { phase: Phase, required: Phase },
    /// A step of the scoring out of turn.
    ///
    /// `settle` names [`Stage::Finding`] as required, and also works in [`Stage::Paying`].
    #[error(
        "the scoring is at the stage {stage}; this needs {required}, so take the next step first"
    )]
    WrongStage { stage: Stage, required: Stage },
    /// A market whose model is not closed with the market as its trainer.
    #[error(
        "{trainer} may teach the model {classifier}; close it with the market as its trainer first"
    )]
    ModelNotClosedForMarket {
        classifier: Address,
        trainer: Address,
    },
    /// A second draw.
    #[error("part {part} has been drawn; reveal it")]
    AlreadyDrawn { part: u64 },
    /// A draw before the block whose hash decides it.
    #[error("this is block {number}; draw from block {earliest} on")]
    TooEarlyToDraw { number: u64, earliest: u64 },
    /// A draw after the chain has forgotten the hash that decides it.
    #[error(
        "this is block {number}; block {latest} was the last to draw in, so let the market be forfeited"
    )]
    TooLateToDraw { number: u64, latest: u64 },
    /// A revealed part before a draw.
    #[error("no part has been drawn; draw one first")]
    NotDrawn,
    /// A part outside the test set.
    #[error("part {part} is not one of the test set's, 0 to {}", parts.saturating_sub(1))]
    UnknownPart { part: u64, parts: u64 },
    /// A revealed part other than the drawn one, before the contributions.
    #[error(
        "part {part} is to stay hidden until the market has closed; reveal part {drawn}, which was drawn"
    )]
    NotTheDrawnPart { part: u64, drawn: u64 },
    /// A part that has been revealed before.
    #[error("part {part} has been revealed before; reveal another")]
    AlreadyRevealed { part: u64 },
    /// A part that is revealed after its deadline.
    #[error("it is {now}; this was possible until {latest} (Unix seconds)")]
    TooLate { now: u64, latest: u64 },
    /// A part that does not fit its commitment. Its fields are boxed to keep all results small.
    #[error(
        "part {part} was committed to by {committed}, and this is {commitment}; reveal it with exactly the salt and \
         the items of then"
    )]
    CommitmentDiffers {
        part: u64,
        commitment: Box<B256>,
        committed: Box<B256>,
    },
    /// A part of a test set, or a batch of contributions to a market, with too many bytes.
    #[error("{length} bytes are too many; send at most {max} at once")]
    TooLong { length: u64, max: u64 },
    /// More contributions than the market's maximum.
    #[error("there would be {count} contributions, and the market takes {max}; send fewer")]
    TooManyContributions { count: u64, max: u64 },
    /// A step of the scoring that changes nothing.
    #[error("this step would do nothing; give it the next records, and leave it more to do")]
    NoProgress,
    /// A call to collect although nothing is due to the caller.
    #[error("there is nothing to collect for {caller}, or not any more")]
    NothingToCollect { caller: Address },
    /// A request for predictions without samples.
    #[error("there is nothing to predict; send at least one sample")]
    NoSamples,
    /// A payment below the price of the predictions.
    #[error("{} was sent; these predictions cost {}", Amount(*sent), Amount(*required))]
    PaymentTooLow { required: u128, sent: u128 },

    /// A call that does not fit the phase of a federated round.
    #[error("the round is in the phase {current}; this needs {required}")]
    NotInPhase {
        current: RoundPhase,
        required: RoundPhase,
    },
    /// A call after the end of its phase of a round.
    #[error(
        "it is {now}; this was possible until {deadline} (Unix seconds), so end the round with `fail`"
    )]
    PhaseOver { now: u64, deadline: u64 },
    /// A round that is to be ended although its phase goes on.
    #[error("it is {now}; the phase ends after {deadline} (Unix seconds), so try again then")]
    PhaseNotOver { now: u64, deadline: u64 },
    /// An author who cannot commit to an update.
    #[error("{author} cannot commit to an update: {problem}")]
    CannotCommit {
        author: Address,
        problem: CommitProblem,
    },
    /// A round without a part of the test set.
    #[error(
        "no part of the test set is left for a round; let the owner commit to another test set"
    )]
    NoPartLeft,
    /// A new test set, or a bond to release, while the old test set is needed.
    #[error(
        "the round has {committed} commitments and {left} parts of the test set are left; wait until all parts are \
         used and no round is under way"
    )]
    TestSetInUse { committed: u64, left: u64 },
    /// A revealed update that nobody has committed to.
    #[error("there is no commitment {index} in a round with {committed}; count them from 0")]
    NothingToReveal { index: u64, committed: u64 },
    /// An update of another version of the model than the current one.
    #[error(
        "the update is based on version {version} of the model, expected {expected}; train again"
    )]
    StaleBase { version: u64, expected: u64 },
    /// Revealed or repeated bytes that are not those committed to. Its fields are boxed to keep all
    /// results small.
    #[error(
        "the bytes of {index} have the hash {hash}, expected {expected}; give exactly the bytes of then"
    )]
    HashDiffers {
        index: u64,
        hash: Box<B256>,
        expected: Box<B256>,
    },
    /// A draw before the block whose hash decides it is known.
    #[error("this is block {number}; draw from block {earliest} on")]
    DrawTooEarly { number: u64, earliest: u64 },
    /// Samples that are not the next ones to score.
    #[error(
        "{count} samples from {from} on are not the next ones; score from {scored} on, and at most up to {samples}"
    )]
    WrongSampleRange {
        from: u64,
        count: u64,
        scored: u64,
        samples: u64,
    },
    /// A token that keeps a part of a transfer.
    #[error("the token moved {moved}, expected {expected}; stake a token that keeps no fee")]
    TokenMovedOtherAmount { moved: u128, expected: u128 },
    /// A withdrawal or a lock of more than an account has.
    #[error("{amount} is needed and {balance} is free; deposit more of the stake token")]
    StakeBalanceTooLow { amount: u128, balance: u128 },
    /// A balance that would leave no room for a stake.
    #[error("the balance would be {balance}, and at most {maximum} fits; deposit less")]
    StakeBalanceTooHigh { balance: u128, maximum: u128 },
    /// A model or a reward token that obeys another trainer.
    #[error("{account} obeys {trainer}; name the new trainer as its trainer first")]
    NotOurs { account: Address, trainer: Address },
    /// An update with another number of bytes than the model needs.
    #[error(
        "the updates have {length} bytes, expected {expected}; fill the last storage word of each with zeros"
    )]
    WrongUpdateLength { length: u64, expected: u64 },
    /// A lane of an update whose highest bit is set.
    #[error(
        "a highest bit is set in storage word {word} of the update; encode numbers within their lanes"
    )]
    GuardBitSet { word: u64 },
    /// A lane behind the last parameter that is not 0.
    #[error("the update is not 0 behind the last of {parameters} parameters; fill it with zeros")]
    PaddingNotZero { parameters: u64 },
    /// An update that is longer than the trainer takes.
    #[error(
        "the squares of the update sum up to {squared_norm}, at most {maximum}; clip the update"
    )]
    NormTooLarge { squared_norm: u128, maximum: u128 },
    /// Samples of a test part that are not whole.
    #[error("the samples have {length} bytes, expected a positive multiple of {size}")]
    WrongSamplesLength { length: u64, size: u64 },
    /// A sample of a test part with a label or a feature that the model does not have.
    #[error("sample {sample} has a label or a feature beyond the model's; correct the test part")]
    SampleOutOfBounds { sample: u64 },
    /// Samples for a model that learns from updates.
    #[error("the model learns from updates of federated rounds; commit to an update instead")]
    LearnsFromUpdates,
    /// An aggregate with another number of storage words than the model.
    #[error(
        "the aggregate has {words} storage words, expected {expected}; aggregate updates of this model"
    )]
    WrongAggregate { words: u64, expected: u64 },
}
