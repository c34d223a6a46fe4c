// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IRewardToken
/// @notice A token with a cap, which the trainer of a model mints for updates that helped.
interface IRewardToken {
    /// @notice Thrown when the owner names the trainer again, or the zero address.
    error TrainerIsFixed(address trainer);

    /// @notice Thrown when an account other than the trainer mints.
    error NotMinter(address caller, address trainer);

    /// @notice Thrown when a mint would lift the supply above the cap.
    /// @param supply The supply after the mint.
    /// @param cap The maximum supply.
    error CapExceeded(uint256 supply, uint256 cap);

    /// @notice The owner named the trainer, permanently.
    event TrainerSet(address indexed trainer);

    /// @notice Names the trainer, which alone may mint; only the owner may call it, and only once.
    function setTrainer(address account) external;

    /// @notice Mints tokens. The receiver's votes count at once: it delegates to itself unless it
    /// has a delegate.
    function mint(address to, uint256 amount) external;

    /// @notice Returns the maximum supply.
    function cap() external view returns (uint256);

    /// @notice Returns the trainer; zero until the owner has named it.
    function trainer() external view returns (address);

    /// @notice Returns the owner, who only names the trainer.
    function owner() external view returns (address);
}
