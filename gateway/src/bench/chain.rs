//! The chain by itself: the CPU that plugins cost a request, beside what the
//! same policies cost when they are compiled into the process.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use host::{Chain, Facts, Resource};
use http::{Method, Request, StatusCode};
use s3::Head;
use sluice_plugin::Operation;
use storage::{
    Bucket, BucketName, Documents, Locator, Metadata, Object, ObjectKey, Timestamp, VersionId,
    Versioning,
};

use super::client::Credentials;
use super::native::Native;
use super::policies::{ACL, AUTH, DEFAULT, ENDLESS, FIVE, Policies, REQUIRE_TAG, Use};
use super::{BoxError, Effort, Report};
use crate::serve;

pub(super) const OWNER: &str = "root";
const PATH: &str = "/bench/object";
const HOST: &str = "127.0.0.1:9000";

pub(super) fn measure(effort: Effort, folder: &Path, report: &mut Report) -> Result<(), BoxError> {
    let credentials = Credentials::bench();
    let policies = Policies::new(folder, &credentials)?;
    let chain = |uses: &[Use], instances| -> Result<_, BoxError> {
        Ok(serve::chain(&policies.config(uses, instances)?)?)
    };
    let get = Decision::signed(&Method::GET, &credentials)?;
    let put = Decision::signed(&Method::PUT, &credentials)?;
    let native_get = Native::new(&get, Operation::GetObject, &credentials)?;
    let native_put = Native::new(&put, Operation::PutObject, &credentials)?;

    // Without an authorizer nothing is allowed; what counts is what finding out costs.
    let empty = Chain::empty();
    let without = cpu_micros(effort, || get.ask(&empty))?;
    report.add("chain.none", without, "us CPU", None);
    // What is for uploads is not concerned by a read: it costs its matching only.
    let for_uploads = chain(&[REQUIRE_TAG; UNMATCHED], "fresh")?;
    let matched = cpu_micros(effort, || get.ask(&for_uploads))?;
    let each = (matched - without).max(0.0) / UNMATCHED as f64;
    report.add("chain.unmatched", each, "us CPU", None);

    let native = cpu_micros(effort, || native_put.require_tag())?;
    report.add("native.light", native, "us CPU", None);
    let light = chain(&[REQUIRE_TAG], "fresh")?;
    let fresh = cpu_micros(effort, || put.abstains(&light))?;
    report.add("chain.light_fresh", fresh, "us CPU", Some("native.light"));

    let native = cpu_micros(effort, || native_get.authenticate())?;
    report.add("native.auth", native, "us CPU", None);
    let auth = chain(&[AUTH], "fresh")?;
    let fresh = cpu_micros(effort, || get.authenticate(&auth))?;
    report.add("chain.auth_fresh", fresh, "us CPU", Some("native.auth"));

    let native = cpu_micros(effort, || native_get.default())?;
    report.add("native.get_default", native, "us CPU", None);
    let native = cpu_micros(effort, || native_get.five())?;
    report.add("native.five", native, "us CPU", None);
    for (kind, instances) in [("fresh", "fresh"), ("reused", "reuse")] {
        let default = chain(DEFAULT, instances)?;
        let micros = cpu_micros(effort, || Ok(get.decide(&default)?))?;
        let name = format!("chain.get_default_{kind}");
        report.add(name, micros, "us CPU", Some("native.get_default"));
        let five = chain(FIVE, instances)?;
        let micros = cpu_micros(effort, || Ok(get.decide(&five)?))?;
        let name = format!("chain.five_{kind}");
        report.add(name, micros, "us CPU", Some("native.five"));
    }

    kill(&chain(&[ENDLESS, ACL], "fresh")?, &get, report)
}

/// So many uses of a plugin that a request does not concern.
const UNMATCHED: usize = 10;

