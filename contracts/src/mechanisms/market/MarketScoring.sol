// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IPackedModel} from "../../interfaces/IPackedModel.sol";
import {IPredictionMarket, Phase, Stage} from "../../interfaces/IPredictionMarket.sol";
import {Batches} from "../../libraries/Batches.sol";
import {ClassifierCalls} from "../../libraries/ClassifierCalls.sol";
import {Memory} from "../../libraries/Memory.sol";
import {ModelCopies} from "../../libraries/ModelCopies.sol";
import {MarketState} from "./MarketState.sol";

/// @title MarketScoring
/// @notice The passes over the contributions. Each begins with a new model, teaches it one
/// contribution after the other, and measures the effect of each author's contributions. Anyone
/// drives it, in steps of any size; the size does not change the result.
abstract contract MarketScoring is MarketState {
    /// @dev Gas for teaching the contributions of one transaction.
    uint256 private constant LESSON_GAS = 8_000_000;

    /// @dev Length of a record before its items, in bytes: `author (20) | time (5) | length of
    /// items (4)`.
    uint256 private constant RECORD_HEADER = 29;
    /// @dev Offsets in a record, in bytes.
    uint256 private constant TIME_OFFSET = 20;
    uint256 private constant LENGTH_OFFSET = 25;

    /// @dev The state of a call of `score`.
    struct Step {
        Pass pass;
        /// The author taught last.
        address author;
        /// The model of the pass.
        address model;
        /// Number of contributions.
        uint256 count;
        /// Number of samples that the call may still evaluate.
        uint256 samples;
        /// Whether the call has done anything.
        bool progressed;
    }

    /// @dev The contributions of one transaction.
    struct Record {
        address author;
        uint256 time;
        /// Number of contributions.
        uint256 n;
        /// Offset of the items in the records, in bytes.
        uint256 first;
        /// Offset of the end of the items.
        uint256 end;
    }

    /// @inheritdoc IPredictionMarket
    function restart(uint256 words) external nonReentrant {
        _requirePhase(Phase.Scoring);
        _requireStage(Stage.Copying);
        if (words == 0) revert NoProgress();
        address original = classifier();
        uint256 copied = _copy.copied;
        // Only copied words are counted, and a call copies at least one, unless the model has none.
        // slither-disable-next-line incorrect-equality
        if (copied == 0) {
            _copy.model = ModelCopies.create(original);
            emit Restarted(++_pass.number, _copy.model);
        }
        address copy = _copy.model;
        // `commit` has already checked the trainer.
        // slither-disable-next-line unused-return
        (, uint256 size) = ModelCopies.describe(original);
        uint256 count = FixedPointMathLib.min(words, size - copied);
        if (count != 0) ModelCopies.copy(original, copy, copied, count);
        copied += count;
        // A caller paid gas for each word, so the count fits.
        _copy.copied = uint96(copied);
        if (copied == size) {
            _pass.stage = Stage.Teaching;
            _pass.correct = _book.initialCorrect;
            IPackedModel(copy).close(address(this));
        }
        emit Copied(_pass.number, copied, size);
    }

    /// @inheritdoc IPredictionMarket
    function score(bytes calldata records, uint256 max) external nonReentrant {
        _requirePhase(Phase.Scoring);
        _requireStage(Stage.Teaching);
        Step memory step;
        step.pass = _pass;
        step.author = _run.author;
        step.model = _copy.model;
        step.count = _book.contributions;
        step.samples = max;

        _advance(step, records);
        if (!step.progressed) revert NoProgress();
        _pass = step.pass;
        _run.author = step.author;
        emit Advanced(step.pass.stage, step.pass.cursor, step.author, step.pass.evaluated, step.pass.counted);
    }

    /// @dev Continues until the records are used up, or the samples if an evaluation is due, or the
    /// stage is over.
    function _advance(Step memory step, bytes calldata records) private {
        Pass memory pass = step.pass;
        uint256 offset;
        uint256 free = Memory.free();
        while (true) {
            Memory.restore(free);
            bool atEnd = pass.cursor == step.count;
            if (pass.evaluated != 0 || (atEnd && pass.taught)) {
                if (!_evaluate(step)) return;
                continue;
            }
            if (atEnd) {
                _endTeaching(step);
                return;
            }
            if (offset == records.length) return;

            // `_record` verifies the record before its author decides whether a run is over.
            Record memory record = _record(records, offset, pass.cursor);
            if (!_accounts[record.author].removed) {
                if (pass.taught && record.author != step.author && !_evaluate(step)) return;
                bytes memory reason =
                    ClassifierCalls.tryLearnWithin(step.model, records[record.first:record.end], LESSON_GAS);
                if (reason.length != 0) emit LessonFailed(pass.cursor);
                step.author = record.author;
                pass.taught = true;
            }
            // The cursor is at most the number of contributions.
            pass.cursor += uint32(record.n);
            offset = record.end;
            step.progressed = true;
        }
    }

    /// @dev Evaluates the rest of an evaluation's samples, up to the call's maximum. It passes on
    /// all gas that is left. If that is too little, the step reverts, so no result depends on gas.
    /// @return finished `true` if the evaluation is finished, and so the run is scored.
    function _evaluate(Step memory step) private returns (bool finished) {
        Pass memory pass = step.pass;
        uint256 all = _book.samples;
        uint256 left = FixedPointMathLib.min(step.samples, all - pass.evaluated);
        if (left != 0) step.progressed = true;
        step.samples -= left;
        uint256 drawn = _testSet.drawnPart;
        uint256 free = Memory.free();
        // Number of samples in the parts before.
        uint256 first;
        for (uint256 index; left != 0; ++index) {
            // Both are indices of parts: nobody can change either by sending money.
            // slither-disable-next-line incorrect-equality
            if (index == drawn) continue;
            Part memory one = _parts[index];
            uint256 end = first + one.samples;
            if (pass.evaluated < end) {
                uint256 n = FixedPointMathLib.min(left, end - pass.evaluated);
                uint256 right = ClassifierCalls.evaluate(
                    step.model, SSTORE2.read(one.pointer), pass.evaluated - first, n
                );
                Memory.restore(free);
                // Both are at most the number of samples.
                pass.counted += uint32(right);
                pass.evaluated += uint32(n);
                left -= n;
            }
            first = end;
        }
        if (pass.evaluated < all) return false;
        // Both numbers have 32 bits.
        int64 change = int64(uint64(pass.counted)) - int64(uint64(pass.correct));
        // There are at most as many changes as contributions, so their sum is below 2^63.
        _accounts[step.author].score += change;
        pass.correct = pass.counted;
        pass.counted = 0;
        pass.evaluated = 0;
        pass.taught = false;
        emit Scored(step.author, change, pass.correct);
        return true;
    }

    /// @dev Ends the stage; `settle` continues from here.
    function _endTeaching(Step memory step) private {
        step.pass.stage = Stage.Finding;
        step.progressed = true;
        // All contributions are scored. Participants play for at most the rest of the bounty.
        _run.pot = _testSet.bounty - step.pass.spent;
    }

    /// @dev Reads the record at `offset`. Reverts unless it is that of the contributions from the
    /// cursor on.
    function _record(bytes calldata records, uint256 offset, uint256 cursor)
        private
        view
        returns (Record memory record)
    {
        record.first = offset + RECORD_HEADER;
        if (record.first > records.length) revert MalformedRecords(offset);
        record.author = address(bytes20(records[offset:]));
        record.time = uint40(bytes5(records[offset + TIME_OFFSET:]));
        record.end = record.first + uint32(bytes4(records[offset + LENGTH_OFFSET:]));
        if (record.end > records.length) revert MalformedRecords(offset);
        bytes calldata items = records[record.first:record.end];
        // The reason is not needed: malformed items cannot be the contributed ones.
        // slither-disable-next-line unused-return
        (record.n,) = Batches.tryCount(items);
        if (record.n == 0 || _rootOf(items, record.n, record.author, record.time, cursor) != root[cursor]) {
            revert UnknownContribution(cursor);
        }
    }

    /// @dev Reverts unless this is the next step.
    function _requireStage(Stage required) private view {
        Stage stage = _pass.stage;
        if (stage != required) revert WrongStage(stage, required);
    }
}
