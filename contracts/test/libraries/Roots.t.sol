// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {State} from "../../src/core/types/State.sol";
import {Status, Statuses} from "../../src/core/types/Statuses.sol";
import {Roots} from "../../src/libraries/Roots.sol";
import {Encode} from "../base/Encode.sol";
import {Test} from "../base/Test.sol";

/// @notice Leaves and roots of contributions, and the packed words of a trainer.
contract RootsTest is Test {
    Statuses private statuses;

    function testFuzz_leaf_hashesAllFields(
        address author,
        uint16 label,
        bytes calldata sample,
        uint96 deposit,
        uint40 time,
        uint64 position
    ) external pure {
        bytes32 expected = keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position));
        assertEq(Roots.leaf(author, label, sample, deposit, time, position), expected, "leaf");
    }

    /// @dev Compares with the tree of the specification: leaf `j` at node `2n-2-j`, parents of
    /// sorted pairs.
    function testFuzz_root_matchesTree(
        uint256 n,
        address author,
        uint96 deposit,
        uint40 time,
        uint32 position
    ) external view {
        n = bound(n, 1, 40);
        bytes memory batch;
        bytes32[] memory nodes = new bytes32[](2 * n - 1);
        for (uint256 i; i < n; ++i) {
            bytes memory sample = abi.encodePacked(uint16(i), author);
            batch = bytes.concat(batch, Encode.item(i, sample));
            nodes[2 * n - 2 - i] =
                keccak256(abi.encode(author, i, keccak256(sample), deposit, time, position + i));
        }
        for (uint256 i = n - 1; i > 0; --i) {
            (bytes32 a, bytes32 b) = (nodes[2 * i - 1], nodes[2 * i]);
            nodes[i - 1] = keccak256(a < b ? abi.encode(a, b) : abi.encode(b, a));
        }
        assertEq(this.root(batch, n, author, deposit, time, position), nodes[0], "root");
    }

    function testFuzz_contributed_keepsFieldsApart(
        uint40 time,
        uint64 count,
        uint64 good,
        uint40 later,
        uint32 n
    ) external pure {
        if (count > type(uint64).max - n) count -= n;
        if (good == type(uint64).max) good = 0;
        State state = State.wrap(time | uint256(count) << 40 | uint256(good) << 104);
        assertEq(state.lastContributionTime(), time, "time");
        assertEq(state.contributionCount(), count, "count");
        assertEq(state.totalGood(), good, "good");
        state = state.contributed(later, n).refunded();
        assertEq(state.lastContributionTime(), later, "time after");
        assertEq(state.contributionCount(), uint256(count) + n, "count after");
        assertEq(state.totalGood(), uint256(good) + 1, "good after");
    }

    function testFuzz_set_keepsOthers(uint256[20] calldata positions, uint256 seed) external {
        // Compares with a plain list of the changes, searched from the last one.
        for (uint256 i; i < positions.length; ++i) {
            statuses.set(positions[i] % 300, Status((seed >> i) % 3));
        }
        for (uint256 position; position < 300; ++position) {
            Status expected = Status.Untouched;
            for (uint256 i; i < positions.length; ++i) {
                if (positions[i] % 300 == position) expected = Status((seed >> i) % 3);
            }
            assertTrue(statuses.get(position) == expected, "status");
        }
    }

    function root(
        bytes calldata batch,
        uint256 n,
        address author,
        uint256 deposit,
        uint256 time,
        uint256 position
    ) external pure returns (bytes32) {
        // There is room for more leaves, as in a relay with skipped batches.
        bytes32[] memory leaves = new bytes32[](n + 3);
        Roots.fill(leaves, 0, batch, n, author, deposit, time, position);
        return Roots.root(leaves, n);
    }
}
