// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IClassifier} from "../interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../interfaces/ICollaborativeTrainer.sol";
import {Entry, IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IOwned} from "../interfaces/IOwned.sol";

/// @title ModelRegistry
/// @notice The list of models that their owners registered. Nobody owns it, and it removes nothing.
contract ModelRegistry is IModelRegistry {
    Entry[] private _entries;

    /// @dev The index of each trainer's entry plus 1; 0 if it has none.
    mapping(address trainer => uint256 indexPlusOne) private _indices;

    /// @inheritdoc IModelRegistry
    function register(address trainer, bytes calldata card) external {
        if (trainer.code.length == 0) revert ModelNotReady(trainer);
        address owner = ICollaborativeTrainer(trainer).owner();
        if (msg.sender != owner) revert IOwned.NotOwner(msg.sender, owner);
        IClassifier classifier = IClassifier(ICollaborativeTrainer(trainer).classifier());
        if (classifier.describe().trainer != trainer) revert ModelNotReady(trainer);

        // Block numbers are far below 2^64.
        uint64 cardBlock = uint64(block.number);
        uint256 indexPlusOne = _indices[trainer];
        if (indexPlusOne != 0) {
            _entries[indexPlusOne - 1].cardBlock = cardBlock;
        } else {
            _entries.push(Entry(trainer, cardBlock));
            _indices[trainer] = _entries.length;
        }
        emit ModelRegistered(trainer, owner, card);
    }

    /// @inheritdoc IModelRegistry
    function count() external view returns (uint256) {
        return _entries.length;
    }

    /// @inheritdoc IModelRegistry
    function entries(uint256 offset, uint256 max) external view returns (Entry[] memory some) {
        // The number of entries from the offset on; 0 if the offset is beyond the last one.
        uint256 left = FixedPointMathLib.zeroFloorSub(_entries.length, offset);
        some = new Entry[](FixedPointMathLib.min(max, left));
        for (uint256 i; i < some.length; ++i) {
            some[i] = _entries[offset + i];
        }
    }

    /// @inheritdoc IModelRegistry
    function entry(address trainer) external view returns (Entry memory one) {
        uint256 indexPlusOne = _indices[trainer];
        if (indexPlusOne != 0) one = _entries[indexPlusOne - 1];
    }
}
