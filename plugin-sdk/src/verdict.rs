//! What a plugin answers: votes, identities, refusals.

use crate::bindings::sluice::policy::types;
pub use types::{Account, Authentication, Denial, Principal, Vote};

macro_rules! codes {
    ($($name:ident $message:literal,)*) => {
        /// The error codes of S3 that plugins use. Others: [`Denial::custom`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $message] $name,)*
        }

        impl Code {
            /// The code as S3 writes it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What S3 says where nothing more is known.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }
        }
    };
}

codes! {
    AccessControlListNotSupported "The bucket does not allow ACLs",
    AccessDenied "Access Denied",
    AccessForbidden "CORSResponse: This CORS request is not allowed.",
    AuthorizationHeaderMalformed "The authorization header that you provided is not valid.",
    AuthorizationQueryParametersError "Error parsing the X-Amz-Credential parameter.",
    CredentialsNotSupported "This request does not support credentials.",
    ExpiredToken "The provided token has expired.",
    InvalidAccessKeyId "The AWS Access Key Id you provided does not exist in our records.",
    InvalidArgument "Invalid Argument",
    InvalidBucketAclWithObjectOwnership "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    InvalidBucketState "The request is not valid for the current state of the bucket.",
    InvalidDigest "The Content-MD5 or checksum value that you specified is not valid.",
    InvalidLocationConstraint "The specified location constraint is not valid.",
    InvalidRequest "Invalid Request",
    InvalidTag "The tag provided was not a valid tag.",
    InvalidToken "The provided token is malformed or otherwise invalid.",
    MalformedACLError "The XML you provided was not well-formed or did not validate against our published schema",
    MalformedXML "The XML you provided was not well-formed or did not validate against our published schema",
    MethodNotAllowed "The specified method is not allowed against this resource.",
    MissingSecurityHeader "Your request was missing a required header",
    NoSuchBucket "The specified bucket does not exist",
    NoSuchCORSConfiguration "The CORS configuration does not exist",
    NoSuchKey "The specified key does not exist.",
    NoSuchTagSet "The TagSet does not exist",
    NotImplemented "A header or query you provided requested a function that is not implemented.",
    OwnershipControlsNotFoundError "The bucket ownership controls were not found",
    RequestTimeTooSkewed "The difference between the request time and the current time is too large.",
    SignatureDoesNotMatch "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    SlowDown "Please reduce your request rate.",
    TooManyBuckets "You have attempted to create more buckets than allowed",
    UnresolvableGrantByEmailAddress "The email address you provided does not match any account on record.",
}

/// The beginning of a refusal: `deny(AccessDenied).because("..")`.
pub fn deny(code: Code) -> Denial {
    Denial::new(code)
}

impl Denial {
    /// A refusal in S3's own words.
    pub fn new(code: Code) -> Self {
        Self {
            code: code.name().to_owned(),
            message: code.message().to_owned(),
            status: None,
            members: Vec::new(),
        }
    }

    /// A code that S3 does not have.
    pub fn custom(code: &str, status: u16) -> Self {
        Self {
            code: code.to_owned(),
            message: code.to_owned(),
            status: Some(status),
            members: Vec::new(),
        }
    }

    /// Says why, in place of S3's own words. It comes last: what is made is
    /// whatever is asked for, a [`Vote`], an [`Authentication`], a `Result` or
    /// the denial itself. Without a reason, `.into()` does the same.
    pub fn because<T: From<Self>>(mut self, message: impl Into<String>) -> T {
        self.message = message.into();
        self.into()
    }

    /// Adds an element to the error document.
    pub fn with(mut self, member: &str, value: impl Into<String>) -> Self {
        self.members.push((member.to_owned(), value.into()));
        self
    }

    /// Names the argument at fault, as S3 does.
    pub fn argument(self, name: &str, value: &str) -> Self {
        self.with("ArgumentName", name).with("ArgumentValue", value)
    }
}

impl From<Denial> for Vote {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl From<Denial> for Authentication {
    fn from(denial: Denial) -> Self {
        Self::Deny(denial)
    }
}

impl<T> From<Denial> for Result<T, Denial> {
    fn from(denial: Denial) -> Self {
        Err(denial)
    }
}

impl Principal {
    /// The account, if it is one.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Account(account) => Some(account),
            Self::Anonymous => None,
        }
    }

    /// The canonical user id.
    pub fn id(&self) -> Option<&str> {
        self.account().map(|account| account.id.as_str())
    }
}

impl Account {
    /// Whether the account has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|have| have == role)
    }
}
