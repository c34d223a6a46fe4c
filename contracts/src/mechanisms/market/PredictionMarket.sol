// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPredictionMarket, Participant, Phase} from "../../interfaces/IPredictionMarket.sol";
import {Batches} from "../../libraries/Batches.sol";
import {ClassifierCalls} from "../../libraries/ClassifierCalls.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Payments} from "../../libraries/Payments.sol";
import {MarketScoring} from "./MarketScoring.sol";
import {MarketSettling} from "./MarketSettling.sol";
import {MarketTestSet} from "./MarketTestSet.sol";

/// @title PredictionMarket
/// @notice A bounty for data that improves a model on a hidden test set, after Abernethy and
/// Frongillo (2011).
/// @dev Deployed as clones whose immutable arguments are words, in the order that
/// `IPredictionMarket` gives.
contract PredictionMarket is MarketTestSet, MarketScoring, MarketSettling {
    /// @dev Locks the implementation: it starts in `Forfeited`, so `commit` reverts.
    constructor() {
        _book.initialized = true;
        _book.phase = Phase.Forfeited;
    }

    /// @inheritdoc IPredictionMarket
    function initialize() external {
        if (_book.initialized) revert AlreadyInitialized();
        uint256[] memory arguments = CloneArguments.load();
        if (arguments.length != ARGUMENTS) revert InvalidParameter("arguments", arguments.length);
        _requirePositive("stake", arguments[STAKE_INDEX], type(uint96).max);
        _requirePositive("participation", arguments[PARTICIPATION_INDEX], type(uint32).max);
        _requirePositive("revealWait", arguments[REVEAL_WAIT_INDEX], type(uint32).max);
        _requirePositive("scoringWait", arguments[SCORING_WAIT_INDEX], type(uint32).max);
        _requirePositive("mostContributions", arguments[MAX_CONTRIBUTIONS_INDEX], type(uint32).max);
        _requirePositive("mostPasses", arguments[MAX_PASSES_INDEX], type(uint16).max);
        _book.initialized = true;
    }

    /// @inheritdoc IPredictionMarket
    function contribute(bytes calldata items) external payable nonReentrant returns (uint256 firstPosition) {
        _requirePhase(Phase.Open);
        if (items.length > MAX_BATCH_LENGTH) revert TooLong(items.length, MAX_BATCH_LENGTH);
        uint256 n = Batches.count(items);
        firstPosition = _book.contributions;
        if (firstPosition + n > mostContributions()) {
            revert TooManyContributions(firstPosition + n, mostContributions());
        }
        uint256 deposit = stake();
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        root[firstPosition] = _rootOf(items, n, msg.sender, block.timestamp, firstPosition);
        _enter(firstPosition + n, n, required);
        ClassifierCalls.check(classifier(), items);
        emit Contributed(firstPosition, msg.sender, deposit, block.timestamp, items);
        // The check above makes sure that the sent money covers `required`.
        unchecked {
            Payments.pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc IPredictionMarket
    function collect() external nonReentrant {
        Phase current = phase();
        if (current < Phase.Settled) revert WrongPhase(current, Phase.Settled);
        uint256 amount = collectable(msg.sender);
        // The contract computed the amount; others cannot change it by sending money.
        // slither-disable-next-line incorrect-equality
        if (amount == 0) revert Payments.NothingToCollect(msg.sender);
        _accounts[msg.sender].balance = 0;
        _accounts[msg.sender].collected = true;
        emit Collected(msg.sender, amount);
        Payments.pay(msg.sender, amount);
    }

    /// @inheritdoc IPredictionMarket
    function collectRemainder() external nonReentrant {
        _requireOwner();
        _requirePhase(Phase.Settled);
        uint256 amount = remainder();
        if (amount == 0) revert Payments.NothingToCollect(msg.sender);
        _book.remainderCollected = true;
        emit RemainderCollected(msg.sender, amount);
        Payments.pay(msg.sender, amount);
    }

    /// @dev Adds `n` contributions of the caller, who becomes a participant with the first one.
    /// @param count The number of contributions after that.
    /// @param n The number of added contributions.
    /// @param stakes Their stakes together, in wei.
    function _enter(uint256 count, uint256 n, uint256 stakes) private {
        Participant memory one = _accounts[msg.sender];
        // Every participant has contributions, and only contributions make a participant.
        // slither-disable-next-line incorrect-equality
        if (one.contributions == 0) participants[_book.participants++] = msg.sender;
        // The count is at most `mostContributions`, of 32 bits. `Participant` bounds the balance.
        one.contributions += uint32(n);
        one.balance += uint128(stakes);
        _accounts[msg.sender] = one;
        _book.contributions = uint32(count);
        if (count == mostContributions()) _book.closingTime = uint40(block.timestamp);
    }

    /// @dev Reverts unless `1 <= value <= maximum`.
    function _requirePositive(bytes32 name, uint256 value, uint256 maximum) private pure {
        if (value == 0 || value > maximum) revert InvalidParameter(name, value);
    }
}
