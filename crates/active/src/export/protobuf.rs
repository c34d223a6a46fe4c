//! Writer of protocol buffers, as far as ONNX needs them.
//!
//! Writing takes two of the format's types, so it is shorter than declaring ONNX's messages for a
//! crate that derives them.

/// Message that is being written: fields in the order of the calls.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// Type of a field whose value is a variable-length integer.
const VARINT: u64 = 0;

/// Type of a field whose value has a length.
const LENGTH: u64 = 2;

impl Message {
    /// Adds an integer that is not negative.
    pub(super) fn integer(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | VARINT);
        self.varint(value);
        self
    }

    /// Adds bytes.
    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | LENGTH);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    /// Adds a text.
    pub(super) fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    /// Adds a message.
    pub(super) fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// Adds messages, each in a field of its own.
    pub(super) fn messages(self, field: u64, values: impl IntoIterator<Item = Self>) -> Self {
        let add = |message: Self, value: Self| message.message(field, &value);
        values.into_iter().fold(self, add)
    }

    /// Adds integers that are not negative, in one field.
    pub(super) fn integers(self, field: u64, values: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Self::default();
        for value in values {
            packed.varint(value);
        }
        self.message(field, &packed)
    }

    /// Returns the message's bytes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    /// Adds seven bits a byte, lowest first; the highest bit says that another byte follows.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(lowest(value) | 0x80);
            value >>= 7;
        }
        self.0.push(lowest(value));
    }
}

/// Returns the lowest byte.
fn lowest(value: u64) -> u8 {
    value.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_the_bytes_of_the_format() {
        // The examples of the format's own documentation.
        assert_eq!(
            Message::default().integer(1, 150).finish(),
            [0x08, 0x96, 0x01]
        );
        let text = Message::default().text(2, "testing").finish();
        assert_eq!(text, [&[0x12, 0x07][..], b"testing"].concat());
        let inner = Message::default().integer(1, 150);
        let outer = Message::default().message(3, &inner).finish();
        assert_eq!(outer, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let packed = Message::default().integers(6, [3, 270, 86_942]).finish();
        assert_eq!(packed, [0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05]);
    }
}
