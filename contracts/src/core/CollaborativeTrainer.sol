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
import {Roots} from "../libraries/Roots.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {SignedBatch, SignedBatches} from "../libraries/SignedBatches.sol";
import {Accounts} from "./Accounts.sol";
import {Account} from "./types/Account.sol";
import {Announcements} from "./types/Announcements.sol";
import {State} from "./types/State.sol";
import {Status, Statuses} from "./types/Statuses.sol";

/// @title CollaborativeTrainer
/// @notice The money, roots and times of a trainer. A mechanism adds the price and the reporters'
/// share.
/// @dev Deployed as clones whose immutable arguments are words: owner, classifier, the three waits,
/// the notice before a report, then the mechanism's arguments. 2^64 contributions and the time 2^40
/// are out of reach.
abstract contract CollaborativeTrainer is ICollaborativeTrainer, Accounts, EIP712 {
    // ---------------------------------------------------------------- Arguments of a clone

    uint256 private constant OWNER_INDEX = 0;
    uint256 private constant CLASSIFIER_INDEX = 1;
    uint256 private constant REFUND_WAIT_INDEX = 2;
    uint256 private constant OWNER_CLAIM_WAIT_INDEX = 3;
    uint256 private constant ANY_ADDRESS_CLAIM_WAIT_INDEX = 4;
    uint256 private constant REPORT_NOTICE_INDEX = 5;
    /// @dev Index of the mechanism's first argument.
    /// Points has none.
    // slither-disable-next-line unused-state
    uint256 internal constant MECHANISM_INDEX = 6;

    // ---------------------------------------------------------------- Types and storage

    /// @dev The effect of reports on a contribution: the wei that reporters took, and the first
    /// reporter.
    struct Settlement {
        uint96 taken;
        address firstReporter;
    }

    /// @dev The state of a relay while it walks over the batches.
    struct Relaying {
        bytes32 domainSeparator;
        /// The position of the first contribution.
        uint256 firstPosition;
        /// Gas that the code run for a batch may use.
        uint256 gasPerBatch;
        /// Deposit per contribution, in wei.
        uint256 deposit;
        /// Number of accepted contributions.
        uint256 accepted;
        /// Sum of the fees of accepted batches, in wei.
        uint256 fees;
        /// Leaves of the accepted contributions, with room for all contributions.
        bytes32[] leaves;
        /// Accepted batches for the event, with room for all batches of the call.
        bytes log;
    }

    /// @dev The state of a claiming call.
    struct Settling {
        /// The account that claims.
        address claimer;
        /// The claimer's money from settled contributions, in wei.
        uint256 paid;
        /// Number of settled contributions.
        uint256 settled;
        /// The reason for the first skip, if no settlement preceded it.
        bytes firstReason;
    }

    State private _state;

    Statuses private _statuses;

    mapping(uint256 position => Settlement settlement) private _settlements;

    /// @dev The reporters after the first one.
    mapping(uint256 position => mapping(address reporter => bool reported)) private _laterReporters;

    /// @inheritdoc ICollaborativeTrainer
    mapping(uint256 firstPosition => bytes32 root) public root;

    Announcements private _announcements;

    // ---------------------------------------------------------------- Initialization

    /// @dev Locks the implementation: the non-zero time blocks `initialize`, and the full counter
    /// blocks `contribute`.
    constructor() {
        _state = State.wrap(type(uint104).max);
    }

    /// @inheritdoc ICollaborativeTrainer
    function initialize() external {
        if (State.unwrap(_state) != 0) revert AlreadyInitialized();
        _validate(CloneArguments.load());
        _state = _state.contributed(block.timestamp, 0);
    }

    // ---------------------------------------------------------------- Contributing

    /// @inheritdoc ICollaborativeTrainer
    function contribute(bytes calldata items) external payable nonReentrant returns (uint256 firstPosition) {
        State state = _initialized();
        uint256 n = Batches.count(items);
        uint256 deposit = price(n);
        uint256 required = n * deposit;
        if (msg.value < required) revert DepositTooLow(required, msg.value);

        firstPosition = state.contributionCount();
        bytes32[] memory leaves = new bytes32[](n);
        Roots.fill(leaves, 0, items, n, msg.sender, deposit, block.timestamp, firstPosition);
        root[firstPosition] = Roots.root(leaves, n);
        _state = state.contributed(block.timestamp, n);

        bytes memory reason = ClassifierCalls.tryLearn(classifier(), items);
        if (reason.length != 0) LibCall.bubbleUpRevert(reason);
        emit Contributed(firstPosition, msg.sender, deposit, block.timestamp, items);
        // The check above makes sure that the sent money covers `required`.
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
        relaying.firstPosition = state.contributionCount();
        relaying.leaves = new bytes32[](SignedBatches.count(batches));
        // There is no price of 0 contributions; the loop then skips all batches.
        if (relaying.leaves.length != 0) relaying.deposit = price(relaying.leaves.length);
        // The log has no signatures, so the length of the batches is enough room.
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
            // The length of a new error, and below a count: nobody can change either by sending
            // money.
            // slither-disable-next-line incorrect-equality
            if (reason.length == 0) SignedBatches.append(relaying.log, batches, offset, items.length);
            else emit Skipped(signed.author, signed.nonce, reason);
            Memory.restore(free);
            offset = next;
        }
        // slither-disable-next-line incorrect-equality
        if (relaying.accepted == 0) return;
        root[relaying.firstPosition] = Roots.root(relaying.leaves, relaying.accepted);
        _state = state.contributed(block.timestamp, relaying.accepted);
        if (relaying.fees != 0) _credit(msg.sender, relaying.fees);
        emit Relayed(relaying.firstPosition, msg.sender, relaying.deposit, block.timestamp, relaying.log);
    }

    // ---------------------------------------------------------------- Claiming

    /// @inheritdoc ICollaborativeTrainer
    function refund(bytes calldata claims) external nonReentrant {
        Payments.pay(msg.sender, _settle(msg.sender, claims, true, _refund));
    }

    /// @inheritdoc ICollaborativeTrainer
    function announce(bytes calldata claims) external nonReentrant {
        if (reportNotice() == 0) revert NoNotice();
        // An announcement pays nothing.
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

    // ---------------------------------------------------------------- Views

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
        Settlement storage stored = _settlements[position];
        return (_statuses.get(position), stored.taken, stored.firstReporter);
    }

    /// @inheritdoc ICollaborativeTrainer
    function price(uint256 n) public view virtual returns (uint256);

    /// @inheritdoc ICollaborativeTrainer
    function owner() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(OWNER_INDEX)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function classifier() public view returns (address) {
        // The factory encoded it as an address.
        return address(uint160(CloneArguments.word(CLASSIFIER_INDEX)));
    }

    /// @inheritdoc ICollaborativeTrainer
    function refundWait() public view returns (uint256) {
        return CloneArguments.word(REFUND_WAIT_INDEX);
    }

    /// @inheritdoc ICollaborativeTrainer
    function ownerClaimWait() public view returns (uint256) {
        return CloneArguments.word(OWNER_CLAIM_WAIT_INDEX);
    }

    /// @inheritdoc ICollaborativeTrainer
    function anyAddressClaimWait() public view returns (uint256) {
        return CloneArguments.word(ANY_ADDRESS_CLAIM_WAIT_INDEX);
    }

    /// @inheritdoc ICollaborativeTrainer
    function reportNotice() public view returns (uint256) {
        return CloneArguments.word(REPORT_NOTICE_INDEX);
    }

    /// @inheritdoc ICollaborativeTrainer
    function announced(uint256 position) external view returns (uint256) {
        return _announcements.get(position);
    }

    /// @inheritdoc ICollaborativeTrainer
    function reported(uint256 position, address reporter) public view returns (bool) {
        address first = _settlements[position].firstReporter;
        // If there is no first reporter, there is no other: then the second slot is not read.
        return first != address(0) && (first == reporter || _laterReporters[position][reporter]);
    }

    // ---------------------------------------------------------------- Rules of the mechanism

    /// @dev Returns a reporter's share of a deposit, rounded down. `_report` cuts it to the rest of
    /// the deposit.
    /// @param deposit The deposit, in wei.
    /// @param reporterGood The reporter's refunded contributions, at least 1 and at most `allGood`.
    /// @param allGood The refunded contributions of all authors.
    function _share(uint256 deposit, uint256 reporterGood, uint256 allGood)
        internal
        pure
        virtual
        returns (uint256);

    /// @dev Reverts unless the number of arguments is right and each is within its bounds. A
    /// mechanism checks its own arguments after these.
    function _validate(uint256[] memory arguments) internal pure virtual {
        uint256 ownerWait = arguments[OWNER_CLAIM_WAIT_INDEX];
        uint256 anyWait = arguments[ANY_ADDRESS_CLAIM_WAIT_INDEX];
        if (arguments[REFUND_WAIT_INDEX] > ownerWait) {
            revert InvalidParameter("refundWait", arguments[REFUND_WAIT_INDEX]);
        }
        if (ownerWait > anyWait) revert InvalidParameter("ownerClaimWait", ownerWait);
        if (anyWait > type(uint40).max) revert InvalidParameter("anyAddressClaimWait", anyWait);
        uint256 notice = arguments[REPORT_NOTICE_INDEX];
        // An announcement in the first second can then serve completely before the owner may claim.
        // The first check makes sure that the wait for a refund is at most the owner's.
        if (notice > (ownerWait - arguments[REFUND_WAIT_INDEX]) / 2) {
            revert InvalidParameter("reportNotice", notice);
        }
    }

    /// @dev Reverts unless there are `count` arguments.
    function _requireCount(uint256[] memory arguments, uint256 count) internal pure {
        if (arguments.length != count) revert InvalidParameter("arguments", arguments.length);
    }

    // ---------------------------------------------------------------- Relaying

    /// @dev Returns the state. Reverts if the trainer was not initialized, because nobody checked
    /// the parameters of a clone that no factory made.
    function _initialized() private view returns (State state) {
        state = _state;
        if (state.lastContributionTime() == 0) revert NotInitialized();
    }

    /// @dev Teaches and charges one signed batch, and adds its leaves. Otherwise returns the
    /// reason, and nothing has changed.
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

        // The account has not changed since it was read: a reentrancy guard protects all functions
        // that change it.
        _accounts[signed.author] = account.charged(required).withUsed(signed.nonce);
        _addLeaves(relaying, items, n, signed.author);
        relaying.accepted += n;
        relaying.fees += signed.fee;
    }

    /// @dev Teaches a batch that its author has signed, or returns the reason why not. Either the
    /// code that this runs gets all of its gas, or the relay fails. So no batch is skipped because
    /// others have used its gas.
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

    /// @dev Adds the leaves of one batch after those of the batches accepted before it.
    function _addLeaves(Relaying memory relaying, bytes calldata items, uint256 n, address author)
        private
        view
    {
        uint256 index = relaying.accepted;
        uint256 position = relaying.firstPosition + index;
        Roots.fill(relaying.leaves, index, items, n, author, relaying.deposit, block.timestamp, position);
    }

    // ---------------------------------------------------------------- Settling claims

    /// @dev Settles claims one by one, and skips those that cannot be settled.
    /// @param claimer The account that claims.
    /// @param claims The groups of claims.
    /// @param ask `true` if the classifier's predictions are needed.
    /// @param settle Settles one contribution for the claimer, given the predicted label, and
    /// returns the claimer's money. Otherwise it returns the reason, and nothing has changed.
    /// @return The claimer's money from all settled contributions, in wei.
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
            // A root of 0 needs no check, because no hash is 0.
            if (!Claims.proven(group, claims, root[group.firstPosition])) {
                revert UnknownContribution(group.firstPosition);
            }
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

    /// @dev Settles the claims of one group.
    /// @param predicted The predicted labels; empty if the classifier was not asked.
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
            // The sample was already hashed and predicted.
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

    /// @dev Settles the refund of one contribution.
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
        Account account = _accounts[author].withRefund();
        if (author == claimer) {
            paid = left;
        } else {
            // A contract that has never used or canceled a nonce here may be unable to withdraw.
            if (!account.hasNonces() && _isContract(author)) {
                return (0, abi.encodeWithSelector(AuthorIsContract.selector, author));
            }
            // The balance has 96 bits, so the difference cannot be negative.
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

    /// @dev Announces one contribution.
    /// @return No money.
    /// @return reason The error if it cannot be announced.
    function _announce(address claimer, Contribution memory one, uint256 predicted)
        private
        returns (uint256, bytes memory reason)
    {
        // The rest of the deposit does not matter, because an announcement pays nothing.
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

    /// @dev Returns an empty reason if the trainer requires no notice, or if the notice is over and
    /// the announcement is still valid. Otherwise returns the reason against a report.
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

    /// @dev Settles the report of one contribution.
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
        // A report closes only if it takes the rest of a deposit: a contribution without a deposit
        // can still be refunded.
        // slither-disable-next-line incorrect-equality
        _statuses.set(position, left != 0 && share == left ? Status.Closed : Status.Reported);
        Settlement storage stored = _settlements[position];
        if (stored.firstReporter == address(0)) stored.firstReporter = claimer;
        else _laterReporters[position][claimer] = true;
        // The sum is at most the deposit, of 96 bits.
        stored.taken += uint96(share);
        emit Reported(position, claimer, share);
    }

    /// @dev Settles the late claim of one contribution.
    function _claimLate(address claimer, Contribution memory one, uint256)
        private
        returns (uint256 left, bytes memory reason)
    {
        (left, reason) = _left(one, claimer == owner() ? ownerClaimWait() : anyAddressClaimWait());
        if (reason.length != 0) return (0, reason);
        _statuses.set(one.position, Status.Closed);
        emit ClaimedLate(one.position, claimer, left);
    }

    /// @dev Returns `true` if an account has code and no key. An account that delegates to code
    /// (EIP-7702) has a key.
    function _isContract(address account) private view returns (bool) {
        return account.code.length != 0 && LibEIP7702.delegationOf(account) == address(0);
    }

    /// @dev Returns the rest of a contribution's deposit, or the reason against a claim now. The
    /// caller has proven that the contribution was made.
    function _left(Contribution memory one, uint256 wait)
        private
        view
        returns (uint256 left, bytes memory reason)
    {
        Status status = _statuses.get(one.position);
        if (status == Status.Closed) return (0, abi.encodeWithSelector(NothingLeft.selector, one.position));
        // Both times are below 2^40, and reporters never take more than the deposit.
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
