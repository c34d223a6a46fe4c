// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {PredictionFees} from "../../src/periphery/PredictionFees.sol";
import {GoodTrainer} from "../base/GoodTrainer.sol";
import {Test} from "../base/Test.sol";

/// @notice Payments for predictions, registrations and payouts, in any order.
contract FeesWorld is Test {
    uint256 private constant ACCOUNTS = 5;
    uint256 private constant PRICE = 7;

    GoodTrainer private trainer = new GoodTrainer(address(new Answers()));
    PredictionFees private predictionFees =
        PredictionFees(deploy("PredictionFees", abi.encode(address(trainer), PRICE)));

    uint256 private _cameIn;
    uint256 private _wentOut;

    uint256 public payments;
    uint256 public payouts;

    function improve(uint256 seed) external {
        address account = accountOf(seed);
        trainer.set(account, trainer.good(account) + (seed >> 8) % 1_000);
    }

    function register(uint256 seed) external {
        address account = accountOf(seed);
        uint256 before = predictionFees.earned(account);
        predictionFees.register(account);
        assertEq(predictionFees.earned(account), before, "registering earns nothing");
        assertEq(predictionFees.shares(account), trainer.good(account), "shares");
    }

    function pay(uint256 seed) external {
        uint256 n = 1 + seed % 50;
        vm.deal(address(this), n * PRICE);
        uint256[] memory before = all();
        predictionFees.predict{value: n * PRICE}(new bytes[](n));
        _cameIn += n * PRICE;
        ++payments;
        uint256 total = predictionFees.totalShares();
        if (total == 0) return;
        uint256 left = address(predictionFees).balance;
        for (uint256 i; i < ACCOUNTS; ++i) {
            uint256 now_ = predictionFees.earned(accountOf(i));
            assertTrue(now_ >= before[i], "nobody earns less");
            left -= now_;
        }
        // The rest is a fraction of a wei for each account, and the remainder of the division.
        assertAtMost(left, ACCOUNTS, "all but fractions is shared");
    }

    function collect(uint256 seed) external {
        address account = accountOf(seed);
        uint256 earned = predictionFees.earned(account);
        if (earned == 0) return;
        uint256 before = account.balance;
        vm.prank(account);
        assertEq(predictionFees.collect(), earned, "amount");
        assertEq(account.balance - before, earned, "paid");
        assertEq(predictionFees.earned(account), 0, "collected");
        _wentOut += earned;
        ++payouts;
    }

    function requireSolvent() external view {
        assertEq(address(predictionFees).balance, _cameIn - _wentOut, "money");
        uint256 due;
        uint256 total;
        for (uint256 i; i < ACCOUNTS; ++i) {
            due += predictionFees.earned(accountOf(i));
            total += predictionFees.shares(accountOf(i));
        }
        assertAtMost(due, address(predictionFees).balance, "what is earned");
        assertEq(predictionFees.totalShares(), total, "shares add up");
    }

    function all() private view returns (uint256[] memory earned) {
        earned = new uint256[](ACCOUNTS);
        for (uint256 i; i < ACCOUNTS; ++i) {
            earned[i] = predictionFees.earned(accountOf(i));
        }
    }

    function accountOf(uint256 seed) private pure returns (address) {
        return address(uint160(0xb000 + seed % ACCOUNTS));
    }
}

/// @notice A classifier that predicts 0.
contract Answers {
    function predict(bytes[] calldata samples) external pure returns (uint256[] memory) {
        return new uint256[](samples.length);
    }
}
