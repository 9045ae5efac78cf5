//! The one place where failures of the store become errors of S3.

use http::StatusCode;
use s3::{Code, Head};
use storage::Error as StoreError;

/// What the client is told, and what the log is told besides.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) answer: s3::Error,
    pub(crate) cause: Option<StoreError>,
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl From<s3::Error> for Error {
    fn from(answer: s3::Error) -> Self {
        Self {
            answer,
            cause: None,
        }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        s3::Error::new(code).into()
    }
}

impl From<StoreError> for Error {
    fn from(cause: StoreError) -> Self {
        Self {
            answer: translate(&cause),
            cause: Some(cause),
        }
    }
}

impl Error {
    /// Adds what the request says of the thing that is missing or in the way,
    /// where the one who refused did not know it.
    pub(crate) fn about(self, head: &Head) -> Self {
        let bucket = || head.target.bucket().map(ToString::to_string);
        let key = || head.target.key().map(ToString::to_string);
        let upload = || head.query.get("uploadId").map(str::to_owned);
        let members = match self.answer.code() {
            Some(
                Code::NoSuchBucket
                | Code::BucketNotEmpty
                | Code::BucketAlreadyExists
                | Code::BucketAlreadyOwnedByYou
                | Code::QuotaExceeded,
            ) => vec![("BucketName", bucket())],
            Some(Code::NoSuchKey) => vec![("Key", key())],
            Some(Code::NoSuchVersion) => vec![
                ("Key", key()),
                ("VersionId", head.version.map(|version| version.to_string())),
            ],
            Some(Code::NoSuchUpload | Code::InvalidPart | Code::InvalidPartOrder) => {
                vec![("UploadId", upload())]
            }
            Some(Code::PreconditionFailed) => vec![("Condition", write_condition(head))],
            Some(Code::ConditionalRequestConflict) => {
                vec![("Condition", write_condition(head)), ("Key", key())]
            }
            _ => Vec::new(),
        };
        let mut answer = self.answer;
        for (member, value) in members {
            let known = answer.members().any(|(name, _)| name == member);
            if let (false, Some(value)) = (known, value) {
                answer = answer.with(member, value);
            }
        }
        Self {
            answer,
            cause: self.cause,
        }
    }
}

/// The condition that a write was made under.
fn write_condition(head: &Head) -> Option<String> {
    let conditions = [("if-match", "If-Match"), ("if-none-match", "If-None-Match")];
    let named = conditions
        .iter()
        .find(|(header, _)| head.headers.contains_key(*header))?;
    Some(named.1.to_owned())
}

fn translate(cause: &StoreError) -> s3::Error {
    match cause {
        StoreError::BucketMissing => Code::NoSuchBucket.into(),
        StoreError::BucketExists { .. } => Code::BucketAlreadyExists.into(),
        StoreError::BucketNotEmpty => Code::BucketNotEmpty.into(),
        StoreError::ObjectMissing => Code::NoSuchKey.into(),
        StoreError::VersionMissing => Code::NoSuchVersion.into(),
        StoreError::Marker(_) => Code::NoSuchKey.into(),
        StoreError::UploadMissing => Code::NoSuchUpload.into(),
        StoreError::PartMissing { number } => s3::Error::new(Code::InvalidPart).with("PartNumber", number.to_string()),
        StoreError::Conflict => Code::ConditionalRequestConflict.into(),
        StoreError::PreconditionFailed => Code::PreconditionFailed.into(),
        StoreError::WriteQuorumLost { .. } => s3::Error::new(Code::ServiceUnavailable)
            .because("Too few drives can be written. The change was not acknowledged; check the drives and try again."),
        StoreError::ReadQuorumLost { .. } => s3::Error::new(Code::ServiceUnavailable)
            .because("Too few drives can be read at the moment. The data is not lost; check the drives and try again."),
        StoreError::Full => s3::Error::custom(
            "InsufficientStorage".to_owned(),
            StatusCode::INSUFFICIENT_STORAGE,
            "The drives are full. Nothing was stored.".to_owned(),
        ),
        StoreError::QuotaExceeded { limit } => s3::Error::new(Code::QuotaExceeded)
            .because(format!("The bucket may hold {limit} bytes, its versions and unfinished uploads included. Nothing was stored; delete some of them first.")),
        StoreError::GeometryUnsupported { geometry, drives } => s3::Error::new(Code::InvalidBucketState)
            .because(format!("The bucket would be spread as {}+{}, which the {drives} drives of this store cannot hold. Choose another template, or have its geometry corrected.", geometry.data, geometry.parity)),
        StoreError::RecordTooLarge { .. } => s3::Error::new(Code::MetadataTooLarge),
        StoreError::Halted => s3::Error::new(Code::ServiceUnavailable)
            .because("The store has failed and writes nothing more until it is restarted. The change was not acknowledged."),
        StoreError::Closed => s3::Error::new(Code::ServiceUnavailable).because("The gateway is shutting down. Please try again."),
        StoreError::Damaged(_) | StoreError::Io(_) => Code::InternalError.into(),
    }
}
