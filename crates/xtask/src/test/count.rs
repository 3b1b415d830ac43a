//! Reads how many tests passed from what the test runners print.

use std::ops::{Add, AddAssign};

use regex_lite::Regex;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ran and succeeded.
    pub passed: usize,
    /// Ran and failed.
    pub failed: usize,
    /// Did not run.
    pub skipped: usize,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// What printed the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printer {
    /// A check that passes or fails as one.
    Check,
    /// Rust's test harness, of `cargo test` and of wasm-bindgen's test runner.
    Cargo,
    /// `node --test`.
    Node,
    /// Playwright's test runner, with its list or line reporter.
    Playwright,
}

impl Printer {
    /// The sum of all summaries in `output`; nothing for [`Printer::Check`].
    pub fn count(self, output: &str) -> Counts {
        let output = plain(output);
        match self {
            Self::Check => Counts::default(),
            Self::Cargo => output.lines().filter_map(cargo).sum(),
            Self::Node => output.lines().filter_map(node).sum(),
            Self::Playwright => output.lines().filter_map(playwright).sum(),
        }
    }
}

/// `output` without colours.
fn plain(output: &str) -> String {
    match Regex::new("\u{1b}\\[[0-9;]*[A-Za-z]") {
        Ok(colour) => colour.replace_all(output, "").into_owned(),
        Err(_) => output.to_owned(),
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
fn cargo(line: &str) -> Option<Counts> {
    let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let field = numbers.split(';').map(str::trim).find_map(|field| field.strip_suffix(word))?;
        field.trim().parse().ok()
    };
    let skipped = number("ignored").unwrap_or(0);
    Some(Counts { passed: number("passed")?, failed: number("failed")?, skipped })
}

/// `ℹ pass 12` (for people) or `# pass 12` (TAP)
fn node(line: &str) -> Option<Counts> {
    let mut words = line.split_whitespace();
    let (mark, word, number) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    if words.next().is_some() || !["ℹ", "#"].contains(&mark) {
        return None;
    }
    match word {
        "pass" => Some(Counts { passed: number, ..Counts::default() }),
        "fail" | "cancelled" => Some(Counts { failed: number, ..Counts::default() }),
        "skipped" | "todo" => Some(Counts { skipped: number, ..Counts::default() }),
        _ => None,
    }
}

/// `  12 passed (34.5s)`, `  1 failed`, `  2 skipped`, `  1 did not run`
fn playwright(line: &str) -> Option<Counts> {
    let (number, rest) = line.trim().split_once(' ')?;
    let number = number.parse().ok()?;
    let outcome = rest.split(" (").next()?;
    match outcome {
        "failed" | "interrupted" => Some(Counts { failed: number, ..Counts::default() }),
        // Passed when repeated: the suite's configuration says how often, its summary which.
        "passed" | "flaky" => Some(Counts { passed: number, ..Counts::default() }),
        "skipped" | "did not run" => Some(Counts { skipped: number, ..Counts::default() }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn all_summaries_of_cargo_are_added() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            \u{1b}[1mtest result: \u{1b}[31mFAILED\u{1b}[0m. 9 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n\
            test result: ok. 4 passed; 0 failed; 0 ignored; 0 filtered out; finished in 0.01s\n";
        assert_eq!(Printer::Cargo.count(output), counts(16, 2, 1));
    }

    #[test]
    fn what_tests_print_themselves_is_not_counted() {
        let output =
            "test result: looks good\ntest result: ok. many passed; 0 failed;\n12 passed\n# pass 3\n";
        assert_eq!(Printer::Cargo.count(output), counts(0, 0, 0));
        assert_eq!(Printer::Check.count("3 failed"), counts(0, 0, 0));
    }

    #[test]
    fn both_reporters_of_node_are_read() {
        let spec = "ℹ tests 14\nℹ suites 0\nℹ pass 11\nℹ fail 1\nℹ cancelled 1\nℹ skipped 1\nℹ todo 0\nℹ duration_ms 41.5\n";
        assert_eq!(Printer::Node.count(spec), counts(11, 2, 1));
        assert_eq!(Printer::Node.count(&spec.replace('ℹ', "#")), counts(11, 2, 1));
    }

    #[test]
    fn outcomes_of_playwright_are_read() {
        let output = "Running 9 tests using 1 worker\n  ✓  1 a.spec.ts:3:1 › 5 passed ones (1s)\n\
            \u{1b}[31m  1 failed\u{1b}[39m\n    [chromium] › a.spec.ts:9:1 › opens\n  1 flaky\n  2 skipped\n  1 did not run\n  4 passed (12.3s)\n";
        assert_eq!(Printer::Playwright.count(output), counts(5, 1, 3));
        assert_eq!(Printer::Playwright.count("  12 passed (1.2m)\n"), counts(12, 0, 0));
    }
}
