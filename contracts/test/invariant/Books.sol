// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Contribution} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {Test} from "../base/Test.sol";
import {Vm} from "../base/Vm.sol";

/// @notice The expected state of a trainer, in a simple form. Nothing here is read from the
/// trainer.
abstract contract Books is Test {
    /// @dev The expected state of a contribution.
    struct Entry {
        address author;
        uint96 deposit;
        uint40 time;
        uint96 left;
        /// The index of the transaction in `transactions`.
        uint32 transaction;
        bool closed;
        address firstReporter;
    }

    /// @dev A used nonce.
    struct Nonce {
        address account;
        uint48 nonce;
    }

    ICollaborativeTrainer public immutable TRAINER;
    address internal immutable OWNER;
    uint256 internal immutable REFUND_WAIT;
    uint256 internal immutable OWNER_WAIT;
    uint256 internal immutable ANY_WAIT;
    uint256 internal immutable NOTICE;

    /// @dev All accounts that ever have money.
    address[] internal people;
    /// @dev The time now, in seconds; the compiler treats `block.timestamp` as constant.
    uint256 internal time;

    Entry[] internal entries;
    /// @dev The contributions of each transaction, encoded.
    bytes[] internal transactions;
    mapping(uint256 position => mapping(address reporter => bool)) internal reported;
    /// @dev The time of the last announcement of each contribution, in seconds; 0 if there is none.
    mapping(uint256 position => uint256) internal announced;

    mapping(address person => uint256) internal prepaid;
    /// @dev The balance that each account should have outside of the trainer, in wei.
    mapping(address person => uint256) internal money;
    mapping(address person => uint256) internal good;
    mapping(address person => uint256) internal highest;
    mapping(address person => mapping(uint256 nonce => bool)) internal used;
    Nonce[] internal usedNonces;
    /// @dev `true` for an account that has ever used or canceled a nonce.
    mapping(address person => bool) internal hasNonces;

    /// @dev The balance of each account in the trainer by its events alone, in wei.
    mapping(address person => uint256) private byEvents;

    uint256 internal sumPrepaid;
    uint256 internal sumLeft;
    uint256 internal sumGood;

    constructor(ICollaborativeTrainer trainer) {
        TRAINER = trainer;
        OWNER = trainer.owner();
        (REFUND_WAIT, OWNER_WAIT, ANY_WAIT) =
        (trainer.refundWait(), trainer.ownerClaimWait(), trainer.anyAddressClaimWait());
        NOTICE = trainer.reportNotice();
        time = block.timestamp;
    }

    /// @dev Gives every account money, outside and inside of the trainer.
    function prepayAll() internal {
        for (uint256 i; i < people.length; ++i) {
            vm.deal(people[i], 1e24);
            money[people[i]] = 1e24 - 1e21;
            addPrepaid(people[i], 1e21);
            vm.recordLogs();
            vm.prank(people[i]);
            TRAINER.depositTo{value: 1e21}(people[i]);
            follow(vm.getRecordedLogs());
        }
    }

    // ---------------------------------------------------------------- Checks after each call

    /// @dev Checks that the trainer holds exactly the prepaid money and the rest of all deposits.
    function requireMoneyIsHeld() external view {
        assertEq(address(TRAINER).balance, sumPrepaid + sumLeft, "held");
    }

    /// @dev Checks every account's money, in the trainer and outside. Only its own acts, its
    /// signatures and payments to it may have changed it.
    function requireMoneyIsWhereItBelongs() public view {
        for (uint256 i; i < people.length; ++i) {
            address person = people[i];
            assertEq(TRAINER.balanceOf(person), prepaid[person], "prepaid");
            assertEq(byEvents[person], prepaid[person], "prepaid by events");
            assertEq(person.balance, money[person], "money");
        }
    }

    /// @dev Checks that good contributions add up to the number of refunds.
    function requireGoodAddsUp() external view {
        uint256 sum;
        for (uint256 i; i < people.length; ++i) {
            assertEq(TRAINER.good(people[i]), good[people[i]], "good");
            sum += good[people[i]];
        }
        assertEq(sum, sumGood, "sum");
        assertEq(TRAINER.totalGood(), sumGood, "total");
        assertEq(TRAINER.contributionCount(), entries.length, "count");
    }

    /// @dev Checks all contributions and nonces ever made. A closed contribution is still closed.
    /// Its payments are at most its deposit, and all of it if it is closed. A used nonce is still
    /// used. This is too much for after each call.
    function requireAllIsAsItWas() external view {
        uint256 left;
        for (uint256 i; i < entries.length; ++i) {
            Entry memory entry = entries[i];
            (Status status, uint256 taken, address firstReporter) = TRAINER.settlement(i);
            assertTrue((status == Status.Closed) == entry.closed, "closed");
            assertEq(firstReporter, entry.firstReporter, "first reporter");
            if (status != Status.Closed) assertEq(taken, entry.deposit - entry.left, "taken");
            else assertEq(entry.left, 0, "all paid");
            assertAtMost(entry.left, entry.deposit, "left");
            left += entry.left;
            assertEq(TRAINER.announced(i), announced[i], "announced");
            for (uint256 j; j < people.length; ++j) {
                assertTrue(TRAINER.reported(i, people[j]) == reported[i][people[j]], "reported");
            }
        }
        assertEq(left, sumLeft, "sum left");
        for (uint256 i; i < usedNonces.length; ++i) {
            Nonce memory one = usedNonces[i];
            assertTrue(TRAINER.nonceUsed(one.account, one.nonce), "used");
        }
        for (uint256 i; i < people.length; ++i) {
            uint256 last = highest[people[i]] + 3;
            for (uint256 k; k < 70 && k <= last; ++k) {
                bool actual = TRAINER.nonceUsed(people[i], uint48(last - k));
                assertTrue(actual == isUsed(people[i], last - k), "window");
            }
        }
    }

    // ---------------------------------------------------------------- Changes of the books

    /// @dev Follows the trainer's events as an indexer would, which knows nothing else.
    function follow(Vm.Log[] memory logs) internal {
        for (uint256 i; i < logs.length; ++i) {
            bytes32 what = logs[i].topics[0];
            if (what == ICollaborativeTrainer.Relayed.selector) followRelay(logs[i]);
            if (what != IAccounts.Deposited.selector && what != IAccounts.Withdrawn.selector) continue;
            address account = address(uint160(uint256(logs[i].topics[1])));
            uint256 amount = abi.decode(logs[i].data, (uint256));
            if (what == IAccounts.Deposited.selector) byEvents[account] += amount;
            else byEvents[account] -= amount;
        }
    }

    function followRelay(Vm.Log memory log) private {
        address relayer = address(uint160(uint256(log.topics[2])));
        (uint256 deposit,, bytes memory accepted) = abi.decode(log.data, (uint256, uint256, bytes));
        for (uint256 offset; offset < accepted.length;) {
            address author = address(uint160(Groups.number(accepted, offset, 20)));
            uint256 fee = Groups.number(accepted, offset + 32, 12);
            uint256 length = Groups.number(accepted, offset + 56, 4);
            bytes memory items = Groups.slice(accepted, offset + 60, length);
            byEvents[author] -= Groups.parse(author, deposit, 0, 0, items).length * deposit + fee;
            byEvents[relayer] += fee;
            offset += 60 + length;
        }
    }

    function addPrepaid(address account, uint256 amount) internal {
        prepaid[account] += amount;
        sumPrepaid += amount;
    }

    /// @dev Reduces a balance. Fails if there is less: then the trainer has let the account spend
    /// money that it does not have.
    function takePrepaid(address account, uint256 amount) internal {
        prepaid[account] -= amount;
        sumPrepaid -= amount;
    }

    function addTransaction(Contribution[] memory made) internal {
        transactions.push(abi.encode(made));
        for (uint256 i; i < made.length; ++i) {
            assertEq(made[i].position, entries.length, "position");
            entries.push(
                Entry({
                    author: made[i].author,
                    deposit: made[i].deposit,
                    time: made[i].time,
                    left: made[i].deposit,
                    transaction: uint32(transactions.length - 1),
                    closed: false,
                    firstReporter: address(0)
                })
            );
            sumLeft += made[i].deposit;
        }
    }

    /// @dev Takes a part of the rest of a deposit; taking all of it closes the contribution.
    function take(uint256 position, uint256 amount) internal {
        Entry storage entry = entries[position];
        assertTrue(!entry.closed, "settled twice");
        entry.left -= uint96(amount);
        sumLeft -= amount;
        if (entry.left == 0) entry.closed = true;
    }

    function markUsed(address account, uint256 nonce) internal {
        assertTrue(!isUsed(account, nonce), "nonce used twice");
        used[account][nonce] = true;
        usedNonces.push(Nonce(account, uint48(nonce)));
        hasNonces[account] = true;
        if (nonce > highest[account]) highest[account] = nonce;
    }

    function markCancelled(address account, uint256 last) internal {
        // Older nonces count as used anyway.
        for (uint256 k; k < 64 && k <= last; ++k) {
            used[account][last - k] = true;
        }
        usedNonces.push(Nonce(account, uint48(last)));
        hasNonces[account] = true;
        if (last > highest[account]) highest[account] = last;
    }

    /// @dev Returns `true` if a nonce is used by the specification: it was used, or is 64 or more
    /// below the highest.
    function isUsed(address account, uint256 nonce) internal view returns (bool) {
        return used[account][nonce] || nonce + 64 <= highest[account];
    }

    function warp(uint256 to) internal {
        time = to;
        vm.warp(to);
    }
}
