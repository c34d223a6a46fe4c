// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IErrors} from "../interfaces/IErrors.sol";

/// @dev Offset of the arguments in a clone's code, in bytes. It is outside of the library because
/// assembly of other files uses it.
uint256 constant ARGUMENTS_OFFSET = 0x2d;

/// @title CloneArguments
/// @notice Reads the immutable arguments of a clone: 32-byte words at the end of its code.
/// @dev Reading code of the running contract costs 100 gas, reading a storage slot 2,100. An
/// implementation has no arguments: its words are pieces of its code.
library CloneArguments {
    /// @dev Returns all arguments. Reverts unless they are whole words, because no check would see
    /// bytes after the last one.
    function load() internal view returns (uint256[] memory arguments) {
        bytes memory encoded = LibClone.argsOnClone(address(this));
        if (encoded.length % 32 != 0) revert IErrors.InvalidParameter("arguments", encoded.length);
        // Both arrays consist of 32-byte words; only the length is counted differently.
        assembly ("memory-safe") {
            mstore(encoded, shr(5, mload(encoded)))
            arguments := encoded
        }
    }

    /// @dev Returns one argument; 0 beyond the last one.
    function word(uint256 index) internal view returns (uint256 argument) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0x00, add(ARGUMENTS_OFFSET, shl(5, index)), 0x20)
            argument := mload(0x00)
        }
    }
}
