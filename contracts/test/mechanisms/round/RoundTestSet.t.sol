// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {
    FailReason,
    IFederatedTrainer,
    RoundPhase,
    RoundStatus
} from "../../../src/interfaces/IFederatedTrainer.sol";
import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {IRewardToken} from "../../../src/interfaces/IRewardToken.sol";
import {IRoundMath} from "../../../src/interfaces/IRoundMath.sol";
import {Rule} from "../../../src/libraries/Aggregation.sol";
import {Shape, SoftmaxLosses} from "../../../src/libraries/SoftmaxLosses.sol";
import {RoundTest} from "../../base/RoundTest.sol";

/// @notice The owner's test set, the draw of its parts, and its bond.
contract RoundTestSetTest is RoundTest {
    function test_commitTest_locksBondOnce() external {
        assertEq(balanceOf(OWNER), 0, "locked");
        assertEq(trainer.partsLeft(), 3, "parts");
        useParts(3);
        assertEq(trainer.partsLeft(), 0, "used");
        bytes32[] memory commitments = new bytes32[](2);
        commitments[1] = SALT;
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.TestCommitted(BOND, commitments);
        vm.prank(OWNER);
        trainer.commitTest(commitments);
        assertEq(trainer.partsLeft(), 2, "new parts");
        assertEq(balanceOf(OWNER), 0, "no second bond");
    }

    function test_commitTest_failsIfPartsAreOutOfBounds() external {
        useParts(3);
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("parts"), 0));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("parts"), 257));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](257));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](256));
        assertEq(trainer.partsLeft(), 256, "parts");
    }

    /// @dev Bonds are of the owner's balance.
    function test_commitTest_failsIfOwnerCannotPayBond() external {
        loseBond(0);
        assertEq(trainer.partsLeft(), 0, "parts are void");
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.StakeBalanceTooLow.selector, BOND, 0));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](1));
        fund(OWNER, BOND);
        commitParts(3);
        assertEq(trainer.partsLeft(), 3, "parts");
        runToAggregation(five(20, 18, 22, 19, 21));
        finish();
        assertEq(trainer.status().version, 1, "version");
        loseBond(2);
        assertEq(trainer.forfeited(), 2 * BOND, "the second bond");
    }

    /// @dev A trainer has the shape that its classifier has when the test set is committed.
    function test_commitTest_readsShape() external {
        reward = IRewardToken(deploy("RewardToken", abi.encode("Other", "OTH", CAP, OWNER)));
        (trainer, classifier) = create(Rule.TrimmedMean, 1);
        vm.prank(OWNER);
        classifier.close(address(trainer));
        vm.prank(OWNER);
        reward.setTrainer(address(trainer));
        fund(OWNER, BOND);
        commitParts(1);
        runToAggregation(five(20, 18, 22, 19, 21));
        uint256[] memory sums = IRoundMath(deploy("RoundMath"))
            .losses(Shape(2, 2, 16, 4), 8, 5, new uint256[](1), joined(31), items(0));
        uint256[] memory found = trainer.losses();
        for (uint256 i; i < 7; ++i) {
            assertEq(found[i], sums[i], "losses");
        }
        finish();
        assertEq(trainer.status().version, 1, "version");
    }

    /// @dev While authors have committed, no test set may change, also if no part is left.
    function test_commitTest_failsWhileRoundIsUnderWay() external {
        useParts(2);
        commitAll(five(20, 18, 22, 19, 21));
        revealAll();
        drawPart();
        assertEq(trainer.partsLeft(), 0, "the last part");
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.TestSetInUse.selector, 5, 0));
        vm.prank(OWNER);
        trainer.commitTest(new bytes32[](1));
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.TestSetInUse.selector, 5, 0));
        vm.prank(OWNER);
        trainer.releaseBond();
    }

    function test_releaseBond_isForOwnerAndOnce() external {
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, address(this), OWNER));
        trainer.releaseBond();
        useParts(3);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.BondReleased(BOND);
        vm.prank(OWNER);
        trainer.releaseBond();
        vm.prank(OWNER);
        trainer.releaseBond();
        assertEq(balanceOf(OWNER), BOND, "bond");
        commitParts(3);
        assertEq(balanceOf(OWNER), 0, "locked again");
    }

    /// @dev Each round uses another part, in the order that the hashes give.
    function test_draw_usesEachPartOnce() external {
        uint256 seen;
        for (uint256 left = 3; left > 0; --left) {
            commitAll(five(20, 18, 22, 19, 21));
            revealAll();
            uint256 number = block.number;
            vm.expectEmit(address(trainer));
            emit IFederatedTrainer.DrawScheduled(3 - left, number + 1);
            trainer.draw();
            vm.roll(number + 1);
            vm.expectRevert(
                abi.encodeWithSelector(IFederatedTrainer.DrawTooEarly.selector, number + 1, number + 2)
            );
            trainer.draw();
            vm.roll(number + 2);
            // The middle part first, then one past it.
            bytes32 hash = hashThatDraws(left > 1 ? 1 : 0, left);
            vm.setBlockhash(number + 1, hash);
            uint256 part = unused(seen, uint256(keccak256(abi.encode(hash, trainer))) % left);
            vm.expectEmit(address(trainer));
            emit IFederatedTrainer.PartDrawn(3 - left, part, hash);
            trainer.draw();
            assertEq(trainer.status().part, part, "part");
            assertEq(trainer.status().deadline, block.timestamp + REVEAL_WAIT, "deadline");
            assertEq(trainer.partsLeft(), left - 1, "left");
            seen |= 1 << part;
            trainer.revealTest(SALT, items(part));
            scoreAll();
            finish();
        }
        assertEq(seen, 7, "all parts");
    }

    function test_draw_takesLeastNumber() external {
        commitAll(five(20, 18, 22, 19, 21));
        for (uint256 i; i < 3; ++i) {
            trainer.reveal(revelation(i));
        }
        vm.warp(block.timestamp + REVEAL_WAIT);
        drawAndReveal();
        assertPhase(RoundPhase.Score);
    }

    /// @dev The hash is known for 256 blocks.
    function test_draw_worksToTheLastBlock() external {
        commitAll(five(20, 18, 22, 19, 21));
        revealAll();
        trainer.draw();
        uint256 number = block.number + 1;
        vm.roll(number + 256);
        vm.setBlockhash(number, SALT);
        trainer.draw();
        assertPhase(RoundPhase.Test);
    }

    /// @dev The losses of an earlier round do not count.
    function test_revealTest_opensScoring() external {
        useParts(1);
        commitAll(five(20, 18, 22, 19, 21));
        revealAll();
        drawPart();
        uint256 part = trainer.status().part;
        vm.warp(trainer.status().deadline);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.TestRevealed(1, part, SALT, items(part));
        trainer.revealTest(SALT, items(part));
        RoundStatus memory status = trainer.status();
        assertEq(uint256(status.phase), uint256(RoundPhase.Score), "phase");
        assertEq(status.deadline, block.timestamp + WORK_WAIT, "deadline");
        assertEq(status.scored, 0, "scored");
        uint256[] memory sums = trainer.losses();
        assertEq(sums.length, 7, "sums");
        for (uint256 i; i < 7; ++i) {
            assertEq(sums[i], 0, "no loss yet");
        }
    }

    /// @dev A part that the model cannot read is as bad as none.
    function test_revealTest_failsIfSamplesAreOutOfBounds() external {
        useParts(3);
        bytes memory bad = hex"000111";
        bytes32[] memory commitments = new bytes32[](1);
        commitments[0] = keccak256(abi.encode(0, SALT, keccak256(bad)));
        vm.prank(OWNER);
        trainer.commitTest(commitments);
        commitAll(five(20, 18, 22, 19, 21));
        revealAll();
        drawPart();
        vm.expectRevert(abi.encodeWithSelector(SoftmaxLosses.SampleOutOfBounds.selector, 0));
        trainer.revealTest(SALT, bad);
    }

    /// @dev The number of samples has 16 bits.
    function test_revealTest_failsIfPartIsTooLarge() external {
        useParts(3);
        bytes memory most = new bytes(3 * 65_535);
        bytes memory many = new bytes(3 * 65_536);
        bytes32[] memory commitments = new bytes32[](2);
        for (uint256 i; i < 2; ++i) {
            commitments[i] = keccak256(abi.encode(i, SALT, keccak256(i == 0 ? most : many)));
        }
        vm.prank(OWNER);
        trainer.commitTest(commitments);
        commitAll(five(20, 18, 22, 19, 21));
        revealAll();
        uint256 snapshot = vm.snapshotState();
        draw(1, 2);
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("samples"), 65_536));
        trainer.revealTest(SALT, many);
        vm.revertToState(snapshot);
        draw(0, 2);
        trainer.revealTest(SALT, most);
        assertPhase(RoundPhase.Score);
    }

    function test_fail_logsReasonAfterLastSecond() external {
        commitAll(five(20, 18, 22, 19, 21));
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Reveal, RoundPhase.Test)
        );
        trainer.fail();
        revealAll();
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Draw, RoundPhase.Test)
        );
        trainer.fail();
        drawAndReveal();
        vm.warp(trainer.status().deadline);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.PhaseNotOver.selector, block.timestamp, block.timestamp)
        );
        trainer.fail();
        scoreAll();
        vm.warp(block.timestamp + WORK_WAIT);
        trainer.aggregate(joined(trainer.status().admitted));
        vm.warp(block.timestamp + 365 days);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Settle, RoundPhase.Test)
        );
        trainer.fail();
        trainer.settle();
        assertEq(trainer.status().version, 1, "version");
    }

    /// @dev The next round begins anew: nothing of a failed one is left.
    function test_fail_opensNextRound() external {
        loseBond(0);
        RoundStatus memory status = trainer.status();
        assertEq(status.number, 1, "number");
        assertEq(status.version, 0, "version");
        assertEq(status.committed + status.revealed + status.admitted + status.scored, 0, "empty");
        assertEq(status.deadline, 0, "deadline");
        assertEq(trainer.forfeited(), BOND, "bond");
    }

    /// @dev Fails a round because the owner does not reveal the part.
    function loseBond(uint256 round) private {
        commitAll(five(20, 18, 22, 0, 4));
        revealAll();
        drawPart();
        vm.warp(block.timestamp + REVEAL_WAIT + 1);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.Failed(round, FailReason.TestNotRevealed);
        trainer.fail();
    }

    function useParts(uint256 rounds) private {
        for (uint256 round; round < rounds; ++round) {
            runToAggregation(five(20, 18, 22, 19, 21));
            finish();
        }
    }

    /// @dev Draws the part with an index among the unused ones.
    function draw(uint256 index, uint256 left) private {
        trainer.draw();
        uint256 number = block.number + 1;
        vm.roll(number + 1);
        vm.setBlockhash(number, hashThatDraws(index, left));
        trainer.draw();
    }

    /// @dev Returns a block's hash that draws this index of so many unused parts.
    function hashThatDraws(uint256 index, uint256 left) private view returns (bytes32 hash) {
        do {
            hash = keccak256(abi.encode(hash));
        } while (uint256(keccak256(abi.encode(hash, trainer))) % left != index);
    }

    /// @dev Returns the part with an index among those that are not seen.
    function unused(uint256 seen, uint256 index) private pure returns (uint256 part) {
        for (;; ++part) {
            if (seen >> part & 1 == 1) continue;
            if (index == 0) return part;
            --index;
        }
    }
}
