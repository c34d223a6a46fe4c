// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {DepositRefundTake} from "../../src/mechanisms/deposit/DepositRefundTake.sol";
import {Encode} from "../base/Encode.sol";
import {Sign, SignedBatch} from "../base/Sign.sol";
import {AnyClassifier, AnyWallet, OneSignature, TrainerProofs} from "./TrainerProofs.sol";

/// @notice Proofs about prepaid money, for every possible account.
contract PrepaidProofs is TrainerProofs {
    function check_DepositIsAdded(uint256 word, uint96 amount) external {
        DepositRefundTake trainer = create(1, address(0));
        store(trainer, slotOf(uint160(OTHER), ACCOUNTS), word);
        uint256 before = trainer.balanceOf(OTHER);
        vm.deal(AUTHOR, amount);
        bool success = call(trainer, AUTHOR, amount, abi.encodeCall(IAccounts.depositTo, (OTHER)));
        assert(success == (before + amount <= type(uint96).max));
        assert(trainer.balanceOf(OTHER) == before + (success ? amount : 0));
        assert(address(trainer).balance == (success ? amount : 0));
    }

    function check_WithdrawalIsPaid(uint256 word, uint256 amount) external {
        DepositRefundTake trainer = create(1, address(0));
        store(trainer, slotOf(uint160(AUTHOR), ACCOUNTS), word);
        vm.deal(address(trainer), type(uint96).max);
        uint256 before = trainer.balanceOf(AUTHOR);
        bool success = call(trainer, AUTHOR, 0, abi.encodeCall(IAccounts.withdrawTo, (OTHER, amount)));
        assert(success == (amount <= before));
        assert(trainer.balanceOf(AUTHOR) == before - (success ? amount : 0));
        assert(OTHER.balance == (success ? amount : 0));
    }

    /// @dev Relays one batch of one item. The trainer accepts it exactly if it should, and charges
    /// it. Its nonce is then used, so the trainer never accepts it again.
    function check_RelayChargesWhatWasSigned(
        uint80 costWeight,
        uint256 word,
        SignedBatch memory batch,
        bool signed,
        bool learns
    ) external {
        DepositRefundTake trainer = create(costWeight, address(new AnyClassifier(0, learns)));
        batch.author = address(new AnyWallet(signed));
        batch.items = Encode.item(0, "");
        batch.signature = "";
        store(trainer, slotOf(uint160(batch.author), ACCOUNTS), word);
        uint256 before = trainer.balanceOf(batch.author);
        bool used = trainer.nonceUsed(batch.author, batch.nonce);
        uint256 price = trainer.price(1);

        // The gas may be any number here, even one whose division overflows: then the call changes
        // nothing.
        if (!call(
                trainer,
                OTHER,
                0,
                abi.encodeCall(ICollaborativeTrainer.relay, (Sign.encode(batch), GAS_PER_BATCH))
            )) {
            return;
        }
        bool accepted = NOW <= batch.deadline && !used && price <= batch.maxDeposit
            && price + batch.fee <= before && signed && learns;
        assert(trainer.contributionCount() == (accepted ? 1 : 0));
        assert(trainer.balanceOf(batch.author) == before - (accepted ? price + batch.fee : 0));
        assert(trainer.balanceOf(OTHER) == (accepted ? batch.fee : 0));
        assert(trainer.nonceUsed(batch.author, batch.nonce) == (used || accepted));
    }

    /// @dev The trainer accepts a batch from the relayer that it names, or from anyone if it names
    /// none. Otherwise it brings no fee.
    function check_RelayIsOfTheSignedRelayer(address relayer, uint96 fee) external {
        DepositRefundTake trainer = create(0, address(new AnyClassifier(0, true)));
        address author = address(0x4000000000000000000000000000000000000004);
        SignedBatch memory batch;
        (batch.author, batch.relayer, batch.fee, batch.deadline) = (author, relayer, fee, NOW);
        batch.items = Encode.item(0, "");
        vm.etch(author, address(new OneSignature(Sign.digest(address(trainer), batch))).code);
        store(trainer, slotOf(uint160(author), ACCOUNTS), fee);

        if (!call(
                trainer,
                OTHER,
                0,
                abi.encodeCall(ICollaborativeTrainer.relay, (Sign.encode(batch), GAS_PER_BATCH))
            )) {
            return;
        }
        bool accepted = relayer == address(0) || relayer == OTHER;
        assert(trainer.contributionCount() == (accepted ? 1 : 0));
        assert(trainer.balanceOf(author) == (accepted ? 0 : fee));
        assert(trainer.balanceOf(OTHER) == (accepted ? fee : 0));
        assert(trainer.nonceUsed(author, 0) == accepted);
    }
}
