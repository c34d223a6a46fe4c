//! A `PostgreSQL` server for a single test.

use std::{
    env, fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Numeric id of `nobody`, who runs the server if the test is root: the server refuses to run as
/// root.
const NOBODY: u32 = 65_534;

/// A server on a free loopback port with an empty database. Dropping it ends the server.
#[derive(Debug)]
pub struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// Starts a server and waits until it answers.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The user `nobody` must be able to enter the folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permitted");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        if is_root() {
            chown(&data, Some(NOBODY), Some(NOBODY)).expect("given to nobody");
        }
        let initdb = [
            "--auth=trust",
            "--username=cotrain",
            "--no-sync",
            "--encoding=UTF8",
            "-D",
        ];
        let made = program("initdb")
            .args(initdb)
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("initdb").success(), "initdb failed");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a port").port();
        drop(listener);
        let server = program("postgres")
            .args(["-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-c", "unix_socket_directories=", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let postgres = Self {
            server: server.expect("postgres"),
            port,
            _folder: folder,
        };
        for _ in 0..300 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return postgres;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("PostgreSQL does not answer after 30 seconds");
    }

    /// Creates an empty database. Returns its URL.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-U", "cotrain", name];
        for _ in 0..50 {
            let made = program("createdb")
                .args(arguments)
                .stderr(Stdio::null())
                .status();
            if made.expect("createdb").success() {
                return format!("postgres://cotrain@127.0.0.1:{port}/{name}");
            }
            // The server is still starting.
            thread::sleep(Duration::from_millis(200));
        }
        panic!("cannot make the database {name}");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The data is temporary, so killing the server is safe. Its child processes end with it.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// Returns the command of one of the server's programs, which does not run as root.
fn program(name: &str) -> Command {
    let path = find(name).unwrap_or_else(|| {
        panic!("`{name}` is not on PATH nor under /usr/lib/postgresql; scripts/setup installs it")
    });
    if !is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    let nobody = NOBODY.to_string();
    command
        .args([
            "--reuid",
            &nobody,
            "--regid",
            &nobody,
            "--clear-groups",
            "--",
        ])
        .arg(path)
        .current_dir("/");
    command
}

/// Finds a program on PATH or in Debian's folder.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    env::split_paths(&path)
        .chain(debian.map(|version| version.path().join("bin")))
        .map(|folder| folder.join(name))
        .find(|file| Path::is_file(file))
}
