// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, IChannelSettlement} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {Moving, OddToken, RashCollector} from "../base/Tokens.sol";

/// @notice Deposits, by honest and by other tokens and collectors.
contract ChannelDepositsTest is ChannelTest {
    address private rash = address(new RashCollector());
    OddToken private odd = new OddToken();

    constructor() {
        odd.mint(PAYER, type(uint128).max);
    }

    function test_deposit_creditsChannel() external {
        ChannelConfig memory config = terms();
        bytes32 id = idOf(config);
        token.mint(PAYER, 250);
        bytes memory permission = permissionOf(config, 100);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.ChannelCreated(id, config);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Deposited(id, ANYONE, 100, 100);
        vm.prank(ANYONE);
        settlement.deposit(config, 100, COLLECTOR, permission);
        requireChannel(id, 100, 0);

        // The channel is created once only.
        claim(config, 10);
        permission = permissionOf(config, 150);
        vm.recordLogs();
        settlement.deposit(config, 150, COLLECTOR, permission);
        assertEq(logsOf(IChannelSettlement.ChannelCreated.selector).length, 0, "created");
        requireChannel(id, 250, 10);
        assertEq(token.balanceOf(SETTLEMENT), 250, "held");
        assertEq(token.balanceOf(PAYER), 0, "left");
    }

    /// @dev A channel that was emptied is created anew.
    function test_deposit_createsEmptiedChannelAnew() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.prank(RECEIVER);
        settlement.refund(config, 100);
        vm.recordLogs();
        fund(config, 5);
        assertEq(logsOf(IChannelSettlement.ChannelCreated.selector).length, 1, "created");
        requireChannel(id, 5, 0);
    }

    function test_deposit_boundsTerms() external {
        bytes memory invalid = abi.encodeWithSelector(IChannelSettlement.InvalidChannel.selector);
        ChannelConfig memory config = oddTerms();
        config.payer = address(0);
        requireRefused(config, 1, rash, invalid);
        config = oddTerms();
        config.receiver = address(0);
        requireRefused(config, 1, rash, invalid);
        config = oddTerms();
        config.receiverAuthorizer = address(0);
        requireRefused(config, 1, rash, invalid);
        config = oddTerms();
        config.token = address(0);
        requireRefused(config, 1, rash, invalid);

        bytes memory outOfRange = abi.encodeWithSelector(IChannelSettlement.WithdrawDelayOutOfRange.selector);
        config = oddTerms();
        config.withdrawDelay = 899;
        requireRefused(config, 1, rash, outOfRange);
        config.withdrawDelay = 2_592_001;
        requireRefused(config, 1, rash, outOfRange);
        config.withdrawDelay = 900;
        settlement.deposit(config, 1, rash, "");
        config.withdrawDelay = 2_592_000;
        // Only the payer's authorizer may be missing.
        config.payerAuthorizer = address(0);
        settlement.deposit(config, 1, rash, "");

        requireRefused(config, 0, rash, abi.encodeWithSelector(IChannelSettlement.ZeroDeposit.selector));
        requireRefused(
            config, 1, address(0), abi.encodeWithSelector(IChannelSettlement.InvalidCollector.selector)
        );
    }

    function test_deposit_failsAboveBound() external {
        ChannelConfig memory config = oddTerms();
        settlement.deposit(config, type(uint128).max - 1, rash, "");
        bytes memory overflow = abi.encodeWithSelector(IChannelSettlement.DepositOverflow.selector);
        requireRefused(config, 2, rash, overflow);
        settlement.deposit(config, 1, rash, "");
        requireRefused(config, 1, rash, overflow);
        requireChannel(idOf(config), type(uint128).max, 0);
    }

    /// @dev Tokens are counted when they have arrived, whatever collector and token say.
    function test_deposit_measuresWhatArrives() external {
        ChannelConfig memory config = oddTerms();
        bytes memory failed = abi.encodeWithSelector(IChannelSettlement.DepositCollectionFailed.selector);
        uint256[3] memory others = [uint256(0), 99, 101];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(failed);
            settlement.deposit(config, 100, rash, abi.encode(others[i]));
        }
        odd.moveSo(Moving.KeepsFee);
        requireRefused(config, 100, rash, failed);
        // A hundredth of 99 is nothing.
        settlement.deposit(config, 99, rash, "");
        odd.moveSo(Moving.Denies);
        requireRefused(config, 1, rash, failed);
        odd.moveSo(Moving.Reverts);
        requireRefused(config, 1, rash, abi.encodeWithSelector(OddToken.NoThanks.selector));
        odd.moveSo(Moving.Silent);
        settlement.deposit(config, 1, rash, "");
        requireChannel(idOf(config), 100, 0);
    }

    /// @dev An address without code has no balance that could rise.
    function test_deposit_failsWithoutCode() external {
        ChannelConfig memory config = oddTerms();
        config.token = ANYONE;
        requireRefused(
            config, 1, rash, abi.encodeWithSelector(IChannelSettlement.DepositCollectionFailed.selector)
        );
        vm.expectRevert();
        settlement.deposit(oddTerms(), 1, ANYONE, "");
    }

    /// @dev Nothing else runs while a deposit does: a deposit within a deposit could count tokens
    /// twice.
    function test_deposit_isGuarded() external {
        ChannelConfig memory config = oddTerms();
        settlement.deposit(config, 100, rash, "");
        claim(config, 10);
        bytes[] memory attacks = new bytes[](9);
        attacks[0] = abi.encodeCall(IChannelSettlement.deposit, (config, 1, rash, ""));
        attacks[1] = abi.encodeCall(IChannelSettlement.claim, (one(row(config, 20, 20))));
        attacks[2] = abi.encodeCall(IChannelSettlement.claimWithSignature, (one(row(config, 20, 20)), ""));
        attacks[3] = abi.encodeCall(IChannelSettlement.settle, (RECEIVER, address(odd)));
        attacks[4] = abi.encodeCall(IChannelSettlement.initiateWithdraw, (config, 1));
        attacks[5] = abi.encodeCall(IChannelSettlement.finalizeWithdraw, (config));
        attacks[6] = abi.encodeCall(IChannelSettlement.refund, (config, 1));
        attacks[7] = abi.encodeCall(IChannelSettlement.refundWithSignature, (config, 1, 0, ""));
        attacks[8] = abi.encodeCall(IChannelSettlement.multicall, (new bytes[](1)));
        bytes[] memory within = new bytes[](1);
        within[0] = attacks[3];
        attacks[8] = abi.encodeCall(IChannelSettlement.multicall, (within));
        for (uint256 i; i < attacks.length; ++i) {
            odd.callBack(SETTLEMENT, attacks[i]);
            settlement.deposit(config, 1, rash, "");
            assertEq(
                odd.answer(), abi.encodeWithSelector(bytes4(keccak256("Reentrancy()"))), "no call within"
            );
        }
        requireChannel(idOf(config), 109, 10);
    }

    function oddTerms() private view returns (ChannelConfig memory config) {
        config = terms();
        config.token = address(odd);
    }

    function requireRefused(
        ChannelConfig memory config,
        uint128 amount,
        address collector,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        settlement.deposit(config, amount, collector, "");
    }
}
