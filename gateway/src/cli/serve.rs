//! `sluice serve`.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use config::{Config, Overrides, Reference, Secret};
use tokio::signal::unix::{SignalKind, signal};

use crate::credentials;
use crate::reload::Trigger;
use crate::serve::{self, Running, StartError};

const ROOT_SECRET_KEY: &str = "SLUICE_ROOT_SECRET_KEY";

#[derive(Debug, Default, ClapArgs)]
pub(super) struct Args {
    /// The configuration; without it, an embedded default is used (`config/examples/default.yaml` is its text)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Listen here instead of at the address of the first listener
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Answer health and metrics here instead of at the configured address
    #[arg(long, value_name = "ADDR")]
    admin: Option<SocketAddr>,
    /// Keep everything below this folder instead of the configured one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Do not reload when the configuration, a plugin or a key file changes; SIGHUP and `sluice reload` still do
    #[arg(long)]
    no_watch: bool,
    /// The access key of the first account, instead of the configured or generated one
    #[arg(
        long,
        value_name = "KEY",
        env = "SLUICE_ROOT_ACCESS_KEY",
        requires = "root_secret_key"
    )]
    root_access_key: Option<String>,
    /// The secret key that goes with it; better given in the environment
    #[arg(
        long,
        value_name = "KEY",
        env = ROOT_SECRET_KEY,
        hide_env_values = true,
        requires = "root_access_key"
    )]
    root_secret_key: Option<String>,
}

pub(super) fn run(args: Args) -> ExitCode {
    super::init_log();
    let served = tokio::runtime::Runtime::new()
        .map_err(StartError::from)
        .and_then(|runtime| runtime.block_on(serve(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            super::complain(format_args!("sluice: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<(), StartError> {
    let overrides = Overrides {
        data: args.data,
        listen: args.listen,
        admin: args.admin,
        access_key: args.root_access_key.map(Secret::new),
        secret_key: args.root_secret_key.map(Secret::new),
    };
    let config = match &args.config {
        Some(path) => Config::load_with(path, &overrides)?,
        None => Config::embedded(&overrides)?,
    };
    let made = match config.generated_key() {
        // Where one of them is there, the other one is missed, not made.
        Some((access_key, secret_key)) if !access_key.exists() && !secret_key.exists() => {
            credentials::ensure(access_key, secret_key)?
        }
        _ => false,
    };
    // Signals are caught from before the first request on.
    let (mut interrupt, mut terminate, mut hang_up) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    let running = serve::start(&config).await?;
    super::say(banner(&config, &running, made));
    if !args.no_watch {
        running.reloader().watch()?;
    }

    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            // What comes of it is in the log.
            _ = hang_up.recv() => drop(running.reloader().request(Trigger::Signal)),
        }
    }
    tracing::info!("draining: requests that have begun are finished");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// What a person needs to begin: where it is, the credentials, a command to paste.
fn banner(config: &Config, running: &Running, made: bool) -> String {
    let mut text = format!("sluice {} serves S3\n", env!("CARGO_PKG_VERSION"));
    for (listener, address) in config.listeners.iter().zip(&running.addresses) {
        let scheme = if listener.tls.is_some() {
            "https"
        } else {
            "http"
        };
        text.push_str(&format!("  endpoint    {scheme}://{address}\n"));
    }
    if let Some(admin) = running.admin {
        text.push_str(&format!(
            "  private     http://{admin} /health/live /health/ready /metrics /status\n"
        ));
    }
    let key = config
        .accounts
        .first()
        .and_then(|account| account.keys.first());
    let credential = config
        .credentials()
        .ok()
        .and_then(|all| all.into_iter().next());
    if let (Some(key), Some(credential)) = (key, credential) {
        let secret = match &key.secret_key {
            Reference::File(path) if made => {
                text.push_str(&format!(
                    "  secret key  {} (shown once; kept in {})\n",
                    credential.secret_key.expose(),
                    path.display()
                ));
                credential.secret_key.expose().to_owned()
            }
            Reference::File(path) => format!("\"$(cat {})\"", quoted(path)),
            Reference::Env(name) => format!("\"${name}\""),
            Reference::Literal(secret) if in_environment(secret) => {
                format!("\"${ROOT_SECRET_KEY}\"")
            }
            Reference::Literal(_) => "…".to_owned(),
        };
        text.push_str(&format!("  access key  {}\n", credential.access_key));
        text.push_str(&command_line(
            config,
            running,
            &credential.access_key,
            &secret,
        ));
    }
    text
}

fn in_environment(secret: &Secret) -> bool {
    env::var(ROOT_SECRET_KEY).is_ok_and(|given| given == secret.expose())
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn command_line(config: &Config, running: &Running, access_key: &str, secret: &str) -> String {
    let (Some(listener), Some(address)) = (config.listeners.first(), running.addresses.first())
    else {
        return String::new();
    };
    let scheme = if listener.tls.is_some() {
        "https"
    } else {
        "http"
    };
    format!(
        "\nTry it:\n  AWS_ACCESS_KEY_ID={access_key} AWS_SECRET_ACCESS_KEY={secret} AWS_DEFAULT_REGION={} \
         aws --endpoint-url {scheme}://{address} s3 mb s3://my-bucket\n",
        config.region
    )
}
