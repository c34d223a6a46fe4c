// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IMechanismErrors} from "./IMechanismErrors.sol";

/// @notice The phase of a market. Time alone may reach the phases from `Revealing` to `Failed`.
enum Phase {
    /// The owner may commit to a test set and lock the bounty.
    Created,
    /// A part of the test set must be drawn and revealed.
    Committed,
    /// Anyone may contribute.
    Open,
    /// The other parts must be revealed.
    Revealing,
    /// Anyone may drive the scoring.
    Scoring,
    /// Participants collect their balances, and the owner collects the remainder.
    Settled,
    /// The owner's work was not done in time. Participants collect their stakes, and anyone may
    /// burn the bounty.
    Failed,
    /// The bounty is burned, because the drawn part was not revealed in time or the market failed.
    /// Participants, if there are any, collect their stakes.
    Forfeited
}

/// @notice The next step of a pass of scoring.
enum Stage {
    /// `restart`: a new model gets the weights that the market began with.
    Copying,
    /// `score`: the market teaches the contributions and measures their effect.
    Teaching,
    /// `settle`: the market finds how much of the bounty the participants can afford to play for.
    Finding,
    /// `settle`: the market pays participants or charges them.
    Paying
}

/// @notice The state of a participant, in one slot.
/// @dev The balance is below 2^128: all stakes and the bounty together are at most 2^128 - 2^32.
struct Participant {
    /// Balance, in wei: the stakes, plus gains and minus losses of all passes. 0 once collected.
    uint128 balance;
    /// Number of contributions of the participant.
    uint32 contributions;
    /// Number of samples of the test set by which the participant's contributions improved the
    /// model in this pass. Below 0 if they made it worse.
    int64 score;
    /// Whether the participant can pay for no further loss. The market then skips their
    /// contributions.
    bool removed;
    /// Whether the participant has collected.
    bool collected;
}

/// @notice The progress of the scoring.
struct Progress {
    /// The next step, if the phase is `Scoring`.
    Stage stage;
    /// The number of the pass, from 1; 0 before the first one.
    uint256 pass;
    /// The model of the pass; zero before the first one. After the last pass it is the trained
    /// model.
    address model;
    /// Number of words copied to the model.
    uint256 copied;
    /// The position of the next contribution to teach or skip.
    uint256 cursor;
    /// The author of the contribution taught last; zero at the beginning of a pass.
    address runAuthor;
    /// Whether taught contributions are not scored yet.
    bool taught;
    /// Number of samples evaluated in the current evaluation; 0 if none has begun.
    uint256 evaluated;
    /// Number of these samples that the model predicts right.
    uint256 counted;
    /// Number of samples that the model predicted right in the last complete evaluation. It covers
    /// all parts but the drawn one.
    uint256 correct;
    /// The index of the participant that `settle` visits next.
    uint256 participantIndex;
    /// The pot that all visited participants can afford, in wei: at most the remaining bounty.
    uint256 pot;
}

/// @title IPredictionMarket
/// @notice A bounty for data that improves a model on a hidden test set. Only the provider, the
/// market's owner, knows it while others contribute. Each contribution is a bet of a stake. Authors
/// who improve the model are paid from the bounty; authors who make it worse pay.
/// @dev The mechanism follows Abernethy and Frongillo, "A collaborative mechanism for crowdsourcing
/// prediction problems" (2011), as in 0xDeCA10B's simulation. The factory creates a market like a
/// trainer. The parameters after `owner` and `classifier` are those below, in the order `stake`,
/// `participation`, `revealWait`, `scoringWait`, `mostContributions`, `mostPasses`.
/// Functions check in the order in which their errors are named. Money is in wei, time in seconds.
/// The market stores the same roots over contributions as `ICollaborativeTrainer`. It passes errors
/// of the classifier on, cut to 256 bytes.
interface IPredictionMarket is IMechanismErrors {
    /// @notice Thrown when the market is in the wrong phase for the call. Some calls work in
    /// further phases than the required one that they name. `reveal` names `Revealing`, but reveals
    /// the drawn part in `Committed`. `collect` names `Settled`, but also works in `Failed` and
    /// `Forfeited`. `forfeit` names `Committed`, but also works in `Failed`.
    error WrongPhase(Phase phase, Phase required);

    /// @notice Thrown when another step of the scoring must come first. `settle` names `Finding` as
    /// the required one, but also works in `Paying`.
    error WrongStage(Stage stage, Stage required);

