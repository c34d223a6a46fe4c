// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "solady/tokens/ERC20.sol";
import {ERC20Votes} from "solady/tokens/ERC20Votes.sol";

import {IErrors} from "../../interfaces/IErrors.sol";
import {IOwned} from "../../interfaces/IOwned.sol";
import {IRewardToken} from "../../interfaces/IRewardToken.sol";

/// @title RewardToken
/// @notice The token that a federated trainer mints, with signed approvals (ERC-2612) and votes
/// (ERC-5805).
contract RewardToken is IRewardToken, ERC20Votes {
    /// @inheritdoc IRewardToken
    uint256 public immutable cap;

    /// @inheritdoc IRewardToken
    address public immutable owner;

    /// @inheritdoc IRewardToken
    address public trainer;

    string private _name;
    string private _symbol;

    /// @param cap_ The maximum supply, at least 1 and below 2^96, so that votes fit everywhere.
    constructor(string memory name_, string memory symbol_, uint256 cap_, address owner_) {
        if (cap_ == 0 || cap_ > type(uint96).max) revert IErrors.InvalidParameter("cap", cap_);
        if (owner_ == address(0)) revert IErrors.InvalidParameter("owner", 0);
        (_name, _symbol, cap, owner) = (name_, symbol_, cap_, owner_);
    }

    /// @inheritdoc IRewardToken
    function setTrainer(address account) external {
        if (msg.sender != owner) revert IOwned.NotOwner(msg.sender, owner);
        if (trainer != address(0) || account == address(0)) revert TrainerIsFixed(trainer);
        trainer = account;
        emit TrainerSet(account);
    }

    /// @inheritdoc IRewardToken
    function mint(address to, uint256 amount) external {
        if (msg.sender != trainer) revert NotMinter(msg.sender, trainer);
        uint256 supply = totalSupply() + amount;
        if (supply > cap) revert CapExceeded(supply, cap);
        if (delegates(to) == address(0)) _delegate(to, to);
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function name() public view override returns (string memory) {
        return _name;
    }

    /// @inheritdoc ERC20
    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    /// @dev Returns `false`: no contract may move tokens that their owner did not approve.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
