// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Test} from "../base/Test.sol";
import {ChannelWorld} from "./ChannelWorld.sol";
import {FeesWorld} from "./FeesWorld.sol";
import {MarketWorld} from "./MarketWorld.sol";
import {RoundWorld} from "./RoundWorld.sol";

/// @notice Invariants of money after any sequence of calls.
abstract contract MoneyTest is Test {
    /// @dev A contract and its functions that forge calls at random.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    address internal world;

    /// @dev Restricts the called functions of the world to these. Forge asks by this name.
    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(world, selectors());
    }

    /// @dev Restricts calls to the world. Forge asks by this name.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = world;
    }

    function selectors() internal pure virtual returns (bytes4[] memory);
}

/// @notice The invariants of money in prediction markets.
contract MarketMoneyTest is MoneyTest {
    function setUp() external {
        world = address(new MarketWorld());
    }

    function invariantMoney() external view {
        MarketWorld(world).requireSolvent();
    }

    /// @dev Continues a run until a market of each kind has ended, except for kinds that need luck.
    function afterInvariant() external {
        uint256 i;
        for (; MarketWorld(world).passes() < 3 && i < 2_000; ++i) {
            MarketWorld(world).act(uint256(keccak256(abi.encode(i))));
        }
        assertTrue(i < 2_000, "passes end");
    }

    function selectors() internal pure override returns (bytes4[] memory some) {
        some = new bytes4[](1);
        some[0] = MarketWorld.act.selector;
    }
}

/// @notice The invariants of money in paid predictions.
contract FeesMoneyTest is MoneyTest {
    function setUp() external {
        world = address(new FeesWorld());
    }

    function invariantMoney() external view {
        FeesWorld(world).requireSolvent();
    }

    function afterInvariant() external view {
        assertTrue(FeesWorld(world).payments() != 0, "payments");
    }

    function selectors() internal pure override returns (bytes4[] memory some) {
        some = new bytes4[](4);
        some[0] = FeesWorld.improve.selector;
        some[1] = FeesWorld.register.selector;
        some[2] = FeesWorld.pay.selector;
        some[3] = FeesWorld.collect.selector;
    }
}

/// @notice The invariants of money in payment channels.
contract ChannelMoneyTest is MoneyTest {
    function setUp() external {
        world = address(new ChannelWorld());
    }

    function invariantMoney() external view {
        ChannelWorld(world).requireBooks();
    }

    function afterInvariant() external {
        ChannelWorld(world).finish();
    }

    function selectors() internal pure override returns (bytes4[] memory some) {
        some = new bytes4[](7);
        some[0] = ChannelWorld.deposit.selector;
        some[1] = ChannelWorld.claim.selector;
        some[2] = ChannelWorld.settle.selector;
        some[3] = ChannelWorld.refund.selector;
        some[4] = ChannelWorld.initiateWithdraw.selector;
        some[5] = ChannelWorld.finalizeWithdraw.selector;
        some[6] = ChannelWorld.wait.selector;
    }
}

/// @notice The invariants of money in rounds of a federated trainer.
contract RoundStakesTest is MoneyTest {
    function setUp() external {
        world = address(new RoundWorld());
    }

    function invariantMoney() external view {
        RoundWorld(world).requireMoney();
    }

    /// @dev Continues a run until a round is settled and one has failed.
    function afterInvariant() external {
        uint256 i;
        for (; (RoundWorld(world).settled() == 0 || RoundWorld(world).failed() == 0) && i < 2_000; ++i) {
            RoundWorld(world).act(uint256(keccak256(abi.encode(i))));
        }
        assertTrue(i < 2_000, "rounds end");
        RoundWorld(world).requireMoney();
    }

    function selectors() internal pure override returns (bytes4[] memory some) {
        some = new bytes4[](1);
        some[0] = RoundWorld.act.selector;
    }
}
