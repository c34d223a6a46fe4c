// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IBoundedSamples} from "../../src/interfaces/IBoundedSamples.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {INaiveBayes} from "../../src/interfaces/INaiveBayes.sol";
import {IPerceptron} from "../../src/interfaces/IPerceptron.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice The bounds of the classifiers' parameters: at creation by the factory, and at `close`
/// for other clones.
contract ParametersTest is ModelTest {
    function test_create_boundsSparsePerceptron() external {
        refused(sparsePerceptron, abi.encode(0, 0, int256(0)), "features", 0);
        refused(sparsePerceptron, abi.encode(65_537, 0, int256(0)), "features", 65_537);
        refused(sparsePerceptron, abi.encode(1, 0, int256(0)), "learningRate", 0);
        refused(sparsePerceptron, abi.encode(1, 32_768, int256(0)), "learningRate", 32_768);
        // An earlier bound of 2^65, before a cast to 64 bits, accepted values that the cast
        // changed.
        refused(sparsePerceptron, abi.encode(1, 1, int256(1) << 63), "intercept", 1 << 63);
        int256 tooLow = int256(type(int64).min) - 1;
        refused(sparsePerceptron, abi.encode(1, 1, tooLow), "intercept", uint256(tooLow));
        refused(sparsePerceptron, abi.encode(1, 1), "arguments", 3);
        refused(sparsePerceptron, abi.encode(1, 1, 1, 1), "arguments", 5);
        accepted(sparsePerceptron, abi.encode(65_536, 32_767, type(int64).max));
        accepted(sparsePerceptron, abi.encode(1, 1, type(int64).min));
    }

    function test_create_boundsDensePerceptron() external {
        refused(densePerceptron, Encode.widest16(abi.encode(0, 1, int256(0))), "features", 0);
        refused(densePerceptron, Encode.widest16(abi.encode(4097, 1, int256(0))), "features", 4097);
        refused(densePerceptron, Encode.widest16(abi.encode(1, 0, int256(0))), "learningRate", 0);
        refused(densePerceptron, Encode.widest16(abi.encode(1, 1 << 32, int256(0))), "learningRate", 1 << 32);
        refused(densePerceptron, Encode.widest16(abi.encode(1, 1, int256(1) << 63)), "intercept", 1 << 63);
        refused(densePerceptron, "", "arguments", 1);
        refused(densePerceptron, abi.encode(1, 1, int256(0)), "arguments", 4);
        refused(densePerceptron, abi.encode(1, 1, int256(0), 0, 1), "maxNumber", 0);
        refused(densePerceptron, abi.encode(1, 1, int256(0), 32_769, 1), "maxNumber", 32_769);
        refused(densePerceptron, abi.encode(1, 1, int256(0), 7, 0), "maxSquaredLength", 0);
        // Three numbers of 7 cannot reach this bound.
        refused(densePerceptron, abi.encode(3, 1, int256(0), 7, 148), "maxSquaredLength", 148);
        accepted(densePerceptron, abi.encode(3, 1, int256(0), 7, 147));
        accepted(densePerceptron, abi.encode(3, 1, int256(0), 1, 1));
        accepted(densePerceptron, Encode.widest16(abi.encode(4096, type(uint32).max, type(int64).min)));
    }

    function test_create_boundsNaiveBayes() external {
        refused(naiveBayes, abi.encode(1, 1, 1), "classes", 1);
        refused(naiveBayes, abi.encode(257, 1, 1), "classes", 257);
        refused(naiveBayes, abi.encode(2, 0, 1), "features", 0);
        refused(naiveBayes, abi.encode(2, 65_537, 1), "features", 65_537);
        refused(naiveBayes, abi.encode(2, 1, 0), "smoothing", 0);
        refused(naiveBayes, abi.encode(2, 1, 1 << 32), "smoothing", 1 << 32);
        refused(naiveBayes, abi.encode(2, 1), "arguments", 3);
        accepted(naiveBayes, abi.encode(256, 65_536, type(uint32).max));
    }

    function test_create_boundsNearestCentroids() external {
        refused(sparseNearestCentroid, abi.encode(1, 1), "classes", 1);
        refused(sparseNearestCentroid, abi.encode(257, 1), "classes", 257);
        refused(sparseNearestCentroid, abi.encode(2, 0), "features", 0);
        refused(sparseNearestCentroid, abi.encode(2, 65_537), "features", 65_537);
        refused(sparseNearestCentroid, abi.encode(2, 1, 1), "arguments", 4);
        accepted(sparseNearestCentroid, abi.encode(256, 65_536));
        refused(denseNearestCentroid, Encode.widest32(abi.encode(1, 1)), "classes", 1);
        refused(denseNearestCentroid, Encode.widest32(abi.encode(257, 1)), "classes", 257);
        refused(denseNearestCentroid, Encode.widest32(abi.encode(2, 0)), "features", 0);
        refused(denseNearestCentroid, Encode.widest32(abi.encode(2, 4097)), "features", 4097);
        refused(denseNearestCentroid, abi.encode(2), "arguments", 2);
        refused(denseNearestCentroid, abi.encode(2, 1), "arguments", 3);
        refused(denseNearestCentroid, abi.encode(2, 1, 0, 1), "maxNumber", 0);
        uint256 tooLarge = (1 << 31) + 1;
        refused(denseNearestCentroid, abi.encode(2, 1, tooLarge, 1), "maxNumber", tooLarge);
        refused(denseNearestCentroid, abi.encode(2, 1, 7, 0), "maxSquaredLength", 0);
        refused(
            denseNearestCentroid,
            abi.encode(2, 4096, 1 << 31, (1 << 74) + 1),
            "maxSquaredLength",
            (1 << 74) + 1
        );
        refused(
            denseNearestCentroid,
            abi.encode(2, 1, 1, type(uint256).max),
            "maxSquaredLength",
            type(uint256).max
        );
        accepted(denseNearestCentroid, abi.encode(2, 4096, 1 << 31, 1 << 74));
        accepted(denseNearestCentroid, abi.encode(2, 1, 7, 49));
        refused(denseNearestCentroid, Encode.widest32(abi.encode(5, 3277)), "features", 3277);
        refused(denseNearestCentroid, Encode.widest32(abi.encode(256, 65)), "features", 65);
        accepted(denseNearestCentroid, Encode.widest32(abi.encode(4, 4096)));
        accepted(denseNearestCentroid, Encode.widest32(abi.encode(5, 3276)));
        accepted(denseNearestCentroid, Encode.widest32(abi.encode(256, 64)));
    }

    /// @dev Otherwise the model would ignore the last bytes of arguments that are not whole words.
    function test_create_failsIfArgumentsAreNotWholeWords() external {
        bytes memory parameters = abi.encode(2, 40);
        refused(sparseNearestCentroid, bytes.concat(parameters, hex"00"), "arguments", 97);
        refused(sparseNearestCentroid, bytes.concat(abi.encode(2), hex"28"), "arguments", 65);
    }

    function test_create_keepsParameters() external {
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(40, 10, int256(-5)));
        assertEq(IPerceptron(address(classifier)).learningRate(), 10, "learningRate");
        assertEq(IPerceptron(address(classifier)).intercept(), -5, "intercept");
        (, classifier) = create(densePerceptron, Encode.widest16(abi.encode(40, 11, int256(6))));
        assertEq(IPerceptron(address(classifier)).learningRate(), 11, "learningRate");
        assertEq(IPerceptron(address(classifier)).intercept(), 6, "intercept");
        (, classifier) = create(densePerceptron, abi.encode(40, 11, int256(6), 300, 90_001));
        assertEq(IBoundedSamples(address(classifier)).maxNumber(), 300, "maxNumber");
        assertEq(IBoundedSamples(address(classifier)).maxSquaredLength(), 90_001, "maxSquaredLength");
        (, classifier) = create(denseNearestCentroid, abi.encode(2, 40, 70_000, 5_000_000_000));
        assertEq(IBoundedSamples(address(classifier)).maxNumber(), 70_000, "maxNumber");
        assertEq(IBoundedSamples(address(classifier)).maxSquaredLength(), 5_000_000_000, "maxSquaredLength");
        (, classifier) = create(naiveBayes, abi.encode(2, 40, 77));
        assertEq(INaiveBayes(address(classifier)).smoothing(), 77, "smoothing");
    }

    function refused(address implementation, bytes memory parameters, bytes32 name, uint256 value) private {
        bytes memory reason = abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value);
        vm.expectRevert(reason);
        factory.create(depositRefundTake, abi.encode(1, 2, 3, 0, 4), implementation, parameters);
        Classifier clone =
            Classifier(LibClone.clone(implementation, bytes.concat(abi.encode(address(this)), parameters)));
        vm.expectRevert(reason);
        clone.close(ALICE);
        vm.expectRevert(reason);
        clone.describe();
    }

    function accepted(address implementation, bytes memory parameters) private {
        (, Classifier classifier) = create(implementation, parameters);
        closeForMe(classifier);
    }
}
