//! A process that is killed at any moment: what it acknowledged is there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use storage::{Error, Precondition, Store, Versioning};

use super::support::{Bench, bucket, create_bucket, get, key, options, pattern, put};
use crate::Engine;

const DIR: &str = "SLUICE_TEST_CRASH_DIR";
const WRITERS: u64 = 8;
const SIZES: [usize; 4] = [100, 20_000, 400_000, 1_500_000];

fn content(name: &str, round: u64) -> Bytes {
    let seed = name.bytes().fold(round, |seed, byte| {
        seed.wrapping_mul(31).wrapping_add(byte.into())
    });
    pattern(SIZES[(round % 4) as usize], seed)
}

/// What the child does until it is killed. In an ordinary run it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_that_is_killed() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let store = Engine::open(&options(dir.as_ref(), 4, 2)).unwrap();
    let writers = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer)));
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn write(store: Arc<Engine>, writer: u64) {
    for round in 0.. {
        let name = format!("{writer}/{}", round % 5);
        say(&format!("begin {name} {round}"));
        if round % 7 == 6 {
            let none = Precondition::None;
            let deleted = store
                .delete(&bucket(&*store).await, &key(&name), None, none)
                .await;
            deleted.unwrap();
            say(&format!("deleted {name} {round}"));
        } else {
            put(&*store, &name, &content(&name, round)).await.unwrap();
            say(&format!("put {name} {round}"));
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

/// What is known of a key: its last acknowledged state, and one that may be.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    acknowledged: Option<u64>,
    begun: Option<u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let bench = Bench::new(4, 2);
    let store = bench.open();
    create_bucket(&*store).await;
    drop(store);
    for (number, wait_ms) in [700, 300, 1100].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "tests::crash::a_writer_that_is_killed",
            ])
            .env(DIR, bench.dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            let mut known = std::collections::BTreeMap::<String, Known>::new();
            for line in output.lines().map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                let [what, name, round] = words[..] else {
                    continue;
                };
                let Ok(round) = round.parse() else { continue };
                let known = known.entry(name.to_owned()).or_default();
                match what {
                    "begin" => known.begun = Some(round),
                    "put" | "deleted" => known.acknowledged = Some(round),
                    _ => {}
                }
            }
            known
        });
        tokio::time::sleep(Duration::from_millis(wait_ms + 1500)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let known = reader.join().unwrap();
        assert!(known.len() > 3, "the child wrote something: {known:?}");
        if number == 1 {
            bench.lose_index();
        }
        let store = bench.open();
        for (name, known) in known {
            let read = match get(&*store, &name).await {
                Ok(bytes) => Some(bytes),
                Err(Error::ObjectMissing | Error::Marker(_)) => None,
                Err(error) => panic!("{name}: {error}"),
            };
            let state = |round: u64| (round % 7 != 6).then(|| content(&name, round));
            let possible = known.acknowledged.into_iter().chain(known.begun);
            let before = known.acknowledged.is_none();
            assert!(
                before || possible.into_iter().any(|round| state(round) == read),
                "{name}: {known:?}, read {:?}",
                read.map(|bytes| bytes.len())
            );
        }
        // The next writers keep versions.
        let versioning = match number {
            0 => Versioning::Enabled,
            _ => Versioning::Suspended,
        };
        let set = store
            .set_versioning(&bucket(&*store).await, versioning)
            .await;
        assert_eq!(set.unwrap().versioning, versioning);
        drop(store);
    }
}
