//! The order of the versions of a key by age. The newest is found at once, and
//! each version knows those next to it: a change never seeks, so that what was
//! removed before it does not lie in its way.
//!
//! The newest version is shown as current, or hides the key where it is a delete
//! marker; all others are shown as past ones.

use storage::{BucketName, ObjectKey, Result};

use crate::index::{Rows, Space, View};
use crate::keys;
use crate::record::{
    Links, Version, decode_links, decode_place, encode_links, encode_past, encode_place,
    encode_summary, id_of_summary, past_of_summary, summary_of_past,
};

/// The place in time of the newest version of a key.
pub(crate) fn newest(
    rows: &impl Rows,
    bucket: &BucketName,
    key: &ObjectKey,
) -> Result<Option<u128>> {
    let current = keys::current(bucket, key);
    match rows.find(Space::Current, &current, id_of_summary)? {
        Some(id) => Ok(Some(id)),
        None => rows.find(Space::Hidden, &keys::of_key(bucket, key), decode_place),
    }
}

/// Takes in a version that is new in the order.
pub(crate) fn enter(bucket: &BucketName, version: &Version, view: &mut View<'_>) -> Result<()> {
    let (key, id) = (version.key(), version.id());
    let mut newer = None;
    let mut older = newest(view, bucket, key)?;
    // Only a record that is taken in again meets newer versions.
    while let Some(other) = older.filter(|other| *other > id) {
        newer = Some(other);
        older = links(view, bucket, key, other)?.older;
    }
    relink(bucket, key, id, view, |links| {
        *links = Links { newer, older };
    })?;
    if let Some(newer) = newer {
        relink(bucket, key, newer, view, |links| links.older = Some(id))?;
    }
    if let Some(older) = older {
        relink(bucket, key, older, view, |links| links.newer = Some(id))?;
    }
    if let (None, Some(outdone)) = (newer, older) {
        demote(bucket, key, outdone, view)?;
    }
    show(bucket, version, newer.is_none(), view);
    Ok(())
}

/// Shows a version, which is in the order, as it is now.
pub(crate) fn renew(bucket: &BucketName, version: &Version, view: &mut View<'_>) -> Result<()> {
    let newest = newest(view, bucket, version.key())?;
    show(bucket, version, newest == Some(version.id()), view);
    Ok(())
}

/// Takes a version out of the order. If it was the newest, the next one is now.
pub(crate) fn leave(
    bucket: &BucketName,
    key: &ObjectKey,
    id: u128,
    view: &mut View<'_>,
) -> Result<()> {
    let Links { newer, older } = links(view, bucket, key, id)?;
    relink(bucket, key, id, view, |links| *links = Links::default())?;
    if let Some(newer) = newer {
        relink(bucket, key, newer, view, |links| links.older = older)?;
    }
    if let Some(older) = older {
        relink(bucket, key, older, view, |links| links.newer = newer)?;
    }
    let current = keys::current(bucket, key);
    if newer.is_some() {
        view.remove(Space::Past, keys::past(bucket, key, id));
        return Ok(());
    }
    if view.get(Space::Current, &current)?.is_some() {
        view.remove(Space::Current, current);
    } else {
        view.remove(Space::Hidden, keys::of_key(bucket, key));
        view.remove(Space::Past, keys::past(bucket, key, id));
    }
    match older {
        Some(older) => promote(bucket, key, older, view),
        None => Ok(()),
    }
}

fn show(bucket: &BucketName, version: &Version, newest: bool, view: &mut View<'_>) {
    let (key, id) = (version.key(), version.id());
    if newest && let Version::Object(object) = version {
        let current = keys::current(bucket, key);
        view.put(Space::Current, current, encode_summary(object));
        return;
    }
    if newest {
        let hidden = keys::of_key(bucket, key);
        view.put(Space::Hidden, hidden, encode_place(&id));
    }
    let past = keys::past(bucket, key, id);
    view.put(Space::Past, past, encode_past(version));
}

/// The newest becomes a past version.
fn demote(bucket: &BucketName, key: &ObjectKey, id: u128, view: &mut View<'_>) -> Result<()> {
    let current = keys::current(bucket, key);
    match view.get(Space::Current, &current)? {
        Some(summary) => {
            let past = keys::past(bucket, key, id);
            view.put(Space::Past, past, past_of_summary(&summary));
            view.remove(Space::Current, current);
        }
        None => view.remove(Space::Hidden, keys::of_key(bucket, key)),
    }
    Ok(())
}

/// A past version becomes the newest.
fn promote(bucket: &BucketName, key: &ObjectKey, id: u128, view: &mut View<'_>) -> Result<()> {
    let past = keys::past(bucket, key, id);
    let shown = view.get(Space::Past, &past)?;
    match shown.as_deref().and_then(summary_of_past) {
        Some(summary) => {
            view.put(Space::Current, keys::current(bucket, key), summary.to_vec());
            view.remove(Space::Past, past);
        }
        None => view.put(Space::Hidden, keys::of_key(bucket, key), encode_place(&id)),
    }
    Ok(())
}

fn links(view: &View<'_>, bucket: &BucketName, key: &ObjectKey, id: u128) -> Result<Links> {
    let links = view.find(Space::Links, &keys::past(bucket, key, id), decode_links)?;
    Ok(links.unwrap_or_default())
}

/// A version that is alone has no links, which spares most keys the row.
fn relink(
    bucket: &BucketName,
    key: &ObjectKey,
    id: u128,
    view: &mut View<'_>,
    change: impl FnOnce(&mut Links),
) -> Result<()> {
    let before = links(view, bucket, key, id)?;
    let mut after = before;
    change(&mut after);
    let name = keys::past(bucket, key, id);
    if after == before {
        return Ok(());
    }
    match after == Links::default() {
        true => view.remove(Space::Links, name),
        false => view.put(Space::Links, name, encode_links(&after)),
    }
    Ok(())
}
