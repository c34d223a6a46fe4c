// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IClassifier} from "../../../src/interfaces/IClassifier.sol";
import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {IPredictionMarket, Phase} from "../../../src/interfaces/IPredictionMarket.sol";
import {Encode} from "../../base/Encode.sol";
import {MarketTest} from "../../base/MarketTest.sol";

/// @notice The commitments to the test set, the draw and the reveals.
contract MarketTestSetTest is MarketTest {
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    function setUp() external {
        createMarket();
        usualParts();
    }

    function test_initialize_keepsParameters() external {
        assertEq(market.owner(), OWNER, "owner");
        assertEq(market.classifier(), address(first), "classifier");
        assertEq(market.stake(), STAKE, "stake");
        assertEq(market.price(7), STAKE, "price");
        assertEq(market.participation(), PARTICIPATION, "participation");
        assertEq(market.revealWait(), REVEAL_WAIT, "reveal wait");
        assertEq(market.scoringWait(), SCORING_WAIT, "scoring wait");
        assertEq(market.mostContributions(), MAX_CONTRIBUTIONS, "maximum of contributions");
        assertEq(market.mostPasses(), MAX_PASSES, "maximum of passes");
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        market.initialize();
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.AlreadyInitialized.selector));
        IPredictionMarket(predictionMarket).initialize();
        assertEq(uint256(IPredictionMarket(predictionMarket).phase()), uint256(Phase.Forfeited), "over");
    }

    /// @dev Tests each parameter at both of its bounds and beyond.
    function test_initialize_failsBeyondBounds() external {
        bytes32[6] memory names = [
            bytes32("stake"), "participation", "revealWait", "scoringWait", "mostContributions", "mostPasses"
        ];
        uint256[6] memory largest = [
            uint256(type(uint96).max),
            type(uint32).max,
            type(uint32).max,
            type(uint32).max,
            type(uint32).max,
            type(uint16).max
        ];
        for (uint256 i; i < 6; ++i) {
            uint256[] memory values = new uint256[](6);
            for (uint256 j; j < 6; ++j) {
                values[j] = 1;
            }
            createWith(values);
            values[i] = largest[i];
            createWith(values);
            ++values[i];
            requireInvalid(values, names[i], values[i]);
            values[i] = 0;
            requireInvalid(values, names[i], 0);
        }
        requireInvalid(new uint256[](5), "arguments", 7);
        requireInvalid(new uint256[](7), "arguments", 9);
    }

    function test_commit_locksBounty() external {
        bytes32[] memory all = commitments();
        vm.expectEmit(address(market));
        emit IPredictionMarket.Committed(BOUNTY, 5, this.clock(), all);
        vm.roll(5);
        vm.prank(OWNER);
        market.commit{value: BOUNTY}(all);
        assertPhase(Phase.Committed);
        assertEq(market.bounty(), BOUNTY, "bounty");
        assertEq(market.remainingBounty(), BOUNTY, "all of it");
        assertEq(market.committedBlock(), 5, "block");
        assertEq(market.committedTime(), this.clock(), "time");
        assertEq(market.partCount(), 3, "parts");
        assertEq(market.commitment(2), all[2], "commitment");
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Committed, Phase.Created)
        );
        vm.prank(OWNER);
        market.commit{value: BOUNTY}(all);
    }

    function test_commit_failsIfNotOwnerOrInvalid() external {
        bytes32[] memory all = commitments();
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, ALICE, OWNER));
        vm.prank(ALICE);
        market.commit{value: BOUNTY}(all);
        requireInvalidCommit(0, all, "bounty", 0);
        vm.deal(OWNER, 1 << 97);
        requireInvalidCommit(1 << 96, all, "bounty", 1 << 96);
        requireInvalidCommit(1, new bytes32[](1), "parts", 1);
        requireInvalidCommit(1, new bytes32[](257), "parts", 257);
        vm.prank(OWNER);
        market.commit{value: type(uint96).max}(new bytes32[](256));
        assertEq(market.partCount(), 256, "parts");
        assertEq(market.bounty(), type(uint96).max, "bounty");
    }

    /// @dev Nobody has checked the parameters of a clone that no factory initialized.
    function test_commit_failsIfNotInitialized() external {
        bytes memory code = address(market).code;
        address copy = address(0x5000);
        vm.etch(copy, code);
        bytes32[] memory all = commitments();
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.NotInitialized.selector));
        vm.prank(OWNER);
        IPredictionMarket(copy).commit{value: 1}(all);
    }

    function test_commit_failsIfModelIsNotClosedForMarket() external {
        bytes memory parameters =
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, MAX_CONTRIBUTIONS, MAX_PASSES);
        createMarket(parameters, sparsePerceptron, abi.encode(16, 1, int256(0)));
        usualParts();
        requireNotReady(address(0));
        vm.prank(OWNER);
        first.close(BOB);
        requireNotReady(BOB);
    }

    function test_draw_drawsOnceFromSecondBlock() external {
        vm.roll(100);
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Created, Phase.Committed)
        );
        market.draw();
        commit(BOUNTY);
        for (uint256 number = 100; number < 102; ++number) {
            vm.roll(number);
            vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.TooEarlyToDraw.selector, number, 102));
            market.draw();
        }
        vm.roll(102);
        bytes32 hash = keccak256("the hash of block 101");
        vm.setBlockhash(101, hash);
        uint256 expected = uint256(keccak256(abi.encode(hash, address(market)))) % 3;
        vm.expectEmit(address(market));
        emit IPredictionMarket.Drawn(expected, hash);
        market.draw();
        (bool drawn, uint256 part) = market.drawnPart();
        assertTrue(drawn, "drawn");
        assertEq(part, expected, "part");
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.AlreadyDrawn.selector, expected));
        market.draw();
    }

    /// @dev The 256th block after the one whose hash is needed is the last one that knows it.
    function test_draw_failsIfTooLate() external {
        vm.roll(100);
        commit(BOUNTY);
        vm.roll(101 + 257);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.TooLateToDraw.selector, 358, 357));
        market.draw();
        vm.roll(101 + 256);
        market.draw();
    }

    /// @dev Each hash draws a part by the rule, and many hashes together draw all parts.
    function test_draw_drawsEachPart() external {
        commit(BOUNTY);
        for (uint256 part; part < 3; ++part) {
            uint256 before = vm.snapshotState();
            drawPart(part);
            (, uint256 drawn) = market.drawnPart();
            assertEq(drawn, part, "part");
            vm.revertToState(before);
        }
    }

    function test_reveal_opensMarketWithDrawnPart() external {
        commit(BOUNTY);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.NotDrawn.selector));
        reveal(1);
        drawPart(1);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.NotTheDrawnPart.selector, 0, 1));
        reveal(0);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.UnknownPart.selector, 3, 3));
        market.reveal(3, 0, "");
        assertEq(market.part(1), "", "not yet");

        pass(REVEAL_WAIT);
        vm.expectEmit(address(market));
        emit IPredictionMarket.Revealed(1, this.clock(), 0, saltOf(1), parts[1]);
        reveal(1);
        assertPhase(Phase.Open);
        assertEq(market.part(1), parts[1], "part");
        assertEq(market.closingTime(), this.clock() + PARTICIPATION, "closing");
        assertEq(market.revealedCount(), 1, "revealed");
        assertEq(market.samples(), 0, "nothing is scored on the drawn part");
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Open, Phase.Revealing)
        );
        reveal(0);
    }

    function test_reveal_failsIfCommitmentDiffers() external {
        commit(BOUNTY);
        drawPart(0);
        bytes32 wrong = keccak256(abi.encode(uint256(0), bytes32(0), keccak256(parts[0])));
        vm.expectRevert(
            abi.encodeWithSelector(
                IPredictionMarket.CommitmentDiffers.selector, 0, wrong, market.commitment(0)
            )
        );
        market.reveal(0, 0, parts[0]);
        wrong = keccak256(abi.encode(uint256(0), saltOf(0), keccak256(parts[1])));
        vm.expectRevert(
            abi.encodeWithSelector(
                IPredictionMarket.CommitmentDiffers.selector, 0, wrong, market.commitment(0)
            )
        );
        market.reveal(0, saltOf(0), parts[1]);
    }

    /// @dev The market stores a part of 24,575 bytes as code. It refuses one more byte before it
    /// hashes anything.
    function test_reveal_takesLongestPart() external {
        bytes memory sample = Encode.sparse(Encode.list("0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"));
        parts[1] = bytes.concat(
            times(682, Encode.item(1, sample)),
            Encode.item(1, Encode.sparse(Encode.list("0,1,2,3,4,5,6,7,8")))
        );
        commit(BOUNTY);
        drawPart(1);
        assertEq(parts[1].length, 24_574, "as long as sparse samples can be");
        reveal(1);
        assertEq(market.part(1), parts[1], "part");

        createMarket();
        usualParts();
        parts[1] = new bytes(24_576);
        commit(BOUNTY);
        drawPart(1);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.TooLong.selector, 24_576, 24_575));
        reveal(1);
    }

    /// @dev The last sample has 32 bytes, with nothing behind it.
    function test_reveal_takesSampleOfWholeWord() external {
        createMarket();
        usualParts();
        parts[1] = Encode.item(0, Encode.sparse(Encode.list("0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15")));
        commit(BOUNTY);
        drawPart(1);
        reveal(1);
        assertEq(market.part(1), parts[1], "part");
    }

    function test_reveal_failsIfMalformed() external {
        requireUnrevealable("", abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        requireUnrevealable(hex"000000", abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        // The market reads the longest part: three bytes are left over after items without samples.
        requireUnrevealable(
            new bytes(24_575), abi.encodeWithSelector(IErrors.MalformedBatch.selector, 24_572)
        );
        requireUnrevealable(
            bytes.concat(says(1, 1), says(2, 1)),
            abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 1, 2, 2)
        );
    }

    function test_reveal_failsIfTooLate() external {
        commit(BOUNTY);
        uint256 latest = this.clock() + REVEAL_WAIT;
        drawPart(1);
        vm.warp(latest);
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, latest, latest + 1));
        market.forfeit();
        vm.warp(latest + 1);
        vm.expectRevert(abi.encodeWithSelector(IPredictionMarket.TooLate.selector, latest + 1, latest));
        reveal(1);
        assertPhase(Phase.Committed);

        vm.expectEmit(address(market));
        emit IPredictionMarket.Forfeited(BOUNTY);
        vm.prank(CAROL);
        market.forfeit();
        assertPhase(Phase.Forfeited);
        assertEq(BURNED.balance, BOUNTY, "burned");
        assertEq(address(market).balance, 0, "nothing is left");
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Forfeited, Phase.Committed)
        );
        market.forfeit();
        bytes32[] memory all = commitments();
        vm.expectRevert(
            abi.encodeWithSelector(IPredictionMarket.WrongPhase.selector, Phase.Forfeited, Phase.Created)
        );
        vm.prank(OWNER);
        market.commit{value: 1}(all);
    }

    function requireUnrevealable(bytes memory items, bytes memory reason) private {
        createMarket();
        usualParts();
        parts[2] = items;
        commit(BOUNTY);
        drawPart(2);
        vm.expectRevert(reason);
        reveal(2);
    }

    function requireNotReady(address trainer) private {
        bytes32[] memory all = commitments();
        vm.expectRevert(
            abi.encodeWithSelector(
                IPredictionMarket.ModelNotClosedForMarket.selector, address(first), trainer
            )
        );
        vm.prank(OWNER);
        market.commit{value: BOUNTY}(all);
    }

    function requireInvalidCommit(uint256 bounty, bytes32[] memory all, bytes32 name, uint256 value) private {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        vm.prank(OWNER);
        market.commit{value: bounty}(all);
    }

    function createWith(uint256[] memory values) private {
        vm.prank(OWNER);
        factory.create(
            predictionMarket, abi.encodePacked(values), sparsePerceptron, abi.encode(16, 1, int256(0))
        );
    }

    function requireInvalid(uint256[] memory values, bytes32 name, uint256 value) private {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        createWith(values);
    }
}
