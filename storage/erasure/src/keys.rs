//! How the entries of the index are named, so that their order is the order of
//! listings.
//!
//! A bucket name has no zero byte, so one ends it. A key may have any byte:
//! where something follows it, its zero bytes are escaped (`00` -> `00 ff`) and
//! `00 01` ends it, which keeps `a` and all that belongs to it before `a\0`.

use storage::{BucketName, ObjectKey, PartNumber, UploadId, VersionId};

use crate::layout::Extent;

pub(crate) fn bucket(name: &BucketName) -> Vec<u8> {
    name.as_str().as_bytes().to_vec()
}

/// What all names of a bucket begin with.
pub(crate) fn within(bucket: &BucketName) -> Vec<u8> {
    let mut out = Vec::with_capacity(bucket.as_str().len() + 64);
    out.extend_from_slice(bucket.as_str().as_bytes());
    out.push(0);
    out
}

pub(crate) fn current(bucket: &BucketName, key: &ObjectKey) -> Vec<u8> {
    current_below(bucket, key.as_str())
}

/// How the names of the current versions begin of all keys that begin with a text.
pub(crate) fn current_below(bucket: &BucketName, text: &str) -> Vec<u8> {
    let mut out = within(bucket);
    out.extend_from_slice(text.as_bytes());
    out
}

/// Escaped and without an end, to seek to the names of keys that begin with a text.
pub(crate) fn escaped(bucket: &BucketName, text: &str) -> Vec<u8> {
    let mut out = within(bucket);
    for byte in text.bytes() {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out
}

/// What the names of all versions, uploads or parts of one key begin with.
pub(crate) fn of_key(bucket: &BucketName, key: &ObjectKey) -> Vec<u8> {
    let mut out = escaped(bucket, key.as_str());
    out.extend_from_slice(&[0, 1]);
    out
}

pub(crate) fn version(bucket: &BucketName, key: &ObjectKey, version: VersionId) -> Vec<u8> {
    let mut out = of_key(bucket, key);
    match version {
        VersionId::Null => out.push(0),
        VersionId::Id(id) => {
            out.push(1);
            out.extend_from_slice(&id.to_be_bytes());
        }
    }
    out
}

/// The later versions of a key come first. Of a version, and of the null
/// version at its time.
pub(crate) fn past(bucket: &BucketName, key: &ObjectKey, id: u128) -> Vec<u8> {
    let mut out = of_key(bucket, key);
    out.extend_from_slice(&(!id).to_be_bytes());
    out
}

pub(crate) fn upload(bucket: &BucketName, key: &ObjectKey, id: UploadId) -> Vec<u8> {
    let mut out = of_key(bucket, key);
    out.extend_from_slice(&id.0.to_be_bytes());
    out
}

pub(crate) fn part(
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    number: PartNumber,
) -> Vec<u8> {
    let mut out = upload(bucket, key, id);
    out.extend_from_slice(&number.get().to_be_bytes());
    out
}

/// Extents in the order of their places. `user` is the name of what uses it.
pub(crate) fn reference(set: u16, extent: &Extent, user: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(14 + user.len());
    out.extend_from_slice(&set.to_be_bytes());
    out.extend_from_slice(&extent.segment.to_be_bytes());
    out.extend_from_slice(&extent.offset.to_be_bytes());
    out.extend_from_slice(user);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_past_versions_are_ordered_by_key_and_then_by_age() {
        let bucket = BucketName::parse("bucket").unwrap();
        let mut names = Vec::new();
        for key in ["a", "a\0", "a\0b", "a\u{1}", "ab"] {
            for id in [u128::MAX, 1 << 64, 1, 0] {
                names.push(past(&bucket, &ObjectKey::parse(key).unwrap(), id));
            }
        }
        assert!(names.is_sorted());
    }

    #[test]
    fn the_names_of_uploads_are_ordered_by_key_and_then_by_id() {
        let bucket = BucketName::parse("bucket").unwrap();
        let keys = ["a", "a\0", "a\0b", "a\u{1}", "ab", "b"];
        let mut names = Vec::new();
        for key in keys {
            for id in [0, 1, u128::MAX] {
                let key = ObjectKey::parse(key).unwrap();
                names.push(upload(&bucket, &key, UploadId(id)));
            }
        }
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), keys.len() * 3);
    }
}
