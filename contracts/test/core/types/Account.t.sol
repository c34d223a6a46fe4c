// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Account} from "../../../src/core/types/Account.sol";
import {Test} from "../../base/Test.sol";

/// @notice Cases of an account's nonces; contracts/test/symbolic/Account.t.sol covers all of them.
contract AccountTest is Test {
    function test_withUsed_keepsNoncesBelow() external pure {
        Account account = Account.wrap(0).withUsed(0).withUsed(2);
        requireUsed(account, 0, true);
        requireUsed(account, 1, false);
        requireUsed(account, 2, true);
        account = account.withUsed(1).withUsed(5);
        requireUsed(account, 1, true);
        requireUsed(account, 2, true);
        requireUsed(account, 3, false);
        requireUsed(account, 4, false);
        requireUsed(account, 5, true);
        requireUsed(account, 6, false);
    }

    function test_withUsedUpTo_keepsNoncesAbove() external pure {
        Account account = Account.wrap(0).withUsed(6).withUsedUpTo(2);
        for (uint256 nonce; nonce < 9; ++nonce) {
            requireUsed(account, nonce, nonce <= 2 || nonce == 6);
        }
    }

    function requireUsed(Account account, uint256 nonce, bool expected) private pure {
        assertTrue(account.used(nonce) == expected, "used");
    }
}
