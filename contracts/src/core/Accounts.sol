// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {Payments} from "../libraries/Payments.sol";
import {Account} from "./types/Account.sol";

/// @title Accounts
/// @notice The accounts of a trainer: money, counts of refunded contributions, and nonces.
abstract contract Accounts is IAccounts, ReentrancyGuardTransient {
    mapping(address owner => Account account) internal _accounts;

    /// @inheritdoc IAccounts
    function depositTo(address account) external payable nonReentrant {
        _deposit(account, msg.value);
    }

    /// @inheritdoc IAccounts
    function withdrawTo(address to, uint256 amount) external nonReentrant {
        Account account = _accounts[msg.sender];
        if (amount > account.balance()) revert BalanceTooLow(amount, account.balance());
        _accounts[msg.sender] = account.charged(amount);
        emit Withdrawn(msg.sender, to, amount);
        Payments.pay(to, amount);
    }

    /// @inheritdoc IAccounts
    function cancelNonces(uint48 last) external nonReentrant {
        _accounts[msg.sender] = _accounts[msg.sender].withUsedUpTo(last);
        emit NoncesCancelled(msg.sender, last);
    }

    /// @inheritdoc IAccounts
    function balanceOf(address account) external view returns (uint256) {
        return _accounts[account].balance();
    }

    /// @inheritdoc IAccounts
    function good(address author) external view returns (uint256) {
        return _accounts[author].good();
    }

    /// @inheritdoc IAccounts
    function nonceUsed(address account, uint48 nonce) external view returns (bool) {
        return _accounts[account].used(nonce);
    }

    /// @dev Adds money to a balance, and emits `Deposited`.
    function _deposit(address account, uint256 amount) internal {
        _credit(account, amount);
        emit Deposited(account, amount);
    }

    /// @dev Adds money to a balance. Reverts if the balance would reach 2^96.
    function _credit(address owner, uint256 amount) internal {
        Account account = _accounts[owner];
        // The balance has 96 bits, so the difference cannot be negative.
        if (amount > type(uint96).max - account.balance()) revert BalanceOverflow(owner);
        _accounts[owner] = account.credited(amount);
    }

    /// @dev Returns `false`, so that the guard uses transient storage on every chain. All chains
    /// that the contract runs on have it.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
