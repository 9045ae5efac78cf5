//! The query of a request, decoded once.

use crate::encode::decode_form;
use crate::error::{Code, Error};

/// The parameters of a query in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Long enough for a presigned URL with a session token.
    pub const LEN_MAX: usize = 16 * 1024;
    pub const PARAMETERS_MAX: usize = 128;

    /// Decodes a query as it was sent, without `?`. As in a form, `+` is a space.
    pub fn parse(raw: &str) -> Result<Self, Error> {
        if raw.len() > Self::LEN_MAX {
            return Err(Error::new(Code::InvalidURI).because("The query is too long."));
        }
        let segments = raw.split('&').filter(|segment| !segment.is_empty());
        if segments.clone().count() > Self::PARAMETERS_MAX {
            let error = Error::new(Code::InvalidURI);
            return Err(error.because("The query has too many parameters."));
        }
        let decoded = |text: &str| match decode_form(text) {
            Ok(decoded) => Ok(decoded.into_owned()),
            Err(_) => {
                Err(Error::new(Code::InvalidURI).because("The query is not percent-encoded UTF-8."))
            }
        };
        segments
            .map(|segment| {
                let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
                Ok((decoded(name)?, decoded(value)?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first value of a parameter. One without `=` has an empty value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub fn count(&self, name: &str) -> usize {
        self.iter().filter(|(known, _)| *known == name).count()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_once() {
        let query = Query::parse("&acl&prefix=a+b%2B%25&&prefix=c&empty=&=x&a=b=c").unwrap();
        let all: Vec<_> = query.iter().collect();
        assert_eq!(
            all,
            [
                ("acl", ""),
                ("prefix", "a b+%"),
                ("prefix", "c"),
                ("empty", ""),
                ("", "x"),
                ("a", "b=c"),
            ]
        );
        assert_eq!(query.get("prefix"), Some("a b+%"));
        assert_eq!(query.count("prefix"), 2);
        assert!(query.has("acl") && !query.has("ACL"));
        assert_eq!(Query::parse("").unwrap(), Query::default());
    }

    #[test]
    fn a_query_that_is_not_a_query_is_refused() {
        let long = "a".repeat(Query::LEN_MAX + 1);
        let many = "a&".repeat(Query::PARAMETERS_MAX + 1);
        for raw in ["a=%", "a=%zz", "%ff", "a=%c0%80", &long, &many] {
            let error = Query::parse(raw).unwrap_err();
            assert_eq!(error.code(), Some(Code::InvalidURI));
        }
        assert!(Query::parse(&long[1..]).is_ok());
        assert!(Query::parse(&many[2..]).is_ok());
    }
}
