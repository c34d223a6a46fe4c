// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {Claims} from "../../src/libraries/Claims.sol";
import {Payments} from "../../src/libraries/Payments.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {Vm} from "../base/Vm.sol";
import {Books} from "./Books.sol";

/// @notice The kind of a claim.
enum Kind {
    Refund,
    Report,
    Late,
    /// A report by the current keeper, for the reporter.
    ReportFor,
    Announce
}

/// @notice Calls a trainer at random. It knows beforehand the result of each call, down to each
/// reason and each wei, and keeps the books by that.
abstract contract Handler is Books {
    /// @dev Gas of a call, less than a transaction may have.
    uint256 private constant GAS = 15_000_000;
    /// @dev Maximum number of contributions to search for one that can be claimed.
    uint256 private constant SEARCH = 40;

    /// @dev The expected outcome of a claim.
    struct Outcome {
        uint256 position;
        /// The reason for a skip; empty if the claim is settled.
        bytes reason;
        uint256 amount;
        bool paidToCaller;
    }

    /// @dev A signed batch, and facts about it that its maker knows.
    struct Draft {
        SignedBatch batch;
        /// Whether the signature is a key's and right. The handler asks contracts when it sends the
        /// batch.
        bool rightlySigned;
    }

    /// @dev Counts of the actions that had their intended effect.
    uint256 public contributions;
    uint256 public relayed;
    uint256 public refunds;
    uint256 public pushes;
    uint256 public reports;
    uint256 public reportsFor;
    uint256 public announcements;
    uint256 public lateClaims;
    uint256 public claimsOfManyTransactions;
    uint256 public skippedClaims;
    uint256 public deposits;
    uint256 public withdrawals;
    uint256 public cancellations;
    uint256 public retries;
    uint256 public wrongProofs;

    /// @dev The keys of the accounts that have one.
    mapping(address person => uint256) internal keys;

    /// @dev The current keeper, and the seed for its delegation.
    address private keeper;
    uint256 private keeperSeed;

    constructor(ICollaborativeTrainer trainer) Books(trainer) {}

    // ---------------------------------------------------------------- Actions

    function contribute(uint256 who, uint256 n, uint256 seed, uint256 extra) public {
        address author = pick(who);
        bytes memory items = randomItems(seed, bound(n, 1, 30));
        extra = seed & 3 == 0 ? bound(extra, 1, 1000) : 0;
        uint256 count = countItems(items);
        uint256 price = TRAINER.price(count);
        bytes memory failure = lessonFailure(items);
        if (failure.length == 0 && extra != 0 && refuses(author)) {
            failure = abi.encodeWithSelector(Payments.PaymentFailed.selector, author, extra);
        }
        Vm.Log[] memory logs =
            call(author, count * price + extra, abi.encodeCall(TRAINER.contribute, (items)), failure);
        if (failure.length != 0) return;
        assertEq(logs.length, 1, "events");
        assertTrue(logs[0].topics[0] == ICollaborativeTrainer.Contributed.selector, "event");
        assertEq(uint256(logs[0].topics[1]), entries.length, "first position");
        assertEq(logs[0].data, abi.encode(price, time, items), "data");
        addTransaction(Groups.parse(author, price, time, entries.length, items));
        money[author] -= count * price;
        contributions += count;
        requireMoneyIsWhereItBelongs();
    }

    /// @dev Relays some batches of some authors, with faults if the world has them.
    function relay(uint256 who, uint256 count, uint256 seed) public {
        Draft[] memory drafts = new Draft[](bound(count, 1, 12));
        address relayer = pick(who);
        uint256 n;
        for (uint256 i; i < drafts.length; ++i) {
            drafts[i].batch = plan(random(seed, i), i, relayer);
            n += countItems(drafts[i].batch.items);
        }
        uint256 price = n == 0 ? 0 : TRAINER.price(n);
        for (uint256 i; i < drafts.length; ++i) {
            complete(drafts[i], random(seed, 100 + i), price);
        }
        send(relayer, drafts, price);
    }

    function refund(uint256 who, uint256 seed) public {
        address caller = pick(who);
        // Half of the time the caller is the author of a contribution.
        if (who >> 8 & 1 == 0 && entries.length != 0) caller = entries[seed % entries.length].author;
        claim(Kind.Refund, caller, seed);
    }

    /// @dev Announces contributions. On a trainer without a notice, all announcements fail.
    function announce(uint256 who, uint256 seed) public {
        if (NOTICE != 0) return claim(Kind.Announce, pick(who), seed);
        bytes memory failure = abi.encodeWithSelector(ICollaborativeTrainer.NoNotice.selector);
        call(pick(who), 0, abi.encodeCall(TRAINER.announce, (abi.encodePacked(seed))), failure);
    }

    function report(uint256 who, uint256 seed) public {
        announceFirst(who >> 8, seed);
        claim(Kind.Report, pickReporter(who), seed);
    }

    function reportFor(uint256 who, uint256 whom, uint256 seed) public {
        announceFirst(who >> 8, seed);
        (keeper, keeperSeed) = (pick(who), random(seed, who));
        claim(Kind.ReportFor, pickReporter(whom), seed);
    }

    function claimLate(uint256 who, uint256 seed) public {
        claim(Kind.Late, pick(who), seed);
    }

    function deposit(uint256 who, uint256 whom, uint256 amount) public {
        (address caller, address account) = (pick(who), pick(whom));
        amount = bound(amount, 0, 1e20);
        Vm.Log[] memory logs = call(caller, amount, abi.encodeCall(TRAINER.depositTo, (account)), "");
        assertEq(logs.length, 1, "events");
        money[caller] -= amount;
        addPrepaid(account, amount);
        ++deposits;
        requireMoneyIsWhereItBelongs();
    }

    function withdraw(uint256 who, uint256 whom, uint256 amount) public {
        (address caller, address to) = (pick(who), pick(whom));
        // Sometimes the amount is one more than the balance.
        amount = bound(amount, 0, prepaid[caller] + (amount >> 250 == 0 ? 1 : 0));
        if (amount & 7 != 0) amount /= 8;
        bytes memory failure;
        if (amount > prepaid[caller]) {
            failure = abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, amount, prepaid[caller]);
        } else if (amount != 0 && refuses(to)) {
            failure = abi.encodeWithSelector(Payments.PaymentFailed.selector, to, amount);
        }
        call(caller, 0, abi.encodeCall(TRAINER.withdrawTo, (to, amount)), failure);
        if (failure.length != 0) return;
        takePrepaid(caller, amount);
        money[to] += amount;
        ++withdrawals;
        requireMoneyIsWhereItBelongs();
    }

    function cancel(uint256 who, uint256 distance) public {
        address caller = pick(who);
        uint256 last = highest[caller] + bound(distance, 0, 20);
        last = last < 10 ? last : last - 10;
        call(caller, 0, abi.encodeCall(TRAINER.cancelNonces, (uint48(last))), "");
        markCancelled(caller, last);
        ++cancellations;
    }

    /// @dev Claims a closed contribution again, whatever closed it.
    function retry(uint256 who, uint256 seed) public {
        for (uint256 i; i < entries.length && i < SEARCH; ++i) {
            uint256 position = (seed % entries.length + i) % entries.length;
            if (!entries[position].closed) continue;
            uint256[] memory ids = new uint256[](1);
            uint256[] memory masks = new uint256[](1);
            (ids[0], masks[0]) = (entries[position].transaction, 2 ** indexOf(position));
            uint256 settled = claimThese(Kind(seed % 3), pick(who), ids, masks);
            assertEq(settled, 0, "settled again");
            ++retries;
            return;
        }
    }

    /// @dev Claims a contribution that was never made or is not proven. It fails, whatever else is
    /// claimed with it.
    function claimWrongly(uint256 who, uint256 seed, uint256 fault) public {
        if (entries.length == 0) return;
        uint256 position = seed % entries.length;
        Contribution[] memory made = contributionsOf(entries[position].transaction);
        uint256 first = made[0].position;
        bytes memory claims = Groups.one(made, position - first);
        bytes memory failure = abi.encodeWithSelector(IMechanismErrors.UnknownContribution.selector, first);
        fault %= 5;
        if (fault == 0) {
            // Any bit of the author, the deposit, the label, the time or the position.
            uint256 bit = 96 + (seed >> 8) % 376;
            claims[bit / 8] ^= bytes1(uint8(2 ** (7 - bit % 8)));
        } else if (fault == 1) {
            // The contributions come as those of another transaction.
            claims[0] ^= 0x01;
            failure = abi.encodeWithSelector(
                IMechanismErrors.UnknownContribution.selector, first | uint256(1) << 56
            );
        } else if (fault == 2) {
            claims = Groups.slice(claims, 0, 1 + (seed >> 8) % (claims.length - 1));
            failure = abi.encodeWithSelector(Claims.MalformedClaims.selector, 0);
        } else if (fault == 3 && made.length > 1) {
            // A bit of the last node.
            claims[claims.length - 1 - (seed >> 8) % 32] ^= 0x10;
        } else {
            claims = "";
            failure = abi.encodeWithSelector(ICollaborativeTrainer.NoClaims.selector);
        }
        call(pick(who), 0, abi.encodeWithSelector(selectorOf(Kind((seed >> 64) % 3)), claims), failure);
        ++wrongProofs;
    }

    /// @dev Lets time pass to an edge: the second in which something becomes possible, the one
    /// before or the one after.
    function pass(uint256 seed) external {
        if (entries.length != 0 && seed & 1 == 0) {
            uint256 wait = seed & 2 == 0 ? REFUND_WAIT : seed & 4 == 0 ? OWNER_WAIT : ANY_WAIT;
            uint256 edge = entries[(seed >> 8) % entries.length].time + wait + (seed >> 4) % 3 - 1;
            if (edge > time) return warp(edge);
        }
        if (NOTICE != 0 && entries.length != 0 && seed & 2 == 0) {
            uint256 announcement = announced[(seed >> 8) % entries.length];
            uint256 edge = announcement + NOTICE * (1 + (seed >> 2 & 1)) + (seed >> 4) % 3 - 1;
            if (announcement != 0 && edge > time) return warp(edge);
        }
        warp(time + (seed >> 8) % 10 hours);
    }

    // ---------------------------------------------------------------- End of a run

    /// @dev Tries once the actions that have not succeeded yet, from the random state: all of them
    /// must still be possible.
    function makeUp(uint256 attempt) external {
        uint256 seed = random(attempt, 0);
        relent(seed);
        deposit(seed, seed >> 8, 1e20);
        // All contributions may be settled by now, and each claim needs an open one.
        if (contributions == 0 || lacksClaims()) contribute(seed, 3, seed, 0);
        if (relayed == 0 || !enoughSkips()) relay(seed, 12, seed);
        if (refunds == pushes || pushes == 0) refund(seed, seed);
        if (NOTICE != 0 && announcements == 0) announce(seed, seed);
        if (reports == 0) report(seed, seed);
        if (reportsFor == 0) reportFor(seed >> 3, seed, seed);
        if (lateClaims == 0) claimLate(seed, seed);
        if (claimsOfManyTransactions == 0 || skippedClaims == 0) refund(seed >> 1, seed >> 1);
        if (withdrawals == 0) withdraw(seed, seed >> 8, 8);
        if (cancellations == 0) cancel(seed, 0);
        if (retries == 0) retry(seed, seed);
        if (wrongProofs == 0) claimWrongly(seed, seed, seed >> 3);
    }

    /// @dev Returns `true` if a claim of some kind has never succeeded.
    function lacksClaims() private view returns (bool) {
        return pushes == 0 || refunds == pushes || reports == 0 || reportsFor == 0 || lateClaims == 0
            || claimsOfManyTransactions == 0 || skippedClaims == 0 || (NOTICE != 0 && announcements == 0);
    }

    /// @dev Checks that each action has succeeded, because a run without successes proves nothing.
    function requireEnoughHappened() external view {
        assertTrue(contributions > 0, "contributions");
        assertTrue(relayed > 0, "relayed");
        assertTrue(enoughSkips(), "skips");
        assertTrue(pushes > 0, "pushed refunds");
        assertTrue(refunds > pushes, "own refunds");
        assertTrue(reports > 0, "reports");
        assertTrue((announcements > 0) == (NOTICE != 0), "announcements");
        assertTrue(reportsFor > 0, "reports for others");
        assertTrue(lateClaims > 0, "late claims");
        assertTrue(claimsOfManyTransactions > 0, "claims of many transactions");
        assertTrue(skippedClaims > 0, "skipped claims");
        assertTrue(deposits > 0, "deposits");
        assertTrue(withdrawals > 0, "withdrawals");
        assertTrue(cancellations > 0, "cancellations");
        assertTrue(retries > 0, "retries");
        assertTrue(wrongProofs > 0, "wrong proofs");
    }

    /// @dev Takes all money out, without the classifier, whatever has happened: late claims by a
    /// stranger, and withdrawals to an address that the owners choose.
    function finish() external {
        warp(time + ANY_WAIT);
        address stranger = address(0xdeadbeef);
        address savings = address(0x5afe);
        for (uint256 i; i < transactions.length; ++i) {
            Contribution[] memory made = contributionsOf(i);
            uint256 left;
            uint256 open;
            for (uint256 j; j < made.length; ++j) {
                left += entries[made[j].position].left;
                if (!entries[made[j].position].closed) ++open;
            }
            if (open == 0) continue;
            uint256 before = stranger.balance;
            vm.prank(stranger);
            TRAINER.claimLate(Groups.all(made));
            assertEq(stranger.balance, before + left, "late");
        }
        for (uint256 i; i < people.length; ++i) {
            vm.prank(people[i]);
            TRAINER.withdrawTo(savings, prepaid[people[i]]);
        }
        assertEq(savings.balance, sumPrepaid, "withdrawn");
        assertEq(address(TRAINER).balance, 0, "all out");
    }

    // ---------------------------------------------------------------- Rules of a world

    /// @dev Returns the error of a lesson now; empty if it succeeds.
    function lessonFailure(bytes memory items) internal view virtual returns (bytes memory);

    /// @dev Returns the labels that are predicted now, or the error of the prediction.
    function predictions(bytes[] memory samples)
        internal
        view
        virtual
        returns (uint256[] memory labels, bytes memory failure);

    /// @dev Returns `true` if payments to the account fail.
    function refuses(address person) internal view virtual returns (bool);

    /// @dev Returns `true` if a contract accepts this signature.
    function saysYes(address signer, bytes32 digest, bytes memory signature)
        internal
        view
        virtual
        returns (bool);

    /// @dev Signs a delegation, or something like it. Also returns `true` if the signature is a
    /// key's and right.
    function delegate(address reporter, address to, uint40 until, uint256 seed)
        internal
        view
        virtual
        returns (bytes memory signature, bool right);

    /// @dev Returns a batch without its price and its signature.
    /// @param index The index in the relay.
    /// @param relayer The sender.
    function plan(uint256 seed, uint256 index, address relayer)
        internal
        view
        virtual
        returns (SignedBatch memory);

    /// @dev Returns `true` if the account is a contract.
    function isContract(address person) internal view virtual returns (bool);

    /// @dev Adds the price and the signature.
    function complete(Draft memory one, uint256 seed, uint256 price) internal virtual;

    /// @dev Makes all tell the truth and take their money for a while.
    function relent(uint256 seed) internal virtual;

    /// @dev Returns `true` if batches were skipped for all reasons that this world has.
    function enoughSkips() internal view virtual returns (bool);

    /// @dev Counts a skip, if this world counts its reason.
    function onSkip(bytes memory reason) internal virtual;

    // ---------------------------------------------------------------- Relays

    /// @dev Relays the drafts, and expects exactly the results that the specification gives for
    /// each in turn.
    function send(address relayer, Draft[] memory drafts, uint256 price) internal {
        bytes memory encoded;
        for (uint256 i; i < drafts.length; ++i) {
            encoded = bytes.concat(encoded, Sign.encode(drafts[i].batch));
        }
        bytes[] memory reasons = new bytes[](drafts.length);
        bytes memory log;
        uint256 fees;
        Contribution[] memory made;
        for (uint256 i; i < drafts.length; ++i) {
            SignedBatch memory batch = drafts[i].batch;
            reasons[i] = skipReason(drafts[i], price, relayer);
            if (reasons[i].length != 0) continue;
            Contribution[] memory more =
                Groups.parse(batch.author, price, time, entries.length + made.length, batch.items);
            takePrepaid(batch.author, more.length * price + batch.fee);
            markUsed(batch.author, batch.nonce);
            made = Groups.join(made, more);
            fees += batch.fee;
            log = bytes.concat(log, Groups.slice(Sign.encode(batch), 0, 60 + batch.items.length));
            ++relayed;
        }
        Vm.Log[] memory logs = call(relayer, 0, abi.encodeCall(TRAINER.relay, (encoded, GAS_PER_BATCH)), "");
        uint256 index;
        for (uint256 i; i < drafts.length; ++i) {
            if (reasons[i].length == 0) continue;
            assertTrue(logs[index].topics[0] == ICollaborativeTrainer.Skipped.selector, "skipped");
            assertEq(address(uint160(uint256(logs[index].topics[1]))), drafts[i].batch.author, "author");
            assertEq(logs[index].data, abi.encode(drafts[i].batch.nonce, reasons[i]), "reason");
            ++index;
            onSkip(reasons[i]);
        }
        if (made.length != 0) {
            assertTrue(logs[index].topics[0] == ICollaborativeTrainer.Relayed.selector, "relayed");
            assertEq(uint256(logs[index].topics[1]), entries.length, "first position");
            assertEq(logs[index].data, abi.encode(price, time, log), "data");
            addTransaction(made);
            addPrepaid(relayer, fees);
            ++index;
        }
        assertEq(logs.length, index, "events");
        requireMoneyIsWhereItBelongs();
    }

    /// @dev Returns the reason why the trainer must skip a batch, given the changes by the ones
    /// before it; empty if it must not.
    function skipReason(Draft memory one, uint256 price, address relayer)
        private
        view
        returns (bytes memory reason)
    {
        SignedBatch memory batch = one.batch;
        uint256 n;
        (n, reason) = parseFailure(batch.items);
        if (reason.length != 0) return reason;
        if (time > batch.deadline) {
            return abi.encodeWithSelector(ICollaborativeTrainer.Expired.selector, batch.deadline, time);
        }
        if (isUsed(batch.author, batch.nonce)) {
            return abi.encodeWithSelector(ICollaborativeTrainer.NonceUsed.selector, batch.author, batch.nonce);
        }
        if (price > batch.maxDeposit) {
            return
                abi.encodeWithSelector(ICollaborativeTrainer.PriceTooHigh.selector, price, batch.maxDeposit);
        }
        uint256 required = n * price + batch.fee;
        if (required > prepaid[batch.author]) {
            return abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, required, prepaid[batch.author]);
        }
        bool bound = batch.relayer != address(0);
        address signedFor = batch.relayer;
        // The trainer reads a bound batch as signed for its sender.
        if (bound) batch.relayer = relayer;
        bytes32 digest = Sign.digest(address(TRAINER), batch);
        batch.relayer = signedFor;
        bool rightlySigned = one.rightlySigned && (!bound || signedFor == relayer);
        if (!rightlySigned && !saysYes(batch.author, digest, batch.signature)) {
            return abi.encodeWithSelector(ICollaborativeTrainer.InvalidSignature.selector, batch.author);
        }
        return lessonFailure(batch.items);
    }

    function parseFailure(bytes memory items) internal pure returns (uint256 n, bytes memory failure) {
        if (items.length == 0) return (0, abi.encodeWithSelector(IErrors.EmptyBatch.selector));
        uint256 offset;
        while (offset < items.length) {
            uint256 end = offset + 4;
            if (end <= items.length) end += Groups.number(items, offset + 2, 2);
            if (end > items.length) {
                return (0, abi.encodeWithSelector(IErrors.MalformedBatch.selector, offset));
            }
            offset = end;
            ++n;
        }
    }

    /// @dev Returns an unused nonce: mostly the next, sometimes one that was left out or is far
    /// ahead.
    function freshNonce(address author, uint256 seed) internal view returns (uint48) {
        uint256 nonce = highest[author] + 1;
        if (seed & 3 == 0) nonce += seed >> 8 & 7;
        if (seed & 63 == 1) nonce += seed >> 8 & 127;
        if (seed & 3 == 2) {
            nonce = highest[author] + 1;
            for (uint256 k = 1; k < 30 && k < nonce; ++k) {
                if (!isUsed(author, nonce - k)) return uint48(nonce - k);
            }
        }
        return uint48(nonce);
    }

    // ---------------------------------------------------------------- Claims

    /// @dev Announces in most cases, if that is needed, and waits for a time in which a report is
    /// possible.
    function announceFirst(uint256 who, uint256 seed) private {
        if (NOTICE == 0 || seed >> 120 & 3 == 0) return;
        claim(Kind.Announce, pick(who), seed);
        warp(time + NOTICE + (seed >> 122 & 1) * NOTICE);
    }

    function claim(Kind kind, address caller, uint256 seed) private {
        if (entries.length == 0) return;
        (bool found, uint256 position) = find(kind, caller, seed);
        if (!found && seed >> 200 & 3 != 0) {
            warp(time + (kind == Kind.Late ? ANY_WAIT : REFUND_WAIT));
            (found, position) = find(kind, caller, seed);
        }
        uint256 count = 1 + (seed >> 8) % 3;
        uint256[] memory ids = new uint256[](count);
        uint256[] memory masks = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            // The found contribution comes first, last or in the middle; a transaction may come
            // twice.
            bool here = i == (seed >> 16) % count;
            ids[i] = here ? entries[position].transaction : random(seed, i) % transactions.length;
            masks[i] = random(seed, i + 100) & random(seed, i + 200);
            if (here) masks[i] |= 2 ** indexOf(position);
        }
        claimThese(kind, caller, ids, masks);
    }

    /// @dev Claims the chosen contributions of each transaction, and expects exactly the results
    /// that the specification gives.
    function claimThese(Kind kind, address caller, uint256[] memory ids, uint256[] memory masks)
        private
        returns (uint256 settled)
    {
        (bytes memory claims, Outcome[] memory outcomes, bytes memory failure) =
            expect(kind, caller, ids, masks);
        uint256 paid;
        for (uint256 i; i < outcomes.length && failure.length == 0; ++i) {
            if (outcomes[i].reason.length != 0) continue;
            ++settled;
            if (outcomes[i].paidToCaller) paid += outcomes[i].amount;
        }
        if (failure.length == 0 && settled == 0) failure = outcomes[0].reason;
        Vm.Log[] memory logs;
        if (kind == Kind.ReportFor) {
            bytes memory data;
            (data, failure) = delegated(caller, claims, failure);
            logs = call(keeper, 0, data, failure);
        } else {
            if (failure.length == 0 && paid != 0 && refuses(caller)) {
                failure = abi.encodeWithSelector(Payments.PaymentFailed.selector, caller, paid);
            }
            logs = call(caller, 0, abi.encodeWithSelector(selectorOf(kind), claims), failure);
        }
        if (failure.length != 0) return 0;
        requireOutcomes(kind, caller, outcomes, logs, paid);
        if (ids.length > 1) ++claimsOfManyTransactions;
        requireMoneyIsWhereItBelongs();
    }

    /// @dev Returns the call of the current keeper and its expected error. Lateness and a wrong
    /// signature come before all other errors.
    function delegated(address reporter, bytes memory claims, bytes memory failure)
        private
        view
        returns (bytes memory, bytes memory)
    {
        // Sometimes a second late.
        uint40 until = uint40(keeperSeed & 7 == 0 ? time - 1 : time + (keeperSeed >> 3 & 0xffff));
        (bytes memory signature, bool right) = delegate(reporter, keeper, until, keeperSeed >> 32);
        bytes32 digest = Sign.delegation(address(TRAINER), reporter, keeper, until);
        if (until < time) {
            failure = abi.encodeWithSelector(ICollaborativeTrainer.Expired.selector, until, time);
        } else if (!right && !saysYes(reporter, digest, signature)) {
            failure = abi.encodeWithSelector(ICollaborativeTrainer.InvalidSignature.selector, reporter);
        }
        return (abi.encodeCall(TRAINER.reportFor, (reporter, until, signature, claims)), failure);
    }

    // ---------------------------------------------------------------- Outcomes

    /// @dev Checks all events of a call that settled something, and updates the books by them.
    /// @param paid The money of the caller, or of the reporter, in wei.
    function requireOutcomes(
        Kind kind,
        address caller,
        Outcome[] memory outcomes,
        Vm.Log[] memory logs,
        uint256 paid
    ) private {
        uint256 index;
        for (uint256 i; i < outcomes.length; ++i) {
            Outcome memory one = outcomes[i];
            if (isPush(one)) requireDeposited(entries[one.position].author, one.amount, logs[index++]);
            requireOutcome(kind, caller, one, logs[index++]);
        }
        if (kind != Kind.ReportFor) {
            money[caller] += paid;
        } else if (paid != 0) {
            requireDeposited(caller, paid, logs[index++]);
            addPrepaid(caller, paid);
        }
        assertEq(logs.length, index, "events");
    }

    /// @dev Returns `true` if money goes to the author's balance.
    function isPush(Outcome memory outcome) private pure returns (bool) {
        return outcome.reason.length == 0 && !outcome.paidToCaller && outcome.amount != 0;
    }

    function requireDeposited(address account, uint256 amount, Vm.Log memory log) private pure {
        assertTrue(log.topics[0] == IAccounts.Deposited.selector, "deposited");
        assertEq(address(uint160(uint256(log.topics[1]))), account, "account");
        assertEq(log.data, abi.encode(amount), "deposited amount");
    }

    /// @dev Checks one event, and updates the books by it.
    function requireOutcome(Kind kind, address caller, Outcome memory outcome, Vm.Log memory log) private {
        uint256 position = outcome.position;
        assertEq(uint256(log.topics[1]), position, "position");
        if (outcome.reason.length != 0) {
            assertTrue(log.topics[0] == ICollaborativeTrainer.ClaimSkipped.selector, "claim skipped");
            assertEq(log.data, abi.encode(outcome.reason), "reason");
            ++skippedClaims;
            return;
        }
        address author = entries[position].author;
        address who = address(uint160(uint256(log.topics[2])));
        if (kind == Kind.Announce) {
            assertTrue(log.topics[0] == ICollaborativeTrainer.Announced.selector, "announced");
            assertEq(who, caller, "announcer");
            assertEq(log.data, abi.encode(time), "announced when");
            announced[position] = time;
            ++announcements;
            return;
        }
        assertEq(log.data, abi.encode(outcome.amount), "amount");
        assertEq(who, kind == Kind.Refund ? author : caller, "who");
        take(position, outcome.amount);
        if (kind == Kind.Refund) {
            assertTrue(log.topics[0] == ICollaborativeTrainer.Refunded.selector, "refunded");
            ++good[author];
            ++sumGood;
            ++refunds;
            if (!outcome.paidToCaller) {
                addPrepaid(author, outcome.amount);
                ++pushes;
            }
        } else if (isReport(kind)) {
            assertTrue(log.topics[0] == ICollaborativeTrainer.Reported.selector, "reported");
            reported[position][caller] = true;
            if (entries[position].firstReporter == address(0)) entries[position].firstReporter = caller;
            if (kind == Kind.Report) ++reports;
            else ++reportsFor;
        } else {
            assertTrue(log.topics[0] == ICollaborativeTrainer.ClaimedLate.selector, "claimed late");
            ++lateClaims;
        }
    }

    // ---------------------------------------------------------------- Expected outcomes

    /// @dev Returns the encoded claims and the expected outcome of each, or the expected error of
    /// the call.
    function expect(Kind kind, address caller, uint256[] memory ids, uint256[] memory masks)
        private
        view
        returns (bytes memory claims, Outcome[] memory outcomes, bytes memory failure)
    {
        outcomes = new Outcome[](240 * ids.length);
        uint256 count;
        for (uint256 i; i < ids.length; ++i) {
            Contribution[] memory made = contributionsOf(ids[i]);
            uint256[] memory indices = indicesOf(masks[i], made.length);
            claims = bytes.concat(claims, Groups.some(made, indices));
            if (failure.length != 0) continue;
            bytes[] memory samples = new bytes[](indices.length);
            for (uint256 j; j < indices.length; ++j) {
                samples[j] = made[indices[j]].sample;
            }
            uint256[] memory labels = new uint256[](indices.length);
            if (kind != Kind.Late) (labels, failure) = predictions(samples);
            if (failure.length != 0) continue;
            for (uint256 j; j < indices.length; ++j) {
                outcomes[count] = expectOne(kind, caller, made[indices[j]], labels[j], outcomes, count);
                ++count;
            }
        }
        assembly ("memory-safe") {
            mstore(outcomes, count)
        }
    }

    /// @param earlier The expected outcomes of the claims before this one in the same call.
    function expectOne(
        Kind kind,
        address caller,
        Contribution memory made,
        uint256 predicted,
        Outcome[] memory earlier,
        uint256 count
    ) private view returns (Outcome memory outcome) {
        Entry memory entry = entries[made.position];
        (bool closed, uint256 left) = (entry.closed, entry.left);
        bool again = isReport(kind) && reported[made.position][caller];
        for (uint256 i; i < count; ++i) {
            if (earlier[i].position != made.position || earlier[i].reason.length != 0) continue;
            left -= earlier[i].amount;
            closed = kind == Kind.Refund || left == 0;
            again = true;
        }
        outcome.position = made.position;
        outcome.reason = refusal(kind, caller, entry, closed, again, made, predicted);
        if (outcome.reason.length != 0) return outcome;
        if (kind == Kind.Announce) return outcome;
        outcome.amount = left;
        outcome.paidToCaller = kind != Kind.Refund || entry.author == caller;
        if (isReport(kind)) {
            uint256 share = uint256(entry.deposit) * good[caller] / sumGood;
            if (share < left) outcome.amount = share;
        }
    }

    /// @dev Returns the reason against a claim, from the table of the specification, top to bottom.
    function refusal(
        Kind kind,
        address caller,
        Entry memory entry,
        bool closed,
        bool again,
        Contribution memory made,
        uint256 predicted
    ) private view returns (bytes memory) {
        if (isReport(kind) && entry.author == caller) {
            return abi.encodeWithSelector(ICollaborativeTrainer.OwnContribution.selector, caller);
        }
        if (closed) return abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, made.position);
        uint256 earliest = entry.time + waitOf(kind, caller);
        if (time < earliest) {
            return abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, time, earliest);
        }
        if (kind == Kind.Refund && predicted != made.label) {
            return
                abi.encodeWithSelector(
                    ICollaborativeTrainer.PredictionDiffers.selector, made.label, predicted
                );
        }
        if (
            kind == Kind.Refund && entry.author != caller && !hasNonces[entry.author]
                && isContract(entry.author)
        ) {
            return abi.encodeWithSelector(ICollaborativeTrainer.AuthorIsContract.selector, entry.author);
        }
        if (kind == Kind.Announce) {
            uint256 until = (again ? time : announced[made.position]) + 2 * NOTICE;
            if (until != 2 * NOTICE && time <= until) {
                return
                    abi.encodeWithSelector(
                        ICollaborativeTrainer.AlreadyAnnounced.selector, made.position, until
                    );
            }
            return predicted == made.label ? agrees(predicted) : bytes("");
        }
        if (!isReport(kind)) return "";
        if (good[caller] == 0) {
            return abi.encodeWithSelector(ICollaborativeTrainer.NoGoodContribution.selector, caller);
        }
        if (again) {
            return
                abi.encodeWithSelector(ICollaborativeTrainer.AlreadyReported.selector, made.position, caller);
        }
        if (NOTICE != 0) {
            earliest = announced[made.position] + NOTICE;
            if (earliest == NOTICE || time > earliest + NOTICE) {
                return abi.encodeWithSelector(ICollaborativeTrainer.NotAnnounced.selector, made.position);
            }
            if (time < earliest) {
                return abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, time, earliest);
            }
        }
        return predicted == made.label ? agrees(predicted) : bytes("");
    }

    function agrees(uint256 predicted) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, predicted);
    }

    /// @dev Finds the next contribution from a random one on that can be claimed now. Returns any
    /// other if there is none.
    function find(Kind kind, address caller, uint256 seed) private view returns (bool, uint256) {
        Outcome[] memory none;
        for (uint256 i; i < entries.length && i < SEARCH; ++i) {
            uint256 position = (seed % entries.length + i) % entries.length;
            if (entries[position].closed) continue;
            Contribution memory made = contributionsOf(entries[position].transaction)[indexOf(position)];
            uint256[] memory labels = new uint256[](1);
            if (kind != Kind.Late) (labels,) = predictions(Encode.one(made.sample));
            if (labels.length == 0) continue;
            if (expectOne(kind, caller, made, labels[0], none, 0).reason.length == 0) {
                return (true, position);
            }
        }
        return (false, seed % entries.length);
    }

    // ---------------------------------------------------------------- Helpers

    /// @dev Calls the trainer, which must succeed or fail with exactly this error. Returns the
    /// trainer's events.
    function call(address caller, uint256 value, bytes memory data, bytes memory failure)
        internal
        returns (Vm.Log[] memory logs)
    {
        vm.warp(time);
        vm.recordLogs();
        vm.prank(caller);
        (bool success, bytes memory result) = address(TRAINER).call{value: value, gas: GAS}(data);
        if (failure.length == 0 && !success) revert NotEqualBytes("failed", result, "");
        if (failure.length != 0) {
            assertTrue(!success, "succeeded");
            assertEq(result, failure, "failure");
            requireMoneyIsWhereItBelongs();
        }
        logs = vm.getRecordedLogs();
        uint256 count;
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter == address(TRAINER)) logs[count++] = logs[i];
        }
        assembly ("memory-safe") {
            mstore(logs, count)
        }
        // The recorder also has the events of failed calls.
        if (failure.length == 0) follow(logs);
    }

    function isReport(Kind kind) private pure returns (bool) {
        return kind == Kind.Report || kind == Kind.ReportFor;
    }

    function selectorOf(Kind kind) private pure returns (bytes4) {
        if (kind == Kind.Refund) return ICollaborativeTrainer.refund.selector;
        if (kind == Kind.Announce) return ICollaborativeTrainer.announce.selector;
        return kind == Kind.Report
            ? ICollaborativeTrainer.report.selector
            : ICollaborativeTrainer.claimLate.selector;
    }

    function waitOf(Kind kind, address caller) private view returns (uint256) {
        if (kind != Kind.Late) return REFUND_WAIT;
        return caller == OWNER ? OWNER_WAIT : ANY_WAIT;
    }

    function contributionsOf(uint256 transaction) internal view returns (Contribution[] memory) {
        return abi.decode(transactions[transaction], (Contribution[]));
    }

    /// @dev Returns the index of a contribution in its transaction.
    function indexOf(uint256 position) private view returns (uint256 index) {
        uint32 transaction = entries[position].transaction;
        while (position > index && entries[position - index - 1].transaction == transaction) ++index;
    }

    /// @dev Returns the indices below `n` whose bits are set; the first if none is.
    function indicesOf(uint256 mask, uint256 n) private pure returns (uint256[] memory indices) {
        if (n < 256 && mask % 2 ** n == 0) mask = 1;
        indices = new uint256[](n);
        uint256 count;
        for (uint256 i; i < n; ++i) {
            if (mask >> i & 1 != 0) indices[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }

    /// @dev Returns items of labels 0 and 1, with one or two of 8 features.
    function randomItems(uint256 seed, uint256 n) internal pure returns (bytes memory items) {
        for (uint256 i; i < n; ++i) {
            uint256 word = random(seed, i);
            uint16 feature = uint16(word >> 8 & 3);
            bytes memory sample =
                word & 2 == 0 ? abi.encodePacked(feature) : abi.encodePacked(feature, feature + 4);
            items = bytes.concat(items, Encode.item(word & 1, sample));
        }
    }

    function countItems(bytes memory items) internal pure returns (uint256 n) {
        (n,) = parseFailure(items);
    }

    /// @dev Returns an account that may report, if there is one.
    function pickReporter(uint256 who) private view returns (address reporter) {
        reporter = pick(who);
        for (uint256 i; i < people.length && good[reporter] == 0; ++i) {
            reporter = pick(who % people.length + i);
        }
    }

    function pick(uint256 who) internal view returns (address) {
        return people[who % people.length];
    }

    function random(uint256 seed, uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }
}
