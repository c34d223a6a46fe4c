// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

/// @title Payments
/// @notice Payments of money to accounts.
library Payments {
    /// @notice Thrown when the receiver refuses a payment; the call then changes nothing.
    error PaymentFailed(address to, uint256 amount);

    /// @notice Thrown when an account has nothing to collect, or has already collected.
    error NothingToCollect(address account);

    /// @dev Pays with all gas that is left, so that contract wallets can be paid. It does not copy
    /// the receiver's return data. For a payment of 0 it calls nobody.
    function pay(address to, uint256 amount) internal {
        // The caller computed the amount; others cannot change it by sending money.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) {
            revert PaymentFailed(to, amount);
        }
    }
}
