// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice The part of a trainer's state that changes with each contribution, in one word:
/// `lastContributionTime (40 bits, low) | contributionCount (64 bits) | totalGood (64 bits)`.
type State is uint256;

using {lastContributionTime, contributionCount, totalGood, contributed, refunded} for State global;

/// @dev The lowest bits of the count and of the good contributions.
uint8 constant COUNT_OFFSET = 40;
uint8 constant TOTAL_GOOD_OFFSET = 104;

/// @dev Returns the time of the last contribution, in seconds. Before the first one it is the time
/// of the trainer's initialization, and 0 before that.
function lastContributionTime(State state) pure returns (uint256) {
    return State.unwrap(state) & type(uint40).max;
}

/// @dev Returns the number of contributions.
function contributionCount(State state) pure returns (uint256) {
    return (State.unwrap(state) >> COUNT_OFFSET) & type(uint64).max;
}

/// @dev Returns the number of refunded contributions.
function totalGood(State state) pure returns (uint256) {
    return State.unwrap(state) >> TOTAL_GOOD_OFFSET;
}

/// @dev Returns the state after `n` more contributions at `time`, which is in seconds and below
/// 2^40. Panics if the count overflows. Only an implementation's does, because it is full from the
/// start.
function contributed(State state, uint256 time, uint256 n) pure returns (State) {
    // A transaction adds far less than 2^64 contributions, and the sum is checked.
    uint64 count = uint64(state.contributionCount()) + uint64(n);
    return State.wrap(time | uint256(count) << COUNT_OFFSET | state.totalGood() << TOTAL_GOOD_OFFSET);
}

/// @dev Returns the state after one more refund. A contribution has at most one.
function refunded(State state) pure returns (State) {
    // The count is at most the number of contributions, of 64 bits.
    unchecked {
        return State.wrap(State.unwrap(state) + (uint256(1) << TOTAL_GOOD_OFFSET));
    }
}
