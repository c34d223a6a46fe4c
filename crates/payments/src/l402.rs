//! L402: an invoice and a macaroon for a 402, and the proof that the invoice was paid.

use std::fmt;

use alloy_primitives::{B256, hex};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::macaroon::{CaveatError, Identifier, Macaroon, MacaroonError, Wanted};

/// Bytes of a header that is read.
const MAX_HEADER: usize = 16_384;
/// Macaroons of a credential that is read.
const MAX_MACAROONS: usize = 8;
/// Names of the scheme: the present one, and the one of old clients. They have the same length.
const SCHEMES: [&str; 2] = ["L402", "LSAT"];

/// Offer of a token for the payment of an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Token that the preimage completes.
    pub macaroon: Macaroon,
    /// Invoice, as BOLT 11 writes it.
    pub invoice: String,
}

/// Proof that an invoice was paid, with the tokens that it completes.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    macaroons: Vec<Macaroon>,
    preimage: [u8; 32],
}

/// Fault of an L402 header or its proof.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum L402Error {
    /// The header has another form.
    #[error("cannot read the L402 header: {0}")]
    Form(&'static str),
    /// A macaroon cannot be read.
    #[error(transparent)]
    Macaroon(#[from] MacaroonError),
    /// The preimage belongs to another invoice.
    #[error(
        "cannot take the credential: its preimage is not that of its invoice; pay the invoice and send its preimage"
    )]
    Preimage,
    /// The node has no payment of the invoice.
    #[error(
        "cannot take the credential: its invoice has not been paid; pay it, or ask for another one"
    )]
    Unpaid,
    /// The session was paid by another invoice.
    #[error("cannot take the credential: it is of another session; use the one of this session")]
    OtherPayment,
    /// Nobody knows the root key, or the signature is another one.
    #[error("cannot take the credential: its macaroon is forged or was revoked; buy a new one")]
    Signature,
    /// A caveat does not permit the use.
    #[error(transparent)]
    Caveat(#[from] CaveatError),
}

impl Challenge {
    /// Returns the value of the header `WWW-Authenticate`.
    #[must_use]
    pub fn header(&self) -> String {
        let token = self.macaroon.to_base64();
        // Old clients read `macaroon`.
        format!(
            r#"L402 version="0", token="{token}", macaroon="{token}", invoice="{invoice}""#,
            invoice = self.invoice
        )
    }

    /// Reads a value of the header `WWW-Authenticate`. Returns `None` if it offers no L402.
    ///
    /// # Errors
    /// [`L402Error`] if it does, in another form.
    pub fn read(header: &str) -> Result<Option<Self>, L402Error> {
        let Some(rest) = scheme(header) else {
            return Ok(None);
        };
        if header.len() > MAX_HEADER {
            return Err(L402Error::Form("expected at most 16,384 bytes"));
        }
        let (mut token, mut macaroon, mut invoice) = (None, None, None);
        for (name, value) in parameters(rest) {
            let known = match name.to_ascii_lowercase().as_str() {
                "token" => &mut token,
                "macaroon" => &mut macaroon,
                "invoice" => &mut invoice,
                _ => continue,
            };
            known.get_or_insert(value);
        }
        let token = token
            .or(macaroon)
            .ok_or(L402Error::Form("it has no `token`"))?;
        let invoice = invoice.ok_or(L402Error::Form("it has no `invoice`"))?;
        Ok(Some(Self {
            macaroon: Macaroon::from_base64(token)?,
            invoice: invoice.to_owned(),
        }))
    }
}

impl Credential {
    /// Completes a token.
    #[must_use]
    pub fn new(macaroon: Macaroon, preimage: [u8; 32]) -> Self {
        Self {
            macaroons: vec![macaroon],
            preimage,
        }
    }

    /// Returns the value of the header `Authorization`.
    #[must_use]
    pub fn header(&self) -> String {
        let tokens: Vec<_> = self.macaroons.iter().map(Macaroon::to_base64).collect();
        format!("L402 {}:{}", tokens.join(","), hex::encode(self.preimage))
    }

    /// Reads the header `Authorization`. Returns `None` if it has another scheme.
    ///
    /// # Errors
    /// [`L402Error`] if it has this scheme in another form.
    pub fn read(header: &str) -> Result<Option<Self>, L402Error> {
        let Some(rest) = scheme(header) else {
            return Ok(None);
        };
        if header.len() > MAX_HEADER {
            return Err(L402Error::Form("expected at most 16,384 bytes"));
        }
        let form = L402Error::Form("expected `L402 <base64>[,…]:<preimage in hex>`");
        let (tokens, preimage) = rest.rsplit_once(':').ok_or(form.clone())?;
        let preimage = preimage.trim();
        let mut bytes = [0; 32];
        hex::decode_to_slice(preimage, &mut bytes).map_err(|_| form)?;
        let tokens: Vec<_> = tokens.split(',').map(str::trim).collect();
        if tokens.len() > MAX_MACAROONS {
            return Err(L402Error::Form("expected at most 8 macaroons"));
        }
        let macaroons: Result<_, _> = tokens.into_iter().map(Macaroon::from_base64).collect();
        Ok(Some(Self {
            macaroons: macaroons?,
            preimage: bytes,
        }))
    }

