// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IPredictionMarket, Phase, Stage} from "../../src/interfaces/IPredictionMarket.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Encode} from "./Encode.sol";
import {ModelTest} from "./ModelTest.sol";

/// @notice Prediction markets over a sparse perceptron, driven as a client would drive them.
/// @dev Unless a test says otherwise, the model has 16 features, weights of 0 and a learning rate
/// of 1. At first it predicts 0 for everything. After the first lesson of label 1 for a feature, it
/// predicts 1 for that feature.
abstract contract MarketTest is ModelTest {
    uint256 internal constant STAKE = 100;
    uint256 internal constant BOUNTY = 1_000;
    uint256 internal constant PARTICIPATION = 7 days;
    uint256 internal constant REVEAL_WAIT = 1 days;
    uint256 internal constant SCORING_WAIT = 2 days;
    uint256 internal constant MAX_CONTRIBUTIONS = 1_000;
    uint256 internal constant MAX_PASSES = 5;

    address internal predictionMarket = deploy("PredictionMarket");

    IPredictionMarket internal market;
    Classifier internal first;

    /// @dev The items of each part of the test set.
    bytes[] internal parts;

    /// @dev The records of all contributions, encoded for `score`.
    bytes[] internal records;

    /// @dev Creates a market with the usual parameters, over a model with weights of 0.
    function createMarket() internal {
        createMarket(
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, MAX_CONTRIBUTIONS, MAX_PASSES)
        );
    }

    function createMarket(bytes memory parameters) internal {
        createMarket(parameters, sparsePerceptron, abi.encode(16, 1, int256(0)));
        vm.prank(OWNER);
        first.close(address(market));
    }

    /// @dev Creates a market over an open model.
    function createMarket(bytes memory parameters, address classifier, bytes memory classifierParameters)
        internal
    {
        vm.prank(OWNER);
        (address created, address model) =
            factory.create(predictionMarket, parameters, classifier, classifierParameters);
        market = IPredictionMarket(created);
        first = Classifier(model);
        delete parts;
        delete records;
    }

    /// @dev Returns an item with a label and one feature.
    function says(uint256 label, uint256 feature) internal pure returns (bytes memory) {
        return Encode.item(label, abi.encodePacked(uint16(feature)));
    }

    /// @dev Repeats an item.
    function times(uint256 n, bytes memory item) internal pure returns (bytes memory items) {
        for (uint256 i; i < n; ++i) {
            items = bytes.concat(items, item);
        }
    }

    function saltOf(uint256 part) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", part));
    }

    function commitments() internal view returns (bytes32[] memory all) {
        all = new bytes32[](parts.length);
        for (uint256 i; i < all.length; ++i) {
            all[i] = keccak256(abi.encode(i, saltOf(i), keccak256(parts[i])));
        }
    }

    /// @dev Commits to `parts`.
    function commit(uint256 bounty) internal {
        bytes32[] memory all = commitments();
        vm.prank(OWNER);
        market.commit{value: bounty}(all);
    }

    /// @dev Makes the chain draw a part, with a block hash that leads to it. A proposer cannot
    /// choose the hash like that.
    function drawPart(uint256 part) internal {
        uint256 number = market.committedBlock() + 1;
        uint256 hash = 1;
        while (uint256(keccak256(abi.encode(hash, address(market)))) % parts.length != part) {
            ++hash;
        }
        vm.roll(number + 1);
        vm.setBlockhash(number, bytes32(hash));
        market.draw();
    }

    /// @dev Commits to `parts`, draws one and opens the market with it.
    function open(uint256 bounty, uint256 drawn) internal {
        commit(bounty);
        drawPart(drawn);
        reveal(drawn);
    }

    function reveal(uint256 part) internal {
        market.reveal(part, saltOf(part), parts[part]);
    }

    /// @dev Ends the participation and reveals the other parts.
    function revealRest() internal {
        vm.warp(market.closingTime());
        (, uint256 drawn) = market.drawnPart();
        for (uint256 i; i < parts.length; ++i) {
            if (i != drawn) reveal(i);
        }
    }

    /// @dev Contributes for the exact stakes and stores the record.
    function bet(address author, bytes memory items) internal {
        uint256 n;
        for (uint256 offset; offset < items.length; ++n) {
            offset += 4 + (uint256(uint8(items[offset + 2])) << 8) + uint8(items[offset + 3]);
        }
        uint256 stakes = n * market.stake();
        records.push(recordOf(author, this.clock(), items));
        vm.prank(author);
        market.contribute{value: stakes}(items);
    }

    function recordOf(address author, uint256 time, bytes memory items) internal pure returns (bytes memory) {
        return abi.encodePacked(author, uint40(time), uint32(items.length), items);
    }

    /// @dev Returns the records from an index on.
    function recordsFrom(uint256 index) internal view returns (bytes memory all) {
        for (; index < records.length; ++index) {
            all = bytes.concat(all, records[index]);
        }
    }

    /// @dev Scores and settles a whole pass, with as few calls as possible.
    function wholePass() internal {
        market.restart(type(uint256).max);
        market.score(recordsFrom(0), type(uint256).max);
        market.settle(type(uint256).max);
    }

    /// @dev Drives the scoring to its end.
    function wholeScoring() internal {
        while (market.phase() == Phase.Scoring) wholePass();
    }

    /// @dev Collects all collectable money of participants and owner; only rounding remains.
    function collectAll() internal {
        for (uint256 i; i < market.participantCount(); ++i) {
            address author = market.participants(i);
            uint256 amount = market.collectable(author);
            if (amount == 0) continue;
            uint256 before = author.balance;
            vm.prank(author);
            market.collect();
            assertEq(author.balance - before, amount, "collected");
        }
        if (market.remainder() == 0) return;
        vm.prank(OWNER);
        market.collectRemainder();
    }

    function assertPhase(Phase expected) internal view {
        assertEq(uint256(market.phase()), uint256(expected), "phase");
    }

    function assertStage(Stage expected) internal view {
        assertEq(uint256(market.progress().stage), uint256(expected), "stage");
    }

    function assertBalance(address author, uint256 expected) internal view {
        assertEq(market.account(author).balance, expected, "balance");
    }

    /// @dev Sets the three parts of most tests, of which the middle one is drawn. The market scores
    /// on 10 samples; at first the model predicts 1 of them right.
    function usualParts() internal {
        parts.push(bytes.concat(times(4, says(1, 1)), says(1, 3)));
        parts.push(bytes.concat(says(1, 1), says(1, 2)));
        parts.push(bytes.concat(times(3, says(1, 2)), says(1, 3), says(0, 4)));
    }

    /// @dev Contributes for three authors. Alice improves the model by 4 and 2 samples and Bob by
    /// 3; Carol makes it worse by 1.
    function usualBets() internal {
        bet(ALICE, says(1, 1));
        bet(BOB, says(1, 2));
        bet(CAROL, says(1, 4));
        bet(ALICE, says(1, 3));
    }

    /// @dev Brings a market with both to the beginning of its scoring.
    function usualScoring(uint256 bounty) internal {
        usualParts();
        open(bounty, 1);
        usualBets();
        revealRest();
    }
}
