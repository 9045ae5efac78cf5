//! The durable changes, and how they are spelled. What one record says is
//! complete: the index can be rebuilt from the records alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use storage::{
    Bucket, BucketName, Documents, Geometry, Locator, Marker, Metadata, Object, ObjectKey, Part,
    PartNumber, Placement, Timestamp, Upload, UploadId, UploadedPart, Usage, VersionId, Versioning,
};

use crate::geometry::{DriveMask, Spread};
use crate::layout::{Extent, Location, Piece, PiecePlace};
use crate::wire::{Malformed, Reader, Writer};

#[derive(Debug, Clone)]
pub(crate) enum Record {
    /// A run of the engine begins. Earlier records at or after `end` were never
    /// acknowledged and are void.
    Epoch {
        end: u64,
    },
    Bucket(Bucket),
    BucketGone(BucketName),
    /// Takes the place of the version that has its name, if there is one.
    Version {
        bucket: BucketName,
        version: Version,
        /// The upload that ends with it.
        upload: Option<UploadId>,
    },
    VersionGone {
        bucket: BucketName,
        key: ObjectKey,
        version: VersionId,
        /// It was a delete marker.
        marker: bool,
    },
    Upload {
        bucket: BucketName,
        upload: Upload,
    },
    UploadGone {
        bucket: BucketName,
        key: ObjectKey,
        id: UploadId,
    },
    Part {
        bucket: BucketName,
        key: ObjectKey,
        id: UploadId,
        part: StoredPart,
    },
}

/// A delete marker, with its place among the versions of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredMarker {
    pub(crate) marker: Marker,
    /// Of two versions of one key the later one has the greater id.
    pub(crate) id: u128,
}

/// A version of a key.
#[derive(Debug, Clone)]
pub(crate) enum Version {
    Object(Object),
    Marker(StoredMarker),
}

impl Version {
    pub(crate) fn id(&self) -> u128 {
        match self {
            Self::Object(object) => object.id,
            Self::Marker(stored) => stored.id,
        }
    }

    pub(crate) fn key(&self) -> &ObjectKey {
        match self {
            Self::Object(object) => &object.key,
            Self::Marker(stored) => &stored.marker.key,
        }
    }

    pub(crate) fn name(&self) -> VersionId {
        match self {
            Self::Object(object) => object.version,
            Self::Marker(stored) => stored.marker.version,
        }
    }

    pub(crate) fn location(&self) -> Option<&Arc<Location>> {
        match self {
            Self::Object(object) => location_of(object),
            Self::Marker(_) => None,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Object(object) => Usage {
                bytes: object.size,
                objects: 1,
            },
            Self::Marker(_) => Usage::default(),
        }
    }
}

/// A part of an upload, with the place of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct StoredPart {
    pub(crate) part: UploadedPart,
    pub(crate) location: Arc<Location>,
}

impl StoredPart {
    /// What is stored, not what was said of it.
    pub(crate) fn usage(&self) -> Usage {
        Usage {
            bytes: self.location.length(),
            objects: 0,
        }
    }
}

