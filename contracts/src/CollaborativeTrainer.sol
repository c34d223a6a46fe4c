// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibBitmap} from "solady/utils/LibBitmap.sol";
import {MerkleProofLib} from "solady/utils/MerkleProofLib.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClassifier} from "./interfaces/IClassifier.sol";
import {Claim, ICollaborativeTrainer} from "./interfaces/ICollaborativeTrainer.sol";
import {Batches} from "./libraries/Batches.sol";
import {CloneArguments} from "./libraries/CloneArguments.sol";
import {Records} from "./libraries/Records.sol";

/// @title CollaborativeTrainer
/// @notice Money, records and time; an incentive mechanism adds the price and the reporters' share.
/// @dev Deployed as clones whose immutable arguments are words: owner, classifier, the three waits, then those
/// of the mechanism. Contributions above 2^64 or times above 2^40 are out of reach of any chain.
abstract contract CollaborativeTrainer is ICollaborativeTrainer, ReentrancyGuardTransient {
    using LibBitmap for LibBitmap.Bitmap;

    uint256 private constant OWNER = 0;
    uint256 private constant CLASSIFIER = 1;
    uint256 private constant REFUND_WAIT = 2;
    uint256 private constant OWNER_CLAIM_WAIT = 3;
    uint256 private constant ANY_ADDRESS_CLAIM_WAIT = 4;
    /// @dev The first argument of the mechanism.
    uint256 internal constant MECHANISM = 5;

    /// @dev Everything that changes with each contribution, in one slot.
    struct State {
        uint40 lastContributionTime;
        uint64 contributionCount;
        uint64 totalGood;
    }

    /// @dev Written only where a report leaves something to take, and by the report that takes the rest.
    struct Settlement {
        uint96 taken;
        address firstReporter;
    }

    State private _state;

    /// @dev The closed contributions, 256 a slot: closing mostly changes a slot instead of adding one.
    LibBitmap.Bitmap private _closed;

    mapping(uint256 position => Settlement settlement) private _settlements;

    /// @dev The reporters after the first one.
    mapping(uint256 position => mapping(address reporter => bool reported)) private _laterReporters;

    /// @inheritdoc ICollaborativeTrainer
    mapping(address author => uint256 good) public good;

    /// @inheritdoc ICollaborativeTrainer
    mapping(uint256 batch => bytes32 root) public root;

    /// @dev The implementation itself cannot be initialised, and its full count admits no contribution.
    constructor() {
        _state = State(type(uint40).max, type(uint64).max, 0);
    }

    /// @inheritdoc ICollaborativeTrainer
    function initialize() external {
        if (_state.lastContributionTime != 0) revert AlreadyInitialized();
        _validate(CloneArguments.load());
        _state.lastContributionTime = uint40(block.timestamp);
    }

    /// @inheritdoc ICollaborativeTrainer
    function contribute(bytes calldata batch) external payable nonReentrant returns (uint256 batchPosition) {
        uint256 n = Batches.count(batch);
        uint256 deposit = price(n);
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        State memory state = _state;
        batchPosition = state.contributionCount;
        root[batchPosition] = Records.root(batch, n, msg.sender, deposit, block.timestamp, batchPosition);
        state.lastContributionTime = uint40(block.timestamp);
        // A batch has fewer items than bytes. The sum is checked: it locks the implementation.
        state.contributionCount += uint64(n);
        _state = state;

        IClassifier(classifier()).learn(batch);
        emit Contributed(batchPosition, msg.sender, deposit, block.timestamp, batch);
        // What was sent is at least what is required.
        unchecked {
            _pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc ICollaborativeTrainer
    function refund(Claim calldata claim) external nonReentrant {
        uint256 left = _left(claim);
        if (msg.sender != claim.author) revert NotAuthor(msg.sender, claim.author);
        _requireTime(claim.time + refundWait());
        uint256 predicted = _predict(claim.sample);
        if (predicted != claim.label) revert PredictionDiffers(claim.label, predicted);

        ++good[msg.sender];
        ++_state.totalGood;
        _closed.set(claim.position);
        emit Refunded(claim.position, msg.sender, left);
        _pay(msg.sender, left);
    }

    /// @inheritdoc ICollaborativeTrainer
    function report(Claim calldata claim) external nonReentrant {
        uint256 left = _left(claim);
        if (msg.sender == claim.author) revert OwnContribution(claim.author);
        _requireTime(claim.time + refundWait());
        uint256 reporterGood = good[msg.sender];
        if (reporterGood == 0) revert NoGoodContribution(msg.sender);
        if (reported(claim.position, msg.sender)) revert AlreadyReported(claim.position, msg.sender);
        if (_predict(claim.sample) == claim.label) revert PredictionAgrees(claim.label);

        uint256 share = _share(claim.deposit, reporterGood, _state.totalGood);
        if (share == 0 || share >= left) {
            share = left;
            _closed.set(claim.position);
        }
        Settlement storage record = _settlements[claim.position];
        if (record.firstReporter == address(0)) record.firstReporter = msg.sender;
        else _laterReporters[claim.position][msg.sender] = true;
        // At most the deposit, of 96 bits.
        record.taken += uint96(share);
        emit Reported(claim.position, msg.sender, share);
        _pay(msg.sender, share);
    }

    /// @inheritdoc ICollaborativeTrainer
    function claimLate(Claim calldata claim) external nonReentrant {
        uint256 left = _left(claim);
        _requireTime(claim.time + (msg.sender == owner() ? ownerClaimWait() : anyAddressClaimWait()));

        _closed.set(claim.position);
        emit ClaimedLate(claim.position, msg.sender, left);
        _pay(msg.sender, left);
    }

    /// @inheritdoc ICollaborativeTrainer
    function lastContributionTime() public view returns (uint256) {
        return _state.lastContributionTime;
    }

    /// @inheritdoc ICollaborativeTrainer
    function contributionCount() external view returns (uint256) {
        return _state.contributionCount;
    }

    /// @inheritdoc ICollaborativeTrainer
    function totalGood() external view returns (uint256) {
        return _state.totalGood;
    }

    /// @inheritdoc ICollaborativeTrainer
    function settlement(uint256 position) external view returns (uint256 word) {
        Settlement storage record = _settlements[position];
        uint96 taken = _closed.get(position) ? type(uint96).max : record.taken;
        return taken | uint256(uint160(record.firstReporter)) << 96;
    }

    /// @inheritdoc ICollaborativeTrainer
    function price(uint256 n) public view virtual returns (uint256);

    /// @inheritdoc ICollaborativeTrainer
    function owner() public view returns (address) {
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(OWNER)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function classifier() public view returns (address) {
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(CLASSIFIER)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function refundWait() public view returns (uint256) {
        return CloneArguments.word(REFUND_WAIT);
    }

    /// @inheritdoc ICollaborativeTrainer
    function ownerClaimWait() public view returns (uint256) {
        return CloneArguments.word(OWNER_CLAIM_WAIT);
    }

    /// @inheritdoc ICollaborativeTrainer
    function anyAddressClaimWait() public view returns (uint256) {
        return CloneArguments.word(ANY_ADDRESS_CLAIM_WAIT);
    }

    /// @inheritdoc ICollaborativeTrainer
    function reported(uint256 position, address reporter) public view returns (bool) {
        return _settlements[position].firstReporter == reporter || _laterReporters[position][reporter];
    }

    /// @dev What a reporter may take of a deposit: rounded down, cut to what is left later. 0 takes all that is
    /// left.
    /// @param reporterGood At least 1 and at most `allGood`.
    function _share(uint256 deposit, uint256 reporterGood, uint256 allGood)
        internal
        pure
        virtual
        returns (uint256);

    /// @dev Reverts unless the arguments are as many as they should and within their bounds. A mechanism adds
    /// its own; these come first.
    function _validate(uint256[] memory arguments) internal pure virtual {
        uint256 ownerWait = arguments[OWNER_CLAIM_WAIT];
        uint256 anyWait = arguments[ANY_ADDRESS_CLAIM_WAIT];
        if (arguments[REFUND_WAIT] > ownerWait) {
            revert InvalidParameter("refundWait", arguments[REFUND_WAIT]);
        }
        if (ownerWait > anyWait) revert InvalidParameter("ownerClaimWait", ownerWait);
        if (anyWait > type(uint40).max) revert InvalidParameter("anyAddressClaimWait", anyWait);
    }

    /// @dev Reverts unless there are `count` arguments.
    function _requireCount(uint256[] memory arguments, uint256 count) internal pure {
        if (arguments.length != count) revert InvalidParameter("arguments", arguments.length);
    }

    /// @dev What is left of a contribution's deposit; reverts where there is no such contribution, or nothing.
    function _left(Claim calldata claim) private view returns (uint256) {
        bytes32 leaf =
            Records.leaf(claim.author, claim.label, claim.sample, claim.deposit, claim.time, claim.position);
        // A root of 0 needs no check: no hash is 0.
        if (!MerkleProofLib.verifyCalldata(claim.proof, root[claim.batch], leaf)) {
            revert UnknownContribution(claim.batch, leaf);
        }
        if (_closed.get(claim.position)) revert NothingLeft(claim.position);
        return claim.deposit - _settlements[claim.position].taken;
    }

    function _requireTime(uint256 earliest) private view {
        if (block.timestamp < earliest) revert TooEarly(block.timestamp, earliest);
    }

    /// @dev A static call: the classifier can be wrong and nothing else.
    function _predict(bytes calldata sample) private view returns (uint256) {
        bytes[] memory samples = new bytes[](1);
        samples[0] = sample;
        return IClassifier(classifier()).predict(samples)[0];
    }

    /// @dev Pays with all gas that is left, so that contract wallets can be paid; what the receiver returns is
    /// not copied. Nobody is called for a payment of 0.
    function _pay(address to, uint256 amount) private {
        if (amount == 0) return;
        if (!SafeTransferLib.trySafeTransferETH(to, amount, gasleft())) revert PaymentFailed(to, amount);
    }

    /// @dev Transient storage on every chain: all that this runs on have it.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
