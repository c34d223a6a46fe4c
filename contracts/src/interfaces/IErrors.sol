// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IErrors
/// @notice Errors that trainers and classifiers share.
interface IErrors {
    /// @notice Thrown when a batch has no bytes.
    error EmptyBatch();

    /// @notice Thrown when an item of a batch runs past the batch's end.
    /// @param offset The offset of the item in the batch, in bytes.
    error MalformedBatch(uint256 offset);

    /// @notice Thrown when a parameter that was fixed at creation is outside its bounds.
    /// @param name The parameter's name. It is `arguments` if their number is wrong, or if they are
    /// not whole words.
    /// @param value The parameter's value, in two's complement if it is signed. For `arguments` it
    /// is their number, or the number of their bytes if they are not whole words.
    error InvalidParameter(bytes32 name, uint256 value);
}
