// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {
    IFederatedTrainer,
    Revelation,
    RoundPhase,
    RoundStatus
} from "../../src/interfaces/IFederatedTrainer.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {IRewardToken} from "../../src/interfaces/IRewardToken.sol";
import {Rule} from "../../src/libraries/Aggregation.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Test} from "./Test.sol";
import {OddToken} from "./Tokens.sol";
import {Updates} from "./Updates.sol";

/// @notice A token of stakes that can misbehave.
contract StakeToken is OddToken {
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        return move(from, to, amount);
    }
}

/// @notice A federated trainer over a small softmax regression, and a round driven as clients would.
/// @dev Two classes and two features: a sample has one feature, and its label says which. So an
/// update with `strength` on the right weights helps, and one with a negative strength harms.
abstract contract RoundTest is Test {
    address internal constant OWNER = address(0x1000000000000000000000000000000000000001);
    uint256 internal constant STAKE = 1_000;
    uint256 internal constant SLASH = 400;
    uint256 internal constant MARGIN = 100;
    uint256 internal constant OPEN_WAIT = 1 hours;
    uint256 internal constant REVEAL_WAIT = 2 hours;
    uint256 internal constant WORK_WAIT = 3 hours;
    uint256 internal constant EMISSION = 1_000_000;
    uint256 internal constant BOND = 5_000;
    uint256 internal constant CAP = 1e12;
    uint256 internal constant MAX_CLIENTS = 6;
    bytes32 internal constant SALT = keccak256("salt");

    IModelFactory internal factory = IModelFactory(deploy("ModelFactory"));
    address internal implementation;
    address internal softmax = deploy("SoftmaxRegression");
    StakeToken internal token = new StakeToken();
    IRewardToken internal reward =
        IRewardToken(deploy("RewardToken", abi.encode("Reward", "RWD", CAP, OWNER)));
    IFederatedTrainer internal trainer;
    Classifier internal classifier;

    /// @dev Updates of the current round, by the index of their commitment.
    bytes[] internal updates;

    constructor() {
        vm.warp(1_800_000_000);
        vm.roll(1_000);
        implementation = deploy("FederatedTrainer", abi.encode(deploy("RoundMath")));
        (trainer, classifier) = create(Rule.TrimmedMean, 1);
        vm.prank(OWNER);
        classifier.close(address(trainer));
        vm.prank(OWNER);
        reward.setTrainer(address(trainer));
        fund(OWNER, BOND);
        commitParts(3);
    }

    function create(Rule rule, uint256 f) internal returns (IFederatedTrainer, Classifier) {
        vm.prank(OWNER);
        (address trainer_, address classifier_) =
            factory.create(implementation, encodeArguments(rule, f), softmax, abi.encode(2, 2, 4, 16));
        return (IFederatedTrainer(trainer_), Classifier(classifier_));
    }

    function encodeArguments(Rule rule, uint256 f) internal view returns (bytes memory) {
        return bytes.concat(
            abi.encode(
                token, reward, STAKE, SLASH, MARGIN, OPEN_WAIT, REVEAL_WAIT, WORK_WAIT, MAX_CLIENTS, rule, f
            ),
            abi.encode(8, 1_000_000, 4_096, EMISSION, 2, BOND)
        );
    }

    function commitParts(uint256 parts) internal {
        bytes32[] memory commitments = new bytes32[](parts);
        for (uint256 i; i < parts; ++i) {
            commitments[i] = keccak256(abi.encode(i, SALT, keccak256(items(i))));
        }
        vm.prank(OWNER);
        trainer.commitTest(commitments);
    }

    /// @dev Returns the samples of a part.
    function items(uint256 part) internal pure returns (bytes memory samples) {
        for (uint256 i; i < 4 + part; ++i) {
            uint8 number = uint8(6 + 2 * i);
            samples = i % 2 == 0
                ? abi.encodePacked(samples, uint8(0), number, uint8(1))
                : abi.encodePacked(samples, uint8(1), uint8(0), number);
        }
    }

    /// @dev Returns an update that helps by its strength.
    function updateOf(int256 strength) internal pure returns (int256[] memory values) {
        values = new int256[](6);
        (values[0], values[1], values[2], values[3]) = (strength, -strength, -strength, strength);
        values[4] = strength / 8;
    }

    function five(int256 a, int256 b, int256 c, int256 d, int256 e)
        internal
        pure
        returns (int256[] memory list)
    {
        list = new int256[](5);
        (list[0], list[1], list[2], list[3], list[4]) = (a, b, c, d, e);
    }

    function authorOf(uint256 index) internal pure returns (address) {
        return address(uint160(0xa000 + index));
    }

    /// @dev Gives an account tokens and deposits them.
    function fund(address account, uint256 amount) internal {
        token.mint(account, amount);
        vm.prank(account);
        trainer.deposit(amount);
    }

    function hashOf(address author, bytes memory update, uint256 round, uint256 version)
        internal
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(trainer, round, author, version, keccak256(update), SALT));
    }

    /// @dev Commits the next update.
    function commit(address author, bytes memory update) internal {
        RoundStatus memory status = trainer.status();
        bytes32 hash = hashOf(author, update, status.number, status.version);
        vm.prank(author);
        trainer.commit(hash);
        updates.push(update);
    }

    /// @dev Commits funded authors to updates of these strengths, and goes on to the revealing.
    function commitAll(int256[] memory strengths) internal {
        delete updates;
        for (uint256 i; i < strengths.length; ++i) {
            fund(authorOf(i), STAKE);
            commit(authorOf(i), Updates.encode(updateOf(strengths[i]), 8));
        }
        if (strengths.length < MAX_CLIENTS) vm.warp(block.timestamp + OPEN_WAIT);
    }

    function revelation(uint256 index) internal view returns (Revelation[] memory revelations) {
        revelations = new Revelation[](1);
        revelations[0] = Revelation(index, trainer.status().version, SALT, updates[index]);
    }

    function revealAll() internal {
        uint256 version = trainer.status().version;
        Revelation[] memory revelations = new Revelation[](updates.length);
        for (uint256 i; i < updates.length; ++i) {
            revelations[i] = Revelation(i, version, SALT, updates[i]);
        }
        trainer.reveal(revelations);
    }

    /// @dev Draws a part, and reveals it.
    function drawAndReveal() internal {
        drawPart();
        trainer.revealTest(SALT, items(trainer.status().part));
    }

    function drawPart() internal {
        trainer.draw();
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode(block.number)));
        trainer.draw();
    }

    function scoreAll() internal {
        RoundStatus memory status = trainer.status();
        bytes memory samples = items(status.part);
        trainer.score(0, samples.length / 3, joined(status.revealed), samples);
    }

    /// @dev Returns the updates of a mask, one after the other.
    function joined(uint256 mask) internal view returns (bytes memory data) {
        for (uint256 i; i < updates.length; ++i) {
            if (mask >> i & 1 == 1) data = bytes.concat(data, updates[i]);
        }
    }

    /// @dev Runs a round up to the aggregation.
    function runToAggregation(int256[] memory strengths) internal {
        commitAll(strengths);
        revealAll();
        drawAndReveal();
        scoreAll();
    }

    function finish() internal {
        trainer.aggregate(joined(trainer.status().admitted));
        trainer.settle();
    }

    function assertPhase(RoundPhase expected) internal view {
        assertEq(uint256(trainer.status().phase), uint256(expected), "phase");
    }

    function balanceOf(address account) internal view returns (uint256 balance) {
        (balance,) = trainer.accountOf(account);
    }

    function rewardOf(address account) internal view returns (uint256 amount) {
        (, amount) = trainer.accountOf(account);
    }
}
