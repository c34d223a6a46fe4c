// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @title IModelFactory
/// @notice Creates models: a trainer and a classifier, both minimal clones of implementations.
interface IModelFactory {
    /// @notice A model was created.
    /// @dev Contribute only where both implementations are known: a hostile classifier, too, controls all deposits.
    /// @param owner Who created it: writes the model, closes it, may claim late.
    event ModelCreated(
        address indexed owner,
        address indexed trainer,
        address indexed classifier,
        address trainerImplementation,
        address classifierImplementation
    );

    /// @notice Creates a model whose owner is the caller. It still has to be written and closed.
    /// @dev The caller answers for the implementations: any contract can be named.
    /// @param trainerImplementation The incentive mechanism.
    /// @param trainerParameters `abi.encode` of the trainer's parameters after `owner` and `classifier`.
    /// @param classifierImplementation The kind of model.
    /// @param classifierParameters `abi.encode` of the classifier's parameters after `owner`.
    function create(
        address trainerImplementation,
        bytes calldata trainerParameters,
        address classifierImplementation,
        bytes calldata classifierParameters
    ) external returns (address trainer, address classifier);
}
