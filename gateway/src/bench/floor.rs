//! What the machine allows: the raw disk, and hyper without a gateway behind it.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::client::{Load, Target};
use super::{BoxError, CLIENTS, Effort, Report, SIZES};

const BLOCK: usize = 4 << 10;
/// Written whole before it is measured, as the segments of a log are.
const FILE_LEN: usize = 16 << 20;
const SEQUENTIAL_LEN: usize = 512 << 20;

/// Synced writes of 4 KiB by some threads, each in a file of its own, and one
/// sequential write.
pub(super) fn disk(effort: Effort, folder: &Path, report: &mut Report) -> io::Result<()> {
    for threads in CLIENTS {
        let rates: Vec<io::Result<f64>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|number| {
                    let path = folder.join(format!("floor-{number}"));
                    scope.spawn(move || synced_writes_per_second(&path, effort))
                })
                .collect();
            let panicked = |_| Err(io::Error::other("a thread of the benchmark panicked"));
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(panicked))
                .collect()
        });
        let rate: f64 = rates.into_iter().sum::<io::Result<f64>>()?;
        report.add(
            format!("floor.disk_sync_4k.c{threads}"),
            rate,
            "ops/s",
            None,
        );
    }
    let mib_per_second = sequential_write(&folder.join("floor-sequential"))?;
    report.add("floor.disk_write", mib_per_second, "MiB/s", None);
    Ok(())
}

fn synced_writes_per_second(path: &Path, effort: Effort) -> io::Result<f64> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path)?;
    file.write_all_at(&vec![1; FILE_LEN], 0)?;
    file.sync_all()?;
    let (block, started) = ([7; BLOCK], Instant::now());
    let mut count = 0_u64;
    while started.elapsed() < effort.duration {
        file.write_all_at(&block, (count * BLOCK as u64) % FILE_LEN as u64)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

fn sequential_write(path: &Path) -> io::Result<f64> {
    let chunk = vec![3; 1 << 20];
    let mut file = File::create(path)?;
    let started = Instant::now();
    for _ in 0..SEQUENTIAL_LEN / chunk.len() {
        file.write_all(&chunk)?;
    }
    file.sync_data()?;
    let rate = (SEQUENTIAL_LEN >> 20) as f64 / started.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// A server that answers the same bytes and does nothing else.
pub(super) async fn hyper(effort: Effort, report: &mut Report) -> Result<(), BoxError> {
    for size in SIZES {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let body = Bytes::from(vec![5; size.bytes]);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let body = body.clone();
                let service = service_fn(move |_| {
                    let response = Response::new(Full::new(body.clone()));
                    async move { Ok::<_, Infallible>(response) }
                });
                let _ = stream.set_nodelay(true);
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        for clients in CLIENTS {
            let load = Load {
                address,
                clients,
                size: size.bytes,
                effort,
            };
            let rate = load.run(&Target::get("/")).await?;
            report.add(
                format!("floor.hyper_{}.c{clients}", size.name),
                rate.value(),
                rate.unit(),
                None,
            );
        }
        server.abort();
    }
    Ok(())
}
