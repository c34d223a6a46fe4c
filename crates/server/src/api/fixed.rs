//! Answers whose bytes never change while the coordinator runs.

use std::{io::Write, sync::OnceLock};

use alloy_primitives::keccak256;
use axum::{
    body::Bytes,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY},
    },
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};

use super::negotiation::{has_tag, takes_coding};

/// Maximum age of an answer whose path contains a hash of its bytes: one year.
pub(super) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// `Cache-Control` of an answer that a client asks for again each time, by its `ETag`.
pub(super) const REVALIDATED: &str = "no-cache";

/// Answer of fixed bytes. It is compressed once, when a client first takes that.
#[derive(Debug)]
pub(super) struct Fixed {
    content_type: String,
    caching: &'static str,
    bytes: Bytes,
    /// Beginning of the `ETag`s: each coding has one of its own.
    hash: String,
    /// The bytes with gzip; `None` if that does not make them smaller.
    packed: OnceLock<Option<Bytes>>,
}

impl Fixed {
    /// Creates an answer with its media type and its `Cache-Control`.
    pub(super) fn new(content_type: String, caching: &'static str, bytes: Bytes) -> Self {
        let hash = keccak256(&bytes);
        Self {
            content_type,
            caching,
            hash: hash.to_string(),
            bytes,
            packed: OnceLock::new(),
        }
    }

    /// Returns the answer to a request with these headers: 304 if the client has it already.
    pub(super) fn answer(&self, headers: &HeaderMap) -> Response {
        let packed = takes_coding(headers, "gzip").then(|| self.packed());
        let packed = packed.flatten();
        let suffix = packed.map_or("", |_| "-gzip");
        let tag = format!("\"{}{suffix}\"", self.hash);
        let known = has_tag(headers, &tag);
        let about = [
            (ETAG, tag.as_str()),
            (CACHE_CONTROL, self.caching),
            (VARY, "Accept-Encoding"),
        ];
        if known {
            return (StatusCode::NOT_MODIFIED, about).into_response();
        }
        let content = [(CONTENT_TYPE, self.content_type.as_str())];
        let bytes = packed.unwrap_or(&self.bytes).clone();
        let mut response = (about, content, bytes).into_response();
        if packed.is_some() {
            let coding = HeaderValue::from_static("gzip");
            response.headers_mut().insert(CONTENT_ENCODING, coding);
        }
        response
    }

    fn packed(&self) -> Option<&Bytes> {
        let packed = self.packed.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let written = encoder.write_all(&self.bytes);
            let packed = written.and_then(|()| encoder.finish());
            let packed = packed.ok().filter(|it| it.len() < self.bytes.len());
            packed.map(Bytes::from)
        });
        packed.as_ref()
    }
}
