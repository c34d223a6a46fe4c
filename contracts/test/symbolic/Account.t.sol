// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Account} from "../../src/core/types/Account.sol";
import {Test} from "../base/Test.sol";

/// @notice Proofs about an address's account with a trainer, for every possible word.
contract AccountProofs is Test {
    uint256 private constant BALANCE = type(uint96).max;
    uint256 private constant GOOD = uint256(type(uint48).max) << 96;
    uint256 private constant NONCES = type(uint256).max << 144;

    function check_CreditChangesTheBalanceOnly(uint256 word, uint256 amount) external pure {
        Account before = Account.wrap(word);
        vm.assume(amount <= type(uint96).max - before.balance());
        Account afterwards = before.credited(amount);
        assert(afterwards.balance() == before.balance() + amount);
        assert((Account.unwrap(afterwards) ^ word) & ~BALANCE == 0);
    }

    function check_ChargeChangesTheBalanceOnly(uint256 word, uint256 amount) external pure {
        Account before = Account.wrap(word);
        vm.assume(amount <= before.balance());
        Account afterwards = before.charged(amount);
        assert(afterwards.balance() == before.balance() - amount);
        assert((Account.unwrap(afterwards) ^ word) & ~BALANCE == 0);
    }

    function check_PraiseChangesTheGoodOnly(uint256 word) external pure {
        Account before = Account.wrap(word);
        vm.assume(before.good() < type(uint48).max);
        Account afterwards = before.withRefund();
        assert(afterwards.good() == before.good() + 1);
        assert((Account.unwrap(afterwards) ^ word) & ~GOOD == 0);
    }

    /// @dev Proves the definition of the window: a nonce makes itself used, and all that are 64 or
    /// more below it.
    function check_NonceUsesItselfAndWhatFallsOutOfTheWindow(uint256 word, uint48 nonce, uint48 other)
        external
        pure
    {
        Account before = Account.wrap(word);
        vm.assume(!before.used(nonce));
        Account afterwards = before.withUsed(nonce);
        bool expected = before.used(other) || other == nonce || uint256(other) + 64 <= nonce;
        assert(afterwards.used(other) == expected);
        assert((Account.unwrap(afterwards) ^ word) & ~NONCES == 0);
    }

    function check_CancellingUsesTheNonceAndAllBelow(uint256 word, uint48 last, uint48 other) external pure {
        vm.assume(other <= last);
        assert(Account.wrap(word).withUsedUpTo(last).used(other));
    }

    /// @custom:halmos --solver z3
    function check_CancellingLeavesWhatIsAbove(uint256 word, uint48 last, uint48 other) external pure {
        vm.assume(other > last);
        Account before = Account.wrap(word);
        assert(before.withUsedUpTo(last).used(other) == before.used(other));
    }

    function check_CancellingChangesTheNoncesOnly(uint256 word, uint48 last) external pure {
        assert((Account.unwrap(Account.wrap(word).withUsedUpTo(last)) ^ word) & ~NONCES == 0);
    }

    function check_NoNonceOfANewAccountIsUsed(uint48 nonce) external pure {
        assert(!Account.wrap(0).used(nonce));
    }
}
