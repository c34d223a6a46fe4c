// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../core/types/Statuses.sol";
import {IAccounts} from "./IAccounts.sol";
import {IMechanismErrors} from "./IMechanismErrors.sol";

/// @title ICollaborativeTrainer
/// @notice Takes contributions of labeled data to a model, each with a deposit, and settles the
/// deposits. An author gets a deposit back if the model now predicts the label. If it does not,
/// reporters can take the deposit.
/// @dev The trainer stores one Merkle root for the contributions of a transaction. Its leaves are
/// `keccak256(abi.encode(author, label, keccak256(sample), deposit, time, position))`.
/// Money is in wei, time in seconds. The trainer passes errors of the classifier on, cut to
/// 256 bytes.
interface ICollaborativeTrainer is IAccounts, IMechanismErrors {
    /// @notice Reason for a skipped signed batch, or thrown for a delegation: it came too late.
    /// @param deadline The last second in which it was valid, as signed.
    /// @param time The time now, in seconds.
    error Expired(uint256 deadline, uint256 time);

    /// @notice Reason for a skipped signed batch: its nonce is used, canceled, or too far below the
    /// highest used one.
    error NonceUsed(address author, uint256 nonce);

    /// @notice Reason for a skipped signed batch: a contribution costs more than the author allows.
    /// @param price The price of a contribution, in wei.
    /// @param maxDeposit The maximum that the author allows, in wei.
    error PriceTooHigh(uint256 price, uint256 maxDeposit);

    /// @notice Reason for a skipped signed batch, or thrown for a delegation. The author or
    /// reporter has not signed it, has signed it for another sender, or their code ran out of gas.
    /// @param author The author of the batch, or the reporter who delegates.
    error InvalidSignature(address author);

    /// @notice Thrown when a call claims nothing.
    error NoClaims();

    /// @notice Thrown when a contribution is completely settled.
    error NothingLeft(uint256 position);

    /// @notice Thrown when authors report their own contributions.
    error OwnContribution(address author);

    /// @notice Thrown when a reporter has no refunded contribution.
    error NoGoodContribution(address caller);

    /// @notice Thrown when a reporter reports the same contribution again.
    error AlreadyReported(uint256 position, address caller);

    /// @notice Thrown when a caller announces on a trainer that requires no notice before a report.
    error NoNotice();

    /// @notice Thrown when a caller announces a contribution whose last announcement has not
    /// expired.
    /// @param position The position of the contribution.
    /// @param until The last second in which that announcement is valid.
    error AlreadyAnnounced(uint256 position, uint256 until);

    /// @notice Thrown when a reported contribution has no announcement, or the last one has
    /// expired.
    error NotAnnounced(uint256 position);

    /// @notice Thrown when a caller claims a refund but the model predicts another label.
    /// @param label The label of the contribution.
    /// @param predicted The label that the model predicts.
    error PredictionDiffers(uint256 label, uint256 predicted);

    /// @notice Thrown when a caller announces or reports a contribution whose label the model
    /// predicts.
    error PredictionAgrees(uint256 label);

    /// @notice Thrown when a caller pushes a refund to a contract that has never used or canceled a
    /// nonce here: it may have no way to withdraw. The contract can claim the refund itself. Or it
    /// calls `cancelNonces` once to let others push.
    error AuthorIsContract(address author);

    /// @notice The sender contributed labeled samples. The event has everything that their leaves
    /// are made of.
    /// @param firstPosition The position of the first contribution; the others follow it.
    /// @param author The sender, who owns the contributions.
    /// @param deposit The deposit of each contribution, in wei.
    /// @param time The time of the contributions, in seconds.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`, one after
    /// the other.
    event Contributed(
        uint256 indexed firstPosition, address indexed author, uint256 deposit, uint256 time, bytes items
    );

    /// @notice A relayer contributed labeled samples that their authors had signed. The event has
    /// everything that their leaves are made of. Each author's balance fell by the deposits and the
    /// fee.
    /// @param firstPosition The position of the first contribution; the others follow it.
    /// @param relayer The sender, who received the fees.
    /// @param deposit The deposit of each contribution, in wei.
    /// @param time The time of the contributions, in seconds.
    /// @param batches The accepted batches as sent, without their signatures: `author (20 bytes) |
    /// maxDeposit (12) | fee (12) | nonce (6) | deadline (5) | bound (1) | length of items (4) |
    /// items`, one after the other. A bound batch was signed for this relayer.
    event Relayed(
        uint256 indexed firstPosition, address indexed relayer, uint256 deposit, uint256 time, bytes batches
    );

    /// @notice The trainer skipped a signed batch, which changed nothing. If the reason can pass, a
    /// relayer may send the batch again.
    /// @param author The author of the batch.
    /// @param nonce The nonce of the batch.
    /// @param reason The error that explains it, encoded like a revert. The trainer passes the
    /// classifier's errors on, so a hostile classifier can say anything here.
    event Skipped(address indexed author, uint256 nonce, bytes reason);

