// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ChannelConfig, VoucherClaim} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {Moving, OddToken, RashCollector} from "../base/Tokens.sol";

/// @notice Channels of two receivers in two tokens, in any order of calls. After each call, all money
/// is where a simple account of the calls says.
contract ChannelWorld is ChannelTest {
    uint256 private constant CHANNELS = 6;
    uint256 private constant MOST = 1_000;

    /// @dev The expected state of a channel.
    struct Book {
        uint256 balance;
        uint256 claimed;
        uint256 pending;
        uint256 since;
        uint256 nonce;
        /// The largest voucher that the payer has signed.
        uint256 signed;
    }

    OddToken[2] private tokens = [new OddToken(), new OddToken()];
    address private collector = address(new RashCollector());

    mapping(uint256 channel => Book) private _books;
    /// @dev Deposits less payments, by the token.
    uint256[2] private _held;
    /// @dev Claims and payments, by receiver and token.
    uint256[2][2] private _claimed;
    uint256[2][2] private _paid;

    uint256 public claims;

    constructor() {
        tokens[0].mint(PAYER, 1e30);
        tokens[1].mint(PAYER, 1e30);
        tokens[1].moveSo(Moving.Silent);
    }

    function deposit(uint256 seed) public {
        uint256 channel = seed % CHANNELS;
        uint128 amount = uint128(1 + (seed >> 8) % MOST);
        settlement.deposit(configOf(channel), amount, collector, "");
        _books[channel].balance += amount;
        _held[tokenOf(channel)] += amount;
    }

    /// @dev Claims from up to 4 channels at once, some of them twice.
    function claim(uint256 seed) public {
        VoucherClaim[] memory rows = new VoucherClaim[](1 + seed % 4);
        bool fits = true;
        uint256[CHANNELS] memory totals;
        for (uint256 i; i < CHANNELS; ++i) {
            totals[i] = _books[i].claimed;
        }
        for (uint256 i; i < rows.length; ++i) {
            uint256 draw = uint256(keccak256(abi.encode(seed, i)));
            // One receiver has the even channels, so a batch of one caller has one receiver.
            uint256 channel = (seed >> 8) % 2 + 2 * (draw % (CHANNELS / 2));
            uint256 total = (draw >> 8) % (2 + _books[channel].balance * 9 / 8);
            uint256 maximum = total + (draw >> 64) % 2 * 10;
            // A voucher is of the maximum, now and then above the claim, rarely below.
            if ((draw >> 128) % 16 == 0 && total > 0) maximum = total - 1;
            rows[i] = row(configOf(channel), uint128(maximum), uint128(total));
            if (maximum > _books[channel].signed) _books[channel].signed = maximum;
            if (total <= totals[channel]) continue;
            if (total > maximum || total > _books[channel].balance) fits = false;
            totals[channel] = total;
        }
        if (!fits) vm.expectRevert();
        vm.prank(receiverOf((seed >> 8) % 2));
        settlement.claim(rows);
        if (!fits) return;
        for (uint256 i; i < CHANNELS; ++i) {
            _claimed[i % 2][tokenOf(i)] += totals[i] - _books[i].claimed;
            _books[i].claimed = totals[i];
        }
        ++claims;
    }

    function settle(uint256 seed) external {
        pay(seed % 2, (seed >> 8) % 2);
    }

    function refund(uint256 seed) external {
        giveBack(seed % CHANNELS, 1 + (seed >> 8) % (MOST / 5));
    }

    function initiateWithdraw(uint256 seed) external {
        uint256 channel = seed % CHANNELS;
        Book storage book = _books[channel];
        uint256 amount = (seed >> 8) % MOST;
        bool fits = amount != 0 && book.since == 0 && amount <= book.balance - book.claimed;
        if (!fits) vm.expectRevert();
        vm.prank(PAYER);
        settlement.initiateWithdraw(configOf(channel), uint128(amount));
        if (fits) (book.pending, book.since) = (amount, block.timestamp);
    }

    function finalizeWithdraw(uint256 seed) external {
        uint256 channel = seed % CHANNELS;
        Book storage book = _books[channel];
        bool fits = book.since != 0 && block.timestamp >= book.since + DELAY;
        if (!fits) vm.expectRevert();
        vm.prank(PAYER_AUTHORIZER);
        settlement.finalizeWithdraw(configOf(channel));
        if (!fits) return;
        uint256 left = book.balance - book.claimed;
        payBack(channel, book.pending < left ? book.pending : left);
        (book.pending, book.since) = (0, 0);
    }

    function wait(uint256 seed) external {
        vm.warp(block.timestamp + seed % DELAY);
    }

    /// @dev Checks all accounts against the contract, and both against the tokens.
    function requireBooks() external view {
        uint256[2] memory balances;
        uint256[2][2] memory claimed;
        for (uint256 i; i < CHANNELS; ++i) {
            Book storage book = _books[i];
            bytes32 id = idOf(configOf(i));
            requireChannel(id, book.balance, book.claimed);
            requirePending(id, book.pending, book.since);
            assertEq(settlement.refundNonce(id), book.nonce, "nonce");
            assertAtMost(book.claimed, book.balance, "claims of a channel");
            assertAtMost(book.claimed, book.signed, "claims without a voucher");
            balances[tokenOf(i)] += book.balance;
            claimed[i % 2][tokenOf(i)] += book.claimed;
        }
        for (uint256 t; t < 2; ++t) {
            uint256 paid;
            for (uint256 r; r < 2; ++r) {
                (uint128 total, uint128 settled) = settlement.receivers(receiverOf(r), address(tokens[t]));
                assertEq(total, claimed[r][t], "a receiver's claims are those of its channels");
                assertEq(settled, _paid[r][t], "paid");
                assertAtMost(settled, total, "payments of claims");
                assertEq(tokens[t].balanceOf(receiverOf(r)), settled, "the receiver has its payments");
                paid += settled;
            }
            uint256 held = tokens[t].balanceOf(SETTLEMENT);
            assertEq(held, _held[t], "held");
            assertEq(held, balances[t] - paid, "balances are held, less payments");
            assertEq(tokens[t].balanceOf(PAYER), 1e30 - paid - held, "all else is the payer's");
        }
    }

    /// @dev Goes on until a claim has succeeded. Then it empties all channels: every claim and every
    /// rest can be paid.
    function finish() external {
        for (uint256 i; claims == 0; ++i) {
            assertAtMost(i, 200, "claims succeed");
            deposit(uint256(keccak256(abi.encode(i, "deposit"))));
            claim(uint256(keccak256(abi.encode(i, "claim"))));
        }
        for (uint256 i; i < CHANNELS; ++i) {
            giveBack(i, type(uint128).max);
            pay(i % 2, tokenOf(i));
        }
        assertEq(tokens[0].balanceOf(SETTLEMENT) + tokens[1].balanceOf(SETTLEMENT), 0, "all is paid");
    }

    function pay(uint256 receiver, uint256 paidIn) private {
        settlement.settle(receiverOf(receiver), address(tokens[paidIn]));
        _held[paidIn] -= _claimed[receiver][paidIn] - _paid[receiver][paidIn];
        _paid[receiver][paidIn] = _claimed[receiver][paidIn];
    }

    function giveBack(uint256 channel, uint256 amount) private {
        Book storage book = _books[channel];
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.refund(configOf(channel), uint128(amount));
        uint256 left = book.balance - book.claimed;
        if (amount > left) amount = left;
        payBack(channel, amount);
        ++book.nonce;
        if (amount >= book.pending) (book.pending, book.since) = (0, 0);
        else book.pending -= amount;
    }

    function payBack(uint256 channel, uint256 amount) private {
        _books[channel].balance -= amount;
        _held[tokenOf(channel)] -= amount;
    }

    function configOf(uint256 channel) private view returns (ChannelConfig memory config) {
        config = terms(channel);
        config.receiver = receiverOf(channel % 2);
        config.token = address(tokens[tokenOf(channel)]);
    }

    /// @dev Returns the token of a channel: each receiver has channels in both.
    function tokenOf(uint256 channel) private pure returns (uint256) {
        return channel / 2 % 2;
    }

    function receiverOf(uint256 receiver) private pure returns (address) {
        return address(uint160(0xc000 + receiver));
    }
}
