// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IPredictionMarket} from "../interfaces/IPredictionMarket.sol";

/// @title Payments
/// @notice Payments of what is not prepaid: as `Accounts` makes them.
library Payments {
    /// @dev Pays with all gas that is left, so that contract wallets can be paid; what the receiver returns is not copied.
    /// Nobody is called for a payment of 0.
    function pay(address to, uint256 amount) internal {
        // The amount is computed, not the contract's money, which others could change.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) return;
        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) {
            revert IPredictionMarket.PaymentFailed(to, amount);
        }
    }
}
