//! Learners as they are written and read: what is read is checked.

/// Reads and writes a learner by what `serde(remote = "Self")` derives, and checks what it reads.
///
/// So numbers that do not fit each other never make a learner.
macro_rules! checked {
    ($learner:ident) => {
        impl serde::Serialize for $learner {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $learner {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let learner = Self::deserialize(deserializer)?;
                learner.check().map_err(serde::de::Error::custom)?;
                Ok(learner)
            }
        }
    };
}

pub(super) use checked;
