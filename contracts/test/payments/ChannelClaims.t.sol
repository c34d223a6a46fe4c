// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, IChannelSettlement, VoucherClaim} from "../../src/interfaces/IChannelSettlement.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {HostileWallet, Signing} from "../base/HostileWallet.sol";
import {Sign} from "../base/Sign.sol";
import {Moving, OddToken, RashCollector} from "../base/Tokens.sol";

/// @notice Claims by vouchers, and payments to receivers.
contract ChannelClaimsTest is ChannelTest {
    /// @dev The order of secp256k1.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    bytes private constant INVALID = abi.encodePacked(IChannelSettlement.InvalidSignature.selector);

    function test_claim_addsIncrease() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Claimed(id, RECEIVER, 30, 30);
        claim(config, 30);
        VoucherClaim[] memory rows = one(row(config, 90, 50));
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Claimed(id, RECEIVER_AUTHORIZER, 20, 50);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.claim(rows);
        requireChannel(id, 100, 50);
        requireReceiver(RECEIVER, 50, 0);
        assertEq(token.balanceOf(SETTLEMENT), 100, "a claim moves nothing");
    }

    /// @dev A voucher that does not raise the total changes nothing, whatever its signature.
    function test_claim_skipsWhatRaisesNothing() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        claim(config, 40);
        vm.recordLogs();
        claim(config, 40);
        claim(config, 39);
        claim(config, 0);
        VoucherClaim memory forged = row(config, STRANGER_KEY, 40, 40);
        vm.prank(RECEIVER);
        settlement.claim(one(forged));
        assertEq(logsOf(IChannelSettlement.Claimed.selector).length, 0, "claims");
        requireChannel(id, 100, 40);
        requireReceiver(RECEIVER, 40, 0);
    }

    function test_claim_takesManyReceiversAndTokens() external {
        ChannelConfig[] memory configs = new ChannelConfig[](6);
        VoucherClaim[] memory rows = new VoucherClaim[](7);
        for (uint256 i; i < 6; ++i) {
            configs[i] = terms(i);
            // Runs of one receiver and token: 2, 1, 1, 2, and the first again.
            if (i == 2) configs[i].receiver = ANYONE;
            if (i > 3) configs[i].token = address(new OddToken());
            if (i == 5) configs[i].token = configs[4].token;
            if (i < 4) {
                fund(configs[i], 100);
            } else {
                OddToken(configs[i].token).mint(PAYER, 100);
                settlement.deposit(configs[i], 100, address(new RashCollector()), "");
            }
            rows[i] = row(configs[i], 100, uint128(i + 1));
        }
        rows[6] = row(configs[0], 100, 50);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.claim(rows);
        requireReceiver(RECEIVER, 50 + 2 + 4, 0);
        requireReceiver(ANYONE, 3, 0);
        (uint128 claimed,) = settlement.receivers(RECEIVER, configs[4].token);
        assertEq(claimed, 5 + 6, "the other token");
        requireChannel(idOf(configs[0]), 100, 50);
    }

    function test_claim_isForReceiverSideOfEveryRow() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        ChannelConfig memory other = terms(1);
        (other.receiver, other.receiverAuthorizer) = (ANYONE, ANYONE);
        fund(other, 100);
        VoucherClaim[] memory rows = two(row(config, 10, 10), row(other, 10, 10));
        bytes memory reason = abi.encodeWithSelector(IChannelSettlement.NotAuthorizedToClaim.selector);
        address[4] memory callers = [RECEIVER, RECEIVER_AUTHORIZER, ANYONE, PAYER];
        for (uint256 i; i < 4; ++i) {
            vm.expectRevert(reason);
            vm.prank(callers[i]);
            settlement.claim(rows);
        }
        requireChannel(id, 100, 0);
        vm.expectRevert(abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        settlement.claim(new VoucherClaim[](0));
    }

    function test_claim_boundsAmount() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        requireRefused(
            row(config, 50, 51), abi.encodeWithSelector(IChannelSettlement.ClaimExceedsCeiling.selector)
        );
        requireRefused(
            row(config, 200, 101), abi.encodeWithSelector(IChannelSettlement.ClaimExceedsBalance.selector)
        );
        VoucherClaim[] memory rows = one(row(config, 200, 100));
        vm.prank(RECEIVER);
        settlement.claim(rows);
        requireChannel(id, 100, 100);
        // A deposit later makes room for more of the same voucher.
        fund(config, 50);
        rows[0].totalClaimed = 150;
        vm.prank(RECEIVER);
        settlement.claim(rows);
        requireChannel(id, 150, 150);
    }

    /// @dev Amounts have 128 bits, of which none is lost.
    function test_claim_takesLargestAmount() external {
        ChannelConfig memory config = terms();
        OddToken odd = new OddToken();
        odd.mint(PAYER, type(uint128).max);
        config.token = address(odd);
        settlement.deposit(config, type(uint128).max, address(new RashCollector()), "");
        claim(config, type(uint128).max);
        requireChannel(idOf(config), type(uint128).max, type(uint128).max);
        settlement.settle(RECEIVER, address(odd));
        assertEq(odd.balanceOf(RECEIVER), type(uint128).max, "paid");
        (uint128 claimed, uint128 settled) = settlement.receivers(RECEIVER, address(odd));
        assertEq(claimed, type(uint128).max, "claimed");
        assertEq(settled, type(uint128).max, "settled");
    }

    function test_claim_needsSignatureOfAuthorizer() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        requireRefused(row(config, STRANGER_KEY, 50, 50), INVALID);
        requireRefused(row(config, PAYER_KEY, 50, 50), INVALID);
        // A voucher of another amount, and of another channel.
        VoucherClaim memory forged = row(config, 50, 50);
        forged.voucher.maxClaimableAmount = 51;
        requireRefused(forged, INVALID);
        forged = row(terms(1), 50, 50);
        forged.voucher.channel = config;
        requireRefused(forged, INVALID);
        requireChannel(id, 100, 0);
    }

    /// @dev Takes 65 bytes with a low `s` and a `v` of 27 or 28 only, as OpenZeppelin's recovery
    /// does.
    function test_claim_refusesOtherFormsOfSignatures() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        VoucherClaim memory claimed = row(config, 50, 50);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_AUTHORIZER_KEY, voucherOf(config, 50));
        bytes[] memory forms = new bytes[](6);
        forms[0] = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        forms[1] = Sign.compact(PAYER_AUTHORIZER_KEY, voucherOf(config, 50));
        forms[2] = abi.encodePacked(r, s, v - 27);
        forms[3] = abi.encodePacked(r, s, v, uint8(0));
        forms[4] = "";
        forms[5] = abi.encodePacked(r, s, uint8(29));
        for (uint256 i; i < forms.length; ++i) {
            claimed.signature = forms[i];
            requireRefused(claimed, INVALID);
        }
        claimed.signature = abi.encodePacked(r, s, v);
        vm.prank(RECEIVER);
        settlement.claim(one(claimed));
        requireChannel(id, 100, 50);
    }

    /// @dev Without an authorizer the payer signs, by key.
    function test_claim_takesPayerWithoutAuthorizer() external {
        ChannelConfig memory config = terms();
        config.payerAuthorizer = address(0);
        bytes32 id = fund(config, 100);
        requireRefused(row(config, PAYER_AUTHORIZER_KEY, 50, 50), INVALID);
        VoucherClaim memory claimed = row(config, PAYER_KEY, 50, 50);
        claimed.signature = "";
        requireRefused(claimed, INVALID);
        claimed = row(config, PAYER_KEY, 50, 50);
        vm.prank(RECEIVER);
        settlement.claim(one(claimed));
        requireChannel(id, 100, 50);
    }

    /// @dev A payer with code signs by code (ERC-1271), and by nothing else.
    function test_claim_asksCodeOfPayer() external {
        ChannelConfig memory config = terms();
        config.payerAuthorizer = address(0);
        bytes32 id = fund(config, 100);
        vm.etch(PAYER, address(new HostileWallet()).code);
        HostileWallet wallet = HostileWallet(payable(PAYER));
        VoucherClaim memory claimed = row(config, PAYER_KEY, 50, 50);
        for (uint8 how = uint8(Signing.No); how <= uint8(Signing.BurnsGas); ++how) {
            wallet.sign(Signing(how));
            vm.expectRevert(INVALID);
            vm.prank(RECEIVER);
            // Less gas than a test has: some of the wallets burn all that they get.
            settlement.claim{gas: 2_000_000}(one(claimed));
        }
        wallet.signWith(PAYER);
        requireRefused(row(config, STRANGER_KEY, 50, 50), INVALID);
        vm.prank(RECEIVER);
        settlement.claim(one(claimed));
        requireChannel(id, 100, 50);
    }

    /// @dev A payer with a key that gets code after its voucher can refuse it, and all claims beside it.
    function test_claim_failsForAllIfOnePayerRefuses() external {
        ChannelConfig memory config = terms(1);
        config.payerAuthorizer = address(0);
        bytes32 id = fund(config, 100);
        (ChannelConfig memory honest, bytes32 honestId) = open(100);
        VoucherClaim[] memory rows = two(row(honest, 50, 50), row(config, PAYER_KEY, 50, 50));
        vm.etch(PAYER, address(new HostileWallet()).code);
        HostileWallet(payable(PAYER)).sign(Signing.No);
        vm.expectRevert(INVALID);
        vm.prank(RECEIVER);
        settlement.claim(rows);
        requireChannel(honestId, 100, 0);
        claim(honest, 50);
        requireChannel(honestId, 100, 50);
        requireChannel(id, 100, 0);
    }

    /// @dev An authorizer is a key even if it has code.
    function test_claim_neverAsksCodeOfAuthorizer() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        vm.etch(PAYER_AUTHORIZER, address(new HostileWallet()).code);
        HostileWallet(payable(PAYER_AUTHORIZER)).sign(Signing.Yes);
        requireRefused(row(config, STRANGER_KEY, 50, 50), INVALID);
        claim(config, 50);
        requireChannel(id, 100, 50);
    }

    function test_claimWithSignature_needsAuthorizerOfAllRows() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        ChannelConfig memory other = terms(1);
        fund(other, 100);
        VoucherClaim[] memory rows = two(row(config, 70, 60), row(other, 30, 20));
        bytes memory signature = Sign.long(RECEIVER_AUTHORIZER_KEY, batchOf(rows));
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Claimed(id, ANYONE, 60, 60);
        vm.prank(ANYONE);
        settlement.claimWithSignature(rows, signature);
        requireChannel(id, 100, 60);
        requireChannel(idOf(other), 100, 20);
        requireReceiver(RECEIVER, 80, 0);
        // Again, nothing happens.
        settlement.claimWithSignature(rows, signature);
        requireReceiver(RECEIVER, 80, 0);

        rows[0].totalClaimed = 61;
        requireRefusedBatch(rows, signature, INVALID);
        requireRefusedBatch(rows, Sign.long(STRANGER_KEY, batchOf(rows)), INVALID);
        requireRefusedBatch(rows, Sign.compact(RECEIVER_AUTHORIZER_KEY, batchOf(rows)), INVALID);

        other.receiverAuthorizer = ANYONE;
        fund(other, 100);
        rows[1] = row(other, 30, 20);
        requireRefusedBatch(
            rows,
            Sign.long(RECEIVER_AUTHORIZER_KEY, batchOf(rows)),
            abi.encodeWithSelector(IChannelSettlement.NotReceiverAuthorizer.selector)
        );
        requireRefusedBatch(
            new VoucherClaim[](0), signature, abi.encodeWithSelector(IErrors.EmptyBatch.selector)
        );
    }

    /// @dev The receiver's authorizer may be a contract.
    function test_claimWithSignature_asksCodeOfAuthorizer() external {
        (ChannelConfig memory config, bytes32 id) = open(100);
        VoucherClaim[] memory rows = one(row(config, 70, 60));
        bytes memory signature = Sign.long(STRANGER_KEY, batchOf(rows));
        vm.etch(RECEIVER_AUTHORIZER, address(new HostileWallet()).code);
        HostileWallet wallet = HostileWallet(payable(RECEIVER_AUTHORIZER));
        wallet.sign(Signing.No);
        requireRefusedBatch(rows, signature, INVALID);
        wallet.signWith(vm.addr(STRANGER_KEY));
        settlement.claimWithSignature(rows, signature);
        requireChannel(id, 100, 60);
    }

    /// @dev The receiver gets the largest of all vouchers, once, whatever their order.
    function testFuzz_claim_paysLargestOnce(uint128[5] memory totals) external {
        (ChannelConfig memory config, bytes32 id) = open(1_000);
        uint256 largest;
        for (uint256 i; i < 5; ++i) {
            uint128 total = uint128(bound(totals[i], 0, 1_000));
            claim(config, total);
            if (total > largest) largest = total;
            settlement.settle(RECEIVER, address(token));
            assertEq(token.balanceOf(RECEIVER), largest, "paid");
        }
        requireChannel(id, 1_000, largest);
        requireReceiver(RECEIVER, largest, largest);
        assertEq(token.balanceOf(SETTLEMENT), 1_000 - largest, "held");
    }

    function test_settle_paysWhatIsClaimed() external {
        (ChannelConfig memory config,) = open(100);
        ChannelConfig memory other = terms(1);
        fund(other, 100);
        claim(config, 30);
        claim(other, 12);
        vm.expectEmit(SETTLEMENT);
        emit IChannelSettlement.Settled(RECEIVER, address(token), ANYONE, 42);
        vm.prank(ANYONE);
        settlement.settle(RECEIVER, address(token));
        assertEq(token.balanceOf(RECEIVER), 42, "paid");
        requireReceiver(RECEIVER, 42, 42);
        vm.recordLogs();
        settlement.settle(RECEIVER, address(token));
        assertEq(vm.getRecordedLogs().length, 0, "nothing to pay");
        claim(config, 31);
        settlement.settle(RECEIVER, address(token));
        assertEq(token.balanceOf(RECEIVER), 43, "paid more");
    }

    /// @dev The guard is in transient storage: a call that has nothing to do writes nothing.
    function test_settle_writesNothingIfNothingIsClaimed() external {
        vm.record();
        settlement.settle(RECEIVER, address(token));
        (, bytes32[] memory writes) = vm.accesses(SETTLEMENT);
        assertEq(writes.length, 0, "writes");
    }

    /// @dev A payment that the token does not make changes nothing.
    function test_settle_failsIfTokenDoes() external {
        ChannelConfig memory config = terms();
        OddToken odd = new OddToken();
        odd.mint(PAYER, 100);
        config.token = address(odd);
        settlement.deposit(config, 100, address(new RashCollector()), "");
        claim(config, 40);
        Moving[2] memory failing = [Moving.Denies, Moving.Reverts];
        for (uint256 i; i < 2; ++i) {
            odd.moveSo(failing[i]);
            vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.TransferFailed.selector));
            settlement.settle(RECEIVER, address(odd));
        }
        // Paying twice fails inside; the token goes on.
        odd.callBack(SETTLEMENT, abi.encodeCall(IChannelSettlement.settle, (RECEIVER, address(odd))));
        settlement.settle(RECEIVER, address(odd));
        assertEq(odd.answer(), abi.encodeWithSelector(bytes4(keccak256("Reentrancy()"))), "guarded");
        assertEq(odd.balanceOf(RECEIVER), 40, "paid once");
        odd.moveSo(Moving.Silent);
        claim(config, 50);
        settlement.settle(RECEIVER, address(odd));
        assertEq(odd.balanceOf(RECEIVER), 50, "paid without an answer");
        claim(config, 60);
        vm.etch(address(odd), "");
        vm.expectRevert(abi.encodeWithSelector(IChannelSettlement.TransferFailed.selector));
        settlement.settle(RECEIVER, address(odd));
    }

    function requireRefused(VoucherClaim memory claimed, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(RECEIVER);
        settlement.claim(one(claimed));
    }

    function requireRefusedBatch(VoucherClaim[] memory rows, bytes memory signature, bytes memory reason)
        private
    {
        vm.expectRevert(reason);
        settlement.claimWithSignature(rows, signature);
    }
}
