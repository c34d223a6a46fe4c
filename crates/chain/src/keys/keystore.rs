//! Encrypted secrets in the format of wallets: JSON of Web3 secret storage, version 3.

use aes::Aes128;
use alloy_primitives::{Address, hex, keccak256};
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use scrypt::Params;
use serde_json::{Map, Value, json};
use sha2::Sha256;

/// Exponent of scrypt's n in new files, the same as geth's and ethers'.
///
/// Deriving a key takes 256 MiB and about a second.
pub(super) const LOG_N: u8 = 18;
const R: u32 = 8;
const P: u32 = 1;

/// Minimum of PBKDF2 rounds below which a file counts as weak: the rounds of geth's files.
const USUAL_ROUNDS: u64 = 262_144;
/// Limits of the work that a file may demand: 1 GiB, eight times the usual time, and a minute.
const MAX_MEMORY: u64 = 1 << 30;
const MAX_WORK: u64 = 1 << 24;
const MAX_ROUNDS: u64 = 1 << 26;

/// Length of a derived key, in bytes: one half decrypts, the other checks the password.
const DERIVED: usize = 32;

/// Reason why a secret cannot be decrypted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The password is wrong.
    Password,
    /// The file is malformed or of another format. The text describes the fault.
    File(String),
}

/// A decrypted secret.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) secret: [u8; 32],
    /// Descriptions of everything in the file that other programs would not expect.
    pub(super) unusual: Vec<String>,
    /// Account that the file names, if any.
    pub(super) address: Option<Address>,
}

/// Decrypts the secret of a key file.
pub(super) fn decrypt(text: &str, password: &str) -> Result<Opened, Fault> {
    let mut unusual = Vec::new();
    let plain = text.trim_start_matches('\u{feff}');
    if plain.len() < text.len() {
        unusual.push("it begins with a byte order mark".to_owned());
    }
    let file: Map<String, Value> = serde_json::from_str(plain)
        .map_err(|error| Fault::File(format!("it is no JSON object: {error}")))?;
    match file.get("version").map(|version| (version, whole(version))) {
        Some((_, Some(3))) => {}
        Some((version, _)) => return wrong("version", version, "3"),
        None => unusual.push("it has no `version`, taken for 3".to_owned()),
    }
    if !file.contains_key("id") {
        unusual.push("it has no `id`".to_owned());
    }
    let (name, crypto) = match (file.get("crypto"), file.get("Crypto")) {
        (Some(crypto), _) => ("crypto", crypto),
        (None, Some(crypto)) => {
            unusual.push("it has `Crypto` in place of `crypto`".to_owned());
            ("Crypto", crypto)
        }
        (None, None) => return Err(Fault::File("it has no `crypto`".to_owned())),
    };
    let crypto = Object {
        name: name.to_owned(),
        value: crypto,
    };
    crypto.is("cipher", "aes-128-ctr")?;
    let vector: [u8; 16] = crypto.object("cipherparams")?.bytes("iv", &mut unusual)?;
    let mut secret: [u8; 32] = crypto.bytes("ciphertext", &mut unusual)?;
    let expected: [u8; 32] = crypto.bytes("mac", &mut unusual)?;
    let derived = derive(&crypto, password, &mut unusual)?;
    let check = keccak256([&derived[16..], &secret].concat());
    if check != expected {
        return Err(Fault::Password);
    }
    apply(&derived, &vector, &mut secret);
    let address = file
        .get("address")
        .and_then(Value::as_str)
        .and_then(|address| address.parse().ok());
    Ok(Opened {
        secret,
        unusual,
        address,
    })
}

