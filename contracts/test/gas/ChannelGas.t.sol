// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

import {ChannelConfig, VoucherClaim} from "../../src/interfaces/IChannelSettlement.sol";
import {ChannelTest} from "../base/ChannelTest.sol";
import {Erc3009Token} from "../base/Erc3009Token.sol";
import {Sign} from "../base/Sign.sol";

/// @notice Writes `contracts/snapshots/channels.json`: the gas of payment channels. A payer has more
/// tokens than it deposits.
abstract contract ChannelGas is ChannelTest {
    uint128 internal constant DEPOSIT = 1_000e6;
    uint128 internal constant CLAIM = 100e6;

    constructor() {
        prepare();
        token.mint(PAYER, 10_000_000e6);
    }

    function prepare() internal virtual {}

    /// @dev Claims for the first time from channels.
    function claimMany(uint256 count) internal {
        for (uint256 i; i < count; ++i) {
            place(terms(i), DEPOSIT);
        }
        VoucherClaim[] memory rows = rowsOf(count, CLAIM);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.claim(rows);
    }

    function rowsOf(uint256 count, uint128 total) internal view returns (VoucherClaim[] memory rows) {
        rows = new VoucherClaim[](count);
        for (uint256 i; i < count; ++i) {
            rows[i] = row(terms(i), total, total);
        }
    }

    function signedRefund() internal {
        ChannelConfig memory config = terms();
        place(config, DEPOSIT);
        bytes memory signature = Sign.long(RECEIVER_AUTHORIZER_KEY, refundOf(config, 0, DEPOSIT));
        settlement.refundWithSignature(config, DEPOSIT, 0, signature);
    }

    function record(string memory name) internal {
        vm.snapshotValue("channels", name, vm.lastCallGas().gasTotalUsed);
    }
}

/// @notice The gas of whole transactions. Run it with `FOUNDRY_PROFILE=gas`, so that each call is a
/// transaction.
contract ChannelGasTest is ChannelGas {
    function test_deposit_gas() external {
        place(terms(), DEPOSIT);
        record("transaction.deposit.first");
        place(terms(), DEPOSIT);
        record("transaction.deposit.next");
    }

    /// @dev First claims from channels for a new receiver; then claims of channels that were claimed
    /// from before, for a receiver that was paid before.
    function test_claim_gas() external {
        claimMany(10);
        record("transaction.claim.10.first");
        settlement.settle(RECEIVER, address(token));
        record("transaction.settle.first");
        VoucherClaim[] memory rows = rowsOf(10, 2 * CLAIM);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.claim(rows);
        record("transaction.claim.10.next");
        settlement.settle(RECEIVER, address(token));
        record("transaction.settle.next");
        rows = rowsOf(1, 3 * CLAIM);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.claim(rows);
        record("transaction.claim.1.next");
        rows = rowsOf(10, 4 * CLAIM);
        bytes memory signature = Sign.long(RECEIVER_AUTHORIZER_KEY, batchOf(rows));
        settlement.claimWithSignature(rows, signature);
        record("transaction.claim.10.signed");
    }

    function test_refundWithSignature_gas() external {
        signedRefund();
        record("transaction.refund.signed");
    }

    function test_finalizeWithdraw_gas() external {
        ChannelConfig memory config = terms();
        place(config, DEPOSIT);
        vm.prank(PAYER);
        settlement.initiateWithdraw(config, CLAIM);
        record("transaction.withdraw.begin");
        vm.warp(block.timestamp + DELAY);
        vm.prank(PAYER);
        settlement.finalizeWithdraw(config);
        record("transaction.withdraw.end");
    }
}

/// @notice The gas as x402 counts that of its own contract, with the same terms, amounts and kind of
/// token.
/// @dev It counts the last call of a test that is one transaction: no 21,000, no calldata, and slots
/// that the test has used are warm. The token checks no signature and no nonce.
contract ChannelGasLikeX402Test is ChannelGas {
    function prepare() internal override {
        token = Erc3009Token(address(new TrustingToken()));
    }

    /// forge-config: gas.isolate = false
    function test_deposit_gasOfCall() external {
        place(terms(), DEPOSIT);
        record("call.deposit");
    }

    /// forge-config: gas.isolate = false
    function test_claim_gasOfCallOfOne() external {
        claimMany(1);
        record("call.claim.1");
    }

    /// forge-config: gas.isolate = false
    function test_claim_gasOfCallOfTen() external {
        claimMany(10);
        record("call.claim.10");
    }

    /// forge-config: gas.isolate = false
    function test_settle_gasOfCall() external {
        claimMany(1);
        settlement.settle(RECEIVER, address(token));
        record("call.settle");
    }

    /// forge-config: gas.isolate = false
    function test_refund_gasOfCall() external {
        ChannelConfig memory config = terms();
        place(config, DEPOSIT);
        vm.prank(RECEIVER_AUTHORIZER);
        settlement.refund(config, DEPOSIT);
        record("call.refund");
    }

    /// forge-config: gas.isolate = false
    function test_refundWithSignature_gasOfCall() external {
        signedRefund();
        record("call.refund.signed");
    }
}

/// @notice A token whose signed transfers check nothing.
contract TrustingToken is ERC20 {
    constructor() ERC20("Test Dollar", "TUSD") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256,
        uint256,
        bytes32,
        uint8,
        bytes32,
        bytes32
    ) external {
        _transfer(from, to, value);
    }
}
