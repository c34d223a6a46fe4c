// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IOwned} from "../../interfaces/IOwned.sol";
import {IPredictionMarket, Participant, Phase, Progress, Stage} from "../../interfaces/IPredictionMarket.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Roots} from "../../libraries/Roots.sol";

/// @title MarketState
/// @notice Storage, immutable parameters and derived views of a prediction market.
/// @dev The time 2^40 and the block 2^48 are out of reach.
abstract contract MarketState is IPredictionMarket, ReentrancyGuardTransient {
    uint256 internal constant OWNER_INDEX = 0;
    uint256 internal constant CLASSIFIER_INDEX = 1;
    uint256 internal constant STAKE_INDEX = 2;
    uint256 internal constant PARTICIPATION_INDEX = 3;
    uint256 internal constant REVEAL_WAIT_INDEX = 4;
    uint256 internal constant SCORING_WAIT_INDEX = 5;
    uint256 internal constant MAX_CONTRIBUTIONS_INDEX = 6;
    uint256 internal constant MAX_PASSES_INDEX = 7;
    uint256 internal constant ARGUMENTS = 8;

    /// @dev Maximum length of a part and of the contributions of a transaction, in bytes. A part
    /// becomes the code of an account with one byte before it (EIP-170). Contributions of this
    /// length can be taught in one transaction, even if the lesson uses all gas that it may.
    uint256 internal constant MAX_BATCH_LENGTH = 24_575;

    /// @dev The values that a contribution changes, in one slot.
    struct Book {
        /// The phase as last written: time moves it on from `Open`.
        Phase phase;
        bool initialized;
        uint40 closingTime;
        uint32 contributions;
        uint32 participants;
        /// Number of samples in all revealed parts but the drawn one.
        uint32 samples;
        uint32 initialCorrect;
        uint40 scoringTime;
        bool remainderCollected;
    }

    /// @dev The values known before the market opens, and the number of revealed parts, in one
    /// slot.
    struct TestSet {
        uint96 bounty;
        uint48 committedBlock;
        uint40 committedTime;
        uint16 parts;
        uint16 revealed;
        bool drawn;
        uint8 drawnPart;
    }

    /// @dev The pass in progress, in one slot. `Progress` describes the fields.
    struct Pass {
        Stage stage;
        uint16 number;
        uint32 cursor;
        bool taught;
        uint32 evaluated;
        uint32 counted;
        uint32 correct;
        /// Bounty that all earlier passes spent, in wei.
        uint96 spent;
    }

    /// @dev The run's author and the pot, which change at different stages of a pass, in one slot.
    struct Run {
        address author;
        uint96 pot;
    }

    /// @dev The model of the pass, in one slot.
    struct Copy {
        address model;
        /// Number of copied words; 0 between passes.
        uint96 copied;
    }

    /// @dev A revealed part, in one slot.
    struct Part {
        /// Address of the account whose code holds the items (SSTORE2).
        address pointer;
        /// Number of samples, at most 6,143.
        uint32 samples;
    }

    /// @dev The changes of the balances in all passes together, in one slot.
    struct Balances {
        /// Growth of all balances, in wei; below 0 if the participants have paid more than they
        /// received.
        int160 gained;
        /// The index of the participant that `settle` visits next.
        uint32 participantIndex;
        uint32 removed;
    }

    Book internal _book;

    TestSet internal _testSet;

    Pass internal _pass;

    Run internal _run;

    Copy internal _copy;

    Balances internal _balances;

    mapping(address author => Participant) internal _accounts;

    mapping(uint256 index => Part) internal _parts;

    /// @inheritdoc IPredictionMarket
    mapping(uint256 part => bytes32) public commitment;

    /// @inheritdoc IPredictionMarket
    mapping(uint256 firstPosition => bytes32) public root;

    /// @inheritdoc IPredictionMarket
    mapping(uint256 index => address) public participants;

    /// @inheritdoc IPredictionMarket
    function collectable(address author) public view returns (uint256) {
        Participant memory one = _accounts[author];
        Phase current = phase();
        // A phase, not an amount.
        // slither-disable-next-line incorrect-equality
        if (current == Phase.Settled) return one.balance;
        // The market failed: participants get their stakes back, whatever the passes computed.
        return current < Phase.Settled || one.collected ? 0 : one.contributions * stake();
    }

    /// @inheritdoc IPredictionMarket
    function remainder() public view returns (uint256) {
        if (phase() != Phase.Settled || _book.remainderCollected) return 0;
        // A pot pays out at most the losses that it collects plus the net gain of the model. The
        // net gain is at most all samples, so at most one whole pot.
        return uint256(int256(uint256(_testSet.bounty)) - _balances.gained);
    }

    /// @inheritdoc IPredictionMarket
    function phase() public view returns (Phase) {
        Phase written = _book.phase;
        if (written != Phase.Open) return written;
        uint256 closing = _book.closingTime;
        if (block.timestamp < closing) return Phase.Open;
        // A count and a time: nobody can change them by sending money.
        // slither-disable-start incorrect-equality
        if (_book.contributions == 0) return Phase.Settled;
        uint256 begun = _book.scoringTime;
        if (begun == 0) return block.timestamp > closing + revealWait() ? Phase.Failed : Phase.Revealing;
        // slither-disable-end incorrect-equality
        return block.timestamp > begun + scoringWait() ? Phase.Failed : Phase.Scoring;
    }

    /// @inheritdoc IPredictionMarket
    function progress() external view returns (Progress memory) {
        Pass memory pass = _pass;
        return Progress({
            stage: pass.stage,
            pass: pass.number,
            model: _copy.model,
            copied: _copy.copied,
            cursor: pass.cursor,
            runAuthor: _run.author,
            taught: pass.taught,
            evaluated: pass.evaluated,
            counted: pass.counted,
            correct: pass.correct,
            participantIndex: _balances.participantIndex,
            pot: _run.pot
        });
    }

    /// @inheritdoc IPredictionMarket
    function account(address author) external view returns (Participant memory) {
        return _accounts[author];
    }

    /// @inheritdoc IPredictionMarket
    function participantCount() external view returns (uint256) {
        return _book.participants;
    }

    /// @inheritdoc IPredictionMarket
    function contributionCount() external view returns (uint256) {
        return _book.contributions;
    }

    /// @inheritdoc IPredictionMarket
    function partCount() external view returns (uint256) {
        return _testSet.parts;
    }

    /// @inheritdoc IPredictionMarket
    function part(uint256 index) external view returns (bytes memory items) {
        address pointer = _parts[index].pointer;
        if (pointer != address(0)) items = SSTORE2.read(pointer);
    }

    /// @inheritdoc IPredictionMarket
    function drawnPart() external view returns (bool drawn, uint256 index) {
        return (_testSet.drawn, _testSet.drawnPart);
    }

    /// @inheritdoc IPredictionMarket
    function revealedCount() external view returns (uint256) {
        return _testSet.revealed;
    }

    /// @inheritdoc IPredictionMarket
    function samples() external view returns (uint256) {
        return _book.samples;
    }

    /// @inheritdoc IPredictionMarket
    function initialCorrect() external view returns (uint256) {
        return _book.initialCorrect;
    }

    /// @inheritdoc IPredictionMarket
    function bounty() external view returns (uint256) {
        return _testSet.bounty;
    }

    /// @inheritdoc IPredictionMarket
    function remainingBounty() external view returns (uint256) {
        return _testSet.bounty - _pass.spent;
    }

    /// @inheritdoc IPredictionMarket
    function committedBlock() external view returns (uint256) {
        return _testSet.committedBlock;
    }

    /// @inheritdoc IPredictionMarket
    function committedTime() external view returns (uint256) {
        return _testSet.committedTime;
    }

    /// @inheritdoc IPredictionMarket
    function closingTime() external view returns (uint256) {
        return _book.closingTime;
    }

    /// @inheritdoc IPredictionMarket
    function scoringTime() external view returns (uint256) {
        return _book.scoringTime;
    }

    /// @inheritdoc IPredictionMarket
    function model() external view returns (address) {
        return _copy.model;
    }

    /// @inheritdoc IPredictionMarket
    function price(uint256) external view returns (uint256) {
        return stake();
    }

    /// @inheritdoc IPredictionMarket
    function owner() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(OWNER_INDEX)));
    }

    /// @inheritdoc IPredictionMarket
    function classifier() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(CLASSIFIER_INDEX)));
    }

    /// @inheritdoc IPredictionMarket
    function stake() public view returns (uint256) {
        return CloneArguments.word(STAKE_INDEX);
    }

    /// @inheritdoc IPredictionMarket
    function participation() public view returns (uint256) {
        return CloneArguments.word(PARTICIPATION_INDEX);
    }

    /// @inheritdoc IPredictionMarket
    function revealWait() public view returns (uint256) {
        return CloneArguments.word(REVEAL_WAIT_INDEX);
    }

    /// @inheritdoc IPredictionMarket
    function scoringWait() public view returns (uint256) {
        return CloneArguments.word(SCORING_WAIT_INDEX);
    }

    /// @inheritdoc IPredictionMarket
    function mostContributions() public view returns (uint256) {
        return CloneArguments.word(MAX_CONTRIBUTIONS_INDEX);
    }

    /// @inheritdoc IPredictionMarket
    function mostPasses() public view returns (uint256) {
        return CloneArguments.word(MAX_PASSES_INDEX);
    }

    /// @dev Reverts unless the caller is the owner.
    function _requireOwner() internal view {
        if (msg.sender != owner()) revert IOwned.NotOwner(msg.sender, owner());
    }

    /// @dev Reverts unless the market is in this phase.
    function _requirePhase(Phase required) internal view {
        Phase current = phase();
        if (current != required) revert WrongPhase(current, required);
    }

    /// @dev Returns the Merkle root over contributions of one author.
    /// @param n The number of items; each is whole.
    /// @param position The position of the first item.
    function _rootOf(bytes calldata items, uint256 n, address author, uint256 time, uint256 position)
        internal
        view
        returns (bytes32)
    {
        bytes32[] memory leaves = new bytes32[](n);
        Roots.fill(leaves, 0, items, n, author, stake(), time, position);
        return Roots.root(leaves, n);
    }

    /// @dev Returns `false`, so that the guard uses transient storage on every chain. All chains
    /// that the contract runs on have it.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
