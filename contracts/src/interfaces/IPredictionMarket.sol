// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IMechanismErrors} from "./IMechanismErrors.sol";

/// @notice What a market is doing. The ones from `Revealing` to `Failed` may be reached by time alone.
enum Phase {
    /// The owner may commit to a test set and lock the bounty.
    Created,
    /// A part of the test set is to be drawn and revealed.
    Committed,
    /// Anyone may contribute.
    Open,
    /// The other parts are to be revealed.
    Revealing,
    /// Anyone may drive the scoring.
    Scoring,
    /// Participants collect their balances, the owner what they do not need.
    Settled,
    /// The owner's part was not done in time: participants collect their stakes, and anyone may burn the bounty.
    Failed,
    /// The bounty is burned, because the drawn part was not revealed in time or the market failed: participants, if there are
    /// any, collect their stakes.
    Forfeited
}

/// @notice What has to be done next of a pass of scoring.
enum Stage {
    /// `restart`: a new model gets the weights that the market began with.
    Copying,
    /// `score`: the contributions are taught and what they changed is measured.
    Teaching,
    /// `settle`: how much of the bounty the participants can afford to play for.
    Finding,
    /// `settle`: the participants are paid, or pay.
    Paying
}

/// @notice What a market keeps of a participant, in one slot.
/// @dev The balance is below 2^128: all stakes and the bounty together are at most 2^128 - 2^32.
struct Participant {
    /// What the participant has: the stakes, and what passes have added or taken, in wei. 0 once collected.
    uint128 balance;
    /// How many contributions the participant has made.
    uint32 contributions;
    /// By how many samples of the test set the participant's contributions have improved the model in this pass.
    int64 score;
    /// Whether the participant can pay for no further loss: their contributions are skipped from then on.
    bool removed;
    /// Whether the participant has collected.
    bool collected;
}

/// @notice How far the scoring has come.
struct Progress {
    /// What has to be done next, where the phase is `Scoring`.
    Stage stage;
    /// The pass, from 1; 0 before the first one.
    uint256 pass;
    /// The model of the pass; zero before the first one. After the last one it is the trained model.
    address model;
    /// How many words of it have been copied.
    uint256 copied;
    /// The position of the next contribution to be taught or skipped.
    uint256 cursor;
    /// Whose contribution was taught last; zero at the beginning of a pass.
    address runAuthor;
    /// Whether something was taught that has not been scored yet.
    bool taught;
    /// How many samples have been evaluated since; 0 where no evaluation has begun.
    uint256 evaluated;
    /// How many of them the model predicts right.
    uint256 counted;
    /// How many samples of all parts but the drawn one the model predicted right when all were last evaluated.
    uint256 correct;
    /// The place of the next participant to be looked at by `settle`.
    uint256 place;
    /// What all participants looked at so far can afford to play for, in wei: at most what is left of the bounty.
    uint256 pot;
}

/// @title IPredictionMarket
/// @notice A bounty for data that improves a model on a test set which nobody but the provider, the market's owner, knows
/// while contributions are made. Each contribution is a bet of a stake: who improves the model is paid out of the bounty,
/// who makes it worse pays.
/// @dev After Abernethy and Frongillo, "A collaborative mechanism for crowdsourcing prediction problems" (2011), as
/// 0xDeCA10B's simulation had it. Created by the factory like a trainer; the parameters after `owner` and `classifier` are
/// those below, in the order `stake`, `participation`, `revealWait`, `scoringWait`, `mostContributions`, `mostPasses`.
/// The functions check in the order in which their errors are named. Money is in wei, time in seconds, a contribution's
/// record as `ICollaborativeTrainer` has it. Errors of the classifier are passed on, cut to 256 bytes.
interface IPredictionMarket is IMechanismErrors {
    /// @notice Thrown when it is not the phase for the call. For `reveal` the required one is `Revealing`, though the drawn
    /// part is revealed in `Committed`; for `collect` it is `Settled`, though participants collect in `Failed` and
    /// `Forfeited`, too; for `forfeit` it is `Committed`, though it works in `Failed`, too.
    error WrongPhase(Phase phase, Phase required);

    /// @notice Thrown when it is the turn of another step of the scoring. For `settle` the required one is `Finding`, though it
    /// works in `Paying`, too.
    error WrongStage(Stage stage, Stage required);

    /// @notice Thrown when the classifier was not closed with the market as its trainer.
    /// @param trainer Who may teach the classifier; zero while its initialisation is open.
    error ModelNotClosedForMarket(address classifier, address trainer);

    /// @notice Thrown when the part was drawn before.
    error AlreadyDrawn(uint256 part);

    /// @notice Thrown when the part cannot be drawn yet.
    /// @param number Of the current block.
    /// @param earliest The first block in which it can.
    error TooEarlyToDraw(uint256 number, uint256 earliest);

