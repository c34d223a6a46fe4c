// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IERC1271} from "../../src/interfaces/IERC1271.sol";
import {Wallet} from "./Receivers.sol";

/// @notice The answer of a wallet that is asked for its signature.
enum Signing {
    /// It accepts everything.
    Yes,
    /// It accepts signatures of its key.
    Key,
    /// It accepts everything, after it has used a set amount of gas.
    Slow,
    /// It answers a wrong word.
    No,
    /// It answers the right four bytes, followed by more bits.
    DirtyYes,
    /// It answers fewer bytes than a word.
    Short,
    Nothing,
    /// It answers zeros, far more than a word.
    Huge,
    Reverts,
    /// It reverts with the answer that would be right.
    RevertsYes,
    /// It reverts with far more than a word.
    RevertsHuge,
    BurnsGas
}

/// @notice The behavior of a wallet that is paid.
enum Receiving {
    Takes,
    Refuses,
    /// It calls the payer back, and takes the money.
    Reenters,
    BurnsGas
}

/// @notice A contract wallet with a set misbehavior.
contract HostileWallet is Wallet, IERC1271 {
    uint256 private constant HUGE = 100_000;

    error NoThanks();

    Signing public signing;
    Receiving public receiving;
    /// @dev Gas that a slow signature uses, approximately.
    uint256 public thought;
    /// @dev The owner of the wallet's key, if it has one.
    address public key;
    bytes public attack;
    bytes public answer;
    uint256 public attacks;

    receive() external payable override {
        if (receiving == Receiving.Refuses) revert NoThanks();
        if (receiving == Receiving.BurnsGas) burn();
        if (receiving == Receiving.Reenters) {
            ++attacks;
            bool success;
            (success, answer) = msg.sender.call(attack);
            if (success) answer = "success";
        }
    }

    function sign(Signing how) external {
        signing = how;
    }

    function signSlowly(uint256 gas) external {
        (signing, thought) = (Signing.Slow, gas);
    }

    function signWith(address owner) external {
        (signing, key) = (Signing.Key, owner);
    }

    function receiveSo(Receiving how, bytes calldata data) external {
        (receiving, attack) = (how, data);
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        bytes4 yes = IERC1271.isValidSignature.selector;
        Signing how = signing;
        if (how == Signing.Yes) return yes;
        if (how == Signing.Key) {
            (bytes32 r, bytes32 s) = abi.decode(signature[:64], (bytes32, bytes32));
            return ecrecover(hash, uint8(signature[64]), r, s) == key ? yes : bytes4(0);
        }
        if (how == Signing.Slow) {
            uint256 before = gasleft();
            uint256 amount = thought;
            while (before - gasleft() < amount) {}
            return yes;
        }
        if (how == Signing.No) return bytes4(0xffffffff);
        if (how == Signing.DirtyYes) give(abi.encode(bytes32(yes) | bytes32(uint256(1))));
        if (how == Signing.Short) give(bytes.concat(yes, new bytes(27)));
        if (how == Signing.Nothing) give("");
        if (how == Signing.Huge) give(new bytes(HUGE));
        if (how == Signing.Reverts) revert NoThanks();
        if (how == Signing.RevertsYes) {
            assembly ("memory-safe") {
                mstore(0x00, yes)
                revert(0x00, 0x20)
            }
        }
        if (how == Signing.BurnsGas) burn();
        assembly ("memory-safe") {
            revert(mload(0x40), HUGE)
        }
    }

    function give(bytes memory data) private pure {
        assembly ("memory-safe") {
            return(add(data, 0x20), mload(data))
        }
    }

    function burn() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}
