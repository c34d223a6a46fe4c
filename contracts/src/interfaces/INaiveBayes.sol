// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title INaiveBayes
/// @notice The parameter of naive Bayes; it is fixed at creation.
interface INaiveBayes {
    /// @notice Returns the amount added to every count, in 1/256 of a count.
    function smoothing() external view returns (uint256);
}