    /// @notice Thrown when the classifier is not closed with the market as its trainer.
    /// @param classifier The classifier.
    /// @param trainer The address that may teach the classifier; zero while its initialization is
    /// open.
    error ModelNotClosedForMarket(address classifier, address trainer);

    /// @notice Thrown when a part is already drawn.
    error AlreadyDrawn(uint256 part);

    /// @notice Thrown when it is too early to draw the part.
    /// @param number The number of the current block.
    /// @param earliest The first block in which the draw is possible.
    error TooEarlyToDraw(uint256 number, uint256 earliest);

    /// @notice Thrown when the block hash that decides the draw is no longer available.
    /// @param number The number of the current block.
    /// @param latest The last block in which the draw was possible.
    error TooLateToDraw(uint256 number, uint256 latest);

    /// @notice Thrown when no part is drawn yet.
    error NotDrawn();

    /// @notice Thrown when the test set has no such part.
    /// @param part The index of the part.
    /// @param parts The number of parts.
    error UnknownPart(uint256 part, uint256 parts);

    /// @notice Thrown when a caller reveals another part than the drawn one before the
    /// contributions.
    error NotTheDrawnPart(uint256 part, uint256 drawn);

    /// @notice Thrown when a part is already revealed.
    error AlreadyRevealed(uint256 part);

    /// @notice Thrown when the time for the call is over.
    /// @param time The time now, in seconds.
    /// @param latest The last second for the call.
    error TooLate(uint256 time, uint256 latest);

    /// @notice Thrown when a part does not match the provider's commitment.
    /// @param part The index of the part.
    /// @param commitment The commitment computed from the call.
    /// @param committed The provider's commitment.
    error CommitmentDiffers(uint256 part, bytes32 commitment, bytes32 committed);

    /// @notice Thrown when a part or a batch of contributions is too long.
    /// @param length The length, in bytes.
    /// @param max The maximum length, in bytes.
    error TooLong(uint256 length, uint256 max);

    /// @notice Thrown when a batch would raise the number of contributions above the maximum.
    /// @param count The number of contributions with the batch.
    /// @param max The maximum number.
    error TooManyContributions(uint256 count, uint256 max);

    /// @notice Thrown when a record runs past the end of the call's records.
    /// @param offset The offset of the record, in bytes.
    error MalformedRecords(uint256 offset);

    /// @notice Thrown when a step of the scoring would do nothing.
    error NoProgress();

    /// @notice The provider committed to a test set and locked the bounty.
    /// @param bounty The bounty, in wei.
    /// @param number The number of the block; the hash of the next block decides the draw.
    /// @param time The time of the commitments, in seconds.
    /// @param commitments One commitment a part.
    event Committed(uint256 bounty, uint256 number, uint256 time, bytes32[] commitments);

    /// @notice A caller drew the part that contributors can test with. The market scores nothing on
    /// it.
    /// @param part The index of the part.
    /// @param blockHash The block hash that decided the draw.
    event Drawn(uint256 indexed part, bytes32 blockHash);

    /// @notice A caller revealed a part of the test set. The drawn part opens the market; the last
    /// part starts the scoring.
    /// @param part The index of the part.
    /// @param time The time of the call, in seconds.
    /// @param correct The number of its samples that the classifier predicts right.
    /// @param salt The salt that hid the part.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after
    /// the other.
    event Revealed(uint256 indexed part, uint256 time, uint256 correct, bytes32 salt, bytes items);

    /// @notice The sender contributed labeled samples. The event has everything that their leaves
    /// are made of.
    /// @param firstPosition The position of the first contribution; the others follow it.
    /// @param author The sender, who owns the contributions.
    /// @param deposit The stake of each contribution, in wei.
    /// @param time The time of the contributions, in seconds.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after
    /// the other.
    event Contributed(
        uint256 indexed firstPosition, address indexed author, uint256 deposit, uint256 time, bytes items
    );

    /// @notice A pass began with a new model.
    event Restarted(uint256 indexed pass, address model);

    /// @notice A caller copied weights to the model of a pass. The last weights close the model,
    /// which can then be taught.
    /// @param pass The number of the pass.
    /// @param copied The number of words copied so far.
    /// @param size The model's size in words.
    event Copied(uint256 indexed pass, uint256 copied, uint256 size);

