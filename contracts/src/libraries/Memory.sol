// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Memory
/// @notice Reuse of memory: its price grows faster than its size, so loops free the memory of each
/// iteration.
library Memory {
    /// @dev Returns the address at which free memory begins.
    function free() internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := mload(0x40)
        }
    }

    /// @dev Frees the memory allocated since a call of `free`. Nothing may refer to it any more.
    /// @param place The result of that call.
    function giveBack(uint256 place) internal pure {
        assembly ("memory-safe") {
            mstore(0x40, place)
        }
    }
}
