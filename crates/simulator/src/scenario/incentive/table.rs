//! Format of the section about payment in a scenario's file.

use std::fmt;

use cotrain_protocol::mechanism::{Mechanism, Unit};
use serde::{Deserialize, Deserializer, de};

use super::keys;
use crate::scenario::values::{Duration, Number};

/// The section as written. It may contain the keys of any mechanism.
///
/// Once the mechanism is known, the check rejects the keys of other mechanisms.
pub(in crate::scenario) struct IncentiveTable {
    pub(super) kind: String,
    /// Keys and values, in the order of the file.
    pub(super) given: Vec<(String, Given)>,
}

/// A value in the unit of its key.
pub(super) enum Given {
    /// Money, in the simulation's units.
    Money(Number),
    /// Duration.
    Duration(Duration),
    /// Plain number.
    Count(usize),
}

impl IncentiveTable {
    /// Returns the value of a key; `None` if it is not given.
    pub(super) fn get(&self, name: &str) -> Option<&Given> {
        let mut given = self.given.iter();
        given.find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A key of the section.
enum Key {
    Kind,
    Of(String, Unit),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Key, E> {
                if name == "kind" {
                    return Ok(Key::Kind);
                }
                let mut known = vec!["`kind`".to_owned()];
                for (key, unit) in Mechanism::ALL.into_iter().flat_map(keys) {
                    if key == name {
                        return Ok(Key::Of(key, unit));
                    }
                    let key = format!("`{key}`");
                    if !known.contains(&key) {
                        known.push(key);
                    }
                }
                let known = known.join(", ");
                Err(E::custom(format_args!(
                    "unknown field `{name}`, expected one of {known}"
                )))
            }
        }
        deserializer.deserialize_identifier(Visitor)
    }
}

impl<'de> Deserialize<'de> for IncentiveTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = IncentiveTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table with the kind of the mechanism and its terms")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut kind, mut given) = (None, Vec::new());
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Kind => kind = Some(map.next_value()?),
                        Key::Of(key, unit) => {
                            let value = match unit {
                                Unit::Wei => Given::Money(map.next_value()?),
                                Unit::Seconds => Given::Duration(map.next_value()?),
                                Unit::Count => Given::Count(map.next_value()?),
                            };
                            given.push((key, value));
                        }
                    }
                }
                let kind = kind.ok_or_else(|| de::Error::missing_field("kind"))?;
                Ok(IncentiveTable { kind, given })
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
