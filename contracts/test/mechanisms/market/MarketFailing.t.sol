// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../../../src/interfaces/IClassifier.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IPredictionMarket, Phase, Stage} from "../../../src/interfaces/IPredictionMarket.sol";
import {CallGas} from "../../../src/libraries/CallGas.sol";
import {Payments} from "../../../src/libraries/Payments.sol";
import {Classifier} from "../../../src/models/Classifier.sol";
import {MarketTest} from "../../base/MarketTest.sol";
import {PuppetClassifier, Strings} from "../../base/PuppetClassifier.sol";
import {ReentrantWallet, RefusingWallet} from "../../base/Receivers.sol";

/// @notice Failed markets and hostile contracts.
contract MarketFailingTest is MarketTest {
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant REVEAL_GAS = 5_000_000;
    uint256 private constant LESSON_GAS = 8_000_000;

    Strings private strings = new Strings();

    function setUp() external {
        createMarket();
    }

    /// @dev Contributors get their stakes back, and nobody gets the bounty. So the provider does
    /// not gain by letting a market fail.
    function test_collect_paysStakesBackIfNotRevealed() external {
        usualParts();
        open(1_001, 1);
        usualBets();
        vm.warp(market.closingTime());
        reveal(0);
        pass(REVEAL_WAIT);
        assertPhase(Phase.Revealing);
        pass(1);
        assertPhase(Phase.Failed);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Failed, Phase.Revealing)
        );
        reveal(2);
        requireFailedPayments();
    }

    /// @dev The same if the scoring is not finished in time, whatever it has done to balances so
    /// far.
    function test_collect_paysStakesBackIfScoringIsTooLong() external {
        usualScoring(1_001);
        wholePass();
        assertStage(Stage.Copying);
        assertBalance(CAROL, 0);
        market.restart(1);
        pass(SCORING_WAIT);
        market.score(records[0], 0);
        pass(1);
        assertPhase(Phase.Failed);
        bytes memory next = recordsFrom(1);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Failed, Phase.Scoring)
        );
        market.score(next, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Failed, Phase.Scoring)
        );
        market.settle(1);
        requireFailedPayments();
    }

    /// @dev Without contributions the scoring has nothing to do, and no further part needs to be
    /// revealed.
    function test_collectRemainder_paysBountyBackIfNobodyContributes() external {
        usualParts();
        open(BOUNTY, 1);
        vm.warp(market.closingTime());
        assertPhase(Phase.Settled);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Settled, Phase.Revealing)
        );
        reveal(0);
        uint256 before = OWNER.balance;
        vm.prank(OWNER);
        market.collectRemainder();
        assertEq(OWNER.balance - before, BOUNTY, "all of it");
        pass(1_000 days);
        assertPhase(Phase.Settled);
    }

    /// @dev Checks a statement of docs/security.md. A failure gives losers back what settling would
    /// take from them, and takes from winners what it would give them. From the provider it takes
    /// the whole bounty. One honest driver can prevent it.
    function test_collectable_differsBetweenFailedAndSettled() external {
        usualScoring(BOUNTY);
        uint256 snapshot = vm.snapshotState();
        wholeScoring();
        assertEq(market.collectable(ALICE), 800, "a winner of a settled market");
        assertEq(market.collectable(CAROL), 0, "a loser of a settled market");
        assertEq(market.remainder(), 200, "the provider of a settled market");

        vm.revertToState(snapshot);
        vm.warp(market.scoringTime() + SCORING_WAIT + 1);
        assertPhase(Phase.Failed);
        assertEq(market.collectable(ALICE), 2 * STAKE, "a winner of a failed market");
        assertEq(market.collectable(CAROL), STAKE, "a loser of a failed market");
        assertEq(market.remainder(), 0, "the provider of a failed market");
        market.forfeit();
        assertEq(market.collectable(CAROL), STAKE, "also once the bounty is burned");
    }

    /// @dev Checks a statement of docs/security.md: repeating a draw, with another name each time,
    /// costs a provider only gas and time.
    function test_draw_canBeRepeatedByNewMarket() external {
        address[2] memory names = [ALICE, BOB];
        for (uint256 i; i < names.length; ++i) {
            vm.prank(names[i]);
            (address created, address model) = factory.create(
                predictionMarket,
                abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, MAX_CONTRIBUTIONS, MAX_PASSES),
                sparsePerceptron,
                abi.encode(16, 1, int256(0))
            );
            market = IPredictionMarket(created);
            vm.prank(names[i]);
            Classifier(model).close(created);
            delete parts;
            usualParts();
            bytes32[] memory all = commitments();
            uint256 before = names[i].balance;
            vm.prank(names[i]);
            market.commit{value: BOUNTY}(all);
            drawPart(i);
            reveal(i);
            vm.warp(market.closingTime());
            vm.prank(names[i]);
            market.collectRemainder();
            assertEq(names[i].balance, before, "the whole bounty");
        }
    }

    /// @dev A participant that refuses money does not keep others from theirs, and can collect
    /// later.
    function test_collect_failsIfReceiverRefuses() external {
        usualParts();
        open(BOUNTY, 1);
        RefusingWallet wallet = new RefusingWallet();
        vm.deal(address(wallet), 1 ether);
        bytes memory items = says(1, 1);
        wallet.execute(address(market), STAKE, abi.encodeCall(market.contribute, (items)));
        records.push(recordOf(address(wallet), this.clock(), items));
        bet(BOB, says(1, 2));
        revealRest();
        wholePass();
        assertPhase(Phase.Settled);
        vm.prank(BOB);
        market.collect();
        vm.prank(OWNER);
        market.collectRemainder();
        uint256 due = market.collectable(address(wallet));
        assertEq(due, 500, "a stake and 4 of 10");
        vm.expectRevert(abi.encodeWithSelector(Payments.PaymentFailed.selector, wallet, due));
        wallet.execute(address(market), 0, abi.encodeCall(market.collect, ()));
        wallet.accept();
        wallet.execute(address(market), 0, abi.encodeCall(market.collect, ()));
        assertEq(address(market).balance, 0, "all is paid out");
    }

    /// @dev A receiver of a payment cannot collect again during it.
    function test_collect_refusesReentry() external {
        usualParts();
        open(BOUNTY, 1);
        ReentrantWallet wallet = new ReentrantWallet();
        vm.deal(address(wallet), STAKE);
        bytes memory items = says(1, 1);
        wallet.execute(address(market), STAKE, abi.encodeCall(market.contribute, (items)));
        records.push(recordOf(address(wallet), this.clock(), items));
        revealRest();
        wholePass();
        wallet.prepare(abi.encodeCall(market.collect, ()));
        wallet.execute(address(market), 0, abi.encodeCall(market.collect, ()));
        assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "refused");
        assertEq(address(wallet).balance, 500, "once");
    }

    /// @dev A failed lesson has no effect, but it is part of its author's run: the run is scored,
    /// with 0.
    function test_score_countsFailedLessonAsZero() external {
        puppets();
        strings.fail(false, false, true);
        market.restart(1);
        vm.expectEmit(address(market));
        emit IPredictionMarket.LessonFailed(0);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Scored(ALICE, 0, 0);
        market.score(recordsFrom(0), 2);
        assertEq(PuppetClassifier(market.model()).lessons(), 0, "lessons");
        assertStage(Stage.Finding);
    }

    /// @dev A lesson may use 8,000,000 gas, however much the driver has. A lesson that needs more
    /// fails in every step.
    function test_score_failsLessonThatUsesTooMuchGas() external {
        puppets();
        market.restart(1);
        uint256 before = vm.snapshotState();
        bytes memory all = recordsFrom(0);
        // The clone keeps a 64th of the allowance.
        strings.burn(0, 0, LESSON_GAS - 250_000);
        market.score{gas: 12_000_000}(all, 0);
        assertEq(PuppetClassifier(market.model()).lessons(), 1, "within its allowance");
        vm.revertToState(before);

        strings.burn(0, 0, LESSON_GAS);
        vm.expectEmit(address(market));
        emit IPredictionMarket.LessonFailed(0);
        market.score{gas: 100_000_000}(all, 1);
        assertEq(PuppetClassifier(market.model()).lessons(), 0, "above it");
    }

    /// @dev With less gas than a lesson's allowance, the step fails: so a driver cannot make
    /// lessons fail.
    function test_score_failsIfGasTooLowForLesson() external {
        puppets();
        market.restart(1);
        strings.burn(0, 0, LESSON_GAS - 250_000);
        bytes memory all = recordsFrom(0);
        bool scored;
        for (uint256 gas = 1_000_000; gas < 11_000_000; gas += 250_000) {
            uint256 before = vm.snapshotState();
            try market.score{gas: gas}(all, 0) {
                assertEq(PuppetClassifier(market.model()).lessons(), 1, "all gas that it may use");
                scored = true;
            } catch (bytes memory reason) {
                assertTrue(!scored, "with more gas it does not fail again");
                if (gas > 1_000_000) requireGasTooLow(reason, LESSON_GAS);
            }
            vm.revertToState(before);
        }
        assertTrue(scored, "enough");
    }

    /// @dev A lesson that uses almost its whole allowance never fails for lack of gas: with a
    /// little less, the step fails. Each call is a transaction of its own, because the first access
    /// to the model costs most.
    /// forge-config: default.isolate = true
    function test_score_failsNoLessonAtAnyGasLimit() external {
        puppets();
        market.restart(1);
        bytes memory all = recordsFrom(0);
        uint256 before = vm.snapshotState();
        (uint256 max, uint256 tooMuch) = (LESSON_GAS - 400_000, LESSON_GAS);
        while (tooMuch - max > 100) {
            uint256 middle = (max + tooMuch) / 2;
            strings.burn(0, 0, middle);
            market.score(all, 0);
            if (PuppetClassifier(market.model()).lessons() == 1) max = middle;
            else tooMuch = middle;
            vm.revertToState(before);
        }
        strings.burn(0, 0, max);
        before = vm.snapshotState();
        uint256 scored;
        uint256 failed;
        for (uint256 gas = 8_250_000; gas < 8_400_000; gas += 500) {
            try market.score{gas: gas}(all, 0) {
                assertEq(PuppetClassifier(market.model()).lessons(), 1, "all gas that it may use");
                ++scored;
            } catch {
                ++failed;
            }
            vm.revertToState(before);
        }
        assertTrue(scored != 0 && failed != 0, "on both sides of the limit");
    }

    /// @dev An evaluation gets all gas that is left. If that is too little, the step fails, so no
    /// result depends on it.
    function test_score_failsIfGasTooLowForEvaluation() external {
        puppets();
        market.restart(1);
        market.score(recordsFrom(0), 0);
        strings.burn(0, 12_000_000, 0);
        strings.sayCorrect(1);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        market.score{gas: 11_000_000}("", 1);
        market.score{gas: 14_000_000}("", 1);
        assertEq(market.progress().evaluated, 1, "evaluated");
        assertEq(market.progress().counted, 1, "right");
    }

    /// @dev A classifier that counts more samples than there are would be paid more than the
    /// bounty.
    function test_score_failsIfAnswerIsImpossible() external {
        puppets();
        market.restart(1);
        bytes memory all = recordsFrom(0);
        strings.sayCorrect(3);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        market.score(all, 2);
        strings.sayCorrect(2);
        uint256 before = vm.snapshotState();
        market.score(all, 2);
        assertEq(market.account(ALICE).score, 2, "both");
        vm.revertToState(before);
        strings.silence();
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        market.score(all, 2);
    }

    /// @dev A failing evaluation stops the scoring, until the deadline: the owner chose the
    /// classifier.
    function test_score_failsIfEvaluationFails() external {
        puppets();
        market.restart(1);
        bytes memory all = recordsFrom(0);
        strings.fail(false, true, false);
        vm.expectRevert(abi.encodeWithSelector(PuppetClassifier.Told.selector, 2));
        market.score(all, 1);
        pass(SCORING_WAIT + 1);
        assertPhase(Phase.Failed);
    }

    /// @dev The classifier may use 5,000,000 gas to check a part, and as much to evaluate it.
    function test_reveal_failsIfPartIsTooDear() external {
        puppetParts();
        commit(BOUNTY);
        drawPart(0);
        strings.fail(true, false, false);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        reveal(0);
        strings.fail(false, true, false);
        vm.expectRevert(abi.encodeWithSelector(PuppetClassifier.Told.selector, 2));
        reveal(0);
        strings.fail(false, false, false);
        strings.sayCorrect(3);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        reveal(0);
        strings.sayCorrect(0);
        strings.burn(REVEAL_GAS, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        reveal(0);
        strings.burn(0, REVEAL_GAS, 0);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        reveal(0);
        strings.burn(0, 0, 0);
        try market.reveal{gas: 4_000_000}(0, saltOf(0), parts[0]) {
            assertTrue(false, "too little gas");
        } catch (bytes memory reason) {
            requireGasTooLow(reason, REVEAL_GAS);
        }
        strings.burn(REVEAL_GAS - 100_000, REVEAL_GAS - 100_000, 0);
        reveal(0);
    }

    /// @dev A classifier that stops describing itself stops the copying, and the deadline decides.
    function test_restart_failsIfModelCannotBeCopied() external {
        puppets();
        strings.failToDescribe();
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector));
        market.restart(1);
    }

    /// @dev A classifier that reenters during a lesson is refused.
    function test_score_refusesReentry() external {
        puppets();
        market.restart(1);
        bytes[3] memory attacks = [
            abi.encodeCall(market.score, (recordsFrom(0), 1)),
            abi.encodeCall(market.settle, (1)),
            abi.encodeCall(market.collect, ())
        ];
        bytes memory all = recordsFrom(0);
        uint256 before = vm.snapshotState();
        for (uint256 i; i < 3; ++i) {
            strings.callBack(attacks[i]);
            market.score(all, 1);
            assertEq(strings.callbackError(), abi.encodeWithSignature("Reentrancy()"), "refused");
            vm.revertToState(before);
        }
    }

    /// @dev Brings a market over puppets, with two parts of 2 samples, to the beginning of its
    /// scoring.
    function puppets() private {
        puppetParts();
        open(BOUNTY, 0);
        bet(ALICE, says(1, 1));
        revealRest();
    }

    function puppetParts() private {
        createMarket(
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, 10_000, MAX_PASSES),
            address(new PuppetClassifier(strings)),
            ""
        );
        vm.prank(OWNER);
        first.close(address(market));
        parts.push(bytes.concat(says(1, 1), says(1, 1)));
        parts.push(bytes.concat(says(1, 2), says(1, 2)));
    }

    /// @dev Checks the payments after the usual bets with a bounty of 1,001 wei, before and after
    /// it is burned.
    function requireFailedPayments() private {
        assertEq(market.collectable(ALICE), 2 * STAKE, "two stakes");
        assertEq(market.collectable(OWNER), 0, "nothing for the owner");
        assertEq(market.remainder(), 0, "nothing for the owner");
        vm.prank(ALICE);
        market.collect();
        assertEq(address(market).balance, 2 * STAKE + 1_001, "the others' stakes and the bounty");

        uint256 burned = BURNED.balance;
        vm.expectEmit(address(market));
        emit IPredictionMarket.Forfeited(1_001);
        vm.prank(BOB);
        market.forfeit();
        assertEq(BURNED.balance - burned, 1_001, "burned");
        requireWrongPhase(Phase.Forfeited, Phase.Committed);
        market.forfeit();
        requireWrongPhase(Phase.Forfeited, Phase.Settled);
        vm.prank(OWNER);
        market.collectRemainder();
        assertEq(market.collectable(BOB), STAKE, "a stake");
        assertEq(market.collectable(CAROL), STAKE, "a stake");
        collectAll();
        assertEq(address(market).balance, 0, "all is paid out");
        vm.expectRevert(abi.encodeWithSelector(Payments.NothingToCollect.selector, ALICE));
        vm.prank(ALICE);
        market.collect();
    }

    function requireWrongPhase(Phase actual, Phase required) private {
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, actual, required));
    }

    function requireGasTooLow(bytes memory reason, uint256 allowance) private pure {
        bytes4 selector;
        uint256 wanted;
        assembly ("memory-safe") {
            selector := mload(add(reason, 0x20))
            wanted := mload(add(reason, 0x44))
        }
        assertEq(selector, CallGas.GasTooLow.selector, "error");
        assertEq(wanted, allowance, "allowance");
    }
}
