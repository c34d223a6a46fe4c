// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IOwned} from "../../interfaces/IOwned.sol";
import {IPredictionMarket, Participant, Phase, Progress, Stage} from "../../interfaces/IPredictionMarket.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Records} from "../../libraries/Records.sol";

/// @title MarketState
/// @notice What a prediction market keeps, what it was created with, and what follows from both at a time.
/// @dev The time 2^40 and the block 2^48 are out of reach.
abstract contract MarketState is IPredictionMarket, ReentrancyGuardTransient {
    uint256 internal constant OWNER_PLACE = 0;
    uint256 internal constant CLASSIFIER_PLACE = 1;
    uint256 internal constant STAKE_PLACE = 2;
    uint256 internal constant PARTICIPATION_PLACE = 3;
    uint256 internal constant REVEAL_WAIT_PLACE = 4;
    uint256 internal constant SCORING_WAIT_PLACE = 5;
    uint256 internal constant MOST_CONTRIBUTIONS_PLACE = 6;
    uint256 internal constant MOST_PASSES_PLACE = 7;
    uint256 internal constant ARGUMENTS = 8;

    /// @dev The most bytes of a part, which becomes the code of an account with one byte before it (EIP-170), and of the
    /// contributions of a transaction: so they can be taught in one, too, by a lesson that uses all that it may.
    uint256 internal constant LONGEST_BATCH = 24_575;

    /// @dev What a contribution touches, in one slot.
    struct Book {
        /// As it was last written: time moves it on from `Open`.
        Phase phase;
        bool initialized;
        uint40 closingTime;
        uint32 contributions;
        uint32 participants;
        /// Of all revealed parts but the drawn one.
        uint32 samples;
        uint32 initialCorrect;
        uint40 scoringTime;
        bool remainderCollected;
    }

    /// @dev What is known before the market opens, and how much of it is revealed, in one slot.
    struct TestSet {
        uint96 bounty;
        uint48 committedBlock;
        uint40 committedTime;
        uint16 parts;
        uint16 revealed;
        bool drawn;
        uint8 drawnPart;
    }

    /// @dev The pass that is being scored, in one slot; the words are those of `Progress`.
    struct Pass {
        Stage stage;
        uint16 number;
        uint32 cursor;
        bool taught;
        uint32 evaluated;
        uint32 counted;
        uint32 correct;
        /// Of the bounty, in all passes before.
        uint96 spent;
    }

    /// @dev Two that change at different stages of a pass, in one slot.
    struct Run {
        address author;
        uint96 pot;
    }

    /// @dev The model of the pass, in one slot.
    struct Copy {
        address model;
        /// 0 between passes.
        uint96 copied;
    }

    /// @dev A revealed part, in one slot.
    struct Part {
        /// Where its items are.
        address pointer;
        /// At most 6,143.
        uint32 samples;
    }

    /// @dev The balances of all passes together, in one slot.
    struct Balances {
        /// What they have grown by; below 0 where the participants have paid more than they were paid.
        int160 gained;
        uint32 place;
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
    mapping(uint256 batch => bytes32) public root;

    /// @inheritdoc IPredictionMarket
    mapping(uint256 place => address) public participants;

    /// @inheritdoc IPredictionMarket
    function collectable(address author) public view returns (uint256) {
        Participant memory one = _accounts[author];
        Phase current = phase();
        // A phase, not an amount.
        // slither-disable-next-line incorrect-equality
        if (current == Phase.Settled) return one.balance;
        // Whatever passes have done: what the bounty is for has not come about.
        return current < Phase.Settled || one.collected ? 0 : one.contributions * stake();
    }

    /// @inheritdoc IPredictionMarket
    function remainder() public view returns (uint256) {
        if (phase() != Phase.Settled || _book.remainderCollected) return 0;
        // Of each pot, no more is paid than was paid in and the samples that the model gained, at most all, stand for.
        return uint256(int256(uint256(_testSet.bounty)) - _balances.gained);
    }

    /// @inheritdoc IPredictionMarket
    function phase() public view returns (Phase) {
        Phase written = _book.phase;
        if (written != Phase.Open) return written;
        uint256 closing = _book.closingTime;
        if (block.timestamp < closing) return Phase.Open;
        // A count and a time: nobody can move them by sending money.
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
            place: _balances.place,
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
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(OWNER_PLACE)));
    }

    /// @inheritdoc IPredictionMarket
    function classifier() public view returns (address) {
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(CLASSIFIER_PLACE)));
    }

    /// @inheritdoc IPredictionMarket
    function stake() public view returns (uint256) {
        return CloneArguments.word(STAKE_PLACE);
    }

    /// @inheritdoc IPredictionMarket
    function participation() public view returns (uint256) {
        return CloneArguments.word(PARTICIPATION_PLACE);
    }

    /// @inheritdoc IPredictionMarket
    function revealWait() public view returns (uint256) {
        return CloneArguments.word(REVEAL_WAIT_PLACE);
    }

    /// @inheritdoc IPredictionMarket
    function scoringWait() public view returns (uint256) {
        return CloneArguments.word(SCORING_WAIT_PLACE);
    }

    /// @inheritdoc IPredictionMarket
    function mostContributions() public view returns (uint256) {
        return CloneArguments.word(MOST_CONTRIBUTIONS_PLACE);
    }

    /// @inheritdoc IPredictionMarket
    function mostPasses() public view returns (uint256) {
        return CloneArguments.word(MOST_PASSES_PLACE);
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

    /// @dev The Merkle root over contributions of one author.
    /// @param n How many items there are, of which each is whole.
    /// @param position Of the first of them.
    function _rootOf(bytes calldata items, uint256 n, address author, uint256 time, uint256 position)
        internal
        view
        returns (bytes32)
    {
        bytes32[] memory leaves = new bytes32[](n);
        Records.fill(leaves, 0, items, n, author, stake(), time, position);
        return Records.root(leaves, n);
    }

    /// @dev Transient storage on every chain: all that this runs on have it.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
