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
/// @notice The passes over the contributions: each begins with a new model, teaches it one contribution after the other, and
/// measures what each author's have changed. Anyone drives it, in steps of any size; what comes of it is the same.
abstract contract MarketScoring is MarketState {
    /// @dev What teaching the contributions of one transaction may use.
    uint256 private constant LESSON_GAS = 8_000_000;

    /// @dev The bytes of a record before its items: `author (20) | time (5) | length of items (4)`.
    uint256 private constant RECORD_HEADER = 29;

    /// @dev What is known during a call of `score`.
    struct Step {
        Pass pass;
        /// Who was taught last.
        address author;
        /// The model of the pass.
        address model;
        /// How many contributions there are.
        uint256 count;
        /// How many samples may still be evaluated.
        uint256 samples;
        /// Whether anything has been done.
        bool progressed;
    }

    /// @dev The contributions of one transaction.
    struct Record {
        address author;
        uint256 time;
        /// How many there are.
        uint256 n;
        /// Where their items are among the records.
        uint256 first;
        uint256 end;
    }

    /// @inheritdoc IPredictionMarket
    function restart(uint256 words) external nonReentrant {
        _requirePhase(Phase.Scoring);
        _requireStage(Stage.Copying);
        if (words == 0) revert NoProgress();
        address original = classifier();
        uint256 copied = _copy.copied;
        // Only what is copied is counted, and at least a word at once, unless the model has none.
        // slither-disable-next-line incorrect-equality
        if (copied == 0) {
            _copy.model = ModelCopies.create(original);
            emit Restarted(++_pass.number, _copy.model);
        }
        address copy = _copy.model;
        // Who teaches it was seen when the owner committed.
        // slither-disable-next-line unused-return
        (, uint256 size) = ModelCopies.describe(original);
        uint256 count = FixedPointMathLib.min(words, size - copied);
        if (count != 0) ModelCopies.copy(original, copy, copied, count);
        copied += count;
        // As many as have been paid for with gas.
        _copy.copied = uint96(copied);
        if (copied == size) {
            _pass.stage = Stage.Teaching;
            _pass.correct = _book.initialCorrect;
            IPackedModel(copy).close(address(this));
        }
        emit Copied(_pass.number, copied, size);
    }

    /// @inheritdoc IPredictionMarket
    function score(bytes calldata records, uint256 most) external nonReentrant {
        _requirePhase(Phase.Scoring);
        _requireStage(Stage.Teaching);
        Step memory step;
        step.pass = _pass;
        step.author = _run.author;
        step.model = _copy.model;
        step.count = _book.contributions;
        step.samples = most;

        _advance(step, records);
        if (!step.progressed) revert NoProgress();
        _pass = step.pass;
        _run.author = step.author;
        emit Advanced(step.pass.stage, step.pass.cursor, step.author, step.pass.evaluated, step.pass.counted);
    }

    /// @dev Goes on until the records are used up, or the samples when an evaluation is due, or the stage is over.
    function _advance(Step memory step, bytes calldata records) private {
        Pass memory pass = step.pass;
        uint256 offset;
        uint256 free = Memory.free();
        while (true) {
            Memory.giveBack(free);
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

            // Verified before its author says whether a run is over.
            Record memory record = _record(records, offset, pass.cursor);
            if (!_accounts[record.author].removed) {
                if (pass.taught && record.author != step.author && !_evaluate(step)) return;
                bytes memory reason =
                    ClassifierCalls.tryLearnWithin(step.model, records[record.first:record.end], LESSON_GAS);
                if (reason.length != 0) emit LessonFailed(pass.cursor);
                step.author = record.author;
                pass.taught = true;
            }
            // At most the number of contributions.
            pass.cursor += uint32(record.n);
            offset = record.end;
            step.progressed = true;
        }
    }

    /// @dev Evaluates the samples that are left of an evaluation, as many as may be; whether it is finished and so the run
    /// scored. With all gas that is left: where that is too little the step reverts, so nothing that comes of it depends on gas.
    function _evaluate(Step memory step) private returns (bool finished) {
        Pass memory pass = step.pass;
        uint256 all = _book.samples;
        uint256 left = FixedPointMathLib.min(step.samples, all - pass.evaluated);
        if (left != 0) step.progressed = true;
        step.samples -= left;
        uint256 drawn = _testSet.drawnPart;
        uint256 free = Memory.free();
        // How many samples are in the parts before.
        uint256 first;
        for (uint256 index; left != 0; ++index) {
            // Both are places among the parts: nobody can move either by sending money.
            // slither-disable-next-line incorrect-equality
            if (index == drawn) continue;
            Part memory one = _parts[index];
            uint256 end = first + one.samples;
            if (pass.evaluated < end) {
                uint256 n = FixedPointMathLib.min(left, end - pass.evaluated);
                uint256 right = ClassifierCalls.evaluate(
                    step.model, SSTORE2.read(one.pointer), pass.evaluated - first, n
                );
                Memory.giveBack(free);
                // At most the number of samples.
                pass.counted += uint32(right);
                pass.evaluated += uint32(n);
                left -= n;
            }
            first = end;
        }
        if (pass.evaluated < all) return false;
        // Two numbers of 32 bits.
        int64 change = int64(uint64(pass.counted)) - int64(uint64(pass.correct));
        // At most as many of them as there are contributions: their sum is below 2^63.
        _accounts[step.author].score += change;
        pass.correct = pass.counted;
        pass.counted = 0;
        pass.evaluated = 0;
        pass.taught = false;
        emit Scored(step.author, change, pass.correct);
        return true;
    }

    /// @dev From here on `settle` goes on.
    function _endTeaching(Step memory step) private {
        step.pass.stage = Stage.Finding;
        step.progressed = true;
        // The contributions are reached when all are scored: at most what is left of the bounty is played for.
        _run.pot = _testSet.bounty - step.pass.spent;
    }

    /// @dev The record at `offset`, which is that of the contributions from the cursor on.
    function _record(bytes calldata records, uint256 offset, uint256 cursor)
        private
        view
        returns (Record memory record)
    {
        record.first = offset + RECORD_HEADER;
        if (record.first > records.length) revert MalformedRecords(offset);
        record.author = address(bytes20(records[offset:]));
        record.time = uint40(bytes5(records[offset + 20:]));
        record.end = record.first + uint32(bytes4(records[offset + 25:]));
        if (record.end > records.length) revert MalformedRecords(offset);
        bytes calldata items = records[record.first:record.end];
        // Why they are none is not needed: they are not those that were contributed.
        // slither-disable-next-line unused-return
        (record.n,) = Batches.tryCount(items);
        if (record.n == 0 || _rootOf(items, record.n, record.author, record.time, cursor) != root[cursor]) {
            revert UnknownContribution(cursor);
        }
    }

    /// @dev Reverts unless this is what has to be done next.
    function _requireStage(Stage required) private view {
        Stage stage = _pass.stage;
        if (stage != required) revert WrongStage(stage, required);
    }
}