    /// @notice The trainer skipped a claim, and settled others of the same transaction.
    /// @param position The position of the contribution.
    /// @param reason The error that explains it, encoded like a revert.
    event ClaimSkipped(uint256 indexed position, bytes reason);

    /// @notice The model agreed with a contribution, and its author got back the rest of the
    /// deposit. The trainer paid it out, or added it to the author's balance if another account
    /// pushed the refund. In the second case a `Deposited` precedes this event, unless the amount
    /// is 0.
    /// @param position The position of the contribution.
    /// @param author The author of the contribution.
    /// @param amount The rest of the deposit, in wei.
    event Refunded(uint256 indexed position, address indexed author, uint256 amount);

    /// @notice The model disagreed with a contribution; reporters may report it once `reportNotice`
    /// is over.
    /// @param position The position of the contribution.
    /// @param announcer The caller.
    /// @param time The time of the announcement, in seconds.
    event Announced(uint256 indexed position, address indexed announcer, uint256 time);

    /// @notice The model disagreed with a contribution, and a reporter took a share of its deposit.
    /// The trainer paid it out, or added it to the reporter's balance if a keeper reported. In the
    /// second case one `Deposited` follows for all reports of the call, unless the sum is 0.
    /// @param position The position of the contribution.
    /// @param reporter The reporter that the share belongs to.
    /// @param amount The share, in wei.
    event Reported(uint256 indexed position, address indexed reporter, uint256 amount);

    /// @notice A claimer took the rest of a deposit that nobody else had claimed in time.
    /// @param position The position of the contribution.
    /// @param claimer The caller.
    /// @param amount The rest of the deposit, in wei.
    event ClaimedLate(uint256 indexed position, address indexed claimer, uint256 amount);

    /// @notice Checks the parameters and starts the clock. It works once; the factory calls it
    /// right after it creates the trainer.
    /// @dev Reverts with `InvalidParameter` if a parameter is outside its bounds.
    function initialize() external;

    /// @notice Contributes one or more labeled samples and teaches them to the model.
    /// @dev Send at least `n * price(n)`; the trainer sends back the excess.
    /// @param items The items `label (uint16) | length (uint16) | sample (length bytes)`.
    /// @return firstPosition The position of the first contribution; the others follow it.
    function contribute(bytes calldata items) external payable returns (uint256 firstPosition);

    /// @notice Contributes batches that their authors have signed. The fees go to the caller's
    /// balance.
    /// @dev The trainer skips a batch that it cannot accept, with an event that gives the reason.
    /// @param batches One after the other: `author (20 bytes) | maxDeposit (12) | fee (12) | nonce
    /// (6) | deadline (5) | bound (1) | length of items (4) | items | length of signature (2) |
    /// signature`.
    /// The author deposits at most `maxDeposit` wei for each item, and pays the sender `fee` wei
    /// for the batch. `deadline` is the last second in which a relayer may send it. The author
    /// signs, by EIP-712, `Batch(address author,address relayer,uint96 maxDeposit,uint96 fee,uint48
    /// nonce,uint40 deadline,bytes items)`.
    /// If `bound` is 0, the signed relayer is the zero address, so anyone may send the batch.
    /// Otherwise it is the sender, and the signature is invalid from any other. A signature has 65
    /// bytes `r s v`, 64 bytes by ERC-2098, or any form that the author's code accepts by ERC-1271.
    /// @param gasPerBatch Gas for each batch that the classifier and, for contract wallets, the
    /// author's code may use together. The trainer skips a batch that needs more. Its own work does
    /// not count.
    /// Right before each of these calls, the transaction must have enough gas left for what the
    /// call may use. Otherwise it fails with `GasTooLow`. So gas estimates work, and no batch is
    /// skipped because of what others have used.
    /// No batch can make the transaction fail if it has gas for: the trainer's own work,
    /// `gasPerBatch` for each batch, a 63rd of `gasPerBatch` once, and 8,000.
    function relay(bytes calldata batches, uint256 gasPerBatch) external;

    /// @notice Gives back the rest of deposits, from `refundWait` after contributing, if the model
    /// now predicts the label. Each refund counts as one good contribution of its author.
    /// @dev Anyone may call it. The trainer pays out the caller's own refunds, and adds those of
    /// others to their balances. But only a contract itself can claim its refunds while it has
    /// never used or canceled a nonce here: `AuthorIsContract`.
    /// @param claims One group for each transaction that the contributions came in: `first position
    /// (8 bytes) | number of contributions (2) | number of nodes (2) | contributions | flags |
    /// nodes (32 each)`. The first position is that of the transaction's first contribution.
    /// The contributions are in ascending order of position: `author (20) | deposit (12) | label
    /// (2) | time (5) | position (8) | length (2) | sample`, as they were made. `Contributed` and
    /// `Relayed` have all of it.
    /// Flags and nodes are a multiproof of the contributions. Each step towards the root has one
    /// bit, from the highest bit of the first byte on. It says whether the second node is one of
    /// the claims' own (1) or the next of `nodes` (0).
    /// Here and below, the trainer skips a contribution that cannot be claimed, with an event. The
    /// call fails if it settles none.
    function refund(bytes calldata claims) external;

