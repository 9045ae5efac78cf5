//! What the fields of a form say, in the words of other writes.

use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, EXPIRES,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use storage::{NameError, ObjectKey, Timestamp};

use super::policy::Policy;
use super::success::Success;
use super::{FIELDS_LEN_MAX, fields_too_long, malformed};
use crate::error::{Code, Error};
use crate::head::Head;
use crate::target::Target;
use crate::xml;

/// The fields of a form before its file, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// Names in lower case, each once.
    fields: Vec<(String, String)>,
    policy: Option<Policy>,
}

/// Stands for the name of the file, in the value of any field.
const FILENAME: &str = "${filename}";

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The fields that are headers of the object. Where the request has a header of
/// such a name, it speaks of the form.
const OF_THE_OBJECT: [HeaderName; 7] = [
    CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    EXPIRES,
    CONTENT_MD5,
];

/// The header of S3 that a request with a form has, as any other. It asks for less
/// than the policy allows: what would cost who signed that more, nobody signed.
const OF_THE_REQUEST: &str = "x-amz-expected-bucket-owner";

/// Fields of S3 that are no headers: they are about the signature, or about how
/// a body is sent that is not a form.
const NO_HEADERS: [&str; 8] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-trailer",
];

/// What somebody signs with. Each needs a policy, which is what is signed.
const SIGNING: [&str; 5] = [
    "awsaccesskeyid",
    "signature",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-signature",
];

impl Form {
    /// `filename` is that of the file, as it was sent.
    pub fn new(fields: Vec<(String, String)>, filename: &str) -> Result<Self, Error> {
        let filename = filename.rsplit(['/', '\\']).next().unwrap_or_default();
        check_named(&fields, filename)?;
        let mut form = Self {
            fields: Vec::new(),
            policy: None,
        };
        for (name, value) in fields {
            let name = name.to_ascii_lowercase();
            if form.field(&name).is_some() {
                return Err(Error::new(Code::InvalidArgument)
                    .because(format!("The form has the field '{name}' more than once."))
                    .argument("name", name));
            }
            form.fields.push((name, value.replace(FILENAME, filename)));
        }
        form.policy = form.field("policy").map(Policy::parse).transpose()?;
        form.check_signed()?;
        Ok(form)
    }

    /// A policy that nobody signed is none, and there is nothing else to sign.
    fn check_signed(&self) -> Result<(), Error> {
        let has = |name: &str| self.field(name).is_some();
        if self.policy.is_none() {
            if SIGNING.into_iter().any(has) {
                return Err(missing("policy"));
            }
        } else if !has("signature") && !has("x-amz-signature") {
            let is_v4 = has("x-amz-credential") || has("x-amz-algorithm");
            return Err(missing(if is_v4 {
                "x-amz-signature"
            } else {
                "signature"
            }));
        }
        Ok(())
    }

    /// The value of a field, by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The fields in the order in which they came, their names in lower case.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the policy, where there is one, allows this form at this time.
    pub fn check(&self, target: &Target, now: Timestamp) -> Result<(), Error> {
        match (&self.policy, target.bucket()) {
            (None, _) => Ok(()),
            (Some(policy), Some(bucket)) => policy.check(bucket, &self.fields, now),
            (Some(_), None) => Err(Code::InvalidBucketName.into()),
        }
    }

    /// What is to be answered.
    pub fn success(&self) -> Success {
        let redirect = self.field("success_action_redirect");
        Success::of(
            redirect.or_else(|| self.field("redirect")),
            self.field("success_action_status"),
        )
    }

    /// How long the file must be, and how long it may be.
    pub(crate) fn length_range(&self) -> (u64, u64) {
        self.policy.as_ref().map_or((0, u64::MAX), |policy| {
            (policy.length_min, policy.length_max)
        })
    }

