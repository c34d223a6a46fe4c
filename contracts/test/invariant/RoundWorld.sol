// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {RoundPhase, RoundStatus} from "../../src/interfaces/IFederatedTrainer.sol";
import {RewardToken} from "../../src/mechanisms/round/RewardToken.sol";
import {RoundTest} from "../base/RoundTest.sol";
import {Updates} from "../base/Updates.sol";

/// @notice Rounds of a federated trainer in any order of calls and waits. After each call, all stakes
/// are where they belong, and no more is minted than the emissions permit.
contract RoundWorld is RoundTest {
    uint256 private constant AUTHORS = 5;

    /// @dev The round whose updates `updates` has.
    uint256 private _round;
    bool private _bonded = true;

    uint256 public settled;
    uint256 public failed;

    /// @dev Does something that is possible now.
    function act(uint256 seed) external {
        uint256 draw = uint256(keccak256(abi.encode(seed, block.timestamp)));
        address author = authorOf((draw >> 16) % AUTHORS);
        uint256 kind = draw % 16;
        if (kind == 0) fund(author, (draw >> 32) % (3 * STAKE));
        else if (kind == 1) withdraw(author, (draw >> 32) % (1 + balanceOf(author)));
        else if (kind == 2 && rewardOf(author) != 0) collect(author);
        else if (kind == 3 && trainer.forfeited() != 0) trainer.burn();
        else if (kind < 7) vm.warp(block.timestamp + (draw >> 32) % OPEN_WAIT);
        else step(draw >> 32);
    }

    /// @dev Takes the next step of the round, or ends it if it is late.
    function step(uint256 draw) private {
        RoundStatus memory status = trainer.status();
        if (status.number != _round) {
            _round = status.number;
            delete updates;
        }
        if (status.phase == RoundPhase.Open) return enter(status.committed, draw);
        if (status.phase == RoundPhase.Settle) {
            trainer.settle();
            ++settled;
            return;
        }
        if (status.phase > RoundPhase.Draw && block.timestamp > status.deadline) {
            if (status.phase == RoundPhase.Test) _bonded = false;
            trainer.fail();
            ++failed;
        } else if (status.phase == RoundPhase.Reveal) {
            trainer.reveal(revelation(draw % status.committed));
        } else if (status.phase == RoundPhase.Draw) {
            trainer.draw();
            vm.roll(block.number + 2);
            vm.setBlockhash(block.number - 1, bytes32(draw));
        } else if (status.phase == RoundPhase.Test) {
            trainer.revealTest(SALT, items(status.part));
        } else if (status.phase == RoundPhase.Score) {
            bytes memory samples = items(status.part);
            trainer.score(status.scored, 1, joined(status.revealed), samples);
        } else {
            trainer.aggregate(joined(status.admitted));
        }
    }

    /// @dev Commits the next author, or the owner to other test parts.
    function enter(uint256 committed, uint256 draw) private {
        if (trainer.partsLeft() == 0) {
            if (_bonded && draw % 2 == 0) release();
            else commitAgain();
            return;
        }
        if (committed == AUTHORS) {
            vm.warp(block.timestamp + OPEN_WAIT);
            return;
        }
        address author = authorOf(committed);
        if (balanceOf(author) < STAKE) fund(author, STAKE);
        commit(author, Updates.encode(updateOf(int256(draw % 60) - 15), 8));
    }

    function commitAgain() private {
        if (!_bonded && balanceOf(OWNER) < BOND) fund(OWNER, BOND);
        commitParts(3);
        _bonded = true;
    }

    function release() private {
        vm.prank(OWNER);
        trainer.releaseBond();
        _bonded = false;
    }

    function withdraw(address author, uint256 amount) private {
        vm.prank(author);
        trainer.withdraw(amount);
    }

    function collect(address author) private {
        vm.prank(author);
        trainer.collect();
    }

    /// @dev Checks the tokens of the trainer, and those that it minted or owes.
    function requireMoney() external view {
        uint256 balances = balanceOf(OWNER);
        uint256 rewards = RewardToken(address(reward)).totalSupply();
        for (uint256 i; i < AUTHORS; ++i) {
            balances += balanceOf(authorOf(i));
            rewards += rewardOf(authorOf(i));
        }
        uint256 stakes = trainer.status().committed * STAKE;
        uint256 bond = _bonded ? BOND : 0;
        uint256 held = token.balanceOf(address(trainer));
        assertEq(held, balances + stakes + bond + trainer.forfeited(), "held");
        // Two versions with the whole emission, two with half of it, and so on.
        uint256 emitted;
        for (uint256 version; version < trainer.status().version; ++version) {
            emitted += EMISSION >> version / 2;
        }
        assertTrue(rewards <= emitted, "no more than the emissions");
    }
}
