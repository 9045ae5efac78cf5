//! Runs the cases: several at a time, on one gateway for each configuration.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use sluice_tests::{
    Connection, Form, Framing, Key, Reply, Request, Server, Settings, Streamed, Time,
};

use serde_yaml::Mapping;

use crate::actor;
use crate::answer;
use crate::table::{self, Body, Case, Exchange, Given, Made, Sent, Step, Values, scalar};
use crate::variables::Variables;

const THREADS_MAX: usize = 6;
/// Of the chunks of a framed body.
const CHUNK_LEN: usize = 64 << 10;

/// Returns what is wrong, one text for each case that fails.
pub(crate) fn all(
    cases: &[&Case],
    steps: &BTreeMap<String, Step>,
    configurations: &Path,
) -> Vec<String> {
    let servers: BTreeMap<_, OnceLock<Server>> = cases
        .iter()
        .map(|case| (case.server.as_str(), OnceLock::new()))
        .collect();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS_MAX.min(cases.len()) {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let server = &servers[case.server.as_str()];
                    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
                        let server = server.get_or_init(|| start(configurations, &case.server));
                        Run::new(case, server).all(case, steps)
                    }));
                    let outcome = outcome.unwrap_or_else(|panic| Err(message(&*panic)));
                    if let Err(error) = outcome {
                        let mut failures = failures.lock().expect("nobody panics with it");
                        failures.push((case.to_string(), error));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("nobody panics with it");
    failures.sort();
    failures
        .into_iter()
        .map(|(case, error)| format!("{case}\n{error}"))
        .collect()
}

