//! Refuses uploads whose keys have the wrong ending.

use sluice_plugin::prelude::*;

/// Uploads have this ending.
#[derive(Debug, Settings)]
pub struct MyPlugin {
    /// What the key of an upload must end with.
    #[setting(min_len = 1)]
    ending: String,
}

#[plugin(operations = [PutObject, CreateMultipartUpload])]
impl Plugin for MyPlugin {
    fn authorize(&self, _request: &Request, access: &Access) -> Vote {
        match access.key() {
            Some(key) if !key.ends_with(&self.ending) => {
                deny(AccessDenied).because(format!("a key must end with `{}`", self.ending))
            }
            _ => Vote::Abstain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_come_out_as_written() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        sluice_plugin::testing::cases::check_native::<MyPlugin>(&folder);
    }
}
