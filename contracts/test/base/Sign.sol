// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Vm} from "./Vm.sol";

/// @notice A batch that an author signs for others to send, and the signature.
struct SignedBatch {
    address author;
    /// @dev The only address that may send it; 0 for anyone.
    address relayer;
    uint96 maxDeposit;
    uint96 fee;
    uint48 nonce;
    uint40 deadline;
    bytes items;
    bytes signature;
}

/// @notice Signs batches and delegations in a simple way, as a wallet would. It shares no code with
/// the contracts.
library Sign {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev Returns the batch with a signature by ERC-2098.
    function by(uint256 key, address trainer, SignedBatch memory batch)
        internal
        view
        returns (SignedBatch memory)
    {
        batch.signature = compact(key, digest(trainer, batch));
        return batch;
    }

    /// @dev Returns the batch with a signature of 65 bytes.
    function long(uint256 key, address trainer, SignedBatch memory batch)
        internal
        view
        returns (SignedBatch memory)
    {
        batch.signature = long(key, digest(trainer, batch));
        return batch;
    }

    /// @dev Returns a signature by ERC-2098.
    function compact(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    /// @dev Returns a signature of 65 bytes.
    function long(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Encodes the batch as a relayer sends it.
    function encode(SignedBatch memory batch) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(batch.author, batch.maxDeposit, batch.fee, batch.nonce, batch.deadline),
            abi.encodePacked(batch.relayer != address(0), uint32(batch.items.length), batch.items),
            abi.encodePacked(uint16(batch.signature.length), batch.signature)
        );
    }

    /// @dev Returns the hash that an author signs for a batch.
    function digest(address trainer, SignedBatch memory batch) internal view returns (bytes32) {
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Batch(address author,address relayer,uint96 maxDeposit,uint96 fee,uint48 nonce,uint40 deadline,bytes items)"
                ),
                batch.author,
                batch.relayer,
                batch.maxDeposit,
                batch.fee,
                batch.nonce,
                batch.deadline,
                keccak256(batch.items)
            )
        );
        return typed(trainer, message);
    }

    /// @dev Returns the hash that a reporter signs to let a keeper report.
    function delegation(address trainer, address reporter, address keeper, uint40 until)
        internal
        view
        returns (bytes32)
    {
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Delegation(address reporter,address keeper,uint40 until)"), reporter, keeper, until
            )
        );
        return typed(trainer, message);
    }

    function typed(address trainer, bytes32 message) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("cotrain"),
                keccak256("1"),
                block.chainid,
                trainer
            )
        );
        return keccak256(bytes.concat(hex"1901", domain, message));
    }
}
