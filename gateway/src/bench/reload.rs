//! Reloading a large configuration whose code is known: what an operator waits
//! for who changes a setting.

use std::fs;
use std::path::Path;
use std::time::Instant;

use config::Config;

use super::{BoxError, Effort, Report};
use crate::builtin;
use crate::reload::Trigger;
use crate::serve;

const MODULES: usize = 10;
const USES: usize = 50;

pub(super) async fn measure(
    effort: Effort,
    folder: &Path,
    report: &mut Report,
) -> Result<(), BoxError> {
    let folder = folder.join("reload");
    let config = write(&folder)?;
    let running = serve::start(&config).await?;
    let mut millis = Vec::new();
    let began = Instant::now();
    while began.elapsed() < effort.duration || millis.is_empty() {
        let reloaded = running.reloader().reload(Trigger::Request).await?;
        millis.push(reloaded.took.as_secs_f64() * 1e3);
    }
    running.stop().await;
    millis.sort_by(f64::total_cmp);
    let median = millis
        .get(millis.len() / 2)
        .ok_or("no reload was measured")?;
    report.add("chain.reload_ms", *median, "ms", None);
    Ok(())
}

/// The bundled plugins, each in several files with different code, and many
/// uses of them. Those beyond the first of each are in shadow, because an
/// operation has one plugin that serves it.
fn write(folder: &Path) -> Result<Config, BoxError> {
    fs::create_dir_all(folder)?;
    let mut text = "version: 1
listeners: [{address: 127.0.0.1:0}]
storage: {data: ., sets: [{drives: [a, b], data_shards: 1, parity_shards: 1}]}
accounts: [{id: bench, keys: [{access_key: BENCHKEY, secret_key: bench-secret}]}]
plugins:
"
    .to_owned();
    let bundled: Vec<_> = builtin::names().collect();
    for module in 0..MODULES {
        let (name, index) = named(&bundled, module)?;
        let component = builtin::component(name).ok_or("a bundled plugin has a component")?;
        let mut component = component.to_vec();
        // A custom section that nobody reads: other code, which does the same.
        component.extend([0, 2, 1, index]);
        fs::write(folder.join(format!("{name}-{index}.wasm")), component)?;
        let grants = "[identity, clock, documents, directory, placement, metering]";
        text.push_str(&format!(
            "  {name}-{index}: {{source: 'file:{name}-{index}.wasm', grants: {grants}}}\n"
        ));
    }
    text.push_str("chain:\n");
    for used in 0..USES {
        let (name, index) = named(&bundled, used % MODULES)?;
        let mode = match used < bundled.len() {
            true => "enforce",
            false => "shadow",
        };
        text.push_str(&format!("  - {{use: {name}-{index}, mode: {mode}}}\n"));
    }
    let file = folder.join("sluice.yaml");
    fs::write(&file, text)?;
    Ok(Config::load(&file)?)
}

/// The bundled plugin that a module is, and which one of it.
fn named<'a>(bundled: &[&'a str], module: usize) -> Result<(&'a str, u8), BoxError> {
    let name = bundled
        .get(module % bundled.len())
        .ok_or("there is a bundled plugin")?;
    Ok((name, u8::try_from(module / bundled.len())?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_configuration_that_is_measured_can_be_reloaded() {
        let folder = tempfile::tempdir().unwrap();
        let effort = Effort {
            duration: Duration::ZERO,
        };
        let mut report = Report::default();
        measure(effort, folder.path(), &mut report).await.unwrap();
        assert!(report.to_json().unwrap().contains("chain.reload_ms"));
    }
}
