// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IPredictionFees
/// @notice Sells predictions of one model, and shares the payments among its contributors by their
/// good contributions.
/// @dev Warning: all data of a public chain can be read for free. Anyone may ask the classifier
/// itself, off chain or on, or read its weights and predict from them. Payment is a convention. It
/// binds only on-chain callers who choose this contract because they want the contributors to be
/// paid. (0xDeCA10B's simulation assumed that people pay.)
///
/// Shares are the good contributions of a trainer (`IAccounts.good`), which only grow. The trainer
/// knows nothing of this contract. So shares count from the call that registers them, for later
/// payments only. A payment made while no account is registered waits for the first payment after a
/// registration. Money is in wei.
interface IPredictionFees {
    /// @notice Thrown when a call has no samples.
    error NoSamples();

    /// @notice Thrown when the caller sends less than the predictions cost.
    /// @param required The price of all predictions, in wei.
    /// @param sent The amount that the caller sent, in wei.
    error PaymentTooLow(uint256 required, uint256 sent);

    /// @notice The contract sold predictions.
    /// @param caller The buyer.
    /// @param samples The number of predicted samples.
    /// @param paid The price of all of them, in wei.
    event Predicted(address indexed caller, uint256 samples, uint256 paid);

    /// @notice The contract shared payments among the registered accounts.
    /// @param amount The shared money, in wei. It includes payments that waited for a registration,
    /// and earlier remainders.
    /// @param perShare The earnings of each share since the beginning, in wei times 2^64, rounded
    /// down.
    /// @param waiting The remainder of the division by the shares, which waits for the next
    /// payment, in units of 2^-64 wei.
    event Shared(uint256 amount, uint256 perShare, uint256 waiting);

    /// @notice The contract registered an account's good contributions.
    /// @param account The account.
    /// @param shares The account's shares now.
    /// @param totalShares The shares of all accounts now.
    event Registered(address indexed account, uint256 shares, uint256 totalShares);

    /// @notice The contract paid an account its earnings.
    /// @param account The account.
    /// @param amount The payment, in wei.
    event Collected(address indexed account, uint256 amount);

    /// @notice Predicts the label of each sample, for `price` each. The contract sends the excess
    /// back.
    /// @dev Errors, in order: `NoSamples`, `PaymentTooLow`, errors of the classifier,
    /// `PaymentFailed`.
    /// @param samples Encoded as the classifier's `describe().encoding` says.
    /// @return labels One label a sample, in the order of the samples.
    function predict(bytes[] calldata samples) external payable returns (uint256[] memory labels);

    /// @notice Registers the good contributions that an account has in the trainer now. They take
    /// part in all later payments. Anyone may call it for any account, again whenever there are
    /// more.
    /// @param account The account to register.
    /// @return shares The account's shares now.
    // An interface's names hide nothing.
    // slither-disable-next-line shadowing-local
    function register(address account) external returns (uint256 shares);

    /// @notice Registers the caller and pays it its earnings.
    /// @dev Errors, in order: `NothingToCollect`, `PaymentFailed`.
    /// @return amount The payment, in wei.
    function collect() external returns (uint256 amount);

    /// @notice Returns an account's earnings that it has not collected, in whole wei.
    /// @param account The account to look up.
    function earned(address account) external view returns (uint256);

    /// @notice Returns the registered good contributions of an account.
    /// @param account The account to look up.
    function shares(address account) external view returns (uint256);

    /// @notice Returns the registered good contributions of all accounts.
    function totalShares() external view returns (uint256);

    /// @notice Returns the price of a prediction of one sample, in wei: at most 2^96 - 1. With 0,
    /// contributors earn nothing.
    function price() external view returns (uint256);

    /// @notice Returns the trainer whose contributors are paid.
    function trainer() external view returns (address);
}
