// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {TrainerProofs} from "./TrainerProofs.sol";

/// @notice Proofs about the price of a contribution, for every cost weight that a trainer may have.
/// @dev They do not prove that the library's square root is right, because a solver cannot follow
/// its divisions. The first proof does not need the root; the others run it on given intervals. The
/// differential test compares the rest.
contract PriceProofs is TrainerProofs {
    /// @dev Proves a bound at every time and for every number below 2^64. So a deposit has 96 bits,
    /// and all deposits of a transaction together have 160.
    function check_AtMost3600CostWeights(uint80 costWeight, uint40 last, uint40 time, uint64 n) external {
        vm.assume(n != 0 && last != 0 && last <= time);
        DepositRefundTake trainer = create(costWeight, address(0));
        store(trainer, STATE, last);
        vm.warp(time);
        uint256 price = trainer.price(n);
        assert(price <= uint256(costWeight) * 3600);
        assert(price <= type(uint96).max);
    }

    /// @dev Checks the powers of 4 below 2^40, at which the root doubles.
    function check_FallsWithTime(uint80 costWeight) external {
        DepositRefundTake trainer = create(costWeight, address(0));
        uint256 before = trainer.price(1);
        assert(before == uint256(costWeight) * 3600);
        for (uint256 i; i < 20; ++i) {
            vm.warp(NOW + 4 ** i);
            uint256 price = trainer.price(1);
            assert(price == uint256(costWeight) * 3600 / 2 ** i);
            assert(price <= before);
            before = price;
        }
    }

    /// @dev Checks the powers of 4 as numbers, some 8 years after the last contribution.
    function check_RisesWithNumber(uint80 costWeight) external {
        DepositRefundTake trainer = create(costWeight, address(0));
        vm.warp(NOW + 4 ** 14);
        uint256 before;
        for (uint256 i; i <= 14; ++i) {
            uint256 price = trainer.price(4 ** i);
            assert(price == uint256(costWeight) * 3600 / 2 ** (14 - i));
            assert(price >= before);
            before = price;
        }
    }

    /// @dev Checks the longest possible time: from a cost weight of 292 wei on, no contribution is
    /// ever free.
    function check_NotZero(uint80 costWeight) external {
        vm.assume(costWeight >= 292);
        DepositRefundTake trainer = create(costWeight, address(0));
        store(trainer, STATE, 1);
        vm.warp(type(uint40).max);
        assert(trainer.price(1) != 0);
    }
}
