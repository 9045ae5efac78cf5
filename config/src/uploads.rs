//! What becomes of multipart uploads that nobody finishes.

use std::time::Duration;

use crate::read::{Valid, Value};

pub(crate) const UPLOADS_KEYS: &[&str] = &["expire_after"];

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uploads {
    /// How long after its beginning an upload is aborted; `None` for never.
    pub expire_after: Option<Duration>,
}

pub(crate) fn uploads(value: &Value<'_>) -> Valid<Uploads> {
    let fields = value.fields(UPLOADS_KEYS)?;
    let expire_after = fields.or("expire_after", None, |value| match value.as_text() {
        Some("never") => Ok(None),
        _ => value.duration(SECOND..=YEAR).map(Some),
    });
    Ok(Uploads {
        expire_after: expire_after?,
    })
}
