// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice A contract wallet that needs more than the 2,300 gas of 0xDeCA10B's payments to receive
/// money.
contract Wallet {
    uint256 public received;

    receive() external payable virtual {
        received += msg.value;
    }

    function execute(address target, uint256 value, bytes calldata data) external {
        (bool success, bytes memory result) = target.call{value: value}(data);
        if (!success) {
            assembly {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}

/// @notice A wallet that refuses money until it is told to accept.
contract RefusingWallet is Wallet {
    bool public refuses = true;

    error NoThanks();

    receive() external payable override {
        if (refuses) revert NoThanks();
    }

    function accept() external {
        refuses = false;
    }
}

/// @notice A wallet that makes a call whenever it is paid, and stores the result.
contract ReentrantWallet is Wallet {
    bytes public attack;
    bytes public answer;
    uint256 public attacks;

    receive() external payable override {
        if (attack.length == 0) return;
        ++attacks;
        bool success;
        (success, answer) = msg.sender.call(attack);
        if (success) answer = "success";
    }

    function prepare(bytes calldata data) external {
        attack = data;
    }
}
