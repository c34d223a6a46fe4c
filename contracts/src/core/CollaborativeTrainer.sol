// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibEIP7702} from "solady/accounts/LibEIP7702.sol";
import {EIP712} from "solady/utils/EIP712.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibCall} from "solady/utils/LibCall.sol";

import {ICollaborativeTrainer} from "../interfaces/ICollaborativeTrainer.sol";
import {Batches} from "../libraries/Batches.sol";
import {Claims, Contribution, Group} from "../libraries/Claims.sol";
import {ClassifierCalls} from "../libraries/ClassifierCalls.sol";
import {CloneArguments} from "../libraries/CloneArguments.sol";
import {Delegations} from "../libraries/Delegations.sol";
import {Memory} from "../libraries/Memory.sol";
import {Payments} from "../libraries/Payments.sol";
import {Records} from "../libraries/Records.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {SignedBatch, SignedBatches} from "../libraries/SignedBatches.sol";
import {Accounts} from "./Accounts.sol";
import {Account} from "./types/Account.sol";
import {Announcements} from "./types/Announcements.sol";
import {State} from "./types/State.sol";
import {Status, Statuses} from "./types/Statuses.sol";

/// @title CollaborativeTrainer
/// @notice Money, records and time; an incentive mechanism adds the price and the reporters' share.
/// @dev Deployed as clones whose immutable arguments are words: owner, classifier, the three waits, the notice
/// before a report, then those of the mechanism. 2^64 contributions and the time 2^40 are out of reach.
abstract contract CollaborativeTrainer is ICollaborativeTrainer, Accounts, EIP712 {
    uint256 private constant OWNER_PLACE = 0;
    uint256 private constant CLASSIFIER_PLACE = 1;
    uint256 private constant REFUND_WAIT_PLACE = 2;
    uint256 private constant OWNER_CLAIM_WAIT_PLACE = 3;
    uint256 private constant ANY_ADDRESS_CLAIM_WAIT_PLACE = 4;
    uint256 private constant REPORT_NOTICE_PLACE = 5;
    /// @dev The first argument of the mechanism.
    /// Points has none.
    // slither-disable-next-line unused-state
    uint256 internal constant MECHANISM_PLACE = 6;

    /// @dev What reporters have done to a contribution.
    struct Settlement {
        uint96 taken;
        address firstReporter;
    }

    /// @dev What a relay knows while it goes through the batches.
    struct Relaying {
        bytes32 domainSeparator;
        /// The position of the first contribution.
        uint256 batch;
        /// How much gas the code that a batch runs may use.
        uint256 gasPerBatch;
        /// Of each contribution, in wei.
        uint256 deposit;
        /// How many contributions have been accepted.
        uint256 accepted;
        /// Of the accepted batches together, in wei.
        uint256 fees;
        /// With room for all contributions.
        bytes32[] leaves;
        /// What was accepted; with room for all that was sent.
        bytes log;
    }

    /// @dev What is known while claims are settled.
    struct Settling {
        /// Who claims.
        address claimer;
        /// What is the claimer's of those that were settled, in wei.
        uint256 paid;
        /// How many were settled.
        uint256 settled;
        /// Why the first one was skipped, where none was settled before it.
        bytes firstReason;
    }

    State private _state;

    Statuses private _statuses;

    mapping(uint256 position => Settlement settlement) private _settlements;

    /// @dev The reporters after the first one.
    mapping(uint256 position => mapping(address reporter => bool reported)) private _laterReporters;

    /// @inheritdoc ICollaborativeTrainer
    mapping(uint256 batch => bytes32 root) public root;

    Announcements private _announcements;

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
    function contribute(bytes calldata items) external payable nonReentrant returns (uint256 batch) {
        State state = _initialized();
        uint256 n = Batches.count(items);
        uint256 deposit = price(n);
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        batch = state.contributionCount();
        bytes32[] memory leaves = new bytes32[](n);
        Records.fill(leaves, 0, items, n, msg.sender, deposit, block.timestamp, batch);
        root[batch] = Records.root(leaves, n);
        _state = state.contributed(block.timestamp, n);

        bytes memory reason = ClassifierCalls.tryLearn(classifier(), items);
        if (reason.length != 0) LibCall.bubbleUpRevert(reason);
        emit Contributed(batch, msg.sender, deposit, block.timestamp, items);
        // What was sent is at least what is required.
        unchecked {
            Payments.pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc ICollaborativeTrainer
    function relay(bytes calldata batches, uint256 gasPerBatch) external nonReentrant {
        State state = _initialized();
        Relaying memory relaying;
        relaying.domainSeparator = _domainSeparator();
        relaying.gasPerBatch = gasPerBatch;
        relaying.batch = state.contributionCount();
        relaying.leaves = new bytes32[](SignedBatches.count(batches));
        // There is no price of 0 contributions; then all batches are skipped.
        if (relaying.leaves.length != 0) relaying.deposit = price(relaying.leaves.length);
        // What is accepted is logged without its signatures, so there is room for it.
        relaying.log = new bytes(batches.length);
        {
            bytes memory log = relaying.log;
            assembly ("memory-safe") {
                mstore(log, 0)
            }
        }
        uint256 free = Memory.free();
        for (uint256 offset; offset < batches.length;) {
            (bytes calldata items, bytes calldata signature, uint256 next) =
                SignedBatches.batchAt(batches, offset);
            SignedBatch memory signed = SignedBatches.header(batches, offset, items);
            bytes memory reason = _accept(relaying, signed, items, signature);
            // The length of what was just built, and below a count: nobody can move either by sending money.
            // slither-disable-next-line incorrect-equality
            if (reason.length == 0) SignedBatches.append(relaying.log, batches, offset, items.length);
            else emit Skipped(signed.author, signed.nonce, reason);
            Memory.giveBack(free);
            offset = next;
        }
        // slither-disable-next-line incorrect-equality
        if (relaying.accepted == 0) return;
        root[relaying.batch] = Records.root(relaying.leaves, relaying.accepted);
        _state = state.contributed(block.timestamp, relaying.accepted);
        if (relaying.fees != 0) _credit(msg.sender, relaying.fees);
        emit Relayed(relaying.batch, msg.sender, relaying.deposit, block.timestamp, relaying.log);
    }

    /// @inheritdoc ICollaborativeTrainer
    function refund(bytes calldata claims) external nonReentrant {
        Payments.pay(msg.sender, _settle(msg.sender, claims, true, _refund));
    }

    /// @inheritdoc ICollaborativeTrainer
    function announce(bytes calldata claims) external nonReentrant {
        if (reportNotice() == 0) revert NoNotice();
        // Nothing is paid for it.
        // slither-disable-next-line unused-return
        _settle(msg.sender, claims, true, _announce);
    }

    /// @inheritdoc ICollaborativeTrainer
    function report(bytes calldata claims) external nonReentrant {
        Payments.pay(msg.sender, _settle(msg.sender, claims, true, _report));
    }

    /// @inheritdoc ICollaborativeTrainer
    function reportFor(address reporter, uint40 until, bytes calldata signature, bytes calldata claims)
        external
        nonReentrant
    {
        if (block.timestamp > until) revert Expired(until, block.timestamp);
        bytes32 structHash = Delegations.structHash(reporter, msg.sender, until);
        if (!Signatures.isSigned(reporter, structHash, signature, _domainSeparator())) {
            revert InvalidSignature(reporter);
        }
        uint256 shares = _settle(reporter, claims, true, _report);
        if (shares != 0) _deposit(reporter, shares);
    }

    /// @inheritdoc ICollaborativeTrainer
    function claimLate(bytes calldata claims) external nonReentrant {
        Payments.pay(msg.sender, _settle(msg.sender, claims, false, _claimLate));
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
    function settlement(uint256 position)
        external
        view
        returns (Status status, uint256 taken, address firstReporter)
    {
        Settlement storage record = _settlements[position];
        return (_statuses.get(position), record.taken, record.firstReporter);
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
    function reportNotice() public view returns (uint256) {
        return CloneArguments.word(REPORT_NOTICE_PLACE);
    }

    /// @inheritdoc ICollaborativeTrainer
    function announced(uint256 position) external view returns (uint256) {
        return _announcements.get(position);
    }

    /// @inheritdoc ICollaborativeTrainer
    function reported(uint256 position, address reporter) public view returns (bool) {
        address first = _settlements[position].firstReporter;
        // Nobody has reported before the first one has: then the second slot is not read.
        return first != address(0) && (first == reporter || _laterReporters[position][reporter]);
    }

    /// @dev What a reporter may take of a deposit: rounded down, cut to what is left later.
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
        uint256 notice = arguments[REPORT_NOTICE_PLACE];
        // So that who announces in the first second can use all of it before the owner can claim. The wait for a refund is at
        // most the owner's, as said above.
        if (notice > (ownerWait - arguments[REFUND_WAIT_PLACE]) / 2) {
            revert InvalidParameter("reportNotice", notice);
        }
    }

    /// @dev Reverts unless there are `count` arguments.
    function _requireCount(uint256[] memory arguments, uint256 count) internal pure {
        if (arguments.length != count) revert InvalidParameter("arguments", arguments.length);
    }

    /// @dev The state, of a trainer whose parameters were checked: of a clone that no factory made, nobody has.
    function _initialized() private view returns (State state) {
        state = _state;
        if (state.lastContributionTime() == 0) revert NotInitialized();
    }

    /// @dev Teaches, charges and records one signed batch, or says why not: then nothing has changed.
    function _accept(
        Relaying memory relaying,
        SignedBatch memory signed,
        bytes calldata items,
        bytes calldata signature
    ) private returns (bytes memory reason) {
        uint256 n;
        (n, reason) = Batches.tryCount(items);
        if (n == 0) return reason;
        if (block.timestamp > signed.deadline) {
            return abi.encodeWithSelector(Expired.selector, signed.deadline, block.timestamp);
        }
        Account account = _accounts[signed.author];
        if (account.used(signed.nonce)) {
            return abi.encodeWithSelector(NonceUsed.selector, signed.author, signed.nonce);
        }
        if (relaying.deposit > signed.maxDeposit) {
            return abi.encodeWithSelector(PriceTooHigh.selector, relaying.deposit, signed.maxDeposit);
        }
        uint256 required = n * relaying.deposit + signed.fee;
        if (required > account.balance()) {
            return abi.encodeWithSelector(BalanceTooLow.selector, required, account.balance());
        }
        reason = _teachSigned(relaying, signed, items, signature);
        if (reason.length != 0) return reason;

        // Nobody has changed the account since it was read: all that does is guarded.
        _accounts[signed.author] = account.charged(required).withUsed(signed.nonce);
        _record(relaying, items, n, signed.author);
        relaying.accepted += n;
        relaying.fees += signed.fee;
    }

    /// @dev Teaches a batch that its author has signed, or says why not. The code that this runs gets all of its gas or
    /// the relay fails: never is a batch skipped because others have used up what was meant for it.
    function _teachSigned(
        Relaying memory relaying,
        SignedBatch memory signed,
        bytes calldata items,
        bytes calldata signature
    ) private returns (bytes memory) {
        uint256 allowance = relaying.gasPerBatch;
        (bool isSigned, uint256 used) =
            SignedBatches.isSignedWithin(signed, signature, relaying.domainSeparator, allowance);
        if (!isSigned) return abi.encodeWithSelector(InvalidSignature.selector, signed.author);
        return
            ClassifierCalls.tryLearnWithin(
                classifier(), items, FixedPointMathLib.zeroFloorSub(allowance, used)
            );
    }

    /// @dev Records the items of one batch after those that were accepted before it.
    function _record(Relaying memory relaying, bytes calldata items, uint256 n, address author) private view {
        uint256 place = relaying.accepted;
        uint256 position = relaying.batch + place;
        Records.fill(relaying.leaves, place, items, n, author, relaying.deposit, block.timestamp, position);
    }

    /// @dev Settles claims one by one; skips those that have a reason to be.
    /// @param ask Whether the classifier's predictions are needed.
    /// @param settle Settles one contribution for the claimer, given the predicted label, and says what of it is the
    /// claimer's, or why it cannot be settled: then nothing has changed.
    /// @return What is the claimer's of all of them, in wei.
    function _settle(
        address claimer,
        bytes calldata claims,
        bool ask,
        function(address, Contribution memory, uint256) returns (uint256, bytes memory) settle
    ) private returns (uint256) {
        Settling memory all;
        all.claimer = claimer;
        for (uint256 offset; offset < claims.length;) {
            Group memory group = Claims.groupAt(claims, offset);
            // A root of 0 needs no check: no hash is 0.
            if (!Claims.proven(group, claims, root[group.batch])) revert UnknownContribution(group.batch);
            uint256[] memory predicted;
            if (ask) predicted = ClassifierCalls.predict(classifier(), claims, group);
            _settleGroup(all, claims, group, predicted, settle);
            offset = group.end;
        }
        if (all.settled == 0) {
            if (all.firstReason.length == 0) revert NoClaims();
            LibCall.bubbleUpRevert(all.firstReason);
        }
        return all.paid;
    }

    /// @param predicted Nothing where the classifier was not asked.
    function _settleGroup(
        Settling memory all,
        bytes calldata claims,
        Group memory group,
        uint256[] memory predicted,
        function(address, Contribution memory, uint256) returns (uint256, bytes memory) settle
    ) private {
        uint256 offset = group.contributions;
        for (uint256 i; i < group.leaves.length; ++i) {
            Contribution memory one = Claims.contributionAt(claims, offset);
            // The sample was hashed and predicted before.
            // slither-disable-next-line unused-return
            (, offset) = Claims.sampleAt(claims, offset);
            (uint256 amount, bytes memory reason) =
                settle(all.claimer, one, predicted.length != 0 ? predicted[i] : 0);
            if (reason.length == 0) {
                all.paid += amount;
                ++all.settled;
                continue;
            }
            if (all.settled == 0 && all.firstReason.length == 0) all.firstReason = reason;
            emit ClaimSkipped(one.position, reason);
        }
    }

    function _refund(address claimer, Contribution memory one, uint256 predicted)
        private
        returns (uint256 paid, bytes memory reason)
    {
        uint256 left;
        (left, reason) = _left(one, refundWait());
        if (reason.length != 0) return (0, reason);
        if (predicted != one.label) {
            return (0, abi.encodeWithSelector(PredictionDiffers.selector, one.label, predicted));
        }

        address author = one.author;
        Account account = _accounts[author].praised();
        if (author == claimer) {
            paid = left;
        } else {
            // Nobody knows whether a contract can withdraw that has never signed or cancelled anything here.
            if (!account.hasNonces() && _isContract(author)) {
                return (0, abi.encodeWithSelector(AuthorIsContract.selector, author));
            }
            // In this order the difference cannot be negative.
            if (left > type(uint96).max - account.balance()) {
                return (0, abi.encodeWithSelector(BalanceOverflow.selector, author));
            }
            account = account.credited(left);
            if (left != 0) emit Deposited(author, left);
        }
        _accounts[author] = account;
        _state = _state.refunded();
        _statuses.set(one.position, Status.Closed);
        emit Refunded(one.position, author, left);
    }

    /// @return No money.
    /// @return reason Why it cannot be announced.
    function _announce(address claimer, Contribution memory one, uint256 predicted)
        private
        returns (uint256, bytes memory reason)
    {
        // What is left does not matter: nothing is paid.
        // slither-disable-next-line unused-return
        (, reason) = _left(one, refundWait());
        if (reason.length != 0) return (0, reason);
        uint256 position = one.position;
        uint256 time = _announcements.get(position);
        // Times and notice are below 2^40.
        unchecked {
            uint256 until = time + 2 * reportNotice();
            if (time != 0 && block.timestamp <= until) {
                return (0, abi.encodeWithSelector(AlreadyAnnounced.selector, position, until));
            }
        }
        if (predicted == one.label) {
            return (0, abi.encodeWithSelector(PredictionAgrees.selector, predicted));
        }
        _announcements.set(position, block.timestamp);
        emit Announced(position, claimer, block.timestamp);
        return (0, "");
    }

    /// @dev Returns nothing if the notice before a report is over and its announcement still serves, or else why a
    /// report cannot be made.
    function _checkNotice(uint256 position) private view returns (bytes memory) {
        uint256 notice = reportNotice();
        if (notice == 0) return "";
        uint256 time = _announcements.get(position);
        // Times and notice are below 2^40.
        unchecked {
            uint256 earliest = time + notice;
            if (time == 0 || block.timestamp > earliest + notice) {
                return abi.encodeWithSelector(NotAnnounced.selector, position);
            }
            if (block.timestamp < earliest) {
                return abi.encodeWithSelector(TooEarly.selector, block.timestamp, earliest);
            }
        }
        return "";
    }

    function _report(address claimer, Contribution memory one, uint256 predicted)
        private
        returns (uint256 share, bytes memory reason)
    {
        if (one.author == claimer) {
            return (0, abi.encodeWithSelector(OwnContribution.selector, claimer));
        }
        uint256 left;
        (left, reason) = _left(one, refundWait());
        if (reason.length != 0) return (0, reason);
        uint256 position = one.position;
        uint256 reporterGood = _accounts[claimer].good();
        if (reporterGood == 0) return (0, abi.encodeWithSelector(NoGoodContribution.selector, claimer));
        if (reported(position, claimer)) {
            return (0, abi.encodeWithSelector(AlreadyReported.selector, position, claimer));
        }
        reason = _checkNotice(position);
        if (reason.length != 0) return (0, reason);
        if (predicted == one.label) {
            return (0, abi.encodeWithSelector(PredictionAgrees.selector, predicted));
        }

        share = FixedPointMathLib.min(_share(one.deposit, reporterGood, _state.totalGood()), left);
        // Only money that is all taken closes: what never had a deposit can still be refunded.
        // slither-disable-next-line incorrect-equality
        _statuses.set(position, left != 0 && share == left ? Status.Closed : Status.Reported);
        Settlement storage record = _settlements[position];
        if (record.firstReporter == address(0)) record.firstReporter = claimer;
        else _laterReporters[position][claimer] = true;
        // At most the deposit, of 96 bits.
        record.taken += uint96(share);
        emit Reported(position, claimer, share);
    }

    function _claimLate(address claimer, Contribution memory one, uint256)
        private
        returns (uint256 left, bytes memory reason)
    {
        (left, reason) = _left(one, claimer == owner() ? ownerClaimWait() : anyAddressClaimWait());
        if (reason.length != 0) return (0, reason);
        _statuses.set(one.position, Status.Closed);
        emit ClaimedLate(one.position, claimer, left);
    }

    /// @dev Returns whether an account has code and no key. Who has delegated to code (EIP-7702) has a key.
    function _isContract(address account) private view returns (bool) {
        return account.code.length != 0 && LibEIP7702.delegationOf(account) == address(0);
    }

    /// @dev What is left of the deposit of a contribution, which is known to have been made, or why nothing of it
    /// can be claimed yet or any more.
    function _left(Contribution memory one, uint256 wait)
        private
        view
        returns (uint256 left, bytes memory reason)
    {
        Status status = _statuses.get(one.position);
        if (status == Status.Closed) return (0, abi.encodeWithSelector(NothingLeft.selector, one.position));
        // Both are below 2^40, and no more is ever taken than was deposited.
        unchecked {
            uint256 earliest = one.time + wait;
            if (block.timestamp < earliest) {
                return (0, abi.encodeWithSelector(TooEarly.selector, block.timestamp, earliest));
            }
            left = status == Status.Untouched ? one.deposit : one.deposit - _settlements[one.position].taken;
        }
    }

    function _domainNameAndVersion() internal pure override returns (string memory, string memory) {
        return ("cotrain", "1");
    }
}
