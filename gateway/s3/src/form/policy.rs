//! The policy of a form: what whoever signed it allows to be sent with it.
//!
//! It is enforced whoever authenticates forms, and whatever else is allowed.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp as Instant;
use storage::{BucketName, Timestamp};

use super::json::Json;
use crate::error::{Code, Error};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    expiration: Timestamp,
    matches: Vec<Match>,
    /// How long the file may be: within all that are said.
    pub(super) length_min: u64,
    pub(super) length_max: u64,
}

/// What a field must be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Match {
    kind: Kind,
    /// In lower case, without `$`.
    field: String,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Equals,
    StartsWith,
}

/// As S3 says which condition it was.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, field, value } = self;
        let kind = match kind {
            Kind::Equals => "eq",
            Kind::StartsWith => "starts-with",
        };
        write!(f, "[\"{kind}\", \"${field}\", \"{value}\"]")
    }
}

impl Policy {
    /// Reads the field, which is in Base64.
    pub(super) fn parse(field: &str) -> Result<Self, Error> {
        let json = || {
            let text = BASE64_STANDARD.decode(without_breaks(field)).ok()?;
            Json::parse(std::str::from_utf8(&text).ok()?)
        };
        let Some(Json::Object(members)) = json() else {
            return Err(invalid("Invalid JSON."));
        };
        let (mut expiration, mut conditions) = (None, None);
        for (name, value) in members {
            let known = match (name.as_str(), value) {
                ("expiration", Json::Text(text)) => expiration.replace(text).is_none(),
                ("conditions", Json::List(list)) => conditions.replace(list).is_none(),
                _ => false,
            };
            if !known {
                return Err(invalid(format!("Unexpected: '{name}'.")));
            }
        }
        let expiration = expiration.ok_or_else(|| invalid("Policy missing expiration."))?;
        let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions."))?;
        let mut policy = Self {
            expiration: time(&expiration)
                .ok_or_else(|| invalid(format!("Invalid 'expiration' value: '{expiration}'")))?,
            matches: Vec::new(),
            length_min: 0,
            length_max: u64::MAX,
        };
        for condition in conditions {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: Json) -> Result<(), Error> {
        match condition {
            Json::Object(members) => {
                let Ok([(field, value)]) = <[_; 1]>::try_from(members) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let Json::Text(value) = value else {
                    return Err(invalid("Invalid Simple-Condition: value must be a string."));
                };
                self.matches.push(Match {
                    kind: Kind::Equals,
                    field: field.to_ascii_lowercase(),
                    value,
                });
                Ok(())
            }
            Json::List(parts) => self.add_list(parts),
            _ => Err(invalid(
                "Invalid Condition: it must be an object or a list.",
            )),
        }
    }

    fn add_list(&mut self, parts: Vec<Json>) -> Result<(), Error> {
        let Ok([Json::Text(kind), second, third]) = <[_; 3]>::try_from(parts) else {
            return Err(invalid(
                "Invalid Condition: a list has three members, and first its operation.",
            ));
        };
        let kind = match kind.to_ascii_lowercase().as_str() {
            "content-length-range" => {
                let (Some(min), Some(max)) = (length(&second), length(&third)) else {
                    return Err(invalid("Invalid content-length-range: it has two numbers."));
                };
                self.length_min = self.length_min.max(min);
                self.length_max = self.length_max.min(max);
                return Ok(());
            }
            "eq" => Kind::Equals,
            "starts-with" => Kind::StartsWith,
            _ => {
                return Err(invalid(format!(
                    "Invalid Condition: unknown operation '{kind}'."
                )));
            }
        };
        let (Json::Text(field), Json::Text(value)) = (second, third) else {
            return Err(invalid(
                "Invalid Condition: the field and its value must be strings.",
            ));
        };
        let Some(field) = field.strip_prefix('$') else {
            return Err(invalid(format!(
                "Invalid Condition: the field '{field}' does not begin with '$'."
            )));
        };
        self.matches.push(Match {
            kind,
            field: field.to_ascii_lowercase(),
            value,
        });
        Ok(())
    }

    /// Whether a form to this bucket with these fields, their names in lower
    /// case, is one that was signed for, at this time.
    pub(super) fn check(
        &self,
        bucket: &BucketName,
        fields: &[(String, String)],
        now: Timestamp,
    ) -> Result<(), Error> {
        if now > self.expiration {
            return Err(refused("Policy expired."));
        }
        let value_of = |name: &str| {
            // Which bucket it is the form cannot say.
            if name == "bucket" {
                return Some(bucket.as_str());
            }
            let mut fields = fields.iter();
            fields.find_map(|(known, value)| (known == name).then_some(value.as_str()))
        };
        for condition in &self.matches {
            let holds = value_of(&condition.field).is_some_and(|value| condition.holds(value));
            if !holds {
                return Err(refused(format!("Policy Condition failed: {condition}")));
            }
        }
        let is_covered = |name: &str| {
            is_exempt(name) || self.matches.iter().any(|condition| condition.field == name)
        };
        let names = fields.iter().map(|(name, _)| name.as_str());
        let extra: Vec<_> = names
            .filter(|name| *name != "bucket")
            .chain(["bucket"])
            .filter(|name| !is_covered(name))
            .collect();
        if extra.is_empty() {
            return Ok(());
        }
        Err(refused(format!("Extra input fields: {}", extra.join(", "))))
    }
}

impl Match {
    fn holds(&self, value: &str) -> bool {
        match self.kind {
            Kind::Equals => value == self.value,
            // A form may name several types, and each must be one that is allowed.
            Kind::StartsWith if self.field == "content-type" => value
                .split(',')
                .all(|one| one.trim_ascii_start().starts_with(&self.value)),
            Kind::StartsWith => value.starts_with(&self.value),
        }
    }
}

/// The fields that a policy cannot speak of, and those that mean nothing.
fn is_exempt(name: &str) -> bool {
    const EXEMPT: [&str; 4] = ["awsaccesskeyid", "policy", "signature", "x-amz-signature"];
    EXEMPT.contains(&name) || name.starts_with("x-ignore-")
}

/// A field of a page may be broken into lines.
fn without_breaks(field: &str) -> String {
    field.split_ascii_whitespace().collect()
}

/// `2007-12-01T12:00:00.000Z`, with or without its fraction.
fn time(text: &str) -> Option<Timestamp> {
    let shaped = text.len() <= 32 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    let millis = text
        .parse::<Instant>()
        .ok()
        .filter(|_| shaped)?
        .as_millisecond();
    u64::try_from(millis).ok().map(Timestamp)
}

/// Some write the numbers as texts.
fn length(value: &Json) -> Option<u64> {
    match value {
        Json::Number(text) | Json::Text(text) => {
            text.parse().ok().filter(|_| !text.starts_with('+'))
        }
        _ => None,
    }
}

fn invalid(what: impl fmt::Display) -> Error {
    Error::new(Code::InvalidPolicyDocument).because(format!("Invalid Policy: {what}"))
}

fn refused(why: impl fmt::Display) -> Error {
    Error::new(Code::AccessDenied).because(format!("Invalid according to Policy: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "2007-12-01T12:00:00.000Z";
    const NOON_MS: u64 = 1_196_510_400_000;

    fn parse(json: &str) -> Result<Policy, Error> {
        Policy::parse(&BASE64_STANDARD.encode(json))
    }

    fn policy(conditions: &str) -> Result<Policy, Error> {
        parse(&format!(
            r#"{{"expiration": "{NOON}", "conditions": [{conditions}]}}"#
        ))
    }

    #[test]
    fn a_policy_has_an_expiration_and_conditions_and_nothing_else() {
        let check = |json: &str, expected: Result<(), &str>| {
            let parsed = parse(json).map(drop);
            match (parsed, expected) {
                (Ok(()), Ok(())) => {}
                (Err(error), Err(part)) => {
                    assert_eq!(error.code(), Some(Code::InvalidPolicyDocument), "{json}");
                    assert!(error.message().contains(part), "{json}: {error}");
                }
                (parsed, _) => panic!("{json}: {parsed:?}"),
            }
        };
        let both = |expiration: &str, conditions: &str| {
            format!(r#"{{"expiration": {expiration}, "conditions": {conditions}}}"#)
        };
        let with = |condition: &str| both(&format!("\"{NOON}\""), &format!("[{condition}]"));
        check(&with(""), Ok(()));
        check(&with(r#"{"acl": "private"}"#), Ok(()));
        check(
            &with(r#"["EQ", "$a", ""], ["Starts-With", "$b", "c"]"#),
            Ok(()),
        );
        check(&with(r#"["content-length-range", 0, "10"]"#), Ok(()));
        check(&both("\"2007-12-01T12:00:00Z\"", "[]"), Ok(()));
        check("", Err("Invalid JSON"));
        check("[]", Err("Invalid JSON"));
        check("{", Err("Invalid JSON"));
        check("{}", Err("missing expiration"));
        check(r#"{"conditions": []}"#, Err("missing expiration"));
        check(
            &format!(r#"{{"expiration": "{NOON}"}}"#),
            Err("missing conditions"),
        );
        check(
            &format!(r#"{{"EXPIRATION": "{NOON}"}}"#),
            Err("Unexpected: 'EXPIRATION'"),
        );
        check(r#"{"CONDITIONS": []}"#, Err("Unexpected: 'CONDITIONS'"));
        check(r#"{"conditions": [], "conditions": []}"#, Err("Unexpected"));
        check(&both("1", "[]"), Err("Unexpected: 'expiration'"));
        check(
            &both("\"2007-12-01T12:00:00Z\"", "{}"),
            Err("Unexpected: 'conditions'"),
        );
        for time in [
            "",
            "2007-12-01",
            "2007-12-01 12:00:00+00:00",
            "2007-12-01T12:00:00+01:00Z",
            "1960-01-01T00:00:00Z",
            "2007-13-01T12:00:00Z",
        ] {
            check(
                &both(&format!("\"{time}\""), "[]"),
                Err("Invalid 'expiration' value"),
            );
        }
        for condition in [
            "1",
            "\"eq\"",
            "{}",
            r#"{"a": "b", "c": "d"}"#,
            r#"{"a": 1}"#,
            "[]",
            r#"["eq", "$a"]"#,
            r#"["eq", "$a", "b", "c"]"#,
            r#"["ends-with", "$a", "b"]"#,
            r#"["eq", "a", "b"]"#,
            r#"["eq", "$a", 1]"#,
            r#"[1, "$a", "b"]"#,
            r#"["content-length-range", 0]"#,
            r#"["content-length-range", -1, 0]"#,
            r#"["content-length-range", 0, 1.5]"#,
            r#"["content-length-range", "+1", 2]"#,
            r#"["content-length-range", null, 2]"#,
        ] {
            check(&with(condition), Err("Invalid Policy: Invalid"));
        }
        assert!(Policy::parse("%%%").is_err());
        assert!(Policy::parse(&BASE64_STANDARD.encode([0xff])).is_err());
    }

    #[test]
    fn a_policy_may_be_broken_into_lines() {
        let encoded =
            BASE64_STANDARD.encode(format!(r#"{{"expiration": "{NOON}", "conditions": []}}"#));
        let (one, other) = encoded.split_at(20);
        assert!(Policy::parse(&format!("{one}\r\n{other}\n")).is_ok());
    }

    #[test]
    fn every_condition_holds_and_covers_its_field() {
        let check = |conditions: &str, fields: &[(&str, &str)], expected: Result<(), &str>| {
            let policy = policy(&format!(r#"{{"bUcKet": "photos"}}{conditions}"#)).unwrap();
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            let fields: Vec<_> = fields.iter().map(owned).collect();
            let bucket = BucketName::parse("photos").unwrap();
            let checked = policy.check(&bucket, &fields, Timestamp(NOON_MS));
            if let Err(error) = &checked {
                assert_eq!(error.code(), Some(Code::AccessDenied));
            }
            let checked = checked.map_err(|error| error.message().to_owned());
            let expected = expected.map_err(|why| format!("Invalid according to Policy: {why}"));
            assert_eq!(checked, expected, "{conditions} {fields:?}");
        };
        let key = ("key", "user/a");
        check("", &[], Ok(()));
        check(r#", {"key": "user/a"}"#, &[key], Ok(()));
        check(r#", ["eq", "$KEY", "user/a"]"#, &[key], Ok(()));
        check(r#", ["starts-with", "$key", "user/"]"#, &[key], Ok(()));
        check(r#", ["starts-with", "$key", ""]"#, &[key], Ok(()));
        check(
            r#", ["starts-with", "$key", "users/"]"#,
            &[key],
            Err("Policy Condition failed: [\"starts-with\", \"$key\", \"users/\"]"),
        );
        check(
            r#", {"Key": "user/"}"#,
            &[key],
            Err("Policy Condition failed: [\"eq\", \"$key\", \"user/\"]"),
        );
        // One that is not there is not an empty one.
        check(
            r#", ["starts-with", "$x-amz-meta-a", ""]"#,
            &[],
            Err("Policy Condition failed: [\"starts-with\", \"$x-amz-meta-a\", \"\"]"),
        );
        check(r#", {"x-amz-meta-a": ""}"#, &[("x-amz-meta-a", "")], Ok(()));
        check(
            r#", {"bucket": "other"}"#,
            &[],
            Err("Policy Condition failed: [\"eq\", \"$bucket\", \"other\"]"),
        );
        check(
            "",
            &[key, ("acl", "private")],
            Err("Extra input fields: key, acl"),
        );
        check(
            "",
            &[
                ("policy", "p"),
                ("signature", "s"),
                ("awsaccesskeyid", "a"),
                ("x-amz-signature", "s"),
                ("x-ignore-me", "i"),
                ("bucket", "whatever"),
            ],
            Ok(()),
        );
        check(
            "",
            &[("x-amz-date", "d")],
            Err("Extra input fields: x-amz-date"),
        );
        let images = r#", ["starts-with", "$Content-Type", "image/"]"#;
        check(
            images,
            &[("content-type", "image/png,image/jpeg, image/gif")],
            Ok(()),
        );
        check(
            images,
            &[("content-type", "image/png,text/html")],
            Err("Policy Condition failed: [\"starts-with\", \"$content-type\", \"image/\"]"),
        );
    }

    #[test]
    fn a_policy_that_names_no_bucket_covers_none() {
        let error = policy("")
            .and_then(|policy| {
                policy.check(&BucketName::parse("photos").unwrap(), &[], Timestamp(0))
            })
            .unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid according to Policy: Extra input fields: bucket"
        );
    }

    #[test]
    fn a_policy_holds_to_its_last_millisecond() {
        let policy = policy(r#"{"bucket": "photos"}"#).unwrap();
        let check =
            |now: u64| policy.check(&BucketName::parse("photos").unwrap(), &[], Timestamp(now));
        assert!(check(NOON_MS).is_ok());
        let error = check(NOON_MS + 1).unwrap_err();
        assert_eq!(
            error.message(),
            "Invalid according to Policy: Policy expired."
        );
    }

    #[test]
    fn all_ranges_of_the_length_hold() {
        let check = |conditions: &str, min: u64, max: u64| {
            let policy = policy(conditions).unwrap();
            assert_eq!((policy.length_min, policy.length_max), (min, max));
        };
        check(
            r#"["content-length-range", 1, 10], ["content-length-range", "0", "5"]"#,
            1,
            5,
        );
        check("", 0, u64::MAX);
    }
}
