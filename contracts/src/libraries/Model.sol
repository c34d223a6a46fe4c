// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @dev The slot of a model's first word, 2^64. It is outside of the library because assembly of
/// other files uses it.
uint256 constant MODEL_SLOT = 0x10000000000000000;

/// @title Model
/// @notice A model in storage: a flat array of 256-bit words, far from all named variables.
library Model {
    /// @dev Reads a word; the caller makes sure that it belongs to the model.
    function load(uint256 index) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(add(MODEL_SLOT, index))
        }
    }

    /// @dev Writes a word; the caller makes sure that it belongs to the model.
    function store(uint256 index, uint256 word) internal {
        assembly ("memory-safe") {
            sstore(add(MODEL_SLOT, index), word)
        }
    }
}
