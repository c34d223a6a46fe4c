// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {AnyClassifier, AnyWallet, TrainerProofs} from "./TrainerProofs.sol";

/// @notice Proofs about one claim on a contribution with any possible history. Each says exactly
/// when the claim succeeds and what it pays. It also proves that the state after the claim is again
/// one that the proofs begin with. So no sequence of claims, by any number of reporters, pays more
/// than the deposit, and closed is final.
contract SettlementProofs is TrainerProofs {
    /// @dev The notice of the proofs that have one, in seconds.
    uint256 private constant NOTICE = 6 hours;

    /// @dev A contribution with its history, and a claim on it.
    struct Case {
        Contribution made;
        // Its history.
        uint8 status;
        uint96 taken;
        // The predicted label, and the time of the claim.
        uint256 predicted;
        uint40 time;
        // The good contributions of the reporter and of all authors.
        uint48 good;
        uint64 totalGood;
    }

    function check_RefundPaysWhatIsLeft(Case memory one, bool pushed) external {
        DepositRefundTake trainer = _prepare(one);
        uint256 left = one.made.deposit - one.taken;
        (bool success, uint256 paid) =
            _claim(trainer, pushed ? OTHER : AUTHOR, ICollaborativeTrainer.refund.selector, one);
        assert(success == (_open(one, 1 days) && one.predicted == one.made.label));
        assert(paid == (success && !pushed ? left : 0));
        assert(trainer.balanceOf(AUTHOR) == (success && pushed ? left : 0));
        assert(trainer.good(AUTHOR) == (success ? 1 : 0));
        assert(trainer.totalGood() == uint256(one.totalGood) + (success ? 1 : 0));
        _requireStatus(trainer, one, success ? Status.Closed : Status(one.status), one.taken);
    }

    /// @dev Covers deposits below 2^48 wei and up to 255 good contributions: no solver divides
    /// larger ones in time. `CollaborativeTrainer: testFuzz_report_paysAtMostDeposit` tries some
    /// others. A proof below checks that a report takes no more than the rest.
    function check_ReportPaysAShareOfWhatIsLeft(Case memory one) external {
        vm.assume(one.made.deposit < 2 ** 48 && one.totalGood <= type(uint8).max);
        DepositRefundTake trainer = _prepare(one);
        uint256 left = one.made.deposit - one.taken;
        (bool success, uint256 paid) = _claim(trainer, OTHER, ICollaborativeTrainer.report.selector, one);
        if (!success) {
            assert(paid == 0);
            _requireStatus(trainer, one, Status(one.status), one.taken);
            return;
        }
        assert(_open(one, 1 days) && one.predicted != one.made.label && one.good != 0);
        uint256 share;
        // The product of 96 and 48 bits does not overflow.
        unchecked {
            share = uint256(one.made.deposit) * one.good / one.totalGood;
        }
        assert(paid == (share > left ? left : share));
        _requireReported(trainer, one, paid);
        assert(trainer.reported(one.made.position, OTHER));
    }

    /// @dev A marked reporter, as after each report above, cannot report again.
    function check_NobodyReportsTwice(Case memory one) external {
        DepositRefundTake trainer = _prepare(one);
        store(trainer, slotOf(one.made.position, SETTLEMENTS), one.taken | uint256(uint160(OTHER)) << 96);
        assert(trainer.reported(one.made.position, OTHER));
        (bool success, uint256 paid) = _claim(trainer, OTHER, ICollaborativeTrainer.report.selector, one);
        assert(!success && paid == 0);
    }

    /// @dev A keeper's report succeeds only if the reporter has signed it, in time, and could
    /// report itself. Nobody else gets anything.
    function check_ReportForAddsTheShareToTheBalance(
        Case memory one,
        bool signed,
        uint40 until,
        uint96 before
    ) external {
        DepositRefundTake trainer = _prepare(one);
        address reporter = address(new AnyWallet(signed));
        store(trainer, slotOf(uint160(reporter), ACCOUNTS), before | uint256(one.good) << 96);
        uint256 left = one.made.deposit - one.taken;
        bool success = call(
            trainer,
            OTHER,
            0,
            abi.encodeCall(
                ICollaborativeTrainer.reportFor, (reporter, until, "", _claimsOf(one, one.made.position))
            )
        );
        assert(reporter.balance == 0 && OTHER.balance == 0 && trainer.balanceOf(OTHER) == 0);
        if (!success) {
            assert(trainer.balanceOf(reporter) == before);
            _requireStatus(trainer, one, Status(one.status), one.taken);
            return;
        }
        assert(signed && one.time <= until);
        assert(_open(one, 1 days) && one.predicted != one.made.label && one.good != 0);
        uint256 added = trainer.balanceOf(reporter) - before;
        assert(added <= left);
        _requireReported(trainer, one, added);
        assert(trainer.reported(one.made.position, reporter));
    }

    /// @dev With a notice, a report succeeds only from the end of the notice until as long after
    /// it, to the second. Otherwise the notice changes nothing. The reporter has the only good
    /// contribution, or none. The proof above covers all shares, and no solver finishes both
    /// together in time.
    function check_ReportNeedsAnAnnouncement(Case memory one, uint40 announced, bool hasGood) external {
        (one.good, one.totalGood) = (hasGood ? 1 : 0, 1);
        DepositRefundTake trainer = _prepare(one, NOTICE);
        _storeAnnouncement(trainer, one.made.position, announced);
        (bool success, uint256 paid) = _claim(trainer, OTHER, ICollaborativeTrainer.report.selector, one);
        bool inTime = announced != 0 && one.time >= uint256(announced) + NOTICE
            && one.time <= uint256(announced) + 2 * NOTICE;
        assert(success == (_open(one, 1 days) && one.predicted != one.made.label && hasGood && inTime));
        assert(trainer.announced(one.made.position) == announced);
        if (success) _requireReported(trainer, one, paid);
        else assert(paid == 0);
    }

    /// @dev An announcement is possible from the time of a refund on, and again only after the last
    /// one has expired. It changes nothing else, and nobody gets anything.
    function check_AnnouncementStoresATime(Case memory one, uint40 announced, bool byAuthor) external {
        DepositRefundTake trainer = _prepare(one, NOTICE);
        _storeAnnouncement(trainer, one.made.position, announced);
        (bool success, uint256 paid) =
            _claim(trainer, byAuthor ? AUTHOR : OTHER, ICollaborativeTrainer.announce.selector, one);
        bool again = announced != 0 && one.time <= uint256(announced) + 2 * NOTICE;
        assert(success == (_open(one, 1 days) && one.predicted != one.made.label && !again));
        assert(paid == 0);
        assert(trainer.announced(one.made.position) == (success ? one.time : announced));
        _requireStatus(trainer, one, Status(one.status), one.taken);
        assert(trainer.good(OTHER) == one.good && trainer.totalGood() == one.totalGood);
    }

    /// @dev An announcement does not affect refunds.
    function check_RefundNeedsNoNotice(Case memory one, uint40 announced) external {
        DepositRefundTake trainer = _prepare(one, NOTICE);
        _storeAnnouncement(trainer, one.made.position, announced);
        (bool success, uint256 paid) = _claim(trainer, AUTHOR, ICollaborativeTrainer.refund.selector, one);
        assert(success == (_open(one, 1 days) && one.predicted == one.made.label));
        assert(paid == (success ? one.made.deposit - one.taken : 0));
    }

    /// @dev Without a notice nobody can announce.
    function check_NothingIsAnnouncedWithoutANotice(Case memory one) external {
        DepositRefundTake trainer = _prepare(one);
        (bool success,) = _claim(trainer, OTHER, ICollaborativeTrainer.announce.selector, one);
        assert(!success && trainer.announced(one.made.position) == 0);
    }

    function check_NobodyReportsItself(Case memory one) external {
        DepositRefundTake trainer = _prepare(one);
        store(trainer, slotOf(uint160(AUTHOR), ACCOUNTS), uint256(one.good) << 96);
        (bool success, uint256 paid) = _claim(trainer, AUTHOR, ICollaborativeTrainer.report.selector, one);
        assert(!success && paid == 0);
    }

    /// @dev A late claim does not depend on the model's prediction.
    function check_LateClaimPaysWhatIsLeft(Case memory one, bool byOwner) external {
        DepositRefundTake trainer = _prepare(one);
        uint256 left = one.made.deposit - one.taken;
        (bool success, uint256 paid) =
            _claim(trainer, byOwner ? OWNER : OTHER, ICollaborativeTrainer.claimLate.selector, one);
        assert(success == _open(one, byOwner ? 8 days : 9 days));
        assert(paid == (success ? left : 0));
        _requireStatus(trainer, one, success ? Status.Closed : Status(one.status), one.taken);
    }

    /// @dev The claim has another root than the contribution's, because at least one field differs.
    function check_NothingIsPaidForWhatWasNotContributed(Case memory one, Contribution memory other)
        external
    {
        DepositRefundTake trainer = _prepare(one);
        vm.assume(
            other.author != one.made.author || other.deposit != one.made.deposit
                || other.label != one.made.label || other.time != one.made.time
                || other.position != one.made.position
        );
        other.sample = "";
        uint64 firstPosition = one.made.position;
        one.made = other;
        (bool success, uint256 paid) =
            _claim(trainer, OTHER, ICollaborativeTrainer.claimLate.selector, one, firstPosition);
        assert(!success && paid == 0);
    }

    /// @dev Covers a refund that another account pushes to a contract. It succeeds only if the
    /// contract has used or canceled a nonce, and up to the largest balance.
    function check_RefundIsPushedOnlyToContractsThatCanAct(Case memory one, uint256 word) external {
        address author = address(new AnyWallet(true));
        DepositRefundTake trainer = _prepare(one, author, 0);
        vm.assume(uint48(word >> 96) < type(uint48).max);
        store(trainer, slotOf(uint160(author), ACCOUNTS), word);
        uint256 left = one.made.deposit - one.taken;
        uint256 before = trainer.balanceOf(author);
        (bool success, uint256 paid) = _claim(trainer, OTHER, ICollaborativeTrainer.refund.selector, one);
        assert(
            success
                == (_open(one, 1 days) && one.predicted == one.made.label && word >> 144 != 0
                        && before + left <= type(uint96).max)
        );
        assert(paid == 0 && author.balance == 0);
        assert(trainer.balanceOf(author) == before + (success ? left : 0));
        _requireStatus(trainer, one, success ? Status.Closed : Status(one.status), one.taken);
    }

    /// @dev Creates a trainer with one contribution, which may have any possible history.
    function _prepare(Case memory one) private returns (DepositRefundTake trainer) {
        return _prepare(one, AUTHOR, 0);
    }

    function _prepare(Case memory one, uint256 notice) private returns (DepositRefundTake trainer) {
        return _prepare(one, AUTHOR, notice);
    }

    function _prepare(Case memory one, address author, uint256 notice)
        private
        returns (DepositRefundTake trainer)
    {
        one.made.author = author;
        one.made.sample = "";
        uint256 position = one.made.position;
        vm.assume(one.status <= 2 && one.taken <= one.made.deposit);
        if (one.status == 0) vm.assume(one.taken == 0);
        if (one.status == 1) vm.assume(one.taken < one.made.deposit || one.made.deposit == 0);
        vm.assume(one.good <= one.totalGood && one.totalGood < type(uint64).max);

        trainer = create(1, address(new AnyClassifier(one.predicted, true)), notice);
        store(trainer, STATE, NOW | uint256(one.totalGood) << 104);
        store(trainer, slotOf(uint160(OTHER), ACCOUNTS), uint256(one.good) << 96);
        store(trainer, slotOf(position / 128, STATUSES), uint256(one.status) << (position % 128 * 2));
        // Another account has taken the missing part.
        uint256 firstReporter = one.taken == 0 && one.status != 1 ? 0 : 1;
        store(trainer, slotOf(position, SETTLEMENTS), one.taken | firstReporter << 96);
        bytes32 leaf = keccak256(
            abi.encode(author, one.made.label, keccak256(""), one.made.deposit, one.made.time, position)
        );
        store(trainer, slotOf(position, ROOTS), uint256(leaf));
        vm.deal(address(trainer), type(uint96).max);
        vm.warp(one.time);

        _requireStatus(trainer, one, Status(one.status), one.taken);
        assert(trainer.good(OTHER) == one.good);
        assert(trainer.totalGood() == one.totalGood);
        assert(trainer.root(position) == leaf);
    }

    function _open(Case memory one, uint256 wait) private pure returns (bool) {
        return one.status != uint8(Status.Closed) && one.time >= one.made.time + wait;
    }

    function _claim(DepositRefundTake trainer, address caller, bytes4 selector, Case memory one)
        private
        returns (bool success, uint256 paid)
    {
        return _claim(trainer, caller, selector, one, one.made.position);
    }

    function _claim(
        DepositRefundTake trainer,
        address caller,
        bytes4 selector,
        Case memory one,
        uint64 firstPosition
    ) private returns (bool success, uint256 paid) {
        uint256 before = caller.balance;
        success = call(trainer, caller, 0, abi.encodeWithSelector(selector, _claimsOf(one, firstPosition)));
        paid = caller.balance - before;
    }

    function _claimsOf(Case memory one, uint64 firstPosition) private pure returns (bytes memory) {
        return
            bytes.concat(abi.encodePacked(firstPosition, uint16(1), uint16(0)), Encode.contribution(one.made));
    }

    function _storeAnnouncement(DepositRefundTake trainer, uint256 position, uint40 time) private {
        store(trainer, slotOf(position / 6, ANNOUNCEMENTS), uint256(time) << (position % 6 * 40));
        assert(trainer.announced(position) == time);
    }

    /// @dev Checks the status after a report. Only a report that takes the whole rest of a deposit
    /// closes the contribution.
    function _requireReported(DepositRefundTake trainer, Case memory one, uint256 share) private view {
        uint256 left = one.made.deposit - one.taken;
        Status status = left != 0 && share == left ? Status.Closed : Status.Reported;
        _requireStatus(trainer, one, status, one.taken + share);
    }

    function _requireStatus(DepositRefundTake trainer, Case memory one, Status status, uint256 taken)
        private
        view
    {
        (Status actual, uint256 actuallyTaken,) = trainer.settlement(one.made.position);
        assert(actual == status);
        assert(actuallyTaken == taken);
    }
}
