// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IClassifier} from "../interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../interfaces/ICollaborativeTrainer.sol";
import {IModelFactory} from "../interfaces/IModelFactory.sol";

/// @title ModelFactory
/// @notice Creates models in one transaction: both clones with valid parameters, or nothing.
contract ModelFactory is IModelFactory {
    /// @dev The code of an account that delegates (EIP-7702) is this prefix and the address of its
    /// delegate.
    bytes3 private constant DELEGATION = 0xef0100;

    /// @dev Length of the answer of `owner` or `classifier`, in bytes: one word.
    uint256 private constant WORD = 32;

    /// @dev Minimum length of the answer of `describe`, in bytes: its offset, seven fields and an
    /// empty string.
    uint256 private constant MIN_DESCRIPTION_LENGTH = 9 * WORD;

    /// @inheritdoc IModelFactory
    function create(
        address trainerImplementation,
        bytes calldata trainerParameters,
        address classifierImplementation,
        bytes calldata classifierParameters
    ) external returns (address trainer, address classifier) {
        _requireFixedCode(trainerImplementation);
        _requireFixedCode(classifierImplementation);
        classifier = LibClone.clone(
            classifierImplementation, bytes.concat(abi.encode(msg.sender), classifierParameters)
        );
        // Reverts if the parameters are outside their bounds, before the owner pays for writing the
        // model.
        if (_ask(classifier, abi.encodeCall(IClassifier.describe, ())).length < MIN_DESCRIPTION_LENGTH) {
            revert NotAClassifier(classifierImplementation);
        }
        trainer = LibClone.clone(
            trainerImplementation, bytes.concat(abi.encode(msg.sender, classifier), trainerParameters)
        );
        ICollaborativeTrainer(trainer).initialize();
        // Code that takes any call, for example in a fallback, also takes `initialize` but does not
        // answer these.
        if (
            !_answers(trainer, abi.encodeCall(ICollaborativeTrainer.owner, ()), msg.sender)
                || !_answers(trainer, abi.encodeCall(ICollaborativeTrainer.classifier, ()), classifier)
        ) revert NotATrainer(trainerImplementation);
        // The factory keeps nothing. A hostile implementation that reenters only creates one more
        // model.
        // slither-disable-next-line reentrancy-events
        emit ModelCreated(msg.sender, trainer, classifier, trainerImplementation, classifierImplementation);
    }

    /// @dev Reverts unless the account has code of its own, which nobody can replace.
    function _requireFixedCode(address implementation) private view {
        if (implementation.code.length == 0) revert NoCode(implementation);
        bytes3 start;
        assembly ("memory-safe") {
            mstore(0x00, 0)
            extcodecopy(implementation, 0x00, 0, 3)
            start := mload(0x00)
        }
        // No contract's code can begin with these bytes (EIP-3541).
        if (start == DELEGATION) revert DelegatedCode(implementation);
    }

    /// @dev Returns `true` if the trainer answers a call with this address.
    function _answers(address trainer, bytes memory data, address expected) private view returns (bool) {
        bytes memory answer = _ask(trainer, data);
        return answer.length == WORD && uint256(bytes32(answer)) == uint160(expected);
    }

    /// @dev Returns the answer to a call. Reverts with the account's error.
    function _ask(address account, bytes memory data) private view returns (bytes memory answer) {
        bool success;
        // The caller of this function decides about the call and the answer.
        // slither-disable-next-line low-level-calls
        (success, answer) = account.staticcall(data);
        if (success) return answer;
        assembly ("memory-safe") {
            revert(add(answer, 0x20), mload(answer))
        }
    }
}
