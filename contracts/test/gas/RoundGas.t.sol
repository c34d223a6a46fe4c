// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

import {IFederatedTrainer, Revelation} from "../../src/interfaces/IFederatedTrainer.sol";
import {IModelFactory} from "../../src/interfaces/IModelFactory.sol";
import {IRewardToken} from "../../src/interfaces/IRewardToken.sol";
import {Rule} from "../../src/libraries/Aggregation.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {StakeToken} from "../base/RoundTest.sol";
import {Test} from "../base/Test.sol";

/// @notice Writes `contracts/snapshots/rounds.json`: the gas of whole transactions of rounds with 16
/// authors. Each is the second of its kind, so that slots are reused. Values are random, none is 0.
contract RoundGasTest is Test {
    address private constant OWNER = address(0x1000000000000000000000000000000000000001);
    uint256 private constant N = 16;

    IFederatedTrainer private trainer;
    StakeToken private token;
    bytes[] private updates;
    uint256 private features;
    uint256 private samples;

    function test_score_gasOfDigits() external {
        prepare(64, 100);
        round("");
        round("650");
    }

    /// @dev The model of pictures of 28 by 28. A transaction scores one sample.
    function test_aggregate_gasOfLargePictures() external {
        prepare(784, 2);
        round("");
        round("7850");
    }

    function prepare(uint256 features_, uint256 samples_) private {
        (features, samples) = (features_, samples_);
        vm.warp(1_800_000_000);
        vm.roll(1_000);
        token = new StakeToken();
        address reward = deploy("RewardToken", abi.encode("Reward", "RWD", 1e12, OWNER));
        address implementation = deploy("FederatedTrainer", abi.encode(deploy("RoundMath")));
        bytes memory arguments = bytes.concat(
            abi.encode(token, reward, 1, 0, type(uint32).max, 3_600, 3_600, 3_600, N, Rule.Median, 0),
            abi.encode(8, 100_000_000, 8_192, 1_000, 2, 1)
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
        uint256 half = samples / 2;
        trainer.score(0, half, all, items());
        record(string.concat("score.", vm.toString(half)), name);
        trainer.score(half, half, all, items());
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

    /// @dev Returns lanes of 8 bits, of which each has 7 bits of a value. The first is the lowest byte
    /// of a word.
    function update(uint256 number, uint256 author) private view returns (bytes memory data) {
        uint256 parameters = 10 * (features + 1);
        data = new bytes((parameters + 31) / 32 * 32);
        for (uint256 j; j < parameters; ++j) {
            // It needs no memory of its own: there are 250,000 lanes.
            uint256 draw = uint256(EfficientHashLib.hash(number, author, j));
            uint8 value = uint8(1 + draw % 30);
            data[j / 32 * 32 + 31 - j % 32] = bytes1(draw >> 255 == 0 ? value : 128 - value);
        }
    }

    function items() private view returns (bytes memory data) {
        uint256 size = features + 1;
        data = new bytes(samples * size);
        for (uint256 j; j < data.length; ++j) {
            data[j] = bytes1(uint8(j % size == 0 ? j / size % 10 : 1 + j % 16));
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
