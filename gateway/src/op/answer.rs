//! What the answers of several operations share.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3::time::http_date;
use storage::{Object, Timestamp};

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

/// The checksums that were remembered with an object, as headers.
pub(super) fn set_checksums(headers: &mut HeaderMap, object: &Object) {
    for (name, value) in object.metadata.iter().filter(|(name, _)| is_checksum(name)) {
        if let Ok(name) = HeaderName::try_from(name) {
            set(headers, name, value);
        }
    }
}

pub(super) fn is_checksum(name: &str) -> bool {
    name.starts_with("x-amz-checksum-")
}
