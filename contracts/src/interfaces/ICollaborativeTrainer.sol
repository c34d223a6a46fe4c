// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../core/types/Statuses.sol";
import {IAccounts} from "./IAccounts.sol";
import {IMechanismErrors} from "./IMechanismErrors.sol";

/// @title ICollaborativeTrainer
/// @notice Takes contributions of labelled data to a model, each with a deposit, and settles the deposits:
/// back to the author where the model has come to agree, to reporters where it has not.
/// @dev A transaction's contributions are kept as one Merkle root over leaves
/// `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`.
/// Money is in wei, time in seconds. Errors of the classifier are passed on as they are.
interface ICollaborativeTrainer is IAccounts, IMechanismErrors {
    /// @notice Why a signed batch was skipped, or thrown for a delegation: it came too late.
    /// @param deadline The last second for it, as it was signed.
    /// @param time The time now, in seconds.
    error Expired(uint256 deadline, uint256 time);

    /// @notice Why a signed batch was skipped: its nonce is used, cancelled, or too far below the highest used one.
    error NonceUsed(address author, uint256 nonce);

    /// @notice Why a signed batch was skipped: a contribution costs more than the author has allowed.
    /// @param price In wei.
    /// @param maxDeposit In wei.
    error PriceTooHigh(uint256 price, uint256 maxDeposit);

    /// @notice Why a signed batch was skipped, or thrown for a delegation: the author or reporter has not signed this, has
    /// signed it for another sender, or their code ran out of gas.
    error InvalidSignature(address author);

    /// @notice Thrown when nothing is claimed.
    error NoClaims();

    /// @notice Thrown when a contribution has been settled completely.
    error NothingLeft(uint256 position);

    /// @notice Thrown when authors report what they contributed themselves.
    error OwnContribution(address author);

    /// @notice Thrown when a reporter has no good contribution.
    error NoGoodContribution(address caller);

    /// @notice Thrown when somebody reports the same contribution again.
    error AlreadyReported(uint256 position, address caller);

    /// @notice Thrown when something is announced on a trainer that needs no notice before a report.
    error NoNotice();

    /// @notice Thrown when a contribution is announced whose last announcement still runs or serves.
    /// @param until The last second in which that announcement serves.
    error AlreadyAnnounced(uint256 position, uint256 until);

    /// @notice Thrown when a contribution is reported that nobody has announced, or whose last announcement is too old.
    error NotAnnounced(uint256 position);

    /// @notice Thrown when a refund is asked for what the model does not agree with.
    error PredictionDiffers(uint256 label, uint256 predicted);

    /// @notice Thrown when a contribution is announced or reported that the model agrees with.
    error PredictionAgrees(uint256 label);

    /// @notice Thrown when somebody pushes a refund to a contract that has never used or cancelled a nonce here: it may
    /// have no way to withdraw. It can claim the refund itself, or call `cancelNonces` once to let others push.
    error AuthorIsContract(address author);

    /// @notice Labelled samples were contributed by whoever sent them: everything that their leaves are made of.
    /// @param batch The position of the first of them; the others follow it.
    /// @param deposit What was deposited for each, in wei.
    /// @param time When, in seconds.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after the other.
    event Contributed(
        uint256 indexed batch, address indexed author, uint256 deposit, uint256 time, bytes items
    );

    /// @notice Labelled samples were contributed for those who had signed them: everything that their leaves are
    /// made of. Each author's balance fell by the deposits and the fee.
    /// @param batch The position of the first of them; the others follow it.
    /// @param relayer Who sent them, and got the fees.
    /// @param deposit What was deposited for each, in wei.
    /// @param time When, in seconds.
    /// @param batches The accepted batches as they were sent, without their signatures: `author (20 bytes) |
    /// maxDeposit (12) | fee (12) | nonce (6) | deadline (5) | bound (1) | length of items (4) | items`, one after the
    /// other. What is bound was signed for this relayer.
    event Relayed(
        uint256 indexed batch, address indexed relayer, uint256 deposit, uint256 time, bytes batches
    );

    /// @notice A signed batch was skipped; nothing of it has happened, and where its reason can pass it may be sent
    /// again.
    /// @param reason The error that explains it, encoded as a revert would be; what the classifier says is as it says
    /// it, so a hostile one can say anything.
    event Skipped(address indexed author, uint256 nonce, bytes reason);

    /// @notice A claim was skipped; others of the same transaction were settled.
    /// @param reason The error that explains it, encoded as a revert would be.
    event ClaimSkipped(uint256 indexed position, bytes reason);

    /// @notice The model agreed with a contribution, its author got back all that was left: paid out, or, where somebody
    /// else pushed the refund, added to the balance. The `Deposited` before this event says so, unless it is nothing.
    /// @param amount In wei.
    event Refunded(uint256 indexed position, address indexed author, uint256 amount);

    /// @notice The model disagreed with a contribution, and it may be reported once `reportNotice` is over.
    /// @param time When, in seconds.
    event Announced(uint256 indexed position, address indexed announcer, uint256 time);

