// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPackedModel
/// @notice How a model of packed 256-bit words gets its initial values, in as many transactions as it takes.
interface IPackedModel {
    /// @notice Thrown when the initialisation has been closed before.
    error InitializationClosed();

    /// @notice Thrown when words beyond the model are asked for.
    /// @param size The model's size in words.
    error WordsOutOfRange(uint256 offset, uint256 count, uint256 size);

    /// @notice Thrown when the zero address is named as trainer.
    error InvalidTrainer();

    /// @notice The owner wrote part of the model.
    /// @param offset The first word that was written.
    /// @param count The number of words that were written.
    event WordsWritten(uint256 offset, uint256 count);

    /// @notice The initialisation ended for ever.
    /// @param trainer Who may teach from now on.
    event Closed(address indexed trainer);

    /// @notice Writes words of the model, in any order, again if wished; only the owner, only while open.
    /// @param offset The first word to write.
    /// @param values The words' values.
    function write(uint256 offset, uint256[] calldata values) external;

    /// @notice Ends the initialisation for ever and names who may teach; only the owner.
    /// @dev Reverts with `InvalidParameter` where the model's parameters are outside their bounds.
    function close(address trainer) external;

    /// @notice Reads words of the model.
    /// @param offset The first word to read.
    /// @param count The number of words to read.
    function words(uint256 offset, uint256 count) external view returns (uint256[] memory values);
}
