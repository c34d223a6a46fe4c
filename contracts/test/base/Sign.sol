// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Vm} from "./Vm.sol";

/// @notice What an author signs for others to send, and the signature.
struct SignedBatch {
    address author;
    uint96 maxDeposit;
    uint96 fee;
    uint48 nonce;
    uint40 deadline;
    bytes items;
    bytes signature;
}

/// @notice Signs batches, plainly, as a wallet would: shares nothing with the contracts.
library Sign {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev The batch with a signature by ERC-2098.
    function by(uint256 key, address trainer, SignedBatch memory batch)
        internal
        view
        returns (SignedBatch memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest(trainer, batch));
        batch.signature = abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
        return batch;
    }

    /// @dev The same with one of 65 bytes.
    function long(uint256 key, address trainer, SignedBatch memory batch)
        internal
        view
        returns (SignedBatch memory)
    {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest(trainer, batch));
        batch.signature = abi.encodePacked(r, s, v);
        return batch;
    }

    /// @dev As it is sent.
    function encode(SignedBatch memory batch) internal pure returns (bytes memory) {
        return bytes.concat(
            abi.encodePacked(batch.author, batch.maxDeposit, batch.fee, batch.nonce, batch.deadline),
            abi.encodePacked(uint32(batch.items.length), batch.items),
            abi.encodePacked(uint16(batch.signature.length), batch.signature)
        );
    }

    /// @dev What is signed.
    function digest(address trainer, SignedBatch memory batch) internal view returns (bytes32) {
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
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "Batch(address author,uint96 maxDeposit,uint96 fee,uint48 nonce,uint40 deadline,bytes items)"
                ),
                batch.author,
                batch.maxDeposit,
                batch.fee,
                batch.nonce,
                batch.deadline,
                keccak256(batch.items)
            )
        );
        return keccak256(bytes.concat(hex"1901", domain, message));
    }
}
