// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPackedModel
/// @notice The initialization of a model of packed 256-bit words, in as many transactions as it
/// needs.
interface IPackedModel {
    /// @notice Thrown when the initialization is already closed.
    error InitializationClosed();

    /// @notice Thrown when a caller asks for words beyond the model.
    /// @param offset The index of the first requested word.
    /// @param count The number of requested words.
    /// @param size The model's size in words.
    error WordsOutOfRange(uint256 offset, uint256 count, uint256 size);

    /// @notice Thrown when the owner names the zero address as trainer.
    error InvalidTrainer();

    /// @notice The owner wrote part of the model.
    /// @param offset The index of the first written word.
    /// @param count The number of written words.
    event WordsWritten(uint256 offset, uint256 count);

    /// @notice The owner closed the initialization permanently.
    /// @param trainer The address that may teach from now on.
    event Closed(address indexed trainer);

    /// @notice Writes words of the model, in any order and as often as wanted. Only the owner may
    /// write, and only until it closes the model.
    /// @param offset The index of the first word to write.
    /// @param values The words' values.
    function write(uint256 offset, uint256[] calldata values) external;

    /// @notice Closes the initialization permanently and names the trainer; only the owner may call
    /// it.
    /// @dev Reverts with `InvalidParameter` if a parameter of the model is outside its bounds.
    /// @param trainer The address that may teach from now on.
    function close(address trainer) external;

    /// @notice Reads words of the model.
    /// @param offset The index of the first word to read.
    /// @param count The number of words to read.
    /// @return values The words' values.
    function words(uint256 offset, uint256 count) external view returns (uint256[] memory values);
}
