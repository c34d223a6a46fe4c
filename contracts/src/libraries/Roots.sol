// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Batches} from "./Batches.sol";

/// @title Roots
/// @notice The hashes of contributions: a leaf each, and the Merkle root over those of a
/// transaction.
library Roots {
    using MerkleTreeLib for bytes32[];

    /// @dev Returns the leaf of a contribution, `keccak256(abi.encode(author, label,
    /// keccak256(sample), deposit, time, position))`. The leaf hashes 192 bytes, so it cannot be
    /// mistaken for an inner node, which hashes 64.
    function leaf(
        address author,
        uint256 label,
        bytes calldata sample,
        uint256 deposit,
        uint256 time,
        uint256 position
    ) internal pure returns (bytes32) {
        return EfficientHashLib.hash(
            uint256(uint160(author)),
            label,
            uint256(EfficientHashLib.hashCalldata(sample)),
            deposit,
            time,
            position
        );
    }

    /// @dev Writes the leaves of `n` items among those of a transaction. The caller has counted the
    /// items.
    /// @param index The index of the first item's leaf.
    /// @param position The position of the first item.
    function fill(
        bytes32[] memory leaves,
        uint256 index,
        bytes calldata items,
        uint256 n,
        address author,
        uint256 deposit,
        uint256 time,
        uint256 position
    ) internal pure {
        // Positions have 64 bits, and calldata has at most one item a byte: no sum wraps.
        unchecked {
            uint256 offset;
            for (uint256 end = index + n; index < end; ++index) {
                uint256 label;
                bytes calldata sample;
                (label, sample, offset) = Batches.item(items, offset);
                leaves[index] = leaf(author, label, sample, deposit, time, position++);
            }
        }
    }

    /// @dev Returns the Merkle root over the first `n` leaves, of which there is at least one.
    /// Drops the others.
    function root(bytes32[] memory leaves, uint256 n) internal pure returns (bytes32) {
        if (n == 1) return leaves[0];
        assembly ("memory-safe") {
            mstore(leaves, n)
        }
        return leaves.build().root();
    }
}
