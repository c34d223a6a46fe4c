//! Tables of `docs/gas.md`.

use std::fmt::Write;

use crate::Figures;

const BEGIN: &str = "<!-- written by scripts/gas: -->\n";
const BEGIN_CHANNELS: &str = "<!-- written by scripts/gas, payment channels: -->\n";
const BEGIN_ROUNDS: &str = "<!-- written by scripts/gas, federated rounds: -->\n";
const END: &str = "<!-- end -->\n";

/// Row of the gas table: gas of 0xDeCA10B, lower bound of the learning step, and target, each if
/// there is one.
struct Row {
    case: &'static str,
    /// Name in the files of figures.
    name: &'static str,
    /// Name of the figure of the calldata's bytes.
    bytes: Option<&'static str>,
    deca10b: Option<u64>,
    floor: Option<u64>,
    target: Option<u64>,
}

const fn row(
    case: &'static str,
    name: &'static str,
    bytes: Option<&'static str>,
    [deca10b, floor, target]: [Option<u64>; 3],
) -> Row {
    Row {
        case,
        name,
        bytes,
        deca10b,
        floor,
        target,
    }
}

const GAS: &[Row] = &[
    row(
        "contribute, sparse perceptron, 20 present, unchanged",
        "contribute.sparse-perceptron.20-unchanged",
        Some("bytes.sparse-perceptron.20-contribute"),
        [Some(234_348), None, Some(110_000)],
    ),
    row(
        "— learns",
        "contribute.sparse-perceptron.20-learns",
        Some("bytes.sparse-perceptron.20-contribute"),
        [Some(324_139), Some(88_017), Some(150_000)],
    ),
    row(
        "— 60 present, learns",
        "contribute.sparse-perceptron.60-learns",
        Some("bytes.sparse-perceptron.60-contribute"),
        [Some(601_802), Some(204_841), Some(280_000)],
    ),
    row(
        "contribute, naive Bayes, 20 present",
        "contribute.naive-bayes.20",
        Some("bytes.naive-bayes.20-contribute"),
        [Some(322_850), None, Some(180_000)],
    ),
    row(
        "contribute, sparse nearest centroid, 20 present",
        "contribute.sparse-nearest-centroid.20",
        Some("bytes.sparse-nearest-centroid.20-contribute"),
        [Some(331_208), None, Some(180_000)],
    ),
    row(
        "contribute, dense perceptron, 9 features, learns",
        "contribute.dense-perceptron.9-learns",
        Some("bytes.dense-perceptron.9-contribute"),
        [Some(225_740), None, Some(105_000)],
    ),
    row(
        "— 400 features, learns",
        "contribute.dense-perceptron.400-learns",
        Some("bytes.dense-perceptron.400-contribute"),
        [Some(1_867_462), None, Some(350_000)],
    ),
    row(
        "contribute, word vectors of 64 dimensions",
        "contribute.dense-nearest-centroid.64",
        Some("bytes.dense-nearest-centroid.64-contribute"),
        [None, None, None],
    ),
    row(
        "— each of 100",
        "contribute.dense-nearest-centroid.64-each-of-100",
        Some("bytes.dense-nearest-centroid.64-each-of-100"),
        [None, None, None],
    ),
    row(
        "— 128 dimensions",
        "contribute.dense-nearest-centroid.128",
        Some("bytes.dense-nearest-centroid.128-contribute"),
        [None, None, None],
    ),
    row(
        "— each of 100",
        "contribute.dense-nearest-centroid.128-each-of-100",
        Some("bytes.dense-nearest-centroid.128-each-of-100"),
        [None, None, None],
    ),
    row(
        "contribute, each of 100, sent by their author",
        "contribute.sparse-perceptron.20-each-of-100",
        Some("bytes.sparse-perceptron.20-each-of-100"),
        [Some(324_139), None, None],
    ),
    row(
        "relay, each of 100 of one author under one signature",
        "relay.sparse-perceptron.20-each-of-100-under-one-signature",
        Some("bytes.sparse-perceptron.20-each-of-100-under-one-signature"),
        [Some(324_139), None, Some(15_000)],
    ),
    row(
        "relay, each of 100 of 100 people",
        "relay.sparse-perceptron.20-each-of-100-people",
        Some("bytes.sparse-perceptron.20-each-of-100-people"),
        [Some(324_139), None, Some(25_000)],
    ),
    row(
        "refund alone, sparse perceptron, 20 present",
        "refund.sparse-perceptron.20-next",
        Some("bytes.sparse-perceptron.20-refund"),
        [Some(181_760), None, Some(95_000)],
    ),
    row(
        "— the author's first",
        "refund.sparse-perceptron.20-first",
        Some("bytes.sparse-perceptron.20-refund"),
        [Some(215_960), None, None],
    ),
    row(
        "refund, each of 100",
        "refund.sparse-perceptron.20-each-of-100",
        Some("bytes.sparse-perceptron.20-refund-each-of-100"),
        [Some(181_760), None, Some(15_000)],
    ),
    row(
        "— pushed by somebody else",
        "refund.sparse-perceptron.20-pushed-each-of-100",
        Some("bytes.sparse-perceptron.20-refund-each-of-100"),
        [None, None, None],
    ),
    row(
        "report alone, sparse perceptron, 20 present",
        "report.sparse-perceptron.20-part",
        Some("bytes.sparse-perceptron.20-refund"),
        [Some(175_823), None, Some(120_000)],
    ),
    row(
        "report, each of 100",
        "report.sparse-perceptron.20-each-of-100",
        Some("bytes.sparse-perceptron.20-refund-each-of-100"),
        [None, None, None],
    ),
    row(
        "— by a keeper for the reporter",
        "reportFor.sparse-perceptron.20-each-of-100",
        None,
        [None, None, None],
    ),
    row(
        "announce alone, sparse perceptron, 20 present",
        "announce.sparse-perceptron.20",
        Some("bytes.sparse-perceptron.20-refund"),
        [None, None, None],
    ),
    row(
        "announce, each of 100",
        "announce.sparse-perceptron.20-each-of-100",
        Some("bytes.sparse-perceptron.20-refund-each-of-100"),
        [None, None, None],
    ),
    row(
        "report alone, announced",
        "report.sparse-perceptron.20-announced",
        Some("bytes.sparse-perceptron.20-refund"),
        [None, None, None],
    ),
    row(
        "— each of 100, announced",
        "report.sparse-perceptron.20-announced-each-of-100",
        Some("bytes.sparse-perceptron.20-refund-each-of-100"),
        [None, None, None],
    ),
    row(
        "create, sparse perceptron, 1,000 features",
        "create.sparse-perceptron.1000",
        None,
        [Some(27_795_780), None, Some(2_000_000)],
    ),
    row(
        "create, naive Bayes, 1,000 features",
        "create.naive-bayes.1000",
        None,
        [Some(54_138_307), None, Some(4_000_000)],
    ),
];

