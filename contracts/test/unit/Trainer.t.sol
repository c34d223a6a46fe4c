// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Classifier} from "../../src/classifiers/Classifier.sol";
import {DepositRefundTake} from "../../src/incentives/DepositRefundTake.sol";
import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {Claim, ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";

/// @notice Contributions, claims and their errors, on a perceptron whose prediction the test decides.
contract TrainerTest is ModelTest {
    using MerkleTreeLib for bytes32[];

    DepositRefundTake private trainer;
    Classifier private classifier;

    constructor() {
        // Feature 0 weighs 1, so it is of class 1; the rate is 1.
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        writeWord(classifier, 0, 1);
        VM.prank(OWNER);
        classifier.close(address(trainer));
    }

    // Price.

    function testPriceOfTheFirstSecond() external {
        assertEq(trainer.price(1), COST_WEIGHT * 3600, "at once");
        pass(3);
        assertEq(trainer.price(1), COST_WEIGHT * 3600, "isqrt(3) = 1");
        pass(1);
        assertEq(trainer.price(1), COST_WEIGHT * 1800, "isqrt(4) = 2");
        assertEq(trainer.price(2), COST_WEIGHT * 3600, "isqrt(4 / 2) = 1");
    }

    function testFuzzPrice(uint40 time, uint256 n) external {
        time = uint40(bound(time, 0, type(uint40).max - clock()));
        n = bound(n, 1, 1e6);
        pass(time);
        uint256 root;
        uint256 interval = time / n;
        // Bit by bit, from the top.
        for (uint256 bit = 1 << 20; bit > 0; bit >>= 1) {
            if ((root + bit) * (root + bit) <= interval) root += bit;
        }
        assertEq(trainer.price(n), COST_WEIGHT * 3600 / (root == 0 ? 1 : root), "price");
    }

    // Contribute.

    function testContributeEmpty() external {
        VM.expectRevert(abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        trainer.contribute("");
    }

    function testContributeMalformedBeforeDeposit() external {
        VM.expectRevert(abi.encodeWithSelector(IErrors.MalformedBatch.selector, 4));
        trainer.contribute(hex"0000000000");
    }

    function testContributeTooLowBeforeClassifierErrors() external {
        uint256 price = trainer.price(2);
        VM.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.DepositTooLow.selector, 2 * price, 2 * price - 1)
        );
        trainer.contribute{value: 2 * price - 1}(hex"0009000000080000");
    }

    function testContributePassesErrorsOn() external {
        uint256 price = trainer.price(1);
        VM.expectRevert(abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 9, 2));
        trainer.contribute{value: price}(hex"00090000");
        assertEq(trainer.contributionCount(), 0, "count");
        assertEq(trainer.root(0), 0, "root");
    }

    function testContributeBeforeClosing() external {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        uint256 price = trainer.price(1);
        VM.expectRevert(abi.encodeWithSelector(IClassifier.InitializationOpen.selector));
        trainer.contribute{value: price}(hex"00000000");
    }

    function testContributeOne() external {
        pass(100);
        bytes memory batch = Encode.item(0, hex"0000");
        uint256 price = trainer.price(1);
        VM.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Contributed(0, ALICE, price, clock(), batch);
        uint256 before = ALICE.balance;
        VM.prank(ALICE);
        assertEq(trainer.contribute{value: price + 5}(batch), 0, "position");
        assertEq(ALICE.balance, before - price, "change");
        assertEq(address(trainer).balance, price, "held");
        assertEq(trainer.contributionCount(), 1, "count");
        assertEq(trainer.lastContributionTime(), clock(), "time");
        bytes32 leaf = keccak256(abi.encode(ALICE, 0, keccak256(hex"0000"), price, clock(), 0));
        assertEq(trainer.root(0), leaf, "root");
        assertEq(word(classifier, 0), 0, "learned");
    }

    /// @dev The ancestor rejected a second identical contribution in the same block.
    function testContributeTheSameTwice() external {
        Claim memory first = contribute(trainer, ALICE, 1, hex"0000");
        Claim memory second = contribute(trainer, ALICE, 1, hex"0000");
        assertEq(second.position, 1, "position");
        pass(REFUND_WAIT);
        VM.prank(ALICE);
        trainer.refund(first);
        VM.prank(ALICE);
        trainer.refund(second);
        assertEq(trainer.good(ALICE), 2, "good");
        assertEq(address(trainer).balance, 0, "all paid");
    }

    function testContributeABatch() external {
        contribute(trainer, BOB, 1, hex"0000");
        pass(500);
        (Claim[] memory claims, bytes32 root) = contributeThree();
        assertEq(trainer.root(1), root, "root");
        assertEq(trainer.contributionCount(), 4, "count");
        pass(REFUND_WAIT);
        uint256 before = ALICE.balance;
        for (uint256 i; i < 3; ++i) {
            VM.prank(ALICE);
            trainer.refund(claims[i]);
        }
        assertEq(ALICE.balance, before + 3 * uint256(claims[0].deposit), "refunds");
    }

    // Unknown and settled contributions: the same for all three claims.

    function testUnknownContribution() external {
        (Claim[] memory claims,) = contributeThree();
        pass(ANY_WAIT);
        Claim memory claim = claims[1];
        claim.deposit += 1;
        requireUnknown(claim);
        claim.deposit -= 1;
        claim.position = 2;
        requireUnknown(claim);
        claim.position = 1;
        claim.batch = 1;
        requireUnknown(claim);
        claim.batch = 0;
        claim.label = 0;
        requireUnknown(claim);
        claim.label = 1;
        claim.proof = new bytes32[](0);
        requireUnknown(claim);
    }

    function testNothingLeft() external {
        contribute(trainer, BOB, 1, hex"0000");
        Claim memory claim = contribute(trainer, ALICE, 1, hex"0000");
        pass(REFUND_WAIT);
        VM.prank(ALICE);
        trainer.refund(claim);
        assertEq(trainer.settlement(1), type(uint96).max, "settlement");
        bytes memory reason = abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, 1);
        // Before any other error: BOB is not the author, has no good contribution, and it is early.
        VM.expectRevert(reason);
        VM.prank(BOB);
        trainer.refund(claim);
        VM.expectRevert(reason);
        VM.prank(BOB);
        trainer.report(claim);
        VM.expectRevert(reason);
        VM.prank(BOB);
        trainer.claimLate(claim);
    }

    // Refund.

    function testRefundByAnother() external {
        Claim memory claim = contribute(trainer, ALICE, 1, hex"0000");
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NotAuthor.selector, BOB, ALICE));
        VM.prank(BOB);
        trainer.refund(claim);
    }

    function testRefundTooEarly() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        teach(1, hex"0001");
        pass(REFUND_WAIT - 1);
        VM.expectRevert(tooEarly(claim.time + REFUND_WAIT));
        VM.prank(ALICE);
        trainer.refund(claim);
    }

    function testRefundWhenThePredictionDiffers() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        teach(1, hex"0001");
        pass(REFUND_WAIT);
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 0, 1));
        VM.prank(ALICE);
        trainer.refund(claim);
    }

    function testRefund() external {
        uint256 before = ALICE.balance;
        Claim memory claim = contribute(trainer, ALICE, 1, hex"0000");
        pass(REFUND_WAIT);
        VM.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Refunded(0, ALICE, claim.deposit);
        VM.prank(ALICE);
        trainer.refund(claim);
        assertEq(ALICE.balance, before, "balance");
        assertEq(trainer.good(ALICE), 1, "good");
        assertEq(trainer.totalGood(), 1, "total");
    }

    // Report.

    function testReportOwn() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.OwnContribution.selector, ALICE));
        VM.prank(ALICE);
        trainer.report(claim);
    }

    function testReportTooEarly() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT - 1);
        VM.expectRevert(tooEarly(claim.time + REFUND_WAIT));
        VM.prank(BOB);
        trainer.report(claim);
    }

    function testReportWithoutAGoodContribution() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT);
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NoGoodContribution.selector, BOB));
        VM.prank(BOB);
        trainer.report(claim);
    }

    function testReportWhatTheModelAgreesWith() external {
        earnGood(BOB, 1);
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        pass(REFUND_WAIT);
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 0));
        VM.prank(BOB);
        trainer.report(claim);
    }

    function testReportSharesInProportion() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 3);
        Claim memory claim = badClaim();
        uint256 deposit = claim.deposit;
        uint256 before = BOB.balance;
        VM.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Reported(claim.position, BOB, deposit / 4);
        VM.prank(BOB);
        trainer.report(claim);
        assertEq(BOB.balance, before + deposit / 4, "a quarter");
        assertEq(trainer.settlement(claim.position), deposit / 4 | uint256(uint160(BOB)) << 96, "settlement");
        assertTrue(trainer.reported(claim.position, BOB), "BOB reported");
        assertTrue(!trainer.reported(claim.position, CAROL), "CAROL did not");

        // Neither in the settlement's word nor, for CAROL, beside it twice.
        VM.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, claim.position, BOB)
        );
        VM.prank(BOB);
        trainer.report(claim);

        // Also where the model has come to agree.
        uint256 start = VM.snapshotState();
        teach(0, hex"0001");
        VM.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, claim.position, BOB)
        );
        VM.prank(BOB);
        trainer.report(claim);
        VM.revertToState(start);

        // OWNER earns 4 of 8: half of the deposit, then CAROL 3/8, more than the quarter that is left.
        earnGood(OWNER, 4);
        VM.prank(OWNER);
        trainer.report(claim);
        VM.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, claim.position, OWNER)
        );
        VM.prank(OWNER);
        trainer.report(claim);
        before = CAROL.balance;
        VM.prank(CAROL);
        trainer.report(claim);
        assertEq(CAROL.balance, before + deposit - deposit / 4 - deposit / 2, "what is left");
        assertEq(trainer.settlement(claim.position), type(uint96).max | uint256(uint160(BOB)) << 96, "closed");
        assertTrue(trainer.reported(claim.position, CAROL), "CAROL reported");
    }

    function testNobodyReported() external {
        Claim memory claim = contribute(trainer, ALICE, 0, hex"0001");
        assertTrue(!trainer.reported(claim.position, address(0)), "nobody, not the zero address");
        assertEq(trainer.settlement(claim.position), 0, "settlement");
    }

    function testReportOfTheOnlyGoodContributorTakesAll() external {
        earnGood(BOB, 1);
        Claim memory claim = badClaim();
        VM.prank(BOB);
        trainer.report(claim);
        assertEq(trainer.settlement(claim.position), type(uint96).max | uint256(uint160(BOB)) << 96, "closed");
    }

    function testReportOfAShareThatRoundsToNothingTakesAll() external {
        createFor(1);
        earnGood(BOB, 1);
        earnGood(CAROL, 12);
        // A day after the last contribution: 3600 / 293 wei, of which BOB's share is a 13th.
        Claim memory claim = badClaim();
        assertEq(claim.deposit, 12, "deposit");
        uint256 before = BOB.balance;
        VM.prank(BOB);
        trainer.report(claim);
        assertEq(BOB.balance, before + 12, "all");
        assertEq(uint96(trainer.settlement(claim.position)), type(uint96).max, "closed");
    }

    function testRefundAfterAReportPaysWhatIsLeft() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 1);
        Claim memory claim = badClaim();
        VM.prank(BOB);
        trainer.report(claim);
        teach(0, hex"0001");
        uint256 before = ALICE.balance;
        VM.prank(ALICE);
        trainer.refund(claim);
        uint256 half = claim.deposit / 2;
        assertEq(ALICE.balance, before + claim.deposit - half, "the other half");
    }

    /// @dev No settlement pays more than the deposit.
    function testFuzzSettlement(uint96 costWeight, uint256 goodBob, uint256 goodCarol, uint40 time) external {
        costWeight = uint96(bound(costWeight, 0, (1 << 80) - 1));
        createFor(costWeight);
        VM.deal(OWNER, type(uint128).max);
        VM.deal(ALICE, type(uint128).max);
        VM.deal(BOB, type(uint128).max);
        VM.deal(CAROL, type(uint128).max);
        (goodBob, goodCarol) = (bound(goodBob, 1, 4), bound(goodCarol, 1, 4));
        earnGood(BOB, goodBob);
        earnGood(CAROL, goodCarol);
        pass(bound(time, 0, 1 << 34));
        Claim memory claim = badClaim();
        uint256 held = address(trainer).balance;
        uint256 deposit = claim.deposit;
        uint256 before = BOB.balance;
        VM.prank(BOB);
        trainer.report(claim);
        uint256 share = deposit * goodBob / (goodBob + goodCarol);
        if (share == 0) share = deposit;
        assertEq(BOB.balance - before, share, "share");
        if (share == deposit) {
            VM.expectRevert(
                abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, claim.position)
            );
            VM.prank(CAROL);
            trainer.report(claim);
            return;
        }
        VM.prank(CAROL);
        trainer.report(claim);
        uint256 rest = deposit - share;
        uint256 second = deposit * goodCarol / (goodBob + goodCarol);
        if (second == 0 || second > rest) second = rest;
        assertEq(held - address(trainer).balance, share + second, "paid");
    }

    // Late claims.

    function testClaimLateTooEarly() external {
        Claim memory claim = contribute(trainer, ALICE, 1, hex"0000");
        pass(OWNER_WAIT - 1);
        VM.expectRevert(tooEarly(claim.time + OWNER_WAIT));
        VM.prank(OWNER);
        trainer.claimLate(claim);
        pass(ANY_WAIT - OWNER_WAIT);
        VM.expectRevert(tooEarly(claim.time + ANY_WAIT));
        VM.prank(BOB);
        trainer.claimLate(claim);
    }

    /// @dev The ancestor's owner could never claim.
    function testClaimLateByTheOwner() external {
        Claim memory claim = contribute(trainer, ALICE, 1, hex"0000");
        pass(OWNER_WAIT);
        VM.expectEmit(address(trainer));
        emit ICollaborativeTrainer.ClaimedLate(0, OWNER, claim.deposit);
        uint256 before = OWNER.balance;
        VM.prank(OWNER);
        trainer.claimLate(claim);
        assertEq(OWNER.balance, before + claim.deposit, "balance");
        assertEq(trainer.settlement(0), type(uint96).max, "closed");
    }

    function testClaimLateByAnyone() external {
        earnGood(BOB, 1);
        earnGood(CAROL, 1);
        Claim memory claim = badClaim();
        VM.prank(BOB);
        trainer.report(claim);
        pass(ANY_WAIT);
        uint256 before = BOB.balance;
        VM.prank(BOB);
        trainer.claimLate(claim);
        uint256 half = claim.deposit / 2;
        assertEq(BOB.balance, before + claim.deposit - half, "what was left");
    }

    // Creation.

    function testCreate() external {
        VM.recordLogs();
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        bytes32[] memory topics = VM.getRecordedLogs()[0].topics;
        assertEq(topics[0], IModelFactory.ModelCreated.selector, "event");
        assertEq(topics[1], bytes32(uint256(uint160(OWNER))), "owner");
        assertEq(topics[2], bytes32(uint256(uint160(address(trainer)))), "trainer");
        assertEq(topics[3], bytes32(uint256(uint160(address(classifier)))), "classifier");
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.AlreadyInitialized.selector));
        trainer.initialize();
    }

    function testImplementationIsLocked() external {
        trainer = DepositRefundTake(depositRefundTake);
        VM.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.AlreadyInitialized.selector));
        trainer.initialize();
        VM.deal(address(this), 1e60);
        // Its time lies in the future.
        VM.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        trainer.contribute{value: 1e60}(hex"00000000");
        // Also with the price of Points, and even at a time that it takes for sane.
        VM.expectRevert(abi.encodeWithSignature("Panic(uint256)", 0x11));
        ICollaborativeTrainer(points).contribute(hex"00000000");
    }

    /// @dev Goes on with another trainer, of another price.
    function createFor(uint256 costWeight) private {
        VM.prank(OWNER);
        (address created, address model) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, costWeight),
            sparsePerceptron,
            abi.encode(8, 1, int256(0))
        );
        (trainer, classifier) = (DepositRefundTake(created), Classifier(model));
        VM.prank(OWNER);
        classifier.close(created);
    }

    function badClaim() private returns (Claim memory claim) {
        claim = contribute(trainer, ALICE, 0, hex"0001");
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
            Claim memory claim = contribute(trainer, who, 0, hex"");
            pass(REFUND_WAIT);
            VM.prank(who);
            trainer.refund(claim);
        }
    }

    function contributeThree() private returns (Claim[] memory claims, bytes32 root) {
        claims = new Claim[](3);
        bytes32[] memory leaves = new bytes32[](3);
        bytes memory batch;
        uint256 first = trainer.contributionCount();
        uint256 price = trainer.price(3);
        for (uint256 i; i < 3; ++i) {
            bytes memory sample = i == 1 ? bytes(hex"00000001") : bytes(hex"0000");
            batch = bytes.concat(batch, Encode.item(1, sample));
            claims[i] = Claim(
                ALICE,
                1,
                uint96(price),
                uint40(clock()),
                uint64(first),
                uint64(first + i),
                sample,
                new bytes32[](0)
            );
            leaves[i] = keccak256(abi.encode(ALICE, 1, keccak256(sample), price, clock(), first + i));
        }
        bytes32[] memory tree = leaves.build();
        for (uint256 i; i < 3; ++i) {
            claims[i].proof = tree.leafProof(i);
        }
        VM.prank(ALICE);
        trainer.contribute{value: 3 * price}(batch);
        return (claims, tree.root());
    }

    function requireUnknown(Claim memory claim) private {
        bytes32 leaf = keccak256(
            abi.encode(
                claim.author, claim.label, keccak256(claim.sample), claim.deposit, claim.time, claim.position
            )
        );
        bytes memory reason =
            abi.encodeWithSelector(ICollaborativeTrainer.UnknownContribution.selector, claim.batch, leaf);
        VM.expectRevert(reason);
        trainer.refund(claim);
        VM.expectRevert(reason);
        trainer.report(claim);
        VM.expectRevert(reason);
        trainer.claimLate(claim);
    }

    function tooEarly(uint256 earliest) private view returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.TooEarly.selector, this.clock(), earliest);
    }
}
