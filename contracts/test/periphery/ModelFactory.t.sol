// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {CloneArguments} from "../../src/libraries/CloneArguments.sol";
import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {PuppetClassifier, Strings} from "../base/PuppetClassifier.sol";
import {MarketTest} from "../base/MarketTest.sol";

/// @notice A contract that takes every call and every payment, and answers all of them alike.
contract TakesAnything {
    bytes private answer;

    constructor(bytes memory answer_) {
        answer = answer_;
    }

    // A clone has no storage of its own yet, so it asks the implementation for the answer.
    TakesAnything private immutable SELF = this;

    function said() external view returns (bytes memory) {
        return answer;
    }

    fallback() external payable {
        bytes memory data = SELF.said();
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }
}

/// @notice A trainer that names a wrong classifier, and the right owner or a wrong one.
contract OthersTrainer {
    address public immutable owner;
    address public immutable classifier;

    constructor(address owner_, address classifier_) {
        (owner, classifier) = (owner_, classifier_);
    }

    function initialize() external {}
}

/// @notice A trainer that names its classifier rightly, and another owner, or more than an owner.
contract StrangersTrainer {
    bytes private answer;
    StrangersTrainer private immutable SELF = this;

    constructor(bytes memory answer_) {
        answer = answer_;
    }

    function initialize() external {}

    function said() external view returns (bytes memory) {
        return answer;
    }

    function owner() external view {
        bytes memory data = SELF.said();
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }

    function classifier() external view returns (address) {
        return address(uint160(CloneArguments.word(1)));
    }
}

/// @notice A trainer that names its owner rightly, and no classifier.
contract TrainerOfNothing {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function initialize() external {}
}

/// @notice A trainer that refuses with a reason.
contract RefusingTrainer {
    error Refused();

    function initialize() external pure {
        revert Refused();
    }
}

