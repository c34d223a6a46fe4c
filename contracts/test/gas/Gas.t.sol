// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";

/// @notice Writes `contracts/snapshots/gas.json`: the gas of whole transactions, with the 21,000,
/// the calldata and cold storage, and the bytes of calldata. Run it with `FOUNDRY_PROFILE=gas`, so
/// that each call is a transaction.
/// @dev The models are in a steady state. All their words are non-zero. They already have
/// contributions, of which one is settled, so that the 128 positions around have their slot. The
/// author has an earlier contribution, and a "first" refund is the author's first one.
/// Contributions send the exact deposit. Only the entries "with-change" send more and get the rest
/// back.
contract GasTest is ModelTest {
    string internal constant PRESENT_20 =
        "1,2,3,14,15,26,37,48,59,110,111,112,213,314,515,616,717,818,919,920";
    string internal constant PRESENT_60 =
        "1,2,3,14,15,26,37,48,59,84,110,111,112,163,186,187,194,208,213,223,245,310,312,314,333,364,379,430,442,515,566,600,605,611,614,616,617,622,651,654,688,717,764,765,774,778,780,786,818,828,834,854,880,882,908,912,919,920,965,990";
    uint256 internal constant CHUNK = 256;
    /// @dev Enough gas for 100 items under one signature.
    uint256 internal constant LESSON_GAS = 2_000_000;
    uint256 internal constant NOTICE = 6 hours;

    /// @dev The notice before reports on the models that `build` creates, in seconds.
    uint256 internal notice = NO_NOTICE;

    /// @dev A model whose calls are measured; its name is part of the figures' names.
    struct Model {
        string name;
        DepositRefundTake trainer;
        Classifier classifier;
    }

    /// @dev Measures announcements and the reports after them, on a model with a notice: alone, and
    /// 100 of one batch.
    function test_announce_gas() external {
        notice = NOTICE;
        (Model memory model,) =
            build("sparse-perceptron", sparsePerceptron, abi.encode(1000, 1, int256(-10_000)), pattern(63));
        bytes memory sample = Encode.sparse(Encode.list(PRESENT_20));
        Contribution memory made = contribute(model.trainer, BOB, 0, sample);
        pass(REFUND_WAIT);
        vm.prank(BOB, BOB);
        model.trainer.refund(alone(made));

        made = contribute(model.trainer, ALICE, 1, sample);
        pass(REFUND_WAIT);
        vm.prank(CAROL, CAROL);
        model.trainer.announce(alone(made));
        recordLast("announce", model, "20");
        pass(NOTICE);
        vm.prank(BOB, BOB);
        model.trainer.report(alone(made));
        recordLast("report", model, "20-announced");
        reportHundred(model, sample, 1);
    }

    function test_contribute_gasOfSparsePerceptron() external {
        Model memory model = buildMeasured(
            "sparse-perceptron", "1000", sparsePerceptron, abi.encode(1000, 100, int256(0)), pattern(63)
        );
        whenWrong(model, "20", Encode.sparse(Encode.list(PRESENT_20)));
        whenWrong(model, "60", Encode.sparse(Encode.list(PRESENT_60)));
    }

    function test_contribute_gasOfNaiveBayes() external {
        Model memory model =
            buildMeasured("naive-bayes", "1000", naiveBayes, abi.encode(2, 1000, 256), counts(2, 63));
        always(model, "20", Encode.sparse(Encode.list(PRESENT_20)));
        always(model, "60", Encode.sparse(Encode.list(PRESENT_60)));
    }

    function test_contribute_gasOfSparseNearestCentroid() external {
        Model memory model = buildMeasured(
            "sparse-nearest-centroid", "1000", sparseNearestCentroid, abi.encode(2, 1000), counts(2, 63)
        );
        always(model, "20", Encode.sparse(Encode.list(PRESENT_20)));
        always(model, "60", Encode.sparse(Encode.list(PRESENT_60)));
    }

    function test_contribute_gasOfDensePerceptron() external {
        Model memory model = buildMeasured(
            "dense-perceptron",
            "9",
            densePerceptron,
            Encode.widest16(abi.encode(9, 65_536, int256(0))),
            pattern(1)
        );
        whenWrong(model, "9", Encode.dense16(numbers(9)));
        model = buildMeasured(
            "dense-perceptron",
            "400",
            densePerceptron,
            Encode.widest16(abi.encode(400, 65_536, int256(0))),
            pattern(25)
        );
        whenWrong(model, "400", Encode.dense16(numbers(400)));
    }

    function test_contribute_gasOfDenseNearestCentroid() external {
        Model memory model = buildMeasured(
            "dense-nearest-centroid",
            "9",
            denseNearestCentroid,
            Encode.widest32(abi.encode(2, 9)),
            counts(2, 3)
        );
        always(model, "9", Encode.dense32(numbers(9)));
    }

    /// @dev Measures samples of word vectors, alone and 100 of their author in one transaction.
    function test_contribute_gasOfWordVectors() external {
        wordVectors(64, "64");
        wordVectors(128, "128");
    }

    function wordVectors(uint256 dimensions, string memory size) private {
        Model memory model = buildMeasured(
            "dense-nearest-centroid",
            size,
            denseNearestCentroid,
            Encode.widest32(abi.encode(2, dimensions)),
            counts(2, dimensions / 4)
        );
        int256[] memory values = numbers(dimensions);
        for (uint256 i; i < dimensions; ++i) {
            // The numbers are -65,536 to 65,536: one standard deviation either way.
            values[i] = values[i] * 65_536 / 1000;
        }
        bytes memory sample = Encode.dense32(values);
        always(model, size, sample);

        bytes memory items;
        for (uint256 i; i < 100; ++i) {
            items = bytes.concat(items, Encode.item(i % 2, sample));
        }
        string memory each = string.concat(size, "-each-of-100");
        steady(model);
        vm.prank(ALICE, ALICE);
        model.trainer.contribute{value: 1e23}(items);
        record("contribute", model, each, vm.lastCallGas().gasTotalUsed / 100);
        record("bytes", model, each, abi.encodeCall(model.trainer.contribute, items).length / 100);
    }

    /// @dev Measures 100 contributions in one transaction, half of which teach the model something.
    /// Their author sends them; then one signature covers them; then 100 signatures of 100 people
    /// do. It refunds 100 in one transaction, by their author and by another account. It reports
    /// 100, by the reporter and by a keeper.
    function test_relay_gasOfHundred() external {
        // The model is so sure of class 0 that 150 lessons of class 1 do not change its prediction.
        // So each lesson of class 1 teaches, and none of class 0 does.
        (Model memory model,) =
            build("sparse-perceptron", sparsePerceptron, abi.encode(1000, 1, int256(-10_000)), pattern(63));
        bytes memory sample = Encode.sparse(Encode.list(PRESENT_20));
        bytes memory items;
        for (uint256 i; i < 100; ++i) {
            items = bytes.concat(items, Encode.item(i % 2, sample));
        }
        contribute(model.trainer, ALICE, 0, sample);

        steady(model);
        vm.prank(ALICE, ALICE);
        model.trainer.contribute{value: 1e23}(items);
        record("contribute", model, "20-each-of-100", vm.lastCallGas().gasTotalUsed / 100);
        record("bytes", model, "20-each-of-100", abi.encodeCall(model.trainer.contribute, items).length / 100);

        SignedBatch[] memory batches = new SignedBatch[](1);
        batches[0] = signedBy(model.trainer, 1, items);
        relay(model, batches, "20-each-of-100-under-one-signature");

        batches = new SignedBatch[](100);
        for (uint256 i; i < 100; ++i) {
            batches[i] = signedBy(model.trainer, 1 + i, Encode.item(i % 2, sample));
        }
        relay(model, batches, "20-each-of-100-people");

        refundHundred(model, sample, BOB, "20-each-of-100");
        refundHundred(model, sample, CAROL, "20-pushed-each-of-100");
        reportHundred(model, sample, 1);
        reportHundred(model, sample, 2);
    }

    /// @dev Refunds 100 contributions of one batch of BOB, who has had one refund before.
    function refundHundred(Model memory model, bytes memory sample, address caller, string memory name)
        internal
    {
        Contribution memory made = contribute(model.trainer, BOB, 0, sample);
        pass(REFUND_WAIT);
        vm.prank(BOB, BOB);
        model.trainer.refund(alone(made));

        made.position = uint64(model.trainer.contributionCount());
        made.deposit = uint96(model.trainer.price(100));
        made.time = uint40(this.clock());
        bytes memory items;
        // All contributions are claimed, so the proof has no nodes and all flags are 1.
        bytes memory claims = abi.encodePacked(made.position, uint16(100), uint16(0));
        for (uint256 i; i < 100; ++i) {
            items = bytes.concat(items, Encode.item(0, sample));
            claims = bytes.concat(claims, Encode.contribution(made));
            ++made.position;
        }
        claims = bytes.concat(claims, bytes13(type(uint104).max));
        vm.prank(BOB, BOB);
        model.trainer.contribute{value: 1e23}(items);
        pass(REFUND_WAIT);
        uint256 good = model.trainer.good(BOB);
        vm.prank(caller, caller);
        model.trainer.refund(claims);
        record("refund", model, name, vm.lastCallGas().gasTotalUsed / 100);
        record(
            "bytes", model, "20-refund-each-of-100", abi.encodeCall(model.trainer.refund, claims).length / 100
        );
        assertEq(model.trainer.good(BOB), good + 100, "all refunded");
    }

    /// @dev Reports 100 contributions of one batch of ALICE. The owner of the key reports, with one
    /// good contribution of many. With the key 1 it reports itself, with another key through a
    /// keeper.
    function reportHundred(Model memory model, bytes memory sample, uint256 key) internal {
        address reporter = vm.addr(key);
        vm.deal(reporter, 1e24);
        Contribution memory made = contribute(model.trainer, reporter, 0, sample);
        pass(REFUND_WAIT);
        vm.prank(reporter, reporter);
        model.trainer.refund(alone(made));

        made.author = ALICE;
        made.label = 1;
        made.position = uint64(model.trainer.contributionCount());
        made.deposit = uint96(model.trainer.price(100));
        made.time = uint40(this.clock());
        bytes memory items;
        bytes memory claims = abi.encodePacked(made.position, uint16(100), uint16(0));
        for (uint256 i; i < 100; ++i) {
            items = bytes.concat(items, Encode.item(1, sample));
            claims = bytes.concat(claims, Encode.contribution(made));
            ++made.position;
        }
        claims = bytes.concat(claims, bytes13(type(uint104).max));
        vm.prank(ALICE, ALICE);
        model.trainer.contribute{value: 1e23}(items);
        pass(REFUND_WAIT);
        string memory name = "20-each-of-100";
        if (notice != 0) {
            vm.prank(CAROL, CAROL);
            model.trainer.announce(claims);
            record("announce", model, name, vm.lastCallGas().gasTotalUsed / 100);
            pass(notice);
            name = "20-announced-each-of-100";
        }
        if (key == 1) {
            vm.prank(reporter, reporter);
            model.trainer.report(claims);
            record("report", model, name, vm.lastCallGas().gasTotalUsed / 100);
        } else {
            uint40 until = uint40(this.clock());
            bytes memory signature =
                Sign.compact(key, Sign.delegation(address(model.trainer), reporter, CAROL, until));
            vm.prank(CAROL, CAROL);
            model.trainer.reportFor(reporter, until, signature, claims);
            record("reportFor", model, "20-each-of-100", vm.lastCallGas().gasTotalUsed / 100);
        }
        requireSettlement(
            model.trainer,
            made.position - 1,
            Status.Reported,
            made.deposit / model.trainer.totalGood(),
            reporter
        );
    }

    /// @dev Relays in the steady state: all authors and the relayer have money, and earlier nonces
    /// are used.
    function relay(Model memory model, SignedBatch[] memory batches, string memory name) internal {
        for (uint256 i; i < batches.length; ++i) {
            model.trainer.depositTo{value: 1e23}(batches[i].author);
        }
        model.trainer.depositTo{value: 1}(CAROL);
        steady(model);
        uint256 count = model.trainer.contributionCount();
        bytes memory encoded;
        for (uint256 i; i < batches.length; ++i) {
            encoded = bytes.concat(encoded, Sign.encode(batches[i]));
        }
        vm.prank(CAROL, CAROL);
        model.trainer.relay(encoded, LESSON_GAS);
        record("relay", model, name, vm.lastCallGas().gasTotalUsed / 100);
        record("bytes", model, name, abi.encodeCall(model.trainer.relay, (encoded, LESSON_GAS)).length / 100);
        assertEq(model.trainer.contributionCount(), count + 100, "all accepted");
        assertEq(predict(model.classifier, Encode.sparse(Encode.list(PRESENT_20))), 0, "as sure as before");
    }

    function steady(Model memory model) internal {
        pass(1 days);
        assertTrue(model.trainer.contributionCount() != 0, "not the first contribution");
    }

    function signedBy(DepositRefundTake trainer, uint256 key, bytes memory items)
        internal
        view
        returns (SignedBatch memory)
    {
        SignedBatch memory batch;
        batch.author = vm.addr(key);
        batch.relayer = CAROL;
        batch.maxDeposit = 1e21;
        batch.fee = 1e13;
        batch.nonce = uint48(items.length > 100 ? 1 : 2);
        batch.deadline = 2_000_000_000;
        batch.items = items;
        return Sign.by(key, address(trainer), batch);
    }

    /// @dev Measures models that learn only after wrong predictions.
    function whenWrong(Model memory model, string memory size, bytes memory sample) internal {
        uint256 predicted = predict(model.classifier, sample);
        settle(model, size, predicted, sample);
        measure(model, string.concat(size, "-unchanged"), predicted, sample);
        measure(model, string.concat(size, "-learns"), 1 - predicted, sample);
        withChange(model, string.concat(size, "-with-change"), sample);
        bytesOf(model, size, sample);
    }

    /// @dev Measures models that learn from every contribution.
    function always(Model memory model, string memory size, bytes memory sample) internal {
        uint256 predicted = predict(model.classifier, sample);
        settle(model, size, predicted, sample);
        measure(model, size, predicted, sample);
        bytesOf(model, size, sample);
    }

    /// @dev Brings the model to its steady state, and measures claims on the way.
    function settle(Model memory model, string memory size, uint256 label, bytes memory sample) internal {
        // This refund gives BOB a good contribution, so that BOB may report.
        Contribution memory made = contribute(model.trainer, BOB, label, sample);
        pass(REFUND_WAIT);
        vm.prank(BOB, BOB);
        model.trainer.refund(alone(made));

        address author = address(uint160(uint256(keccak256(bytes(size)))));
        vm.deal(author, 1e24);
        for (uint256 i; i < 2; ++i) {
            made = contribute(model.trainer, author, label, sample);
            pass(REFUND_WAIT);
            vm.prank(author, author);
            model.trainer.refund(alone(made));
            recordLast("refund", model, string.concat(size, i == 0 ? "-first" : "-next"));
        }
        record(
            "bytes",
            model,
            string.concat(size, "-refund"),
            abi.encodeCall(model.trainer.refund, (alone(made))).length
        );

        // The model learns from the contribution if it disagrees; another lesson restores it.
        made = contribute(model.trainer, ALICE, 1 - label, sample);
        for (uint256 i; predict(model.classifier, sample) != label; ++i) {
            contribute(model.trainer, BOB, label, sample);
        }
        pass(REFUND_WAIT);
        vm.prank(BOB, BOB);
        model.trainer.report(alone(made));
        recordLast("report", model, string.concat(size, "-part"));
        made = contribute(model.trainer, CAROL, 1 - label, sample);
        for (uint256 i; predict(model.classifier, sample) != label; ++i) {
            contribute(model.trainer, BOB, label, sample);
        }
        pass(ANY_WAIT);
        vm.prank(OWNER, OWNER);
        model.trainer.claimLate(alone(made));
        recordLast("claimLate", model, size);
    }

    function measure(Model memory model, string memory name, uint256 label, bytes memory sample) internal {
        pass(1 days);
        uint256 price = model.trainer.price(1);
        vm.prank(ALICE, ALICE);
        model.trainer.contribute{value: price}(Encode.item(label, sample));
        recordLast("contribute", model, name);
    }

    /// @dev Measures a contribution that does not change the model and gets change.
    function withChange(Model memory model, string memory name, bytes memory sample) internal {
        pass(1 days);
        uint256 label = predict(model.classifier, sample);
        vm.prank(ALICE, ALICE);
        model.trainer.contribute{value: 100 ether}(Encode.item(label, sample));
        recordLast("contribute", model, name);
    }

    function bytesOf(Model memory model, string memory size, bytes memory sample) internal {
        uint256 length = abi.encodeCall(model.trainer.contribute, Encode.item(0, sample)).length;
        record("bytes", model, string.concat(size, "-contribute"), length);
    }

    /// @dev Builds a model and records its price.
    function buildMeasured(
        string memory name,
        string memory size,
        address implementation,
        bytes memory parameters,
        uint256[] memory values
    ) internal returns (Model memory model) {
        uint256 gas;
        (model, gas) = build(name, implementation, parameters, values);
        record("create", model, size, gas);
    }

    /// @dev Creates, writes and closes a model. Returns it and the gas of all these transactions.
    function build(
        string memory name,
        address implementation,
        bytes memory parameters,
        uint256[] memory values
    ) internal returns (Model memory model, uint256 gas) {
        model.name = name;
        vm.prank(OWNER, OWNER);
        (address trainer, address classifier) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, notice, COST_WEIGHT),
            implementation,
            parameters
        );
        gas = vm.lastCallGas().gasTotalUsed;
        model.trainer = DepositRefundTake(trainer);
        model.classifier = Classifier(classifier);
        for (uint256 offset; offset < values.length; offset += CHUNK) {
            uint256 count = values.length - offset < CHUNK ? values.length - offset : CHUNK;
            uint256[] memory chunk = new uint256[](count);
            for (uint256 i; i < count; ++i) {
                chunk[i] = values[offset + i];
            }
            vm.prank(OWNER, OWNER);
            model.classifier.write(offset, chunk);
            gas += vm.lastCallGas().gasTotalUsed;
        }
        vm.prank(OWNER, OWNER);
        model.classifier.close(trainer);
        gas += vm.lastCallGas().gasTotalUsed;
    }

    /// @dev Returns words whose lanes are all non-zero, with small positive and negative weights.
    function pattern(uint256 count) internal pure returns (uint256[] memory values) {
        values = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            for (uint256 lane; lane < 16; ++lane) {
                int256 weight = int256(uint256(keccak256(abi.encode(i, lane))) % 200) - 100;
                values[i] |= uint256(uint16(int16(weight))) << (16 * lane);
            }
        }
    }

    /// @dev Returns headers of 1,000 samples and small counts, 16 a word.
    function counts(uint256 classes, uint256 wordsPerClass) internal pure returns (uint256[] memory values) {
        values = new uint256[](classes * (1 + wordsPerClass));
        for (uint256 class; class < classes; ++class) {
            values[class] = 1000 | 1_000_000 << 32;
            for (uint256 i; i < wordsPerClass; ++i) {
                for (uint256 lane; lane < 16; ++lane) {
                    uint256 count = uint256(keccak256(abi.encode(class, i, lane))) % 100;
                    values[classes + class * wordsPerClass + i] |= count << (16 * lane);
                }
            }
        }
    }

    /// @dev Returns numbers from -1000 to 1000.
    function numbers(uint256 count) internal pure returns (int256[] memory values) {
        values = new int256[](count);
        for (uint256 i; i < count; ++i) {
            values[i] = int256(uint256(keccak256(abi.encode(i))) % 2001) - 1000;
        }
    }

    function recordLast(string memory action, Model memory model, string memory name) internal {
        record(action, model, name, vm.lastCallGas().gasTotalUsed);
    }

    function record(string memory action, Model memory model, string memory name, uint256 value) internal {
        vm.snapshotValue("gas", string.concat(action, ".", model.name, ".", name), value);
    }
}
