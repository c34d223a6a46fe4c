// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

/// @title Payments
/// @notice Payments of money to accounts.
library Payments {
    /// @notice Thrown when the receiver refuses a payment; nothing has happened then.
    error PaymentFailed(address to, uint256 amount);

    /// @notice Thrown when there is nothing to collect for an account, or not any more.
    error NothingToCollect(address account);

    /// @dev Pays with all gas that is left, so that contract wallets can be paid; what the receiver returns is not copied.
    /// Nobody is called for a payment of 0.
    function pay(address to, uint256 amount) internal {
        // The amount is computed, not the contract's money, which others could change.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) {
            revert PaymentFailed(to, amount);
        }
    }
}
