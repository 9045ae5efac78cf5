//! The whole gateway over loopback, with its default chain.

use std::path::Path;

use bytes::Bytes;
use config::{Config, Overrides};

use super::client::{Credentials, Load, Target};
use super::storage::disk_floor;
use super::{BoxError, CLIENTS, Effort, Report, SIZES};
use crate::serve;

pub(super) async fn measure(
    effort: Effort,
    folder: &Path,
    report: &mut Report,
) -> Result<(), BoxError> {
    let credentials = Credentials::bench();
    let mut config = Config::embedded(&Overrides {
        data: Some(folder.join("s3")),
        listen: Some("127.0.0.1:0".parse()?),
        ..credentials.overrides()
    })?;
    config.admin = None;
    let running = serve::start(&config).await?;
    let address = *running
        .addresses
        .first()
        .ok_or("the gateway has no listener")?;

    let load = |clients, size| Load {
        address,
        clients,
        size,
        effort,
    };
    let create = Target::put("/bench", Bytes::new())
        .at_once()
        .signed(&credentials);
    create.send(address).await?;
    for size in SIZES {
        let body = Bytes::from(vec![11; size.bytes]);
        let path = format!("/bench/{}", size.name);
        for clients in CLIENTS {
            let put = load(clients, size.bytes)
                .run(&Target::put(&path, body.clone()).signed(&credentials))
                .await?;
            let name = format!("s3.put_{}.c{clients}", size.name);
            report.add(
                name,
                put.value(),
                put.unit(),
                Some(&disk_floor(size, clients)),
            );
        }
        for clients in CLIENTS {
            let get = load(clients, size.bytes)
                .run(&Target::get(&format!("{path}-0")).signed(&credentials))
                .await?;
            let floor = format!("floor.hyper_{}.c{clients}", size.name);
            report.add(
                format!("s3.get_{}.c{clients}", size.name),
                get.value(),
                get.unit(),
                Some(&floor),
            );
        }
    }
    running.stop().await;
    Ok(())
}
