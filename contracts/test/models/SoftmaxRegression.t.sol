// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {ISoftmaxRegression} from "../../src/interfaces/ISoftmaxRegression.sol";
import {SoftmaxRegression} from "../../src/models/SoftmaxRegression.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Shape} from "../../src/libraries/SoftmaxLosses.sol";
import {Updates} from "../base/Updates.sol";

/// @notice The model of federated rounds.
contract SoftmaxRegressionTest is ModelTest {
    uint256 private constant CLASSES = 5;
    uint256 private constant FEATURES = 9;

    address private implementation = deploy("SoftmaxRegression");
    SoftmaxRegression private model;

    constructor() {
        (, model) = createOf(CLASSES, FEATURES, 4, 16);
    }

    /// @dev The class with the largest raw logit, by the scalar rules.
    function testFuzz_predict_matchesScalars(uint256 seed) external {
        uint256 parameters = CLASSES * (FEATURES + 1);
        int256[] memory weights = Updates.random(seed, 1, parameters, 16)[0];
        vm.prank(OWNER);
        model.write(0, Updates.words(weights));
        bytes memory item = abi.encodePacked(uint8(0));
        bytes memory sample;
        for (uint256 j; j < FEATURES; ++j) {
            uint8 number = uint8(uint256(keccak256(abi.encode(seed, j))) % 17);
            item = abi.encodePacked(item, number);
            sample = abi.encodePacked(sample, uint16(number));
        }
        int256[] memory raw = Updates.logits(Shape(CLASSES, FEATURES, 16, 4), weights, item, 0);
        uint256 best;
        for (uint256 class = 1; class < CLASSES; ++class) {
            if (raw[class] > raw[best]) best = class;
        }
        assertEq(predict(model, sample), best, "label");
    }

    function test_predict_prefersFirstOfEqualClasses() external view {
        assertEq(predict(model, new bytes(2 * FEATURES)), 0, "label");
    }

    function test_add_saturatesEachWeight() external {
        int256[] memory weights = new int256[](CLASSES * (FEATURES + 1));
        (weights[0], weights[1], weights[49]) = (32_700, -32_700, 5);
        vm.prank(OWNER);
        model.write(0, Updates.words(weights));
        closeForMe(model);
        int256[] memory deltas = new int256[](weights.length);
        (deltas[0], deltas[1], deltas[49]) = (100, -100, -7);
        (weights[0], weights[1], weights[49]) = (32_767, -32_768, -2);
        uint256[] memory expected = Updates.words(weights);
        bytes32 root = model.add(Updates.words(deltas));
        assertEq(root, keccak256(abi.encodePacked(expected)), "root");
        uint256[] memory words = model.words(0, expected.length);
        for (uint256 i; i < words.length; ++i) {
            assertEq(words[i], expected[i], "word");
        }
    }

    function test_add_failsIfItMayNot() external {
        vm.expectRevert(abi.encodeWithSelector(IClassifier.InitializationOpen.selector));
        model.add(new uint256[](4));
        closeForMe(model);
        vm.expectRevert(abi.encodeWithSelector(IClassifier.NotTrainer.selector, ALICE, address(this)));
        vm.prank(ALICE);
        model.add(new uint256[](4));
        vm.expectRevert(abi.encodeWithSelector(ISoftmaxRegression.WrongAggregate.selector, 3, 4));
        model.add(new uint256[](3));
    }

    function test_learn_failsSinceItLearnsFromUpdates() external {
        closeForMe(model);
        bytes memory batch = abi.encodePacked(uint16(0), uint16(2 * FEATURES), new bytes(2 * FEATURES));
        model.check(batch);
        vm.expectRevert(abi.encodeWithSelector(ISoftmaxRegression.LearnsFromUpdates.selector));
        model.learn(batch);
    }

    function test_describe_failsIfOutOfBounds() external {
        createOf(2, 511, 15, 128);
        createOf(256, 127, 0, 16);
        refuses(1, 9, 4, 16, "classes", 1);
        refuses(257, 9, 4, 16, "classes", 257);
        refuses(5, 0, 4, 16, "features", 0);
        refuses(256, 128, 4, 16, "features", 128);
        refuses(5, 9, 16, 16, "scale", 16);
        refuses(5, 9, 4, 0, "maxFeature", 0);
        refuses(5, 9, 4, 12, "maxFeature", 12);
        refuses(5, 9, 4, 256, "maxFeature", 256);
        refuses(5, 512, 4, 128, "maxFeature", 128);
        refuses(5, 9, 0, 8, "maxFeature", 8);
    }

    function createOf(uint256 classes, uint256 features, uint256 scale, uint256 maxFeature)
        public
        returns (address, SoftmaxRegression)
    {
        vm.prank(OWNER);
        (address trainer, address classifier) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            implementation,
            abi.encode(classes, features, scale, maxFeature)
        );
        return (trainer, SoftmaxRegression(classifier));
    }

    function refuses(
        uint256 classes,
        uint256 features,
        uint256 scale,
        uint256 maxFeature,
        bytes32 name,
        uint256 value
    ) private {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        this.createOf(classes, features, scale, maxFeature);
    }
}