    /// @notice The classifier did not learn the contributions of a transaction, so they have no
    /// effect.
    /// @param firstPosition The position of the first contribution.
    event LessonFailed(uint256 indexed firstPosition);

    /// @notice The market scored consecutive contributions of an author.
    /// @param author The author.
    /// @param change The number of samples by which they improved the model; below 0 if they made
    /// it worse.
    /// @param correct The number of samples that the model now predicts right.
    event Scored(address indexed author, int256 change, uint256 correct);

    /// @notice The progress of the scoring after a call of `score`. The parameters are fields of
    /// `Progress`.
    // Nobody searches for these events by author.
    // slither-disable-next-line unindexed-event-address
    event Advanced(Stage stage, uint256 cursor, address runAuthor, uint256 evaluated, uint256 counted);

    /// @notice The market paid a participant for a pass, or charged one.
    /// @param account The participant.
    /// @param score The score in the pass; not 0.
    /// @param balance The balance after the change, in wei.
    event BalanceChanged(address indexed account, int256 score, uint256 balance);

    /// @notice The market removed a participant who cannot pay for any further loss. From the next
    /// pass on it skips their contributions.
    event Removed(address indexed account, uint256 indexed pass);

    /// @notice The progress after a call of `settle` that did not end the pass. The parameters are
    /// fields of `Progress`.
    event SettlementAdvanced(Stage stage, uint256 participantIndex, uint256 pot);

    /// @notice A pass ended.
    /// @param pass The number of the pass.
    /// @param pot The money that participants played for, in wei.
    /// @param correct The number of samples that the model of the pass predicts right.
    /// @param last `true` if the pass settled the market.
    event PassSettled(uint256 indexed pass, uint256 pot, uint256 correct, bool last);

    /// @notice The market paid out a participant.
    /// @param account The participant.
    /// @param amount The payment, in wei.
    event Collected(address indexed account, uint256 amount);

    /// @notice The market paid the owner the money that the participants' balances do not need.
    /// @param owner The owner.
    /// @param amount The payment, in wei.
    event RemainderCollected(address indexed owner, uint256 amount);

    /// @notice A caller burned the bounty, because the drawn part was not revealed in time or the
    /// market failed.
    /// @param bounty The bounty, in wei.
    event Forfeited(uint256 bounty);

    /// @notice Checks the parameters. It works once; the factory calls it right after it creates
    /// the market.
    /// @dev Reverts with `AlreadyInitialized`, or with `InvalidParameter` if a parameter is outside
    /// its bounds.
    function initialize() external;

    /// @notice Commits to a test set of 2 to 256 parts and locks the sent money as the bounty, of 1
    /// to 2^96 - 1 wei. Only the owner may call it, once. The classifier must be closed with the
    /// market as its trainer.
    /// @dev Errors, in order: `NotInitialized`, `NotOwner`, `WrongPhase`, `InvalidParameter`
    /// (`parts`, `bounty`), `ModelNotClosedForMarket`.
    /// @param commitments `keccak256(abi.encode(part, salt, keccak256(items)))` of each part, with
    /// a `uint256 part` and a `bytes32 salt`. Parts are numbered from 0. Take a random salt for
    /// each part, because labels and samples can be guessed. A part has at most 24,575 bytes. The
    /// classifier must check it within 5,000,000 gas and evaluate it within 5,000,000 gas.
    function commit(bytes32[] calldata commitments) external payable;

    /// @notice Draws the part that contributors can test with. Anyone may call it from the second
    /// block after the commitments on. It works as long as the hash of the first block after them
    /// is known, which is for 256 blocks.
    /// @dev `part = uint256(keccak256(abi.encode(blockhash(committedBlock + 1), market))) % parts`.
    /// An owner who dislikes the part cannot draw again in this market. But the owner can let the
    /// market settle empty or with own contributions, get the bounty back, and draw in a new market.
    /// The proposer of that block can choose between two draws by not proposing it.
    /// Errors, in order: `WrongPhase`, `AlreadyDrawn`, `TooEarlyToDraw`, `TooLateToDraw`.
    function draw() external;

