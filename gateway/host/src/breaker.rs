//! Leaves a plugin alone that fails again and again, so that requests are not
//! kept waiting for what will fail.
//!
//! One client alone, with a request that a plugin cannot stand, must not be able
//! to take it from all others: failures open the breaker only when several
//! clients had them, with no success in between; and after the pause, one whose
//! call failed again is the only one who has to wait for the next.
//!
//! It knows no clock: whoever calls says what time it is.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::account::Principal;
use crate::failure::{Failure, FailureKind};

/// When a plugin is left alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// After so many failures in a row,
    pub failures: u32,
    /// of at least so many clients: accounts, and where no account is known,
    /// as it never is in `authenticate`, addresses. So one person with an account
    /// and two addresses is three of them. It takes more of them than one person
    /// has, where that person must not be able to open it alone;
    pub clients: u32,
    /// for so long; twice as long each time that it still fails after that, up
    /// to a minute.
    pub pause: Duration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 10,
            clients: 3,
            pause: Duration::from_secs(5),
        }
    }
}

/// What a pause grows to, unless it is longer from the beginning.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Who made a call fail: an account, or where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Client {
    Account(String),
    Address(IpAddr),
}

impl Client {
    pub(crate) fn of(principal: &Principal, source: IpAddr) -> Self {
        match (principal, source.to_canonical()) {
            (Principal::Account(account), _) => Self::Account(account.id.clone()),
            // Who has one of these addresses has all that begin so.
            (Principal::Anonymous, IpAddr::V6(address)) => {
                let network = u128::from(address) >> 64 << 64;
                Self::Address(IpAddr::V6(network.into()))
            }
            (Principal::Anonymous, address) => Self::Address(address),
        }
    }
}

/// A breaker for one kind of call.
#[derive(Debug)]
pub(crate) struct Circuit {
    settings: Breaker,
    /// There were failures: calls that succeed, as nearly all do, look at nothing else.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Every call is let through.
    Closed { failures: u32, clients: Vec<Client> },
    /// One call is let through at a time, when the pause is over, or when its
    /// client is not one of those whose calls failed.
    Open {
        pause: Duration,
        until: Instant,
        clients: Vec<Client>,
        probing: bool,
    },
}

/// What a call that ended did to the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The plugin is left alone for this long.
    Opened(Duration),
    Closed,
}

/// A call that was let through.
#[derive(Debug)]
pub(crate) struct Pass<'c> {
    circuit: &'c Circuit,
    /// Others wait for what becomes of it.
    probe: Option<Probe>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    /// The pause was over.
    Due,
    /// Its client has not failed yet.
    OfAnother,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    /// It did not get as far as the plugin.
    Neither,
}

impl Circuit {
    pub(crate) fn new(settings: Breaker) -> Self {
        Self {
            settings,
            troubled: AtomicBool::new(false),
            state: Mutex::new(State::closed()),
        }
    }

