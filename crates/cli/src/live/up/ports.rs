//! Ports, checked before anything is done.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, TcpListener},
};

use anyhow::anyhow;
use cotrain_chain::anvil;

use super::ENDS_ORPHANS;
use crate::error::CommandError;

/// Checks that a port of this machine is free; 0 means any port.
pub(super) fn check(port: u16, whose: &str, option: &str) -> Result<(), CommandError> {
    if port == 0 {
        return Ok(());
    }
    let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else {
        return Ok(());
    };
    let next = format!("name another one with {option} (`{option} 0`: any that is free)");
    Err(CommandError::Mistake(
        if error.kind() == ErrorKind::AddrInUse {
            let (holder, stop) = match holder(port) {
                Some((pid, program)) if anvil::orphans().iter().any(|orphan| orphan.id == pid) => (
                    format!("{program} (process {pid}), which a killed cotrain left behind"),
                    format!("stop it with `{ENDS_ORPHANS}`"),
                ),
                Some((pid, program)) => {
                    (format!("{program} (process {pid})"), "stop it".to_owned())
                }
                None => ("another program".to_owned(), "stop it".to_owned()),
            };
            anyhow!("port {port}, for {whose}, is taken by {holder}; {stop}, or {next}")
        } else {
            anyhow!("cannot listen on port {port}, for {whose}: {error}; {next}")
        },
    ))
}

/// Returns the process and the program that listen on a port, as far as the system shows them.
#[cfg(target_os = "linux")]
fn holder(port: u16) -> Option<(u32, String)> {
    use std::{fs, path::Path};

    let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            let lines = table.lines().filter_map(|line| listener(line, port));
            lines.collect::<Vec<_>>()
        })
        .collect();
    let has = |process: &Path| {
        let files = fs::read_dir(process.join("fd")).ok()?;
        let mut links = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok());
        links
            .any(|link| sockets.iter().any(|socket| link.to_str() == Some(socket)))
            .then_some(())
    };
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let path = process.path();
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if has(&path).is_some() {
            let program = fs::read_to_string(path.join("comm")).unwrap_or_default();
            return Some((pid, program.trim().to_owned()));
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn holder(_port: u16) -> Option<(u32, String)> {
    None
}

/// Returns the socket of a line of `/proc/net/tcp`, if it listens on a port. Its form is that of
/// links to sockets.
#[cfg(target_os = "linux")]
fn listener(line: &str, port: u16) -> Option<String> {
    const LISTENS: &str = "0A";
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let socket = fields.nth(5)?;
    let here = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
    (state == LISTENS && here == port).then(|| format!("socket:[{socket}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_names_the_process_at_a_taken_port_and_the_next_step() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let error = check(port, "the node", "--port").expect_err("taken");
        let text = error.error().to_string();
        assert!(text.contains(&format!("port {port}")), "{text}");
        assert!(text.contains("--port 0"), "{text}");
        #[cfg(target_os = "linux")]
        assert!(
            text.contains(&format!("(process {})", std::process::id())),
            "{text}"
        );
        drop(listener);
        assert!(check(port, "the node", "--port").is_ok());
        assert!(check(0, "the node", "--port").is_ok());
    }
}