    fn key(&self) -> Result<ObjectKey, Error> {
        let Some(key) = self.field("key") else {
            return Err(Error::new(Code::UserKeyMustBeSpecified)
                .because(missing_message("key"))
                .argument("key", ""));
        };
        let invalid = |message: &'static str| {
            Error::new(Code::InvalidArgument)
                .because(message)
                .argument("key", key)
        };
        match ObjectKey::parse(key) {
            Ok(_) if key.contains('\0') => {
                Err(invalid("The key contains a character that no key can."))
            }
            Ok(key) => Ok(key),
            Err(NameError::KeyEmpty) => Err(invalid("User key must have a length greater than 0.")),
            Err(_) => Err(Error::new(Code::KeyTooLongError)
                .with("Size", key.len().to_string())
                .with("MaxSizeAllowed", ObjectKey::LEN_MAX.to_string())),
        }
    }

    /// The headers that the fields stand for.
    fn headers(&self) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        for (field, value) in self.fields() {
            let (name, value) = match field {
                "acl" => ("x-amz-acl", value.to_owned()),
                "tagging" => ("x-amz-tagging", tags(value)?),
                _ => (field, value.to_owned()),
            };
            let is_header = OF_THE_OBJECT.iter().any(|known| known == name)
                || name.starts_with("x-amz-") && !NO_HEADERS.contains(&name);
            if !is_header {
                continue;
            }
            let refuse = |message: &'static str| {
                let error = Error::new(Code::InvalidArgument).because(message);
                error.argument("name", field)
            };
            let value = HeaderValue::from_bytes(value.trim().as_bytes()).ok();
            let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) else {
                return Err(refuse("The field stands for a header and cannot be one."));
            };
            if name == CONTENT_SHA256 && value.as_bytes().starts_with(b"STREAMING") {
                return Err(refuse("The file of a form is not sent in chunks."));
            }
            if headers.insert(name, value).is_some() {
                return Err(refuse("Two fields stand for the same header."));
            }
        }
        Ok(headers)
    }
}

impl Head {
    /// The head of the write that a form is, for the head of the request that
    /// brought it.
    pub fn with_form(self, form: Form) -> Result<Self, Error> {
        let bucket = self.target.bucket().cloned();
        let target = Target::Object(bucket.ok_or(Code::InvalidBucketName)?, form.key()?);
        let said = form.headers()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let is_of_s3 = name.as_str().starts_with("x-amz-");
            let is_kept = !OF_THE_OBJECT.contains(name)
                && (!is_of_s3 || name == OF_THE_REQUEST)
                && !said.contains_key(name);
            if is_kept {
                headers.append(name, value.clone());
            }
        }
        headers.extend(said.clone());
        Ok(Self {
            headers,
            hoisted: said,
            target,
            form: Some(form),
            ..self
        })
    }
}

/// With the name of the file in their places the fields may be no longer than
/// they could have been sent.
fn check_named(fields: &[(String, String)], filename: &str) -> Result<(), Error> {
    let len = |(name, value): &(String, String)| {
        let places = value.matches(FILENAME).count();
        let rest = value.len() - places * FILENAME.len();
        name.len() + rest + places.saturating_mul(filename.len())
    };
    let lens = fields.iter().map(len);
    let total = lens.fold(0, usize::saturating_add);
    if u64::try_from(total).is_ok_and(|total| total <= FIELDS_LEN_MAX) {
        return Ok(());
    }
    Err(fields_too_long())
}

/// Refuses headers that would say something of the object: neither would a
/// policy know of them, nor is it certain that who sends them means the object
/// and not the form.
pub(super) fn check_headers(head: &Head) -> Result<(), Error> {
    const SAID_BY_FIELDS: [&str; 12] = [
        "x-amz-acl",
        "x-amz-checksum-",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
        "x-amz-grant-",
        "x-amz-meta-",
        "x-amz-object-lock-",
        "x-amz-server-side-encryption",
        "x-amz-storage-class",
        "x-amz-tagging",
        "x-amz-trailer",
        "x-amz-website-redirect-location",
    ];
    for (name, value) in &head.headers {
        let is_digest = *name == CONTENT_MD5;
        let is_unsigned = *name == CONTENT_SHA256 && value == UNSIGNED;
        let mut beginnings = SAID_BY_FIELDS.iter();
        let is_said = beginnings.any(|beginning| name.as_str().starts_with(beginning));
        if is_digest || is_said && !is_unsigned {
            return Err(Error::new(Code::InvalidRequest)
                .because("A form says this in one of its fields, not in a header.")
                .with("Header", name.as_str()));
        }
    }
    Ok(())
}

/// Values are text, and so are names.
pub(super) fn texts(fields: Vec<(String, Vec<u8>)>) -> Result<Vec<(String, String)>, Error> {
    let text = |(name, value)| match String::from_utf8(value) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(malformed("A field is not UTF-8.")),
    };
    fields.into_iter().map(text).collect()
}

/// The tags of a field, which is XML, as a header has them.
fn tags(field: &str) -> Result<String, Error> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let tags = xml::parse_tagging(field.as_bytes())?;
    let tags = tags
        .iter()
        .map(|(key, value)| format!("{}={}", encoded(key), encoded(value)));
    Ok(tags.collect::<Vec<_>>().join("&"))
}

fn missing(field: &'static str) -> Error {
    Error::new(Code::InvalidArgument)
        .because(missing_message(field))
        .argument(field, "")
}

fn missing_message(field: &str) -> String {
    format!(
        "Bucket POST must contain a field named '{field}'.  If it is specified, please check the order of the fields."
    )
}
