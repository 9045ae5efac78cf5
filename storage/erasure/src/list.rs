//! Listings, in the order of the index. A page costs what is on it: a rolled-up
//! prefix is passed over with one seek, however many keys are below it.

use std::ops::Bound;
use std::sync::Arc;

use storage::{
    BucketName, Delimited, Entry, Error, ListQuery, Object, ObjectKey, Page, PartNumber, Result,
    Upload, UploadId, UploadMarker, UploadQuery, UploadedPart,
};

use crate::index::{Index, Space, bounds_below, end_below};
use crate::keys;
use crate::record::{decode_part, decode_summary, decode_upload};
use crate::wire::Malformed;

/// The entries of a listing have no parts and cannot be read: what a listing
/// shows is kept apart, so that large records are not read for it.
pub(crate) fn objects(
    index: &Index,
    bucket: &BucketName,
    query: &ListQuery,
) -> Result<Delimited<Arc<Object>>> {
    let after = query.after.as_deref();
    let named = |text: &str| {
        let mut name = keys::within(bucket);
        name.extend_from_slice(text.as_bytes());
        name
    };
    Listing {
        index,
        space: Space::Current,
        prefix: &query.prefix,
        delimiter: query.delimiter.as_deref(),
        passed_over: after,
        limit: query.limit,
        named: &named,
        decode: |bytes| decode_summary(bytes).map(Arc::new),
        key: |object| &object.key,
    }
    .page(match after {
        Some(after) if after >= query.prefix.as_str() => Bound::Excluded(named(after)),
        Some(_) | None => Bound::Included(named(&query.prefix)),
    })
}

pub(crate) fn uploads(
    index: &Index,
    bucket: &BucketName,
    query: &UploadQuery,
) -> Result<Delimited<Upload>> {
    let named = |text: &str| keys::escaped(bucket, text);
    let start = Bound::Included(named(&query.prefix));
    let start = match &query.after {
        None => start,
        Some(UploadMarker::Key(key)) => {
            let mut all = named(key);
            all.extend_from_slice(&[0, 1]);
            later(start, after_all(&all))
        }
        Some(UploadMarker::Upload(key, id)) => {
            later(start, Bound::Excluded(keys::upload(bucket, key, *id)))
        }
    };
    Listing {
        index,
        space: Space::Uploads,
        prefix: &query.prefix,
        delimiter: query.delimiter.as_deref(),
        passed_over: match &query.after {
            Some(UploadMarker::Key(key)) => Some(key),
            Some(UploadMarker::Upload(..)) | None => None,
        },
        limit: query.limit,
        named: &named,
        decode: decode_upload,
        key: |upload| &upload.key,
    }
    .page(start)
}

pub(crate) fn parts(
    index: &Index,
    bucket: &BucketName,
    key: &ObjectKey,
    id: UploadId,
    after: Option<PartNumber>,
    limit: usize,
) -> Result<Page<UploadedPart>> {
    let (start, end) = bounds_below(&keys::upload(bucket, key, id));
    let start = match after {
        Some(number) => Bound::Excluded(keys::part(bucket, key, id, number)),
        None => start,
    };
    let mut entries = Vec::new();
    for entry in index.range(Space::Parts, (start, end)) {
        let (_, value) = entry?;
        if entries.len() == limit {
            let truncated = limit > 0;
            return Ok(Page { entries, truncated });
        }
        entries.push(decode_part(&value).map_err(damaged)?.part);
    }
    Ok(Page {
        entries,
        truncated: false,
    })
}

struct Listing<'a, T> {
    index: &'a Index,
    space: Space,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// The rolled-up prefix after which the listing continues.
    passed_over: Option<&'a str>,
    limit: usize,
    /// How the names of all keys begin that begin with a text.
    named: &'a dyn Fn(&str) -> Vec<u8>,
    decode: fn(&[u8]) -> Result<T, Malformed>,
    key: fn(&T) -> &ObjectKey,
}

impl<T> Listing<'_, T> {
    fn page(&self, mut start: Bound<Vec<u8>>) -> Result<Delimited<T>> {
        let mut page = Page {
            entries: Vec::new(),
            truncated: false,
        };
        if self.limit == 0 {
            return Ok(page);
        }
        let end = end_below(&(self.named)(self.prefix));
        // Each turn begins after a rolled-up prefix.
        'seek: loop {
            if is_empty(&start, &end) {
                return Ok(page);
            }
            for entry in self.index.range(self.space, (start.clone(), end.clone())) {
                let (_, value) = entry?;
                let item = (self.decode)(&value).map_err(damaged)?;
                let rolled_up = self.rolled_up((self.key)(&item).as_str());
                let passed_over = rolled_up.is_some() && rolled_up.as_deref() == self.passed_over;
                if !passed_over && page.entries.len() == self.limit {
                    page.truncated = true;
                    return Ok(page);
                }
                let Some(prefix) = rolled_up else {
                    page.entries.push(Entry::Item(item));
                    continue;
                };
                start = after_all(&(self.named)(&prefix));
                if !passed_over {
                    page.entries.push(Entry::Prefix(prefix));
                }
                continue 'seek;
            }
            return Ok(page);
        }
    }

    fn rolled_up(&self, key: &str) -> Option<String> {
        let delimiter = self.delimiter?;
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.find(delimiter)? + self.prefix.len() + delimiter.len();
        key.get(..at).map(str::to_owned)
    }
}

/// Begins after all names with this prefix.
fn after_all(prefix: &[u8]) -> Bound<Vec<u8>> {
    match end_below(prefix) {
        Bound::Excluded(next) => Bound::Included(next),
        unbounded => unbounded,
    }
}

fn later(one: Bound<Vec<u8>>, other: Bound<Vec<u8>>) -> Bound<Vec<u8>> {
    match (&one, &other) {
        (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
            match a > b {
                true => one,
                false => other,
            }
        }
        (Bound::Unbounded, _) => other,
        (_, Bound::Unbounded) => one,
    }
}

/// A range that begins behind its end, which an index need not accept.
fn is_empty(start: &Bound<Vec<u8>>, end: &Bound<Vec<u8>>) -> bool {
    match (start, end) {
        (Bound::Included(start) | Bound::Excluded(start), Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}

pub(crate) fn damaged(_: Malformed) -> Error {
    Error::Damaged(
        "an entry of the index; it is built anew when it is removed and the store restarted".into(),
    )
}
