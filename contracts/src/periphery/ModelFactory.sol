// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IClassifier} from "../interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../interfaces/ICollaborativeTrainer.sol";
import {IModelFactory} from "../interfaces/IModelFactory.sol";

/// @title ModelFactory
/// @notice Creates models in one transaction: both clones with valid parameters, or nothing.
contract ModelFactory is IModelFactory {
    /// @inheritdoc IModelFactory
    function create(
        address trainerImplementation,
        bytes calldata trainerParameters,
        address classifierImplementation,
        bytes calldata classifierParameters
    ) external returns (address trainer, address classifier) {
        classifier = LibClone.clone(
            classifierImplementation, bytes.concat(abi.encode(msg.sender), classifierParameters)
        );
        // Reverts where the parameters are outside their bounds: before anybody pays for writing the model. What it
        // says is not needed.
        // slither-disable-next-line unused-return
        IClassifier(classifier).describe();
        trainer = LibClone.clone(
            trainerImplementation, bytes.concat(abi.encode(msg.sender, classifier), trainerParameters)
        );
        ICollaborativeTrainer(trainer).initialize();
        // The factory keeps nothing; a hostile implementation that comes back creates one more model, no more.
        // slither-disable-next-line reentrancy-events
        emit ModelCreated(msg.sender, trainer, classifier, trainerImplementation, classifierImplementation);
    }
}
