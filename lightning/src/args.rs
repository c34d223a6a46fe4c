//! Command line of `lnnode`.

use std::{
    ffi::OsString,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use ldk_node::bitcoin::Network;
use lexopt::{Arg, Parser, ValueExt};

/// Text of `--help`.
pub(crate) const HELP: &str = "\
A small Lightning node with the REST face of LND

Usage: lnnode --dir DIR --listen ADDR:PORT (--bitcoind URL | --toy-chain) [options]

  --dir DIR                 keys, certificate, macaroons and database; made if missing
  --listen ADDR:PORT        address for Lightning peers
  --rest ADDR:PORT          address of the REST interface [default: 127.0.0.1:8080]
  --tls-name NAME           further name or IP address in the certificate; may be repeated
  --alias NAME              name that peers see, 32 bytes at most [default: lnnode]
  --network NAME            regtest, signet or mainnet [default: regtest]
  --real-money              required for mainnet: its coins are real, and this program is young
  --bitcoind URL            JSON-RPC of bitcoind: http://user:password@host:port
  --bitcoind-cookie FILE    cookie of bitcoind, for a URL without user and password
  --toy-chain               regtest chain inside this program; it checks no signatures
  --toy-chain-listen ADDR:PORT
                            JSON-RPC of the toy chain, on loopback [default: 127.0.0.1:18443]
  -h, --help                print this text
  -V, --version             print the version
";

/// Source of blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Chain {
    /// JSON-RPC of bitcoind or of another node's toy chain.
    Bitcoind(Rpc),
    /// Toy chain inside this program, whose JSON-RPC listens here.
    Toy(SocketAddr),
}

/// Access to bitcoind's JSON-RPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rpc {
    /// Host name or address.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// User name.
    pub(crate) user: String,
    /// Password.
    pub(crate) password: String,
}

/// Configuration of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    /// Directory of keys and databases.
    pub(crate) dir: PathBuf,
    /// Address for Lightning peers.
    pub(crate) listen: SocketAddr,
    /// Address of the REST interface.
    pub(crate) rest: SocketAddr,
    /// Further names in the certificate.
    pub(crate) tls_names: Vec<String>,
    /// Name that peers see.
    pub(crate) alias: String,
    /// Bitcoin network.
    pub(crate) network: Network,
    /// Source of blocks.
    pub(crate) chain: Chain,
}

/// Request of the caller.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Prints the help.
    Help,
    /// Prints the version.
    Version,
    /// Runs a node.
    Run(Box<Args>),
}

/// Arguments that do not describe a node.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArgsError {
    /// Argument that cannot be parsed or is unknown.
    #[error("cannot read the arguments: {0}; see lnnode --help")]
    Parse(#[from] lexopt::Error),
    /// Missing or contradicting arguments.
    #[error("cannot start: {0}; see lnnode --help")]
    Invalid(String),
}

fn invalid(text: impl Into<String>) -> ArgsError {
    ArgsError::Invalid(text.into())
}