    /// @notice Thrown when the hash that the part is drawn by is not to be had any more.
    /// @param number Of the current block.
    /// @param latest The last block in which it was.
    error TooLateToDraw(uint256 number, uint256 latest);

    /// @notice Thrown when no part has been drawn yet.
    error NotDrawn();

    /// @notice Thrown when a part is none of the test set's.
    error UnknownPart(uint256 part, uint256 parts);

    /// @notice Thrown when another part than the drawn one is revealed before the contributions.
    error NotTheDrawnPart(uint256 part, uint256 drawn);

    /// @notice Thrown when a part has been revealed before.
    error AlreadyRevealed(uint256 part);

    /// @notice Thrown when the time for the call is over.
    /// @param time The time now, in seconds.
    /// @param latest The last second for the call.
    error TooLate(uint256 time, uint256 latest);

    /// @notice Thrown when a part is not what the provider committed to.
    /// @param commitment That of what was sent.
    /// @param committed What the provider committed to.
    error CommitmentDiffers(uint256 part, bytes32 commitment, bytes32 committed);

    /// @notice Thrown when a part or a batch of contributions is too long, in bytes.
    error TooLong(uint256 length, uint256 most);

    /// @notice Thrown when there would be more contributions than the market takes.
    error TooManyContributions(uint256 count, uint256 most);

    /// @notice Thrown when a record runs past the end of what was sent.
    /// @param offset Where it begins, in bytes.
    error MalformedRecords(uint256 offset);

    /// @notice Thrown when a step of the scoring would do nothing.
    error NoProgress();

    /// @notice The provider committed to a test set and locked the bounty.
    /// @param bounty In wei.
    /// @param number Of the block; the part is drawn by the hash of the next one.
    /// @param time When, in seconds.
    /// @param commitments One a part.
    event Committed(uint256 bounty, uint256 number, uint256 time, bytes32[] commitments);

    /// @notice The part was drawn that contributors get to test with and nothing is scored on.
    /// @param blockHash What it was drawn by.
    event Drawn(uint256 indexed part, bytes32 blockHash);

    /// @notice A part of the test set was revealed: with the drawn one the market opens, with the last one the scoring begins.
    /// @param time When, in seconds.
    /// @param correct How many of its samples the classifier predicts right.
    /// @param salt What it was hidden by.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after the other.
    event Revealed(uint256 indexed part, uint256 time, uint256 correct, bytes32 salt, bytes items);

    /// @notice Labelled samples were contributed: everything that their leaves are made of.
    /// @param batch The position of the first of them; the others follow it.
    /// @param deposit The stake of each, in wei.
    /// @param time When, in seconds.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after the other.
    event Contributed(
        uint256 indexed batch, address indexed author, uint256 deposit, uint256 time, bytes items
    );

    /// @notice A pass began with a new model.
    event Restarted(uint256 indexed pass, address model);

    /// @notice Weights were copied to the model of a pass; with the last ones it was closed, and can be taught.
    /// @param copied How many words have been copied so far.
    /// @param size The model's size in words.
    event Copied(uint256 indexed pass, uint256 copied, uint256 size);

    /// @notice The contributions of a transaction could not be taught, so they have no effect.
    /// @param batch The position of the first of them.
    event LessonFailed(uint256 indexed batch);

    /// @notice Consecutive contributions of an author were scored.
    /// @param change By how many samples they improved the model.
    /// @param correct How many samples it now predicts right.
    event Scored(address indexed author, int256 change, uint256 correct);

    /// @notice How far a call of `score` came: as in `Progress`.
    // Nobody looks for it by the author.
    // slither-disable-next-line unindexed-event-address
    event Advanced(Stage stage, uint256 cursor, address runAuthor, uint256 evaluated, uint256 counted);

    /// @notice A participant was paid for a pass, or paid.
    /// @param score In the pass; not 0.
    /// @param balance After it, in wei.
    event BalanceChanged(address indexed account, int256 score, uint256 balance);

    /// @notice A participant cannot pay for any further loss; from the next pass on their contributions are skipped.
    event Removed(address indexed account, uint256 indexed pass);

    /// @notice How far a call of `settle` came that did not end the pass: as in `Progress`.
    event SettlementAdvanced(Stage stage, uint256 place, uint256 pot);

    /// @notice A pass ended.
    /// @param pot What was played for, in wei.
    /// @param correct How many samples the model of the pass predicts right.
    /// @param last Whether the market is settled with it.
    event PassSettled(uint256 indexed pass, uint256 pot, uint256 correct, bool last);

    /// @notice A participant was paid out.
    /// @param amount In wei.
    event Collected(address indexed account, uint256 amount);

