// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IDepositCollector} from "../interfaces/IDepositCollector.sol";
import {IErc3009} from "../interfaces/IErc3009.sol";

/// @title Erc3009Collector
/// @notice Brings tokens to the channel settlement by a payer's signed `ReceiveWithAuthorization`
/// (ERC-3009), so that a payer sends no transaction.
/// @dev ERC-3009 moves tokens to the caller only. So they come here, and go on in the same call. The
/// authorization's nonce is the hash of the channel and a salt: nobody can use it for another
/// channel.
contract Erc3009Collector is IDepositCollector {
    /// @dev The length of a signature `r | s | v`.
    uint256 private constant SIGNATURE_BYTES = 65;

    /// @notice The channel settlement, the only caller of `collect`.
    /// @dev The name is that of x402's own collector.
    // slither-disable-next-line naming-convention
    address public immutable x402BatchSettlement;

    /// @notice Thrown when another account than the channel settlement calls `collect`.
    error OnlyX402BatchSettlement();

    /// @notice Thrown when the collector is created for no channel settlement.
    error InvalidX402BatchSettlementAddress();

    constructor(address settlement) {
        if (settlement == address(0)) revert InvalidX402BatchSettlementAddress();
        x402BatchSettlement = settlement;
    }

    /// @inheritdoc IDepositCollector
    /// @param collectorData `abi.encode(uint256 validAfter, uint256 validBefore, uint256 salt, bytes
    /// signature)`. A signature of 65 bytes goes to the function that every ERC-3009 token has.
    function collect(
        address payer,
        address token,
        uint256 amount,
        bytes32 channelId,
        bytes calldata collectorData
    ) external {
        if (msg.sender != x402BatchSettlement) revert OnlyX402BatchSettlement();
        (uint256 validAfter, uint256 validBefore, uint256 salt, bytes memory signature) =
            abi.decode(collectorData, (uint256, uint256, uint256, bytes));
        bytes32 nonce = EfficientHashLib.hash(channelId, bytes32(salt));
        if (signature.length == SIGNATURE_BYTES) {
            (bytes32 r, bytes32 s, uint8 v) = _split(signature);
            IErc3009(token)
                .receiveWithAuthorization(
                    payer, address(this), amount, validAfter, validBefore, nonce, v, r, s
                );
        } else {
            IErc3009(token)
                .receiveWithAuthorization(
                    payer, address(this), amount, validAfter, validBefore, nonce, signature
                );
        }
        SafeTransferLib.safeTransfer(token, msg.sender, amount);
    }

    /// @dev Returns the parts of a signature of 65 bytes.
    function _split(bytes memory signature) private pure returns (bytes32 r, bytes32 s, uint8 v) {
        assembly ("memory-safe") {
            r := mload(add(signature, 0x20))
            s := mload(add(signature, 0x40))
            v := byte(0, mload(add(signature, 0x60)))
        }
    }
}
