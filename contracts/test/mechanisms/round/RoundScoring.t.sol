// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IFederatedTrainer, RoundPhase} from "../../../src/interfaces/IFederatedTrainer.sol";
import {RoundTest} from "../../base/RoundTest.sol";

/// @notice Scoring by pieces, and the margin of the sieve.
contract RoundScoringTest is RoundTest {
    /// @dev The slot of the first eight sums of losses.
    uint256 private constant LOSSES = 4;

    /// @dev Pieces give the same sums as all samples at once.
    function test_score_addsPieces() external {
        commitAll(five(20, 18, 22, 0, -40));
        revealAll();
        drawAndReveal();
        bytes memory samples = items(trainer.status().part);
        uint256 n = samples.length / 3;
        uint256 snapshot = vm.snapshotState();
        trainer.score(0, n, joined(31), samples);
        uint256[] memory whole = trainer.losses();
        vm.revertToState(snapshot);
        trainer.score(0, 1, joined(31), samples);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.WrongSampleRange.selector, 1, 0, 1, n));
        trainer.score(1, 0, joined(31), samples);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.WrongSampleRange.selector, 1, n, 1, n));
        trainer.score(1, n, joined(31), samples);
        trainer.score(1, 2, joined(31), samples);
        trainer.score(3, n - 3, joined(31), samples);
        uint256[] memory sums = trainer.losses();
        for (uint256 i; i < 7; ++i) {
            assertEq(sums[i], whole[i], "sum");
        }
        assertPhase(RoundPhase.Aggregate);
    }

    /// @dev A value of exactly the margin below 0 is admitted, one less is not.
    function test_score_admitsToTheMargin() external {
        commitAll(five(20, 18, 22, 0, -40));
        revealAll();
        drawAndReveal();
        uint256 snapshot = vm.snapshotState();
        scoreAll();
        uint256[] memory sums = trainer.losses();
        for (uint256 below; below < 2; ++below) {
            vm.revertToState(snapshot);
            // What the others lose without the last one, before the samples add to it.
            uint256 first = sums[1] - MARGIN - below - sums[6];
            vm.store(address(trainer), bytes32(LOSSES), bytes32(first << 6 * 32));
            scoreAll();
            assertEq(trainer.losses()[6], sums[1] - MARGIN - below, "sum");
            assertEq(trainer.status().admitted, below == 0 ? 31 : 15, "admitted");
        }
    }
}
