// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, Voucher, VoucherClaim} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelSettlement} from "../../src/payments/ChannelSettlement.sol";
import {Erc3009Token} from "./Erc3009Token.sol";
import {Sign} from "./Sign.sol";
import {Test} from "./Test.sol";
import {Vm} from "./Vm.sol";

/// @notice The channel settlement and its collector at the addresses of x402's own, and short ways
/// to deposit and to sign. It hashes typed data in a simple way, without code of the contracts.
abstract contract ChannelTest is Test {
    address internal constant SETTLEMENT = 0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003;
    address internal constant COLLECTOR = 0x4020806089470a89826cB9fB1f4059150b550004;

    uint256 internal constant PAYER_KEY = 11;
    uint256 internal constant PAYER_AUTHORIZER_KEY = 12;
    uint256 internal constant RECEIVER_AUTHORIZER_KEY = 13;
    uint256 internal constant STRANGER_KEY = 14;

    address internal constant RECEIVER = address(0x5000000000000000000000000000000000000005);
    address internal constant ANYONE = address(0x6000000000000000000000000000000000000006);

    address internal immutable PAYER = vm.addr(PAYER_KEY);
    address internal immutable PAYER_AUTHORIZER = vm.addr(PAYER_AUTHORIZER_KEY);
    address internal immutable RECEIVER_AUTHORIZER = vm.addr(RECEIVER_AUTHORIZER_KEY);

    uint40 internal constant DELAY = 1 hours;

    ChannelSettlement internal constant settlement = ChannelSettlement(SETTLEMENT);

    Erc3009Token internal token = Erc3009Token(deploy("Erc3009Token"));

    /// @dev Makes each permission of a payer another one.
    uint256 private _salt;

    constructor() {
        vm.warp(1_800_000_000);
        vm.etch(SETTLEMENT, deploy("ChannelSettlement").code);
        vm.etch(COLLECTOR, deploy("Erc3009Collector", abi.encode(SETTLEMENT)).code);
    }

    /// @dev Returns the usual terms, with the payer's authorizer.
    function terms() internal view returns (ChannelConfig memory) {
        return ChannelConfig(
            PAYER, PAYER_AUTHORIZER, RECEIVER, RECEIVER_AUTHORIZER, address(token), DELAY, bytes32(0)
        );
    }

    /// @dev Returns the usual terms with another salt.
    function terms(uint256 salt) internal view returns (ChannelConfig memory config) {
        config = terms();
        config.salt = bytes32(salt);
    }

    /// @dev Creates a channel of the usual terms with a deposit.
    function open(uint128 amount) internal returns (ChannelConfig memory config, bytes32 id) {
        config = terms();
        id = fund(config, amount);
    }

    /// @dev Mints tokens to the payer and deposits them by the collector.
    function fund(ChannelConfig memory config, uint128 amount) internal returns (bytes32 id) {
        token.mint(PAYER, amount);
        return place(config, amount);
    }

    /// @dev Deposits tokens of the payer by the collector.
    function place(ChannelConfig memory config, uint128 amount) internal returns (bytes32 id) {
        id = idOf(config);
        bytes memory permission = permissionOf(config, amount);
        vm.prank(ANYONE);
        settlement.deposit(config, amount, COLLECTOR, permission);
    }

    /// @dev Returns the collector's data: a new permission of the payer for a deposit.
    function permissionOf(ChannelConfig memory config, uint256 amount) internal returns (bytes memory) {
        uint256 salt = ++_salt;
        return permissionOf(config, amount, 0, type(uint48).max, salt);
    }

    function permissionOf(
        ChannelConfig memory config,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        uint256 salt
    ) internal view returns (bytes memory) {
        bytes32 message = keccak256(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                PAYER,
                COLLECTOR,
                amount,
                validAfter,
                validBefore,
                keccak256(abi.encode(idOf(config), salt))
            )
        );
        bytes32 domain = domainOf("Test Dollar", address(token));
        bytes memory signature = Sign.long(PAYER_KEY, keccak256(bytes.concat(hex"1901", domain, message)));
        return abi.encode(validAfter, validBefore, salt, signature);
    }

    /// @dev Returns a claim by a voucher of the payer's authorizer.
    function row(ChannelConfig memory config, uint128 maximum, uint128 total)
        internal
        view
        returns (VoucherClaim memory)
    {
        return row(config, PAYER_AUTHORIZER_KEY, maximum, total);
    }

    /// @dev Returns a claim by a voucher of a key.
    function row(ChannelConfig memory config, uint256 key, uint128 maximum, uint128 total)
        internal
        view
        returns (VoucherClaim memory)
    {
        bytes memory signature = Sign.long(key, voucherOf(config, maximum));
        return VoucherClaim(Voucher(config, maximum), signature, total);
    }

    function one(VoucherClaim memory only) internal pure returns (VoucherClaim[] memory rows) {
        rows = new VoucherClaim[](1);
        rows[0] = only;
    }

    function two(VoucherClaim memory first, VoucherClaim memory second)
        internal
        pure
        returns (VoucherClaim[] memory rows)
    {
        rows = new VoucherClaim[](2);
        (rows[0], rows[1]) = (first, second);
    }

    /// @dev Claims a total from a channel by a voucher of that amount.
    function claim(ChannelConfig memory config, uint128 total) internal {
        VoucherClaim[] memory rows = one(row(config, total, total));
        vm.prank(RECEIVER);
        settlement.claim(rows);
    }

    function idOf(ChannelConfig memory config) internal view returns (bytes32) {
        bytes32 hash = keccak256(
            "ChannelConfig(address payer,address payerAuthorizer,address receiver,address receiverAuthorizer,address token,uint40 withdrawDelay,bytes32 salt)"
        );
        return typed(keccak256(abi.encode(hash, config)));
    }

    function voucherOf(ChannelConfig memory config, uint128 maximum) internal view returns (bytes32) {
        bytes32 hash = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)");
        return typed(keccak256(abi.encode(hash, idOf(config), maximum)));
    }

    function refundOf(ChannelConfig memory config, uint256 nonce, uint128 amount)
        internal
        view
        returns (bytes32)
    {
        bytes32 hash = keccak256("Refund(bytes32 channelId,uint256 nonce,uint128 amount)");
        return typed(keccak256(abi.encode(hash, idOf(config), nonce, amount)));
    }

    function batchOf(VoucherClaim[] memory rows) internal view returns (bytes32) {
        bytes32 entry =
            keccak256("ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)");
        bytes memory entries;
        for (uint256 i; i < rows.length; ++i) {
            bytes32 id = idOf(rows[i].voucher.channel);
            entries = bytes.concat(
                entries,
                keccak256(abi.encode(entry, id, rows[i].voucher.maxClaimableAmount, rows[i].totalClaimed))
            );
        }
        bytes32 hash = keccak256(
            "ClaimBatch(ClaimEntry[] claims)ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)"
        );
        return typed(keccak256(abi.encode(hash, keccak256(entries))));
    }

    function domainOf(string memory name, address verifier) internal view returns (bytes32) {
        bytes32 hash =
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
        return keccak256(abi.encode(hash, keccak256(bytes(name)), keccak256("1"), block.chainid, verifier));
    }

    function requireChannel(bytes32 id, uint256 balance, uint256 claimed) internal view {
        (uint128 actualBalance, uint128 actualClaimed) = settlement.channels(id);
        assertEq(actualBalance, balance, "balance");
        assertEq(actualClaimed, claimed, "claimed");
    }

    function requireReceiver(address receiver, uint256 claimed, uint256 settled) internal view {
        (uint128 actualClaimed, uint128 actualSettled) = settlement.receivers(receiver, address(token));
        assertEq(actualClaimed, claimed, "claimed by the receiver");
        assertEq(actualSettled, settled, "paid to the receiver");
    }

    function requirePending(bytes32 id, uint256 amount, uint256 since) internal view {
        (uint128 actualAmount, uint40 actualSince) = settlement.pendingWithdrawals(id);
        assertEq(actualAmount, amount, "pending");
        assertEq(actualSince, since, "pending since");
    }

    /// @dev Returns the recorded logs of the settlement with this event.
    function logsOf(bytes32 selector) internal returns (Vm.Log[] memory some) {
        Vm.Log[] memory all = vm.getRecordedLogs();
        some = new Vm.Log[](all.length);
        uint256 count;
        for (uint256 i; i < all.length; ++i) {
            if (all[i].emitter == SETTLEMENT && all[i].topics[0] == selector) some[count++] = all[i];
        }
        assembly ("memory-safe") {
            mstore(some, count)
        }
    }

    function typed(bytes32 message) private view returns (bytes32) {
        bytes32 domain = domainOf("x402 Batch Settlement", SETTLEMENT);
        return keccak256(bytes.concat(hex"1901", domain, message));
    }
}
