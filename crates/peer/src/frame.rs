//! Frames that peers exchange, as bytes.

use alloy_primitives::{Address, B256};
use thiserror::Error;

use crate::range::{Content, LEAF, Prefix, Range};

/// Maximum size of a frame, in bytes.
pub const FRAME_BYTES: usize = 1 << 20;

/// Version of the frames that this crate writes and reads.
const VERSION: u8 = 1;
/// Number of bytes before the body: version, kind, length.
const HEAD: usize = 6;

const HELLO: u8 = 1;
const HAVE: u8 = 2;
const WANT: u8 = 3;
const ITEMS: u8 = 4;
const RECONCILE: u8 = 5;

/// First bytes of an id, by which an item is asked for.
///
/// Whoever finds two items with equal first bytes gets both.
pub type ShortId = [u8; 8];

/// A message between two peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Opens a link.
    Hello {
        /// Name of the log.
        log: Address,
        /// Number that the sender has drawn for this link.
        nonce: B256,
    },
    /// The sender has got these items now.
    Have(Vec<B256>),
    /// The sender asks for these items.
    Want(Vec<ShortId>),
    /// Bytes of items.
    Items(Vec<Vec<u8>>),
    /// Parts of the set to compare, disjoint and in ascending order.
    Reconcile(Vec<Range>),
}

/// Fault of a frame. An honest peer sends none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The frame is too large.
    #[error("cannot read a frame of {0} bytes: expected at most {FRAME_BYTES}")]
    TooLarge(usize),
    /// The frame has another version.
    #[error("cannot read a frame of the version {0}: expected {VERSION}; update the older peer")]
    Version(u8),
    /// The frame has no head, or its length is not that of its body.
    #[error("cannot read a frame of {0} bytes: its length is another one")]
    Length(usize),
    /// The body does not fit the kind.
    #[error("cannot read a frame of the kind {0}: its body is malformed")]
    Body(u8),
}

impl Frame {
    /// Encodes the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let kind = match self {
            Self::Hello { log, nonce } => {
                body.extend(log);
                body.extend(nonce);
                HELLO
            }
            Self::Have(ids) => {
                body.extend(ids.iter().flatten());
                HAVE
            }
            Self::Want(ids) => {
                body.extend(ids.iter().flatten());
                WANT
            }
            Self::Items(items) => {
                for item in items {
                    body.extend(length(item.len()).to_be_bytes());
                    body.extend(item);
                }
                ITEMS
            }
            Self::Reconcile(ranges) => {
                for range in ranges {
                    write(range, &mut body);
                }
                RECONCILE
            }
        };
        let mut frame = vec![VERSION, kind];
        frame.extend(length(body.len()).to_be_bytes());
        frame.extend(body);
        frame
    }

    /// Decodes a frame; `None` for a kind that this crate does not know, which readers ignore.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(frame: &[u8]) -> Result<Option<Self>, FrameError> {
        let size = frame.len();
        if size > FRAME_BYTES {
            return Err(FrameError::TooLarge(size));
        }
        let (&[version, kind], rest) = frame
            .split_first_chunk::<2>()
            .ok_or(FrameError::Length(size))?;
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        let (announced, body) = rest
            .split_first_chunk::<4>()
            .ok_or(FrameError::Length(size))?;
        if u32::from_be_bytes(*announced) != length(body.len()) {
            return Err(FrameError::Length(size));
        }
        let read = match kind {
            HELLO => hello(body),
            HAVE => whole(body).map(|ids| Self::Have(ids.iter().map(Into::into).collect())),
            WANT => whole(body).map(|ids| Self::Want(ids.to_vec())),
            ITEMS => items(body),
            RECONCILE => ranges(body),
            _ => return Ok(None),
        };
        read.map(Some).ok_or(FrameError::Body(kind))
    }

    /// Returns the size of a frame with a body of this size, in bytes.
    #[must_use]
    pub fn size(body: usize) -> usize {
        HEAD + body
    }
}