    /// @notice The owner was paid what the participants' balances do not need.
    /// @param amount In wei.
    event RemainderCollected(address indexed owner, uint256 amount);

    /// @notice The bounty was burned, because the drawn part was not revealed in time or the market failed.
    /// @param bounty In wei.
    event Forfeited(uint256 bounty);

    /// @notice Checks the parameters; once only, by the factory that created the market.
    /// @dev Reverts with `AlreadyInitialized` or, where a parameter is outside its bounds, `InvalidParameter`.
    function initialize() external;

    /// @notice Commits to a test set of 2 to 256 parts and locks what is sent as the bounty, of 1 to 2^96 - 1 wei; only the
    /// owner, once. The classifier must have been closed with the market as its trainer.
    /// @dev `NotInitialized`, `NotOwner`, `WrongPhase`, `InvalidParameter` (`parts`, `bounty`), `ModelNotClosedForMarket`.
    /// @param commitments `keccak256(abi.encode(part, salt, keccak256(items)))` of each part, numbered from 0, with a
    /// `uint256 part` and a `bytes32 salt`. Take a random salt for each part: labels and samples can be guessed. A part has
    /// at most 24,575 bytes, and the classifier has to check and to evaluate it within 5,000,000 gas each.
    function commit(bytes32[] calldata commitments) external payable;

    /// @notice Draws the part that contributors get to test with: from the second block after the commitments on, as long as
    /// the hash of the first one is known, which is for 256 blocks. By anyone.
    /// @dev `part = uint256(keccak256(abi.encode(blockhash(committedBlock + 1), market))) % parts`. Who does not like the part
    /// can only let the market be forfeited; but whoever proposes that block can choose between two draws by not proposing it.
    /// `WrongPhase`, `AlreadyDrawn`, `TooEarlyToDraw`, `TooLateToDraw`.
    function draw() external;

    /// @notice Reveals a part of the test set: first the drawn one, up to `revealWait` after the commitments, which opens the
    /// market; then, up to `revealWait` after it has closed, the others in any order. By anyone who knows them.
    /// @dev `WrongPhase`; `UnknownPart`; before the contributions `NotDrawn`, `NotTheDrawnPart`, `TooLate`, after them
    /// `AlreadyRevealed`; `TooLong`; `CommitmentDiffers`; `EmptyBatch`, `MalformedBatch`; `GasTooLow`, and what the classifier
    /// says in `check` or `evaluate`.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, at least one.
    // An interface's names hide nothing; here and below.
    // slither-disable-next-line shadowing-local
    function reveal(uint256 part, bytes32 salt, bytes calldata items) external;

    /// @notice Burns the bounty of a market whose drawn part was not revealed in time, or that has failed; once, by anyone. If the
    /// owner got it back, parts could be drawn until one is liked; if participants got it, winners, too, could gain by a failure. Losers
    /// gain by one as it is: they get back what they would have lost.
    /// @dev `WrongPhase`, `TooEarly`.
    function forfeit() external;

    /// @notice Contributes one or more labelled samples, each with a stake; what is sent above the stakes is sent back. The
    /// model learns them when they are scored.
    /// @dev `WrongPhase`, `TooLong`, `EmptyBatch`, `MalformedBatch`, `TooManyContributions`, `DepositTooLow`, what the classifier
    /// says in `check`, `PaymentFailed`.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, at most 24,575 bytes. Samples that
    /// cannot be taught within 8,000,000 gas have no effect: send fewer at once.
    /// @return batch The position of the first contribution, which names the batch.
    function contribute(bytes calldata items) external payable returns (uint256 batch);

    /// @notice Begins a pass with a new model, and copies the weights that the market began with to it; once all are copied it
    /// can be taught. By anyone.
    /// @dev `WrongPhase`, `WrongStage`, `NoProgress` for 0 words.
    /// @param words The most words to copy.
    function restart(uint256 words) external;

    /// @notice Teaches contributions to the model of the pass and scores them, as far as the records and samples go. By anyone.
    /// @dev Each time that the author changes, and in the end, the model is evaluated on all parts but the drawn one: the author
    /// of what was taught since the last time scores the difference. An evaluation that has begun goes on whatever records are
    /// sent. Records that are not reached are not looked at: send them again. An evaluation has all gas that is left, and where
    /// that is too little the call reverts, with `ClassifierFailed`, say: send it again with fewer samples.
    /// `WrongPhase`, `WrongStage`, `MalformedRecords`, `UnknownContribution`, `GasTooLow`, what the classifier says in
    /// `evaluate`, `NoProgress`.
    /// @param records The contributions from the cursor on, one record a transaction, in order:
    /// `author (20 bytes) | time (5) | length of items (4) | items`. All of it is in `Contributed`.
    /// @param most The most samples to evaluate.
    function score(bytes calldata records, uint256 most) external;