    /// @notice The model disagreed with a contribution, a reporter took a share of its deposit: paid out, or, where a
    /// keeper reported for them, added to the balance. One `Deposited` after all of them says so, unless it is nothing.
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
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`.
    /// @return batch The position of the first contribution, which names the batch.
    function contribute(bytes calldata items) external payable returns (uint256 batch);

    /// @notice Contributes for others what they have signed; the fees go to the caller's balance.
    /// @dev What cannot be accepted is skipped with an event that says why.
    /// @param batches One after the other: `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) |
    /// deadline (5) | bound (1) | length of items (4) | items | length of signature (2) | signature`. At most `maxDeposit`
    /// wei are deposited for each item; the sender gets `fee` wei for them all; `deadline` is the last second in which
    /// they may be sent. What is signed, by EIP-712, is `Batch(address author,address relayer,uint96 maxDeposit,uint96
    /// fee,uint48 nonce,uint40 deadline,bytes items)`. The relayer that is signed is the zero address if `bound` is 0, so
    /// that anyone may send the batch; else it is the sender, and from anybody else the signature is invalid. A signature
    /// has 65 bytes `r s v`, 64 bytes by ERC-2098, or what the author's code accepts by ERC-1271.
    /// @param gasPerBatch Gas that the classifier and, for contract wallets, the author's code may use together for each
    /// batch; what needs more is skipped. The trainer's own work is not part of it. Right before each of these calls, the
    /// transaction must have enough gas left for what the call may use, else it fails with `GasTooLow`: so estimating its
    /// gas works, and no batch is skipped because of what others have used. With the trainer's own work, `gasPerBatch` for
    /// each batch, a 63rd of it once and 5,000, no batch can make the transaction fail.
    function relay(bytes calldata batches, uint256 gasPerBatch) external;

    /// @notice Gives back what is left of deposits, from `refundWait` after contributing, where the model now
    /// predicts the label. Each counts as one good contribution of its author.
    /// @dev Anyone may call it. The caller's own refunds are paid out, those of others are added to their balances; but
    /// of contracts that have never used or cancelled a nonce here, nobody else can claim them: `AuthorIsContract`.
    /// @param claims What is claimed, one group for each batch that it came in:
    /// `batch (8 bytes) | number of contributions (2) | number of nodes (2) | contributions | flags | nodes (32 each)`.
    /// The contributions, in ascending order of position, are `author (20) | deposit (12) | label (2) | time (5) |
    /// position (8) | length (2) | sample`, as they were made: all of it is in `Contributed` or `Relayed`. Flags and
    /// nodes are a multiproof of them: for each step towards the root a bit, from the highest of the first byte on,
    /// says whether the second node is one of the claims' own (1) or the next of `nodes` (0). Here and below, what
    /// cannot be claimed is skipped with an event; the call fails where that is all.
    function refund(bytes calldata claims) external;

    /// @notice Announces that contributions may be reported, from `refundWait` after contributing, if the model does
    /// not predict the label. Anyone may announce for everybody.
    /// @dev The announcement serves from `reportNotice` to twice that after it, both included; until then nobody
    /// can announce the same contribution again. Fails with `NoNotice` if the trainer needs no notice.
    /// @param claims As for refunds.
    function announce(bytes calldata claims) external;

    /// @notice Gives anyone but the author a share of a deposit, from `refundWait` after it was contributed, if
    /// the model does not predict the label. Once a reporter, who needs at least one good contribution. With a
    /// `reportNotice`, the contribution must have been announced.
    /// @dev Closes a contribution only by taking all that is left of a deposit.
    /// @param claims As for refunds.
    function report(bytes calldata claims) external;

    /// @notice Reports for somebody else, who has signed that the caller may: their keeper. All rules are those of a report
    /// by the reporter, whose good contributions count; all shares are added to the reporter's balance, the keeper gets
    /// nothing.
    /// @dev What is signed, by EIP-712, is `Delegation(address reporter,address keeper,uint40 until)`, as a signed batch
    /// is. It may be used any number of times and cannot be taken back before its time is over. Where it is the code of a
    /// wallet that says whether it has signed, that may use all gas.
    /// @param until The last second in which the keeper may do so.
    /// @param claims As for refunds.
    function reportFor(address reporter, uint40 until, bytes calldata signature, bytes calldata claims)
        external;

    /// @notice Gives what is left of a deposit to the owner, from `ownerClaimWait` after it was contributed, or
    /// to anyone, from `anyAddressClaimWait`.
    /// @dev Never asks the classifier: no deposit can be locked by it.
    /// @param claims As for refunds.
    function claimLate(bytes calldata claims) external;

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

    /// @notice How long before a report the contribution must be announced, in seconds; 0 if it need not be.
    /// @dev At most `ownerClaimWait - refundWait`: whoever announces at once can report before the owner may claim.
    function reportNotice() external view returns (uint256);

    /// @notice When a contribution was last announced, in seconds; zero where nobody has.
    function announced(uint256 position) external view returns (uint256);

    /// @notice When the last contribution was made, or the trainer created, in seconds.
    function lastContributionTime() external view returns (uint256);

    /// @notice How many contributions have been made.
    function contributionCount() external view returns (uint256);

    /// @notice How many contributions have been refunded, and so turned out to be good.
    function totalGood() external view returns (uint256);

    /// @notice The Merkle root of a batch; zero where no batch begins at this position.
    function root(uint256 batch) external view returns (bytes32);

    /// @notice What has been settled of a contribution.
    /// @return status Whether something or all of its deposit is gone.
    /// @return taken What reporters have taken of it, in wei.
    /// @return firstReporter Who reported it first; zero where nobody has.
    function settlement(uint256 position)
        external
        view
        returns (Status status, uint256 taken, address firstReporter);

    /// @notice Whether somebody has reported a contribution.
    function reported(uint256 position, address reporter) external view returns (bool);
}
