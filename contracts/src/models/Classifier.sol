// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../interfaces/IClassifier.sol";
import {IOwned} from "../interfaces/IOwned.sol";
import {IPackedModel} from "../interfaces/IPackedModel.sol";
import {Batches} from "../libraries/Batches.sol";
import {ARGUMENTS_OFFSET, CloneArguments} from "../libraries/CloneArguments.sol";
import {Memory} from "../libraries/Memory.sol";
import {Model} from "../libraries/Model.sol";

/// @title Classifier
/// @notice The common part of all classifiers: the life of a model, its words, and the walk over
/// samples.
/// @dev Deployed as clones whose immutable arguments are words: the owner, then the classifier's
/// parameters. The parameter `arguments` always has all of them, read once a call. The factory and
/// `close` check them, so the model ends below `MODEL_SLOT + 2^32`. A clone made outside the
/// factory may have invalid arguments; only `describe` and `close` detect that.
abstract contract Classifier is IClassifier, IPackedModel {
    /// @dev Index of the owner in the arguments.
    uint256 internal constant OWNER_INDEX = 0;

    /// @dev The address that may teach; zero while the initialization is open.
    address internal _trainer;

    /// @dev Closes the implementation permanently: it never calls its own `learn`.
    constructor() {
        _trainer = address(this);
    }

    /// @inheritdoc IPackedModel
    function write(uint256 offset, uint256[] calldata values) external {
        uint256[] memory arguments = CloneArguments.load();
        _requireOwnerAndOpen(arguments);
        _requireWords(arguments, offset, values.length);
        for (uint256 i; i < values.length; ++i) {
            Model.store(offset + i, values[i]);
        }
        emit WordsWritten(offset, values.length);
    }

    /// @inheritdoc IPackedModel
    function close(address trainer) external {
        uint256[] memory arguments = CloneArguments.load();
        _requireOwnerAndOpen(arguments);
        if (trainer == address(0)) revert InvalidTrainer();
        _requireValid(arguments);
        _trainer = trainer;
        emit Closed(trainer);
    }

    /// @inheritdoc IClassifier
    function learn(bytes calldata batch) external {
        address trainer = _trainer;
        if (trainer == address(0)) revert InitializationOpen();
        if (msg.sender != trainer) revert NotTrainer(msg.sender, trainer);
        if (batch.length == 0) revert EmptyBatch();
        uint256[] memory arguments = _arguments();
        uint256 free = Memory.free();
        uint256 item;
        for (uint256 offset; offset < batch.length;) {
            (uint256 label, bytes calldata sample, uint256 next) = Batches.item(batch, offset);
            _requireItem(arguments, item, label, sample);
            _requireBounds(arguments, item, sample);
            _learn(arguments, label, sample);
            Memory.restore(free);
            offset = next;
            // Calldata has at most one item a byte.
            unchecked {
                ++item;
            }
        }
    }

    /// @inheritdoc IClassifier
    function check(bytes calldata batch) external view {
        if (batch.length == 0) revert EmptyBatch();
        uint256[] memory arguments = _arguments();
        uint256 item;
        for (uint256 offset; offset < batch.length; ++item) {
            (uint256 label, bytes calldata sample, uint256 next) = Batches.item(batch, offset);
            _requireItem(arguments, item, label, sample);
            _requireBounds(arguments, item, sample);
            offset = next;
        }
    }

    /// @inheritdoc IClassifier
    function predict(bytes[] calldata samples) external view returns (uint256[] memory labels) {
        uint256[] memory arguments = _arguments();
        labels = new uint256[](samples.length);
        uint256 free = Memory.free();
        for (uint256 i; i < samples.length; ++i) {
            bytes calldata sample = samples[i];
            _requireSample(arguments, i, sample);
            labels[i] = _predict(arguments, sample);
            Memory.restore(free);
        }
    }

    /// @inheritdoc IClassifier
    function evaluate(bytes[] calldata samples, uint256[] calldata labels)
        external
        view
        returns (uint256 correct)
    {
        if (samples.length != labels.length) revert LengthsDiffer(samples.length, labels.length);
        uint256[] memory arguments = _arguments();
        uint256 free = Memory.free();
        for (uint256 i; i < samples.length; ++i) {
            bytes calldata sample = samples[i];
            _requireItem(arguments, i, labels[i], sample);
            if (_predict(arguments, sample) == labels[i]) ++correct;
            Memory.restore(free);
        }
    }

    /// @inheritdoc IPackedModel
    function words(uint256 offset, uint256 count) external view returns (uint256[] memory values) {
        _requireWords(CloneArguments.load(), offset, count);
        values = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            values[i] = Model.load(offset + i);
        }
    }

    /// @inheritdoc IClassifier
    function describe() external view returns (Description memory description) {
        uint256[] memory arguments = CloneArguments.load();
        _requireValid(arguments);
        description = _describe(arguments);
        // The factory encoded it as an address.
        description.owner = address(uint160(arguments[OWNER_INDEX]));
        description.trainer = _trainer;
        description.words = _size(arguments);
    }

    /// @dev Changes the model by one valid item.
    function _learn(uint256[] memory arguments, uint256 label, bytes calldata sample) internal virtual;

    /// @dev Predicts the label of one valid sample.
    function _predict(uint256[] memory arguments, bytes calldata sample)
        internal
        view
        virtual
        returns (uint256 label);

    /// @dev Reverts unless the sample is encoded as it should be.
    /// @param item The item's index in the batch or array, for the error.
    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        virtual;

    /// @dev Reverts unless the model may learn from the sample, which is encoded as it should be.
    /// Predictions take any such sample.
    /// @param item The item's index in the batch, for the error.
    function _requireBounds(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        virtual {}

    /// @dev Returns the number of classes; labels are below it.
    function _classes(uint256[] memory arguments) internal pure virtual returns (uint256);

    /// @dev Returns the model's size in words.
    function _size(uint256[] memory arguments) internal pure virtual returns (uint256);

    /// @dev Returns the number of arguments, including the owner.
    function _count() internal pure virtual returns (uint256);

    /// @dev Reverts unless the arguments are within their bounds. Their number is right.
    function _validate(uint256[] memory arguments) internal pure virtual;

    /// @dev Returns the classifier's description; `describe` fills in `owner`, `trainer` and
    /// `words`.
    function _describe(uint256[] memory arguments) internal pure virtual returns (Description memory);

    /// @dev Returns the arguments of a model in use; `close` has made sure that their number is
    /// right. This is cheaper than asking for their number in each prediction and each lesson.
    function _arguments() private view returns (uint256[] memory arguments) {
        uint256 count = _count();
        assembly ("memory-safe") {
            arguments := mload(0x40)
            mstore(arguments, count)
            extcodecopy(address(), add(arguments, 0x20), ARGUMENTS_OFFSET, shl(5, count))
            mstore(0x40, add(add(arguments, 0x20), shl(5, count)))
        }
    }

    /// @dev Returns one argument of a model in use. It does not check bounds, because each step
    /// reads arguments. `close` has made sure that their number is right.
    function _argument(uint256[] memory arguments, uint256 index) internal pure returns (uint256 argument) {
        assembly ("memory-safe") {
            argument := mload(add(add(arguments, 0x20), shl(5, index)))
        }
    }

    /// @dev Reverts unless the number of arguments is right and each is within its bounds.
    function _requireValid(uint256[] memory arguments) private pure {
        if (arguments.length != _count()) revert InvalidParameter("arguments", arguments.length);
        _validate(arguments);
    }

    /// @dev Reverts unless `minimum <= value <= maximum`.
    function _requireWithin(bytes32 name, uint256 value, uint256 minimum, uint256 maximum) internal pure {
        if (value < minimum || value > maximum) revert InvalidParameter(name, value);
    }

    /// @dev Reverts unless the value is an int64 in two's complement.
    function _requireInt64(bytes32 name, uint256 value) internal pure {
        // The inner cast reads two's complement and the outer one truncates. They are equal only if
        // nothing is lost.
        if (int64(int256(value)) != int256(value)) revert InvalidParameter(name, value);
    }

    /// @dev Reverts unless the label belongs to the model and the sample is encoded as it should
    /// be.
    function _requireItem(uint256[] memory arguments, uint256 item, uint256 label, bytes calldata sample)
        private
        pure
    {
        uint256 classes = _classes(arguments);
        if (label >= classes) revert LabelOutOfRange(item, label, classes);
        _requireSample(arguments, item, sample);
    }

    /// @dev Reverts unless the owner calls and the initialization is open.
    function _requireOwnerAndOpen(uint256[] memory arguments) private view {
        // The factory encoded it as an address.
        address owner = address(uint160(arguments[OWNER_INDEX]));
        if (msg.sender != owner) revert IOwned.NotOwner(msg.sender, owner);
        if (_trainer != address(0)) revert InitializationClosed();
    }

    /// @dev Reverts unless the words are part of the model.
    function _requireWords(uint256[] memory arguments, uint256 offset, uint256 count) private pure {
        uint256 size = _size(arguments);
        // In this order the difference cannot be negative.
        if (count > size || offset > size - count) revert WordsOutOfRange(offset, count, size);
    }
}