/// Encrypts a secret, with random salt, initialization vector and id.
pub(super) fn encrypt(
    secret: &[u8; 32],
    address: Address,
    password: &str,
    mut random: impl FnMut(&mut [u8]),
) -> String {
    let (mut salt, mut vector, mut id) = ([0; 32], [0; 16], [0; 16]);
    for bytes in [&mut salt[..], &mut vector, &mut id] {
        random(bytes);
    }
    let derived = scrypted(password, &salt, LOG_N, R, P);
    let mut ciphertext = *secret;
    apply(&derived, &vector, &mut ciphertext);
    let mac = keccak256([&derived[16..], &ciphertext].concat());
    let file = json!({
        "address": hex::encode(address),
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": { "iv": hex::encode(vector) },
            "ciphertext": hex::encode(ciphertext),
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": DERIVED,
                "n": 1_u64 << LOG_N,
                "r": R,
                "p": P,
                "salt": hex::encode(salt),
            },
            "mac": hex::encode(mac),
        },
        "id": uuid(id),
        "version": 3,
    });
    file.to_string() + "\n"
}

/// Derives the key that decrypts the secret and checks the password.
fn derive(
    crypto: &Object<'_>,
    password: &str,
    unusual: &mut Vec<String>,
) -> Result<[u8; DERIVED], Fault> {
    let kdf = crypto.text("kdf")?.to_lowercase();
    let parameters = crypto.object("kdfparams")?;
    let length = parameters.number("dklen")?;
    // A longer key begins with the shorter one, and decryption uses only that beginning.
    if length < DERIVED as u64 {
        return wrong(&parameters.path("dklen"), length, "32 or more");
    }
    let salt = parameters.any_bytes("salt", unusual)?;
    match kdf.as_str() {
        "scrypt" => {
            let [n, r, p] = ["n", "r", "p"].map(|name| parameters.number(name));
            let (n, r, p) = (n?, r?, p?);
            if n < 2 || !n.is_power_of_two() {
                return wrong(&parameters.path("n"), n, "a power of two");
            }
            let memory = n.saturating_mul(r).saturating_mul(128);
            let work = n.saturating_mul(r).saturating_mul(p);
            if r == 0 || p == 0 || memory > MAX_MEMORY || work > MAX_WORK {
                return Err(Fault::File(format!(
                    "its n, r and p are {n}, {r} and {p}, expected at most 1048576, 8 and 2 or no more \
                     work than these"
                )));
            }
            // Old Python tools wrote such parameters: the same work with less memory at a time.
            let usual = n.saturating_mul(r).saturating_mul(p) >= u64::from(R) << LOG_N;
            if (r, p) != (u64::from(R), u64::from(P)) {
                unusual.push(format!(
                    "its scrypt has r = {r} and p = {p}, usual are {R} and {P}"
                ));
            }
            if !usual {
                unusual.push(format!(
                    "its scrypt has n = {n}, usual is {}: whoever has the file can try passwords faster",
                    1_u64 << LOG_N
                ));
            }
            let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
            // A power of two below 2^31 has fewer than 32 trailing zeros.
            let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
            Ok(scrypted(password, &salt, log_n, small(r), small(p)))
        }
        "pbkdf2" => {
            parameters.is("prf", "hmac-sha256")?;
            let rounds = parameters.number("c")?;
            if rounds == 0 || rounds > MAX_ROUNDS {
                return wrong(&parameters.path("c"), rounds, "1 to 67108864");
            }
            if rounds < USUAL_ROUNDS {
                unusual.push(format!(
                    "its pbkdf2 has c = {rounds}, usual is {USUAL_ROUNDS}: whoever has the file can try \
                     passwords faster"
                ));
            }
            let mut derived = [0; DERIVED];
            let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, rounds, &mut derived);
            Ok(derived)
        }
        _ => wrong(&crypto.path("kdf"), kdf, "scrypt or pbkdf2"),
    }
}

fn scrypted(password: &str, salt: &[u8], log_n: u8, r: u32, p: u32) -> [u8; DERIVED] {
    let mut derived = [0; DERIVED];
    let parameters = Params::new(log_n, r, p).expect("parameters within the limits");
    scrypt::scrypt(password.as_bytes(), salt, &parameters, &mut derived)
        .expect("a length that scrypt can give");
    derived
}

/// Encrypts or decrypts in place.
fn apply(derived: &[u8; DERIVED], vector: &[u8; 16], secret: &mut [u8; 32]) {
    let (key, _) = derived.split_at(16);
    let key: [u8; 16] = key.try_into().expect("16 bytes");
    Ctr128BE::<Aes128>::new(&key.into(), vector.into()).apply_keystream(secret);
}

