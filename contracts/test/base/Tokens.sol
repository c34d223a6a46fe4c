// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IDepositCollector} from "../../src/interfaces/IDepositCollector.sol";

/// @notice The way in which a token answers a transfer.
enum Moving {
    /// It returns `true`.
    Says,
    /// It returns nothing, as USDT does.
    Silent,
    /// It keeps a hundredth.
    KeepsFee,
    /// It returns `false` and moves nothing.
    Denies,
    Reverts,
    /// It makes a call first.
    CallsBack
}

/// @notice A token with a set misbehavior. Its balances are free to set.
contract OddToken {
    error NoThanks();

    mapping(address => uint256) public balanceOf;
    Moving public moving;
    address public target;
    bytes public attack;
    bytes public answer;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function moveSo(Moving how) external {
        moving = how;
    }

    function callBack(address to, bytes calldata data) external {
        (moving, target, attack) = (Moving.CallsBack, to, data);
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return move(msg.sender, to, amount);
    }

    function move(address from, address to, uint256 amount) public returns (bool) {
        if (moving == Moving.Denies) return false;
        if (moving == Moving.Reverts) revert NoThanks();
        if (moving == Moving.CallsBack) {
            bool success;
            (success, answer) = target.call(attack);
            if (success) answer = "success";
        }
        balanceOf[from] -= amount;
        balanceOf[to] += moving == Moving.KeepsFee ? amount - amount / 100 : amount;
        if (moving == Moving.Silent) {
            assembly ("memory-safe") {
                return(0x00, 0x00)
            }
        }
        return true;
    }
}

/// @notice A collector that takes tokens without asking, and brings another amount if told so.
contract RashCollector is IDepositCollector {
    /// @param collectorData Empty, or the amount to bring instead.
    function collect(address payer, address token, uint256 amount, bytes32, bytes calldata collectorData)
        external
    {
        if (collectorData.length != 0) amount = abi.decode(collectorData, (uint256));
        (bool success, bytes memory result) =
            token.call(abi.encodeCall(OddToken.move, (payer, msg.sender, amount)));
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }
}
