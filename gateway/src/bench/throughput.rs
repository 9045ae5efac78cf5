//! What the chain costs the whole gateway: the rate of small reads with the
//! default chain, against the same gateway that asks no plugin.

use std::path::Path;

use bytes::Bytes;

use super::client::{Credentials, Load, Rate, Target};
use super::policies::{DEFAULT, Policies};
use super::{BoxError, Effort, Report};
use crate::serve::{self, Running};

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
    let mut rates = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (kind, rates) in rates.iter_mut().enumerate() {
            let running = match kind {
                0 => serve::start_open(&policies.config(DEFAULT, "fresh")?).await?,
                1 => serve::start(&policies.config(DEFAULT, "fresh")?).await?,
                _ => serve::start(&policies.config(DEFAULT, "reuse")?).await?,
            };
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

/// Reads a second of one gateway.
async fn rate(
    running: &Running,
    effort: Effort,
    credentials: &Credentials,
) -> Result<f64, BoxError> {
    let address = *running
        .addresses
        .first()
        .ok_or("the gateway has no listener")?;
    let body = Bytes::from(vec![11; OBJECT_LEN]);
    // The bucket is there from the second round on.
    let _ = Target::put("/bench", Bytes::new())
        .at_once()
        .signed(credentials)
        .send(address)
        .await;
    let object = Target::put("/bench/4k", body).at_once().signed(credentials);
    object.send(address).await?;
    let load = Load {
        address,
        clients: CLIENTS,
        size: OBJECT_LEN,
        effort,
    };
    let get = load
        .run(&Target::get("/bench/4k").signed(credentials))
        .await?;
    match get {
        Rate::Requests(rate) | Rate::MebiBytes(rate) => Ok(rate),
    }
}
