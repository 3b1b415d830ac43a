//! `cargo xtask test`: every check of the project, quickest first, all of them even when some fail.

mod count;
mod runner;
mod steps;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::project::Project;
use count::Counts;
use runner::{Outcome, Session};
use steps::{STEPS, Step};

/// What `cargo xtask test` may be told.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave out what needs wasm, the built site or a browser.
    pub fast: bool,
    /// Run these steps alone; all when empty.
    pub only: Vec<String>,
}

/// Runs the steps and prints a table, and as the last line how many tests passed and failed.
/// Returns whether nothing failed.
///
/// # Errors
/// When a step is asked for that there is not, or the logs cannot be written.
pub fn run(project: &Project, options: &Options) -> Result<bool> {
    let chosen = choose(options)?;
    let logs = project.logs();
    std::fs::create_dir_all(&logs).with_context(|| format!("{} cannot be made", logs.display()))?;
    println!("test: the output of every step is kept in {}", logs.display());
    let session = Session::new(project.clone());
    let start = Instant::now();
    let mut outcomes = Vec::new();
    for (number, step) in chosen.iter().enumerate() {
        println!("\n[{}/{}] {}: {}", number + 1, chosen.len(), step.name, step.about);
        outcomes.push(session.run(step)?);
    }
    let total: Counts = outcomes.iter().map(|outcome| outcome.counts).sum();
    println!("\n{}", table(&outcomes));
    println!("took {}", runner::clock(start.elapsed()));
    println!("{}", last_line(total));
    Ok(total.failed == 0)
}

fn choose(options: &Options) -> Result<Vec<&'static Step>> {
    for name in &options.only {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step '{name}'; there are {}", names.join(", "));
        }
    }
    let wanted = |step: &&Step| match options.only.is_empty() {
        true => step.fast || !options.fast,
        false => options.only.iter().any(|name| name == step.name),
    };
    Ok(STEPS.iter().filter(wanted).collect())
}

fn table(outcomes: &[Outcome]) -> String {
    let mut text =
        format!("{:<14}{:<9}{:>7}{:>8}{:>9}{:>8}\n", "step", "result", "passed", "failed", "skipped", "time");
    for outcome in outcomes {
        let Counts { passed, failed, skipped } = outcome.counts;
        let result = if failed > 0 { "FAILED" } else { "ok" };
        let time = runner::clock(outcome.time);
        text += &format!("{:<14}{result:<9}{passed:>7}{failed:>8}{skipped:>9}{time:>8}\n", outcome.name);
    }
    text
}

/// The line that `.ci/run` ends with.
fn last_line(total: Counts) -> String {
    let Counts { passed, failed, skipped } = total;
    match skipped {
        0 => format!("{passed} passed, {failed} failed"),
        _ => format!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_as_ci_reads_it() {
        assert_eq!(last_line(Counts { passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
        assert_eq!(last_line(Counts { passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn steps_are_chosen_by_name_and_by_speed() {
        let all = choose(&Options::default()).unwrap();
        assert_eq!(all.len(), STEPS.len());
        let fast = choose(&Options { fast: true, only: vec![] }).unwrap();
        assert!(fast.iter().all(|step| step.fast) && fast.len() < all.len());
        let only = choose(&Options { fast: true, only: vec!["e2e".into()] }).unwrap();
        assert_eq!(only.iter().map(|step| step.name).collect::<Vec<_>>(), ["e2e"]);
        assert!(choose(&Options { fast: false, only: vec!["e3e".into()] }).is_err());
    }
}
