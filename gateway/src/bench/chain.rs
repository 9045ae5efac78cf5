//! The chain by itself: the CPU that the plugins cost a signed GetObject.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use host::{Chain, Facts, Resource};
use http::Request;
use s3::Head;
use storage::{
    Bucket, BucketName, Documents, Locator, Metadata, Object, ObjectKey, Timestamp, VersionId,
    Versioning,
};

use super::client::Credentials;
use super::{BoxError, Effort, Report};
use crate::policy::Accounts;
use crate::serve;

const OWNER: &str = "root";

pub(super) fn measure(effort: Effort, report: &mut Report) -> Result<(), BoxError> {
    let credentials = Credentials::bench();
    let config = Config::embedded(&credentials.overrides())?;
    let default = serve::chain(&config)?;
    let none = Chain::new(Vec::new(), Arc::new(Accounts::without_keys(&config)))
        .map_err(|_| "an empty chain has no faults")?;
    let get = Get::new(&credentials)?;

    // Without an authorizer nothing is allowed; what counts is what finding out costs.
    let without = cpu_micros(effort, || drop(get.decide(&none)))?;
    report.add("chain.none", without, "us CPU", None);
    get.decide(&default)?;
    let with = cpu_micros(effort, || drop(get.decide(&default)))?;
    report.add(
        "chain.get_default_fresh",
        with,
        "us CPU",
        Some("chain.none"),
    );
    Ok(())
}

/// A signed GetObject of an object that its owner reads.
struct Get {
    facts: Arc<Facts>,
    resource: Resource,
}

impl Get {
    fn new(credentials: &Credentials) -> Result<Self, BoxError> {
        let (bucket, key) = (BucketName::parse("bench")?, ObjectKey::parse("object")?);
        let mut request = Request::get("/bench/object")
            .header("host", "127.0.0.1:9000")
            .body(())?;
        credentials.sign(&mut request, "/bench/object", "127.0.0.1:9000")?;
        let head = Head::parse(&request.into_parts().0, &[], &[])?;
        let access = head
            .accesses()?
            .into_iter()
            .next()
            .ok_or("GetObject has an access")?;
        let resource = Resource {
            access,
            bucket: Some(Arc::new(Bucket {
                name: bucket,
                id: 1,
                owner: OWNER.to_owned(),
                created: Timestamp::now(),
                versioning: Versioning::Never,
                documents: Documents::default(),
            })),
            object: Some(Arc::new(Object {
                key,
                version: VersionId::Null,
                id: 1,
                owner: OWNER.to_owned(),
                size: 4096,
                etag: "0".repeat(32),
                modified: Timestamp::now(),
                metadata: Metadata::default(),
                documents: Documents::default(),
                parts: Vec::new(),
                location: Locator::new(()),
            })),
        };
        let facts = Facts {
            head: Arc::new(head),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: false,
            request_id: "0".repeat(16),
        };
        Ok(Self {
            facts: Arc::new(facts),
            resource,
        })
    }

    /// All that plugins do for it, from its head to its answer.
    fn decide(&self, chain: &Arc<Chain>) -> Result<(), s3::Error> {
        let mut run = chain.begin(Arc::clone(&self.facts));
        run.authenticate()?;
        run.authorize(&self.resource)?;
        run.prepare(&self.resource)?;
        run.respond(http::StatusCode::OK);
        Ok(())
    }
}

/// The CPU time of one call, by the clock of this thread: the median of batches.
fn cpu_micros(effort: Effort, mut act: impl FnMut()) -> Result<f64, BoxError> {
    const BATCH: u32 = 200;
    for _ in 0..BATCH {
        act();
    }
    let started = std::time::Instant::now();
    let mut batches = Vec::new();
    while started.elapsed() < effort.duration || batches.is_empty() {
        let before = thread_time();
        for _ in 0..BATCH {
            act();
        }
        batches.push((thread_time() - before).as_secs_f64() * 1e6 / f64::from(BATCH));
    }
    batches.sort_by(f64::total_cmp);
    Ok(*batches
        .get(batches.len() / 2)
        .ok_or("no batch was measured")?)
}

pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}