impl Record {
    /// Where the bytes are that the record speaks of.
    pub(crate) fn location(&self) -> Option<&Arc<Location>> {
        match self {
            Self::Version { version, .. } => version.location(),
            Self::Part { part, .. } => Some(&part.location),
            Self::Epoch { .. }
            | Self::Bucket(_)
            | Self::BucketGone(_)
            | Self::VersionGone { .. }
            | Self::Upload { .. }
            | Self::UploadGone { .. } => None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Epoch { end } => {
                out.u8(0);
                out.u64(*end);
            }
            Self::Bucket(bucket) => {
                out.u8(1);
                put_bucket(&mut out, bucket);
            }
            Self::BucketGone(name) => {
                out.u8(2);
                out.text(name.as_str());
            }
            Self::Version {
                bucket,
                version,
                upload,
            } => {
                out.u8(3);
                out.text(bucket.as_str());
                out.u8(u8::from(upload.is_some()));
                out.u128(upload.map_or(0, |id| id.0));
                put_version(&mut out, version);
            }
            Self::VersionGone {
                bucket,
                key,
                version,
                marker,
            } => {
                out.u8(4);
                out.text(bucket.as_str());
                out.text(key.as_str());
                put_version_id(&mut out, *version);
                out.u8(u8::from(*marker));
            }
            Self::Upload { bucket, upload } => {
                out.u8(5);
                out.text(bucket.as_str());
                put_upload(&mut out, upload);
            }
            Self::UploadGone { bucket, key, id } => {
                out.u8(6);
                out.text(bucket.as_str());
                out.text(key.as_str());
                out.u128(id.0);
            }
            Self::Part {
                bucket,
                key,
                id,
                part,
            } => {
                out.u8(7);
                out.text(bucket.as_str());
                out.text(key.as_str());
                out.u128(id.0);
                put_part(&mut out, part);
            }
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(bytes);
        let record = match input.u8()? {
            0 => Self::Epoch { end: input.u64()? },
            1 => Self::Bucket(bucket(&mut input)?),
            2 => Self::BucketGone(bucket_name(&mut input)?),
            3 => {
                let bucket = bucket_name(&mut input)?;
                let completes = input.u8()? == 1;
                let id = UploadId(input.u128()?);
                Self::Version {
                    bucket,
                    upload: completes.then_some(id),
                    version: version(&mut input)?,
                }
            }
            4 => Self::VersionGone {
                bucket: bucket_name(&mut input)?,
                key: key(&mut input)?,
                version: version_id(&mut input)?,
                marker: input.u8()? == 1,
            },
            5 => Self::Upload {
                bucket: bucket_name(&mut input)?,
                upload: upload(&mut input)?,
            },
            6 => Self::UploadGone {
                bucket: bucket_name(&mut input)?,
                key: key(&mut input)?,
                id: UploadId(input.u128()?),
            },
            7 => Self::Part {
                bucket: bucket_name(&mut input)?,
                key: key(&mut input)?,
                id: UploadId(input.u128()?),
                part: part(&mut input)?,
            },
            _ => return Err(Malformed),
        };
        input.finish()?;
        Ok(record)
    }
}

pub(crate) fn location_of(object: &Object) -> Option<&Arc<Location>> {
    object.location.get()
}

macro_rules! whole {
    ($($encode:ident, $decode:ident: $type:ty = $put:ident, $take:ident;)*) => {$(
        pub(crate) fn $encode(value: &$type) -> Vec<u8> {
            let mut out = Writer::default();
            $put(&mut out, value);
            out.0
        }

        pub(crate) fn $decode(bytes: &[u8]) -> Result<$type, Malformed> {
            let mut input = Reader::new(bytes);
            let value = $take(&mut input)?;
            input.finish()?;
            Ok(value)
        }
    )*};
}

// What the index keeps is spelled like the record that it comes from.
whole! {
    encode_bucket, decode_bucket: Bucket = put_bucket, bucket;
    encode_version, decode_version: Version = put_version, version;
    encode_past, decode_past: Version = put_past, past;
    encode_tally, decode_tally: Tally = put_tally, tally;
    encode_links, decode_links: Links = put_links, links;
    encode_place, decode_place: u128 = put_place, place;
    encode_version_name, decode_version_name: VersionId = put_version_name, version_id;
    encode_upload_id, decode_upload_id: UploadId = put_upload_id, upload_id;
    encode_intent, decode_intent: DriveMask = put_intent, intent;
    encode_summary, decode_summary: Object = put_summary, summary;
    encode_upload, decode_upload: Upload = put_upload, upload;
    encode_part, decode_part: StoredPart = put_part, part;
}

fn put_bucket(out: &mut Writer, bucket: &Bucket) {
    out.text(bucket.name.as_str());
    out.u128(bucket.id);
    out.text(&bucket.owner);
    out.u64(bucket.created.0);
    out.u8(match bucket.versioning {
        Versioning::Never => 0,
        Versioning::Enabled => 1,
        Versioning::Suspended => 2,
    });
    put_placement(out, &bucket.placement);
    put_documents(out, &bucket.documents);
}

fn bucket(input: &mut Reader<'_>) -> Result<Bucket, Malformed> {
    Ok(Bucket {
        name: bucket_name(input)?,
        id: input.u128()?,
        owner: input.text()?.to_owned(),
        created: Timestamp(input.u64()?),
        versioning: match input.u8()? {
            0 => Versioning::Never,
            1 => Versioning::Enabled,
            2 => Versioning::Suspended,
            _ => return Err(Malformed),
        },
        placement: placement(input)?,
        documents: documents(input)?,
    })
}

fn put_placement(out: &mut Writer, placement: &Placement) {
    for text in [&placement.template, &placement.location] {
        out.u8(u8::from(text.is_some()));
        out.text(text.as_deref().unwrap_or_default());
    }
    out.u8(placement.geometry.data);
    out.u8(placement.geometry.parity);
    out.u8(u8::from(placement.quota.is_some()));
    out.u64(placement.quota.unwrap_or_default());
}

fn placement(input: &mut Reader<'_>) -> Result<Placement, Malformed> {
    let mut text = || {
        let there = input.u8()? == 1;
        let text = input.text()?;
        Ok::<_, Malformed>(there.then(|| text.to_owned()))
    };
    let (template, location) = (text()?, text()?);
    let geometry = Geometry {
        data: input.u8()?,
        parity: input.u8()?,
    };
    let limited = input.u8()? == 1;
    let quota = input.u64()?;
    Ok(Placement {
        template,
        location,
        geometry,
        quota: limited.then_some(quota),
    })
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) usage: Usage,
    /// Versions, delete markers and uploads: without any, it is empty.
    pub(crate) entries: u64,
}

