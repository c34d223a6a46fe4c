// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MODEL_SLOT} from "../../src/libraries/Model.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice The most expensive contribution of each classifier can be refunded and reported within
/// the gas of a transaction. All storage is cold, each present feature has its own word, and no
/// class is empty.
contract BoundsTest is ModelTest {
    uint256 private constant TRANSACTION_GAS = 16_777_216;

    function test_claims_fitOfNaiveBayes() external {
        requireSparseCounts("naive-bayes", naiveBayes, 2, abi.encode(2, 65_536, 257));
        requireSparseCounts("naive-bayes", naiveBayes, 256, abi.encode(256, 65_536, 257));
    }

    function test_claims_fitOfSparseNearestCentroid() external {
        requireSparseCounts("sparse-nearest-centroid", sparseNearestCentroid, 2, abi.encode(2, 65_536));
        requireSparseCounts("sparse-nearest-centroid", sparseNearestCentroid, 256, abi.encode(256, 65_536));
    }

    function test_claims_fitOfDenseNearestCentroid() external {
        requireDenseSums(2, 4096);
        requireDenseSums(4, 4096);
        requireDenseSums(256, 64);
    }

    function test_claims_fitOfDensePerceptron() external {
        (DepositRefundTake trainer, Classifier classifier) =
            create(densePerceptron, Encode.widest16(abi.encode(4096, 65_536, int256(0))));
        for (uint256 i; i < 256; ++i) {
            store(classifier, i, uint256(keccak256(abi.encode(i))));
        }
        int256[] memory numbers = new int256[](4096);
        for (uint256 i; i < 4096; ++i) {
            numbers[i] = int16(uint16(uint256(keccak256(abi.encode(i))))) | 1;
        }
        requireClaims("dense-perceptron.most", trainer, classifier, Encode.dense16(numbers));
    }

    /// @dev The length of a sample has two bytes, so it has at most 32,767 features; here every
    /// second one is present.
    function test_claims_fitOfSparsePerceptron() external {
        (DepositRefundTake trainer, Classifier classifier) =
            create(sparsePerceptron, abi.encode(65_536, 1, int256(0)));
        for (uint256 i; i < 4096; ++i) {
            store(classifier, i, uint256(keccak256(abi.encode(i))));
        }
        requireClaims("sparse-perceptron.most", trainer, classifier, scattered(32_767, 2));
    }

    function requireSparseCounts(
        string memory name,
        address implementation,
        uint256 classes,
        bytes memory parameters
    ) private {
        (DepositRefundTake trainer, Classifier classifier) = create(implementation, parameters);
        uint256 max = 5120 / classes;
        for (uint256 class; class < classes; ++class) {
            store(classifier, class, 1_000_000 | uint256(1 << 47) << 32);
            for (uint256 i; i < max; ++i) {
                uint256 lanes = uint256(keccak256(abi.encode(class, i))) >> 1 | 1;
                store(classifier, classes + class * 4096 + i, lanes);
            }
        }
        requireClaims(
            string.concat(name, ".most-of-", vm.toString(classes)), trainer, classifier, scattered(max, 16)
        );
    }

    function requireDenseSums(uint256 classes, uint256 features) private {
        (DepositRefundTake trainer, Classifier classifier) =
            create(denseNearestCentroid, Encode.widest32(abi.encode(classes, features)));
        for (uint256 i; i < classes * (1 + features / 4); ++i) {
            // As headers these words have some billions of samples; as sums they have 63 bits.
            store(classifier, i, uint256(keccak256(abi.encode(i))) | 1 << 31);
        }
        int256[] memory numbers = new int256[](features);
        for (uint256 i; i < features; ++i) {
            numbers[i] = int32(uint32(uint256(keccak256(abi.encode(i))))) | 1;
        }
        requireClaims(
            string.concat("dense-nearest-centroid.most-of-", vm.toString(classes)),
            trainer,
            classifier,
            Encode.dense32(numbers)
        );
    }

    /// @dev Contributes the sample with the predicted label, to refund it, and with another label,
    /// to report it.
    function requireClaims(
        string memory name,
        DepositRefundTake trainer,
        Classifier classifier,
        bytes memory sample
    ) private {
        vm.prank(OWNER);
        classifier.close(address(trainer));
        uint256 label = predict(classifier, sample);
        Contribution memory good = contribute(trainer, ALICE, label, sample);
        Contribution memory bad = contribute(trainer, BOB, label == 0 ? 1 : 0, sample);
        // A perceptron learns from it, so another lesson restores the prediction.
        if (predict(classifier, sample) != label) contribute(trainer, BOB, label, sample);
        pass(REFUND_WAIT);
        vm.prank(ALICE, ALICE);
        trainer.refund(alone(good));
        requireFits(string.concat("refund.", name));
        vm.prank(ALICE, ALICE);
        trainer.report(alone(bad));
        requireFits(string.concat("report.", name));
    }

    /// @dev Computes the gas limit that a transaction needs, not only the used gas. Two clones and
    /// the trainer's question each keep back a 64th of their gas.
    function requireFits(string memory name) private {
        uint256 needed = vm.lastCallGas().gasTotalUsed * 64 ** 3 / 63 ** 3;
        assertAtMost(needed, TRANSACTION_GAS, name);
        vm.snapshotValue("gas", name, vm.lastCallGas().gasTotalUsed);
    }

    /// @dev Returns a sample of features `step` apart.
    function scattered(uint256 count, uint256 step) private pure returns (bytes memory) {
        uint256[] memory indices = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            indices[i] = i * step + step - 1;
        }
        return Encode.sparse(indices);
    }

    function store(Classifier classifier, uint256 offset, uint256 value) private {
        vm.store(address(classifier), bytes32(MODEL_SLOT + offset), bytes32(value));
    }
}
