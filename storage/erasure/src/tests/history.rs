//! Things that need many or large records.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use storage::{
    Documents, Error, Metadata, NewUpload, PartNumber, Precondition, Store, Timestamp,
    UploadedPart, conformance,
};

use super::support::{Bench, bucket, create_bucket, get, key, new_object, pattern, put};

#[tokio::test(flavor = "multi_thread")]
async fn long_histories_agree_with_the_model() {
    for seed in [11, 12] {
        let bench = Bench::new(4, 2);
        let store: Arc<dyn Store> = bench.open();
        conformance::agree(store.clone(), seed, 600).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_writers_on_64_tasks_one_wins() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    let writers = (0..64).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut sink = store.stage(&bucket(&*store).await, None).await.unwrap();
            sink.write(pattern(10_000, writer)).await.unwrap();
            let staged = sink.finish().await.unwrap();
            let object = new_object("key", &writer.to_string());
            store
                .put(&bucket(&*store).await, object, staged, Precondition::Absent)
                .await
        })
    });
    let mut winners = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(object) => winners.push(object.etag.clone()),
            Err(Error::PreconditionFailed) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    let winner = winners[0].parse().unwrap();
    assert_eq!(get(&*store, "key").await.unwrap(), pattern(10_000, winner));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_of_10000_parts_is_completed_by_one_record_and_survives() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    let new = NewUpload {
        key: key("large"),
        owner: "owner".to_owned(),
        initiator: "owner".to_owned(),
        metadata: Metadata::new(),
        documents: Documents::default(),
    };
    let upload = store
        .create_upload(&bucket(&*store).await, new)
        .await
        .unwrap();
    let numbers: Vec<PartNumber> = (1..=PartNumber::MAX)
        .map(|number| PartNumber::new(number).unwrap())
        .collect();
    for some in numbers.chunks(500) {
        let puts = some.iter().map(|number| {
            let (store, upload) = (store.clone(), upload.clone());
            let number = *number;
            tokio::spawn(async move {
                let mut sink = store.stage(&bucket(&*store).await, None).await.unwrap();
                let bytes = pattern(20, number.get().into());
                sink.write(bytes).await.unwrap();
                let staged = sink.finish().await.unwrap();
                let part = UploadedPart {
                    number,
                    size: 20,
                    etag: format!("{:032x}", number.get()),
                    modified: Timestamp::now(),
                    metadata: [("checksum".to_owned(), "c".repeat(44))].into(),
                };
                store
                    .put_part(&bucket(&*store).await, &upload.key, upload.id, part, staged)
                    .await
                    .unwrap();
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
    }
    let named: Vec<_> = numbers
        .iter()
        .map(|number| (*number, format!("{:032x}", number.get())))
        .collect();
    let object = new_object("large", "etag");
    let completed = store
        .complete_upload(
            &bucket(&*store).await,
            upload.id,
            &named,
            object,
            Precondition::None,
        )
        .await
        .unwrap();
    assert_eq!(completed.size, 200_000);
    drop(store);
    bench.lose_index();
    let store = bench.open();
    let object = store
        .object(&bucket(&*store).await, &key("large"), None)
        .await
        .unwrap();
    assert_eq!(object.parts.len(), 10_000);
    let middle: Vec<Bytes> = store
        .read(&object, 99_990..100_030)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let expected = [
        &pattern(20, 5000)[10..],
        &pattern(20, 5001)[..],
        &pattern(20, 5002)[..10],
    ];
    assert_eq!(middle.concat(), expected.concat());
    let gone = store
        .upload(&bucket(&*store).await, &upload.key, upload.id)
        .await;
    assert!(matches!(gone, Err(Error::UploadMissing)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused_and_the_next_one_is_not() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    let object = put(&*store, "key", &pattern(10, 1)).await.unwrap();
    let mut amendment = storage::Amendment::default();
    amendment.put("a/b".to_owned(), vec![0; 17 << 20].into());
    let refused = store
        .amend_object(&bucket(&*store).await, &object, amendment)
        .await;
    assert!(matches!(refused, Err(Error::RecordTooLarge { .. })));
    put(&*store, "key", &pattern(10, 2)).await.unwrap();
    drop(store);
    bench.lose_index();
    let store = bench.open();
    assert_eq!(get(&*store, "key").await.unwrap(), pattern(10, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_keeps_its_bytes_when_its_source_is_gone_and_others_are_written() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    let sizes = [10, 100_000, 3_000_000];
    for size in sizes {
        let source = put(&*store, &format!("source/{size}"), &pattern(size, 1))
            .await
            .unwrap();
        let within = bucket(&*store).await;
        let shared = store.share(&source, &within).await.unwrap().unwrap();
        // It goes before the copy is there.
        let none = Precondition::None;
        let deleted = store.delete(&within, &source.key, None, none).await;
        assert!(deleted.unwrap().version.is_some());
        let copy = new_object(&format!("copy/{size}"), "etag");
        let none = Precondition::None;
        store.put(&within, copy, shared, none).await.unwrap();
    }
    drop(store);
    for round in 0..3 {
        if round == 1 {
            bench.lose_index();
        }
        let store = bench.open();
        for size in sizes {
            let name = format!("other/{size}/{round}");
            put(&*store, &name, &pattern(size, 2)).await.unwrap();
        }
        for size in sizes {
            let copy = get(&*store, &format!("copy/{size}")).await.unwrap();
            assert!(copy == pattern(size, 1), "{size} bytes in round {round}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_several_files_is_read_through() {
    let bench = Bench::new(2, 1);
    let store = bench.open();
    create_bucket(&*store).await;
    // Each takes half of its size on every drive; a file of the log is 64 MiB.
    let count = 600;
    for number in 0..count {
        let bytes = pattern(250_000, number);
        put(&*store, &format!("key/{number}"), &bytes)
            .await
            .unwrap();
    }
    drop(store);
    assert!(bench.drive(0).join("log").join("00000001.seg").exists());
    bench.lose_index();
    let store = bench.open();
    for number in (0..count).step_by(7).chain(count - 20..count) {
        let read = get(&*store, &format!("key/{number}")).await.unwrap();
        assert!(read == pattern(250_000, number), "{number}");
    }
}
