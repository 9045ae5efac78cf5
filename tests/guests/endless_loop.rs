//! A guest that never returns, from any export or from `start`.

use std::sync::Arc;
use std::time::Duration;

use host::{Chain, Limits};
use http::StatusCode;
use rustix::time::{ClockId, clock_gettime};
use s3::Operation;

use crate::guest::{self, Guest, Image, LOOP, People, chain, code, facts, resource};
use crate::support::CPU;

#[test]
fn it_is_stopped_in_every_phase() {
    let endless = |_: &mut Image| LOOP.to_owned();
    let guest = Guest::new()
        .limits(|limits: &mut Limits| limits.cpu = CPU)
        .authenticate(endless)
        .authorize(endless)
        .prepare(endless)
        .respond(endless)
        .serve(Operation::GetBucketCors, endless);
    let chain = chain(&[guest]);
    let cors = facts("GET", "/prod-a?cors");
    let about = resource(&cors);
    let began = thread_time();
    let begin = || chain.begin(cors.clone());
    assert_eq!(code(&begin().authenticate()), "timeout");
    assert_eq!(code(&begin().authorize(&about)), "timeout");
    assert_eq!(code(&begin().prepare(&about)), "timeout");
    assert_eq!(code(&begin().serve(&about, "".into())), "timeout");
    assert!(begin().respond(StatusCode::OK).is_empty());
    // Five times 5 ms, and what it takes to start them. The clock of this thread
    // does not run while the machine does other things.
    let spent = thread_time() - began;
    assert!(spent < Duration::from_millis(250), "{spent:?}");
}

#[test]
fn it_is_stopped_before_the_first_phase_as_well() {
    let host = guest::host();
    for guest in [
        Guest::new().describe(LOOP),
        Guest::new().start("(loop (br 0))"),
    ] {
        let error = host.load(guest.source()).unwrap_err().to_string();
        assert!(error.contains("timeout"), "{error}");
    }
    let step = Guest::new().configure(|_| LOOP.to_owned()).step(host);
    let errors = Chain::new(vec![step], Arc::new(People)).unwrap_err();
    assert!(errors[0].to_string().contains("timeout"), "{errors:?}");
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("no time before it began")
}
