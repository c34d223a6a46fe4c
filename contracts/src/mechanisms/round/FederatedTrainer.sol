// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FailReason, IFederatedTrainer, RoundPhase} from "../../interfaces/IFederatedTrainer.sol";
import {IPackedModel} from "../../interfaces/IPackedModel.sol";
import {IRewardToken} from "../../interfaces/IRewardToken.sol";
import {IRoundMath} from "../../interfaces/IRoundMath.sol";
import {ISoftmaxRegression} from "../../interfaces/ISoftmaxRegression.sol";
import {Aggregation, Rule} from "../../libraries/Aggregation.sol";
import {Chunks} from "../../libraries/Chunks.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {UpdateRows} from "../../libraries/UpdateRows.sol";
import {RoundEntries} from "./RoundEntries.sol";
import {RoundTestSet} from "./RoundTestSet.sol";

/// @title FederatedTrainer
/// @notice Rounds of federated training: commit, reveal, draw, score, aggregate, settle.
/// @dev Deployed as clones whose immutable arguments are words, in the order that
/// `IFederatedTrainer` gives. Only roots of updates are stored: their bytes are supplied again.
contract FederatedTrainer is RoundTestSet {
    /// @dev Locks the implementation: without a test set, nobody can commit.
    /// @param math The contract that aggregates and scores for all trainers of this implementation.
    constructor(IRoundMath math) RoundEntries(math) {
        _test.initialized = true;
    }

    /// @inheritdoc IFederatedTrainer
    function initialize() external {
        if (_test.initialized) revert AlreadyInitialized();
        uint256[] memory arguments = CloneArguments.load();
        if (arguments.length != ARGUMENTS) revert InvalidParameter("arguments", arguments.length);
        _requireWithin("stake", arguments[STAKE_INDEX], 1, type(uint96).max / 2);
        _requireWithin("slash", arguments[SLASH_INDEX], 0, arguments[STAKE_INDEX]);
        _requireWithin("margin", arguments[MARGIN_INDEX], 0, type(uint32).max);
        _requireWithin("openWait", arguments[OPEN_WAIT_INDEX], 1, type(uint32).max);
        _requireWithin("revealWait", arguments[REVEAL_WAIT_INDEX], 1, type(uint32).max);
        _requireWithin("workWait", arguments[WORK_WAIT_INDEX], 1, type(uint32).max);
        _requireWithin("rule", arguments[RULE_INDEX], 0, uint256(type(Rule).max));
        _requireWithin("f", arguments[F_INDEX], 0, Aggregation.MAX_UPDATES);
        _requireWithin("clients", arguments[MAX_CLIENTS_INDEX], _minimum(), Aggregation.MAX_UPDATES);
        uint256 width = arguments[WIDTH_INDEX];
        if (width != 8 && width != 16) revert InvalidParameter("width", width);
        uint256 chunk = arguments[CHUNK_INDEX];
        if (chunk == 0 || chunk % 32 != 0) revert InvalidParameter("chunk", chunk);
        _requireWithin("halving", arguments[HALVING_INDEX], 1, type(uint32).max);
        // All rounds together emit less than twice what the rounds before the first halving do.
        uint256 cap = IRewardToken(_rewardToken()).cap();
        _requireWithin("emission", arguments[EMISSION_INDEX], 0, cap / (2 * arguments[HALVING_INDEX]));
        _requireWithin("cap", cap, 1, type(uint96).max);
        _requireWithin("bond", arguments[BOND_INDEX], 1, type(uint96).max / 2);
        _test.initialized = true;
    }

    /// @inheritdoc IFederatedTrainer
    function score(uint256 from, uint256 count, bytes calldata updates, bytes calldata items)
        external
        nonReentrant
    {
        Round memory round = _requirePhase(RoundPhase.Score);
        bytes32 hash = keccak256(items);
        if (hash != _itemsHash) revert HashDiffers(round.part, hash, _itemsHash);
        uint256 samples = _test.samples;
        if (from != round.scored || count == 0 || count > samples - from) {
            revert WrongSampleRange(from, count, round.scored, samples);
        }
        _requireUpdates(updates, round.revealed);
        _addLosses(_bits(round.revealed), updates, _slice(items, from, count));
        // The sum is at most the number of samples, of 16 bits.
        round.scored = uint16(from + count);
        emit SamplesScored(round.number, from, count);
        if (round.scored >= samples) _sieve(round);
        else _round = round;
    }

    /// @inheritdoc IFederatedTrainer
    function aggregate(bytes calldata updates) external nonReentrant {
        Round memory round = _requirePhase(RoundPhase.Aggregate);
        _requireUpdates(updates, round.admitted);
        (Rule rule_, uint256 f) = rule();
        uint256[] memory deltas = _math.aggregate(
            rule_, f, CloneArguments.word(WIDTH_INDEX), _bits(round.admitted), _modelWords(), updates
        );
        ++round.version;
        round.phase = RoundPhase.Settle;
        _round = round;
        // The model is ours, and all functions are guarded.
        // slither-disable-next-line reentrancy-no-eth,reentrancy-benign
        bytes32 root = ISoftmaxRegression(classifier()).add(deltas);
        modelOf[round.version] = root;
        // slither-disable-next-line reentrancy-events
        emit Aggregated(round.number, round.version, root, deltas);
    }

    /// @dev Returns some of the samples.
    function _slice(bytes calldata items, uint256 from, uint256 count) private view returns (bytes calldata) {
        uint256 size = uint256(_test.features) + 1;
        return items[from * size:(from + count) * size];
    }

    /// @dev Adds the losses of some samples to the sums.
    function _addLosses(uint256 n, bytes calldata updates, bytes calldata samples) private {
        uint256[] memory base = IPackedModel(classifier()).words(0, _modelWords());
        uint256[] memory sums =
            _math.losses(_shape(), CloneArguments.word(WIDTH_INDEX), n, base, updates, samples);
        uint256[5] memory slots = _losses;
        for (uint256 i; i < sums.length; ++i) {
            slots[i / LOSSES_PER_SLOT] += sums[i] << LOSS_BITS * (i % LOSSES_PER_SLOT);
        }
        for (uint256 i; i * LOSSES_PER_SLOT < sums.length; ++i) {
            _losses[i] = slots[i];
        }
    }

    /// @dev Admits the revealed updates whose value is not below the margin. Fails the round if the
    /// rule needs more.
    function _sieve(Round memory round) private {
        uint256[] memory sums = _lossesOf(_bits(round.revealed));
        uint256 k = FIRST_LOSS;
        for (uint256 i; i < round.committed; ++i) {
            if (!_has(round.revealed, i)) continue;
            // Sums of losses have 32 bits.
            int256 value = int256(sums[k++]) - int256(sums[ALL_LOSS]);
            bool admitted = value >= -int256(CloneArguments.word(MARGIN_INDEX));
            if (admitted) round.admitted |= uint32(2 ** i);
            emit Scored(round.number, _authors[i], value, admitted);
        }
        if (_bits(round.admitted) < _minimum()) return _fail(round, FailReason.TooFewUpdates);
        round.phase = RoundPhase.Aggregate;
        round.deadline = uint40(block.timestamp + CloneArguments.word(WORK_WAIT_INDEX));
        _round = round;
    }

    /// @dev Reverts unless the updates are those of a mask, by the roots that were revealed.
    function _requireUpdates(bytes calldata updates, uint256 mask) private view {
        uint256 length = UpdateRows.lengthOf(_parameters(), CloneArguments.word(WIDTH_INDEX));
        uint256 expected = _bits(mask) * length;
        if (updates.length != expected) {
            revert UpdateRows.WrongUpdateLength(updates.length, expected);
        }
        uint256 chunk = CloneArguments.word(CHUNK_INDEX);
        uint256 offset;
        for (uint256 i; mask >> i != 0; ++i) {
            if (!_has(mask, i)) continue;
            bytes32 root = Chunks.root(updates[offset:offset + length], chunk);
            if (root != _hashes[i]) revert HashDiffers(i, root, _hashes[i]);
            offset += length;
        }
    }

    /// @dev Returns the number of words of the model.
    function _modelWords() private view returns (uint256) {
        return (_parameters() + 15) / 16;
    }

    /// @dev Reverts unless `minimum <= value <= maximum`.
    function _requireWithin(bytes32 name, uint256 value, uint256 minimum, uint256 maximum) private pure {
        if (value < minimum || value > maximum) revert InvalidParameter(name, value);
    }
}
