// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IErrors} from "../interfaces/IErrors.sol";

/// @title CloneArguments
/// @notice Reads the immutable arguments of a clone: 32-byte words at the end of its code.
/// @dev Reading code of the running contract costs 100 gas, a storage slot 2,100. On an implementation, which
/// has no arguments, the words are pieces of its code.
library CloneArguments {
    /// @dev Where the arguments begin in a clone's code.
    uint256 private constant START = 0x2d;

    /// @dev All arguments. Reverts unless they are whole words: bytes beyond the last one would pass unseen.
    function load() internal view returns (uint256[] memory arguments) {
        bytes memory encoded = LibClone.argsOnClone(address(this));
        if (encoded.length % 32 != 0) revert IErrors.InvalidParameter("arguments", encoded.length);
        // Words of 32 bytes each, as both arrays are laid out: only the length is counted differently.
        assembly ("memory-safe") {
            mstore(encoded, shr(5, mload(encoded)))
            arguments := encoded
        }
    }

    /// @dev One argument; 0 beyond the last one.
    function word(uint256 index) internal view returns (uint256 argument) {
        assembly ("memory-safe") {
            extcodecopy(address(), 0x00, add(START, shl(5, index)), 0x20)
            argument := mload(0x00)
        }
    }
}
