// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice What a trainer keeps of an address, in one word, so that a relayed contribution touches one slot:
/// `balance (96 bits, low) | good (48 bits) | highest nonce (48 bits) | window (64 bits)`.
/// @dev Bit `k` of the window says that the nonce `highest - k` is used; older ones all are, higher ones are not.
/// This is the anti-replay window of RFC 4303, section 3.4.3.
type Account is uint256;

using {balance, good, used, hasNonces, credited, charged, praised, withUsed, withUsedUpTo} for Account global;

uint256 constant GOOD_PLACE = 96;
uint256 constant HIGHEST_PLACE = 144;
uint256 constant WINDOW_PLACE = 192;
uint256 constant WINDOW_BITS = 64;

/// @dev The prepaid money, in wei.
function balance(Account self) pure returns (uint256) {
    return Account.unwrap(self) & type(uint96).max;
}

/// @dev How many contributions of the address have been refunded.
function good(Account self) pure returns (uint256) {
    return (Account.unwrap(self) >> GOOD_PLACE) & type(uint48).max;
}

/// @dev Whether a nonce can no longer be used.
function used(Account self, uint256 nonce) pure returns (bool) {
    uint256 highest = _highest(self);
    if (nonce > highest) return false;
    // The nonce is at most the highest one.
    unchecked {
        uint256 age = highest - nonce;
        return age >= WINDOW_BITS || (_window(self) >> age) & 1 != 0;
    }
}

/// @dev Returns whether the account has ever used or cancelled a nonce.
function hasNonces(Account self) pure returns (bool) {
    // The highest one and the window are all that is above; the first nonce that is used sets a bit of the window.
    return Account.unwrap(self) >> HIGHEST_PLACE != 0;
}

/// @dev The account with more money.
/// @param amount With which the balance stays below 2^96.
function credited(Account self, uint256 amount) pure returns (Account) {
    // The balance does not reach the next field, as said above.
    unchecked {
        return Account.wrap(Account.unwrap(self) + amount);
    }
}

/// @dev The account with less money.
/// @param amount At most the balance.
function charged(Account self, uint256 amount) pure returns (Account) {
    // As said above.
    unchecked {
        return Account.wrap(Account.unwrap(self) - amount);
    }
}

/// @dev The account with one more good contribution; 2^48 of them are out of reach.
function praised(Account self) pure returns (Account) {
    unchecked {
        return Account.wrap(Account.unwrap(self) + (uint256(1) << GOOD_PLACE));
    }
}

/// @dev The account with one more used nonce.
/// @param nonce Below 2^48 and not used yet.
function withUsed(Account self, uint256 nonce) pure returns (Account) {
    uint256 highest = _highest(self);
    uint256 window = _window(self);
    // The differences are of the higher and the lower one. A shift by 256 or more gives 0, as it should.
    unchecked {
        if (nonce > highest) return _withNonces(self, nonce, window << (nonce - highest) | 1);
        return _withNonces(self, highest, window | uint256(1) << (highest - nonce));
    }
}

/// @dev The account with a nonce and all below it used.
/// @param last Below 2^48.
function withUsedUpTo(Account self, uint256 last) pure returns (Account) {
    uint256 highest = _highest(self);
    if (last >= highest) return _withNonces(self, last, type(uint64).max);
    // As above.
    unchecked {
        return _withNonces(self, highest, _window(self) | type(uint256).max << (highest - last));
    }
}

function _highest(Account self) pure returns (uint256) {
    return (Account.unwrap(self) >> HIGHEST_PLACE) & type(uint48).max;
}

function _window(Account self) pure returns (uint256) {
    return Account.unwrap(self) >> WINDOW_PLACE;
}

/// @param window Of which the lowest 64 bits count.
function _withNonces(Account self, uint256 highest, uint256 window) pure returns (Account) {
    return Account.wrap(
        Account.unwrap(self) & type(uint144).max | highest << HIGHEST_PLACE | window << WINDOW_PLACE
    );
}
