// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice The times of the last announcements of all contributions, in seconds. A slot has six
/// times of 40 bits. So announcing neighbors together mostly changes a slot that was just changed.
struct Announcements {
    mapping(uint256 index => uint256 word) words;
}

using {get, set} for Announcements global;

uint256 constant TIMES_PER_WORD = 6;
uint256 constant TIME_BITS = 40;

/// @dev Returns the time of a contribution's last announcement, in seconds; 0 if there is none.
function get(Announcements storage self, uint256 position) view returns (uint256) {
    return (self.words[position / TIMES_PER_WORD] >> _shift(position)) & type(uint40).max;
}

/// @dev Changes the time of a contribution's last announcement.
/// @param time The time, in seconds, below 2^40.
function set(Announcements storage self, uint256 position, uint256 time) {
    uint256 shift = _shift(position);
    uint256 word = self.words[position / TIMES_PER_WORD] & ~(uint256(type(uint40).max) << shift);
    self.words[position / TIMES_PER_WORD] = word | time << shift;
}

/// @dev Returns the number of bits below a position's time in its word.
function _shift(uint256 position) pure returns (uint256) {
    return position % TIMES_PER_WORD * TIME_BITS;
}
