//! What a plugin costs a request, in microseconds of one thread:
//! `cargo run --release -p sluice-host --example cost`.

use std::hint::black_box;
use std::time::{Duration, Instant};

#[path = "../tests/guest/mod.rs"]
mod guest;

use guest::{Guest, chain, facts, resource};
use s3::Operation;

fn main() {
    let allowing = Guest::allowing;
    let elsewhere = || Guest::new().on(host::Phase::Authorize, &[Operation::PutObject], &[]);
    let asking = || {
        let guest = allowing().import("request", "header", "(param i32 i32 i32)");
        guest.authorize(|image| {
            let [name, len] = image.text("x-amz-grant-read");
            let allow = image.allow();
            let ask =
                format!("(call $header (i32.const {name}) (i32.const {len}) (i32.const 60000))");
            format!("{} (i32.const {allow})", ask.repeat(5))
        })
    };
    for (name, guests) in [
        ("no plugin", vec![]),
        ("ten that are not concerned", vec![elsewhere(); 10]),
        ("one, fresh", vec![allowing()]),
        ("one, fresh, that reads five headers", vec![asking()]),
        ("five, fresh", vec![allowing(); 5]),
        ("one, reused", vec![allowing().reused()]),
        ("five, reused", vec![allowing().reused(); 5]),
    ] {
        let chain = chain(&guests);
        let facts = facts("GET", "/prod-a/key");
        let resource = resource(&facts);
        let mut batches: Vec<f64> = (0..50)
            .map(|_| {
                let began = Instant::now();
                for _ in 0..200 {
                    let mut run = chain.begin(facts.clone());
                    black_box(run.authorize(&resource)).ok();
                }
                began.elapsed().as_secs_f64() * 1e6 / 200.0
            })
            .collect();
        batches.sort_by(f64::total_cmp);
        println!("{:8.2} us  {name}", batches[batches.len() / 2]);
    }
    let limit = Duration::from_millis(5);
    let endless = Guest::new()
        .authorize(|_| guest::LOOP.to_owned())
        .limits(|limits| limits.cpu = limit);
    let chain = chain(&[endless]);
    let mut late: Vec<Duration> = (0..100)
        .map(|_| {
            let began = Instant::now();
            black_box(guest::decide(&chain));
            began.elapsed().saturating_sub(limit)
        })
        .collect();
    late.sort();
    let (median, most) = (late[late.len() / 2], late[late.len() - 1]);
    println!("an endless loop is stopped {median:?} late, {most:?} at most, by the wall clock");
}
