// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../interfaces/IClassifier.sol";
import {IMechanismErrors} from "../interfaces/IMechanismErrors.sol";
import {CallGas} from "./CallGas.sol";
import {Claims, Group} from "./Claims.sol";

/// @title ClassifierCalls
/// @notice Calls an untrusted classifier for trainers and markets. It copies no more of an answer
/// than it expects, and no more of an error than `IClassifier` has.
/// @dev A function that ends in `Within` gives the call a fixed amount of gas, and reverts if the
/// call could get less. So the result does not depend on the caller's gas. The others pass on all
/// gas that is left.
///
/// The functions write requests by hand, into memory that stays free. Nothing may be allocated
/// between writing a request and calling with it.
library ClassifierCalls {
    /// @dev Maximum length of an error that is passed on, in bytes: more than the longest of
    /// `IClassifier`.
    uint256 private constant MAX_REASON_LENGTH = 256;

    /// @dev Teaches the classifier the items of a batch.
    /// @return reason The classifier's error; empty if it learned.
    function tryLearn(address classifier, bytes calldata items) internal returns (bytes memory reason) {
        (uint256 request, uint256 size) = _batchRequest(IClassifier.learn.selector, items);
        return _teach(classifier, request, size, gasleft());
    }

    /// @dev Teaches like `tryLearn`, with a fixed amount of gas.
    function tryLearnWithin(address classifier, bytes calldata items, uint256 allowance)
        internal
        returns (bytes memory reason)
    {
        (uint256 request, uint256 size) = _batchRequest(IClassifier.learn.selector, items);
        CallGas.requireFor(allowance);
        return _teach(classifier, request, size, allowance);
    }

    /// @dev Reverts with the classifier's error if it would not learn the items of a batch.
    function check(address classifier, bytes calldata items) internal view {
        (uint256 request, uint256 size) = _batchRequest(IClassifier.check.selector, items);
        _ask(classifier, request, size, gasleft());
    }

    /// @dev Checks like `check`, with a fixed amount of gas.
    function checkWithin(address classifier, bytes calldata items, uint256 allowance) internal view {
        (uint256 request, uint256 size) = _batchRequest(IClassifier.check.selector, items);
        CallGas.requireFor(allowance);
        _ask(classifier, request, size, allowance);
    }

    /// @dev Returns the number of items of a batch whose label the classifier predicts right.
    /// @param items A well-formed batch of at least `skipped + n` items.
    /// @param skipped The number of items at the beginning to leave out.
    /// @param n The number of items to evaluate.
    function evaluate(address classifier, bytes memory items, uint256 skipped, uint256 n)
        internal
        view
        returns (uint256)
    {
        (uint256 request, uint256 size) = _evaluation(items, skipped, n);
        return _count(classifier, request, size, n, gasleft());
    }

    /// @dev Evaluates like `evaluate`, all `n` items of a batch, with a fixed amount of gas.
    function evaluateWithin(address classifier, bytes memory items, uint256 n, uint256 allowance)
        internal
        view
        returns (uint256)
    {
        (uint256 request, uint256 size) = _evaluation(items, 0, n);
        CallGas.requireFor(allowance);
        return _count(classifier, request, size, n, allowance);
    }

    /// @dev Returns the labels that the classifier predicts for the samples of a group. A static
    /// call changes nothing and moves no money. But the labels decide who gets the deposits:
    /// `IClassifier` says what a hostile classifier can do. Copies each sample once.
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
                mstore(add(request, 0x04), 0x20) // offset of the array
                mstore(add(request, 0x24), n)
                heads := add(request, 0x44)
                end := add(heads, shl(5, n))
            }
        }
        for ((uint256 i, uint256 offset) = (0, group.contributions); i < n; ++i) {
            bytes calldata sample;
            (sample, offset) = Claims.sampleAt(claims, offset);
            assembly ("memory-safe") {
                mstore(add(heads, shl(5, i)), sub(end, heads)) // offset of the sample
                mstore(end, sample.length)
                end := add(end, 0x20)
                calldatacopy(end, sample.offset, sample.length)
                // The encoding pads with zeros up to a whole word.
                mstore(add(end, sample.length), 0)
                end := add(end, and(add(sample.length, 0x1f), not(0x1f)))
            }
        }
        bool answered;
        assembly ("memory-safe") {
            // The answer overwrites the longer request. It has the usual encoding: an offset, the
            // length and the labels.
            let expected := add(0x40, shl(5, n))
            answered := staticcall(gas(), classifier, request, sub(end, request), request, expected)
            labels := add(request, 0x20)
            mstore(0x40, add(request, expected))
        }
        if (!answered) _passOn();
        assembly ("memory-safe") {
            // An account without code answers nothing.
            answered := iszero(lt(returndatasize(), add(0x40, shl(5, n))))
            answered := and(answered, and(eq(mload(request), 0x20), eq(mload(labels), n)))
        }
        if (!answered) revert IMechanismErrors.ClassifierFailed();
    }

    /// @dev Writes the call of a function that takes a batch.
    function _batchRequest(bytes4 selector, bytes calldata items)
        private
        pure
        returns (uint256 request, uint256 size)
    {
        assembly ("memory-safe") {
            request := mload(0x40)
            mstore(request, selector)
            mstore(add(request, 0x04), 0x20) // offset of the bytes
            mstore(add(request, 0x24), items.length)
            calldatacopy(add(request, 0x44), items.offset, items.length)
            // The encoding pads with zeros up to a whole word.
            mstore(add(add(request, 0x44), items.length), 0)
            size := add(0x44, and(add(items.length, 0x1f), not(0x1f)))
        }
    }

    /// @dev Writes the call of `evaluate` for `n` items of a batch after the skipped ones. Copies
    /// each sample once.
    function _evaluation(bytes memory items, uint256 skipped, uint256 n)
        private
        pure
        returns (uint256 request, uint256 size)
    {
        bytes4 selector = IClassifier.evaluate.selector;
        assembly ("memory-safe") {
            let item := add(items, 0x20)
            for {} skipped { skipped := sub(skipped, 1) } {
                item := add(add(item, 4), and(shr(224, mload(item)), 0xffff))
            }
            request := mload(0x40)
            let start := add(request, 0x04) // beginning of the arguments
            mstore(request, selector)
            // The labels come first, because their number is known.
            let labels := add(start, 0x60)
            let heads := add(add(labels, shl(5, n)), 0x20)
            mstore(start, sub(sub(heads, 0x20), start)) // offset of the samples
            mstore(add(start, 0x20), 0x40) // offset of the labels
            mstore(add(start, 0x40), n)
            mstore(sub(heads, 0x20), n)
            let base := heads
            let end := add(heads, shl(5, n))
            for { let last := end } lt(heads, last) {} {
                let header := shr(224, mload(item))
                let length := and(header, 0xffff)
                mstore(labels, shr(16, header))
                labels := add(labels, 0x20)
                mstore(heads, sub(end, base)) // offset of the sample
                heads := add(heads, 0x20)
                mstore(end, length)
                end := add(end, 0x20)
                mcopy(end, add(item, 4), length)
                // The encoding pads with zeros up to a whole word.
                mstore(add(end, length), 0)
                end := add(end, and(add(length, 0x1f), not(0x1f)))
                item := add(add(item, 4), length)
            }
            size := sub(end, request)
        }
    }

    /// @dev Calls `learn`. Returns the classifier's error, or `ClassifierFailed` if it gives none.
    function _teach(address classifier, uint256 request, uint256 size, uint256 allowance)
        private
        returns (bytes memory reason)
    {
        bool success;
        assembly ("memory-safe") {
            success := call(allowance, classifier, 0, request, size, 0, 0)
            if iszero(success) {
                let length := returndatasize()
                if gt(length, MAX_REASON_LENGTH) { length := MAX_REASON_LENGTH }
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

    /// @dev Makes a static call and returns the number in the classifier's answer. Returns the
    /// largest number if the answer is shorter than a word. Reverts with the classifier's error.
    function _ask(address classifier, uint256 request, uint256 size, uint256 allowance)
        private
        view
        returns (uint256 answer)
    {
        bool success;
        assembly ("memory-safe") {
            success := staticcall(allowance, classifier, request, size, 0x00, 0x20)
            answer := or(mload(0x00), sub(0, lt(returndatasize(), 0x20)))
        }
        if (!success) _passOn();
    }

    /// @dev Calls `evaluate`, and returns the number of the `n` items that the classifier claims to
    /// predict right.
    function _count(address classifier, uint256 request, uint256 size, uint256 n, uint256 allowance)
        private
        view
        returns (uint256 correct)
    {
        correct = _ask(classifier, request, size, allowance);
        // A larger number would be paid more than the bounty.
        if (correct > n) revert IMechanismErrors.ClassifierFailed();
    }

    /// @dev Reverts with the error of the last call, or with `ClassifierFailed` if it gave none.
    function _passOn() private pure {
        assembly ("memory-safe") {
            let length := returndatasize()
            if gt(length, MAX_REASON_LENGTH) { length := MAX_REASON_LENGTH }
            if length {
                let reason := mload(0x40)
                returndatacopy(reason, 0, length)
                revert(reason, length)
            }
        }
        revert IMechanismErrors.ClassifierFailed();
    }
}
