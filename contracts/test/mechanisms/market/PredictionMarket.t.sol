// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../../../src/interfaces/IClassifier.sol";
import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IPredictionMarket, Participant, Phase} from "../../../src/interfaces/IPredictionMarket.sol";
import {Payments} from "../../../src/libraries/Payments.sol";
import {Samples} from "../../../src/libraries/Samples.sol";
import {Encode} from "../../base/Encode.sol";
import {MarketTest} from "../../base/MarketTest.sol";
import {ReentrantWallet, RefusingWallet} from "../../base/Receivers.sol";

/// @notice The bets: their senders, times and roots.
contract PredictionMarketTest is MarketTest {
    bytes private item;

    function setUp() external {
        createMarket();
        usualParts();
        item = says(1, 1);
    }

    function test_contribute_failsIfNotOpen() external {
        requireWrongPhase(Phase.Created);
        commit(BOUNTY);
        requireWrongPhase(Phase.Committed);
        drawPart(1);
        reveal(1);
        bet(ALICE, item);
        vm.warp(market.closingTime() - 1);
        bet(ALICE, item);
        vm.warp(market.closingTime());
        assertPhase(Phase.Revealing);
        requireWrongPhase(Phase.Revealing);
    }

    /// @dev The root has the trainer's form, the model does not change, and the market gives
    /// change.
    function test_contribute_recordsAndKeepsStake() external {
        open(BOUNTY, 1);
        bytes memory items = bytes.concat(says(1, 5), says(0, 6));
        uint256 before = ALICE.balance;
        vm.expectEmit(address(market));
        emit IPredictionMarket.Contributed(0, ALICE, STAKE, this.clock(), items);
        vm.prank(ALICE);
        assertEq(market.contribute{value: 999}(items), 0, "first position");
        assertEq(before - ALICE.balance, 2 * STAKE, "the stakes");

        bytes32 left = leaf(ALICE, 1, abi.encodePacked(uint16(5)), 0);
        bytes32 right = leaf(ALICE, 0, abi.encodePacked(uint16(6)), 1);
        (left, right) = left < right ? (left, right) : (right, left);
        assertEq(market.root(0), keccak256(abi.encode(left, right)), "root");
        assertEq(word(first, 0), 0, "the model");

        bet(BOB, item);
        assertEq(market.root(2), leaf(BOB, 1, abi.encodePacked(uint16(1)), 2), "the next one");
        bet(ALICE, item);
        Participant memory alice = market.account(ALICE);
        assertEq(alice.contributions, 3, "contributions");
        assertEq(alice.balance, 3 * STAKE, "balance");
        assertEq(market.participantCount(), 2, "participants");
        assertEq(market.participants(0), ALICE, "the first one");
        assertEq(market.participants(1), BOB, "the second one");
        assertEq(market.contributionCount(), 4, "all");
        assertEq(address(market).balance, BOUNTY + 4 * STAKE, "money");
    }

    function test_contribute_failsIfStakeTooLow() external {
        open(BOUNTY, 1);
        bytes memory items = bytes.concat(item, item);
        vm.expectRevert(
            abi.encodeWithSelector(IMechanismErrors.DepositTooLow.selector, 2 * STAKE, 2 * STAKE - 1)
        );
        vm.prank(ALICE);
        market.contribute{value: 2 * STAKE - 1}(items);
    }

    function test_contribute_failsIfMalformed() external {
        open(BOUNTY, 1);
        requireRefused("", abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        requireRefused(hex"00010002", abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        requireRefused(
            Encode.item(1, hex"0010"),
            abi.encodeWithSelector(Samples.FeatureOutOfRange.selector, 0, 0, 16, 16)
        );
        requireRefused(
            Encode.item(2, ""), abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 2, 2)
        );
        requireRefused(
            new bytes(24_576), abi.encodeWithSelector(IPredictionMarket.TooLong.selector, 24_576, 24_575)
        );
        // The market reads the longest batch: three bytes are left over after items without
        // samples.
        requireRefused(new bytes(24_575), abi.encodeWithSelector(IErrors.MalformedBatch.selector, 24_572));
        assertEq(market.participantCount(), 0, "nothing happened");
    }

    /// @dev The owner limits the number of contributions: the last one closes the market.
    function test_contribute_closesMarketWithLast() external {
        createMarket(abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, 3, MAX_PASSES));
        usualParts();
        open(BOUNTY, 1);
        bet(ALICE, bytes.concat(item, item));
        requireRefused(
            bytes.concat(item, item),
            abi.encodeWithSelector(IPredictionMarket.TooManyContributions.selector, 4, 3)
        );
        assertPhase(Phase.Open);
        pass(1 hours);
        bet(BOB, item);
        assertPhase(Phase.Revealing);
        assertEq(market.closingTime(), this.clock(), "closed by the last one");
        reveal(0);
        reveal(2);
        assertPhase(Phase.Scoring);
    }

    function test_contribute_failsIfChangeIsRefused() external {
        open(BOUNTY, 1);
        RefusingWallet wallet = new RefusingWallet();
        vm.deal(address(wallet), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, wallet, 1));
        wallet.execute(address(market), STAKE + 1, abi.encodeCall(market.contribute, (item)));
        wallet.execute(address(market), STAKE, abi.encodeCall(market.contribute, (item)));
        assertBalance(address(wallet), STAKE);
    }

    /// @dev A receiver of change cannot reenter.
    function test_contribute_refusesReentry() external {
        open(BOUNTY, 1);
        ReentrantWallet wallet = new ReentrantWallet();
        vm.deal(address(wallet), 1 ether);
        wallet.prepare(abi.encodeCall(market.contribute, (item)));
        wallet.execute(address(market), STAKE + 1, abi.encodeCall(market.contribute, (item)));
        assertEq(wallet.attacks(), 1, "tried");
        assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "refused");
        assertEq(market.contributionCount(), 1, "once");
    }

    function leaf(address author, uint256 label, bytes memory sample, uint256 position)
        private
        view
        returns (bytes32)
    {
        return keccak256(abi.encode(author, label, keccak256(sample), STAKE, this.clock(), position));
    }

    function requireRefused(bytes memory items, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(ALICE);
        market.contribute{value: 1 ether}(items);
    }

    function requireWrongPhase(Phase actual) private {
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, actual, Phase.Open));
        vm.prank(ALICE);
        market.contribute{value: STAKE}(item);
    }
}
