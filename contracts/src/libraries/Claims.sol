// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleProofLib} from "solady/utils/MerkleProofLib.sol";

import {Roots} from "./Roots.sol";

/// @notice One contribution as it was made, without the sample.
struct Contribution {
    address author;
    uint256 label;
    uint256 deposit;
    uint256 time;
    uint256 position;
}

/// @notice The claimed contributions of one transaction.
struct Group {
    /// The position of the transaction's first contribution.
    uint256 firstPosition;
    /// The offset of the first claimed contribution; the others follow it.
    uint256 contributions;
    /// The leaves of the claimed contributions.
    bytes32[] leaves;
    /// The offset of the flags; the nodes follow them.
    uint256 flags;
    /// The number of nodes in the proof.
    uint256 nodes;
    /// The offset of the group's end.
    uint256 end;
}

/// @title Claims
/// @notice Reads claims: groups `first position (8 bytes) | number of contributions (2) | number of
/// nodes (2) | contributions | flags | nodes (32 each)`, one after the other. The first position is
/// that of the transaction's first contribution, whether or not it is claimed. A contribution is
/// `author (20) | deposit (12) | label (2) | time (5) | position (8) | length (2) | sample
/// (length)`. Flags are bits, from the highest bit of the first byte on. There is one less than
/// contributions and nodes together.
/// @dev All offsets are in bytes from the beginning of the claims, and far below 2^64: no sum
/// wraps.
library Claims {
    /// @notice Thrown when a group of claims is empty or runs past the end.
    /// @param offset The offset of the group, in bytes.
    error MalformedClaims(uint256 offset);

    /// @dev Length of a group before its contributions, in bytes.
    uint256 private constant GROUP_HEADER = 12;
    /// @dev Length of a contribution before its sample, in bytes.
    uint256 private constant HEADER = 49;

    /// @dev Reads the group at `offset`, which must lie within the claims. Reverts unless it has
    /// contributions and ends within the claims.
    function groupAt(bytes calldata claims, uint256 offset) internal pure returns (Group memory group) {
        unchecked {
            uint256 word = _load(claims, offset);
            group.firstPosition = word >> 192;
            uint256 n = uint16(word >> 176);
            group.nodes = uint16(word >> 160);
            group.contributions = offset + GROUP_HEADER;
            // This also rejects a number that has no room, before the contract allocates memory for
            // it.
            if (n == 0 || group.contributions + n * HEADER > claims.length) {
                revert MalformedClaims(offset);
            }
            group.leaves = new bytes32[](n);
            uint256 next = group.contributions;
            for (uint256 i; i < n; ++i) {
                Contribution memory one = contributionAt(claims, next);
                bytes calldata sample;
                (sample, next) = sampleAt(claims, next);
                group.leaves[i] =
                    Roots.leaf(one.author, one.label, sample, one.deposit, one.time, one.position);
            }
            group.flags = next;
            group.end = next + (_steps(group) + 7) / 8 + 32 * group.nodes;
            if (group.end > claims.length) revert MalformedClaims(offset);
        }
    }

    /// @dev Reads the contribution at `offset`. The result is arbitrary past the end of the claims.
    function contributionAt(bytes calldata claims, uint256 offset)
        internal
        pure
        returns (Contribution memory one)
    {
        unchecked {
            uint256 word = _load(claims, offset);
            one.author = address(uint160(word >> 96));
            // Here and below, casts cut off the preceding fields.
            one.deposit = uint96(word);
            word = _load(claims, offset + 32);
            one.label = word >> 240;
            one.time = uint40(word >> 200);
            one.position = uint64(word >> 136);
        }
    }

    /// @dev Reads the sample of the contribution at `offset`. The result is arbitrary past the end
    /// of the claims.
    /// @return sample The sample.
    /// @return next The offset after the contribution.
    function sampleAt(bytes calldata claims, uint256 offset)
        internal
        pure
        returns (bytes calldata sample, uint256 next)
    {
        unchecked {
            assembly {
                sample.offset := add(add(claims.offset, offset), HEADER)
                sample.length := shr(240, calldataload(sub(sample.offset, 2)))
            }
            next = offset + HEADER + sample.length;
        }
    }

    /// @dev Returns `true` if a group's contributions and its proof lead to the root.
    function proven(Group memory group, bytes calldata claims, bytes32 root) internal pure returns (bool) {
        unchecked {
            uint256 steps = _steps(group);
            if (steps == 0) return group.leaves[0] == root;
            bool[] memory flags = new bool[](steps);
            for (uint256 i; i < steps; ++i) {
                flags[i] = uint8(claims[group.flags + i / 8]) >> (7 - i % 8) & 1 == 1;
            }
            bytes32[] memory nodes = new bytes32[](group.nodes);
            for (uint256 i; i < nodes.length; ++i) {
                nodes[i] = bytes32(_load(claims, group.end - 32 * (nodes.length - i)));
            }
            return MerkleProofLib.verifyMultiProof(nodes, root, group.leaves, flags);
        }
    }

    /// @dev Returns the number of hashes from the leaves to the root. Each joins two nodes.
    function _steps(Group memory group) private pure returns (uint256) {
        unchecked {
            return group.leaves.length + group.nodes - 1;
        }
    }

    /// @dev Returns the word of calldata at `offset` of the claims.
    function _load(bytes calldata claims, uint256 offset) private pure returns (uint256 word) {
        assembly {
            word := calldataload(add(claims.offset, offset))
        }
    }
}
