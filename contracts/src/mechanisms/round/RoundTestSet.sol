// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../interfaces/IClassifier.sol";
import {FailReason, IFederatedTrainer, RoundPhase} from "../../interfaces/IFederatedTrainer.sol";
import {IRewardToken} from "../../interfaces/IRewardToken.sol";
import {ISoftmaxRegression} from "../../interfaces/ISoftmaxRegression.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {RoundEntries} from "./RoundEntries.sol";

/// @title RoundTestSet
/// @notice The owner's test set. The owner commits to it before the rounds, and each round draws and
/// uses up one part.
abstract contract RoundTestSet is RoundEntries {
    /// @dev The used parts are the bits of a slot.
    uint256 private constant MAX_PARTS = 256;

    /// @dev Sums of losses have 32 bits: so many samples of the largest loss are far below.
    uint256 private constant MAX_SAMPLES = type(uint16).max;

    /// @dev A logit has so many bits after the point.
    uint256 private constant LOGIT_BITS = 4;

    /// @inheritdoc IFederatedTrainer
    function commitTest(bytes32[] calldata commitments) external nonReentrant {
        _requireOwner();
        TestSet memory test = _test;
        if (!test.initialized) revert NotInitialized();
        _requireUnused();
        uint256 parts = commitments.length;
        if (parts == 0 || parts > MAX_PARTS) revert InvalidParameter("parts", parts);
        if (test.bond == 0) {
            uint256 bond = CloneArguments.word(BOND_INDEX);
            _lock(msg.sender, bond);
            // `initialize` has checked it.
            test.bond = uint96(bond);
        }
        _readShape(test);
        for (uint256 i; i < parts; ++i) {
            _commitments[i] = commitments[i];
        }
        (test.parts, test.used) = (uint16(parts), 0);
        _test = test;
        _usedParts = 0;
        emit TestCommitted(test.bond, commitments);
    }

    /// @inheritdoc IFederatedTrainer
    function releaseBond() external nonReentrant {
        _requireOwner();
        _requireUnused();
        uint256 bond = _test.bond;
        _test.bond = 0;
        _credit(msg.sender, bond);
        emit BondReleased(bond);
    }

    /// @inheritdoc IFederatedTrainer
    function draw() external nonReentrant {
        Round memory round = _requirePhase(RoundPhase.Draw);
        if (_bits(round.revealed) < _minimum()) return _fail(round, FailReason.TooFewUpdates);
        // The first call sets it.
        // slither-disable-next-line incorrect-equality
        if (round.drawBlock == 0) {
            round.drawBlock = uint48(block.number);
            _round = round;
            emit DrawScheduled(round.number, uint256(round.drawBlock) + 1);
            return;
        }
        uint256 number = uint256(round.drawBlock) + 1;
        if (block.number <= number) revert DrawTooEarly(block.number, number + 1);
        bytes32 blockHash = blockhash(number);
        // The EVM knows the hashes of 256 blocks.
        // slither-disable-next-line incorrect-equality
        if (blockHash == 0) return _fail(round, FailReason.HashGone);
        // docs/security.md says what the proposer of that block can do. A part is left.
        // slither-disable-next-line weak-prng
        uint256 draws = uint256(keccak256(abi.encode(blockHash, address(this)))) % partsLeft();
        round.part = uint8(_use(draws));
        round.phase = RoundPhase.Test;
        round.deadline = uint40(block.timestamp + CloneArguments.word(REVEAL_WAIT_INDEX));
        _round = round;
        emit PartDrawn(round.number, round.part, blockHash);
    }

    /// @inheritdoc IFederatedTrainer
    function revealTest(bytes32 salt, bytes calldata items) external nonReentrant {
        Round memory round = _requirePhase(RoundPhase.Test);
        bytes32 hash = keccak256(abi.encode(round.part, salt, keccak256(items)));
        bytes32 committed = _commitments[round.part];
        if (hash != committed) revert HashDiffers(round.part, hash, committed);
        _math.requireSamples(_shape(), items);
        uint256 samples = items.length / (uint256(_test.features) + 1);
        if (samples > MAX_SAMPLES) revert InvalidParameter("samples", samples);
        _test.samples = uint16(samples);
        _itemsHash = keccak256(items);
        round.phase = RoundPhase.Score;
        round.deadline = uint40(block.timestamp + CloneArguments.word(WORK_WAIT_INDEX));
        _round = round;
        delete _losses;
        emit TestRevealed(round.number, round.part, salt, items);
    }

    /// @inheritdoc IFederatedTrainer
    function fail() external nonReentrant {
        Round memory round = _round;
        if (!_isTimed(round.phase)) revert NotInPhase(_phase(round), RoundPhase.Test);
        if (block.timestamp <= round.deadline) revert PhaseNotOver(block.timestamp, round.deadline);
        if (round.phase == RoundPhase.Test) {
            // The owner may have lost its salts: it commits anew, with another bond.
            forfeited += _test.bond;
            (_test.bond, _test.parts, _test.used) = (0, 0, 0);
            _fail(round, FailReason.TestNotRevealed);
        } else {
            _fail(round, round.phase == RoundPhase.Score ? FailReason.NotScored : FailReason.NotAggregated);
        }
    }

    /// @dev Reverts unless no round is under way and no part is left.
    function _requireUnused() private view {
        uint256 committed = _round.committed;
        if (committed != 0 || partsLeft() != 0) revert TestSetInUse(committed, partsLeft());
    }

    /// @dev Marks the unused part with this index among the unused ones. Returns the part.
    function _use(uint256 index) private returns (uint256 part) {
        uint256 used = _usedParts;
        for (;; ++part) {
            if (_has(used, part)) continue;
            // It counts the unused parts that are passed.
            // slither-disable-next-line incorrect-equality
            if (index == 0) break;
            --index;
        }
        _usedParts = used | 1 << part;
        ++_test.used;
    }

    /// @dev Reads the model's shape. Reverts unless classifier and token belong to this trainer.
    function _readShape(TestSet memory test) private view {
        Description memory description = IClassifier(classifier()).describe();
        if (description.trainer != address(this)) revert NotOurs(classifier(), description.trainer);
        address minter = IRewardToken(_rewardToken()).trainer();
        if (minter != address(this)) revert NotOurs(_rewardToken(), minter);
        uint256 most = ISoftmaxRegression(classifier()).maxFeature();
        uint256 shift = ISoftmaxRegression(classifier()).scale();
        for (uint256 rest = most; rest > 1; rest /= 2) {
            ++shift;
        }
        // The classifier bounds all four.
        test.classes = uint16(description.classes);
        test.features = uint16(description.features);
        test.maxFeature = uint8(most);
        test.shift = uint8(shift - LOGIT_BITS);
    }
}
