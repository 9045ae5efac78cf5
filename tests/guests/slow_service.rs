//! A guest that waits for a service that never answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use host::{BaseUrl, Endpoint, Grant, Host, Outbound, Outgoing, Services, Settings, Unanswered};
use http::{HeaderMap, Method, Response};

use crate::guest::{Guest, chain_on, constants, decide};

const WALL: Duration = Duration::from_millis(50);

/// Waits for as long as it may.
#[derive(Debug)]
struct Silent;

impl Outbound for Silent {
    fn send(&self, _: Outgoing, deadline: Instant) -> Result<Response<Bytes>, Unanswered> {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        Err(Unanswered::Timeout)
    }
}

/// Calls, and calls again when it is told that there was no answer.
fn insisting() -> Guest {
    let endpoint = Endpoint {
        url: BaseUrl::parse("https://silent.example.com/").unwrap(),
        methods: vec![Method::GET],
        // Far more than the guest has.
        timeout: Duration::from_secs(60),
        answer_len_max: 1024,
        private_addresses: false,
        headers: HeaderMap::new(),
    };
    Guest::new()
        .services(Services {
            endpoints: BTreeMap::from([("silent".to_owned(), endpoint)]),
            ..Services::default()
        })
        .grant(Grant::Http)
        .import(
            "http",
            "fetch",
            "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)",
        )
        .authorize(|image| {
            let ([endpoint, endpoint_len], [method, method_len], [path, path_len]) =
                (image.text("silent"), image.text("GET"), image.text("x"));
            let arguments = constants([
                endpoint,
                endpoint_len,
                method,
                method_len,
                path,
                path_len,
                0,
                0,
                0,
                0,
                60000,
            ]);
            format!("(loop (call $fetch {arguments}) (br 0)) (unreachable)")
        })
        .limits(|limits| {
            // It hardly computes at all.
            limits.cpu = Duration::from_secs(60);
            limits.wall = WALL;
            limits.host_calls = u32::MAX;
        })
}

#[test]
fn a_host_call_that_waits_counts_as_its_time() {
    let settings = Settings {
        outbound: Arc::new(Silent),
        ..Settings::default()
    };
    let host = Host::new(settings).unwrap();
    let chain = chain_on(&host, &[insisting()]);
    for _ in 0..3 {
        let began = Instant::now();
        assert_eq!(decide(&chain), "timeout");
        let took = began.elapsed();
        assert!(took >= WALL, "it has its time: {took:?}");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
