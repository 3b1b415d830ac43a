//! The engine behind a browser worker: the only crate that knows JavaScript.
//!
//! [`Host`] takes the page's messages, runs them one after the other and posts events back.

#[cfg(target_family = "wasm")]
mod adapters;
#[cfg(target_family = "wasm")]
mod analyses;
#[cfg(target_family = "wasm")]
mod convert;
#[cfg(target_family = "wasm")]
mod error;
#[cfg(target_family = "wasm")]
mod host;
#[cfg(target_family = "wasm")]
mod opening;
#[cfg(target_family = "wasm")]
mod pause;
#[cfg(target_family = "wasm")]
mod requests;
#[cfg(target_family = "wasm")]
mod show;
#[cfg(target_family = "wasm")]
mod source;
#[cfg(target_family = "wasm")]
mod team;

#[cfg(target_family = "wasm")]
pub use host::Host;
#[cfg(target_family = "wasm")]
pub use team::Helper;

#[cfg(target_family = "wasm")]
unsafe extern "C" {
    fn __wasm_call_ctors();
}

/// Runs the module's constructors, once.
///
/// Without a reference to this symbol wasm-ld makes every export run all of them again: cubecl
/// registers thousands, which costs milliseconds per call. Documented in the crate `inventory`.
pub fn init() {
    #[cfg(target_family = "wasm")]
    // SAFETY: the linker defines the symbol in every wasm module; this is its only call.
    unsafe {
        __wasm_call_ctors();
    }
}
