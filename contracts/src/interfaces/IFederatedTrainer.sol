// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Rule} from "../libraries/Aggregation.sol";
import {IMechanismErrors} from "./IMechanismErrors.sol";

/// @notice The phase of a round.
enum RoundPhase {
    /// Authors commit to updates. The time runs from the first commitment on.
    Open,
    /// Authors, or who has their salt, reveal updates.
    Reveal,
    /// A block's hash draws a part of the test set.
    Draw,
    /// The owner reveals the drawn part.
    Test,
    /// Anyone supplies the updates again, and the contract computes their losses.
    Score,
    /// Anyone supplies the admitted updates again, and the contract adds their aggregate.
    Aggregate,
    /// Stakes and rewards wait to be booked.
    Settle
}

/// @notice The reason for which a round failed.
enum FailReason {
    /// Fewer updates were revealed, or admitted, than the rule needs.
    TooFewUpdates,
    /// Nobody drew while the EVM knew the block's hash.
    HashGone,
    /// The owner did not reveal the drawn part in time: its bond is forfeited.
    TestNotRevealed,
    /// Nobody scored all samples in time.
    NotScored,
    /// Nobody aggregated in time.
    NotAggregated
}

/// @notice The reason for which an account cannot commit.
enum CommitProblem {
    None,
    /// The account has committed in this round.
    CommittedAlready,
    /// The account's free balance is below the stake.
    BalanceTooLow,
    /// The owner knows the test set.
    Owner,
    /// The signature is not the author's, or its deadline has passed.
    NotSigned
}

/// @notice The state of the current round.
struct RoundStatus {
    uint256 number;
    /// The version of the model that updates must be based on.
    uint256 version;
    RoundPhase phase;
    /// The last second of the phase; 0 if it has no end.
    uint256 deadline;
    uint256 committed;
    /// The revealed updates, as bits by their index.
    uint256 revealed;
    /// The updates that passed the sieve, as bits.
    uint256 admitted;
    /// The drawn part of the test set, from `Test` on.
    uint256 part;
    /// The number of samples scored so far.
    uint256 scored;
}

/// @notice A commitment that its author has signed for a relayer.
struct SignedCommit {
    address author;
    bytes32 hash;
    uint256 deadline;
    bytes signature;
}

/// @notice The contents of a commitment.
struct Revelation {
    /// The index of the commitment in its round, from 0.
    uint256 index;
    uint256 baseVersion;
    bytes32 salt;
    /// The update's bytes.
    bytes update;
}

/// @title IFederatedTrainer
/// @notice Rounds in which authors train a model on data of their own and are paid for updates that
/// help.
/// @dev Deployed as clones whose immutable arguments are words: owner, classifier, stake token,
/// reward token, stake, slash, margin, open wait, reveal wait, work wait, maximum of clients, rule,
/// f, lane width, maximum squared norm, chunk size in bytes, emission, halving, bond.
/// An account keeps a balance of the stake token here; a commitment locks the stake from it.
interface IFederatedTrainer is IMechanismErrors {
    /// @notice Thrown when a call does not belong to the current phase.
    error NotInPhase(RoundPhase current, RoundPhase required);

    /// @notice Thrown when the time for a call is over: `fail` ends the round.
    error PhaseOver(uint256 time, uint256 deadline);

    /// @notice Thrown when a round is ended whose phase is not over.
    error PhaseNotOver(uint256 time, uint256 deadline);

    /// @notice Thrown when an account cannot commit.
    error CannotCommit(address author, CommitProblem problem);

    /// @notice Thrown when no part of the test set is left for a round.
    error NoPartLeft();

    /// @notice Thrown when the owner commits test parts, or takes its bond, while it may not.
    /// @param committed The number of commitments in the current round; expected 0.
    /// @param left The number of parts that are left; expected 0.
    error TestSetInUse(uint256 committed, uint256 left);

    /// @notice Thrown when a commitment does not exist, or its update is already revealed.
    error NothingToReveal(uint256 index, uint256 committed);

    /// @notice Thrown when an update is based on another version than the current one.
    error StaleBase(uint256 version, uint256 expected);

    /// @notice Thrown when what is revealed or supplied is not what was committed or revealed.
    /// @param index The index of the commitment, or of the part of the test set.
    error HashDiffers(uint256 index, bytes32 hash, bytes32 expected);

    /// @notice Thrown when the part is drawn before the block after the first call is known.
    error DrawTooEarly(uint256 number, uint256 earliest);

    /// @notice Thrown when samples are scored out of order, or too many.
    /// @param from The index of the first sample.
    /// @param count The number of samples.
    /// @param scored The number of samples that are scored.
    /// @param samples The number of all samples.
    error WrongSampleRange(uint256 from, uint256 count, uint256 scored, uint256 samples);

    /// @notice Thrown when a token moves another amount than it was told.
    error TokenMovedOtherAmount(uint256 moved, uint256 expected);

    /// @notice Thrown when an account has less than it wants to withdraw or lock.
    error StakeBalanceTooLow(uint256 amount, uint256 balance);

    /// @notice Thrown when a balance would become too large to hold a stake in addition.
    error StakeBalanceTooHigh(uint256 balance, uint256 maximum);

    /// @notice Thrown when the classifier or the token does not belong to this trainer.
    error NotOurs(address account, address trainer);

