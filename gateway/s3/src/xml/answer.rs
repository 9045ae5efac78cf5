//! The answers of operations, their elements in the order in which S3 has them.

use std::sync::Arc;

use storage::{
    Bucket, BucketName, Deleted, Delimited, Entry, Listed, Metadata, Object, Page, Timestamp,
    Upload, UploadedPart, VersionEntry, VersionMarker, Versioning,
};

use super::{DeleteTarget, Document, TargetVersion};
use crate::attributes::Attributes;
use crate::checksum::Algorithm;
use crate::encode;
use crate::error::Error;
use crate::listing::{
    Continuation, ListBuckets, ListObjects, ListObjectsV2, ListParts, ListUploads, ListVersions,
};
use crate::time::iso8601;

/// The display name of an account, by its id.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What became of one key of DeleteObjects.
#[derive(Debug)]
pub struct DeleteOutcome {
    pub target: DeleteTarget,
    pub result: Result<Deleted, Error>,
}

pub fn list_all_my_buckets_result(
    owner: &str,
    input: &ListBuckets,
    page: &Page<Arc<Bucket>>,
    region: &str,
    names: Names<'_>,
) -> String {
    Document::root("ListAllMyBucketsResult", |answer| {
        answer.account("Owner", owner, names);
        answer.group("Buckets", |buckets| {
            for bucket in &page.entries {
                buckets.group("Bucket", |entry| {
                    entry.text("Name", bucket.name.as_str());
                    entry.time("CreationDate", bucket.created);
                    entry.text("BucketRegion", region);
                });
            }
        });
        if let (true, Some(last)) = (page.truncated, page.entries.last()) {
            let next = Continuation::new(last.name.as_str());
            answer.text("ContinuationToken", &next.token());
        }
        if !input.prefix.is_empty() {
            answer.text("Prefix", &input.prefix);
        }
    })
}

pub fn list_objects_result(
    bucket: &BucketName,
    input: &ListObjects,
    page: &Delimited<Arc<Object>>,
    names: Names<'_>,
) -> String {
    let spell = spelling(input.encoded);
    Document::root("ListBucketResult", |answer| {
        answer.text("Name", bucket.as_str());
        answer.text("Prefix", &spell(&input.prefix));
        let marker = input.marker.as_deref().unwrap_or_default();
        answer.text("Marker", &spell(marker));
        // Without a delimiter the client continues after the last key.
        if let (true, Some(_), Some(last)) = (page.truncated, &input.delimiter, page.entries.last())
        {
            answer.text("NextMarker", &spell(last.marker()));
        }
        answer.number("MaxKeys", input.max_keys);
        answer.delimiter(input.delimiter.as_deref(), input.encoded);
        answer.flag("IsTruncated", page.truncated);
        answer.objects(page, &spell, Some(names));
    })
}

pub fn list_objects_v2_result(
    bucket: &BucketName,
    input: &ListObjectsV2,
    page: &Delimited<Arc<Object>>,
    names: Names<'_>,
) -> String {
    let spell = spelling(input.encoded);
    Document::root("ListBucketResult", |answer| {
        answer.text("Name", bucket.as_str());
        answer.text("Prefix", &spell(&input.prefix));
        if let Some(start_after) = &input.start_after {
            answer.text("StartAfter", &spell(start_after));
        }
        if let Some(continuation) = &input.continuation {
            answer.text("ContinuationToken", &continuation.token());
        }
        if let (true, Some(last)) = (page.truncated, page.entries.last()) {
            let next = Continuation::new(last.marker());
            answer.text("NextContinuationToken", &next.token());
        }
        answer.number("KeyCount", page.entries.len());
        answer.number("MaxKeys", input.max_keys);
        answer.delimiter(input.delimiter.as_deref(), input.encoded);
        answer.flag("IsTruncated", page.truncated);
        answer.objects(page, &spell, input.fetch_owner.then_some(names));
    })
}

