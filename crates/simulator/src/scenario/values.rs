//! Numbers and durations in the format of a scenario's file.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A number, which may be a fraction.
#[derive(Clone, Copy, Default)]
pub(crate) struct Number(pub(crate) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            // A number above 2^53 is rounded.
            // All later bounds are far smaller, or are checked again.
            #[allow(clippy::cast_precision_loss)]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A whole number.
#[derive(Clone, Copy)]
pub(crate) struct Whole(pub(crate) i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Whole, E> {
                Ok(Whole(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A duration as written, with its unit.
pub(super) struct Duration {
    pub(super) seconds: f64,
    pub(super) text: String,
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, with its unit, such as \"600s\", \"1h 30m\" or \"9 days\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                let duration = humantime::parse_duration(text).map_err(|reason| {
                    E::custom(format!(
                        "`{text}` is not a duration ({reason}); write one with its unit, such as \"600s\", \"1h 30m\" or \"9 days\""
                    ))
                })?;
                Ok(Duration {
                    seconds: duration.as_secs_f64(),
                    text: text.to_owned(),
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
