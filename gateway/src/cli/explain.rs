//! `sluice explain`: why a request was answered as it was, or would be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args as ClapArgs;
use config::{Config, Overrides};
use http::{Method, StatusCode};

use super::control::Which;
use super::decision;
use super::table::Format;
use crate::decision::Record;
use crate::decision::Thing;
use crate::explain::{self, Described, Explained, Situation, Who};
use crate::serve;

/// A file with one request in it.
const FILE_LEN_MAX: u64 = 4 << 20;

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  sluice explain 5C1F0A9E3B7D2468                        a request of the running gateway, by its x-amz-request-id
  sluice explain --request put.yaml --config my.yaml     a request that is described in YAML
  curl -v … 2> said.txt; sluice explain --http said.txt --config my.yaml --principal alice

A described request has `method` and `target`, and if it matters `headers`, `principal`,
`source`, `secure`, `time`, `bucket: {owner, documents}` and `object: {owner, documents}`.")]
pub(super) struct Args {
    /// The id of a request that the running gateway answered recently
    #[arg(value_name = "REQUEST_ID", required_unless_present_any = ["request", "http"])]
    id: Option<String>,
    /// A request, described in YAML, to be decided with the configuration here
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "http", "admin"])]
    request: Option<PathBuf>,
    /// A request as a tool has seen it, such as `curl -v` or `tcpdump -A`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["id", "admin"])]
    http: Option<PathBuf>,
    /// Who asks, instead of who signed: an account, or `anonymous`
    #[arg(long, value_name = "ID", conflicts_with = "id")]
    principal: Option<String>,
    /// Who owns the bucket of a captured request
    #[arg(long, value_name = "ID", requires = "http")]
    bucket_owner: Option<String>,
    /// Who owns the object of a captured request
    #[arg(long, value_name = "ID", requires = "http")]
    object_owner: Option<String>,
    #[command(flatten)]
    which: Which,
    /// How to tell it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args) -> ExitCode {
    match tell(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(format_args!("sluice explain: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(args: &Args) -> Result<(), String> {
    if let Some(id) = &args.id {
        let record = recorded(&args.which, id)?;
        args.format
            .report(&record, |record| decision::tell(record, &[]));
        return Ok(());
    }
    let mut situation = match (&args.request, &args.http) {
        (Some(path), _) => explain::read_file(&text(path)?).map_err(of(path))?,
        (None, Some(path)) => explain::read_capture(&text(path)?).map_err(of(path))?,
        (None, None) => {
            return Err("name a request id, or a file with --request or --http".to_owned());
        }
    };
    if let Some(id) = &args.principal {
        situation.who = Who::Principal(id.clone());
    }
    let there = |owner: &Option<String>| {
        let owner = owner.clone()?;
        Some(Described::There(Thing {
            owner,
            ..Thing::default()
        }))
    };
    situation.bucket = there(&args.bucket_owner).or(situation.bucket);
    situation.object = there(&args.object_owner).or(situation.object);
    let explained = decided(&situation, &args.which)?;
    args.format.report(&explained, |explained| {
        decision::tell(&explained.record, &explained.notes)
    });
    Ok(())
}

/// Asks the running gateway.
fn recorded(which: &Which, id: &str) -> Result<Record, String> {
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Err(format!(
            "{id:?} is not the id of a request: the header x-amz-request-id of an answer has 16 hexadecimal digits, \
             and a file with a request is named by --request or --http"
        ));
    }
    let path = format!("/decisions/{}", id.to_ascii_uppercase());
    let (status, body) = which.ask(Method::GET, &path, None)?;
    match status {
        StatusCode::OK => serde_json::from_slice(&body)
            .map_err(|error| format!("the gateway speaks of decisions in another way ({error}); use the `sluice` that it was started from")),
        StatusCode::NOT_FOUND => Err(String::from_utf8_lossy(&body).trim_end().to_owned()),
        other => Err(format!("the gateway answered {other}: {}", String::from_utf8_lossy(&body))),
    }
}

/// Decides here, with the plugins of the configuration.
fn decided(situation: &Situation, which: &Which) -> Result<Explained, String> {
    let config = match which.config() {
        Some(path) => Config::load(path),
        None => Config::embedded(&Overrides::default()),
    };
    let config = config.map_err(|report| report.to_string())?;
    let time = situation.time.map_or(host::Time::Real, host::Time::At);
    let (chain, accounts) = serve::trial(&config, time).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let directory = Arc::clone(&accounts);
    runtime.block_on(explain::explain(situation, &config, &chain, &*directory))
}

fn text(path: &Path) -> Result<String, String> {
    let len = fs::metadata(path)
        .map_err(|error| of(path)(error.to_string()))?
        .len();
    if len > FILE_LEN_MAX {
        return Err(of(path)("it is too large to be one request".to_owned()));
    }
    let bytes = fs::read(path).map_err(|error| of(path)(error.to_string()))?;
    // A dump of packets has anything in it.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn of(path: &Path) -> impl Fn(String) -> String {
    move |error| format!("{}: {error}", path.display())
}
