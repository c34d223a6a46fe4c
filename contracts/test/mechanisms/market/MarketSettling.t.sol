// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {
    IPredictionMarket,
    Participant,
    Phase,
    Progress,
    Stage
} from "../../../src/interfaces/IPredictionMarket.sol";
import {Payments} from "../../../src/libraries/Payments.sol";
import {Encode} from "../../base/Encode.sol";
import {MarketTest} from "../../base/MarketTest.sol";

/// @notice The effect of passes on balances, in figures worked out by hand.
contract MarketSettlingTest is MarketTest {
    function setUp() external {
        createMarket();
    }

    /// @dev The scores are 6, 3 and -1 of 10 samples. Carol's 100 wei can afford a pot of 100 * 10
    /// / 1 = 1,000, the whole bounty. The changes are 600, 300 and -100.
    function test_settle_spendsBountyInOnePass() external {
        usualScoring(1_000);
        market.restart(1);
        market.score(recordsFrom(0), 100);
        requireScores(6, 3, -1);

        vm.expectEmit(address(market));
        emit IPredictionMarket.BalanceChanged(ALICE, 6, 800);
        vm.expectEmit(address(market));
        emit IPredictionMarket.BalanceChanged(BOB, 3, 400);
        vm.expectEmit(address(market));
        emit IPredictionMarket.BalanceChanged(CAROL, -1, 0);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Removed(CAROL, 1);
        vm.expectEmit(address(market));
        emit IPredictionMarket.PassSettled(1, 1_000, 9, true);
        market.settle(6);
        assertPhase(Phase.Settled);
        assertEq(market.remainingBounty(), 0, "left of the bounty");
        assertEq(market.collectable(ALICE), 800, "two stakes and 600");
        assertEq(market.collectable(BOB), 400, "a stake and 300");
        assertEq(market.collectable(CAROL), 0, "a stake less 100");
        assertEq(market.remainder(), 200, "what Carol lost and what 9 of 10 samples leave");
        collectAll();
        assertEq(address(market).balance, 0, "all is paid out");
    }

    /// @dev Carol's 100 wei limit the first pass to a pot of 1,000 of 30,000, which pays 600 and
    /// 300. Without Carol, the second pass has no losses and plays for the other 29,000: 17,400 and
    /// 8,700.
    function test_settle_skipsRemovedAuthorInSecondPass() external {
        usualScoring(30_000);
        wholePass();
        assertPhase(Phase.Scoring);
        assertStage(Stage.Copying);
        assertEq(market.progress().runAuthor, address(0), "nobody is taught yet in the next pass");
        assertEq(market.remainingBounty(), 29_000, "left of the bounty");
        assertBalance(ALICE, 800);
        assertBalance(BOB, 400);
        assertBalance(CAROL, 0);
        assertTrue(market.account(CAROL).removed, "Carol cannot pay for anything");
        address firstModel = market.model();

        market.restart(1);
        assertTrue(market.model() != firstModel, "a new model");
        market.score(recordsFrom(0), 100);
        requireScores(6, 3, 0);
        assertEq(market.progress().correct, 10, "nobody spoils it");
        vm.recordLogs();
        market.settle(100);
        assertPhase(Phase.Settled);
        assertEq(logsOf(IPredictionMarket.BalanceChanged.selector).length, 2, "nothing changes for Carol");
        assertTrue(market.account(CAROL).removed, "Carol stays removed");
        assertBalance(ALICE, 18_200);
        assertBalance(BOB, 9_100);
        assertEq(market.remainder(), 30_000 - 18_000 - 9_000 + 100, "a tenth of both pots, and Carol's stake");
        collectAll();
        assertEq(address(market).balance, 0, "all is paid out");
    }

    /// @dev With a stake of 7 and a score of -3 of 10, the pot is floor(70 / 3) = 23 and the loss
    /// ceil(69 / 10) = 7. The winner of 4 gets floor(92 / 10) = 9.
    function test_settle_roundsTowardsMarket() external {
        createMarket(abi.encode(7, 7 days, 1 days, 2 days, 100, 1));
        parts.push(bytes.concat(times(4, says(1, 1)), times(3, says(0, 2)), times(3, says(0, 3))));
        parts.push(says(1, 1));
        open(1_000, 1);
        bet(ALICE, says(1, 1));
        bet(BOB, says(1, 2));
        revealRest();
        wholePass();
        assertPhase(Phase.Settled);
        assertBalance(ALICE, 7 + 9);
        assertBalance(BOB, 0);
        assertEq(market.remainder(), 1_000 - 9 + 7, "the rest");
        collectAll();
        assertEq(address(market).balance, 0, "all is paid out");
    }

    /// @dev Bob loses 1 of 10 with 3 stakes, Carol 3 with one. Carol's floor(1000 / 3) = 333 limits
    /// the pot. Bob's loss is ceil(333 / 10) = 34, and he stays, because 266 wei can pay for more.
    /// Carol's loss is ceil(999 / 10) = 100.
    function test_settle_limitsPotByPoorestLoser() external {
        parts.push(bytes.concat(times(6, says(0, 1)), says(0, 2), times(3, says(0, 3))));
        parts.push(says(0, 1));
        open(100_000, 1);
        bet(BOB, bytes.concat(says(1, 2), says(0, 7), says(0, 8)));
        bet(CAROL, says(1, 3));
        revealRest();
        wholePass();
        assertBalance(BOB, 266);
        assertTrue(!market.account(BOB).removed, "Bob goes on");
        assertBalance(CAROL, 0);
        assertTrue(market.account(CAROL).removed, "Carol does not");
        assertEq(market.remainingBounty(), 99_667, "333 were played for");
        // Bob's 266 wei alone can afford a pot of 2,660; after that nobody is left.
        wholePass();
        assertPhase(Phase.Settled);
        assertBalance(BOB, 0);
        assertEq(market.remainder(), 100_400, "who made it worse pays the owner");
    }

    /// @dev A pass without a pot removes a participant who cannot even pay for a pot of 1 wei.
    function test_settle_removesWithoutPot() external {
        createMarket(abi.encode(1, 7 days, 1 days, 2 days, 100, 9));
        parts.push(bytes.concat(says(1, 1), times(3, says(0, 2))));
        parts.push(says(1, 1));
        open(4, 1);
        bet(ALICE, says(1, 1));
        bet(BOB, says(1, 2));
        revealRest();
        market.restart(1);
        market.score(recordsFrom(0), 9);
        vm.expectEmit(address(market));
        emit IPredictionMarket.BalanceChanged(ALICE, 1, 1);
        vm.expectEmit(address(market));
        emit IPredictionMarket.BalanceChanged(BOB, -3, 0);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Removed(BOB, 1);
        vm.expectEmit(address(market));
        emit IPredictionMarket.PassSettled(1, 1, 1, false);
        market.settle(9);
        wholePass();
        // A quarter of the 3 wei left is less than 1 wei.
        assertBalance(ALICE, 1);
        assertEq(market.remainder(), 5, "bounty and Bob's stake");
        assertPhase(Phase.Settled);
    }

    /// @dev Bob loses all 4 samples and Carol 3. Carol's stake can pay for a pot of 1. Bob has 1
    /// wei left, exactly the cost of a pot of 1 more wei, so he stays.
    function test_settle_keepsParticipantWithOneMoreWei() external {
        createMarket(abi.encode(1, 7 days, 1 days, 2 days, 100, 9));
        parts.push(bytes.concat(says(0, 1), says(0, 2), says(0, 3), says(0, 4)));
        parts.push(says(0, 1));
        open(100, 1);
        bytes memory all = hex"0001000200030004";
        bet(BOB, bytes.concat(Encode.item(1, all), says(0, 7)));
        bet(ALICE, Encode.item(0, all));
        bet(CAROL, Encode.item(1, hex"000100020003"));
        revealRest();
        market.restart(1);
        market.score(recordsFrom(0), 100);
        assertEq(market.account(BOB).score, -4, "Bob");
        assertEq(market.account(CAROL).score, -3, "Carol");
        market.settle(100);
        assertEq(market.remainingBounty(), 99, "1 was played for");
        assertTrue(!market.account(BOB).removed && market.account(CAROL).removed, "only Carol is removed");
        assertBalance(BOB, 1);
        // So the market teaches Bob's lie again, which costs his last wei.
        wholePass();
        assertBalance(BOB, 0);
        assertTrue(market.account(BOB).removed, "now Bob is, too");
        assertBalance(ALICE, 3);
    }

    /// @dev The market ends after the owner's maximum number of passes. The owner gets the money
    /// that was not played for.
    function test_settle_endsAfterLastPass() external {
        createMarket(abi.encode(STAKE, 7 days, 1 days, 2 days, 100, 1));
        usualScoring(30_000);
        wholePass();
        assertPhase(Phase.Settled);
        assertEq(market.remainder(), 29_200, "29,000 and 200");
    }

    /// @dev Steps of one visit each, by anyone, give the same result, and each step logs its
    /// progress.
    function test_settle_worksInSteps() external {
        usualScoring(30_000);
        market.restart(1);
        market.score(recordsFrom(0), 100);
        market.settle(1);
        requireSettling(Stage.Finding, 1, 30_000);
        vm.prank(BOB);
        market.settle(1);
        requireSettling(Stage.Finding, 2, 30_000);
        vm.expectEmit(address(market));
        emit IPredictionMarket.SettlementAdvanced(Stage.Paying, 0, 1_000);
        market.settle(1);
        requireSettling(Stage.Paying, 0, 1_000);
        market.settle(2);
        requireSettling(Stage.Paying, 2, 1_000);
        assertBalance(BOB, 400);
        assertBalance(CAROL, 100);
        market.settle(1);
        assertBalance(CAROL, 0);
        assertStage(Stage.Copying);
    }

    /// @dev One call covers both scans.
    function test_settle_worksOverBothScans() external {
        usualScoring(30_000);
        market.restart(1);
        market.score(recordsFrom(0), 100);
        market.settle(4);
        requireSettling(Stage.Paying, 1, 1_000);
        assertBalance(ALICE, 800);
        assertBalance(BOB, 100);
    }

    function test_settle_failsIfNothingToSettle() external {
        usualScoring(1_000);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongStage.selector, Stage.Copying, Stage.Finding)
        );
        market.settle(1);
        market.restart(1);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongStage.selector, Stage.Teaching, Stage.Finding)
        );
        market.settle(1);
        market.score(recordsFrom(0), 100);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.NoProgress.selector));
        market.settle(0);
    }

    function test_collect_paysOnce() external {
        usualScoring(1_000);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Scoring, Phase.Settled)
        );
        vm.prank(ALICE);
        market.collect();
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Scoring, Phase.Settled)
        );
        vm.prank(OWNER);
        market.collectRemainder();
        assertEq(market.collectable(ALICE), 0, "not yet");
        assertEq(market.remainder(), 0, "not yet");
        wholePass();

        vm.expectEmit(address(market));
        emit IPredictionMarket.Collected(ALICE, 800);
        vm.prank(ALICE);
        market.collect();
        Participant memory alice = market.account(ALICE);
        assertTrue(alice.collected && alice.balance == 0, "collected");
        requireNothing(ALICE);
        // Carol has lost everything, and a stranger has never had anything.
        requireNothing(CAROL);
        requireNothing(address(this));

        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, BOB, OWNER));
        vm.prank(BOB);
        market.collectRemainder();
        vm.expectEmit(address(market));
        emit IPredictionMarket.RemainderCollected(OWNER, 200);
        vm.prank(OWNER);
        market.collectRemainder();
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, OWNER));
        vm.prank(OWNER);
        market.collectRemainder();
    }

    /// @dev A completely spent bounty leaves the owner nothing.
    function test_collectRemainder_failsIfBountyIsSpent() external {
        parts.push(times(2, says(1, 1)));
        parts.push(says(1, 1));
        open(50, 1);
        bet(ALICE, says(1, 1));
        revealRest();
        wholePass();
        assertBalance(ALICE, 150);
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, OWNER));
        vm.prank(OWNER);
        market.collectRemainder();
    }

    function requireNothing(address author) internal {
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, author));
        vm.prank(author);
        market.collect();
    }

    function requireScores(int256 alice, int256 bob, int256 carol) internal view {
        assertEq(market.account(ALICE).score, alice, "Alice");
        assertEq(market.account(BOB).score, bob, "Bob");
        assertEq(market.account(CAROL).score, carol, "Carol");
    }

    function requireSettling(Stage stage, uint256 participantIndex, uint256 pot) internal view {
        Progress memory progress = market.progress();
        assertStage(stage);
        assertEq(progress.participantIndex, participantIndex, "participant index");
        assertEq(progress.pot, pot, "pot");
    }
}
