//! Names that have been checked: a value of one of these types is valid, and
//! parsing is the only way to get one.

use std::borrow::Borrow;
use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error(
        "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, begins and ends with a letter or a digit, and is not an IP address"
    )]
    Bucket,
    #[error("a key is not empty")]
    KeyEmpty,
    #[error("a key has at most {} bytes", ObjectKey::LEN_MAX)]
    KeyTooLong,
    #[error("a version id is `null` or 32 hexadecimal digits")]
    Version,
    #[error("an upload id is 32 hexadecimal digits")]
    Upload,
    #[error("a part number is between 1 and {}", PartNumber::MAX)]
    Part,
}

/// The name of a bucket, by the rules of
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Arc<str>);

/// Names are found, and ordered, by their text.
impl Borrow<str> for BucketName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl BucketName {
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = (3..=63).contains(&name.len())
            && name
                .bytes()
                .all(|byte| edge(byte) || byte == b'-' || byte == b'.')
            && name.bytes().next().is_some_and(edge)
            && name.bytes().next_back().is_some_and(edge)
            && !name.contains("..")
            && name.parse::<std::net::Ipv4Addr>().is_err();
        if valid {
            Ok(Self(name.into()))
        } else {
            Err(NameError::Bucket)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of an object: any UTF-8 text of 1 to 1,024 bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    pub const LEN_MAX: usize = 1024;

    pub fn parse(key: &str) -> Result<Self, NameError> {
        match key.len() {
            0 => Err(NameError::KeyEmpty),
            1..=Self::LEN_MAX => Ok(Self(key.into())),
            _ => Err(NameError::KeyTooLong),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which version of an object. What was written while the bucket kept no
/// versions is the version [`VersionId::Null`]; ids grow with time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionId {
    Null,
    Id(u128),
}

impl VersionId {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text {
            "null" => Ok(Self::Null),
            _ => parse_hex(text).map(Self::Id).ok_or(NameError::Version),
        }
    }
}

/// Names a multipart upload for as long as it is neither completed nor aborted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u128);

impl UploadId {
    pub fn parse(text: &str) -> Result<Self, NameError> {
        parse_hex(text).map(Self).ok_or(NameError::Upload)
    }
}

/// The number of a part of a multipart upload, from 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(NonZeroU16);

impl PartNumber {
    pub const MAX: u16 = 10_000;

    pub fn new(number: u16) -> Result<Self, NameError> {
        match NonZeroU16::new(number) {
            Some(number) if number.get() <= Self::MAX => Ok(Self(number)),
            _ => Err(NameError::Part),
        }
    }

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        Self::new(number.ok_or(NameError::Part)?)
    }

    pub fn get(self) -> u16 {
        self.0.get()
    }
}

/// Exactly 32 lower-case hexadecimal digits, so that every id has one spelling.
fn parse_hex(text: &str) -> Option<u128> {
    let digits = text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if digits {
        u128::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

macro_rules! shown {
    ($($name:ident => |$this:ident, $f:ident| $show:expr;)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $this = self;
                $show
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )*};
}

shown! {
    BucketName => |this, f| f.write_str(&this.0);
    ObjectKey => |this, f| f.write_str(&this.0);
    VersionId => |this, f| match this {
        VersionId::Null => f.write_str("null"),
        VersionId::Id(id) => write!(f, "{id:032x}"),
    };
    UploadId => |this, f| write!(f, "{:032x}", this.0);
    PartNumber => |this, f| write!(f, "{}", this.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_name_follows_the_naming_rules() {
        let long = "a".repeat(63);
        for name in ["abc", "a-b", "a.b", "0ab", "1.2.3", long.as_str()] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.0.1",
            "a b",
            "äbc",
            too_long.as_str(),
        ] {
            assert_eq!(BucketName::parse(name), Err(NameError::Bucket), "{name}");
        }
    }

    #[test]
    fn a_key_has_1_to_1024_bytes() {
        assert_eq!(ObjectKey::parse(""), Err(NameError::KeyEmpty));
        assert!(ObjectKey::parse(&"k".repeat(1024)).is_ok());
        assert_eq!(
            ObjectKey::parse(&"k".repeat(1025)),
            Err(NameError::KeyTooLong)
        );
    }

    #[test]
    fn a_part_number_is_between_1_and_10000() {
        for (text, valid) in [
            ("1", true),
            ("10000", true),
            ("0", false),
            ("10001", false),
            ("-1", false),
            ("+1", false),
            ("", false),
            ("99999", false),
        ] {
            assert_eq!(PartNumber::parse(text).is_ok(), valid, "{text}");
        }
    }

    #[test]
    fn a_version_id_has_one_spelling() {
        assert_eq!(VersionId::parse("null"), Ok(VersionId::Null));
        let id = VersionId::Id(0xab);
        assert_eq!(VersionId::parse(&id.to_string()), Ok(id));
        assert_eq!(
            VersionId::parse(&id.to_string().to_uppercase()),
            Err(NameError::Version)
        );
    }
}
