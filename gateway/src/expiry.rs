//! Multipart uploads that nobody finishes are aborted, once they are as old as
//! the configuration lets them become.
//!
//! An upload's age counts from its beginning, as in S3. One turn looks at a
//! bounded number of uploads, and the next goes on where it ended: no request
//! waits for this.

use std::sync::Arc;
use std::time::Duration;

use storage::{
    Bucket, Entry, Error as StoreError, Store, Timestamp, Upload, UploadMarker, UploadQuery,
};
use tokio::sync::watch;

use crate::gateway::Gateway;

/// Uploads that are looked at together.
const PAGE: usize = 1000;

/// Pages, and buckets without uploads, that one turn looks at.
const PAGES_PER_TURN_MAX: usize = 100;

/// An upload outlives its time by a tenth of it, within these.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// How soon a reload that sets a time is noticed where there was none.
const PAUSE_OFF: Duration = Duration::from_secs(5);

/// Works until the gateway stops. What the configuration says is asked anew at
/// every turn.
pub(crate) async fn run(gateway: Arc<Gateway>, mut stopped: watch::Receiver<bool>) {
    let mut round = Round::default();
    loop {
        let pause = turn(&gateway, &mut round, &stopped).await;
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Does one turn, if there is anything to do, and says how long to wait then.
async fn turn(gateway: &Gateway, round: &mut Round, stopped: &watch::Receiver<bool>) -> Duration {
    let generation = gateway.generation();
    let Some(age_max) = generation.config.uploads.expire_after else {
        *round = Round::default();
        return PAUSE_OFF;
    };
    let age_max_ms = u64::try_from(age_max.as_millis()).unwrap_or(u64::MAX);
    let oldest = Timestamp(Timestamp::now().0.saturating_sub(age_max_ms));
    for _ in 0..PAGES_PER_TURN_MAX {
        if *stopped.borrow() {
            break;
        }
        match round.page(&*generation.store, oldest).await {
            Ok(Progress::More) => {}
            Ok(Progress::Done) => return (age_max / 10).clamp(PAUSE_MIN, PAUSE_MAX),
            Err(error) => {
                tracing::warn!(%error, "uploads could not be looked through; it is tried again");
                return PAUSE_MAX;
            }
        }
    }
    PAUSE_MIN
}

/// One look at every upload of every bucket, as far as it has come.
#[derive(Debug, Default)]
struct Round {
    /// The bucket that is being looked at, and the upload that was last seen in it.
    within: Option<(Arc<Bucket>, Option<UploadMarker>)>,
    /// The name of the last bucket that was begun.
    after: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Progress {
    More,
    Done,
}

impl Round {
    /// Looks at one page, and aborts what began at `oldest` or before.
    async fn page(&mut self, store: &dyn Store, oldest: Timestamp) -> storage::Result<Progress> {
        let Some((bucket, after)) = self.next(store).await? else {
            *self = Self::default();
            return Ok(Progress::Done);
        };
        let query = UploadQuery {
            after,
            limit: PAGE,
            ..UploadQuery::default()
        };
        let page = match store.list_uploads(&bucket, &query).await {
            Ok(page) => page,
            // It was deleted meanwhile, and its uploads with it.
            Err(StoreError::BucketMissing) => return Ok(Progress::More),
            Err(error) => return Err(error),
        };
        if let (true, Some(Entry::Item(last))) = (page.truncated, page.entries.last()) {
            let place = UploadMarker::Upload(last.key.clone(), last.id);
            self.within = Some((Arc::clone(&bucket), Some(place)));
        }
        for entry in page.entries {
            match entry {
                Entry::Item(upload) if upload.initiated <= oldest => {
                    abort(store, &bucket, &upload).await?;
                }
                _ => {}
            }
        }
        Ok(Progress::More)
    }

    /// Where to look next.
    async fn next(
        &mut self,
        store: &dyn Store,
    ) -> storage::Result<Option<(Arc<Bucket>, Option<UploadMarker>)>> {
        if let Some(within) = self.within.take() {
            return Ok(Some(within));
        }
        let page = store.all_buckets(self.after.as_deref(), 1).await?;
        let bucket = page.entries.into_iter().next();
        if let Some(bucket) = &bucket {
            self.after = Some(bucket.name.to_string());
        }
        Ok(bucket.map(|bucket| (bucket, None)))
    }
}

async fn abort(store: &dyn Store, bucket: &Bucket, upload: &Upload) -> storage::Result<()> {
    match store.abort_upload(bucket, &upload.key, upload.id).await {
        Ok(()) => {
            metrics::counter!("sluice_uploads_expired_total").increment(1);
            let (bucket, key, id) = (&bucket.name, &upload.key, upload.id);
            tracing::info!(%bucket, %key, upload = %id, "an upload that nobody finished has expired");
            Ok(())
        }
        // Completed or aborted meanwhile.
        Err(StoreError::UploadMissing | StoreError::BucketMissing) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use storage::memory::Memory;
    use storage::{BucketName, Documents, Metadata, NewBucket, NewUpload, ObjectKey};

    use super::*;

    async fn bucket(store: &dyn Store, name: &str) -> Arc<Bucket> {
        let bucket = NewBucket {
            name: BucketName::parse(name).unwrap(),
            owner: "root".into(),
            documents: Documents::default(),
            versioning: storage::Versioning::Never,
            placement: storage::NewPlacement::default(),
        };
        store.create_bucket(bucket).await.unwrap()
    }

    async fn begin(store: &dyn Store, bucket: &Bucket, key: &str) -> Upload {
        let upload = NewUpload {
            key: ObjectKey::parse(key).unwrap(),
            owner: "root".into(),
            initiator: "root".into(),
            metadata: Metadata::new(),
            documents: Documents::default(),
        };
        store.create_upload(bucket, upload).await.unwrap()
    }

    /// Goes through all pages, and says how many there were.
    async fn round(store: &dyn Store, oldest: Timestamp) -> usize {
        let (mut round, mut pages) = (Round::default(), 0);
        while round.page(store, oldest).await.unwrap() == Progress::More {
            pages += 1;
        }
        pages
    }

    async fn left(store: &dyn Store, bucket: &Bucket) -> usize {
        let query = UploadQuery {
            limit: 10_000,
            ..UploadQuery::default()
        };
        let page = store.list_uploads(bucket, &query).await.unwrap();
        page.entries.len()
    }

    #[tokio::test]
    async fn uploads_expire_in_every_bucket_and_page_and_only_the_old_ones() {
        let store = Memory::default();
        let (first, empty, second) = (
            bucket(&store, "first").await,
            bucket(&store, "empty").await,
            bucket(&store, "second").await,
        );
        for number in 0..PAGE + 1 {
            begin(&store, &first, &format!("{number}")).await;
        }
        let begun = begin(&store, &second, "a").await.initiated;

        let before = Timestamp(begun.0 - 3_600_000);
        assert_eq!(round(&store, before).await, 4, "two pages of the first");
        assert_eq!(left(&store, &first).await, PAGE + 1);
        let after = Timestamp(begun.0 + 3_600_000);
        round(&store, after).await;
        for bucket in [&first, &empty, &second] {
            assert_eq!(left(&store, bucket).await, 0, "{}", bucket.name);
        }
        assert_eq!(round(&store, after).await, 3);
    }
}
