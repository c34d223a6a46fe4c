// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Memory
/// @notice Reuse of memory: its price grows faster than its size, so loops free the memory of each
/// iteration.
library Memory {
    /// @dev Returns the address at which free memory begins.
    function free() internal pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := mload(0x40)
        }
    }

    /// @dev Frees the memory allocated since a call of `free`. Nothing may refer to it any more.
    /// @param pointer The result of that call.
    function restore(uint256 pointer) internal pure {
        assembly ("memory-safe") {
            mstore(0x40, pointer)
        }
    }
}