pub fn list_versions_result(
    bucket: &BucketName,
    input: &ListVersions,
    page: &Delimited<VersionEntry>,
    names: Names<'_>,
) -> String {
    let spell = spelling(input.encoded);
    let version_id_marker = input.version_id_marker.map(|id| id.to_string());
    Document::root("ListVersionsResult", |answer| {
        answer.text("Name", bucket.as_str());
        answer.text("Prefix", &spell(&input.prefix));
        let key_marker = input.key_marker.as_deref().unwrap_or_default();
        answer.text("KeyMarker", &spell(key_marker));
        answer.text("VersionIdMarker", &version_id_marker.unwrap_or_default());
        if let (true, Some(last)) = (page.truncated, page.entries.last()) {
            match last.marker() {
                VersionMarker::Key(prefix) => answer.text("NextKeyMarker", &spell(&prefix)),
                VersionMarker::Version(key, version) => {
                    answer.text("NextKeyMarker", &spell(key.as_str()));
                    answer.text("NextVersionIdMarker", &version.to_string());
                }
            }
        }
        answer.number("MaxKeys", input.max_keys);
        answer.delimiter(input.delimiter.as_deref(), input.encoded);
        answer.flag("IsTruncated", page.truncated);
        for entry in items(page) {
            answer.version(entry, &spell, names);
        }
        answer.prefixes(page, &spell);
    })
}

pub fn list_multipart_uploads_result(
    bucket: &BucketName,
    input: &ListUploads,
    page: &Delimited<Upload>,
    names: Names<'_>,
) -> String {
    let spell = spelling(input.encoded);
    let upload_id_marker = input.upload_id_marker.map(|id| id.to_string());
    Document::root("ListMultipartUploadsResult", |answer| {
        answer.text("Bucket", bucket.as_str());
        let key_marker = input.key_marker.as_deref().unwrap_or_default();
        answer.text("KeyMarker", &spell(key_marker));
        answer.text("UploadIdMarker", &upload_id_marker.unwrap_or_default());
        if let (true, Some(last)) = (page.truncated, page.entries.last()) {
            answer.text("NextKeyMarker", &spell(last.marker()));
            if let Entry::Item(upload) = last {
                answer.text("NextUploadIdMarker", &upload.id.to_string());
            }
        }
        answer.text("Prefix", &spell(&input.prefix));
        answer.delimiter(input.delimiter.as_deref(), input.encoded);
        answer.number("MaxUploads", input.max_uploads);
        answer.flag("IsTruncated", page.truncated);
        for upload in items(page) {
            answer.group("Upload", |entry| {
                entry.text("Key", &spell(upload.key.as_str()));
                entry.text("UploadId", &upload.id.to_string());
                entry.account("Initiator", &upload.initiator, names);
                entry.account("Owner", &upload.owner, names);
                entry.text("StorageClass", "STANDARD");
                entry.time("Initiated", upload.initiated);
                entry.asked_checksum(&upload.metadata);
            });
        }
        answer.prefixes(page, &spell);
    })
}

pub fn list_parts_result(
    bucket: &BucketName,
    upload: &Upload,
    input: &ListParts,
    page: &Page<UploadedPart>,
    names: Names<'_>,
) -> String {
    let after = input.part_number_marker.map_or(0, |number| number.get());
    Document::root("ListPartsResult", |answer| {
        answer.text("Bucket", bucket.as_str());
        answer.text("Key", upload.key.as_str());
        answer.text("UploadId", &upload.id.to_string());
        answer.account("Initiator", &upload.initiator, names);
        answer.account("Owner", &upload.owner, names);
        answer.text("StorageClass", "STANDARD");
        answer.number("PartNumberMarker", usize::from(after));
        if let Some(last) = page.entries.last() {
            let next = usize::from(last.number.get());
            answer.number("NextPartNumberMarker", next);
        }
        answer.number("MaxParts", input.max_parts);
        answer.asked_checksum(&upload.metadata);
        answer.flag("IsTruncated", page.truncated);
        for part in &page.entries {
            answer.group("Part", |entry| {
                entry.text("PartNumber", &part.number.to_string());
                entry.time("LastModified", part.modified);
                entry.etag(&part.etag);
                entry.text("Size", &part.size.to_string());
                entry.checksums(&part.metadata);
            });
        }
    })
}

pub fn initiate_multipart_upload_result(bucket: &BucketName, upload: &Upload) -> String {
    Document::root("InitiateMultipartUploadResult", |answer| {
        answer.text("Bucket", bucket.as_str());
        answer.text("Key", upload.key.as_str());
        answer.text("UploadId", &upload.id.to_string());
    })
}

pub fn complete_multipart_upload_result(
    location: &str,
    bucket: &BucketName,
    object: &Object,
) -> String {
    Document::root("CompleteMultipartUploadResult", |answer| {
        answer.text("Location", location);
        answer.text("Bucket", bucket.as_str());
        answer.text("Key", object.key.as_str());
        answer.etag(&object.etag);
        answer.checksums(&object.metadata);
    })
}

/// The answer to a form, in no namespace.
pub fn post_response(location: &str, bucket: &BucketName, object: &Object) -> String {
    let mut document = Document::new();
    document.group("PostResponse", |answer| {
        answer.text("Location", location);
        answer.text("Bucket", bucket.as_str());
        answer.text("Key", object.key.as_str());
        answer.etag(&object.etag);
    });
    document.finish()
}

