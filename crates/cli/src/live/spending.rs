//! A command's bill, and the user's consent: the only module that decides when money may move.
//!
//! A command that stakes, pays or signs makes a [`Bill`] first and asks [`SpendingArgs::agreed`].
//! While it sends, its [`Budget`] enforces `--max-total`.

use std::{
    fmt::Write as _,
    io::{self, BufRead, IsTerminal},
};

use alloy_chains::NamedChain;
use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::node::GasFees;
use cotrain_client::{budget::Budget, gas, gas_fees};
use cotrain_learning::text::escaped;
use cotrain_results::format::count;
use serde::{Serialize, Serializer};

use super::{
    connection::Session, gas_fees::GasFeeArgs, key::DEVELOPMENT_CHAIN, model::LiveModel, show,
    wei::Wei,
};
use crate::error::CommandError;

/// Maximum amount without a question on a development chain, in wei, without gas: 1 ether.
const ASKED_ABOVE: u128 = 1_000_000_000_000_000_000;

/// Consent to what a command signs.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct ConsentArgs {
    /// Do not ask for consent [default: ask above 1 ether, and on every chain but the development
    /// chain 31337]
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print the steps and their cost without signing or sending anything
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Consent to what a command spends.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Money")]
pub(crate) struct SpendingArgs {
    #[command(flatten)]
    pub(crate) consent: ConsentArgs,
    /// Maximum total of deposits and gas, in wei: the command refuses to begin, or stops before it
    /// spends more [default: no limit]
    #[arg(long, value_name = "WEI")]
    pub(crate) max_total: Option<Wei>,
}

/// Chain, node and model of a command.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    chain_id: u64,
    /// Name of the chain, if it is a known one.
    chain: Option<&'static str>,
    /// The node's address without user, password and query, which may be secret.
    node: String,
    #[serde(skip)]
    node_from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_from: Option<String>,
}

/// Amount at current prices, and its possible maximum, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) now: u128,
    pub(crate) at_most: u128,
}

/// Action and costs of a command.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Bill {
    /// Action as text, such as `contribute 100 samples`.
    pub(crate) action: String,
    #[serde(flatten)]
    pub(crate) target: Target,
    pub(crate) account: Address,
    /// Number of samples, claims or batches.
    pub(crate) count: u64,
    /// Deposit of each of them, in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) each: Option<Range>,
    /// Money that leaves the account or its prepaid balance, without gas, in wei.
    pub(crate) value: Range,
    /// Units of gas, if they are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gas: Option<u64>,
    /// Cost of the gas, in wei.
    pub(crate) gas_cost: Range,
    /// Further lines of the bill, each with a name and a text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<(&'static str, String)>,
}

impl Range {
    /// Returns the range of exactly this amount.
    pub(crate) const fn exactly(amount: u128) -> Self {
        Self {
            now: amount,
            at_most: amount,
        }
    }

    /// Returns the range for `count` times this amount.
    pub(crate) const fn times(self, count: u64) -> Self {
        Self {
            now: self.now.saturating_mul(count as u128),
            at_most: self.at_most.saturating_mul(count as u128),
        }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            now: self.now.saturating_add(other.now),
            at_most: self.at_most.saturating_add(other.at_most),
        }
    }

    fn text(self) -> String {
        if self.now == self.at_most {
            return Wei(self.now).to_string();
        }
        format!("{} now, at most {}", Wei(self.now), Wei(self.at_most))
    }
}

impl Serialize for Range {
    /// Writes wei as text, because an amount may exceed the numbers of other JSON readers.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            now: String,
            at_most: String,
        }
        Shown {
            now: self.now.to_string(),
            at_most: self.at_most.to_string(),
        }
        .serialize(serializer)
    }
}

