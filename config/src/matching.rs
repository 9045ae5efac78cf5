//! Which requests a step is for.

use http::HeaderName;
use s3::Operation;

use crate::account::Account;
use crate::read::{Valid, Value, suggest};

pub(crate) const MATCH_KEYS: &[&str] =
    &["operations", "buckets", "prefixes", "principals", "headers"];

/// All that is given must hold; of a list, one item.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// Empty for all.
    pub operations: Vec<Operation>,
    /// Empty for all, and for requests without a bucket.
    pub buckets: Vec<Glob>,
    /// What an entry of `buckets` is about, of which one fits, too. Empty for all.
    pub within: Vec<Selector>,
    /// What others are about; none fits.
    pub except: Vec<Selector>,
    /// What the key of an object begins with. Empty for all, and for requests without a key.
    pub prefixes: Vec<String>,
    /// Empty for all.
    pub principals: Vec<Who>,
    /// Of these, one is present. Empty for all.
    pub headers: Vec<HeaderPattern>,
}

impl Match {
    /// Whether every request is meant.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// A pattern for bucket names: `*` stands for any text, `?` for any character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an entry of `buckets` is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Buckets with such a name.
    Name(Glob),
    /// Buckets that were made by the template of this name.
    Template(String),
}

/// Some of those who make requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    Anonymous,
    /// The account with this id.
    Account(String),
    /// All accounts with this role.
    Role(String),
}

/// The name of a header in lower case; with `*` at its end, all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderPattern(String);

impl HeaderPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The longest key that an object can have.
const PREFIX_LEN_MAX: usize = 1024;

/// How requests are written that nobody signed; no account has this id.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// `accounts` are those there are, where that is known.
pub(crate) fn matching(value: &Value<'_>, accounts: Option<&[Account]>) -> Valid<Match> {
    let fields = value.fields(MATCH_KEYS)?;
    let all: Vec<&str> = Operation::ALL.iter().map(|op| op.name()).collect();
    let operations = fields.or("operations", Vec::new(), |value| {
        value.filled_list("name an operation, or leave the key out", |value| {
            value.choice("operation", &all, Operation::parse)
        })
    });
    let buckets = fields.or("buckets", Vec::new(), globs);
    let prefixes = fields.or("prefixes", Vec::new(), |value| {
        value.filled_list("name what keys begin with, or leave the key out", prefix)
    });
    let principals = fields.or("principals", Vec::new(), |value| {
        let help = "name an account, `role:NAME` or `anonymous`, or leave the key out";
        value.filled_list(help, |value| who(value, accounts))
    });
    let headers = fields.or("headers", Vec::new(), |value| {
        value.filled_list("name a header, or leave the key out", header)
    });
    Ok(Match {
        operations: operations?,
        buckets: buckets?,
        within: Vec::new(),
        except: Vec::new(),
        prefixes: prefixes?,
        principals: principals?,
        headers: headers?,
    })
}

pub(crate) fn globs(value: &Value<'_>) -> Valid<Vec<Glob>> {
    let help = "use 1 to 63 lower-case letters, digits, `.`, `-`, `*` and `?`";
    value.filled_list("name a bucket, or a pattern such as \"prod-*\"", |value| {
        value.parsed(help, |text| {
            let valid = (1..=63).contains(&text.len())
                && text.bytes().all(
                    |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'*' | b'?'),
                );
            match valid {
                true => Ok(Glob(text.to_owned())),
                false => Err(format!("`{text}` is not a pattern for bucket names")),
            }
        })
    })
}

/// What buckets were made by. Which templates there are is for a plugin to say.
pub(crate) fn templates(value: &Value<'_>) -> Valid<Vec<String>> {
    let help = "use 1 to 64 letters, digits, `.`, `_` and `-`";
    value.filled_list("name a template, or leave the key out", |value| {
        value.parsed(help, |text| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            match (1..=64).contains(&text.len()) && text.bytes().all(plain) {
                true => Ok(text.to_owned()),
                false => Err(format!("`{text}` cannot name a template")),
            }
        })
    })
}

fn prefix(value: &Value<'_>) -> Valid<String> {
    let help = "write the beginning of a key, such as `logs/`: a prefix is no pattern";
    value.parsed(help, |text| match text.len() {
        0 => Err("every key begins with nothing"),
        1..=PREFIX_LEN_MAX => Ok(text.to_owned()),
        _ => Err("no key is as long as this"),
    })
}

fn who(value: &Value<'_>, accounts: Option<&[Account]>) -> Valid<Who> {
    let text = value.text()?;
    if text == ANONYMOUS {
        return Ok(Who::Anonymous);
    }
    let (who, what, name) = match text.split_once(':') {
        Some(("role", role)) => (Who::Role(role.to_owned()), "role", role),
        Some(_) => {
            let help = "write the id of an account, `role:NAME` or `anonymous`";
            return Err(value.fail(format!("`{text}` names nobody"), help));
        }
        None => (Who::Account(text.to_owned()), "account", text),
    };
    let Some(accounts) = accounts else {
        return Ok(who);
    };
    let ids = accounts.iter().map(|account| account.id.as_str());
    let roles = accounts.iter().flat_map(|account| &account.roles);
    let known: Vec<&str> = match who {
        Who::Role(_) => roles.map(String::as_str).collect(),
        Who::Account(_) | Who::Anonymous => ids.chain([ANONYMOUS]).collect(),
    };
    match known.contains(&name) {
        true => Ok(who),
        false => Err(value.fail(
            match who {
                Who::Role(_) => format!("no account has the role `{name}`"),
                Who::Account(_) | Who::Anonymous => format!("there is no account `{name}`"),
            },
            suggest(name, known.into_iter(), what),
        )),
    }
}

fn header(value: &Value<'_>) -> Valid<HeaderPattern> {
    let help = "write a name in lower case, such as `x-amz-acl`, or its beginning and `*`";
    value.parsed(help, |text| {
        let name = text.strip_suffix('*').unwrap_or(text);
        match HeaderName::from_lowercase(name.as_bytes()) {
            Ok(_) => Ok(HeaderPattern(text.to_owned())),
            Err(_) => Err(format!(
                "`{text}` is not the name of a header in lower case"
            )),
        }
    })
}
