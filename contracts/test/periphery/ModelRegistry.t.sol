// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "../../src/interfaces/IErrors.sol";
import {Entry, IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {ModelRegistry} from "../../src/periphery/ModelRegistry.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice The registration of models by their owners, and the list of entries.
contract ModelRegistryTest is ModelTest {
    bytes private constant CARD = "a card";

    ModelRegistry private registry = ModelRegistry(deploy("ModelRegistry"));
    DepositRefundTake private trainer;
    Classifier private classifier;

    constructor() {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
        vm.roll(1_000);
    }

    function test_register_failsIfNotOwner() external {
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, ALICE, OWNER));
        vm.prank(ALICE);
        registry.register(address(trainer), CARD);
        vm.prank(OWNER);
        registry.register(address(trainer), CARD);
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, ALICE, OWNER));
        vm.prank(ALICE);
        registry.register(address(trainer), CARD);
    }

    function test_register_failsIfModelIsOpen() external {
        (DepositRefundTake open,) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotReady.selector, open));
        vm.prank(OWNER);
        registry.register(address(open), CARD);
        assertEq(registry.count(), 0, "nothing happened");
    }

    function test_register_failsIfTrainerDiffers() external {
        (DepositRefundTake other, Classifier its) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        closeForMe(its);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotReady.selector, other));
        vm.prank(OWNER);
        registry.register(address(other), CARD);
    }

    function test_register_failsIfNoCode() external {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotReady.selector, BOB));
        vm.prank(OWNER);
        registry.register(BOB, CARD);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelNotReady.selector, address(0)));
        vm.prank(OWNER);
        registry.register(address(0), CARD);
    }

    /// @dev Registers a classifier, which has no owner, and a trainer whose classifier has invalid
    /// parameters.
    function test_register_passesErrorsOn() external {
        vm.expectRevert(bytes(""));
        vm.prank(OWNER);
        registry.register(address(classifier), CARD);
        FakeTrainer fake = new FakeTrainer(OWNER, sparsePerceptron);
        // An implementation has no arguments.
        (bool success, bytes memory reason) =
            sparsePerceptron.staticcall(abi.encodeCall(Classifier.describe, ()));
        assertTrue(!success && bytes4(reason) == IErrors.InvalidParameter.selector, "no parameters");
        vm.expectRevert(reason);
        vm.prank(OWNER);
        registry.register(address(fake), CARD);
    }

    function test_register_addsEntry() external {
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(address(trainer), OWNER, CARD);
        vm.prank(OWNER);
        registry.register(address(trainer), CARD);
        assertEq(registry.count(), 1, "one");
        requireEntry(registry.entry(address(trainer)), address(trainer), 1_000);
        requireEntry(registry.entries(0, 1)[0], address(trainer), 1_000);
    }

    function test_register_replacesCard() external {
        vm.prank(OWNER);
        registry.register(address(trainer), CARD);
        vm.roll(2_000);
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(address(trainer), OWNER, "");
        vm.prank(OWNER);
        registry.register(address(trainer), "");
        assertEq(registry.count(), 1, "still one");
        requireEntry(registry.entry(address(trainer)), address(trainer), 2_000);
    }

    function test_entry_isEmptyIfUnknown() external {
        requireEntry(registry.entry(address(trainer)), address(0), 0);
        vm.prank(OWNER);
        registry.register(address(trainer), CARD);
        requireEntry(registry.entry(ALICE), address(0), 0);
    }

    function test_entries_giveWhatThereIs() external {
        address[3] memory trainers;
        for (uint256 i; i < 3; ++i) {
            (DepositRefundTake one, Classifier its) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
            vm.prank(OWNER);
            its.close(address(one));
            vm.roll(1_000 + i);
            vm.prank(OWNER);
            registry.register(address(one), CARD);
            trainers[i] = address(one);
        }
        // The order is that of the first calls.
        vm.roll(5_000);
        vm.prank(OWNER);
        registry.register(trainers[0], CARD);
        uint256[3] memory blocks = [uint256(5_000), 1_001, 1_002];

        uint256[6] memory offsets = [uint256(0), 0, 1, 2, 3, type(uint256).max];
        uint256[6] memory counts = [uint256(3), 0, 1, type(uint256).max, 1, type(uint256).max];
        uint256[6] memory lengths = [uint256(3), 0, 1, 1, 0, 0];
        for (uint256 i; i < 6; ++i) {
            Entry[] memory some = registry.entries(offsets[i], counts[i]);
            assertEq(some.length, lengths[i], "length");
            for (uint256 k; k < some.length; ++k) {
                requireEntry(some[k], trainers[offsets[i] + k], blocks[offsets[i] + k]);
            }
        }
    }

    /// @dev Trainer and block share a slot, the first one of the list.
    function test_register_usesOneSlot() external {
        vm.prank(OWNER);
        registry.register(address(trainer), CARD);
        bytes32 slot = vm.load(address(registry), keccak256(abi.encode(0)));
        assertEq(uint256(slot), uint160(address(trainer)) | uint256(1_000) << 160, "slot");
    }

    function requireEntry(Entry memory one, address wanted, uint256 cardBlock) private pure {
        assertEq(one.trainer, wanted, "trainer");
        assertEq(one.cardBlock, cardBlock, "block");
    }
}

/// @notice A contract that answers as a trainer would.
contract FakeTrainer {
    address public owner;
    address public classifier;

    constructor(address owner_, address classifier_) {
        (owner, classifier) = (owner_, classifier_);
    }
}
