//! What is written stays for a while. An upload must say `If-None-Match: *`, so
//! that the store itself refuses to overwrite, whoever else writes at the same
//! time; and what was written less than the window ago is not deleted. Grants:
//! documents, clock.
//!
//! A deletion is decided on the object as it was when the request came. One that
//! waits while the object is deleted and written anew deletes the new one.

use std::time::Duration;

use sluice_plugin::prelude::*;

/// Objects are written once, and not deleted for a while.
#[derive(Debug, Settings)]
pub struct WriteOnce {
    /// How long an object cannot be deleted.
    #[setting(min = "1s")]
    window: Duration,
}

/// When the object was written, in milliseconds since the Unix epoch.
const WRITTEN: &str = "written";

#[plugin(
    authorize(operations = [
        PutObject, CopyObject, PostObject, CompleteMultipartUpload, DeleteObject,
    ]),
    prepare(operations = [PutObject, CopyObject, PostObject, CompleteMultipartUpload]),
)]
impl Plugin for WriteOnce {
    fn authorize(&self, request: &Request, access: &Access) -> Vote {
        match access.action() {
            Action::PutObject => match request.header("if-none-match").as_deref() {
                Some("*") => Vote::Abstain,
                _ => deny(AccessDenied).because("objects are written once: say If-None-Match: *"),
            },
            Action::DeleteObject | Action::DeleteObjectVersion => self.allow_deletion(),
            _ => Vote::Abstain,
        }
    }

    fn prepare(&self, _request: &Request, _access: &Access) -> Result<(), Denial> {
        let now = clock::now_ms().to_string();
        documents::put(Scope::Object, WRITTEN, now.as_bytes());
        Ok(())
    }
}

impl WriteOnce {
    /// Every key of DeleteObjects comes here, too, with its own document.
    fn allow_deletion(&self) -> Vote {
        let Some(written) = documents::get(Scope::Object, WRITTEN) else {
            // There is no such object, or it is older than this policy.
            return Vote::Abstain;
        };
        let written = str::from_utf8(&written)
            .ok()
            .and_then(|at| at.parse::<u64>().ok());
        let Some(written) = written else {
            return deny(AccessDenied).because("nobody knows when the object was written");
        };
        // Of a clock that was set back, the age is nothing.
        let age = Duration::from_millis(clock::now_ms().saturating_sub(written));
        if age >= self.window {
            return Vote::Abstain;
        }
        let rest_s = (self.window - age).as_secs().saturating_add(1);
        deny(AccessDenied).because(format!(
            "the object cannot be deleted for another {rest_s}s"
        ))
    }
}