fn put_tally(out: &mut Writer, tally: &Tally) {
    out.u64(tally.usage.bytes);
    out.u64(tally.usage.objects);
    out.u64(tally.entries);
}

fn tally(input: &mut Reader<'_>) -> Result<Tally, Malformed> {
    Ok(Tally {
        usage: Usage {
            bytes: input.u64()?,
            objects: input.u64()?,
        },
        entries: input.u64()?,
    })
}

/// The versions of a key next to one of them, by their places in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Links {
    pub(crate) newer: Option<u128>,
    pub(crate) older: Option<u128>,
}

fn put_links(out: &mut Writer, links: &Links) {
    for link in [links.newer, links.older] {
        out.u8(u8::from(link.is_some()));
        out.u128(link.unwrap_or_default());
    }
}

fn links(input: &mut Reader<'_>) -> Result<Links, Malformed> {
    let mut link = || {
        let there = input.u8()? == 1;
        let id = input.u128()?;
        Ok::<_, Malformed>(there.then_some(id))
    };
    Ok(Links {
        newer: link()?,
        older: link()?,
    })
}

fn put_place(out: &mut Writer, place: &u128) {
    out.u128(*place);
}

fn place(input: &mut Reader<'_>) -> Result<u128, Malformed> {
    input.u128()
}

fn put_version_name(out: &mut Writer, name: &VersionId) {
    put_version_id(out, *name);
}

fn put_upload_id(out: &mut Writer, id: &UploadId) {
    out.u128(id.0);
}

fn upload_id(input: &mut Reader<'_>) -> Result<UploadId, Malformed> {
    Ok(UploadId(input.u128()?))
}

fn put_intent(out: &mut Writer, drives: &DriveMask) {
    out.u32(drives.0);
}

fn intent(input: &mut Reader<'_>) -> Result<DriveMask, Malformed> {
    Ok(DriveMask(input.u32()?))
}

const OBJECT: u8 = 0;
const MARKER: u8 = 1;

fn put_version(out: &mut Writer, version: &Version) {
    match version {
        Version::Object(object) => {
            out.u8(OBJECT);
            put_object(out, object);
        }
        Version::Marker(marker) => {
            out.u8(MARKER);
            put_marker(out, marker);
        }
    }
}

fn version(input: &mut Reader<'_>) -> Result<Version, Malformed> {
    Ok(match input.u8()? {
        OBJECT => Version::Object(object(input)?),
        MARKER => Version::Marker(marker(input)?),
        _ => return Err(Malformed),
    })
}

