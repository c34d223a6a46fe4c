// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ECDSA} from "solady/utils/ECDSA.sol";
import {LibCall} from "solady/utils/LibCall.sol";

import {IERC1271} from "../interfaces/IERC1271.sol";

/// @title Signatures
/// @notice Finds out whether somebody has signed typed data (EIP-712).
library Signatures {
    /// @dev Whether the signer's key, or else the signer's code, says that this was signed.
    /// @param structHash Of the data.
    /// @param allowance How much gas the signer's code may use.
    function isSigned(
        address signer,
        bytes32 structHash,
        bytes calldata signature,
        bytes32 domainSeparator,
        uint256 allowance
    ) internal view returns (bool) {
        bytes32 digest;
        // `keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash))`, in the 66 bytes from 0x1e on.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(0x00, 0x1901)
            mstore(0x20, domainSeparator)
            mstore(0x40, structHash)
            digest := keccak256(0x1e, 0x42)
            mstore(0x40, free)
        }
        address recovered = ECDSA.tryRecoverCalldata(digest, signature);
        // 0 stands for no signer: nobody has the key of the zero address.
        if (recovered == signer && recovered != address(0)) return true;
        // An address without code answers nothing. The code is asked only now: most signers have none, and
        // finding that out costs as much as recovering the key. Of the three results, one says that there was more
        // to copy.
        // slither-disable-next-line unused-return
        (bool success,, bytes memory answer) = LibCall.tryStaticCall(
            signer, allowance, 32, abi.encodeCall(IERC1271.isValidSignature, (digest, signature))
        );
        return success && answer.length == 32 && bytes32(answer) == IERC1271.isValidSignature.selector;
    }
}
