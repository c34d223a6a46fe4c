// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ModelTest} from "../base/ModelTest.sol";

/// @notice Puts the code of contracts/artifacts in the place of what was compiled with the tests: what the compiler makes of a
/// contract depends a little on what it compiles with it, and figures are of what is deployed.
abstract contract Artifacts is ModelTest {
    constructor() {
        replace(address(factory), "ModelFactory");
        replace(depositRefundTake, "DepositRefundTake");
        replace(points, "Points");
        replace(sparsePerceptron, "SparsePerceptron");
        replace(densePerceptron, "DensePerceptron");
        replace(naiveBayes, "NaiveBayes");
        replace(sparseNearestCentroid, "SparseNearestCentroid");
        replace(denseNearestCentroid, "DenseNearestCentroid");
    }

    /// @dev The storage stays: what the constructors write there is the same.
    function replace(address target, string memory name) internal {
        bytes memory code = VM.getCode(string.concat("contracts/artifacts/", name, ".json"));
        address instance;
        assembly ("memory-safe") {
            instance := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(instance != address(0), name);
        VM.etch(target, instance.code);
    }
}
