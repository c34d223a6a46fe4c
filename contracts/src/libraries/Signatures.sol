// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ECDSA} from "solady/utils/ECDSA.sol";
import {LibCall} from "solady/utils/LibCall.sol";

import {IERC1271} from "../interfaces/IERC1271.sol";
import {CallGas} from "./CallGas.sol";

/// @title Signatures
/// @notice Checks signatures of typed data (EIP-712).
library Signatures {
    /// @dev Returns `true` if the signer's key signed the data, or else the signer's code accepts
    /// the signature. The code may use all gas.
    /// @param structHash The EIP-712 hash of the data, without its domain.
    function isSigned(address signer, bytes32 structHash, bytes calldata signature, bytes32 domainSeparator)
        internal
        view
        returns (bool)
    {
        bytes32 digest = _digest(structHash, domainSeparator);
        return
            _isByKey(signer, digest, signature) || _isByCode(signer, _question(digest, signature), gasleft());
    }

    /// @dev Checks like `isSigned`, with a fixed amount of gas for the code. Reverts if the code
    /// could get less.
    /// @return signed `true` if the signature is valid.
    /// @return used Gas for asking the code; 0 if it was not asked.
    function isSignedWithin(
        address signer,
        bytes32 structHash,
        bytes calldata signature,
        bytes32 domainSeparator,
        uint256 allowance
    ) internal view returns (bool signed, uint256 used) {
        bytes32 digest = _digest(structHash, domainSeparator);
        if (_isByKey(signer, digest, signature)) return (true, 0);
        bytes memory question = _question(digest, signature);
        CallGas.requireFor(allowance);
        used = gasleft();
        signed = _isByCode(signer, question, allowance);
        used -= gasleft();
    }

    /// @dev Returns the hash that EIP-712 signs: that of the data in its domain.
    function _digest(bytes32 structHash, bytes32 domainSeparator) private pure returns (bytes32 digest) {
        // `keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash))`, in the 66 bytes
        // from 0x1e on.
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(0x00, 0x1901)
            mstore(0x20, domainSeparator)
            mstore(0x40, structHash)
            digest := keccak256(0x1e, 0x42)
            mstore(0x40, free)
        }
    }

    /// @dev Returns `true` if the signer's key made the signature.
    function _isByKey(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        address recovered = ECDSA.tryRecoverCalldata(digest, signature);
        // 0 means no signer; nobody has the key of the zero address.
        return recovered == signer && recovered != address(0);
    }

    /// @dev Returns the call that asks a signer's code.
    function _question(bytes32 digest, bytes calldata signature) private pure returns (bytes memory) {
        return abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
    }

    /// @dev Returns `true` if the signer's code accepts the signature. An address without code
    /// answers nothing. The code is asked after the key. Most signers have none, and finding that
    /// out costs as much as recovering the key.
    function _isByCode(address signer, bytes memory question, uint256 allowance) private view returns (bool) {
        // The ignored result says whether there was more to copy.
        // slither-disable-next-line unused-return
        (bool success,, bytes memory answer) = LibCall.tryStaticCall(signer, allowance, 32, question);
        return success && answer.length == 32 && bytes32(answer) == IERC1271.isValidSignature.selector;
    }
}