    /// Returns the hash of the invoice that the preimage proves to be paid.
    #[must_use]
    pub fn payment_hash(&self) -> B256 {
        B256::from_slice(&Sha256::digest(self.preimage))
    }

    /// Checks that one of the tokens permits a use of what an invoice paid for.
    ///
    /// `payment_hash` is that of the session; any other paid invoice proves nothing.
    /// `root_key` finds the key under [`Identifier::key_name`].
    ///
    /// # Errors
    /// [`L402Error`] of the last token, if none does.
    pub fn check(
        &self,
        payment_hash: B256,
        root_key: impl Fn(B256) -> Option<[u8; 32]>,
        wanted: &Wanted<'_>,
    ) -> Result<Identifier, L402Error> {
        let mut last = L402Error::Signature;
        for macaroon in &self.macaroons {
            match self.check_one(macaroon, payment_hash, &root_key, wanted) {
                Ok(identifier) => return Ok(identifier),
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    fn check_one(
        &self,
        macaroon: &Macaroon,
        payment_hash: B256,
        root_key: &impl Fn(B256) -> Option<[u8; 32]>,
        wanted: &Wanted<'_>,
    ) -> Result<Identifier, L402Error> {
        let identifier = macaroon.identifier()?;
        let key = root_key(identifier.key_name()).ok_or(L402Error::Signature)?;
        if !macaroon.is_made_by(&key) {
            return Err(L402Error::Signature);
        }
        if self.payment_hash() != identifier.payment_hash {
            return Err(L402Error::Preimage);
        }
        if identifier.payment_hash != payment_hash {
            return Err(L402Error::OtherPayment);
        }
        macaroon.permits(wanted)?;
        Ok(identifier)
    }
}

impl fmt::Debug for Credential {
    /// Shows everything but the preimage, which is as good as money.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credential")
            .field("payment_hash", &self.payment_hash())
            .finish_non_exhaustive()
    }
}

/// Returns what follows the name of the scheme, in any case, or `None` if it is another scheme.
fn scheme(header: &str) -> Option<&str> {
    let header = header.trim();
    let (name, rest) = header.split_once(' ')?;
    let known = SCHEMES.iter().any(|it| it.eq_ignore_ascii_case(name));
    known.then(|| rest.trim())
}

/// Returns the parameters `name=value` or `name="value"`, which commas separate.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            let (value, next) = quoted.split_once('"')?;
            let next = next.trim_start();
            (value, next.strip_prefix(',').unwrap_or(next))
        } else {
            let (value, next) = after.split_once(',').unwrap_or((after, ""));
            (value.trim(), next)
        };
        rest = next;
        Some((name.trim(), value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::macaroon::Caveat;

    const KEY: [u8; 32] = [5; 32];
    const SESSION: B256 = B256::repeat_byte(3);
    const PREIMAGE: [u8; 32] = [1; 32];
    const WANTED: Wanted<'_> = Wanted {
        service: "label",
        capability: "decide",
        session: SESSION,
        now: 10,
    };

    fn hash_of(preimage: [u8; 32]) -> B256 {
        B256::from_slice(&Sha256::digest(preimage))
    }

    fn macaroon(preimage: [u8; 32]) -> Macaroon {
        let identifier = Identifier {
            payment_hash: hash_of(preimage),
            token: B256::repeat_byte(9),
        };
        let service = Caveat::Service {
            name: "label".into(),
            tier: 0,
        };
        let session = Caveat::Session {
            service: "label".into(),
            session: SESSION,
        };
        Macaroon::new(&KEY, &identifier)
            .with_caveat(&service)
            .with_caveat(&session)
    }

    fn check(credential: &Credential, session_paid_by: [u8; 32]) -> Result<(), L402Error> {
        let key_name = |name| {
            let known = [PREIMAGE, [2; 32]].map(macaroon);
            let known = known.map(|it| it.identifier().expect("one").key_name());
            known.contains(&name).then_some(KEY)
        };
        credential
            .check(hash_of(session_paid_by), key_name, &WANTED)
            .map(drop)
    }

    #[test]
    fn credential_opens_only_the_session_that_its_invoice_paid_for() {
        let own = Credential::new(macaroon(PREIMAGE), PREIMAGE);
        assert_eq!(check(&own, PREIMAGE), Ok(()));
        // A paid invoice of another session, which alone once opened all sessions.
        let other = Credential::new(macaroon([2; 32]), [2; 32]);
        assert_eq!(check(&other, PREIMAGE), Err(L402Error::OtherPayment));
        let foreign_preimage = Credential::new(macaroon(PREIMAGE), [2; 32]);
        assert_eq!(check(&foreign_preimage, PREIMAGE), Err(L402Error::Preimage));
        let unknown = Credential::new(macaroon([3; 32]), [3; 32]);
        assert_eq!(check(&unknown, [3; 32]), Err(L402Error::Signature));
        let wider = Caveat::Capabilities {
            service: "label".into(),
            names: vec!["train".into()],
        };
        let narrowed = Credential::new(macaroon(PREIMAGE).with_caveat(&wider), PREIMAGE);
        let expected = CaveatError::Capability("decide".into());
        assert_eq!(check(&narrowed, PREIMAGE), Err(expected.into()));
    }

    #[test]
    fn credential_with_a_changed_caveat_is_forged() {
        let bytes = macaroon(PREIMAGE).to_bytes();
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(macaroon) = Macaroon::from_bytes(&changed) {
                assert!(
                    check(&Credential::new(macaroon, PREIMAGE), PREIMAGE).is_err(),
                    "{at}"
                );
                refused += 1;
            }
        }
        assert!(refused > 150, "only {refused} were read");
    }