/// @notice The implementations that the factory accepts.
contract ModelFactoryTest is MarketTest {
    bytes private trainerParameters = abi.encode(1, 2, 3, 0, 4);
    bytes private classifierParameters = abi.encode(2, 1);

    /// @dev A clone of an address without code would accept every call: any waits, any
    /// contribution, any ether.
    function test_create_failsIfNoCode() external {
        address[3] memory empty = [ALICE, address(0), address(4)];
        for (uint256 i; i < empty.length; ++i) {
            bytes memory reason = abi.encodeWithSelector(IModelFactory.NoCode.selector, empty[i]);
            vm.expectRevert(reason);
            factory.create(empty[i], abi.encode(3, 2, 1, 0, 4), sparseNearestCentroid, classifierParameters);
            vm.expectRevert(reason);
            factory.create(depositRefundTake, trainerParameters, empty[i], classifierParameters);
        }
    }

    /// @dev The factory also refuses accounts that delegate to a right implementation: their key
    /// could name another one.
    function test_create_failsIfCodeIsDelegated() external {
        vm.etch(ALICE, abi.encodePacked(hex"ef0100", depositRefundTake));
        vm.etch(BOB, abi.encodePacked(hex"ef0100", sparseNearestCentroid));
        assertEq(ALICE.code.length, 23, "code");
        vm.expectRevert(abi.encodeWithSelector(IModelFactory.DelegatedCode.selector, ALICE));
        factory.create(ALICE, trainerParameters, sparseNearestCentroid, classifierParameters);
        vm.expectRevert(abi.encodeWithSelector(IModelFactory.DelegatedCode.selector, BOB));
        factory.create(depositRefundTake, trainerParameters, BOB, classifierParameters);
    }

    /// @dev For example, a wrapped coin takes every call as a payment.
    function test_create_failsIfCodeTakesAnyCall() external {
        bytes[3] memory answers =
            [bytes(""), abi.encode(address(this)), abi.encode(address(this), address(this))];
        for (uint256 i; i < answers.length; ++i) {
            address anything = address(new TakesAnything(answers[i]));
            vm.expectRevert(abi.encodeWithSelector(IModelFactory.NotATrainer.selector, anything));
            factory.create(anything, trainerParameters, sparseNearestCentroid, classifierParameters);
            vm.expectRevert(abi.encodeWithSelector(IModelFactory.NotAClassifier.selector, anything));
            factory.create(depositRefundTake, trainerParameters, anything, classifierParameters);
        }
    }

    function test_create_failsIfTrainerIsOfOthers() external {
        address[2] memory others =
            [address(new OthersTrainer(address(this), ALICE)), address(new OthersTrainer(ALICE, ALICE))];
        for (uint256 i; i < others.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IModelFactory.NotATrainer.selector, others[i]));
            factory.create(others[i], trainerParameters, sparseNearestCentroid, classifierParameters);
        }
        bytes[3] memory owners = [abi.encode(ALICE), abi.encode(address(this), ALICE), bytes("")];
        for (uint256 i; i < owners.length; ++i) {
            address strange = address(new StrangersTrainer(owners[i]));
            vm.expectRevert(abi.encodeWithSelector(IModelFactory.NotATrainer.selector, strange));
            factory.create(strange, trainerParameters, sparseNearestCentroid, classifierParameters);
        }
        // Only the named owner makes the difference.
        factory.create(
            address(new StrangersTrainer(abi.encode(address(this)))),
            trainerParameters,
            sparseNearestCentroid,
            classifierParameters
        );
        // A contract without this function reverts without a reason.
        address nothing = address(new TrainerOfNothing(address(this)));
        vm.expectRevert(bytes(""));
        factory.create(nothing, trainerParameters, sparseNearestCentroid, classifierParameters);
    }

    /// @dev Each implementation comes in place of the other.
    function test_create_failsIfSwapped() external {
        vm.expectRevert(bytes(""));
        factory.create(
            sparseNearestCentroid, classifierParameters, sparseNearestCentroid, classifierParameters
        );
        vm.expectRevert(bytes(""));
        factory.create(depositRefundTake, trainerParameters, depositRefundTake, trainerParameters);
    }

    function test_create_passesErrorsOn() external {
        Strings strings = new Strings();
        PuppetClassifier puppet = new PuppetClassifier(strings);
        strings.failToDescribe();
        vm.expectRevert(abi.encodeWithSelector(PuppetClassifier.Told.selector, 3));
        factory.create(depositRefundTake, trainerParameters, address(puppet), "");
        address refusing = address(new RefusingTrainer());
        vm.expectRevert(abi.encodeWithSelector(RefusingTrainer.Refused.selector));
        factory.create(refusing, trainerParameters, sparseNearestCentroid, classifierParameters);
        vm.expectRevert(
            abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("classes"), uint256(1))
        );
        factory.create(depositRefundTake, trainerParameters, sparseNearestCentroid, abi.encode(1, 1));
    }

    /// @dev Creates all mechanisms, and checks that the factory itself takes no ether.
    function test_create_createsAllMechanisms() external {
        address[3] memory mechanisms = [depositRefundTake, points, predictionMarket];
        bytes[3] memory parameters = [trainerParameters, abi.encode(1, 2, 3, 0), abi.encode(1, 2, 3, 4, 5, 6)];
        for (uint256 i; i < mechanisms.length; ++i) {
            vm.prank(BOB);
            (address trainer, address classifier) =
                factory.create(mechanisms[i], parameters[i], sparseNearestCentroid, classifierParameters);
            assertEq(ICollaborativeTrainer(trainer).owner(), BOB, "owner");
            assertEq(ICollaborativeTrainer(trainer).classifier(), classifier, "classifier");
            assertEq(IClassifier(classifier).describe().owner, BOB, "owner of the classifier");
            vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
            ICollaborativeTrainer(trainer).initialize();
        }
        (bool success,) = address(factory).call{value: 1}(
            abi.encodeCall(
                factory.create,
                (depositRefundTake, trainerParameters, sparseNearestCentroid, classifierParameters)
            )
        );
        assertTrue(!success && address(factory).balance == 0, "no ether");
    }
}
