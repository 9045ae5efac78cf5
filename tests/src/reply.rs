//! An answer, and what holds for every answer.

use std::fmt;

pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Method and target of the request, for messages.
    pub asked: String,
}

impl Reply {
    /// The value of a header; several are an error.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self
            .headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{self:?}: {name} is repeated");
        value
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or_else(|_| panic!("{self:?}: the body is not text"))
    }

    /// What an element holds, the first one of this name.
    pub fn element(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.text().split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    }

    /// What all elements of this name hold.
    pub fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = self.text().split(&open).skip(1);
        parts
            .filter_map(|part| Some(part.split_once(&close)?.0))
            .collect()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The error that was answered, with everything that an error must have.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.element("Code")),
            (status, Some(code)),
            "{self:?}"
        );
        self
    }

    #[track_caller]
    pub fn expect_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.header(name), Some(value), "{self:?}: {name}");
        self
    }

    #[track_caller]
    pub fn expect_element(self, name: &str, value: &str) -> Self {
        assert_eq!(self.element(name), Some(value), "{self:?}: {name}");
        self
    }

    /// Compares the whole document; `*` between two tags stands for anything.
    #[track_caller]
    pub fn expect_xml(self, document: &str) -> Self {
        assert_eq!(
            self.header("content-type"),
            Some("application/xml"),
            "{self:?}"
        );
        let text = self.text();
        let mut rest = text;
        let mut parts = document.split(">*<").peekable();
        let mut first = true;
        while let Some(part) = parts.next() {
            let part = format!(
                "{}{part}{}",
                if first { "" } else { "<" },
                if parts.peek().is_some() { ">" } else { "" }
            );
            let found = if first {
                rest.starts_with(&part).then_some(0)
            } else {
                rest.find(&part)
            };
            let Some(at) = found else {
                panic!(
                    "{}\nfound  {text}\nwanted {document}\nthere is no {part} where it should be",
                    self.asked
                );
            };
            rest = &rest[at + part.len()..];
            first = false;
        }
        assert_eq!(rest, "", "{}\nfound  {text}\nwanted {document}", self.asked);
        self
    }

    /// What holds for every answer of the gateway.
    #[track_caller]
    pub(crate) fn check(self, method: &str) -> Self {
        let id = self
            .header("x-amz-request-id")
            .unwrap_or_else(|| panic!("{self:?}: no x-amz-request-id"))
            .to_owned();
        assert!(self.header("date").is_some(), "{self:?}: no date");
        if method == "HEAD" || matches!(self.status, 204 | 304) {
            assert!(self.body.is_empty(), "{self:?}: a body where none may be");
        } else if self.status >= 400 {
            assert_eq!(
                self.header("content-type"),
                Some("application/xml"),
                "{self:?}"
            );
            assert_eq!(self.element("RequestId"), Some(id.as_str()), "{self:?}");
            assert!(
                self.element("Code").is_some_and(|code| !code.is_empty()),
                "{self:?}"
            );
            assert!(
                self.element("Message")
                    .is_some_and(|message| !message.is_empty()),
                "{self:?}"
            );
            assert!(self.element("Resource").is_some(), "{self:?}");
        }
        self
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} -> {}", self.asked, self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        let body = String::from_utf8_lossy(&self.body);
        write!(f, "{}", body.chars().take(2000).collect::<String>())
    }
}
