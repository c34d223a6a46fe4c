// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice What changes with each contribution, in one word:
/// `lastContributionTime (40 bits, low) | contributionCount (64 bits) | totalGood (64 bits)`.
type State is uint256;

using {lastContributionTime, contributionCount, totalGood, contributed, refunded} for State global;

/// @dev When the last contribution was made, or the trainer created, in seconds; 0 before that.
function lastContributionTime(State state) pure returns (uint256) {
    return State.unwrap(state) & type(uint40).max;
}

/// @dev How many contributions have been made.
function contributionCount(State state) pure returns (uint256) {
    return (State.unwrap(state) >> 40) & type(uint64).max;
}

/// @dev How many contributions have been refunded.
function totalGood(State state) pure returns (uint256) {
    return State.unwrap(state) >> 104;
}

/// @dev The state after `n` more contributions at `time`, which is in seconds and below 2^40. Panics where the
/// count overflows, which only an implementation's does: it is full from the start.
function contributed(State state, uint256 time, uint256 n) pure returns (State) {
    // A batch has far less than 2^64 items; the sum is checked.
    uint64 count = uint64(state.contributionCount()) + uint64(n);
    return State.wrap(time | uint256(count) << 40 | state.totalGood() << 104);
}

/// @dev The state after one more refund; there is one a contribution at most.
function refunded(State state) pure returns (State) {
    // At most the number of contributions, of 64 bits.
    unchecked {
        return State.wrap(State.unwrap(state) + (1 << 104));
    }
}
