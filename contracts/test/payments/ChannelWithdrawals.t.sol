// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, IChannelSettlement} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";

/// @notice Withdrawals of unclaimed tokens by the payer.
contract ChannelWithdrawalsTest is ChannelTest {
    uint256 private constant NOW = 1_800_000_000;

    function test_finalizeWithdraw_paysAfterDelay() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.WithdrawInitiated(id, 30, uint40(NOW) + DELAY);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 30);
        requirePending(id, 30, NOW);
        vm.warp(NOW + DELAY - 1);
        requireNoEnd(config, abi.encodeWithSelector(IChannelSettlement.WithdrawDelayNotElapsed.selector));
        vm.warp(NOW + DELAY);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.WithdrawFinalized(id, PAYER_AUTHORIZER, 30);
        vm.prank(PAYER_AUTHORIZER);
        settlement.finalizeWithdraw(config);
        requirePending(id, 0, 0);
        requireChannel(id, 70, 0);
        assertEq(token.balanceOf(PAYER), 30, "paid");
        requireNoEnd(config, abi.encodeWithSelector(IChannelSettlement.WithdrawalNotPending.selector));
    }

    function test_finalizeWithdraw_closesEmptyChannel() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(PAYER_AUTHORIZER);
        settlement.initiateWithdraw(config, 100);
        vm.warp(NOW + DELAY);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.ChannelClosed(id, config);
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
        requireChannel(id, 0, 0);
    }

    /// @dev A claim in time is safe: the withdrawal takes only what is left.
    function test_finalizeWithdraw_leavesWhatIsClaimed() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 90);
        vm.warp(NOW + DELAY);
        claim(config, 60);
        vm.recordLogs();
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
        assertEq(logsOf(IChannelSettlement.ChannelClosed.selector).length, 0, "closed");
        requireChannel(id, 60, 60);
        assertEq(token.balanceOf(PAYER), 40, "paid");
        settlement.settle(RECEIVER, address(token));
        assertEq(token.balanceOf(RECEIVER), 60, "settled");
        assertEq(token.balanceOf(SETTLEMENT), 0, "held");
    }

    /// @dev A claim after the withdrawal is too late.
    function test_claim_failsAfterWithdrawal() external {
        (ChannelConfig memory config,) = open(100);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 90);
        vm.warp(NOW + DELAY);
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.ClaimExceedsBalance.selector));
        this.claimOutside(config, 60);
        claim(config, 10);
    }

    function claimOutside(ChannelConfig calldata config, uint128 total) external {
        claim(config, total);
    }

    /// @dev A withdrawal ends even if all is claimed by then.
    function test_finalizeWithdraw_endsWithNothing() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 100);
        claim(config, 100);
        vm.warp(NOW + DELAY);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.WithdrawFinalized(id, PAYER, 0);
        vm.recordLogs();
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
        assertEq(vm.getRecordedLogs().length, 1, "the token is not called");
        requireChannel(id, 100, 100);
        requirePending(id, 0, 0);
    }

    function test_initiateWithdraw_boundsAmount() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        claim(config, 40);
        requireNoStart(config, 0, abi.encodeWithSelector(IChannelSettlement.NothingToWithdraw.selector));
        requireNoStart(
            config, 61, abi.encodeWithSelector(IChannelSettlement.WithdrawAmountExceedsAvailable.selector)
        );
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 60);
        requirePending(id, 60, NOW);
        requireNoStart(
            config, 1, abi.encodeWithSelector(IChannelSettlement.WithdrawalAlreadyPending.selector)
        );
    }

    function test_initiateWithdraw_isForPayerSide() external {
        (ChannelConfig memory config,) = open(100);
        address[3] memory others = [RECEIVER, RECEIVER_AUTHORIZER, ANYONE];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.InvalidChannel.selector));
            vm.prank(others[i]);
            settlement.initiateWithdraw(config, 1);
            vm.expectRevert(
                abi.encodeWithSelector(IChannelSettlement.NotAuthorizedToFinalizeWithdraw.selector)
            );
            vm.prank(others[i]);
            settlement.finalizeWithdraw(config);
        }
        vm.prank(PAYER);
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.WithdrawalNotPending.selector));
        settlement.finalizeWithdraw(config);
    }

    /// @dev Whatever order claims, refunds and a withdrawal have, all money is paid to the unit.
    function testFuzz_finalizeWithdraw_takesOnlyUnclaimed(
        uint128 withdrawn,
        uint128 claimed,
        uint128 refunded,
        bool claimsFirst
    ) external {
        (ChannelConfig memory config, bytes32 id) = open(1_000);
        withdrawn = uint128(bound(withdrawn, 1, 1_000));
        claimed = uint128(bound(claimed, 0, 1_000));
        refunded = uint128(bound(refunded, 1, 2_000));
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, withdrawn);
        if (claimsFirst) claim(config, claimed);
        vm.prank(RECEIVER);
        settlement.refund(config, refunded);
        (uint128 balance,) = settlement.channels(id);
        if (!claimsFirst) {
            if (claimed > balance) claimed = balance;
            claim(config, claimed);
        }
        vm.warp(NOW + DELAY);
        (uint128 pending,) = settlement.pendingWithdrawals(id);
        if (pending != 0) {
            vm.prank(PAYER);
            settlement.finalizeWithdraw(config);
        }
        settlement.settle(RECEIVER, address(token));
        assertEq(token.balanceOf(RECEIVER), claimed, "the receiver has its claims");
        (balance,) = settlement.channels(id);
        assertEq(token.balanceOf(PAYER), 1_000 - balance, "the payer has what left the channel");
        assertEq(token.balanceOf(SETTLEMENT), balance - claimed, "held");
    }

    function requireNoStart(ChannelConfig memory config, uint128 amount, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, amount);
    }

    function requireNoEnd(ChannelConfig memory config, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
    }
}
