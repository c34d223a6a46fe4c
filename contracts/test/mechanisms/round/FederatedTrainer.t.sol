// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {
    CommitProblem,
    FailReason,
    IFederatedTrainer,
    Revelation,
    RoundPhase,
    SignedCommit
} from "../../../src/interfaces/IFederatedTrainer.sol";
import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {Rule} from "../../../src/libraries/Aggregation.sol";
import {Payments} from "../../../src/libraries/Payments.sol";
import {Shape} from "../../../src/libraries/SoftmaxLosses.sol";
import {UpdateRows} from "../../../src/libraries/UpdateRows.sol";
import {RewardToken} from "../../../src/mechanisms/round/RewardToken.sol";
import {RoundTest} from "../../base/RoundTest.sol";
import {Moving} from "../../base/Tokens.sol";
import {Updates} from "../../base/Updates.sol";

/// @notice Rounds of a federated trainer.
contract FederatedTrainerTest is RoundTest {
    uint256 private constant KEY = 0xb0b;

    /// @dev Three helpful updates, one of zeros and one that harms, as a round should end for them.
    function test_settle_paysHelpfulAndSlashesHarmful() external {
        runToAggregation(five(20, 18, 22, 0, -40));
        assertEq(trainer.status().admitted, 15, "admitted");

        int256[][] memory rows = new int256[][](5);
        for (uint256 i; i < 5; ++i) {
            rows[i] = updateOf([int256(20), 18, 22, 0, -40][i]);
        }
        uint256[] memory expected =
            Updates.losses(Shape(2, 2, 16, 4), new int256[](6), rows, items(trainer.status().part));
        uint256[] memory actual = trainer.losses();
        for (uint256 i; i < expected.length; ++i) {
            assertEq(actual[i], expected[i], "loss");
        }

        finish();
        int256[][] memory admitted = new int256[][](4);
        for (uint256 i; i < 4; ++i) {
            admitted[i] = rows[i];
        }
        uint256[] memory model = Updates.words(Updates.aggregate(Rule.TrimmedMean, admitted, 1));
        assertEq(classifier.words(0, 1)[0], model[0], "model");
        assertEq(trainer.modelOf(1), keccak256(abi.encodePacked(model)), "model of version");

        uint256 total;
        for (uint256 i; i < 5; ++i) {
            uint256 gain = expected[2 + i] > expected[1] ? expected[2 + i] - expected[1] : 0;
            total += gain;
        }
        uint256 paid;
        for (uint256 i; i < 5; ++i) {
            uint256 gain = expected[2 + i] > expected[1] ? expected[2 + i] - expected[1] : 0;
            assertEq(rewardOf(authorOf(i)), EMISSION * gain / total, "reward");
            assertTrue((i < 3) == (gain > 0), "who helps");
            assertEq(balanceOf(authorOf(i)), i == 4 ? STAKE - SLASH : STAKE, "balance");
            paid += rewardOf(authorOf(i));
        }
        assertTrue(paid <= EMISSION && paid > EMISSION - 5, "paid");
        assertEq(trainer.forfeited(), SLASH, "forfeited");
        assertEq(trainer.status().number, 1, "next round");
        assertEq(trainer.status().version, 1, "version");
        assertPhase(RoundPhase.Open);
        checkMoney(5);
    }

    function test_settle_splitsRewardOfEqualUpdates() external {
        runToAggregation(five(30, 30, 30, 10, 40));
        finish();
        uint256 copy = rewardOf(authorOf(0));
        assertEq(rewardOf(authorOf(1)), copy, "second copy");
        assertEq(rewardOf(authorOf(2)), copy, "third copy");
        uint256 paid = 3 * copy + rewardOf(authorOf(3)) + rewardOf(authorOf(4));
        assertTrue(paid <= EMISSION && paid + 5 > EMISSION, "emission");
        assertTrue(copy < rewardOf(authorOf(4)), "copies earn less than one of their kind");
    }

    /// @dev The emission is halved after two versions, and minted to whoever helped.
    function test_collect_mintsHalvingEmission() external {
        for (uint256 round; round < 3; ++round) {
            runToAggregation(five(20 - int256(round), 18, 22, 19, 21));
            finish();
        }
        uint256 sum;
        for (uint256 i; i < 5; ++i) {
            uint256 amount = rewardOf(authorOf(i));
            sum += amount;
            if (amount == 0) continue;
            vm.prank(authorOf(i));
            trainer.collect();
            RewardToken token_ = RewardToken(address(reward));
            assertEq(token_.balanceOf(authorOf(i)), amount, "balance");
            assertEq(token_.getVotes(authorOf(i)), amount, "votes");
            vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, authorOf(i)));
            vm.prank(authorOf(i));
            trainer.collect();
        }
        assertTrue(sum > 0 && sum <= EMISSION * 5 / 2, "emissions");
        checkMoney(5);
    }

    function test_score_sumsSplitSamplesInOrder() external {
        commitAll(five(20, 18, 22, 0, -40));
        revealAll();
        drawAndReveal();
        bytes memory samples = items(trainer.status().part);
        bytes memory all = joined(31);
        uint256 n = samples.length / 3;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.WrongSampleRange.selector, 1, 1, 0, n));
        trainer.score(1, 1, all, samples);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.WrongSampleRange.selector, 0, n + 1, 0, n));
        trainer.score(0, n + 1, all, samples);
        trainer.score(0, 1, all, samples);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.WrongSampleRange.selector, 0, 1, 1, n));
        trainer.score(0, 1, all, samples);
        trainer.score(1, n - 1, all, samples);
        assertEq(trainer.status().admitted, 15, "admitted");
    }

    function test_score_logsEachValue() external {
        commitAll(five(20, 18, 22, 0, -40));
        for (uint256 i = 1; i < 5; ++i) {
            trainer.reveal(revelation(i));
        }
        vm.warp(block.timestamp + REVEAL_WAIT);
        drawAndReveal();
        bytes memory samples = items(trainer.status().part);
        int256[][] memory rows = new int256[][](4);
        for (uint256 i; i < 4; ++i) {
            rows[i] = updateOf([int256(18), 22, 0, -40][i]);
        }
        uint256[] memory sums = Updates.losses(Shape(2, 2, 16, 4), new int256[](6), rows, samples);
        uint256 n = samples.length / 3;
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.SamplesScored(0, 0, n);
        for (uint256 i; i < 4; ++i) {
            vm.expectEmit(address(trainer));
            emit IFederatedTrainer.Scored(0, authorOf(i + 1), int256(sums[2 + i]) - int256(sums[1]), i < 3);
        }
        trainer.score(0, n, joined(30), samples);
        assertEq(trainer.status().admitted, 14, "admitted");
    }

    function test_aggregate_logsDeltasAndRoot() external {
        runToAggregation(five(20, 18, 22, 0, -40));
        int256[][] memory rows = new int256[][](4);
        for (uint256 i; i < 4; ++i) {
            rows[i] = updateOf([int256(20), 18, 22, 0][i]);
        }
        uint256[] memory model = Updates.words(Updates.aggregate(Rule.TrimmedMean, rows, 1));
        bytes memory admitted = joined(15);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Aggregated(0, 1, keccak256(abi.encodePacked(model)), model);
        trainer.aggregate(admitted);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.NotInPhase.selector, RoundPhase.Settle, RoundPhase.Aggregate
            )
        );
        trainer.aggregate(admitted);
    }

    function test_score_failsIfBytesDiffer() external {
        commitAll(five(20, 18, 22, 0, -40));
        revealAll();
        drawAndReveal();
        bytes memory samples = items(trainer.status().part);
        bytes memory all = joined(31);
        all[40] = 0x01;
        vm.expectRevert();
        trainer.score(0, 1, all, samples);
        all = joined(31);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.WrongUpdateLength.selector, 128, 160));
        trainer.score(0, 1, joined(15), samples);
        samples[0] = 0x01;
        vm.expectRevert();
        trainer.score(0, 1, all, samples);
    }

    function test_aggregate_takesExactlyTheAdmitted() external {
        runToAggregation(five(20, 18, 22, 0, -40));
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.WrongUpdateLength.selector, 160, 128));
        trainer.aggregate(joined(31));
        bytes memory other = joined(23);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.HashDiffers.selector, 3, keccak256(updates[4]), keccak256(updates[3])
            )
        );
        trainer.aggregate(other);
        finish();
    }

    function test_reveal_forfeitsStakeOfUnrevealed() external {
        commitAll(five(20, 18, 22, 19, -40));
        for (uint256 i; i < 4; ++i) {
            trainer.reveal(revelation(i));
        }
        assertPhase(RoundPhase.Reveal);
        vm.warp(block.timestamp + REVEAL_WAIT);
        assertPhase(RoundPhase.Draw);
        Revelation[] memory late = revelation(4);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Draw, RoundPhase.Reveal)
        );
        trainer.reveal(late);
        drawAndReveal();
        scoreAll();
        finish();
        assertEq(balanceOf(authorOf(4)), 0, "unrevealed");
        assertEq(trainer.forfeited(), STAKE, "forfeited");
        trainer.burn();
        assertEq(token.balanceOf(0x000000000000000000000000000000000000dEaD), STAKE, "burned");
        checkMoney(5);
    }

    function test_reveal_failsIfBoundToOthers() external {
        bytes memory update = Updates.encode(updateOf(20), 8);
        fund(authorOf(0), STAKE);
        fund(authorOf(1), STAKE);
        commit(authorOf(0), update);
        // Another author copies the commitment.
        bytes32 hash = hashOf(authorOf(0), update, 0, 0);
        vm.prank(authorOf(1));
        trainer.commit(hash);
        updates.push(update);
        vm.warp(block.timestamp + OPEN_WAIT);
        bytes32 own = hashOf(authorOf(1), update, 0, 0);
        Revelation[] memory copied = revelation(1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.HashDiffers.selector, 1, own, hash));
        trainer.reveal(copied);

        Revelation[] memory stale = revelation(0);
        stale[0].baseVersion = 7;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.StaleBase.selector, 7, 0));
        trainer.reveal(stale);
        Revelation[] memory unknown = revelation(0);
        unknown[0].index = 2;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NothingToReveal.selector, 2, 2));
        trainer.reveal(unknown);
        Revelation[] memory guarded = revelation(0);
        guarded[0].update = bytes.concat(bytes1(0x80), new bytes(31));
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.GuardBitSet.selector, 0));
        trainer.reveal(guarded);
        trainer.reveal(revelation(0));
        // Again: nothing changes.
        trainer.reveal(revelation(0));
        assertEq(trainer.status().revealed, 1, "revealed");
    }

    function test_commit_failsIfItMayNot() external {
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.CannotCommit.selector, authorOf(0), CommitProblem.BalanceTooLow
            )
        );
        vm.prank(authorOf(0));
        trainer.commit(SALT);
        fund(authorOf(0), 2 * STAKE);
        commit(authorOf(0), "");
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.CannotCommit.selector, authorOf(0), CommitProblem.CommittedAlready
            )
        );
        vm.prank(authorOf(0));
        trainer.commit(SALT);
        fund(OWNER, STAKE);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.CannotCommit.selector, OWNER, CommitProblem.Owner)
        );
        vm.prank(OWNER);
        trainer.commit(SALT);
    }

    function test_relay_takesSignedAndSkipsOthers() external {
        address author = vm.addr(KEY);
        fund(author, 2 * STAKE);
        SignedCommit[] memory commits = new SignedCommit[](3);
        commits[0] = SignedCommit(author, SALT, block.timestamp, new bytes(65));
        commits[1] = signed(author, block.timestamp);
        commits[2] = commits[1];
        trainer.relay(commits);
        assertEq(trainer.status().committed, 1, "committed");
        assertEq(balanceOf(author), STAKE, "balance");
        (address committed, bytes32 hash) = trainer.entry(0);
        assertEq(committed, author, "author");
        assertEq(hash, SALT, "hash");
        // Too late, and in another round, the signature is worth nothing.
        vm.warp(block.timestamp + 1);
        trainer.relay(commits);
        vm.warp(block.timestamp + OPEN_WAIT + REVEAL_WAIT);
        trainer.draw();
        commits[0] = commits[1];
        commits[0].deadline = type(uint256).max;
        trainer.relay(commits);
        assertEq(trainer.status().committed, 0, "committed later");
        assertEq(trainer.forfeited(), STAKE, "forfeited");
    }

    function test_draw_failsRoundIfTooFewAreRevealed() external {
        commitAll(five(20, 18, 22, 0, -40));
        trainer.reveal(revelation(0));
        trainer.reveal(revelation(1));
        vm.warp(block.timestamp + REVEAL_WAIT);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(0, FailReason.TooFewUpdates);
        trainer.draw();
        assertEq(balanceOf(authorOf(0)), STAKE, "revealed");
        assertEq(balanceOf(authorOf(2)), 0, "unrevealed");
        assertEq(trainer.forfeited(), 3 * STAKE, "forfeited");
        assertEq(trainer.partsLeft(), 3, "no part is used");
        checkMoney(5);
    }

    function test_draw_failsRoundIfHashIsGone() external {
        commitAll(five(20, 18, 22, 0, 4));
        revealAll();
        trainer.draw();
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.DrawTooEarly.selector, block.number, block.number + 2)
        );
        trainer.draw();
        vm.roll(block.number + 300);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(0, FailReason.HashGone);
        trainer.draw();
        checkStakesBack();
    }

    function test_fail_burnsBondIfTestIsNotRevealed() external {
        commitAll(five(20, 18, 22, 0, 4));
        revealAll();
        drawPart();
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.PhaseNotOver.selector, block.timestamp, block.timestamp + REVEAL_WAIT
            )
        );
        trainer.fail();
        vm.warp(block.timestamp + REVEAL_WAIT + 1);
        bytes memory samples = items(trainer.status().part);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.PhaseOver.selector, block.timestamp, block.timestamp - 1)
        );
        trainer.revealTest(SALT, samples);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(0, FailReason.TestNotRevealed);
        trainer.fail();
        checkStakesBack();
        assertEq(trainer.forfeited(), BOND, "bond");
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NoPartLeft.selector));
        vm.prank(authorOf(0));
        trainer.commit(SALT);
        checkMoney(5);
    }

    function test_fail_returnsStakesIfNotScoredOrAggregated() external {
        commitAll(five(20, 18, 22, 0, -40));
        revealAll();
        drawAndReveal();
        vm.warp(block.timestamp + WORK_WAIT + 1);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(0, FailReason.NotScored);
        trainer.fail();
        checkStakesBack();
        runToAggregation(five(20, 18, 22, 0, -40));
        vm.warp(block.timestamp + WORK_WAIT + 1);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(1, FailReason.NotAggregated);
        trainer.fail();
        assertEq(trainer.status().version, 0, "version");
        assertEq(classifier.words(0, 1)[0], 0, "model");
        assertEq(trainer.forfeited(), 0, "nothing is slashed");
        checkMoney(5);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Open, RoundPhase.Test)
        );
        trainer.fail();
    }

    /// @dev Four of five harm by more than the margin: the rule has too few left.
    function test_score_failsRoundIfSieveLeavesTooFew() external {
        commitAll(five(63, -15, -16, -17, -18));
        revealAll();
        drawAndReveal();
        scoreAll();
        assertPhase(RoundPhase.Open);
        assertEq(trainer.status().number, 1, "round");
        checkStakesBack();
    }

    function test_releaseBond_paysWhenPartsAreUsed() external {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.TestSetInUse.selector, 0, 3));
        trainer.releaseBond();
        for (uint256 round; round < 3; ++round) {
            runToAggregation(five(20, 18, 22, 19, 21));
            finish();
        }
        assertEq(trainer.partsLeft(), 0, "parts");
        vm.prank(OWNER);
        trainer.releaseBond();
        vm.prank(OWNER);
        trainer.withdraw(BOND);
        assertEq(token.balanceOf(OWNER), BOND, "bond");
    }

    function test_revealTest_failsIfNotCommitted() external {
        commitAll(five(20, 18, 22, 0, 4));
        revealAll();
        drawPart();
        bytes memory samples = items(trainer.status().part);
        vm.expectRevert();
        trainer.revealTest(bytes32(0), samples);
        samples[1] = 0x01;
        vm.expectRevert();
        trainer.revealTest(SALT, samples);
    }

    function test_deposit_refusesTokenThatKeepsFee() external {
        token.mint(authorOf(0), STAKE);
        token.moveSo(Moving.KeepsFee);
        vm.expectRevert(
            abi.encodeWithSelector(
                IFederatedTrainer.TokenMovedOtherAmount.selector, STAKE - STAKE / 100, STAKE
            )
        );
        vm.prank(authorOf(0));
        trainer.deposit(STAKE);
    }

    /// @dev A token that calls back finds each function locked, and moves what it was told.
    function test_withdraw_locksOutReentrantToken() external {
        fund(authorOf(0), STAKE);
        bytes[4] memory attacks = [
            abi.encodeCall(IFederatedTrainer.withdraw, (STAKE)),
            abi.encodeCall(IFederatedTrainer.deposit, (STAKE)),
            abi.encodeCall(IFederatedTrainer.draw, ()),
            abi.encodeCall(IFederatedTrainer.commit, (SALT))
        ];
        for (uint256 i; i < attacks.length; ++i) {
            token.callBack(address(trainer), attacks[i]);
            vm.prank(authorOf(0));
            trainer.withdraw(10);
            assertEq(bytes32(token.answer()), bytes32(bytes4(0xab143c06)), "reentrancy");
        }
        assertEq(balanceOf(authorOf(0)), STAKE - 40, "balance");
    }

    function test_withdraw_failsIfLocked() external {
        fund(authorOf(0), STAKE);
        commit(authorOf(0), "");
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.StakeBalanceTooLow.selector, 1, 0));
        vm.prank(authorOf(0));
        trainer.withdraw(1);
    }

    function test_commitTest_failsIfNotOwnerOrInUse() external {
        bytes32[] memory commitments = new bytes32[](1);
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, address(this), OWNER));
        trainer.commitTest(commitments);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.TestSetInUse.selector, 0, 3));
        vm.prank(OWNER);
        trainer.commitTest(commitments);
    }

    function test_commitTest_failsIfModelIsNotOurs() external {
        (trainer, classifier) = create(Rule.Mean, 0);
        fund(OWNER, BOND);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NotOurs.selector, classifier, address(0)));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](1));
        vm.prank(OWNER);
        classifier.close(address(trainer));
        address other = RewardToken(address(reward)).trainer();
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NotOurs.selector, reward, other));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](1));
    }

    function test_initialize_failsIfOutOfBounds() external {
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        trainer.initialize();
        // Three of six clients can be bad, but not four: the median of 6 needs 7.
        create(Rule.Median, 2);
        vm.expectRevert(
            abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("clients"), MAX_CLIENTS)
        );
        this.tryCreate(Rule.Median, 3);
        vm.expectRevert(
            abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("clients"), MAX_CLIENTS)
        );
        this.tryCreate(Rule.MultiKrum, 2);
    }

    function tryCreate(Rule rule, uint256 f) external {
        create(rule, f);
    }

    /// @dev Reverts unless the five authors have their stakes back.
    function checkStakesBack() private view {
        for (uint256 i; i < 5; ++i) {
            assertEq(balanceOf(authorOf(i)), STAKE, "stake");
        }
    }

    /// @dev Reverts unless the trainer holds what accounts, bond and forfeits are together. No round
    /// is under way.
    function checkMoney(uint256 authors) private view {
        uint256 sum = trainer.forfeited() + balanceOf(OWNER);
        for (uint256 i; i < authors; ++i) {
            sum += balanceOf(authorOf(i));
        }
        uint256 held = token.balanceOf(address(trainer));
        // The bond is locked unless it was forfeited.
        assertTrue(held == sum || held == sum + BOND, "money");
        assertTrue(held == sum + BOND || trainer.partsLeft() == 0, "bond");
    }

    function signed(address author, uint256 deadline) private view returns (SignedCommit memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("cotrain federated"),
                keccak256("1"),
                block.chainid,
                trainer
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(keccak256("Commit(uint256 round,bytes32 hash,uint256 deadline)"), 0, SALT, deadline)
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return SignedCommit(author, SALT, deadline, abi.encodePacked(r, s, v));
    }
}
