// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status, Statuses} from "../../../src/core/types/Statuses.sol";
import {Test} from "../../base/Test.sol";

/// @notice Statuses near the ends of their words.
contract StatusesTest is Test {
    Statuses private statuses;

    function test_set_changesNoOther() external {
        uint256[7] memory positions = [uint256(0), 85, 86, 127, 128, 129, 256];
        for (uint256 i; i < positions.length; ++i) {
            statuses.set(positions[i], i % 2 == 0 ? Status.Closed : Status.Reported);
        }
        for (uint256 position; position < 300; ++position) {
            Status expected = Status.Untouched;
            for (uint256 i; i < positions.length; ++i) {
                if (positions[i] == position) expected = i % 2 == 0 ? Status.Closed : Status.Reported;
            }
            assertTrue(statuses.get(position) == expected, "status");
        }
    }

    function test_set_changesAgain() external {
        statuses.set(130, Status.Reported);
        statuses.set(131, Status.Closed);
        statuses.set(130, Status.Closed);
        assertTrue(statuses.get(130) == Status.Closed, "closed");
        statuses.set(131, Status.Untouched);
        assertTrue(statuses.get(131) == Status.Untouched, "untouched");
    }
}