    event StakeDeposited(address indexed account, uint256 amount);
    event StakeWithdrawn(address indexed account, uint256 amount);
    event TestCommitted(uint256 bond, bytes32[] commitments);
    event BondReleased(uint256 amount);
    event UpdateCommitted(uint256 indexed round, uint256 index, address indexed author, bytes32 hash);
    event CommitRejected(uint256 indexed round, address indexed author, CommitProblem problem);
    event UpdateRevealed(
        uint256 indexed round, uint256 index, address indexed author, bytes32 root, bytes update
    );
    event DrawScheduled(uint256 indexed round, uint256 blockNumber);
    event PartDrawn(uint256 indexed round, uint256 part, bytes32 blockHash);
    event TestRevealed(uint256 indexed round, uint256 part, bytes32 salt, bytes items);
    event SamplesScored(uint256 indexed round, uint256 from, uint256 count);
    /// @notice An update's value: what the others lose without it, in 1/256 bit over all samples.
    event Scored(uint256 indexed round, address indexed author, int256 value, bool admitted);
    event Aggregated(uint256 indexed round, uint256 version, bytes32 root, uint256[] deltas);
    event Rewarded(uint256 indexed round, address indexed author, uint256 amount, uint256 copies);
    event Slashed(uint256 indexed round, address indexed author, uint256 amount);
    event Forfeited(uint256 indexed round, address indexed author, uint256 amount);
    event Settled(uint256 indexed round, uint256 version, int256 improvement, uint256 emission);
    event Failed(uint256 indexed round, FailReason reason);
    event RewardCollected(address indexed author, uint256 amount);
    event Burned(uint256 amount);

    /// @notice Checks the arguments of a new clone; the factory calls it.
    function initialize() external;

    /// @notice Moves stake tokens of the caller to its balance here.
    /// @dev Reverts if the token keeps a fee.
    function deposit(uint256 amount) external;

    /// @notice Moves stake tokens from the caller's free balance to the caller.
    function withdraw(uint256 amount) external;

    /// @notice Commits the owner to the parts of a test set, and locks its bond. Each round uses up
    /// one part.
    /// @param commitments For each part `keccak256(abi.encode(index, salt, keccak256(items)))`.
    function commitTest(bytes32[] calldata commitments) external;

    /// @notice Gives the bond back to the owner's balance, if no part is left.
    function releaseBond() external;

    /// @notice Commits the caller to an update, and locks its stake.
    /// @param hash `keccak256(abi.encode(trainer, round, author, baseVersion, root, salt))`.
    function commit(bytes32 hash) external;

    /// @notice Commits authors that have signed. Skips those that cannot commit, with an event.
    /// @dev The type that an author signs is `Commit(uint256 round,bytes32 hash,uint256 deadline)`.
    function relay(SignedCommit[] calldata commits) external;

    /// @notice Reveals updates, each of which only its author's salt can reveal. Skips those that
    /// are already revealed.
    function reveal(Revelation[] calldata revelations) external;

    /// @notice Draws a part of the test set. The first call names a block, a call after the next
    /// block draws by its hash. Fails the round if too few updates are revealed, or if the hash is
    /// gone.
    function draw() external;

    /// @notice Reveals the drawn part.
    /// @param items The samples, each `label (uint8) | features (uint8 each)`.
    function revealTest(bytes32 salt, bytes calldata items) external;

    /// @notice Scores some samples.
    /// @param from The index of the first sample: the number of samples that are scored.
    /// @param count The number of samples.
    /// @param updates All revealed updates, one after the other by their index.
    /// @param items All samples of the drawn part.
    function score(uint256 from, uint256 count, bytes calldata updates, bytes calldata items) external;

    /// @notice Aggregates the admitted updates and adds the result to the model.
    /// @param updates The admitted updates, one after the other by their index.
    function aggregate(bytes calldata updates) external;

    /// @notice Books stakes, slashes and rewards of a finished round, and opens the next one.
    function settle() external;

    /// @notice Ends a round whose phase is over. Those that revealed get their stakes back.
    function fail() external;

    /// @notice Mints the caller's rewards.
    function collect() external;

    /// @notice Sends forfeited stakes and bonds to an address that nobody has the key of.
    function burn() external;

    /// @notice Returns the address that created the model and knows the test set.
    function owner() external view returns (address);

    /// @notice Returns the classifier that holds the current model.
    function classifier() external view returns (address);

    /// @notice Returns the state of the current round.
    function status() external view returns (RoundStatus memory);

    /// @notice Returns an account's free balance of the stake token, and its rewards to collect.
    function accountOf(address account) external view returns (uint256 balance, uint256 reward);

    /// @notice Returns a commitment of the current round.
    /// @return author The author.
    /// @return hash The commitment; from the revealing on the root of the update.
    function entry(uint256 index) external view returns (address author, bytes32 hash);

    /// @notice Returns the sums of losses so far: of the base, with all updates, and without each
    /// revealed one, in 1/256 bit.
    function losses() external view returns (uint256[] memory);

    /// @notice Returns the hash of all words of the model at a version; 0 for an unknown one, and
    /// for version 0, which the owner wrote.
    function modelOf(uint256 version) external view returns (bytes32);

    /// @notice Returns the rule and the number of updates that it takes to be bad.
    function rule() external view returns (Rule rule_, uint256 f);

    /// @notice Returns the number of parts of the test set that are left.
    function partsLeft() external view returns (uint256);

    /// @notice Returns the amount of forfeited stake tokens that `burn` would burn.
    function forfeited() external view returns (uint256);
}
