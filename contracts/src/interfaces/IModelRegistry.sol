// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice A model that its owner registered.
struct Entry {
    /// The trainer; zero if there is no such entry.
    address trainer;
    /// The number of the block with the event of the model's latest card.
    uint64 cardBlock;
}

/// @title IModelRegistry
/// @notice A list in which owners register finished models, each with a card that describes it.
/// @dev Anyone can register anything that calls itself a trainer, and a card can say anything.
/// Before you contribute, check the code of trainer and classifier, not the card.
interface IModelRegistry {
    /// @notice Thrown when the trainer's address has no code, or its classifier is not closed for
    /// it.
    error ModelNotReady(address trainer);

    /// @notice An owner registered a model, or replaced its card.
    /// @param trainer The trainer of the model.
    /// @param owner The owner of the trainer.
    /// @param card A description of the model and of its samples' encoding, for clients: any bytes.
    event ModelRegistered(address indexed trainer, address indexed owner, bytes card);

    /// @notice Registers a finished model, or replaces its card; only the trainer's owner may call
    /// it.
    /// @dev Only the event has the card. The registry passes on errors of the trainer and its
    /// classifier.
    /// @param trainer A trainer whose classifier is closed and names it.
    /// @param card Any bytes.
    function register(address trainer, bytes calldata card) external;

    /// @notice Returns the number of registered models.
    function count() external view returns (uint256);

    /// @notice Returns registered models, in the order of their registration.
    /// @param offset The index of the first entry to read, from 0.
    /// @param max The maximum number of entries to read. If fewer are left from `offset` on, the
    /// result has only those.
    function entries(uint256 offset, uint256 max) external view returns (Entry[] memory);

    /// @notice Returns the entry of one model; all zero if it is not registered.
    /// @param trainer The trainer of the model.
    function entry(address trainer) external view returns (Entry memory);
}
