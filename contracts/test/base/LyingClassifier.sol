// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../src/interfaces/IClassifier.sol";

/// @notice The way in which a classifier fails.
enum Lie {
    /// It does not fail.
    None,
    Reverts,
    RevertsHuge,
    RevertsWithNothing,
    BurnsGas,
    /// It calls the trainer, and then continues normally.
    Reenters,
    /// It answers nothing. The lies from here on are about predictions only.
    Empty,
    /// It answers fewer labels than samples.
    TooFew,
    /// It answers as many labels as samples, but with a wrong length before them.
    WrongLength,
    /// It answers the labels at an unusual offset.
    WrongOffset,
    /// It answers the right labels, followed by far more bytes.
    Huge
}

/// @notice A classifier that predicts a set label and lies in a set way.
contract LyingClassifier is IClassifier {
    uint256 private constant HUGE = 100_000;

    error Lied(uint256 value);

    /// @dev The label of every sample.
    uint256 public label;
    Lie public teaching;
    Lie public predicting;
    uint256 public lessons;
    /// @dev Calldata that it sends to the trainer, and the result of that call.
    bytes public attack;
    bytes public answer;
    uint256 public attacks;

    /// @dev Sets the label and the lies.
    function tell(uint256 newLabel, Lie newTeaching, Lie newPredicting) external {
        (label, teaching, predicting) = (newLabel, newTeaching, newPredicting);
    }

    function tellAttack(bytes calldata data) external {
        attack = data;
    }

    /// @dev Always refuses the label 9, so that some batches fail and others do not.
    function learn(bytes calldata items) external {
        fail(teaching);
        if (teaching == Lie.Reenters) {
            ++attacks;
            bool success;
            (success, answer) = msg.sender.call(attack);
            if (success) answer = "success";
        }
        for (uint256 offset; offset < items.length;) {
            if (uint8(items[offset + 1]) == 9) revert LabelOutOfRange(0, 9, 9);
            offset += 4 + uint256(uint8(items[offset + 2])) * 256 + uint8(items[offset + 3]);
        }
        ++lessons;
    }

    function predict(bytes[] calldata samples) external view returns (uint256[] memory labels) {
        Lie lie = predicting;
        fail(lie);
        if (lie == Lie.Reenters) {
            // It makes a static call, so nothing can change.
            (bool success,) = msg.sender.staticcall(attack);
            assert(!success);
        }
        labels = new uint256[](samples.length);
        for (uint256 i; i < labels.length; ++i) {
            labels[i] = label;
        }
        if (lie == Lie.Empty) give("", 0);
        bytes memory encoded = abi.encode(labels);
        if (lie == Lie.TooFew) give(encoded, encoded.length - 32);
        if (lie == Lie.Huge) give(encoded, HUGE);
        if (lie == Lie.WrongLength) {
            assembly ("memory-safe") {
                mstore(add(encoded, 0x40), add(mload(add(encoded, 0x40)), 1))
            }
        }
        if (lie == Lie.WrongOffset) {
            assembly ("memory-safe") {
                mstore(add(encoded, 0x20), 0x40)
            }
        }
        give(encoded, encoded.length);
    }

    function evaluate(bytes[] calldata, uint256[] calldata) external pure returns (uint256) {
        return 0;
    }

    function check(bytes calldata) external pure {}

    function describe() external pure returns (Description memory description) {
        return description;
    }

    function fail(Lie lie) private pure {
        if (lie == Lie.Reverts) revert Lied(7);
        if (lie == Lie.RevertsWithNothing) {
            assembly ("memory-safe") {
                revert(0, 0)
            }
        }
        if (lie == Lie.RevertsHuge) {
            assembly ("memory-safe") {
                let data := mload(0x40)
                mstore(data, not(0))
                revert(data, HUGE)
            }
        }
        if (lie == Lie.BurnsGas) {
            assembly ("memory-safe") {
                invalid()
            }
        }
    }

    function give(bytes memory data, uint256 length) private pure {
        assembly ("memory-safe") {
            return(add(data, 0x20), length)
        }
    }
}