/// What a listing shows of a version.
fn put_past(out: &mut Writer, version: &Version) {
    match version {
        Version::Object(object) => {
            out.u8(OBJECT);
            put_summary(out, object);
        }
        Version::Marker(marker) => {
            out.u8(MARKER);
            put_marker(out, marker);
        }
    }
}

fn past(input: &mut Reader<'_>) -> Result<Version, Malformed> {
    Ok(match input.u8()? {
        OBJECT => Version::Object(summary(input)?),
        MARKER => Version::Marker(marker(input)?),
        _ => return Err(Malformed),
    })
}

/// A summary as a past version is spelled.
pub(crate) fn past_of_summary(summary: &[u8]) -> Vec<u8> {
    let mut past = Vec::with_capacity(1 + summary.len());
    past.push(OBJECT);
    past.extend_from_slice(summary);
    past
}

/// The summary in the spelling of a past version, if that is an object.
pub(crate) fn summary_of_past(past: &[u8]) -> Option<&[u8]> {
    past.strip_prefix(&[OBJECT])
}

/// The name at the beginning of a summary.
pub(crate) fn name_of_summary(summary: &[u8]) -> Result<VersionId, Malformed> {
    let mut input = Reader::new(summary);
    key(&mut input)?;
    version_id(&mut input)
}

/// The id that follows it.
pub(crate) fn id_of_summary(summary: &[u8]) -> Result<u128, Malformed> {
    let mut input = Reader::new(summary);
    key(&mut input)?;
    version_id(&mut input)?;
    input.u128()
}

fn put_marker(out: &mut Writer, stored: &StoredMarker) {
    let StoredMarker { marker, id } = stored;
    out.text(marker.key.as_str());
    put_version_id(out, marker.version);
    out.u128(*id);
    out.text(&marker.owner);
    out.u64(marker.modified.0);
}

fn marker(input: &mut Reader<'_>) -> Result<StoredMarker, Malformed> {
    let (key, version) = (key(input)?, version_id(input)?);
    let id = input.u128()?;
    let marker = Marker {
        key,
        version,
        owner: input.text()?.to_owned(),
        modified: Timestamp(input.u64()?),
    };
    Ok(StoredMarker { marker, id })
}

/// What a listing shows of an object: all but its parts and its place, which
/// are what makes records large.
fn put_summary(out: &mut Writer, object: &Object) {
    out.text(object.key.as_str());
    put_version_id(out, object.version);
    out.u128(object.id);
    out.text(&object.owner);
    out.u64(object.size);
    out.text(&object.etag);
    out.u64(object.modified.0);
    put_metadata(out, &object.metadata);
    put_documents(out, &object.documents);
}

fn summary(input: &mut Reader<'_>) -> Result<Object, Malformed> {
    Ok(Object {
        key: key(input)?,
        version: version_id(input)?,
        id: input.u128()?,
        owner: input.text()?.to_owned(),
        size: input.u64()?,
        etag: input.text()?.to_owned(),
        modified: Timestamp(input.u64()?),
        metadata: metadata(input)?,
        documents: documents(input)?,
        parts: Vec::new(),
        location: Locator::new(Summary),
    })
}

/// The locator of an object from a listing, whose bytes cannot be read by it.
#[derive(Debug)]
pub(crate) struct Summary;

fn put_object(out: &mut Writer, object: &Object) {
    put_summary(out, object);
    out.count(object.parts.len());
    for part in &object.parts {
        out.u16(part.number.get());
        out.u64(part.size);
        put_metadata(out, &part.metadata);
    }
    let location = location_of(object).expect("the object is of this store");
    put_location(out, location);
}

fn object(input: &mut Reader<'_>) -> Result<Object, Malformed> {
    let mut object = summary(input)?;
    let parts = input.count()?;
    object.parts = (0..parts)
        .map(|_| {
            Ok(Part {
                number: part_number(input)?,
                size: input.u64()?,
                metadata: metadata(input)?,
            })
        })
        .collect::<Result<_, Malformed>>()?;
    object.location = Locator::new(Arc::new(location(input)?));
    Ok(object)
}

