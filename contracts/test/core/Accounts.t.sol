// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Account} from "../../src/core/types/Account.sol";
import {Status} from "../../src/core/types/Statuses.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Payments} from "../../src/libraries/Payments.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Points} from "../../src/mechanisms/deposit/Points.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {HostileWallet, Receiving} from "../base/HostileWallet.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";

/// @notice Prepaid money and nonces.
contract AccountsTest is ModelTest {
    /// @dev The largest nonce.
    uint256 private constant LAST = type(uint48).max;

    DepositRefundTake private trainer;
    /// @dev The used nonces by the specification: a plain model of the window.
    mapping(uint256 nonce => bool) private usedInModel;
    uint256 private highestInModel;

    constructor() {
        Classifier classifier;
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
    }

    // ---------------------------------------------------------------- Money

    function test_depositTo_addsToBalanceOfAnother() external {
        vm.expectEmit(address(trainer));
        emit IAccounts.Deposited(BOB, 5);
        vm.prank(ALICE);
        trainer.depositTo{value: 5}(BOB);
        vm.prank(CAROL);
        trainer.depositTo{value: 7}(BOB);
        assertEq(trainer.balanceOf(BOB), 12, "BOB's");
        assertEq(trainer.balanceOf(ALICE), 0, "ALICE's");
        assertEq(address(trainer).balance, 12, "held");
    }

    function test_depositTo_takesNothing() external {
        vm.expectEmit(address(trainer));
        emit IAccounts.Deposited(BOB, 0);
        trainer.depositTo(BOB);
        assertEq(trainer.balanceOf(BOB), 0, "nothing");
    }

    function test_withdrawTo_paysAnother() external {
        trainer.depositTo{value: 12}(ALICE);
        uint256 before = BOB.balance;
        vm.expectEmit(address(trainer));
        emit IAccounts.Withdrawn(ALICE, BOB, 5);
        vm.prank(ALICE);
        trainer.withdrawTo(BOB, 5);
        assertEq(BOB.balance, before + 5, "paid");
        assertEq(trainer.balanceOf(ALICE), 7, "left");
        assertEq(trainer.balanceOf(BOB), 0, "not the account of BOB");
        vm.prank(ALICE);
        trainer.withdrawTo(ALICE, 7);
        assertEq(address(trainer).balance, 0, "all out");
    }

    function test_withdrawTo_failsIfBalanceTooLow() external {
        trainer.depositTo{value: 12}(ALICE);
        trainer.depositTo{value: 12}(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, 13, 12));
        vm.prank(ALICE);
        trainer.withdrawTo(ALICE, 13);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, type(uint256).max, 12));
        vm.prank(ALICE);
        trainer.withdrawTo(ALICE, type(uint256).max);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, 1, 0));
        vm.prank(CAROL);
        trainer.withdrawTo(CAROL, 1);
    }

    /// @dev A payment of 0 calls nobody, so it works even if the receiver refuses money.
    function test_withdrawTo_callsNobodyForNothing() external {
        HostileWallet wallet = new HostileWallet();
        wallet.receiveSo(Receiving.Refuses, "");
        vm.expectEmit(address(trainer));
        emit IAccounts.Withdrawn(ALICE, address(wallet), 0);
        vm.prank(ALICE);
        trainer.withdrawTo(address(wallet), 0);
    }

    function test_withdrawTo_failsIfReceiverRefuses() external {
        HostileWallet wallet = new HostileWallet();
        wallet.receiveSo(Receiving.Refuses, "");
        trainer.depositTo{value: 12}(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, address(wallet), 5));
        vm.prank(ALICE);
        trainer.withdrawTo(address(wallet), 5);
        // The trainer receives money only through functions that name the account.
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, address(trainer), 5));
        vm.prank(ALICE);
        trainer.withdrawTo(address(trainer), 5);
        assertEq(trainer.balanceOf(ALICE), 12, "nothing happened");
    }

    function test_withdrawTo_refusesReentry() external {
        HostileWallet wallet = new HostileWallet();
        trainer.depositTo{value: 12}(address(wallet));
        bytes[3] memory attacks = [
            abi.encodeCall(trainer.withdrawTo, (address(wallet), 1)),
            abi.encodeCall(trainer.depositTo, (address(wallet))),
            abi.encodeCall(trainer.cancelNonces, (1))
        ];
        for (uint256 i; i < 3; ++i) {
            wallet.receiveSo(Receiving.Reenters, attacks[i]);
            wallet.execute(address(trainer), 0, abi.encodeCall(trainer.withdrawTo, (address(wallet), 2)));
            assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
            assertEq(wallet.attacks(), i + 1, "attacked");
            assertEq(trainer.balanceOf(address(wallet)), 10 - 2 * i, "paid once");
        }
        assertTrue(!trainer.nonceUsed(address(wallet), 1), "nothing canceled");
    }

    function test_receive_fails() external {
        (bool success,) = address(trainer).call{value: 1}("");
        assertTrue(!success, "refused");
    }

    function test_depositTo_failsIfBalanceOverflows() external {
        vm.deal(ALICE, 1 << 100);
        vm.prank(ALICE);
        trainer.depositTo{value: type(uint96).max - 1}(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, BOB));
        vm.prank(ALICE);
        trainer.depositTo{value: 2}(BOB);
        vm.prank(ALICE);
        trainer.depositTo{value: 1}(BOB);
        assertEq(trainer.balanceOf(BOB), type(uint96).max, "the largest");
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, BOB));
        vm.prank(ALICE);
        trainer.depositTo{value: 1}(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, CAROL));
        vm.prank(ALICE);
        trainer.depositTo{value: 1 << 96}(CAROL);
        // The number of good contributions is the next field.
        assertEq(trainer.good(BOB), 0, "good");
        vm.prank(BOB);
        trainer.withdrawTo(BOB, type(uint96).max);
        assertEq(trainer.balanceOf(BOB), 0, "all out");
    }

    /// @dev The balance of the author is full, not the stranger's. The author can still claim the
    /// refund.
    function test_refund_failsIfPushedAndBalanceOverflows() external {
        vm.deal(address(this), 1 << 100);
        Contribution memory made = contribute(trainer, ALICE, 0, hex"");
        trainer.depositTo{value: type(uint96).max}(ALICE);
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, ALICE));
        vm.prank(BOB);
        trainer.refund(alone(made));
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        trainer.refund(alone(made));
        assertEq(ALICE.balance, before + made.deposit, "paid");
    }

    /// @dev A pushed refund may raise the balance exactly to its maximum.
    function test_refund_isPushedUpToLargestBalance() external {
        vm.deal(address(this), 1 << 100);
        Contribution memory made = contribute(trainer, ALICE, 0, hex"");
        trainer.depositTo{value: type(uint96).max - uint256(made.deposit) + 1}(ALICE);
        pass(REFUND_WAIT);
        bytes memory claims = alone(made);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, ALICE));
        trainer.refund(claims);
        vm.prank(ALICE);
        trainer.withdrawTo(ALICE, 1);
        trainer.refund(claims);
        assertEq(trainer.balanceOf(ALICE), type(uint96).max, "the largest");
        // The number of good contributions is the next field.
        assertEq(trainer.good(ALICE), 1, "good");
    }

    /// @dev A contract may have no way to withdraw, so others cannot push its refund until it has
    /// used or canceled a nonce. It can claim itself, and other claims of the same call are
    /// settled.
    function test_refund_isNotPushedToContract() external {
        HostileWallet wallet = new HostileWallet();
        vm.deal(address(wallet), 1e24);
        // A payment from another account does not show that the wallet can act.
        trainer.depositTo{value: 5}(address(wallet));
        Contribution memory first = contribute(trainer, address(wallet), 0, hex"");
        Contribution memory second = contribute(trainer, address(wallet), 0, hex"");
        Contribution memory other = contribute(trainer, ALICE, 0, hex"");
        pass(REFUND_WAIT);
        bytes memory reason =
            abi.encodeWithSelector(ICollaborativeTrainer.AuthorIsContract.selector, address(wallet));
        bytes memory claims = alone(first);
        vm.expectRevert(reason);
        trainer.refund(claims);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.ClaimSkipped(first.position, reason);
        trainer.refund(bytes.concat(claims, alone(other)));
        assertEq(trainer.balanceOf(ALICE), other.deposit, "the other one");
        assertEq(trainer.balanceOf(address(wallet)), 5, "nothing pushed");
        requireSettlement(trainer, first.position, Status.Untouched, 0, address(0));

        uint256 before = address(wallet).balance;
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (claims)));
        assertEq(address(wallet).balance, before + first.deposit, "its own claim");
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.cancelNonces, (0)));
        trainer.refund(alone(second));
        assertEq(trainer.balanceOf(address(wallet)), 5 + uint256(second.deposit), "pushed");
    }

    /// @dev An account that delegates to code (EIP-7702) has a key, and can withdraw with it.
    function test_refund_isPushedToDelegatedAccount() external {
        address author = vm.addr(99);
        vm.deal(author, 1e24);
        Contribution memory made = contribute(trainer, author, 0, hex"");
        vm.etch(author, abi.encodePacked(hex"ef0100", address(new HostileWallet())));
        pass(REFUND_WAIT);
        trainer.refund(alone(made));
        assertEq(trainer.balanceOf(author), made.deposit, "pushed");
        vm.prank(author);
        trainer.withdrawTo(BOB, made.deposit);
    }

    /// @dev All balances can be computed from the events.
    function test_refund_emitsDepositedIfPushed() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"");
        pass(REFUND_WAIT);
        vm.expectEmit(address(trainer));
        emit IAccounts.Deposited(ALICE, made.deposit);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Refunded(0, ALICE, made.deposit);
        vm.prank(BOB);
        trainer.refund(alone(made));
        assertEq(trainer.balanceOf(ALICE), made.deposit, "balance");
        // The trainer pays out the caller's own refund.
        made = contribute(trainer, ALICE, 0, hex"");
        pass(REFUND_WAIT);
        vm.recordLogs();
        vm.prank(ALICE);
        trainer.refund(alone(made));
        assertEq(logsOf(IAccounts.Deposited.selector).length, 0, "no deposit");
    }

    /// @dev A refund of 0 adds nothing to the balance.
    function test_refund_emitsNoDepositedForNothing() external {
        (address created, address model) =
            factory.create(points, abi.encode(1, 2, 3, 0), sparsePerceptron, abi.encode(8, 1, int256(0)));
        Classifier(model).close(created);
        Contribution memory made = contribute(Points(created), ALICE, 0, hex"");
        pass(1);
        vm.recordLogs();
        vm.prank(BOB);
        Points(created).refund(alone(made));
        assertEq(logsOf(IAccounts.Deposited.selector).length, 0, "no deposit");
        assertEq(Points(created).good(ALICE), 1, "good");
    }

    function test_relay_failsIfFeesOverflow() external {
        vm.deal(address(this), 1 << 100);
        SignedBatch memory batch = unsigned(vm.addr(1), 0, Encode.item(0, hex""));
        batch.fee = 2;
        batch = Sign.by(1, address(trainer), batch);
        trainer.depositTo{value: trainer.price(1) + 2}(batch.author);
        trainer.depositTo{value: type(uint96).max - 1}(BOB);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, BOB));
        vm.prank(BOB);
        trainer.relay(Sign.encode(batch), GAS_PER_BATCH);
        assertEq(trainer.contributionCount(), 0, "nothing happened");
        assertTrue(!trainer.nonceUsed(batch.author, 0), "nonce");
    }

    /// @dev Without deposits, money and nonces work in the same way, like everything but the price.
    function test_withdrawTo_worksUnderPoints() external {
        (address created,) =
            factory.create(points, abi.encode(1, 2, 3, 0), sparsePerceptron, abi.encode(8, 1, int256(0)));
        Points(created).depositTo{value: 3}(ALICE);
        vm.prank(ALICE);
        Points(created).withdrawTo(ALICE, 3);
        vm.prank(ALICE);
        Points(created).cancelNonces(4);
        assertTrue(Points(created).nonceUsed(ALICE, 4), "canceled");
    }

    // ---------------------------------------------------------------- Nonces

    function test_nonceUsed_isFalseAtFirst() external view {
        assertTrue(!trainer.nonceUsed(ALICE, 0), "0");
        assertTrue(!trainer.nonceUsed(ALICE, uint48(LAST)), "last");
    }

    function test_cancelNonces_usesAllUpToLast() external {
        vm.expectEmit(address(trainer));
        emit IAccounts.NoncesCancelled(ALICE, 70);
        vm.prank(ALICE);
        trainer.cancelNonces(70);
        assertTrue(trainer.nonceUsed(ALICE, 0), "0");
        assertTrue(trainer.nonceUsed(ALICE, 6), "64 below");
        assertTrue(trainer.nonceUsed(ALICE, 7), "63 below");
        assertTrue(trainer.nonceUsed(ALICE, 70), "the last");
        assertTrue(!trainer.nonceUsed(ALICE, 71), "the next");
        assertTrue(!trainer.nonceUsed(BOB, 0), "not those of BOB");
        // Canceling lower nonces does not bring back canceled ones.
        vm.prank(ALICE);
        trainer.cancelNonces(3);
        assertTrue(trainer.nonceUsed(ALICE, 70), "still the last");
        assertTrue(!trainer.nonceUsed(ALICE, 71), "still the next");
        vm.prank(ALICE);
        trainer.cancelNonces(uint48(LAST));
        assertTrue(trainer.nonceUsed(ALICE, uint48(LAST)), "all");
    }

    function test_cancelNonces_usesOnlyFirst() external {
        vm.prank(ALICE);
        trainer.cancelNonces(0);
        assertTrue(trainer.nonceUsed(ALICE, 0), "0");
        assertTrue(!trainer.nonceUsed(ALICE, 1), "1");
    }

    /// @dev Canceling leaves the money and the count of good contributions beside the nonces
    /// unchanged.
    function testFuzz_withUsedUpTo_leavesOtherFields(
        uint96 balance,
        uint48 good,
        uint48 nonce,
        uint48 last,
        uint96 amount
    ) external pure {
        Account account = Account.wrap(balance | uint256(good) << 96);
        assertEq(account.balance(), balance, "balance");
        assertEq(account.good(), good, "good");
        account = account.withUsed(nonce).withUsedUpTo(last);
        assertEq(account.balance(), balance, "balance after");
        assertEq(account.good(), good, "good after");
        if (amount > balance) amount = balance;
        Account changed = account.charged(amount);
        assertEq(changed.balance(), balance - amount, "charged");
        assertTrue(Account.unwrap(changed.credited(amount)) == Account.unwrap(account), "credited");
        if (good == type(uint48).max) return;
        changed = account.withRefund();
        assertEq(changed.good(), uint256(good) + 1, "good contributions");
        assertEq(changed.balance(), balance, "balance with a refund");
        assertTrue(changed.used(nonce) && changed.used(last), "nonces with a refund");
    }

    /// @dev Compares with a plain list: a nonce is used if an account used it, or if it is 64 or
    /// more below the highest.
    /// @param jumps The distance of each nonce from the highest used one: mostly within the window
    /// and at its edges.
    function testFuzz_withUsed_matchesList(uint256[24] calldata jumps, uint48 start) external {
        Account account = Account.wrap(type(uint144).max);
        // Near both ends of the range, or anywhere.
        highestInModel = start % 3 == 0 ? start % 100 : start % 3 == 1 ? LAST - start % 100 : start;
        account = account.withUsed(highestInModel);
        usedInModel[highestInModel] = true;
        for (uint256 i; i < jumps.length; ++i) {
            uint256 nonce = near(jumps[i]);
            assertTrue(account.used(nonce) == isUsed(nonce), "used");
            if (jumps[i] >> 64 & 7 == 0) {
                account = account.withUsedUpTo(nonce);
                // Nonces 64 or more below count as used anyway; the list marks some, to stay plain.
                for (uint256 k; k < 300 && k <= nonce; ++k) {
                    usedInModel[nonce - k] = true;
                }
                if (nonce > highestInModel) highestInModel = nonce;
            } else if (!account.used(nonce)) {
                account = account.withUsed(nonce);
                usedInModel[nonce] = true;
                if (nonce > highestInModel) highestInModel = nonce;
            }
            assertTrue(account.used(nonce), "the same again");
            for (uint256 k; k < 200; ++k) {
                nonce = highestInModel + 5;
                if (nonce > LAST) nonce = LAST;
                if (k > nonce) break;
                assertTrue(account.used(nonce - k) == isUsed(nonce - k), "around");
            }
            assertEq(Account.unwrap(account) & type(uint144).max, type(uint144).max, "other fields");
        }
    }

    /// @dev Checks the first nonces of an account that has used none.
    function testFuzz_used_knowsFirstNonce(uint48 first, uint48 other) external pure {
        if (first % 2 == 0) first %= 130;
        if (other % 2 == 0) other %= 130;
        Account account = Account.wrap(0).withUsed(first);
        bool expected = other == first || uint256(other) + 64 <= first;
        assertTrue(account.used(other) == expected, "used");
    }

    function isUsed(uint256 nonce) private view returns (bool) {
        return usedInModel[nonce] || nonce + 64 <= highestInModel;
    }

    function near(uint256 jump) private view returns (uint256) {
        if (jump & 31 == 0) return jump >> 8 & LAST;
        // From 140 below to 139 above.
        uint256 distance = (jump >> 8) % 280;
        if (distance < 140) return highestInModel < distance ? 0 : highestInModel - distance;
        uint256 nonce = highestInModel + distance - 140;
        return nonce > LAST ? LAST : nonce;
    }
}
