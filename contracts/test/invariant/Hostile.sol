// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {IClassifier} from "../../src/interfaces/IClassifier.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IERC1271} from "../../src/interfaces/IERC1271.sol";
import {IErrors} from "../../src/interfaces/IErrors.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {SignedBatches} from "../../src/libraries/SignedBatches.sol";
import {Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {HostileWallet, Receiving, Signing} from "../base/HostileWallet.sol";
import {Lie, LyingClassifier} from "../base/LyingClassifier.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {Handler} from "./Handler.sol";

/// @notice Hostile accounts. Wallets refuse, reenter and burn gas, a classifier lies, and
/// signatures are forged, stale or replayed. They do so half of the time, so that there is money to
/// steal.
contract Hostile is Handler {
    /// @dev The order of the curve.
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    LyingClassifier private immutable CLASSIFIER;

    HostileWallet[] private wallets;
    mapping(address person => bool) private isWallet;
    /// @dev Sent batches, for replays.
    bytes[] private sent;
    mapping(bytes32 hash => bool) private sentRightlySigned;

    mapping(bytes4 reason => uint256) private skips;
    uint256 private replays;

    constructor(ICollaborativeTrainer trainer, address owner, uint256 ownerKey) Handler(trainer) {
        CLASSIFIER = LyingClassifier(trainer.classifier());
        for (uint256 key = 1; key <= 3; ++key) {
            people.push(vm.addr(key));
            keys[vm.addr(key)] = key;
        }
        people.push(owner);
        keys[owner] = ownerKey;
        for (uint256 i; i < 3; ++i) {
            HostileWallet wallet = new HostileWallet();
            wallets.push(wallet);
            people.push(address(wallet));
            isWallet[address(wallet)] = true;
            // Two of the wallets have the same key, which is also the key of an account.
            keys[address(wallet)] = i == 0 ? 77 : 1;
            wallet.signWith(vm.addr(keys[address(wallet)]));
        }
        prepayAll();
    }

    // ---------------------------------------------------------------- Actions

    /// @dev Changes how a wallet signs and how it receives payments.
    function behave(uint256 which, uint256 signing, uint256 receiving, uint256 attack) external {
        HostileWallet wallet = wallets[which % wallets.length];
        if (signing & 1 == 0) wallet.signWith(vm.addr(keys[address(wallet)]));
        else wallet.sign(Signing((signing >> 1) % (uint256(type(Signing).max) + 1)));
        bool good = receiving & 1 == 0;
        wallet.receiveSo(
            good ? Receiving.Takes : Receiving((receiving >> 1) % 4), attackOf(attack, address(wallet))
        );
    }

    /// @dev Changes the classifier's label and its lies.
    function lie(uint256 label, uint256 teaching, uint256 predicting, uint256 attack) external {
        // A reentering classifier still learns.
        CLASSIFIER.tell(
            label & 1,
            teaching & 1 == 0 ? (teaching % 3 == 0 ? Lie.None : Lie.Reenters) : Lie((teaching >> 1) % 6),
            predicting & 1 == 0 ? Lie.None : Lie((predicting >> 1) % (uint256(type(Lie).max) + 1))
        );
        CLASSIFIER.tellAttack(attackOf(attack, address(CLASSIFIER)));
    }

    /// @dev Relays bytes that are no row of batches: the trainer accepts none of the good ones
    /// before them either.
    function relayGarbage(uint256 who, uint256 seed, uint256 cut) external {
        SignedBatch memory batch = plan(seed, 0, pick(who));
        batch.maxDeposit = type(uint96).max;
        bytes memory good = Sign.encode(Sign.by(1, address(TRAINER), batch));
        bytes memory bad = Groups.slice(good, 0, 1 + cut % (good.length - 1));
        bytes memory failure = abi.encodeWithSelector(SignedBatches.MalformedRelay.selector, good.length);
        call(pick(who), 0, abi.encodeCall(TRAINER.relay, (bytes.concat(good, bad), GAS_PER_BATCH)), failure);
        requireMoneyIsWhereItBelongs();
    }

    /// @dev Checks that every attempt to reenter was refused.
    function requireNobodyCameBack() external view {
        bytes memory answer = abi.encodeWithSignature("Reentrancy()");
        for (uint256 i; i < wallets.length; ++i) {
            if (wallets[i].attacks() == 0) continue;
            assertEq(wallets[i].answer(), answer, "wallet");
        }
        if (CLASSIFIER.attacks() == 0) return;
        assertEq(CLASSIFIER.answer(), answer, "classifier");
    }

    // ---------------------------------------------------------------- Behavior of this world

    function lessonFailure(bytes memory items) internal view override returns (bytes memory) {
        bytes memory failure = lieFailure(CLASSIFIER.teaching());
        if (failure.length != 0) return failure;
        for (uint256 offset; offset < items.length; offset += 4 + Groups.number(items, offset + 2, 2)) {
            if (uint8(items[offset + 1]) == 9) {
                return abi.encodeWithSelector(IClassifier.LabelOutOfRange.selector, 0, 9, 9);
            }
        }
        return "";
    }

    function predictions(bytes[] memory samples)
        internal
        view
        override
        returns (uint256[] memory labels, bytes memory failure)
    {
        Lie how = CLASSIFIER.predicting();
        failure = lieFailure(how);
        if (failure.length == 0 && how >= Lie.Empty && how <= Lie.WrongOffset) {
            failure = abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector);
        }
        if (failure.length != 0) return (labels, failure);
        labels = new uint256[](samples.length);
        uint256 label = CLASSIFIER.label();
        for (uint256 i; i < labels.length; ++i) {
            labels[i] = label;
        }
    }

    function refuses(address person) internal view override returns (bool) {
        if (!isWallet[person]) return false;
        Receiving how = HostileWallet(payable(person)).receiving();
        return how == Receiving.Refuses || how == Receiving.BurnsGas;
    }

    /// @dev Asks the signer beforehand, with the same gas or less.
    function saysYes(address signer, bytes32 digest, bytes memory signature)
        internal
        view
        override
        returns (bool)
    {
        if (!isWallet[signer]) return false;
        (bool success, bytes memory answer) =
            signer.staticcall{gas: 100_000}(abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        return
            success && answer.length >= 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }

    /// @dev Signs a delegation, half of the time with a fault: another key, keeper, reporter, time
    /// or trainer, or a flipped bit.
    function delegate(address reporter, address to, uint40 until, uint256 seed)
        internal
        view
        override
        returns (bytes memory signature, bool right)
    {
        uint256 fault = seed % 12;
        uint256 key = keys[reporter];
        bytes32 digest = Sign.delegation(
            fault == 0 ? address(this) : address(TRAINER),
            fault == 1 ? pick(seed >> 8) : reporter,
            fault == 2 ? address(this) : to,
            fault == 3 ? until + 1 : until
        );
        signature = Sign.long(fault == 4 ? key + 1 : key, digest);
        if (fault == 5) signature[(seed >> 8) % 64] ^= 0x01;
        if (fault == 6) signature = Sign.compact(key, digest);
        right = !isWallet[reporter] && (fault >= 6 || (fault == 1 && pick(seed >> 8) == reporter));
    }

    function isContract(address person) internal view override returns (bool) {
        return isWallet[person];
    }

    function plan(uint256 seed, uint256 index, address relayer)
        internal
        view
        override
        returns (SignedBatch memory batch)
    {
        if (seed % 8 == 0 && sent.length != 0) {
            return abi.decode(sent[(seed >> 8) % sent.length], (SignedBatch));
        }
        batch.author = pick(seed >> 8);
        if (seed >> 200 & 1 == 0) batch.relayer = relayer;
        // Mostly another account than the sender.
        if (seed >> 201 & 7 == 0) batch.relayer = pick(seed >> 208);
        batch.fee = uint96(seed >> 16 & 0xff);
        batch.nonce = freshNonce(batch.author, seed >> 24) + uint48(index);
        batch.deadline = uint40(time + (seed >> 32 & 0xffff));
        batch.items = randomItems(seed, seed & 15 == 1 ? 20 : 1 + (seed >> 40 & 3));
        uint256 fault = (seed >> 48) % 32;
        if (fault == 0) batch.items = "";
        if (fault == 1) batch.items = bytes.concat(batch.items, hex"00000001");
        if (fault == 2) batch.items = bytes.concat(batch.items, Encode.item(9, hex"0000"));
        if (fault == 3) batch.deadline = uint40(time - 1);
        if (fault == 4) batch.deadline = uint40(time);
        if (fault == 5) batch.nonce = uint48(highest[batch.author]);
        if (fault == 6 && batch.nonce > 64) batch.nonce -= 64;
        if (fault == 7) batch.nonce += 63;
        if (fault == 8) batch.fee = uint96(prepaid[batch.author]);
        if (fault == 9) batch.author = address(0);
    }

    function complete(Draft memory one, uint256 seed, uint256 price) internal override {
        if (one.batch.signature.length != 0) {
            one.rightlySigned = sentRightlySigned[keccak256(abi.encode(one.batch))];
            ++replays;
            return;
        }
        one.batch.maxDeposit = seed & 15 == 0 && price != 0 ? uint96(price - 1) : uint96(price);
        if (seed & 15 == 1) one.batch.maxDeposit = type(uint96).max;
        sign(one, seed >> 8);
        bytes memory encoded = abi.encode(one.batch);
        sent.push(encoded);
        sentRightlySigned[keccak256(encoded)] = one.rightlySigned;
    }

    function relent(uint256 seed) internal override {
        CLASSIFIER.tell(seed & 1, Lie.None, Lie.None);
        for (uint256 i; i < wallets.length; ++i) {
            wallets[i].receiveSo(Receiving.Takes, "");
            // One of the wallets may have all good contributions.
            wallets[i].signWith(vm.addr(keys[address(wallets[i])]));
        }
    }

    function enoughSkips() internal view override returns (bool) {
        return replays != 0 && skips[ICollaborativeTrainer.Expired.selector] != 0
            && skips[ICollaborativeTrainer.NonceUsed.selector] != 0
            && skips[ICollaborativeTrainer.PriceTooHigh.selector] != 0
            && skips[IAccounts.BalanceTooLow.selector] != 0
            && skips[ICollaborativeTrainer.InvalidSignature.selector] != 0
            && skips[IErrors.EmptyBatch.selector] != 0 && skips[IErrors.MalformedBatch.selector] != 0
            && skips[IClassifier.LabelOutOfRange.selector] != 0;
    }

    function onSkip(bytes memory reason) internal override {
        ++skips[bytes4(reason)];
    }

    /// @dev Signs correctly in one of three ways, or incorrectly.
    function sign(Draft memory one, uint256 seed) private view {
        uint256 key = keys[one.batch.author];
        // Nobody has the key of the zero address.
        if (key == 0) key = 1;
        one.rightlySigned = !isWallet[one.batch.author] && one.batch.author != address(0);
        uint256 way = seed % 16;
        if (way < 4) {
            one.batch = Sign.by(key, address(TRAINER), one.batch);
            return;
        }
        one.batch = Sign.long(key, address(TRAINER), one.batch);
        bytes memory signature = one.batch.signature;
        if (way < 8) {
            // The other valid signature of the same message.
            (bytes32 r, uint256 s) =
                (bytes32(Groups.number(signature, 0, 32)), Groups.number(signature, 32, 32));
            one.batch.signature = abi.encodePacked(r, ORDER - s, 55 - uint8(signature[64]));
        }
        if (way < 13) return;
        one.rightlySigned = false;
        if (way == 13) one.batch = Sign.long(key + 1, address(TRAINER), one.batch);
        if (way == 14) one.batch = Sign.long(key, address(this), one.batch);
        if (way == 15) {
            signature[(seed >> 8) % 64] ^= 0x01;
            one.batch.signature = signature;
        }
    }

    /// @dev Returns a call that could change something.
    function attackOf(uint256 seed, address attacker) private view returns (bytes memory) {
        uint256 what = seed % 8;
        if (what == 0) return abi.encodeCall(TRAINER.withdrawTo, (attacker, prepaid[attacker]));
        if (what == 1) return abi.encodeCall(TRAINER.depositTo, (attacker));
        if (what == 2) return abi.encodeCall(TRAINER.cancelNonces, (uint48(seed >> 8)));
        if (what == 3) return abi.encodeCall(TRAINER.contribute, (Encode.item(0, hex"0000")));
        if (what == 4 && sent.length != 0) {
            SignedBatch memory batch = abi.decode(sent[(seed >> 8) % sent.length], (SignedBatch));
            return abi.encodeCall(TRAINER.relay, (Sign.encode(batch), GAS_PER_BATCH));
        }
        if (transactions.length == 0) return abi.encodeCall(TRAINER.relay, ("", GAS_PER_BATCH));
        bytes memory claims = Groups.one(contributionsOf((seed >> 8) % transactions.length), 0);
        if (what == 5) return abi.encodeCall(TRAINER.refund, (claims));
        if (what == 6) return abi.encodeCall(TRAINER.report, (claims));
        return abi.encodeCall(TRAINER.claimLate, (claims));
    }

    function lieFailure(Lie how) private pure returns (bytes memory) {
        if (how == Lie.Reverts) return abi.encodeWithSelector(LyingClassifier.Lied.selector, 7);
        if (how == Lie.RevertsHuge) return bytes.concat(bytes32(type(uint256).max), new bytes(224));
        if (how == Lie.RevertsWithNothing || how == Lie.BurnsGas) {
            return abi.encodeWithSelector(IMechanismErrors.ClassifierFailed.selector);
        }
        return "";
    }
}
