// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {DepositRefundTake} from "../../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../../src/models/Classifier.sol";
import {Encode} from "../../base/Encode.sol";
import {ModelTest} from "../../base/ModelTest.sol";

/// @notice The price of a contribution, and the bounds of the parameters. Points shares all of
/// these but the cost weight.
contract DepositRefundTakeTest is ModelTest {
    DepositRefundTake private trainer;
    Classifier private classifier;

    constructor() {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
    }

    // ---------------------------------------------------------------- Price

    function test_price_ofFirstSeconds() external {
        assertEq(trainer.price(1), COST_WEIGHT * 3600, "at once");
        pass(3);
        assertEq(trainer.price(1), COST_WEIGHT * 3600, "isqrt(3) = 1");
        pass(1);
        assertEq(trainer.price(1), COST_WEIGHT * 1800, "isqrt(4) = 2");
        assertEq(trainer.price(2), COST_WEIGHT * 3600, "isqrt(4 / 2) = 1");
    }

    function testFuzz_price_fallsWithRootOfTime(uint40 time, uint256 n) external {
        time = uint40(bound(time, 0, type(uint40).max - clock()));
        n = bound(n, 1, 1e6);
        pass(time);
        uint256 root;
        uint256 interval = time / n;
        // Bit by bit, from the highest.
        for (uint256 bit = 1 << 20; bit > 0; bit >>= 1) {
            if ((root + bit) * (root + bit) <= interval) root += bit;
        }
        assertEq(trainer.price(n), COST_WEIGHT * 3600 / (root == 0 ? 1 : root), "price");
    }

    // ---------------------------------------------------------------- Parameters

    /// @dev Otherwise the clone would ignore the last bytes of arguments that are not whole words.
    function test_create_failsIfArgumentsAreNotWholeWords() external {
        bytes memory parameters = abi.encode(1, 2, 3, 0, 4);
        refusedTrainer(depositRefundTake, bytes.concat(parameters, new bytes(31)), "arguments", 255);
    }

    function test_create_keepsParameters() external view {
        assertEq(trainer.owner(), OWNER, "owner");
        assertEq(trainer.classifier(), address(classifier), "classifier");
        assertEq(trainer.refundWait(), REFUND_WAIT, "refundWait");
        assertEq(trainer.ownerClaimWait(), OWNER_WAIT, "ownerClaimWait");
        assertEq(trainer.anyAddressClaimWait(), ANY_WAIT, "anyAddressClaimWait");
        assertEq(trainer.reportNotice(), NO_NOTICE, "reportNotice");
        assertEq(trainer.costWeight(), COST_WEIGHT, "costWeight");
        assertEq(trainer.lastContributionTime(), block.timestamp, "lastContributionTime");
        assertEq(trainer.contributionCount(), 0, "contributionCount");
    }

    /// @dev Nobody has checked the parameters of a clone that no factory made.
    function test_contribute_failsIfNotInitialized() external {
        trainer = DepositRefundTake(LibClone.clone(depositRefundTake, abi.encode(ALICE, BOB, 3, 2, 1, 0, 0)));
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.NotInitialized.selector));
        trainer.contribute(Encode.item(0, ""));
    }

    function test_create_boundsWaitsAndCostWeight() external {
        refusedTrainer(depositRefundTake, abi.encode(2, 1, 3, 0, 0), "refundWait", 2);
        refusedTrainer(depositRefundTake, abi.encode(1, 3, 2, 0, 0), "ownerClaimWait", 3);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 1 << 40, 0, 0), "anyAddressClaimWait", 1 << 40);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, 0, 1 << 80), "costWeight", 1 << 80);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, 0), "arguments", 6);
        refusedTrainer(points, abi.encode(2, 1, 3, 0), "refundWait", 2);
        refusedTrainer(points, abi.encode(1, 2, 3, 0, 4), "arguments", 7);

        factory.create(depositRefundTake, abi.encode(0, 0, 0, 0, 0), sparseNearestCentroid, abi.encode(2, 1));
        (address created,) = factory.create(
            depositRefundTake,
            abi.encode(type(uint40).max, type(uint40).max, type(uint40).max, 0, (1 << 80) - 1),
            sparseNearestCentroid,
            abi.encode(2, 1)
        );
        // The largest deposit.
        assertEq(DepositRefundTake(created).price(1), ((1 << 80) - 1) * 3600, "price");
        assertAtMost(DepositRefundTake(created).price(1), type(uint96).max, "price");
    }

    /// @dev Twice the notice fits exactly between the two waits. The parameters before it are
    /// checked first.
    function test_create_boundsReportNotice() external {
        uint256 max = type(uint40).max;
        refusedTrainer(depositRefundTake, abi.encode(1, 4, 4, 2, 0), "reportNotice", 2);
        refusedTrainer(depositRefundTake, abi.encode(1, 9, 9, 5, 0), "reportNotice", 5);
        refusedTrainer(depositRefundTake, abi.encode(5, 5, 5, 1, 0), "reportNotice", 1);
        refusedTrainer(
            depositRefundTake, abi.encode(0, max, max, max / 2 + 1, 0), "reportNotice", max / 2 + 1
        );
        uint256 huge = type(uint256).max;
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 3, huge, 1 << 80), "reportNotice", huge);
        refusedTrainer(depositRefundTake, abi.encode(1, 2, 1 << 40, 2, 0), "anyAddressClaimWait", 1 << 40);
        refusedTrainer(points, abi.encode(1, 2, 3, 2), "reportNotice", 2);
        (address created,) = factory.create(
            depositRefundTake, abi.encode(1, 9, 9, 4, 5), sparseNearestCentroid, abi.encode(2, 1)
        );
        assertEq(DepositRefundTake(created).reportNotice(), 4, "reportNotice");
        assertEq(DepositRefundTake(created).costWeight(), 5, "costWeight");
        factory.create(points, abi.encode(0, max, max, max / 2), sparseNearestCentroid, abi.encode(2, 1));
    }

    function refusedTrainer(address implementation, bytes memory parameters, bytes32 name, uint256 value)
        private
    {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        factory.create(implementation, parameters, sparseNearestCentroid, abi.encode(2, 1));
    }
}
