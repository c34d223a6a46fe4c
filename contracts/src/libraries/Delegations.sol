// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title Delegations
/// @notice The typed data that a reporter signs to let a keeper report.
library Delegations {
    bytes32 private constant TYPE_HASH =
        keccak256("Delegation(address reporter,address keeper,uint40 until)");

    /// @dev Returns the EIP-712 hash of the data, without its domain.
    function structHash(address reporter, address keeper, uint40 until) internal pure returns (bytes32) {
        return EfficientHashLib.hash(uint256(TYPE_HASH), uint160(reporter), uint160(keeper), until);
    }
}
