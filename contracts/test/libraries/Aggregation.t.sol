// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Aggregation, Rule} from "../../src/libraries/Aggregation.sol";
import {MultiKrum} from "../../src/libraries/MultiKrum.sol";
import {SortingNetwork} from "../../src/libraries/SortingNetwork.sol";
import {Rows, UpdateRows} from "../../src/libraries/UpdateRows.sol";
import {Test} from "../base/Test.sol";
import {Updates} from "../base/Updates.sol";

/// @notice The aggregation rules over packed lanes, against loops over single values.
contract AggregationTest is Test {
    /// @dev Aggregates as a round does: from calldata to the words that a model adds.
    function aggregate(Rule rule, bytes calldata data, uint256 n, uint256 f, uint256 width)
        external
        pure
        returns (uint256[] memory)
    {
        Rows memory rows = UpdateRows.load(data, n, data.length / n, width);
        return UpdateRows.toInt16(Aggregation.aggregate(rule, rows, f), width);
    }

    function select(bytes calldata data, uint256 n, uint256 f, uint256 width)
        external
        pure
        returns (uint256)
    {
        Rows memory rows = UpdateRows.load(data, n, data.length / n, width);
        UpdateRows.biasAll(rows);
        return MultiKrum.select(rows, f);
    }

    /// @dev Sorts all rows, and returns `true` if the values of each parameter rise.
    function isSorted(bytes calldata data, uint256 n, uint256 width, uint256 parameters)
        external
        pure
        returns (bool)
    {
        Rows memory rows = UpdateRows.load(data, n, data.length / n, width);
        SortingNetwork.sort(rows, 0, n - 1);
        for (uint256 j; j < parameters; ++j) {
            uint256 last;
            for (uint256 i; i < n; ++i) {
                uint256 value = Updates.laneAt(rows.start + i * rows.stride, j, width);
                if (value < last) return false;
                last = value;
            }
        }
        return true;
    }

    /// @dev Many orders of zeros and ones: a network that sorts all of these sorts everything.
    function test_sort_sortsZerosAndOnesOfEveryNumberOfRows() external view {
        for (uint256 n = 1; n <= 32; ++n) {
            // Each lane has another number of ones, in an order of its own.
            int256[][] memory updates = new int256[][](n);
            for (uint256 i; i < n; ++i) {
                updates[i] = new int256[](32);
                for (uint256 j; j < 32; ++j) {
                    updates[i][j] = uint256(keccak256(abi.encode(n, i, j))) % 32 <= j ? int256(1) : int256(0);
                }
            }
            assertTrue(this.isSorted(Updates.encodeAll(updates, 8), n, 8, 32), "order");
        }
    }

    function testFuzz_aggregate_matchesScalarsOfSevenBits(uint256 seed) external view {
        compare(seed, 8);
    }

    function testFuzz_aggregate_matchesScalarsOfFifteenBits(uint256 seed) external view {
        compare(seed, 16);
    }

    /// @dev Every number of updates with every `f` that a rule takes, with a few parameters.
    function test_aggregate_matchesScalarsForEveryNumberAndF() external view {
        for (uint256 n = 1; n <= 32; ++n) {
            int256[][] memory updates = Updates.random(n, n, 3, 8);
            for (uint256 f; 2 * f < n; ++f) {
                compareRule(Rule.TrimmedMean, updates, f, 8);
            }
            compareRule(Rule.Median, updates, (n - 1) / 2, 8);
        }
    }

    function testFuzz_select_matchesScalars(uint256 seed, bool isWide) external view {
        uint256 width = isWide ? 16 : 8;
        uint256 n = 3 + seed % 9;
        uint256 f = (seed >> 8) % ((n - 3) / 2 + 1);
        int256[][] memory updates = Updates.random(seed, n, 1 + (seed >> 16) % 40, width);
        // Now and then, two updates are equal.
        if (seed >> 32 & 1 == 1) updates[n - 1] = updates[0];
        bytes memory data = Updates.encodeAll(updates, width);
        assertEq(this.select(data, n, f, width), Updates.krum(updates, f), "selected");
        compareRule(Rule.MultiKrum, updates, f, width);
    }

    /// @dev A row of more than one block of spread words.
    function test_select_matchesScalarsOverBlocks() external view {
        int256[][] memory updates = Updates.random(7, 5, 1_040, 8);
        assertEq(this.select(Updates.encodeAll(updates, 8), 5, 1, 8), Updates.krum(updates, 1), "selected");
    }

    /// @dev All distances at their maximum: no slot overflows.
    function test_select_holdsExtremes() external view {
        int256[][] memory updates = new int256[][](4);
        for (uint256 i; i < 4; ++i) {
            updates[i] = new int256[](1_024);
            for (uint256 j; j < 1_024; ++j) {
                updates[i][j] = i % 2 == 0 ? int256(16_383) : -16_383;
            }
        }
        assertEq(this.select(Updates.encodeAll(updates, 16), 4, 0, 16), 15, "all");
        compareRule(Rule.MultiKrum, updates, 0, 16);
        compareRule(Rule.Mean, updates, 0, 16);
    }

    function test_minimum_isWhatTheRuleNeeds() external pure {
        assertEq(Aggregation.minimum(Rule.Mean, 7), 1, "mean");
        assertEq(Aggregation.minimum(Rule.Median, 3), 7, "median");
        assertEq(Aggregation.minimum(Rule.TrimmedMean, 3), 7, "trimmed mean");
        assertEq(Aggregation.minimum(Rule.MultiKrum, 3), 9, "multi-krum");
    }

    function compare(uint256 seed, uint256 width) private view {
        uint256 n = 1 + seed % 32;
        uint256 f = (seed >> 8) % ((n + 1) / 2);
        int256[][] memory updates = Updates.random(seed, n, 1 + (seed >> 16) % 70, width);
        compareRule(Rule((seed >> 32) % 3), updates, f, width);
    }

    function compareRule(Rule rule, int256[][] memory updates, uint256 f, uint256 width) private view {
        uint256[] memory words =
            this.aggregate(rule, Updates.encodeAll(updates, width), updates.length, f, width);
        int256[] memory expected = Updates.aggregate(rule, updates, f);
        for (uint256 j; j < 16 * words.length; ++j) {
            int256 actual = int16(uint16(words[j / 16] >> 16 * (j % 16)));
            assertEq(actual, j < expected.length ? expected[j] : int256(0), "parameter");
        }
    }
}
