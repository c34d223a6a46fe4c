// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {CollaborativeTrainer} from "../../core/CollaborativeTrainer.sol";
import {ICollaborativeTrainer} from "../../interfaces/ICollaborativeTrainer.sol";

/// @title Points
/// @notice The same claims without money: the trainer counts refunded contributions and pays
/// nothing. A report marks its reporter and closes nothing, so a later refund still counts.
contract Points is CollaborativeTrainer {
    /// @inheritdoc ICollaborativeTrainer
    function price(uint256) public pure override returns (uint256) {
        return 0;
    }

    function _share(uint256, uint256, uint256) internal pure override returns (uint256) {
        return 0;
    }

    function _validate(uint256[] memory arguments) internal pure override {
        _requireCount(arguments, 6);
        super._validate(arguments);
    }
}
