// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../interfaces/IClassifier.sol";
import {IMechanismErrors} from "../interfaces/IMechanismErrors.sol";
import {CallGas} from "./CallGas.sol";
import {Claims, Group} from "./Claims.sol";

/// @title ClassifierCalls
/// @notice Calls of a classifier that may be anybody's: whatever it answers, no more than what is expected is
/// copied.
library ClassifierCalls {
    /// @dev The most of an error that is passed on, in bytes: more than the longest of `IClassifier`.
    uint256 private constant LONGEST_REASON = 256;

    /// @dev Teaches the classifier, which may use all gas.
    /// @return reason Why it failed; nothing where it did not.
    function tryLearn(address classifier, bytes calldata items) internal returns (bytes memory reason) {
        (uint256 request, uint256 size) = _lesson(items);
        return _teach(classifier, request, size, gasleft());
    }

    /// @dev The same with a fixed amount of gas. Reverts if the classifier could get less.
    function tryLearnWithin(address classifier, bytes calldata items, uint256 allowance)
        internal
        returns (bytes memory reason)
    {
        (uint256 request, uint256 size) = _lesson(items);
        CallGas.requireFor(allowance);
        return _teach(classifier, request, size, allowance);
    }

    /// @dev Encodes the call that teaches items, in memory that is free.
    function _lesson(bytes calldata items) private pure returns (uint256 request, uint256 size) {
        bytes4 selector = IClassifier.learn.selector;
        assembly ("memory-safe") {
            request := mload(0x40)
            mstore(request, selector)
            mstore(add(request, 0x04), 0x20) // where the bytes begin
            mstore(add(request, 0x24), items.length)
            calldatacopy(add(request, 0x44), items.offset, items.length)
            // Zeros up to a whole word, as the encoding has it.
            mstore(add(add(request, 0x44), items.length), 0)
            size := add(0x44, and(add(items.length, 0x1f), not(0x1f)))
        }
    }

    function _teach(address classifier, uint256 request, uint256 size, uint256 allowance)
        private
        returns (bytes memory reason)
    {
        bool success;
        assembly ("memory-safe") {
            success := call(allowance, classifier, 0, request, size, 0, 0)
            if iszero(success) {
                let length := returndatasize()
                if gt(length, LONGEST_REASON) { length := LONGEST_REASON }
                reason := request
                mstore(reason, length)
                returndatacopy(add(reason, 0x20), 0, length)
                mstore(0x40, add(add(reason, 0x20), length))
            }
        }
        if (!success && reason.length == 0) {
            return abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector);
        }
    }

    /// @dev The labels that the classifier predicts for the samples of a group. A static call changes nothing and
    /// moves no money, but the labels decide who gets the deposits: `IClassifier` says what a hostile classifier
    /// can do. Written by hand to copy each sample once, and no more of the answer than the labels.
    function predict(address classifier, bytes calldata claims, Group memory group)
        internal
        view
        returns (uint256[] memory labels)
    {
        uint256 n = group.leaves.length;
        uint256 request;
        uint256 heads;
        uint256 end;
        {
            bytes4 selector = IClassifier.predict.selector;
            assembly ("memory-safe") {
                request := mload(0x40)
                mstore(request, selector)
                mstore(add(request, 0x04), 0x20) // where the array begins
                mstore(add(request, 0x24), n)
                heads := add(request, 0x44)
                end := add(heads, shl(5, n))
            }
        }
        for ((uint256 i, uint256 offset) = (0, group.contributions); i < n; ++i) {
            bytes calldata sample;
            (sample, offset) = Claims.sampleAt(claims, offset);
            assembly ("memory-safe") {
                mstore(add(heads, shl(5, i)), sub(end, heads)) // where the sample begins
                mstore(end, sample.length)
                end := add(end, 0x20)
                calldatacopy(end, sample.offset, sample.length)
                // Zeros up to a whole word, as the encoding has it.
                mstore(add(end, sample.length), 0)
                end := add(end, and(add(sample.length, 0x1f), not(0x1f)))
            }
        }
        bool answered;
        assembly ("memory-safe") {
            // The answer in the usual encoding, an offset, the length, the labels, takes the place of the longer
            // request.
            let expected := add(0x40, shl(5, n))
            answered := staticcall(gas(), classifier, request, sub(end, request), request, expected)
            if iszero(answered) {
                let length := returndatasize()
                if gt(length, LONGEST_REASON) { length := LONGEST_REASON }
                if length {
                    returndatacopy(request, 0, length)
                    revert(request, length)
                }
            }
            labels := add(request, 0x20)
            mstore(0x40, add(request, expected))
            // An account without code answers nothing.
            answered := and(answered, iszero(lt(returndatasize(), expected)))
            answered := and(answered, and(eq(mload(request), 0x20), eq(mload(labels), n)))
        }
        if (!answered) revert IMechanismErrors.ClassifierFailed();
    }
}
