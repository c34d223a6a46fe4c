//! Toy chain: a regtest chain inside this program, for tests and trials on one machine.
//!
//! It follows the rules that nodes depend on: proof of work, no coin spent twice, no value made from
//! nothing, lock times. It checks no scripts and no signatures, so its coins are worth nothing.

mod rpc;

use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Write as _},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use ldk_node::bitcoin::{
    Address, Amount, Block, BlockHash, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, WitnessCommitment, Work, absolute,
    block::{Header, Version},
    consensus::encode::{deserialize_hex, serialize_hex},
    constants::genesis_block,
    hashes::{Hash, sha256d},
    script::Builder,
    transaction,
};

pub(crate) use rpc::serve;

/// Reward of a block, in satoshi.
const REWARD: u64 = 5_000_000_000;
/// Start of an output that commits to the witnesses: `OP_RETURN`, a push of 36 bytes, and a mark.
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// Transaction that waits for a block.
#[derive(Debug)]
struct Waiting {
    transaction: Transaction,
    fee: u64,
    time: u64,
    height: u32,
}

/// Reason to refuse a transaction; the texts are bitcoind's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Transaction outputs already in utxo set")]
    Known,
    #[error("bad-txns-inputs-missingorspent")]
    Inputs,
    #[error("bad-txns-in-belowout")]
    Value,
    #[error("non-final")]
    Locked,
    #[error("insufficient fee, rejecting replacement")]
    Fee,
}

/// Blocks, unspent outputs and waiting transactions.
pub(crate) struct Toy {
    blocks: Vec<(BlockHash, Block, Work)>,
    heights: HashMap<BlockHash, u32>,
    confirmed: HashMap<Txid, u32>,
    unspent: HashMap<OutPoint, u64>,
    waiting: Vec<Waiting>,
    file: Option<File>,
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

fn outputs(transaction: &Transaction) -> impl Iterator<Item = (OutPoint, u64)> {
    let txid = transaction.compute_txid();
    (0..)
        .zip(&transaction.output)
        .map(move |(vout, output)| (OutPoint { txid, vout }, output.value.to_sat()))
}

impl Toy {
    fn new() -> Self {
        let genesis = genesis_block(Network::Regtest);
        let (hash, work) = (genesis.block_hash(), genesis.header.work());
        Self {
            blocks: vec![(hash, genesis, work)],
            heights: HashMap::from([(hash, 0)]),
            confirmed: HashMap::new(),
            unspent: HashMap::new(),
            waiting: Vec::new(),
            file: None,
        }
    }

    /// Opens a chain whose blocks are kept in `path`, one a line.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut toy = Self::new();
        let mut kept = 0;
        if let Ok(file) = File::open(path) {
            let mut reader = BufReader::new(file);
            let mut line = String::new();
            // A line without its end was cut by a crash, and its block was never announced.
            while reader.read_line(&mut line)? > 0 && line.ends_with('\n') {
                let block: Block = deserialize_hex(line.trim_end())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                if block.header.prev_blockhash != toy.tip().0 {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "block without parent",
                    ));
                }
                kept += u64::try_from(line.len()).unwrap_or_default();
                toy.connect(block);
                line.clear();
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        file.set_len(kept)?;
        toy.file = Some(file);
        Ok(toy)
    }

    fn tip(&self) -> &(BlockHash, Block, Work) {
        // The genesis block is never removed.
        &self.blocks[self.blocks.len() - 1]
    }

    fn height(&self) -> u32 {
        u32::try_from(self.blocks.len() - 1).unwrap_or(u32::MAX)
    }

    fn connect(&mut self, block: Block) {
        let height = self.height() + 1;
        for transaction in &block.txdata {
            for input in &transaction.input {
                self.unspent.remove(&input.previous_output);
            }
            self.unspent.extend(outputs(transaction));
            self.confirmed.insert(transaction.compute_txid(), height);
        }
        let confirmed = &self.confirmed;
        self.waiting
            .retain(|entry| !confirmed.contains_key(&entry.transaction.compute_txid()));
        let hash = block.block_hash();
        let work = self.tip().2 + block.header.work();
        self.heights.insert(hash, height);
        self.blocks.push((hash, block, work));
    }