/// Returns the cost of the gas of one or more transactions. It includes the margin of each, and the
/// maximum rise of their fees while they are pending. `--max-total` limits how far fees rise, so
/// with it the initial cost is the maximum.
pub(crate) fn gas_cost_of_all(
    gas: u64,
    gas_fees: &GasFees,
    limits: &GasFeeArgs,
    spending: &SpendingArgs,
) -> Range {
    let maximum = limits.max_fee.map(|Wei(maximum)| maximum);
    let max = gas_fees::max(gas_fees, maximum);
    let price = if spending.max_total.is_some() {
        max.min(gas_fees.max())
    } else {
        max
    };
    let now = gas_fees::price(gas_fees).min(price);
    Range {
        now: u128::from(gas).saturating_mul(now),
        at_most: u128::from(gas::with_margin(gas)).saturating_mul(price),
    }
}

impl Target {
    /// Describes the target of a command.
    pub(crate) fn new(session: &Session, model: Option<&LiveModel>) -> Self {
        let Some(model) = model else {
            return Self::of_chain(session);
        };
        let name = model.card.as_ref().map(|card| card.name.clone());
        Self::of_trainer(session, model.facts.trainer, name, model.origin.clone())
    }

    /// Describes a trainer as target, with its name and the source of its address.
    pub(crate) fn of_trainer(
        session: &Session,
        trainer: Address,
        name: Option<String>,
        origin: String,
    ) -> Self {
        Self {
            model: Some(trainer),
            name,
            model_from: Some(origin),
            ..Self::of_chain(session)
        }
    }

    fn of_chain(session: &Session) -> Self {
        let chain_id = session.node.chain_id();
        Self {
            chain_id,
            chain: NamedChain::try_from(chain_id).ok().map(Into::into),
            node: session.node.display_url(),
            node_from: session.node_from,
            model: None,
            name: None,
            model_from: None,
        }
    }

    /// Returns the name and the text of each line.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let chain = match self.chain {
            _ if self.chain_id == DEVELOPMENT_CHAIN => " (a development chain)".to_owned(),
            Some(name) => format!(" ({name})"),
            None => String::new(),
        };
        let mut lines = vec![(
            "chain",
            format!(
                "{}{chain}, node {} ({})",
                self.chain_id, self.node, self.node_from
            ),
        )];
        if let (Some(model), Some(from)) = (self.model, &self.model_from) {
            let name = self.name.as_ref().map_or_else(String::new, |name| {
                // Anyone may register any name, so it is escaped.
                format!("{} ", escaped(name))
            });
            lines.push(("model", format!("{name}{model} ({from})")));
        }
        lines
    }

    /// Shows on stderr the target of a command that costs nothing.
    pub(crate) fn tell(&self, session: &Session) {
        let lines = self.lines();
        let lines: Vec<String> = lines
            .iter()
            .map(|(name, text)| format!("{name} {text}"))
            .collect();
        session.narrator.say(lines.join("; "));
    }
}

impl Bill {
    /// Returns the money that leaves the account, gas included.
    pub(crate) fn total(&self) -> Range {
        self.value.plus(self.gas_cost)
    }

    fn text(&self) -> String {
        let mut lines = self.target.lines();
        lines.push(("account", self.account.to_string()));
        lines.extend(self.notes.iter().cloned());
        match self.each {
            Some(each) if self.count > 1 => {
                lines.push(("deposit", format!("{} each", each.text())));
                lines.push(("in all", self.value.text()));
            }
            Some(_) => lines.push(("deposit", self.value.text())),
            None if self.value.at_most > 0 => lines.push(("amount", self.value.text())),
            None => {}
        }
        match self.gas {
            Some(gas) => lines.push(("gas", format!("about {gas}: {}", self.gas_cost.text()))),
            None if self.gas_cost.at_most > 0 => lines.push(("gas", self.gas_cost.text())),
            None => {}
        }
        lines.push(("total", self.total().text()));
        let mut text = format!("{}\n", self.action);
        for (name, line) in lines {
            let _ = writeln!(text, "  {name:8} {line}");
        }
        text
    }
}

/// A bill of a dry run.
#[derive(Serialize)]
struct NotSent<'a> {
    dry_run: bool,
    #[serde(flatten)]
    bill: &'a Bill,
    total: Range,
}

impl ConsentArgs {
    /// Shows the bill, and asks the user if that is necessary. Returns `false` after a dry run: the
    /// bill was the result, and the command must do nothing more.
    pub(crate) fn agreed(
        &self,
        session: &Session,
        bill: &Bill,
        json: bool,
    ) -> Result<bool, CommandError> {
        self.agreed_within(session, bill, json, None)
    }

