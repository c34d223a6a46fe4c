// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IERC1271} from "../../src/interfaces/IERC1271.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Test} from "../base/Test.sol";

/// @notice A classifier with an arbitrary answer, which learns or not.
contract AnyClassifier {
    uint256 private immutable _LABEL;
    bool private immutable _LEARNS;

    error LearnsNothing();

    constructor(uint256 label, bool learns) {
        _LABEL = label;
        _LEARNS = learns;
    }

    function predict(bytes[] calldata) external view returns (uint256[] memory labels) {
        labels = new uint256[](1);
        labels[0] = _LABEL;
    }

    function learn(bytes calldata) external view {
        if (!_LEARNS) revert LearnsNothing();
    }
}

/// @notice A wallet that accepts every signature, or none.
contract AnyWallet is IERC1271 {
    bool private immutable _SIGNED;

    constructor(bool signed) {
        _SIGNED = signed;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        return _SIGNED ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice A wallet that accepts signatures of one hash.
contract OneSignature is IERC1271 {
    bytes32 private immutable _HASH;

    constructor(bytes32 hash) {
        _HASH = hash;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        return hash == _HASH ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice The common part of the proofs about a trainer. It has a trainer as deployed, a clone of
/// the implementation, and a way to set its state.
abstract contract TrainerProofs is Test {
    uint40 internal constant NOW = 1_800_000_000;
    address internal constant OWNER = address(0x1000000000000000000000000000000000000001);
    address internal constant AUTHOR = address(0x2000000000000000000000000000000000000002);
    address internal constant OTHER = address(0x3000000000000000000000000000000000000003);

    // The slots of the trainer's storage; the proofs read back what they wrote.
    uint256 internal constant ACCOUNTS = 0;
    uint256 internal constant STATE = 1;
    uint256 internal constant STATUSES = 2;
    uint256 internal constant SETTLEMENTS = 3;
    uint256 internal constant ROOTS = 5;
    uint256 internal constant ANNOUNCEMENTS = 6;

    address private _implementation = address(new DepositRefundTake());

    function create(uint256 costWeight, address classifier) internal returns (DepositRefundTake trainer) {
        return create(costWeight, classifier, 0);
    }

    /// @param notice The notice, in seconds, at most 84 hours.
    function create(uint256 costWeight, address classifier, uint256 notice)
        internal
        returns (DepositRefundTake trainer)
    {
        vm.warp(NOW);
        trainer = DepositRefundTake(
            LibClone.clone(
                _implementation, abi.encode(OWNER, classifier, 1 days, 8 days, 9 days, notice, costWeight)
            )
        );
        trainer.initialize();
    }

    function store(DepositRefundTake trainer, uint256 slot, uint256 word) internal {
        vm.store(address(trainer), bytes32(slot), bytes32(word));
    }

    /// @dev Returns the slot of an element of a mapping.
    function slotOf(uint256 key, uint256 slot) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(key, slot)));
    }

    function call(DepositRefundTake trainer, address caller, uint256 value, bytes memory data)
        internal
        returns (bool success)
    {
        vm.prank(caller);
        (success,) = address(trainer).call{value: value}(data);
    }
}
