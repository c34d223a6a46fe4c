// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {Vm} from "../base/Vm.sol";

/// @notice The same contributions and claims on three models: sent and claimed one by one; relayed
/// all together; sent in batches, each by its author. All end in the same state, and skip what the
/// others refuse.
/// @dev All contributions come in the second of creation, so their number does not change the
/// price.
contract EquivalenceTest is ModelTest {
    uint256 private constant ONE_BY_ONE = 0;
    uint256 private constant RELAYED = 1;
    uint256 private constant MODELS = 3;
    uint256 private constant AUTHORS = 4;
    uint256 private constant PREPAID = 1e24;

    ICollaborativeTrainer[MODELS] private trainers;
    Classifier[MODELS] private classifiers;
    /// @dev Money that each person's own balance has gained through a model, plus an offset.
    mapping(uint256 model => mapping(address person => uint256)) private gained;
    address[] private people;
    /// @dev The refusals of the first model, encoded as skips.
    bytes[] private skips;
    uint256[] private skippedPositions;

    constructor() {
        vm.deal(address(this), 1e30);
        for (uint256 key = 1; key <= AUTHORS; ++key) {
            people.push(vm.addr(key));
        }
        people.push(OWNER);
        for (uint256 model; model < MODELS; ++model) {
            (trainers[model], classifiers[model]) = create(sparsePerceptron, abi.encode(40, 3, int256(0)));
            vm.prank(OWNER);
            classifiers[model].close(address(trainers[model]));
            for (uint256 i; i < people.length; ++i) {
                vm.deal(people[i], 1e27);
                trainers[model].depositTo{value: PREPAID}(people[i]);
                gained[model][people[i]] = 1e27;
            }
        }
    }

    function testFuzz_relay_equalsContributingAlone(uint256 n, uint256 seed) external {
        n = bound(n, 1, 24);
        Contribution[] memory plan = random(n, seed);
        Contribution[][][] memory transactions = new Contribution[][][](MODELS);
        for (uint256 model; model < MODELS; ++model) {
            transactions[model] = contributeAll(model, plan);
        }
        requireSame(n);
        // Claims too early; then some of them; then all, including settled ones; then reports by
        // two; then late claims.
        pass(REFUND_WAIT - 1);
        claimAll(transactions, ICollaborativeTrainer.refund.selector, people[0], seed >> 1);
        pass(1);
        claimAll(transactions, ICollaborativeTrainer.refund.selector, people[1], seed >> 2);
        claimAll(transactions, ICollaborativeTrainer.report.selector, people[0], seed >> 3);
        claimAll(transactions, ICollaborativeTrainer.refund.selector, people[2], type(uint256).max);
        claimAll(transactions, ICollaborativeTrainer.report.selector, people[1], seed >> 5);
        claimAll(transactions, ICollaborativeTrainer.report.selector, people[0], type(uint256).max);
        claimAll(transactions, ICollaborativeTrainer.report.selector, people[3], seed >> 6);
        requireSame(n);
        pass(OWNER_WAIT - REFUND_WAIT);
        claimAll(transactions, ICollaborativeTrainer.claimLate.selector, people[0], seed >> 7);
        claimAll(transactions, ICollaborativeTrainer.claimLate.selector, OWNER, seed >> 8);
        requireSame(n);
        pass(ANY_WAIT - OWNER_WAIT);
        claimAll(transactions, ICollaborativeTrainer.claimLate.selector, people[3], type(uint256).max);
        requireSame(n);
        for (uint256 model; model < MODELS; ++model) {
            uint256 prepaid;
            for (uint256 i; i < people.length; ++i) {
                prepaid += trainers[model].balanceOf(people[i]);
            }
            assertEq(address(trainers[model]).balance, prepaid, "all settled");
        }
    }

    /// @dev Returns random labels and samples, of authors that often come several times in a row.
    function random(uint256 n, uint256 seed) private view returns (Contribution[] memory plan) {
        uint256[] memory labels = new uint256[](n);
        bytes[] memory samples = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i)));
            labels[i] = word & 1;
            uint16 feature = uint16(word >> 8 & 15);
            samples[i] = word & 2 == 0 ? abi.encodePacked(feature) : abi.encodePacked(feature, feature + 20);
        }
        plan = madeOf(address(0), trainers[0].price(1), 0, labels, samples);
        for (uint256 i; i < n; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i)));
            plan[i].author = i > 0 && word & 12 == 0 ? plan[i - 1].author : people[(word >> 16) % AUTHORS];
        }
    }

    /// @dev Contributes the plan in the way of this model, and returns its transactions.
    function contributeAll(uint256 model, Contribution[] memory plan)
        private
        returns (Contribution[][] memory transactions)
    {
        if (model == RELAYED) {
            transactions = new Contribution[][](1);
            transactions[0] = plan;
            relay(runs(plan));
            return transactions;
        }
        transactions = model == ONE_BY_ONE ? singles(plan) : runs(plan);
        for (uint256 i; i < transactions.length; ++i) {
            address author = transactions[i][0].author;
            uint256 price = trainers[model].price(transactions[i].length);
            bytes memory items = itemsOf(transactions[i]);
            vm.prank(author);
            trainers[model].contribute{value: price * transactions[i].length}(items);
            gained[model][author] -= price * transactions[i].length;
            vm.deal(author, 1e27);
        }
    }

    function relay(Contribution[][] memory batches) private {
        bytes memory encoded;
        uint256[AUTHORS] memory nonces;
        for (uint256 i; i < batches.length; ++i) {
            for (uint256 j; j < AUTHORS; ++j) {
                if (people[j] != batches[i][0].author) continue;
                SignedBatch memory batch = signed(trainers[RELAYED], 1 + j, nonces[j]++, itemsOf(batches[i]));
                encoded = bytes.concat(encoded, Sign.encode(batch));
            }
        }
        trainers[RELAYED].relay(encoded, GAS_PER_BATCH);
    }

    /// @dev Claims the chosen ones on all models. The others must skip each claim that the first
    /// one refuses, with the same reason.
    function claimAll(Contribution[][][] memory transactions, bytes4 selector, address caller, uint256 chosen)
        private
    {
        (skips, skippedPositions) = (new bytes[](0), new uint256[](0));
        uint256 count;
        for (uint256 i; i < transactions[ONE_BY_ONE].length; ++i) {
            if (chosen >> i & 1 == 0) continue;
            ++count;
            (bool success, bytes memory result) =
                claim(ONE_BY_ONE, selector, caller, alone(transactions[ONE_BY_ONE][i][0]));
            if (success) continue;
            skips.push(result);
            skippedPositions.push(i);
        }
        for (uint256 model = RELAYED; model < MODELS; ++model) {
            vm.recordLogs();
            (bool success, bytes memory result) =
                claim(model, selector, caller, groups(transactions[model], chosen));
            assertTrue(success == (skips.length < count), "success");
            Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.ClaimSkipped.selector);
            if (!success) {
                bytes memory none = abi.encodeWithSelector(ICollaborativeTrainer.NoClaims.selector);
                assertEq(result, count == 0 ? none : skips[0], "first reason");
                continue;
            }
            assertEq(logs.length, skips.length, "skips");
            for (uint256 i; i < logs.length; ++i) {
                assertEq(uint256(logs[i].topics[1]), skippedPositions[i], "position");
                assertEq(abi.decode(logs[i].data, (bytes)), skips[i], "reason");
            }
        }
    }

    function claim(uint256 model, bytes4 selector, address caller, bytes memory claims)
        private
        returns (bool success, bytes memory result)
    {
        vm.prank(caller);
        (success, result) = address(trainers[model]).call(abi.encodeWithSelector(selector, claims));
        gained[model][caller] += caller.balance - 1e27;
        vm.deal(caller, 1e27);
    }

    /// @dev Checks that all public state of the models but the roots is the same.
    function requireSame(uint256 n) private view {
        for (uint256 model = RELAYED; model < MODELS; ++model) {
            (ICollaborativeTrainer a, ICollaborativeTrainer b) = (trainers[ONE_BY_ONE], trainers[model]);
            assertEq(a.contributionCount(), b.contributionCount(), "count");
            assertEq(a.lastContributionTime(), b.lastContributionTime(), "time");
            assertEq(a.totalGood(), b.totalGood(), "total good");
            for (uint256 i; i < people.length; ++i) {
                address person = people[i];
                assertEq(a.good(person), b.good(person), "good");
                assertEq(
                    gained[ONE_BY_ONE][person] + a.balanceOf(person),
                    gained[model][person] + b.balanceOf(person),
                    "money"
                );
            }
            for (uint256 i; i < n; ++i) {
                (Status status, uint256 taken, address first) = a.settlement(i);
                requireSettlement(b, i, status, taken, first);
                for (uint256 j; j < people.length; ++j) {
                    assertTrue(a.reported(i, people[j]) == b.reported(i, people[j]), "reported");
                }
            }
            for (uint256 i; i < 3; ++i) {
                assertEq(word(classifiers[ONE_BY_ONE], i), word(classifiers[model], i), "word");
            }
        }
    }

    function groups(Contribution[][] memory transactions, uint256 chosen)
        private
        pure
        returns (bytes memory claims)
    {
        for (uint256 i; i < transactions.length; ++i) {
            uint256[] memory indices = new uint256[](transactions[i].length);
            uint256 count;
            for (uint256 j; j < indices.length; ++j) {
                if (chosen >> transactions[i][j].position & 1 != 0) indices[count++] = j;
            }
            assembly ("memory-safe") {
                mstore(indices, count)
            }
            if (count != 0) claims = bytes.concat(claims, Groups.some(transactions[i], indices));
        }
    }

    function singles(Contribution[] memory plan) private pure returns (Contribution[][] memory transactions) {
        transactions = new Contribution[][](plan.length);
        for (uint256 i; i < plan.length; ++i) {
            transactions[i] = new Contribution[](1);
            transactions[i][0] = plan[i];
        }
    }

    /// @dev Cuts the plan at each change of the author.
    function runs(Contribution[] memory plan) private pure returns (Contribution[][] memory transactions) {
        transactions = new Contribution[][](plan.length);
        uint256 count;
        for (uint256 i; i < plan.length;) {
            uint256 end = i + 1;
            while (end < plan.length && plan[end].author == plan[i].author) ++end;
            transactions[count] = new Contribution[](end - i);
            for (uint256 j = i; j < end; ++j) {
                transactions[count][j - i] = plan[j];
            }
            ++count;
            i = end;
        }
        assembly ("memory-safe") {
            mstore(transactions, count)
        }
    }
}
