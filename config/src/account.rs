//! Who may sign requests, and with what.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::config::{Config, Overrides};
use crate::matching::ANONYMOUS;
use crate::read::{Unique, Valid, Value};
use crate::report::{Place, Report};

pub(crate) const ACCOUNT_KEYS: &[&str] = &["id", "display_name", "email", "roles", "keys"];
pub(crate) const KEY_KEYS: &[&str] = &["access_key", "secret_key"];
pub(crate) const REFERENCE_KEYS: &[&str] = &["env", "file"];

#[derive(Debug, Clone)]
pub struct Account {
    /// The canonical user id.
    pub id: String,
    pub display_name: String,
    pub email: Option<String>,
    pub roles: Vec<String>,
    pub keys: Vec<Key>,
    pub place: Place,
}

/// An access key, not yet looked up.
#[derive(Debug, Clone)]
pub struct Key {
    pub access_key: Reference,
    pub secret_key: Reference,
    pub place: Place,
}

/// Where a text is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Literal(Secret),
    Env(String),
    File(PathBuf),
}

/// A secret with the name that it is asked for by, not yet looked up.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    pub name: String,
    pub reference: Reference,
    pub(crate) check: Check,
    pub place: Place,
}

/// How it is checked follows from what it is for.
impl PartialEq for NamedSecret {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.reference) == (&other.name, &other.reference)
    }
}

impl NamedSecret {
    /// Looks it up in the environment or in its file.
    pub fn look_up(&self) -> Result<Secret, Report> {
        self.look_up_from(|name| std::env::var(name).ok())
    }

    /// The same with another environment.
    pub fn look_up_from(&self, env: impl Fn(&str) -> Option<String>) -> Result<Secret, Report> {
        let found = self.reference.look_up(env, self.check);
        found.map_err(|(message, help)| self.place.complain(message, help).into())
    }
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// An access key that can be used.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The id of the account it belongs to.
    pub account: String,
    pub access_key: String,
    pub secret_key: Secret,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Config {
    /// Looks up the keys of all accounts in the environment and in files.
    pub fn credentials(&self) -> Result<Vec<Credential>, Report> {
        self.credentials_from(|name| std::env::var(name).ok())
    }

    /// The same with another environment.
    pub fn credentials_from(
        &self,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Credential>, Report> {
        let mut complaints = Vec::new();
        let mut credentials: Vec<Credential> = Vec::new();
        for account in &self.accounts {
            for key in &account.keys {
                let mut found = |reference: &Reference, check| {
                    let mistake = reference.look_up(&env, check);
                    mistake.map_err(|(message, help)| {
                        complaints.push(key.place.complain(message, help));
                    })
                };
                let access_key = found(&key.access_key, check_access_key);
                let secret_key = found(&key.secret_key, check_secret_key);
                let (Ok(Secret(access_key)), Ok(secret_key)) = (access_key, secret_key) else {
                    continue;
                };
                if let Some(other) = credentials.iter().find(|c| c.access_key == access_key) {
                    let message = format!(
                        "the access key `{access_key}` belongs to the account `{}` already",
                        other.account
                    );
                    complaints.push(key.place.complain(message, "use every access key once"));
                    continue;
                }
                credentials.push(Credential {
                    account: account.id.clone(),
                    access_key,
                    secret_key,
                });
            }
        }
        Report::of(complaints)?;
        Ok(credentials)
    }
}

pub(crate) type Check = fn(&str) -> Result<(), &'static str>;

impl Reference {
    /// The text, or what is wrong and what to do.
    fn look_up(
        &self,
        env: impl Fn(&str) -> Option<String>,
        check: Check,
    ) -> Result<Secret, (String, &'static str)> {
        let (text, from) = match self {
            Self::Literal(text) => (text.0.clone(), "the text written here".to_owned()),
            Self::Env(name) => {
                let from = format!("the environment variable {name}");
                match env(name) {
                    Some(text) => (text, from),
                    None => {
                        return Err((format!("{from} is not set"), "set it before sluice starts"));
                    }
                }
            }
            Self::File(path) => {
                let from = format!("the file {}", path.display());
                let text = fs::read_to_string(path).map_err(|error| {
                    let help = "relative paths start at `storage.data`";
                    (format!("{from} cannot be read: {error}"), help)
                })?;
                (text.trim_end_matches(['\r', '\n']).to_owned(), from)
            }
        };
        match check(&text) {
            Ok(()) => Ok(Secret(text)),
            Err(rule) => Err((format!("{from} has no usable content"), rule)),
        }
    }
}

/// It is part of the `Authorization` header, between commas and slashes.
fn check_access_key(text: &str) -> Result<(), &'static str> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match (3..=128).contains(&text.len()) && text.bytes().all(valid) {
        true => Ok(()),
        false => Err("an access key has 3 to 128 letters, digits, `-`, `_` and `.`"),
    }
}

fn check_secret_key(text: &str) -> Result<(), &'static str> {
    match (8..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("a secret key has 8 to 128 visible ASCII characters"),
    }
}

/// What is to be computed with.
pub(crate) fn check_secret(text: &str) -> Result<(), &'static str> {
    match (1..=4096).contains(&text.len()) {
        true => Ok(()),
        false => Err("a secret has 1 to 4096 bytes"),
    }
}

