//! What the operations on a multipart upload share.

use s3::checksum::{self, ChecksumType};
use s3::{Algorithm, Code, Head};
use storage::{Metadata, PartNumber, UploadedPart};

use super::answer::{CHECKSUM_ALGORITHM, CHECKSUM_TYPE};
use crate::error::Result;

/// The part that a request names. Without a number there is none to upload.
pub(super) fn part_number(head: &Head) -> Result<PartNumber> {
    let number = s3::listing::part_number(&head.query)?;
    Ok(number.ok_or_else(|| s3::Error::new(Code::InvalidArgument).argument("partNumber", ""))?)
}

/// How an object that comes in parts is checksummed. An upload remembers it in
/// its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UploadChecksum {
    pub(super) algorithm: Algorithm,
    pub(super) kind: ChecksumType,
}

impl UploadChecksum {
    /// What an upload gets that was begun without asking for any. Nobody is told
    /// of it before the object is made.
    const DEFAULT: Self = Self {
        algorithm: Algorithm::DEFAULT,
        kind: ChecksumType::FullObject,
    };

    /// What the client asks for, if it asks for any.
    pub(super) fn asked(head: &Head) -> Result<Option<Self>> {
        let (algorithm, kind) = (head.header(CHECKSUM_ALGORITHM), head.header(CHECKSUM_TYPE));
        let Some(name) = algorithm else {
            return match kind {
                None => Ok(None),
                Some(_) => Err(refused(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
                )),
            };
        };
        let Some(algorithm) = Algorithm::parse(name) else {
            return Err(refused(
                "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
                 [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
            ));
        };
        let kind = match kind {
            None => algorithm.default_type(),
            Some(kind) => parse_kind(kind)?,
        };
        if algorithm.supports(kind) {
            return Ok(Some(Self { algorithm, kind }));
        }
        let (kind, algorithm) = (kind.name(), algorithm.name());
        Err(refused(format!(
            "The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )))
    }

    pub(super) fn remember(self, metadata: &mut Metadata) {
        metadata.insert(
            CHECKSUM_ALGORITHM.to_owned(),
            self.algorithm.name().to_owned(),
        );
        metadata.insert(CHECKSUM_TYPE.to_owned(), self.kind.name().to_owned());
    }

    /// Takes what an upload remembers out of its metadata.
    pub(super) fn recall(metadata: &mut Metadata) -> Option<Self> {
        let (algorithm, kind) = (
            metadata.remove(CHECKSUM_ALGORITHM)?,
            metadata.remove(CHECKSUM_TYPE)?,
        );
        Some(Self {
            algorithm: Algorithm::parse(&algorithm)?,
            kind: ChecksumType::parse(&kind)?,
        })
    }

    /// How the object will be checksummed whose upload remembers this.
    pub(super) fn of(asked: Option<Self>) -> Self {
        asked.unwrap_or(Self::DEFAULT)
    }

    /// Holds what the client says of the checksum of the object against what it
    /// is, if any is known.
    pub(super) fn check(self, head: &Head, checksum: Option<&str>) -> Result<()> {
        let kind = head.header(CHECKSUM_TYPE).map(parse_kind).transpose()?;
        if kind.is_some_and(|kind| kind != self.kind) {
            return Err(refused(format!(
                "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                self.kind.name()
            )));
        }
        let Some((announced, claimed)) = checksum::announced(&head.headers)? else {
            return Ok(());
        };
        if announced != self.algorithm {
            return Err(checksum::mismatch(self.algorithm, announced).into());
        }
        // How many parts there are may be left out.
        let bare = checksum.and_then(|checksum| checksum.split('-').next());
        if checksum == Some(&claimed) || bare == Some(&claimed) {
            return Ok(());
        }
        Err(s3::Error::new(Code::BadDigest)
            .because(format!(
                "The {} you specified did not match the calculated checksum.",
                announced.name()
            ))
            .into())
    }

    /// The checksum of the object, from those of its parts. Every part has one;
    /// if any had none, the object would have none.
    pub(super) fn combine(self, parts: &[&UploadedPart]) -> Option<String> {
        let name = self.algorithm.header();
        let values: Option<Vec<_>> = parts
            .iter()
            .map(|part| {
                part.metadata
                    .get(name)
                    .map(|value| (value.as_str(), part.size))
            })
            .collect();
        match self.kind {
            ChecksumType::Composite => {
                checksum::composite(self.algorithm, values?.into_iter().map(|(value, _)| value))
            }
            ChecksumType::FullObject => checksum::full_object(self.algorithm, values?),
        }
    }
}

fn parse_kind(name: &str) -> Result<ChecksumType> {
    ChecksumType::parse(name)
        .ok_or_else(|| refused("Value for x-amz-checksum-type header is invalid."))
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> crate::error::Error {
    s3::Error::new(Code::InvalidRequest).because(message).into()
}