    /// @notice Reveals a part of the test set; anyone who knows the part may call it. The drawn
    /// part comes first, up to `revealWait` after the commitments, and opens the market. The others
    /// follow in any order, up to `revealWait` after the market has closed.
    /// @dev Errors, in order: `WrongPhase`; `UnknownPart`; before the contributions `NotDrawn`,
    /// `NotTheDrawnPart`, `TooLate`, after them `AlreadyRevealed`; `TooLong`; `CommitmentDiffers`;
    /// `EmptyBatch`, `MalformedBatch`; `GasTooLow`, and errors of the classifier's `check` or
    /// `evaluate`.
    /// @param part The index of the part.
    /// @param salt The salt that hides the part.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, at least
    /// one.
    // A parameter's name in an interface hides nothing, here and below.
    // slither-disable-next-line shadowing-local
    function reveal(uint256 part, bytes32 salt, bytes calldata items) external;

    /// @notice Burns the bounty of a market that has failed, or whose drawn part was not revealed
    /// in time. Anyone may call it, once.
    /// If the owner got the bounty back, the owner could repeat draws until one is liked. If
    /// participants got it, winners, too, could gain by a failure. Losers gain by one anyway: they
    /// get back what they would have lost.
    /// @dev Errors, in order: `WrongPhase`, `TooEarly`.
    function forfeit() external;

    /// @notice Contributes one or more labeled samples, each with a stake; the market sends back
    /// the excess. The model learns the samples during the scoring.
    /// @dev Errors, in order: `WrongPhase`, `TooLong`, `EmptyBatch`, `MalformedBatch`,
    /// `TooManyContributions`, `DepositTooLow`, errors of the classifier's `check`,
    /// `PaymentFailed`.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, at most
    /// 24,575 bytes. Samples that cannot be taught within 8,000,000 gas have no effect: send fewer
    /// at once.
    /// @return firstPosition The position of the first contribution; the others follow it.
    function contribute(bytes calldata items) external payable returns (uint256 firstPosition);

    /// @notice Begins a pass with a new model, and copies to it the weights that the market began
    /// with. The model can be taught once all words are copied. Anyone may call it.
    /// @dev Errors, in order: `WrongPhase`, `WrongStage`, `NoProgress` for 0 words.
    /// @param words The maximum number of words to copy.
    function restart(uint256 words) external;

    /// @notice Teaches contributions to the model of the pass and scores them, as far as the
    /// records and samples go. Anyone may call it.
    /// @dev Each time the author changes, and at the end, the market evaluates the model on all
    /// parts but the drawn one. The author of the contributions taught since the last evaluation
    /// scores the difference.
    /// An evaluation that has begun continues with any records. The market does not read records
    /// that it does not reach: send them again. An evaluation gets all gas that is left. If that is
    /// too little, the call reverts, for example with `ClassifierFailed`: send it again with fewer
    /// samples.
    /// Errors: first `WrongPhase`, `WrongStage`. Then, for each record: errors of the classifier's
    /// `evaluate` if an evaluation has begun, `MalformedRecords`, `UnknownContribution`, errors of
    /// `evaluate` if the record ends a run, `GasTooLow`. Last `NoProgress`.
    /// @param records The contributions from the cursor on, one record a transaction, in order. The
    /// market checks each record against the root of its transaction. A record is `author (20
    /// bytes) | time (5) | length of items (4) | items`. `Contributed` has all of it.
    /// @param max The maximum number of samples to evaluate.
    function score(bytes calldata records, uint256 max) external;

    /// @notice Settles a pass. First it finds `pot`, the largest amount that all active
    /// participants can afford to play for. The remaining bounty limits it, and no balance may fall
    /// below 0. Then it adds `pot * score / samples`, rounded down, to each balance. It removes
    /// participants who could not pay for a pot of one more wei. Anyone may call it.
    /// @dev Errors, in order: `WrongPhase`, `WrongStage`, `NoProgress` for 0 visits.
    /// @param max The maximum number of visits to participants. It visits each one, removed or
    /// not, twice a pass.
    function settle(uint256 max) external;

    /// @notice Pays the caller the amount of `collectable`.
    /// @dev Errors, in order: `WrongPhase`, `NothingToCollect`, `PaymentFailed`.
    function collect() external;

    /// @notice Pays the owner of a settled market the money that the participants' balances do not
    /// need, once.
    /// @dev Errors, in order: `NotOwner`, `WrongPhase`, `NothingToCollect`, `PaymentFailed`.
    function collectRemainder() external;

    /// @notice Returns the amount that an account can collect now, in wei. In a settled market it
    /// is the participant's balance. In a failed one it is the stakes, whether or not the bounty is
    /// burned.
    /// @param account The participant to look up.
    // slither-disable-next-line shadowing-local
    function collectable(address account) external view returns (uint256);

