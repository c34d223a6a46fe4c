// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {CallGas} from "../../src/libraries/CallGas.sol";
import {Samples} from "../../src/libraries/Samples.sol";
import {SignedBatches} from "../../src/libraries/SignedBatches.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {HostileWallet, Signing} from "../base/HostileWallet.sol";
import {Lie, LyingClassifier} from "../base/LyingClassifier.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {PuppetClassifier, Strings} from "../base/PuppetClassifier.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {Vm} from "../base/Vm.sol";

/// @notice Relays of signed batches: the trainer accepts some and skips others with a reason.
contract RelayTest is ModelTest {
    /// @dev The order of the curve: `n - s` is the other signature that recovers to the same key.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// @dev Keys of the batches around a bad one.
    uint256 private constant FIRST_KEY = 11;
    uint256 private constant LAST_KEY = 12;
    /// @dev Key of the bad batch.
    uint256 private constant KEY = 13;

    /// @dev A signed batch that the trainer has skipped, and the reason.
    struct Skip {
        address author;
        uint256 nonce;
        bytes reason;
    }

    ICollaborativeTrainer private trainer;
    Classifier private classifier;
    /// @dev Nonce for the batches around a bad one.
    uint256 private nextNonce;

    constructor() {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
        prepay();
    }

    // ---------------------------------------------------------------- Accepted batches

    function test_relay_paysFeeOfOneWei() external {
        pass(100);
        SignedBatch memory batch = signed(trainer, KEY, 3, two());
        batch.fee = 1;
        batch = Sign.by(KEY, address(trainer), batch);
        bytes memory batches = Sign.encode(batch);
        vm.prank(BOB);
        trainer.relay(batches, GAS_PER_BATCH);
        assertEq(trainer.balanceOf(BOB), 1, "fee");
    }

    function test_relay_recordsOneBatch() external {
        pass(100);
        SignedBatch memory batch = signed(trainer, KEY, 3, two());
        batch.fee = 7;
        batch = Sign.by(KEY, address(trainer), batch);
        uint256 price = trainer.price(2);
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Relayed(0, BOB, price, clock(), headerAndItems(batch));
        vm.prank(BOB);
        trainer.relay(Sign.encode(batch), GAS_PER_BATCH);
        assertEq(trainer.contributionCount(), 2, "count");
        assertEq(trainer.lastContributionTime(), clock(), "time");
        assertEq(trainer.root(0), Groups.root(made(batch, price, 0)), "root");
        assertEq(trainer.balanceOf(batch.author), 1e24 - 2 * price - 7, "author's balance");
        assertEq(trainer.balanceOf(BOB), 7, "relayer's balance");
        assertTrue(trainer.nonceUsed(batch.author, 3), "nonce");
        // Features 0 and 1 belong to class 1, and the weights of 0 predict class 0. The first item
        // teaches both.
        assertEq(word(classifier, 0), 0x10001, "learned");
    }

    function test_relay_recordsManyAuthors() external {
        pass(1 hours);
        uint256 price = trainer.price(40);
        bytes memory batches;
        bytes memory log;
        Contribution[] memory all;
        for (uint256 i; i < 20; ++i) {
            SignedBatch memory batch = signed(trainer, 1 + i, 0, two());
            // Uses both kinds of signatures.
            if (i % 2 == 0) batch = Sign.long(1 + i, address(trainer), batch);
            batches = bytes.concat(batches, Sign.encode(batch));
            log = bytes.concat(log, headerAndItems(batch));
            all = Groups.join(all, made(batch, price, 2 * i));
        }
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Relayed(0, BOB, price, clock(), log);
        vm.prank(BOB);
        trainer.relay(batches, GAS_PER_BATCH);
        assertEq(trainer.contributionCount(), 40, "count");
        assertEq(trainer.root(0), Groups.root(all), "root");
        for (uint256 i; i < 20; ++i) {
            assertEq(trainer.balanceOf(vm.addr(1 + i)), 1e24 - 2 * price, "balance");
        }
        // Relayed contributions are refunded like sent ones.
        pass(REFUND_WAIT);
        trainer.refund(Groups.all(all));
        assertEq(trainer.totalGood(), 40, "good");
    }

    function test_relay_takesNoncesInAnyOrder() external {
        SignedBatch memory first = signed(trainer, KEY, 5, one(0));
        SignedBatch memory second = signed(trainer, KEY, 4, two());
        requireAllAccepted(bytes.concat(Sign.encode(first), Sign.encode(second)), 3);
        assertTrue(trainer.nonceUsed(first.author, 4) && trainer.nonceUsed(first.author, 5), "used");
        assertTrue(!trainer.nonceUsed(first.author, 3), "not the one below");
    }

    function test_relay_skipsNonceUsedInIt() external {
        SignedBatch memory first = signed(trainer, KEY, 5, one(0));
        SignedBatch memory second = signed(trainer, KEY, 5, one(1));
        Skip[] memory skips = relay(BOB, bytes.concat(Sign.encode(first), Sign.encode(second)));
        assertEq(skips.length, 1, "one");
        assertEq(skips[0].reason, nonceUsed(first.author, 5), "reason");
        assertEq(trainer.root(0), Groups.root(made(first, trainer.price(2), 0)), "the first");
        assertEq(trainer.contributionCount(), 1, "count");
    }

    function test_relay_takesRelayersOwn() external {
        SignedBatch memory batch = signed(trainer, KEY, 0, two());
        batch.fee = 100;
        batch = Sign.by(KEY, address(trainer), batch);
        uint256 price = trainer.price(2);
        assertEq(relay(batch.author, Sign.encode(batch)).length, 0, "skips");
        assertEq(trainer.balanceOf(batch.author), 1e24 - 2 * price, "the fee is back");
    }

    function test_relay_creditsFeesOfMany() external {
        bytes memory batches;
        for (uint256 i; i < 4; ++i) {
            SignedBatch memory batch = signed(trainer, 1 + i, 0, two());
            batch.fee = uint96(10 ** i);
            // The third is signed with another key.
            batch = Sign.by(i == 2 ? KEY : 1 + i, address(trainer), batch);
            batches = bytes.concat(batches, Sign.encode(batch));
        }
        trainer.depositTo{value: 5}(BOB);
        assertEq(relay(BOB, batches).length, 1, "skips");
        assertEq(trainer.balanceOf(BOB), 5 + 1011, "fees of what was accepted");
    }

    function test_relay_pricesAllThatParse() external {
        pass(1 hours);
        SignedBatch memory malformed = signed(trainer, 1, 0, hex"0000");
        SignedBatch memory expired = signed(trainer, 2, 0, two());
        expired.deadline = 0;
        SignedBatch memory good = signed(trainer, 3, 0, one(0));
        uint256 price = trainer.price(3);
        assertTrue(price > trainer.price(1), "more than alone");
        bytes memory batches = bytes.concat(Sign.encode(malformed), Sign.encode(expired), Sign.encode(good));
        assertEq(relay(BOB, batches).length, 2, "skips");
        assertEq(trainer.balanceOf(good.author), 1e24 - price, "price");
    }

    function test_relay_takesExactPriceBalanceAndDeadline() external {
        pass(1 hours);
        uint256 price = trainer.price(2);
        address author = vm.addr(99);
        SignedBatch memory batch = unsigned(author, 0, two());
        (batch.maxDeposit, batch.fee) = (uint96(price), 3);
        batch.deadline = uint40(clock());
        batch = Sign.by(99, address(trainer), batch);
        trainer.depositTo{value: 2 * price + 3}(author);
        assertEq(relay(BOB, Sign.encode(batch)).length, 0, "skips");
        assertEq(trainer.balanceOf(author), 0, "all spent");
    }

    /// @dev The length of the items has four bytes.
    function test_relay_takesMoreThan65535Bytes() external {
        LyingClassifier lying = lie();
        bytes memory items;
        for (uint256 i; i < 14; ++i) {
            items = bytes.concat(items, Encode.item(i % 2, new bytes(5000 + i)));
        }
        SignedBatch memory batch = signed(trainer, KEY, 0, items);
        requireAllAccepted(bytes.concat(Sign.encode(batch), Sign.encode(signed(trainer, 1, 0, two()))), 16);
        assertEq(lying.lessons(), 2, "lessons");
    }

    function test_relay_doesNothingForNothing() external {
        vm.recordLogs();
        trainer.relay("", GAS_PER_BATCH);
        assertEq(vm.getRecordedLogs().length, 0, "no event");
        assertEq(trainer.contributionCount(), 0, "count");
    }

    function test_relay_chargesFeeOnlyUnderPoints() external {
        vm.prank(OWNER);
        (address created, address model) =
            factory.create(points, abi.encode(1, 2, 3, 0), sparsePerceptron, abi.encode(8, 1, int256(0)));
        vm.prank(OWNER);
        Classifier(model).close(created);
        trainer = ICollaborativeTrainer(created);
        // Contributing is free, but the author must pay a fee.
        SignedBatch memory free = unsigned(vm.addr(KEY), 0, two());
        free.maxDeposit = 0;
        free = Sign.by(KEY, created, free);
        SignedBatch memory poor = unsigned(vm.addr(1), 0, one(0));
        poor.fee = 1;
        poor = Sign.by(1, created, poor);
        Skip[] memory skips = relay(BOB, bytes.concat(Sign.encode(poor), Sign.encode(free)));
        assertEq(skips.length, 1, "skips");
        assertEq(skips[0].reason, abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, 1, 0), "no money");
        assertEq(trainer.root(0), Groups.root(made(free, 0, 0)), "root");
        pass(1);
        trainer.refund(Groups.all(made(free, 0, 0, clock() - 1)));
        assertEq(trainer.good(free.author), 2, "good");
    }

    // ---------------------------------------------------------------- Batches for one relayer

    /// @dev An attacker who copies a pending relay and sends the same bytes first gains nothing,
    /// and changes nothing for others.
    function test_relay_skipsIfSentByAnother() external {
        pass(1 hours);
        bytes memory batches = boundBatches(20, type(uint96).max);
        uint256 price = trainer.price(20);
        uint256 last = trainer.lastContributionTime();
        Skip[] memory skips = relay(CAROL, batches);
        assertEq(skips.length, 20, "all are skipped");
        for (uint256 i; i < 20; ++i) {
            assertEq(skips[i].reason, invalid(vm.addr(1 + i)), "reason");
        }
        assertEq(trainer.balanceOf(CAROL), 0, "no fee");
        assertEq(trainer.contributionCount(), 0, "count");
        assertEq(trainer.lastContributionTime(), last, "time");
        assertEq(trainer.price(20), price, "price");
        assertEq(relay(BOB, batches).length, 0, "the relayer's are accepted");
        assertEq(trainer.balanceOf(BOB), 20 * 100, "all fees");
        assertEq(trainer.balanceOf(vm.addr(1)), 1e24 - price - 100, "at the price of before");
    }

    /// @dev Otherwise an attacker could take one batch out of a relay and send it first, which
    /// would raise the price of the others.
    function test_relay_keepsPriceIfSentByAnother() external {
        pass(1 hours);
        bytes memory batches = boundBatches(20, uint96(trainer.price(20)));
        bytes memory first = Groups.slice(batches, 0, batches.length / 20);
        assertEq(relay(CAROL, first).length, 1, "skipped");
        assertEq(relay(BOB, batches).length, 0, "at once");
        assertEq(trainer.contributionCount(), 20, "all");
    }

    function test_relay_skipsIfBoundToAnother() external {
        SignedBatch memory batch = bound(KEY, 0, BOB, one(0));
        requireSkipped(batch, 3, invalid(batch.author));
        vm.expectEmit(address(trainer));
        emit ICollaborativeTrainer.Relayed(2, BOB, trainer.price(1), clock(), headerAndItems(batch));
        vm.prank(BOB);
        trainer.relay(Sign.encode(batch), GAS_PER_BATCH);
        assertEq(uint8(headerAndItems(batch)[55]), 1, "logged as bound");
        // A batch that is not bound can come from any sender.
        batch = signed(trainer, KEY, 1, one(0));
        assertEq(uint8(headerAndItems(batch)[55]), 0, "logged as free");
        requireAllAccepted(Sign.encode(batch), 1);
    }

    /// @dev A bound batch cannot be sent as unbound, nor an unbound one as bound. Any mark but 0
    /// means bound.
    function test_relay_skipsIfMarkIsChanged() external {
        bytes memory free = Sign.encode(signed(trainer, KEY, 0, one(0)));
        for (uint256 mark = 1; mark < 256; mark += 127) {
            free[55] = bytes1(uint8(mark));
            assertEq(relay(BOB, free)[0].reason, invalid(vm.addr(KEY)), "free");
        }
        bytes memory forBob = Sign.encode(bound(KEY, 0, BOB, one(0)));
        forBob[55] = 0;
        assertEq(relay(BOB, forBob)[0].reason, invalid(vm.addr(KEY)), "bound");
        forBob[55] = 0xff;
        assertEq(relay(BOB, forBob).length, 0, "any other mark");
    }

    function test_relay_takesWalletsBatchForOneRelayer() external {
        HostileWallet wallet = prepaidWallet();
        wallet.signWith(vm.addr(KEY));
        SignedBatch memory batch = unsigned(address(wallet), 0, one(0));
        batch.relayer = BOB;
        batch = Sign.long(KEY, address(trainer), batch);
        requireSkipped(batch, 3, invalid(address(wallet)));
        assertEq(relay(BOB, Sign.encode(batch)).length, 0, "skips");
    }

    // ---------------------------------------------------------------- Reasons to skip

    function test_relay_skipsIfEmpty() external {
        SignedBatch memory bad = signed(trainer, KEY, 0, "");
        requireSkipped(bad, 2, abi.encodeWithSelector(IErrors.EmptyBatch.selector));
    }

    function test_relay_skipsIfMalformed() external {
        SignedBatch memory bad = signed(trainer, KEY, 0, bytes.concat(one(0), hex"000000040000"));
        requireSkipped(bad, 2, abi.encodeWithSelector(IErrors.MalformedBatch.selector, 6));
    }

    function test_relay_skipsIfExpired() external {
        SignedBatch memory bad = unsigned(vm.addr(KEY), 0, one(0));
        bad.deadline = uint40(clock() - 1);
        bad = Sign.by(KEY, address(trainer), bad);
        requireSkipped(
            bad, 3, abi.encodeWithSelector(ICollaborativeTrainer.Expired.selector, clock() - 1, clock())
        );
    }

    function test_relay_skipsIfNonceUsed() external {
        SignedBatch memory bad = signed(trainer, KEY, 0, one(0));
        relay(BOB, Sign.encode(bad));
        requireSkipped(bad, 3, nonceUsed(bad.author, 0));
    }

    function test_relay_skipsIfNonceCancelled() external {
        SignedBatch memory bad = signed(trainer, KEY, 6, one(0));
        vm.prank(bad.author);
        trainer.cancelNonces(6);
        requireSkipped(bad, 3, nonceUsed(bad.author, 6));
        requireAllAccepted(Sign.encode(signed(trainer, KEY, 7, one(0))), 1);
    }

    function test_relay_skipsIfNonceTooOld() external {
        requireAllAccepted(Sign.encode(signed(trainer, KEY, 64, one(0))), 1);
        requireSkipped(signed(trainer, KEY, 0, one(0)), 3, nonceUsed(vm.addr(KEY), 0));
        requireAllAccepted(Sign.encode(signed(trainer, KEY, 1, one(0))), 1);
    }

    function test_relay_skipsIfPriceTooHigh() external {
        SignedBatch memory bad = unsigned(vm.addr(KEY), 0, one(0));
        uint256 price = trainer.price(3);
        bad.maxDeposit = uint96(price - 1);
        bad = Sign.by(KEY, address(trainer), bad);
        requireSkipped(
            bad, 3, abi.encodeWithSelector(ICollaborativeTrainer.PriceTooHigh.selector, price, price - 1)
        );
    }

    function test_relay_skipsIfBalanceTooLow() external {
        uint256 price = trainer.price(4);
        SignedBatch memory bad = unsigned(vm.addr(99), 0, two());
        bad.fee = 9;
        bad = Sign.by(99, address(trainer), bad);
        uint256 required = 2 * price + 9;
        trainer.depositTo{value: required - 1}(bad.author);
        requireSkipped(
            bad, 4, abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, required, required - 1)
        );
    }

    /// @dev The first batch has spent the balance.
    function test_relay_skipsIfBalanceIsSpentInIt() external {
        uint256 price = trainer.price(2);
        SignedBatch memory first = signed(trainer, 99, 0, one(0));
        SignedBatch memory second = signed(trainer, 99, 1, one(1));
        trainer.depositTo{value: price + price / 2}(first.author);
        Skip[] memory skips = relay(BOB, bytes.concat(Sign.encode(first), Sign.encode(second)));
        assertEq(skips.length, 1, "skips");
        assertEq(
            skips[0].reason,
            abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, price, price / 2),
            "reason"
        );
    }

    /// @dev Each fault hides the faults that are checked after it.
    function test_relay_reportsReasonsInOrder() external {
        address author = vm.addr(99);
        SignedBatch memory bad = unsigned(author, 0, hex"00");
        bad.deadline = uint40(clock() - 1);
        vm.prank(author);
        trainer.cancelNonces(0);
        bad.maxDeposit = 0;
        requireSkipped(bad, 2, abi.encodeWithSelector(IErrors.MalformedBatch.selector, 0));
        bad.items = one(9);
        requireSkipped(
            bad, 3, abi.encodeWithSelector(ICollaborativeTrainer.Expired.selector, clock() - 1, clock())
        );
        bad.deadline = type(uint40).max;
        requireSkipped(bad, 3, nonceUsed(author, 0));
        bad.nonce = 1;
        uint256 price = trainer.price(3);
        requireSkipped(bad, 3, abi.encodeWithSelector(ICollaborativeTrainer.PriceTooHigh.selector, price, 0));
        bad.maxDeposit = type(uint96).max;
        requireSkipped(bad, 3, abi.encodeWithSelector(IAccounts.BalanceTooLow.selector, price, 0));
        trainer.depositTo{value: 2 * price}(author);
        requireSkipped(bad, 3, invalid(author));
        bad = Sign.by(99, address(trainer), bad);
        requireSkipped(bad, 3, abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 9, 2));
        bad.items = one(0);
        bad = Sign.by(99, address(trainer), bad);
        requireAllAccepted(Sign.encode(bad), 1);
    }

    function test_relay_writesNothingIfAllAreSkipped() external {
        relay(BOB, Sign.encode(signed(trainer, KEY, 0, one(0))));
        pass(1 hours);
        SignedBatch memory expired = signed(trainer, 1, 0, two());
        expired.deadline = 0;
        bytes memory batches = bytes.concat(
            Sign.encode(expired),
            Sign.encode(signed(trainer, KEY, 0, one(0))),
            Sign.encode(signed(trainer, 2, 0, "")),
            Sign.encode(signed(trainer, 3, 0, one(9))),
            Sign.encode(Sign.by(1, address(trainer), unsigned(vm.addr(4), 0, one(0))))
        );
        vm.record();
        assertEq(relay(BOB, batches).length, 5, "skips");
        (, bytes32[] memory writes) = vm.accesses(address(trainer));
        assertEq(writes.length, 0, "the trainer's");
        (, writes) = vm.accesses(address(classifier));
        assertEq(writes.length, 0, "the model's");
    }

    // ---------------------------------------------------------------- Signatures of keys

    function test_relay_skipsIfWronglySigned() external {
        SignedBatch memory bad = signed(trainer, KEY, 0, one(0));
        bytes memory reason = invalid(bad.author);
        // Another key, a change of each signed field, another trainer, no signature, and invalid
        // lengths.
        requireSkipped(Sign.by(KEY + 1, address(trainer), bad), 3, reason);
        bad = Sign.by(KEY, address(trainer), bad);
        bad.maxDeposit -= 1;
        requireSkipped(bad, 3, reason);
        bad.maxDeposit += 1;
        bad.fee += 1;
        requireSkipped(bad, 3, reason);
        bad.fee -= 1;
        // A named sender in place of anyone.
        bad.relayer = CAROL;
        requireSkipped(bad, 3, reason);
        bad.relayer = address(0);
        bad.nonce += 1;
        requireSkipped(bad, 3, reason);
        bad.nonce -= 1;
        bad.deadline += 1;
        requireSkipped(bad, 3, reason);
        bad.deadline -= 1;
        bad.items = one(1);
        requireSkipped(bad, 3, reason);
        bad.items = one(0);
        bytes memory signature = bad.signature;
        bad.signature = "";
        requireSkipped(bad, 3, reason);
        bad.signature = bytes.concat(signature, hex"0000");
        requireSkipped(bad, 3, reason);
        bad.signature = new bytes(65);
        requireSkipped(bad, 3, reason);
        bad.signature = new bytes(64);
        requireSkipped(bad, 3, reason);
        bad.signature = new bytes(type(uint16).max);
        requireSkipped(bad, 3, reason);
        requireSkipped(Sign.by(KEY, address(this), bad), 3, reason);
        bad.signature = signature;
        requireAllAccepted(Sign.encode(bad), 1);
    }

    /// @dev A chain that splits off has another chain id, so older signatures count on one of the
    /// chains only.
    function test_relay_skipsOnOtherChain() external {
        SignedBatch memory bad = this.signedHere(KEY, 0, one(0));
        uint256 chain = this.chainNumber();
        vm.chainId(chain + 1);
        assertEq(relay(BOB, Sign.encode(bad))[0].reason, invalid(bad.author), "of the other chain");
        SignedBatch memory good = this.signedHere(KEY, 0, one(0));
        vm.chainId(chain);
        assertEq(relay(BOB, Sign.encode(good))[0].reason, invalid(bad.author), "and the other way round");
        vm.chainId(chain + 1);
        requireAllAccepted(Sign.encode(good), 1);
    }

    function test_relay_skipsIfVIsNeither27Nor28() external {
        SignedBatch memory bad = Sign.long(KEY, address(trainer), unsigned(vm.addr(KEY), 0, one(0)));
        bad.signature[64] = bytes1(uint8(bad.signature[64]) - 27);
        requireSkipped(bad, 3, invalid(bad.author));
    }

    /// @dev No key has the zero address, but a signature that recovers to no signer yields it.
    /// Precompiles are no wallets either.
    function test_relay_skipsIfAuthorIsNobody() external {
        for (uint160 i; i < 18; ++i) {
            SignedBatch memory bad = unsigned(address(i), 0, one(0));
            trainer.depositTo{value: 1e23}(address(i));
            bad.signature = new bytes(65);
            bad.signature[64] = bytes1(uint8(27));
            requireSkipped(bad, 3, invalid(address(i)));
            bad.signature = "";
            requireSkipped(bad, 3, invalid(address(i)));
        }
    }

    /// @dev The same message has other valid signatures, but one nonce counts once.
    function test_relay_countsMalleableSignaturesOnce() external {
        SignedBatch memory short = signed(trainer, KEY, 0, one(0));
        SignedBatch memory long = Sign.long(KEY, address(trainer), unsigned(short.author, 0, one(0)));
        SignedBatch memory other = Sign.long(KEY, address(trainer), unsigned(short.author, 0, one(0)));
        (bytes32 r, bytes32 s) =
            (bytes32(Groups.number(other.signature, 0, 32)), bytes32(Groups.number(other.signature, 32, 32)));
        uint8 v = 55 - uint8(other.signature[64]);
        other.signature = abi.encodePacked(r, ORDER - uint256(s), v);
        SignedBatch[3] memory batches = [short, long, other];
        uint256 start = vm.snapshotState();
        for (uint256 i; i < 3; ++i) {
            requireAllAccepted(Sign.encode(batches[i]), 1);
            for (uint256 j; j < 3; ++j) {
                requireSkipped(batches[j], 3, nonceUsed(short.author, 0));
            }
            vm.revertToState(start);
        }
    }

    // ---------------------------------------------------------------- Relays that fail

    /// @dev Cuts the batches anywhere but between two of them.
    function test_relay_failsIfCut() external {
        bytes memory first = Sign.encode(signed(trainer, 1, 0, two()));
        bytes memory second = Sign.encode(Sign.long(2, address(trainer), signed(trainer, 2, 0, one(0))));
        bytes memory batches = bytes.concat(first, second);
        for (uint256 length = 1; length < batches.length; ++length) {
            if (length == first.length) continue;
            vm.expectRevert(
                abi.encodeWithSelector(
                    SignedBatches.MalformedRelay.selector, length < first.length ? 0 : first.length
                )
            );
            trainer.relay(Groups.slice(batches, 0, length), GAS_PER_BATCH);
        }
        requireAllAccepted(batches, 3);
    }

    /// @dev The length of the items, or of the signature, is far too large.
    function test_relay_failsIfLengthsRunPastEnd() external {
        SignedBatch memory batch = signed(trainer, 1, 0, two());
        bytes memory batches = Sign.encode(batch);
        batches[56] = 0xff;
        vm.expectRevert(abi.encodeWithSelector(SignedBatches.MalformedRelay.selector, 0));
        trainer.relay(batches, GAS_PER_BATCH);
        batches[56] = 0;
        batches[60 + batch.items.length] = 0xff;
        vm.expectRevert(abi.encodeWithSelector(SignedBatches.MalformedRelay.selector, 0));
        trainer.relay(batches, GAS_PER_BATCH);
    }

    function test_relay_failsIfNotInitialized() external {
        ICollaborativeTrainer clone =
            ICollaborativeTrainer(LibClone.clone(depositRefundTake, abi.encode(ALICE, BOB, 3, 2, 1, 0, 0)));
        bytes memory batches = Sign.encode(signed(clone, 1, 0, one(0)));
        vm.expectRevert(abi.encodeWithSelector(IMechanismErrors.NotInitialized.selector));
        clone.relay(batches, GAS_PER_BATCH);
    }

    /// @dev An implementation's arguments are pieces of its code. Either their price is higher than
    /// any balance, so all is skipped, or the full counter rejects contributions.
    function test_relay_takesNothingOnImplementation() external {
        requireLocked(ICollaborativeTrainer(depositRefundTake));
        requireLocked(ICollaborativeTrainer(points));
    }

    function requireLocked(ICollaborativeTrainer implementation) private {
        SignedBatch memory batch = signed(implementation, 1, 0, one(0));
        vm.deal(address(this), type(uint96).max);
        implementation.depositTo{value: type(uint96).max}(batch.author);
        uint256 count = implementation.contributionCount();
        try implementation.relay(Sign.encode(batch), GAS_PER_BATCH) {}
        catch (bytes memory reason) {
            assertEq(reason, abi.encodeWithSignature("Panic(uint256)", 0x11), "reason");
        }
        assertEq(implementation.contributionCount(), count, "count");
        assertTrue(!implementation.nonceUsed(batch.author, 0), "nonce");
        assertEq(implementation.balanceOf(batch.author), type(uint96).max, "balance");
    }

    // ---------------------------------------------------------------- Signatures of wallets

    /// @dev An account that delegates to code (EIP-7702) signs with its key and with the code. Its
    /// relayed contributions stay when it revokes the delegation.
    function test_relay_takesBothSignaturesOfDelegatedAccount() external {
        address author = vm.addr(KEY);
        vm.etch(author, abi.encodePacked(hex"ef0100", address(new HostileWallet())));
        SignedBatch memory byCode = unsigned(author, 0, one(0));
        byCode.signature = "anything";
        requireAllAccepted(bytes.concat(Sign.encode(byCode), Sign.encode(signed(trainer, KEY, 1, one(0)))), 2);
        vm.etch(author, "");
        assertEq(trainer.contributionCount(), 2, "they stay");
        byCode.nonce = 2;
        requireSkipped(byCode, 3, invalid(author));
        requireAllAccepted(Sign.encode(signed(trainer, KEY, 2, one(0))), 1);
    }

    function test_relay_takesWalletThatAgrees() external {
        HostileWallet wallet = prepaidWallet();
        SignedBatch memory batch = unsigned(address(wallet), 0, two());
        batch.signature = "anything";
        requireAllAccepted(Sign.encode(batch), 2);
        assertTrue(trainer.nonceUsed(address(wallet), 0), "nonce");
        requireSkipped(batch, 4, nonceUsed(address(wallet), 0));
    }

    function test_relay_skipsIfWalletDoesNotAgree() external {
        HostileWallet wallet = prepaidWallet();
        SignedBatch memory bad = unsigned(address(wallet), 0, one(0));
        for (uint256 i = uint256(Signing.No); i <= uint256(type(Signing).max); ++i) {
            wallet.sign(Signing(i));
            requireSkipped(bad, 3, invalid(address(wallet)));
        }
        wallet.sign(Signing.Yes);
        requireAllAccepted(Sign.encode(bad), 1);
    }

    /// @dev The signed data names the author. So one key can stand behind two wallets.
    function test_relay_skipsIfOtherWalletOfSameKey() external {
        (HostileWallet first, HostileWallet second) = (prepaidWallet(), prepaidWallet());
        first.signWith(vm.addr(KEY));
        second.signWith(vm.addr(KEY));
        SignedBatch memory batch = Sign.long(KEY, address(trainer), unsigned(address(first), 0, one(0)));
        batch.author = address(second);
        requireSkipped(batch, 3, invalid(address(second)));
        // The signature does not serve for the key's own account either.
        batch.author = vm.addr(KEY);
        requireSkipped(batch, 3, invalid(batch.author));
        batch.author = address(first);
        requireAllAccepted(Sign.encode(batch), 1);
        batch = Sign.long(KEY, address(trainer), unsigned(address(second), 0, one(0)));
        requireAllAccepted(Sign.encode(batch), 1);
    }

    // ---------------------------------------------------------------- Classifiers

    function test_relay_skipsIfClassifierRefuses() external {
        SignedBatch memory bad = signed(trainer, KEY, 0, bytes.concat(one(0), one(9)));
        requireSkipped(bad, 4, abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 1, 9, 2));
        bad = signed(trainer, KEY, 0, Encode.item(0, hex"00"));
        requireSkipped(bad, 3, abi.encodeWithSelector(Samples.OddSampleLength.selector, 0, 1));
    }

    function test_relay_skipsIfModelIsOpen() external {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(8, 1, int256(0)));
        prepay();
        SignedBatch memory batch = signed(trainer, KEY, 0, one(0));
        Skip[] memory skips = relay(BOB, Sign.encode(batch));
        assertEq(skips[0].reason, abi.encodeWithSelector(IClassifier.InitializationOpen.selector), "open");
        vm.prank(OWNER);
        classifier.close(address(trainer));
        requireAllAccepted(Sign.encode(batch), 1);
    }

    /// @dev In every kind of failure the trainer skips each batch, and the relay ends. It needs
    /// only the gas of a small transaction.
    function test_relay_skipsIfClassifierFails() external {
        LyingClassifier lying = lie();
        bytes memory batches = bytes.concat(
            Sign.encode(signed(trainer, 1, 0, one(0))),
            Sign.encode(signed(trainer, 2, 0, two())),
            Sign.encode(signed(trainer, 3, 0, one(1)))
        );
        bytes memory failed = abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector);
        requireAllSkipped(
            lying, Lie.Reverts, batches, abi.encodeWithSelector(LyingClassifier.Lied.selector, 7)
        );
        requireAllSkipped(lying, Lie.RevertsWithNothing, batches, failed);
        requireAllSkipped(lying, Lie.BurnsGas, batches, failed);
        bytes memory cut = bytes.concat(bytes32(type(uint256).max), new bytes(224));
        requireAllSkipped(lying, Lie.RevertsHuge, batches, cut);
        lying.tell(0, Lie.None, Lie.None);
        requireAllAccepted(batches, 4);
    }

    function test_relay_refusesReentry() external {
        LyingClassifier lying = lie();
        lying.tell(0, Lie.Reenters, Lie.None);
        SignedBatch memory other = signed(trainer, KEY, 0, one(0));
        bytes[5] memory attacks = [
            abi.encodeCall(trainer.relay, (Sign.encode(other), GAS_PER_BATCH)),
            abi.encodeCall(trainer.contribute, (one(0))),
            abi.encodeCall(trainer.refund, (hex"")),
            abi.encodeCall(trainer.withdrawTo, (address(lying), 0)),
            abi.encodeCall(trainer.depositTo, (address(lying)))
        ];
        for (uint256 i; i < 5; ++i) {
            lying.tellAttack(attacks[i]);
            requireAllAccepted(Sign.encode(signed(trainer, 1, i, one(0))), 1);
            assertEq(lying.attacks(), i + 1, "attacked");
            assertEq(lying.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
        }
        assertTrue(!trainer.nonceUsed(other.author, 0), "not relayed");
    }

    // ---------------------------------------------------------------- Gas

    /// @dev One batch cannot take the gas of the others: a wallet burns only its own.
    function test_relay_keepsGasOfOthers() external {
        HostileWallet wallet = prepaidWallet();
        wallet.sign(Signing.BurnsGas);
        bytes memory bad = Sign.encode(unsigned(address(wallet), 0, one(0)));
        bytes memory batches;
        for (uint256 i; i < 10; ++i) {
            batches = bytes.concat(batches, bad, Sign.encode(signed(trainer, 1 + i, 0, one(0))));
        }
        // The promised gas for each batch, and the gas of the trainer itself.
        trainer.relay{gas: 20 * 100_000 + 1_000_000}(batches, 100_000);
        assertEq(trainer.contributionCount(), 10, "all others");
    }

    /// @dev A lesson may need more gas than when the relayer tried it, which costs the others
    /// nothing. Here the lesson writes all slots of a new model, but in the trial the model
    /// predicted the label.
    function test_relay_skipsOnlyLessonThatNeedsMoreGas() external {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(1000, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
        prepay();
        bytes memory bad = Sign.encode(signed(trainer, KEY, 0, Encode.item(1, spread(60))));
        bytes memory batches;
        for (uint256 i; i < 10; ++i) {
            batches = bytes.concat(batches, bad, Sign.encode(signed(trainer, 1 + i, 0, one(0))));
        }
        Skip[] memory skips = relay(BOB, batches);
        assertEq(skips.length, 10, "skips");
        assertEq(
            skips[0].reason, abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector), "reason"
        );
        assertEq(trainer.contributionCount(), 10, "all others");
    }

    /// @dev With any amount of gas, a relay accepts all good batches or fails. It skips none for
    /// gas that others have used. This holds even if the first lesson costs many times what later
    /// ones do, because it writes all slots of a new model. Each call is a transaction of its own,
    /// with cold storage.
    /// forge-config: default.isolate = true
    function test_relay_skipsNobodyForLackOfGas() external {
        (trainer, classifier) = create(sparsePerceptron, abi.encode(1000, 1, int256(0)));
        vm.prank(OWNER);
        classifier.close(address(trainer));
        prepay();
        bytes memory batches;
        for (uint256 i; i < 20; ++i) {
            bytes memory items = Encode.item(1, spread(60));
            batches = bytes.concat(batches, Sign.encode(signed(trainer, 1 + i, 0, items)));
        }
        uint256 state = vm.snapshotState();
        bool accepted;
        for (uint256 limit = 500_000; !accepted; limit += 250_000) {
            try trainer.relay{gas: limit}(batches, 1_500_000) {
                accepted = true;
                uint256 used = vm.lastCallGas().gasTotalUsed;
                assertEq(trainer.contributionCount(), 20, "accepted");
                assertAtMost(limit, used + 2_000_000, "no more is needed");
            } catch (bytes memory reason) {
                assertTrue(reason.length == 0 || bytes4(reason) == CallGas.GasTooLow.selector, "why");
                assertTrue(vm.revertToState(state), "as before");
            }
        }
    }

    /// @dev Tries gas limits around the one from which a relay does not fail. Lessons and
    /// signatures need exactly their allowance, and items take much gas to encode. No limit makes
    /// the trainer skip an honest batch.
    /// forge-config: default.isolate = true
    function test_relay_skipsNoHonestBatchAtAnyGasLimit() external {
        puppet(600_000);
        bytes memory items = large();
        requireAllOrNothing(Sign.encode(signed(trainer, 1, 0, items)), 100);
    }

    /// forge-config: default.isolate = true
    function test_relay_skipsNoneOfTwoAtAnyGasLimit() external {
        puppet(600_000);
        bytes memory items = large();
        bytes memory batches = bytes.concat(
            Sign.encode(signed(trainer, 1, 0, items)), Sign.encode(signed(trainer, 2, 0, items))
        );
        requireAllOrNothing(batches, 200);
    }

    /// @dev The gas is too low for the wallet, and then for the lesson: the relay fails and skips
    /// nothing.
    function test_relay_failsIfGasTooLow() external {
        puppet(300_000);
        HostileWallet wallet = prepaidWallet();
        wallet.signSlowly(500_000);
        bytes memory batches = Sign.encode(unsigned(address(wallet), 0, large()));
        requireGasTooLow(batches, 600_000, 580_000);
        batches = Sign.encode(signed(trainer, 2, 0, large()));
        requireGasTooLow(batches, 400_000, 390_000);
    }

    function requireGasTooLow(bytes memory batches, uint256 gasPerBatch, uint256 gas) private {
        bytes memory call = abi.encodeCall(trainer.relay, (batches, gasPerBatch));
        (bool success, bytes memory reason) = address(trainer).call{gas: gas}(call);
        assertTrue(!success && bytes4(reason) == CallGas.GasTooLow.selector, "too little gas");
    }

    /// @dev Uses a wallet whose signature takes most of the gas.
    /// forge-config: default.isolate = true
    function test_relay_skipsNoWalletAtAnyGasLimit() external {
        puppet(200_000);
        HostileWallet wallet = prepaidWallet();
        wallet.signSlowly(500_000);
        SignedBatch memory batch = unsigned(address(wallet), 0, large());
        requireAllOrNothing(bytes.concat(Sign.encode(signed(trainer, 2, 0, one(0))), Sign.encode(batch)), 101);
    }

    /// @dev A lesson has the batch's gas that the signature left. The trainer's own work is not
    /// part of it.
    function test_relay_sharesGasOfSignatureAndLesson() external {
        puppet(300_000);
        HostileWallet wallet = prepaidWallet();
        wallet.signSlowly(200_000);
        SignedBatch memory batch = unsigned(address(wallet), 0, large());
        bytes memory both = bytes.concat(Sign.encode(batch), Sign.encode(signed(trainer, 2, 0, large())));
        vm.recordLogs();
        trainer.relay(both, 450_000);
        Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.Skipped.selector);
        assertEq(logs.length, 1, "one is skipped");
        assertEq(address(uint160(uint256(logs[0].topics[1]))), address(wallet), "the wallet's");
        assertEq(
            logs[0].data,
            abi.encode(0, abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector)),
            "its lesson had too little"
        );
        assertEq(trainer.contributionCount(), 100, "the key's, with all of it for the lesson");
        trainer.relay(Sign.encode(batch), 550_000);
        assertEq(trainer.contributionCount(), 200, "with enough for both");
    }

    /// @dev This gas covers a relay with any batches: its own work, the batches' allowances, a 63rd
    /// of one allowance, and 8,000. Here each batch burns its whole allowance.
    /// forge-config: default.isolate = true
    function test_relay_cannotBeMadeToFailIfCovered() external {
        HostileWallet[] memory wallets = new HostileWallet[](5);
        LyingClassifier lying = lie();
        bytes memory batches;
        for (uint256 i; i < 5; ++i) {
            wallets[i] = prepaidWallet();
            batches = bytes.concat(batches, Sign.encode(unsigned(address(wallets[i]), 0, one(0))));
        }
        uint256 state = vm.snapshotState();
        uint256 gasPerBatch = 400_000;
        // Batches that use almost no gas show an upper bound of the trainer's own work.
        trainer.relay(batches, gasPerBatch);
        uint256 own = vm.lastCallGas().gasTotalUsed;
        assertEq(trainer.contributionCount(), 5, "honest");
        uint256 limit = own + 5 * gasPerBatch + gasPerBatch / 63 + 1 + 8_000;
        assertTrue(vm.revertToState(state), "as before");
        lying.tell(0, Lie.BurnsGas, Lie.None);
        trainer.relay{gas: limit}(batches, gasPerBatch);
        for (uint256 i; i < 5; ++i) {
            wallets[i].sign(Signing.BurnsGas);
        }
        trainer.relay{gas: limit}(batches, gasPerBatch);
        assertEq(trainer.contributionCount(), 0, "all skipped, and none made it fail");
    }

    // ---------------------------------------------------------------- Helpers

    /// @dev Finds the least gas for each batch that accepts all. Then every gas limit makes the
    /// relay fail as a whole or accept all. It tries limits around two: the one from which the last
    /// call gets enough, and the one from which the relay succeeds.
    /// @param n The number of contributions in the relay.
    function requireAllOrNothing(bytes memory batches, uint256 n) private {
        (uint256 few, uint256 enough) = (100_000, 2_000_000);
        while (enough - few > 1) {
            uint256 middle = (few + enough) / 2;
            (bool success,, uint256 accepted) = tryRelay(batches, middle, 15_000_000);
            if (success && accepted == n) enough = middle;
            else few = middle;
        }
        (uint256 fails, uint256 succeeds) = (300_000, 8_000_000);
        while (succeeds - fails > 200) {
            uint256 middle = (fails + succeeds) / 2;
            (bool success,,) = tryRelay(batches, enough, middle);
            if (success) succeeds = middle;
            else fails = middle;
        }
        (uint256 refused, uint256 given) = (enough + 100_000, succeeds);
        while (given - refused > 200) {
            uint256 middle = (refused + given) / 2;
            (, bool tooLow,) = tryRelay(batches, enough, middle);
            if (tooLow) refused = middle;
            else given = middle;
        }
        assertTrue(requireAround(batches, enough, refused, n), "calls get too little below");
        requireAround(batches, enough, succeeds, n);
    }

    /// @dev Relays with gas limits around one. Returns `true` if the lowest of them were too low
    /// for a call.
    function requireAround(bytes memory batches, uint256 gasPerBatch, uint256 limit, uint256 n)
        private
        returns (bool refused)
    {
        uint256 failures;
        for (uint256 i; i < 80; ++i) {
            (bool success, bool tooLow, uint256 accepted) =
                tryRelay(batches, gasPerBatch, limit + 500 * i - 20_000);
            if (success) assertEq(accepted, n, "all are accepted");
            else ++failures;
            if (i == 0) refused = tooLow;
        }
        assertTrue(failures > 20, "below it fails");
    }

    /// @dev Relays with a gas limit, and reverts the state.
    /// @return success `true` if the relay succeeded.
    /// @return tooLow `true` if it failed because a call could get too little gas.
    /// @return accepted The number of contributions.
    function tryRelay(bytes memory batches, uint256 gasPerBatch, uint256 limit)
        private
        returns (bool success, bool tooLow, uint256 accepted)
    {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        uint256 state = vm.snapshotState();
        try trainer.relay{gas: limit}(batches, gasPerBatch) {
            success = true;
        } catch (bytes memory reason) {
            tooLow = bytes4(reason) == CallGas.GasTooLow.selector;
            // Otherwise the code after the last call had too little gas.
            assertTrue(tooLow || reason.length == 0, "why");
        }
        accepted = trainer.contributionCount();
        vm.revertToState(state);
        // Frees the memory of so many large calls.
        assembly ("memory-safe") {
            mstore(0x40, free)
        }
    }

    /// @dev Replaces the model by one whose lessons use this much gas.
    function puppet(uint256 lesson) private {
        Strings strings = new Strings();
        strings.burn(0, 0, lesson);
        address implementation = address(new PuppetClassifier(strings));
        vm.prank(OWNER);
        (address created,) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            implementation,
            ""
        );
        trainer = ICollaborativeTrainer(created);
        prepay();
    }

    /// @dev Returns 100 items of 25,200 bytes together.
    function large() private pure returns (bytes memory items) {
        for (uint256 i; i < 100; ++i) {
            items = bytes.concat(items, Encode.item(0, new bytes(248)));
        }
    }

    /// @dev Returns a batch that only `relayer` may send.
    function bound(uint256 key, uint256 nonce, address relayer, bytes memory items)
        private
        view
        returns (SignedBatch memory batch)
    {
        batch = unsigned(vm.addr(key), nonce, items);
        batch.relayer = relayer;
        return Sign.by(key, address(trainer), batch);
    }

    /// @dev Returns batches of the keys from 1 on, each with a fee of 100 and bound to BOB.
    function boundBatches(uint256 n, uint96 maxDeposit) private view returns (bytes memory batches) {
        for (uint256 i; i < n; ++i) {
            SignedBatch memory batch = unsigned(vm.addr(1 + i), 0, one(0));
            (batch.relayer, batch.fee, batch.maxDeposit) = (BOB, 100, maxDeposit);
            batches = bytes.concat(batches, Sign.encode(Sign.by(1 + i, address(trainer), batch)));
        }
    }

    /// @dev Signs for the chain id of now: the compiler treats it as constant, so this is an
    /// external call.
    function signedHere(uint256 key, uint256 nonce, bytes calldata items)
        external
        view
        returns (SignedBatch memory)
    {
        return signed(trainer, key, nonce, items);
    }

    function chainNumber() external view returns (uint256) {
        return block.chainid;
    }

    function relay(address relayer, bytes memory batches) private returns (Skip[] memory skips) {
        vm.recordLogs();
        vm.prank(relayer);
        trainer.relay{gas: 20_000_000}(batches, GAS_PER_BATCH);
        Vm.Log[] memory logs = logsOf(ICollaborativeTrainer.Skipped.selector);
        skips = new Skip[](logs.length);
        for (uint256 i; i < skips.length; ++i) {
            skips[i].author = address(uint160(uint256(logs[i].topics[1])));
            (skips[i].nonce, skips[i].reason) = abi.decode(logs[i].data, (uint256, bytes));
        }
    }

    /// @dev Sends a bad batch between two good ones. Checks that it is skipped for the reason and
    /// that nothing else changes.
    /// @param n The number of items in batches with well-formed items.
    function requireSkipped(SignedBatch memory bad, uint256 n, bytes memory reason) private {
        SignedBatch memory first = signed(trainer, FIRST_KEY, nextNonce, one(0));
        SignedBatch memory last = signed(trainer, LAST_KEY, nextNonce, one(1));
        ++nextNonce;
        (uint256 position, uint256 price) = (trainer.contributionCount(), trainer.price(n));
        (uint256 before, bool used) =
            (trainer.balanceOf(bad.author), trainer.nonceUsed(bad.author, bad.nonce));
        Skip[] memory skips =
            relay(CAROL, bytes.concat(Sign.encode(first), Sign.encode(bad), Sign.encode(last)));
        assertEq(skips.length, 1, "one is skipped");
        assertEq(skips[0].reason, reason, "reason");
        assertEq(skips[0].author, bad.author, "author");
        assertEq(skips[0].nonce, bad.nonce, "nonce");
        assertEq(trainer.balanceOf(bad.author), before, "balance");
        assertTrue(trainer.nonceUsed(bad.author, bad.nonce) == used, "used");
        assertEq(trainer.contributionCount(), position + 2, "two are accepted");
        Contribution[] memory both =
            Groups.join(made(first, price, position), made(last, price, position + 1));
        assertEq(trainer.root(position), Groups.root(both), "root");
    }

    function requireAllAccepted(bytes memory batches, uint256 n) private {
        uint256 before = trainer.contributionCount();
        assertEq(relay(CAROL, batches).length, 0, "skips");
        assertEq(trainer.contributionCount(), before + n, "accepted");
        assertTrue(trainer.root(before) != 0, "recorded");
    }

    function requireAllSkipped(LyingClassifier lying, Lie how, bytes memory batches, bytes memory reason)
        private
    {
        lying.tell(0, how, Lie.None);
        vm.record();
        Skip[] memory skips = relay(CAROL, batches);
        assertEq(skips.length, 3, "skips");
        for (uint256 i; i < 3; ++i) {
            assertEq(skips[i].reason, reason, "reason");
        }
        (, bytes32[] memory writes) = vm.accesses(address(trainer));
        assertEq(writes.length, 0, "nothing is written");
    }

    /// @dev Replaces the model by one that lies.
    function lie() private returns (LyingClassifier lying) {
        address implementation = address(new LyingClassifier());
        vm.prank(OWNER);
        (address created, address model) = factory.create(
            depositRefundTake,
            abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT),
            implementation,
            ""
        );
        (trainer, lying) = (ICollaborativeTrainer(created), LyingClassifier(model));
        prepay();
    }

    function prepay() private {
        vm.deal(address(this), 1e27);
        for (uint256 key = 1; key <= 20; ++key) {
            trainer.depositTo{value: 1e24}(vm.addr(key));
        }
    }

    function prepaidWallet() private returns (HostileWallet wallet) {
        wallet = new HostileWallet();
        trainer.depositTo{value: 1e24}(address(wallet));
    }

    function made(SignedBatch memory batch, uint256 price, uint256 first)
        private
        view
        returns (Contribution[] memory)
    {
        return made(batch, price, first, this.clock());
    }

    function made(SignedBatch memory batch, uint256 price, uint256 first, uint256 time)
        private
        pure
        returns (Contribution[] memory)
    {
        return Groups.parse(batch.author, price, time, first, batch.items);
    }

    /// @dev Encodes the batch as `Relayed` logs it.
    function headerAndItems(SignedBatch memory batch) private pure returns (bytes memory) {
        return Groups.slice(Sign.encode(batch), 0, 60 + batch.items.length);
    }

    /// @dev Returns one item with feature 0.
    function one(uint256 label) private pure returns (bytes memory) {
        return Encode.item(label, hex"0000");
    }

    /// @dev Returns two items of class 1.
    function two() private pure returns (bytes memory) {
        return bytes.concat(Encode.item(1, hex"00000001"), Encode.item(1, hex"0000"));
    }

    /// @dev Returns a sample of features that share no slot.
    function spread(uint256 present) private pure returns (bytes memory) {
        uint256[] memory indices = new uint256[](present);
        for (uint256 i; i < present; ++i) {
            indices[i] = 16 * i;
        }
        return Encode.sparse(indices);
    }

    function nonceUsed(address author, uint256 nonce) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.NonceUsed.selector, author, nonce);
    }

    function invalid(address author) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.InvalidSignature.selector, author);
    }
}
