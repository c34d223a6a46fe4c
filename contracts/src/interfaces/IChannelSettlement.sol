// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

/// @notice The fixed terms of a channel. Their EIP-712 hash is the channel's id.
struct ChannelConfig {
    /// The account whose tokens the channel holds, and to which unclaimed tokens return.
    address payer;
    /// The account whose key signs vouchers. With 0 the payer signs them, by key or by code.
    address payerAuthorizer;
    /// The account that is paid.
    address receiver;
    /// The account that claims and refunds for the receiver, by calls or by signatures.
    address receiverAuthorizer;
    /// The ERC-20 token.
    address token;
    /// The wait between the start of a withdrawal and its end, in seconds.
    uint40 withdrawDelay;
    /// A number that makes several channels of the same accounts differ.
    bytes32 salt;
}

/// @notice A payer's promise: the receiver may claim up to an amount, over the channel's life.
struct Voucher {
    ChannelConfig channel;
    /// The maximum of the channel's total claims, in the smallest unit of the token.
    uint128 maxClaimableAmount;
}

/// @notice A voucher with its signature, and the claim that it allows.
struct VoucherClaim {
    Voucher voucher;
    bytes signature;
    /// The channel's total claims after this one, at most the voucher's amount.
    uint128 totalClaimed;
}

/// @title IChannelSettlement
/// @notice Payment channels in one direction: a payer deposits tokens once and then signs vouchers,
/// of which the receiver claims the last one.
/// @dev The functions, events, errors and signed types are those of x402's `x402BatchSettlement`
/// (scheme `batch-settlement`), so that its clients and facilitators work with either contract.
/// docs/spec.md has the rules. Amounts are in the smallest unit of the channel's token.
///
/// Vouchers do not reserve money; only claims do. A receiver must claim before a withdrawal ends.
interface IChannelSettlement {
    /// @notice Thrown when a channel lacks payer, receiver, receiver's authorizer or token, or when
    /// another account than payer or payer's authorizer starts a withdrawal.
    error InvalidChannel();

    /// @notice Thrown when a deposit is 0.
    error ZeroDeposit();

    /// @notice Thrown when a channel's balance would reach 2^128.
    error DepositOverflow();

    /// @notice Thrown when a signature is not of the account that has to sign.
    error InvalidSignature();

    /// @notice Thrown when the channels of a signed batch have different authorizers.
    error NotReceiverAuthorizer();

    /// @notice Thrown when another account than receiver or receiver's authorizer claims.
    error NotAuthorizedToClaim();

    /// @notice Thrown when another account than receiver or receiver's authorizer refunds.
    error NotAuthorizedToRefund();

    /// @notice Thrown when a claim is above its voucher.
    error ClaimExceedsCeiling();

    /// @notice Thrown when a claim is above the channel's balance.
    error ClaimExceedsBalance();

    /// @notice Thrown when a withdrawal starts while another one is pending.
    error WithdrawalAlreadyPending();

    /// @notice Thrown when no withdrawal is pending that could end.
    error WithdrawalNotPending();

    /// @notice Thrown when another account than payer or payer's authorizer ends a withdrawal.
    error NotAuthorizedToFinalizeWithdraw();

    /// @notice Thrown when a withdrawal ends before its delay.
    error WithdrawDelayNotElapsed();

    /// @notice Thrown when a withdrawal of 0 starts.
    error NothingToWithdraw();

    /// @notice Thrown when a withdrawal starts that is above the unclaimed balance.
    error WithdrawAmountExceedsAvailable();

    /// @notice Thrown when a channel's delay is outside its bounds.
    error WithdrawDelayOutOfRange();

    /// @notice Thrown when the collector did not bring exactly the deposit.
    error DepositCollectionFailed();

    /// @notice Thrown when a deposit names no collector.
    error InvalidCollector();

    /// @notice Thrown when a signed refund has another nonce than the channel's next one.
    error InvalidRefundNonce();

    /// @notice Thrown when a refund is 0.
    error ZeroRefund();

    /// @notice Thrown when the token does not make a payment, or has no code.
    error TransferFailed();

    /// @notice An empty channel got a deposit.
    /// @param channelId The channel.
    /// @param config The channel's terms.
    event ChannelCreated(bytes32 indexed channelId, ChannelConfig config);

    /// @notice A channel without any claim was emptied.
    /// @param channelId The channel.
    /// @param config The channel's terms.
    event ChannelClosed(bytes32 indexed channelId, ChannelConfig config);

