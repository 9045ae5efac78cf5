//! The errors of S3: their codes, their statuses, and the document that a client
//! reads.
//!
//! An [`Error`] is always complete: its message is never empty, and what it
//! carries can always be written as XML and as headers.

use std::borrow::Cow;
use std::fmt;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::xml::Document;

macro_rules! codes {
    ($($name:ident $status:literal $message:literal)*) => {
        /// An error code that S3 defines.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($name,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            pub fn status(self) -> StatusCode {
                let status = match self {
                    $(Self::$name => $status,)*
                };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// What the client is told where nothing more precise is known.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)*
                }
            }

            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    AccessControlListNotSupported 400 "The bucket does not allow ACLs"
    AccessDenied 403 "Access Denied"
    AccessForbidden 403 "CORSResponse: This CORS request is not allowed."
    AuthorizationHeaderMalformed 400 "The authorization header you provided is invalid."
    AuthorizationQueryParametersError 400 "The query string authorization parameters you provided are invalid."
    BadDigest 400 "The Content-MD5 or checksum value that you specified did not match what the server received."
    BucketAlreadyExists 409 "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again."
    BucketAlreadyOwnedByYou 409 "Your previous request to create the named bucket succeeded and you already own it."
    BucketNotEmpty 409 "The bucket you tried to delete is not empty."
    ConditionalRequestConflict 409 "A conflicting operation occurred during this request. Try again."
    CredentialsNotSupported 400 "This request does not support credentials."
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed object size."
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed size."
    ExpiredToken 400 "The provided token has expired."
    IllegalLocationConstraintException 400 "The specified location constraint is incompatible with the region-specific endpoint this request was sent to."
    IllegalVersioningConfigurationException 400 "The versioning configuration specified in the request is invalid."
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header."
    IncorrectNumberOfFilesInPostRequest 400 "POST requires exactly one file upload per request."
    InlineDataTooLarge 400 "Inline data exceeds the maximum allowed size."
    InternalError 500 "We encountered an internal error. Please try again."
    InvalidAccessKeyId 403 "The access key ID you provided does not exist in our records."
    InvalidArgument 400 "Invalid Argument"
    InvalidBucketAclWithObjectOwnership 400 "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
    InvalidBucketName 400 "The specified bucket is not valid."
    InvalidBucketState 409 "The request is not valid for the current state of the bucket."
    InvalidBucketOwnerAWSAccountID 400 "The value of the expected bucket owner parameter must be the id of an account."
    InvalidChunkSizeError 403 "The size of a chunk is not valid."
    InvalidDigest 400 "The Content-MD5 you specified is not valid."
    InvalidEncryptionAlgorithmError 400 "The encryption request you specified is not valid. The valid value is AES256."
    InvalidLocationConstraint 400 "The specified location constraint is not valid."
    InvalidObjectState 403 "The operation is not valid for the current state of the object."
    InvalidPart 400 "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag."
    InvalidPartNumber 416 "The requested partnumber is not satisfiable"
    InvalidPartOrder 400 "The list of parts was not in ascending order. The parts list must be specified in order by part number."
    InvalidPolicyDocument 400 "The content of the form does not meet the conditions specified in the policy document."
    InvalidRange 416 "The requested range is not satisfiable"
    InvalidRedirectLocation 400 "The website redirect location must have a prefix of 'http://' or 'https://' or '/'."
    InvalidRequest 400 "The request is not valid."
    InvalidSecurity 403 "The provided security credentials are not valid."
    InvalidStorageClass 400 "The storage class you specified is not valid."
    InvalidTag 400 "The tag provided was not a valid tag."
    InvalidToken 400 "The provided token is malformed or otherwise not valid."
    InvalidURI 400 "Couldn't parse the specified URI."
    KeyTooLong 400 "Your key is too long."
    KeyTooLongError 400 "Your key is too long"
    MalformedACLError 400 "The XML you provided was not well-formed or did not validate against our published schema."
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data."
    MalformedPolicy 400 "The policy is not in the valid JSON format."
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema."
    MalformedXML 400 "The XML you provided was not well-formed or did not validate against our published schema."
    MaxMessageLengthExceeded 400 "Your request was too big."
    MaxPostPreDataLengthExceededError 400 "Your POST request fields preceding the upload file were too large."
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size."
    MethodNotAllowed 405 "The specified method is not allowed against this resource."
    MissingAuthenticationToken 403 "The request was not signed."
    MissingContentLength 411 "You must provide the Content-Length HTTP header."
    MissingRequestBodyError 400 "Request body is empty."
    MissingSecurityHeader 400 "Your request was missing a required header."
    NoSuchBucket 404 "The specified bucket does not exist"
    NoSuchBucketPolicy 404 "The bucket policy does not exist"
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist"
    NoSuchKey 404 "The specified key does not exist."
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist"
    NoSuchObjectLockConfiguration 404 "The specified object does not have a ObjectLock configuration"
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found"
    NoSuchTagSet 404 "The TagSet does not exist"
    NoSuchTagSetError 404 "There is no tag set associated with the bucket."
    NoSuchUpload 404 "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
    NoSuchVersion 404 "The specified version does not exist."
    NoSuchWebsiteConfiguration 404 "The specified bucket does not have a website configuration"
    NotImplemented 501 "A header or a sub-resource you provided implies functionality that is not implemented"
    ObjectLockConfigurationNotFoundError 404 "Object Lock configuration does not exist for this bucket"
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Try again."
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found"
    PreconditionFailed 412 "At least one of the preconditions you specified did not hold"
    QuotaExceeded 403 "The quota of the bucket is exhausted."
    Redirect 307 "Temporary redirect."
    ReplicationConfigurationNotFoundError 404 "The replication configuration was not found"
    RequestExpired 403 "Request has expired"
    RequestHeaderSectionTooLarge 400 "Your request header section exceeds the maximum allowed size."
    RequestIsNotMultiPartContent 400 "Bucket POST must be of the enclosure-type multipart/form-data."
    RequestTimeTooSkewed 403 "The difference between the request time and the server's time is too large."
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period."
    ServerSideEncryptionConfigurationNotFoundError 404 "The server side encryption configuration was not found"
    ServiceUnavailable 503 "Service is unable to handle request."
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your secret access key and signing method."
    SlowDown 503 "Please reduce your request rate."
    TemporaryRedirect 307 "You are being redirected to the bucket while the DNS server is being updated."
    TooManyBuckets 400 "You have attempted to create more buckets than allowed."
    UnexpectedContent 400 "This request contains unsupported content."
    UnresolvableGrantByEmailAddress 400 "The email address you provided does not match any account on record."
    UserKeyMustBeSpecified 400 "The bucket POST must contain the specified field name. If it is specified, check the order of the fields."
    VaultQuotaExceeded 507 "The quota of the vault is exhausted."
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed."
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal, as the client will read it.
#[derive(Clone)]
pub struct Error(Box<Refusal>);

