// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Announcements} from "../../src/core/types/Announcements.sol";
import {State} from "../../src/core/types/State.sol";
import {Status, Statuses} from "../../src/core/types/Statuses.sol";
import {Headers} from "../../src/libraries/Headers.sol";
import {Lanes} from "../../src/libraries/Lanes.sol";

/// @notice Proofs that values in one word do not disturb their neighbors.
contract PackingProofs {
    Statuses private _statuses;
    Announcements private _announcements;

    function check_State(uint40 time, uint64 count, uint64 good, uint40 later, uint64 n) external pure {
        // The sum is checked: if it overflows, the call fails and there is nothing to prove.
        State state = State.wrap(time | uint256(count) << 40 | uint256(good) << 104).contributed(later, n);
        assert(state.lastContributionTime() == later);
        assert(state.contributionCount() == uint256(count) + n);
        assert(state.totalGood() == good);
    }

    function check_RefundCountsOne(uint40 time, uint64 count, uint64 good) external pure {
        State state = State.wrap(time | uint256(count) << 40 | uint256(good) << 104).refunded();
        assert(state.lastContributionTime() == time);
        assert(state.contributionCount() == count);
        assert(state.totalGood() == uint256(good) + 1);
    }

    /// @dev Starts from any word with 128 valid statuses: no status has both bits set.
    function check_StatusesDoNotDisturbEachOther(uint64 one, uint64 other, uint256 word, uint256 otherWord)
        external
    {
        _statuses.words[other / 128] = _valid(otherWord);
        _statuses.words[one / 128] = _valid(word);
        Status before = _statuses.get(other);
        _statuses.set(one, Status.Closed);
        assert(_statuses.get(one) == Status.Closed);
        assert(one == other || _statuses.get(other) == before);
        _statuses.set(one, Status.Reported);
        assert(_statuses.get(one) == Status.Reported);
        assert(one == other || _statuses.get(other) == before);
    }

    /// @dev Starts from any words, at each position of a word, and beside its neighbors. Positions
    /// are fixed, because no solver divides an arbitrary position by six in time. `Notice:
    /// testFuzz_announce_leavesNeighbors` takes random ones.
    function check_AnnouncementsDoNotDisturbEachOther(uint256 word, uint256 lower, uint256 upper, uint40 time)
        external
    {
        for (uint256 one = 600; one < 606; ++one) {
            _announcements.words[99] = lower;
            _announcements.words[100] = word;
            _announcements.words[101] = upper;
            uint256[8] memory before;
            for (uint256 i; i < 8; ++i) {
                before[i] = _announcements.get(599 + i);
            }
            _announcements.set(one, time);
            for (uint256 i; i < 8; ++i) {
                assert(_announcements.get(599 + i) == (599 + i == one ? time : before[i]));
            }
        }
    }

    function check_Header(uint256 header, uint128 gain) external pure {
        uint256 samples = Headers.samples(header);
        if (Headers.full(header)) {
            assert(samples == type(uint32).max);
            return;
        }
        uint256 learned = Headers.learned(header, gain);
        uint256 sum = Headers.total(header) + gain;
        assert(Headers.samples(learned) == samples + 1);
        assert(Headers.total(learned) == (sum > type(uint128).max ? type(uint128).max : sum));
        assert(learned >> 160 == header >> 160);
    }

    function check_Lane16(uint256 word, uint8 lane, uint8 other, int256 delta) external pure {
        if (lane >= 16 || other >= 16 || delta < -(2 ** 254) || delta > 2 ** 254) return;
        uint256 changed = Lanes.addInt16(word, uint256(lane) * 16, delta);
        int256 sum = Lanes.int16At(word, uint256(lane) * 16) + delta;
        if (sum > type(int16).max) sum = type(int16).max;
        if (sum < type(int16).min) sum = type(int16).min;
        assert(Lanes.int16At(changed, uint256(lane) * 16) == sum);
        assert(
            lane == other
                || Lanes.int16At(changed, uint256(other) * 16) == Lanes.int16At(word, uint256(other) * 16)
        );
    }

    function check_Lane64(uint256 word, uint8 lane, uint8 other, int256 delta) external pure {
        if (lane >= 4 || other >= 4 || delta < -(2 ** 254) || delta > 2 ** 254) return;
        uint256 changed = Lanes.addInt64(word, uint256(lane) * 64, delta);
        int256 sum = Lanes.int64At(word, uint256(lane) * 64) + delta;
        if (sum > type(int64).max) sum = type(int64).max;
        if (sum < type(int64).min) sum = type(int64).min;
        assert(Lanes.int64At(changed, uint256(lane) * 64) == sum);
        assert(
            lane == other
                || Lanes.int64At(changed, uint256(other) * 64) == Lanes.int64At(word, uint256(other) * 64)
        );
    }

    /// @dev Clears the lower bit of a status if both are set.
    function _valid(uint256 word) private pure returns (uint256) {
        return word & ~((word >> 1) & (type(uint256).max / 3));
    }
}
