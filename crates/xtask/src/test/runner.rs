//! Runs one step after the other: set-up, commands into a log, numbers out of it.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::count::{Counts, Printer};
use super::steps::Step;
use crate::process::{Cmd, Ended};
use crate::project::Project;

/// Lines of a failed step's output that are shown from its start and from its end.
const SHOWN_FIRST: usize = 60;
const SHOWN_LAST: usize = 140;

/// What all steps of one run share.
pub struct Session {
    /// The clone under test.
    pub project: Project,
    /// The steps that ran before, and whether they went well.
    done: RefCell<Vec<(&'static str, bool)>>,
}

/// What a step is made of, in order.
pub enum Task {
    /// A program whose output goes to the log.
    Run(Cmd),
    /// A check within this program; it returns what it found to be wrong.
    Check(fn(&Project) -> Result<Vec<String>>),
}

/// How a step ended.
pub struct Outcome {
    /// The step's name.
    pub name: &'static str,
    /// Its tests, or itself as one.
    pub counts: Counts,
    /// How long it took, with its set-up.
    pub time: Duration,
}

/// How the tasks of a step went, before their output is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Went {
    Well,
    Badly,
}

impl Session {
    /// A run over the clone of `project`.
    pub fn new(project: Project) -> Self {
        Self { project, done: RefCell::default() }
    }

    /// Whether a step went well; `None` if it was not run.
    pub fn went_well(&self, name: &str) -> Option<bool> {
        self.done.borrow().iter().find(|(done, _)| *done == name).map(|(_, well)| *well)
    }

    /// Runs one step and shows its output if it fails.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn run(&self, step: &Step) -> Result<Outcome> {
        let start = Instant::now();
        let path = self.project.logs().join(format!("{}.log", step.name));
        let mut log = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        let went = match (step.tasks)(self) {
            Ok(tasks) => self.run_tasks(step, tasks, &mut log)?,
            Err(error) => {
                writeln!(log, "set-up failed: {error:#}")?;
                Went::Badly
            }
        };
        let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let counts = judge(step.printer, went, &output);
        if counts.failed > 0 {
            println!("{}", excerpt(&output, &path));
        }
        let time = start.elapsed();
        println!(
            "  {}: {} passed, {} failed, {} skipped, {}",
            step.name,
            counts.passed,
            counts.failed,
            counts.skipped,
            clock(time)
        );
        self.done.borrow_mut().push((step.name, counts.failed == 0));
        Ok(Outcome { name: step.name, counts, time })
    }

    fn run_tasks(&self, step: &Step, tasks: Vec<Task>, log: &mut File) -> Result<Went> {
        let start = Instant::now();
        let limit = Duration::from_secs(60 * step.minutes);
        let mut went = Went::Well;
        for task in tasks {
            let left = limit.saturating_sub(start.elapsed());
            let ended = match task {
                Task::Run(command) => run_command(&command, log, left)?,
                Task::Check(check) => report(check(&self.project), log)?,
            };
            if ended == Went::Badly {
                went = Went::Badly;
                // What follows builds on what failed, except for a second set of tests.
                if !step.independent {
                    break;
                }
            }
        }
        Ok(went)
    }
}

fn run_command(command: &Cmd, log: &mut File, limit: Duration) -> Result<Went> {
    println!("  $ {command}");
    writeln!(log, "$ {command}")?;
    let mut tick = |elapsed| println!("    … {}", clock(elapsed));
    match command.run_logged(log, limit, &mut tick) {
        Ok(Ended::Well) => Ok(Went::Well),
        Ok(Ended::Badly(status)) => {
            writeln!(log, "ended with {status}")?;
            Ok(Went::Badly)
        }
        Ok(Ended::TooLate) => {
            writeln!(log, "ended by xtask: it took longer than {}", clock(limit))?;
            Ok(Went::Badly)
        }
        Err(error) => {
            writeln!(log, "{error:#}")?;
            Ok(Went::Badly)
        }
    }
}

fn report(findings: Result<Vec<String>>, log: &mut File) -> Result<Went> {
    let findings = findings.unwrap_or_else(|error| vec![format!("{error:#}")]);
    for finding in &findings {
        writeln!(log, "{finding}")?;
    }
    Ok(if findings.is_empty() { Went::Well } else { Went::Badly })
}

/// The numbers of a step. One that failed without a failed test (it did not compile, it crashed, it hung) counts as
/// one failure; so does one that should have run tests and ran none.
fn judge(printer: Printer, went: Went, output: &str) -> Counts {
    let mut counts = printer.count(output);
    let ran_none = printer != Printer::Check && counts.passed + counts.failed == 0;
    match went {
        Went::Badly if counts.failed == 0 => counts.failed = 1,
        Went::Well if printer == Printer::Check => counts.passed = 1,
        Went::Well if ran_none => counts.failed = 1,
        _ => {}
    }
    counts
}

/// The start and the end of a failed step's output, and where all of it is.
fn excerpt(output: &str, path: &Path) -> String {
    let lines: Vec<&str> = output.lines().collect();
    let mut shown: Vec<String> = Vec::new();
    let left_out = lines.len().saturating_sub(SHOWN_FIRST + SHOWN_LAST);
    for (number, line) in lines.iter().enumerate() {
        if left_out > 0 && number == SHOWN_FIRST {
            shown.push(format!("  | [{left_out} lines left out; all of them in {}]", path.display()));
        }
        if left_out == 0 || number < SHOWN_FIRST || number >= SHOWN_FIRST + left_out {
            shown.push(format!("  | {line}"));
        }
    }
    shown.join("\n")
}

/// `1:02:03` or `2:03`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured\n";
    const FAILED: &str = "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured\n";

    fn judged(printer: Printer, went: Went, output: &str) -> (usize, usize, usize) {
        let Counts { passed, failed, skipped } = judge(printer, went, output);
        (passed, failed, skipped)
    }

    #[test]
    fn checks_count_as_one() {
        assert_eq!(judged(Printer::Check, Went::Well, PASSED), (1, 0, 0));
        assert_eq!(judged(Printer::Check, Went::Badly, PASSED), (0, 1, 0));
    }

    #[test]
    fn a_failure_is_never_lost() {
        assert_eq!(judged(Printer::Cargo, Went::Well, PASSED), (5, 0, 1));
        assert_eq!(judged(Printer::Cargo, Went::Badly, FAILED), (4, 2, 0));
        // One test program passed and the next one crashed.
        assert_eq!(judged(Printer::Cargo, Went::Badly, PASSED), (5, 1, 1));
        // It did not compile.
        assert_eq!(judged(Printer::Cargo, Went::Badly, "error[E0308]"), (0, 1, 0));
        // Nothing was tested.
        assert_eq!(judged(Printer::Cargo, Went::Well, "no tests to run!"), (0, 1, 0));
    }

    #[test]
    fn long_output_is_cut_in_the_middle() {
        let output: String = (0..300).map(|number| format!("line {number}\n")).collect();
        let shown = excerpt(&output, Path::new("x.log"));
        assert!(shown.starts_with("  | line 0\n") && shown.ends_with("  | line 299"));
        assert!(
            shown.contains("  | line 59\n  | [100 lines left out; all of them in x.log]\n  | line 160\n")
        );
        assert_eq!(excerpt("a\nb", Path::new("x.log")), "  | a\n  | b");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(clock(Duration::from_secs(5)), "0:05");
        assert_eq!(clock(Duration::from_secs(754)), "12:34");
        assert_eq!(clock(Duration::from_secs(3723)), "1:02:03");
    }
}
