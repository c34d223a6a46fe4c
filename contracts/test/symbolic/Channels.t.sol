// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {
    ChannelConfig,
    IChannelSettlement,
    Voucher,
    VoucherClaim
} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelSettlement} from "../../src/payments/ChannelSettlement.sol";
import {Pair, pairOf} from "../../src/payments/Pair.sol";
import {Test} from "../base/Test.sol";
import {AnyWallet} from "./TrainerProofs.sol";

/// @notice A token that stores what it was told to pay, and whose other balances are set.
contract AnyToken {
    mapping(address => uint256) public balanceOf;

    function set(address account, uint256 balance) external {
        balanceOf[account] = balance;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[to] += amount;
        return true;
    }
}

/// @notice A collector that leaves the settlement with any balance.
contract AnyCollector {
    uint256 private immutable _AFTERWARDS;

    constructor(uint256 afterwards) {
        _AFTERWARDS = afterwards;
    }

    function collect(address, address token, uint256, bytes32, bytes calldata) external {
        AnyToken(token).set(msg.sender, _AFTERWARDS);
    }
}

/// @notice Proofs about the money of a channel, for every possible state and amount.
contract ChannelProofs is Test {
    uint40 private constant NOW = 1_800_000_000;
    uint40 private constant DELAY = 1 hours;
    address private constant RECEIVER = address(0x5000000000000000000000000000000000000005);

    // The slots of the settlement's storage; the proofs read back what they wrote.
    uint256 private constant BALANCES = 0;
    uint256 private constant EXITS = 1;
    uint256 private constant RECEIVERS = 2;

    ChannelSettlement private settlement = new ChannelSettlement();
    AnyToken private token = new AnyToken();
    address private payer = address(new AnyWallet(true));

    function check_PairHoldsBothAmounts(uint128 a, uint128 b) external pure {
        Pair pair = pairOf(a, b);
        assert(pair.whole() == a && pair.part() == b);
        assert(Pair.unwrap(pair) == uint256(b) << 128 | a);
    }

    /// @dev Proves that a deposit counts exactly if the token's balance rises by it.
    function check_ChannelDepositIsWhatArrives(
        uint128 balance,
        uint128 claimed,
        uint128 amount,
        uint256 held,
        uint256 afterwards
    ) external {
        (ChannelConfig memory config, bytes32 id) = channel(balance, claimed);
        token.set(address(settlement), held);
        address collector = address(new AnyCollector(afterwards));
        bool success =
            call(payer, abi.encodeCall(IChannelSettlement.deposit, (config, amount, collector, "")));
        bool expected = amount != 0 && uint256(balance) + amount <= type(uint128).max && afterwards >= held
            && afterwards - held == amount;
        assert(success == expected);
        requireChannel(id, success ? balance + amount : balance, claimed);
    }

    /// @dev Proves that a claim raises channel and receiver by the same, and never above voucher and
    /// balance. A voucher that raises nothing changes nothing.
    function check_ChannelClaimRaisesBothAlike(
        uint128 balance,
        uint128 claimed,
        uint128 maximum,
        uint128 total,
        uint128 earned,
        uint128 paid
    ) external {
        (ChannelConfig memory config, bytes32 id) = channel(balance, claimed);
        receiver(earned, paid);
        bool success = claim(config, maximum, total);
        bool raises = total > claimed;
        bool fits = total <= maximum && total <= balance;
        bool overflows = raises && uint256(earned) + (total - claimed) > type(uint128).max;
        assert(success == (!raises || (fits && !overflows)));
        uint128 added = success && raises ? total - claimed : 0;
        requireChannel(id, balance, claimed + added);
        requireReceiver(earned + added, paid);
    }

    /// @dev Proves that the same voucher pays once.
    function check_ChannelClaimPaysOnce(uint128 balance, uint128 claimed, uint128 maximum, uint128 total)
        external
    {
        (ChannelConfig memory config,) = channel(balance, claimed);
        if (!claim(config, maximum, total)) return;
        (uint128 once,) = settlement.receivers(RECEIVER, address(token));
        assert(claim(config, maximum, total));
        requireReceiver(once, 0);
    }

    /// @dev Proves that a receiver gets all its claims, once.
    function check_ChannelSettlementPaysAllClaims(uint128 earned, uint128 paid) external {
        vm.assume(paid <= earned);
        receiver(earned, paid);
        bytes memory settle = abi.encodeCall(IChannelSettlement.settle, (RECEIVER, address(token)));
        assert(call(payer, settle));
        requireReceiver(earned, earned);
        assert(token.balanceOf(RECEIVER) == earned - paid);
        assert(call(payer, settle));
        assert(token.balanceOf(RECEIVER) == earned - paid);
    }

    /// @dev Proves that a refund pays at most what is unclaimed.
    function check_ChannelRefundLeavesClaims(uint128 balance, uint128 claimed, uint128 amount) external {
        (ChannelConfig memory config, bytes32 id) = channel(balance, claimed);
        bool success = call(RECEIVER, abi.encodeCall(IChannelSettlement.refund, (config, amount)));
        assert(success == (amount != 0));
        if (!success) return;
        uint128 left = balance - claimed;
        uint128 paid = amount < left ? amount : left;
        requireChannel(id, balance - paid, claimed);
        assert(token.balanceOf(payer) == paid);
        assert(settlement.refundNonce(id) == 1);
    }

    /// @dev Proves that a refund comes out of a pending withdrawal first, and uses up a nonce.
    function check_ChannelRefundLowersWithdrawal(uint128 pending, uint64 nonce, uint128 amount) external {
        vm.assume(pending != 0 && amount != 0);
        (ChannelConfig memory config, bytes32 id) = channel(type(uint128).max, 0);
        exit(id, pending, NOW, nonce);
        assert(call(RECEIVER, abi.encodeCall(IChannelSettlement.refund, (config, amount))));
        assert(settlement.refundNonce(id) == uint256(nonce) + 1);
        bool ends = amount >= pending;
        requireExit(id, ends ? 0 : pending - amount, ends ? 0 : NOW);
    }

    /// @dev Proves that a withdrawal starts within what is unclaimed, and one at a time.
    function check_ChannelWithdrawalStartsWithinRest(
        uint128 balance,
        uint128 claimed,
        uint128 pending,
        uint40 since,
        uint128 amount
    ) external {
        (ChannelConfig memory config, bytes32 id) = channel(balance, claimed);
        exit(id, pending, since, 7);
        bool success = call(payer, abi.encodeCall(IChannelSettlement.initiateWithdraw, (config, amount)));
        assert(success == (amount != 0 && since == 0 && amount <= balance - claimed));
        requireExit(id, success ? amount : pending, success ? NOW : since);
        assert(settlement.refundNonce(id) == 7);
        requireChannel(id, balance, claimed);
    }

    /// @dev Proves that a withdrawal waits for its delay and takes nothing that is claimed.
    function check_ChannelWithdrawalLeavesClaims(
        uint128 balance,
        uint128 claimed,
        uint128 pending,
        uint40 since
    ) external {
        vm.assume(since <= NOW);
        (ChannelConfig memory config, bytes32 id) = channel(balance, claimed);
        exit(id, pending, since, 7);
        bool success = call(payer, abi.encodeCall(IChannelSettlement.finalizeWithdraw, (config)));
        assert(success == (since != 0 && NOW >= since + DELAY));
        if (!success) return;
        uint128 left = balance - claimed;
        uint128 paid = pending < left ? pending : left;
        requireChannel(id, balance - paid, claimed);
        requireExit(id, 0, 0);
        assert(token.balanceOf(payer) == paid);
        assert(settlement.refundNonce(id) == 7);
    }

    /// @dev Returns a channel with these amounts. The claims are at most the balance, as the other
    /// proofs show.
    function channel(uint128 balance, uint128 claimed)
        private
        returns (ChannelConfig memory config, bytes32 id)
    {
        vm.assume(claimed <= balance);
        vm.warp(NOW);
        config = ChannelConfig(payer, address(0), RECEIVER, RECEIVER, address(token), DELAY, bytes32(0));
        id = settlement.getChannelId(config);
        store(keccak256(abi.encode(id, BALANCES)), uint256(claimed) << 128 | balance);
        requireChannel(id, balance, claimed);
    }

    function receiver(uint128 earned, uint128 paid) private {
        bytes32 inner = keccak256(abi.encode(RECEIVER, RECEIVERS));
        store(keccak256(abi.encode(address(token), inner)), uint256(paid) << 128 | earned);
        requireReceiver(earned, paid);
    }

    function exit(bytes32 id, uint128 pending, uint40 since, uint64 nonce) private {
        store(keccak256(abi.encode(id, EXITS)), uint256(nonce) << 168 | uint256(since) << 128 | pending);
        requireExit(id, pending, since);
        assert(settlement.refundNonce(id) == nonce);
    }

    function claim(ChannelConfig memory config, uint128 maximum, uint128 total) private returns (bool) {
        VoucherClaim[] memory rows = new VoucherClaim[](1);
        rows[0] = VoucherClaim(Voucher(config, maximum), "", total);
        return call(RECEIVER, abi.encodeCall(IChannelSettlement.claim, (rows)));
    }

    function requireChannel(bytes32 id, uint128 balance, uint128 claimed) private view {
        (uint128 actualBalance, uint128 actualClaimed) = settlement.channels(id);
        assert(actualBalance == balance && actualClaimed == claimed);
    }

    function requireReceiver(uint128 earned, uint128 paid) private view {
        (uint128 actualEarned, uint128 actualPaid) = settlement.receivers(RECEIVER, address(token));
        assert(actualEarned == earned && actualPaid == paid);
    }

    function requireExit(bytes32 id, uint128 pending, uint40 since) private view {
        (uint128 actualPending, uint40 actualSince) = settlement.pendingWithdrawals(id);
        assert(actualPending == pending && actualSince == since);
    }

    function store(bytes32 slot, uint256 word) private {
        vm.store(address(settlement), slot, bytes32(word));
    }

    function call(address caller, bytes memory data) private returns (bool success) {
        vm.prank(caller);
        (success,) = address(settlement).call(data);
    }
}
