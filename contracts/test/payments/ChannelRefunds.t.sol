// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, IChannelSettlement} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {HostileWallet, Signing} from "../base/HostileWallet.sol";
import {Sign} from "../base/Sign.sol";
import {Moving, OddToken, RashCollector} from "../base/Tokens.sol";

/// @notice Refunds of unclaimed tokens by the receiver's side.
contract ChannelRefundsTest is ChannelTest {
    uint256 private constant NOW = 1_800_000_000;

    bytes private constant INVALID = abi.encodePacked(IChannelSettlement.InvalidSignature.selector);

    function test_refund_returnsUnclaimed() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        claim(config, 40);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Refunded(id, RECEIVER, 25);
        vm.prank(RECEIVER);
        settlement.refund(config, 25);
        requireChannel(id, 75, 40);
        // More than there is.
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Refunded(id, RECEIVER_AUTHORIZER, 35);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.refund(config, type(uint128).max);
        requireChannel(id, 40, 40);
        assertEq(token.balanceOf(PAYER), 60, "returned");
        assertEq(settlement.refundNonce(id), 2, "nonce");
        // Nothing is left, and the nonce rises still.
        vm.recordLogs();
        vm.prank(RECEIVER);
        settlement.refund(config, 1);
        assertEq(vm.getRecordedLogs().length, 0, "nothing happens");
        assertEq(settlement.refundNonce(id), 3, "nonce rises");
        requireChannel(id, 40, 40);
    }

    function test_refund_closesEmptyChannel() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.ChannelClosed(id, config);
        vm.prank(RECEIVER);
        settlement.refund(config, 100);
        requireChannel(id, 0, 0);
    }

    function test_refund_isForReceiverSide() external {
        (ChannelConfig memory config,) = open(100);
        address[3] memory others = [PAYER, PAYER_AUTHORIZER, ANYONE];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.NotAuthorizedToRefund.selector));
            vm.prank(others[i]);
            settlement.refund(config, 1);
        }
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.ZeroRefund.selector));
        vm.prank(RECEIVER);
        settlement.refund(config, 0);
    }

    /// @dev A refund comes first out of a pending withdrawal, which keeps its time.
    function test_refund_lowersPendingWithdrawal() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 50);
        vm.warp(NOW + 10);
        vm.prank(RECEIVER);
        settlement.refund(config, 49);
        requirePending(id, 1, NOW);
        vm.prank(RECEIVER);
        settlement.refund(config, 1);
        requirePending(id, 0, 0);
        requireChannel(id, 50, 0);
        // Another one may start.
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 50);
        requirePending(id, 50, NOW + 10);
        vm.prank(RECEIVER);
        settlement.refund(config, 60);
        requirePending(id, 0, 0);
        assertEq(settlement.refundNonce(id), 3, "nonce");
    }

    /// @dev A refund of nothing leaves the pending withdrawal.
    function test_refund_leavesPendingWithdrawalIfNothingIsLeft() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, 50);
        claim(config, 100);
        vm.prank(RECEIVER);
        settlement.refund(config, 50);
        requirePending(id, 50, NOW);
    }

    function test_refundWithSignature_needsNextNonce() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        bytes memory signature = Sign.long(RECEIVER_AUTHORIZER_KEY, refundOf(config, 0, 20));
        bytes memory wrongNonce = abi.encodeWithSelector(IChannelSettlement.InvalidRefundNonce.selector);
        requireRefused(config, 20, 1, signature, wrongNonce);
        requireRefused(config, 21, 0, signature, INVALID);
        requireRefused(config, 20, 0, Sign.long(STRANGER_KEY, refundOf(config, 0, 20)), INVALID);
        requireRefused(config, 20, 0, Sign.compact(RECEIVER_AUTHORIZER_KEY, refundOf(config, 0, 20)), INVALID);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Refunded(id, ANYONE, 20);
        vm.prank(ANYONE);
        settlement.refundWithSignature(config, 20, 0, signature);
        requireChannel(id, 80, 0);
        requireRefused(config, 20, 0, signature, wrongNonce);
        requireRefused(config, 20, 1, signature, INVALID);
        requireRefused(
            config,
            0,
            1,
            Sign.long(RECEIVER_AUTHORIZER_KEY, refundOf(config, 1, 0)),
            abi.encodeWithSelector(IChannelSettlement.ZeroRefund.selector)
        );
        // A refund by a call uses a nonce up, too.
        vm.prank(RECEIVER);
        settlement.refund(config, 1);
        signature = Sign.long(RECEIVER_AUTHORIZER_KEY, refundOf(config, 1, 20));
        requireRefused(config, 20, 1, signature, wrongNonce);
        assertEq(token.balanceOf(PAYER), 21, "returned");
    }

    /// @dev Recovery says 0 for a signature of nobody. No channel has 0 as an authorizer, but such
    /// terms can be given.
    function test_refundWithSignature_needsSigner() external {
        ChannelConfig memory config = terms();
        config.receiverAuthorizer = address(0);
        requireRefused(config, 20, 0, new bytes(65), INVALID);
    }

    function test_refundWithSignature_asksCodeOfAuthorizer() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.etch(RECEIVER_AUTHORIZER, address(new HostileWallet()).code);
        HostileWallet(payable(RECEIVER_AUTHORIZER)).sign(Signing.No);
        requireRefused(config, 20, 0, "", INVALID);
        HostileWallet(payable(RECEIVER_AUTHORIZER)).sign(Signing.Yes);
        settlement.refundWithSignature(config, 20, 0, "");
        requireChannel(id, 80, 0);
    }

    /// @dev A refund that the token does not make changes nothing, not even the nonce.
    function test_refund_failsIfTokenDoes() external {
        ChannelConfig memory config = terms();
        OddToken odd = new OddToken();
        odd.mint(PAYER, 100);
        config.token = address(odd);
        settlement.deposit(config, 100, address(new RashCollector()), "");
        odd.moveSo(Moving.Denies);
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.TransferFailed.selector));
        vm.prank(RECEIVER);
        settlement.refund(config, 10);
        assertEq(settlement.refundNonce(idOf(config)), 0, "nonce");
        // The payer's token calls back for a second refund.
        odd.callBack(SETTLEMENT, abi.encodeCall(IChannelSettlement.refund, (config, 10)));
        vm.prank(RECEIVER);
        settlement.refund(config, 10);
        assertEq(odd.answer(), abi.encodeWithSelector(bytes4(keccak256("Reentrancy()"))), "guarded");
        requireChannel(idOf(config), 90, 0);
        assertEq(odd.balanceOf(PAYER), 10, "returned once");
    }

    function requireRefused(
        ChannelConfig memory config,
        uint128 amount,
        uint256 nonce,
        bytes memory signature,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        settlement.refundWithSignature(config, amount, nonce, signature);
    }
}
