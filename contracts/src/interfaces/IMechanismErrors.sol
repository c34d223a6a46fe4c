// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "./IErrors.sol";

/// @title IMechanismErrors
/// @notice Errors that incentive mechanisms share.
interface IMechanismErrors is IErrors {
    /// @notice Thrown when the mechanism is already initialized, or can never be.
    error AlreadyInitialized();

    /// @notice Thrown when the caller uses a mechanism that was never initialized.
    error NotInitialized();

    /// @notice Thrown when the caller sends less than the contributions cost.
    /// @param required The price of all contributions together, in wei.
    /// @param sent The amount that the caller sent, in wei.
    error DepositTooLow(uint256 required, uint256 sent);

    /// @notice Thrown when a call or a claim comes too early.
    /// @param time The time now, in seconds.
    /// @param earliest The first second in which it is allowed.
    error TooEarly(uint256 time, uint256 earliest);

    /// @notice Thrown when the classifier fails without a reason, or its answer has the wrong form.
    error ClassifierFailed();

    /// @notice Thrown when contributions do not match the stored root.
    /// @param position The position of the first contribution under that root.
    error UnknownContribution(uint256 position);
}
