//! Listings, in the order of the index. A page costs what is on it: a rolled-up
//! prefix is passed over with one seek, however many keys are below it, and what
//! a listing does not show does not lie in its way.

use std::iter;
use std::ops::Bound;
use std::sync::Arc;

use storage::{
    BucketName, Delimited, Entry, ListQuery, Listed, Object, ObjectKey, Page, PartNumber, Result,
    Upload, UploadId, UploadMarker, UploadQuery, UploadedPart, VersionEntry, VersionId,
    VersionMarker, VersionQuery,
};

use crate::index::{Index, Snapshot, Space, bounds_below, damaged, end_below};
use crate::keys;
use crate::lookup;
use crate::order;
use crate::record::{Version, decode_part, decode_past, decode_summary, decode_upload};

/// The entries of a listing have no parts and cannot be read: what a listing
/// shows is kept apart, so that large records are not read for it.
pub(crate) fn objects(
    index: &Index,
    bucket: &BucketName,
    query: &ListQuery,
) -> Result<Delimited<Arc<Object>>> {
    let index = index.snapshot();
    let after = query.after.as_deref();
    let named = |text: &str| keys::current_below(bucket, text);
    let end = end_below(&named(&query.prefix));
    let first = match after {
        Some(after) if after >= query.prefix.as_str() => Bound::Excluded(named(after)),
        Some(_) | None => Bound::Included(named(&query.prefix)),
    };
    let listing = Listing {
        prefix: &query.prefix,
        delimiter: query.delimiter.as_deref(),
        passed_over: after,
        limit: query.limit,
    };
    listing.page(|behind| {
        let start = behind.map_or(first.clone(), |prefix| after_all(&named(prefix)));
        let entries = index.range(Space::Current, (start, end.clone()));
        entries.map(|entry| {
            let object = decode_summary(&entry?.1).map_err(damaged)?;
            Ok((object.key.clone(), Arc::new(object)))
        })
    })
}

pub(crate) fn versions(
    index: &Index,
    bucket: &BucketName,
    query: &VersionQuery,
) -> Result<Delimited<VersionEntry>> {
    let index = index.snapshot();
    let current = |text: &str| keys::current_below(bucket, text);
    let past = |text: &str| keys::escaped(bucket, text);
    let ends = (
        end_below(&current(&query.prefix)),
        end_below(&past(&query.prefix)),
    );
    let mut first = (
        Bound::Included(current(&query.prefix)),
        Bound::Included(past(&query.prefix)),
    );
    let mut passed_over = None;
    let mut begun = None;
    match &query.after {
        None => {}
        Some(VersionMarker::Key(key)) => {
            passed_over = Some(key.as_str());
            let mut all = past(key);
            all.extend_from_slice(&[0, 1]);
            first.0 = later(first.0, Bound::Excluded(current(key)));
            first.1 = later(first.1, after_all(&all));
        }
        Some(VersionMarker::Version(key, version)) => {
            let place = match version {
                VersionId::Id(id) => *id,
                VersionId::Null => lookup::place_of_null(&index, bucket, key)?.unwrap_or(u128::MAX),
            };
            first.0 = later(first.0, Bound::Included(current(key.as_str())));
            first.1 = later(first.1, Bound::Excluded(keys::past(bucket, key, place)));
            begun = Some(Begun {
                newest: order::newest(&index, bucket, key)?,
                key: key.clone(),
                place,
            });
        }
    }
    let listing = Listing {
        prefix: &query.prefix,
        delimiter: query.delimiter.as_deref(),
        passed_over,
        limit: query.limit,
    };
    listing.page(|behind| {
        let (start, begun) = match behind {
            None => (first.clone(), begun.clone()),
            Some(prefix) => {
                let start = (after_all(&current(prefix)), after_all(&past(prefix)));
                (start, None)
            }
        };
        merged(
            &index,
            (start.0, ends.0.clone()),
            (start.1, ends.1.clone()),
            begun,
        )
    })
}

