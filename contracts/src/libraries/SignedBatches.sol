// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

import {Batches} from "./Batches.sol";
import {Signatures} from "./Signatures.sol";

/// @notice The data that an author signs, laid out as EIP-712 hashes it.
struct SignedBatch {
    bytes32 typeHash;
    address author;
    address relayer;
    uint256 maxDeposit;
    uint256 fee;
    uint256 nonce;
    uint256 deadline;
    bytes32 itemsHash;
}

/// @title SignedBatches
/// @notice Reads signed batches from calldata, and checks their authors' signatures.
/// @dev They follow each other: `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) |
/// deadline (5) | bound (1) | length of items (4) | items | length of signature (2) | signature`.
/// The signed relayer is not part of it. It is the sender if the batch is bound, else the zero
/// address.
library SignedBatches {
    /// @notice Thrown when a signed batch runs past the end of the batches.
    /// @param offset The offset of the batch, in bytes.
    error MalformedRelay(uint256 offset);

    bytes32 private constant TYPE_HASH = keccak256(
        "Batch(address author,address relayer,uint96 maxDeposit,uint96 fee,uint48 nonce,uint40 deadline,bytes items)"
    );
    /// @dev Length of a batch before its items, in bytes.
    uint256 private constant HEADER = 60;

    /// @dev Reads the batch at `offset`. Reverts if it runs past the end.
    /// @return items The items of the batch.
    /// @return signature The signature of the batch.
    /// @return next The offset of the next batch.
    function batchAt(bytes calldata batches, uint256 offset)
        internal
        pure
        returns (bytes calldata items, bytes calldata signature, uint256 next)
    {
        // Calldata and so offsets are far below 2^64, lengths below 2^32: no sum wraps.
        unchecked {
            // This may read past the end; the check below detects that.
            assembly {
                items.offset := add(add(batches.offset, offset), HEADER)
                items.length := shr(224, calldataload(sub(items.offset, 4)))
                signature.offset := add(add(items.offset, items.length), 2)
                signature.length := shr(240, calldataload(sub(signature.offset, 2)))
            }
            next = offset + HEADER + items.length + 2 + signature.length;
            if (next > batches.length) revert MalformedRelay(offset);
        }
    }

    /// @dev Returns the number of items in all batches with well-formed items.
    function count(bytes calldata batches) internal pure returns (uint256 n) {
        for (uint256 offset; offset < batches.length;) {
            bytes calldata items;
            (items,, offset) = batchAt(batches, offset);
            // `_accept` finds the reason again when it skips the batch.
            // slither-disable-next-line unused-return
            (uint256 more,) = Batches.tryCount(items);
            // Calldata has at most one item a byte.
            unchecked {
                n += more;
            }
        }
    }

    /// @dev Appends the header and the items of the batch at `offset` to a log.
    /// @param log The log, with room for them behind it.
    /// @param itemsLength The length of the items, in bytes.
    function append(bytes memory log, bytes calldata batches, uint256 offset, uint256 itemsLength)
        internal
        pure
    {
        assembly ("memory-safe") {
            let length := add(HEADER, itemsLength)
            calldatacopy(add(add(log, 0x20), mload(log)), add(batches.offset, offset), length)
            mstore(log, add(mload(log), length))
        }
    }

    /// @dev Returns the signed data of the batch at `offset`, which must not run past the end. Any
    /// `bound` but 0 binds the batch to the sender.
    function header(bytes calldata batches, uint256 offset, bytes calldata items)
        internal
        view
        returns (SignedBatch memory signed)
    {
        uint256 first;
        uint256 second;
        assembly {
            first := calldataload(add(batches.offset, offset))
            second := calldataload(add(add(batches.offset, offset), 32))
        }
        signed.typeHash = TYPE_HASH;
        // The casts cut off the preceding fields.
        signed.author = address(uint160(first >> 96));
        signed.maxDeposit = uint96(first);
        signed.fee = second >> 160;
        signed.nonce = uint48(second >> 112);
        signed.deadline = uint40(second >> 72);
        if (uint8(second >> 64) != 0) signed.relayer = msg.sender;
        signed.itemsHash = EfficientHashLib.hashCalldata(items);
    }

    /// @dev Returns `true` if the author's key signed the batch, or else the author's code accepts
    /// the signature. Reverts if so little gas is left that the code could get less than its
    /// allowance.
    /// @param allowance Gas that the author's code may use.
    /// @return signed_ `true` if the signature is valid.
    /// @return used Gas for asking the author's code; 0 if it was not asked.
    function isSignedWithin(
        SignedBatch memory signed,
        bytes calldata signature,
        bytes32 domainSeparator,
        uint256 allowance
    ) internal view returns (bool signed_, uint256 used) {
        bytes32 structHash;
        assembly ("memory-safe") {
            structHash := keccak256(signed, 0x100) // its eight words
        }
        return Signatures.isSignedWithin(signed.author, structHash, signature, domainSeparator, allowance);
    }
}
