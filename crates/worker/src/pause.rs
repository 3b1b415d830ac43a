//! Letting the worker's messages in between two pieces of work.

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue, prelude::Closure};
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

/// A way to yield to the event loop: a message to oneself, which unlike a timer is not delayed.
pub struct Pause {
    channel: MessageChannel,
}

impl Pause {
    /// A pause of its own channel.
    ///
    /// # Errors
    /// If the browser gives no channel.
    pub fn new() -> Result<Self, JsValue> {
        Ok(Self { channel: MessageChannel::new()? })
    }

    /// Resolves after the messages that wait already have been handled.
    pub async fn take(&self) {
        let promise = Promise::new(&mut |resolve: Function, _| {
            let resume = Closure::once_into_js(move || {
                // Calling a promise's resolver cannot fail.
                let _ = resolve.call0(&JsValue::NULL);
            });
            self.channel.port1().set_onmessage(Some(resume.unchecked_ref()));
            if self.channel.port2().post_message(&JsValue::NULL).is_err() {
                self.channel.port1().set_onmessage(None);
            }
        });
        // The promise is only ever resolved.
        let _ = JsFuture::from(promise).await;
    }
}