    /// @notice Announces that contributions may be reported, from `refundWait` after contributing,
    /// if the model does not predict the label. Anyone may announce, and the announcement serves
    /// every reporter.
    /// @dev The announcement is valid from `reportNotice` to twice that after it, both included.
    /// Until then nobody can announce the same contribution again. Reverts with `NoNotice` if the
    /// trainer requires no notice.
    /// @param claims Encoded as for `refund`.
    function announce(bytes calldata claims) external;

    /// @notice Gives a reporter a share of a deposit, from `refundWait` after the contribution, if
    /// the model does not predict the label. A reporter can report a contribution once, and needs at
    /// least one refunded contribution. The author cannot report it. With a `reportNotice`, the
    /// contribution needs a valid announcement.
    /// @dev A report closes a contribution only if it takes the whole rest of a deposit.
    /// @param claims Encoded as for `refund`.
    function report(bytes calldata claims) external;

    /// @notice Reports for another account, the reporter, who has signed that the caller may. The
    /// caller is the reporter's keeper. The rules of `report` apply to the reporter, whose good
    /// contributions count. All shares go to the reporter's balance; the keeper gets nothing.
    /// @dev The reporter signs, by EIP-712, `Delegation(address reporter,address keeper,uint40
    /// until)`, in the same forms as a signed batch. The keeper may use it any number of times. The
    /// reporter cannot take it back before its time is over. If the code of a wallet checks the
    /// signature, it may use all gas.
    /// @param reporter The account that delegates.
    /// @param until The last second in which the keeper may report.
    /// @param signature The reporter's signature of the delegation.
    /// @param claims Encoded as for `refund`.
    function reportFor(address reporter, uint40 until, bytes calldata signature, bytes calldata claims)
        external;

    /// @notice Gives the rest of a deposit to the owner, from `ownerClaimWait` after the
    /// contribution, or to anyone, from `anyAddressClaimWait`.
    /// @dev Never asks the classifier, so the classifier cannot lock a deposit.
    /// @param claims Encoded as for `refund`.
    function claimLate(bytes calldata claims) external;

    /// @notice Returns the deposit of each of `n` contributions made in one transaction now, in
    /// wei.
    /// @param n The number of contributions, at least 1.
    function price(uint256 n) external view returns (uint256);

    /// @notice Returns the address that created the model and may claim late from `ownerClaimWait`.
    function owner() external view returns (address);

    /// @notice Returns the classifier that the trainer teaches.
    function classifier() external view returns (address);

    /// @notice Returns the seconds after a contribution until it can be refunded or reported.
    /// @dev At most `ownerClaimWait`. Only during the difference can authors and reporters claim
    /// without the owner. With equal waits the owner may race every refund from its first second;
    /// the contract does not forbid that.
    function refundWait() external view returns (uint256);

    /// @notice Returns the seconds after a contribution until the owner may claim the rest.
    /// @dev From then on the owner races authors and reporters, whatever the model predicts.
    function ownerClaimWait() external view returns (uint256);

    /// @notice Returns the seconds after a contribution until anyone may claim the rest.
    /// @dev From then on all race each other. It is at most 2^40 - 1, tens of thousands of years:
    /// check it before you contribute.
    function anyAddressClaimWait() external view returns (uint256);

    /// @notice Returns the seconds between an announcement and a report; 0 if reports need no
    /// announcement.
    /// @dev At most half of `ownerClaimWait - refundWait`. So an announcement in the first second
    /// can serve completely before the owner may claim.
    function reportNotice() external view returns (uint256);

    /// @notice Returns the time of a contribution's last announcement, in seconds; 0 if there is
    /// none.
    /// @param position The position of the contribution.
    function announced(uint256 position) external view returns (uint256);

    /// @notice Returns the time of the last contribution, in seconds; before the first one, the
    /// time of the trainer's creation.
    function lastContributionTime() external view returns (uint256);

    /// @notice Returns the number of contributions.
    function contributionCount() external view returns (uint256);

    /// @notice Returns the number of refunded contributions of all authors.
    function totalGood() external view returns (uint256);

    /// @notice Returns the Merkle root over the contributions of one transaction; zero if the
    /// contribution at this position is not the first of a transaction.
    /// @param firstPosition The position of the transaction's first contribution.
    function root(uint256 firstPosition) external view returns (bytes32);

    /// @notice Returns the settlement of a contribution.
    /// @param position The position of the contribution.
    /// @return status The status: untouched, reported or closed.
    /// @return taken The part of the deposit that reporters have taken, in wei.
    /// @return firstReporter The first reporter; zero if there is none.
    function settlement(uint256 position)
        external
        view
        returns (Status status, uint256 taken, address firstReporter);

    /// @notice Returns `true` if a reporter has reported a contribution.
    /// @param position The position of the contribution.
    /// @param reporter The reporter to check.
    function reported(uint256 position, address reporter) external view returns (bool);
}
