// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Classifier} from "../../src/classifiers/Classifier.sol";
import {DepositRefundTake} from "../../src/incentives/DepositRefundTake.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Handler} from "./Handler.sol";

/// @notice What holds after any sequence of contributions and claims.
contract ConservationTest is ModelTest {
    Handler private handler;
    DepositRefundTake private trainer;

    function setUp() external {
        Classifier classifier;
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        VM.prank(OWNER);
        classifier.close(address(trainer));
        handler = new Handler(trainer, classifier, OWNER);
        // Something to settle, and somebody who may report, from the start.
        handler.contribute(0, 0, 1, 0);
        handler.refund(0, 2 days);
    }

    /// @dev Only the handler is called: forge asks by these names.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev What came in is what is held and what went out.
    function invariantBalanceIsWhatIsLeft() external view {
        uint256 sum;
        for (uint256 i; i < handler.positions(); ++i) {
            sum += handler.left(i);
        }
        assertEq(address(trainer).balance, sum, "left");
        uint256 paid = handler.refunded() + handler.taken() + handler.claimedLate();
        assertEq(handler.deposited(), sum + paid, "deposited");
    }

    /// @dev Everybody has what they paid less and what they were paid more, by the chain's own balances.
    function invariantBalancesOfPeople() external view {
        for (uint256 i; i < handler.authors(); ++i) {
            address person = handler.people(i);
            assertEq(person.balance, handler.balances(person), "balance");
        }
    }

    /// @dev Good contributions add up, to at most one a contribution.
    function invariantGoodAddsUp() external view {
        uint256 sum;
        for (uint256 i; i < handler.authors(); ++i) {
            address author = handler.people(i);
            assertEq(trainer.good(author), handler.good(author), "good");
            sum += trainer.good(author);
        }
        assertEq(trainer.totalGood(), sum, "total");
        assertAtMost(sum, trainer.contributionCount(), "good contributions");
        assertEq(trainer.contributionCount(), handler.contributions(), "contributions");
    }

    /// @dev Settlements say what the handler's books say.
    function invariantSettlementsAgree() external view {
        for (uint256 i; i < handler.positions(); ++i) {
            bool closed = uint96(trainer.settlement(i)) == type(uint96).max;
            assertTrue(closed != handler.open(i), "closed");
            for (uint256 j; j < handler.authors(); ++j) {
                address person = handler.people(j);
                assertTrue(trainer.reported(i, person) == handler.reported(i, person), "reported");
            }
        }
    }

    /// @dev A run in which nothing succeeds proves nothing. Each action has 64 chances in 4 a run.
    function afterInvariant() external view {
        assertTrue(handler.contributions() > 5, "contributions");
        assertTrue(handler.refunds() > 1, "refunds");
        assertTrue(handler.reports() > 0, "reports");
        assertTrue(handler.lateClaims() > 0, "late claims");
        assertTrue(handler.retries() > 0, "retries");
    }
}
