// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../src/interfaces/IClassifier.sol";

/// @notice How a classifier fails at what it is asked for.
enum Lie {
    /// Not at all.
    None,
    Reverts,
    RevertsHuge,
    RevertsWithNothing,
    BurnsGas,
    /// Calls the trainer, and then goes on as if nothing was.
    Reenters,
    /// Answers nothing. From here on, about predictions only.
    Empty,
    /// Fewer labels than samples.
    TooFew,
    /// As many labels as samples, but another number before them.
    WrongLength,
    /// Another place of the labels than the usual one.
    WrongPlace,
    /// The right answer, and far more.
    Huge
}

/// @notice A classifier that predicts the label that it is told to, and lies as it is told to.
contract LyingClassifier is IClassifier {
    uint256 private constant HUGE = 100_000;

    error Lied(uint256 value);

    /// @dev The label of every sample.
    uint256 public label;
    Lie public teaching;
    Lie public predicting;
    uint256 public lessons;
    /// @dev What the trainer is called with, and what came of it.
    bytes public attack;
    bytes public answer;
    uint256 public attacks;

    /// @dev Changes its mind.
    function tell(uint256 newLabel, Lie newTeaching, Lie newPredicting) external {
        (label, teaching, predicting) = (newLabel, newTeaching, newPredicting);
    }

    function tellAttack(bytes calldata data) external {
        attack = data;
    }

    /// @dev Refuses the label 9 always: so some batches are wrong and others are not.
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
            // In a static call: nothing can be changed.
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
        if (lie == Lie.WrongPlace) {
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