/// Returns a length as it is encoded. No frame holds more.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Returns all bytes as chunks, if none is left over and there is at least one.
fn whole<const N: usize>(body: &[u8]) -> Option<&[[u8; N]]> {
    let (chunks, rest) = body.as_chunks();
    (rest.is_empty() && !chunks.is_empty()).then_some(chunks)
}

fn hello(body: &[u8]) -> Option<Frame> {
    let (log, nonce) = body.split_first_chunk::<20>()?;
    let nonce = B256::try_from(nonce).ok()?;
    Some(Frame::Hello {
        log: log.into(),
        nonce,
    })
}

fn items(mut body: &[u8]) -> Option<Frame> {
    let mut items = Vec::new();
    while !body.is_empty() {
        let (length, rest) = body.split_first_chunk()?;
        let (item, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        items.push(item.to_vec());
        body = rest;
    }
    (!items.is_empty()).then_some(Frame::Items(items))
}

const SPLIT: u8 = 0;
const LIST: u8 = 1;
const HELD: u8 = 2;

/// Appends a range.
fn write(range: &Range, body: &mut Vec<u8>) {
    body.push(range.prefix.depth());
    body.extend(range.prefix.packed());
    match &range.content {
        Content::Split(prints) => {
            body.push(SPLIT);
            let mask = (0..16).filter(|child| prints[*child].is_some());
            let mask: u16 = mask.map(|child| 1 << child).sum();
            body.extend(mask.to_be_bytes());
            for print in prints.iter().flatten() {
                body.extend(print.to_be_bytes());
            }
        }
        Content::List(ids) => {
            body.push(LIST);
            body.push(u8::try_from(ids.len()).unwrap_or(u8::MAX));
            body.extend(ids.iter().flatten());
        }
        Content::Held(ids) => {
            body.push(HELD);
            body.extend(u16::try_from(ids.len()).unwrap_or(u16::MAX).to_be_bytes());
            body.extend(ids.iter().flatten());
        }
    }
}

/// Reads all ranges. They are disjoint and ascend, so answering costs at most one pass over the set.
fn ranges(mut body: &[u8]) -> Option<Frame> {
    let mut ranges = Vec::<Range>::new();
    while !body.is_empty() {
        let range = read(&mut body)?;
        if let Some(last) = ranges.last()
            && last.prefix.last() >= range.prefix.first()
        {
            return None;
        }
        ranges.push(range);
    }
    (!ranges.is_empty()).then_some(Frame::Reconcile(ranges))
}

fn read(body: &mut &[u8]) -> Option<Range> {
    let depth = take::<1>(body)?[0];
    let packed = cut(body, usize::from(depth).div_ceil(2))?;
    let prefix = Prefix::unpacked(depth, packed)?;
    let content = match take::<1>(body)?[0] {
        SPLIT => {
            let mask = u16::from_be_bytes(*take(body)?);
            let mut prints = [None; 16];
            for (child, print) in prints.iter_mut().enumerate() {
                if mask >> child & 1 == 1 {
                    *print = Some(u128::from_be_bytes(*take(body)?));
                }
            }
            Content::Split(Box::new(prints))
        }
        LIST => {
            let count = usize::from(take::<1>(body)?[0]);
            if count > LEAF {
                return None;
            }
            Content::List(ids(body, count, prefix)?)
        }
        HELD => {
            let count = usize::from(u16::from_be_bytes(*take(body)?));
            Content::Held(ids(body, count, prefix)?)
        }
        _ => return None,
    };
    Some(Range { prefix, content })
}

/// Reads ids of a range, which ascend.
fn ids(body: &mut &[u8], count: usize, prefix: Prefix) -> Option<Vec<B256>> {
    let ids = cut(body, count.checked_mul(32)?)?;
    let ids: Vec<B256> = ids.as_chunks::<32>().0.iter().map(Into::into).collect();
    let ascend = ids.is_sorted_by(|a, b| a < b);
    let within = ids.iter().all(|id| prefix.covers(id));
    (ascend && within).then_some(ids)
}

fn cut<'a>(body: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = body.split_at_checked(count)?;
    *body = rest;
    Some(taken)
}

fn take<'a, const N: usize>(body: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = body.split_first_chunk()?;
    *body = rest;
    Some(taken)
}
