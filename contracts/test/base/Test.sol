// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Vm} from "./Vm.sol";

/// @notice Assertions whose errors give both sides.
abstract contract Test {
    error NotTrue(string label);
    error NotEqual(string label, uint256 actual, uint256 expected);
    error NotEqualBytes(string label, bytes actual, bytes expected);
    error TooLarge(string label, uint256 actual, uint256 maximum);

    /// @dev Gas for the code that a relayed batch runs, in tests that do not depend on it.
    uint256 internal constant GAS_PER_BATCH = 300_000;

    /// @dev The address at which forge answers cheat codes.
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function assertTrue(bool condition, string memory label) internal pure {
        if (!condition) revert NotTrue(label);
    }

    function assertEq(uint256 actual, uint256 expected, string memory label) internal pure {
        if (actual != expected) revert NotEqual(label, actual, expected);
    }

    function assertEq(int256 actual, int256 expected, string memory label) internal pure {
        if (actual != expected) revert NotEqual(label, uint256(actual), uint256(expected));
    }

    function assertEq(address actual, address expected, string memory label) internal pure {
        if (actual != expected) revert NotEqual(label, uint160(actual), uint160(expected));
    }

    function assertEq(bytes32 actual, bytes32 expected, string memory label) internal pure {
        if (actual != expected) revert NotEqual(label, uint256(actual), uint256(expected));
    }

    function assertEq(bytes memory actual, bytes memory expected, string memory label) internal pure {
        if (keccak256(actual) != keccak256(expected)) revert NotEqualBytes(label, actual, expected);
    }

    function assertAtMost(uint256 actual, uint256 maximum, string memory label) internal pure {
        if (actual > maximum) revert TooLarge(label, actual, maximum);
    }

    /// @dev Deploys a contract from the artifact of scripts/artifacts. If a script measures or
    /// changes the source, deploys it as compiled with the tests (scripts/coverage,
    /// scripts/mutate).
    function deploy(string memory name, bytes memory arguments) internal returns (address instance) {
        bool isCompiled = vm.envOr("COTRAIN_TEST_COMPILED", false);
        string memory artifact = isCompiled
            ? string.concat(name, ".sol:", name)
            : string.concat("contracts/artifacts/", name, ".json");
        bytes memory code = bytes.concat(vm.getCode(artifact), arguments);
        assembly ("memory-safe") {
            instance := create(0, add(code, 0x20), mload(code))
        }
        assertTrue(instance != address(0), name);
    }

    function deploy(string memory name) internal returns (address) {
        return deploy(name, "");
    }

    /// @dev Maps any number into `minimum..=maximum`.
    function bound(uint256 value, uint256 minimum, uint256 maximum) internal pure returns (uint256) {
        if (value >= minimum && value <= maximum) return value;
        uint256 size = maximum - minimum + 1;
        return size == 0 ? value : minimum + value % size;
    }
}
