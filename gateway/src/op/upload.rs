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
            Some(kind) => ChecksumType::parse(kind)
                .ok_or_else(|| refused("Value for x-amz-checksum-type header is invalid."))?,
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

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> crate::error::Error {
    s3::Error::new(Code::InvalidRequest).because(message).into()
}