/// Formats random bytes as a UUID of version 4 (RFC 9562).
fn uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digits[part]);
    parts.join("-")
}

/// JSON object of the file, with its path for messages.
struct Object<'a> {
    name: String,
    value: &'a Value,
}

impl<'a> Object<'a> {
    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn get(&self, name: &str) -> Result<&'a Value, Fault> {
        let missing = || Fault::File(format!("it has no `{}`", self.path(name)));
        self.value.get(name).ok_or_else(missing)
    }

    fn object(&self, name: &str) -> Result<Self, Fault> {
        Ok(Self {
            name: self.path(name),
            value: self.get(name)?,
        })
    }

    fn text(&self, name: &str) -> Result<&'a str, Fault> {
        let value = self.get(name)?;
        match value.as_str() {
            Some(text) => Ok(text),
            None => wrong(&self.path(name), value, "a string"),
        }
    }

    fn is(&self, name: &str, expected: &str) -> Result<(), Fault> {
        let text = self.text(name)?;
        if text.eq_ignore_ascii_case(expected) {
            return Ok(());
        }
        wrong(&self.path(name), text, expected)
    }

    fn number(&self, name: &str) -> Result<u64, Fault> {
        let value = self.get(name)?;
        match whole(value) {
            Some(number) => Ok(number),
            None => wrong(&self.path(name), value, "a whole number"),
        }
    }

    fn any_bytes(&self, name: &str, unusual: &mut Vec<String>) -> Result<Vec<u8>, Fault> {
        let text = self.text(name)?;
        if text.starts_with("0x") {
            unusual.push(format!("its `{}` begins with 0x", self.path(name)));
        }
        match hex::decode(text) {
            Ok(bytes) => Ok(bytes),
            Err(_) => wrong(&self.path(name), text, "hexadecimal digits"),
        }
    }

    fn bytes<const N: usize>(
        &self,
        name: &str,
        unusual: &mut Vec<String>,
    ) -> Result<[u8; N], Fault> {
        let bytes = self.any_bytes(name, unusual)?;
        let length = bytes.len();
        bytes.try_into().map_err(|_| {
            let path = self.path(name);
            Fault::File(format!("its `{path}` has {length} bytes, expected {N}"))
        })
    }
}

/// Reads a whole number. Some tools write it with a fraction of 0.
fn whole(value: &Value) -> Option<u64> {
    // Floats represent all whole numbers below 2^53 exactly, and the bound here is 9e15.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let float = |number: f64| {
        let exact = number.fract() == 0.0 && (0.0..9e15).contains(&number);
        exact.then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(float))
}