/// How late a plugin is stopped that never answers: by the clock on the wall, after
/// its limit of CPU.
fn kill(chain: &Arc<Chain>, get: &Decision, report: &mut Report) -> Result<(), BoxError> {
    const KILLS: usize = 100;
    let limit = config::PluginLimits::default().cpu;
    let mut late: Vec<_> = (0..KILLS)
        .map(|_| {
            let began = Instant::now();
            match get.decide(chain) {
                Ok(()) => Err("a plugin that never answers let a request pass"),
                Err(_) => Ok(began.elapsed().saturating_sub(limit)),
            }
        })
        .collect::<Result<_, _>>()?;
    late.sort();
    for (name, per_cent) in [("chain.kill_late_ms", 50), ("chain.kill_late_p90_ms", 90)] {
        let late = late
            .get(KILLS * per_cent / 100)
            .copied()
            .unwrap_or_default();
        report.add(name, late.as_secs_f64() * 1e3, "ms", None);
    }
    Ok(())
}

/// A signed request of the owner for an object that is there; an upload has a tag.
pub(super) struct Decision {
    facts: Arc<Facts>,
    resources: Vec<Resource>,
}

impl Decision {
    pub(super) fn signed(method: &Method, credentials: &Credentials) -> Result<Self, BoxError> {
        let mut request = Request::builder().method(method).uri(PATH);
        request = request.header("host", HOST);
        if *method == Method::PUT {
            request = request.header("x-amz-tagging", "team=storage");
        }
        let mut request = request.body(())?;
        credentials.sign(&mut request, PATH, HOST)?;
        let head = Head::parse(&request.into_parts().0, &[], &[])?;
        let bucket = Arc::new(Bucket {
            name: BucketName::parse("bench")?,
            id: 1,
            owner: OWNER.to_owned(),
            created: Timestamp::now(),
            versioning: Versioning::Never,
            placement: storage::Geometry { data: 4, parity: 2 }.into(),
            documents: Documents::default(),
        });
        let object = Arc::new(Object {
            key: ObjectKey::parse("object")?,
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
        });
        let resources = head
            .accesses()?
            .into_iter()
            .map(|access| Resource {
                access,
                bucket: Some(Arc::clone(&bucket)),
                object: Some(Arc::clone(&object)),
                marker: None,
                initiator: None,
                source: None,
                source_bucket: None,
            })
            .collect();
        let facts = Facts {
            head: Arc::new(head),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure: false,
            request_id: "0".repeat(16),
        };
        Ok(Self {
            facts: Arc::new(facts),
            resources,
        })
    }

    pub(super) fn head(&self) -> &Head {
        &self.facts.head
    }

    /// Decides where nobody allows it: to be refused is no failure then.
    fn ask(&self, chain: &Arc<Chain>) -> Result<(), BoxError> {
        let _refused = self.decide(chain);
        Ok(())
    }

    /// All that plugins do for it, from its head to its answer.
    fn decide(&self, chain: &Arc<Chain>) -> Result<(), s3::Error> {
        let mut run = chain.begin(Arc::clone(&self.facts));
        run.authenticate()?;
        for resource in &self.resources {
            run.authorize(resource)?;
        }
        if let Some(resource) = self.resources.last() {
            run.prepare(resource)?;
        }
        run.respond(StatusCode::OK);
        Ok(())
    }

    fn authenticate(&self, chain: &Arc<Chain>) -> Result<(), BoxError> {
        chain.begin(Arc::clone(&self.facts)).authenticate()?;
        Ok(())
    }

    /// Asks for one access, which nobody in the chain allows or forbids.
    fn abstains(&self, chain: &Arc<Chain>) -> Result<(), BoxError> {
        let resource = self.resources.first().ok_or("an upload has an access")?;
        let mut run = chain.begin(Arc::clone(&self.facts));
        match run.authorize(resource) {
            Err(error) if error.message() == s3::Code::AccessDenied.message() => Ok(()),
            other => Err(format!("an upload with its tag was answered with {other:?}").into()),
        }
    }
}

/// The CPU time of one call, by the clock of this thread: the median of batches.
fn cpu_micros(
    effort: Effort,
    mut act: impl FnMut() -> Result<(), BoxError>,
) -> Result<f64, BoxError> {
    const BATCH: u32 = 200;
    for _ in 0..BATCH {
        act()?;
    }
    let started = Instant::now();
    let mut batches = Vec::new();
    while started.elapsed() < effort.duration || batches.is_empty() {
        let before = thread_time();
        for _ in 0..BATCH {
            act()?;
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
