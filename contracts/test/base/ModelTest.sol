// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {Status} from "../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {ModelFactory} from "../../src/periphery/ModelFactory.sol";
import {Contribution, Encode} from "./Encode.sol";
import {Sign, SignedBatch} from "./Sign.sol";
import {Test} from "./Test.sol";
import {Vm} from "./Vm.sol";

/// @notice All deployed contracts, and short ways to create models and to contribute to them.
abstract contract ModelTest is Test {
    uint256 internal constant REFUND_WAIT = 1 days;
    uint256 internal constant OWNER_WAIT = 8 days;
    uint256 internal constant ANY_WAIT = 9 days;
    uint256 internal constant COST_WEIGHT = 1 ether;
    /// @dev The notice before a report in seconds, on all models but those of tests about notices:
    /// the paper's rule.
    uint256 internal constant NO_NOTICE = 0;

    address internal constant OWNER = address(0x1000000000000000000000000000000000000001);
    address internal constant ALICE = address(0x2000000000000000000000000000000000000002);
    address internal constant BOB = address(0x3000000000000000000000000000000000000003);
    address internal constant CAROL = address(0x4000000000000000000000000000000000000004);

    ModelFactory internal factory = ModelFactory(deploy("ModelFactory"));
    address internal depositRefundTake = deploy("DepositRefundTake");
    address internal points = deploy("Points");
    address internal sparsePerceptron = deploy("SparsePerceptron");
    address internal densePerceptron = deploy("DensePerceptron");
    address internal naiveBayes = deploy("NaiveBayes");
    address internal sparseNearestCentroid = deploy("SparseNearestCentroid");
    address internal denseNearestCentroid = deploy("DenseNearestCentroid");

    constructor() {
        vm.warp(1_800_000_000);
        vm.deal(OWNER, 1e24);
        vm.deal(ALICE, 1e24);
        vm.deal(BOB, 1e24);
        vm.deal(CAROL, 1e24);
    }

    /// @dev Creates a trainer with the usual waits and a still open classifier, both owned by
    /// `OWNER`.
    function create(address classifierImplementation, bytes memory parameters)
        internal
        returns (DepositRefundTake trainer, Classifier classifier)
    {
        vm.prank(OWNER);
        (address trainerAddress, address classifierAddress) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            classifierImplementation,
            parameters
        );
        return (DepositRefundTake(trainerAddress), Classifier(classifierAddress));
    }

    /// @dev Writes one word of an open model.
    function writeWord(Classifier classifier, uint256 offset, uint256 value) internal {
        uint256[] memory values = new uint256[](1);
        values[0] = value;
        vm.prank(OWNER);
        classifier.write(offset, values);
    }

    /// @dev Closes an open model and lets this contract teach it.
    function closeForMe(Classifier classifier) internal {
        vm.prank(OWNER);
        classifier.close(address(this));
    }

    /// @dev Predicts the label of one sample.
    function predict(Classifier classifier, bytes memory sample) internal view returns (uint256) {
        return classifier.predict(Encode.one(sample))[0];
    }

    /// @dev Returns numbers within the bounds of a dense model, many of them at the maximum.
    /// @param room The largest number of the encoding.
    function within(uint256 seed, uint256 features, uint256 maxNumber, uint256 maxSquaredLength, int256 room)
        internal
        pure
        returns (int256[] memory numbers)
    {
        numbers = new int256[](features);
        uint256 rest = maxSquaredLength;
        for (uint256 i; i < features; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, "within", i)));
            uint256 size = random % 3 == 0 ? maxNumber : (random >> 8) % (maxNumber + 1);
            uint256 left = FixedPointMathLib.sqrt(rest);
            if (size > left) size = left;
            numbers[i] = random >> 255 == 0 ? int256(size) : -int256(size);
            if (numbers[i] > room) numbers[i] = room;
            rest -= size * size;
        }
    }

    /// @dev Returns the square root, rounded up.
    function rootUp(uint256 square) internal pure returns (uint256 root) {
        root = FixedPointMathLib.sqrt(square);
        if (root * root < square) ++root;
    }

    /// @dev Returns one word of a model.
    function word(Classifier classifier, uint256 offset) internal view returns (uint256) {
        return classifier.words(offset, 1)[0];
    }

    /// @dev Contributes one sample for its exact price and returns the contribution, as its leaf
    /// has it.
    function contribute(ICollaborativeTrainer trainer, address author, uint256 label, bytes memory sample)
        internal
        returns (Contribution memory made)
    {
        uint256 price = trainer.price(1);
        vm.prank(author);
        uint256 position = trainer.contribute{value: price}(Encode.item(label, sample));
        made.author = author;
        made.label = uint16(label);
        made.deposit = uint96(price);
        made.time = uint40(this.clock());
        made.position = uint64(position);
        made.sample = sample;
    }

    /// @dev Encodes the claim of a contribution that came alone.
    function alone(Contribution memory made) internal pure returns (bytes memory) {
        return bytes.concat(abi.encodePacked(made.position, uint16(1), uint16(0)), Encode.contribution(made));
    }

    /// @dev Contributes samples of one author in one transaction for their exact price.
    function contributeMany(
        ICollaborativeTrainer trainer,
        address author,
        uint256[] memory labels,
        bytes[] memory samples
    ) internal returns (Contribution[] memory made) {
        uint256 price = trainer.price(labels.length);
        made = madeOf(author, price, trainer.contributionCount(), labels, samples);
        vm.prank(author);
        trainer.contribute{value: labels.length * price}(itemsOf(made));
    }

    /// @dev Returns the contributions that result if one author contributes these samples now.
    function madeOf(
        address author,
        uint256 price,
        uint256 first,
        uint256[] memory labels,
        bytes[] memory samples
    ) internal view returns (Contribution[] memory made) {
        made = new Contribution[](labels.length);
        for (uint256 i; i < made.length; ++i) {
            made[i] = Contribution(
                author, uint96(price), uint16(labels[i]), uint40(this.clock()), uint64(first + i), samples[i]
            );
        }
    }

    /// @dev Encodes the items of contributions.
    function itemsOf(Contribution[] memory made) internal pure returns (bytes memory items) {
        for (uint256 i; i < made.length; ++i) {
            items = bytes.concat(items, Encode.item(made[i].label, made[i].sample));
        }
    }

    /// @dev Returns a signed batch without a fee, valid for an hour and for any price.
    function signed(ICollaborativeTrainer trainer, uint256 key, uint256 nonce, bytes memory items)
        internal
        view
        returns (SignedBatch memory)
    {
        return Sign.by(key, address(trainer), unsigned(vm.addr(key), nonce, items));
    }

    /// @dev Returns the same batch without a signature.
    function unsigned(address author, uint256 nonce, bytes memory items)
        internal
        view
        returns (SignedBatch memory batch)
    {
        batch.author = author;
        batch.maxDeposit = type(uint96).max;
        batch.nonce = uint48(nonce);
        batch.deadline = uint40(this.clock() + 1 hours);
        batch.items = items;
    }

    /// @dev Returns the recorded events of one kind.
    function logsOf(bytes32 selector) internal returns (Vm.Log[] memory chosen) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        chosen = new Vm.Log[](logs.length);
        uint256 count;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == selector) chosen[count++] = logs[i];
        }
        assembly ("memory-safe") {
            mstore(chosen, count)
        }
    }

    function requireSettlement(
        ICollaborativeTrainer trainer,
        uint256 position,
        Status status,
        uint256 taken,
        address firstReporter
    ) internal view {
        (Status actual, uint256 actuallyTaken, address actualReporter) = trainer.settlement(position);
        assertEq(uint256(actual), uint256(status), "status");
        assertEq(actuallyTaken, taken, "taken");
        assertEq(actualReporter, firstReporter, "first reporter");
    }

    /// @dev Lets time pass. Reads the clock from outside, because the compiler treats
    /// `block.timestamp` as constant.
    function pass(uint256 time) internal {
        vm.warp(this.clock() + time);
    }

    function clock() public view returns (uint256) {
        return block.timestamp;
    }
}
