// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../../src/interfaces/IClassifier.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IPredictionMarket, Phase, Progress, Stage} from "../../../src/interfaces/IPredictionMarket.sol";
import {SparsePerceptron} from "../../../src/models/SparsePerceptron.sol";
import {Encode} from "../../base/Encode.sol";
import {MarketTest} from "../../base/MarketTest.sol";

/// @notice Lessons and evaluations, in steps of any size by any number of drivers.
contract MarketScoringTest is MarketTest {
    uint256 private constant ALL = type(uint256).max;

    function setUp() external {
        createMarket();
    }

    function test_reveal_beginsScoringWithLastPart() external {
        usualParts();
        open(BOUNTY, 1);
        usualBets();
        vm.warp(market.closingTime());
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.AlreadyRevealed.selector, 1));
        reveal(1);
        reveal(2);
        assertPhase(Phase.Revealing);
        assertEq(market.scoringTime(), 0, "not yet");
        assertEq(market.samples(), 5, "of one part");
        assertEq(market.initialCorrect(), 1, "right at first");
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.AlreadyRevealed.selector, 2));
        reveal(2);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Revealing, Phase.Scoring)
        );
        market.restart(1);
        pass(REVEAL_WAIT);
        reveal(0);
        assertPhase(Phase.Scoring);
        assertEq(market.scoringTime(), this.clock(), "begun");
        assertEq(market.samples(), 10, "of both");
        assertEq(market.revealedCount(), 3, "all");
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Scoring, Phase.Revealing)
        );
        reveal(0);
    }

    /// @dev The model of a pass is a clone of the first one with all its words. Only the market can
    /// teach it.
    function test_restart_copiesInSteps() external {
        createMarket(
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, 10, MAX_PASSES),
            sparsePerceptron,
            abi.encode(33, 7, int256(5))
        );
        for (uint256 i; i < 3; ++i) {
            writeWord(first, i, uint256(keccak256(abi.encode(i))));
        }
        vm.prank(OWNER);
        first.close(address(market));
        usualScoring(BOUNTY);

        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.NoProgress.selector));
        market.restart(0);
        requireStageForScore(Stage.Copying);
        market.restart(2);
        assertStage(Stage.Copying);
        assertEq(market.progress().copied, 2, "copied");
        address model = market.model();
        assertEq(IClassifier(model).describe().trainer, address(0), "still open");
        vm.expectEmit(address(market));
        emit IPredictionMarket.Copied(1, 3, 3);
        vm.prank(BOB);
        market.restart(2);
        assertStage(Stage.Teaching);
        assertEq(market.model(), model, "the same model");
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongStage.selector, Stage.Teaching, Stage.Copying)
        );
        market.restart(1);

        SparsePerceptron copy = SparsePerceptron(model);
        Description memory description = copy.describe();
        assertEq(description.owner, address(market), "owner");
        assertEq(description.trainer, address(market), "trainer");
        assertEq(description.features, 33, "features");
        assertEq(copy.learningRate(), 7, "learning rate");
        assertEq(copy.intercept(), 5, "intercept");
        for (uint256 i; i < 3; ++i) {
            assertEq(copy.words(i, 1)[0], word(first, i), "word");
        }
    }

    /// @dev One call scores everything: it logs each author's change, and each run has one author.
    function test_score_scoresAllAtOnce() external {
        usualScoring(BOUNTY);
        market.restart(1);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(ALICE, 4, 5);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(BOB, 3, 8);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(CAROL, -1, 7);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(ALICE, 2, 9);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Advanced(Stage.Finding, 4, ALICE, 0, 0);
        market.score(recordsFrom(0), 40);
        assertStage(Stage.Finding);
    }

    /// @dev Consecutive contributions of one author, in several transactions, are scored together.
    function test_score_scoresRunTogether() external {
        usualParts();
        open(BOUNTY, 1);
        bet(ALICE, says(1, 1));
        bet(ALICE, bytes.concat(says(1, 2), says(1, 9)));
        bet(BOB, says(1, 3));
        revealRest();
        market.restart(1);
        market.score(recordsFrom(0), 0);
        Progress memory progress = market.progress();
        assertEq(progress.cursor, 3, "two batches were taught");
        assertEq(progress.runAuthor, ALICE, "whose");
        assertTrue(progress.taught, "not scored yet");
        assertEq(market.account(ALICE).score, 0, "not scored yet");
        market.score(recordsFrom(2), 10);
        assertEq(market.account(ALICE).score, 7, "both together");
        assertEq(market.progress().cursor, 4, "Bob's was taught then");
        market.score("", 10);
        assertStage(Stage.Finding);
        assertEq(market.account(BOB).score, 2, "Bob");
    }

    /// @dev Scores in small steps across the drawn part, by turns of some samples or one record. An
    /// evaluation that has begun continues without records.
    function test_score_worksInSmallestSteps() external {
        usualScoring(BOUNTY);
        market.restart(1);
        market.score(records[0], 0);
        requireProgress(1, true, 0, 0);
        // The evaluation begins only when a record shows that the run is over.
        requireNoProgress("", 0);
        requireNoProgress("", 1);
        requireNoProgress(records[1], 0);
        market.score(records[1], 1);
        requireProgress(1, true, 1, 1);
        market.score(records[1], 3);
        requireProgress(1, true, 4, 4);
        // The market reads no record before the evaluation is finished.
        requireNoProgress(hex"badbad", 0);
        market.score(hex"badbad", 3);
        requireProgress(1, true, 7, 4);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(ALICE, 4, 5);
        market.score("", 3);
        requireProgress(1, false, 0, 0);
    }

    /// @dev Scores the rest, with records that the market no longer reads once all contributions
    /// are scored.
    function test_score_ignoresRecordsBeyondEnd() external {
        usualScoring(BOUNTY);
        market.restart(1);
        market.score(bytes.concat(recordsFrom(0), hex"badbad"), ALL);
        assertStage(Stage.Finding);
        requireStageForScore(Stage.Finding);
    }

    /// @dev Any division of the work, among any drivers, gives the same result.
    function test_score_isSameHoweverDivided(uint256 seed) external {
        usualScoring(30_000);
        uint256 before = vm.snapshotState();
        wholeScoring();
        uint256[3] memory expected = balances();
        vm.revertToState(before);
        for (uint256 i; market.phase() == Phase.Scoring; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            vm.prank(draw % 2 == 0 ? BOB : CAROL);
            Progress memory progress = market.progress();
            if (progress.stage == Stage.Copying) {
                market.restart(1 + (draw >> 8) % 2);
            } else if (progress.stage == Stage.Teaching) {
                bytes memory some = someFrom(progress.cursor, (draw >> 8) % 3);
                // A step may do nothing, for example without a record and a sample.
                try market.score(some, (draw >> 16) % 8) {} catch {}
            } else {
                market.settle(1 + (draw >> 8) % 4);
            }
        }
        uint256[3] memory actual = balances();
        for (uint256 i; i < 3; ++i) {
            assertEq(actual[i], expected[i], "balance");
        }
    }

    function test_score_failsIfRecordIsUnknown() external {
        usualParts();
        open(BOUNTY, 1);
        bet(ALICE, bytes.concat(says(1, 1), says(1, 2)));
        pass(7);
        bet(BOB, says(1, 2));
        revealRest();
        market.restart(1);
        uint256 time = this.clock() - PARTICIPATION;
        bytes memory items = bytes.concat(says(1, 1), says(1, 2));
        assertEq(recordOf(ALICE, time, items), records[0], "what is right");
        // Another author, another time, other items, another order, half of the record, more of it,
        // none of it.
        requireUnknown(recordOf(BOB, time, items), 0);
        requireUnknown(recordOf(ALICE, time + 1, items), 0);
        requireUnknown(recordOf(ALICE, time, bytes.concat(says(0, 1), says(1, 2))), 0);
        requireUnknown(recordOf(ALICE, time, bytes.concat(says(1, 2), says(1, 1))), 0);
        requireUnknown(recordOf(ALICE, time, says(1, 1)), 0);
        requireUnknown(recordOf(ALICE, time, bytes.concat(items, says(1, 2))), 0);
        requireUnknown(recordOf(ALICE, time, ""), 0);
        requireUnknown(recordOf(ALICE, time, hex"0001"), 0);
        // The right records in the wrong order, and again.
        requireUnknown(records[1], 0);
        market.score(records[0], 0);
        requireUnknown(records[0], 2);
    }

    /// @dev A record runs past the end, in its header or its items.
    function test_score_failsIfRecordsAreMalformed() external {
        usualScoring(BOUNTY);
        market.restart(1);
        bytes memory cut = new bytes(28);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.MalformedRecords.selector, 0));
        market.score(cut, 1);
        // The record ends within the author.
        cut = new bytes(10);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.MalformedRecords.selector, 0));
        market.score(cut, 1);
        bytes memory whole = records[0];
        cut = new bytes(whole.length - 1);
        for (uint256 i; i < cut.length; ++i) {
            cut[i] = whole[i];
        }
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.MalformedRecords.selector, 0));
        market.score(cut, 1);
        bytes memory both = bytes.concat(whole, cut);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.MalformedRecords.selector, whole.length));
        market.score(both, 1);
    }

    /// @dev A false author in a record cannot split a run, because the market verifies a record
    /// before it uses the author.
    function test_score_failsIfAuthorIsFalse() external {
        usualParts();
        open(BOUNTY, 1);
        bet(ALICE, says(1, 1));
        bet(ALICE, says(1, 2));
        revealRest();
        market.restart(1);
        market.score(records[0], 0);
        requireUnknown(recordOf(BOB, this.clock() - PARTICIPATION, says(1, 2)), 1);
    }

    /// @dev The market skips contributions of a removed author, and a run continues across them. It
    /// removes Carol in the first pass. In the second, Bob's contributions on both sides of hers
    /// are one run.
    function test_score_continuesRunAcrossSkippedAuthor() external {
        usualParts();
        open(30_000, 1);
        bet(BOB, says(1, 1));
        bet(CAROL, says(1, 4));
        bet(BOB, says(1, 2));
        revealRest();
        wholePass();
        assertTrue(market.account(CAROL).removed, "removed");
        market.restart(1);
        // One evaluation covers both contributions.
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(BOB, 7, 8);
        market.score(recordsFrom(0), 10);
        assertStage(Stage.Finding);
    }

    /// @dev If only skipped contributions are left, the end of the contributions ends the last run.
    function test_score_endsRunBeforeSkippedAuthor() external {
        usualParts();
        open(30_000, 1);
        bet(BOB, says(1, 1));
        bet(CAROL, says(1, 4));
        revealRest();
        wholePass();
        market.restart(1);
        market.score(recordsFrom(0), 0);
        requireProgress(2, true, 0, 0);
        market.score("", 10);
        assertStage(Stage.Finding);
    }

    function someFrom(uint256 cursor, uint256 count) private view returns (bytes memory some) {
        // Each of the usual bets is one contribution.
        for (uint256 i = cursor; i < records.length && i < cursor + count; ++i) {
            some = bytes.concat(some, records[i]);
        }
    }

    function balances() private view returns (uint256[3] memory) {
        return
            [
                uint256(market.account(ALICE).balance),
                market.account(BOB).balance,
                market.account(CAROL).balance
            ];
    }

    function requireProgress(uint256 cursor, bool taught, uint256 evaluated, uint256 counted) private view {
        Progress memory progress = market.progress();
        assertEq(progress.cursor, cursor, "cursor");
        assertTrue(progress.taught == taught, "taught");
        assertEq(progress.evaluated, evaluated, "evaluated");
        assertEq(progress.counted, counted, "counted");
    }

    function requireNoProgress(bytes memory some, uint256 max) private {
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.NoProgress.selector));
        market.score(some, max);
    }

    function requireUnknown(bytes memory record, uint256 position) private {
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.UnknownContribution.selector, position));
        market.score(record, 0);
    }

    function requireStageForScore(Stage actual) private {
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.WrongStage.selector, actual, Stage.Teaching));
        market.score("", 1);
    }
}
