// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, IChannelSettlement, VoucherClaim} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {Sign} from "../base/Sign.sol";

/// @notice Typed data, views and several calls at once.
contract ChannelSettlementTest is ChannelTest {
    bytes32 private constant GOLDEN_ID = 0x5799a4bdc936d9df5ef9f14b674f7a79ca22f7db2287f707b220311ee3d08e25;

    /// @dev Anvil's accounts 0, 2 and 1, as payer, receiver and receiver's authorizer.
    function golden() private pure returns (ChannelConfig memory) {
        address payer = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
        return ChannelConfig(
            payer,
            payer,
            0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC,
            0x70997970C51812dc3A010C7d01b50e0d17dc79C8,
            0x5FbDB2315678afecb367f032d93F642f64180aa3,
            900,
            bytes32(0)
        );
    }

    /// @dev Checks the digests against those that x402's client computes.
    function test_getChannelId_isThatOfX402() external view {
        assertEq(
            domainOf("x402 Batch Settlement", SETTLEMENT),
            0xbf720f8d28a5c76a2f7743512598984fa4b90dd1efdb19af73f64cc6587d68af,
            "domain"
        );
        assertEq(settlement.getChannelId(golden()), GOLDEN_ID, "channel");
        assertEq(
            settlement.getVoucherDigest(GOLDEN_ID, 7),
            0xbec75c03f28b1ecdebeb7cb113ed6c7cb2e6225944249bbe9f264071566ce9cc,
            "voucher"
        );
        assertEq(
            settlement.getRefundDigest(GOLDEN_ID, 0, 5),
            0xbe60a1f3f7dbbf8d42de89140f173413dbf168ed9497b0c0029274e6f2d52ad0,
            "refund"
        );
        assertEq(
            settlement.getClaimBatchDigest(one(row(golden(), 7, 7))),
            0xcb79ee67a22e1b33ae6cbc311e287783db234258ae135adf3deb861aa93c806d,
            "batch"
        );
    }

    function test_getClaimBatchDigest_hasTypesOfX402() external view {
        assertEq(settlement.MIN_WITHDRAW_DELAY(), 900, "minimum delay");
        assertEq(settlement.MAX_WITHDRAW_DELAY(), 2_592_000, "maximum delay");
        assertEq(
            settlement.CHANNEL_CONFIG_TYPEHASH(),
            0x1c9a06ceab9b0ebbd3301dc56c9111bb6d9af421356dc9ccb3b7084c755db308,
            "channel"
        );
        assertEq(
            settlement.VOUCHER_TYPEHASH(),
            0x1e1bd6ff84c3e0d9029a292b212e039c0ca97ec497c55191a4a5874294609a69,
            "voucher"
        );
        assertEq(
            settlement.REFUND_TYPEHASH(),
            0xbe23ad087435072cd69b49cc5b92de10ee610fce7ae0ab428307972d764bb216,
            "refund"
        );
        assertEq(
            settlement.CLAIM_ENTRY_TYPEHASH(),
            0x30b9a0367528fca13c3e8ec6134c3113f1887ebe7a1ad61de0955aac288b0cf5,
            "entry"
        );
        assertEq(
            settlement.CLAIM_BATCH_TYPEHASH(),
            0x42bd57c010b870c2e96203c66341f28a6a19b4d56a74533a8eb5f706b9fd6d57,
            "batch"
        );
    }

    function test_eip712Domain_namesAddressAndChain() external view {
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifier,
            bytes32 salt,
            uint256[] memory extensions
        ) = settlement.eip712Domain();
        assertEq(uint8(fields), 15, "name, version, chain and address");
        assertEq(bytes(name), "x402 Batch Settlement", "name");
        assertEq(bytes(version), "1", "version");
        assertEq(chainId, 31_337, "chain");
        assertEq(verifier, SETTLEMENT, "address");
        assertEq(salt, bytes32(0), "salt");
        assertEq(extensions.length, 0, "extensions");
    }

    /// @dev The code works wherever it is placed, and after a fork of the chain.
    function test_getChannelId_followsAddressAndChain() external {
        vm.etch(ANYONE, SETTLEMENT.code);
        assertTrue(IChannelSettlement(ANYONE).getChannelId(golden()) != GOLDEN_ID, "address");
        vm.chainId(1);
        assertTrue(settlement.getChannelId(golden()) != GOLDEN_ID, "chain");
        assertEq(settlement.getChannelId(golden()), idOf(golden()), "channel on the other chain");
    }

    /// @dev All digests are those of a simple encoding, whatever the terms.
    function testFuzz_getClaimBatchDigest_isTypedData(
        ChannelConfig calldata config,
        uint128 a,
        uint128 b,
        uint256 nonce
    ) external view {
        bytes32 id = settlement.getChannelId(config);
        assertEq(id, idOf(config), "channel");
        assertEq(settlement.getVoucherDigest(id, a), voucherOf(config, a), "voucher");
        assertEq(settlement.getRefundDigest(id, nonce, a), refundOf(config, nonce, a), "refund");
        VoucherClaim[] memory rows = two(row(config, a, b), row(terms(), b, a));
        assertEq(settlement.getClaimBatchDigest(rows), batchOf(rows), "batch");
        rows = new VoucherClaim[](0);
        assertEq(settlement.getClaimBatchDigest(rows), batchOf(rows), "empty batch");
    }

    /// @dev Bits outside of a field's type are refused, as decoding does. Else one channel would have
    /// many ids.
    function test_getChannelId_refusesDirtyFields() external view {
        for (uint256 i; i < 6; ++i) {
            // The highest bits of the word, and the lowest above the field: addresses have 20 bytes,
            // the delay has 5.
            requireRefused(4 + 32 * i);
            requireRefused(4 + 32 * i + (i < 5 ? 11 : 26));
        }
    }

    /// @dev Checks that a channel's terms are refused with a bit set in a byte that should be 0.
    function requireRefused(uint256 position) private view {
        bytes memory data = abi.encodeCall(IChannelSettlement.getChannelId, (golden()));
        (bool success, bytes memory answer) = SETTLEMENT.staticcall(data);
        assertTrue(success && answer.length == 32, "clean");
        data[position] = 0x01;
        (success, answer) = SETTLEMENT.staticcall(data);
        assertTrue(!success && answer.length == 0, "dirty");
    }

    /// @dev The official way to refund: a last claim and a refund of the rest at once.
    function test_multicall_claimsAndRefunds() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        VoucherClaim[] memory rows = one(row(config, 70, 60));
        bytes[] memory calls = new bytes[](3);
        calls[0] = abi.encodeCall(
            IChannelSettlement.claimWithSignature, (rows, Sign.long(RECEIVER_AUTHORIZER_KEY, batchOf(rows)))
        );
        calls[1] = abi.encodeCall(
            IChannelSettlement.refundWithSignature,
            (config, 40, 0, Sign.long(RECEIVER_AUTHORIZER_KEY, refundOf(config, 0, 40)))
        );
        calls[2] = abi.encodeCall(IChannelSettlement.refundNonce, (id));
        vm.prank(ANYONE);
        bytes[] memory results = settlement.multicall(calls);
        assertEq(results.length, 3, "results");
        assertEq(results[0].length + results[1].length, 0, "results of calls without one");
        assertEq(abi.decode(results[2], (uint256)), 1, "nonce");
        requireChannel(id, 60, 60);
        assertEq(token.balanceOf(PAYER), 40, "refunded");
    }

    /// @dev The sender of all calls is the caller's own.
    function test_multicall_keepsSender() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IChannelSettlement.claim, (one(row(config, 10, 10))));
        calls[1] = abi.encodeCall(IChannelSettlement.refund, (config, 20));
        vm.prank(RECEIVER);
        settlement.multicall(calls);
        requireChannel(id, 80, 10);
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.NotAuthorizedToClaim.selector));
        vm.prank(ANYONE);
        settlement.multicall(calls);
    }

    function test_multicall_isAllOrNothing() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(IChannelSettlement.refund, (config, 20));
        calls[1] = abi.encodeCall(IChannelSettlement.refund, (config, 0));
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.ZeroRefund.selector));
        vm.prank(RECEIVER);
        settlement.multicall(calls);
        requireChannel(id, 100, 0);
        assertEq(settlement.multicall(new bytes[](0)).length, 0, "no calls");
    }
}