/// The value of a header.
pub(crate) fn check_header(text: &str) -> Result<(), &'static str> {
    let valid = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    match (1..=4096).contains(&text.len()) && text.bytes().all(valid) && text.trim() == text {
        true => Ok(()),
        false => Err(
            "the value of a header has 1 to 4096 visible ASCII characters, with spaces \
                      only between them",
        ),
    }
}

pub(crate) fn accounts(
    value: &Value<'_>,
    overrides: &Overrides,
    data: &Path,
) -> Valid<Vec<Account>> {
    let unique = Uniques::default();
    let mut instead = [&overrides.access_key, &overrides.secret_key].map(Option::as_ref);
    let help = "add one; without an account nobody can sign a request";
    value.filled_list(help, |value| {
        let mut account = account(value, data, &unique)?;
        if let Some(key) = account.keys.first_mut() {
            let [access_key, secret_key] = std::mem::take(&mut instead);
            replace(&mut key.access_key, access_key);
            replace(&mut key.secret_key, secret_key);
        }
        Ok(account)
    })
}

fn replace(reference: &mut Reference, instead: Option<&Secret>) {
    if let Some(secret) = instead {
        *reference = Reference::Literal(secret.clone());
    }
}

#[derive(Default)]
struct Uniques {
    ids: Unique,
    emails: Unique,
    access_keys: Unique,
}

fn account(value: &Value<'_>, data: &Path, unique: &Uniques) -> Valid<Account> {
    let fields = value.fields(ACCOUNT_KEYS)?;
    let id = fields.required("id", "alice", |value| {
        let id = name(value, 64)?;
        if id == ANONYMOUS {
            let message = format!("`{ANONYMOUS}` stands for requests that nobody signed");
            return Err(value.fail(message, "choose another id"));
        }
        unique.ids.claim(value, &id, "account id")?;
        Ok(id)
    });
    let display_name = fields.optional("display_name", |value| {
        value.parsed("write 1 to 128 characters in one line", |text| {
            let one_line = !text.chars().any(char::is_control);
            match one_line && (1..=128).contains(&text.chars().count()) {
                true => Ok(text.to_owned()),
                false => Err("this cannot be shown as a name"),
            }
        })
    });
    let email = fields.optional("email", |value| {
        let email = value.parsed("write it as name@example.com", |text| {
            let parts = text.split_once('@');
            let valid = text.len() <= 254
                && parts.is_some_and(|(name, host)| {
                    !name.is_empty() && !host.is_empty() && !host.contains('@')
                })
                && !text.contains(|char: char| char.is_whitespace() || char.is_control());
            match valid {
                true => Ok(text.to_owned()),
                false => Err(format!("`{text}` is not an email address")),
            }
        })?;
        let folded = email.to_lowercase();
        unique.emails.claim(value, &folded, "email address")?;
        Ok(email)
    });
    let roles = fields.or("roles", Vec::new(), |value| {
        let unique = Unique::default();
        value.list(|value| {
            let role = name(value, 64)?;
            unique.claim(value, &role, "role")?;
            Ok(role)
        })
    });
    let keys = fields.or("keys", Vec::new(), |value| {
        value.list(|value| key(value, data, unique))
    });
    let id = id?;
    Ok(Account {
        display_name: display_name?.unwrap_or_else(|| id.clone()),
        id,
        email: email?,
        roles: roles?,
        keys: keys?,
        place: value.place(),
    })
}

/// A name that is written without quotes anywhere.
fn name(value: &Value<'_>, len_max: usize) -> Valid<String> {
    let help = format!("use 1 to {len_max} letters, digits, `-`, `_` and `.`");
    value.parsed(&help, |text| match is_name(text, len_max) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not a name")),
    })
}

pub(crate) fn is_name(text: &str, len_max: usize) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=len_max).contains(&text.len()) && text.bytes().all(valid)
}

fn key(value: &Value<'_>, data: &Path, unique: &Uniques) -> Valid<Key> {
    let fields = value.fields(KEY_KEYS)?;
    let access_key = fields.required("access_key", "{env: ACCESS_KEY}", |value| {
        let found = reference(value, data, check_access_key)?;
        if let Reference::Literal(Secret(text)) = &found {
            unique.access_keys.claim(value, text, "access key")?;
        }
        Ok(found)
    });
    let secret_key = fields.required("secret_key", "{env: SECRET_KEY}", |value| {
        reference(value, data, check_secret_key)
    });
    Ok(Key {
        access_key: access_key?,
        secret_key: secret_key?,
        place: value.place(),
    })
}

/// `data` is where relative paths start.
pub(crate) fn reference(value: &Value<'_>, data: &Path, check: Check) -> Valid<Reference> {
    if !value.is_map() {
        let text = value.text()?;
        return match check(text) {
            Ok(()) => Ok(Reference::Literal(Secret(text.to_owned()))),
            Err(rule) => Err(value.fail("this text cannot be used", rule)),
        };
    }
    value.fields(REFERENCE_KEYS)?.only(&[
        ("env", &|value| {
            value.parsed("write the name of an environment variable", |text| {
                let valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                let digit_first = text.starts_with(|char: char| char.is_ascii_digit());
                match !text.is_empty() && !digit_first && text.bytes().all(valid) {
                    true => Ok(Reference::Env(text.to_owned())),
                    false => Err(format!("`{text}` is not the name of a variable")),
                }
            })
        }),
        ("file", &|value| {
            Ok(Reference::File(data.join(value.text()?)))
        }),
    ])
}
