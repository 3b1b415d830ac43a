//! One HTML page about the golden cases that failed: where in the forward pass each departs first.

use std::{fmt::Write, path::PathBuf};

/// How far one tensor of a trace is from its golden.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Site, or `logits`.
    pub name: String,
    /// Largest absolute difference; infinite for wrong shapes and values that are no numbers.
    pub departure: f32,
    pub allowed: f32,
    /// Where the largest difference is, with the values there.
    pub at: String,
}

impl Comparison {
    pub fn fails(&self) -> bool {
        self.departure.is_nan() || self.departure > self.allowed
    }
}

/// A case with a failure: its comparisons in the order of the forward pass, and what else is wrong.
#[derive(Debug)]
pub struct Failure {
    pub label: String,
    pub comparisons: Vec<Comparison>,
    pub others: Vec<String>,
}

impl Failure {
    /// The first site that departs, else what else is wrong.
    pub fn summary(&self) -> String {
        match self.comparisons.iter().find(|one| one.fails()) {
            Some(one) => {
                format!(
                    "{}: first at {}, by {} where {} is allowed",
                    self.label, one.name, one.departure, one.allowed
                )
            }
            None => format!("{}: {}", self.label, self.others.join("; ")),
        }
    }
}

/// Writes the page and fails the test, if anything failed.
pub fn finish(test: &str, failures: &[Failure]) {
    if failures.is_empty() {
        return;
    }
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.html"));
    std::fs::write(&path, page(test, failures)).unwrap();
    let summaries: Vec<String> = failures.iter().map(Failure::summary).collect();
    panic!("{} cases depart; see {}\n{}", failures.len(), path.display(), summaries.join("\n"));
}

fn page(test: &str, failures: &[Failure]) -> String {
    let mut page = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>{test}</title><style>\
         body{{font:15px/1.4 system-ui;margin:2rem;max-width:70rem}}table{{border-collapse:collapse}}\
         td,th{{padding:.1rem .8rem .1rem 0;text-align:left}}.bad{{background:#fdd}}.first{{font-weight:bold}}\
         .bar{{display:inline-block;height:.7rem;background:#c33}}.ok .bar{{background:#393}}</style>\
         <h1>{test}: {} cases depart from their golden</h1>",
        failures.len()
    );
    for failure in failures {
        let _ = write!(page, "<h2>{}</h2><p>{}</p>", escape(&failure.label), escape(&failure.summary()));
        for other in &failure.others {
            let _ = write!(page, "<p>{}</p>", escape(other));
        }
        page.push_str("<table><tr><th>site<th>departure<th>allowed<th>ratio, by powers of ten<th>largest at");
        let mut seen = false;
        for one in &failure.comparisons {
            let class = match (one.fails(), seen) {
                (true, false) => "bad first",
                (true, true) => "bad",
                (false, _) => "ok",
            };
            seen |= one.fails();
            let ratio = (one.departure / one.allowed).log10().clamp(-6.0, 6.0) + 6.0;
            let _ = write!(
                page,
                "<tr class=\"{class}\"><td>{}<td>{:.3e}<td>{:.3e}<td><span class=\"bar\" style=\"width:{:.0}px\"></span><td>{}",
                escape(&one.name),
                one.departure,
                one.allowed,
                ratio * 20.0,
                escape(&one.at)
            );
        }
        page.push_str("</table>");
    }
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
