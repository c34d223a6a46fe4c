// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

import {ChannelConfig, VoucherClaim} from "../interfaces/IChannelSettlement.sol";

/// @title ChannelHashes
/// @notice The typed data (EIP-712) that payers and receivers of channels sign.
library ChannelHashes {
    string internal constant NAME = "x402 Batch Settlement";
    string internal constant VERSION = "1";

    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant CHANNEL_CONFIG = keccak256(
        "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
    );
    bytes32 internal constant VOUCHER = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
    bytes32 internal constant REFUND = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
    bytes32 internal constant CLAIM_ENTRY =
        keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
    bytes32 internal constant CLAIM_BATCH = keccak256(
        "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
    );

    /// @dev Returns the domain's separator. It is computed anew each time: so it is right wherever
    /// the code is placed, also after a fork of the chain.
    function domain() internal view returns (bytes32) {
        return EfficientHashLib.hash(
            DOMAIN,
            keccak256(bytes(NAME)),
            keccak256(bytes(VERSION)),
            bytes32(block.chainid),
            bytes32(uint256(uint160(address(this))))
        );
    }

    /// @dev Returns a channel's id. Reverts without data, as decoding does, if a field has bits
    /// outside of its type: else a channel would have many ids.
    function channelId(ChannelConfig calldata config, bytes32 domain_) internal pure returns (bytes32) {
        bytes32 typeHash = CHANNEL_CONFIG;
        bytes32 structHash;
        // `keccak256(abi.encode(typeHash, config))`, with the seven words as they came.
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typeHash)
            calldatacopy(add(words, 0x20), config, 0xe0)
            let addresses := or(mload(add(words, 0x20)), mload(add(words, 0x40)))
            addresses := or(addresses, or(mload(add(words, 0x60)), mload(add(words, 0x80))))
            addresses := or(addresses, mload(add(words, 0xa0)))
            if or(shr(160, addresses), shr(40, mload(add(words, 0xc0)))) { revert(0x00, 0x00) }
            structHash := keccak256(words, 0x100)
        }
        return digest(structHash, domain_);
    }

    /// @dev Returns the digest that signs a voucher.
    function voucher(bytes32 id, uint128 maxClaimableAmount, bytes32 domain_)
        internal
        pure
        returns (bytes32)
    {
        return digest(EfficientHashLib.hash(VOUCHER, id, bytes32(uint256(maxClaimableAmount))), domain_);
    }

    /// @dev Returns the digest that signs a refund.
    function refund(bytes32 id, uint256 nonce, uint128 amount, bytes32 domain_)
        internal
        pure
        returns (bytes32)
    {
        return digest(EfficientHashLib.hash(uint256(REFUND), uint256(id), nonce, amount), domain_);
    }

    /// @dev Returns the hash of a claim in a batch.
    function claimEntry(bytes32 id, VoucherClaim calldata row) internal pure returns (bytes32) {
        return EfficientHashLib.hash(
            uint256(CLAIM_ENTRY), uint256(id), row.voucher.maxClaimableAmount, row.totalClaimed
        );
    }

    /// @dev Returns the digest that signs a batch of claims.
    /// @param entries The hashes of the claims.
    function claimBatch(bytes32[] memory entries, bytes32 domain_) internal pure returns (bytes32) {
        return digest(EfficientHashLib.hash(CLAIM_BATCH, EfficientHashLib.hash(entries)), domain_);
    }

    /// @dev Returns the hash that EIP-712 signs: that of the data in its domain.
    function digest(bytes32 structHash, bytes32 domain_) internal pure returns (bytes32 hash) {
        // `keccak256(abi.encodePacked(hex"1901", domain_, structHash))`, in the 66 bytes from 0x1e
        // on.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(0x00, 0x1901)
            mstore(0x20, domain_)
            mstore(0x40, structHash)
            hash := keccak256(0x1e, 0x42)
            mstore(0x40, free)
        }
    }
}
