//! What the chain costs the whole gateway: the rate of small reads with the
//! default chain, against the same gateway that asks no plugin.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use config::Config;

use super::client::{Credentials, Load, Target};
use super::policies::{DEFAULT, Policies};
use super::{BoxError, Effort, Report};
use crate::serve::{self, Running, StartError};

const CLIENTS: usize = 16;
const OBJECT_LEN: usize = 4 << 10;
/// Each of the gateways is measured so often, in turns, so that a noisy moment
/// of the machine does not fall on one of them only.
const ROUNDS: usize = 5;

pub(super) async fn measure(
    effort: Effort,
    folder: &Path,
    report: &mut Report,
) -> Result<(), BoxError> {
    let credentials = Credentials::bench();
    let policies = Policies::new(folder, &credentials)?;
    upload(&policies, &credentials).await?;
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (kind, rates) in rates.iter_mut().enumerate() {
            let instances = if kind == 2 { "reuse" } else { "fresh" };
            let config = policies.config(DEFAULT, instances)?;
            let running = start(&config, kind == 0).await?;
            rates.push(rate(&running, effort, &credentials).await?);
            running.stop().await;
        }
    }
    let [open, fresh, reused] = rates.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        rates.get(ROUNDS / 2).copied().unwrap_or_default()
    });
    report.add("chain.get_4k_without", open, "ops/s", None);
    report.add(
        "chain.get_4k_fresh",
        fresh,
        "ops/s",
        Some("chain.get_4k_without"),
    );
    report.add(
        "chain.get_4k_reused",
        reused,
        "ops/s",
        Some("chain.get_4k_without"),
    );
    report.add("chain.get_4k_throughput_ratio", fresh / open, "", None);
    report.add(
        "chain.get_4k_throughput_ratio_reused",
        reused / open,
        "",
        None,
    );
    Ok(())
}

/// Makes the object that is read. Where no plugin is asked, nobody is known who
/// could own it.
async fn upload(policies: &Policies, credentials: &Credentials) -> Result<(), BoxError> {
    let running = start(&policies.config(DEFAULT, "fresh")?, false).await?;
    let address = address(&running)?;
    let put = |path, len| {
        let put = Target::put(path, Bytes::from(vec![11; len]));
        put.at_once().signed(credentials)
    };
    put("/bench", 0).send(address).await?;
    put("/bench/4k", OBJECT_LEN).send(address).await?;
    running.stop().await;
    Ok(())
}

/// A gateway on the drives that the one before it may be about to let go of.
async fn start(config: &Config, open: bool) -> Result<Running, BoxError> {
    const TRIES: usize = 100;
    const PAUSE: Duration = Duration::from_millis(50);
    let mut tries = 0;
    loop {
        let started = match open {
            true => serve::start_open(config).await,
            false => serve::start(config).await,
        };
        match started {
            Err(StartError::Store(_)) if tries < TRIES => tokio::time::sleep(PAUSE).await,
            started => return Ok(started?),
        }
        tries += 1;
    }
}

fn address(running: &Running) -> Result<SocketAddr, BoxError> {
    let first = running.addresses.first();
    Ok(*first.ok_or("the gateway has no listener")?)
}

/// Reads from one gateway.
async fn rate(
    running: &Running,
    effort: Effort,
    credentials: &Credentials,
) -> Result<f64, BoxError> {
    let load = Load {
        address: address(running)?,
        clients: CLIENTS,
        size: OBJECT_LEN,
        effort,
    };
    let get = load
        .run(&Target::get("/bench/4k").signed(credentials))
        .await?;
    Ok(get.value())
}
