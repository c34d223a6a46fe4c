// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Phase, Progress, Stage} from "../../src/interfaces/IPredictionMarket.sol";
import {MarketTest} from "../base/MarketTest.sol";

/// @notice One market after the other, with all possible actions in any order, at any time.
contract MarketWorld is MarketTest {
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant AUTHORS = 6;

    uint256 private _bounty;

    /// @dev Money that has left the market, in wei.
    uint256 private _paidOut;

    /// @dev Number of markets that ended in each phase.
    uint256[8] public ended;

    /// @dev Number of passes that ended.
    uint256 public passes;

    constructor() {
        begin(1);
    }

    /// @dev Does the next action.
    function act(uint256 seed) external {
        // Sometimes time passes, mostly little.
        if (seed % 8 == 0) pass(seed >> 8 & 0xffff);
        if (seed % 128 == 3) pass(PARTICIPATION);
        seed >>= 64;
        Phase phase = market.phase();
        if (phase == Phase.Created) start(seed);
        else if (phase == Phase.Committed) openOrForfeit(seed);
        else if (phase == Phase.Open) betSomething(seed);
        else if (phase == Phase.Revealing) revealSomething(seed);
        else if (phase == Phase.Scoring) step(seed);
        else over(phase, seed);
        requireSolvent();
    }

    /// @dev Checks that the market holds all collectable money, now and after any failure, and has
    /// not paid more than it received.
    function requireSolvent() public view {
        uint256 due = market.remainder();
        uint256 balances;
        for (uint256 i; i < market.participantCount(); ++i) {
            address author = market.participants(i);
            due += market.collectable(author);
            balances += market.account(author).balance;
        }
        uint256 cameIn = (market.bounty() + market.contributionCount() * STAKE);
        assertEq(address(market).balance, cameIn - _paidOut, "money");
        assertAtMost(due, address(market).balance, "what can be collected");
        Phase phase = market.phase();
        if (phase == Phase.Settled) assertEq(due, address(market).balance, "all can be collected");
        // The market also holds the bounty of later passes.
        if (phase == Phase.Scoring && market.progress().stage != Stage.Paying) {
            assertAtMost(balances + market.remainingBounty(), address(market).balance, "balances and bounty");
        }
    }

    function begin(uint256 seed) private {
        createMarket(
            abi.encode(STAKE, PARTICIPATION, REVEAL_WAIT, SCORING_WAIT, 1 + seed % 20, 1 + (seed >> 8) % 4)
        );
        _paidOut = 0;
    }

    function start(uint256 seed) private {
        for (uint256 i; i < 2 + seed % 3; ++i) {
            bytes memory items;
            for (uint256 j; j < 1 + (seed >> (8 * i)) % 4; ++j) {
                uint256 draw = uint256(keccak256(abi.encode(seed, i, j)));
                items = bytes.concat(items, says(draw % 2, (draw >> 8) % 6));
            }
            parts.push(items);
        }
        _bounty = 1 + (seed >> 64) % 10_000;
        commit(_bounty);
    }

    function openOrForfeit(uint256 seed) private {
        if (seed % 16 == 0) pass(REVEAL_WAIT);
        if (this.clock() > market.committedTime() + REVEAL_WAIT) {
            forfeit();
            _paidOut += _bounty;
            return;
        }
        (bool drawn, uint256 part) = market.drawnPart();
        if (!drawn) drawPart(seed % parts.length);
        else reveal(part);
    }

    function betSomething(uint256 seed) private {
        uint256 left = market.mostContributions() - market.contributionCount();
        uint256 n = bound(seed % 3 + 1, 1, left);
        bytes memory items;
        for (uint256 i; i < n; ++i) {
            uint256 draw = seed >> (16 + 8 * i);
            items = bytes.concat(items, says(draw % 2, (draw >> 1) % 6));
        }
        address author = address(uint160(0xa000 + (seed >> 128) % AUTHORS));
        vm.deal(author, author.balance + 1 ether);
        bet(author, items);
    }

    function revealSomething(uint256 seed) private {
        (, uint256 drawn) = market.drawnPart();
        for (uint256 i; i < parts.length; ++i) {
            uint256 part = (seed + i) % parts.length;
            if (part == drawn || market.part(part).length != 0) continue;
            reveal(part);
            return;
        }
    }

    function step(uint256 seed) private {
        Progress memory progress = market.progress();
        if (progress.stage == Stage.Copying) {
            market.restart(1);
        } else if (progress.stage == Stage.Teaching) {
            // Passes each record from the cursor on; the lengths give their positions.
            market.score(recordsFrom(indexOf(progress.cursor)), 1 + seed % 12);
        } else {
            market.settle(1 + seed % 5);
            if (market.phase() == Phase.Settled || market.progress().stage == Stage.Copying) ++passes;
        }
    }

    /// @dev Returns the index of the record whose first contribution is at a position.
    function indexOf(uint256 position) private view returns (uint256 index) {
        for (uint256 reached; reached < position; ++index) {
            // Items of 6 bytes follow a header of 29.
            reached += (records[index].length - 29) / 6;
        }
    }

    function forfeit() private {
        uint256 before = BURNED.balance;
        market.forfeit();
        assertEq(BURNED.balance - before, _bounty, "burned");
    }

    function over(Phase phase, uint256 seed) private {
        uint256 before = address(market).balance;
        // The bounty of a failed market is burned, before or after participants collect their
        // stakes.
        bool failed = phase == Phase.Failed;
        if (failed && seed % 2 == 0) forfeit();
        uint256 stakes = address(market).balance;
        collectAll();
        stakes -= address(market).balance;
        if (failed) assertEq(stakes, market.contributionCount() * STAKE, "stakes");
        if (failed && seed % 2 == 1) forfeit();
        _paidOut += before - address(market).balance;
        assertEq(address(market).balance, 0, "all is paid out");
        requireSolvent();
        ++ended[uint256(phase)];
        begin(seed);
    }
}