fn put_upload(out: &mut Writer, upload: &Upload) {
    out.u128(upload.id.0);
    out.text(upload.key.as_str());
    out.text(&upload.owner);
    out.text(&upload.initiator);
    out.u64(upload.initiated.0);
    put_metadata(out, &upload.metadata);
    put_documents(out, &upload.documents);
}

fn upload(input: &mut Reader<'_>) -> Result<Upload, Malformed> {
    Ok(Upload {
        id: UploadId(input.u128()?),
        key: key(input)?,
        owner: input.text()?.to_owned(),
        initiator: input.text()?.to_owned(),
        initiated: Timestamp(input.u64()?),
        metadata: metadata(input)?,
        documents: documents(input)?,
    })
}

fn put_part(out: &mut Writer, stored: &StoredPart) {
    let part = &stored.part;
    out.u16(part.number.get());
    out.u64(part.size);
    out.text(&part.etag);
    out.u64(part.modified.0);
    put_metadata(out, &part.metadata);
    put_location(out, &stored.location);
}

fn part(input: &mut Reader<'_>) -> Result<StoredPart, Malformed> {
    let part = UploadedPart {
        number: part_number(input)?,
        size: input.u64()?,
        etag: input.text()?.to_owned(),
        modified: Timestamp(input.u64()?),
        metadata: metadata(input)?,
    };
    let location = Arc::new(location(input)?);
    Ok(StoredPart { part, location })
}

pub(crate) fn put_location(out: &mut Writer, location: &Location) {
    out.u16(location.set);
    let geometry = location.spread.geometry();
    out.u8(geometry.data);
    out.u8(geometry.parity);
    out.u8(u8::try_from(location.spread.drives()).expect("a set has at most 32 drives"));
    out.count(location.pieces.len());
    for piece in &location.pieces {
        out.u128(piece.blob);
        out.u64(piece.size);
        out.u32(piece.absent.0);
        match &piece.place {
            PiecePlace::Copies { position, holders } => {
                out.u8(0);
                out.u64(*position);
                out.u32(holders.0);
            }
            PiecePlace::Shards { position } => {
                out.u8(1);
                out.u64(*position);
            }
            PiecePlace::Stripes { cell, extents } => {
                out.u8(2);
                out.u32(*cell);
                out.count(extents.len());
                for extent in extents {
                    out.u32(extent.segment);
                    out.u64(extent.offset);
                    out.u64(extent.length);
                    out.u32(extent.stripes);
                }
            }
        }
    }
}

pub(crate) fn location(input: &mut Reader<'_>) -> Result<Location, Malformed> {
    let set = input.u16()?;
    let geometry = Geometry {
        data: input.u8()?,
        parity: input.u8()?,
    };
    let drives = usize::from(input.u8()?);
    let spread = Spread::within(geometry, drives).ok_or(Malformed)?;
    let pieces = input.count()?;
    let pieces = (0..pieces)
        .map(|_| {
            Ok(Piece {
                blob: input.u128()?,
                size: input.u64()?,
                absent: DriveMask(input.u32()?),
                place: piece_place(input)?,
            })
        })
        .collect::<Result<_, Malformed>>()?;
    Ok(Location {
        set,
        spread,
        pieces,
    })
}

fn piece_place(input: &mut Reader<'_>) -> Result<PiecePlace, Malformed> {
    Ok(match input.u8()? {
        0 => PiecePlace::Copies {
            position: input.u64()?,
            holders: DriveMask(input.u32()?),
        },
        1 => PiecePlace::Shards {
            position: input.u64()?,
        },
        2 => {
            let cell = input.u32()?;
            let extents = input.count()?;
            let extents = (0..extents)
                .map(|_| {
                    Ok(Extent {
                        segment: input.u32()?,
                        offset: input.u64()?,
                        length: input.u64()?,
                        stripes: input.u32()?,
                    })
                })
                .collect::<Result<_, Malformed>>()?;
            PiecePlace::Stripes { cell, extents }
        }
        _ => return Err(Malformed),
    })
}

fn put_metadata(out: &mut Writer, metadata: &Metadata) {
    out.count(metadata.len());
    for (name, value) in metadata {
        out.text(name);
        out.text(value);
    }
}