/// The key within whose versions a page begins, behind the one at `place`.
#[derive(Debug, Clone)]
struct Begun {
    key: ObjectKey,
    place: u128,
    /// The newest of them, which may come before that.
    newest: Option<u128>,
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The current versions and the others, by key and age.
fn merged<'a>(
    index: &'a Snapshot<'_>,
    current: Bounds,
    past: Bounds,
    begun: Option<Begun>,
) -> impl Iterator<Item = Result<(ObjectKey, VersionEntry)>> + 'a {
    let mut current = index
        .range(Space::Current, current)
        .map(|entry| decode_summary(&entry?.1).map_err(damaged))
        .peekable();
    let mut past = index
        .range(Space::Past, past)
        .map(|entry| decode_past(&entry?.1).map_err(damaged))
        .peekable();
    // The key whose newest version has been passed.
    let mut known: Option<ObjectKey> = None;
    iter::from_fn(move || {
        loop {
            let is_current = match (current.peek(), past.peek()) {
                // A current version is newer than all others of its key.
                (Some(Ok(current)), Some(Ok(past))) => current.key <= *past.key(),
                (Some(_), None) | (Some(Err(_)), _) => true,
                (None, Some(_)) | (_, Some(Err(_))) => false,
                (None, None) => return None,
            };
            let next = match is_current {
                true => current.next()?.map(Version::Object),
                false => past.next()?,
            };
            let version = match next {
                Ok(version) => version,
                Err(error) => return Some(Err(error)),
            };
            let key = version.key().clone();
            let latest = match begun.as_ref().filter(|begun| begun.key == key) {
                // Where the page begins, the current version is met once more.
                Some(begun) if version.id() >= begun.place => continue,
                Some(begun) => begun.newest == Some(version.id()),
                None => known.as_ref() != Some(&key),
            };
            known = Some(key.clone());
            let version = match version {
                Version::Object(object) => Listed::Object(Arc::new(object)),
                Version::Marker(stored) => Listed::Marker(stored.marker),
            };
            return Some(Ok((key, VersionEntry { latest, version })));
        }
    })
}

pub(crate) fn uploads(
    index: &Index,
    bucket: &BucketName,
    query: &UploadQuery,
) -> Result<Delimited<Upload>> {
    let index = index.snapshot();
    let named = |text: &str| keys::escaped(bucket, text);
    let end = end_below(&named(&query.prefix));
    let mut first = Bound::Included(named(&query.prefix));
    let mut passed_over = None;
    match &query.after {
        None => {}
        Some(UploadMarker::Key(key)) => {
            passed_over = Some(key.as_str());
            let mut all = named(key);
            all.extend_from_slice(&[0, 1]);
            first = later(first, after_all(&all));
        }
        Some(UploadMarker::Upload(key, id)) => {
            first = later(first, Bound::Excluded(keys::upload(bucket, key, *id)));
        }
    }
    let listing = Listing {
        prefix: &query.prefix,
        delimiter: query.delimiter.as_deref(),
        passed_over,
        limit: query.limit,
    };
    listing.page(|behind| {
        let start = behind.map_or(first.clone(), |prefix| after_all(&named(prefix)));
        let entries = index.range(Space::Uploads, (start, end.clone()));
        entries.map(|entry| {
            let upload = decode_upload(&entry?.1).map_err(damaged)?;
            Ok((upload.key.clone(), upload))
        })
    })
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

#[derive(Debug)]
struct Listing<'a> {
    prefix: &'a str,
    delimiter: Option<&'a str>,
    /// The rolled-up prefix after which the listing continues.
    passed_over: Option<&'a str>,
    limit: usize,
}

impl Listing<'_> {
    /// `walk` gives what has the prefix in its order: from the beginning of the
    /// page, or from behind all keys that begin with a text.
    fn page<T, W>(&self, walk: impl Fn(Option<&str>) -> W) -> Result<Delimited<T>>
    where
        W: Iterator<Item = Result<(ObjectKey, T)>>,
    {
        let mut page = Page {
            entries: Vec::new(),
            truncated: false,
        };
        if self.limit == 0 {
            return Ok(page);
        }
        let mut behind: Option<String> = None;
        // Each turn begins after a rolled-up prefix.
        'seek: loop {
            for item in walk(behind.as_deref()) {
                let (key, item) = item?;
                let rolled_up = self.rolled_up(key.as_str());
                let passed_over = rolled_up.is_some() && rolled_up == self.passed_over;
                if !passed_over && page.entries.len() == self.limit {
                    page.truncated = true;
                    return Ok(page);
                }
                let Some(prefix) = rolled_up else {
                    page.entries.push(Entry::Item(item));
                    continue;
                };
                behind = Some(prefix.to_owned());
                if !passed_over {
                    page.entries.push(Entry::Prefix(prefix.to_owned()));
                }
                continue 'seek;
            }
            return Ok(page);
        }
    }

    fn rolled_up<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.delimiter?;
        let rest = key.strip_prefix(self.prefix)?;
        let at = rest.find(delimiter)? + self.prefix.len() + delimiter.len();
        key.get(..at)
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
