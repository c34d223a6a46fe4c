// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IFederatedTrainer, RoundPhase} from "../../../src/interfaces/IFederatedTrainer.sol";
import {Payments} from "../../../src/libraries/Payments.sol";
import {RewardToken} from "../../../src/mechanisms/round/RewardToken.sol";
import {RoundTest} from "../../base/RoundTest.sol";
import {Moving} from "../../base/Tokens.sol";

/// @notice Deposits, locks, slashes, forfeits, payments and mints, and their events.
contract RoundMoneyTest is RoundTest {
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    /// @dev The slot of the first eight sums of losses.
    uint256 private constant LOSSES = 4;

    function test_deposit_creditsWhatArrives() external {
        token.mint(authorOf(0), 30);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.StakeDeposited(authorOf(0), 30);
        vm.prank(authorOf(0));
        trainer.deposit(30);
        assertEq(balanceOf(authorOf(0)), 30, "balance");
        assertEq(token.balanceOf(address(trainer)), BOND + 30, "held");
        assertEq(token.balanceOf(authorOf(0)), 0, "left");
    }

    function test_deposit_takesNothingToo() external {
        trainer.deposit(0);
        assertEq(balanceOf(address(this)), 0, "balance");
    }

    function test_deposit_leavesRoomForStake() external {
        uint256 most = type(uint96).max - STAKE;
        fund(authorOf(0), most);
        token.mint(authorOf(0), 1);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.StakeBalanceTooHigh.selector, most + 1, most)
        );
        vm.prank(authorOf(0));
        trainer.deposit(1);
        // A locked stake finds its room again.
        commit(authorOf(0), "");
        token.mint(authorOf(0), STAKE);
        vm.prank(authorOf(0));
        trainer.deposit(STAKE);
        vm.warp(block.timestamp + OPEN_WAIT + REVEAL_WAIT);
        trainer.draw();
        assertEq(balanceOf(authorOf(0)), most, "the stake is forfeited");
    }

    function test_deposit_failsIfTokenDenies() external {
        token.mint(authorOf(0), 30);
        token.moveSo(Moving.Denies);
        vm.expectRevert();
        vm.prank(authorOf(0));
        trainer.deposit(30);
    }

    function test_withdraw_paysCaller() external {
        fund(authorOf(0), 30);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.StakeWithdrawn(authorOf(0), 30);
        vm.prank(authorOf(0));
        trainer.withdraw(30);
        assertEq(balanceOf(authorOf(0)), 0, "balance");
        assertEq(token.balanceOf(authorOf(0)), 30, "paid");
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.StakeBalanceTooLow.selector, 1, 0));
        vm.prank(authorOf(0));
        trainer.withdraw(1);
    }

    function test_collect_paysRewardOnce() external {
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, authorOf(0)));
        vm.prank(authorOf(0));
        trainer.collect();
        runToAggregation(five(20, 18, 22, 0, 4));
        finish();
        uint256 amount = rewardOf(authorOf(0));
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.RewardCollected(authorOf(0), amount);
        vm.prank(authorOf(0));
        trainer.collect();
        assertEq(rewardOf(authorOf(0)), 0, "nothing is left");
        assertEq(balanceOf(authorOf(0)), STAKE, "the stake stays");
        assertEq(RewardToken(address(reward)).balanceOf(authorOf(0)), amount, "minted");
    }

    function test_burn_sendsForfeitedAway() external {
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, BURNED));
        trainer.burn();
        runToAggregation(five(20, 18, 22, 0, -40));
        finish();
        assertEq(trainer.forfeited(), SLASH, "forfeited");
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Burned(SLASH);
        trainer.burn();
        assertEq(token.balanceOf(BURNED), SLASH, "burned");
        assertEq(trainer.forfeited(), 0, "nothing is left");
    }

    /// @dev Each author's end of the round is logged, and then the round's.
    function test_settle_logsRewardsSlashesAndForfeits() external {
        commitAll(five(20, 20, 22, -40, 8));
        for (uint256 i; i < 4; ++i) {
            trainer.reveal(revelation(i));
        }
        vm.warp(block.timestamp + REVEAL_WAIT);
        drawAndReveal();
        scoreAll();
        trainer.aggregate(joined(trainer.status().admitted));
        uint256[] memory sums = trainer.losses();
        uint256 gain = sums[2] - sums[1];
        uint256 other = sums[4] - sums[1];
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Rewarded(0, authorOf(0), EMISSION * gain / ((gain + other) * 2), 2);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Rewarded(0, authorOf(1), EMISSION * gain / ((gain + other) * 2), 2);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Rewarded(0, authorOf(2), EMISSION * other / (gain + other), 1);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Slashed(0, authorOf(3), SLASH);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Forfeited(0, authorOf(4), STAKE);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Settled(0, 1, int256(sums[0]) - int256(sums[1]), EMISSION);
        trainer.settle();
        assertEq(trainer.forfeited(), SLASH + STAKE, "forfeited");
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Open, RoundPhase.Settle)
        );
        trainer.settle();
    }

    /// @dev Updates that change nothing are admitted, and nothing is minted for them.
    function test_settle_emitsNothingWithoutImprovement() external {
        runToAggregation(five(0, 0, 0, 0, 0));
        assertEq(trainer.status().admitted, 31, "admitted");
        trainer.aggregate(joined(31));
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Settled(0, 1, 0, 0);
        trainer.settle();
        for (uint256 i; i < 5; ++i) {
            assertEq(rewardOf(authorOf(i)), 0, "reward");
            assertEq(balanceOf(authorOf(i)), STAKE, "balance");
        }
    }

    /// @dev The least improvement and the least gain count.
    function test_settle_paysForLeastGain() external {
        runToAggregation(five(20, 18, 22, 19, 21));
        trainer.aggregate(joined(trainer.status().admitted));
        // Sums of losses: the base and all without the first lose one more than all.
        uint256 sums = 6 | 5 << 32 | 6 << 64;
        for (uint256 i = 3; i < 7; ++i) {
            sums |= 5 << 32 * i;
        }
        vm.store(address(trainer), bytes32(LOSSES), bytes32(sums));
        vm.recordLogs();
        trainer.settle();
        // The others get no reward, and no record of one.
        assertEq(vm.getRecordedLogs().length, 2, "logs");
        assertEq(rewardOf(authorOf(0)), EMISSION, "reward");
    }

    /// @dev A commitment that was never revealed is no copy, also if it is the root of an update.
    function test_settle_countsRevealedCopiesOnly() external {
        commitAll(five(20, 18, 22, 0, 4));
        vm.warp(block.timestamp - OPEN_WAIT);
        fund(authorOf(5), STAKE);
        vm.prank(authorOf(5));
        trainer.commit(keccak256(updates[0]));
        revealAll();
        vm.warp(block.timestamp + REVEAL_WAIT);
        drawAndReveal();
        scoreAll();
        trainer.aggregate(joined(trainer.status().admitted));
        uint256[] memory sums = trainer.losses();
        uint256 total;
        for (uint256 i = 2; i < 7; ++i) {
            if (sums[i] > sums[1]) total += sums[i] - sums[1];
        }
        trainer.settle();
        assertEq(rewardOf(authorOf(0)), EMISSION * (sums[2] - sums[1]) / total, "the whole reward");
    }

    /// @dev Two rounds have the whole emission, the third one half of it.
    function test_settle_halvesEmission() external {
        for (uint256 round; round < 3; ++round) {
            runToAggregation(five(20, 18, 22, 19, 21));
            uint256[] memory sums = trainer.losses();
            trainer.aggregate(joined(trainer.status().admitted));
            vm.expectEmit(address(trainer));
            emit IFederatedTrainer.Settled(
                round, round + 1, int256(sums[0]) - int256(sums[1]), round < 2 ? EMISSION : EMISSION / 2
            );
            trainer.settle();
        }
    }
}
