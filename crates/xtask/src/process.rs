//! Running other programs: on the terminal, captured, or into a log file with a time limit.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// One command line, with the folder and the environment it runs in.
#[derive(Clone, Debug)]
pub struct Cmd {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(OsString, Option<OsString>)>,
    folder: Option<PathBuf>,
}

/// How a logged command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With exit status 0.
    Well,
    /// With any other status, or by a signal.
    Badly(ExitStatus),
    /// It was killed, with the processes it had started, when its time was up.
    TooLate,
}

impl Cmd {
    /// A command without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self { program: program.as_ref().into(), args: Vec::new(), env: Vec::new(), folder: None }
    }

    /// `npm`, under the name that the system knows it by.
    pub fn npm() -> Self {
        Self::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
    }

    /// `npx`, never fetching a package that is not installed.
    pub fn npx() -> Self {
        Self::new(if cfg!(windows) { "npx.cmd" } else { "npx" }).arg("--no")
    }

    /// The cargo that runs this program.
    pub fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds the words of `words` as arguments.
    pub fn args(mut self, words: &str) -> Self {
        self.args.extend(words.split_whitespace().map(OsString::from));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), Some(value.as_ref().into())));
        self
    }

    /// Takes a variable out of the environment.
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Sets the folder to run in.
    pub fn within(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.into());
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(Stdio::null());
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }

    /// Runs with the output on the terminal.
    ///
    /// # Errors
    /// When the program is missing or ends with a status other than 0.
    pub fn run(&self) -> Result<()> {
        println!("  $ {self}");
        let status = self.command().status().with_context(|| self.missing())?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// Runs and returns standard output.
    ///
    /// # Errors
    /// When the program is missing or ends with a status other than 0; the message holds its standard error.
    pub fn capture(&self) -> Result<String> {
        let output = self.command().output().with_context(|| self.missing())?;
        if !output.status.success() {
            let cause = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` failed ({}): {}", output.status, cause.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs with both outputs appended to `log`, and calls `tick` about once a minute.
    ///
    /// # Errors
    /// When the program cannot be started or waited for.
    pub fn run_logged(&self, log: &File, limit: Duration, tick: &mut dyn FnMut(Duration)) -> Result<Ended> {
        let mut command = self.command();
        command.stdout(log.try_clone()?).stderr(log.try_clone()?);
        let mut child = command.spawn().with_context(|| self.missing())?;
        let start = Instant::now();
        let mut next_tick = Duration::from_secs(60);
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(if status.success() { Ended::Well } else { Ended::Badly(status) });
            }
            let elapsed = start.elapsed();
            if elapsed > limit {
                end_with_descendants(&mut child);
                return Ok(Ended::TooLate);
            }
            if elapsed > next_tick {
                tick(elapsed);
                next_tick += Duration::from_secs(60);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn missing(&self) -> String {
        format!("`{}` could not be started; is it installed and on PATH?", self.program.to_string_lossy())
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Path::new(&self.program).file_name().unwrap_or(&self.program);
        write!(f, "{}", name.to_string_lossy())?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", arg.to_string_lossy()))
    }
}

/// Ends a process and what it started, such as a browser. They are found by their parents rather than by a process
/// group of their own, so that Ctrl+C in a terminal still reaches them all.
fn end_with_descendants(child: &mut Child) {
    let doomed = descendants(&processes(), child.id());
    let _ = child.kill();
    let _ = child.wait();
    if !doomed.is_empty() {
        let doomed: Vec<_> = doomed.iter().map(u32::to_string).collect();
        let _ = Cmd::new("kill").arg("-KILL").args(&doomed.join(" ")).capture();
    }
}

/// Every process with its parent: from Linux's `/proc`, as small installations lack `ps`, else from `ps`.
fn processes() -> Vec<(u32, u32)> {
    if let Ok(entries) = std::fs::read_dir("/proc").map(|entries| entries.flatten()) {
        let parent_of = |pid: u32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
        };
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        return pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    }
    let table = Cmd::new("ps").args("-A -o pid=,ppid=").capture().unwrap_or_default();
    let pair = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    table.lines().filter_map(pair).collect()
}

/// The processes below `root` among pairs of a process and its parent.
fn descendants(pairs: &[(u32, u32)], root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let below =
            pairs.iter().filter(|(pid, of)| *of == parent && !found.contains(pid)).map(|(pid, _)| *pid);
        found.extend(below.collect::<Vec<_>>());
        next += 1;
    }
    found.split_off(1)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    fn logged(script: &str, limit: Duration) -> (Ended, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let command = Cmd::new("sh").arg("-c").arg(script);
        let ended = command.run_logged(&File::create(&path).unwrap(), limit, &mut |_| {}).unwrap();
        (ended, fs::read_to_string(path).unwrap())
    }

    #[test]
    fn both_outputs_reach_the_log_in_order() {
        let (ended, text) = logged("echo one; echo two >&2; echo three", Duration::from_secs(20));
        assert_eq!((ended, text.as_str()), (Ended::Well, "one\ntwo\nthree\n"));
    }

    #[test]
    fn a_bad_status_is_told() {
        let (ended, _) = logged("exit 3", Duration::from_secs(20));
        assert!(matches!(ended, Ended::Badly(status) if status.code() == Some(3)));
    }

    #[test]
    fn what_outlasts_its_time_is_ended_with_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("(sleep 60 & echo $! > {}; wait) & wait", pid.display());
        let start = Instant::now();
        let (ended, _) = logged(&script, Duration::from_millis(500));
        assert_eq!(ended, Ended::TooLate);
        assert!(start.elapsed() < Duration::from_secs(20));
        let pid = fs::read_to_string(pid).unwrap();
        // A zombie has ended; it stays until whoever adopted it looks.
        let ended = || {
            std::thread::sleep(Duration::from_millis(20));
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
        };
        assert!((0..100).any(|_| ended()), "process {pid} is left");
    }

    #[test]
    fn descendants_are_found_through_their_parents() {
        let pairs = [(1, 0), (10, 1), (11, 10), (12, 11), (13, 1), (14, 10)];
        assert_eq!(descendants(&pairs, 10), [11, 14, 12]);
        assert_eq!(descendants(&pairs, 13), Vec::<u32>::new());
        assert!(processes().iter().any(|(pid, _)| *pid == std::process::id()));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = Cmd::new("glassbox-no-such-program").capture().unwrap_err();
        assert!(format!("{error:#}").contains("glassbox-no-such-program"));
    }
}
