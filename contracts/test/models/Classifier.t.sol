// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, Encoding, IClassifier} from "../../src/interfaces/IClassifier.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IOwned} from "../../src/interfaces/IOwned.sol";
import {IPackedModel} from "../../src/interfaces/IPackedModel.sol";
import {Samples} from "../../src/libraries/Samples.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {SparsePerceptron} from "../../src/models/SparsePerceptron.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice The life of a classifier, and the checks that all classifiers share.
contract ClassifierTest is ModelTest {
    /// @dev Creates a sparse perceptron of 40 features, which has 3 words.
    function open() private returns (Classifier classifier) {
        (, classifier) = create(sparsePerceptron, abi.encode(40, 10, int256(-5)));
    }

    function test_write_failsIfNotOwner() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, ALICE, OWNER));
        vm.prank(ALICE);
        classifier.write(9, new uint256[](9));
    }

    function test_write_failsIfClosed() external {
        Classifier classifier = open();
        closeForMe(classifier);
        vm.expectRevert(abi.encodeWithSelector(IPackedModel.InitializationClosed.selector));
        vm.prank(OWNER);
        classifier.write(9, new uint256[](9));
    }

    function test_write_failsIfOutOfRange() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IPackedModel.WordsOutOfRange.selector, 2, 2, 3));
        vm.prank(OWNER);
        classifier.write(2, new uint256[](2));
        // The sum of offset and count would wrap.
        vm.expectRevert(
            abi.encodeWithSelector(IPackedModel.WordsOutOfRange.selector, type(uint256).max, 1, 3)
        );
        vm.prank(OWNER);
        classifier.write(type(uint256).max, new uint256[](1));
        vm.expectRevert(abi.encodeWithSelector(IPackedModel.WordsOutOfRange.selector, 0, 4, 3));
        classifier.words(0, 4);
    }

    function test_write_overwritesInAnyOrder() external {
        Classifier classifier = open();
        writeWord(classifier, 2, 22);
        writeWord(classifier, 0, 5);
        uint256[] memory values = new uint256[](2);
        (values[0], values[1]) = (10, 11);
        vm.expectEmit(address(classifier));
        emit IPackedModel.WordsWritten(0, 2);
        vm.prank(OWNER);
        classifier.write(0, values);
        values = classifier.words(0, 3);
        assertEq(values[0], 10, "word 0");
        assertEq(values[1], 11, "word 1");
        assertEq(values[2], 22, "word 2");
        assertEq(classifier.words(3, 0).length, 0, "no words at the end");
    }

    /// @dev A dense model learns from no sample beyond its bounds, at any index of a batch, but
    /// still predicts it.
    function test_learn_failsBeyondBoundsAndPredictDoesNot() external {
        (, Classifier perceptron) = create(densePerceptron, abi.encode(2, 65_536, int256(0), 4, 25));
        (, Classifier centroid) = create(denseNearestCentroid, abi.encode(2, 2, 4, 25));
        closeForMe(perceptron);
        closeForMe(centroid);
        // 3 and -4; -5 and 0; 4 and 4.
        boundsHold(perceptron, hex"0003fffc", hex"fffb0000", hex"00040004");
        boundsHold(centroid, hex"00000003fffffffc", hex"fffffffb00000000", hex"0000000400000004");
    }

    function boundsHold(Classifier classifier, bytes memory good, bytes memory large, bytes memory long)
        private
    {
        bytes memory tooLarge = abi.encodeWithSelector(Samples.NumberTooLarge.selector, 1, 0, int256(-5), 4);
        bytes memory tooLong = abi.encodeWithSelector(Samples.SquaredLengthTooLarge.selector, 1, 32, 25);
        refusesBoth(classifier, bytes.concat(Encode.item(1, good), Encode.item(1, large)), tooLarge);
        refusesBoth(classifier, bytes.concat(Encode.item(1, good), Encode.item(1, long)), tooLong);
        assertEq(predict(classifier, large) + predict(classifier, long), 0, "predictions");
        uint256[] memory labels = new uint256[](2);
        bytes[] memory samples = new bytes[](2);
        (samples[0], samples[1]) = (large, long);
        assertEq(classifier.evaluate(samples, labels), 2, "evaluation");
        classifier.check(Encode.item(1, good));
        classifier.learn(Encode.item(1, good));
        assertEq(predict(classifier, good), 1, "learned");
    }

    function refusesBoth(Classifier classifier, bytes memory batch, bytes memory reason) private {
        vm.expectRevert(reason);
        classifier.check(batch);
        vm.expectRevert(reason);
        classifier.learn(batch);
    }

    function test_close_failsIfNotOwner() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, ALICE, OWNER));
        vm.prank(ALICE);
        classifier.close(address(0));
    }

    function test_close_failsIfTrainerIsZero() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IPackedModel.InvalidTrainer.selector));
        vm.prank(OWNER);
        classifier.close(address(0));
    }

    function test_close_failsIfClosed() external {
        Classifier classifier = open();
        vm.expectEmit(address(classifier));
        emit IPackedModel.Closed(address(this));
        closeForMe(classifier);
        vm.expectRevert(abi.encodeWithSelector(IPackedModel.InitializationClosed.selector));
        vm.prank(OWNER);
        classifier.close(address(0));
    }

    function test_learn_failsIfOpen() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IClassifier.InitializationOpen.selector));
        classifier.learn("");
    }

    function test_learn_failsIfNotTrainer() external {
        Classifier classifier = open();
        closeForMe(classifier);
        vm.expectRevert(abi.encodeWithSelector(IClassifier.NotTrainer.selector, OWNER, address(this)));
        vm.prank(OWNER);
        classifier.learn("");
    }

    function test_learn_failsAsCheckDoes() external {
        Classifier classifier = open();
        closeForMe(classifier);
        bytes memory good = Encode.item(1, hex"0001");
        refuses(classifier, "", abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        refuses(
            classifier,
            bytes.concat(good, hex"0001"),
            abi.encodeWithSelector(IErrors.MalformedBatch.selector, 6)
        );
        // The label of an item is checked before its sample, and an item before the next.
        refuses(
            classifier,
            bytes.concat(good, Encode.item(2, hex"00"), hex"00"),
            abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 1, 2, 2)
        );
        refuses(
            classifier,
            bytes.concat(good, good, Encode.item(0, hex"000000")),
            abi.encodeWithSelector(Samples.OddSampleLength.selector, 2, 3)
        );
        refuses(
            classifier,
            Encode.item(0, hex"00030002"),
            abi.encodeWithSelector(Samples.FeatureNotIncreasing.selector, 0, 1, 2, 3)
        );
        refuses(
            classifier,
            Encode.item(0, hex"00030028"),
            abi.encodeWithSelector(Samples.FeatureOutOfRange.selector, 0, 1, 40, 40)
        );
        classifier.check(bytes.concat(good, Encode.item(0, hex"00030027")));
    }

    /// @dev Tests the maximum number of features that a transaction can predict from, and one more.
    function test_check_failsIfTooManyFeatures() external {
        address[2] memory implementations = [naiveBayes, sparseNearestCentroid];
        for (uint256 i; i < 2; ++i) {
            bytes memory smoothing = i == 0 ? abi.encode(256) : bytes("");
            (, Classifier classifier) =
                create(implementations[i], bytes.concat(abi.encode(3, 1708), smoothing));
            closeForMe(classifier);
            bytes memory max = firstFeatures(1706);
            classifier.check(Encode.item(0, max));
            assertEq(predict(classifier, max), 0, "the maximum");
            refuses(
                classifier,
                bytes.concat(Encode.item(0, ""), Encode.item(0, firstFeatures(1707))),
                abi.encodeWithSelector(IClassifier.TooManyFeatures.selector, 1, 1707, 1706)
            );
            vm.expectRevert(abi.encodeWithSelector(IClassifier.TooManyFeatures.selector, 0, 1707, 1706));
            classifier.predict(Encode.one(firstFeatures(1707)));
            // The range is checked first.
            refuses(
                classifier,
                Encode.item(0, firstFeatures(1709)),
                abi.encodeWithSelector(Samples.FeatureOutOfRange.selector, 0, 1708, 1708, 1708)
            );
        }
    }

    /// @dev Tests numbers that fill their bytes: the last feature, the last class.
    function test_learn_takesLargestFeatureAndLabel() external {
        (, Classifier classifier) = create(sparsePerceptron, abi.encode(65_536, 7, int256(0)));
        closeForMe(classifier);
        classifier.learn(Encode.item(1, hex"ffff"));
        assertEq(word(classifier, 4095), 7 << 240, "weight");
        assertEq(predict(classifier, hex"ffff"), 1, "perceptron");
        address[2] memory implementations = [naiveBayes, sparseNearestCentroid];
        for (uint256 i; i < 2; ++i) {
            bytes memory smoothing = i == 0 ? abi.encode(256) : bytes("");
            (, classifier) = create(implementations[i], bytes.concat(abi.encode(256, 65_536), smoothing));
            closeForMe(classifier);
            classifier.learn(bytes.concat(Encode.item(0, hex"0000"), Encode.item(255, hex"ffff")));
            assertEq(word(classifier, 256 + 256 * 4096 - 1), 1 << 240, "count");
            assertEq(predict(classifier, hex"ffff"), 255, "counts");
        }
        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(4, 4096)));
        closeForMe(classifier);
        int256[] memory numbers = new int256[](4096);
        bytes memory origin = Encode.dense32(numbers);
        numbers[4095] = 9;
        bytes memory sample = Encode.dense32(numbers);
        classifier.learn(bytes.concat(Encode.item(0, origin), Encode.item(3, sample)));
        assertEq(word(classifier, 4 + 4 * 1024 - 1), 9 << 192, "sum");
        assertEq(predict(classifier, sample), 3, "dense");
    }

    function test_predict_failsNamingSample() external {
        Classifier classifier = open();
        bytes[] memory samples = new bytes[](2);
        samples[1] = hex"00";
        vm.expectRevert(abi.encodeWithSelector(Samples.OddSampleLength.selector, 1, 1));
        classifier.predict(samples);
    }

    function test_evaluate_failsIfLengthsDifferOrLabelOutOfRange() external {
        Classifier classifier = open();
        vm.expectRevert(abi.encodeWithSelector(IClassifier.LengthsDiffer.selector, 1, 2));
        classifier.evaluate(new bytes[](1), new uint256[](2));
        uint256[] memory labels = new uint256[](1);
        labels[0] = 2;
        vm.expectRevert(abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 2, 2));
        classifier.evaluate(new bytes[](1), labels);
    }

    function test_predict_predictsMany() external {
        Classifier classifier = open();
        // The weight of each feature from 0 to 15 is its index, and the intercept is -5.
        uint256 weights;
        for (uint256 i; i < 16; ++i) {
            weights |= i << (16 * i);
        }
        writeWord(classifier, 0, weights);
        bytes[] memory samples = new bytes[](20);
        uint256[] memory labels = new uint256[](20);
        for (uint256 i; i < 16; ++i) {
            samples[i] = abi.encodePacked(uint16(i));
            labels[i] = 1;
        }
        uint256[] memory predicted = classifier.predict(samples);
        for (uint256 i; i < 20; ++i) {
            assertEq(predicted[i], i > 5 && i < 16 ? 1 : 0, "predicted");
        }
        // Samples 6 to 15 are right about class 1, and the four empty samples about class 0.
        assertEq(classifier.evaluate(samples, labels), 14, "correct");
        assertEq(classifier.predict(new bytes[](0)).length, 0, "no samples");
    }

    function test_describe_saysAll() external {
        Classifier classifier = open();
        describes(classifier, "sparse perceptron", Encoding.Sparse, 2, 40, 3);
        assertEq(classifier.describe().trainer, address(0), "open");
        closeForMe(classifier);
        assertEq(classifier.describe().trainer, address(this), "trainer");
        (, classifier) = create(densePerceptron, Encode.widest16(abi.encode(33, 1, int256(0))));
        describes(classifier, "dense perceptron", Encoding.Dense16, 2, 33, 3);
        (, classifier) = create(naiveBayes, abi.encode(3, 17, 256));
        describes(classifier, "naive Bayes", Encoding.Sparse, 3, 17, 9);
        (, classifier) = create(sparseNearestCentroid, abi.encode(3, 16));
        describes(classifier, "sparse nearest centroid", Encoding.Sparse, 3, 16, 6);
        (, classifier) = create(denseNearestCentroid, Encode.widest32(abi.encode(4, 5)));
        describes(classifier, "dense nearest centroid", Encoding.Dense32, 4, 5, 12);
    }

    /// @dev Nobody owns or teaches an implementation.
    function test_constructor_locksImplementation() external {
        SparsePerceptron implementation = SparsePerceptron(sparsePerceptron);
        // The error can be any: pieces of its code stand in place of its arguments.
        vm.expectRevert();
        implementation.write(0, new uint256[](0));
        vm.expectRevert();
        implementation.close(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IClassifier.NotTrainer.selector, address(this), sparsePerceptron)
        );
        implementation.learn(hex"00000000");
    }

    /// @dev Writing 700 words, each to a new slot, fits into a transaction. Models of any size are
    /// written in such parts.
    function test_write_fitsChunkBelowGasLimit() external {
        (, Classifier classifier) = create(naiveBayes, abi.encode(2, 65_536, 256));
        uint256[] memory values = new uint256[](700);
        for (uint256 i; i < values.length; ++i) {
            values[i] = type(uint256).max;
        }
        for (uint256 part; part < 2; ++part) {
            uint256 before = gasleft();
            vm.prank(OWNER);
            classifier.write(part * 700, values);
            uint256 used = before - gasleft();
            // Adds the transaction itself, and calldata without zero bytes.
            used += 21_000 + 16 * 32 * values.length;
            assertAtMost(used, 16_777_216, "gas");
        }
        assertEq(word(classifier, 1399), type(uint256).max, "last word");
    }

    function firstFeatures(uint256 count) private pure returns (bytes memory) {
        uint256[] memory indices = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            indices[i] = i;
        }
        return Encode.sparse(indices);
    }

    function refuses(Classifier classifier, bytes memory batch, bytes memory reason) private {
        vm.expectRevert(reason);
        classifier.check(batch);
        vm.expectRevert(reason);
        classifier.learn(batch);
    }

    function describes(
        Classifier classifier,
        string memory kind,
        Encoding encoding,
        uint256 classes,
        uint256 features,
        uint256 words
    ) private view {
        Description memory description = classifier.describe();
        assertEq(bytes(description.kind), bytes(kind), "kind");
        assertTrue(description.encoding == encoding, "encoding");
        assertEq(description.classes, classes, "classes");
        assertEq(description.features, features, "features");
        assertEq(description.owner, OWNER, "owner");
        assertEq(description.words, words, "words");
    }
}
