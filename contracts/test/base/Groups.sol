// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Contribution, Encode} from "./Encode.sol";

/// @notice Proves contributions of one transaction and encodes them as claims, as a client would do
/// it from the logs.
library Groups {
    using MerkleTreeLib for bytes32[];

    /// @dev Encodes a group of contributions and their proof.
    function encode(
        uint256 firstPosition,
        Contribution[] memory chosen,
        bytes32[] memory nodes,
        bool[] memory flags
    ) internal pure returns (bytes memory group) {
        group = abi.encodePacked(uint64(firstPosition), uint16(chosen.length), uint16(nodes.length));
        for (uint256 i; i < chosen.length; ++i) {
            group = bytes.concat(group, Encode.contribution(chosen[i]));
        }
        bytes memory bits = new bytes((flags.length + 7) / 8);
        for (uint256 i; i < flags.length; ++i) {
            if (flags[i]) bits[i / 8] |= bytes1(uint8(2 ** (7 - i % 8)));
        }
        return bytes.concat(group, bits, abi.encodePacked(nodes));
    }

    /// @dev Encodes some contributions of one transaction, given their ascending indices in it.
    function some(Contribution[] memory made, uint256[] memory indices) internal pure returns (bytes memory) {
        Contribution[] memory chosen = new Contribution[](indices.length);
        for (uint256 i; i < indices.length; ++i) {
            chosen[i] = made[indices[i]];
        }
        (bytes32[] memory nodes, bool[] memory flags) = tree(made).multiProofForLeaves(indices);
        return encode(made[0].position, chosen, nodes, flags);
    }

    /// @dev Encodes all contributions of one transaction.
    function all(Contribution[] memory made) internal pure returns (bytes memory) {
        uint256[] memory indices = new uint256[](made.length);
        for (uint256 i; i < indices.length; ++i) {
            indices[i] = i;
        }
        return some(made, indices);
    }

    /// @dev Encodes one contribution of one transaction.
    function one(Contribution[] memory made, uint256 index) internal pure returns (bytes memory) {
        uint256[] memory indices = new uint256[](1);
        indices[0] = index;
        return some(made, indices);
    }

    /// @dev Returns the Merkle root of one transaction.
    function root(Contribution[] memory made) internal pure returns (bytes32) {
        return tree(made).root();
    }

    function tree(Contribution[] memory made) internal pure returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](made.length);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = leaf(made[i]);
        }
        return leaves.build();
    }

    function leaf(Contribution memory made) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                made.author, made.label, keccak256(made.sample), made.deposit, made.time, made.position
            )
        );
    }

    /// @dev Parses an author's items into contributions from position `first` on, as a client does
    /// it from the logs.
    function parse(address author, uint256 deposit, uint256 time, uint256 first, bytes memory items)
        internal
        pure
        returns (Contribution[] memory made)
    {
        uint256 count;
        uint256 offset;
        for (; offset < items.length; ++count) {
            offset += 4 + number(items, offset + 2, 2);
        }
        made = new Contribution[](count);
        offset = 0;
        for (uint256 i; i < count; ++i) {
            uint256 length = number(items, offset + 2, 2);
            made[i] = Contribution(
                author,
                uint96(deposit),
                uint16(number(items, offset, 2)),
                uint40(time),
                uint64(first + i),
                slice(items, offset + 4, length)
            );
            offset += 4 + length;
        }
    }

    /// @dev Joins two lists.
    function join(Contribution[] memory first, Contribution[] memory second)
        internal
        pure
        returns (Contribution[] memory joined)
    {
        joined = new Contribution[](first.length + second.length);
        for (uint256 i; i < joined.length; ++i) {
            joined[i] = i < first.length ? first[i] : second[i - first.length];
        }
    }

    /// @dev Reads a big-endian number of some bytes.
    function number(bytes memory data, uint256 offset, uint256 size) internal pure returns (uint256 value) {
        for (uint256 i; i < size; ++i) {
            value = value << 8 | uint8(data[offset + i]);
        }
    }

    function slice(bytes memory data, uint256 offset, uint256 length)
        internal
        pure
        returns (bytes memory part)
    {
        require(offset + length <= data.length);
        part = new bytes(length);
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), offset), length)
        }
    }
}
