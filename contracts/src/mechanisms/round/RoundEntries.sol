// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {EIP712} from "solady/utils/EIP712.sol";

import {
    CommitProblem,
    IFederatedTrainer,
    Revelation,
    RoundPhase,
    SignedCommit
} from "../../interfaces/IFederatedTrainer.sol";
import {IRoundMath} from "../../interfaces/IRoundMath.sol";
import {Chunks} from "../../libraries/Chunks.sol";
import {CloneArguments} from "../../libraries/CloneArguments.sol";
import {Signatures} from "../../libraries/Signatures.sol";
import {RoundMoney} from "./RoundMoney.sol";

/// @title RoundEntries
/// @notice Commitments to updates, and their revealing.
abstract contract RoundEntries is RoundMoney, EIP712 {
    bytes32 private constant COMMIT_TYPE = keccak256("Commit(uint256 round,bytes32 hash,uint256 deadline)");

    /// @dev Gas for the code that checks an author's signature, if it has code.
    uint256 private constant SIGNATURE_GAS = 100_000;

    IRoundMath internal immutable _math;

    constructor(IRoundMath math) {
        _math = math;
    }

    /// @inheritdoc IFederatedTrainer
    function commit(bytes32 hash) external nonReentrant {
        Round memory round = _requireOpen();
        CommitProblem problem = _problem(round, msg.sender);
        if (problem != CommitProblem.None) revert CannotCommit(msg.sender, problem);
        _enter(round, msg.sender, hash);
        _round = round;
    }

    /// @inheritdoc IFederatedTrainer
    function relay(SignedCommit[] calldata commits) external nonReentrant {
        Round memory round = _requireOpen();
        bytes32 domain = _domainSeparator();
        uint256 most = CloneArguments.word(MAX_CLIENTS_INDEX);
        for (uint256 i; i < commits.length && round.committed < most; ++i) {
            address author = commits[i].author;
            CommitProblem problem = _problem(round, author);
            if (problem == CommitProblem.None && !_isSigned(round.number, commits[i], domain)) {
                problem = CommitProblem.NotSigned;
            }
            if (problem == CommitProblem.None) _enter(round, author, commits[i].hash);
            else emit CommitRejected(round.number, author, problem);
        }
        _round = round;
    }

    /// @inheritdoc IFederatedTrainer
    function reveal(Revelation[] calldata revelations) external nonReentrant {
        Round memory round = _requirePhase(RoundPhase.Reveal);
        for (uint256 i; i < revelations.length; ++i) {
            uint256 index = revelations[i].index;
            if (index >= round.committed) revert NothingToReveal(index, round.committed);
            if (!_has(round.revealed, index)) _reveal(round, index, revelations[i]);
        }
        // All are revealed: nothing is to be waited for.
        if (_bits(round.revealed) >= round.committed) round.phase = RoundPhase.Draw;
        _round = round;
    }

    /// @dev Reverts unless authors may commit now. Returns the round.
    function _requireOpen() private view returns (Round memory round) {
        round = _requirePhase(RoundPhase.Open);
        if (partsLeft() == 0) revert NoPartLeft();
    }

    /// @dev Returns the reason for which an account cannot commit.
    function _problem(Round memory round, address author) private view returns (CommitProblem) {
        if (author == owner()) return CommitProblem.Owner;
        Account memory account = _accounts[author];
        if (account.joined > round.number) return CommitProblem.CommittedAlready;
        bool isPoor = account.balance < CloneArguments.word(STAKE_INDEX);
        return isPoor ? CommitProblem.BalanceTooLow : CommitProblem.None;
    }

    /// @dev Returns `true` if the author signed the commitment for this round, in time.
    function _isSigned(uint256 number, SignedCommit calldata signed, bytes32 domain)
        private
        view
        returns (bool)
    {
        if (block.timestamp > signed.deadline) return false;
        bytes32 structHash =
            EfficientHashLib.hash(COMMIT_TYPE, bytes32(number), signed.hash, bytes32(signed.deadline));
        // The gas that the check used does not matter.
        // slither-disable-next-line unused-return
        (bool isSigned,) =
            Signatures.isSignedWithin(signed.author, structHash, signed.signature, domain, SIGNATURE_GAS);
        return isSigned;
    }

    /// @dev Locks an author's stake and appends its commitment. Changes the round in memory.
    function _enter(Round memory round, address author, bytes32 hash) private {
        _lock(author, CloneArguments.word(STAKE_INDEX));
        _accounts[author].joined = uint64(round.number) + 1;
        uint256 index = round.committed;
        _authors[index] = author;
        _hashes[index] = hash;
        // A count: nobody can change it by sending money.
        // slither-disable-next-line incorrect-equality
        if (index == 0) round.deadline = uint40(block.timestamp + CloneArguments.word(OPEN_WAIT_INDEX));
        ++round.committed;
        // The last one ends the phase.
        if (round.committed >= CloneArguments.word(MAX_CLIENTS_INDEX)) {
            round.deadline = uint40(block.timestamp);
        }
        emit UpdateCommitted(round.number, index, author, hash);
    }

    /// @dev Checks an update and keeps its root. Changes the round in memory.
    function _reveal(Round memory round, uint256 index, Revelation calldata revelation) private {
        if (revelation.baseVersion != round.version) revert StaleBase(revelation.baseVersion, round.version);
        bytes calldata update = revelation.update;
        // Creating the implementation fixed the contract.
        // slither-disable-next-line calls-loop
        _math.requireUpdate(
            _parameters(), CloneArguments.word(WIDTH_INDEX), CloneArguments.word(MAX_NORM_INDEX), update
        );
        bytes32 root = Chunks.root(update, CloneArguments.word(CHUNK_INDEX));
        address author = _authors[index];
        bytes32 hash = EfficientHashLib.hash(
            bytes32(uint256(uint160(address(this)))),
            bytes32(uint256(round.number)),
            bytes32(uint256(uint160(author))),
            bytes32(uint256(round.version)),
            root,
            revelation.salt
        );
        if (hash != _hashes[index]) revert HashDiffers(index, hash, _hashes[index]);
        _hashes[index] = root;
        // The index is below 32.
        round.revealed |= uint32(2 ** index);
        emit UpdateRevealed(round.number, index, author, root, update);
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("cotrain federated", "1");
    }
}
