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
/// @notice Callers who pay: sells predictions of one model and shares what is paid among its contributors.
/// @dev The trainer is trusted: it says who has how many good contributions, and the classifier what is predicted. Both are only
/// asked, by static calls, and nobody else is called but who is paid, at the very end: there is nothing to come back for.
///
/// Of fractions: what a share has earned is counted in units of 2^-64 wei. All that is ever paid is below 2^128 wei (2^87
/// wei of ether exist), shares are below 2^48 an account and 2^64 together; so what a share has earned is below 2^192, what an
/// account has earned below 2^240. Nothing is lost by rounding: the remainder of a payment waits for the next one, the fraction of
/// a wei that an account has earned for its next payout.
contract PredictionFees is IPredictionFees {
    /// @dev A wei, in the units of fractions, is one shifted by so many bits.
    uint256 private constant FRACTION_BITS = 64;

    /// @dev What an account is registered with, in one slot.
    struct Registration {
        uint64 shares;
        /// What a share had earned when this was last settled.
        uint192 perShare;
    }

    /// @dev What changes with each payment, in one slot.
    struct Totals {
        uint64 shares;
        /// What a share has earned since the beginning.
        uint192 perShare;
    }

    /// @inheritdoc IPredictionFees
    address public immutable trainer;

    /// @inheritdoc IPredictionFees
    uint256 public immutable price;

    address private immutable _classifier;

    Totals private _totals;

    /// @dev What has been paid and is not shared yet.
    uint256 private _waiting;

    mapping(address account => Registration) private _registrations;

    /// @dev What has been settled and not collected.
    mapping(address account => uint256) private _earned;

    // An address without code, as the zero address, has no classifier: asking it reverts.
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
        // What was sent is at least what is required.
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

    /// @dev Adds a payment to what waits, and shares it all if anybody is registered.
    function _share(uint256 amount) private {
        if (amount == 0) return;
        Totals memory totals = _totals;
        uint256 units = _waiting + (amount << FRACTION_BITS);
        if (totals.shares == 0) {
            _waiting = units;
            return;
        }
        // In whole, all that is shared is below 2^192, see above.
        totals.perShare += uint192(units / totals.shares);
        uint256 waiting = units % totals.shares;
        _totals = totals;
        _waiting = waiting;
        emit Shared(units >> FRACTION_BITS, totals.perShare, waiting);
    }

    /// @dev Settles what an account has earned by its shares so far, then counts those that it has now.
    function _register(address account) private returns (uint256) {
        Registration memory registration = _registrations[account];
        Totals memory totals = _totals;
        uint256 unsettled = _unsettled(registration);
        if (unsettled != 0) _earned[account] += unsettled;
        // A trainer of ours never says fewer, nor more than 48 bits: one that does still keeps nobody from collecting. One whose
        // `good` reverts does: the trainer is trusted.
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

    /// @dev What the account's shares have earned since it was last settled.
    function _unsettled(Registration memory registration) private view returns (uint256) {
        return uint256(registration.shares) * (_totals.perShare - registration.perShare);
    }
}