/// Sizes of calldata, which are the same by all rules: name, case, bytes of 0xDeCA10B, and target.
const BYTES: &[(&str, &str, u64, u64)] = &[
    (
        "contribute, 20 present",
        "bytes.sparse-perceptron.20-contribute",
        740,
        180,
    ),
    (
        "contribute, 60 present",
        "bytes.sparse-perceptron.60-contribute",
        2_020,
        300,
    ),
];

/// Row of the table of payment channels.
struct ChannelRow {
    case: &'static str,
    /// Gas of x402's own contract:
    /// `contracts/evm/snapshots/X402BatchSettlementGasTest.json` of x402-foundation/x402, May 2026.
    official: Option<u64>,
    /// Name of the figure of the same call of ours.
    call: Option<&'static str>,
    /// Name of the figure of the whole transaction.
    transaction: Option<&'static str>,
}

const fn channel_row(
    case: &'static str,
    official: Option<u64>,
    call: Option<&'static str>,
    transaction: Option<&'static str>,
) -> ChannelRow {
    ChannelRow {
        case,
        official,
        call,
        transaction,
    }
}

const CHANNELS: &[ChannelRow] = &[
    channel_row(
        "deposit by signature, the channel's first",
        Some(111_738),
        Some("call.deposit"),
        Some("transaction.deposit.first"),
    ),
    channel_row("— the next", None, None, Some("transaction.deposit.next")),
    channel_row(
        "claim of one channel, the receiver's first",
        Some(40_252),
        Some("call.claim.1"),
        None,
    ),
    channel_row("— the next", None, None, Some("transaction.claim.1.next")),
    channel_row(
        "claim of 10 channels, the receiver's first",
        Some(192_043),
        Some("call.claim.10"),
        Some("transaction.claim.10.first"),
    ),
    channel_row("— the next", None, None, Some("transaction.claim.10.next")),
    channel_row(
        "— the next, by signature",
        None,
        None,
        Some("transaction.claim.10.signed"),
    ),
    channel_row(
        "settle, the receiver's first tokens",
        Some(31_204),
        Some("call.settle"),
        Some("transaction.settle.first"),
    ),
    channel_row("— the next", None, None, Some("transaction.settle.next")),
    channel_row("refund by a call", Some(43_859), Some("call.refund"), None),
    channel_row(
        "refund by signature",
        Some(53_670),
        Some("call.refund.signed"),
        Some("transaction.refund.signed"),
    ),
    channel_row(
        "start a withdrawal",
        None,
        None,
        Some("transaction.withdraw.begin"),
    ),
    channel_row(
        "end a withdrawal",
        None,
        None,
        Some("transaction.withdraw.end"),
    ),
];

