// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Batches} from "./Batches.sol";

/// @title Records
/// @notice The hashes that contributions are remembered by.
library Records {
    using MerkleTreeLib for bytes32[];

    /// @dev `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`. Its 192 bytes
    /// cannot be taken for the 64 of an inner node.
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

    /// @dev The Merkle root over the leaves of a batch of `n` items, which has been counted before.
    /// @param position Of the first item.
    function root(
        bytes calldata batch,
        uint256 n,
        address author,
        uint256 deposit,
        uint256 time,
        uint256 position
    ) internal pure returns (bytes32) {
        if (n == 1) {
            (uint256 label, bytes calldata sample,) = Batches.item(batch, 0);
            return leaf(author, label, sample, deposit, time, position);
        }
        bytes32[] memory leaves = new bytes32[](n);
        uint256 offset;
        for (uint256 i; i < n; ++i) {
            (uint256 label, bytes calldata sample, uint256 next) = Batches.item(batch, offset);
            leaves[i] = leaf(author, label, sample, deposit, time, position + i);
            offset = next;
        }
        return leaves.build().root();
    }
}