    /// @notice A channel got a deposit.
    /// @param channelId The channel.
    /// @param sender The caller.
    /// @param amount The deposit.
    /// @param newBalance All deposits so far, less what returned to the payer.
    event Deposited(bytes32 indexed channelId, address indexed sender, uint128 amount, uint128 newBalance);

    /// @notice The receiver's side claimed from a channel.
    /// @param channelId The channel.
    /// @param sender The caller.
    /// @param claimAmount The increase of the total.
    /// @param newTotalClaimed The channel's total claims.
    event Claimed(
        bytes32 indexed channelId, address indexed sender, uint128 claimAmount, uint128 newTotalClaimed
    );

    /// @notice The contract paid a receiver what it had claimed.
    /// @param receiver The receiver.
    /// @param token The token.
    /// @param sender The caller.
    /// @param amount The payment.
    event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);

    /// @notice The receiver's side returned unclaimed tokens to the payer.
    /// @param channelId The channel.
    /// @param sender The caller.
    /// @param amount The payment.
    event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);

    /// @notice The payer's side started a withdrawal.
    /// @param channelId The channel.
    /// @param amount The amount to withdraw.
    /// @param finalizeAfter The earliest end, in Unix seconds.
    event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);

    /// @notice A withdrawal ended.
    /// @param channelId The channel.
    /// @param sender The caller.
    /// @param amount The payment to the payer.
    event WithdrawFinalized(bytes32 indexed channelId, address indexed sender, uint128 amount);

    /// @notice Adds tokens of the payer to a channel. Anyone may call it.
    /// @dev The contract's token balance must rise by exactly the amount, so tokens that keep a fee
    /// are refused. Errors, in order: `InvalidChannel`, `WithdrawDelayOutOfRange`, `ZeroDeposit`,
    /// `InvalidCollector`, `DepositOverflow`, errors of the collector, `DepositCollectionFailed`.
    /// @param config The channel's terms.
    /// @param amount The deposit.
    /// @param collector The contract that brings the tokens.
    /// @param collectorData The payer's permission, for the collector.
    function deposit(
        ChannelConfig calldata config,
        uint128 amount,
        address collector,
        bytes calldata collectorData
    ) external;

    /// @notice Claims from many channels, of each of which the caller is receiver or receiver's
    /// authorizer.
    /// @dev A claim that does not raise its channel's total is skipped, whatever its signature.
    /// Errors, in order: `EmptyBatch`; then for each claim `NotAuthorizedToClaim`,
    /// `ClaimExceedsCeiling`, `ClaimExceedsBalance`, `InvalidSignature`.
    /// @param voucherClaims The claims, at least one.
    function claim(VoucherClaim[] calldata voucherClaims) external;

    /// @notice Claims from many channels of one receiver's authorizer by its signature. Anyone may
    /// call it.
    /// @dev Errors, in order: `EmptyBatch`, `InvalidSignature`; then for each claim
    /// `NotReceiverAuthorizer` and the same as of `claim`.
    /// @param voucherClaims The claims, at least one.
    /// @param authorizerSignature The signature of `getClaimBatchDigest(voucherClaims)`.
    function claimWithSignature(VoucherClaim[] calldata voucherClaims, bytes calldata authorizerSignature)
        external;

    /// @notice Pays a receiver all that it has claimed in a token. Anyone may call it.
    /// @dev Does nothing if nothing is claimed.
    /// @param receiver The receiver.
    /// @param token The token.
    function settle(address receiver, address token) external;

    /// @notice Starts a withdrawal of unclaimed tokens. Only payer and payer's authorizer may.
    /// @dev Errors, in order: `InvalidChannel`, `NothingToWithdraw`, `WithdrawalAlreadyPending`,
    /// `WithdrawAmountExceedsAvailable`.
    /// @param config The channel's terms.
    /// @param amount The amount to withdraw.
    function initiateWithdraw(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Ends a withdrawal: pays the payer the amount, at most what is unclaimed by now. Only
    /// payer and payer's authorizer may.
    /// @dev Errors, in order: `NotAuthorizedToFinalizeWithdraw`, `WithdrawalNotPending`,
    /// `WithdrawDelayNotElapsed`.
    /// @param config The channel's terms.
    function finalizeWithdraw(ChannelConfig calldata config) external;

    /// @notice Returns unclaimed tokens to the payer, at most what there is. Only receiver and
    /// receiver's authorizer may.
    /// @dev It raises the refund nonce even if nothing is unclaimed. It also lowers a pending
    /// withdrawal. Errors, in order: `NotAuthorizedToRefund`, `ZeroRefund`.
    /// @param config The channel's terms.
    /// @param amount The amount to return.
    function refund(ChannelConfig calldata config, uint128 amount) external;

    /// @notice Refunds like `refund`, by a signature of the receiver's authorizer. Anyone may call
    /// it.
    /// @dev Errors, in order: `InvalidRefundNonce`, `InvalidSignature`, `ZeroRefund`.
    /// @param config The channel's terms.
    /// @param amount The amount to return.
    /// @param nonce The channel's refund nonce.
    /// @param receiverAuthorizerSignature The signature of `getRefundDigest`.
    function refundWithSignature(
        ChannelConfig calldata config,
        uint128 amount,
        uint256 nonce,
        bytes calldata receiverAuthorizerSignature
    ) external;

    /// @notice Makes several calls of this contract in one transaction, all or none.
    /// @param data The calls.
    /// @return results Their answers.
    function multicall(bytes[] calldata data) external returns (bytes[] memory results);

    /// @notice Returns a channel's id: the EIP-712 digest of its terms.
    /// @param config The channel's terms.
    function getChannelId(ChannelConfig calldata config) external view returns (bytes32);

    /// @notice Returns the digest that signs a voucher.
    /// @param channelId The channel.
    /// @param maxClaimableAmount The voucher's amount.
    function getVoucherDigest(bytes32 channelId, uint128 maxClaimableAmount) external view returns (bytes32);

    /// @notice Returns the digest that signs a refund.
    /// @param channelId The channel.
    /// @param nonce The channel's refund nonce.
    /// @param amount The amount to return.
    function getRefundDigest(bytes32 channelId, uint256 nonce, uint128 amount) external view returns (bytes32);

    /// @notice Returns the digest that signs a batch of claims.
    /// @param voucherClaims The claims. Their signatures do not count.
    function getClaimBatchDigest(VoucherClaim[] calldata voucherClaims) external view returns (bytes32);

    /// @notice Returns a channel's money.
    /// @param channelId The channel.
    /// @return balance All deposits, less what returned to the payer.
    /// @return totalClaimed The claims, at most the balance.
    function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed);

    /// @notice Returns a channel's pending withdrawal.
    /// @param channelId The channel.
    /// @return amount The amount to withdraw.
    /// @return initiatedAt The time of its start, in Unix seconds; 0 if none is pending.
    function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt);

    /// @notice Returns the nonce of a channel's next refund.
    /// @param channelId The channel.
    function refundNonce(bytes32 channelId) external view returns (uint256);

    /// @notice Returns a receiver's money in a token.
    /// @param receiver The receiver.
    /// @param token The token.
    /// @return totalClaimed The claims from all channels.
    /// @return totalSettled The payments.
    function receivers(address receiver, address token)
        external
        view
        returns (uint128 totalClaimed, uint128 totalSettled);

    /// @notice Returns the EIP-712 domain (ERC-5267).
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
        );

    /// @notice Returns the minimum delay of a withdrawal, in seconds.
    // The names are those of x402's contract.
    // slither-disable-next-line naming-convention
    function MIN_WITHDRAW_DELAY() external view returns (uint40);

    /// @notice Returns the maximum delay of a withdrawal, in seconds.
    // slither-disable-next-line naming-convention
    function MAX_WITHDRAW_DELAY() external view returns (uint40);

    /// @notice Returns the EIP-712 type hash of a channel's terms.
    // slither-disable-next-line naming-convention
    function CHANNEL_CONFIG_TYPEHASH() external view returns (bytes32);

    /// @notice Returns the EIP-712 type hash of a voucher.
    // slither-disable-next-line naming-convention
    function VOUCHER_TYPEHASH() external view returns (bytes32);

    /// @notice Returns the EIP-712 type hash of a refund.
    // slither-disable-next-line naming-convention
    function REFUND_TYPEHASH() external view returns (bytes32);

    /// @notice Returns the EIP-712 type hash of a claim in a batch.
    // slither-disable-next-line naming-convention
    function CLAIM_ENTRY_TYPEHASH() external view returns (bytes32);

    /// @notice Returns the EIP-712 type hash of a batch of claims.
    // slither-disable-next-line naming-convention
    function CLAIM_BATCH_TYPEHASH() external view returns (bytes32);
}
