// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPredictionMarket, Phase, Stage} from "../../src/interfaces/IPredictionMarket.sol";
import {PredictionFees} from "../../src/periphery/PredictionFees.sol";
import {Encode} from "../base/Encode.sol";
import {GoodTrainer} from "../base/GoodTrainer.sol";
import {MarketTest} from "../base/MarketTest.sol";

/// @notice Writes `contracts/snapshots/market.json`: the gas of whole transactions of a prediction
/// market, and of payments for predictions. The model is a sparse perceptron with 1,000 features.
/// Run it with `FOUNDRY_PROFILE=gas`, so that each call is a transaction.
/// @dev All words of the model are non-zero. The test set has 10 parts of 100 samples, of which one
/// is drawn. Each author has contributed before, and each lesson teaches something.
contract MarketGasTest is MarketTest {
    uint256 private constant FEATURES = 1_000;
    uint256 private constant WORDS = 63;

    uint256 private constant TRANSACTION_GAS = 16_777_216;

    /// @dev Maximum gas of a step of a market that is as large as it should be.
    uint256 private constant STEP_GAS = 12_000_000;

    function test_score_gasWith20Present() external {
        measure("20", 20, 900);
    }

    function test_score_gasWith60Present() external {
        measure("60", 60, 500);
    }

    /// @dev Measures each step of a market with 1,000 samples of 95 present features. Parts and
    /// contributions have at most 24,575 bytes.
    function test_score_gasOfStepsWith95Present() external {
        build();
        // A part has 126 samples of 194 bytes. The market scores on 7 such parts and one of 118.
        for (uint256 i; i < 8; ++i) {
            parts.push(this.some(i, 126, 95));
        }
        parts.push(this.some(8, 118, 95));
        bytes32[] memory all = commitments();
        vm.prank(OWNER, OWNER);
        market.commit{value: 1 ether, gas: STEP_GAS}(all);
        requireSmall("commit");
        drawPart(0);
        market.reveal{gas: STEP_GAS}(0, saltOf(0), parts[0]);
        requireSmall("reveal");
        bet(ALICE, this.some(100, 126, 95));
        requireSmall("contribute");
        bet(BOB, this.some(101, 1, 95));
        vm.warp(market.closingTime());
        for (uint256 i = 1; i < parts.length; ++i) {
            market.reveal{gas: STEP_GAS}(i, saltOf(i), parts[i]);
            requireSmall("reveal");
        }
        assertEq(market.samples(), 1_000, "samples");

        market.restart{gas: STEP_GAS}(WORDS);
        requireSmall("restart");
        market.score{gas: STEP_GAS}(records[0], 0);
        requireSmall("a lesson of 126");
        // The step of the last samples also teaches the next lesson, which needs its whole
        // allowance as gas left.
        while (market.progress().stage == Stage.Teaching) {
            bytes memory next = market.progress().cursor == 126 ? records[1] : bytes("");
            market.score{gas: STEP_GAS}(next, 126);
            requireSmall("an evaluation");
        }
        market.settle{gas: STEP_GAS}(4);
        requireSmall("settle");
        assertPhase(Phase.Settled);
    }

    /// @dev Every possible batch can be scored: here 6,143 items without a feature, the maximum.
    function test_score_gasOfMostItems() external {
        longest("most-items", new bytes(24_572));
    }

    /// @dev The longest lesson is far below its allowance: 4,095 items of a feature, each of which
    /// changes a weight.
    function test_score_gasOfLongestLesson() external {
        bytes memory all;
        for (uint256 i; i < 63; ++i) {
            all = bytes.concat(all, says(i % 2, i * 16));
        }
        longest("most-items-of-1", times(65, all));
    }

    function longest(string memory name, bytes memory all) private {
        build();
        parts.push(this.some(0, 1, 20));
        parts.push(this.some(1, 1, 20));
        open(1 ether, 0);
        vm.deal(ALICE, 100 ether);
        bet(ALICE, all);
        record("contribute", name, vm.lastCallGas().gasTotalUsed);
        revealRest();
        market.restart(WORDS);
        vm.recordLogs();
        market.score{gas: TRANSACTION_GAS}(records[0], 0);
        record("score", name, vm.lastCallGas().gasTotalUsed);
        requireFits();
        assertTrue(market.progress().taught, "taught");
        assertEq(logsOf(IPredictionMarket.LessonFailed.selector).length, 0, "lessons that failed");
    }

    /// @dev Measures paid predictions, and the registration and payout of contributors.
    function test_predict_gas() external {
        build();
        GoodTrainer trainer = new GoodTrainer(address(first));
        PredictionFees predictionFees =
            PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), 1e15)));
        trainer.set(ALICE, 10);
        trainer.set(BOB, 5);
        predictionFees.register(BOB);
        predictionFees.register(ALICE);
        record("fees", "register", vm.lastCallGas().gasTotalUsed);
        bytes[] memory samples = Encode.one(sampleOf(1, 20));
        // The first payment is shared before, so that no slot is new.
        predictionFees.predict{value: 1e15}(samples);
        predictionFees.predict{value: 1e15}(samples);
        record("fees", "predict-20", vm.lastCallGas().gasTotalUsed);
        samples = new bytes[](100);
        for (uint256 i; i < 100; ++i) {
            samples[i] = sampleOf(i, 20);
        }
        predictionFees.predict{value: 1e17}(samples);
        record("fees", "predict-20-each-of-100", vm.lastCallGas().gasTotalUsed / 100);
        vm.prank(ALICE, ALICE);
        predictionFees.collect();
        record("fees", "collect-whole", vm.lastCallGas().gasTotalUsed);
        predictionFees.predict{value: 1e17}(samples);
        vm.prank(ALICE, ALICE);
        predictionFees.collect();
        record("fees", "collect", vm.lastCallGas().gasTotalUsed);
    }

    /// @param first The number of samples to evaluate in the first of the two steps that some
    /// evaluations need. It is all 900 if one step is enough, or leaves the second step gas for the
    /// lesson.
    /// one, or so many that the second has gas left for the lesson.
    function measure(string memory size, uint256 present, uint256 first) private {
        build();
        for (uint256 i; i < 10; ++i) {
            parts.push(this.some(i, 100, present));
        }
        bytes32[] memory all = commitments();
        vm.prank(OWNER, OWNER);
        market.commit{value: 1 ether}(all);
        record("commit", "10-parts", vm.lastCallGas().gasTotalUsed);
        drawPart(4);
        record("draw", "10-parts", vm.lastCallGas().gasTotalUsed);
        reveal(4);
        record("reveal", string.concat(size, "-part-of-100"), vm.lastCallGas().gasTotalUsed);
        contributions(size, present);
        revealRest();
        scoring(size, first);
        settling();
    }

    /// @dev Contributes for six participants; the last three transactions have 100, 1 and 1
    /// contributions.
    function contributions(string memory size, uint256 present) private {
        for (uint160 i = 1; i < 5; ++i) {
            address author = address(0xa000 + i);
            vm.deal(author, 1 ether);
            bet(author, this.lesson(i, 1, present));
        }
        bet(ALICE, this.lesson(5, 1, present));
        record("contribute", string.concat(size, "-first"), vm.lastCallGas().gasTotalUsed);
        bet(BOB, this.lesson(6, 1, present));
        bet(ALICE, this.lesson(7, 100, present));
        record("contribute", string.concat(size, "-each-of-100"), vm.lastCallGas().gasTotalUsed / 100);
        bet(BOB, this.lesson(8, 1, present));
        record("contribute", size, vm.lastCallGas().gasTotalUsed);
        bet(ALICE, this.lesson(9, 1, present));
        assertEq(market.participantCount(), 6, "participants");
    }

    function scoring(string memory size, uint256 first) private {
        market.restart(WORDS);
        record("restart", "1000", vm.lastCallGas().gasTotalUsed);
        market.score(records[0], 0);
        // Each step evaluates the lesson before it, then teaches: the authors alternate.
        uint256 gas;
        for (uint256 i = 1; i < 6; ++i) {
            gas = evaluateAndTeach(i, first);
        }
        record("score", string.concat(size, "-evaluate-900-teach-1"), gas);
        gas = evaluateAndTeach(6, first);
        record("score", string.concat(size, "-evaluate-900-teach-100"), gas);
        market.score(records[7], 100);
        record("score", string.concat(size, "-evaluate-100"), vm.lastCallGas().gasTotalUsed);
        while (market.progress().stage == Stage.Teaching) {
            uint256 cursor = market.progress().cursor;
            market.score(cursor < market.contributionCount() - 1 ? records[7] : records[8], first);
        }
        assertStage(Stage.Finding);
    }

    /// @dev Evaluates the last lesson and teaches the next record, in one step or two.
    /// @return gas The gas of all steps.
    function evaluateAndTeach(uint256 index, uint256 first) private returns (uint256 gas) {
        market.score(records[index], first);
        gas = vm.lastCallGas().gasTotalUsed;
        requireFits();
        if (first == 900) return gas;
        market.score(records[index], 900 - first);
        gas += vm.lastCallGas().gasTotalUsed;
        requireFits();
    }

    function requireFits() private view {
        assertAtMost(vm.lastCallGas().gasTotalUsed, TRANSACTION_GAS, "a transaction");
    }

    function settling() private {
        uint256 count = market.participantCount();
        market.settle(2 * count);
        record("settle", "6-participants", vm.lastCallGas().gasTotalUsed);
        assertPhase(Phase.Settled);
        vm.prank(ALICE, ALICE);
        market.collect();
        record("collect", "one", vm.lastCallGas().gasTotalUsed);
    }

    /// @dev Creates a market over a model of 63 full words.
    function build() private {
        createMarket(
            abi.encode(1e15, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, 100_000, 1),
            sparsePerceptron,
            abi.encode(FEATURES, 1, int256(0))
        );
        uint256[] memory values = new uint256[](WORDS);
        for (uint256 i; i < WORDS; ++i) {
            // The weights are 0 and 1, such that no word is 0.
            values[i] = uint256(keccak256(abi.encode(i)))
                & uint256(0x1000100010001000100010001000100010001000100010001000100010001) | 1;
        }
        vm.prank(OWNER, OWNER);
        first.write(0, values);
        vm.prank(OWNER, OWNER);
        first.close(address(market));
    }

    /// @dev Returns samples with random labels. The caller calls it externally, so that its memory
    /// does not grow.
    function some(uint256 seed, uint256 n, uint256 present) external pure returns (bytes memory all) {
        for (uint256 i; i < n; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            all = bytes.concat(all, Encode.item(draw % 2, sampleOf(draw, present)));
        }
    }

    /// @dev Returns samples of class 0. The weights predict 1, so each teaches something for a
    /// while.
    function lesson(uint256 seed, uint256 n, uint256 present) external pure returns (bytes memory all) {
        for (uint256 i; i < n; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            all = bytes.concat(all, Encode.item(0, sampleOf(draw, present)));
        }
    }

    /// @dev Returns a sample whose present features are spread over the model, one in each of equal
    /// stretches.
    function sampleOf(uint256 seed, uint256 present) private pure returns (bytes memory sample) {
        uint256 stretch = FEATURES / present;
        for (uint256 i; i < present; ++i) {
            uint256 feature = i * stretch + uint256(keccak256(abi.encode(seed, i))) % stretch;
            sample = bytes.concat(sample, bytes2(uint16(feature)));
        }
    }

    function requireSmall(string memory what) private view {
        assertAtMost(vm.lastCallGas().gasTotalUsed, STEP_GAS, what);
    }

    function record(string memory action, string memory name, uint256 value) private {
        vm.snapshotValue("market", string.concat(action, ".", name), value);
    }
}
