// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IPredictionMarket, Phase, Progress, Stage} from "../../../src/interfaces/IPredictionMarket.sol";
import {Encode} from "../../base/Encode.sol";
import {MarketTest} from "../../base/MarketTest.sol";

/// @notice A market whose evaluations become many times more expensive. A model without samples of
/// most classes skips these classes. Once contributions have each class, evaluating the model costs
/// far more than at the reveal. The scoring still goes on.
contract MarketDividingTest is MarketTest {
    uint256 private constant TRANSACTION_GAS = 16_777_216;
    uint256 private constant CLASSES = 10;
    uint256 private constant PRESENT = 95;

    function test_score_dividesPartsOfDearerModel() external {
        createMarket(
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, MAX_CONTRIBUTIONS, 1),
            naiveBayes,
            abi.encode(CLASSES, 1_000, 257)
        );
        vm.prank(OWNER);
        first.close(address(market));
        parts.push(Encode.item(0, sampleOf(1)));
        parts.push(this.some(126));
        open(BOUNTY, 0);
        for (uint256 i; i < CLASSES; ++i) {
            bet(ALICE, Encode.item(i, sampleOf(i)));
        }
        bet(BOB, Encode.item(1, sampleOf(11)));
        revealRest();
        assertEq(market.samples(), 126, "as many as a part can have");

        market.restart(type(uint256).max);
        vm.recordLogs();
        for (uint256 i; i < CLASSES; ++i) {
            market.score{gas: TRANSACTION_GAS}(records[i], 0);
        }
        assertEq(logsOf(IPredictionMarket.LessonFailed.selector).length, 0, "lessons that failed");
        // All samples at once are too many, and the step changes nothing.
        bytes memory next = records[CLASSES];
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        market.score{gas: TRANSACTION_GAS}(next, 126);
        assertEq(market.progress().evaluated, 0, "nothing happened");

        for (Progress memory progress = market.progress(); progress.stage == Stage.Teaching;) {
            market.score{gas: TRANSACTION_GAS}(progress.cursor == CLASSES ? next : bytes(""), 12);
            progress = market.progress();
        }
        market.settle(type(uint256).max);
        assertPhase(Phase.Settled);
        collectAll();
        assertEq(address(market).balance, 0, "all is paid out");
    }

    /// @dev Returns samples. The caller calls it externally, so that its memory does not grow.
    function some(uint256 n) external pure returns (bytes memory all) {
        for (uint256 i; i < n; ++i) {
            all = bytes.concat(all, Encode.item(i % CLASSES, sampleOf(i)));
        }
    }

    /// @dev Returns a sample of about every tenth feature, with different ones for each seed.
    function sampleOf(uint256 seed) private pure returns (bytes memory sample) {
        for (uint256 i; i < PRESENT; ++i) {
            sample = bytes.concat(sample, bytes2(uint16(i * 10 + (seed + i) % 10)));
        }
    }
}
