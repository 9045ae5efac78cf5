//! Rules, and the document that they are kept in. It is read as it is, from the
//! front, for every cross-origin request: a line for each value, and nothing of
//! XML.
//!
//! ```text
//! cors 1
//! rule GET, PUT
//! id uploads
//! origin https://*.example.com
//! header x-amz-*
//! expose ETag
//! age 3000
//! ```

/// The methods that a rule can allow.
pub(crate) const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

const HEAD: &str = "cors 1";

/// Names of headers that a request may ask for, and what may be said in a header
/// that an answer repeats: far above what a browser sends.
const NAMES_MAX: usize = 100;
const REPEATED_LEN_MAX: usize = 8 << 10;

/// What it may cost to find a rule for the headers of one request: each name that
/// is held against a pattern costs the length of the pattern and a little more.
/// Only rules and requests that are made for each other get there.
const EFFORT_MAX: usize = 256 << 10;
const COMPARISON: usize = 8;

/// The document in the making.
#[derive(Debug)]
pub(crate) struct Writer(String);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(HEAD.to_owned())
    }

    /// Begins a rule; its values follow. Nothing that is written has a line break.
    pub(crate) fn rule(&mut self, methods: &[&str]) {
        self.value("rule", &methods.join(", "));
    }

    pub(crate) fn value(&mut self, kind: &str, value: &str) {
        for part in ["\n", kind, " ", value] {
            self.0.push_str(part);
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

/// One rule, as it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule<'a> {
    /// In the form of a header.
    pub(crate) methods: &'a str,
    lines: &'a str,
}

/// The rules of a document; nothing where it is none.
pub(crate) fn read(document: &[u8]) -> Option<impl Iterator<Item = Rule<'_>>> {
    let text = std::str::from_utf8(document).ok()?;
    let mut parts = text.split("\nrule ");
    if parts.next() != Some(HEAD) {
        return None;
    }
    Some(parts.map(|rule| {
        let (methods, lines) = rule.split_once('\n').unwrap_or((rule, ""));
        Rule { methods, lines }
    }))
}

impl<'a> Rule<'a> {
    /// Its values of one kind.
    pub(crate) fn values(self, kind: &str) -> impl Iterator<Item = &'a str> {
        let lines = self.lines.split('\n');
        lines.filter_map(move |line| line.strip_prefix(kind)?.strip_prefix(' '))
    }
}

/// What a cross-origin request asks for.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    method: String,
    /// In lower case, each once.
    pub(crate) headers: Vec<String>,
}

/// The rule that allows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant<'a> {
    pub(crate) rule: Rule<'a>,
    /// Whatever the origin, so that the answer is for everybody.
    pub(crate) any_origin: bool,
}

impl<'a> Asked<'a> {
    /// Nothing where it could not be repeated in an answer: no browser sends that.
    pub(crate) fn new(origin: &'a str, method: String, headers: Option<&str>) -> Option<Self> {
        let headers = headers.unwrap_or_default();
        let is_short = origin.len().max(headers.len()) <= REPEATED_LEN_MAX;
        if !is_short || !origin.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return None;
        }
        let names = headers.split(',').map(str::trim_ascii);
        let names = names.filter(|name| !name.is_empty());
        let mut headers: Vec<String> = Vec::new();
        for (count, name) in names.enumerate() {
            if count == NAMES_MAX || !is_token(name) {
                return None;
            }
            let name = name.to_ascii_lowercase();
            if !headers.contains(&name) {
                headers.push(name);
            }
        }
        Some(Self {
            origin,
            method,
            headers,
        })
    }

    /// The first rule that allows it.
    pub(crate) fn granted<'d>(&self, document: &'d [u8]) -> Option<Grant<'d>> {
        let mut effort = EFFORT_MAX;
        read(document)?.find_map(|rule| self.granted_by(rule, &mut effort))
    }

    fn granted_by<'d>(&self, rule: Rule<'d>, effort: &mut usize) -> Option<Grant<'d>> {
        if !rule.methods.split(", ").any(|method| method == self.method) {
            return None;
        }
        let origin = rule
            .values("origin")
            .find(|pattern| fits(pattern, self.origin, str::eq))?;
        self.headers_allowed_by(rule, effort).then_some(Grant {
            rule,
            any_origin: origin == "*",
        })
    }

    /// Whether the rule allows all headers, as far as the effort goes to find out.
    fn headers_allowed_by(&self, rule: Rule<'_>, effort: &mut usize) -> bool {
        if self.headers.is_empty() {
            return true;
        }
        let mut missing: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        for pattern in rule.values("header") {
            let cost = missing.len().saturating_mul(pattern.len() + COMPARISON);
            let Some(left) = effort.checked_sub(cost) else {
                return false;
            };
            *effort = left;
            missing.retain(|name| !fits(pattern, name, str::eq_ignore_ascii_case));
            if missing.is_empty() {
                return true;
            }
        }
        false
    }
}

/// Whether a text fits a pattern with at most one `*`, which stands for any text.
fn fits(pattern: &str, text: &str, is: fn(&str, &str) -> bool) -> bool {
    let Some((start, end)) = pattern.split_once('*') else {
        return is(pattern, text);
    };
    let begins = text.get(..start.len()).is_some_and(|text| is(text, start));
    let rest = text.get(start.len()..).unwrap_or_default();
    let at = rest.len().checked_sub(end.len());
    let ends = at.and_then(|at| rest.get(at..));
    begins && ends.is_some_and(|rest| is(rest, end))
}

