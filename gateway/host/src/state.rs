//! What the host keeps beside one instance: the request it serves, and what is
//! left of its limits.
//!
//! A guest reaches this through the capabilities only. Every host call passes
//! [`State::enter`] first, so that none is free.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::{Amendment, Bucket, Marker, Object, Timestamp};
use wasmtime::ResourceLimiter;

use crate::account::{Account, Directory, Nobody, Principal};
use crate::capability::identity::KeyCache;
use crate::clock::{Budget, Clock};
use crate::creation::{Creation, Ownership, Plan, Planned};
use crate::failure::{Failure, FailureKind};
use crate::limits::{Grants, Limits};
use crate::reach::{Reach, Scenery};
use crate::throttle::Throttle;
use crate::witness::Witness;

/// What is known of a request before any policy has seen it.
#[derive(Debug)]
pub struct Facts {
    pub head: Arc<s3::Head>,
    /// The address of the client.
    pub source: IpAddr,
    /// Whether the client came over TLS.
    pub secure: bool,
    pub request_id: String,
}

/// What an access is about, as far as it exists.
#[derive(Debug, Clone)]
pub struct Resource {
    pub access: s3::Access,
    pub bucket: Option<Arc<Bucket>>,
    pub object: Option<Arc<Object>>,
    /// The version that the access is about says that the object was deleted.
    pub marker: Option<Marker>,
    /// Where the parts of an upload are listed, or it is given up: who began it.
    pub initiator: Option<String>,
    /// Of what a copy writes: the object that it reads.
    pub source: Option<Arc<Object>>,
    /// The bucket that this is in.
    pub source_bucket: Option<Arc<Bucket>>,
}

/// What plugins say of what the operation stores: the documents that they attach, to
/// be stored together with it, how a bucket is made, and whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    pub bucket: Amendment,
    pub object: Amendment,
    pub plan: Option<Plan>,
    pub ownership: Ownership,
}

/// The points of a request at which a plugin may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Phase {
    Authenticate,
    Authorize,
    Prepare,
    Serve,
    Respond,
}

impl Phase {
    pub const ALL: [Self; 5] = [
        Self::Authenticate,
        Self::Authorize,
        Self::Prepare,
        Self::Serve,
        Self::Respond,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Authorize => "authorize",
            Self::Prepare => "prepare",
            Self::Serve => "serve",
            Self::Respond => "respond",
        }
    }

    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Prepare | Self::Serve)
    }
}

/// What of a plugin every instance of it needs to know.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) reach: Reach,
    /// Of the lines that all its instances log.
    pub(crate) lines: Throttle,
}

impl Profile {
    /// So many lines of one plugin are written in a second, and twice as many
    /// after some quiet.
    const LINES_PER_SECOND: u32 = 100;

    pub(crate) fn lines() -> Throttle {
        Throttle::new(Self::LINES_PER_SECOND, 2 * Self::LINES_PER_SECOND)
    }
}

/// What a plugin reaches beyond its request, the same for all plugins of a chain.
pub(crate) struct Outside {
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) keys: KeyCache,
    pub(crate) time: Time,
    /// Instead of what the plugin reaches itself.
    reach: Option<Reach>,
    /// Sees what guests do, where somebody wants to know.
    pub(crate) witness: Option<Witness>,
}

/// What the clock of a plugin shows.
#[derive(Debug, Clone, Copy)]
pub enum Time {
    /// What it is.
    Real,
    /// Always this.
    At(Timestamp),
    /// What somebody sets, in milliseconds since the Unix epoch: a clock for what
    /// happens once more.
    Set(&'static AtomicU64),
}

impl Time {
    /// Milliseconds since some moment: nobody can set this clock back.
    pub(crate) fn elapsed_ms(self) -> u64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::Real => u64::try_from(BEGAN.elapsed().as_millis()).unwrap_or(u64::MAX),
            Self::At(time) => time.0,
            Self::Set(now_ms) => now_ms.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn now(self) -> Timestamp {
        match self {
            Self::Real => Timestamp::now(),
            Self::At(time) => time,
            Self::Set(now_ms) => Timestamp(now_ms.load(Ordering::Relaxed)),
        }
    }
}

impl Outside {
    pub(crate) fn new(directory: Arc<dyn Directory>, time: Time) -> Arc<Self> {
        Arc::new(Self {
            directory,
            keys: KeyCache::default(),
            time,
            reach: None,
            witness: None,
        })
    }