/// Reads the arguments after the program's name.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Request, ArgsError> {
    let mut parser = Parser::from_args(args);
    let (mut dir, mut listen, mut url, mut cookie) = (None, None, None, None);
    let mut rest = SocketAddr::from(([127, 0, 0, 1], 8080));
    let mut toy_listen = None;
    let (mut toy, mut real_money) = (false, false);
    let mut tls_names = Vec::new();
    let mut alias = "lnnode".to_owned();
    let mut network = Network::Regtest;
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("dir") => dir = Some(PathBuf::from(parser.value()?)),
            Arg::Long("listen") => listen = Some(address(&parser.value()?.string()?)?),
            Arg::Long("rest") => rest = address(&parser.value()?.string()?)?,
            Arg::Long("tls-name") => tls_names.push(parser.value()?.string()?),
            Arg::Long("alias") => alias = parser.value()?.string()?,
            Arg::Long("network") => network = network_named(&parser.value()?.string()?)?,
            Arg::Long("real-money") => real_money = true,
            Arg::Long("bitcoind") => url = Some(parser.value()?.string()?),
            Arg::Long("bitcoind-cookie") => cookie = Some(PathBuf::from(parser.value()?)),
            Arg::Long("toy-chain") => toy = true,
            Arg::Long("toy-chain-listen") => {
                toy_listen = Some(address(&parser.value()?.string()?)?);
            }
            Arg::Short('h') | Arg::Long("help") => return Ok(Request::Help),
            Arg::Short('V') | Arg::Long("version") => return Ok(Request::Version),
            other => return Err(other.unexpected().into()),
        }
    }
    if network == Network::Bitcoin && !real_money {
        return Err(invalid(
            "mainnet moves real money; add --real-money if you accept its loss",
        ));
    }
    if network != Network::Bitcoin && real_money {
        return Err(invalid("--real-money is for --network mainnet only"));
    }
    if alias.len() > 32 {
        return Err(invalid(format!(
            "expected an alias of 32 bytes, found {}",
            alias.len()
        )));
    }
    let chain = match (url, toy) {
        (Some(url), false) => Chain::Bitcoind(rpc(&url, cookie.take())?),
        (None, true) => toy_chain(network, toy_listen.take())?,
        _ => return Err(invalid("expected either --bitcoind or --toy-chain")),
    };
    if cookie.is_some() {
        return Err(invalid("--bitcoind-cookie needs --bitcoind"));
    }
    if toy_listen.is_some() {
        return Err(invalid("--toy-chain-listen needs --toy-chain"));
    }
    Ok(Request::Run(Box::new(Args {
        dir: dir.ok_or_else(|| invalid("expected --dir"))?,
        listen: listen.ok_or_else(|| invalid("expected --listen"))?,
        rest,
        tls_names,
        alias,
        network,
        chain,
    })))
}

fn toy_chain(network: Network, listen: Option<SocketAddr>) -> Result<Chain, ArgsError> {
    let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 18443)));
    if network != Network::Regtest {
        return Err(invalid("--toy-chain is for --network regtest only"));
    }
    if !listen.ip().is_loopback() {
        return Err(invalid(
            "anyone who reaches the toy chain can mine; listen on 127.0.0.1",
        ));
    }
    Ok(Chain::Toy(listen))
}

fn address(text: &str) -> Result<SocketAddr, ArgsError> {
    text.to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next())
        .ok_or_else(|| {
            invalid(format!(
                "expected an address such as 127.0.0.1:9735, found {text}"
            ))
        })
}

fn network_named(name: &str) -> Result<Network, ArgsError> {
    match name {
        "regtest" => Ok(Network::Regtest),
        "signet" => Ok(Network::Signet),
        "mainnet" => Ok(Network::Bitcoin),
        _ => Err(invalid(format!(
            "expected regtest, signet or mainnet, found {name}"
        ))),
    }
}

/// Reads `http://user:password@host:port`, with user and password from `cookie` if it is given.
fn rpc(url: &str, cookie: Option<PathBuf>) -> Result<Rpc, ArgsError> {
    let shape = || invalid("expected a bitcoind URL such as http://user:password@127.0.0.1:8332");
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(shape)?
        .trim_end_matches('/');
    let (auth, place) = match (rest.rsplit_once('@'), cookie) {
        (Some((auth, place)), None) => (auth.to_owned(), place),
        (None, Some(file)) => {
            let auth = std::fs::read_to_string(&file).map_err(|error| {
                invalid(format!(
                    "cannot read the cookie {}: {error}",
                    file.display()
                ))
            })?;
            (auth.trim().to_owned(), rest)
        }
        (None, None) => {
            return Err(invalid(
                "the bitcoind URL has no user; add --bitcoind-cookie",
            ));
        }
        (Some(_), Some(_)) => return Err(invalid("expected a user in the URL or a cookie file")),
    };
    let (user, password) = auth.split_once(':').ok_or_else(shape)?;
    let (host, port) = place.rsplit_once(':').ok_or_else(shape)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(shape());
    }
    Ok(Rpc {
        host: host.to_owned(),
        port: port.parse().map_err(|_| shape())?,
        user: user.to_owned(),
        password: password.to_owned(),
    })
}