pub fn copy_object_result(object: &Object) -> String {
    Document::root("CopyObjectResult", |answer| {
        answer.time("LastModified", object.modified);
        answer.etag(&object.etag);
        answer.checksums(&object.metadata);
    })
}

pub fn copy_part_result(part: &UploadedPart) -> String {
    Document::root("CopyPartResult", |answer| {
        answer.time("LastModified", part.modified);
        answer.etag(&part.etag);
        answer.checksums(&part.metadata);
    })
}

/// A quiet client hears of failures alone.
pub fn delete_result(outcomes: &[DeleteOutcome], quiet: bool) -> String {
    Document::root("DeleteResult", |answer| {
        for DeleteOutcome { target, result } in outcomes {
            match result {
                Ok(_) if quiet => {}
                Ok(deleted) => answer.group("Deleted", |entry| entry.deleted(target, deleted)),
                Err(error) => answer.group("Error", |entry| {
                    entry.text("Key", target.key.as_str());
                    entry.target_version(&target.version);
                    entry.text("Code", error.code_name());
                    entry.text("Message", error.message());
                }),
            }
        }
    })
}

/// An empty element for a bucket that never had versions.
pub fn versioning_configuration(versioning: Versioning) -> String {
    let status = match versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some("Enabled"),
        Versioning::Suspended => Some("Suspended"),
    };
    Document::root("VersioningConfiguration", |answer| {
        if let Some(status) = status {
            answer.text("Status", status);
        }
    })
}

/// What was asked for of an object, and there is.
pub fn get_object_attributes_response(input: &Attributes, object: &Object) -> String {
    Document::root("GetObjectAttributesResponse", |answer| {
        if input.etag {
            // Without the quotes that it has everywhere else.
            answer.text("ETag", &object.etag);
        }
        let kept = kept_checksums(&object.metadata);
        if input.checksum && !kept.is_empty() {
            answer.group("Checksum", |checksum| {
                for (algorithm, value) in kept {
                    // The number of parts is told apart from it.
                    let value = value.split_once('-').map_or(value, |(value, _)| value);
                    checksum.text(algorithm.element(), value);
                }
                checksum.checksum_type(&object.metadata);
            });
        }
        if let Some(page) = input.page(object) {
            answer.group("ObjectParts", |entry| {
                entry.number("PartsCount", page.total);
                let marker = usize::from(input.part_number_marker);
                entry.number("PartNumberMarker", marker);
                if let Some(last) = page.parts.last() {
                    let next = usize::from(last.number.get());
                    entry.number("NextPartNumberMarker", next);
                }
                entry.number("MaxParts", input.max_parts);
                entry.flag("IsTruncated", page.truncated);
                for part in page.parts {
                    entry.group("Part", |entry| {
                        entry.text("PartNumber", &part.number.to_string());
                        entry.text("Size", &part.size.to_string());
                        entry.checksum_values(&part.metadata);
                    });
                }
            });
        }
        if input.storage_class {
            answer.text("StorageClass", "STANDARD");
        }
        if input.size {
            answer.text("ObjectSize", &object.size.to_string());
        }
    })
}

/// Where a bucket is; nothing at all for the place that needs no name.
pub fn location_constraint(location: &str) -> String {
    let mut document = Document::new();
    document.open("LocationConstraint", super::NAMESPACE);
    super::escape(location, &mut document.0);
    document.close("LocationConstraint");
    document.finish()
}

/// How keys are written: as they are, or percent-encoded.
fn spelling(encoded: bool) -> impl Fn(&str) -> String {
    move |text| match encoded {
        true => encode::key(text),
        false => text.to_owned(),
    }
}

/// The checksums that are kept with an object or a part.
fn kept_checksums(metadata: &Metadata) -> Vec<(Algorithm, &str)> {
    let value = |algorithm: &Algorithm| metadata.get(algorithm.header()).map(String::as_str);
    let all = Algorithm::ALL.iter();
    all.filter_map(|algorithm| Some((*algorithm, value(algorithm)?)))
        .collect()
}

fn items<T>(page: &Delimited<T>) -> impl Iterator<Item = &T> {
    page.entries.iter().filter_map(|entry| match entry {
        Entry::Item(item) => Some(item),
        Entry::Prefix(_) => None,
    })
}

/// What several answers have in common.
impl Document {
    fn number(&mut self, name: &str, number: usize) {
        self.text(name, &number.to_string());
    }

