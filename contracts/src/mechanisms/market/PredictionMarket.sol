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
/// @notice A bounty for data that improves a model on a hidden test set, after Abernethy and Frongillo (2011).
/// @dev Deployed as clones whose immutable arguments are words, those of `IPredictionMarket`.
contract PredictionMarket is MarketTestSet, MarketScoring, MarketSettling {
    /// @dev The implementation is over before it begins: nobody can commit to anything there.
    constructor() {
        _book.initialized = true;
        _book.phase = Phase.Forfeited;
    }

    /// @inheritdoc IPredictionMarket
    function initialize() external {
        if (_book.initialized) revert AlreadyInitialized();
        uint256[] memory arguments = CloneArguments.load();
        if (arguments.length != ARGUMENTS) revert InvalidParameter("arguments", arguments.length);
        _requirePositive("stake", arguments[STAKE_PLACE], type(uint96).max);
        _requirePositive("participation", arguments[PARTICIPATION_PLACE], type(uint32).max);
        _requirePositive("revealWait", arguments[REVEAL_WAIT_PLACE], type(uint32).max);
        _requirePositive("scoringWait", arguments[SCORING_WAIT_PLACE], type(uint32).max);
        _requirePositive("mostContributions", arguments[MOST_CONTRIBUTIONS_PLACE], type(uint32).max);
        _requirePositive("mostPasses", arguments[MOST_PASSES_PLACE], type(uint16).max);
        _book.initialized = true;
    }

    /// @inheritdoc IPredictionMarket
    function contribute(bytes calldata items) external payable nonReentrant returns (uint256 batch) {
        _requirePhase(Phase.Open);
        if (items.length > LONGEST_BATCH) revert TooLong(items.length, LONGEST_BATCH);
        uint256 n = Batches.count(items);
        batch = _book.contributions;
        if (batch + n > mostContributions()) revert TooManyContributions(batch + n, mostContributions());
        uint256 deposit = stake();
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        root[batch] = _rootOf(items, n, msg.sender, block.timestamp, batch);
        _enter(batch + n, n, required);
        ClassifierCalls.check(classifier(), items);
        emit Contributed(batch, msg.sender, deposit, block.timestamp, items);
        // What was sent is at least what is required.
        unchecked {
            Payments.pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc IPredictionMarket
    function collect() external nonReentrant {
        Phase current = phase();
        if (current < Phase.Settled) revert WrongPhase(current, Phase.Settled);
        uint256 amount = collectable(msg.sender);
        // Computed, not the contract's money, which others could change.
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

    /// @dev Adds `n` contributions of the caller's, who becomes a participant with the first one.
    /// @param count How many there are then.
    function _enter(uint256 count, uint256 n, uint256 stakes) private {
        Participant memory one = _accounts[msg.sender];
        // A participant has contributions, and only contributions make one.
        // slither-disable-next-line incorrect-equality
        if (one.contributions == 0) participants[_book.participants++] = msg.sender;
        // At most the most contributions, of 32 bits; and see `Participant`.
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
