//! Forms of values. Each reads both the notation of files and that of variables, and its error says
//! what it expects.

use std::{fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use alloy_primitives::{
    Address,
    utils::{Unit, parse_units},
};
use cotrain_protocol::{AddressError, parse_address};
use figment2::value::Value;
use serde::{Deserialize, Deserializer, de::Error};
use url::Url;

const TEXT: &str = "a text that is not empty";
const TEXTS: &str = "a list of texts";
const WEI: &str = "a whole number of wei, or one with a unit such as \"0.01 ether\" or \"5 gwei\"";

/// Returns a text that is not empty. A variable of digits alone is parsed as a number, which
/// becomes a text again.
fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text).filter(|text| !text.trim().is_empty()),
        value => unsigned(&value).map(|number| number.to_string()),
    }
}

/// Returns a whole number that is not negative, for any integer type of its source.
fn unsigned(value: &Value) -> Option<u128> {
    let signed = || u128::try_from(value.to_i128()?).ok();
    value.to_u128().or_else(signed)
}

/// Reads a value; the error says what is expected.
pub(super) fn form<'de, D: Deserializer<'de>, T>(
    from: D,
    read: impl FnOnce(Value) -> Option<T>,
    expected: impl fmt::Display,
) -> Result<T, D::Error> {
    let value = <Value as Deserialize>::deserialize(from)?;
    read(value).ok_or_else(|| D::Error::custom(expected))
}

fn parsed<T: FromStr>(value: Value) -> Option<T> {
    text_of(value)?.parse().ok()
}

pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    form(from, text_of, TEXT)
}

pub(super) fn text_if_set<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    text(from).map(Some)
}

pub(super) fn path_if_set<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    text(from).map(|text| Some(text.into()))
}

pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    form(from, |value| value.to_bool(), "true or false")
}

/// Reads one of the given words.
pub(super) fn one_of<'de, D: Deserializer<'de>, T: Copy>(
    from: D,
    all: &[(&str, T)],
) -> Result<T, D::Error> {
    let read = |value: Value| {
        let text = text_of(value)?;
        all.iter().find(|(word, _)| *word == text)
    };
    let expected: Vec<_> = all.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    form(from, read, expected.join(" or ")).map(|(_, value)| *value)
}

pub(super) fn socket<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let expected = "an IP address with a port, such as \"0.0.0.0:8080\"";
    form(from, parsed, expected)
}

pub(super) fn http_url<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
    let is_http = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let read = |value| parsed(value).filter(is_http);
    form(from, read, "a URL of http or https")
}

pub(super) fn https_url_if_set<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Url>, D::Error> {
    let is_https = |url: &Url| url.scheme() == "https" && url.has_host();
    let read = |value| parsed(value).filter(is_https);
    form(from, read, "a URL of https").map(Some)
}

/// Reads a whole number from `LEAST` to `MAX`.
pub(super) fn whole<'de, D, T, const LEAST: u64, const MAX: u64>(from: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let range = LEAST..=MAX;
    let read = |value| {
        let number = parsed(value).filter(|number| range.contains(number))?;
        T::try_from(number).ok()
    };
    form(from, read, between("a whole number", &range))
}

pub(super) fn whole_if_set<'de, D, T, const LEAST: u64, const MAX: u64>(
    from: D,
) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    whole::<D, T, LEAST, MAX>(from).map(Some)
}

/// Reads a duration from `LEAST` to `MAX` milliseconds.
pub(super) fn duration<'de, D, const LEAST: u64, const MAX: u64>(
    from: D,
) -> Result<Duration, D::Error>
where
    D: Deserializer<'de>,
{
    let [least, max] = [LEAST, MAX].map(Duration::from_millis);
    let read = |value| {
        let duration = humantime::parse_duration(&text_of(value)?).ok();
        duration.filter(|duration| (least..=max).contains(duration))
    };
    let range = humantime::format_duration(least)..=humantime::format_duration(max);
    let expected = between("a duration with its unit, such as \"30 s\",", &range);
    form(from, read, expected)
}

fn between<T: fmt::Display>(what: &str, range: &RangeInclusive<T>) -> String {
    format!("{what} from {} to {}", range.start(), range.end())
}

/// Reads an amount in wei: a number, with or without a unit.
pub(super) fn wei<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
    form(from, |value| amount(&text_of(value)?), WEI)
}

pub(super) fn wei_if_set<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u128>, D::Error> {
    wei(from).map(Some)
}

fn amount(text: &str) -> Option<u128> {
    let (number, unit) = text.split_once(' ').unwrap_or((text, "wei"));
    // `parse_units` accepts signs and exponents, and a number of decimals as a unit.
    let plain = number.starts_with(|one: char| one.is_ascii_digit())
        && number.chars().all(|one| one.is_ascii_digit() || one == '.');
    if !plain || unit.contains(|one: char| one.is_ascii_digit()) {
        return None;
    }
    let unit: Unit = unit.trim().parse().ok()?;
    let decimals = number
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    if decimals > usize::from(unit.get()) {
        return None;
    }
    let amount = parse_units(number, unit.get()).ok()?;
    u128::try_from(amount.get_absolute()).ok()
}

/// Reads a list of texts. A single text, as in a variable, is split at its commas.
pub(super) fn list(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(_, text) => {
            let parts = text.split(',').map(|part| part.trim().to_owned());
            Some(parts.filter(|part| !part.is_empty()).collect())
        }
        Value::Array(_, values) => values.into_iter().map(Value::into_string).collect(),
        _ => None,
    }
}

/// Reads origins of web pages.
pub(super) fn origins<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let fits = |list: &Vec<String>| list.iter().all(|origin| origin == "*" || is_origin(origin));
    let expected = "a list of origins such as \"https://example.org\", or [\"*\"]";
    form(from, |value| list(value).filter(fits), expected)
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}

/// Reads an address.
pub(super) fn one_address<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
    address(&text(from)?).map_err(D::Error::custom)
}

pub(super) fn address_if_set<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Address>, D::Error> {
    address(&text(from)?).map(Some).map_err(D::Error::custom)
}

/// Reads a list of texts.
pub(super) fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    form(from, list, TEXTS)
}

/// Reads addresses, without duplicates.
pub(super) fn addresses<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Address>, D::Error> {
    let list = form(from, list, TEXTS)?;
    let addresses: Result<Vec<_>, _> = list.iter().map(|text| address(text)).collect();
    let mut addresses = addresses.map_err(D::Error::custom)?;
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// Returns an address, or the expected form as the error.
pub(super) fn address(text: &str) -> Result<Address, &'static str> {
    parse_address(text).map_err(|error| match error {
        AddressError::Checksum { .. } => {
            "an address whose digits fit its checksum (EIP-55): one of them or its case is wrong here"
        }
        AddressError::Zero => "another address than zero",
        AddressError::NotAnAddress { .. } => "an address, 0x and 40 hexadecimal digits",
    })
}