fn metadata(input: &mut Reader<'_>) -> Result<Metadata, Malformed> {
    let mut metadata = BTreeMap::new();
    for _ in 0..input.count()? {
        let name = input.text()?.to_owned();
        metadata.insert(name, input.text()?.to_owned());
    }
    Ok(metadata)
}

fn put_documents(out: &mut Writer, documents: &Documents) {
    out.count(documents.iter().count());
    for (name, content) in documents.iter() {
        out.text(name);
        out.bytes(content);
    }
}

fn documents(input: &mut Reader<'_>) -> Result<Documents, Malformed> {
    let count = input.count()?;
    (0..count)
        .map(|_| {
            let name = input.text()?.to_owned();
            Ok((name, Bytes::copy_from_slice(input.bytes()?)))
        })
        .collect()
}

fn put_version_id(out: &mut Writer, version: VersionId) {
    match version {
        VersionId::Null => out.u8(0),
        VersionId::Id(id) => {
            out.u8(1);
            out.u128(id);
        }
    }
}

fn version_id(input: &mut Reader<'_>) -> Result<VersionId, Malformed> {
    match input.u8()? {
        0 => Ok(VersionId::Null),
        1 => Ok(VersionId::Id(input.u128()?)),
        _ => Err(Malformed),
    }
}

fn bucket_name(input: &mut Reader<'_>) -> Result<BucketName, Malformed> {
    BucketName::parse(input.text()?).map_err(|_| Malformed)
}

fn key(input: &mut Reader<'_>) -> Result<ObjectKey, Malformed> {
    ObjectKey::parse(input.text()?).map_err(|_| Malformed)
}