/// Whether a text can be the name of a header.
pub(crate) fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        let check = |pattern: &str, text: &str, expected: bool| {
            assert_eq!(fits(pattern, text, str::eq), expected, "{pattern} {text}");
        };
        check("*", "", true);
        check("*", "http://a", true);
        check("http://a", "http://a", true);
        check("http://a", "http://A", false);
        check("http://a", "http://ab", false);
        check("http://*.b", "http://a.b", true);
        check("http://*.b", "http://.b", true);
        check("http://*.b", "http://b", false);
        check("http://*.b", "https://a.b", false);
        check("ab*ba", "aba", false);
        check("ab*ba", "abba", true);
        check("start*end", "start12end", true);
        check("start*end", "0start12end", false);
        check("*suffix", "foo.suffix", true);
        check("*suffix", "foo.suffix.get", false);
        check("ä*", "\u{e4}", true);
        check("a*", "ä", false);
        assert!(fits("X-Amz-*", "x-amz-date", str::eq_ignore_ascii_case));
    }

    #[test]
    fn the_first_rule_that_allows_everything_decides() {
        let mut writer = Writer::new();
        writer.rule(&["GET"]);
        writer.value("id", "rule GET, PUT");
        writer.value("origin", "http://a");
        writer.rule(&["GET", "PUT"]);
        writer.value("origin", "http://*");
        writer.value("header", "x-*");
        writer.value("header", "Content-Type");
        writer.rule(&["GET"]);
        writer.value("origin", "*");
        let document = writer.finish();
        let check = |origin: &str, method: &str, headers: &str, expected: Option<(&str, bool)>| {
            let asked = Asked::new(origin, method.to_owned(), Some(headers));
            let grant = asked.and_then(|asked| asked.granted(document.as_bytes()));
            let grant = grant.map(|grant| (grant.rule.methods, grant.any_origin));
            assert_eq!(grant, expected, "{origin} {method} {headers}");
        };
        check("http://a", "GET", "", Some(("GET", false)));
        check("http://a", "GET", "x-a", Some(("GET, PUT", false)));
        check("http://a", "PUT", "", Some(("GET, PUT", false)));
        check(
            "http://b",
            "PUT",
            "X-Amz-Date , content-type,",
            Some(("GET, PUT", false)),
        );
        check("http://b", "PUT", "x-a, authorization", None);
        check("https://b", "GET", "", Some(("GET", true)));
        check("https://b", "GET", "x-a", None);
        check("https://b", "DELETE", "", None);
        check("http://b", "put", "", None);
        check("http://\u{e4}", "GET", "", None);
        check("http://b", "PUT", "x-\u{e4}", None);
        check("http://b", "PUT", "x-a b", None);
    }

    #[test]
    fn what_is_asked_for_is_short_and_found_without_much_effort() {
        let asks = |headers: &str| Asked::new("http://a", "GET".to_owned(), Some(headers));
        let names = |count: usize| {
            let names: Vec<_> = (0..count).map(|n| format!("x-{n}")).collect();
            names.join(",")
        };
        let count = |headers: &str| asks(headers).map(|asked| asked.headers.len());
        assert_eq!(count(&names(NAMES_MAX)), Some(NAMES_MAX));
        assert_eq!(count(&names(NAMES_MAX + 1)), None);
        assert_eq!(count("x-a, X-A,x-a"), Some(1));
        assert_eq!(count(&"a,".repeat(NAMES_MAX + 1)), None);
        assert_eq!(count(&"a".repeat(REPEATED_LEN_MAX)), Some(1));
        assert_eq!(count(&"a".repeat(REPEATED_LEN_MAX + 1)), None);
        let origin = "o".repeat(REPEATED_LEN_MAX + 1);
        assert!(Asked::new(&origin, "GET".to_owned(), None).is_none());

        let rules = |patterns: usize, last: &str| {
            let mut writer = Writer::new();
            writer.rule(&["GET"]);
            writer.value("origin", "*");
            for _ in 0..patterns {
                writer.value("header", "y");
            }
            writer.value("header", last);
            writer.finish()
        };
        let is_granted = |document: &str, headers: &str| {
            let asked = asks(headers).unwrap();
            asked.granted(document.as_bytes()).is_some()
        };
        let worst = EFFORT_MAX / (NAMES_MAX * (1 + COMPARISON));
        assert!(is_granted(&rules(worst - 1, "*"), &names(NAMES_MAX)));
        assert!(!is_granted(&rules(worst, "*"), &names(NAMES_MAX)));
        assert!(is_granted(&rules(worst, "*"), "x-a"));
        assert!(is_granted(&rules(1900, "*"), &names(10)));
        // What was found is not looked for again.
        assert!(is_granted(&rules(worst, "x-b"), "y,x-b"));
    }

    #[test]
    fn what_is_no_document_grants_nothing() {
        for document in [
            &b""[..],
            b"cors 2\nrule GET\norigin *",
            b"cors 1\nrule GET\norigin *\xff",
            b"cors 1",
        ] {
            let asked = Asked::new("http://a", "GET".to_owned(), None).unwrap();
            assert!(asked.granted(document).is_none(), "{document:?}");
        }
    }
}
