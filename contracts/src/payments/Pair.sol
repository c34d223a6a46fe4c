// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice Two amounts in one word, so that both change by one write: `whole (128 bits, low) | part
/// (128 bits)`. The part is at most the whole.
/// @dev A channel's balance and what is claimed of it; a receiver's claims and what is paid of them.
type Pair is uint256;

using {whole, part, rest} for Pair global;

uint256 constant PART_OFFSET = 128;

/// @dev Returns both amounts in one word.
function pairOf(uint128 whole_, uint128 part_) pure returns (Pair) {
    return Pair.wrap(uint256(part_) << PART_OFFSET | whole_);
}

/// @dev Returns the larger amount.
function whole(Pair self) pure returns (uint128) {
    return uint128(Pair.unwrap(self));
}

/// @dev Returns the amount that is claimed or paid of the larger one.
function part(Pair self) pure returns (uint128) {
    return uint128(Pair.unwrap(self) >> PART_OFFSET);
}

/// @dev Returns the whole without the part.
function rest(Pair self) pure returns (uint128) {
    return whole(self) - part(self);
}
