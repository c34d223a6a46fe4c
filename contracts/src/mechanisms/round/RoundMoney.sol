// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {FailReason, IFederatedTrainer, RoundPhase} from "../../interfaces/IFederatedTrainer.sol";
import {IRewardToken} from "../../interfaces/IRewardToken.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Payments} from "../../libraries/Payments.sol";
import {RoundState} from "./RoundState.sol";

/// @title RoundMoney
/// @notice Balances, stakes, slashes and rewards.
/// @dev The contract holds stake tokens: all balances, the stakes of the current round, the
/// bond and what is forfeited. Each payment lowers one of these before the token is called.
abstract contract RoundMoney is RoundState {
    /// @dev An address whose key nobody has.
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    /// @inheritdoc IFederatedTrainer
    function deposit(uint256 amount) external nonReentrant {
        address token = _stakeToken();
        uint256 held = SafeTransferLib.balanceOf(token, address(this));
        SafeTransferLib.safeTransferFrom(token, msg.sender, address(this), amount);
        uint256 now_ = SafeTransferLib.balanceOf(token, address(this));
        if (now_ < held || now_ - held != amount) {
            revert TokenMovedOtherAmount(now_ < held ? 0 : now_ - held, amount);
        }
        // Nothing changed the account during the token's call: all functions are guarded.
        // slither-disable-next-line reentrancy-no-eth
        _credit(msg.sender, amount);
        // slither-disable-next-line reentrancy-events
        emit StakeDeposited(msg.sender, amount);
    }

    /// @inheritdoc IFederatedTrainer
    function withdraw(uint256 amount) external nonReentrant {
        _lock(msg.sender, amount);
        emit StakeWithdrawn(msg.sender, amount);
        SafeTransferLib.safeTransfer(_stakeToken(), msg.sender, amount);
    }

    /// @inheritdoc IFederatedTrainer
    function collect() external nonReentrant {
        uint256 amount = _accounts[msg.sender].reward;
        // Only a round changes it.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) revert Payments.NothingToCollect(msg.sender);
        _accounts[msg.sender].reward = 0;
        emit RewardCollected(msg.sender, amount);
        IRewardToken(_rewardToken()).mint(msg.sender, amount);
    }

    /// @inheritdoc IFederatedTrainer
    function burn() external nonReentrant {
        uint256 amount = forfeited;
        if (amount == 0) revert Payments.NothingToCollect(BURNED);
        forfeited = 0;
        emit Burned(amount);
        SafeTransferLib.safeTransfer(_stakeToken(), BURNED, amount);
    }

    /// @inheritdoc IFederatedTrainer
    function settle() external nonReentrant {
        Round memory round = _requirePhase(RoundPhase.Settle);
        uint256[] memory sums = _lossesOf(_bits(round.revealed));
        // Sums of losses have 32 bits.
        int256 improvement = int256(sums[BASE_LOSS]) - int256(sums[ALL_LOSS]);
        // The version has already changed.
        uint256 emission = improvement > 0 ? _emission(round.version - 1) : 0;
        bytes32[] memory roots = new bytes32[](round.committed);
        for (uint256 i; i < roots.length; ++i) {
            roots[i] = _hashes[i];
        }
        uint256[] memory gains = _gains(round, sums);
        (uint256[] memory copies, uint256 total) = _copies(round, roots, gains);
        uint256 lost;
        for (uint256 i; i < roots.length; ++i) {
            uint256 reward = gains[i] > 0 ? emission * gains[i] / (total * copies[i]) : 0;
            lost += _book(round, i, reward, copies[i]);
        }
        forfeited += lost;
        emit Settled(round.number, round.version, improvement, emission);
        _open(round);
    }

    /// @dev Ends the round without a new model. Revealed stakes go back.
    function _fail(Round memory round, FailReason reason) internal {
        round.admitted = round.revealed;
        uint256 lost;
        for (uint256 i; i < round.committed; ++i) {
            lost += _book(round, i, 0, 0);
        }
        forfeited += lost;
        emit Failed(round.number, reason);
        _open(round);
    }

    /// @dev Takes an amount from an account's free balance.
    function _lock(address account, uint256 amount) internal {
        uint256 balance = _accounts[account].balance;
        if (amount > balance) revert StakeBalanceTooLow(amount, balance);
        // It is at most the balance, of 96 bits.
        _accounts[account].balance = uint96(balance - amount);
    }

    /// @dev Adds an amount to an account's free balance. Reverts unless it leaves room for the one
    /// stake that the account may have in a round.
    function _credit(address account, uint256 amount) internal {
        uint256 most = type(uint96).max - CloneArguments.word(STAKE_INDEX);
        uint256 balance = _accounts[account].balance + amount;
        if (balance > most) revert StakeBalanceTooHigh(balance, most);
        _accounts[account].balance = uint96(balance);
    }

    function _stakeToken() internal view returns (address) {
        return address(uint160(CloneArguments.word(STAKE_TOKEN_INDEX)));
    }

    function _rewardToken() internal view returns (address) {
        return address(uint160(CloneArguments.word(REWARD_TOKEN_INDEX)));
    }

    /// @dev Returns the emission of the round that makes a version of the one before.
    function _emission(uint256 version) private view returns (uint256) {
        uint256 halvings = version / CloneArguments.word(HALVING_INDEX);
        return CloneArguments.word(EMISSION_INDEX) >> halvings;
    }

    /// @dev Returns what the others lose without each update, or 0 if they gain: so it is 0 for one
    /// that is not admitted.
    function _gains(Round memory round, uint256[] memory sums) private pure returns (uint256[] memory gains) {
        gains = new uint256[](round.committed);
        uint256 k = FIRST_LOSS;
        for (uint256 i; i < gains.length; ++i) {
            if (!_has(round.revealed, i)) continue;
            uint256 without = sums[k++];
            if (without > sums[ALL_LOSS]) gains[i] = without - sums[ALL_LOSS];
        }
    }

    /// @dev Returns how many revealed updates are equal to each one, and the sum of the gains of all
    /// different ones.
    function _copies(Round memory round, bytes32[] memory roots, uint256[] memory gains)
        private
        pure
        returns (uint256[] memory copies, uint256 total)
    {
        copies = new uint256[](roots.length);
        for (uint256 i; i < roots.length; ++i) {
            bool isFirst = true;
            for (uint256 j; j < roots.length; ++j) {
                if (!_has(round.revealed, j) || roots[j] != roots[i]) continue;
                ++copies[i];
                if (j < i) isFirst = false;
            }
            if (isFirst) total += gains[i];
        }
    }

    /// @dev Books the end of a round for one commitment. Returns what its author lost.
    function _book(Round memory round, uint256 index, uint256 reward, uint256 copies)
        private
        returns (uint256 lost)
    {
        address author = _authors[index];
        uint256 stake = CloneArguments.word(STAKE_INDEX);
        if (!_has(round.revealed, index)) {
            emit Forfeited(round.number, author, stake);
            return stake;
        }
        if (!_has(round.admitted, index)) {
            lost = CloneArguments.word(SLASH_INDEX);
            emit Slashed(round.number, author, lost);
        }
        Account memory account = _accounts[author];
        // `_credit` leaves room for one stake, and the emissions of all rounds together are below
        // 2^96.
        account.balance += uint96(stake - lost);
        account.reward += uint96(reward);
        _accounts[author] = account;
        if (reward != 0) emit Rewarded(round.number, author, reward, copies);
    }

    /// @dev Opens the next round.
    function _open(Round memory round) private {
        Round memory next;
        next.number = round.number + 1;
        next.version = round.version;
        _round = next;
    }
}
