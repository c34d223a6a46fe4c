// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../../src/core/types/Statuses.sol";
import {ICollaborativeTrainer} from "../../../src/interfaces/ICollaborativeTrainer.sol";
import {Points} from "../../../src/mechanisms/deposit/Points.sol";
import {Classifier} from "../../../src/models/Classifier.sol";
import {Contribution, Encode} from "../../base/Encode.sol";
import {ModelTest} from "../../base/ModelTest.sol";

/// @notice The mechanism without money.
contract PointsTest is ModelTest {
    function test_report_closesNothing() external {
        vm.prank(OWNER);
        (address created, address model) = factory.create(
            points,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE),
            sparsePerceptron,
            abi.encode(8, 1, int256(0))
        );
        Points game = Points(created);
        vm.prank(OWNER);
        Classifier(model).close(created);
        assertEq(game.price(3), 0, "price");

        // The trainer sends the money back.
        uint256 before = ALICE.balance;
        vm.prank(ALICE);
        game.contribute{value: 1 ether}(Encode.item(0, hex""));
        assertEq(ALICE.balance, before, "nothing kept");
        pass(REFUND_WAIT);
        Contribution memory made;
        made.author = ALICE;
        made.time = uint40(clock() - REFUND_WAIT);
        vm.prank(ALICE);
        game.refund(alone(made));
        assertEq(game.good(ALICE), 1, "good");

        // A report takes nothing and closes nothing, so the contribution can still be refunded
        // after it.
        made = contribute(game, BOB, 1, hex"0001");
        contribute(game, BOB, 0, hex"0001");
        pass(REFUND_WAIT);
        vm.expectEmit(created);
        emit ICollaborativeTrainer.Reported(1, ALICE, 0);
        vm.prank(ALICE);
        game.report(alone(made));
        requireSettlement(game, 1, Status.Reported, 0, ALICE);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, 1, ALICE));
        vm.prank(ALICE);
        game.report(alone(made));
        // The model learns to agree.
        contribute(game, CAROL, 1, hex"0001");
        contribute(game, CAROL, 1, hex"0001");
        vm.prank(BOB);
        game.refund(alone(made));
        requireSettlement(game, 1, Status.Closed, 0, ALICE);
        assertEq(game.good(BOB), 1, "good after a report");
    }
}
