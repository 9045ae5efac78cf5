//! Sizes and durations as people write them: a number and its unit.

use std::time::Duration;

const SIZES: [(&str, u64); 10] = [
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const MICROSECONDS: [(&str, u64); 7] = [
    ("us", 1),
    ("µs", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// The units of sizes.
pub(crate) fn sizes() -> Vec<&'static str> {
    SIZES.iter().map(|(unit, _)| *unit).collect()
}

/// The units of durations.
pub(crate) fn durations() -> Vec<&'static str> {
    MICROSECONDS.iter().map(|(unit, _)| *unit).collect()
}

/// The number, times what its unit stands for.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (_, factor) = units
        .iter()
        .find(|(name, _)| *name == unit.trim_start_matches(' '))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, &SIZES).ok_or_else(|| {
        format!("`{text}` is not a size: a whole number and B, KiB, MiB, GiB, kB, MB or GB")
    })
}

pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    match parse(text, &MICROSECONDS) {
        Some(microseconds) => Ok(Duration::from_micros(microseconds)),
        None => Err(format!(
            "`{text}` is not a duration: a whole number and us, ms, s, m, h or d"
        )),
    }
}

pub(crate) fn show_size(bytes: u64) -> String {
    let shown = SIZES.iter().rev().find(|(unit, factor)| {
        unit.ends_with("iB") && bytes >= *factor && bytes.is_multiple_of(*factor)
    });
    match shown {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("17B", Some(17)),
            ("64KiB", Some(65_536)),
            ("64 KiB", Some(65_536)),
            ("8MiB", Some(8 << 20)),
            ("2GB", Some(2_000_000_000)),
            ("64K", None),
            ("64kib", None),
            ("1.5MiB", None),
            ("-1", None),
            ("KiB", None),
            ("", None),
            ("18446744073709551615GiB", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(parse_size(text).ok(), bytes, "{text}");
        }
        for (bytes, text) in [
            (0, "0B"),
            (1000, "1000B"),
            (65_536, "64KiB"),
            (8 << 20, "8MiB"),
            (1 << 30, "1GiB"),
        ] {
            assert_eq!(show_size(bytes), text);
        }
    }

    #[test]
    fn a_duration_needs_its_unit() {
        for (text, micros) in [
            ("5ms", Some(5_000)),
            ("10s", Some(10_000_000)),
            ("2m", Some(120_000_000)),
            ("1h", Some(3_600_000_000)),
            ("500us", Some(500)),
            ("0s", Some(0)),
            ("10", None),
            ("1.5s", None),
            ("-1s", None),
            ("10 sec", None),
            ("s", None),
        ] {
            let expected = micros.map(Duration::from_micros);
            assert_eq!(parse_duration(text).ok(), expected, "{text}");
        }
    }
}
