// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice A model that its owner made known.
struct Entry {
    /// The trainer; zero where there is no such entry.
    address trainer;
    /// The number of the block in which the model's card was registered last: its event is there.
    uint64 cardBlock;
}

/// @title IModelRegistry
/// @notice Where owners make finished models known, each with a card that says what it is.
/// @dev Anybody can register anything that calls itself a trainer, and a card can say anything. Before contributing,
/// look at the code of trainer and classifier, not at the card.
interface IModelRegistry {
    /// @notice Thrown when there is no contract at the trainer's address, or its classifier is not closed for it.
    error ModelNotReady(address trainer);

    /// @notice A model was made known, or its card replaced.
    /// @param card What it is and how its samples are encoded, for clients: any bytes.
    event ModelRegistered(address indexed trainer, address indexed owner, bytes card);

    /// @notice Makes a finished model known, or replaces its card; only the trainer's owner.
    /// @dev The card is in the event only. What the trainer and its classifier revert with is passed on.
    /// @param trainer Whose classifier is closed and names it.
    /// @param card Any bytes.
    function register(address trainer, bytes calldata card) external;

    /// @notice How many models are known.
    function count() external view returns (uint256);

    /// @notice Known models, in the order in which they became known.
    /// @param offset The first entry to read, from 0.
    /// @param most How many to read at most. Where there are fewer, or none, from `offset` on, it is those.
    function entries(uint256 offset, uint256 most) external view returns (Entry[] memory);

    /// @notice The entry of one model; all zero where it is not known.
    function entry(address trainer) external view returns (Entry memory);
}