    /// Takes a transaction into the next block, in the place of those that spend the same coins for
    /// a smaller fee.
    fn submit(&mut self, transaction: Transaction) -> Result<Txid, Refusal> {
        let txid = transaction.compute_txid();
        if self.confirmed.contains_key(&txid) {
            return Err(Refusal::Known);
        }
        if self
            .waiting
            .iter()
            .any(|entry| entry.transaction.compute_txid() == txid)
        {
            return Ok(txid);
        }
        let next =
            absolute::Height::from_consensus(self.height() + 1).map_err(|_| Refusal::Locked)?;
        let time = absolute::Time::from_consensus(self.tip().1.header.time)
            .map_err(|_| Refusal::Locked)?;
        if !transaction.is_absolute_timelock_satisfied(next, time) {
            return Err(Refusal::Locked);
        }
        let made: HashMap<_, _> = self
            .waiting
            .iter()
            .flat_map(|entry| outputs(&entry.transaction))
            .collect();
        let mut spent = HashSet::new();
        let mut value = 0_u64;
        for input in &transaction.input {
            let place = &input.previous_output;
            let coin = self
                .unspent
                .get(place)
                .or_else(|| made.get(place))
                .ok_or(Refusal::Inputs)?;
            if !spent.insert(input.previous_output) {
                return Err(Refusal::Inputs);
            }
            value += coin;
        }
        let paid: u64 = transaction
            .output
            .iter()
            .map(|output| output.value.to_sat())
            .sum();
        let fee = value.checked_sub(paid).ok_or(Refusal::Value)?;
        self.replace(&spent, fee)?;
        self.waiting.push(Waiting {
            transaction,
            fee,
            time: now(),
            height: self.height(),
        });
        Ok(txid)
    }

    /// Removes the waiting transactions that spend coins of `spent`, and those that build on them.
    fn replace(&mut self, spent: &HashSet<OutPoint>, fee: u64) -> Result<(), Refusal> {
        let mut gone: HashSet<Txid> = HashSet::new();
        let mut fees = 0;
        for entry in &self.waiting {
            let hit = |input: &TxIn| {
                spent.contains(&input.previous_output) || gone.contains(&input.previous_output.txid)
            };
            if entry.transaction.input.iter().any(hit) {
                fees += entry.fee;
                gone.insert(entry.transaction.compute_txid());
            }
        }
        if spent.iter().any(|coin| gone.contains(&coin.txid)) {
            return Err(Refusal::Inputs);
        }
        if !gone.is_empty() && fee <= fees {
            return Err(Refusal::Fee);
        }
        self.waiting
            .retain(|entry| !gone.contains(&entry.transaction.compute_txid()));
        Ok(())
    }

