// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {IErrors} from "../../../src/interfaces/IErrors.sol";
import {IOwned} from "../../../src/interfaces/IOwned.sol";
import {IRewardToken} from "../../../src/interfaces/IRewardToken.sol";
import {RewardToken} from "../../../src/mechanisms/round/RewardToken.sol";
import {Test} from "../../base/Test.sol";

/// @notice The token of rewards.
contract RewardTokenTest is Test {
    uint256 private constant CAP = 1_000;
    uint256 private constant KEY = 0xa11ce;
    address private constant OWNER = address(0x1000000000000000000000000000000000000001);

    RewardToken private token = RewardToken(deploy("RewardToken", abi.encode("Reward", "RWD", CAP, OWNER)));

    function test_mint_countsVotesAtOnceAndKeepsDelegate() external {
        setTrainer();
        address author = vm.addr(KEY);
        token.mint(author, 10);
        assertEq(token.getVotes(author), 10, "votes");
        vm.prank(author);
        token.delegate(OWNER);
        token.mint(author, 5);
        assertEq(token.getVotes(author), 0, "own votes");
        assertEq(token.getVotes(OWNER), 15, "votes of delegate");
        assertEq(token.totalSupply(), 15, "supply");
    }

    function test_mint_failsAboveCapAndForOthers() external {
        vm.expectRevert(abi.encodeWithSelector(IRewardToken.NotMinter.selector, address(this), address(0)));
        token.mint(OWNER, 1);
        setTrainer();
        token.mint(OWNER, CAP);
        vm.expectRevert(abi.encodeWithSelector(IRewardToken.CapExceeded.selector, CAP + 1, CAP));
        token.mint(OWNER, 1);
        vm.expectRevert(abi.encodeWithSelector(IRewardToken.NotMinter.selector, OWNER, address(this)));
        vm.prank(OWNER);
        token.mint(OWNER, 1);
    }

    function test_setTrainer_isForOwnerAndOnce() external {
        vm.expectRevert(abi.encodeWithSelector(IOwned.NotOwner.selector, address(this), OWNER));
        token.setTrainer(address(this));
        vm.expectRevert(abi.encodeWithSelector(IRewardToken.TrainerIsFixed.selector, address(0)));
        vm.prank(OWNER);
        token.setTrainer(address(0));
        setTrainer();
        vm.expectRevert(abi.encodeWithSelector(IRewardToken.TrainerIsFixed.selector, address(this)));
        vm.prank(OWNER);
        token.setTrainer(OWNER);
    }

    function test_mint_givesTokensThatPermitsLend() external {
        setTrainer();
        address author = vm.addr(KEY);
        token.mint(author, 10);
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                author,
                OWNER,
                7,
                0,
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(KEY, keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash)));
        token.permit(author, OWNER, 7, block.timestamp, v, r, s);
        vm.prank(OWNER);
        assertTrue(token.transferFrom(author, OWNER, 7), "transfer");
        assertEq(token.balanceOf(OWNER), 7, "balance");
    }

    /// @dev No contract has an allowance that its owner did not give.
    function test_constructor_givesPermit2NoAllowance() external view {
        address permit2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;
        assertEq(token.allowance(OWNER, permit2), 0, "allowance");
    }

    function test_constructor_failsIfArgumentsAreOutOfBounds() external {
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("cap"), 0));
        new RewardToken("Reward", "RWD", 0, OWNER);
        vm.expectRevert(
            abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("cap"), uint256(1) << 96)
        );
        new RewardToken("Reward", "RWD", 1 << 96, OWNER);
        vm.expectRevert(abi.encodeWithSelector(IErrors.InvalidParameter.selector, bytes32("owner"), 0));
        new RewardToken("Reward", "RWD", 1, address(0));
        RewardToken largest = new RewardToken("Reward", "RWD", type(uint96).max, OWNER);
        assertEq(largest.cap(), type(uint96).max, "cap");
    }

    function test_name_andSymbolAreThoseOfCreation() external view {
        assertEq(bytes(token.name()), "Reward", "name");
        assertEq(bytes(token.symbol()), "RWD", "symbol");
    }

    function setTrainer() private {
        vm.expectEmit(address(token));
        emit IRewardToken.TrainerSet(address(this));
        vm.prank(OWNER);
        token.setTrainer(address(this));
    }
}
