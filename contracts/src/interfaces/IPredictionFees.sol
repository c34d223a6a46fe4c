// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPredictionFees
/// @notice Sells predictions of one model, and shares what is paid among its contributors by their good contributions.
/// @dev Warning: whatever is on a public chain can be read for nothing. Anyone may ask the classifier itself, off chain or on, or
/// read its weights and predict from them. Paying is a convention: it binds nobody but the callers on chain who choose to call
/// this contract, because they want the contributors to be paid. (The ancestor's simulation took it for granted that
/// people pay.)
///
/// Shares are the good contributions of a trainer (`IAccounts.good`), which only grow. The trainer knows nothing of this contract,
/// so they count from when somebody registers them here, for payments that come later. What is paid while nobody is registered
/// waits for the first payment after somebody is. Money is in wei.
interface IPredictionFees {
    /// @notice Thrown when there is nothing to predict.
    error NoSamples();

    /// @notice Thrown when less was sent than the predictions cost.
    /// @param required In wei.
    /// @param sent In wei.
    error PaymentTooLow(uint256 required, uint256 sent);

    /// @notice Predictions were sold.
    /// @param samples How many.
    /// @param paid For all of them, in wei.
    event Predicted(address indexed caller, uint256 samples, uint256 paid);

    /// @notice What was paid was shared among those who are registered.
    /// @param amount All that is shared, in wei: with what had to wait until somebody was registered, and with earlier remainders.
    /// @param perShare What each share has earned since the beginning, in wei times 2^64, rounded down.
    /// @param waiting What could not be divided by the shares and waits for the next payment, in units of 2^-64 wei.
    event Shared(uint256 amount, uint256 perShare, uint256 waiting);

    /// @notice An account's good contributions were registered.
    /// @param shares All of the account's now.
    /// @param totalShares All of everybody's now.
    event Registered(address indexed account, uint256 shares, uint256 totalShares);

    /// @notice An account was paid what it has earned.
    /// @param amount In wei.
    event Collected(address indexed account, uint256 amount);

    /// @notice Predicts the label of each sample, for `price` each; what is sent above that is sent back.
    /// @dev `NoSamples`, `PaymentTooLow`, what the classifier says, `PaymentFailed`.
    function predict(bytes[] calldata samples) external payable returns (uint256[] memory labels);

    /// @notice Registers the good contributions that an account has in the trainer now: what is paid from now on is shared by
    /// them. By anyone for anyone, as often as there are more.
    // An interface's names hide nothing.
    // slither-disable-next-line shadowing-local
    function register(address account) external returns (uint256 shares);

    /// @notice Registers the caller and pays it what it has earned.
    /// @dev `NothingToCollect`, `PaymentFailed`.
    /// @return amount In wei.
    function collect() external returns (uint256 amount);

    /// @notice What an account has earned and not collected, in whole wei.
    function earned(address account) external view returns (uint256);

    /// @notice The good contributions of an account that are registered.
    function shares(address account) external view returns (uint256);

    /// @notice Those of all accounts.
    function totalShares() external view returns (uint256);

    /// @notice What a prediction of one sample costs, in wei: at most 2^96 - 1; with 0, nothing is ever earned.
    function price() external view returns (uint256);

    /// @notice Whose contributors are paid.
    function trainer() external view returns (address);
}