/// Returns the names for the certificate: loopback, the REST address, and what the caller adds.
pub(crate) fn certificate_names(args: &Args) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let rest = args.rest.ip();
    let unspecified = rest == IpAddr::from([0, 0, 0, 0]) || rest.is_unspecified();
    let own = (!unspecified).then(|| rest.to_string());
    for name in own.into_iter().chain(args.tls_names.iter().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Request, ArgsError> {
        read(line.split_whitespace().map(OsString::from))
    }

    fn refused(line: &str) -> String {
        parse(line).expect_err(line).to_string()
    }

    #[test]
    fn read_takes_a_toy_chain() {
        let Ok(Request::Run(args)) =
            parse("--dir d --listen 127.0.0.1:9735 --toy-chain --rest 127.0.0.1:0 --tls-name ln")
        else {
            panic!("refused");
        };
        assert_eq!(
            args.chain,
            Chain::Toy(SocketAddr::from(([127, 0, 0, 1], 18443)))
        );
        assert_eq!(
            certificate_names(&args),
            ["localhost", "127.0.0.1", "::1", "ln"]
        );
    }

    #[test]
    fn read_takes_bitcoind_with_user_or_cookie() {
        let Ok(Request::Run(args)) =
            parse("--dir d --listen 127.0.0.1:1 --bitcoind http://u:p@w@[::1]:8332/")
        else {
            panic!("refused");
        };
        let Chain::Bitcoind(rpc) = args.chain else {
            panic!("no bitcoind")
        };
        assert_eq!((rpc.host.as_str(), rpc.port), ("::1", 8332));
        assert_eq!((rpc.user.as_str(), rpc.password.as_str()), ("u", "p@w"));

        let file = tempfile::NamedTempFile::new().expect("file");
        std::fs::write(file.path(), "__cookie__:secret\n").expect("write");
        let line = format!(
            "--dir d --listen 127.0.0.1:1 --bitcoind http://127.0.0.1:1 --bitcoind-cookie {}",
            file.path().display()
        );
        let Ok(Request::Run(args)) = parse(&line) else {
            panic!("refused")
        };
        let Chain::Bitcoind(rpc) = args.chain else {
            panic!("no bitcoind")
        };
        assert_eq!(
            (rpc.user.as_str(), rpc.password.as_str()),
            ("__cookie__", "secret")
        );
    }

    #[test]
    fn read_refuses_real_money_without_the_word() {
        let base = "--dir d --listen 127.0.0.1:1";
        let mainnet = format!("{base} --network mainnet --bitcoind http://u:p@127.0.0.1:8332");
        assert!(refused(&mainnet).contains("real money"));
        assert!(parse(&format!("{mainnet} --real-money")).is_ok());
        assert!(refused(&format!("{base} --toy-chain --real-money")).contains("mainnet only"));
        assert!(refused(&format!("{base} --toy-chain --network signet")).contains("regtest only"));
    }

    #[test]
    fn read_refuses_contradictions() {
        let base = "--dir d --listen 127.0.0.1:1";
        for rest in [
            "",
            "--toy-chain --bitcoind http://u:p@h:1",
            "--bitcoind http://h:1",
            "--bitcoind https://u:p@h:1",
            "--bitcoind http://u:p@h:99999",
            "--bitcoind http://u:p@:1",
            "--bitcoind http://u:p@h:1 --toy-chain-listen 127.0.0.1:2",
            "--toy-chain --bitcoind-cookie f",
            "--toy-chain --toy-chain-listen 0.0.0.0:1",
            "--toy-chain --network moon",
            "--toy-chain --nonsense",
            "--toy-chain --alias 123456789012345678901234567890123",
        ] {
            refused(&format!("{base} {rest}"));
        }
        refused("--listen 127.0.0.1:1 --toy-chain");
        refused("--dir d --toy-chain");
    }

    #[test]
    fn help_names_every_option() {
        let source = include_str!("args.rs");
        for option in source
            .split("Arg::Long(\"")
            .skip(1)
            .filter_map(|s| s.split('"').next())
        {
            assert!(
                HELP.contains(&format!("--{option}")),
                "--{option} is not in the help"
            );
        }
    }
}
