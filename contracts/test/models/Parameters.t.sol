// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IBoundedSamples} from "../../src/interfaces/IBoundedSamples.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {INaiveBayes} from "../../src/interfaces/INaiveBayes.sol";
import {IPerceptron} from "../../src/interfaces/IPerceptron.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice The bounds of all parameters: at creation by the factory, and at `close` for clones made otherwise.
contract ParametersTest is ModelTest {
    function testSparsePerceptron() external {
        refused(sparsePerceptron, abi.encode(0, 0, int256(0)), "features", 0);
        refused(sparsePerceptron, abi.encode(65_537, 0, int256(0)), "features", 65_537);
        refused(sparsePerceptron, abi.encode(1, 0, int256(0)), "learningRate", 0);
        refused(sparsePerceptron, abi.encode(1, 32_768, int256(0)), "learningRate", 32_768);
        // A bound of 2^65 before a cast to 64 bits let values through that the cast changed.
        refused(sparsePerceptron, abi.encode(1, 1, int256(1) << 63), "intercept", 1 << 63);
        int256 tooLow = int256(type(int64).min) - 1;
        refused(sparsePerceptron, abi.encode(1, 1, tooLow), "intercept", uint256(tooLow));
        refused(sparsePerceptron, abi.encode(1, 1), "arguments", 3);
        refused(sparsePerceptron, abi.encode(1, 1, 1, 1), "arguments", 5);
        accepted(sparsePerceptron, abi.encode(65_536, 32_767, type(int64).max));
        accepted(sparsePerceptron, abi.encode(1, 1, type(int64).min));
    }

    function testDensePerceptron() external {
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
        // More than three numbers of 7 can reach.
        refused(densePerceptron, abi.encode(3, 1, int256(0), 7, 148), "maxSquaredLength", 148);
        accepted(densePerceptron, abi.encode(3, 1, int256(0), 7, 147));
        accepted(densePerceptron, abi.encode(3, 1, int256(0), 1, 1));
        accepted(densePerceptron, Encode.widest16(abi.encode(4096, type(uint32).max, type(int64).min)));
    }

    function testNaiveBayes() external {
        refused(naiveBayes, abi.encode(1, 1, 1), "classes", 1);
        refused(naiveBayes, abi.encode(257, 1, 1), "classes", 257);
        refused(naiveBayes, abi.encode(2, 0, 1), "features", 0);
        refused(naiveBayes, abi.encode(2, 65_537, 1), "features", 65_537);
        refused(naiveBayes, abi.encode(2, 1, 0), "smoothing", 0);
        refused(naiveBayes, abi.encode(2, 1, 1 << 32), "smoothing", 1 << 32);
        refused(naiveBayes, abi.encode(2, 1), "arguments", 3);
        accepted(naiveBayes, abi.encode(256, 65_536, type(uint32).max));
    }

    function testNearestCentroids() external {
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

    /// @dev Of arguments that are not whole words, the last bytes would have been passed over.
    function testArgumentsAreWholeWords() external {
        bytes memory parameters = abi.encode(2, 40);
        refused(sparseNearestCentroid, bytes.concat(parameters, hex"00"), "arguments", 97);
        refused(sparseNearestCentroid, bytes.concat(abi.encode(2), hex"28"), "arguments", 65);
        parameters = abi.encode(1, 2, 3, 0, 4);
        refusedTrainer(depositRefundTake, bytes.concat(parameters, new bytes(31)), "arguments", 255);
    }

    /// @dev A clone made by hand, whose parameters nobody has checked.
    function testTrainerThatIsNotInitialised() external {
        DepositRefundTake trainer =
            DepositRefundTake(LibClone.clone(depositRefundTake, abi.encode(ALICE, BOB, 3, 2, 1, 0, 0)));
        VM.expectRevert(abi.encodeWithSelector(IMechanismErrors.NotInitialized.selector));
        trainer.contribute(Encode.item(0, ""));
    }

    function testTrainers() external {
        refusedTrainer(depositRefundTake, abi.encode(2, 1, 3, 0, 0), "refundWait", 2);
        refusedTrainer(depositRefundTake, abi.encode(1, 3, 2, 0, 0), "ownerClaimWait", 3);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 1 << 40, 0, 0), "anyAddressClaimWait", 1 << 40);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, 0, 1 << 80), "costWeight", 1 << 80);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, 0), "arguments", 6);
        refusedTrainer(points, abi.encode(2, 1, 3, 0), "refundWait", 2);
        refusedTrainer(points, abi.encode(1, 2, 3, 0, 4), "arguments", 7);

        factory.create(depositRefundTake, abi.encode(0, 0, 0, 0, 0), sparseNearestCentroid, abi.encode(2, 1));
        (address trainer,) = factory.create(
            depositRefundTake,
            abi.encode(type(uint40).max, type(uint40).max, type(uint40).max, 0, (1 << 80) - 1),
            sparseNearestCentroid,
            abi.encode(2, 1)
        );
        // The largest deposit.
        assertEq(DepositRefundTake(trainer).price(1), ((1 << 80) - 1) * 3600, "price");
        assertAtMost(DepositRefundTake(trainer).price(1), type(uint96).max, "price");
    }

    /// @dev Twice the notice fits between the two waits, to the second; what comes before it is checked first.
    function testReportNotice() external {
        uint256 most = type(uint40).max;
        refusedTrainer(depositRefundTake, abi.encode(1, 4, 4, 2, 0), "reportNotice", 2);
        refusedTrainer(depositRefundTake, abi.encode(1, 9, 9, 5, 0), "reportNotice", 5);
        refusedTrainer(depositRefundTake, abi.encode(5, 5, 5, 1, 0), "reportNotice", 1);
        refusedTrainer(
            depositRefundTake, abi.encode(0, most, most, most / 2 + 1, 0), "reportNotice", most / 2 + 1
        );
        uint256 huge = type(uint256).max;
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, huge, 1 << 80), "reportNotice", huge);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 1 << 40, 2, 0), "anyAddressClaimWait", 1 << 40);
        refusedTrainer(points, abi.encode(1, 2, 3, 2), "reportNotice", 2);
        (address trainer,) = factory.create(
            depositRefundTake, abi.encode(1, 9, 9, 4, 5), sparseNearestCentroid, abi.encode(2, 1)
        );
        assertEq(DepositRefundTake(trainer).reportNotice(), 4, "reportNotice");
        assertEq(DepositRefundTake(trainer).costWeight(), 5, "costWeight");
        factory.create(points, abi.encode(0, most, most, most / 2), sparseNearestCentroid, abi.encode(2, 1));
    }

    function testGetters() external {
        (DepositRefundTake trainer, Classifier classifier) =
            create(sparsePerceptron, abi.encode(40, 10, int256(-5)));
        assertEq(IPerceptron(address(classifier)).learningRate(), 10, "learningRate");
        assertEq(IPerceptron(address(classifier)).intercept(), -5, "intercept");
        assertEq(trainer.owner(), OWNER, "owner");
        assertEq(trainer.classifier(), address(classifier), "classifier");
        assertEq(trainer.refundWait(), REFUND_WAIT, "refundWait");
        assertEq(trainer.ownerClaimWait(), OWNER_WAIT, "ownerClaimWait");
        assertEq(trainer.anyAddressClaimWait(), ANY_WAIT, "anyAddressClaimWait");
        assertEq(trainer.reportNotice(), NO_NOTICE, "reportNotice");
        assertEq(trainer.costWeight(), COST_WEIGHT, "costWeight");
        assertEq(trainer.lastContributionTime(), block.timestamp, "lastContributionTime");
        assertEq(trainer.contributionCount(), 0, "contributionCount");
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
        VM.expectRevert(reason);
        factory.create(depositRefundTake, abi.encode(1, 2, 3, 0, 4), implementation, parameters);
        Classifier clone =
            Classifier(LibClone.clone(implementation, bytes.concat(abi.encode(address(this)), parameters)));
        VM.expectRevert(reason);
        clone.close(ALICE);
        VM.expectRevert(reason);
        clone.describe();
    }

    function accepted(address implementation, bytes memory parameters) private {
        (, Classifier classifier) = create(implementation, parameters);
        closeForMe(classifier);
    }

    function refusedTrainer(address implementation, bytes memory parameters, bytes32 name, uint256 value)
        private
    {
        VM.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        factory.create(implementation, parameters, sparseNearestCentroid, abi.encode(2, 1));
    }
}
