//! Headers by which a client says what it takes, and what it has.

use axum::http::{
    HeaderMap, HeaderName,
    header::{ACCEPT_ENCODING, IF_NONE_MATCH},
};

/// Returns the quality, from 0 to 1, that a header such as `Accept` gives to a value; `None` if it
/// does not name the value.
pub(super) fn quality(headers: &HeaderMap, header: HeaderName, wanted: &str) -> Option<f32> {
    headers
        .get_all(header)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(','))
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let value = parts.next()?;
            let quality = parts
                .find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok())
                .unwrap_or(1.0);
            value.eq_ignore_ascii_case(wanted).then_some(quality)
        })
        .reduce(f32::max)
}

/// Returns `true` if a client takes a content coding, such as `gzip`.
pub(super) fn takes_coding(headers: &HeaderMap, coding: &str) -> bool {
    let of = |name| quality(headers, ACCEPT_ENCODING, name);
    of(coding).or_else(|| of("*")).is_some_and(|it| it > 0.0)
}

/// Returns `true` if a client already has the answer of this `ETag` (`If-None-Match`).
pub(super) fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    let weak = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = weak(tag);
    headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|known| known.to_str().ok())
        .flat_map(|known| known.split(','))
        .map(weak)
        .any(|known| known == tag || known == "*")
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;

    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| value.parse().unwrap());
        values.map(|value| (name.clone(), value)).collect()
    }

    #[test]
    fn quality_reads_all_ranges_of_all_headers() {
        let sent = headers(&ACCEPT, &["text/html;q=0.5, */*;q=0.1", "Application/JSON"]);
        assert_eq!(quality(&sent, ACCEPT, "text/html"), Some(0.5));
        assert_eq!(quality(&sent, ACCEPT, "application/json"), Some(1.0));
        assert_eq!(quality(&sent, ACCEPT, "text/plain"), None);
    }

    #[test]
    fn takes_coding_needs_the_coding_or_all_and_not_with_quality_zero() {
        for (sent, takes) in [
            ("gzip, deflate, br", true),
            ("br", false),
            ("gzip;q=0", false),
            ("*", true),
            ("gzip;q=0, *", false),
            ("identity", false),
        ] {
            let sent = headers(&ACCEPT_ENCODING, &[sent]);
            assert_eq!(takes_coding(&sent, "gzip"), takes, "{sent:?}");
        }
        assert!(!takes_coding(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn has_tag_compares_weakly_with_each_tag() {
        let sent = headers(&IF_NONE_MATCH, &["\"a\", W/\"b\""]);
        for (tag, has) in [
            ("\"a\"", true),
            ("\"b\"", true),
            ("W/\"a\"", true),
            ("\"c\"", false),
        ] {
            assert_eq!(has_tag(&sent, tag), has, "{tag}");
        }
        assert!(has_tag(&headers(&IF_NONE_MATCH, &["*"]), "\"c\""));
    }
}
