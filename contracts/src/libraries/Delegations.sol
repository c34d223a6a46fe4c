// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title Delegations
/// @notice What reporters sign, so that a keeper may report for them.
library Delegations {
    bytes32 private constant TYPE_HASH =
        keccak256("Delegation(address reporter,address keeper,uint40 until)");

    /// @dev The hash of the data by EIP-712, without its domain.
    function structHash(address reporter, address keeper, uint40 until) internal pure returns (bytes32) {
        return EfficientHashLib.hash(uint256(TYPE_HASH), uint160(reporter), uint160(keeper), until);
    }
}
