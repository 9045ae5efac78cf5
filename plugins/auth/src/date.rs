//! The dates of signatures: read, and written for the error documents.

use sluice_plugin::prelude::*;

/// Seconds since the Unix epoch of `20130524T000000Z`.
pub(crate) fn parse_basic(text: &str) -> Option<u64> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    let [
        year @ ..,
        m1,
        m2,
        d1,
        d2,
        b'T',
        h1,
        h2,
        n1,
        n2,
        s1,
        s2,
        b'Z',
    ] = bytes
    else {
        return None;
    };
    seconds(
        number(year)?,
        number(&[*m1, *m2])?,
        number(&[*d1, *d2])?,
        number(&[*h1, *h2])?,
        number(&[*n1, *n2])?,
        number(&[*s1, *s2])?,
    )
}

/// Seconds since the Unix epoch of `Fri, 24 May 2013 00:00:00 GMT`.
pub(crate) fn parse_http(text: &str) -> Option<u64> {
    let (_, text) = text.split_once(", ")?;
    let mut parts = text.split(' ');
    let (day, month, year, time, zone) = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
    );
    if parts.next().is_some() || !matches!(zone, "GMT" | "UTC" | "+0000" | "-0000") {
        return None;
    }
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    if time.next().is_some() {
        return None;
    }
    let mut months = MONTHS.iter().zip(1..);
    let (_, month) = months.find(|(name, _)| **name == month)?;
    let number = |text: &str, len: usize| number(text.as_bytes()).filter(|_| text.len() == len);
    seconds(
        number(year, 4)?,
        month,
        number(day, 2)?,
        number(hour, 2)?,
        number(minute, 2)?,
        number(second, 2)?,
    )
}

/// The refusal of a signed request that does not say when.
pub(crate) fn missing() -> Denial {
    deny(AccessDenied).because("AWS authentication requires a valid Date or x-amz-date header")
}

/// `20130524T000000Z`
pub(crate) fn basic(time: u64) -> String {
    written(time, "", "T", "")
}

/// `2013-05-24T00:00:00Z`
pub(crate) fn extended(time: u64) -> String {
    written(time, "-", "T", ":")
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const DAY: u64 = 24 * 60 * 60;

/// Only years of four digits, and none before the epoch.
fn seconds(year: u64, month: u64, day: u64, hour: u64, minute: u64, second: u64) -> Option<u64> {
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of_month(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !fits {
        return None;
    }
    let days = days_before_year(year) + days_before_month(year, month) + day - 1;
    Some(days * DAY + hour * 3600 + minute * 60 + second)
}

fn written(time: u64, dash: &str, middle: &str, colon: &str) -> String {
    // After the year 9999 all times look the same.
    let days = (time / DAY).min(days_before_year(10_000) - 1);
    let mut year = 1970 + days / 366;
    while days_before_year(year + 1) <= days {
        year += 1;
    }
    let day = days - days_before_year(year);
    let mut month = 12;
    while month > 1 && days_before_month(year, month) > day {
        month -= 1;
    }
    let day = day - days_before_month(year, month) + 1;
    let mut out = String::with_capacity(20);
    push_two(&mut out, year / 100);
    push_two(&mut out, year % 100);
    out.push_str(dash);
    push_two(&mut out, month);
    out.push_str(dash);
    push_two(&mut out, day);
    out.push_str(middle);
    push_two(&mut out, time % DAY / 3600);
    out.push_str(colon);
    push_two(&mut out, time % 3600 / 60);
    out.push_str(colon);
    push_two(&mut out, time % 60);
    out.push('Z');
    out
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Since the epoch.
fn days_before_year(year: u64) -> u64 {
    let leaps = |year: u64| (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    (year - 1970) * 365 + leaps(year) - leaps(1970)
}

fn days_before_month(year: u64, month: u64) -> u64 {
    (1..month).map(|month| days_of_month(year, month)).sum()
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number: u64, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn push_two(out: &mut String, number: u64) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(char::from_digit(digit as u32, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read() {
        let check = |text: &str, expected: Option<u64>| {
            let time = parse_basic(text).or_else(|| parse_http(text));
            assert_eq!(time, expected, "{text}");
        };
        check("19700101T000000Z", Some(0));
        check("20130524T000000Z", Some(1_369_353_600));
        check("20240229T235959Z", Some(1_709_251_199));
        check("99991231T235959Z", Some(253_402_300_799));
        check("20230229T000000Z", None);
        check("20131301T000000Z", None);
        check("20130500T000000Z", None);
        check("20130524T240000Z", None);
        check("19691231T235959Z", None);
        check("20130524T000000", None);
        check("2013-05-24T00:00:00Z", None);
        check("2013052ÄT000000Z", None);
        check("Fri, 24 May 2013 00:00:00 GMT", Some(1_369_353_600));
        check("Fri, 24 May 2013 00:00:00 +0000", Some(1_369_353_600));
        check("Fri, 24 May 2013 00:00:00 CET", None);
        check("Fri, 24 Mai 2013 00:00:00 GMT", None);
        check("Fri, 4 May 2013 00:00:00 GMT", None);
        check("Fri, 24 May 2013 00:00 GMT", None);
        check("24 May 2013 00:00:00 GMT", None);
        check("", None);
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut time = 0;
        while time < 253_402_300_799 {
            assert_eq!(parse_basic(&basic(time)), Some(time));
            time += 11 * DAY + 12_345;
        }
        assert_eq!(extended(1_369_353_600), "2013-05-24T00:00:00Z");
        assert_eq!(extended(951_782_400), "2000-02-29T00:00:00Z");
        assert!(extended(u64::MAX).starts_with("9999-12-31T"));
    }
}