/// Transactions of rounds of 16 authors, and the end of their names in the file of figures: the
/// beginning is the number of parameters.
const ROUNDS: &[(&str, &str)] = &[
    ("commit to an update", "commit"),
    ("reveal an update alone", "reveal"),
    ("reveal 15 updates together", "reveal.15"),
    ("score 50 samples", "score.50"),
    ("score one sample", "score.1"),
    ("aggregate by the median, and write the model", "aggregate"),
    ("settle", "settle"),
];

/// Figures of all tables.
pub(crate) struct Tables {
    pub(crate) osaka: Figures,
    pub(crate) amsterdam: Figures,
    pub(crate) channels: Figures,
    pub(crate) rounds: Figures,
}

/// Returns the document with the tables of these figures between the marks.
pub(crate) fn replace(document: &str, figures: &Tables) -> String {
    let document = between(document, BEGIN, &tables(&figures.osaka, &figures.amsterdam));
    let document = between(&document, BEGIN_CHANNELS, &channel_table(&figures.channels));
    between(&document, BEGIN_ROUNDS, &round_table(&figures.rounds))
}

/// Returns the document with this text between a mark and the next end.
fn between(document: &str, begin: &str, text: &str) -> String {
    let (before, rest) = document.split_once(begin).expect("a begin of the tables");
    let (_, after) = rest.split_once(END).expect("an end of the tables");
    format!("{before}{begin}\n{text}\n{END}{after}")
}

fn channel_table(figures: &Figures) -> String {
    let mut text = String::from(
        "| gas of | x402's contract, a call | ours, a call | ours, a transaction |\n\
         | --- | ---: | ---: | ---: |\n",
    );
    let figure = |name: Option<&str>| name.map(|name| figures[name]);
    for row in CHANNELS {
        let cells = [row.official, figure(row.call), figure(row.transaction)];
        let cells = cells.map(cell).join(" | ");
        writeln!(text, "| {} | {cells} |", row.case).expect("memory");
    }
    text
}

fn tables(osaka: &Figures, amsterdam: &Figures) -> String {
    let mut text = String::from(
        "| gas of | 0xDeCA10B | floor on paper | target | Osaka | Amsterdam | bytes of calldata |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
    );
    for row in GAS {
        let figures = [
            row.deca10b,
            row.floor,
            row.target,
            Some(osaka[row.name]),
            Some(amsterdam[row.name]),
            row.bytes.map(|name| osaka[name]),
        ];
        let cells = figures.map(cell).join(" | ");
        writeln!(text, "| {} | {cells} |", row.case).expect("memory");
    }
    text += "\n| bytes of calldata of | 0xDeCA10B | target | now |\n| --- | ---: | ---: | ---: |\n";
    for (case, name, deca10b, target) in BYTES {
        let cells = [*deca10b, *target, osaka[*name]].map(grouped).join(" | ");
        writeln!(text, "| {case} | {cells} |").expect("memory");
    }
    text
}

fn round_table(figures: &Figures) -> String {
    let mut text =
        String::from("| gas to | 650 parameters | 7,850 parameters |\n| --- | ---: | ---: |\n");
    for (case, name) in ROUNDS {
        let cells = ["650", "7850"].map(|size| figures.get(&format!("{size}.{name}")).copied());
        writeln!(text, "| {case} | {} |", cells.map(cell).join(" | ")).expect("memory");
    }
    text
}

/// Formats a figure, or tells that there is none.
fn cell(figure: Option<u64>) -> String {
    figure.map_or(String::from("—"), grouped)
}

/// Formats a number like 1,234,567.
fn grouped(figure: u64) -> String {
    let digits = figure.to_string();
    let groups: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| String::from_utf8_lossy(group))
        .collect();
    groups.join(",")
}
