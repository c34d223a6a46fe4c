// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IFederatedTrainer, RoundPhase} from "../../../src/interfaces/IFederatedTrainer.sol";
import {IMechanismErrors} from "../../../src/interfaces/IMechanismErrors.sol";
import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {Rule} from "../../../src/libraries/Aggregation.sol";
import {RoundTest} from "../../base/RoundTest.sol";

/// @notice A token of which only the cap is asked.
contract AnyCap {
    uint256 public immutable cap;

    constructor(uint256 cap_) {
        cap = cap_;
    }
}

/// @notice The arguments of a federated trainer, and what it tells of its state.
contract RoundStateTest is RoundTest {
    // The indices of arguments after owner and classifier.
    uint256 private constant REWARD_TOKEN = 1;
    uint256 private constant EMISSION_ARGUMENT = 14;

    function test_owner_andOtherArgumentsAreThoseOfCreation() external {
        assertEq(trainer.owner(), OWNER, "owner");
        assertEq(trainer.classifier(), address(classifier), "classifier");
        (Rule rule, uint256 f) = trainer.rule();
        assertEq(uint256(rule), uint256(Rule.TrimmedMean), "rule");
        assertEq(f, 1, "f");
        assertEq(trainer.modelOf(0), 0, "no version 0");
    }

    function test_initialize_failsBeyondEachBound() external {
        refuses(2, 0, "stake");
        refuses(2, uint256(type(uint96).max) / 2 + 1, "stake");
        refuses(3, STAKE + 1, "slash");
        refuses(4, 1 << 32, "margin");
        refuses(5, 0, "openWait");
        refuses(5, 1 << 32, "openWait");
        refuses(6, 0, "revealWait");
        refuses(6, 1 << 32, "revealWait");
        refuses(7, 0, "workWait");
        refuses(7, 1 << 32, "workWait");
        refuses(8, 2, "clients");
        refuses(8, 33, "clients");
        refuses(9, 4, "rule");
        refuses(10, 33, "f");
        refuses(11, 0, "width");
        refuses(11, 9, "width");
        refuses(13, 0, "chunk");
        refuses(13, 33, "chunk");
        refuses(15, 0, "halving");
        refuses(15, 1 << 32, "halving");
        refuses(EMISSION_ARGUMENT, CAP / 4 + 1, "emission");
        refuses(16, 0, "bond");
        refuses(16, uint256(type(uint96).max) / 2 + 1, "bond");
    }

    function test_initialize_worksAtEachBound() external {
        takes(2, type(uint96).max / 2);
        takes(3, STAKE);
        takes(3, 0);
        takes(4, type(uint32).max);
        takes(5, 1);
        takes(5, type(uint32).max);
        takes(6, 1);
        takes(6, type(uint32).max);
        takes(7, 1);
        takes(7, type(uint32).max);
        takes(8, 3);
        takes(8, 32);
        takes(9, 0);
        takes(11, 16);
        takes(13, 32);
        takes(15, 1);
        takes(EMISSION_ARGUMENT, CAP / 4);
        takes(16, 1);
        takes(16, type(uint96).max / 2);
    }

    function test_initialize_failsIfCapIsOutOfBounds() external {
        uint256[17] memory words = arguments();
        words[EMISSION_ARGUMENT] = 0;
        uint256[2] memory caps = [0, uint256(1) << 96];
        for (uint256 i; i < 2; ++i) {
            words[REWARD_TOKEN] = uint160(address(new AnyCap(caps[i])));
            vm.expectRevert(
                abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("cap"), caps[i])
            );
            this.tryCreate(words);
        }
        words[REWARD_TOKEN] = uint160(address(new AnyCap(type(uint96).max)));
        this.tryCreate(words);
    }

    function test_initialize_failsIfArgumentsAreMissing() external {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("arguments"), 3));
        factory.create(implementation, abi.encode(token), softmax, abi.encode(2, 2, 4, 16));
    }

    /// @dev A clone that the factory did not make takes no test set, so nobody can commit.
    function test_commitTest_failsIfNotInitialized() external {
        bytes memory words = bytes.concat(abi.encode(OWNER, classifier), abi.encode(arguments()));
        IFederatedTrainer other = IFederatedTrainer(LibClone.clone(implementation, words));
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, address(this), OWNER));
        other.commitTest(new bytes32[](1));
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.NotInitialized.selector));
        vm.prank(OWNER);
        other.commitTest(new bytes32[](1));
    }

    function test_status_tellsAdmittedAndScored() external {
        runToAggregation(five(20, 18, 22, 0, -40));
        assertPhase(RoundPhase.Aggregate);
        assertEq(trainer.status().deadline, block.timestamp + WORK_WAIT, "deadline");
        assertEq(trainer.status().scored, items(trainer.status().part).length / 3, "scored");
        trainer.aggregate(joined(trainer.status().admitted));
        assertPhase(RoundPhase.Settle);
        assertEq(trainer.status().deadline, 0, "no deadline");
        assertEq(trainer.status().version, 1, "version");
    }

    /// @dev Entries of earlier rounds are not told.
    function test_entry_isOfCurrentRound() external {
        runToAggregation(five(20, 18, 22, 19, 21));
        finish();
        (address author, bytes32 hash) = trainer.entry(0);
        assertEq(author, address(0), "no author");
        assertEq(hash, 0, "no hash");
        fund(authorOf(3), STAKE);
        commit(authorOf(3), "");
        (address first,) = trainer.entry(0);
        (address second,) = trainer.entry(1);
        assertEq(first, authorOf(3), "author");
        assertEq(second, address(0), "no second author");
    }

    function arguments() private view returns (uint256[17] memory words) {
        bytes memory encoded = encodeArguments(Rule.TrimmedMean, 1);
        return abi.decode(encoded, (uint256[17]));
    }

    function refuses(uint256 index, uint256 value, bytes32 name) private {
        uint256[17] memory words = arguments();
        words[index] = value;
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, name, value));
        this.tryCreate(words);
    }

    function takes(uint256 index, uint256 value) private {
        uint256[17] memory words = arguments();
        words[index] = value;
        this.tryCreate(words);
    }

    function tryCreate(uint256[17] calldata words) external {
        factory.create(implementation, abi.encode(words), softmax, abi.encode(2, 2, 4, 16));
    }
}
