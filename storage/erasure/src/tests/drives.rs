//! Drives that are lost, emptied, swapped, foreign, stale and back again.

use std::fs;
use std::sync::Arc;

use bytes::Bytes;
use storage::{DriveState, Error, Geometry, Store};

use super::support::{self, Bench, create_bucket, get, pattern, put};
use crate::{Engine, OpenError};

/// One size of each class, and around its borders.
const SIZES: [usize; 8] = [0, 1, 8192, 8193, 200_000, 262_145, 1_048_577, 5_000_000];

fn name(size: usize) -> String {
    format!("of/{size}")
}

fn content(size: usize) -> Bytes {
    pattern(size, size as u64)
}

async fn fill(store: &dyn Store) {
    create_bucket(store).await;
    for size in SIZES {
        put(store, &name(size), &content(size)).await.unwrap();
    }
}

async fn check(store: &dyn Store) {
    for size in SIZES {
        let read = get(store, &name(size)).await.unwrap();
        assert!(read == content(size), "{size} bytes come back as they were");
    }
}

async fn filled(data: u8, parity: u8) -> Bench {
    let bench = Bench::new(data, parity);
    let store = bench.open();
    fill(&*store).await;
    store.close().await;
    bench
}

async fn reopened(bench: &Bench) -> Arc<Engine> {
    let store = bench.open();
    check(&*store).await;
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything_with_and_without_the_index() {
    let bench = filled(4, 2).await;
    drop(reopened(&bench).await);
    bench.lose_index();
    drop(reopened(&bench).await);
    // The index is damaged in one file after the other.
    let index = bench.options.index.join("db");
    let mut files = Vec::new();
    let mut directories = vec![index];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    for path in files.into_iter().step_by(5) {
        let Ok(mut bytes) = fs::read(&path) else {
            continue;
        };
        bytes.truncate(bytes.len() / 2);
        if let Some(byte) = bytes.last_mut() {
            *byte ^= 0x40;
        }
        fs::write(&path, bytes).unwrap();
        drop(reopened(&bench).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whichever_drives_are_lost_all_is_read_and_a_quorum_writes() {
    let bench = filled(4, 2).await;
    for one in 0..6 {
        for other in one..6 {
            let lost = [one, other];
            let lost = &lost[..if one == other { 1 } else { 2 }];
            for drive in lost {
                bench.take_away(*drive);
            }
            if other % 2 == 0 {
                bench.lose_index();
            }
            let store = reopened(&bench).await;
            let written = put(&*store, "new", &content(100_000)).await;
            match lost.len() {
                1 => {
                    assert!(store.writable());
                    written.unwrap();
                    assert_eq!(get(&*store, "new").await.unwrap(), content(100_000));
                }
                _ => {
                    assert!(!store.writable());
                    assert!(matches!(
                        written,
                        Err(Error::WriteQuorumLost { have: 4, need: 5 })
                    ));
                }
            }
            let missing = store.drives().into_iter();
            let missing = missing.filter(|drive| drive.state == DriveState::Missing);
            assert_eq!(missing.count(), lost.len());
            drop(store);
            for drive in lost {
                bench.bring_back(*drive);
            }
        }
    }
    let store = reopened(&bench).await;
    assert_eq!(get(&*store, "new").await.unwrap(), content(100_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_drive_too_few_the_store_does_not_open_until_it_is_back() {
    let bench = filled(2, 1).await;
    bench.take_away(0);
    bench.take_away(2);
    match bench.try_open() {
        Err(OpenError::TooFewDrives {
            have: 1, need: 2, ..
        }) => {}
        other => panic!("{other:?}"),
    }
    bench.bring_back(2);
    drop(reopened(&bench).await);
    bench.bring_back(0);
    let store = reopened(&bench).await;
    put(&*store, "new", &content(1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_drive_is_missing_and_is_not_formatted() {
    let bench = filled(4, 2).await;
    bench.take_away(3);
    fs::create_dir(bench.drive(3)).unwrap();
    let store = reopened(&bench).await;
    assert_eq!(store.drives()[3].state, DriveState::Missing);
    assert!(fs::read_dir(bench.drive(3)).unwrap().next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_drives_are_used_as_what_they_are() {
    let bench = filled(4, 2).await;
    bench.take_away(1);
    fs::rename(bench.drive(4), bench.drive(1)).unwrap();
    bench.bring_back_as(1, 4);
    bench.lose_index();
    let store = reopened(&bench).await;
    assert!(store.writable());
    put(&*store, "new", &content(300_000)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_comes_back_stale_gives_data_and_no_authority() {
    let bench = filled(4, 2).await;
    bench.take_away(2);
    let store = bench.open();
    put(&*store, &name(1), &content(7)).await.unwrap();
    let none = storage::Precondition::None;
    let key = support::key(&name(200_000));
    let deleted = store
        .delete(&support::bucket(&*store).await, &key, None, none)
        .await;
    assert!(deleted.unwrap().version.is_some());
    drop(store);
    bench.bring_back(2);
    for lost in [0, 1] {
        bench.lose_index();
        bench.take_away(lost);
        let store = bench.open();
        assert_eq!(get(&*store, &name(1)).await.unwrap(), content(7));
        let gone = get(&*store, &name(200_000)).await;
        assert!(matches!(gone, Err(Error::ObjectMissing)), "{gone:?}");
        drop(store);
        bench.bring_back(lost);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_this_store_is_refused_by_name() {
    let refused = |bench: &Bench, expected: &str| {
        let error = bench
            .try_open()
            .expect_err("the drives are wrong")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    let bench = filled(2, 1).await;

    // Of another deployment.
    let other = filled(2, 1).await;
    bench.take_away(1);
    other.take_away(1);
    other.bring_to(1, &bench.drive(1));
    refused(&bench, "belongs to deployment");
    refused(&bench, "drive-1");
    fs::remove_dir_all(bench.drive(1)).unwrap();

    // Somebody's files.
    fs::create_dir(bench.drive(1)).unwrap();
    fs::write(bench.drive(1).join("thesis.txt"), "years of work").unwrap();
    refused(&bench, "is not empty");
    assert!(bench.drive(1).join("thesis.txt").exists());
    bench.bring_back(1);

    // A damaged format: one slot is enough, none is not.
    let format = bench.drive(1).join("format");
    let whole = fs::read(&format).unwrap();
    for slot in [0, 1] {
        let mut damaged = fs::read(&format).unwrap();
        damaged[slot * 4096 + 20] ^= 1;
        fs::write(&format, &damaged).unwrap();
        drop(reopened(&bench).await);
    }
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    damaged[4096 + 20] ^= 1;
    fs::write(&format, &damaged).unwrap();
    refused(&bench, "both copies of the format file are damaged");
    fs::write(&format, &whole).unwrap();

    // Another geometry, another number of drives.
    let mut options = bench.options.clone();
    options.geometry = Geometry { data: 3, parity: 0 };
    let error = Engine::open(&options).unwrap_err().to_string();
    assert!(error.contains("was formatted as 2+1"), "{error}");
    let mut options = bench.options.clone();
    options.drives.pop();
    let error = Engine::open(&options).unwrap_err().to_string();
    assert!(error.contains("2 drives are configured"), "{error}");

    // Open twice.
    let store = reopened(&bench).await;
    refused(&bench, "in use by another process");
    drop(store);

    // All drives away, while the index knows better.
    for drive in 0..3 {
        bench.take_away(drive);
    }
    refused(&bench, "all drives are empty");
    for drive in 0..3 {
        bench.bring_back(drive);
    }
    drop(reopened(&bench).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_bit_is_served() {
    let bench = filled(2, 1).await;
    let mut seed = 0x1234_5678_9abc_def1_u64;
    for drive in 0..3 {
        for kind in ["log", "bulk"] {
            let path = bench.drive(drive).join(kind).join("00000000.seg");
            let whole = fs::read(&path).unwrap();
            let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
            for _ in 0..6 {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                let mut damaged = whole.clone();
                damaged[seed as usize % used] ^= 1 << (seed >> 60 & 7);
                fs::write(&path, &damaged).unwrap();
                bench.lose_index();
                drop(reopened(&bench).await);
            }
            // Each start has written to the log since: the damage stays, and
            // one drive may have any of it.
            let mut damaged = fs::read(&path).unwrap();
            for at in (0..used).step_by(5003) {
                damaged[at] ^= 0x10;
            }
            fs::write(&path, &damaged).unwrap();
            bench.lose_index();
            drop(reopened(&bench).await);
            let mut mended = fs::read(&path).unwrap();
            mended[..=used].copy_from_slice(&whole[..=used]);
            fs::write(&path, &mended).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_damage_on_too_many_drives_is_refused() {
    let bench = filled(2, 1).await;
    for drive in 0..2 {
        let path = bench.drive(drive).join("bulk").join("00000000.seg");
        let mut bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(4096) {
            bytes[at] ^= 1;
        }
        fs::write(&path, &bytes).unwrap();
    }
    let store = bench.open();
    let read = get(&*store, &name(1_048_577)).await;
    assert!(
        matches!(read, Err(Error::Damaged(_) | Error::ReadQuorumLost { .. })),
        "{read:?}"
    );
    assert_eq!(
        get(&*store, &name(200_000)).await.unwrap(),
        content(200_000)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_end_of_the_log_costs_nothing_that_was_acknowledged() {
    let bench = filled(4, 2).await;
    // Half of a record that was never acknowledged, on two drives.
    for drive in [0, 5] {
        let path = bench.drive(drive).join("log").join("00000000.seg");
        let mut bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        let next = used.next_multiple_of(4096);
        let torn = pattern(3000, drive as u64);
        bytes.resize(bytes.len().max(next + 4096), 0);
        bytes[next..next + 3000].copy_from_slice(&torn);
        bytes[next..next + 4].copy_from_slice(b"SLR1");
        fs::write(&path, &bytes).unwrap();
    }
    let store = reopened(&bench).await;
    put(&*store, "after", &content(9000)).await.unwrap();
    drop(store);
    bench.lose_index();
    let store = reopened(&bench).await;
    assert_eq!(get(&*store, "after").await.unwrap(), content(9000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_damaged_everywhere_hides_no_other_one() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    for number in 0..20 {
        let name = format!("key/{number:02}");
        put(&*store, &name, &content(1000)).await.unwrap();
    }
    drop(store);
    for drive in 0..3 {
        let path = bench.drive(drive).join("log").join("00000000.seg");
        let mut bytes = fs::read(&path).unwrap();
        let place = bytes
            .windows(6)
            .position(|bytes| bytes == b"key/07")
            .unwrap();
        bytes[place] ^= 1;
        // The header of another record, and a stretch of the log.
        let place = bytes
            .windows(6)
            .position(|bytes| bytes == b"key/12")
            .unwrap();
        bytes[place - 3000..place].fill(0);
        fs::write(&path, &bytes).unwrap();
    }
    bench.lose_index();
    let store = bench.open();
    for number in 0..20 {
        let read = get(&*store, &format!("key/{number:02}")).await;
        match number {
            7 | 12 => assert!(matches!(read, Err(Error::ObjectMissing)), "{read:?}"),
            _ => assert_eq!(read.unwrap(), content(1000), "{number}"),
        }
    }
    put(&*store, "new", &content(1000)).await.unwrap();
}
