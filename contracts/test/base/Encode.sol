// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice One contribution as it was made.
struct Contribution {
    address author;
    uint96 deposit;
    uint16 label;
    uint40 time;
    uint64 position;
    bytes sample;
}

/// @notice Encodes samples, batches and claims in a simple way, as a client would.
library Encode {
    /// @dev Encodes a sparse sample.
    function sparse(uint256[] memory indices) internal pure returns (bytes memory sample) {
        sample = new bytes(2 * indices.length);
        for (uint256 i; i < indices.length; ++i) {
            sample[2 * i] = bytes1(uint8(indices[i] >> 8));
            sample[2 * i + 1] = bytes1(uint8(indices[i]));
        }
    }

    /// @dev Encodes a dense sample of 16-bit numbers.
    function dense16(int256[] memory numbers) internal pure returns (bytes memory sample) {
        for (uint256 i; i < numbers.length; ++i) {
            sample = bytes.concat(sample, bytes2(uint16(int16(numbers[i]))));
        }
    }

    /// @dev Encodes a dense sample of 32-bit numbers.
    function dense32(int256[] memory numbers) internal pure returns (bytes memory sample) {
        sample = new bytes(4 * numbers.length);
        for (uint256 i; i < sample.length; ++i) {
            sample[i] = bytes1(uint8(uint256(numbers[i / 4]) >> (24 - i % 4 * 8)));
        }
    }

    /// @dev Encodes an item of a batch, which is also a batch of one.
    function item(uint256 label, bytes memory sample) internal pure returns (bytes memory) {
        return bytes.concat(bytes2(uint16(label)), bytes2(uint16(sample.length)), sample);
    }

    /// @dev Encodes a contribution as claims contain it.
    function contribution(Contribution memory made) internal pure returns (bytes memory) {
        return abi.encodePacked(
            made.author,
            made.deposit,
            made.label,
            made.time,
            made.position,
            uint16(made.sample.length),
            made.sample
        );
    }

    /// @dev Parses indices from a list of numbers separated by commas.
    function list(string memory text) internal pure returns (uint256[] memory numbers) {
        bytes memory characters = bytes(text);
        if (characters.length == 0) return numbers;
        uint256 count = 1;
        for (uint256 i; i < characters.length; ++i) {
            if (characters[i] == ",") ++count;
        }
        numbers = new uint256[](count);
        uint256 index;
        for (uint256 i; i < characters.length; ++i) {
            if (characters[i] == ",") ++index;
            else numbers[index] = numbers[index] * 10 + uint8(characters[i]) - 48;
        }
    }

    /// @dev Returns an array of one sample.
    function one(bytes memory sample) internal pure returns (bytes[] memory samples) {
        samples = new bytes[](1);
        samples[0] = sample;
    }

    /// @dev Returns the parameters of a dense perceptron, followed by the widest bounds.
    function widest16(bytes memory parameters) internal pure returns (bytes memory) {
        return bytes.concat(parameters, abi.encode(uint256(1) << 15, parameter(parameters, 0) << 30));
    }

    /// @dev Returns the parameters of a dense nearest centroid, followed by the widest bounds.
    function widest32(bytes memory parameters) internal pure returns (bytes memory) {
        return bytes.concat(parameters, abi.encode(uint256(1) << 31, parameter(parameters, 1) << 62));
    }

    function parameter(bytes memory parameters, uint256 index) private pure returns (uint256 value) {
        assembly {
            value := mload(add(add(parameters, 0x20), shl(5, index)))
        }
    }
}
