// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice Contributions, claims and their errors, on a perceptron whose prediction the test
/// decides.
contract CollaborativeTrainerTest is ModelTest {
    DepositRefundTake private trainer;
    Classifier private classifier;

    constructor() {
        // Feature 0 has weight 1, so the model predicts class 1 for it; the learning rate is 1.
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        writeWord(classifier, 0, 1);
        vm.prank(OWNER);
        classifier.close(address(trainer));
    }

    // ---------------------------------------------------------------- Contributions

    function test_contribute_failsIfEmpty() external {
        vm.expectRevert(abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        trainer.contribute("");
    }

    function test_contribute_failsIfMalformedBeforeDeposit() external {
        vm.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 4));
        trainer.contribute(hex"0000000000");
    }

    function test_contribute_failsIfDepositTooLowBeforeClassifier() external {
        uint256 price = trainer.price(2);
        vm.expectRevert(
            abi.encodeWithSelector(IMechanismErrors.DepositTooLow.selector, 2 * price, 2 * price - 1)
        );
        trainer.contribute{value: 2 * price - 1}(hex"0009000000080000");
    }

    function test_contribute_passesClassifiersErrorOn() external {
        uint256 price = trainer.price(1);
        vm.expectRevert(abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 9, 2));
        trainer.contribute{value: price}(hex"00090000");
        assertEq(trainer.contributionCount(), 0, "count");
        assertEq(trainer.root(0), 0, "root");
    }

    function test_contribute_failsIfModelIsOpen() external {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        uint256 price = trainer.price(1);
        vm.expectRevert(abi.encodeWithSelector(IClassifier.InitializationOpen.selector));
        trainer.contribute{value: price}(hex"00000000");
    }

    function test_contribute_recordsAndTeachesOne() external {
        pass(100);
        bytes memory items = Encode.item(0, hex"0000");
        uint256 price = trainer.price(1);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Contributed(0, ALICE, price, clock(), items);
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        assertEq(trainer.contribute{value: price + 5}(items), 0, "position");
        assertEq(ALICE.balance, before - price, "change");
        assertEq(address(trainer).balance, price, "held");
        assertEq(trainer.contributionCount(), 1, "count");
        assertEq(trainer.lastContributionTime(), clock(), "time");
        bytes32 leaf = keccak256(abi.encode(ALICE, 0, keccak256(hex"0000"), price, clock(), 0));
        assertEq(trainer.root(0), leaf, "root");
        assertEq(word(classifier, 0), 0, "learned");
    }

    /// @dev 0xDeCA10B rejected a second identical contribution in the same block.
    function test_contribute_takesSameTwice() external {
        Contribution memory first = contribute(trainer, ALICE, 1, hex"0000");
        Contribution memory second = contribute(trainer, ALICE, 1, hex"0000");
        assertEq(second.position, 1, "position");
        pass(REFUND_WAIT);
        vm.prank(ALICE);
        trainer.refund(alone(first));
        vm.prank(ALICE);
        trainer.refund(alone(second));
        assertEq(trainer.good(ALICE), 2, "good");
        assertEq(address(trainer).balance, 0, "all paid");
    }

    function test_contribute_recordsBatch() external {
        contribute(trainer, BOB, 1, hex"0000");
        pass(500);
        Contribution[] memory made = contributeThree();
        assertEq(trainer.root(1), Groups.root(made), "root");
        assertEq(trainer.contributionCount(), 4, "count");
        pass(REFUND_WAIT);
        uint256 before = ALICE.balance;
        for (uint256 i; i < 3; ++i) {
            vm.prank(ALICE);
            trainer.refund(Groups.one(made, i));
        }
        assertEq(ALICE.balance, before + 3 * uint256(made[0].deposit), "refunds");
    }

    // ---------------------------------------------------------------- All three claims

    function test_claims_failIfUnknown() external {
        Contribution[] memory made = contributeThree();
        pass(ANY_WAIT);
        (bytes32[] memory nodes, bool[] memory flags) = proofOfSecond(made);
        Contribution[] memory chosen = new Contribution[](1);
        chosen[0] = made[1];
        bytes memory right = Groups.encode(0, chosen, nodes, flags);
        requireUnknown(1, Groups.encode(1, chosen, nodes, flags));
        requireUnknown(0, alone(made[0]));
        // Changes each field in turn, and restores it.
        chosen[0].deposit += 1;
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].deposit -= 1;
        chosen[0].position = 2;
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].position = 1;
        chosen[0].label = 0;
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].label = 1;
        chosen[0].author = BOB;
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].author = ALICE;
        chosen[0].time -= 1;
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].time += 1;
        chosen[0].sample = hex"0000";
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        chosen[0].sample = hex"00000001";
        nodes[0] ^= bytes32(uint256(1));
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        nodes[0] ^= bytes32(uint256(1));
        assertEq(Groups.encode(0, chosen, nodes, flags), right, "as it was");
        vm.prank(ALICE);
        trainer.refund(right);
    }

    function test_claims_failIfNothingLeft() external {
        contribute(trainer, BOB, 1, hex"0000");
        Contribution memory made = contribute(trainer, ALICE, 1, hex"0000");
        pass(REFUND_WAIT);
        vm.prank(ALICE);
        trainer.refund(alone(made));
        requireSettlement(trainer, 1, Status.Closed, 0, address(0));
        bytes memory reason = abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, 1);
        // This error comes before all others: BOB is not the author and has no good contribution,
        // and it is early.
        vm.expectRevert(reason);
        vm.prank(BOB);
        trainer.refund(alone(made));
        vm.expectRevert(reason);
        vm.prank(BOB);
        trainer.report(alone(made));
        vm.expectRevert(reason);
        vm.prank(BOB);
        trainer.claimLate(alone(made));
    }

    // ---------------------------------------------------------------- Refunds

    /// @dev Anyone may push a refund; it goes to the author's balance.
    function test_refund_creditsAuthorIfPushed() external {
        Contribution memory made = contribute(trainer, ALICE, 1, hex"0000");
        pass(REFUND_WAIT);
        (uint256 alice, uint256 bob) = (ALICE.balance, BOB.balance);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Refunded(0, ALICE, made.deposit);
        vm.prank(BOB);
        trainer.refund(alone(made));
        assertEq(ALICE.balance, alice, "nothing paid to ALICE");
        assertEq(BOB.balance, bob, "nothing paid to BOB");
        assertEq(trainer.balanceOf(ALICE), made.deposit, "ALICE's balance");
        assertEq(trainer.balanceOf(BOB), 0, "BOB's balance");
        assertEq(trainer.good(ALICE), 1, "ALICE's good contribution");
        assertEq(trainer.good(BOB), 0, "not BOB's");
    }

    function test_refund_failsIfTooEarly() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        teach(1, hex"0001");
        pass(REFUND_WAIT - 1);
        vm.expectRevert(tooEarly(made.time + REFUND_WAIT));
        vm.prank(ALICE);
        trainer.refund(alone(made));
    }

    function test_refund_failsIfPredictionDiffers() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        teach(1, hex"0001");
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 0, 1));
        vm.prank(ALICE);
        trainer.refund(alone(made));
    }

    function test_refund_paysAuthor() external {
        uint256 before = ALICE.balance;
        Contribution memory made = contribute(trainer, ALICE, 1, hex"0000");
        pass(REFUND_WAIT);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Refunded(0, ALICE, made.deposit);
        vm.prank(ALICE);
        trainer.refund(alone(made));
        assertEq(ALICE.balance, before, "balance");
        assertEq(trainer.good(ALICE), 1, "good");
        assertEq(trainer.totalGood(), 1, "total");
    }

    // ---------------------------------------------------------------- Reports

    function test_report_failsIfOwn() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.OwnContribution.selector, ALICE));
        vm.prank(ALICE);
        trainer.report(alone(made));
    }

    function test_report_failsIfTooEarly() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT - 1);
        vm.expectRevert(tooEarly(made.time + REFUND_WAIT));
        vm.prank(BOB);
        trainer.report(alone(made));
    }

    function test_report_failsIfReporterHasNoGood() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NoGoodContribution.selector, BOB));
        vm.prank(BOB);
        trainer.report(alone(made));
    }

    function test_report_failsIfPredictionAgrees() external {
        earnGood(BOB, 1);
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 0));
        vm.prank(BOB);
        trainer.report(alone(made));
    }

    function test_report_sharesInProportion() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 3);
        Contribution memory made = badContribution();
        uint256 deposit = made.deposit;
        uint256 before = BOB.balance;
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Reported(made.position, BOB, deposit / 4);
        vm.prank(BOB);
        trainer.report(alone(made));
        assertEq(BOB.balance, before + deposit / 4, "a quarter");
        requireSettlement(trainer, made.position, Status.Reported, deposit / 4, BOB);
        assertTrue(trainer.reported(made.position, BOB), "BOB reported");
        assertTrue(!trainer.reported(made.position, CAROL), "CAROL did not");

        // BOB is the first reporter, in the settlement; CAROL is in the mapping of later reporters.
        // Neither can report twice.
        vm.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, made.position, BOB)
        );
        vm.prank(BOB);
        trainer.report(alone(made));

        // The error is the same if the model has come to agree.
        uint256 start = vm.snapshotState();
        teach(0, hex"0001");
        vm.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, made.position, BOB)
        );
        vm.prank(BOB);
        trainer.report(alone(made));
        vm.revertToState(start);

        // OWNER earns 4 of 8 good contributions and takes half of the deposit. CAROL's share of 3/8
        // is more than the quarter that is left.
        earnGood(OWNER, 4);
        vm.prank(OWNER);
        trainer.report(alone(made));
        vm.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, made.position, OWNER)
        );
        vm.prank(OWNER);
        trainer.report(alone(made));
        before = CAROL.balance;
        vm.prank(CAROL);
        trainer.report(alone(made));
        assertEq(CAROL.balance, before + deposit - deposit / 4 - deposit / 2, "what is left");
        requireSettlement(trainer, made.position, Status.Closed, made.deposit, BOB);
        assertTrue(trainer.reported(made.position, CAROL), "CAROL reported");
    }

    function test_reported_isFalseForZeroAddress() external {
        Contribution memory made = contribute(trainer, ALICE, 0, hex"0001");
        assertTrue(!trainer.reported(made.position, address(0)), "nobody, not the zero address");
        requireSettlement(trainer, made.position, Status.Untouched, 0, address(0));
    }

    function test_report_takesAllIfOnlyGoodContributor() external {
        earnGood(BOB, 1);
        Contribution memory made = badContribution();
        vm.prank(BOB);
        trainer.report(alone(made));
        requireSettlement(trainer, made.position, Status.Closed, made.deposit, BOB);
    }

    /// @dev Such a report closes nothing: a reporter with many good contributions can still take a
    /// share.
    function test_report_takesNothingIfShareRoundsToNothing() external {
        createFor(1);
        earnGood(BOB, 1);
        earnGood(CAROL, 12);
        // A day after the last contribution the price is 3600 / 293 wei, and BOB's share is a 13th.
        Contribution memory made = badContribution();
        assertEq(made.deposit, 12, "deposit");
        uint256 before = BOB.balance;
        vm.prank(BOB);
        trainer.report(alone(made));
        assertEq(BOB.balance, before, "nothing");
        requireSettlement(trainer, made.position, Status.Reported, 0, BOB);
        assertTrue(trainer.reported(made.position, BOB), "reported");
        before = CAROL.balance;
        vm.prank(CAROL);
        trainer.report(alone(made));
        assertEq(CAROL.balance, before + 11, "twelve thirteenths");
        requireSettlement(trainer, made.position, Status.Reported, 11, BOB);
    }

    function test_refund_paysWhatReportLeft() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 1);
        Contribution memory made = badContribution();
        vm.prank(BOB);
        trainer.report(alone(made));
        teach(0, hex"0001");
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        trainer.refund(alone(made));
        uint256 half = made.deposit / 2;
        assertEq(ALICE.balance, before + made.deposit - half, "the other half");
    }

    /// @dev No settlement pays more than the deposit.
    function testFuzz_report_paysAtMostDeposit(
        uint96 costWeight,
        uint256 goodBob,
        uint256 goodCarol,
        uint40 time
    ) external {
        costWeight = uint96(bound(costWeight, 0, (1 << 80) - 1));
        createFor(costWeight);
        vm.deal(OWNER, type(uint128).max);
        vm.deal(ALICE, type(uint128).max);
        vm.deal(BOB, type(uint128).max);
        vm.deal(CAROL, type(uint128).max);
        (goodBob, goodCarol) = (bound(goodBob, 1, 4), bound(goodCarol, 1, 4));
        earnGood(BOB, goodBob);
        earnGood(CAROL, goodCarol);
        pass(bound(time, 0, 1 << 34));
        Contribution memory made = badContribution();
        uint256 held = address(trainer).balance;
        uint256 deposit = made.deposit;
        uint256 before = BOB.balance;
        vm.prank(BOB);
        trainer.report(alone(made));
        uint256 share = deposit * goodBob / (goodBob + goodCarol);
        assertEq(BOB.balance - before, share, "share");
        vm.prank(CAROL);
        trainer.report(alone(made));
        uint256 rest = deposit - share;
        uint256 second = deposit * goodCarol / (goodBob + goodCarol);
        if (second > rest) second = rest;
        assertEq(held - address(trainer).balance, share + second, "paid");
        // Without a deposit, or with shares of 0, reports never close it.
        Status expected = deposit != 0 && share + second == deposit ? Status.Closed : Status.Reported;
        requireSettlement(trainer, made.position, expected, share + second, BOB);
    }

    // ---------------------------------------------------------------- Late claims

    function test_claimLate_failsIfTooEarly() external {
        Contribution memory made = contribute(trainer, ALICE, 1, hex"0000");
        pass(OWNER_WAIT - 1);
        vm.expectRevert(tooEarly(made.time + OWNER_WAIT));
        vm.prank(OWNER);
        trainer.claimLate(alone(made));
        pass(ANY_WAIT - OWNER_WAIT);
        vm.expectRevert(tooEarly(made.time + ANY_WAIT));
        vm.prank(BOB);
        trainer.claimLate(alone(made));
    }

    /// @dev 0xDeCA10B's owner could never make this claim.
    function test_claimLate_paysOwner() external {
        Contribution memory made = contribute(trainer, ALICE, 1, hex"0000");
        pass(OWNER_WAIT);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.ClaimedLate(0, OWNER, made.deposit);
        uint256 before = OWNER.balance;
        vm.prank(OWNER);
        trainer.claimLate(alone(made));
        assertEq(OWNER.balance, before + made.deposit, "balance");
        requireSettlement(trainer, 0, Status.Closed, 0, address(0));
    }

    function test_claimLate_paysAnyone() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 1);
        Contribution memory made = badContribution();
        vm.prank(BOB);
        trainer.report(alone(made));
        pass(ANY_WAIT);
        uint256 before = BOB.balance;
        vm.prank(BOB);
        trainer.claimLate(alone(made));
        uint256 half = made.deposit / 2;
        assertEq(BOB.balance, before + made.deposit - half, "what was left");
    }

    // ---------------------------------------------------------------- Creation

    function test_initialize_happensOnceInCreate() external {
        vm.recordLogs();
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        bytes32[] memory topics = vm.getRecordedLogs()[0].topics;
        assertEq(topics[0], IModelFactory.ModelCreated.selector, "event");
        assertEq(topics[1], bytes32(uint256(uint160(OWNER))), "owner");
        assertEq(topics[2], bytes32(uint256(uint160(address(trainer)))), "trainer");
        assertEq(topics[3], bytes32(uint256(uint160(address(classifier)))), "classifier");
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        trainer.initialize();
    }

    function test_constructor_locksImplementation() external {
        trainer = DepositRefundTake(depositRefundTake);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        trainer.initialize();
        vm.deal(address(this), 1e60);
        // The implementation's counter is full.
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        trainer.contribute{value: 1e60}(hex"00000000");
        // The same with the price of Points, which accepts the implementation's time.
        vm.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        ICollaborativeTrainer(points).contribute(hex"00000000");
    }

    /// @dev Replaces the trainer by one with another price.
    function createFor(uint256 costWeight) private {
        vm.prank(OWNER);
        (address created, address model) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, costWeight),
            sparsePerceptron,
            abi.encode(8, 1, int256(0))
        );
        (trainer, classifier) = (DepositRefundTake(created), Classifier(model));
        vm.prank(OWNER);
        classifier.close(created);
    }

    function badContribution() private returns (Contribution memory made) {
        made = contribute(trainer, ALICE, 0, hex"0001");
        teach(1, hex"0001");
        pass(REFUND_WAIT);
    }

    /// @dev Contributes until the model predicts the label.
    function teach(uint256 label, bytes memory sample) private {
        for (uint256 i; predict(classifier, sample) != label; ++i) {
            contribute(trainer, OWNER, label, sample);
        }
    }

    function earnGood(address who, uint256 count) private {
        for (uint256 i; i < count; ++i) {
            Contribution memory made = contribute(trainer, who, 0, hex"");
            pass(REFUND_WAIT);
            vm.prank(who);
            trainer.refund(alone(made));
        }
    }

    function contributeThree() private returns (Contribution[] memory) {
        uint256[] memory labels = new uint256[](3);
        bytes[] memory samples = new bytes[](3);
        for (uint256 i; i < 3; ++i) {
            (labels[i], samples[i]) = (1, i == 1 ? bytes(hex"00000001") : bytes(hex"0000"));
        }
        return contributeMany(trainer, ALICE, labels, samples);
    }

    /// @dev Builds the proof by hand. Leaf 1 of 3 is node 3, whose sibling is node 4, leaf 0. The
    /// sibling of their parent is node 2, leaf 2.
    function proofOfSecond(Contribution[] memory made)
        private
        pure
        returns (bytes32[] memory nodes, bool[] memory flags)
    {
        (nodes, flags) = (new bytes32[](2), new bool[](2));
        (nodes[0], nodes[1]) = (Groups.leaf(made[0]), Groups.leaf(made[2]));
    }

    function requireUnknown(uint256 firstPosition, bytes memory claims) private {
        bytes memory reason =
            abi.encodeWithSelector(IMechanismErrors.UnknownContribution.selector, firstPosition);
        vm.expectRevert(reason);
        trainer.refund(claims);
        vm.expectRevert(reason);
        trainer.report(claims);
        vm.expectRevert(reason);
        trainer.claimLate(claims);
    }

    function tooEarly(uint256 earliest) private view returns (bytes memory) {
        return abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, this.clock(), earliest);
    }
}
