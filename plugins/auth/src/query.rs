//! The query string in the form in which it is signed: every name and value
//! encoded in the one canonical way, sorted.

use sluice_plugin::form_decoded;

use crate::canonical::push_encoded;

/// A query string, encoded canonically and sorted.
#[derive(Debug)]
pub(crate) struct Query {
    text: Vec<u8>,
    parameters: Vec<Parameter>,
}

/// A parameter as three positions in the text: `name` `=` `value`.
#[derive(Debug, Clone, Copy)]
struct Parameter {
    start: usize,
    equals: usize,
    end: usize,
}

impl Query {
    pub(crate) fn read(raw: &str) -> Self {
        let mut text = Vec::with_capacity(raw.len() + raw.len() / 4);
        let mut parameters = Vec::new();
        for parameter in raw.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let start = text.len();
            push_encoded(&mut text, name, b"", b' ');
            let equals = text.len();
            text.push(b'=');
            push_encoded(&mut text, value, b"", b' ');
            let end = text.len();
            parameters.push(Parameter { start, equals, end });
        }
        let mut query = Self { text, parameters };
        let text = &query.text;
        query.parameters.sort_unstable_by(|a, b| {
            let a = (a.name(text), a.value(text));
            a.cmp(&(b.name(text), b.value(text)))
        });
        query
    }

    /// The decoded value of a parameter whose name needs no encoding.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let mut parameters = self.parameters.iter();
        let found = parameters.find(|parameter| parameter.name(&self.text) == name.as_bytes())?;
        let value = std::str::from_utf8(found.value(&self.text)).ok()?;
        Some(form_decoded(value))
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|parameter| parameter.name(&self.text) == name.as_bytes())
    }

    /// Whether a parameter of the signature is there twice.
    pub(crate) fn repeats_a_claim(&self) -> bool {
        self.parameters
            .iter()
            .zip(self.parameters.iter().skip(1))
            .any(|(one, next)| {
                let name = one.name(&self.text);
                name.starts_with(b"X-Amz-") && name == next.name(&self.text)
            })
    }

    /// Appends all parameters but the signature itself.
    pub(crate) fn push_signed(&self, out: &mut Vec<u8>) {
        let mut separator = None;
        for parameter in &self.parameters {
            if parameter.name(&self.text) == b"X-Amz-Signature" {
                continue;
            }
            out.extend(separator);
            separator = Some(b'&');
            out.extend_from_slice(
                self.text
                    .get(parameter.start..parameter.end)
                    .unwrap_or_default(),
            );
        }
    }
}

impl Parameter {
    fn name(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.equals).unwrap_or_default()
    }

    fn value(self, text: &[u8]) -> &[u8] {
        text.get(self.equals + 1..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_sorted() {
        let check = |raw: &str, expected: &str| {
            let mut signed = Vec::new();
            Query::read(raw).push_signed(&mut signed);
            assert_eq!(String::from_utf8(signed).unwrap(), expected, "{raw}");
        };
        check("", "");
        check("acl", "acl=");
        check("b=2&a=1", "a=1&b=2");
        check("a=2&a=1", "a=1&a=2");
        check("ab=1&a=2", "a=2&ab=1");
        // Sorted by name, not by the text: `-` comes before `=`.
        check("a-b=1&a=2", "a=2&a-b=1");
        check("&&a=1&", "a=1");
        check("a=b=c", "a=b%3Dc");
        check("prefix=a/b c+d%20e", "prefix=a%2Fb%20c%20d%20e");
        check("a=%7e%2b%zz%", "a=~%2B%25zz%25");
        check("a=ä", "a=%C3%A4");
        check("X-Amz-Signature=1&x=2", "x=2");
    }

    #[test]
    fn values_are_decoded() {
        let query = Query::read("X-Amz-Credential=AKID%2F20130524%2fus-east-1&a=1&a=2");
        assert_eq!(
            query.get("X-Amz-Credential").as_deref(),
            Some("AKID/20130524/us-east-1")
        );
        assert_eq!(query.get("a").as_deref(), Some("1"));
        assert_eq!(query.get("b"), None);
        assert!(!query.repeats_a_claim());
        assert!(Query::read("X-Amz-Date=1&b&X-Amz-Date=1").repeats_a_claim());
    }
}
