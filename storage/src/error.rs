//! What can go wrong in a store, in the store's own words.

use crate::name::PartNumber;
use crate::record::{Geometry, Marker};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the bucket does not exist")]
    BucketMissing,
    #[error("the bucket exists already and belongs to {owner}")]
    BucketExists { owner: String },
    #[error("the bucket still holds objects, versions or uploads")]
    BucketNotEmpty,
    #[error("there is no object under this key")]
    ObjectMissing,
    #[error("the object has no such version")]
    VersionMissing,
    /// What was asked for is there, and says that the object was deleted.
    #[error("the version {} is a delete marker", .0.version)]
    Marker(Marker),
    /// What was decided on is gone, and something else has its name.
    #[error("the object was replaced by another one meanwhile")]
    Conflict,
    #[error("the multipart upload does not exist")]
    UploadMissing,
    #[error("part {number} was not uploaded, or is not the one that was named")]
    PartMissing { number: PartNumber },
    #[error("the object is not in the state that the precondition asks for")]
    PreconditionFailed,
    /// The change is not acknowledged; after a restart it may have happened or not.
    #[error("only {have} of the {need} drives that must confirm a write did")]
    WriteQuorumLost { have: usize, need: usize },
    #[error("only {have} of the {need} shards that are needed can be read")]
    ReadQuorumLost { have: usize, need: usize },
    #[error("the drives are full")]
    Full,
    #[error("the bucket would hold more than the {limit} bytes that it may")]
    QuotaExceeded { limit: u64 },
    #[error(
        "{}+{} is not a geometry for {drives} drives: it needs at least one data drive, no more parity than data, and no more drives than there are", .geometry.data, .geometry.parity
    )]
    GeometryUnsupported { geometry: Geometry, drives: usize },
    #[error("stored data is damaged beyond repair: {0}")]
    Damaged(String),
    /// A record is larger than the store keeps: too many documents, too much metadata.
    #[error("the record is {size} bytes long, more than the {max} that are kept")]
    RecordTooLarge { size: usize, max: usize },
    /// Something in the store broke. A change that was under way may have
    /// happened or not.
    #[error("the store has failed and writes nothing more; read its log, then restart it")]
    Halted,
    #[error("the store is shutting down")]
    Closed,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
