// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IAccounts
/// @notice Prepaid money in a trainer, and the nonces of signed messages. With it an account
/// contributes without sending transactions.
/// @dev Money is in wei. A balance stays below 2^96, a nonce below 2^48.
interface IAccounts {
    /// @notice Thrown when a payment would raise a balance to 2^96 or more.
    error BalanceOverflow(address account);

    /// @notice Thrown when an account's balance does not cover an amount.
    /// @param required The amount, in wei.
    /// @param balance The account's balance, in wei.
    error BalanceTooLow(uint256 required, uint256 balance);

    /// @notice The contract added money to an account's balance. Either a caller prepaid it, or it
    /// is from the account's own refund or report, which another account sent.
    /// @dev A balance is the sum of these deposits minus the withdrawals. Relaying changes it too:
    /// the author pays deposits and fees, and the relayer receives the fees.
    /// @param account The account that received the money.
    /// @param amount The money added, in wei.
    event Deposited(address indexed account, uint256 amount);

    /// @notice An account withdrew money.
    /// @param account The account whose balance fell.
    /// @param to The receiver of the money.
    /// @param amount The money withdrawn, in wei.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice An account canceled nonces.
    /// @param account The account that canceled them.
    /// @param last The highest canceled nonce; all lower ones are canceled too.
    event NoncesCancelled(address indexed account, uint256 last);

    /// @notice Adds the sent money to an account's balance.
    /// @param account The account that receives the money.
    function depositTo(address account) external payable;

    /// @notice Pays money out of the caller's balance.
    /// @param to The address that receives the money.
    /// @param amount The money to pay, in wei.
    function withdrawTo(address to, uint256 amount) external;

    /// @notice Cancels a nonce of the caller and all lower ones. Messages signed with them become
    /// useless.
    /// @param last The highest nonce to cancel.
    function cancelNonces(uint48 last) external;

    /// @notice Returns an account's unspent balance, in wei: prepayments, relayer's fees, and money
    /// from refunds and reports that others sent.
    /// @param account The account to look up.
    function balanceOf(address account) external view returns (uint256);

    /// @notice Returns the number of an author's refunded contributions.
    /// @param author The author to look up.
    function good(address author) external view returns (uint256);

    /// @notice Returns `true` if a nonce can no longer be used. An account may use nonces in any
    /// order. A nonce that is 64 or more below the highest used one counts as used.
    /// @param account The account to look up.
    /// @param nonce The nonce to check.
    function nonceUsed(address account, uint48 nonce) external view returns (bool);
}
