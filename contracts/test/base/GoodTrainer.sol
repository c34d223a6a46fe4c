// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice A trainer with set numbers of good contributions.
contract GoodTrainer {
    address public immutable classifier;

    mapping(address account => uint256) public good;

    constructor(address classifier_) {
        classifier = classifier_;
    }

    function set(address account, uint256 value) external {
        good[account] = value;
    }
}
