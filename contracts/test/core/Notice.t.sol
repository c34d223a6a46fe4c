// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {HostileWallet, Receiving} from "../base/HostileWallet.sol";
import {Lie, LyingClassifier} from "../base/LyingClassifier.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign} from "../base/Sign.sol";
import {Vm} from "../base/Vm.sol";

/// @notice An attacker that makes several calls in one transaction.
contract Attacker {
    function execute(address target, uint256[] calldata values, bytes[] calldata calls) external payable {
        for (uint256 i; i < calls.length; ++i) {
            (bool success, bytes memory result) = target.call{value: values[i]}(calls[i]);
            if (!success) {
                assembly {
                    revert(add(result, 32), mload(result))
                }
            }
        }
    }

    receive() external payable {}
}

/// @notice Reports that require an announcement, on a model with a set prediction, and on a real
/// one that an attacker flips.
contract NoticeTest is ModelTest {
    uint256 private constant NOTICE = 6 hours;
    uint256 private constant KEY = 7;

    ICollaborativeTrainer private trainer;
    LyingClassifier private classifier;
    /// @dev Contributions of ALICE with label 1, while the model predicts 0.
    Contribution[] private bad;

    function setUp() external {
        setUpOn(depositRefundTake, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NOTICE, COST_WEIGHT));
    }

    // ---------------------------------------------------------------- Time window of a report

    function test_report_failsIfNotAnnounced() external {
        requireReport(BOB, notAnnounced(bad[0].position));
    }

    function test_report_worksFromEndOfNoticeForAsLong() external {
        announce(CAROL);
        uint256 announced = this.clock();
        requireReport(BOB, tooEarly(announced + NOTICE));
        vm.warp(announced + NOTICE - 1);
        requireReport(BOB, tooEarly(announced + NOTICE));
        vm.warp(announced + NOTICE);
        requireReport(BOB, "");
        vm.warp(announced + 2 * NOTICE);
        requireReport(OWNER, "");
        vm.warp(announced + 2 * NOTICE + 1);
        requireReport(CAROL, notAnnounced(bad[0].position));
    }

    /// @dev A skipped report changes nothing, also if another claim of the call is settled.
    function test_report_skipsNotAnnounced() external {
        trainer.announce(Groups.one(bad, 0));
        pass(NOTICE);
        vm.recordLogs();
        bytes memory claims = Groups.all(bad);
        vm.prank(BOB);
        trainer.report(claims);
        Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.ClaimSkipped.selector);
        assertEq(logs.length, 1, "skipped");
        assertEq(abi.decode(logs[0].data, (bytes)), notAnnounced(bad[1].position), "reason");
        assertTrue(trainer.reported(bad[0].position, BOB), "reported");
        requireSettlement(trainer, bad[1].position, Status.Untouched, 0, address(0));
    }

    /// @dev The notice is longer than the time since the chain's clock started.
    function test_report_failsIfNoticeExceedsClock() external {
        uint256 notice = 40 * 365 days;
        setUpOn(
            depositRefundTake,
            abi.encode(REFUND_WAIT, REFUND_WAIT + 2 * notice, REFUND_WAIT + 2 * notice, notice, COST_WEIGHT)
        );
        requireReport(BOB, notAnnounced(bad[0].position));
        announce(CAROL);
        uint256 announced = this.clock();
        requireReport(BOB, tooEarly(announced + notice));
        requireAnnounce(
            BOB,
            abi.encodeWithSelector(
                ICollaborativeTrainer.AlreadyAnnounced.selector, bad[0].position, announced + 2 * notice
            )
        );
    }

    function testFuzz_report_worksInWindowOnly(uint256 passed) external {
        announce(CAROL);
        uint256 announced = this.clock();
        passed = bound(passed, 0, 4 * NOTICE);
        pass(passed);
        bytes memory failure;
        if (passed < NOTICE) failure = tooEarly(announced + NOTICE);
        if (passed > 2 * NOTICE) failure = notAnnounced(bad[0].position);
        requireReport(BOB, failure);
    }

    function test_report_failsIfPredictionAgreesAgain() external {
        announce(CAROL);
        pass(NOTICE);
        classifier.tell(1, Lie.None, Lie.None);
        requireReport(BOB, abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 1));
        // Predictions in between do not matter, but a refund closes.
        classifier.tell(0, Lie.None, Lie.None);
        requireReport(BOB, "");
    }

    /// @dev Anyone may push a refund in any second of the notice and after it.
    function test_refund_worksDuringNotice() external {
        announce(CAROL);
        pass(NOTICE - 1);
        classifier.tell(1, Lie.None, Lie.None);
        vm.prank(CAROL);
        trainer.refund(Groups.one(bad, 0));
        assertEq(trainer.balanceOf(ALICE), bad[0].deposit, "pushed");
        classifier.tell(0, Lie.None, Lie.None);
        pass(1);
        bytes memory claims = Groups.all(bad);
        vm.recordLogs();
        vm.prank(BOB);
        trainer.report(claims);
        Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.ClaimSkipped.selector);
        assertEq(logs.length, 1, "skipped");
        bytes memory reason =
            abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, bad[0].position);
        assertEq(abi.decode(logs[0].data, (bytes)), reason, "reason");
        // The refund has made a fourth good contribution.
        requireSettlement(trainer, bad[1].position, Status.Reported, bad[1].deposit / 4, BOB);
    }

    function test_reportFor_failsIfNotAnnounced() external {
        address reporter = vm.addr(KEY);
        vm.deal(reporter, 1e24);
        earnGood(reporter);
        Contribution[] memory more = contributeBad(1);
        pass(REFUND_WAIT);
        uint40 until = uint40(this.clock() + 3 days);
        bytes memory signature = Sign.long(KEY, Sign.delegation(address(trainer), reporter, CAROL, until));
        bytes memory claims = Groups.all(more);
        vm.expectRevert(notAnnounced(more[0].position));
        vm.prank(CAROL);
        trainer.reportFor(reporter, until, signature, claims);
        // The keeper announces; that needs no signature.
        vm.prank(CAROL);
        trainer.announce(claims);
        vm.expectRevert(tooEarly(this.clock() + NOTICE));
        vm.prank(CAROL);
        trainer.reportFor(reporter, until, signature, claims);
        pass(NOTICE);
        vm.prank(CAROL);
        trainer.reportFor(reporter, until, signature, claims);
        assertEq(trainer.balanceOf(reporter), more[0].deposit / 4, "a quarter of the good ones");
    }

    /// @dev The announcer gets no more than others: only good contributions decide. All may report,
    /// in any order.
    function test_report_sharesAmongAllReporters() external {
        announce(OWNER);
        pass(NOTICE);
        uint256 before = BOB.balance;
        requireReport(BOB, "");
        assertEq(BOB.balance, before + 2 * (bad[0].deposit / 3), "a third of two");
        before = OWNER.balance;
        requireReport(OWNER, "");
        assertEq(OWNER.balance, before + 2 * (bad[0].deposit / 3), "another third");
    }

    function test_claimLate_needsNoAnnouncement() external {
        vm.warp(bad[0].time + OWNER_WAIT);
        announce(BOB);
        uint256 before = OWNER.balance;
        vm.prank(OWNER);
        trainer.claimLate(Groups.all(bad));
        assertEq(OWNER.balance, before + 2 * uint256(bad[0].deposit), "the owner was first");
        pass(NOTICE);
        requireReport(
            BOB, abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, bad[0].position)
        );
    }

    /// @dev With the longest notice, an announcement in the first second allows reports until the
    /// owner can claim.
    function test_report_worksWithLongestNotice() external {
        uint256 notice = (OWNER_WAIT - REFUND_WAIT) / 2;
        setUpOn(depositRefundTake, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, notice, COST_WEIGHT));
        Contribution[] memory made = contributeBad(1);
        vm.warp(made[0].time + REFUND_WAIT);
        bytes memory claims = Groups.all(made);
        trainer.announce(claims);
        vm.warp(made[0].time + OWNER_WAIT - 1);
        vm.expectRevert(tooEarly(made[0].time + OWNER_WAIT));
        vm.prank(OWNER);
        trainer.claimLate(claims);
        vm.prank(BOB);
        trainer.report(claims);
    }

    // ---------------------------------------------------------------- Announcing

    function test_announce_failsIfNoNotice() external {
        setUpOn(depositRefundTake, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT));
        bytes memory failure = abi.encodeWithSelector(ICollaborativeTrainer.NoNotice.selector);
        requireAnnounce(BOB, failure);
        vm.expectRevert(failure);
        trainer.announce("");
        requireReport(BOB, "");
    }

    /// @dev An announcer needs no good contributions, and may be the author.
    function test_announce_isOpenToAnyone() external {
        address[3] memory announcers = [address(this), ALICE, BOB];
        uint256 start = vm.snapshotState();
        uint256 time = this.clock();
        for (uint256 i; i < 3; ++i) {
            vm.expectEmit(address(trainer));
            emit ICollaborativeTrainer.Announced(bad[0].position, announcers[i], time);
            vm.expectEmit(address(trainer));
            emit ICollaborativeTrainer.Announced(bad[1].position, announcers[i], time);
            announce(announcers[i]);
            assertEq(trainer.announced(bad[0].position), this.clock(), "first");
            assertEq(trainer.announced(bad[1].position), this.clock(), "second");
            assertEq(trainer.announced(bad[1].position + 1), 0, "the next one");
            requireSettlement(trainer, bad[0].position, Status.Untouched, 0, address(0));
            vm.revertToState(start);
        }
    }

    function test_announce_failsIfAnnounced() external {
        announce(CAROL);
        uint256 until = this.clock() + 2 * NOTICE;
        bytes memory already =
            abi.encodeWithSelector(ICollaborativeTrainer.AlreadyAnnounced.selector, bad[0].position, until);
        requireAnnounce(BOB, already);
        vm.warp(until - NOTICE);
        requireAnnounce(BOB, already);
        vm.warp(until);
        requireAnnounce(BOB, already);
        vm.warp(until + 1);
        requireAnnounce(BOB, "");
        assertEq(trainer.announced(bad[0].position), until + 1, "anew");
        requireReport(BOB, tooEarly(until + 1 + NOTICE));
    }

    function test_announce_skipsSecondInCall() external {
        vm.recordLogs();
        trainer.announce(bytes.concat(Groups.all(bad), Groups.all(bad)));
        assertEq(logsOf(ICollaborativeTrainer.ClaimSkipped.selector).length, 2, "skipped");
    }

    function test_announce_failsIfTooEarly() external {
        Contribution[] memory made = contributeBad(1);
        bytes memory claims = Groups.all(made);
        pass(REFUND_WAIT - 1);
        vm.expectRevert(tooEarly(made[0].time + REFUND_WAIT));
        trainer.announce(claims);
        pass(1);
        trainer.announce(claims);
    }

    function test_announce_failsIfPredictionAgrees() external {
        classifier.tell(1, Lie.None, Lie.None);
        requireAnnounce(BOB, abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 1));
        vm.prank(ALICE);
        trainer.refund(Groups.all(bad));
        classifier.tell(0, Lie.None, Lie.None);
        requireAnnounce(
            BOB, abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, bad[0].position)
        );
    }

    function test_announce_failsIfUnknown() external {
        Contribution[] memory made = bad;
        ++made[0].deposit;
        bytes memory claims = Groups.all(made);
        vm.expectRevert(
            abi.encodeWithSelector(IMechanismErrors.UnknownContribution.selector, bad[0].position)
        );
        trainer.announce(claims);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NoClaims.selector));
        trainer.announce("");
    }

    function test_announce_failsWithClassifiersError() external {
        classifier.tell(0, Lie.None, Lie.Reverts);
        requireAnnounce(BOB, abi.encodeWithSelector(LyingClassifier.Lied.selector, 7));
    }

    /// @dev Announces some contributions of two batches that span many words: no other time
    /// changes.
    function testFuzz_announce_leavesNeighbors(uint256 mask) external {
        Contribution[] memory made = contributeBad(30);
        pass(REFUND_WAIT);
        mask &= (1 << 30) - 1;
        if (mask == 0) mask = 1;
        uint256 first = this.clock();
        trainer.announce(bytes.concat(Groups.some(made, indicesOf(mask)), Groups.one(bad, 1)));
        requireTimes(made, mask, first, 0);
        assertEq(trainer.announced(bad[0].position), 0, "of the other batch");
        pass(1);
        // Announces the others too; the trainer skips the announced ones.
        if (mask != (1 << 30) - 1) trainer.announce(Groups.all(made));
        requireTimes(made, mask, first, first + 1);
    }

    function test_announce_refusesReentry() external {
        HostileWallet wallet = new HostileWallet();
        trainer.depositTo{value: 5}(address(wallet));
        wallet.receiveSo(Receiving.Reenters, abi.encodeCall(trainer.announce, (Groups.all(bad))));
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.withdrawTo, (address(wallet), 5)));
        assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
        assertEq(trainer.announced(bad[0].position), 0, "not announced");
    }

    // ---------------------------------------------------------------- Points

    /// @dev With a notice, too, reports close nothing, and each reporter can report once.
    function test_report_closesNothingUnderPoints() external {
        setUpOn(points, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NOTICE));
        announce(CAROL);
        pass(NOTICE);
        requireReport(BOB, "");
        requireReport(OWNER, "");
        requireReport(
            BOB, abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, bad[0].position, BOB)
        );
        requireSettlement(trainer, bad[0].position, Status.Reported, 0, BOB);
        assertTrue(trainer.reported(bad[0].position, OWNER), "the second reporter");
        classifier.tell(1, Lie.None, Lie.None);
        trainer.refund(Groups.all(bad));
        requireSettlement(trainer, bad[0].position, Status.Closed, 0, BOB);
        assertEq(trainer.good(ALICE), 2, "good");
    }

    /// @dev After many free lies, an attacker reports all true contributions: authors can still
    /// claim them as before.
    function test_report_closesNothingAfterFlipUnderPoints() external {
        Contribution[] memory made =
            honest(points, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE), 100);
        Attacker attacker = goodAttacker();
        (uint256[] memory values, bytes[] memory calls) = (new uint256[](65), new bytes[](65));
        for (uint256 i; i < 64; ++i) {
            calls[i] = abi.encodeCall(trainer.contribute, (Encode.item(0, hex"0001")));
        }
        calls[64] = abi.encodeCall(trainer.report, (Groups.all(made)));
        attacker.execute(address(trainer), values, calls);
        assertTrue(trainer.reported(made[99].position, address(attacker)), "reported");
        teach(1, 65);
        trainer.refund(Groups.all(made));
        assertEq(trainer.good(ALICE), 100, "all are good");
    }

    // ---------------------------------------------------------------- Flips followed by reports

    function test_report_worksAfterFlipWithoutNotice() external {
        Contribution[] memory made = honest(depositRefundTake, withNotice(NO_NOTICE), 5);
        Attacker attacker = goodAttacker();
        uint256 held = address(trainer).balance;
        flipAnd(attacker, abi.encodeCall(trainer.report, (Groups.all(made))), "");
        assertTrue(address(trainer).balance < held, "more was taken than was deposited");
        requireSettlement(trainer, made[4].position, Status.Closed, made[4].deposit, address(attacker));
    }

    function test_report_failsAfterFlipWithNotice() external {
        Contribution[] memory made = honest(depositRefundTake, withNotice(NOTICE), 5);
        Attacker attacker = goodAttacker();
        bytes memory report = abi.encodeCall(trainer.report, (Groups.all(made)));
        flipAnd(attacker, report, notAnnounced(made[0].position));

        // The attacker announces during one flip, and nobody sees the model flipped.
        flipAnd(attacker, abi.encodeCall(trainer.announce, (Groups.all(made))), "");
        assertEq(trainer.announced(made[0].position), this.clock(), "announced");
        flipAnd(attacker, report, tooEarly(this.clock() + NOTICE));
        // Anyone can push the refunds in any second of the notice; then a report can take nothing.
        pass(NOTICE - 1);
        vm.prank(CAROL);
        trainer.refund(Groups.all(made));
        pass(1);
        flipAnd(
            attacker,
            report,
            abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, made[0].position)
        );
        assertEq(trainer.balanceOf(ALICE), 5 * uint256(made[0].deposit), "the author has all");
    }

    /// @dev The notice also protects liars: nobody can report before its end. A refund needs a
    /// model that agrees for only a moment.
    function test_refund_worksForLiarDuringNotice() external {
        announce(BOB);
        uint256 good = trainer.good(ALICE);
        requireReport(BOB, tooEarly(this.clock() + NOTICE));
        classifier.tell(1, Lie.None, Lie.None);
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        trainer.refund(Groups.all(bad));
        classifier.tell(0, Lie.None, Lie.None);
        assertEq(ALICE.balance - before, uint256(bad[0].deposit) + bad[1].deposit, "all of it comes back");
        assertEq(trainer.good(ALICE), good + 2, "and counts");
        pass(NOTICE);
        requireReport(
            BOB, abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, bad[0].position)
        );
    }

    /// @dev An announcement made during one flip cannot serve a report in a much later one.
    function test_report_failsIfAnnouncementIsOld() external {
        Contribution[] memory made = honest(depositRefundTake, withNotice(NOTICE), 5);
        Attacker attacker = goodAttacker();
        flipAnd(attacker, abi.encodeCall(trainer.announce, (Groups.all(made))), "");
        pass(2 * NOTICE + 1);
        flipAnd(attacker, abi.encodeCall(trainer.report, (Groups.all(made))), notAnnounced(made[0].position));
    }

    // ---------------------------------------------------------------- Helpers

    /// @dev Creates a model that predicts 0. BOB, CAROL and the owner have a good contribution
    /// each; ALICE has two bad ones that can be reported.
    function setUpOn(address implementation, bytes memory parameters) private {
        address lying = address(new LyingClassifier());
        vm.prank(OWNER);
        (address created, address model) = factory.create(implementation, parameters, lying, "");
        (trainer, classifier) = (ICollaborativeTrainer(created), LyingClassifier(model));
        earnGood(BOB);
        earnGood(OWNER);
        earnGood(CAROL);
        delete bad;
        Contribution[] memory made = contributeBad(2);
        bad.push(made[0]);
        bad.push(made[1]);
        pass(REFUND_WAIT);
    }

    function contributeBad(uint256 n) private returns (Contribution[] memory) {
        uint256[] memory labels = new uint256[](n);
        for (uint256 i; i < n; ++i) {
            labels[i] = 1;
        }
        vm.deal(ALICE, 1e30);
        return contributeMany(trainer, ALICE, labels, new bytes[](n));
    }

    function earnGood(address author) private {
        Contribution memory good = contribute(trainer, author, 0, hex"");
        pass(REFUND_WAIT);
        vm.prank(author);
        trainer.refund(alone(good));
    }

    /// @dev Creates a perceptron that predicts 1 for contributions of ALICE, which are true. They
    /// could be refunded since a moment ago.
    function honest(address implementation, bytes memory parameters, uint256 n)
        private
        returns (Contribution[] memory made)
    {
        vm.prank(OWNER);
        (address created, address model) =
            factory.create(implementation, parameters, sparsePerceptron, abi.encode(8, 1, int256(0)));
        trainer = ICollaborativeTrainer(created);
        vm.prank(OWNER);
        Classifier(model).close(created);
        uint256[] memory labels = new uint256[](n);
        bytes[] memory samples = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            (labels[i], samples[i]) = (1, hex"0001");
        }
        vm.deal(ALICE, 1e30);
        made = contributeMany(trainer, ALICE, labels, samples);
        assertEq(predict(Classifier(model), hex"0001"), 1, "learned");
        pass(REFUND_WAIT);
    }

    /// @dev Returns an attacker with the only good contribution, of a feature that nobody else
    /// uses.
    function goodAttacker() private returns (Attacker attacker) {
        attacker = new Attacker();
        vm.deal(address(attacker), 1e30);
        Contribution memory good = contribute(trainer, address(attacker), 0, hex"0005");
        pass(REFUND_WAIT);
        vm.prank(address(attacker));
        trainer.refund(alone(good));
    }

    /// @dev Teaches lies until the model is flipped, makes a call, and flips the model back, in one
    /// transaction.
    function flipAnd(Attacker attacker, bytes memory data, bytes memory failure) private {
        uint256 start = vm.snapshotState();
        uint256 price = trainer.price(2);
        (uint256[] memory values, bytes[] memory calls) = (new uint256[](3), new bytes[](3));
        values[0] = 2 * price;
        calls[0] = abi.encodeCall(
            trainer.contribute, (bytes.concat(Encode.item(0, hex"0001"), Encode.item(0, hex"0001")))
        );
        calls[1] = data;
        // The price is highest in the second of the last contribution.
        values[2] = 2 * 3600 * COST_WEIGHT;
        calls[2] = abi.encodeCall(
            trainer.contribute, (bytes.concat(Encode.item(1, hex"0001"), Encode.item(1, hex"0001")))
        );
        if (failure.length != 0) vm.expectRevert(failure);
        attacker.execute(address(trainer), values, calls);
        if (failure.length != 0) vm.revertToState(start);
        assertEq(predict(Classifier(trainer.classifier()), hex"0001"), 1, "flipped back");
    }

    function teach(uint256 label, uint256 n) private {
        for (uint256 i; i < n; ++i) {
            contribute(trainer, BOB, label, hex"0001");
        }
    }

    function withNotice(uint256 notice) private pure returns (bytes memory) {
        return abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, notice, COST_WEIGHT);
    }

    function announce(address announcer) private {
        requireAnnounce(announcer, "");
    }

    function requireAnnounce(address announcer, bytes memory failure) private {
        bytes memory claims = Groups.all(bad);
        if (failure.length != 0) vm.expectRevert(failure);
        vm.prank(announcer);
        trainer.announce(claims);
    }

    function requireReport(address reporter, bytes memory failure) private {
        bytes memory claims = Groups.all(bad);
        if (failure.length != 0) vm.expectRevert(failure);
        vm.prank(reporter);
        trainer.report(claims);
    }

    function requireTimes(Contribution[] memory made, uint256 mask, uint256 inMask, uint256 others)
        private
        view
    {
        for (uint256 i; i < made.length; ++i) {
            uint256 expected = mask >> i & 1 != 0 ? inMask : others;
            assertEq(trainer.announced(made[i].position), expected, "announced");
        }
    }

    function indicesOf(uint256 mask) private pure returns (uint256[] memory indices) {
        indices = new uint256[](30);
        uint256 count;
        for (uint256 i; i < 30; ++i) {
            if (mask >> i & 1 != 0) indices[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }

    function notAnnounced(uint256 position) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.NotAnnounced.selector, position);
    }

    function tooEarly(uint256 earliest) private view returns (bytes memory) {
        return abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, this.clock(), earliest);
    }
}
