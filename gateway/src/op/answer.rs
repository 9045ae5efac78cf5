//! What the answers of several operations share.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3::time::http_date;
use storage::{Bucket, Metadata, Timestamp, VersionId, Versioning};

pub(super) const VERSION_ID: &str = "x-amz-version-id";
pub(super) const DELETE_MARKER: &str = "x-amz-delete-marker";

/// The headers, and the names in the metadata, that say how a checksum was made.
pub(super) const CHECKSUM_ALGORITHM: &str = "x-amz-checksum-algorithm";
pub(super) const CHECKSUM_TYPE: &str = "x-amz-checksum-type";

/// Sets a header whose value comes from a record or a client. A value that no
/// header can carry is left out; what is stored has been checked on its way in.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: impl AsRef<[u8]>) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_ref()) {
        headers.insert(name, value);
    }
}

/// An etag as it stands in a header or in XML.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

pub(super) fn set_etag(headers: &mut HeaderMap, etag: &str) {
    set(headers, header::ETAG, quoted(etag));
}

pub(super) fn set_modified(headers: &mut HeaderMap, modified: Timestamp) {
    set(headers, header::LAST_MODIFIED, http_date(modified));
}

/// The version that an answer is about. Where there never were versions, none
/// is spoken of.
pub(crate) fn set_version(headers: &mut HeaderMap, bucket: &Bucket, version: VersionId) {
    set_version_as(headers, VERSION_ID, bucket, version);
}

/// The version that was written. A write of the null version, which takes the
/// place of the one before, is answered as one to a bucket without versions.
pub(super) fn set_written_version(headers: &mut HeaderMap, version: VersionId) {
    if version != VersionId::Null {
        set(
            headers,
            HeaderName::from_static(VERSION_ID),
            version.to_string(),
        );
    }
}

/// The version that was copied.
pub(super) fn set_source_version(headers: &mut HeaderMap, bucket: &Bucket, version: VersionId) {
    set_version_as(headers, "x-amz-copy-source-version-id", bucket, version);
}

fn set_version_as(
    headers: &mut HeaderMap,
    name: &'static str,
    bucket: &Bucket,
    version: VersionId,
) {
    // An id tells that versioning has been enabled since the bucket was loaded.
    if bucket.versioning != Versioning::Never || version != VersionId::Null {
        set(headers, HeaderName::from_static(name), version.to_string());
    }
}

/// The checksums that were remembered with an object or a part, as headers.
pub(super) fn set_checksums(headers: &mut HeaderMap, metadata: &Metadata) {
    for (name, value) in metadata.iter().filter(|(name, _)| is_checksum(name)) {
        if let Ok(name) = HeaderName::try_from(name) {
            set(headers, name, value);
        }
    }
}

pub(super) fn is_checksum(name: &str) -> bool {
    name.starts_with("x-amz-checksum-")
}
