// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "./IErrors.sol";

/// @notice One contribution as it was made, and the proof of it; all but the proof is in `Contributed`.
struct Claim {
    /// Who contributed.
    address author;
    /// The label that was contributed.
    uint16 label;
    /// What was deposited for this contribution, in wei.
    uint96 deposit;
    /// When it was contributed, in seconds since 1970.
    uint40 time;
    /// The batch that it came in: the position of the batch's first contribution.
    uint64 batch;
    /// The contribution's position among all of the model's, from 0.
    uint64 position;
    /// The sample that was contributed.
    bytes sample;
    /// The siblings on the way from the contribution's leaf to the batch's root; none in a batch of one.
    bytes32[] proof;
}

/// @title ICollaborativeTrainer
/// @notice Takes contributions of labelled data to a model, each with a deposit, and settles the deposits:
/// back to the author where the model has come to agree, to reporters where it has not.
/// @dev A transaction's contributions are kept as one Merkle root over leaves
/// `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`.
/// Money is in wei, time in seconds. Errors of the classifier are passed on as they are.
interface ICollaborativeTrainer is IErrors {
    /// @notice Thrown when the trainer has been initialised before, or can never be.
    error AlreadyInitialized();

    /// @notice Thrown when somebody contributes to a trainer that was never initialised.
    error NotInitialized();

    /// @notice Thrown when less was sent than the contributions cost.
    /// @param required The price of all contributions together, in wei.
    /// @param sent What was sent, in wei.
    error DepositTooLow(uint256 required, uint256 sent);

    /// @notice Thrown when the receiver refuses a payment; nothing has happened then.
    /// @param amount In wei.
    error PaymentFailed(address to, uint256 amount);

    /// @notice Thrown when a claim's proof does not lead to its batch's root.
    error UnknownContribution(uint256 batch, bytes32 leaf);

    /// @notice Thrown when a contribution has been settled completely.
    error NothingLeft(uint256 position);

    /// @notice Thrown when somebody else than the author asks for a refund.
    error NotAuthor(address caller, address author);

    /// @notice Thrown when authors report what they contributed themselves.
    error OwnContribution(address author);

    /// @notice Thrown when a claim comes before its time.
    /// @param time The time now, in seconds.
    /// @param earliest When the claim may be made, in seconds.
    error TooEarly(uint256 time, uint256 earliest);

    /// @notice Thrown when a reporter has no good contribution.
    error NoGoodContribution(address caller);

    /// @notice Thrown when somebody reports the same contribution again.
    error AlreadyReported(uint256 position, address caller);

    /// @notice Thrown when a refund is asked for what the model does not agree with.
    error PredictionDiffers(uint256 label, uint256 predicted);

    /// @notice Thrown when a contribution is reported that the model agrees with.
    error PredictionAgrees(uint256 label);

    /// @notice Labelled samples were contributed: everything that their leaves are made of.
    /// @param batch The position of the first of them; the others follow it.
    /// @param author Who contributed.
    /// @param deposit What was deposited for each, in wei.
    /// @param time When, in seconds.
    /// @param data The items `label (uint16) | length (uint16) | sample (length bytes)`, one after the other.
    event Contributed(
        uint256 indexed batch, address indexed author, uint256 deposit, uint256 time, bytes data
    );

    /// @notice The model agreed with a contribution, its author got back all that was left.
    /// @param amount In wei.
    event Refunded(uint256 indexed position, address indexed author, uint256 amount);

    /// @notice The model disagreed with a contribution, a reporter took a share of its deposit.
    /// @param amount In wei.
    event Reported(uint256 indexed position, address indexed reporter, uint256 amount);

    /// @notice Nobody had settled a contribution for long, all that was left was taken.
    /// @param amount In wei.
    event ClaimedLate(uint256 indexed position, address indexed claimer, uint256 amount);

    /// @notice Checks the parameters and starts the clock; once only, by the factory that created the trainer.
    /// @dev Reverts with `InvalidParameter` where a parameter is outside its bounds.
    function initialize() external;

    /// @notice Contributes one or more labelled samples and teaches them to the model.
    /// @dev Send at least `n * price(n)`; what is above the deposits is sent back.
    /// @param batch The items `label (uint16) | length (uint16) | sample (length bytes)`.
    /// @return batchPosition The position of the first contribution, which names the batch.
    function contribute(bytes calldata batch) external payable returns (uint256 batchPosition);

    /// @notice Gives authors back what is left of a deposit, from `refundWait` after contributing, if the model
    /// now predicts the label. It counts as one good contribution.
    function refund(Claim calldata claim) external;

    /// @notice Gives anyone but the author a share of a deposit, from `refundWait` after it was contributed, if
    /// the model does not predict the label. Once a reporter, who needs at least one good contribution.
    function report(Claim calldata claim) external;

    /// @notice Gives what is left of a deposit to the owner, from `ownerClaimWait` after it was contributed, or
    /// to anyone, from `anyAddressClaimWait`.
    /// @dev Never asks the classifier: no deposit can be locked by it.
    function claimLate(Claim calldata claim) external;

    /// @notice The deposit of each of `n` contributions that are made in one transaction now, in wei.
    /// @param n At least 1.
    function price(uint256 n) external view returns (uint256);

    /// @notice Who created the model and may claim from `ownerClaimWait`.
    function owner() external view returns (address);

    /// @notice The model that is trained.
    function classifier() external view returns (address);

    /// @notice How long after a contribution it can be refunded or reported, in seconds.
    /// @dev At most `ownerClaimWait`, and the difference is all the time that authors and reporters have to
    /// themselves. With equal waits the owner may race every refund from its first second; nothing forbids that.
    function refundWait() external view returns (uint256);

    /// @notice How long after a contribution the owner may claim what is left, in seconds.
    /// @dev From then on the owner races authors and reporters, whatever the model predicts.
    function ownerClaimWait() external view returns (uint256);

    /// @notice How long after a contribution anyone may claim what is left, in seconds.
    /// @dev From then on all race each other. At most 2^40 - 1, tens of thousands of years: look before contributing.
    function anyAddressClaimWait() external view returns (uint256);

    /// @notice When the last contribution was made, or the trainer created, in seconds.
    function lastContributionTime() external view returns (uint256);

    /// @notice How many contributions have been made.
    function contributionCount() external view returns (uint256);

    /// @notice How many contributions have been refunded, and so turned out to be good.
    function totalGood() external view returns (uint256);

    /// @notice How many of an author's contributions have turned out to be good.
    function good(address author) external view returns (uint256);

    /// @notice The Merkle root of a batch; zero where no batch begins at this position.
    function root(uint256 batch) external view returns (bytes32);

    /// @notice What has been settled of a contribution.
    /// @return word `taken (96 bits, low) | first reporter (160 bits)`; `taken` in wei, all ones when closed.
    function settlement(uint256 position) external view returns (uint256 word);

    /// @notice Whether somebody has reported a contribution.
    function reported(uint256 position, address reporter) external view returns (bool);
}
