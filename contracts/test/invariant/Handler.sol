// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {MerkleTreeLib} from "solady/utils/MerkleTreeLib.sol";

import {Classifier} from "../../src/classifiers/Classifier.sol";
import {DepositRefundTake} from "../../src/incentives/DepositRefundTake.sol";
import {Claim, ICollaborativeTrainer} from "../../src/interfaces/ICollaborativeTrainer.sol";
import {Encode} from "../base/Encode.sol";
import {Test} from "../base/Test.sol";

/// @notice Calls a trainer in ways that must succeed, or must fail with one known error; keeps its own books.
/// @dev A random number chooses; where it chooses nothing that can succeed, the handler contributes.
contract Handler is Test {
    using MerkleTreeLib for bytes32[];

    DepositRefundTake public immutable TRAINER;
    Classifier public immutable CLASSIFIER;
    address public immutable OWNER;

    address[] public people;
    Claim[] private _claims;
    /// @dev What is left of each contribution, by this handler's own arithmetic.
    uint256[] public left;
    bool[] public open;
    mapping(uint256 position => mapping(address reporter => bool)) public reported;
    mapping(address author => uint256) public good;
    /// @dev What each person must have.
    mapping(address person => uint256) public balances;

    uint256 public time;
    uint256 public deposited;
    uint256 public refunded;
    uint256 public taken;
    uint256 public claimedLate;

    uint256 public contributions;
    uint256 public refunds;
    uint256 public reports;
    uint256 public lateClaims;
    uint256 public retries;

    constructor(DepositRefundTake trainer, Classifier classifier, address owner) {
        (TRAINER, CLASSIFIER, OWNER) = (trainer, classifier, owner);
        time = block.timestamp;
        for (uint256 i; i < 4; ++i) {
            people.push(address(uint160(uint256(keccak256(abi.encode("person", i))))));
        }
        people.push(owner);
        for (uint256 i; i < people.length; ++i) {
            VM.deal(people[i], 1e40);
            balances[people[i]] = 1e40;
        }
    }

    function contribute(uint256 who, uint256 random, uint256 n, uint256 wait) public {
        step(wait);
        address author = people[who % people.length];
        n = bound(n, 1, 5);
        uint256 price = TRAINER.price(n);
        uint256 first = TRAINER.contributionCount();
        bytes memory batch;
        bytes32[] memory leaves = new bytes32[](n);
        for (uint256 i; i < n; ++i) {
            uint256 label = random >> (8 * i) & 1;
            bytes memory sample = abi.encodePacked(uint16(random >> (8 * i + 1) & 7));
            batch = bytes.concat(batch, Encode.item(label, sample));
            leaves[i] = keccak256(abi.encode(author, label, keccak256(sample), price, time, first + i));
            Claim storage claim = _claims.push();
            (claim.author, claim.label, claim.deposit) = (author, uint16(label), uint96(price));
            (claim.time, claim.batch, claim.position) = (uint40(time), uint64(first), uint64(first + i));
            claim.sample = sample;
            left.push(price);
            open.push(true);
        }
        bytes32[] memory tree = leaves.build();
        for (uint256 i; i < n; ++i) {
            _claims[first + i].proof = tree.leafProof(i);
        }
        VM.prank(author);
        TRAINER.contribute{value: n * price + random % 1000}(batch);
        deposited += n * price;
        balances[author] -= n * price;
        contributions += n;
    }

    function refund(uint256 which, uint256 wait) external {
        step(wait);
        (bool found, uint256 position) = find(which, address(0));
        if (!found) return contribute(which, which, which, 0);
        Claim memory claim = _claims[position];
        VM.prank(claim.author);
        TRAINER.refund(claim);
        refunded += left[position];
        balances[claim.author] += left[position];
        (left[position], open[position]) = (0, false);
        ++good[claim.author];
        ++refunds;
    }

    function report(uint256 which, uint256 who, uint256 wait) external {
        step(wait);
        address reporter = people[who % people.length];
        (bool found, uint256 position) = find(which, reporter);
        if (good[reporter] == 0 || !found) return contribute(which, which, which, 0);
        Claim memory claim = _claims[position];
        uint256 before = reporter.balance;
        uint256 share = claim.deposit * good[reporter] / refunds;
        if (share == 0 || share > left[position]) share = left[position];
        VM.prank(reporter);
        TRAINER.report(claim);
        assertEq(reporter.balance - before, share, "share");
        left[position] -= share;
        open[position] = left[position] > 0;
        reported[position][reporter] = true;
        taken += share;
        balances[reporter] += share;
        ++reports;
    }

    function claimLate(uint256 which, uint256 who) external {
        if (_claims.length == 0) return contribute(which, which, which, 0);
        uint256 position = which % _claims.length;
        if (!open[position]) return retry(position, who);
        address claimer = people[who % people.length];
        uint256 wait = claimer == OWNER ? TRAINER.ownerClaimWait() : TRAINER.anyAddressClaimWait();
        uint256 earliest = _claims[position].time + wait;
        if (time < earliest) warp(earliest);
        VM.prank(claimer);
        TRAINER.claimLate(_claims[position]);
        claimedLate += left[position];
        balances[claimer] += left[position];
        (left[position], open[position]) = (0, false);
        ++lateClaims;
    }

    /// @dev Claims what is closed once more, however it was closed.
    function retry(uint256 position, uint256 who) private {
        Claim memory claim = _claims[position];
        address claimer = people[who % people.length];
        bytes memory reason = abi.encodeWithSelector(ICollaborativeTrainer.NothingLeft.selector, position);
        VM.expectRevert(reason);
        VM.prank(claimer);
        TRAINER.refund(claim);
        VM.expectRevert(reason);
        VM.prank(claimer);
        TRAINER.report(claim);
        VM.expectRevert(reason);
        VM.prank(claimer);
        TRAINER.claimLate(claim);
        ++retries;
    }

    function positions() external view returns (uint256) {
        return _claims.length;
    }

    function authors() external view returns (uint256) {
        return people.length;
    }

    /// @dev The next contribution, around the circle, that can be refunded (where nobody reports) or reported now.
    function find(uint256 start, address reporter) private view returns (bool, uint256) {
        for (uint256 i; i < _claims.length; ++i) {
            uint256 position = (start % _claims.length + i) % _claims.length;
            Claim storage claim = _claims[position];
            if (!open[position] || time < claim.time + TRAINER.refundWait()) continue;
            bool agrees = CLASSIFIER.predict(Encode.one(claim.sample))[0] == claim.label;
            bool fits = reporter == address(0)
                ? agrees
                : !agrees && reporter != claim.author && !reported[position][reporter];
            if (fits) return (true, position);
        }
        return (false, 0);
    }

    function step(uint256 wait) private {
        warp(time + bound(wait, 0, 2 days));
    }

    /// @dev The compiler takes `block.timestamp` for constant, so the time is kept here.
    function warp(uint256 to) private {
        time = to;
        VM.warp(to);
    }
}
