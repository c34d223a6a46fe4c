// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IPredictionFees} from "../../src/interfaces/IPredictionFees.sol";
import {Payments} from "../../src/libraries/Payments.sol";
import {Samples} from "../../src/libraries/Samples.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {PredictionFees} from "../../src/periphery/PredictionFees.sol";
import {Encode} from "../base/Encode.sol";
import {GoodTrainer} from "../base/GoodTrainer.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {ReentrantWallet, RefusingWallet} from "../base/Receivers.sol";

/// @notice Payments for predictions, and their shares.
contract PredictionFeesTest is ModelTest {
    uint256 private constant PRICE = 100;

    DepositRefundTake private trainer;
    PredictionFees private predictionFees;

    constructor() {
        Classifier classifier;
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        // Feature 1 means class 1.
        writeWord(classifier, 0, 1 << 16);
        vm.prank(OWNER);
        classifier.close(address(trainer));
        predictionFees = PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), PRICE)));
    }

    function test_constructor_boundsParameters() external {
        assertEq(predictionFees.price(), PRICE, "price");
        assertEq(predictionFees.trainer(), address(trainer), "trainer");
        deploy("PredictionFees", abi.encode(address(trainer), type(uint96).max));
        vm.expectRevert(
            abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("price"), uint256(1 << 96))
        );
        deploy("PredictionFees", abi.encode(address(trainer), 1 << 96));
    }

    function test_predict_answersAsClassifier() external {
        bytes[] memory samples = new bytes[](3);
        samples[1] = hex"0001";
        samples[2] = hex"0002";
        uint256 before = CAROL.balance;
        vm.expectEmit(address(predictionFees));
        emit IPredictionFees.Predicted(CAROL, 3, 300);
        vm.prank(CAROL);
        uint256[] memory labels = predictionFees.predict{value: 1_000}(samples);
        assertEq(before - CAROL.balance, 300, "what is above the price comes back");
        assertEq(labels.length, 3, "labels");
        assertEq(labels[0] * 100 + labels[1] * 10 + labels[2], 10, "labels");

        vm.expectRevert(abi.encodeWithSelector(IPredictionFees.PaymentTooLow.selector, 300, 299));
        predictionFees.predict{value: 299}(samples);
        samples[2] = hex"0008";
        vm.expectRevert(abi.encodeWithSelector(Samples.FeatureOutOfRange.selector, 2, 0, 8, 8));
        predictionFees.predict{value: 300}(samples);
        vm.expectRevert(abi.encodeWithSelector(IPredictionFees.NoSamples.selector));
        predictionFees.predict(new bytes[](0));
    }

    /// @dev Alice has 2 good contributions, Bob 1. Of 400 wei Alice earns floor(800 / 3) = 266 and
    /// Bob 133. The next 200 wei make it 400 and 200: no fraction of the first payment is lost.
    function test_collect_paysShares() external {
        makeGood(ALICE, 2);
        makeGood(BOB, 1);
        register(ALICE, 2, 2);
        register(BOB, 1, 3);
        pay(4);
        requireEarned(266, 133);
        pay(2);
        requireEarned(400, 200);
        collect(ALICE, 400);
        requireEarned(0, 200);
        pay(1);
        requireEarned(66, 233);
        collect(ALICE, 66);
        pay(2);
        // Alice has 600 of 900 in total, of which 466 are already paid.
        requireEarned(134, 300);
        collect(ALICE, 134);
        collect(BOB, 300);
        assertEq(address(predictionFees).balance, 0, "all is paid out");
    }

    /// @dev An account keeps its fraction of a wei when it collects.
    function test_collect_keepsFractions() external {
        makeGood(ALICE, 1);
        makeGood(BOB, 1);
        makeGood(CAROL, 1);
        register(ALICE, 1, 1);
        register(BOB, 1, 2);
        register(CAROL, 1, 3);
        for (uint256 i; i < 3; ++i) {
            pay(1);
            // A third of 100 wei is 33 and a third.
            collect(ALICE, i == 2 ? 34 : 33);
        }
        collect(BOB, 100);
        collect(CAROL, 100);
    }

    /// @dev A payment before any registration waits for the first payment after one.
    function test_predict_keepsPaymentsForFirstShare() external {
        pay(5);
        makeGood(BOB, 1);
        requireEarned(0, 0);
        register(BOB, 1, 1);
        requireEarned(0, 0);
        vm.expectEmit(address(predictionFees));
        emit IPredictionFees.Shared(600, 600 << 64, 0);
        pay(1);
        requireEarned(0, 600);
    }

    /// @dev More good contributions count from their registration on, for later payments.
    function test_register_countsMoreFromThenOn() external {
        makeGood(ALICE, 1);
        makeGood(BOB, 1);
        register(ALICE, 1, 1);
        register(BOB, 1, 2);
        makeGood(BOB, 2);
        pay(2);
        requireEarned(100, 100);
        register(BOB, 3, 4);
        requireEarned(100, 100);
        pay(4);
        requireEarned(200, 400);
        // Registers again, without anything new.
        vm.recordLogs();
        assertEq(predictionFees.register(BOB), 3, "shares");
        assertEq(logsOf(IPredictionFees.Registered.selector).length, 0, "nothing is registered");
        requireEarned(200, 400);
        assertEq(predictionFees.shares(ALICE), 1, "shares of Alice");
        assertEq(predictionFees.totalShares(), 4, "all shares");
    }

    /// @dev Collecting registers first, so the next payments count all good contributions.
    function test_collect_registersFirst() external {
        makeGood(ALICE, 1);
        register(ALICE, 1, 1);
        makeGood(ALICE, 1);
        pay(1);
        collect(ALICE, 100);
        assertEq(predictionFees.shares(ALICE), 2, "shares");
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, ALICE));
        vm.prank(ALICE);
        predictionFees.collect();
    }

    function test_register_doesNothingWithoutGood() external {
        assertEq(predictionFees.register(CAROL), 0, "shares");
        assertEq(predictionFees.totalShares(), 0, "all shares");
        pay(1);
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, CAROL));
        vm.prank(CAROL);
        predictionFees.collect();
    }

    function test_predict_worksForFree() external {
        predictionFees = PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), 0)));
        makeGood(ALICE, 1);
        register(ALICE, 1, 1);
        vm.recordLogs();
        predictionFees.predict(Encode.one(""));
        requireEarned(0, 0);
        assertEq(logsOf(IPredictionFees.Shared.selector).length, 0, "nothing is shared");
    }

    function test_predict_sharesSmallestPrice() external {
        predictionFees = PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), 1)));
        makeGood(ALICE, 1);
        register(ALICE, 1, 1);
        predictionFees.predict{value: 1}(Encode.one(""));
        requireEarned(1, 0);
    }

    /// @dev Tests the largest supported numbers: payments of 2^127 wei in total, and 2^48 - 1 good
    /// contributions.
    function test_predict_worksAtBounds() external {
        predictionFees =
            PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), type(uint96).max)));
        GoodTrainer good = new GoodTrainer(trainer.classifier());
        predictionFees = PredictionFees(deploy("PredictionFees", abi.encode(address(good), type(uint96).max)));
        good.set(ALICE, type(uint256).max);
        good.set(BOB, 1);
        register(ALICE, type(uint48).max, type(uint48).max);
        uint256 price = type(uint96).max;
        vm.deal(address(this), price << 32);
        uint256 n = 200;
        predictionFees.predict{value: n * price}(new bytes[](n));
        // 2^96 - 1 is a multiple of 2^48 - 1.
        assertEq(predictionFees.earned(ALICE), n * price, "all of it");
        register(BOB, 1, 1 << 48);
        predictionFees.predict{value: price}(Encode.one(""));
        good.set(ALICE, 0);
        vm.prank(ALICE);
        assertAtMost(predictionFees.collect(), (n + 1) * price, "collected");
        assertEq(predictionFees.shares(ALICE), type(uint48).max, "a trainer that says fewer is not heard");
    }

    function test_collect_failsIfReceiverRefusesOrReenters() external {
        RefusingWallet refusing = new RefusingWallet();
        // Others can push refunds only to contracts that have used or canceled a nonce.
        refusing.execute(address(trainer), 0, abi.encodeCall(IAccounts.cancelNonces, (0)));
        makeGood(address(refusing), 1);
        register(address(refusing), 1, 1);
        pay(1);
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, refusing, 100));
        refusing.execute(address(predictionFees), 0, abi.encodeCall(predictionFees.collect, ()));
        refusing.accept();
        refusing.execute(address(predictionFees), 0, abi.encodeCall(predictionFees.collect, ()));
        assertEq(address(predictionFees).balance, 0, "paid");

        ReentrantWallet wallet = new ReentrantWallet();
        wallet.execute(address(trainer), 0, abi.encodeCall(IAccounts.cancelNonces, (0)));
        makeGood(address(wallet), 1);
        register(address(wallet), 1, 2);
        pay(2);
        wallet.prepare(abi.encodeCall(predictionFees.collect, ()));
        wallet.execute(address(predictionFees), 0, abi.encodeCall(predictionFees.collect, ()));
        assertEq(wallet.attacks(), 1, "tried");
        assertEq(
            wallet.answer(),
            abi.encodeWithSelector(Payments.NothingToCollect.selector, wallet),
            "nothing is left"
        );
        assertEq(address(predictionFees).balance, 100, "paid once");
    }

    /// @dev Gives an account good contributions, and the money for them.
    function makeGood(address author, uint256 n) private {
        vm.deal(author, author.balance + 1e24);
        for (uint256 i; i < n; ++i) {
            bytes memory claim = alone(contribute(trainer, author, 1, hex"0001"));
            pass(REFUND_WAIT);
            trainer.refund(claim);
        }
    }

    function register(address account, uint256 shares, uint256 total) private {
        vm.expectEmit(address(predictionFees));
        emit IPredictionFees.Registered(account, shares, total);
        assertEq(predictionFees.register(account), shares, "shares");
    }

    function pay(uint256 n) private {
        predictionFees.predict{value: n * PRICE}(new bytes[](n));
    }

    function collect(address account, uint256 expected) private {
        uint256 before = account.balance;
        vm.expectEmit(address(predictionFees));
        emit IPredictionFees.Collected(account, expected);
        vm.prank(account);
        assertEq(predictionFees.collect(), expected, "amount");
        assertEq(account.balance - before, expected, "paid");
    }

    function requireEarned(uint256 alice, uint256 bob) private view {
        assertEq(predictionFees.earned(ALICE), alice, "Alice");
        assertEq(predictionFees.earned(BOB), bob, "Bob");
    }
}
