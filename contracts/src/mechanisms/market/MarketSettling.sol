// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IPredictionMarket, Participant, Phase, Stage} from "../../interfaces/IPredictionMarket.sol";
import {MarketState} from "./MarketState.sol";

/// @title MarketSettling
/// @notice The end of a pass: finds the pot that participants play for, and changes their balances.
abstract contract MarketSettling is MarketState {
    /// @dev The state of a call of `settle`.
    struct Settlement {
        Balances balances;
        /// Number of samples in all evaluated parts.
        uint256 samples;
        /// Amount that participants play for, in wei.
        uint256 pot;
        /// Number of participants.
        uint256 count;
        /// Number of the pass.
        uint256 pass;
    }

    /// @inheritdoc IPredictionMarket
    function settle(uint256 max) external nonReentrant {
        _requirePhase(Phase.Scoring);
        Pass memory pass = _pass;
        if (pass.stage != Stage.Finding && pass.stage != Stage.Paying) {
            revert WrongStage(pass.stage, Stage.Finding);
        }
        if (max == 0) revert NoProgress();
        Settlement memory settlement =
            Settlement(_balances, _book.samples, _run.pot, _book.participants, pass.number);
        Balances memory balances = settlement.balances;

        if (pass.stage == Stage.Finding) {
            max = _find(settlement, max);
            if (balances.participantIndex == settlement.count) {
                balances.participantIndex = 0;
                pass.stage = Stage.Paying;
            }
        }
        if (pass.stage == Stage.Paying) _play(settlement, max);
        // The pot is at most the rest of the bounty.
        _run.pot = uint96(settlement.pot);
        if (balances.participantIndex < settlement.count) {
            emit SettlementAdvanced(pass.stage, balances.participantIndex, settlement.pot);
        } else {
            _endPass(settlement, pass);
        }
        _pass = pass;
        _balances = balances;
    }

    /// @dev Limits the pot to the amount that the next participants can afford.
    /// @return left The number of visits that are left.
    function _find(Settlement memory settlement, uint256 max) private view returns (uint256 left) {
        Balances memory balances = settlement.balances;
        for (left = max; left != 0 && balances.participantIndex < settlement.count; --left) {
            Participant memory one = _accounts[participants[balances.participantIndex]];
            ++balances.participantIndex;
            // The market taught nothing of a removed participant, so the score is 0.
            if (one.score >= 0) continue;
            uint256 affordable = one.balance * settlement.samples / _abs(one.score);
            settlement.pot = FixedPointMathLib.min(settlement.pot, affordable);
        }
    }

    /// @dev Pays the next participants or charges them.
    function _play(Settlement memory settlement, uint256 max) private {
        Balances memory balances = settlement.balances;
        for (; max != 0 && balances.participantIndex < settlement.count; --max) {
            address author = participants[balances.participantIndex];
            ++balances.participantIndex;
            int256 change = _change(author, settlement, balances);
            // The sum of all changes is below 2^128 in both directions.
            balances.gained += int160(change);
        }
    }

    /// @dev Changes the balance of one participant by the gain or loss of the pass.
    /// @return change The gain, or the negative loss, in wei.
    function _change(address author, Settlement memory settlement, Balances memory balances)
        private
        returns (int256 change)
    {
        Participant memory one = _accounts[author];
        if (one.score == 0) return 0;
        uint256 magnitude = _abs(one.score);
        // Balances have 128 bits, see `Participant`; a score is below 2^63.
        if (one.score > 0) {
            uint256 gain = settlement.pot * magnitude / settlement.samples;
            one.balance += uint128(gain);
            change = int256(gain);
        } else {
            // Every participant can afford the pot, so the loss is at most the balance.
            uint256 loss = FixedPointMathLib.divUp(settlement.pot * magnitude, settlement.samples);
            one.balance -= uint128(loss);
            change = -int256(loss);
            one.removed = one.balance * settlement.samples < magnitude;
        }
        emit BalanceChanged(author, one.score, one.balance);
        if (one.removed) {
            ++balances.removed;
            emit Removed(author, settlement.pass);
        }
        one.score = 0;
        _accounts[author] = one;
    }

    /// @dev Settles the market or prepares the next pass.
    function _endPass(Settlement memory settlement, Pass memory pass) private {
        Balances memory balances = settlement.balances;
        // The pot is at most the rest of the bounty.
        pass.spent += uint96(settlement.pot);
        // Counts, and the sum of the pots: nobody can change them by sending money. A pass without
        // losses plays for the whole rest.
        // slither-disable-next-line incorrect-equality
        bool last = pass.spent == _testSet.bounty || balances.removed == settlement.count
            || pass.number == mostPasses();
        emit PassSettled(pass.number, settlement.pot, pass.correct, last);
        if (last) {
            _book.phase = Phase.Settled;
            return;
        }
        pass.stage = Stage.Copying;
        pass.cursor = 0;
        balances.participantIndex = 0;
        _copy.copied = 0;
        _run.author = address(0);
    }

    /// @dev Returns the absolute value.
    function _abs(int64 value) private pure returns (uint256) {
        return FixedPointMathLib.abs(value);
    }
}
