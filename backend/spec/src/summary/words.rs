//! Figures in words.

use crate::budget::Budget;
use crate::interval::Interval;
use crate::latency::{Latency, Runtime};

/// `1 image`, `2 images`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// With one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

/// With as many decimals as a budget has.
fn plain_percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}

/// Two ends with one decimal.
pub(super) fn from_to(interval: Interval) -> String {
    format!("{} to {}", percent(interval.low), percent(interval.high))
}

/// A difference of shares, without its sign.
pub(super) fn points(difference: f64) -> String {
    format!("{:.1} points", 100.0 * difference.abs())
}

/// A difference of shares, with its sign; what rounds to 0 has none.
pub(super) fn signed(difference: f64) -> String {
    let tenths = (1000.0 * difference).round() / 10.0;
    if tenths == 0.0 { "0.0".to_owned() } else { format!("{tenths:+.1}") }
}

/// The interval of a difference, in points.
pub(super) fn signed_from_to(interval: Interval) -> String {
    format!("{} to {} points", signed(interval.low), signed(interval.high))
}

/// Three significant digits.
pub(crate) fn milliseconds(milliseconds: f64) -> String {
    let decimals = match milliseconds {
        ms if ms >= 100.0 => 0,
        ms if ms >= 10.0 => 1,
        ms if ms >= 1.0 => 2,
        _ => 3,
    };
    format!("{milliseconds:.decimals$} ms")
}

/// `2 h 5 min`, `3 min 20 s`, `12.3 s`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        3600.. => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        60.. => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{:.1} s", seconds.max(0.0)),
    }
}

impl Budget {
    /// `50% of the MACs and 25% of the parameters`.
    pub fn in_words(&self) -> String {
        let limits = self.constraints().iter();
        let parts: Vec<String> =
            limits.map(|limit| format!("{} of the {}", plain_percent(limit.fraction), limit.measure)).collect();
        listed(&parts)
    }
}

/// `a, b and c`.
pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Where a latency was measured: `ONNX Runtime (cpu, 1 thread, batches of 1)`.
pub(crate) fn conditions(latency: &Latency) -> String {
    let runtime = match latency.runtime {
        Runtime::Onnxruntime => "ONNX Runtime",
        Runtime::Libtorch => "libtorch",
    };
    let threads = counted(u64::from(latency.threads), "thread");
    format!("{runtime} ({}, {threads}, batches of {})", latency.device, latency.batch_size)
}

/// Text of any kind as Markdown that shows it, within a line or a cell of a table.
pub(crate) fn escaped(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (place, &character) in characters.iter().enumerate() {
        let is_word = |place: Option<usize>| {
            place.and_then(|place| characters.get(place)).is_some_and(|character| character.is_alphanumeric())
        };
        match character {
            c if c.is_control() => out.push(' '),
            // Within a word an underscore is but one.
            '_' if is_word(place.checked_sub(1)) && is_word(Some(place + 1)) => out.push('_'),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '&' | '!' | '$' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Constraint, Measure};

    #[test]
    fn figures_read_as_a_person_would_write_them() {
        assert_eq!(
            (percent(0.8412), points(-0.0321), signed(0.0321)),
            ("84.1%".into(), "3.2 points".into(), "+3.2".into())
        );
        assert_eq!([signed(-0.0321), signed(-0.0001), signed(0.0)], ["-3.2", "0.0", "0.0"]);
        assert_eq!([12.34, 200.0, 7500.0].map(duration), ["12.3 s", "3 min 20 s", "2 h 5 min"]);
        assert_eq!([0.1834, 1.834, 18.34, 183.4].map(milliseconds), ["0.183 ms", "1.83 ms", "18.3 ms", "183 ms"]);
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        let limit = |measure, fraction| Constraint { measure, fraction };
        let both = Budget(vec![limit(Measure::Macs, 0.29), limit(Measure::Parameters, 0.125)]);
        assert_eq!(both.in_words(), "29% of the MACs and 12.5% of the parameters");
    }

    #[test]
    fn any_name_stays_in_its_cell() {
        assert_eq!(escaped("a|b\\|c\nd"), "a\\|b\\\\\\|c d");
        assert_eq!(escaped("features.3_1.conv_"), "features.3_1.conv\\_");
        assert_eq!(escaped("<b>*x*</b> [y](z) `k`"), "\\<b\\>\\*x\\*\\</b\\> \\[y\\](z) \\`k\\`");
    }
}
