// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IRoundMath} from "../../interfaces/IRoundMath.sol";
import {Aggregation, Rule} from "../../libraries/Aggregation.sol";
import {Shape, SoftmaxLosses} from "../../libraries/SoftmaxLosses.sol";
import {Rows, UpdateRows} from "../../libraries/UpdateRows.sol";

/// @title RoundMath
/// @notice The arithmetic of federated rounds.
/// @dev It is a contract of its own because its unrolled loops and a trainer together would be larger
/// than a contract may be (EIP-170).
contract RoundMath is IRoundMath {
    /// @inheritdoc IRoundMath
    function aggregate(
        Rule rule,
        uint256 f,
        uint256 width,
        uint256 count,
        uint256 words,
        bytes calldata updates
    ) external pure returns (uint256[] memory deltas) {
        Rows memory rows = UpdateRows.load(updates, count, updates.length / count, width);
        deltas = UpdateRows.toInt16(Aggregation.aggregate(rule, rows, f), width);
        assembly ("memory-safe") {
            // The last word of 8-bit lanes is two words of a model, of which the second may be empty.
            mstore(deltas, words)
        }
    }

    /// @inheritdoc IRoundMath
    function losses(
        Shape calldata shape,
        uint256 width,
        uint256 count,
        uint256[] calldata base,
        bytes calldata updates,
        bytes calldata samples
    ) external pure returns (uint256[] memory sums) {
        Rows memory rows = UpdateRows.load(updates, count, updates.length / count, width);
        return SoftmaxLosses.losses(shape, rows, base, samples);
    }

    /// @inheritdoc IRoundMath
    function requireSamples(Shape calldata shape, bytes calldata samples) external pure {
        SoftmaxLosses.requireSamples(shape, samples);
    }

    /// @inheritdoc IRoundMath
    function requireUpdate(uint256 parameters, uint256 width, uint256 maxSquaredNorm, bytes calldata update)
        external
        pure
    {
        UpdateRows.requireValid(update, parameters, width, maxSquaredNorm);
    }
}