    pub(crate) fn of(scenery: Scenery) -> Arc<Self> {
        Arc::new(Self {
            directory: scenery.directory.clone(),
            keys: KeyCache::default(),
            time: scenery.time,
            reach: Some(Reach::given(scenery)),
            witness: Some(Witness::default()),
        })
    }

    pub(crate) fn none() -> Arc<Self> {
        Self::new(Arc::new(Nobody), Time::Real)
    }
}

/// Documents that were written in this request and are not stored yet, by
/// their full names; `None` deletes.
pub(crate) type Written = BTreeMap<String, Option<Bytes>>;

#[derive(Debug, Clone, Default)]
pub(crate) struct Overlay {
    pub(crate) bucket: Written,
    pub(crate) object: Written,
    pub(crate) plan: Option<Planned>,
    pub(crate) ownership: Ownership,
}

impl Overlay {
    /// The length of all names and contents.
    pub(crate) fn size(&self) -> usize {
        let of = |written: &Written| -> usize {
            written
                .iter()
                .map(|(name, content)| name.len() + content.as_ref().map_or(0, Bytes::len))
                .sum()
        };
        of(&self.bucket) + of(&self.object)
    }

    pub(crate) fn into_changes(self) -> Changes {
        let amend = |written: Written| {
            let mut amendment = Amendment::default();
            for (name, content) in written {
                match content {
                    Some(content) => amendment.put(name, content),
                    None => amendment.delete(name),
                }
            }
            amendment
        };
        Changes {
            bucket: amend(self.bucket),
            object: amend(self.object),
            plan: self.plan.map(|planned| planned.plan),
            ownership: self.ownership,
        }
    }
}

/// Who `identity.verify` found to have signed, and what verifies the chunks of
/// a body that continues from that signature.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) account: Arc<Account>,
    pub(crate) stream_key: Option<s3::StreamKey>,
}

/// The call that a guest is in.
pub(crate) struct Call {
    pub(crate) facts: Arc<Facts>,
    pub(crate) phase: Phase,
    pub(crate) principal: Principal,
    pub(crate) resource: Option<Arc<Resource>>,
    /// Of the bucket that is to be made.
    pub(crate) creation: Option<Arc<Creation>>,
    /// The body of the request, in `serve` only.
    pub(crate) body: Bytes,
    pub(crate) overlay: Overlay,
    /// Its answer does not count.
    pub(crate) shadow: bool,
}

pub(crate) struct State {
    pub(crate) profile: Arc<Profile>,
    pub(crate) outside: Arc<Outside>,
    /// `None` while a plugin is described or configured.
    pub(crate) call: Option<Call>,
    pub(crate) verified: Option<Verified>,
    pub(crate) memory: Memory,
    pub(crate) clock: Clock,
    pub(crate) output_left: usize,
    /// How many lines were logged in this request.
    pub(crate) log_lines: u32,
    host_calls_left: u32,
}

impl State {
    pub(crate) fn new(profile: Arc<Profile>, outside: Arc<Outside>, budget: Budget) -> Self {
        Self {
            call: None,
            verified: None,
            clock: Clock::start(budget),
            memory: Memory {
                max: profile.limits.memory,
                len: 0,
                refused: false,
            },
            output_left: profile.limits.output,
            log_lines: 0,
            host_calls_left: profile.limits.host_calls,
            outside,
            profile,
        }
    }

    /// Renews what is counted for each call.
    pub(crate) fn arm(&mut self) {
        self.host_calls_left = self.profile.limits.host_calls;
        self.output_left = self.profile.limits.output;
        self.memory.refused = false;
    }

    /// Forgets the request, before the instance serves another.
    pub(crate) fn reset(&mut self) {
        self.call = None;
        self.verified = None;
        self.log_lines = 0;
    }

    /// Begins a host call.
    pub(crate) fn enter(&mut self) -> Result<(), Failure> {
        self.host_calls_left = self.host_calls_left.checked_sub(1).ok_or_else(|| {
            Failure::new(
                FailureKind::HostCalls,
                "more calls to the host than the limit",
            )
        })?;
        Ok(())
    }

    /// Begins a host call that is about a request.
    pub(crate) fn call(&mut self) -> Result<&mut Call, Failure> {
        self.enter()?;
        self.call.as_mut().ok_or_else(|| {
            Failure::invalid("there is no request yet in `describe` and `configure`")
        })
    }

