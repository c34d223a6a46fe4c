// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IPredictionMarket, Phase} from "../../interfaces/IPredictionMarket.sol";
import {Batches} from "../../libraries/Batches.sol";
import {ClassifierCalls} from "../../libraries/ClassifierCalls.sol";
import {ModelCopies} from "../../libraries/ModelCopies.sol";
import {Payments} from "../../libraries/Payments.sol";
import {MarketState} from "./MarketState.sol";

/// @title MarketTestSet
/// @notice The provider's test set. The provider commits to it, one part is drawn and revealed, and
/// the others are revealed after the contributions.
abstract contract MarketTestSet is MarketState {
    /// @dev Gas for checking a part, and again for evaluating it. A trained model may need many
    /// times as much, if the first model had learned nothing of most classes. `score` can split a
    /// part for that.
    uint256 private constant REVEAL_GAS = 5_000_000;

    uint256 private constant MIN_PARTS = 2;
    uint256 private constant MAX_PARTS = 256;

    /// @dev Number of blocks for which the EVM knows the hash of a block.
    uint256 private constant HASH_BLOCKS = 256;

    /// @dev An address whose key nobody has.
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc IPredictionMarket
    function commit(bytes32[] calldata commitments) external payable nonReentrant {
        if (!_book.initialized) revert NotInitialized();
        _requireOwner();
        _requirePhase(Phase.Created);
        uint256 parts = commitments.length;
        if (parts < MIN_PARTS || parts > MAX_PARTS) revert InvalidParameter("parts", parts);
        if (msg.value == 0 || msg.value > type(uint96).max) revert InvalidParameter("bounty", msg.value);
        // The size of the model is not needed yet.
        // slither-disable-next-line unused-return
        (address trainer,) = ModelCopies.describe(classifier());
        if (trainer != address(this)) revert ModelNotClosedForMarket(classifier(), trainer);

        for (uint256 i; i < parts; ++i) {
            commitment[i] = commitments[i];
        }
        _testSet.bounty = uint96(msg.value);
        _testSet.committedBlock = uint48(block.number);
        _testSet.committedTime = uint40(block.timestamp);
        _testSet.parts = uint16(parts);
        _book.phase = Phase.Committed;
        emit Committed(msg.value, block.number, block.timestamp, commitments);
    }

    /// @inheritdoc IPredictionMarket
    function draw() external nonReentrant {
        _requirePhase(Phase.Committed);
        if (_testSet.drawn) revert AlreadyDrawn(_testSet.drawnPart);
        uint256 number = uint256(_testSet.committedBlock) + 1;
        if (block.number <= number) revert TooEarlyToDraw(block.number, number + 1);
        bytes32 blockHash = blockhash(number);
        if (blockHash == 0) revert TooLateToDraw(block.number, number + HASH_BLOCKS);
        // docs/security.md says what the proposer of that block can do. The number of parts is not
        // 0.
        // slither-disable-next-line weak-prng
        uint256 index = uint256(keccak256(abi.encode(blockHash, address(this)))) % _testSet.parts;
        // The index is below 256.
        _testSet.drawnPart = uint8(index);
        _testSet.drawn = true;
        emit Drawn(index, blockHash);
    }

    /// @inheritdoc IPredictionMarket
    function reveal(uint256 index, bytes32 salt, bytes calldata items) external nonReentrant {
        bool opens = _requireRevealable(index);
        if (items.length > MAX_BATCH_LENGTH) revert TooLong(items.length, MAX_BATCH_LENGTH);
        bytes32 hash = keccak256(abi.encode(index, salt, keccak256(items)));
        bytes32 committed = commitment[index];
        if (hash != committed) revert CommitmentDiffers(index, hash, committed);
        uint256 n = Batches.count(items);

        // Asks the model that the market begins with, in the way that the models of all passes are
        // asked.
        ClassifierCalls.checkWithin(classifier(), items, REVEAL_GAS);
        uint256 correct = ClassifierCalls.evaluateWithin(classifier(), items, n, REVEAL_GAS);
        uint256 revealed = _testSet.revealed + 1;
        _testSet.revealed = uint16(revealed);
        if (opens) {
            _book.phase = Phase.Open;
            _book.closingTime = uint40(block.timestamp + participation());
        } else {
            // There are at most 255 parts of some thousand samples.
            _book.samples += uint32(n);
            _book.initialCorrect += uint32(correct);
            if (revealed == _testSet.parts) _book.scoringTime = uint40(block.timestamp);
        }
        _parts[index] = Part(SSTORE2.write(items), uint32(n));
        emit Revealed(index, block.timestamp, correct, salt, items);
    }

    /// @inheritdoc IPredictionMarket
    function forfeit() external nonReentrant {
        // A phase, not an amount.
        // slither-disable-next-line incorrect-equality
        if (phase() != Phase.Failed) {
            _requirePhase(Phase.Committed);
            uint256 earliest = _testSet.committedTime + revealWait() + 1;
            if (block.timestamp < earliest) revert TooEarly(block.timestamp, earliest);
        }
        uint256 amount = _testSet.bounty;
        _book.phase = Phase.Forfeited;
        emit Forfeited(amount);
        Payments.pay(BURNED, amount);
    }

    /// @dev Returns `true` if the part opens the market. Reverts unless it may be revealed now.
    function _requireRevealable(uint256 index) private view returns (bool opens) {
        Phase current = phase();
        // A phase, not an amount.
        // slither-disable-next-line incorrect-equality
        opens = current == Phase.Committed;
        if (!opens && current != Phase.Revealing) revert WrongPhase(current, Phase.Revealing);
        if (index >= _testSet.parts) revert UnknownPart(index, _testSet.parts);
        if (!opens) {
            if (_parts[index].pointer != address(0)) revert AlreadyRevealed(index);
            return opens;
        }
        if (!_testSet.drawn) revert NotDrawn();
        if (index != _testSet.drawnPart) revert NotTheDrawnPart(index, _testSet.drawnPart);
        uint256 latest = _testSet.committedTime + revealWait();
        if (block.timestamp > latest) revert TooLate(block.timestamp, latest);
    }
}
