//! The engine behaves like every other store.

use std::sync::Mutex;

use storage::Store;

use super::support::Bench;

async fn conforms(data: u8, parity: u8) {
    let benches = Mutex::new(Vec::new());
    storage::conformance::run(async || {
        let bench = Bench::new(data, parity);
        let store: std::sync::Arc<dyn Store> = bench.open();
        benches.lock().unwrap().push(bench);
        store
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_four_and_two_drives_passes_the_suite() {
    conforms(4, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_two_and_one_drives_passes_the_suite() {
    conforms(2, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_one_drive_passes_the_suite() {
    conforms(1, 0).await;
}
