// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice An address's account with a trainer, in one word, so that a relayed contribution changes
/// one slot: `balance (96 bits, low) | good contributions (48 bits) | highest nonce (48 bits) |
/// window (64 bits)`.
/// @dev Bit `k` of the window is set if the nonce `highest - k` is used. All older nonces are used,
/// and no higher ones are. This is the anti-replay window of RFC 4303, section 3.4.3.
type Account is uint256;

using {
    balance,
    good,
    used,
    hasNonces,
    credited,
    charged,
    withRefund,
    withUsed,
    withUsedUpTo
} for Account global;

/// @dev The lowest bits of the good contributions, the highest nonce and the window.
uint256 constant GOOD_OFFSET = 96;
uint256 constant HIGHEST_OFFSET = 144;
uint256 constant WINDOW_OFFSET = 192;
uint256 constant WINDOW_BITS = 64;

/// @dev Returns the prepaid money, in wei.
function balance(Account self) pure returns (uint256) {
    return Account.unwrap(self) & type(uint96).max;
}

/// @dev Returns the number of the address's refunded contributions.
function good(Account self) pure returns (uint256) {
    return (Account.unwrap(self) >> GOOD_OFFSET) & type(uint48).max;
}

/// @dev Returns `true` if a nonce can no longer be used.
function used(Account self, uint256 nonce) pure returns (bool) {
    uint256 highest = _highest(self);
    if (nonce > highest) return false;
    // The nonce is at most the highest one.
    unchecked {
        uint256 age = highest - nonce;
        return age >= WINDOW_BITS || (_window(self) >> age) & 1 != 0;
    }
}

/// @dev Returns `true` if the account has ever used or canceled a nonce.
function hasNonces(Account self) pure returns (bool) {
    // These bits are the highest nonce and the window. The first used nonce sets a bit of the
    // window.
    return Account.unwrap(self) >> HIGHEST_OFFSET != 0;
}

/// @dev Returns the account with more money.
/// @param amount An amount, in wei, that keeps the balance below 2^96.
function credited(Account self, uint256 amount) pure returns (Account) {
    // The balance does not reach the next field, as the caller guarantees.
    unchecked {
        return Account.wrap(Account.unwrap(self) + amount);
    }
}

/// @dev Returns the account with less money.
/// @param amount An amount, in wei, of at most the balance.
function charged(Account self, uint256 amount) pure returns (Account) {
    // The caller guarantees the bound.
    unchecked {
        return Account.wrap(Account.unwrap(self) - amount);
    }
}

/// @dev Returns the account with one more refunded contribution; 2^48 of them are out of reach.
function withRefund(Account self) pure returns (Account) {
    unchecked {
        return Account.wrap(Account.unwrap(self) + (uint256(1) << GOOD_OFFSET));
    }
}

/// @dev Returns the account with one more used nonce.
/// @param nonce Below 2^48 and not used yet.
function withUsed(Account self, uint256 nonce) pure returns (Account) {
    uint256 highest = _highest(self);
    uint256 window = _window(self);
    // Each branch subtracts the lower nonce from the higher one. A shift by 256 or more gives 0, as
    // it should.
    unchecked {
        if (nonce > highest) return _withNonces(self, nonce, window << (nonce - highest) | 1);
        return _withNonces(self, highest, window | uint256(1) << (highest - nonce));
    }
}

/// @dev Returns the account with a nonce and all lower ones used.
/// @param last Below 2^48.
function withUsedUpTo(Account self, uint256 last) pure returns (Account) {
    uint256 highest = _highest(self);
    if (last >= highest) return _withNonces(self, last, type(uint64).max);
    // The highest nonce is above `last`. A shift by 64 or more leaves the window unchanged, as it
    // should.
    unchecked {
        return _withNonces(self, highest, _window(self) | type(uint256).max << (highest - last));
    }
}

/// @dev Returns the highest nonce that is used; 0 if none is.
function _highest(Account self) pure returns (uint256) {
    return (Account.unwrap(self) >> HIGHEST_OFFSET) & type(uint48).max;
}

/// @dev Returns the window over the 64 nonces up to the highest one.
function _window(Account self) pure returns (uint256) {
    return Account.unwrap(self) >> WINDOW_OFFSET;
}

/// @dev Returns the account with other nonces.
/// @param window The new window; only its lowest 64 bits count.
function _withNonces(Account self, uint256 highest, uint256 window) pure returns (Account) {
    return Account.wrap(
        Account.unwrap(self) & type(uint144).max | highest << HIGHEST_OFFSET | window << WINDOW_OFFSET
    );
}
