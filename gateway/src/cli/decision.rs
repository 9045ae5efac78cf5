//! A decision, told to a person: what was asked, what each plugin had to do with
//! it, and what to change if it is not what was wanted.

use host::FailureKind;

use super::table::{Cell, Table, Tone};
use crate::decision::{Moment, Outcome, Part, Record, Requester, Step, Vote};

/// Of many accesses only the first are shown, and so many that were refused.
const ALLOWED_MAX: usize = 4;
const REFUSED_MAX: usize = 10;

/// Longer texts are for `--format json`.
const REASON_LEN_MAX: usize = 90;

/// The whole story of a record.
pub(super) fn tell(record: &Record, notes: &[String]) -> String {
    let mut text = headline(record);
    for note in notes {
        text.push_str(&format!(
            "  {} {}\n",
            Tone::Warning.of("note:").styled(),
            Cell::from(note).styled()
        ));
    }
    let (shown, more) = shown(record);
    for moment in shown {
        text.push('\n');
        text.push_str(&tell_moment(record, moment));
    }
    if more > 0 {
        text.push_str(&format!(
            "\n… and {more} more accesses; `--format json` has what is kept of them\n"
        ));
    }
    text.push('\n');
    for line in verdict(record) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn headline(record: &Record) -> String {
    let query = match &*record.query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let request = Tone::Title.of(format!("{} {}{query}", record.method, record.path));
    let tone = match (record.denied, record.status) {
        (true, _) | (_, 400..) => Tone::Bad,
        _ => Tone::Good,
    };
    let code = record.code.as_deref().unwrap_or_default();
    let answer = tone.of(format!("{} {code}", record.status).trim_end());
    let transport = if record.secure { "TLS" } else { "no TLS" };
    let mut text = format!(
        "{}  {}\n  {} by {} from {} ({transport})\n",
        request.styled(),
        answer.styled(),
        record.operation,
        Cell::from(requester(&record.principal)).styled(),
        record.source,
    );
    if record.generation > 0 {
        text.push_str(&format!(
            "  request {} at {:.3}, generation {}\n",
            Cell::from(&record.request_id).styled(),
            record.time,
            record.generation,
        ));
    }
    text
}

pub(super) fn requester(principal: &Requester) -> String {
    match principal {
        Requester::Anonymous => "nobody known".to_owned(),
        Requester::Account { id, roles, .. } if roles.is_empty() => id.clone(),
        Requester::Account { id, roles, .. } => format!("{id} ({})", roles.join(", ")),
    }
}

/// The moments worth showing, and how many are left out.
fn shown(record: &Record) -> (Vec<&Moment>, usize) {
    let (mut allowed, mut refused, mut more) = (0, 0, 0);
    let mut shown = Vec::new();
    for moment in &record.moments {
        let room = match (moment.access, &moment.outcome) {
            (None, _) => true,
            (Some(_), Outcome::Refused { .. }) => {
                refused += 1;
                refused <= REFUSED_MAX
            }
            (Some(_), _) => {
                allowed += 1;
                allowed <= ALLOWED_MAX
            }
        };
        if room {
            shown.push(moment);
        } else {
            more += 1;
        }
    }
    (shown, more)
}

fn tell_moment(record: &Record, moment: &Moment) -> String {
    let access = moment.access.and_then(|access| record.accesses.get(access));
    let mut title = moment.phase.clone();
    if let Some(access) = access {
        title.push_str(&format!(" {} {}", access.action, access.resource()));
    }
    let outcome = match &moment.outcome {
        Outcome::Identified(who) if who == "anonymous" => Tone::Plain.of("nobody known"),
        Outcome::Identified(who) => Tone::Good.of(who),
        Outcome::Passed if moment.access.is_some() => Tone::Good.of("allowed"),
        Outcome::Passed => Tone::Good.of("passed"),
        Outcome::Served(status) => Tone::Good.of(format!("served with {status}")),
        Outcome::Refused { code, .. } => Tone::Bad.of(code),
    };
    let mut text = format!("{}: {}\n", Tone::Title.of(title).styled(), outcome.styled());
    let mut table = Table::new(&[">step", "plugin", "vote", "reason", ">µs", "at"]);
    for (number, (step, part)) in record.steps.iter().zip(&moment.parts).enumerate() {
        let decisive = moment.decided_by == Some(number);
        table.row(row(number, step, part, decisive));
    }
    if table.is_empty() {
        text.push_str("  there is no plugin in the chain\n");
    } else {
        text.push_str(&table.render(2));
    }
    text
}

fn row(number: usize, step: &Step, part: &Part, decisive: bool) -> [Cell; 6] {
    let faint = part.vote == Vote::NotAsked;
    let plain = if faint { Tone::Faint } else { Tone::Plain };
    let vote = match part.vote {
        Vote::NotAsked => Tone::Faint,
        Vote::Abstain => Tone::Plain,
        Vote::Deny | Vote::Fail => Tone::Bad,
        Vote::Allow | Vote::Assert | Vote::Attach | Vote::Serve | Vote::Add => Tone::Good,
    };
    let mark = match (decisive, &*step.mode) {
        (true, _) => " ◀",
        (false, "shadow") if !faint => " (shadow)",
        (false, _) => "",
    };
    let micros = part.micros.map(|micros| micros.to_string());
    [
        plain.of(number + 1),
        plain.of(&step.plugin),
        vote.of(format!("{}{mark}", part.vote.name())),
        plain.of(shortened(&part.reason)),
        plain.of(micros.unwrap_or_default()),
        Tone::Faint.of(&step.at),
    ]
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REASON_LEN_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What decided, and what to do about it.
fn verdict(record: &Record) -> Vec<String> {
    let refused = record
        .moments
        .iter()
        .find_map(|moment| match &moment.outcome {
            Outcome::Refused { message, code, .. } => Some((moment, code, message)),
            _ => None,
        });
    let (said, help) = match refused {
        Some((moment, code, message)) => refusal(record, moment, code, message),
        None if record.status >= 400 => (
            format!(
                "No plugin refused it: the gateway answered {} {}: {}",
                record.status,
                record.code.as_deref().unwrap_or_default(),
                record.message.as_deref().unwrap_or_default(),
            ),
            "look at the request and at what is stored; the policy has no part in this".to_owned(),
        ),
        None => (format!("Allowed {}", allowed_by(record)), String::new()),
    };
    let tone = if refused.is_some() {
        Tone::Bad
    } else {
        Tone::Title
    };
    let mut lines = vec![tone.of(said).styled()];
    if !help.is_empty() {
        lines.push(format!(
            "{} {}",
            Tone::Title.of("To change it:").styled(),
            Cell::from(help).styled()
        ));
    }
    lines
}

fn refusal(record: &Record, moment: &Moment, code: &str, message: &str) -> (String, String) {
    let step = |number: usize| record.steps.get(number);
    let decided = moment
        .decided_by
        .and_then(|number| Some((number, step(number)?, moment.parts.get(number)?)));
    let phase = &moment.phase;
    let Some((number, step, part)) = decided else {
        if phase != "authorize" {
            return (
                format!("Refused in {phase}: {code}: {message}"),
                String::new(),
            );
        }
        let asked = moment
            .parts
            .iter()
            .filter(|part| part.vote != Vote::NotAsked);
        let asked = asked.count();
        let who = match asked {
            0 => "no plugin was asked".to_owned(),
            1 => "the one plugin that was asked did not allow it".to_owned(),
            _ => format!("of {asked} plugins that were asked none allowed it"),
        };
        let help = match (&record.principal, asked) {
            (_, 0) => "add a plugin to the chain that decides on this, or widen the `match` of one"
                .to_owned(),
            (Requester::Anonymous, _) => {
                "sign the request, or permit it to everybody, for example in the ACL".to_owned()
            }
            (Requester::Account { id, .. }, _) => {
                format!("permit it to {id}, for example in the ACL of the bucket or the object")
            }
        };
        return (format!("Refused because nobody permitted it: {who}"), help);
    };
    let by = format!("step {}, `{}`, in {phase}", number + 1, step.plugin);
    let at = &step.at;
    if part.vote == Vote::Fail {
        let said = format!("Refused because of a failure of {by}: {}", part.reason);
        return (said, failure_help(&part.reason, step));
    }
    let help = match &**phase {
        "authenticate" => format!(
            "check the keys, the region and the clock of the client; this is decided with the settings at {at}"
        ),
        _ => format!(
            "satisfy what it asks for, or change the settings or the `match` of the step at {at}"
        ),
    };
    (format!("Refused by {by}: {code}: {message}"), help)
}

fn failure_help(reason: &str, step: &Step) -> String {
    let (plugin, at) = (&step.plugin, &step.at);
    let (kind, _) = reason.split_once(':').unwrap_or((reason, ""));
    match FailureKind::parse(kind) {
        Some(FailureKind::Timeout) => {
            format!("make the plugin faster, or raise `limits.cpu` or `limits.wall` of `{plugin}`")
        }
        Some(FailureKind::Memory) => format!("raise `limits.memory` of `{plugin}`"),
        Some(FailureKind::Output) => format!("raise `limits.output` of `{plugin}`"),
        Some(FailureKind::HostCalls) => format!("raise `limits.host_calls` of `{plugin}`"),
        Some(FailureKind::Overload) => {
            format!("raise `limits.concurrency` of `{plugin}`, or slow the clients down")
        }
        Some(FailureKind::Breaker) => format!(
            "it failed too often in a row; look in the log for what `{plugin}` failed of before"
        ),
        Some(FailureKind::Load | FailureKind::Settings) => format!(
            "correct the plugin or the settings of the step at {at}; `sluice check` tells what is wrong"
        ),
        Some(FailureKind::Trap | FailureKind::Instantiate | FailureKind::Invalid) | None => {
            format!(
                "look in the log for lines of `{plugin}` with this request id; `on_failure` decides what a failure means (the step is at {at})"
            )
        }
    }
}

fn allowed_by(record: &Record) -> String {
    let mut by: Vec<String> = Vec::new();
    for moment in record
        .moments
        .iter()
        .filter(|moment| moment.access.is_some())
    {
        for (number, (step, part)) in record.steps.iter().zip(&moment.parts).enumerate() {
            if part.vote == Vote::Allow && step.mode == "enforce" {
                by.push(format!("step {}, `{}`", number + 1, step.plugin));
            }
        }
    }
    by.sort();
    by.dedup();
    match &*by {
        [] => "without a decision: nothing of it needs a permission".to_owned(),
        by => format!("by {}", by.join(" and ")),
    }
}
