// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Description, IClassifier} from "../../src/interfaces/IClassifier.sol";

/// @notice An untrusted classifier with set answers and errors.
contract ToldClassifier is IClassifier {
    error Told(uint256 value);

    bytes public answer;
    bool public reverts;
    uint256 public lessons;

    /// @dev Calldata that it sends to the trainer during a lesson, and the error of that call.
    bytes public callback;
    bytes public callbackError;

    function tellCallback(bytes calldata data) external {
        callback = data;
    }

    function tell(bytes calldata predictAnswer, bool predictReverts) external {
        answer = predictAnswer;
        reverts = predictReverts;
    }

    function predict(bytes[] calldata) external view returns (uint256[] memory) {
        if (reverts) revert Told(7);
        bytes memory data = answer;
        assembly {
            return(add(data, 0x20), mload(data))
        }
    }

    function learn(bytes calldata) external {
        if (reverts) revert Told(8);
        if (callback.length != 0) {
            (bool success, bytes memory result) = msg.sender.call(callback);
            assert(!success);
            callbackError = result;
        }
        ++lessons;
    }

    function evaluate(bytes[] calldata, uint256[] calldata) external pure returns (uint256) {
        return 0;
    }

    function check(bytes calldata) external pure {}

    function describe() external pure returns (Description memory description) {
        return description;
    }
}
