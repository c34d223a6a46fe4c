// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title Chunks
/// @notice Roots over the chunks of an update, so that one chunk can be shown without the others.
/// @dev A leaf is the hash of a chunk's bytes. Leaves are padded with zeros to a power of two; an
/// inner node is the hash of its two children in order. So the number of chunks fixes the length of
/// a proof, and the index fixes its sides.
library Chunks {
    /// @notice Thrown when a proof has another length than the number of chunks demands.
    /// @param length The number of hashes in the proof.
    /// @param expected The expected number.
    error WrongProofLength(uint256 length, uint256 expected);

    /// @dev Returns the number of chunks of `size` bytes; the last one may be shorter.
    function count(uint256 length, uint256 size) internal pure returns (uint256) {
        return (length + size - 1) / size;
    }

    /// @dev Returns the number of hashes in a proof.
    function depth(uint256 chunks) internal pure returns (uint256 levels) {
        while (1 << levels < chunks) ++levels;
    }

    /// @dev Returns the root of data with at least one byte.
    /// @param size The size of a chunk, in bytes.
    function root(bytes calldata data, uint256 size) internal pure returns (bytes32) {
        if (data.length <= size) return EfficientHashLib.hashCalldata(data);
        uint256 chunks = count(data.length, size);
        bytes32[] memory nodes = new bytes32[](1 << depth(chunks));
        for (uint256 i; i < chunks; ++i) {
            uint256 end = i == chunks - 1 ? data.length : (i + 1) * size;
            nodes[i] = EfficientHashLib.hashCalldata(data[i * size:end]);
        }
        for (uint256 width = nodes.length / 2; width > 0; width /= 2) {
            for (uint256 i; i < width; ++i) {
                nodes[i] = EfficientHashLib.hash(nodes[2 * i], nodes[2 * i + 1]);
            }
        }
        return nodes[0];
    }

    /// @dev Returns the root that a chunk and its proof lead to.
    /// @param index The index of the chunk, below `chunks`.
    /// @param chunks The number of chunks.
    function rootOf(bytes calldata chunk, uint256 index, uint256 chunks, bytes32[] calldata proof)
        internal
        pure
        returns (bytes32 node)
    {
        uint256 levels = depth(chunks);
        if (proof.length != levels) revert WrongProofLength(proof.length, levels);
        node = EfficientHashLib.hashCalldata(chunk);
        for (uint256 i; i < levels; ++i) {
            node = index >> i & 1 == 0
                ? EfficientHashLib.hash(node, proof[i])
                : EfficientHashLib.hash(proof[i], node);
        }
    }
}
