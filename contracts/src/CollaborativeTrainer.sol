// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleProofLib} from "solady/utils/MerkleProofLib.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";

import {IClassifier} from "./interfaces/IClassifier.sol";
import {Claim, ICollaborativeTrainer} from "./interfaces/ICollaborativeTrainer.sol";
import {Batches} from "./libraries/Batches.sol";
import {CloneArguments} from "./libraries/CloneArguments.sol";
import {Records} from "./libraries/Records.sol";
import {State} from "./types/State.sol";
import {Status, Statuses} from "./types/Statuses.sol";

/// @title CollaborativeTrainer
/// @notice Money, records and time; an incentive mechanism adds the price and the reporters' share.
/// @dev Deployed as clones whose immutable arguments are words: owner, classifier, the three waits, then those
/// of the mechanism. 2^64 contributions and the time 2^40 are out of reach.
abstract contract CollaborativeTrainer is ICollaborativeTrainer, ReentrancyGuardTransient {
    uint256 private constant OWNER_PLACE = 0;
    uint256 private constant CLASSIFIER_PLACE = 1;
    uint256 private constant REFUND_WAIT_PLACE = 2;
    uint256 private constant OWNER_CLAIM_WAIT_PLACE = 3;
    uint256 private constant ANY_ADDRESS_CLAIM_WAIT_PLACE = 4;
    /// @dev The first argument of the mechanism.
    uint256 internal constant MECHANISM_PLACE = 5;

    /// @dev What reporters have done to a contribution.
    struct Settlement {
        uint96 taken;
        address firstReporter;
    }

    State private _state;

    Statuses private _statuses;

    mapping(uint256 position => Settlement settlement) private _settlements;

    /// @dev The reporters after the first one.
    mapping(uint256 position => mapping(address reporter => bool reported)) private _laterReporters;

    /// @inheritdoc ICollaborativeTrainer
    mapping(address author => uint256 good) public good;

    /// @inheritdoc ICollaborativeTrainer
    mapping(uint256 batch => bytes32 root) public root;

    /// @dev The implementation has a time, so it cannot be initialised, and a full count, so it takes no
    /// contribution.
    constructor() {
        _state = State.wrap(type(uint104).max);
    }

    /// @inheritdoc ICollaborativeTrainer
    function initialize() external {
        if (State.unwrap(_state) != 0) revert AlreadyInitialized();
        _validate(CloneArguments.load());
        _state = _state.contributed(block.timestamp, 0);
    }

    /// @inheritdoc ICollaborativeTrainer
    function contribute(bytes calldata batch) external payable nonReentrant returns (uint256 batchPosition) {
        State state = _state;
        // A clone that no factory made: nobody has checked its parameters.
        if (state.lastContributionTime() == 0) revert NotInitialized();
        uint256 n = Batches.count(batch);
        uint256 deposit = price(n);
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        batchPosition = state.contributionCount();
        root[batchPosition] = Records.root(batch, n, msg.sender, deposit, block.timestamp, batchPosition);
        _state = state.contributed(block.timestamp, n);

        IClassifier(classifier()).learn(batch);
        emit Contributed(batchPosition, msg.sender, deposit, block.timestamp, batch);
        // What was sent is at least what is required.
        unchecked {
            _pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc ICollaborativeTrainer
    function refund(Claim calldata claim) external nonReentrant {
        uint256 position = claim.position;
        uint256 left = _left(claim, position);
        if (msg.sender != claim.author) revert NotAuthor(msg.sender, claim.author);
        _requireTime(claim.time, refundWait());
        uint256 predicted = _predict(claim.sample);
        if (predicted != claim.label) revert PredictionDiffers(claim.label, predicted);

        // At most one for each contribution.
        unchecked {
            ++good[msg.sender];
        }
        _state = _state.refunded();
        _statuses.set(position, Status.Closed);
        emit Refunded(position, msg.sender, left);
        _pay(msg.sender, left);
    }

    /// @inheritdoc ICollaborativeTrainer
    function report(Claim calldata claim) external nonReentrant {
        uint256 position = claim.position;
        uint256 left = _left(claim, position);
        if (msg.sender == claim.author) revert OwnContribution(claim.author);
        _requireTime(claim.time, refundWait());
        uint256 reporterGood = good[msg.sender];
        if (reporterGood == 0) revert NoGoodContribution(msg.sender);
        if (reported(position, msg.sender)) revert AlreadyReported(position, msg.sender);
        if (_predict(claim.sample) == claim.label) revert PredictionAgrees(claim.label);

        uint256 share = _share(claim.deposit, reporterGood, _state.totalGood());
        if (share == 0 || share > left) share = left;
        _statuses.set(position, share == left ? Status.Closed : Status.Reported);
        Settlement storage record = _settlements[position];
        if (record.firstReporter == address(0)) record.firstReporter = msg.sender;
        else _laterReporters[position][msg.sender] = true;
        // At most the deposit, of 96 bits.
        record.taken += uint96(share);
        emit Reported(position, msg.sender, share);
        _pay(msg.sender, share);
    }

    /// @inheritdoc ICollaborativeTrainer
    function claimLate(Claim calldata claim) external nonReentrant {
        uint256 position = claim.position;
        uint256 left = _left(claim, position);
        _requireTime(claim.time, msg.sender == owner() ? ownerClaimWait() : anyAddressClaimWait());

        _statuses.set(position, Status.Closed);
        emit ClaimedLate(position, msg.sender, left);
        _pay(msg.sender, left);
    }

    /// @inheritdoc ICollaborativeTrainer
    function lastContributionTime() public view returns (uint256) {
        return _state.lastContributionTime();
    }

    /// @inheritdoc ICollaborativeTrainer
    function contributionCount() external view returns (uint256) {
        return _state.contributionCount();
    }

    /// @inheritdoc ICollaborativeTrainer
    function totalGood() external view returns (uint256) {
        return _state.totalGood();
    }

    /// @inheritdoc ICollaborativeTrainer
    function settlement(uint256 position) external view returns (uint256 word) {
        Settlement storage record = _settlements[position];
        uint96 taken = _statuses.get(position) == Status.Closed ? type(uint96).max : record.taken;
        return taken | uint256(uint160(record.firstReporter)) << 96;
    }

    /// @inheritdoc ICollaborativeTrainer
    function price(uint256 n) public view virtual returns (uint256);

    /// @inheritdoc ICollaborativeTrainer
    function owner() public view returns (address) {
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(OWNER_PLACE)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function classifier() public view returns (address) {
        // An address, as the factory encoded it.
        return address(uint160(CloneArguments.word(CLASSIFIER_PLACE)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function refundWait() public view returns (uint256) {
        return CloneArguments.word(REFUND_WAIT_PLACE);
    }

    /// @inheritdoc ICollaborativeTrainer
    function ownerClaimWait() public view returns (uint256) {
        return CloneArguments.word(OWNER_CLAIM_WAIT_PLACE);
    }

    /// @inheritdoc ICollaborativeTrainer
    function anyAddressClaimWait() public view returns (uint256) {
        return CloneArguments.word(ANY_ADDRESS_CLAIM_WAIT_PLACE);
    }

    /// @inheritdoc ICollaborativeTrainer
    function reported(uint256 position, address reporter) public view returns (bool) {
        address first = _settlements[position].firstReporter;
        // Nobody has reported before the first one has: then the second slot is not read.
        return first != address(0) && (first == reporter || _laterReporters[position][reporter]);
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
        uint256 ownerWait = arguments[OWNER_CLAIM_WAIT_PLACE];
        uint256 anyWait = arguments[ANY_ADDRESS_CLAIM_WAIT_PLACE];
        if (arguments[REFUND_WAIT_PLACE] > ownerWait) {
            revert InvalidParameter("refundWait", arguments[REFUND_WAIT_PLACE]);
        }
        if (ownerWait > anyWait) revert InvalidParameter("ownerClaimWait", ownerWait);
        if (anyWait > type(uint40).max) revert InvalidParameter("anyAddressClaimWait", anyWait);
    }

    /// @dev Reverts unless there are `count` arguments.
    function _requireCount(uint256[] memory arguments, uint256 count) internal pure {
        if (arguments.length != count) revert InvalidParameter("arguments", arguments.length);
    }

    /// @dev What is left of a contribution's deposit; reverts where there is no such contribution, or nothing.
    /// @param position The claim's: callers need it too, and reading it checks its range each time.
    function _left(Claim calldata claim, uint256 position) private view returns (uint256) {
        bytes32 leaf =
            Records.leaf(claim.author, claim.label, claim.sample, claim.deposit, claim.time, position);
        // A root of 0 needs no check: no hash is 0.
        if (!MerkleProofLib.verifyCalldata(claim.proof, root[claim.batch], leaf)) {
            revert UnknownContribution(claim.batch, leaf);
        }
        Status status = _statuses.get(position);
        if (status == Status.Closed) revert NothingLeft(position);
        return status == Status.Untouched ? claim.deposit : claim.deposit - _settlements[position].taken;
    }

    function _requireTime(uint256 time, uint256 wait) private view {
        // Both are below 2^40.
        uint256 earliest;
        unchecked {
            earliest = time + wait;
        }
        if (block.timestamp < earliest) revert TooEarly(block.timestamp, earliest);
    }

    /// @dev The label that `predict` gives for one sample. A static call changes nothing and moves no money, but
    /// the label decides who gets the deposit: `IClassifier` says what a hostile classifier can do. Written by hand
    /// to copy the sample once, and no more of the answer than one label.
    function _predict(bytes calldata sample) private view returns (uint256 label) {
        address target = classifier();
        bytes4 selector = IClassifier.predict.selector;
        // Uses memory behind the free pointer and gives it back.
        assembly ("memory-safe") {
            let call_ := mload(0x40)
            mstore(call_, selector)
            mstore(add(call_, 0x04), 0x20) // where the array begins
            mstore(add(call_, 0x24), 1) // its length
            mstore(add(call_, 0x44), 0x20) // where its only sample begins
            mstore(add(call_, 0x64), sample.length)
            calldatacopy(add(call_, 0x84), sample.offset, sample.length)
            // Zeros up to a whole word, as the encoding has it.
            mstore(add(add(call_, 0x84), sample.length), 0)
            let size := add(0x84, and(add(sample.length, 0x1f), not(0x1f)))
            if iszero(staticcall(gas(), target, call_, size, call_, 0x60)) {
                returndatacopy(call_, 0, returndatasize())
                revert(call_, returndatasize())
            }
            // An answer in the usual encoding: an offset, the length, the label. An account without code gives
            // none.
            if or(
                lt(returndatasize(), 0x60),
                iszero(and(eq(mload(call_), 0x20), eq(mload(add(call_, 0x20)), 1)))
            ) {
                revert(0, 0)
            }
            label := mload(add(call_, 0x40))
        }
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