    fn agreed_within(
        &self,
        session: &Session,
        bill: &Bill,
        json: bool,
        max: Option<Wei>,
    ) -> Result<bool, CommandError> {
        if self.dry_run {
            let total = bill.total();
            let dry = NotSent {
                dry_run: true,
                bill,
                total,
            };
            show(json, &dry, || {
                format!("{}nothing was sent (--dry-run)\n", bill.text())
            })?;
        } else {
            session.narrator.say(bill.text().trim_end());
        }
        let total = bill.total().at_most;
        if let Some(Wei(max)) = max.filter(|Wei(max)| total > *max) {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: this could cost {}, which is more than --max-total {}; allow more, or do less",
                Wei(total),
                Wei(max)
            )));
        }
        if self.dry_run {
            return Ok(false);
        }
        if !self.yes && bill.must_be_asked() {
            if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
                return Err(CommandError::Mistake(anyhow!(
                    "nothing was sent: there is no terminal to ask; say --yes to go on, or see with --dry-run \
                     what it costs"
                )));
            }
            session.narrator.say("Go on? [y/N]");
            if !says_yes(&mut io::stdin().lock())? {
                return Err(CommandError::Mistake(anyhow!(
                    "nothing was sent, as you wished"
                )));
            }
        }
        Ok(true)
    }
}

impl SpendingArgs {
    /// Shows the bill, refuses a total above `--max-total`, and asks the user if that is necessary.
    /// Returns `false` after a dry run: the bill was the result, and the command must do nothing
    /// more.
    pub(crate) fn agreed(
        &self,
        session: &Session,
        bill: &Bill,
        json: bool,
    ) -> Result<bool, CommandError> {
        self.consent
            .agreed_within(session, bill, json, self.max_total)
    }

    /// Returns the budget that `--max-total` sets.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.max_total.map(|Wei(max)| max))
    }
}

impl Bill {
    /// Returns `true` if the user must consent: on a development chain only above [`ASKED_ABOVE`].
    fn must_be_asked(&self) -> bool {
        self.target.chain_id != DEVELOPMENT_CHAIN || self.value.at_most > ASKED_ABOVE
    }
}

/// Reads an answer. The end of the input means no.
pub(crate) fn says_yes(input: &mut impl BufRead) -> io::Result<bool> {
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}

/// Finished part of a command with several transactions or requests; it belongs to the result.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Progress {
    /// Whether some work remains.
    partial: bool,
    done: u64,
    of: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Next step to do the rest, as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    go_on: Option<String>,
}

impl Progress {
    /// Returns the progress of a command that did everything.
    pub(crate) fn whole(of: u64) -> Self {
        Self {
            partial: false,
            done: of,
            of,
            error: None,
            go_on: None,
        }
    }

    /// Returns the progress of a command that an error stopped.
    pub(crate) fn stopped(done: u64, of: u64, failure: &CommandError, go_on: String) -> Self {
        Self {
            partial: true,
            done,
            of,
            error: Some(format!("{:#}", failure.error())),
            go_on: Some(go_on),
        }
    }

