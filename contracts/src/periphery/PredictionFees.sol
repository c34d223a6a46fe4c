// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {IClassifier} from "../interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../interfaces/IErrors.sol";
import {IPredictionFees} from "../interfaces/IPredictionFees.sol";
import {Payments} from "../libraries/Payments.sol";

/// @title PredictionFees
/// @notice Payments by callers: sells predictions of one model and shares the payments among its
/// contributors.
/// @dev The trainer is trusted: it gives the numbers of refunded contributions, and its classifier
/// predicts. The contract only asks both, by static calls. It calls nobody else but the receiver of
/// a payment, at the very end, so reentering gains nothing.
///
/// A share's earnings are counted in units of 2^-64 wei. The sum of all payments is below 2^128 wei
/// (2^87 wei of ether exist). Shares are below 2^48 an account and 2^64 together. So a share's
/// earnings are below 2^192, and an account's below 2^240.
/// Rounding loses nothing: the remainder of a payment waits for the next one. The fraction of a wei
/// that an account has earned waits for its next payout.
contract PredictionFees is IPredictionFees {
    /// @dev Number of bits of a wei's fraction.
    uint256 private constant FRACTION_BITS = 64;

    /// @dev The registration of an account, in one slot.
    struct Registration {
        uint64 shares;
        /// Earnings of a share when the account was last settled.
        uint192 perShare;
    }

    /// @dev The values that change with each payment, in one slot.
    struct Totals {
        uint64 shares;
        /// Earnings of a share since the beginning.
        uint192 perShare;
    }

    /// @inheritdoc IPredictionFees
    address public immutable trainer;

    /// @inheritdoc IPredictionFees
    uint256 public immutable price;

    address private immutable _classifier;

    Totals private _totals;

    /// @dev Payments that are not shared yet, in units of 2^-64 wei.
    uint256 private _waiting;

    mapping(address account => Registration) private _registrations;

    /// @dev Settled earnings that are not collected, in units of 2^-64 wei.
    mapping(address account => uint256) private _earned;

    // An address without code, such as the zero address, has no classifier: asking it reverts.
    // slither-disable-next-line missing-zero-check
    constructor(address trainer_, uint256 price_) {
        if (price_ > type(uint96).max) revert IErrors.InvalidParameter("price", price_);
        trainer = trainer_;
        price = price_;
        _classifier = ICollaborativeTrainer(trainer_).classifier();
    }

    /// @inheritdoc IPredictionFees
    function predict(bytes[] calldata samples) external payable returns (uint256[] memory labels) {
        if (samples.length == 0) revert NoSamples();
        uint256 required = samples.length * price;
        if (msg.value < required) revert PaymentTooLow(required, msg.value);
        labels = IClassifier(_classifier).predict(samples);
        emit Predicted(msg.sender, samples.length, required);
        _share(required);
        // The check above makes sure that the sent money covers `required`.
        unchecked {
            Payments.pay(msg.sender, msg.value - required);
        }
    }

    /// @inheritdoc IPredictionFees
    function register(address account) external returns (uint256) {
        return _register(account);
    }

    /// @inheritdoc IPredictionFees
    function collect() external returns (uint256 amount) {
        _register(msg.sender);
        uint256 units = _earned[msg.sender];
        amount = units >> FRACTION_BITS;
        if (amount == 0) revert Payments.NothingToCollect(msg.sender);
        _earned[msg.sender] = units - (amount << FRACTION_BITS);
        emit Collected(msg.sender, amount);
        Payments.pay(msg.sender, amount);
    }

    /// @inheritdoc IPredictionFees
    function earned(address account) external view returns (uint256) {
        return (_earned[account] + _unsettled(_registrations[account])) >> FRACTION_BITS;
    }

    /// @inheritdoc IPredictionFees
    function shares(address account) external view returns (uint256) {
        return _registrations[account].shares;
    }

    /// @inheritdoc IPredictionFees
    function totalShares() external view returns (uint256) {
        return _totals.shares;
    }

    /// @dev Adds a payment to the waiting ones, and shares all of them if an account is registered.
    function _share(uint256 amount) private {
        if (amount == 0) return;
        Totals memory totals = _totals;
        uint256 units = _waiting + (amount << FRACTION_BITS);
        if (totals.shares == 0) {
            _waiting = units;
            return;
        }
        // The earnings of a share are below 2^192, see above.
        totals.perShare += uint192(units / totals.shares);
        uint256 waiting = units % totals.shares;
        _totals = totals;
        _waiting = waiting;
        emit Shared(units >> FRACTION_BITS, totals.perShare, waiting);
    }

    /// @dev Settles an account's earnings by its shares so far, then updates its shares.
    function _register(address account) private returns (uint256) {
        Registration memory registration = _registrations[account];
        Totals memory totals = _totals;
        uint256 unsettled = _unsettled(registration);
        if (unsettled != 0) _earned[account] += unsettled;
        // A trainer of this release never returns fewer, nor more than 48 bits. One that does
        // cannot keep accounts from collecting. One whose `good` reverts can, but the trainer is
        // trusted.
        uint256 good = FixedPointMathLib.min(IAccounts(trainer).good(account), type(uint48).max);
        if (good > registration.shares) {
            totals.shares += uint64(good - registration.shares);
            _totals = totals;
            registration.shares = uint64(good);
            emit Registered(account, good, totals.shares);
        }
        registration.perShare = totals.perShare;
        _registrations[account] = registration;
        return registration.shares;
    }

    /// @dev Returns the earnings of the account's shares since it was last settled.
    function _unsettled(Registration memory registration) private view returns (uint256) {
        return uint256(registration.shares) * (_totals.perShare - registration.perShare);
    }
}