fn wrong<T>(path: &str, found: impl std::fmt::Display, expected: &str) -> Result<T, Fault> {
    // A stranger's file may have a value of any length, so the message shows its first characters.
    let found: String = found.to_string().chars().take(80).collect();
    Err(Fault::File(format!(
        "its `{path}` is {}, expected {expected}",
        found.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key of the test vectors of Web3 secret storage.
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    const PASSWORD: &str = "testpassword";
    /// Test vector with PBKDF2.
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256","salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},"mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    /// Test vector with scrypt, with r = 1 and p = 8 as in files of old Python tools.
    const SCRYPT: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},"ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"r":1,"p":8,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},"mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},"id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

    fn unusual(text: &str) -> Vec<String> {
        let opened = decrypt(text, PASSWORD).expect("a secret");
        assert_eq!(hex::encode(opened.secret), SECRET);
        opened.unusual
    }

    #[test]
    fn decrypt_opens_the_vectors_of_the_standard() {
        assert_eq!(unusual(PBKDF2), [""; 0]);
        assert_eq!(
            unusual(SCRYPT),
            ["its scrypt has r = 1 and p = 8, usual are 8 and 1"]
        );
        assert_eq!(decrypt(PBKDF2, "other").unwrap_err(), Fault::Password);
    }

    #[test]
    fn decrypt_says_what_other_tools_write() {
        let odd = PBKDF2
            .replace("\"crypto\"", "\"Crypto\"")
            .replace(",\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\"", "")
            .replace("6087dab2", "0x6087dab2")
            .replace("517ead92", "0x517EAD92")
            .replace("262144", "262144.0");
        assert_eq!(
            unusual(&format!("\u{feff}{odd}\r\n")),
            [
                "it begins with a byte order mark",
                "it has no `id`",
                "it has `Crypto` in place of `crypto`",
                "its `Crypto.cipherparams.iv` begins with 0x",
                "its `Crypto.mac` begins with 0x",
            ]
        );
        let message = unusual(&PBKDF2.replace(",\"version\":3", ""));
        assert_eq!(message, ["it has no `version`, taken for 3"]);
    }

    #[test]
    fn decrypt_tells_what_is_wrong_with_a_file() {
        let file = |text: &str| match decrypt(text, PASSWORD) {
            Err(Fault::File(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(file("").starts_with("it is no JSON object: EOF"));
        assert!(file("[]").starts_with("it is no JSON object"));
        for (found, put, message) in [
            (
                "\"version\":3",
                "\"version\":1",
                "its `version` is 1, expected 3",
            ),
            ("\"crypto\"", "\"crypt\"", "it has no `crypto`"),
            (
                "aes-128-ctr",
                "aes-256-cbc",
                "its `crypto.cipher` is aes-256-cbc, expected aes-128-ctr",
            ),
            (
                "\"iv\":\"60",
                "\"iv\":\"",
                "its `crypto.cipherparams.iv` has 15 bytes, expected 16",
            ),
            ("\"5318", "\"z318", "its `crypto.ciphertext` is z318b4d5"),
            (
                "\"dklen\":32",
                "\"dklen\":16",
                "its `crypto.kdfparams.dklen` is 16, expected 32 or more",
            ),
            (
                "\"pbkdf2\"",
                "\"argon2\\u001b\"",
                "its `crypto.kdf` is argon2\\u{1b}, expected scrypt or pbkdf2",
            ),
            (
                "hmac-sha256",
                "hmac-sha512",
                "its `crypto.kdfparams.prf` is hmac-sha512, expected hmac-sha256",
            ),
            (
                "262144",
                "0",
                "its `crypto.kdfparams.c` is 0, expected 1 to 67108864",
            ),
            (
                "262144",
                "-1",
                "its `crypto.kdfparams.c` is -1, expected a whole number",
            ),
            (
                "262144",
                "99999999999",
                "its `crypto.kdfparams.c` is 99999999999, expected 1 to",
            ),
            ("\"c\":262144,", "", "it has no `crypto.kdfparams.c`"),
        ] {
            let told_here = file(&PBKDF2.replace(found, put));
            assert!(told_here.starts_with(message), "{told_here}");
        }
        // The reader bounds both time and memory.
        for (found, put) in [
            ("262144", "262145"),
            ("262144", "1"),
            ("262144", "4294967296"),
            ("\"r\":1", "\"r\":4096"),
            ("\"r\":1", "\"r\":0"),
            ("\"p\":8", "\"p\":1000000"),
            ("\"p\":8", "\"p\":18446744073709551615"),
        ] {
            let message = file(&SCRYPT.replace(found, put));
            assert!(message.contains("expected"), "{message}");
        }
    }

    #[test]
    fn encrypt_writes_what_decrypt_opens_and_others_expect() {
        let secret = [7; 32];
        let address = Address::repeat_byte(0xab);
        let text = encrypt(&secret, address, "correct horse", |bytes| bytes.fill(0xff));
        let file: Value = serde_json::from_str(&text).expect("JSON");
        let parameters = &file["crypto"]["kdfparams"];
        assert_eq!(parameters["n"], 262_144);
        assert_eq!((&parameters["r"], &parameters["p"]), (&8.into(), &1.into()));
        assert_eq!(file["id"], "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let opened = decrypt(&text, "correct horse").expect("a secret");
        assert_eq!(opened.secret, secret);
        assert_eq!(opened.address, Some(address));
        assert_eq!(opened.unusual, [""; 0]);
    }
}
