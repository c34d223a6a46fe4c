// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ECDSA} from "solady/utils/ECDSA.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibCall} from "solady/utils/LibCall.sol";
import {ReentrancyGuardTransient} from "solady/utils/ReentrancyGuardTransient.sol";
import {SafeTransferLib} from "solady/utils/SafeTransferLib.sol";
import {SignatureCheckerLib} from "solady/utils/SignatureCheckerLib.sol";

import {ChannelConfig, IChannelSettlement, VoucherClaim} from "../interfaces/IChannelSettlement.sol";
import {IDepositCollector} from "../interfaces/IDepositCollector.sol";
import {IErrors} from "../interfaces/IErrors.sol";
import {ChannelHashes} from "./ChannelHashes.sol";
import {Pair, pairOf} from "./Pair.sol";

/// @title ChannelSettlement
/// @notice Payment channels of x402's scheme `batch-settlement`.
/// @dev It has no constructor and no immutables, so its code works at any address, such as that of
/// x402's own contract.
///
/// Of each token it holds the sum of all channels' balances, less what is paid to receivers. Each
/// payment lowers one of these sums before the token is called, and no function runs while another
/// one does. A token that moves other amounts than it was told harms its own channels only.
contract ChannelSettlement is IChannelSettlement, ReentrancyGuardTransient {
    /// @inheritdoc IChannelSettlement
    uint40 public constant MIN_WITHDRAW_DELAY = 15 minutes;

    /// @inheritdoc IChannelSettlement
    uint40 public constant MAX_WITHDRAW_DELAY = 30 days;

    /// @inheritdoc IChannelSettlement
    bytes32 public constant CHANNEL_CONFIG_TYPEHASH = ChannelHashes.CHANNEL_CONFIG;

    /// @inheritdoc IChannelSettlement
    bytes32 public constant VOUCHER_TYPEHASH = ChannelHashes.VOUCHER;

    /// @inheritdoc IChannelSettlement
    bytes32 public constant REFUND_TYPEHASH = ChannelHashes.REFUND;

    /// @inheritdoc IChannelSettlement
    bytes32 public constant CLAIM_ENTRY_TYPEHASH = ChannelHashes.CLAIM_ENTRY;

    /// @inheritdoc IChannelSettlement
    bytes32 public constant CLAIM_BATCH_TYPEHASH = ChannelHashes.CLAIM_BATCH;

    /// @dev The length of a signature `r | s | v`.
    uint256 private constant SIGNATURE_BYTES = 65;

    /// @dev The fields of `eip712Domain` that are used: all but salt and extensions.
    bytes1 private constant DOMAIN_FIELDS = 0x0f;

    /// @dev The ways out of a channel, in one slot.
    struct Exit {
        /// The pending withdrawal.
        uint128 amount;
        /// The time of its start, in Unix seconds; 0 if none is pending.
        uint40 initiatedAt;
        /// The nonce of the next refund; 2^88 of them are out of reach.
        uint88 refundNonce;
    }

    /// @dev Claims of one receiver in one token that are not written yet.
    struct Run {
        address receiver;
        address token;
        uint128 claimed;
    }

    /// @dev The balance, and what is claimed of it.
    mapping(bytes32 channelId => Pair) private _balances;

    mapping(bytes32 channelId => Exit) private _exits;

    /// @dev The claims, and what is paid of them.
    mapping(address receiver => mapping(address token => Pair)) private _receivers;

    /// @inheritdoc IChannelSettlement
    function deposit(
        ChannelConfig calldata config,
        uint128 amount,
        address collector,
        bytes calldata collectorData
    ) external nonReentrant {
        if (
            config.payer == address(0) || config.receiver == address(0)
                || config.receiverAuthorizer == address(0) || config.token == address(0)
        ) revert InvalidChannel();
        if (config.withdrawDelay < MIN_WITHDRAW_DELAY || config.withdrawDelay > MAX_WITHDRAW_DELAY) {
            revert WithdrawDelayOutOfRange();
        }
        if (amount == 0) revert ZeroDeposit();
        if (collector == address(0)) revert InvalidCollector();

        bytes32 channelId = getChannelId(config);
        Pair money = _balances[channelId];
        if (amount > type(uint128).max - money.whole()) revert DepositOverflow();

        uint256 held = SafeTransferLib.balanceOf(config.token, address(this));
        IDepositCollector(collector).collect(config.payer, config.token, amount, channelId, collectorData);
        if (SafeTransferLib.balanceOf(config.token, address(this)) != held + amount) {
            revert DepositCollectionFailed();
        }

        // Nothing changed the channel during the collector's call: all functions are guarded.
        uint128 balance = money.whole() + amount;
        // slither-disable-next-line reentrancy-balance,reentrancy-no-eth
        _balances[channelId] = pairOf(balance, money.part());
        // slither-disable-start reentrancy-events
        if (money.whole() == 0) emit ChannelCreated(channelId, config);
        emit Deposited(channelId, msg.sender, amount, balance);
        // slither-disable-end reentrancy-events
    }

    /// @inheritdoc IChannelSettlement
    function claim(VoucherClaim[] calldata voucherClaims) external nonReentrant {
        if (voucherClaims.length == 0) revert IErrors.EmptyBatch();
        bytes32 domain = ChannelHashes.domain();
        Run memory run;
        for (uint256 i; i < voucherClaims.length; ++i) {
            VoucherClaim calldata row = voucherClaims[i];
            if (!_isReceiverSide(row.voucher.channel)) revert NotAuthorizedToClaim();
            _claim(row, ChannelHashes.channelId(row.voucher.channel, domain), domain, run);
        }
        _write(run);
    }

    /// @inheritdoc IChannelSettlement
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature)
        external
        nonReentrant
    {
        if (voucherClaims.length == 0) revert IErrors.EmptyBatch();
        bytes32 domain = ChannelHashes.domain();
        (bytes32[] memory ids, bytes32 digest) = _batch(voucherClaims, domain);
        address authorizer = voucherClaims[0].voucher.channel.receiverAuthorizer;
        if (!_isSigned(authorizer, digest, authorizerSignature)) revert InvalidSignature();
        Run memory run;
        for (uint256 i; i < voucherClaims.length; ++i) {
            VoucherClaim calldata row = voucherClaims[i];
            if (row.voucher.channel.receiverAuthorizer != authorizer) revert NotReceiverAuthorizer();
            _claim(row, ids[i], domain, run);
        }
        _write(run);
    }

    /// @inheritdoc IChannelSettlement
    function settle(address receiver, address token) external nonReentrant {
        Pair earned = _receivers[receiver][token];
        uint128 amount = earned.rest();
        if (amount == 0) return;
        _receivers[receiver][token] = pairOf(earned.whole(), earned.whole());
        emit Settled(receiver, token, msg.sender, amount);
        SafeTransferLib.safeTransfer(token, receiver, amount);
    }

    /// @inheritdoc IChannelSettlement
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        if (!_isPayerSide(config)) revert InvalidChannel();
        if (amount == 0) revert NothingToWithdraw();
        bytes32 channelId = getChannelId(config);
        Exit memory exit = _exits[channelId];
        if (exit.initiatedAt != 0) revert WithdrawalAlreadyPending();
        if (amount > _balances[channelId].rest()) revert WithdrawAmountExceedsAvailable();
        exit.amount = amount;
        exit.initiatedAt = uint40(block.timestamp);
        _exits[channelId] = exit;
        emit WithdrawInitiated(channelId, amount, exit.initiatedAt + config.withdrawDelay);
    }

    /// @inheritdoc IChannelSettlement
    function finalizeWithdraw(ChannelConfig calldata config) external nonReentrant {
        if (!_isPayerSide(config)) revert NotAuthorizedToFinalizeWithdraw();
        bytes32 channelId = getChannelId(config);
        Exit memory exit = _exits[channelId];
        if (exit.initiatedAt == 0) revert WithdrawalNotPending();
        if (block.timestamp < exit.initiatedAt + config.withdrawDelay) revert WithdrawDelayNotElapsed();
        Pair money = _balances[channelId];
        uint128 amount = _smaller(exit.amount, money.rest());
        (exit.amount, exit.initiatedAt) = (0, 0);
        _exits[channelId] = exit;
        emit WithdrawFinalized(channelId, msg.sender, amount);
        _payBack(config, channelId, money, amount);
    }

    /// @inheritdoc IChannelSettlement
    function refund(ChannelConfig calldata config, uint128 amount) external nonReentrant {
        if (!_isReceiverSide(config)) revert NotAuthorizedToRefund();
        bytes32 channelId = getChannelId(config);
        _refund(config, channelId, _exits[channelId], amount);
    }

    /// @inheritdoc IChannelSettlement
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external nonReentrant {
        bytes32 domain = ChannelHashes.domain();
        bytes32 channelId = ChannelHashes.channelId(config, domain);
        Exit memory exit = _exits[channelId];
        if (nonce != exit.refundNonce) revert InvalidRefundNonce();
        bytes32 digest = ChannelHashes.refund(channelId, nonce, amount, domain);
        if (!_isSigned(config.receiverAuthorizer, digest, receiverAuthorizerSignature)) {
            revert InvalidSignature();
        }
        _refund(config, channelId, exit, amount);
    }

    /// @inheritdoc IChannelSettlement
    function multicall(bytes[] calldata data) external returns (bytes[] memory results) {
        results = new bytes[](data.length);
        for (uint256 i; i < data.length; ++i) {
            results[i] = LibCall.delegateCallContract(address(this), data[i]);
        }
    }

    /// @inheritdoc IChannelSettlement
    function getChannelId(ChannelConfig calldata config) public view returns (bytes32) {
        return ChannelHashes.channelId(config, ChannelHashes.domain());
    }

    /// @inheritdoc IChannelSettlement
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32) {
        return ChannelHashes.voucher(channelId, maxClaimableAmount, ChannelHashes.domain());
    }

    /// @inheritdoc IChannelSettlement
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount)
        external
        view
        returns (bytes32)
    {
        return ChannelHashes.refund(channelId, nonce, amount, ChannelHashes.domain());
    }

    /// @inheritdoc IChannelSettlement
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims)
        external
        view
        returns (bytes32 digest)
    {
        (, digest) = _batch(voucherClaims, ChannelHashes.domain());
    }

    /// @inheritdoc IChannelSettlement
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed) {
        Pair money = _balances[channelId];
        return (money.whole(), money.part());
    }

    /// @inheritdoc IChannelSettlement
    function pendingWithdrawals(bytes32 channelId)
        external
        view
        returns (uint128 amount, uint40 initiatedAt)
    {
        Exit memory exit = _exits[channelId];
        return (exit.amount, exit.initiatedAt);
    }

    /// @inheritdoc IChannelSettlement
    function refundNonce(bytes32 channelId) external view returns (uint256) {
        return _exits[channelId].refundNonce;
    }

    /// @inheritdoc IChannelSettlement
    function receivers(address receiver, address token)
        external
        view
        returns (uint128 totalClaimed, uint128 totalSettled)
    {
        Pair earned = _receivers[receiver][token];
        return (earned.whole(), earned.part());
    }

    /// @inheritdoc IChannelSettlement
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        (fields, name, version) = (DOMAIN_FIELDS, ChannelHashes.NAME, ChannelHashes.VERSION);
        (chainId, verifyingContract) = (block.chainid, address(this));
        (salt, extensions) = (bytes32(0), new uint256[](0));
    }

    /// @dev Claims from one channel. The receiver's part is added to the run.
    function _claim(VoucherClaim calldata row, bytes32 channelId, bytes32 domain, Run memory run) private {
        Pair money = _balances[channelId];
        uint128 claimed = row.totalClaimed;
        if (claimed <= money.part()) return;
        uint128 maximum = row.voucher.maxClaimableAmount;
        if (claimed > maximum) revert ClaimExceedsCeiling();
        if (claimed > money.whole()) revert ClaimExceedsBalance();

        ChannelConfig calldata config = row.voucher.channel;
        bytes32 digest = ChannelHashes.voucher(channelId, maximum, domain);
        address authorizer = config.payerAuthorizer;
        // A payer without an authorizer may be a contract; an authorizer is a key.
        bool isSigned = authorizer == address(0)
            ? _isSigned(config.payer, digest, row.signature)
            : _isByKey(authorizer, digest, row.signature);
        if (!isSigned) revert InvalidSignature();

        _balances[channelId] = pairOf(money.whole(), claimed);
        // The claim is above the recorded one.
        uint128 added;
        unchecked {
            added = claimed - money.part();
        }
        (address receiver, address token) = (config.receiver, config.token);
        if (receiver != run.receiver || token != run.token) {
            _write(run);
            (run.receiver, run.token, run.claimed) = (receiver, token, 0);
        }
        run.claimed += added;
        emit Claimed(channelId, msg.sender, added, claimed);
    }

    /// @dev Writes the claims of a run: consecutive claims of one receiver in one token.
    function _write(Run memory run) private {
        if (run.claimed == 0) return;
        Pair earned = _receivers[run.receiver][run.token];
        _receivers[run.receiver][run.token] = pairOf(earned.whole() + run.claimed, earned.part());
    }

    /// @dev Refunds, after the check of who may.
    function _refund(ChannelConfig calldata config, bytes32 channelId, Exit memory exit, uint128 amount)
        private
    {
        if (amount == 0) revert ZeroRefund();
        Pair money = _balances[channelId];
        uint128 paid = _smaller(amount, money.rest());
        ++exit.refundNonce;
        // A withdrawal of which nothing is left ends. Without one the amount is 0 anyway.
        if (paid >= exit.amount) (exit.amount, exit.initiatedAt) = (0, 0);
        else exit.amount -= paid;
        _exits[channelId] = exit;
        if (paid == 0) return;
        emit Refunded(channelId, msg.sender, paid);
        _payBack(config, channelId, money, paid);
    }

    /// @dev Takes tokens out of a channel and pays the payer.
    function _payBack(ChannelConfig calldata config, bytes32 channelId, Pair money, uint128 amount) private {
        uint128 balance = money.whole() - amount;
        _balances[channelId] = pairOf(balance, money.part());
        if (balance == 0) emit ChannelClosed(channelId, config);
        if (amount != 0) SafeTransferLib.safeTransfer(config.token, config.payer, amount);
    }

    /// @dev Returns the ids of the channels of a batch, and the digest that signs it.
    function _batch(VoucherClaim[] calldata voucherClaims, bytes32 domain)
        private
        pure
        returns (bytes32[] memory ids, bytes32 digest)
    {
        ids = new bytes32[](voucherClaims.length);
        bytes32[] memory entries = new bytes32[](voucherClaims.length);
        for (uint256 i; i < voucherClaims.length; ++i) {
            VoucherClaim calldata row = voucherClaims[i];
            ids[i] = ChannelHashes.channelId(row.voucher.channel, domain);
            entries[i] = ChannelHashes.claimEntry(ids[i], row);
        }
        digest = ChannelHashes.claimBatch(entries, domain);
    }

    /// @dev Returns `true` if the caller is the receiver or its authorizer.
    function _isReceiverSide(ChannelConfig calldata config) private view returns (bool) {
        return msg.sender == config.receiverAuthorizer || msg.sender == config.receiver;
    }

    /// @dev Returns `true` if the caller is the payer or its authorizer.
    function _isPayerSide(ChannelConfig calldata config) private view returns (bool) {
        return msg.sender == config.payer || msg.sender == config.payerAuthorizer;
    }

    /// @dev Returns `true` if the signer signed the digest: by code if it has any (ERC-1271), else
    /// by key. x402's contract decides in the same way, so facilitators foresee the answer. Nobody
    /// has the key of the zero address, which stands for no signer in recovery.
    function _isSigned(address signer, bytes32 digest, bytes calldata signature) private view returns (bool) {
        if (signer == address(0)) return false;
        if (signer.code.length == 0) return _isByKey(signer, digest, signature);
        return SignatureCheckerLib.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }

    /// @dev Returns `true` if the signer's key signed the digest. A signature is of 65 bytes with
    /// `s` in the lower half of the order (EIP-2) and `v` 27 or 28.
    /// @param signer Other than 0.
    function _isByKey(address signer, bytes32 digest, bytes calldata signature) private pure returns (bool) {
        if (signature.length != SIGNATURE_BYTES) return false;
        (bytes32 r, bytes32 s, uint8 v) = (0, 0, 0);
        // A slice of the signature would check its length again.
        assembly ("memory-safe") {
            r := calldataload(signature.offset)
            s := calldataload(add(signature.offset, 0x20))
            v := byte(0, calldataload(add(signature.offset, 0x40)))
        }
        if (uint256(s) > ECDSA.N / 2) return false;
        return ecrecover(digest, v, r, s) == signer;
    }

    function _smaller(uint128 a, uint128 b) private pure returns (uint128) {
        return uint128(FixedPointMathLib.min(a, b));
    }

    /// @dev Guards by transient storage on every chain. The base contract would do so on Ethereum
    /// only.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
