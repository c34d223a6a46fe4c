// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title CallGas
/// @notice Makes sure that a call gets its promised gas: the EVM reduces the gas of a call without
/// an error.
library CallGas {
    /// @notice Thrown when so little gas is left that a call could get less than its allowance.
    /// @param left The maximum gas that a call could get.
    /// @param allowance The gas that the call may use.
    error GasTooLow(uint256 left, uint256 allowance);

    /// @dev Upper bound of the gas used between the check and the call. It includes a first access
    /// to the account and to the code that it delegates to (EIP-7702): 2,600 each.
    uint256 private constant BEFORE_CALL = 8_000;

    /// @dev Reverts if a call made now could get less than the allowance. The caller keeps a 64th
    /// of the gas that is left (EIP-150). The caller must not encode or copy anything between this
    /// check and the call.
    function requireFor(uint256 allowance) internal view {
        uint256 left = gasleft();
        left = left < BEFORE_CALL ? 0 : left - BEFORE_CALL;
        left -= left / 64;
        if (left < allowance) revert GasTooLow(left, allowance);
    }
}
