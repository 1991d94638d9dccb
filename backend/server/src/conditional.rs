//! Conditional requests (RFC 9110, section 13): answers that need not be sent again, and those that must not be sent at all.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{Kind, Problem};

/// Names a representation by a hash of its bytes: a strong entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

/// How two entity tags are compared (RFC 9110, section 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    /// A weak tag equals nothing.
    Strong,
    Weak,
}

impl Version {
    /// `hash` is hexadecimal, so that the tag needs no care where it stands in a list.
    pub fn of_hash(hash: impl std::fmt::Display) -> Self {
        Self(format!("\"{hash}\""))
    }

    /// The value of the `ETag` header.
    pub fn header(&self) -> Result<HeaderValue, Problem> {
        HeaderValue::from_str(&self.0).map_err(Problem::internal)
    }

    /// The answer to a GET or HEAD whose conditions do not ask for the content; `headers` are those that the content would
    /// have been sent with. `None` where the content is wanted.
    pub fn answer_without_content(&self, request: &HeaderMap, headers: &HeaderMap) -> Option<Response> {
        if self.is_named(request, header::IF_MATCH, Comparison::Strong) == Some(false) {
            let detail = format!("If-Match names another version; this one is {}", self.0);
            return Some(Problem::new(Kind::PreconditionFailed, detail).into_response());
        }
        (self.is_named(request, header::IF_NONE_MATCH, Comparison::Weak) == Some(true)).then(|| {
            let kept = [header::ETAG, header::CACHE_CONTROL, header::VARY];
            let kept: HeaderMap =
                kept.into_iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone()))).collect();
            (StatusCode::NOT_MODIFIED, kept).into_response()
        })
    }

    /// Whether a range that is asked for belongs to this version: a download that was begun with another starts again.
    pub fn continues(&self, request: &HeaderMap) -> bool {
        request.get(header::IF_RANGE).is_none_or(|begun| begun.as_bytes() == self.0.as_bytes())
    }

    /// Whether a header lists this version, or `*` for any; `None` where there is no such header.
    fn is_named(&self, request: &HeaderMap, name: HeaderName, comparison: Comparison) -> Option<bool> {
        let lists: Vec<&str> = request.get_all(name).iter().map(|list| list.to_str().unwrap_or_default()).collect();
        let is_this = |tag: &str| match tag.strip_prefix("W/") {
            Some(weak) => comparison == Comparison::Weak && weak == self.0,
            None => tag == "*" || tag == self.0,
        };
        let tags = || lists.iter().flat_map(|list| list.split(',')).map(str::trim);
        (!lists.is_empty()).then(|| tags().any(is_this))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(name: header::HeaderName, value: &'static str) -> Option<StatusCode> {
        let version = Version::of_hash("abc");
        let request = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        version.answer_without_content(&request, &HeaderMap::new()).map(|answer| answer.status())
    }

    #[test]
    fn content_that_the_client_has_is_not_sent_again_however_it_says_so() {
        for known in ["\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", "\"x\",W/\"abc\" , \"y\""] {
            assert_eq!(status(header::IF_NONE_MATCH, known), Some(StatusCode::NOT_MODIFIED), "{known}");
        }
        for other in ["\"x\"", "W/\"x\"", "\"x\", \"abcd\"", "abc"] {
            assert_eq!(status(header::IF_NONE_MATCH, other), None, "{other}");
        }
    }

    #[test]
    fn content_of_another_version_than_the_wanted_one_is_not_sent() {
        for wanted in ["\"x\"", "\"x\", \"y\"", "W/\"abc\""] {
            assert_eq!(status(header::IF_MATCH, wanted), Some(StatusCode::PRECONDITION_FAILED), "{wanted}");
        }
        for wanted in ["\"abc\"", "*", "\"x\", \"abc\""] {
            assert_eq!(status(header::IF_MATCH, wanted), None, "{wanted}");
        }
    }

    #[test]
    fn what_is_not_sent_again_keeps_the_headers_that_caches_need() {
        let version = Version::of_hash("abc");
        let known = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("*"))]);
        let headers = HeaderMap::from_iter([
            (header::ETAG, version.header().unwrap()),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
            (header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
        ]);
        let answer = version.answer_without_content(&known, &headers).unwrap();
        assert_eq!(
            (&answer.headers()["etag"], &answer.headers()["cache-control"]),
            (&version.header().unwrap(), &headers["cache-control"])
        );
        assert!(!answer.headers().contains_key("content-type"));
    }

    #[test]
    fn a_range_of_another_version_is_not_continued() {
        let version = Version::of_hash("abc");
        let begun = |value: &'static str| HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::from_static(value))]);
        assert!(version.continues(&HeaderMap::new()) && version.continues(&begun("\"abc\"")));
        assert!(!version.continues(&begun("\"abd\"")) && !version.continues(&begun("W/\"abc\"")));
        assert!(!version.continues(&begun("nonsense")));
    }
}
