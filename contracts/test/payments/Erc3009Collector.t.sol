// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

import {ChannelConfig, IChannelSettlement} from "../../src/interfaces/IChannelSettlement.sol";
import {Erc3009Collector} from "../../src/payments/Erc3009Collector.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {Moving, OddToken} from "../base/Tokens.sol";

/// @notice Deposits by a payer's signed permission.
contract Erc3009CollectorTest is ChannelTest {
    uint256 private constant NOW = 1_800_000_000;

    function test_constructor_needsSettlement() external {
        assertEq(Erc3009Collector(COLLECTOR).x402BatchSettlement(), SETTLEMENT, "settlement");
        vm.expectRevert(abi.encodeWithSelector(Erc3009Collector.InvalidX402BatchSettlementAddress.selector));
        deploy("Erc3009Collector", abi.encode(address(0)));
    }

    function test_collect_isForSettlement() external {
        ChannelConfig memory config = terms();
        bytes memory permission = permissionOf(config, 100);
        vm.expectRevert(abi.encodeWithSelector(Erc3009Collector.OnlyX402BatchSettlement.selector));
        Erc3009Collector(COLLECTOR).collect(PAYER, address(token), 100, idOf(config), permission);
    }

    /// @dev A permission is good for its channel and amount, in its time, and once.
    function test_collect_needsPermission() external {
        ChannelConfig memory config = terms();
        token.mint(PAYER, 1_000);
        bytes memory permission = permissionOf(config, 100, NOW, NOW + 10, 5);
        bytes memory invalid = abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
        requireRefused(config, 101, permission, invalid);
        requireRefused(terms(1), 100, permission, invalid);
        bytes memory early =
            abi.encodeWithSelector(ERC3009.ERC3009InvalidAuthorizationTime.selector, NOW, NOW + 10);
        requireRefused(config, 100, permission, early);
        vm.warp(NOW + 10);
        requireRefused(config, 100, permission, early);
        vm.warp(NOW + 1);
        settlement.deposit(config, 100, COLLECTOR, permission);
        bytes32 nonce = keccak256(abi.encode(idOf(config), uint256(5)));
        requireRefused(
            config,
            100,
            permission,
            abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, PAYER, nonce)
        );
        // Another salt is another permission.
        permission = permissionOf(config, 100, NOW, NOW + 10, 6);
        settlement.deposit(config, 100, COLLECTOR, permission);
        requireChannel(idOf(config), 200, 0);
        assertEq(token.balanceOf(COLLECTOR), 0, "nothing stays with the collector");
    }

    /// @dev A signature of another length goes to the function that takes bytes, which this token
    /// lacks.
    function test_collect_asksForBytes() external {
        ChannelConfig memory config = terms();
        token.mint(PAYER, 100);
        bytes memory permission = abi.encode(0, NOW + 10, 5, new bytes(64));
        vm.expectRevert();
        settlement.deposit(config, 100, COLLECTOR, permission);

        BytesToken other = new BytesToken();
        other.mint(PAYER, 100);
        config.token = address(other);
        settlement.deposit(config, 60, COLLECTOR, permission);
        requireChannel(idOf(config), 60, 0);
        assertEq(other.last(), new bytes(64), "signature");
        permission = abi.encode(0, NOW + 10, 5, new bytes(65));
        vm.expectRevert();
        settlement.deposit(config, 10, COLLECTOR, permission);
    }

    function test_collect_failsIfTokenDoes() external {
        ChannelConfig memory config = terms();
        BytesToken other = new BytesToken();
        other.mint(PAYER, 100);
        config.token = address(other);
        other.moveSo(Moving.Denies);
        requireRefused(
            config,
            10,
            abi.encode(0, 0, 0, ""),
            abi.encodeWithSelector(IChannelSettlement.TransferFailed.selector)
        );
        vm.expectRevert();
        settlement.deposit(config, 10, COLLECTOR, "too short");
    }

    function requireRefused(
        ChannelConfig memory config,
        uint128 amount,
        bytes memory permission,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        settlement.deposit(config, amount, COLLECTOR, permission);
    }
}

/// @notice A token that has only the function that takes a signature as bytes, and takes any.
contract BytesToken is OddToken {
    bytes public last;

    /// @dev `IErc3009.receiveWithAuthorization` with bytes.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256,
        uint256,
        bytes32,
        bytes calldata signature
    ) external {
        last = signature;
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }
}
