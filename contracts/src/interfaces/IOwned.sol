// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IOwned
/// @notice The error of functions that only an owner may call.
interface IOwned {
    /// @notice Thrown when a caller other than the owner calls.
    error NotOwner(address caller, address owner);
}
