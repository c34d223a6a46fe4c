// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IModelFactory
/// @notice Creates models: a trainer and a classifier, both minimal clones of implementations.
interface IModelFactory {
    /// @notice Thrown when an implementation has no code: its clones would accept every call and do
    /// nothing.
    error NoCode(address implementation);

    /// @notice Thrown when an implementation is an account that delegates its code (EIP-7702). Its
    /// key could replace the code of all its clones.
    error DelegatedCode(address implementation);

    /// @notice Thrown when a clone of the trainer implementation does not answer with its owner and
    /// its classifier.
    error NotATrainer(address implementation);

    /// @notice Thrown when a clone of the classifier implementation does not answer with a
    /// description.
    error NotAClassifier(address implementation);

    /// @notice A model was created.
    /// @dev Contribute only if you know both implementations: a hostile classifier, too, controls
    /// all deposits.
    /// @param owner The creator, who writes the model, closes it and may claim late.
    /// @param trainer The new trainer.
    /// @param classifier The new classifier.
    /// @param trainerImplementation The contract that the trainer is a clone of.
    /// @param classifierImplementation The contract that the classifier is a clone of.
    event ModelCreated(
        address indexed owner,
        address indexed trainer,
        address indexed classifier,
        address trainerImplementation,
        address classifierImplementation
    );

    /// @notice Creates a model whose owner is the caller. The owner still has to write and close
    /// it.
    /// @dev The caller answers for the implementations: the factory takes any contract that answers
    /// as one. Errors, in order: `NoCode` and `DelegatedCode`, first of the trainer, then of the
    /// classifier; errors of the classifier's `describe`; `NotAClassifier`; errors of the trainer's
    /// `initialize`, `owner` and `classifier`; `NotATrainer`.
    /// @param trainerImplementation The incentive mechanism.
    /// @param trainerParameters `abi.encode` of the trainer's parameters after `owner` and
    /// `classifier`.
    /// @param classifierImplementation The kind of model.
    /// @param classifierParameters `abi.encode` of the classifier's parameters after `owner`.
    /// @return trainer The new trainer.
    /// @return classifier The new classifier.
    function create(
        address trainerImplementation,
        bytes calldata trainerParameters,
        address classifierImplementation,
        bytes calldata classifierParameters
    ) external returns (address trainer, address classifier);
}
