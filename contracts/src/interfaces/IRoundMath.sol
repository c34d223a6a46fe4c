// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Rule} from "../libraries/Aggregation.sol";
import {Shape} from "../libraries/SoftmaxLosses.sol";

/// @title IRoundMath
/// @notice The arithmetic of federated rounds, without state: trainers call one contract for it.
interface IRoundMath {
    /// @notice Aggregates updates.
    /// @param f The number of updates that the rule takes to be bad; the rule must permit it.
    /// @param width The width of an update's lanes, in bits: 8 or 16.
    /// @param count The number of updates.
    /// @param words The number of words of the model.
    /// @param updates Valid updates, one after the other.
    /// @return deltas What the model adds: `int16` lanes.
    function aggregate(
        Rule rule,
        uint256 f,
        uint256 width,
        uint256 count,
        uint256 words,
        bytes calldata updates
    ) external pure returns (uint256[] memory deltas);

    /// @notice Sums losses over samples, in units of 1/256 bit.
    /// @param base The words of the model.
    /// @param samples Samples that `requireSamples` accepts.
    /// @return sums The losses of the model, of the model with all updates, and with all but each
    /// one.
    function losses(
        Shape calldata shape,
        uint256 width,
        uint256 count,
        uint256[] calldata base,
        bytes calldata updates,
        bytes calldata samples
    ) external pure returns (uint256[] memory sums);

    /// @notice Reverts unless there are whole samples whose labels and features are within bounds.
    function requireSamples(Shape calldata shape, bytes calldata samples) external pure;

    /// @notice Reverts unless an update has the right length, clear guard bits and zeros past its last
    /// parameter, and is within a bound.
    /// @param parameters The number of parameters of the model.
    /// @param width The width of a lane, in bits: 8 or 16.
    /// @param maxSquaredNorm The largest sum of the squares of its values.
    function requireUpdate(uint256 parameters, uint256 width, uint256 maxSquaredNorm, bytes calldata update)
        external
        pure;
}