    /// For how long a host call may wait. One that has waited asks again, so that
    /// its answer is not used when it came too late.
    pub(crate) fn time_left(&self) -> Result<Duration, Failure> {
        self.clock.left()
    }

    /// What the plugin reaches beyond the gateway.
    pub(crate) fn reach(&self) -> &Reach {
        self.outside.reach.as_ref().unwrap_or(&self.profile.reach)
    }

    /// Tells whoever wants to know what a call into the guest took.
    pub(crate) fn testify(&self) {
        if let Some(witness) = &self.outside.witness {
            let limit = self.profile.limits.host_calls;
            witness.call(limit - self.host_calls_left, self.memory.len);
        }
    }

    /// Accounts for bytes that the guest handed to the host.
    pub(crate) fn spend_output(&mut self, len: usize) -> Result<(), Failure> {
        self.output_left = self
            .output_left
            .checked_sub(len)
            .ok_or_else(|| Failure::new(FailureKind::Output, "more output than the limit"))?;
        Ok(())
    }

    pub(crate) fn phase_name(&self) -> &'static str {
        self.call.as_ref().map_or("start", |call| call.phase.name())
    }

    pub(crate) fn request_id(&self) -> &str {
        match &self.call {
            Some(call) => &call.facts.request_id,
            None => "-",
        }
    }
}

/// Bounds the linear memory of an instance, all of its memories together.
#[derive(Debug)]
pub(crate) struct Memory {
    max: usize,
    /// What there is now.
    pub(crate) len: usize,
    /// The guest asked for more than it may have. What it then does is its own
    /// affair, but if it crashes, this was why.
    pub(crate) refused: bool,
}

/// Far more than any compiler's function table has, so that only a runaway
/// guest meets it.
const TABLE_LEN_MAX: usize = 100_000;

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Its own maximum stops it, and it knows that.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let len = self.len.saturating_add(desired.saturating_sub(current));
        let allowed = len <= self.max;
        if allowed {
            self.len = len;
        }
        self.refused |= !allowed;
        Ok(allowed)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let allowed = desired <= TABLE_LEN_MAX;
        self.refused |= !allowed;
        Ok(allowed)
    }
}

/// Text that a guest wrote, made fit for one line of a log or an error: without
/// control characters, and not longer than `len_max`.
pub(crate) fn sanitise(text: &str, len_max: usize) -> Cow<'_, str> {
    escape(text, len_max, is_harmful)
}

/// The same for text that may have several lines, such as a string to sign.
pub(crate) fn sanitise_lines(text: &str, len_max: usize) -> Cow<'_, str> {
    escape(text, len_max, |c| c != '\n' && is_harmful(c))
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str, len_max: usize, harmful: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.len() <= len_max && !text.contains(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len().min(len_max));
    for c in text.chars() {
        if clean.len() >= len_max {
            clean.push('…');
            break;
        }
        if harmful(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_an_instance_grow_to_one_limit_together() {
        let mut memory = Memory {
            max: 100,
            len: 0,
            refused: false,
        };
        // From, to, and the maximum of that memory.
        for (current, desired, maximum, grows, refused) in [
            (0, 60, None, true, false),
            (0, 30, None, true, false),
            // Its own maximum stops it, which counts for nothing.
            (30, 1000, Some(30), false, false),
            (60, 70, None, true, false),
            (30, 31, None, false, true),
            (70, usize::MAX, None, false, true),
        ] {
            memory.refused = false;
            let grown = memory.memory_growing(current, desired, maximum);
            assert_eq!(grown.ok(), Some(grows), "{current} to {desired}");
            assert_eq!(memory.refused, refused, "{current} to {desired}");
        }
        assert_eq!(memory.len, 100);
    }

    #[test]
    fn text_of_a_guest_fits_on_one_line_of_a_log() {
        for (text, clean) in [
            ("plain ümlaut", "plain ümlaut"),
            ("a\r\nb", "a\\u{d}\\u{a}b"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\0", "\\u{0}"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("0123456789abcdefXYZ", "0123456789abcdef…"),
        ] {
            assert_eq!(sanitise(text, 16), clean);
        }
        assert_eq!(sanitise_lines("GET\n/\r\n\n", 16), "GET\n/\\u{d}\n\n");
    }
}
