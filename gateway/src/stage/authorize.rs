//! authorize: plugins decide on every access of the operation, one by one.

use host::Run;

use crate::error::Result;
use crate::stage::Loaded;

/// A request all of whose accesses are allowed.
pub(crate) struct Authorized {
    pub(super) loaded: Loaded,
}

pub(crate) fn authorize(loaded: Loaded, run: &mut Run) -> Result<Authorized> {
    for access in &*loaded.scene.accesses {
        run.authorize(access)?;
    }
    Ok(Authorized { loaded })
}
