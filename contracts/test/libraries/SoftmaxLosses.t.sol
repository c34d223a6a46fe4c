// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Shape, SoftmaxLosses} from "../../src/libraries/SoftmaxLosses.sol";
import {UpdateRows} from "../../src/libraries/UpdateRows.sol";
import {Test} from "../base/Test.sol";
import {Updates} from "../base/Updates.sol";

/// @notice Losses over spread lanes, against loops over single values.
contract SoftmaxLossesTest is Test {
    function losses(
        Shape calldata shape,
        bytes calldata updates,
        uint256 n,
        uint256 width,
        uint256[] calldata base,
        bytes calldata samples
    ) external pure returns (uint256[] memory) {
        SoftmaxLosses.requireSamples(shape, samples);
        return
            SoftmaxLosses.losses(shape, UpdateRows.load(updates, n, updates.length / n, width), base, samples);
    }

    function requireSamples(Shape calldata shape, bytes calldata samples) external pure {
        SoftmaxLosses.requireSamples(shape, samples);
    }

    function testFuzz_losses_matchScalars(uint256 seed, bool isWide) external view {
        Shape memory shape = Shape(2 + seed % 4, 1 + (seed >> 8) % 70, 1 << (seed >> 16) % 8, 0);
        shape.shift = (seed >> 24) % 14;
        compare(shape, seed, 1 + (seed >> 32) % 5, isWide ? 16 : 8, (seed >> 40) % 3);
    }

    function test_losses_matchScalarsOfDigits() external view {
        compare(Shape(10, 64, 16, 6), 5, 16, 8, 1);
        compare(Shape(10, 64, 16, 12), 6, 4, 16, 1);
    }

    /// @dev The largest sums that a model may have: no slot overflows.
    function test_losses_matchScalarsAtBounds() external view {
        Shape memory shape = Shape(2, 2_047, 32, 12);
        int256[] memory base = new int256[](4_096);
        int256[][] memory updates = new int256[][](2);
        updates[0] = new int256[](4_096);
        updates[1] = new int256[](4_096);
        for (uint256 j; j < 4_096; ++j) {
            base[j] = j < 2_047 ? int256(32_767) : -32_768;
            updates[0][j] = 16_383;
            updates[1][j] = -16_383;
        }
        bytes memory samples = new bytes(2_048);
        for (uint256 j = 1; j < 2_048; ++j) {
            samples[j] = bytes1(uint8(32));
        }
        check(shape, base, updates, samples, 16);
        samples[0] = 0x01;
        check(shape, base, updates, samples, 16);
    }

    function test_requireSamples_failsIfNotWhole() external {
        Shape memory shape = Shape(2, 3, 16, 0);
        vm.expectRevert(abi.encodeWithSelector(SoftmaxLosses.WrongSamplesLength.selector, 0, 4));
        this.requireSamples(shape, "");
        vm.expectRevert(abi.encodeWithSelector(SoftmaxLosses.WrongSamplesLength.selector, 7, 4));
        this.requireSamples(shape, new bytes(7));
    }

    function test_requireSamples_failsIfOutOfBounds() external {
        Shape memory shape = Shape(2, 3, 16, 0);
        this.requireSamples(shape, hex"0110101000000010");
        for (uint256 i; i < 8; ++i) {
            bytes memory samples = hex"0110101000000010";
            samples[i] = i % 4 == 0 ? bytes1(0x02) : bytes1(0x11);
            vm.expectRevert(abi.encodeWithSelector(SoftmaxLosses.SampleOutOfBounds.selector, i / 4));
            this.requireSamples(shape, samples);
        }
    }

    /// @param kind 0 for a base of any weights, else for one of weights near 0.
    function compare(Shape memory shape, uint256 seed, uint256 n, uint256 width, uint256 kind) private view {
        uint256 parameters = shape.classes * (shape.features + 1);
        int256[] memory base = Updates.random(seed ^ 1, 1, parameters, width)[0];
        if (kind == 0) {
            for (uint256 j; j < parameters; ++j) {
                base[j] = int16(int256(base[j] * 517));
            }
        }
        bytes memory samples = new bytes(2 * (shape.features + 1));
        for (uint256 j; j < samples.length; ++j) {
            uint256 draw = uint256(keccak256(abi.encode(seed, j)));
            uint256 most = j % (shape.features + 1) == 0 ? shape.classes : shape.maxFeature + 1;
            samples[j] = bytes1(uint8(draw % most));
        }
        check(shape, base, Updates.random(seed, n, parameters, width), samples, width);
    }

    function check(
        Shape memory shape,
        int256[] memory base,
        int256[][] memory updates,
        bytes memory samples,
        uint256 width
    ) private view {
        uint256[] memory sums = this.losses(
            shape, Updates.encodeAll(updates, width), updates.length, width, Updates.words(base), samples
        );
        uint256[] memory expected = Updates.losses(shape, base, updates, samples);
        for (uint256 i; i < expected.length; ++i) {
            assertEq(sums[i], expected[i], "loss");
        }
    }
}