#[derive(Clone)]
struct Refusal {
    code: Cow<'static, str>,
    status: StatusCode,
    message: Cow<'static, str>,
    members: Vec<(Cow<'static, str>, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Error {
    pub fn new(code: Code) -> Self {
        Self(Box::new(Refusal {
            code: code.name().into(),
            status: code.status(),
            message: code.message().into(),
            members: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// An error whose code S3 does not define. A code that could not be read
    /// back becomes `AccessDenied`, and a status that is none of an error 403:
    /// a refusal that is badly written is still a refusal.
    pub fn custom(code: String, status: StatusCode, message: String) -> Self {
        let known = Code::parse(&code);
        let status = match known {
            Some(known) => known.status(),
            None if status.is_client_error() || status.is_server_error() => status,
            None => StatusCode::FORBIDDEN,
        };
        let base = Self::new(known.unwrap_or(Code::AccessDenied));
        let mut refusal = *base.0;
        refusal.status = status;
        if is_name(&code) {
            refusal.code = code.into();
        }
        Self(Box::new(refusal)).because(message)
    }

    /// Says more precisely what is wrong. An empty text changes nothing: some
    /// clients fail on an error without a message.
    pub fn because(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        if !message.trim().is_empty() {
            self.0.message = message;
        }
        self
    }

    /// Adds an element to the error document. What is not a name is left out.
    pub fn with(mut self, member: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let member = member.into();
        if is_name(&member) {
            self.0.members.push((member, value.into()));
        }
        self
    }

    /// Names the argument that is wrong, as S3 does with `InvalidArgument`.
    pub fn argument(self, name: &'static str, value: impl Into<String>) -> Self {
        self.with("ArgumentName", name).with("ArgumentValue", value)
    }

    /// Adds a header to the response.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub fn code_name(&self) -> &str {
        &self.0.code
    }

    /// The code, where it is one of S3's.
    pub fn code(&self) -> Option<Code> {
        Code::parse(&self.0.code)
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .members
            .iter()
            .map(|(name, value)| (&**name, value.as_str()))
    }

    pub fn headers(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.headers.iter().map(|(name, value)| (name, value))
    }

    pub fn to_xml(&self, resource: &str, request_id: &str) -> String {
        let mut document = Document::new();
        document.group("Error", |error| {
            error.text("Code", self.code_name());
            error.text("Message", self.message());
            for (name, value) in self.members() {
                error.text(name, value);
            }
            error.text("Resource", resource);
            error.text("RequestId", request_id);
        });
        document.finish()
    }
}

/// Whether an element can be called this.
fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(letter)
        && text
            .bytes()
            .all(|byte| letter(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code_name(), self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("code", &self.0.code)
            .field("status", &self.0.status)
            .field("message", &self.0.message)
            .field("members", &self.0.members)
            .field("headers", &self.0.headers)
            .finish()
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_name_a_message_and_a_status_of_its_own_table_row() {
        for &code in Code::ALL {
            assert_eq!(Code::parse(code.name()), Some(code));
            assert!(!code.message().is_empty(), "{code}");
            assert!(code.status().as_u16() >= 300, "{code}");
        }
        assert_eq!(Code::VaultQuotaExceeded.status().as_u16(), 507);
        assert_eq!(Code::parse("NoSuchThing"), None);
    }

    #[test]
    fn the_document_carries_the_members_between_message_and_resource() {
        let error = Error::new(Code::NoSuchKey)
            .because("no <key> & no \"luck\"")
            .with("Key", "a\u{1}b]]>")
            .with("not a name", "x")
            .with("1st", "x");
        assert_eq!(
            error.to_xml("/b/a?", "id"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
             <Message>no &lt;key&gt; &amp; no &quot;luck&quot;</Message><Key>a\u{fffd}b]]&gt;</Key>\
             <Resource>/b/a?</Resource><RequestId>id</RequestId></Error>"
        );
    }

    #[test]
    fn a_plugin_can_invent_a_code_but_not_a_broken_answer() {
        let check = |code: &str, status: u16, message: &str, expected: (&str, u16, &str)| {
            let status = StatusCode::from_u16(status).unwrap();
            let error = Error::custom(code.into(), status, message.into());
            let got = (error.code_name(), error.status().as_u16(), error.message());
            assert_eq!(got, expected);
        };
        check("MissingTag", 422, "tag it", ("MissingTag", 422, "tag it"));
        check("MissingTag", 200, "tag it", ("MissingTag", 403, "tag it"));
        check("NoSuchKey", 403, "gone", ("NoSuchKey", 404, "gone"));
        check("a b", 409, " ", ("AccessDenied", 409, "Access Denied"));
        check("", 500, "x", ("AccessDenied", 500, "x"));
        check("</Code>", 400, "x", ("AccessDenied", 400, "x"));
    }
}
