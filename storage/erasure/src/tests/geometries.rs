//! Buckets of several geometries on the drives of one set.

use std::sync::Arc;

use storage::{Bucket, Error, Geometry, NewBucket, NewPlacement, Result, Store};

use super::support::{Bench, bucket_name, get_from, new_bucket, pattern, put_in};
use crate::Engine;

const SIZES: [usize; 6] = [0, 1, 9_000, 200_000, 400_000, 2_500_000];

/// On six drives, with how many of them lost they are read.
const GEOMETRIES: [(u8, u8); 7] = [(4, 2), (1, 0), (3, 0), (1, 1), (2, 1), (2, 2), (5, 1)];

fn name(data: u8, parity: u8) -> storage::BucketName {
    storage::BucketName::parse(&format!("of-{data}-{parity}")).unwrap()
}

async fn bucket(store: &Engine, data: u8, parity: u8) -> Arc<Bucket> {
    store.bucket(&name(data, parity)).await.unwrap()
}

async fn create(store: &Engine, data: u8, parity: u8) -> Result<Arc<Bucket>> {
    let new = NewBucket {
        name: name(data, parity),
        placement: NewPlacement {
            geometry: Some(Geometry { data, parity }),
            ..NewPlacement::default()
        },
        ..new_bucket()
    };
    store.create_bucket(new).await
}

async fn filled() -> Bench {
    let bench = Bench::new(4, 2);
    let store = bench.open();
    for (data, parity) in GEOMETRIES {
        let bucket = create(&store, data, parity).await.unwrap();
        for size in SIZES {
            // Several of each, so that they lie on different drives.
            for number in 0..4 {
                let bytes = pattern(size, u64::from(number + data));
                let name = format!("{size}/{number}");
                put_in(&*store, &bucket, &name, &bytes).await.unwrap();
            }
        }
    }
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bucket_bears_the_loss_of_as_many_drives_as_it_has_parity() {
    let bench = filled().await;
    for (one, other) in [(0, 1), (2, 4), (5, 3), (4, 4), (0, 0)] {
        let mut lost = vec![one, other];
        lost.dedup();
        lost.iter().for_each(|drive| bench.take_away(*drive));
        bench.lose_index();
        let store = bench.open();
        for (data, parity) in GEOMETRIES {
            let bucket = bucket(&store, data, parity).await;
            let (mut whole, mut all) = (0, 0);
            for size in SIZES {
                for number in 0..4 {
                    let read = get_from(&*store, &bucket, &format!("{size}/{number}")).await;
                    let case = format!("{size}/{number} as {data}+{parity} without {lost:?}");
                    all += 1;
                    match read {
                        Ok(bytes) => {
                            assert!(bytes == pattern(size, u64::from(number + data)), "{case}");
                            whole += 1;
                        }
                        Err(Error::ReadQuorumLost { .. }) => {}
                        Err(error) => panic!("{case}: {error}"),
                    }
                }
            }
            if lost.len() <= usize::from(parity) {
                assert_eq!(whole, all, "{data}+{parity} without {lost:?}");
            }
        }
        drop(store);
        lost.iter().for_each(|drive| bench.bring_back(*drive));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_needs_fewer_drives_is_written_around_a_missing_one() {
    let bench = filled().await;
    for drive in [0, 3] {
        bench.take_away(drive);
        let store = bench.open();
        for (data, parity) in GEOMETRIES {
            let bucket = bucket(&store, data, parity).await;
            for size in SIZES {
                for number in 0..4 {
                    let bytes = pattern(size, number);
                    let put = put_in(&*store, &bucket, &format!("new/{size}"), &bytes).await;
                    let case = format!("{size} bytes as {data}+{parity} without {drive}");
                    match put {
                        Ok(_) => {
                            let read = get_from(&*store, &bucket, &format!("new/{size}")).await;
                            assert!(read.unwrap() == bytes, "{case}");
                        }
                        // With five of six shards nothing more could be lost.
                        Err(Error::WriteQuorumLost { have: 5, need: 6 }) => {
                            assert_eq!((data, parity), (5, 1), "{case}");
                        }
                        Err(error) => panic!("{case}: {error}"),
                    }
                }
            }
        }
        assert!(store.writable());
        drop(store);
        bench.bring_back(drive);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_drives_than_there_are_make_no_bucket() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    match create(&store, 4, 2).await {
        Err(Error::GeometryUnsupported {
            geometry: Geometry { data: 4, parity: 2 },
            drives: 3,
        }) => {}
        other => panic!("{other:?}"),
    }
    let missing = store.bucket(&bucket_name()).await;
    assert!(matches!(missing, Err(Error::BucketMissing)));
}
