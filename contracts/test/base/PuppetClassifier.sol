// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../src/interfaces/IClassifier.sol";

/// @notice The settings of puppet classifiers.
contract Strings {
    /// @dev The answer of `evaluate`; 0 at first.
    uint256 public correct;
    bool public evaluateFails;
    bool public evaluateIsSilent;
    bool public checkFails;
    bool public learnFails;
    bool public describeFails;
    /// @dev Gas that each function uses, approximately.
    uint256 public evaluateGas;
    uint256 public learnGas;
    uint256 public checkGas;
    /// @dev Calldata that a puppet sends to its teacher during a lesson, and the result of that
    /// call.
    bytes public callback;
    bytes public callbackError;

    function sayCorrect(uint256 value) external {
        correct = value;
    }

    function fail(bool check_, bool evaluate_, bool learn_) external {
        (checkFails, evaluateFails, learnFails) = (check_, evaluate_, learn_);
    }

    function failToDescribe() external {
        describeFails = true;
    }

    function silence() external {
        evaluateIsSilent = true;
    }

    function burn(uint256 check_, uint256 evaluate_, uint256 learn_) external {
        (checkGas, evaluateGas, learnGas) = (check_, evaluate_, learn_);
    }

    function callBack(bytes calldata data) external {
        callback = data;
    }

    function called(bytes calldata result) external {
        callbackError = result;
    }
}

/// @notice An untrusted classifier with set behavior, which its clones share.
contract PuppetClassifier is IClassifier {
    error Told(uint256 value);

    Strings public immutable strings;

    address private _trainer;

    uint256 public lessons;

    constructor(Strings strings_) {
        strings = strings_;
    }

    function learn(bytes calldata) external {
        burn(strings.learnGas());
        if (strings.learnFails()) revert Told(1);
        bytes memory data = strings.callback();
        if (data.length != 0) {
            (bool success, bytes memory result) = msg.sender.call(data);
            strings.called(success ? bytes("success") : result);
        }
        ++lessons;
    }

    function evaluate(bytes[] calldata, uint256[] calldata) external view returns (uint256) {
        burn(strings.evaluateGas());
        if (strings.evaluateFails()) revert Told(2);
        if (strings.evaluateIsSilent()) {
            assembly {
                return(0, 0)
            }
        }
        return strings.correct();
    }

    function check(bytes calldata) external view {
        burn(strings.checkGas());
        if (strings.checkFails()) {
            // Reverts without a reason.
            assembly {
                revert(0, 0)
            }
        }
    }

    function predict(bytes[] calldata samples) external pure returns (uint256[] memory) {
        return new uint256[](samples.length);
    }

    function close(address trainer) external {
        _trainer = trainer;
    }

    function words(uint256, uint256 count) external pure returns (uint256[] memory) {
        return new uint256[](count);
    }

    function write(uint256, uint256[] calldata) external {}

    function describe() external view returns (Description memory description) {
        if (strings.describeFails()) revert Told(3);
        description.trainer = _trainer;
        description.words = 1;
    }

    function burn(uint256 amount) private view {
        uint256 before = gasleft();
        while (before - gasleft() < amount) {}
    }
}