fn start(configurations: &Path, name: &str) -> Server {
    let policy = match name {
        "usual" => String::new(),
        _ => fs::read_to_string(configurations.join(name).with_extension("yaml"))
            .unwrap_or_else(|error| panic!("servers/{name}.yaml: {error}")),
    };
    Server::start(&Settings {
        policy,
        accounts: actor::accounts(),
        ..Settings::default()
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}

/// One case while it runs.
struct Run<'a> {
    server: &'a Server,
    variables: Variables,
}

impl<'a> Run<'a> {
    fn new(case: &Case, server: &'a Server) -> Self {
        let mut variables = case.texts.clone();
        variables.insert("b".to_owned(), case.bucket());
        variables.insert("server".to_owned(), server.address.to_string());
        let variables = Variables(variables);
        Self { server, variables }
    }

    fn all(&mut self, case: &Case, steps: &BTreeMap<String, Step>) -> Result<(), String> {
        for given in &case.given {
            match given {
                Given::Asked(exchange) => self.ask("given", exchange)?,
                Given::Named(call) => self.step(call, steps)?,
            }
        }
        self.ask("asked", &case.exchange)?;
        case.then
            .iter()
            .try_for_each(|exchange| self.ask("then", exchange))
    }

    fn step(&mut self, call: &str, steps: &BTreeMap<String, Step>) -> Result<(), String> {
        let (name, mut rest) = call.split_once(' ').unwrap_or((call, ""));
        let step = steps
            .get(name)
            .ok_or_else(|| format!("no step is called `{name}`"))?;
        let before = self.variables.clone();
        let mut takes = step.takes.iter().peekable();
        while let Some((name, usual)) = takes.next() {
            let name = scalar(name).ok_or("an argument has a name")?;
            // The last one may have spaces.
            let (value, after) = match takes.peek() {
                Some(_) => rest.split_once(' ').unwrap_or((rest, "")),
                None => (rest, ""),
            };
            let value = match value {
                "" => scalar(usual).ok_or_else(|| format!("`{call}`: {name} is missing"))?,
                value => value.to_owned(),
            };
            rest = after;
            self.variables.0.insert(name, value);
        }
        if !rest.is_empty() {
            return Err(format!("`{call}`: what is `{rest}`?"));
        }
        for exchange in &step.does {
            self.ask(call, exchange)?;
        }
        // What a step takes is its own; what it keeps is everybody's.
        for name in step.takes.keys().filter_map(scalar) {
            match before.0.get(&name) {
                Some(value) => self.variables.0.insert(name, value.clone()),
                None => self.variables.0.remove(&name),
            };
        }
        Ok(())
    }

    fn ask(&mut self, role: &str, exchange: &Exchange) -> Result<(), String> {
        let context = |error: String| format!("  {role}: {error}");
        let body = self.body(&exchange.body).map_err(context)?;
        let (request, body) = self.request(exchange, body).map_err(context)?;
        let reply = self.send(&request);
        let checked = answer::check(&reply, exchange, &self.variables, &body);
        let kept = checked.and_then(|()| {
            let keep = exchange.keep.iter();
            keep.map(|(name, place)| {
                let name = self.variables.fill(name, &body)?;
                Ok((name, answer::find(&reply, place)?))
            })
            .collect::<Result<Vec<_>, String>>()
        });
        let kept = kept.map_err(|error| format!("  {role}: {error}\n{reply:?}"))?;
        self.variables.0.extend(kept);
        Ok(())
    }

    fn request(&self, exchange: &Exchange, body: Vec<u8>) -> Result<(Request, Vec<u8>), String> {
        let fill = |text: &str| self.variables.fill(text, &body);
        let line = fill(&exchange.request)?;
        let (method, target) = line
            .split_once(' ')
            .ok_or("`do` is a method and a target")?;
        let mut request = Request::new(method, target).body(&body);
        if let Some(host) = &exchange.host {
            request = request.host(&fill(host)?);
        }
        for (name, Values(values)) in &exchange.headers {
            for value in values {
                request = request.header(&fill(name)?, &fill(value)?);
            }
        }
        if matches!(exchange.body, Body::Made(Made::Form(_)))
            && !exchange.headers.contains_key("content-type")
        {
            request = request.header("content-type", &Form::content_type());
        }
        let actor = fill(&exchange.actor)?;
        let framing = match exchange.sent {
            Sent::Whole => return Ok((actor::sign(request, &actor)?, body)),
            // The signature covers the body, and not its chunks.
            Sent::Chunked => return Ok((actor::sign(request, &actor)?.chunked(CHUNK_LEN), body)),
            Sent::SignedChunks => Framing::Signed,
            Sent::SignedTrailer => Framing::SignedTrailer,
            Sent::UnsignedTrailer => Framing::UnsignedTrailer,
        };
        let key = actor::key(&actor)?;
        let streamed = match exchange.trailer.iter().next() {
            None => Streamed::new(request, framing, &key, CHUNK_LEN),
            Some((name, value)) => {
                Streamed::with_trailer(request, framing, &key, CHUNK_LEN, (name, &fill(value)?))
            }
        };
        Ok((streamed.sized(), body))
    }

    fn body(&self, body: &Body) -> Result<Vec<u8>, String> {
        let fill = |text: &str| self.variables.fill(text, b"");
        Ok(match body {
            Body::Text(text) => fill(text)?.into_bytes(),
            Body::Made(Made::Bytes(len)) => b"0123456789abcde\n"
                .iter()
                .copied()
                .cycle()
                .take(*len)
                .collect(),
            Body::Made(Made::Form(form)) => self.form(form)?,
            Body::Made(Made::Repeated {
                begin,
                each,
                times,
                end,
            }) => {
                let mut text = fill(begin)?;
                for n in 1..=*times {
                    text.push_str(&each.replace("{n}", &n.to_string()));
                }
                text.push_str(&fill(end)?);
                text.into_bytes()
            }
        })
    }

    fn form(&self, form: &table::Form) -> Result<Vec<u8>, String> {
        let fill = |text: &str| self.variables.fill(text, b"");
        let mut made = self.fields(Form::new(), &form.fields)?;
        if let Some(signer) = &form.signed {
            let (how, name) = signer.rsplit_once(' ').unwrap_or(("", signer));
            let key = actor::key(name)?;
            let conditions = fill(&form.conditions)?;
            made = match how {
                "" => made.signed(&key, &conditions),
                "v2" => made.signed_v2(&key, &conditions),
                "forged" => {
                    let secret = "another secret";
                    made.signed(&Key { secret, ..key }, &conditions)
                }
                "expired" => {
                    let over = Time::ago(Duration::from_secs(60)).extended();
                    let policy =
                        format!(r#"{{"expiration": "{over}", "conditions": [{conditions}]}}"#);
                    made.signed_over(&key, &Time::now(), &policy)
                }
                "unreadable" => made.signed_over(&key, &Time::now(), &conditions),
                _ => return Err(format!("no form is signed `{how}`")),
            };
        }
        for file in &form.files {
            made = made.file(&form.filename, fill(file)?);
        }
        let made = self.fields(made, &form.behind)?;
        Ok(if form.cut {
            made.unfinished()
        } else {
            made.body()
        })
    }

    fn fields(&self, form: Form, fields: &Mapping) -> Result<Form, String> {
        fields.iter().try_fold(form, |form, (name, value)| {
            let (name, value) = scalar(name)
                .zip(scalar(value))
                .ok_or("a field is a name and a text")?;
            let value = self.variables.fill(&value, b"")?;
            Ok(form.field(&name, &value))
        })
    }

    /// Sends a request on a connection of its own. Behind an answer to HEAD there
    /// must be nothing.
    fn send(&self, request: &Request) -> Reply {
        let mut connection: Connection = self.server.connect();
        if request.method != "HEAD" {
            return connection.send(request);
        }
        let reply = connection.send(&request.clone().header("connection", "close"));
        assert!(connection.is_closed(), "{reply:?}: it has a body");
        reply
    }
}