    #[test]
    fn credential_reads_old_names_any_case_and_several_macaroons() {
        let [token, other] = [PREIMAGE, [2; 32]].map(|it| macaroon(it).to_base64());
        let preimage = hex::encode(PREIMAGE);
        for header in [
            format!("L402 {token}:{preimage}"),
            format!("l402 {token}:{preimage}"),
            format!("LSAT {token}:{}", preimage.to_uppercase()),
            format!("lsat  {other}, {token}:{preimage} "),
        ] {
            let read = Credential::read(&header).expect("readable").expect("L402");
            assert_eq!(check(&read, PREIMAGE), Ok(()), "{header}");
        }
        let both = Credential::read(&format!("L402 {token},{other}:{preimage}"));
        let both = both.expect("readable").expect("L402");
        assert_eq!(Credential::read(&both.header()), Ok(Some(both)));
        assert_eq!(Credential::read("Bearer abc"), Ok(None));
        assert_eq!(Credential::read("L402"), Ok(None));
        for malformed in [
            format!("L402 {token}"),
            format!("L402 {token}:{}", &preimage[2..]),
            format!("L402 {token}:{preimage}00"),
            format!("L402 :{preimage}"),
            format!("L402 {}:{preimage}", [&*token; 9].join(",")),
            format!("L402 {}:{preimage}", "A".repeat(MAX_HEADER)),
        ] {
            assert!(Credential::read(&malformed).is_err(), "{malformed}");
        }
    }

    #[test]
    fn credential_shows_no_preimage() {
        let credential = Credential::new(macaroon(PREIMAGE), PREIMAGE);
        let shown = format!("{credential:?}");
        assert!(!shown.contains(&hex::encode(PREIMAGE)) && !shown.contains("1, 1"));
    }

    #[test]
    fn challenge_has_both_names_and_is_read_again() {
        let challenge = Challenge {
            macaroon: macaroon(PREIMAGE),
            invoice: "lnbcrt1".into(),
        };
        let token = challenge.macaroon.to_base64();
        let header = challenge.header();
        assert_eq!(
            header,
            format!(r#"L402 version="0", token="{token}", macaroon="{token}", invoice="lnbcrt1""#)
        );
        assert_eq!(Challenge::read(&header), Ok(Some(challenge.clone())));
        for old in [
            format!(r#"LSAT macaroon="{token}", invoice="lnbcrt1""#),
            format!("lsat invoice=lnbcrt1, macaroon=\"{token}\""),
        ] {
            assert_eq!(Challenge::read(&old), Ok(Some(challenge.clone())), "{old}");
        }
        assert_eq!(Challenge::read(r#"Basic realm="a""#), Ok(None));
        let form = Challenge::read(&format!(r#"L402 token="{token}""#));
        assert_eq!(form, Err(L402Error::Form("it has no `invoice`")));
        assert!(Challenge::read(r#"L402 invoice="a""#).is_err());
    }

    proptest! {
        #[test]
        fn credential_and_challenge_never_panic(text in "(L402|LSAT|Bearer)? ?[ -~é]{0,80}") {
            let _ = Credential::read(&text);
            let _ = Challenge::read(&text);
        }
    }
}
