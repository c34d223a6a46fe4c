// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IClassifier} from "../interfaces/IClassifier.sol";
import {IMechanismErrors} from "../interfaces/IMechanismErrors.sol";
import {IPackedModel} from "../interfaces/IPackedModel.sol";

/// @title ModelCopies
/// @notice Copies models: clones of the same implementation with the same parameters, but another
/// owner.
/// @dev The calls are written by hand, because the compiler's code for them is several times as
/// long. The library does not pass on the model's errors.
library ModelCopies {
    /// @dev Offset of the implementation's address in a clone's code, in bytes.
    uint256 private constant IMPLEMENTATION_OFFSET = 10;

    /// @dev Returns two fields of a model's description.
    /// @return trainer The address that may teach the model; zero while its initialization is open.
    /// @return words The model's size in words.
    function describe(address model) internal view returns (address trainer, uint256 words) {
        bytes4 selector = IClassifier.describe.selector;
        bool answered;
        assembly ("memory-safe") {
            let answer := mload(0x40)
            mstore(answer, selector)
            // Copies the offset of the description and its seven words; the first of these is the
            // offset of the kind.
            answered := staticcall(gas(), model, answer, 0x04, answer, 0x100)
            answered := and(answered, gt(returndatasize(), 0xff))
            answered := and(answered, eq(mload(answer), 0x20))
            trainer := mload(add(answer, 0xc0))
            words := mload(add(answer, 0xe0))
            // A classifier encodes it as an address.
            answered := and(answered, iszero(shr(160, trainer)))
        }
        if (!answered) revert IMechanismErrors.ClassifierFailed();
    }

    /// @dev Creates an empty copy of a model, whose owner is this contract.
    function create(address model) internal returns (address instance) {
        bytes memory arguments = LibClone.argsOnClone(model);
        // The first word is the owner. A contract that is no clone of a model has no such
        // arguments.
        if (arguments.length < 32) revert IMechanismErrors.ClassifierFailed();
        address implementation;
        assembly ("memory-safe") {
            mstore(add(arguments, 0x20), address())
            extcodecopy(model, 0x00, IMPLEMENTATION_OFFSET, 0x20)
            implementation := shr(96, mload(0x00))
        }
        return LibClone.clone(implementation, arguments);
    }

    /// @dev Copies words from one model to another one that this contract owns.
    function copy(address from, address to, uint256 offset, uint256 count) internal {
        bytes4 reading = IPackedModel.words.selector;
        bytes4 writing = IPackedModel.write.selector;
        bool done;
        assembly ("memory-safe") {
            let request := mload(0x40)
            let size := add(0x40, shl(5, count))
            mstore(request, reading)
            mstore(add(request, 0x04), offset)
            mstore(add(request, 0x24), count)
            // The answer has the offset of the array, its length and the words. It is most of the
            // next request; the code puts the offset of the write before it.
            let answer := add(request, 0x24)
            done := staticcall(gas(), from, request, 0x44, answer, size)
            done := and(done, iszero(lt(returndatasize(), size)))
            done := and(done, and(eq(mload(answer), 0x20), eq(mload(add(answer, 0x20)), count)))
            if done {
                mstore(request, writing)
                mstore(add(request, 0x04), offset)
                mstore(answer, 0x40)
                done := call(gas(), to, 0, request, add(0x24, size), 0, 0)
            }
        }
        if (!done) revert IMechanismErrors.ClassifierFailed();
    }
}
