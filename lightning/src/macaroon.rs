//! Macaroons in binary format 2: bearer tokens whose signature is a chain of HMACs.
//!
//! Clients present them as hexadecimal digits, and need not look inside.
//! A token of this node has no caveats. A holder could append some, and the node refuses those:
//! it would otherwise ignore a restriction.

use ldk_node::bitcoin::hashes::{Hash as _, HashEngine as _, Hmac, HmacEngine, cmp, sha256};

/// Key that signs the macaroons of one node.
pub(crate) type RootKey = [u8; 32];

const VERSION: u8 = 2;
const END: u8 = 0;
const LOCATION: u8 = 1;
const IDENTIFIER: u8 = 2;
const SIGNATURE: u8 = 6;

/// Rights of a macaroon's holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Everything.
    Admin,
    /// Make, look up, cancel and follow invoices, and make addresses.
    Invoice,
}

impl Right {
    /// Returns the identifier that a macaroon of this right carries.
    fn identifier(self) -> &'static [u8] {
        match self {
            Self::Admin => b"lnnode:admin",
            Self::Invoice => b"lnnode:invoice",
        }
    }

    /// Returns `true` if the holder of `self` may do what `needed` allows.
    pub(crate) fn covers(self, needed: Self) -> bool {
        self == Self::Admin || self == needed
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    engine.input(message);
    Hmac::from_engine(engine).to_byte_array()
}

/// Returns the signature of a macaroon without caveats.
fn sign(root: &RootKey, identifier: &[u8]) -> [u8; 32] {
    // Every implementation derives the signing key so; the root key itself signs nothing.
    hmac(&hmac(b"macaroons-key-generator", root), identifier)
}

fn field(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    out.push(kind);
    // One byte suffices as varint: every field here is shorter than 128 bytes.
    debug_assert!(bytes.len() < 128);
    out.push(u8::try_from(bytes.len()).unwrap_or(0));
    out.extend_from_slice(bytes);
}

/// Makes the macaroon that grants `right`.
pub(crate) fn bake(root: &RootKey, right: Right) -> Vec<u8> {
    let mut out = vec![VERSION];
    field(&mut out, LOCATION, b"lnd");
    field(&mut out, IDENTIFIER, right.identifier());
    out.push(END);
    out.push(END);
    field(&mut out, SIGNATURE, &sign(root, right.identifier()));
    out
}

/// Reason to refuse a macaroon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Bytes that are no macaroon of format 2.
    #[error("cannot read the macaroon: expected binary format 2")]
    Format,
    /// Caveat that this node does not know.
    #[error("verification failed: caveats are not supported")]
    Caveat,
    /// Signature by another key, or of another identifier.
    #[error("verification failed: signature mismatch after caveat verification")]
    Signature,
}

/// Reads a field's varint: seven bits a byte, lowest first.
fn varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    for shift in [0, 7, 14, 21] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads one field: its type and bytes; `(END, "")` at the end of a section.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let kind = u8::try_from(varint(bytes)?).ok()?;
    if kind == END {
        return Some((END, &[]));
    }
    let length = varint(bytes)?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((kind, content))
}

/// Reads identifier, presence of caveats and signature.
fn parse(mut bytes: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let (&version, rest) = bytes.split_first()?;
    if version != VERSION {
        return None;
    }
    bytes = rest;
    let mut head = next(&mut bytes)?;
    if head.0 == LOCATION {
        head = next(&mut bytes)?;
    }
    if head.0 != IDENTIFIER || next(&mut bytes)?.0 != END {
        return None;
    }
    let mut caveats = false;
    loop {
        // A caveat is a section of fields that ends with END; an empty section ends the list.
        let mut empty = true;
        while next(&mut bytes)?.0 != END {
            empty = false;
        }
        if empty {
            break;
        }
        caveats = true;
    }
    let (kind, signature) = next(&mut bytes)?;
    (kind == SIGNATURE && bytes.is_empty()).then_some((head.1, caveats, signature))
}

/// Returns the right that a presented macaroon grants. Compares signatures in constant time.
pub(crate) fn verify(root: &RootKey, bytes: &[u8]) -> Result<Right, Refusal> {
    let (identifier, caveats, signature) = parse(bytes).ok_or(Refusal::Format)?;
    if caveats {
        return Err(Refusal::Caveat);
    }
    let right = [Right::Admin, Right::Invoice]
        .into_iter()
        .find(|right| right.identifier() == identifier)
        .ok_or(Refusal::Signature)?;
    let expected = sign(root, right.identifier());
    if signature.len() == expected.len() && cmp::fixed_time_eq(signature, &expected) {
        Ok(right)
    } else {
        Err(Refusal::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: RootKey = [7; 32];

    #[test]
    fn verify_takes_what_bake_made() {
        for right in [Right::Admin, Right::Invoice] {
            assert_eq!(verify(&ROOT, &bake(&ROOT, right)), Ok(right));
            assert_eq!(
                verify(&[8; 32], &bake(&ROOT, right)),
                Err(Refusal::Signature)
            );
        }
        assert!(Right::Admin.covers(Right::Invoice));
        assert!(!Right::Invoice.covers(Right::Admin));
    }

    #[test]
    fn verify_refuses_every_changed_bit_and_every_cut() {
        let good = bake(&ROOT, Right::Invoice);
        // The location is a hint and not signed.
        let location = 1..3 + usize::from(good[2]);
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if !location.contains(&(bit / 8)) {
                assert!(verify(&ROOT, &bad).is_err(), "bit {bit}");
            }
        }
        for length in 0..good.len() {
            assert!(verify(&ROOT, &good[..length]).is_err(), "length {length}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert_eq!(verify(&ROOT, &longer), Err(Refusal::Format));
    }

    #[test]
    fn verify_refuses_caveats() {
        let good = bake(&ROOT, Right::Invoice);
        let signature = good.len() - 34;
        let mut caveat = vec![];
        field(&mut caveat, IDENTIFIER, b"time-before 2026-01-01T00:00:00Z");
        caveat.push(END);
        let chained = hmac(&good[signature + 2..], b"time-before 2026-01-01T00:00:00Z");
        let mut with = [&good[..signature - 1], &caveat, &[END]].concat();
        field(&mut with, SIGNATURE, &chained);
        assert_eq!(verify(&ROOT, &with), Err(Refusal::Caveat));
    }

    #[test]
    fn hmac_equals_rfc_4231_case_2() {
        let digest = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(digest[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(digest[28..], [0x64, 0xec, 0x38, 0x43]);
    }
}
