// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IErrors
/// @notice Errors that trainers and classifiers share.
interface IErrors {
    /// @notice Thrown when a batch has no bytes.
    error EmptyBatch();

    /// @notice Thrown when an item of a batch runs past the batch's end.
    /// @param offset Where in the batch the item begins, in bytes.
    error MalformedBatch(uint256 offset);

    /// @notice Thrown when a parameter that was fixed at creation is outside its bounds.
    /// @param name The parameter's name; `arguments` where there are too many or too few of them, or they are not
    /// whole words.
    /// @param value The parameter's value (two's complement where it is signed); the number of arguments, or of
    /// their bytes where these are not whole words.
    error InvalidParameter(bytes32 name, uint256 value);
}
