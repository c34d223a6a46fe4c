// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {CollaborativeTrainer} from "../../core/CollaborativeTrainer.sol";
import {ICollaborativeTrainer} from "../../interfaces/ICollaborativeTrainer.sol";
import {IDepositRefundTake} from "../../interfaces/IDepositRefundTake.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";

/// @title DepositRefundTake
/// @notice Each contribution costs a deposit, which rises with the rate of contributions. Reporters
/// share the deposits of bad ones in proportion to their refunded contributions.
contract DepositRefundTake is CollaborativeTrainer, IDepositRefundTake {
    uint256 private constant COST_WEIGHT_INDEX = MECHANISM_INDEX;

    /// @inheritdoc IDepositRefundTake
    function costWeight() public view returns (uint256) {
        return CloneArguments.word(COST_WEIGHT_INDEX);
    }

    /// @inheritdoc ICollaborativeTrainer
    function price(uint256 n) public view override returns (uint256) {
        // In an initialized clone, the last contribution is not in the future. `_validate` has made
        // sure that the weight is below 2^80.
        unchecked {
            uint256 interval = (block.timestamp - lastContributionTime()) / n;
            return costWeight() * 1 hours / FixedPointMathLib.max(1, FixedPointMathLib.sqrt(interval));
        }
    }

    function _share(uint256 deposit, uint256 reporterGood, uint256 allGood)
        internal
        pure
        override
        returns (uint256)
    {
        return deposit * reporterGood / allGood;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireCount(arguments, 7);
        super._validate(arguments);
        // A deposit is at most 3,600 times the weight, so it has 96 bits.
        if (arguments[COST_WEIGHT_INDEX] >= 1 << 80) {
            revert InvalidParameter("costWeight", arguments[COST_WEIGHT_INDEX]);
        }
    }
}
