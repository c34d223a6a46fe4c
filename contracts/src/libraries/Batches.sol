// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibCall} from "solady/utils/LibCall.sol";

import {IErrors} from "../interfaces/IErrors.sol";

/// @title Batches
/// @notice Walks over batches: items `label (uint16) | length (uint16) | sample (length bytes)`.
library Batches {
    /// @dev Returns the number of items. Reverts unless there is at least one and each ends within
    /// the batch.
    function count(bytes calldata batch) internal pure returns (uint256 n) {
        bytes memory reason;
        (n, reason) = tryCount(batch);
        if (n == 0) LibCall.bubbleUpRevert(reason);
    }

    /// @dev Returns the number of items. Returns 0 and the error if there is none, or if one does
    /// not end within the batch.
    function tryCount(bytes calldata batch) internal pure returns (uint256 n, bytes memory reason) {
        if (batch.length == 0) return (0, abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        // Calldata and so offsets are far below 2^64: no sum wraps.
        unchecked {
            uint256 offset;
            while (offset < batch.length) {
                uint256 next = offset + 4 + lengthAt(batch, offset);
                if (next > batch.length) {
                    return (0, abi.encodeWithSelector(IErrors.MalformedBatch.selector, offset));
                }
                offset = next;
                ++n;
            }
        }
    }

    /// @dev Returns the length of the sample of the item at `offset`. The result is arbitrary if
    /// its header lies past the end.
    function lengthAt(bytes calldata batch, uint256 offset) private pure returns (uint256 length) {
        assembly {
            length := and(shr(224, calldataload(add(batch.offset, offset))), 0xffff)
        }
    }

    /// @dev Returns the item at `offset`. Reverts if it runs past the end of the batch.
    /// @return label The label of the item.
    /// @return sample The sample of the item.
    /// @return next The offset of the next item.
    function item(bytes calldata batch, uint256 offset)
        internal
        pure
        returns (uint256 label, bytes calldata sample, uint256 next)
    {
        // Calldata and so offsets are far below 2^64: no sum wraps.
        unchecked {
            uint256 header;
            // This may read past the batch's end; the check below detects that.
            assembly {
                header := shr(224, calldataload(add(batch.offset, offset)))
                // The offset and the length are two variables, not one variable written twice.
                // slither-disable-next-line write-after-write
                sample.offset := add(add(batch.offset, offset), 4)
                sample.length := and(header, 0xffff)
            }
            label = header >> 16;
            next = offset + 4 + sample.length;
            if (next > batch.length) revert IErrors.MalformedBatch(offset);
        }
    }
}
