// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IFederatedTrainer, Revelation} from "../../src/interfaces/IFederatedTrainer.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {IRewardToken} from "../../src/interfaces/IRewardToken.sol";
import {Rule} from "../../src/libraries/Aggregation.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {StakeToken} from "../base/RoundTest.sol";
import {Test} from "../base/Test.sol";
import {Updates} from "../base/Updates.sol";

/// @notice Writes `contracts/snapshots/rounds.json`: the gas of whole transactions of rounds with 16
/// authors. Each is the second of its kind, so that slots are reused. Values are random, none is 0.
contract RoundGasTest is Test {
    address private constant OWNER = address(0x1000000000000000000000000000000000000001);
    uint256 private constant N = 16;
    uint256 private constant SAMPLES = 100;

    IFederatedTrainer private trainer;
    StakeToken private token;
    bytes[] private updates;
    uint256 private features;

    function test_score_gasOfDigits() external {
        prepare(64, Rule.Median);
        round("");
        round("650");
    }

    function prepare(uint256 features_, Rule rule) private {
        features = features_;
        vm.warp(1_800_000_000);
        vm.roll(1_000);
        token = new StakeToken();
        address reward = deploy("RewardToken", abi.encode("Reward", "RWD", 1e12, OWNER));
        address implementation = deploy("FederatedTrainer", abi.encode(deploy("RoundMath")));
        bytes memory arguments = bytes.concat(
            abi.encode(token, reward, 1, 0, type(uint32).max, 3_600, 3_600, 3_600, N, rule, 0),
            abi.encode(8, 100_000_000, 4_096, 1_000, 2, 1)
        );
        address softmax = deploy("SoftmaxRegression");
        IModelFactory factory = IModelFactory(deploy("ModelFactory"));
        vm.prank(OWNER);
        (address trainer_, address classifier) =
            factory.create(implementation, arguments, softmax, abi.encode(10, features, 6, 16));
        trainer = IFederatedTrainer(trainer_);
        vm.prank(OWNER);
        Classifier(classifier).close(trainer_);
        vm.prank(OWNER);
        IRewardToken(reward).setTrainer(trainer_);
        fund(OWNER);
        bytes32[] memory parts = new bytes32[](8);
        for (uint256 i; i < 8; ++i) {
            parts[i] = keccak256(abi.encode(i, bytes32(0), keccak256(items())));
        }
        vm.prank(OWNER);
        trainer.commitTest(parts);
    }

    /// @dev Runs a round of 16 authors and records its transactions, if they have a name.
    function round(string memory name) private {
        commitAndReveal(name);
        trainer.draw();
        vm.roll(block.number + 2);
        vm.setBlockhash(block.number - 1, keccak256("block"));
        trainer.draw();
        trainer.revealTest(0, items());
        bytes memory all = joined();
        trainer.score(0, SAMPLES / 2, all, items());
        record("score.50", name);
        trainer.score(SAMPLES / 2, SAMPLES / 2, all, items());
        trainer.aggregate(all);
        record("aggregate", name);
        trainer.settle();
        record("settle", name);
    }

    function commitAndReveal(string memory name) private {
        delete updates;
        (uint256 number, uint256 version) = (trainer.status().number, trainer.status().version);
        for (uint256 i; i < N; ++i) {
            address author = address(uint160(0xa000 + i));
            fund(author);
            updates.push(update(number, i));
            bytes32 hash =
                keccak256(abi.encode(trainer, number, author, version, keccak256(updates[i]), bytes32(0)));
            vm.prank(author);
            trainer.commit(hash);
            if (i == 1) record("commit", name);
        }
        vm.warp(block.timestamp + 1);
        Revelation[] memory one = new Revelation[](1);
        one[0] = Revelation(0, version, 0, updates[0]);
        trainer.reveal(one);
        record("reveal", name);
        Revelation[] memory others = new Revelation[](N - 1);
        for (uint256 i = 1; i < N; ++i) {
            others[i - 1] = Revelation(i, version, 0, updates[i]);
        }
        trainer.reveal(others);
        record("reveal.15", name);
    }

    function fund(address account) private {
        token.mint(account, 1);
        vm.prank(account);
        trainer.deposit(1);
    }

    function update(uint256 number, uint256 author) private view returns (bytes memory) {
        int256[] memory values = new int256[](10 * (features + 1));
        for (uint256 j; j < values.length; ++j) {
            uint256 draw = uint256(keccak256(abi.encode(number, author, j)));
            values[j] = int256(1 + draw % 30) * (draw >> 255 == 0 ? int256(1) : -1);
        }
        return Updates.encode(values, 8);
    }

    function items() private view returns (bytes memory samples) {
        uint256 size = features + 1;
        samples = new bytes(SAMPLES * size);
        for (uint256 j; j < samples.length; ++j) {
            samples[j] = bytes1(uint8(j % size == 0 ? j / size % 10 : 1 + j % 16));
        }
    }

    function joined() private view returns (bytes memory data) {
        for (uint256 i; i < N; ++i) {
            data = bytes.concat(data, updates[i]);
        }
    }

    function record(string memory what, string memory name) private {
        if (bytes(name).length == 0) return;
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("rounds", string.concat(name, ".", what), gas);
    }
}
