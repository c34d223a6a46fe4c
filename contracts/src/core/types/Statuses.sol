// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice The status of a contribution.
enum Status {
    /// Neither reported nor closed.
    Untouched,
    /// Reported. The settlement has the amount that reporters took, which may be 0.
    Reported,
    /// Refunded, claimed late, or completely taken by reporters: nothing is left.
    Closed
}

/// @notice The statuses of all contributions, 128 a slot and 2 bits each. So settling one mostly
/// changes a slot instead of adding one. Only a reported contribution needs a slot of its own.
struct Statuses {
    mapping(uint256 index => uint256 word) words;
}

using {get, set} for Statuses global;

uint256 constant STATUSES_PER_WORD = 128;
uint256 constant STATUS_BITS = 2;
uint256 constant STATUS_MASK = 3;

/// @dev Returns the status of the contribution at a position.
function get(Statuses storage self, uint256 position) view returns (Status) {
    return Status((self.words[position / STATUSES_PER_WORD] >> _shift(position)) & STATUS_MASK);
}

/// @dev Changes the status of the contribution at a position.
function set(Statuses storage self, uint256 position, Status status) {
    uint256 word = self.words[position / STATUSES_PER_WORD] & ~(STATUS_MASK << _shift(position));
    self.words[position / STATUSES_PER_WORD] = word | uint256(status) << _shift(position);
}

/// @dev Returns the number of bits below a position's status in its word.
function _shift(uint256 position) pure returns (uint256) {
    return position % STATUSES_PER_WORD * STATUS_BITS;
}
