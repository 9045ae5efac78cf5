//! What whoever sent a form wants to see when it succeeded.

use http::uri::Scheme;
use http::{StatusCode, Uri};

use crate::encode;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Success {
    /// 200, 201 or 204.
    Status(StatusCode),
    /// The browser is sent to this page.
    Redirect(Page),
}

/// A URL that somebody wrote into a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page(String);

impl Success {
    /// What cannot be followed is taken for not being said.
    pub(super) fn of(redirect: Option<&str>, status: Option<&str>) -> Self {
        if let Some(page) = redirect.and_then(Page::parse) {
            return Self::Redirect(page);
        }
        Self::Status(match status {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        })
    }
}

impl Page {
    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme()?;
        let known = *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS;
        let hosted = uri.host().is_some_and(|host| !host.is_empty());
        (known && hosted && text.bytes().all(|byte| byte.is_ascii_graphic()))
            .then(|| Self(text.to_owned()))
    }

    /// The page, told what was stored. `etag` is without quotes.
    pub fn location(&self, bucket: &str, key: &str, etag: &str) -> String {
        let (page, fragment) = match self.0.split_once('#') {
            Some((page, fragment)) => (page, Some(fragment)),
            None => (self.0.as_str(), None),
        };
        let separator = match page.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        let key = encode::component(key);
        let mut location = format!("{page}{separator}bucket={bucket}&key={key}&etag=%22{etag}%22");
        if let Some(fragment) = fragment {
            location.push('#');
            location.push_str(fragment);
        }
        location
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_what_it_wants_to_see() {
        let check = |redirect: Option<&str>, status: Option<&str>, expected: u16| {
            let status = match Success::of(redirect, status) {
                Success::Status(status) => status.as_u16(),
                Success::Redirect(_) => 303,
            };
            assert_eq!(status, expected, "{redirect:?} {status:?}");
        };
        check(None, None, 204);
        for (text, expected) in [("200", 200), ("201", 201), ("204", 204)] {
            check(None, Some(text), expected);
            check(Some("no page"), Some(text), expected);
            check(Some("http://h/"), Some(text), 303);
        }
        for other in ["", "404", "301", "100", " 200", "x"] {
            check(None, Some(other), 204);
        }
        for page in ["http://h", "https://h:1/a?b=c#d", "HTTP://H/"] {
            check(Some(page), None, 303);
        }
        for no_page in [
            "",
            "/a",
            "h",
            "//h/a",
            "ftp://h/a",
            "javascript:alert(1)",
            "http://",
            "http:///a",
            "http://h/ a",
            "http://h/\r\nx: y",
            "http://h/ä",
        ] {
            check(Some(no_page), None, 204);
        }
    }

    #[test]
    fn a_page_is_told_behind_its_own_query() {
        let check = |page: &str, expected: &str| {
            let location = Page::parse(page).unwrap().location("b", "a b/&ä", "e");
            assert_eq!(location, expected);
        };
        const TOLD: &str = "bucket=b&key=a%20b%2F%26%C3%A4&etag=%22e%22";
        check("http://h", &format!("http://h?{TOLD}"));
        check("http://h/p", &format!("http://h/p?{TOLD}"));
        check("http://h/p?", &format!("http://h/p?{TOLD}"));
        check("http://h/p?a=b", &format!("http://h/p?a=b&{TOLD}"));
        check("http://h/p?a=b&", &format!("http://h/p?a=b&{TOLD}"));
        check("http://h/p?a=b#c", &format!("http://h/p?a=b&{TOLD}#c"));
        check("http://h/p#c?d", &format!("http://h/p?{TOLD}#c?d"));
    }
}
