//! Interface of the settlement contract, which has the standard's ABI.

#![allow(
    missing_docs,
    clippy::too_many_arguments,
    reason = "the macro documents no fields and makes functions of all arguments"
)]

alloy_sol_types::sol! {
    #[derive(Debug, PartialEq, Eq)]
    struct ChannelConfig {
        address payer;
        address payerAuthorizer;
        address receiver;
        address receiverAuthorizer;
        address token;
        uint40 withdrawDelay;
        bytes32 salt;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Voucher {
        ChannelConfig channel;
        uint128 maxClaimableAmount;
    }

    #[derive(Debug, PartialEq, Eq)]
    struct VoucherClaim {
        Voucher voucher;
        bytes signature;
        uint128 totalClaimed;
    }

    #[derive(Debug, PartialEq, Eq)]
    interface BatchSettlement {
        function deposit(ChannelConfig config, uint128 amount, address collector, bytes collectorData) external;
        function claim(VoucherClaim[] voucherClaims) external;
        function claimWithSignature(VoucherClaim[] voucherClaims, bytes authorizerSignature) external;
        function settle(address receiver, address token) external;
        function refund(ChannelConfig config, uint128 amount) external;
        function refundWithSignature(
            ChannelConfig config, uint128 amount, uint256 nonce, bytes receiverAuthorizerSignature
        ) external;
        function initiateWithdraw(ChannelConfig config, uint128 amount) external;
        function finalizeWithdraw(ChannelConfig config) external;
        function multicall(bytes[] data) external returns (bytes[] results);

        function channels(bytes32 channelId) external view returns (uint128 balance, uint128 totalClaimed);
        function pendingWithdrawals(bytes32 channelId) external view returns (uint128 amount, uint40 initiatedAt);
        function refundNonce(bytes32 channelId) external view returns (uint256);
        function receivers(address receiver, address token) external view returns (uint128 totalClaimed, uint128 totalSettled);

        event Settled(address indexed receiver, address indexed token, address indexed sender, uint128 amount);
        event Refunded(bytes32 indexed channelId, address indexed sender, uint128 amount);
        event WithdrawInitiated(bytes32 indexed channelId, uint128 amount, uint40 finalizeAfter);
    }

    /// Question to a contract about a signature (ERC-1271).
    #[derive(Debug, PartialEq, Eq)]
    interface SignatureCheck {
        function isValidSignature(bytes32 hash, bytes signature) external view returns (bytes4);
    }
}