    /// Mines one block with all waiting transactions, and keeps it before it is announced.
    fn mine(&mut self, to: &Address) -> io::Result<BlockHash> {
        let height = i64::from(self.height() + 1);
        let fees: u64 = self.waiting.iter().map(|entry| entry.fee).sum();
        // The height makes each reward's identifier its own; the number that follows pads the script.
        let script_sig = Builder::new().push_int(height).push_int(0).into_script();
        let mut coinbase = Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig,
                sequence: Sequence::MAX,
                witness: Witness::from_slice(&[[0_u8; 32]]),
            }],
            output: vec![TxOut {
                value: Amount::from_sat(REWARD + fees),
                script_pubkey: to.script_pubkey(),
            }],
        };
        let mut block = Block {
            header: Header {
                version: Version::from_consensus(0x2000_0000),
                prev_blockhash: self.tip().0,
                merkle_root: TxMerkleNode::all_zeros(),
                time: self
                    .tip()
                    .1
                    .header
                    .time
                    .saturating_add(1)
                    .max(u32::try_from(now()).unwrap_or(u32::MAX)),
                bits: self.tip().1.header.bits,
                nonce: 0,
            },
            txdata: vec![coinbase.clone()],
        };
        block
            .txdata
            .extend(self.waiting.iter().map(|entry| entry.transaction.clone()));
        let root = block.witness_root().map_or([0; 32], Hash::to_byte_array);
        let digest = sha256d::Hash::hash(&[root, [0; 32]].concat());
        let commitment = WitnessCommitment::from_raw_hash(digest);
        let mut script = COMMITMENT.to_vec();
        script.extend_from_slice(commitment.as_byte_array());
        coinbase.output.push(TxOut {
            value: Amount::ZERO,
            script_pubkey: ScriptBuf::from(script),
        });
        block.txdata[0] = coinbase;
        if let Some(root) = block.compute_merkle_root() {
            block.header.merkle_root = root;
        }
        let target = block.header.target();
        while block.header.validate_pow(target).is_err() {
            block.header.nonce = block.header.nonce.wrapping_add(1);
        }
        if let Some(file) = &mut self.file {
            file.write_all(format!("{}\n", serialize_hex(&block)).as_bytes())?;
            file.sync_data()?;
        }
        let hash = block.block_hash();
        self.connect(block);
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        let text = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
        text.parse::<Address<_>>()
            .expect("address")
            .assume_checked()
    }

    fn spend(coins: &[OutPoint], sat: u64, lock: u32) -> Transaction {
        Transaction {
            version: transaction::Version::TWO,
            lock_time: absolute::LockTime::from_consensus(lock),
            input: coins
                .iter()
                .map(|coin| TxIn {
                    previous_output: *coin,
                    sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
                    ..TxIn::default()
                })
                .collect(),
            output: vec![TxOut {
                value: Amount::from_sat(sat),
                script_pubkey: address().script_pubkey(),
            }],
        }
    }

    fn reward(toy: &Toy, height: usize) -> OutPoint {
        OutPoint {
            txid: toy.blocks[height].1.txdata[0].compute_txid(),
            vout: 0,
        }
    }

    #[test]
    fn mine_makes_blocks_that_check() {
        let mut toy = Toy::new();
        for _ in 0..20 {
            toy.mine(&address()).expect("mined");
        }
        let coins: Vec<_> = (1..4).map(|height| reward(&toy, height)).collect();
        let first = toy.submit(spend(&coins, 3 * REWARD - 7, 0)).expect("taken");
        toy.submit(spend(
            &[OutPoint {
                txid: first,
                vout: 0,
            }],
            REWARD,
            0,
        ))
        .expect("its child");
        toy.mine(&address()).expect("mined");
        for pair in toy.blocks.windows(2) {
            let (parent, block) = (&pair[0], &pair[1]);
            assert_eq!(block.1.header.prev_blockhash, parent.0);
            assert!(block.1.header.time > parent.1.header.time && block.2 > parent.2);
            assert!(block.1.check_merkle_root() && block.1.check_witness_commitment());
            block
                .1
                .header
                .validate_pow(block.1.header.target())
                .expect("work");
            // Below 17, a height is an opcode of its own, which this reader does not know.
            let height = toy.heights[&block.0];
            if height > 16 {
                assert_eq!(block.1.bip34_block_height().ok(), Some(u64::from(height)));
            }
        }
        assert!(toy.waiting.is_empty());
        let value: u64 = toy.unspent.values().sum();
        assert_eq!(value, 21 * REWARD, "coins are neither lost nor made");
    }

    #[test]
    fn submit_refuses_what_breaks_the_rules() {
        let mut toy = Toy::new();
        for _ in 0..3 {
            toy.mine(&address()).expect("mined");
        }
        let coin = reward(&toy, 1);
        let unknown = OutPoint {
            txid: Txid::all_zeros(),
            vout: 0,
        };
        assert_eq!(toy.submit(spend(&[unknown], 1, 0)), Err(Refusal::Inputs));
        assert_eq!(toy.submit(spend(&[coin, coin], 1, 0)), Err(Refusal::Inputs));
        assert_eq!(
            toy.submit(spend(&[coin], REWARD + 1, 0)),
            Err(Refusal::Value)
        );
        assert_eq!(toy.submit(spend(&[coin], 1, 9)), Err(Refusal::Locked));
        let first = spend(&[coin], REWARD - 5, 0);
        let txid = toy.submit(first.clone()).expect("taken");
        assert_eq!(toy.submit(first.clone()), Ok(txid), "known already");
        let child = OutPoint { txid, vout: 0 };
        toy.submit(spend(&[child], REWARD - 9, 0))
            .expect("its child");
        assert_eq!(toy.submit(spend(&[coin], REWARD - 9, 0)), Err(Refusal::Fee));
        toy.submit(spend(&[coin], REWARD - 10, 0))
            .expect("a higher fee replaces both");
        assert_eq!(toy.waiting.len(), 1);
        assert_eq!(
            toy.submit(spend(&[child], 1, 0)),
            Err(Refusal::Inputs),
            "its parent is gone"
        );
        toy.mine(&address()).expect("mined");
        assert_eq!(toy.submit(first), Err(Refusal::Inputs));
        assert_eq!(
            toy.submit(spend(&[coin], REWARD - 10, 0)),
            Err(Refusal::Known)
        );
        toy.submit(spend(&[reward(&toy, 2)], 1, 4))
            .expect("block 5 may hold a lock of 4");
    }

    #[test]
    fn open_continues_a_chain_and_drops_a_cut_line() {
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("blocks");
        let mut toy = Toy::open(&file).expect("new");
        for _ in 0..3 {
            toy.mine(&address()).expect("mined");
        }
        let tip = toy.tip().0;
        drop(toy);
        OpenOptions::new()
            .append(true)
            .open(&file)
            .expect("open")
            .write_all(b"0123")
            .expect("cut");
        let mut toy = Toy::open(&file).expect("old");
        assert_eq!((toy.tip().0, toy.height()), (tip, 3));
        toy.mine(&address()).expect("mined");
        assert_eq!(Toy::open(&file).expect("again").height(), 4);
        std::fs::write(&file, "zz\n").expect("write");
        assert!(Toy::open(&file).is_err());
    }
}
