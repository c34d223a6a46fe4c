// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IAccounts
/// @notice Prepaid money in a trainer, to contribute without sending transactions, and the nonces of what was
/// signed.
/// @dev Money is in wei. A balance stays below 2^96, a nonce below 2^48.
interface IAccounts {
    /// @notice Thrown when a balance would reach 2^96.
    error BalanceOverflow(address account);

    /// @notice Thrown when a balance does not suffice.
    error BalanceTooLow(uint256 required, uint256 balance);

    /// @notice Money was added to an account's balance: prepaid, or what somebody else's refund or report has brought the
    /// account.
    /// @dev A balance is all that was deposited, less what was withdrawn, less deposits and fees of what was relayed
    /// for the account, plus the fees of what it relayed itself.
    event Deposited(address indexed account, uint256 amount);

    /// @notice An account took money out.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice An account made nonces useless.
    /// @param last This one and all below it.
    event NoncesCancelled(address indexed account, uint256 last);

    /// @notice Adds what is sent to an account's balance.
    function depositTo(address account) external payable;

    /// @notice Pays out some of the caller's balance.
    function withdrawTo(address to, uint256 amount) external;

    /// @notice Makes a nonce of the caller's and all below it useless, and so what was signed with them.
    function cancelNonces(uint48 last) external;

    /// @notice What an account has prepaid or got by others' refunds and reports, and not spent or withdrawn.
    function balanceOf(address account) external view returns (uint256);

    /// @notice How many of an author's contributions have turned out to be good.
    function good(address author) external view returns (uint256);

    /// @notice Whether a nonce can no longer be used. Nonces may be used in any order, but one that is 64 or more
    /// below the highest used one counts as used.
    function nonceUsed(address account, uint48 nonce) external view returns (bool);
}
