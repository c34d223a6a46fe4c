// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title CallGas
/// @notice Makes sure that a call gets the gas that it was promised: the EVM cuts what it passes on without a word.
library CallGas {
    /// @notice Thrown when so little gas is left that a call could get less than it may use.
    /// @param left What a call could get at most.
    /// @param allowance What the call may use.
    error GasTooLow(uint256 left, uint256 allowance);

    /// @dev More gas than is used between the check and the call, with a first access to the account and to the code that it
    /// has delegated to (EIP-7702): 2,600 each.
    uint256 private constant BEFORE_CALL = 8_000;

    /// @dev Reverts if a call that is made now could get less than the allowance. A 64th of what is left stays with the
    /// caller (EIP-150). Between this check and the call, nothing may be encoded or copied.
    function requireFor(uint256 allowance) internal view {
        uint256 left = gasleft();
        left = left < BEFORE_CALL ? 0 : left - BEFORE_CALL;
        left -= left / 64;
        if (left < allowance) revert GasTooLow(left, allowance);
    }
}
