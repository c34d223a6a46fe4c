// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {
    CommitProblem,
    IFederatedTrainer,
    Revelation,
    RoundPhase,
    SignedCommit
} from "../../../src/interfaces/IFederatedTrainer.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {Rule} from "../../../src/libraries/Aggregation.sol";
import {UpdateRows} from "../../../src/libraries/UpdateRows.sol";
import {RoundTest} from "../../base/RoundTest.sol";
import {Updates} from "../../base/Updates.sol";

/// @notice Records of commitments and revelations, and the conditions under which they are taken.
contract RoundEntriesTest is RoundTest {
    function test_commit_recordsAuthorAndStartsTime() external {
        fund(authorOf(0), STAKE);
        assertEq(trainer.status().deadline, 0, "no deadline yet");
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.UpdateCommitted(0, 0, authorOf(0), SALT);
        vm.prank(authorOf(0));
        trainer.commit(SALT);
        (address author, bytes32 hash) = trainer.entry(0);
        assertEq(author, authorOf(0), "author");
        assertEq(hash, SALT, "hash");
        (author, hash) = trainer.entry(1);
        assertEq(author, address(0), "no author");
        assertEq(hash, 0, "no hash");
        assertEq(trainer.status().deadline, block.timestamp + OPEN_WAIT, "deadline");
        assertEq(trainer.status().committed, 1, "committed");

        // Later commitments do not move the end.
        uint256 end = block.timestamp + OPEN_WAIT;
        vm.warp(end - 1);
        fund(authorOf(1), STAKE);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.UpdateCommitted(0, 1, authorOf(1), SALT);
        vm.prank(authorOf(1));
        trainer.commit(SALT);
        assertEq(trainer.status().deadline, end, "same deadline");
        fund(authorOf(2), STAKE);
        vm.warp(end);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Reveal, RoundPhase.Open)
        );
        vm.prank(authorOf(2));
        trainer.commit(SALT);
        assertEq(trainer.status().deadline, end + REVEAL_WAIT, "deadline of the revealing");
    }

    /// @dev With the last client, the revealing begins at once.
    function test_commit_endsWithLastClient() external {
        for (uint256 i; i < MAX_CLIENTS; ++i) {
            fund(authorOf(i), STAKE);
            assertPhase(RoundPhase.Open);
            commit(authorOf(i), Updates.encode(updateOf(int256(20 + i)), 8));
        }
        assertPhase(RoundPhase.Reveal);
        assertEq(trainer.status().deadline, block.timestamp + REVEAL_WAIT, "deadline");
    }

    /// @dev The parts are checked before the author.
    function test_commit_failsIfNoPartIsLeft() external {
        (trainer, classifier) = create(Rule.TrimmedMean, 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NoPartLeft.selector));
        trainer.commit(SALT);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NoPartLeft.selector));
        trainer.relay(new SignedCommit[](0));
        // An implementation never has a part.
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.NoPartLeft.selector));
        IFederatedTrainer(implementation).commit(SALT);
    }

    function test_relay_logsWhyItSkips() external {
        fund(authorOf(0), STAKE);
        fund(OWNER, STAKE);
        vm.prank(authorOf(0));
        trainer.commit(SALT);
        SignedCommit[] memory commits = new SignedCommit[](4);
        address[4] memory authors = [authorOf(0), authorOf(1), OWNER, authorOf(2)];
        fund(authorOf(2), STAKE);
        CommitProblem[4] memory problems = [
            CommitProblem.CommittedAlready,
            CommitProblem.BalanceTooLow,
            CommitProblem.Owner,
            CommitProblem.NotSigned
        ];
        for (uint256 i; i < 4; ++i) {
            commits[i] = SignedCommit(authors[i], SALT, block.timestamp, new bytes(65));
            vm.expectEmit(address(trainer));
            emit IFederatedTrainer.CommitRejected(0, authors[i], problems[i]);
        }
        trainer.relay(commits);
        assertEq(trainer.status().committed, 1, "committed");
        assertEq(balanceOf(authorOf(2)), STAKE, "balance");
    }

    /// @dev A signature counts to the last second of its deadline.
    function test_relay_refusesLateSignature() external {
        address author = vm.addr(100);
        fund(author, STAKE);
        SignedCommit[] memory commits = new SignedCommit[](1);
        commits[0] = sign(100, author);
        vm.warp(block.timestamp + 1);
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.CommitRejected(0, author, CommitProblem.NotSigned);
        trainer.relay(commits);
        commits[0] = sign(100, author);
        trainer.relay(commits);
        assertEq(trainer.status().committed, 1, "committed");
    }

    /// @dev Nothing after the last client is looked at.
    function test_relay_stopsAtLastClient() external {
        for (uint256 i; i < MAX_CLIENTS - 1; ++i) {
            fund(authorOf(i), STAKE);
            commit(authorOf(i), "");
        }
        SignedCommit[] memory commits = new SignedCommit[](3);
        for (uint256 i; i < 3; ++i) {
            address author = vm.addr(100 + i);
            fund(author, STAKE);
            commits[i] = sign(100 + i, author);
        }
        trainer.relay(commits);
        assertEq(trainer.status().committed, MAX_CLIENTS, "committed");
        assertEq(balanceOf(vm.addr(101)), STAKE, "not taken");
        assertPhase(RoundPhase.Reveal);
    }

    function test_reveal_recordsRootAndLogsBytes() external {
        commitAll(five(20, 18, 22, 0, 4));
        vm.expectEmit(address(trainer));
        emit IFederatedTrainer.UpdateRevealed(0, 1, authorOf(1), keccak256(updates[1]), updates[1]);
        trainer.reveal(revelation(1));
        (address author, bytes32 root) = trainer.entry(1);
        assertEq(author, authorOf(1), "author");
        assertEq(root, keccak256(updates[1]), "root");
        assertEq(trainer.status().revealed, 2, "revealed");
        assertPhase(RoundPhase.Reveal);
        revealAll();
        assertEq(trainer.status().revealed, 31, "all");
        assertPhase(RoundPhase.Draw);
        assertEq(trainer.status().deadline, 0, "no deadline");
    }

    /// @dev The salt, the round and the trainer are parts of a commitment, as author and version are.
    function test_reveal_failsIfAnythingDiffers() external {
        commitAll(five(20, 18, 22, 0, 4));
        Revelation[] memory other = revelation(0);
        other[0].salt = bytes32(0);
        vm.expectRevert();
        trainer.reveal(other);
        other = revelation(0);
        other[0].update = updates[1];
        vm.expectRevert();
        trainer.reveal(other);
        // A commitment of the next round, made for this one.
        bytes memory update = updates[0];
        revealAll();
        drawAndReveal();
        scoreAll();
        finish();
        fund(authorOf(0), STAKE);
        bytes32 hash = hashOf(authorOf(0), update, 0, 1);
        vm.prank(authorOf(0));
        trainer.commit(hash);
        vm.warp(block.timestamp + OPEN_WAIT);
        Revelation[] memory late = new Revelation[](1);
        late[0] = Revelation(0, 1, SALT, update);
        bytes32 found = hashOf(authorOf(0), update, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTrainer.HashDiffers.selector, 0, found, hash));
        trainer.reveal(late);
    }

    /// @dev The model has six parameters: a seventh lane must be 0.
    function test_reveal_failsIfLaneIsSetPastTheModel() external {
        fund(authorOf(0), STAKE);
        int256[] memory values = new int256[](7);
        values[6] = 1;
        commit(authorOf(0), Updates.encode(values, 8));
        vm.warp(block.timestamp + OPEN_WAIT);
        Revelation[] memory wide = new Revelation[](1);
        wide[0] = Revelation(0, 0, SALT, updates[0]);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.PaddingNotZero.selector, 6));
        trainer.reveal(wide);
    }

    function test_reveal_worksToTheLastSecond() external {
        commitAll(five(20, 18, 22, 0, 4));
        uint256 end = trainer.status().deadline;
        vm.warp(end - 1);
        trainer.reveal(revelation(0));
        vm.warp(end);
        Revelation[] memory late = revelation(1);
        vm.expectRevert(
            abi.encodeWithSelector(IFederatedTrainer.NotInPhase.selector, RoundPhase.Draw, RoundPhase.Reveal)
        );
        trainer.reveal(late);
    }

    function test_initialize_locksImplementation() external {
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        IFederatedTrainer(implementation).initialize();
    }

    function sign(uint256 key, address author) private view returns (SignedCommit memory) {
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
            abi.encode(
                keccak256("Commit(uint256 round,bytes32 hash,uint256 deadline)"),
                trainer.status().number,
                SALT,
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(key, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return SignedCommit(author, SALT, block.timestamp, abi.encodePacked(r, s, v));
    }
}