    /// @notice Settles a pass. First it finds what all active participants can afford to play for, `pot`: the most, up to what is
    /// left of the bounty, with which nobody's balance would fall below 0. Then it adds `pot * score / samples` to each balance,
    /// rounded down, and removes those who could not pay for a pot of one more wei. By anyone.
    /// @dev `WrongPhase`, `WrongStage`, `NoProgress` for 0.
    /// @param most How many times to look at a participant, removed or not; each is looked at twice a pass.
    function settle(uint256 most) external;

    /// @notice Pays the caller what `collectable` says.
    /// @dev `WrongPhase`, `NothingToCollect`, `PaymentFailed`.
    function collect() external;

    /// @notice Pays the owner of a settled market what the participants' balances do not need, once.
    /// @dev `NotOwner`, `WrongPhase`, `NothingToCollect`, `PaymentFailed`.
    function collectRemainder() external;

    /// @notice What an account can collect now, in wei: the balance of a participant of a settled market; of one
    /// that has failed the stakes, whether or not the bounty is burned.
    // slither-disable-next-line shadowing-local
    function collectable(address account) external view returns (uint256);

    /// @notice What the owner can collect now, in wei; 0 unless the market is settled.
    function remainder() external view returns (uint256);

    /// @notice What the market is doing.
    function phase() external view returns (Phase);

    /// @notice How far the scoring has come.
    function progress() external view returns (Progress memory);

    /// @notice What the market keeps of a participant.
    function account(address author) external view returns (Participant memory);

    /// @notice The participants, in the order of their first contributions.
    function participants(uint256 place) external view returns (address);

    /// @notice How many participants there are, removed ones included.
    function participantCount() external view returns (uint256);

    /// @notice How many contributions have been made.
    function contributionCount() external view returns (uint256);

    /// @notice The Merkle root of a batch; zero where no batch begins at this position.
    function root(uint256 batch) external view returns (bytes32);

    /// @notice How many parts the test set has; 0 before the commitments.
    function partCount() external view returns (uint256);

    /// @notice What the provider committed to; zero where there is no such part.
    // slither-disable-next-line shadowing-local
    function commitment(uint256 part) external view returns (bytes32);

    /// @notice The items of a part; nothing unless it is revealed.
    function part(uint256 index) external view returns (bytes memory items);

    /// @notice The part that contributors test with, and whether it has been drawn.
    function drawnPart() external view returns (bool drawn, uint256 index);

    /// @notice How many parts have been revealed, the drawn one included.
    function revealedCount() external view returns (uint256);

    /// @notice How many samples all revealed parts but the drawn one have.
    function samples() external view returns (uint256);

    /// @notice How many of them the classifier predicts right.
    function initialCorrect() external view returns (uint256);

    /// @notice What was locked for the participants, in wei; 0 before the commitments.
    function bounty() external view returns (uint256);

    /// @notice What is left of it for passes to come, in wei.
    function remainingBounty() external view returns (uint256);

    /// @notice The block of the commitments; 0 before them.
    function committedBlock() external view returns (uint256);

    /// @notice When the commitments were made, in seconds; 0 before that.
    function committedTime() external view returns (uint256);

    /// @notice The first second in which nobody can contribute any more, or when the last possible contribution came; 0 before
    /// the market opens.
    function closingTime() external view returns (uint256);

    /// @notice When the last part was revealed, in seconds; 0 before that.
    function scoringTime() external view returns (uint256);

    /// @notice The model of the last pass that has begun: the trained model, once the market is settled. Zero before.
    function model() external view returns (address);

    /// @notice The stake of each of `n` contributions, whatever `n` is.
    function price(uint256 n) external view returns (uint256);

    /// @notice The provider: who created the market, commits to the test set and pays the bounty.
    function owner() external view returns (address);

    /// @notice The model that the market begins with; nobody teaches it.
    function classifier() external view returns (address);

    /// @notice What a contribution costs, in wei: 1 to 2^96 - 1.
    function stake() external view returns (uint256);

    /// @notice How long the market is open, in seconds: 1 to 2^32 - 1.
    function participation() external view returns (uint256);

    /// @notice How long the drawn part can be revealed from the commitments on, and the others from the closing on, in seconds:
    /// 1 to 2^32 - 1.
    function revealWait() external view returns (uint256);

    /// @notice How long the scoring may take, in seconds: 1 to 2^32 - 1.
    function scoringWait() external view returns (uint256);

    /// @notice With how many contributions the market closes early: 1 to 2^32 - 1.
    function mostContributions() external view returns (uint256);

    /// @notice After how many passes the market is settled at the latest: 1 to 2^16 - 1.
    function mostPasses() external view returns (uint256);
}
