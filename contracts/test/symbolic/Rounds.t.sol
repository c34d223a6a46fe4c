// SPDX-License-Identifier: MIT
pragma solidity ^0.8.30;

import {LibClone} from "solady/utils/LibClone.sol";

import {IFederatedTrainer, RoundPhase} from "../../src/interfaces/IFederatedTrainer.sol";
import {IRoundMath} from "../../src/interfaces/IRoundMath.sol";
import {FederatedTrainer} from "../../src/mechanisms/round/FederatedTrainer.sol";
import {Test} from "../base/Test.sol";

/// @notice A token that stores what it was told to pay or to mint. A deposit leaves the trainer with
/// any balance.
contract AnyStake {
    mapping(address => uint256) public balanceOf;
    uint256 private _afterwards;

    function set(address account, uint256 balance, uint256 afterwards) external {
        (balanceOf[account], _afterwards) = (balance, afterwards);
    }

    function transferFrom(address, address to, uint256) external returns (bool) {
        balanceOf[to] = _afterwards;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[to] += amount;
        return true;
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }
}

/// @notice Proofs about the money of federated rounds, for every possible state and amount.
contract RoundProofs is Test {
    uint40 private constant NOW = 1_800_000_000;
    uint256 private constant STAKE = 1_000;
    uint256 private constant SLASH = 400;
    address private constant OWNER = address(0x1000000000000000000000000000000000000001);
    address private constant ONE = address(0x2000000000000000000000000000000000000002);
    address private constant TWO = address(0x3000000000000000000000000000000000000003);
    address private constant BURNED = 0x000000000000000000000000000000000000dEaD;

    // The slots of the trainer's storage; the proofs read back what they wrote.
    uint256 private constant ROUND = 0;
    uint256 private constant AUTHORS = 9;
    uint256 private constant ACCOUNTS = 12;
    uint256 private constant FORFEITED = 14;

    AnyStake private token = new AnyStake();
    AnyStake private reward = new AnyStake();
    FederatedTrainer private trainer = create();

    function check_StakeDepositIsWhatArrives(uint256 word, uint256 held, uint256 arrived, uint256 amount)
        external
    {
        setAccount(ONE, word);
        (uint256 before, uint256 earned) = trainer.accountOf(ONE);
        token.set(address(trainer), held, arrived);
        bool success = call(ONE, abi.encodeCall(IFederatedTrainer.deposit, (amount)));
        unchecked {
            bool fits = arrived >= held && arrived - held == amount && amount <= type(uint96).max
                && before + amount <= type(uint96).max - STAKE;
            assert(success == fits);
        }
        requireAccount(ONE, before + (success ? amount : 0), earned);
    }

    function check_StakeWithdrawalIsPaid(uint256 word, uint256 amount) external {
        setAccount(ONE, word);
        (uint256 before, uint256 earned) = trainer.accountOf(ONE);
        bool success = call(ONE, abi.encodeCall(IFederatedTrainer.withdraw, (amount)));
        assert(success == (amount <= before));
        requireAccount(ONE, before - (success ? amount : 0), earned);
        assert(token.balanceOf(ONE) == (success ? amount : 0));
    }

    function check_RewardIsMintedOnce(uint256 word) external {
        setAccount(ONE, word);
        (uint256 balance, uint256 earned) = trainer.accountOf(ONE);
        bool success = call(ONE, abi.encodeCall(IFederatedTrainer.collect, ()));
        assert(success == (earned != 0));
        requireAccount(ONE, balance, 0);
        assert(reward.balanceOf(ONE) == earned);
    }

    function check_ForfeitedIsBurnedOnce(uint256 amount) external {
        vm.store(address(trainer), bytes32(FORFEITED), bytes32(amount));
        assert(call(ONE, abi.encodeCall(IFederatedTrainer.burn, ())) == (amount != 0));
        assert(trainer.forfeited() == 0);
        assert(token.balanceOf(BURNED) == amount);
    }

    /// @dev A failed round gives the stakes of those who revealed back, and forfeits the others.
    function check_FailedRoundPaysStakes(uint96 a, uint96 b, uint8 revealed, uint96 forfeited) external {
        vm.assume(a <= type(uint96).max - STAKE && b <= type(uint96).max - STAKE);
        setRound(RoundPhase.Score, revealed, 0);
        (uint256 lostOne, uint256 lostTwo) = (revealed & 1 == 0 ? STAKE : 0, revealed & 2 == 0 ? STAKE : 0);
        requireBooked(a, b, lostOne, lostTwo, forfeited, abi.encodeCall(IFederatedTrainer.fail, ()));
    }

    /// @dev A settled round takes the slash of those who were not admitted. Without losses there are
    /// no rewards.
    function check_SettledRoundPaysStakes(
        uint96 a,
        uint96 b,
        uint8 revealed,
        uint8 admitted,
        uint96 forfeited
    ) external {
        vm.assume(a <= type(uint96).max - STAKE && b <= type(uint96).max - STAKE);
        vm.assume(admitted & revealed == admitted && revealed < 4);
        setRound(RoundPhase.Settle, revealed, admitted);
        uint256 lostOne = admitted & 1 == 1 ? 0 : revealed & 1 == 1 ? SLASH : STAKE;
        uint256 lostTwo = admitted & 2 == 2 ? 0 : revealed & 2 == 2 ? SLASH : STAKE;
        requireBooked(a, b, lostOne, lostTwo, forfeited, abi.encodeCall(IFederatedTrainer.settle, ()));
    }

    function requireBooked(
        uint96 a,
        uint96 b,
        uint256 lostOne,
        uint256 lostTwo,
        uint96 forfeited,
        bytes memory data
    ) private {
        setAccount(ONE, a);
        setAccount(TWO, b);
        vm.store(address(trainer), bytes32(FORFEITED), bytes32(uint256(forfeited)));
        assert(call(OWNER, data));
        requireAccount(ONE, a + STAKE - lostOne, 0);
        requireAccount(TWO, b + STAKE - lostTwo, 0);
        assert(trainer.forfeited() == uint256(forfeited) + lostOne + lostTwo);
    }

    function create() private returns (FederatedTrainer) {
        address implementation = address(new FederatedTrainer(IRoundMath(address(0))));
        bytes memory arguments = bytes.concat(
            abi.encode(OWNER, address(0), token, reward, STAKE, SLASH, 100, 1 hours, 1 hours, 1 hours),
            abi.encode(2, 0, 0, 8, 1_000_000, 4_096, 1_000_000, 2, 5_000)
        );
        return FederatedTrainer(LibClone.clone(implementation, arguments));
    }

    /// @dev Puts a round of two commitments into a phase whose time is over, or that has no end.
    function setRound(RoundPhase phase, uint32 revealed, uint32 admitted) private {
        vm.warp(NOW);
        uint256 word = uint256(phase) | uint256(NOW - 1) << 8 | uint256(revealed) << 96 | uint256(admitted)
            << 128 | 2 << 160 | 1 << 224;
        vm.store(address(trainer), bytes32(ROUND), bytes32(word));
        vm.store(address(trainer), slotOf(0, AUTHORS), bytes32(uint256(uint160(ONE))));
        vm.store(address(trainer), slotOf(1, AUTHORS), bytes32(uint256(uint160(TWO))));
    }

    function setAccount(address account, uint256 word) private {
        vm.store(address(trainer), slotOf(uint160(account), ACCOUNTS), bytes32(word));
    }

    function requireAccount(address account, uint256 balance, uint256 earned) private view {
        (uint256 balance_, uint256 earned_) = trainer.accountOf(account);
        assert(balance_ == balance && earned_ == earned);
    }

    function call(address caller, bytes memory data) private returns (bool success) {
        vm.prank(caller);
        (success,) = address(trainer).call(data);
    }

    function slotOf(uint256 key, uint256 slot) private pure returns (bytes32) {
        return keccak256(abi.encode(key, slot));
    }
}
