// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Claims, Contribution, Group} from "../../src/libraries/Claims.sol";
import {Roots} from "../../src/libraries/Roots.sol";
import {SignedBatch, SignedBatches} from "../../src/libraries/SignedBatches.sol";
import {Contribution as Made, Encode} from "../base/Encode.sol";
import {Sign, SignedBatch as Signed} from "../base/Sign.sol";

/// @notice Proofs that the contracts read claims and signed batches as they were written, for every
/// value of every field. Samples, items and signatures have the lengths given here.
contract CodecsProofs {
    /// @dev Reads two contributions, one after the other.
    function check_ClaimsAreReadAsWritten(
        uint64 firstPosition,
        Made memory first,
        Made memory second,
        bytes3 sample,
        bytes32 node
    ) external view {
        first.sample = abi.encodePacked(sample);
        second.sample = "";
        bytes memory claims = bytes.concat(
            abi.encodePacked(firstPosition, uint16(2), uint16(1)),
            Encode.contribution(first),
            Encode.contribution(second),
            abi.encodePacked(uint8(0x80), node)
        );
        this.readClaims(claims, firstPosition, first, second);
    }

    function readClaims(
        bytes calldata claims,
        uint64 firstPosition,
        Made calldata first,
        Made calldata second
    ) external pure {
        Group memory group = Claims.groupAt(claims, 0);
        assert(group.firstPosition == firstPosition);
        assert(group.nodes == 1);
        assert(group.leaves.length == 2);
        assert(group.end == claims.length);
        uint256 next = _requireSame(claims, group.contributions, first, group.leaves[0]);
        next = _requireSame(claims, next, second, group.leaves[1]);
        assert(group.flags == next);
    }

    /// @dev Writes two batches, one after the other, and reads the second one.
    function check_SignedBatchesAreReadAsWritten(
        Signed memory first,
        Signed memory second,
        bytes9 items,
        bytes32 r,
        bytes32 vs
    ) external view {
        first.items = abi.encodePacked(items);
        first.signature = abi.encodePacked(r, vs, uint8(27));
        second.items = abi.encodePacked(items, items);
        second.signature = abi.encodePacked(r, vs);
        bytes memory one = Sign.encode(first);
        this.readSignedBatch(bytes.concat(one, Sign.encode(second)), 0, first, one.length);
        this.readSignedBatch(bytes.concat(one, Sign.encode(second)), one.length, second, 0);
    }

    /// @param end The offset of the batch's end; 0 for the end of all batches.
    function readSignedBatch(bytes calldata batches, uint256 offset, Signed calldata signed, uint256 end)
        external
        view
    {
        (bytes calldata items, bytes calldata signature, uint256 next) =
            SignedBatches.batchAt(batches, offset);
        assert(next == (end == 0 ? batches.length : end));
        assert(keccak256(items) == keccak256(signed.items));
        assert(keccak256(signature) == keccak256(signed.signature));
        SignedBatch memory read = SignedBatches.header(batches, offset, items);
        assert(read.author == signed.author);
        // The relayer is not encoded: it is the sender, or the zero address.
        assert(read.relayer == (signed.relayer == address(0) ? address(0) : msg.sender));
        assert(read.maxDeposit == signed.maxDeposit);
        assert(read.fee == signed.fee);
        assert(read.nonce == signed.nonce);
        assert(read.deadline == signed.deadline);
        assert(read.itemsHash == keccak256(signed.items));
        // The log has the header and the items.
        bytes memory log = new bytes(batches.length);
        assembly ("memory-safe") {
            mstore(log, 0)
        }
        SignedBatches.append(log, batches, offset, items.length);
        assert(keccak256(log) == keccak256(batches[offset:offset + 60 + items.length]));
    }

    function _requireSame(bytes calldata claims, uint256 offset, Made calldata made, bytes32 leaf)
        private
        pure
        returns (uint256 next)
    {
        Contribution memory one = Claims.contributionAt(claims, offset);
        assert(one.author == made.author);
        assert(one.deposit == made.deposit);
        assert(one.label == made.label);
        assert(one.time == made.time);
        assert(one.position == made.position);
        bytes calldata sample;
        (sample, next) = Claims.sampleAt(claims, offset);
        assert(keccak256(sample) == keccak256(made.sample));
        assert(leaf == Roots.leaf(made.author, made.label, sample, made.deposit, made.time, made.position));
    }
}
