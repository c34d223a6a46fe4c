// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Status} from "../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {Claims} from "../../src/libraries/Claims.sol";
import {Payments} from "../../src/libraries/Payments.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {HostileWallet, Receiving} from "../base/HostileWallet.sol";
import {Lie, LyingClassifier} from "../base/LyingClassifier.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign} from "../base/Sign.sol";
import {Vm} from "../base/Vm.sol";

/// @notice Claims of many contributions at once, on a model that predicts the label 0 until a test
/// sets another.
contract ClaimsTest is ModelTest {
    using MerkleTreeLib for bytes32[];

    /// @dev A claim that the trainer must skip, and the reason.
    struct Skip {
        uint256 position;
        bytes reason;
    }

    ICollaborativeTrainer private trainer;
    LyingClassifier private classifier;
    mapping(address author => uint256) private nextNonce;
    /// @dev Expected skips of a fuzzed claim.
    Skip[] private expected;
    mapping(address author => uint256) private credit;

    constructor() {
        address lying = address(new LyingClassifier());
        vm.prank(OWNER);
        (address created, address model) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            lying,
            ""
        );
        (trainer, classifier) = (ICollaborativeTrainer(created), LyingClassifier(model));
        vm.deal(address(this), 1e30);
        vm.deal(ALICE, 1e30);
        for (uint256 key = 1; key <= 5; ++key) {
            trainer.depositTo{value: 1e27}(vm.addr(key));
        }
    }

    // ---------------------------------------------------------------- Groups

    /// @dev Takes any subset of any tree with many authors, with labels that the model predicts or
    /// not. If a stranger pushes the claims, exactly the agreeing ones are credited.
    function testFuzz_refund_takesAnySubset(uint256 n, uint256 chosen, uint256 seed) external {
        n = bound(n, 1, 40);
        Contribution[] memory made = contributeRandom(n, seed);
        pass(REFUND_WAIT);
        uint256[] memory indices = subset(n, chosen);
        expectRefunds(made, indices);
        requireExpected(Groups.some(made, indices), indices.length);
        for (uint256 i; i < n; ++i) {
            bool closed = made[i].label == 0 && contains(indices, i);
            Status status = closed ? Status.Closed : Status.Untouched;
            requireSettlement(trainer, made[i].position, status, 0, address(0));
        }
    }

    /// @dev Takes any subsets of several transactions at once.
    function testFuzz_refund_takesAnyGroups(uint256 count, uint256 seed) external {
        count = bound(count, 2, 5);
        bytes memory claims;
        uint256 all;
        for (uint256 i; i < count; ++i) {
            Contribution[] memory made = contributeRandom(1 + (seed >> 8 * i) % 9, seed >> i);
            uint256[] memory indices = subset(made.length, seed >> i);
            expectRefunds(made, indices);
            claims = bytes.concat(claims, Groups.some(made, indices));
            all += indices.length;
            pass(100);
        }
        pass(REFUND_WAIT);
        requireExpected(claims, all);
    }

    /// @dev With 300 contributions, the counts need two bytes, there are many flags, and the
    /// statuses take three words.
    function test_refund_takesThreeHundred() external {
        uint256[] memory labels = new uint256[](300);
        bytes[] memory samples = new bytes[](300);
        Contribution[] memory made = contributeMany(trainer, ALICE, labels, samples);
        pass(REFUND_WAIT);
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        trainer.refund(Groups.all(made));
        assertEq(ALICE.balance, before + 300 * uint256(made[0].deposit), "paid");
        assertEq(trainer.good(ALICE), 300, "good");
    }

    function test_claimLate_takesGroupsInAnyOrder() external {
        Contribution[] memory first = contributeRandom(5, 0);
        Contribution[] memory second = contributeRandom(3, 0);
        pass(ANY_WAIT);
        vm.prank(BOB);
        trainer.claimLate(bytes.concat(Groups.all(second), Groups.one(first, 4), Groups.one(first, 1)));
        requireSettlement(trainer, first[1].position, Status.Closed, 0, address(0));
        requireSettlement(trainer, first[4].position, Status.Closed, 0, address(0));
        requireSettlement(trainer, first[0].position, Status.Untouched, 0, address(0));
        requireSettlement(trainer, second[2].position, Status.Closed, 0, address(0));
    }

    /// @dev The last byte of five flags has three unused bits.
    function test_claimLate_ignoresUnusedFlagBits() external {
        Contribution[] memory made = contributeRandom(6, 0);
        pass(ANY_WAIT);
        bytes memory claims = Groups.all(made);
        uint256 last = claims.length - 1;
        assertEq(uint8(claims[last]), 0xf8, "five flags");
        claims[last] = 0xff;
        vm.prank(BOB);
        trainer.claimLate(claims);
    }

    // ---------------------------------------------------------------- Proofs

    /// @dev These proofs lead to another root: another order, one contribution twice, a node more
    /// or less, other flags.
    function test_claimLate_failsIfProofIsWrong() external {
        Contribution[] memory made = contributeRandom(7, 0);
        pass(ANY_WAIT);
        uint256[] memory indices = new uint256[](2);
        (indices[0], indices[1]) = (1, 4);
        (bytes32[] memory nodes, bool[] memory flags) = Groups.tree(made).multiProofForLeaves(indices);
        Contribution[] memory chosen = new Contribution[](2);

        (chosen[0], chosen[1]) = (made[4], made[1]);
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        (chosen[0], chosen[1]) = (made[1], made[1]);
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        (chosen[0], chosen[1]) = (made[4], made[4]);
        requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
        (chosen[0], chosen[1]) = (made[1], made[4]);
        for (uint256 i; i < flags.length; ++i) {
            flags[i] = !flags[i];
            requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
            flags[i] = !flags[i];
        }
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = ~nodes[i];
            requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
            nodes[i] = ~nodes[i];
        }
        bytes32[] memory otherNodes = new bytes32[](nodes.length + 1);
        requireUnknown(0, Groups.encode(0, chosen, otherNodes, new bool[](flags.length + 1)));
        otherNodes = new bytes32[](nodes.length - 1);
        requireUnknown(0, Groups.encode(0, chosen, otherNodes, new bool[](flags.length - 1)));
        vm.prank(BOB);
        trainer.claimLate(Groups.encode(0, chosen, nodes, flags));
    }

    /// @dev Tries all flags, and all nodes of the tree if a proof needs a node.
    function test_claimLate_failsIfOneIsTwiceInGroup() external {
        Contribution[] memory made = contributeRandom(2, 0);
        pass(ANY_WAIT);
        Contribution[] memory chosen = new Contribution[](3);
        (chosen[0], chosen[1], chosen[2]) = (made[0], made[0], made[1]);
        bool[] memory flags = new bool[](2);
        for (uint256 bits; bits < 4; ++bits) {
            (flags[0], flags[1]) = (bits & 1 != 0, bits & 2 != 0);
            requireUnknown(0, Groups.encode(0, chosen, new bytes32[](0), flags));
        }
        bytes32[] memory tree = Groups.tree(made);
        bytes32[] memory nodes = new bytes32[](1);
        flags = new bool[](3);
        for (uint256 bits; bits < 8; ++bits) {
            for (uint256 i; i < 3; ++i) {
                flags[i] = bits >> i & 1 != 0;
            }
            for (uint256 i; i < tree.length; ++i) {
                nodes[0] = tree[i];
                requireUnknown(0, Groups.encode(0, chosen, nodes, flags));
            }
        }
    }

    /// @dev Only the position of a transaction's first contribution has its root; other positions
    /// have none.
    function test_claimLate_failsIfFirstPositionIsWrong() external {
        Contribution[] memory made = contributeRandom(3, 0);
        pass(ANY_WAIT);
        bytes memory claims = Groups.all(made);
        for (uint8 position = 1; position < 5; ++position) {
            claims[7] = bytes1(position);
            requireUnknown(position, claims);
        }
    }

    /// @dev The only contribution of a transaction needs no proof, and no nodes prove another one.
    function test_claimLate_failsIfOneAloneHasNodes() external {
        Contribution[] memory made = contributeRandom(1, 0);
        pass(ANY_WAIT);
        bytes32[] memory nodes = new bytes32[](1);
        nodes[0] = Groups.leaf(made[0]);
        requireUnknown(0, Groups.encode(0, made, nodes, new bool[](1)));
        made[0].deposit += 1;
        requireUnknown(0, Groups.encode(0, made, nodes, new bool[](1)));
        requireUnknown(0, alone(made[0]));
    }

    function test_claimLate_failsIfLaterGroupIsUnknown() external {
        Contribution[] memory first = contributeRandom(3, 0);
        Contribution[] memory second = contributeRandom(3, 0);
        pass(ANY_WAIT);
        second[1].label ^= 1;
        requireUnknown(3, bytes.concat(Groups.all(first), Groups.all(second)));
        requireSettlement(trainer, 0, Status.Untouched, 0, address(0));
    }

    // ---------------------------------------------------------------- Encoding

    function test_claims_failIfThereAreNone() external {
        requireAllFail("", abi.encodeWithSelector(ICollaborativeTrainer.NoClaims.selector));
    }

    function test_claims_failIfGroupIsEmpty() external {
        bytes memory empty = abi.encodePacked(uint64(0), uint16(0), uint16(1), bytes32(0));
        requireAllFail(empty, malformed(0));
        Contribution[] memory made = contributeRandom(2, 0);
        pass(ANY_WAIT);
        bytes memory claims = Groups.all(made);
        requireAllFail(bytes.concat(claims, empty), malformed(claims.length));
    }

    /// @dev Cuts the claims anywhere but between two groups.
    function test_claims_failIfCut() external {
        Contribution[] memory made = contributeRandom(5, 0);
        bytes memory first = Groups.one(made, 1);
        made = contributeRandom(6, 0);
        uint256[] memory indices = subset(6, 0x2d);
        bytes memory claims = bytes.concat(first, Groups.some(made, indices));
        pass(ANY_WAIT);
        for (uint256 length = 1; length < claims.length; ++length) {
            if (length == first.length) continue;
            requireAllFail(
                Groups.slice(claims, 0, length), malformed(length < first.length ? 0 : first.length)
            );
        }
        vm.prank(BOB);
        trainer.claimLate(claims);
    }

    /// @dev Claims the maximum number of contributions, nodes and bytes of samples, without having
    /// them.
    function test_claims_failIfCountsRunPastEnd() external {
        Contribution[] memory made = contributeRandom(1, 0);
        pass(ANY_WAIT);
        bytes memory claims = alone(made[0]);
        (claims[8], claims[9]) = (0xff, 0xff);
        requireAllFail(claims, malformed(0));
        claims = alone(made[0]);
        (claims[10], claims[11]) = (0xff, 0xff);
        requireAllFail(claims, malformed(0));
        claims = alone(made[0]);
        (claims[59], claims[60]) = (0xff, 0xff);
        requireAllFail(claims, malformed(0));
    }

    // ---------------------------------------------------------------- Skips

    function test_refund_skipsWithReason() external {
        Contribution[] memory made = contributeLabels("0,1,0,0");
        pass(10);
        Contribution[] memory later = contributeLabels("1,0");
        vm.warp(made[0].time + REFUND_WAIT);
        trainer.refund(Groups.one(made, 2));
        expected.push(Skip(1, abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 1, 0)));
        expected.push(Skip(2, nothingLeft(2)));
        expected.push(Skip(4, tooEarly(later[0].time + REFUND_WAIT)));
        expected.push(Skip(5, tooEarly(later[0].time + REFUND_WAIT)));
        (credit[made[0].author], credit[made[3].author]) = (made[0].deposit, made[3].deposit);
        requireExpected(bytes.concat(Groups.all(made), Groups.all(later)), 6);
    }

    function test_report_skipsWithReason() external {
        Contribution[] memory made = contributeLabels("1,1,0,1,0");
        pass(10);
        Contribution[] memory later = contributeLabels("1");
        vm.warp(made[0].time + REFUND_WAIT);
        // The author of the third has the only good contribution, so the share is the whole
        // deposit.
        address reporter = made[2].author;
        trainer.refund(Groups.one(made, 2));
        vm.prank(reporter);
        trainer.report(Groups.one(made, 3));
        expected.push(
            Skip(2, abi.encodeWithSelector(ICollaborativeTrainer.OwnContribution.selector, reporter))
        );
        // One report took the whole deposit.
        expected.push(Skip(3, nothingLeft(3)));
        expected.push(Skip(4, abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 0)));
        expected.push(Skip(5, tooEarly(later[0].time + REFUND_WAIT)));
        uint256 before = reporter.balance;
        vm.recordLogs();
        vm.prank(reporter);
        trainer.report(bytes.concat(Groups.all(made), Groups.all(later)));
        requireSkips();
        assertEq(reporter.balance, before + 2 * uint256(made[0].deposit), "the first two");
    }

    function test_report_skipsAlreadyReported() external {
        Contribution[] memory made = contributeLabels("0,0,1,1");
        pass(REFUND_WAIT);
        uint256[] memory indices = subset(4, 3);
        trainer.refund(Groups.some(made, indices));
        address reporter = made[0].author;
        vm.prank(reporter);
        trainer.report(Groups.one(made, 2));
        expected.push(
            Skip(2, abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, 2, reporter))
        );
        uint256 before = reporter.balance;
        vm.recordLogs();
        vm.prank(reporter);
        trainer.report(Groups.some(made, subset(4, 12)));
        requireSkips();
        assertEq(reporter.balance, before + made[3].deposit / 2, "half of the other one");
    }

    function test_report_failsWithFirstReasonIfReporterHasNoGood() external {
        Contribution[] memory made = contributeLabels("1,1");
        pass(REFUND_WAIT);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NoGoodContribution.selector, BOB));
        vm.prank(BOB);
        trainer.report(Groups.all(made));
    }

    function test_claimLate_skipsWithReason() external {
        Contribution[] memory made = contributeLabels("0,1");
        pass(10);
        Contribution[] memory later = contributeLabels("1");
        vm.warp(made[0].time + ANY_WAIT);
        trainer.refund(Groups.one(made, 0));
        expected.push(Skip(0, nothingLeft(0)));
        expected.push(Skip(2, tooEarly(later[0].time + ANY_WAIT)));
        uint256 before = BOB.balance;
        vm.recordLogs();
        vm.prank(BOB);
        trainer.claimLate(bytes.concat(Groups.all(made), Groups.all(later)));
        requireSkips();
        assertEq(BOB.balance, before + made[1].deposit, "the second");
        // The owner's wait is over.
        vm.prank(OWNER);
        trainer.claimLate(Groups.all(later));
    }

    function test_claims_failWithFirstReasonIfAllAreSkipped() external {
        Contribution[] memory made = contributeLabels("1,0,1");
        pass(REFUND_WAIT);
        trainer.refund(Groups.one(made, 1));
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 1, 0));
        trainer.refund(Groups.all(made));
        vm.expectRevert(nothingLeft(1));
        trainer.refund(bytes.concat(Groups.one(made, 1), Groups.all(made)));
        vm.expectRevert(tooEarly(made[0].time + ANY_WAIT));
        trainer.claimLate(Groups.all(made));
    }

    /// @dev The contribution is closed when it comes again in another group.
    function test_refund_paysOnceIfInTwoGroups() external {
        Contribution[] memory made = contributeLabels("0,0,0");
        pass(REFUND_WAIT);
        expected.push(Skip(1, nothingLeft(1)));
        for (uint256 i; i < 3; ++i) {
            credit[made[i].author] += made[i].deposit;
        }
        requireExpected(bytes.concat(Groups.one(made, 1), Groups.all(made)), 4);
        assertEq(trainer.totalGood(), 3, "good");
    }

    // ---------------------------------------------------------------- Payments

    /// @dev One call pays out the caller's own refund and credits the pushed refunds of others.
    function test_refund_paysOwnAndCreditsPushed() external {
        Contribution[] memory made = contributeLabels("0,0,0,0,0,0");
        pass(REFUND_WAIT);
        address caller = made[1].author;
        uint256 deposit = made[0].deposit;
        (uint256 before, uint256 prepaid) = (caller.balance, trainer.balanceOf(caller));
        uint256 other = trainer.balanceOf(made[0].author);
        vm.prank(caller);
        trainer.refund(Groups.all(made));
        assertEq(caller.balance, before + deposit, "paid");
        assertEq(trainer.balanceOf(caller), prepaid, "not credited too");
        assertEq(made[0].author, made[5].author, "two of one author");
        assertEq(trainer.balanceOf(made[0].author), other + 2 * deposit, "credited");
        assertEq(trainer.good(made[0].author), 2, "good");
        assertEq(trainer.totalGood(), 6, "all");
    }

    /// @dev An author can spend a pushed refund without withdrawing it.
    function test_refund_canBeSpentIfPushed() external {
        vm.deal(vm.addr(99), trainer.price(1));
        Contribution memory made = contribute(trainer, vm.addr(99), 0, hex"");
        pass(REFUND_WAIT);
        trainer.refund(alone(made));
        assertEq(trainer.balanceOf(made.author), made.deposit, "credited");
        uint256 price = trainer.price(1);
        trainer.relay(Sign.encode(signed(trainer, 99, 0, Encode.item(0, hex""))), GAS_PER_BATCH);
        assertEq(trainer.contributionCount(), 2, "contributed");
        assertEq(trainer.balanceOf(made.author), made.deposit - price, "spent");
    }

    function test_refund_paysAllAtOnce() external {
        HostileWallet wallet = new HostileWallet();
        Contribution[] memory made = contributeAs(wallet, 6);
        pass(REFUND_WAIT);
        bytes[4] memory attacks = [
            abi.encodeCall(trainer.refund, (Groups.one(made, 5))),
            abi.encodeCall(trainer.report, (Groups.one(made, 5))),
            abi.encodeCall(trainer.claimLate, (Groups.one(made, 5))),
            abi.encodeCall(trainer.withdrawTo, (address(wallet), 0))
        ];
        for (uint256 i; i < 4; ++i) {
            wallet.receiveSo(Receiving.Reenters, attacks[i]);
            uint256 before = address(wallet).balance;
            // After the first round, one of the two is already closed.
            uint256[] memory indices = subset(6, 3 * 2 ** i);
            wallet.execute(address(trainer), 0, abi.encodeCall(trainer.refund, (Groups.some(made, indices))));
            uint256 count = i == 0 ? 2 : 1;
            assertEq(address(wallet).balance, before + count * made[0].deposit, "paid");
            assertEq(wallet.attacks(), i + 1, "one payment");
            assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
        }
        requireSettlement(trainer, 5, Status.Untouched, 0, address(0));
    }

    /// @dev An author that refuses payments loses nothing: a stranger pushes the refund, and the
    /// author withdraws the balance to another address.
    function test_refund_failsIfReceiverRefuses() external {
        HostileWallet wallet = new HostileWallet();
        Contribution[] memory made = contributeAs(wallet, 2);
        pass(REFUND_WAIT);
        uint256 amount = 2 * uint256(made[0].deposit);
        bytes memory claims = Groups.all(made);
        for (uint256 i; i < 2; ++i) {
            wallet.receiveSo(i == 0 ? Receiving.Refuses : Receiving.BurnsGas, "");
            vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, address(wallet), amount));
            wallet.execute{gas: 5_000_000}(address(trainer), 0, abi.encodeCall(trainer.refund, (claims)));
        }
        requireSettlement(trainer, 0, Status.Untouched, 0, address(0));
        assertEq(trainer.good(address(wallet)), 0, "nothing happened");

        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.cancelNonces, (0)));
        vm.prank(BOB);
        trainer.refund(claims);
        assertEq(trainer.balanceOf(address(wallet)), amount, "credited");
        uint256 before = CAROL.balance;
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.withdrawTo, (CAROL, amount)));
        assertEq(CAROL.balance, before + amount, "withdrawn elsewhere");
    }

    function test_report_paysAllAtOnce() external {
        Contribution[] memory made = contributeLabels("0,0,0,1,1,1");
        pass(REFUND_WAIT);
        trainer.refund(Groups.some(made, subset(6, 7)));
        address reporter = made[1].author;
        uint256 before = reporter.balance;
        bytes memory claims = Groups.some(made, subset(6, 0x38));
        vm.prank(reporter);
        trainer.report(claims);
        uint256 share = made[0].deposit / 3;
        assertEq(reporter.balance, before + 3 * share, "a third of each");
        for (uint256 i = 3; i < 6; ++i) {
            requireSettlement(trainer, i, Status.Reported, share, reporter);
        }
        reporter = made[2].author;
        vm.prank(reporter);
        trainer.report(claims);
        requireSettlement(trainer, 5, Status.Reported, 2 * share, made[1].author);
        // The late claimer gets the rest.
        pass(ANY_WAIT);
        before = BOB.balance;
        vm.prank(BOB);
        trainer.claimLate(claims);
        assertEq(BOB.balance, before + 3 * (made[0].deposit - 2 * share), "left");
        requireSettlement(trainer, 5, Status.Closed, 2 * share, made[1].author);
    }

    // ---------------------------------------------------------------- Classifiers

    /// @dev If the classifier fails, refunds and reports fail with its error, and late claims do
    /// not ask it.
    function test_claims_failWithClassifiersError() external {
        Contribution[] memory made = contributeRandom(5, 0);
        pass(ANY_WAIT);
        bytes memory claims = Groups.all(made);
        uint256 start = vm.snapshotState();
        for (uint256 i = uint256(Lie.Reverts); i <= uint256(Lie.WrongOffset); ++i) {
            Lie lie = Lie(i);
            bytes memory reason = abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector);
            if (lie == Lie.Reverts) reason = abi.encodeWithSelector(LyingClassifier.Lied.selector, 7);
            if (lie == Lie.RevertsHuge) reason = bytes.concat(bytes32(type(uint256).max), new bytes(224));
            // In a static call, its reentering has no effect, and then it answers right.
            if (lie == Lie.Reenters) continue;
            classifier.tell(0, lie, lie);
            vm.expectRevert(reason);
            trainer.refund{gas: 5_000_000}(claims);
            vm.expectRevert(reason);
            trainer.report{gas: 5_000_000}(claims);
            vm.prank(BOB);
            trainer.claimLate{gas: 5_000_000}(claims);
            vm.revertToState(start);
        }
    }

    /// @dev The trainer does not copy bytes after the labels.
    function test_refund_ignoresWhatFollowsLabels() external {
        Contribution[] memory made = contributeLabels("0,0");
        pass(REFUND_WAIT);
        classifier.tell(0, Lie.None, Lie.Huge);
        trainer.refund(Groups.all(made));
        assertEq(trainer.totalGood(), 2, "good");
    }

    function test_refund_ignoresReenteringPredict() external {
        Contribution[] memory made = contributeLabels("0,0");
        pass(REFUND_WAIT);
        classifier.tell(0, Lie.None, Lie.Reenters);
        classifier.tellAttack(abi.encodeCall(trainer.refund, (Groups.all(made))));
        trainer.refund{gas: 20_000_000}(Groups.all(made));
        assertEq(trainer.totalGood(), 2, "once each");
    }

    // ---------------------------------------------------------------- Helpers

    /// @dev Relays items of five authors in turn, with labels 0 and 1 and random samples.
    function contributeRandom(uint256 n, uint256 seed) private returns (Contribution[] memory made) {
        uint256[] memory labels = new uint256[](n);
        bytes[] memory samples = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            labels[i] = random & 1;
            samples[i] = new bytes(random >> 8 & 0x3f);
            if (samples[i].length != 0) samples[i][0] = bytes1(uint8(random >> 16));
        }
        return relay(labels, samples);
    }

    /// @dev Relays items of five authors in turn, with these labels.
    function contributeLabels(string memory labels) private returns (Contribution[] memory) {
        uint256[] memory list = Encode.list(labels);
        return relay(list, new bytes[](list.length));
    }

    function relay(uint256[] memory labels, bytes[] memory samples)
        private
        returns (Contribution[] memory made)
    {
        made = madeOf(address(0), trainer.price(labels.length), trainer.contributionCount(), labels, samples);
        bytes memory batches;
        for (uint256 i; i < made.length; ++i) {
            uint256 key = 1 + i % 5;
            made[i].author = vm.addr(key);
            bytes memory items = Encode.item(labels[i], samples[i]);
            batches =
                bytes.concat(batches, Sign.encode(signed(trainer, key, nextNonce[made[i].author]++, items)));
        }
        trainer.relay(batches, GAS_PER_BATCH);
        assertEq(trainer.root(made[0].position), Groups.root(made), "root");
    }

    /// @dev Contributes items of label 0 from a wallet.
    function contributeAs(HostileWallet wallet, uint256 n) private returns (Contribution[] memory) {
        vm.deal(address(wallet), 1e27);
        return contributeMany(trainer, address(wallet), new uint256[](n), new bytes[](n));
    }

    /// @dev Sets the expected skips and credits if a stranger pushes refunds of these indices in
    /// time.
    function expectRefunds(Contribution[] memory made, uint256[] memory indices) private {
        for (uint256 i; i < indices.length; ++i) {
            Contribution memory one = made[indices[i]];
            if (one.label == 0) {
                credit[one.author] += one.deposit;
            } else {
                expected.push(
                    Skip(
                        one.position,
                        abi.encodeWithSelector(ICollaborativeTrainer.PredictionDiffers.selector, 1, 0)
                    )
                );
            }
        }
    }

    /// @dev Refunds as a stranger, and checks that exactly the expected claims are skipped and
    /// credited.
    function requireExpected(bytes memory claims, uint256 count) private {
        if (expected.length == count) {
            vm.expectRevert(expected[0].reason);
            trainer.refund(claims);
            return;
        }
        uint256[] memory before = new uint256[](5);
        for (uint256 i; i < 5; ++i) {
            before[i] = trainer.balanceOf(vm.addr(1 + i));
        }
        uint256 held = address(trainer).balance;
        uint256 good = trainer.totalGood();
        vm.recordLogs();
        vm.prank(BOB);
        trainer.refund(claims);
        requireSkips();
        for (uint256 i; i < 5; ++i) {
            assertEq(trainer.balanceOf(vm.addr(1 + i)), before[i] + credit[vm.addr(1 + i)], "credited");
        }
        assertEq(address(trainer).balance, held, "nothing is paid");
        assertEq(trainer.totalGood(), good + count - expected.length, "good");
    }

    function requireSkips() private {
        Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.ClaimSkipped.selector);
        assertEq(logs.length, expected.length, "skips");
        for (uint256 i; i < logs.length; ++i) {
            assertEq(uint256(logs[i].topics[1]), expected[i].position, "position");
            assertEq(abi.decode(logs[i].data, (bytes)), expected[i].reason, "reason");
        }
    }

    function requireUnknown(uint256 firstPosition, bytes memory claims) private {
        requireAllFail(
            claims, abi.encodeWithSelector(IMechanismErrors.UnknownContribution.selector, firstPosition)
        );
    }

    /// @dev Checks that all three claims fail with the reason.
    function requireAllFail(bytes memory claims, bytes memory reason) private {
        vm.expectRevert(reason);
        trainer.refund(claims);
        vm.expectRevert(reason);
        trainer.report(claims);
        vm.expectRevert(reason);
        trainer.claimLate(claims);
    }

    /// @dev Returns the indices below `n` whose bits are set; index 0 if none is.
    function subset(uint256 n, uint256 bits) private pure returns (uint256[] memory indices) {
        if (bits % 2 ** n == 0) bits = 1;
        indices = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (bits >> i & 1 != 0) indices[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }

    function contains(uint256[] memory indices, uint256 index) private pure returns (bool) {
        for (uint256 i; i < indices.length; ++i) {
            if (indices[i] == index) return true;
        }
        return false;
    }

    function malformed(uint256 offset) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Claims.MalformedClaims.selector, offset);
    }

    function nothingLeft(uint256 position) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, position);
    }

    function tooEarly(uint256 earliest) private view returns (bytes memory) {
        return abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, this.clock(), earliest);
    }
}
