// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {Payments} from "../../src/libraries/Payments.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {ToldClassifier} from "../base/Classifiers.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {ReentrantWallet, RefusingWallet, Wallet} from "../base/Receivers.sol";

/// @notice Payments to contract wallets, and the limits of an untrusted classifier.
contract PaymentsTest is ModelTest {
    DepositRefundTake private trainer;

    constructor() {
        Classifier classifier;
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
    }

    /// @dev 0xDeCA10B paid with 2,300 gas, so contract wallets could not get refunds.
    function test_refund_paysContractWallet() external {
        Wallet wallet = new Wallet();
        vm.deal(address(wallet), 1e24);
        Contribution memory made = contributeFrom(wallet, 10);
        assertEq(wallet.received(), 10, "change");
        pass(REFUND_WAIT);
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (alone(made))));
        assertEq(wallet.received(), 10 + uint256(made.deposit), "refund");
    }

    function test_contribute_failsIfChangeIsRefused() external {
        RefusingWallet wallet = new RefusingWallet();
        vm.deal(address(wallet), 1e24);
        uint256 price = trainer.price(1);
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, address(wallet), 1));
        wallet.execute(address(trainer), price + 1, abi.encodeCall(trainer.contribute, Encode.item(0, hex"")));
        assertEq(trainer.contributionCount(), 0, "nothing happened");

        // A payment of 0 makes no call, so the wallet cannot refuse it.
        Contribution memory made = contributeFrom(wallet, 0);
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, address(wallet), price));
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (alone(made))));
        assertEq(trainer.good(address(wallet)), 0, "not counted");
        wallet.accept();
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (alone(made))));
        assertEq(trainer.good(address(wallet)), 1, "counted");
    }

    function test_refund_refusesReentry() external {
        ReentrantWallet wallet = new ReentrantWallet();
        vm.deal(address(wallet), 1e24);
        Contribution memory first = contributeFrom(wallet, 0);
        Contribution memory second = contributeFrom(wallet, 0);
        pass(ANY_WAIT);
        // Calls that the wallet makes while a refund is paid: most claim the second, one claims the
        // first again.
        bytes[5] memory attacks = [
            abi.encodeCall(trainer.refund, (alone(second))),
            abi.encodeCall(trainer.refund, (alone(first))),
            abi.encodeCall(trainer.report, (alone(second))),
            abi.encodeCall(trainer.claimLate, (alone(second))),
            abi.encodeCall(trainer.contribute, Encode.item(0, hex""))
        ];
        for (uint256 i; i < 5; ++i) {
            wallet.prepare(attacks[i]);
            Contribution memory made = i == 0 ? first : contributeFrom(wallet, 0);
            pass(ANY_WAIT);
            uint256 before = address(trainer).balance;
            wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (alone(made))));
            assertEq(before - address(trainer).balance, made.deposit, "paid once");
            assertEq(wallet.attacks(), i + 1, "attacked");
            assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
        }
        // The wallet also reenters while it is paid change.
        wallet.prepare(abi.encodeCall(trainer.claimLate, (alone(second))));
        contributeFrom(wallet, 7);
        assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
    }

    function test_contribute_survivesStrangersClassifier() external {
        ToldClassifier told = new ToldClassifier();
        vm.prank(OWNER);
        (address created,) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            address(told),
            ""
        );
        trainer = DepositRefundTake(created);
        ToldClassifier classifier = ToldClassifier(trainer.classifier());
        uint256 price = trainer.price(1);
        classifier.tell("", true);
        vm.expectRevert(abi.encodeWithSelector(ToldClassifier.Told.selector, 8));
        trainer.contribute{value: price}(hex"00000000");

        classifier.tell("", false);
        Contribution memory made = contribute(trainer, ALICE, 5, hex"");
        assertEq(classifier.lessons(), 1, "lessons");
        // The classifier calls the trainer during a lesson.
        classifier.tellCallback(abi.encodeCall(trainer.claimLate, (alone(made))));
        contribute(trainer, BOB, 5, hex"");
        assertEq(classifier.callbackError(), abi.encodeWithSignature("Reentrancy()"), "callback");
        pass(REFUND_WAIT);
        // It reverts, or answers nothing, too little, no label, or not in the encoding of arrays.
        classifier.tell("", true);
        vm.expectRevert(abi.encodeWithSelector(ToldClassifier.Told.selector, 7));
        vm.prank(ALICE);
        trainer.refund(alone(made));
        bytes[4] memory answers = [bytes(""), abi.encode(32, 1), abi.encode(32, 0, 5), abi.encode(64, 1, 5)];
        for (uint256 i; i < 4; ++i) {
            classifier.tell(answers[i], false);
            vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
            vm.prank(ALICE);
            trainer.refund(alone(made));
        }
        classifier.tell(abi.encode(32, 1, type(uint256).max), false);
        vm.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 5, type(uint256).max)
        );
        vm.prank(ALICE);
        trainer.refund(alone(made));
        // Late claims do not ask the classifier.
        classifier.tell("", true);
        pass(ANY_WAIT);
        vm.prank(BOB);
        trainer.claimLate(alone(made));
        assertEq(address(trainer).balance, price, "paid all but BOB's");
        assertEq(price, COST_WEIGHT * 3600, "price");
    }

    function contributeFrom(Wallet wallet, uint256 change) private returns (Contribution memory made) {
        uint256 price = trainer.price(1);
        made.author = address(wallet);
        made.deposit = uint96(price);
        made.time = uint40(clock());
        made.position = uint64(trainer.contributionCount());
        wallet.execute(
            address(trainer), price + change, abi.encodeCall(trainer.contribute, Encode.item(0, hex""))
        );
    }
}
