//! What the engine asks of the program around it while it works.

use std::{future::Future, pin::Pin};

/// The surroundings of a long piece of work: stopping, breathing and progress.
pub trait Host {
    /// Whether the work should stop.
    fn stopped(&self) -> bool {
        false
    }

    /// Awaited between pieces of work; a browser worker lets its messages in here.
    fn pause(&self) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// Told after each chunk of a prompt: tokens done, of how many.
    fn prefilled(&self, _done: usize, _total: usize) {}

    /// Told while an analysis goes on: pieces of work done, of how many.
    fn analysed(&self, _done: usize, _total: usize) {}

    /// Told while weights stream in: bytes done, of how many.
    fn loaded(&self, _done: u64, _total: u64) {}
}

/// Surroundings that never stop the work.
#[derive(Debug, Clone, Copy, Default)]
pub struct Undisturbed;

impl Host for Undisturbed {}
