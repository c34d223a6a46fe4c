// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Chunks} from "../../src/libraries/Chunks.sol";
import {Test} from "../base/Test.sol";

/// @notice Roots over the chunks of an update, and proofs of single chunks.
contract ChunksTest is Test {
    function root(bytes calldata data, uint256 size) external pure returns (bytes32) {
        return Chunks.root(data, size);
    }

    function rootOf(bytes calldata chunk, uint256 index, uint256 chunks, bytes32[] calldata proof)
        external
        pure
        returns (bytes32)
    {
        return Chunks.rootOf(chunk, index, chunks, proof);
    }

    function test_root_isHashOfOneChunk() external view {
        bytes memory data = new bytes(64);
        assertEq(this.root(data, 64), keccak256(data), "root");
    }

    function test_root_padsWithZeros() external view {
        bytes memory data = abi.encode(1, 2, 3);
        bytes32 left = keccak256(abi.encode(keccak256(abi.encode(1)), keccak256(abi.encode(2))));
        bytes32 right = keccak256(abi.encode(keccak256(abi.encode(3)), 0));
        assertEq(this.root(data, 32), keccak256(abi.encode(left, right)), "root");
    }

    /// @dev Each chunk leads to the root with its own proof and index, and not with another index.
    function testFuzz_rootOf_leadsToRootAtItsIndexOnly(uint256 seed) external view {
        uint256 size = 32 * (1 + seed % 3);
        uint256 length = 32 + 32 * ((seed >> 8) % 30);
        bytes memory data = new bytes(length);
        for (uint256 i; i < length; ++i) {
            data[i] = bytes1(uint8(seed >> i % 200));
        }
        uint256 chunks = (length + size - 1) / size;
        uint256 index = (seed >> 16) % chunks;
        (bytes memory chunk, bytes32[] memory proof) = prove(data, size, chunks, index);
        assertEq(this.rootOf(chunk, index, chunks, proof), this.root(data, size), "root");
        if (proof.length == 0) return;
        bytes32 other = this.rootOf(chunk, index ^ 1, chunks, proof);
        // A pair of equal chunks has one root in both orders.
        if (proof[0] != keccak256(chunk)) assertTrue(other != this.root(data, size), "other index");
    }

    function test_rootOf_failsIfProofLengthDiffers() external {
        vm.expectRevert(abi.encodeWithSelector(Chunks.WrongProofLength.selector, 1, 2));
        this.rootOf(new bytes(64), 0, 3, new bytes32[](1));
        vm.expectRevert(abi.encodeWithSelector(Chunks.WrongProofLength.selector, 1, 0));
        this.rootOf(new bytes(64), 0, 1, new bytes32[](1));
    }

    /// @dev Builds the proof by its definition: the hash of each sibling's subtree.
    function prove(bytes memory data, uint256 size, uint256 chunks, uint256 index)
        private
        pure
        returns (bytes memory chunk, bytes32[] memory proof)
    {
        uint256 depth;
        while (1 << depth < chunks) ++depth;
        proof = new bytes32[](depth);
        for (uint256 level; level < depth; ++level) {
            proof[level] = node(data, size, level, index >> level ^ 1);
        }
        chunk = slice(data, size, index);
    }

    function node(bytes memory data, uint256 size, uint256 level, uint256 index)
        private
        pure
        returns (bytes32)
    {
        if (level > 0) {
            bytes32 left = node(data, size, level - 1, 2 * index);
            return keccak256(abi.encode(left, node(data, size, level - 1, 2 * index + 1)));
        }
        return index * size < data.length ? keccak256(slice(data, size, index)) : bytes32(0);
    }

    function slice(bytes memory data, uint256 size, uint256 index) private pure returns (bytes memory chunk) {
        uint256 length = data.length - index * size < size ? data.length - index * size : size;
        chunk = new bytes(length);
        for (uint256 i; i < length; ++i) {
            chunk[i] = data[index * size + i];
        }
    }
}
