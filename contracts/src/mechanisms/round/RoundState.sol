// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";

import {IFederatedTrainer, RoundPhase, RoundStatus} from "../../interfaces/IFederatedTrainer.sol";
import {IOwned} from "../../interfaces/IOwned.sol";
import {Aggregation, Rule} from "../../libraries/Aggregation.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Shape} from "../../libraries/SoftmaxLosses.sol";

/// @title RoundState
/// @notice Storage, immutable parameters and derived views of a federated trainer.
/// @dev Rounds reuse their slots. The time 2^40 and the block 2^48 are out of reach.
abstract contract RoundState is IFederatedTrainer, ReentrancyGuardTransient {
    uint256 internal constant OWNER_INDEX = 0;
    uint256 internal constant CLASSIFIER_INDEX = 1;
    uint256 internal constant STAKE_TOKEN_INDEX = 2;
    uint256 internal constant REWARD_TOKEN_INDEX = 3;
    uint256 internal constant STAKE_INDEX = 4;
    uint256 internal constant SLASH_INDEX = 5;
    uint256 internal constant MARGIN_INDEX = 6;
    uint256 internal constant OPEN_WAIT_INDEX = 7;
    uint256 internal constant REVEAL_WAIT_INDEX = 8;
    uint256 internal constant WORK_WAIT_INDEX = 9;
    uint256 internal constant MAX_CLIENTS_INDEX = 10;
    uint256 internal constant RULE_INDEX = 11;
    uint256 internal constant F_INDEX = 12;
    uint256 internal constant WIDTH_INDEX = 13;
    uint256 internal constant MAX_NORM_INDEX = 14;
    uint256 internal constant CHUNK_INDEX = 15;
    uint256 internal constant EMISSION_INDEX = 16;
    uint256 internal constant HALVING_INDEX = 17;
    uint256 internal constant BOND_INDEX = 18;
    uint256 internal constant ARGUMENTS = 19;

    /// @dev Sums of losses have so many bits, and a slot has eight of them.
    uint256 internal constant LOSS_BITS = 32;
    uint256 internal constant LOSSES_PER_SLOT = 8;

    /// @dev The sum of the losses of a model, by the index in `losses`.
    uint256 internal constant BASE_LOSS = 0;
    uint256 internal constant ALL_LOSS = 1;
    uint256 internal constant FIRST_LOSS = 2;

    /// @dev The current round, in one slot.
    struct Round {
        /// The phase as last written: time moves it on from `Open`.
        RoundPhase phase;
        /// The end of `Open`, or of the phase as written.
        uint40 deadline;
        uint48 drawBlock;
        uint32 revealed;
        uint32 admitted;
        uint8 committed;
        uint8 part;
        uint16 scored;
        uint32 number;
        uint32 version;
    }

    /// @dev The test set and the model's shape, in one slot.
    struct TestSet {
        uint96 bond;
        /// Number of committed parts.
        uint16 parts;
        uint16 used;
        uint16 samples;
        uint16 classes;
        uint16 features;
        uint8 maxFeature;
        uint8 shift;
        bool initialized;
    }

    /// @dev An account, in one slot.
    struct Account {
        uint96 balance;
        uint96 reward;
        /// One more than the number of the last round that the account committed in.
        uint64 joined;
    }

    Round internal _round;

    TestSet internal _test;

    /// @dev The used parts of the test set, as bits.
    uint256 internal _usedParts;

    /// @dev The hash of the revealed part.
    bytes32 internal _itemsHash;

    uint256[5] internal _losses;

    mapping(uint256 index => address) internal _authors;

    mapping(uint256 index => bytes32) internal _hashes;

    mapping(uint256 part => bytes32) internal _commitments;

    mapping(address owner => Account) internal _accounts;

    /// @inheritdoc IFederatedTrainer
    mapping(uint256 version => bytes32) public modelOf;

    /// @inheritdoc IFederatedTrainer
    uint256 public forfeited;

    /// @inheritdoc IFederatedTrainer
    function owner() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(OWNER_INDEX)));
    }

    /// @inheritdoc IFederatedTrainer
    function classifier() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(CLASSIFIER_INDEX)));
    }

    /// @inheritdoc IFederatedTrainer
    function status() external view returns (RoundStatus memory) {
        Round memory round = _round;
        RoundPhase phase = _phase(round);
        uint256 deadline = round.deadline;
        // Phases, not amounts.
        // slither-disable-start incorrect-equality
        if (phase == RoundPhase.Reveal) deadline += CloneArguments.word(REVEAL_WAIT_INDEX);
        else if (phase == RoundPhase.Draw || phase == RoundPhase.Settle) deadline = 0;
        // slither-disable-end incorrect-equality
        return RoundStatus({
            number: round.number,
            version: round.version,
            phase: phase,
            deadline: deadline,
            committed: round.committed,
            revealed: round.revealed,
            admitted: round.admitted,
            part: round.part,
            scored: round.scored
        });
    }

    /// @inheritdoc IFederatedTrainer
    function accountOf(address account) external view returns (uint256 balance, uint256 reward) {
        return (_accounts[account].balance, _accounts[account].reward);
    }

    /// @inheritdoc IFederatedTrainer
    function entry(uint256 index) external view returns (address author, bytes32 hash) {
        if (index < _round.committed) return (_authors[index], _hashes[index]);
    }

    /// @inheritdoc IFederatedTrainer
    function losses() external view returns (uint256[] memory) {
        return _lossesOf(_bits(_round.revealed));
    }

    /// @inheritdoc IFederatedTrainer
    function rule() public view returns (Rule rule_, uint256 f) {
        // `initialize` has checked it.
        return (Rule(CloneArguments.word(RULE_INDEX)), CloneArguments.word(F_INDEX));
    }

    /// @inheritdoc IFederatedTrainer
    function partsLeft() public view returns (uint256) {
        return _test.parts - _test.used;
    }

    /// @dev Returns the phase now.
    function _phase(Round memory round) internal view returns (RoundPhase) {
        // The first commitment begins the phase.
        // slither-disable-next-line incorrect-equality
        if (round.phase != RoundPhase.Open || round.committed == 0) return round.phase;
        if (block.timestamp < round.deadline) return RoundPhase.Open;
        uint256 end = round.deadline + CloneArguments.word(REVEAL_WAIT_INDEX);
        return block.timestamp < end ? RoundPhase.Reveal : RoundPhase.Draw;
    }

    /// @dev Reverts unless the round is in this phase. Returns the round.
    function _requirePhase(RoundPhase required) internal view returns (Round memory round) {
        round = _round;
        RoundPhase current = _phase(round);
        if (current != required) revert NotInPhase(current, required);
        if (_isTimed(required) && block.timestamp > round.deadline) {
            revert PhaseOver(block.timestamp, round.deadline);
        }
    }

    /// @dev Reverts unless the caller is the owner.
    function _requireOwner() internal view {
        if (msg.sender != owner()) revert IOwned.NotOwner(msg.sender, owner());
    }

    /// @dev Returns the sums of losses for a number of updates.
    function _lossesOf(uint256 n) internal view returns (uint256[] memory sums) {
        sums = new uint256[](n + FIRST_LOSS);
        for (uint256 i; i < sums.length; ++i) {
            sums[i] = uint32(_losses[i / LOSSES_PER_SLOT] >> LOSS_BITS * (i % LOSSES_PER_SLOT));
        }
    }

    /// @dev Returns the minimum number of updates for the rule.
    function _minimum() internal view returns (uint256) {
        (Rule rule_, uint256 f) = rule();
        return Aggregation.minimum(rule_, f);
    }

    /// @dev Returns the shape of the model.
    function _shape() internal view returns (Shape memory) {
        TestSet memory test = _test;
        return Shape(test.classes, test.features, test.maxFeature, test.shift);
    }

    /// @dev Returns the number of parameters of the model.
    function _parameters() internal view returns (uint256) {
        return uint256(_test.classes) * (uint256(_test.features) + 1);
    }

    /// @dev Returns `true` if a phase as written has a deadline of its own.
    function _isTimed(RoundPhase phase) internal pure returns (bool) {
        return phase > RoundPhase.Draw && phase != RoundPhase.Settle;
    }

    /// @dev Returns `true` if a mask has the bit of an index.
    function _has(uint256 mask, uint256 index) internal pure returns (bool) {
        return mask >> index & 1 != 0;
    }

    /// @dev Returns the number of bits that are set.
    function _bits(uint256 mask) internal pure returns (uint256 n) {
        for (; mask != 0; mask &= mask - 1) {
            ++n;
        }
    }

    /// @dev Returns `false`, so that the guard uses transient storage on every chain. All chains
    /// that the contract runs on have it.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
