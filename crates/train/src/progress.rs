//! What a run shows while it goes: one line on a terminal, and a log beside the checkpoint.

use std::{
    fs::{File, OpenOptions},
    io::{IsTerminal, Write},
    path::Path,
};

use glassbox_train::{Event, TrainError};

/// Steps between two lines where the output is no terminal.
const LINE_EVERY: u64 = 25;

/// Writes events to the terminal and to `log.csv`.
pub struct Progress {
    log: File,
    steps: u64,
    terminal: bool,
    /// Mean loss of the last steps.
    loss: Option<f64>,
}

impl Progress {
    /// A display of a run of `steps` steps, with its log in `work`.
    pub fn new(work: &Path, steps: u64) -> Result<Self, TrainError> {
        let path = work.join("log.csv");
        let open = || {
            std::fs::create_dir_all(work)?;
            OpenOptions::new().create(true).append(true).open(&path)
        };
        let log = open().map_err(|cause| TrainError::File { path: path.clone(), cause })?;
        Ok(Self { log, steps, terminal: std::io::stdout().is_terminal(), loss: None })
    }

    /// Shows an event. A log that cannot be written does not end the run.
    pub fn tell(&mut self, event: Event) {
        match event {
            Event::Started { step, parameters, epoch_tokens } => {
                println!(
                    "{parameters} parameters, {epoch_tokens} tokens of stories, step {step} of {}",
                    self.steps
                );
            }
            Event::Stepped { step, loss, norm, rate, tokens_per_second, seconds_left } => {
                let _ =
                    writeln!(self.log, "step,{step},{loss:.5},{norm:.4},{rate:.6},{tokens_per_second:.0}");
                let smooth = self.loss.map_or(loss, |mean| 0.95 * mean + 0.05 * loss);
                self.loss = Some(smooth);
                let minutes = seconds_left / 60.0;
                let line = format!(
                    "step {step} of {}   loss {smooth:.3}   {tokens_per_second:.0} tokens/s   {minutes:.0} min left",
                    self.steps
                );
                if self.terminal {
                    print!("\r{line:<79}");
                    let _ = std::io::stdout().flush();
                } else if step.is_multiple_of(LINE_EVERY) {
                    println!("{line}");
                }
            }
            Event::Evaluated { step, bits_per_byte } => {
                let _ = writeln!(self.log, "held_out,{step},{bits_per_byte:.5}");
                let start = if self.terminal { "\r" } else { "" };
                println!("{start}step {step}: {bits_per_byte:.4} bits per byte on held-out stories{:20}", "");
            }
        }
    }
}
