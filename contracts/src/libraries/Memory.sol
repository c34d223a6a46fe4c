// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title Memory
/// @notice Memory costs more the more there is of it: loops give back what a turn of theirs needed.
library Memory {
    /// @dev Where free memory begins.
    function free() internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := mload(0x40)
        }
    }

    /// @dev Frees what was allocated since `free`, which nothing may refer to any more.
    function giveBack(uint256 place) internal pure {
        assembly ("memory-safe") {
            mstore(0x40, place)
        }
    }
}
