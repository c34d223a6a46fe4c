// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Classifier} from "../../src/models/Classifier.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {Handler} from "./Handler.sol";

/// @notice Accounts with keys and a perceptron. Nobody lies, but everything happens at random and
/// too early or too late.
contract Calm is Handler {
    Classifier private immutable CLASSIFIER;

    constructor(ICollaborativeTrainer trainer, address owner, uint256 ownerKey) Handler(trainer) {
        CLASSIFIER = Classifier(trainer.classifier());
        for (uint256 key = 1; key <= 5; ++key) {
            people.push(vm.addr(key));
            keys[vm.addr(key)] = key;
        }
        people.push(owner);
        keys[owner] = ownerKey;
        prepayAll();
    }

    function lessonFailure(bytes memory) internal pure override returns (bytes memory) {
        return "";
    }

    function predictions(bytes[] memory samples)
        internal
        view
        override
        returns (uint256[] memory labels, bytes memory failure)
    {
        return (CLASSIFIER.predict(samples), "");
    }

    function refuses(address) internal pure override returns (bool) {
        return false;
    }

    function saysYes(address, bytes32, bytes memory) internal pure override returns (bool) {
        return false;
    }

    function delegate(address reporter, address to, uint40 until, uint256 seed)
        internal
        view
        override
        returns (bytes memory signature, bool right)
    {
        bytes32 digest = Sign.delegation(address(TRAINER), reporter, to, until);
        uint256 key = keys[reporter];
        return (seed & 1 == 0 ? Sign.compact(key, digest) : Sign.long(key, digest), true);
    }

    function isContract(address) internal pure override returns (bool) {
        return false;
    }

    function plan(uint256 seed, uint256 index, address relayer)
        internal
        view
        override
        returns (SignedBatch memory batch)
    {
        batch.author = pick(seed >> 8);
        if (seed >> 200 & 1 == 0) batch.relayer = relayer;
        batch.fee = uint96(seed >> 16 & 0xff);
        // Several batches by one author in one relay have different nonces.
        batch.nonce = freshNonce(batch.author, seed >> 24) + uint48(index);
        batch.deadline = uint40(time + (seed >> 32 & 1));
        batch.items = randomItems(seed, seed & 7 == 0 ? 20 : 1 + (seed >> 40 & 3));
    }

    function complete(Draft memory one, uint256 seed, uint256 price) internal view override {
        one.batch.maxDeposit = uint96(price + (seed >> 8 & 1));
        uint256 key = keys[one.batch.author];
        one.batch = seed & 1 == 0
            ? Sign.by(key, address(TRAINER), one.batch)
            : Sign.long(key, address(TRAINER), one.batch);
        one.rightlySigned = true;
    }

    function relent(uint256) internal pure override {}

    function enoughSkips() internal pure override returns (bool) {
        return true;
    }

    function onSkip(bytes memory) internal pure override {}
}