    /// Returns the failure with the finished part, the rest, and the way to continue, as text.
    /// `what` is such as "samples are contributed".
    pub(crate) fn explain(&self, failure: CommandError, what: &str) -> CommandError {
        let message = format!(
            "{} of {} {what}, {} are not; {}",
            count(self.done),
            count(self.of),
            count(self.of.saturating_sub(self.done)),
            self.go_on.as_deref().unwrap_or_default()
        );
        failure.context(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bill(chain_id: u64, value: u128) -> Bill {
        Bill {
            action: "contribute 2 samples".to_owned(),
            target: Target {
                chain_id,
                chain: NamedChain::try_from(chain_id).ok().map(Into::into),
                node: "http://127.0.0.1:8545".to_owned(),
                node_from: "the default",
                model: Some(Address::with_last_byte(7)),
                name: Some("a\u{1b}[2J\u{202e}b".to_owned()),
                model_from: Some("the last one used".to_owned()),
            },
            account: Address::with_last_byte(9),
            count: 2,
            each: Some(Range {
                now: value / 2,
                at_most: value,
            }),
            value: Range {
                now: value,
                at_most: 2 * value,
            },
            gas: Some(200_000),
            gas_cost: Range {
                now: 1_000_000_000_000_000,
                at_most: 2_000_000_000_000_000,
            },
            notes: Vec::new(),
        }
    }

    #[test]
    fn text_of_a_bill_has_chain_node_model_number_and_total() {
        insta::assert_snapshot!(bill(1, 100_000_000_000_000_000).text(), @r"
        contribute 2 samples
          chain    1 (mainnet), node http://127.0.0.1:8545 (the default)
          model    a\u{1b}[2J\u{202e}b 0x0000000000000000000000000000000000000007 (the last one used)
          account  0x0000000000000000000000000000000000000009
          deposit  0.05 ether now, at most 0.1 ether each
          in all   0.1 ether now, at most 0.2 ether
          gas      about 200000: 0.001 ether now, at most 0.002 ether
          total    0.101 ether now, at most 0.202 ether
        ");
    }

    #[test]
    fn must_be_asked_if_the_amount_is_large_or_the_chain_is_real() {
        let asked = |chain, value| bill(chain, value).must_be_asked();
        assert!(!asked(DEVELOPMENT_CHAIN, ASKED_ABOVE / 2));
        assert!(asked(DEVELOPMENT_CHAIN, ASKED_ABOVE / 2 + 1));
        for chain in [1, 7_000, 11_155_111] {
            assert!(asked(chain, 0), "{chain}");
        }
    }

    #[test]
    fn gas_cost_of_all_is_at_most_what_fees_may_rise_to() {
        let now = GasFees {
            base: 10,
            priority: 1,
        };
        let cost = |max_fee: Option<u128>, max_total: Option<u128>| {
            let limits = GasFeeArgs {
                max_fee: max_fee.map(Wei),
            };
            let spending = SpendingArgs {
                max_total: max_total.map(Wei),
                ..SpendingArgs::default()
            };
            gas_cost_of_all(1_000, &now, &limits, &spending)
        };
        let range = |now, at_most| Range { now, at_most };
        // A quarter more gas, at up to four times the first offer of 21.
        assert_eq!(cost(None, None), range(11_000, 1_250 * 84));
        assert_eq!(cost(Some(100), None), range(11_000, 1_250 * 100));
        assert_eq!(cost(Some(10), None), range(10_000, 1_250 * 10));
        assert_eq!(cost(None, Some(1)), range(11_000, 1_250 * 21));
        assert_eq!(cost(Some(100), Some(1)), range(11_000, 1_250 * 21));
        assert_eq!(cost(Some(12), Some(1)), range(11_000, 1_250 * 12));
    }

    #[test]
    fn says_yes_only_if_the_answer_is_y_or_yes() {
        let says = |text: &str| says_yes(&mut text.as_bytes()).expect("text");
        for yes in ["y\n", "Y\n", "yes\n", " y \n"] {
            assert!(says(yes), "{yes:?}");
        }
        // The last one is the end of the input.
        for no in ["n\n", "\n", "yeah\n", "no\ny\n", ""] {
            assert!(!says(no), "{no:?}");
        }
    }

    #[test]
    fn progress_says_how_to_go_on_after_a_part() {
        let failure = CommandError::Mistake(anyhow!("the node is gone"));
        let progress = Progress::stopped(100, 500, &failure, "go on with --skip 100".to_owned());
        let json = serde_json::to_value(&progress).expect("JSON");
        assert_eq!(json["partial"], true);
        assert_eq!(json["error"], "the node is gone");
        let message = progress.explain(failure, "samples are contributed");
        assert_eq!(
            format!("{:#}", message.error()),
            "100 of 500 samples are contributed, 400 are not; go on with --skip 100: the node is gone"
        );
        assert_eq!(
            serde_json::to_value(Progress::whole(3)).expect("JSON")["partial"],
            false
        );
    }
}