    /// @notice Returns the amount that the owner can collect now, in wei; 0 unless the market is
    /// settled.
    function remainder() external view returns (uint256);

    /// @notice Returns the phase of the market at the time of the call.
    function phase() external view returns (Phase);

    /// @notice Returns the progress of the scoring.
    function progress() external view returns (Progress memory);

    /// @notice Returns the state of a participant.
    /// @param author The participant to look up.
    function account(address author) external view returns (Participant memory);

    /// @notice Returns a participant, in the order of their first contributions.
    /// @param index The index of the participant, from 0.
    function participants(uint256 index) external view returns (address);

    /// @notice Returns the number of participants, including removed ones.
    function participantCount() external view returns (uint256);

    /// @notice Returns the number of contributions.
    function contributionCount() external view returns (uint256);

    /// @notice Returns the Merkle root over the contributions of one transaction; zero if the
    /// contribution at this position is not the first of a transaction.
    /// @param firstPosition The position of the transaction's first contribution.
    function root(uint256 firstPosition) external view returns (bytes32);

    /// @notice Returns the number of parts of the test set; 0 before the commitments.
    function partCount() external view returns (uint256);

    /// @notice Returns the provider's commitment to a part; zero if there is no such part.
    /// @param part The index of the part.
    // slither-disable-next-line shadowing-local
    function commitment(uint256 part) external view returns (bytes32);

    /// @notice Returns the items of a part; empty unless it is revealed.
    /// @param index The index of the part.
    /// @return items The items, encoded as in `reveal`.
    function part(uint256 index) external view returns (bytes memory items);

    /// @notice Returns the part that contributors test with.
    /// @return drawn `true` if it is drawn.
    /// @return index The index of the part; 0 until it is drawn.
    function drawnPart() external view returns (bool drawn, uint256 index);

    /// @notice Returns the number of revealed parts, including the drawn one.
    function revealedCount() external view returns (uint256);

    /// @notice Returns the number of samples in all revealed parts but the drawn one.
    function samples() external view returns (uint256);

    /// @notice Returns the number of samples in all revealed parts but the drawn one that the
    /// classifier predicts right.
    function initialCorrect() external view returns (uint256);

    /// @notice Returns the money that the provider locked for the participants, in wei; 0 before
    /// the commitments.
    function bounty() external view returns (uint256);

    /// @notice Returns the bounty that is left for later passes, in wei.
    function remainingBounty() external view returns (uint256);

    /// @notice Returns the number of the block of the commitments; 0 before them.
    function committedBlock() external view returns (uint256);

    /// @notice Returns the time of the commitments, in seconds; 0 before them.
    function committedTime() external view returns (uint256);

    /// @notice Returns the first second in which contributions are closed. If the last possible
    /// contribution came earlier, returns its time. 0 before the market opens.
    function closingTime() external view returns (uint256);

    /// @notice Returns the time of the last part's reveal, in seconds; 0 before it.
    function scoringTime() external view returns (uint256);

    /// @notice Returns the model of the last pass that has begun; zero before the first pass. Once
    /// the market is settled, it is the trained model.
    function model() external view returns (address);

    /// @notice Returns the stake of each of `n` contributions, in wei. It does not depend on `n`.
    /// @param n The number of contributions.
    function price(uint256 n) external view returns (uint256);

    /// @notice Returns the provider, who created the market, commits to the test set and pays the
    /// bounty.
    function owner() external view returns (address);

    /// @notice Returns the model that the market begins with; nobody teaches it.
    function classifier() external view returns (address);

    /// @notice Returns the stake of a contribution, in wei: 1 to 2^96 - 1.
    function stake() external view returns (uint256);

    /// @notice Returns the time that the market is open, in seconds: 1 to 2^32 - 1.
    function participation() external view returns (uint256);

    /// @notice Returns the time for reveals, in seconds: 1 to 2^32 - 1. It runs from the
    /// commitments for the drawn part, and from the closing for the others.
    function revealWait() external view returns (uint256);

    /// @notice Returns the maximum duration of the scoring, in seconds: 1 to 2^32 - 1.
    function scoringWait() external view returns (uint256);

    /// @notice Returns the number of contributions that closes the market early: 1 to 2^32 - 1.
    function mostContributions() external view returns (uint256);

    /// @notice Returns the maximum number of passes, after which the market is settled: 1 to 2^16 -
    /// 1.
    function mostPasses() external view returns (uint256);
}