    /// Lets a call through, or says that the plugin is left alone.
    pub(crate) fn admit(
        &self,
        now: Instant,
        client: impl FnOnce() -> Client,
    ) -> Result<Pass<'_>, Failure> {
        let circuit = self;
        if !self.troubled.load(Ordering::Relaxed) {
            return Ok(Pass {
                circuit,
                probe: None,
            });
        }
        let probe = match &mut *self.state() {
            State::Closed { .. } => None,
            State::Open {
                until,
                clients,
                probing,
                ..
            } => {
                let client = client();
                let is_another = !self.are_enough(clients) && !clients.contains(&client);
                let probe = match now >= *until {
                    true => Probe::Due,
                    false => Probe::OfAnother,
                };
                if *probing || (probe == Probe::OfAnother && !is_another) {
                    return Err(Failure::new(
                        FailureKind::Breaker,
                        "it failed too often and is left alone for a while",
                    ));
                }
                *probing = true;
                Some(probe)
            }
        };
        Ok(Pass { circuit, probe })
    }

    /// Whether the plugin is left alone.
    pub(crate) fn is_open(&self) -> bool {
        self.troubled.load(Ordering::Relaxed) && matches!(*self.state(), State::Open { .. })
    }

    fn succeeded(&self, is_probe: bool) -> Option<Change> {
        if !self.troubled.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.state();
        let change = match &*state {
            State::Closed { .. } => None,
            State::Open { .. } if is_probe => Some(Change::Closed),
            // It began when the plugin was not left alone yet.
            State::Open { .. } => return None,
        };
        *state = State::closed();
        self.troubled.store(false, Ordering::Relaxed);
        change
    }

    fn failed(&self, now: Instant, client: Client, probe: Option<Probe>) -> Option<Change> {
        let mut state = self.state();
        self.troubled.store(true, Ordering::Relaxed);
        let (pause, clients) = match &mut *state {
            State::Closed { failures, clients } => {
                *failures = failures.saturating_add(1);
                if !self.are_enough(clients) && !clients.contains(&client) {
                    clients.push(client);
                }
                if *failures < self.settings.failures || !self.are_enough(clients) {
                    return None;
                }
                (self.settings.pause, std::mem::take(clients))
            }
            State::Open {
                pause,
                clients,
                probing,
                ..
            } => match probe {
                Some(Probe::Due) => {
                    let longest = PAUSE_MAX.max(self.settings.pause);
                    (pause.saturating_mul(2).min(longest), vec![client])
                }
                Some(Probe::OfAnother) => {
                    *probing = false;
                    clients.push(client);
                    return None;
                }
                // It began when the plugin was not left alone yet.
                None => return None,
            },
        };
        *state = State::Open {
            pause,
            until: now + pause,
            clients,
            probing: false,
        };
        Some(Change::Opened(pause))
    }

    /// Of how many clients is remembered that they failed, and all that matter.
    fn are_enough(&self, clients: &[Client]) -> bool {
        clients.len() >= self.settings.clients as usize
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failures: 0,
            clients: Vec::new(),
        }
    }
}

