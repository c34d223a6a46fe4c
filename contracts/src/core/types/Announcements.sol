// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice The times of the last announcements of all contributions, in seconds: six a slot, 40 bits each, so that
/// announcing neighbours together mostly changes a slot that has just been changed.
struct Announcements {
    mapping(uint256 index => uint256 word) words;
}

using {get, set} for Announcements global;

uint256 constant TIMES_PER_WORD = 6;
uint256 constant TIME_BITS = 40;

/// @dev Returns when the contribution at a position was last announced, in seconds; 0 if never.
function get(Announcements storage self, uint256 position) view returns (uint256) {
    return (self.words[position / TIMES_PER_WORD] >> _shift(position)) & type(uint40).max;
}

/// @dev Changes when the contribution at a position was last announced.
/// @param time In seconds, below 2^40.
function set(Announcements storage self, uint256 position, uint256 time) {
    uint256 shift = _shift(position);
    uint256 word = self.words[position / TIMES_PER_WORD] & ~(uint256(type(uint40).max) << shift);
    self.words[position / TIMES_PER_WORD] = word | time << shift;
}

function _shift(uint256 position) pure returns (uint256) {
    return position % TIMES_PER_WORD * TIME_BITS;
}
