// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {Status} from "../../src/core/types/Statuses.sol";
import {IAccounts} from "../../src/interfaces/IAccounts.sol";
import {ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {IMechanismErrors} from "../../src/interfaces/IMechanismErrors.sol";
import {Contribution, Encode} from "../base/Encode.sol";
import {Groups} from "../base/Groups.sol";
import {HostileWallet, Receiving, Signing} from "../base/HostileWallet.sol";
import {Lie, LyingClassifier} from "../base/LyingClassifier.sol";
import {ModelTest} from "../base/ModelTest.sol";
import {Sign} from "../base/Sign.sol";

/// @notice Reports that a keeper sends for accounts that have signed a delegation, on a model that
/// predicts the label 0.
contract DelegationTest is ModelTest {
    uint256 private constant KEY = 13;

    ICollaborativeTrainer private trainer;
    /// @dev An account with a good contribution.
    address private reporter = vm.addr(KEY);
    address private keeper = CAROL;
    uint40 private until;
    /// @dev Four contributions of ALICE that the model disagrees with.
    Contribution[] private bad;
    uint256 private deposit;

    function setUp() external {
        setUpOn(depositRefundTake, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE, COST_WEIGHT));
    }

    // ---------------------------------------------------------------- Signatures

    function test_reportFor_failsIfExpired() external {
        bytes memory signature = sign();
        vm.warp(uint256(until) + 1);
        vm.expectRevert(expired());
        reportFor(reporter, until, signature);
        // This check comes first.
        vm.expectRevert(expired());
        reportFor(reporter, until, "");
        vm.expectRevert(expired());
        trainer.reportFor(reporter, until, "", "");
        // The last second is still in time.
        vm.warp(until);
        reportFor(reporter, until, signature);
    }

    function test_reportFor_failsIfWronglySigned() external {
        bytes32 right = Sign.delegation(address(trainer), reporter, keeper, until);
        requireInvalid(reporter, until, Sign.long(KEY + 1, right), "another key");
        requireInvalid(
            reporter, until, signOver(address(this), reporter, keeper, until), "for another trainer"
        );
        requireInvalid(
            reporter, until, signOver(address(trainer), ALICE, keeper, until), "of another reporter"
        );
        requireInvalid(reporter, until, signOver(address(trainer), reporter, BOB, until), "another keeper");
        requireInvalid(
            reporter, until, signOver(address(trainer), reporter, keeper, until - 1), "another time"
        );
        bytes memory signature = sign();
        requireInvalid(reporter, until - 1, signature, "an earlier time");
        requireInvalid(ALICE, until, signature, "somebody else's");
        requireInvalid(address(0), until, new bytes(65), "nobody's");
        requireInvalid(reporter, until, "", "none");
        requireInvalid(reporter, until, new bytes(64), "zeros of 64");
        requireInvalid(reporter, until, new bytes(65), "zeros of 65");
        requireInvalid(reporter, until, bytes.concat(signature, hex"00"), "too long");
        // This check comes before those of the claims.
        vm.expectRevert(invalid(reporter));
        trainer.reportFor(reporter, until, signature, "");
        // Nobody but the keeper may use it.
        vm.expectRevert(invalid(reporter));
        vm.prank(BOB);
        trainer.reportFor(reporter, until, signature, Groups.all(bad));
        reportFor(reporter, until, signature);
    }

    /// @dev A signed batch is not a delegation.
    function test_reportFor_failsIfBatchWasSigned() external {
        bytes32 digest = Sign.digest(address(trainer), unsigned(reporter, 0, Encode.item(0, "")));
        requireInvalid(reporter, until, Sign.long(KEY, digest), "a batch");
    }

    function test_reportFor_failsOnOtherChain() external {
        bytes memory signature = sign();
        uint256 chain = this.chainNumber();
        vm.chainId(chain + 1);
        requireInvalid(reporter, until, signature, "on the other chain");
        vm.chainId(chain);
        reportFor(reporter, until, signature);
    }

    function test_reportFor_failsIfWalletDoesNotAgree() external {
        HostileWallet wallet = goodWallet();
        for (uint256 i = uint256(Signing.No); i <= uint256(type(Signing).max); ++i) {
            wallet.sign(Signing(i));
            vm.expectRevert(invalid(address(wallet)));
            vm.prank(keeper);
            trainer.reportFor{gas: 5_000_000}(address(wallet), until, "", Groups.all(bad));
        }
        wallet.sign(Signing.Yes);
        reportFor(address(wallet), until, "");
        requireSettlement(trainer, bad[0].position, Status.Reported, deposit / 2, address(wallet));
    }

    /// @dev The signed data names the reporter. So one key can stand behind a wallet and its own
    /// account.
    function test_reportFor_failsIfOtherAccountOfSameKey() external {
        HostileWallet wallet = goodWallet();
        wallet.signWith(vm.addr(KEY));
        requireInvalid(address(wallet), until, Sign.long(KEY, digestOf(reporter)), "of the account");
        bytes memory signature = Sign.long(KEY, digestOf(address(wallet)));
        requireInvalid(reporter, until, signature, "of the wallet");
        reportFor(address(wallet), until, signature);
        assertEq(trainer.balanceOf(address(wallet)), 4 * (deposit / 2), "shares");
    }

    // ---------------------------------------------------------------- Rules of a report

    function test_reportFor_keepsRulesOfReporter() external {
        bytes memory signature = sign();
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.NoClaims.selector));
        vm.prank(keeper);
        trainer.reportFor(reporter, until, signature, "");
        // ALICE may not report her own contributions, even through a keeper; nor may an account
        // without a good contribution.
        vm.expectRevert(
            abi.encodeWithSelector(ICollaborativeTrainer.NoGoodContribution.selector, vm.addr(KEY + 1))
        );
        reportFor(vm.addr(KEY + 1), until, Sign.long(KEY + 1, digestOf(vm.addr(KEY + 1))));
        Contribution memory own = contribute(trainer, reporter, 1, hex"");
        bytes memory claims = alone(own);
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.OwnContribution.selector, reporter));
        vm.prank(keeper);
        trainer.reportFor(reporter, until, signature, claims);
        // The keeper's own contributions are reported like others.
        Contribution memory keepers = contribute(trainer, keeper, 1, hex"");
        claims = alone(keepers);
        vm.expectRevert(
            abi.encodeWithSelector(IMechanismErrors.TooEarly.selector, clock(), keepers.time + REFUND_WAIT)
        );
        vm.prank(keeper);
        trainer.reportFor(reporter, until, signature, claims);
        pass(REFUND_WAIT);
        vm.prank(keeper);
        trainer.reportFor(reporter, until, signature, claims);
        requireSettlement(trainer, keepers.position, Status.Closed, keepers.deposit, reporter);
    }

    function test_reportFor_failsIfPredictionAgrees() external {
        LyingClassifier(trainer.classifier()).tell(1, Lie.None, Lie.None);
        bytes memory signature = sign();
        vm.expectRevert(abi.encodeWithSelector(ICollaborativeTrainer.PredictionAgrees.selector, 1));
        reportFor(reporter, until, signature);
    }

    function test_reportFor_countsAsReportersReport() external {
        secondGood();
        bytes memory signature = sign();
        // The reporter itself reports the first, the keeper the others.
        vm.prank(reporter);
        trainer.report(Groups.one(bad, 0));
        vm.recordLogs();
        reportFor(reporter, until, signature);
        bytes32 skipped = ICollaborativeTrainer.ClaimSkipped.selector;
        assertEq(logsOf(skipped).length, 1, "one skipped");
        assertTrue(trainer.reported(bad[3].position, reporter), "reported");
        assertTrue(!trainer.reported(bad[3].position, keeper), "not by the keeper");
        vm.expectRevert(already(0));
        reportFor(reporter, until, signature);
        vm.expectRevert(already(2));
        vm.prank(reporter);
        trainer.report(Groups.one(bad, 2));
        // The keeper may report for itself, too, because it has a good contribution.
        vm.prank(keeper);
        trainer.report(Groups.one(bad, 2));
        requireSettlement(trainer, bad[2].position, Status.Closed, deposit, reporter);
    }

    // ---------------------------------------------------------------- Receiver of the money

    function test_reportFor_creditsReporter() external {
        secondGood();
        uint256 share = deposit / 2;
        bytes memory signature = Sign.compact(KEY, digestOf(reporter));
        uint256[2] memory before = [reporter.balance, keeper.balance];
        for (uint256 i; i < 4; ++i) {
            vm.expectEmit(address(trainer));
            emit ICollaborativeTrainer.Reported(bad[i].position, reporter, share);
        }
        vm.expectEmit(address(trainer));
        emit IAccounts.Deposited(reporter, 4 * share);
        reportFor(reporter, until, signature);
        assertEq(trainer.balanceOf(reporter), 4 * share, "balance");
        assertEq(trainer.balanceOf(keeper), 0, "keeper's balance");
        assertEq(reporter.balance, before[0], "reporter's money");
        assertEq(keeper.balance, before[1], "keeper's money");
        for (uint256 i; i < 4; ++i) {
            requireSettlement(trainer, bad[i].position, Status.Reported, share, reporter);
        }
    }

    /// @dev A delegation serves many times until it expires.
    function test_reportFor_servesManyTimes() external {
        bytes memory signature = sign();
        for (uint256 i; i < 4; ++i) {
            vm.prank(keeper);
            trainer.reportFor(reporter, until, signature, Groups.one(bad, i));
        }
        assertEq(trainer.balanceOf(reporter), 4 * deposit, "all of each");
    }

    function test_reportFor_failsIfBalanceOverflows() external {
        vm.deal(address(this), 1 << 100);
        trainer.depositTo{value: type(uint96).max - 4 * deposit + 1}(reporter);
        bytes memory signature = sign();
        vm.expectRevert(abi.encodeWithSelector(IAccounts.BalanceOverflow.selector, reporter));
        reportFor(reporter, until, signature);
        requireSettlement(trainer, bad[0].position, Status.Untouched, 0, address(0));
        vm.prank(reporter);
        trainer.withdrawTo(reporter, 1);
        reportFor(reporter, until, signature);
        assertEq(trainer.balanceOf(reporter), type(uint96).max, "the largest");
    }

    /// @dev A share of 0 adds nothing and emits no `Deposited`.
    function test_reportFor_addsNothingUnderPoints() external {
        setUpOn(points, abi.encode(REFUND_WAIT, OWNER_WAIT, ANY_WAIT, NO_NOTICE));
        vm.recordLogs();
        reportFor(reporter, until, sign());
        assertEq(logsOf(IAccounts.Deposited.selector).length, 0, "deposited");
        requireSettlement(trainer, bad[3].position, Status.Reported, 0, reporter);
    }

    function test_reportFor_refusesReentry() external {
        HostileWallet wallet = new HostileWallet();
        trainer.depositTo{value: 5}(address(wallet));
        bytes memory claims = Groups.all(bad);
        wallet.receiveSo(
            Receiving.Reenters, abi.encodeCall(trainer.reportFor, (reporter, until, sign(), claims))
        );
        wallet.execute(address(trainer), 0, abi.encodeCall(trainer.withdrawTo, (address(wallet), 5)));
        assertEq(wallet.answer(), abi.encodeWithSignature("Reentrancy()"), "answer");
    }

    // ---------------------------------------------------------------- Helpers

    function chainNumber() external view returns (uint256) {
        return block.chainid;
    }

    /// @dev Creates a model on which the reporter has the only good contribution.
    function setUpOn(address implementation, bytes memory parameters) private {
        address lying = address(new LyingClassifier());
        vm.prank(OWNER);
        (address created,) = factory.create(implementation, parameters, lying, "");
        trainer = ICollaborativeTrainer(created);
        vm.deal(reporter, 1e24);
        Contribution memory good = contribute(trainer, reporter, 0, hex"");
        delete bad;
        uint256[] memory labels = Encode.list("1,1,1,1");
        Contribution[] memory made = contributeMany(trainer, ALICE, labels, new bytes[](4));
        for (uint256 i; i < 4; ++i) {
            bad.push(made[i]);
        }
        deposit = made[0].deposit;
        pass(REFUND_WAIT);
        trainer.refund(alone(good));
        vm.prank(reporter);
        trainer.withdrawTo(reporter, good.deposit);
        until = uint40(this.clock() + 3 days);
    }

    /// @dev Gives the keeper half of the good contributions.
    function secondGood() private {
        Contribution memory good = contribute(trainer, keeper, 0, hex"");
        pass(REFUND_WAIT);
        vm.prank(keeper);
        trainer.refund(alone(good));
    }

    /// @dev Returns a wallet with half of the good contributions.
    function goodWallet() private returns (HostileWallet wallet) {
        wallet = new HostileWallet();
        vm.deal(address(wallet), 1e24);
        Contribution memory good = contribute(trainer, address(wallet), 0, hex"");
        pass(REFUND_WAIT);
        vm.prank(address(wallet));
        trainer.refund(alone(good));
    }

    function reportFor(address who, uint40 time, bytes memory signature) private {
        bytes memory claims = Groups.all(bad);
        vm.prank(keeper);
        trainer.reportFor(who, time, signature, claims);
    }

    function requireInvalid(address who, uint40 time, bytes memory signature, string memory label) private {
        bytes memory call = abi.encodeCall(trainer.reportFor, (who, time, signature, Groups.all(bad)));
        vm.prank(keeper);
        (bool success, bytes memory reason) = address(trainer).call(call);
        assertTrue(!success, label);
        assertEq(reason, invalid(who), label);
    }

    function sign() private view returns (bytes memory) {
        return Sign.long(KEY, digestOf(reporter));
    }

    function signOver(address whose, address who, address by, uint40 time)
        private
        view
        returns (bytes memory)
    {
        return Sign.long(KEY, Sign.delegation(whose, who, by, time));
    }

    function digestOf(address who) private view returns (bytes32) {
        return Sign.delegation(address(trainer), who, keeper, until);
    }

    function expired() private view returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.Expired.selector, until, this.clock());
    }

    function invalid(address who) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICollaborativeTrainer.InvalidSignature.selector, who);
    }

    function already(uint256 index) private view returns (bytes memory) {
        return
            abi.encodeWithSelector(
                ICollaborativeTrainer.AlreadyReported.selector, bad[index].position, reporter
            );
    }
}