impl Pass<'_> {
    pub(crate) fn end(
        mut self,
        end: End,
        now: Instant,
        client: impl FnOnce() -> Client,
    ) -> Option<Change> {
        match end {
            End::Succeeded => self.circuit.succeeded(self.probe.take().is_some()),
            End::Failed => self.circuit.failed(now, client(), self.probe.take()),
            End::Neither => None,
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        // Nothing was found out, so that another call has to.
        if self.probe.is_some()
            && let State::Open { probing, .. } = &mut *self.circuit.state()
        {
            *probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call at this second, of this client, and what becomes of it if it is let through.
    type Step = (u64, u8, End, Expected);

    #[derive(Debug, PartialEq, Eq)]
    enum Expected {
        LetThrough,
        Refused,
        Opens(u64),
        Closes,
    }
    use End::{Failed, Neither, Succeeded};
    use Expected::{Closes, LetThrough, Opens, Refused};

    fn client(number: u8) -> Client {
        Client::Address(IpAddr::from([192, 0, 2, number]))
    }

    /// After four failures of two clients, for ten seconds.
    fn circuit() -> Circuit {
        Circuit::new(Breaker {
            failures: 4,
            clients: 2,
            pause: Duration::from_secs(10),
        })
    }

    fn check(steps: &[Step]) {
        let (circuit, began) = (circuit(), Instant::now());
        for (number, (second, who, end, expected)) in steps.iter().enumerate() {
            let now = began + Duration::from_secs(*second);
            let found = match circuit.admit(now, || client(*who)) {
                Err(failure) => {
                    assert_eq!(failure.kind, FailureKind::Breaker);
                    Refused
                }
                Ok(pass) => match pass.end(*end, now, || client(*who)) {
                    None => LetThrough,
                    Some(Change::Opened(pause)) => Opens(pause.as_secs()),
                    Some(Change::Closed) => Closes,
                },
            };
            assert_eq!(found, *expected, "{number}: {:?}", steps[number]);
        }
    }

    #[test]
    fn failures_of_several_clients_open_it_and_a_success_closes_it() {
        check(&[
            (0, 1, Failed, LetThrough),
            (0, 1, Failed, LetThrough),
            (0, 1, Failed, LetThrough),
            (0, 2, Failed, Opens(10)),
            (9, 1, Succeeded, Refused),
            (9, 3, Succeeded, Refused),
            (10, 3, Succeeded, Closes),
            (10, 1, Failed, LetThrough),
        ]);
    }

    #[test]
    fn one_client_alone_never_opens_it() {
        let mut steps: Vec<Step> = (0..1000).map(|n| (n, 1, Failed, LetThrough)).collect();
        check(&steps);
        // The second one who fails does.
        steps.push((1000, 2, Failed, Opens(10)));
        check(&steps);
    }

    #[test]
    fn a_success_in_between_begins_the_count_anew() {
        check(&[
            (0, 1, Failed, LetThrough),
            (0, 2, Failed, LetThrough),
            (0, 1, Failed, LetThrough),
            (0, 3, Succeeded, LetThrough),
            (0, 1, Failed, LetThrough),
            (0, 2, Failed, LetThrough),
            (0, 1, Failed, LetThrough),
            // What did not get to the plugin says nothing of it.
            (0, 3, Neither, LetThrough),
            (0, 1, Failed, Opens(10)),
        ]);
    }

    fn opened() -> Vec<Step> {
        vec![
            (0, 1, Failed, LetThrough),
            (0, 2, Failed, LetThrough),
            (0, 1, Failed, LetThrough),
            (0, 2, Failed, Opens(10)),
        ]
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute() {
        let mut steps = opened();
        let mut now = 0;
        for (pause, next) in [(10, 20), (20, 40), (40, 60), (60, 60)] {
            steps.push((now + pause - 1, 1, Failed, Refused));
            now += pause;
            steps.push((now, 1, Failed, Opens(next)));
            // Another one may try at once, but only one.
            steps.push((now, 2, Failed, LetThrough));
            steps.push((now, 3, Failed, Refused));
        }
        steps.push((now + 60, 1, Succeeded, Closes));
        check(&steps);
        // The next time it begins with the first pause.
        let mut again = steps;
        for (_, who, end, expected) in opened() {
            again.push((now + 60, who, end, expected));
        }
        check(&again);
    }

    #[test]
    fn one_client_alone_cannot_keep_it_open() {
        let mut steps = opened();
        steps.push((10, 1, Failed, Opens(20)));
        steps.push((10, 1, Failed, Refused));
        steps.push((11, 3, Succeeded, Closes));
        check(&steps);
    }

    #[test]
    fn one_call_at_a_time_finds_out_whether_it_works_again() {
        let (circuit, began) = (circuit(), Instant::now());
        for (_, who, _, _) in opened() {
            let pass = circuit.admit(began, || client(who)).unwrap();
            pass.end(Failed, began, || client(who));
        }
        let later = began + Duration::from_secs(10);
        let admit = || circuit.admit(later, || client(3));
        let probe = admit().unwrap();
        assert!(admit().is_err());
        assert!(admit().is_err());
        // Nothing comes of it.
        drop(probe);
        let probe = admit().unwrap();
        assert!(admit().is_err());
        assert_eq!(probe.end(Neither, later, || client(3)), None);
        let probe = admit().unwrap();
        let closed = probe.end(Succeeded, later, || client(3));
        assert_eq!(closed, Some(Change::Closed));
        let (first, second) = (admit().unwrap(), admit().unwrap());
        drop((first, second));
    }

    #[test]
    fn what_began_before_it_opened_does_not_close_it() {
        let (circuit, began) = (circuit(), Instant::now());
        let early = circuit.admit(began, || client(9)).unwrap();
        for (_, who, _, _) in opened() {
            let pass = circuit.admit(began, || client(who)).unwrap();
            pass.end(Failed, began, || client(who));
        }
        assert_eq!(early.end(Succeeded, began, || client(9)), None);
        assert!(circuit.admit(began, || client(9)).is_err());
    }

    #[test]
    fn a_client_is_an_account_or_a_network() {
        let of = |address: &str| Client::of(&Principal::Anonymous, address.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