    fn flag(&mut self, name: &str, flag: bool) {
        self.text(name, if flag { "true" } else { "false" });
    }

    fn time(&mut self, name: &str, time: Timestamp) {
        self.text(name, &iso8601(time));
    }

    fn etag(&mut self, etag: &str) {
        self.text("ETag", &format!("\"{etag}\""));
    }

    fn account(&mut self, name: &str, id: &str, names: Names<'_>) {
        self.group(name, |account| {
            account.text("ID", id);
            if let Some(name) = names(id) {
                account.text("DisplayName", &name);
            }
        });
    }

    fn delimiter(&mut self, delimiter: Option<&str>, encoded: bool) {
        if let Some(delimiter) = delimiter {
            self.text("Delimiter", &spelling(encoded)(delimiter));
        }
        if encoded {
            self.text("EncodingType", "url");
        }
    }

    fn objects(
        &mut self,
        page: &Delimited<Arc<Object>>,
        spell: &dyn Fn(&str) -> String,
        names: Option<Names<'_>>,
    ) {
        for object in items(page) {
            self.group("Contents", |entry| {
                entry.text("Key", &spell(object.key.as_str()));
                entry.time("LastModified", object.modified);
                entry.etag(&object.etag);
                entry.kept_algorithm(&object.metadata);
                entry.text("Size", &object.size.to_string());
                if let Some(names) = names {
                    entry.account("Owner", &object.owner, names);
                }
                entry.text("StorageClass", "STANDARD");
            });
        }
        self.prefixes(page, spell);
    }

    fn version(&mut self, entry: &VersionEntry, spell: &dyn Fn(&str) -> String, names: Names<'_>) {
        let listed = &entry.version;
        let (name, object) = match listed {
            Listed::Object(object) => ("Version", Some(object)),
            Listed::Marker(_) => ("DeleteMarker", None),
        };
        self.group(name, |version| {
            version.text("Key", &spell(listed.key().as_str()));
            version.text("VersionId", &listed.version().to_string());
            version.flag("IsLatest", entry.latest);
            version.time("LastModified", listed.modified());
            if let Some(object) = object {
                version.etag(&object.etag);
                version.kept_algorithm(&object.metadata);
                version.text("Size", &object.size.to_string());
            }
            version.account("Owner", listed.owner(), names);
            if object.is_some() {
                version.text("StorageClass", "STANDARD");
            }
        });
    }

    fn prefixes<T>(&mut self, page: &Delimited<T>, spell: &dyn Fn(&str) -> String) {
        for entry in &page.entries {
            if let Entry::Prefix(prefix) = entry {
                self.group("CommonPrefixes", |group| {
                    group.text("Prefix", &spell(prefix));
                });
            }
        }
    }

    /// The checksums that are kept with an object or a part, and how they were made.
    fn checksums(&mut self, metadata: &Metadata) {
        self.checksum_values(metadata);
        self.checksum_type(metadata);
    }

    fn checksum_values(&mut self, metadata: &Metadata) {
        for (algorithm, value) in kept_checksums(metadata) {
            self.text(algorithm.element(), value);
        }
    }

    /// Which checksum is kept, and how it was made.
    fn kept_algorithm(&mut self, metadata: &Metadata) {
        if let Some((algorithm, _)) = kept_checksums(metadata).first() {
            self.text("ChecksumAlgorithm", algorithm.name());
            self.checksum_type(metadata);
        }
    }

    fn checksum_type(&mut self, metadata: &Metadata) {
        if let Some(kind) = metadata.get("x-amz-checksum-type") {
            self.text("ChecksumType", kind);
        }
    }

    /// The checksum that an upload will have.
    fn asked_checksum(&mut self, metadata: &Metadata) {
        if let Some(algorithm) = metadata.get("x-amz-checksum-algorithm") {
            self.text("ChecksumAlgorithm", algorithm);
            self.checksum_type(metadata);
        }
    }

    /// The version that the client named, as it named it.
    fn target_version(&mut self, version: &TargetVersion) {
        match version {
            TargetVersion::Current => {}
            TargetVersion::Named(version) => self.text("VersionId", &version.to_string()),
            TargetVersion::Unknown(text) => self.text("VersionId", text),
        }
    }

    fn deleted(&mut self, target: &DeleteTarget, deleted: &Deleted) {
        self.text("Key", target.key.as_str());
        self.target_version(&target.version);
        if deleted.marker {
            self.flag("DeleteMarker", true);
            if let Some(version) = deleted.version {
                self.text("DeleteMarkerVersionId", &version.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests;