fn part_number(input: &mut Reader<'_>) -> Result<PartNumber, Malformed> {
    PartNumber::new(input.u16()?).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        "[a-z/\\x00ü日]{0,12}"
    }

    fn some_key() -> impl Strategy<Value = ObjectKey> {
        "[a-z/\\x00ü日]{1,12}".prop_map(|key| ObjectKey::parse(&key).unwrap())
    }

    fn some_bucket() -> impl Strategy<Value = BucketName> {
        "[a-z]{3,12}".prop_map(|name| BucketName::parse(&name).unwrap())
    }

    fn some_metadata() -> impl Strategy<Value = Metadata> {
        proptest::collection::btree_map(text(), text(), 0..4)
    }

    fn some_documents() -> impl Strategy<Value = Documents> {
        let content = proptest::collection::vec(any::<u8>(), 0..30).prop_map(Bytes::from);
        proptest::collection::vec((text(), content), 0..4)
            .prop_map(|documents| documents.into_iter().collect())
    }

    fn some_location() -> impl Strategy<Value = Location> {
        let extent =
            any::<(u32, u64, u64, u32)>().prop_map(|(segment, offset, length, stripes)| Extent {
                segment,
                offset,
                length,
                stripes,
            });
        let extents = proptest::collection::vec(extent, 0..4);
        let place = prop_oneof![
            any::<(u64, u32)>().prop_map(|(position, holders)| PiecePlace::Copies {
                position,
                holders: DriveMask(holders)
            }),
            any::<u64>().prop_map(|position| PiecePlace::Shards { position }),
            (any::<u32>(), extents)
                .prop_map(|(cell, extents)| PiecePlace::Stripes { cell, extents }),
        ];
        let piece = (any::<(u128, u64, u32)>(), place).prop_map(|((blob, size, absent), place)| {
            let absent = DriveMask(absent);
            Piece {
                blob,
                size,
                absent,
                place,
            }
        });
        proptest::collection::vec(piece, 0..4).prop_map(|pieces| Location {
            set: 0,
            spread: Spread::within(Geometry { data: 4, parity: 2 }, 8).unwrap(),
            pieces,
        })
    }

    fn some_record() -> impl Strategy<Value = Record> {
        let parts =
            proptest::collection::vec((1..=10_000_u16, any::<u64>(), some_metadata()), 0..4);
        let object = (
            (some_bucket(), some_key(), text(), text(), any::<u64>()),
            (some_metadata(), some_documents(), parts, some_location()),
            any::<Option<u128>>(),
        );
        let version = object.prop_map(|(names, rest, upload)| {
            let (bucket, key, owner, etag, size) = names;
            let (metadata, documents, parts, location) = rest;
            let part = |(number, size, metadata)| Part {
                number: PartNumber::new(number).unwrap(),
                size,
                metadata,
            };
            Record::Version {
                bucket,
                version: Version::Object(Object {
                    key,
                    version: VersionId::Null,
                    id: u128::from(size) << 7,
                    owner,
                    size,
                    etag,
                    modified: Timestamp(size),
                    metadata,
                    documents,
                    parts: parts.into_iter().map(part).collect(),
                    location: Locator::new(Arc::new(location)),
                }),
                upload: upload.map(UploadId),
            }
        });
        let placement = (
            any::<(Option<u64>, u8, u8)>(),
            proptest::option::of(text()),
            proptest::option::of(text()),
        );
        let placement = placement.prop_map(|((quota, data, parity), template, location)| {
            let geometry = Geometry { data, parity };
            Placement {
                template,
                location,
                geometry,
                quota,
            }
        });
        let documents = some_documents();
        let bucket = (some_bucket(), text(), documents, any::<u64>(), placement);
        let marker = (some_bucket(), some_key(), any::<Option<u128>>(), text());
        prop_oneof![
            version,
            marker.prop_map(|(bucket, key, id, owner)| {
                let marker = Marker {
                    key,
                    version: id.map_or(VersionId::Null, VersionId::Id),
                    owner,
                    modified: Timestamp(7),
                };
                let id = id.unwrap_or(8);
                Record::Version {
                    bucket,
                    version: Version::Marker(StoredMarker { marker, id }),
                    upload: None,
                }
            }),
            any::<u64>().prop_map(|end| Record::Epoch { end }),
            bucket.prop_map(|(name, owner, documents, created, placement)| {
                Record::Bucket(Bucket {
                    name,
                    id: u128::from(created) << 7,
                    owner,
                    created: Timestamp(created),
                    versioning: match created % 3 {
                        0 => Versioning::Never,
                        1 => Versioning::Enabled,
                        _ => Versioning::Suspended,
                    },
                    placement,
                    documents,
                })
            }),
            some_bucket().prop_map(Record::BucketGone),
            (some_bucket(), some_key(), any::<u128>()).prop_map(|(bucket, key, id)| {
                Record::VersionGone {
                    bucket,
                    key,
                    version: VersionId::Id(id),
                    marker: id % 2 == 0,
                }
            }),
            (some_bucket(), some_key(), any::<u128>()).prop_map(|(bucket, key, id)| {
                let id = UploadId(id);
                Record::UploadGone { bucket, key, id }
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_record_is_read_back_as_it_was_written(record in some_record()) {
            let encoded = record.encode();
            let decoded = Record::decode(&encoded).unwrap();
            prop_assert_eq!(decoded.encode(), encoded);
            prop_assert_eq!(decoded.location(), record.location());
        }

        #[test]
        fn a_record_that_was_cut_or_changed_never_panics(
            record in some_record(),
            cut in any::<prop::sample::Index>(),
            changed in any::<(prop::sample::Index, u8)>(),
        ) {
            let mut encoded = record.encode();
            let at = changed.0.index(encoded.len());
            prop_assert!(Record::decode(&encoded[..cut.index(encoded.len())]).is_err());
            encoded[at] ^= changed.1;
            let _ = Record::decode(&encoded);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Record::decode(&bytes);
            let _ = decode_version(&bytes);
            let _ = decode_past(&bytes);
            let _ = id_of_summary(&bytes);
            let _ = decode_tally(&bytes);
            let _ = decode_links(&bytes);
            let _ = decode_place(&bytes);
            let _ = decode_version_name(&bytes);
            let _ = decode_upload_id(&bytes);
            let _ = decode_intent(&bytes);
            let _ = decode_summary(&bytes);
            let _ = decode_part(&bytes);
            let _ = decode_upload(&bytes);
            let _ = decode_bucket(&bytes);
            let _ = crate::frame::Header::decode(&bytes, 1, 0);
        }
    }
}
