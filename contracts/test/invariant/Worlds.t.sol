// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {LyingClassifier} from "../base/LyingClassifier.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Calm} from "./Calm.sol";
import {Handler} from "./Handler.sol";
import {Hostile} from "./Hostile.sol";

/// @notice Invariants after any sequence of calls, in any world.
abstract contract WorldTest is ModelTest {
    uint256 internal constant OWNER_KEY = 99;
    uint256 private constant ATTEMPTS = 40;

    Handler internal handler;

    /// @dev A contract and its functions that forge calls at random, or leaves out.
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Excludes the functions that are called at the end. Forge asks by this name, and by the
    /// one below.
    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](2);
        (selectors[0], selectors[1]) = (Handler.makeUp.selector, Handler.finish.selector);
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    /// @dev Restricts calls to the handler.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev Checks all money. After each call the handler has also checked each account's loss or
    /// gain, and its reason.
    function invariantMoney() external view {
        handler.requireMoneyIsHeld();
        handler.requireMoneyIsWhereItBelongs();
    }

    function invariantGood() external view {
        handler.requireGoodAddsUp();
    }

    /// @dev Checks that everything settled or used still is, and that all money can be taken out.
    function afterInvariant() external {
        // Each attempt is a call of its own, so that its memory is free in the next.
        for (uint256 attempt; attempt < ATTEMPTS; ++attempt) {
            handler.makeUp(attempt);
        }
        handler.requireEnoughHappened();
        handler.requireAllIsAsItWas();
        requireMore();
        handler.finish();
    }

    function requireMore() internal view virtual {}

    function model(address classifierImplementation, bytes memory parameters, uint256 notice)
        internal
        returns (ICollaborativeTrainer trainer, Classifier classifier)
    {
        vm.prank(vm.addr(OWNER_KEY));
        (address created, address classifierAddress) = factory.create(
            depositRefundTake,
            abi.encode(1 days, 2 days, 3 days, notice, 1e15),
            classifierImplementation,
            parameters
        );
        return (ICollaborativeTrainer(created), Classifier(classifierAddress));
    }
}

/// @notice The invariants in the world of honest accounts.
contract CalmWorldTest is WorldTest {
    function setUp() external {
        (ICollaborativeTrainer trainer, Classifier classifier) =
            model(sparsePerceptron, abi.encode(8, 1, int256(0)), notice());
        vm.prank(vm.addr(OWNER_KEY));
        classifier.close(address(trainer));
        handler = new Calm(trainer, vm.addr(OWNER_KEY), OWNER_KEY);
    }

    function notice() internal pure virtual returns (uint256) {
        return 0;
    }
}

/// @notice The same world with reports that must be announced.
contract NoticeWorldTest is CalmWorldTest {
    function notice() internal pure override returns (uint256) {
        return 3 hours;
    }
}

/// @notice The invariants in the world of hostile wallets and a classifier that lies.
contract HostileWorldTest is WorldTest {
    Hostile private hostile;

    function setUp() external {
        (ICollaborativeTrainer trainer,) = model(address(new LyingClassifier()), "", 2 hours);
        hostile = new Hostile(trainer, vm.addr(OWNER_KEY), OWNER_KEY);
        handler = hostile;
    }

    function requireMore() internal view override {
        hostile.requireNobodyCameBack();
    }
}
