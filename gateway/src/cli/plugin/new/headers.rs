//! Adds a header to every response.

use sluice_plugin::prelude::*;

/// Responses say this.
#[derive(Debug, Settings)]
pub struct MyPlugin {
    /// The name of the header.
    #[setting(default = "x-served-by")]
    name: String,
    /// Its value.
    #[setting(min_len = 1)]
    value: String,
}

#[plugin]
impl Plugin for MyPlugin {
    fn respond(&self, _request: &Request, _status: u16) -> Vec<(String, String)> {
        vec![(self.name.clone(), self.value.clone())]
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
