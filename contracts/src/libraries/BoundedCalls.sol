// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../interfaces/IClassifier.sol";
import {IMechanismErrors} from "../interfaces/IMechanismErrors.sol";
import {CallGas} from "./CallGas.sol";

/// @title BoundedCalls
/// @notice Calls of a classifier that may be anybody's, with a fixed amount of gas, or with all of it where a failure reverts:
/// what comes of them does not depend on how much the caller has, and no more of an answer is copied than what is expected.
library BoundedCalls {
    /// @dev The most of an error that is passed on, in bytes: more than the longest of `IClassifier`.
    uint256 private constant LONGEST_REASON = 256;

    /// @dev Reverts with what the classifier says of a batch, where it says something. With all gas that is left.
    function check(address classifier, bytes calldata items) internal view {
        _ask(classifier, _request(IClassifier.check.selector, items), gasleft());
    }

    /// @dev The same with a fixed amount of gas.
    function checkWithin(address classifier, bytes calldata items, uint256 allowance) internal view {
        bytes memory request = _request(IClassifier.check.selector, items);
        CallGas.requireFor(allowance);
        _ask(classifier, request, allowance);
    }

    /// @dev How many of the items the classifier predicts right. With all gas that is left.
    /// @param items A well-formed batch of at least `skipped + n` items; the first ones are left out.
    function evaluate(address classifier, bytes memory items, uint256 skipped, uint256 n)
        internal
        view
        returns (uint256)
    {
        return _count(classifier, _evaluation(items, skipped, n), n, gasleft());
    }

    /// @dev The same of a batch of `n` items with a fixed amount of gas.
    function evaluateWithin(address classifier, bytes memory items, uint256 n, uint256 allowance)
        internal
        view
        returns (uint256)
    {
        bytes memory request = _evaluation(items, 0, n);
        CallGas.requireFor(allowance);
        return _count(classifier, request, n, allowance);
    }

    /// @dev Teaches the classifier.
    function learnWithin(address classifier, bytes calldata items, uint256 allowance)
        internal
        returns (bool success)
    {
        bytes memory request = _request(IClassifier.learn.selector, items);
        CallGas.requireFor(allowance);
        assembly ("memory-safe") {
            success := call(allowance, classifier, 0, add(request, 0x20), mload(request), 0, 0)
        }
    }

    /// @dev The number that the classifier answers; the largest where it answers less than a word.
    function _ask(address classifier, bytes memory request, uint256 allowance)
        private
        view
        returns (uint256 answer)
    {
        bool success;
        uint256 size;
        assembly ("memory-safe") {
            success := staticcall(allowance, classifier, add(request, 0x20), mload(request), 0x00, 0x20)
            size := returndatasize()
            answer := or(mload(0x00), sub(0, lt(size, 0x20)))
        }
        if (success) return answer;
        if (size == 0) revert IMechanismErrors.ClassifierFailed();
        assembly ("memory-safe") {
            if gt(size, LONGEST_REASON) { size := LONGEST_REASON }
            let reason := mload(0x40)
            returndatacopy(reason, 0, size)
            revert(reason, size)
        }
    }

    /// @dev What the classifier answers to an evaluation of `n` items.
    function _count(address classifier, bytes memory request, uint256 n, uint256 allowance)
        private
        view
        returns (uint256 correct)
    {
        correct = _ask(classifier, request, allowance);
        // More than there are would be paid more than the bounty.
        if (correct > n) revert IMechanismErrors.ClassifierFailed();
    }

    /// @dev The call of a function that takes a batch.
    function _request(bytes4 selector, bytes calldata items) private pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, items);
    }

    /// @dev The call of `evaluate` for `n` items of a batch after those that are skipped, written by hand to copy each sample once.
    function _evaluation(bytes memory items, uint256 skipped, uint256 n)
        private
        pure
        returns (bytes memory request)
    {
        bytes4 selector = IClassifier.evaluate.selector;
        assembly ("memory-safe") {
            let place := add(items, 0x20)
            for {} skipped { skipped := sub(skipped, 1) } {
                place := add(add(place, 4), and(shr(224, mload(place)), 0xffff))
            }
            request := mload(0x40)
            let start := add(request, 0x24) // where the arguments begin
            mstore(add(request, 0x20), selector)
            // The labels come first: their number is known.
            let labels := add(start, 0x60)
            let heads := add(add(labels, shl(5, n)), 0x20)
            mstore(start, sub(sub(heads, 0x20), start)) // where the samples begin
            mstore(add(start, 0x20), 0x40) // where the labels begin
            mstore(add(start, 0x40), n)
            mstore(sub(heads, 0x20), n)
            let base := heads
            let end := add(heads, shl(5, n))
            for { let last := end } lt(heads, last) {} {
                let header := shr(224, mload(place))
                let length := and(header, 0xffff)
                mstore(labels, shr(16, header))
                labels := add(labels, 0x20)
                mstore(heads, sub(end, base)) // where the sample begins
                heads := add(heads, 0x20)
                mstore(end, length)
                end := add(end, 0x20)
                mcopy(end, add(place, 4), length)
                // Zeros up to a whole word, as the encoding has it.
                mstore(add(end, length), 0)
                end := add(end, and(add(length, 0x1f), not(0x1f)))
                place := add(add(place, 4), length)
            }
            mstore(request, sub(sub(end, request), 0x20))
            mstore(0x40, and(add(end, 0x1f), not(0x1f)))
        }
    }
}
