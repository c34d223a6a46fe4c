// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IBoundedSamples} from "../interfaces/IBoundedSamples.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Samples} from "../libraries/Samples.sol";
import {Classifier} from "./Classifier.sol";

/// @title DenseClassifier
/// @notice The samples of dense models: one number a feature, with bounds on samples to learn from.
/// @dev The last two arguments are the largest absolute number and the largest squared length.
abstract contract DenseClassifier is Classifier, IBoundedSamples {
    /// @inheritdoc IBoundedSamples
    function maxNumber() external view returns (uint256) {
        return CloneArguments.word(_count() - 2);
    }

    /// @inheritdoc IBoundedSamples
    function maxSquaredLength() external view returns (uint256) {
        return CloneArguments.word(_count() - 1);
    }

    /// @dev Returns the width of a number, in bytes.
    function _width() internal pure virtual returns (uint256);

    /// @dev Returns the number of features.
    function _features(uint256[] memory arguments) internal pure virtual returns (uint256);

    function _requireSample(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireDense(item, sample, _width() * _features(arguments));
    }

    function _requireBounds(uint256[] memory arguments, uint256 item, bytes calldata sample)
        internal
        pure
        override
    {
        Samples.requireBounds(
            item, sample, _width(), _argument(arguments, _count() - 2), _argument(arguments, _count() - 1)
        );
    }

    /// @dev Reverts unless each bound is at least 1 and at most the value that `features` numbers
    /// of this width can reach. A larger bound would limit nothing.
    function _validateBounds(uint256[] memory arguments) internal pure {
        // The absolute value of the smallest number: one more than the largest number.
        uint256 largest = 256 ** _width() / 2;
        uint256 number = _argument(arguments, _count() - 2);
        _requireWithin("maxNumber", number, 1, largest);
        // There are at most 4,096 squares of at most 2^62.
        uint256 length = _argument(arguments, _count() - 1);
        _requireWithin("maxSquaredLength", length, 1, _features(arguments) * number * number);
    }
}
