// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {UpdateRows} from "../../src/libraries/UpdateRows.sol";
import {Test} from "../base/Test.sol";
import {Updates} from "../base/Updates.sol";

/// @notice The checks of an update's bytes.
contract UpdateRowsTest is Test {
    function requireValid(bytes calldata update, uint256 parameters, uint256 width, uint256 most)
        external
        pure
    {
        UpdateRows.requireValid(update, parameters, width, most);
    }

    function load(bytes calldata data, uint256 count, uint256 length, uint256 width) external pure {
        UpdateRows.load(data, count, length, width);
    }

    function testFuzz_requireValid_takesSquaredNormUpToBound(uint256 seed, bool isWide) external {
        uint256 width = isWide ? 16 : 8;
        uint256 parameters = 1 + seed % 100;
        int256[] memory values = Updates.random(seed, 1, parameters, width)[0];
        uint256 squared = Updates.distance(values, new int256[](parameters));
        bytes memory update = Updates.encode(values, width);
        this.requireValid(update, parameters, width, squared);
        vm.assume(squared != 0);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.NormTooLarge.selector, squared, squared - 1));
        this.requireValid(update, parameters, width, squared - 1);
    }

    /// @dev The largest and the smallest values in each lane: no slot of the sum overflows.
    function test_requireValid_countsExtremes() external {
        for (uint256 width = 8; width <= 16; width += 8) {
            for (uint256 kind; kind < 3; ++kind) {
                uint256 value = [0, uint256(1) << width - 2, (1 << width - 2) - 1][kind];
                bytes memory update = abi.encode(
                    value * (type(uint256).max / ((1 << width) - 1)),
                    value * (type(uint256).max / ((1 << width) - 1))
                );
                uint256 lanes = 512 / width;
                uint256 squared = lanes * value * value;
                this.requireValid(update, lanes, width, squared);
                if (squared == 0) continue;
                vm.expectRevert(abi.encodeWithSelector(UpdateRows.NormTooLarge.selector, squared, 1));
                this.requireValid(update, lanes, width, 1);
            }
        }
    }

    function test_requireValid_failsIfGuardBitIsSet() external {
        for (uint256 lane; lane < 64; lane += 7) {
            bytes memory update = Updates.encode(new int256[](64), 8);
            update[32 * (lane / 32) + 31 - lane % 32] = 0x80;
            vm.expectRevert(abi.encodeWithSelector(UpdateRows.GuardBitSet.selector, lane / 32));
            this.requireValid(update, 64, 8, type(uint256).max);
        }
    }

    function test_requireValid_failsIfPaddingIsNotZero() external {
        bytes memory update = Updates.encode(new int256[](64), 8);
        // Lane 50 of 64 is byte 13 of the second word.
        update[45] = 0x01;
        this.requireValid(update, 51, 8, 1);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.PaddingNotZero.selector, 50));
        this.requireValid(update, 50, 8, 1);
    }

    function test_requireValid_failsIfLengthDiffers() external {
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.WrongUpdateLength.selector, 32, 64));
        this.requireValid(new bytes(32), 33, 8, 0);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.WrongUpdateLength.selector, 96, 64));
        this.requireValid(new bytes(96), 32, 16, 0);
    }

    function test_load_failsIfLengthDiffers() external {
        this.load(new bytes(96), 3, 32, 8);
        vm.expectRevert(abi.encodeWithSelector(UpdateRows.WrongUpdateLength.selector, 95, 96));
        this.load(new bytes(95), 3, 32, 8);
    }
}
