//! The queue of requests and the way back to the page.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    panic::PanicHookInfo,
    rc::Rc,
};

use glassbox_engine::{Model, analysis::Runs};
use glassbox_formats::FileSet;
use glassbox_protocol::{Event, Failure, Request};
use js_sys::{Array, ArrayBuffer, Function, Object, Reflect};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::spawn_local;
use web_sys::{AbortController, AbortSignal};

use crate::{error::WorkerError, opening::Started, pause::Pause};

/// The worker's end of the protocol: give it the page's messages, it posts events.
#[wasm_bindgen]
pub struct Host {
    shared: Rc<Shared>,
}

/// A request that waits, with the message it came in (which may hold browser files).
pub(crate) struct Pending {
    pub id: u32,
    pub request: Request,
    pub message: JsValue,
}

/// What all requests share.
pub(crate) struct Shared {
    post: Function,
    /// The loader's, which makes a team of helpers.
    pub recruit: Function,
    pub pause: Pause,
    queue: RefCell<VecDeque<Pending>>,
    running: Cell<bool>,
    /// The request at work, with what stops it.
    current: RefCell<Option<(u32, AbortController)>>,
    pub started: RefCell<Option<Started>>,
    pub model: RefCell<Option<Rc<Model>>>,
    /// The last runs of that model.
    pub runs: Runs,
    /// Where its bytes came from.
    pub files: RefCell<Option<FileSet>>,
    /// Of its files, once asked for.
    pub fingerprint: RefCell<Option<String>>,
}

#[wasm_bindgen]
impl Host {
    /// A host that posts through `post(message, transfer)`, and gets helpers through `recruit(count)`, which resolves
    /// with a team or, where workers cannot share memory, with null.
    ///
    /// # Errors
    /// If the browser lacks message channels.
    #[wasm_bindgen(constructor)]
    pub fn new(post: Function, recruit: Function) -> Result<Host, JsValue> {
        let shared = Rc::new(Shared {
            post,
            recruit,
            pause: Pause::new()?,
            queue: RefCell::default(),
            running: Cell::new(false),
            current: RefCell::default(),
            started: RefCell::default(),
            model: RefCell::default(),
            runs: Runs::new(),
            files: RefCell::default(),
            fingerprint: RefCell::default(),
        });
        report_panics(&shared);
        Ok(Host { shared })
    }

    /// Takes a message `{id, request}`, and its request again with the name of every enum's variant outside, as serde
    /// has it by default (`web/src/worker/outside.ts`). Never throws: what is wrong is answered.
    pub fn handle(&self, message: JsValue, request: JsValue) {
        let id = Reflect::get(&message, &"id".into()).ok().and_then(|id| id.as_f64()).unwrap_or(0.0) as u32;
        let request = serde_wasm_bindgen::from_value::<Request>(request).map_err(|error| error.to_string());
        match request {
            Ok(Request::Abort { target }) => self.shared.abort(target),
            Ok(request) => {
                self.shared.queue.borrow_mut().push_back(Pending { id, request, message });
                if !self.shared.running.replace(true) {
                    spawn_local(run(self.shared.clone()));
                }
            }
            Err(reason) => self.shared.post(id, &failed(&WorkerError::Message(reason))),
        }
    }
}

/// Runs what waits, one request after the other.
async fn run(shared: Rc<Shared>) {
    loop {
        let next = shared.queue.borrow_mut().pop_front();
        let Some(pending) = next else { break };
        let id = pending.id;
        *shared.current.borrow_mut() = AbortController::new().ok().map(|controller| (id, controller));
        if let Err(error) = shared.clone().answer(pending).await {
            shared.post(id, &failed(&error));
        }
        *shared.current.borrow_mut() = None;
    }
    shared.running.set(false);
}

impl Shared {
    fn abort(&self, target: u32) {
        let mut queue = self.queue.borrow_mut();
        match queue.iter().position(|pending| pending.id == target) {
            Some(index) => {
                queue.remove(index);
                self.post(target, &failed(&WorkerError::Aborted));
            }
            None => {
                // A request that has ended already is none of ours any more.
                if let Some((_, controller)) = self.current.borrow().as_ref().filter(|(id, _)| *id == target)
                {
                    controller.abort();
                }
            }
        }
    }

    /// What tells the request at work that the page wants it stopped; fetches end at once by it.
    pub fn signal(&self) -> Option<AbortSignal> {
        self.current.borrow().as_ref().map(|(_, controller)| controller.signal())
    }

    /// Posts an event.
    pub fn post(&self, id: u32, event: &Event) {
        self.post_with(id, event, &[]);
    }

    /// Posts an event with buffers that move to the page.
    pub fn post_with(&self, id: u32, event: &Event, buffers: &[ArrayBuffer]) {
        let message = Object::new();
        let event = event
            .serialize(
                &serde_wasm_bindgen::Serializer::new()
                    .serialize_maps_as_objects(true)
                    .serialize_missing_as_null(true),
            )
            .unwrap_or(JsValue::NULL);
        let transfer: Array = buffers.iter().collect();
        let fields: [(&str, &JsValue); 3] =
            [("id", &id.into()), ("event", &event), ("buffers", transfer.as_ref())];
        for (name, value) in fields {
            // Setting a property of an object made here cannot fail.
            let _ = Reflect::set(&message, &name.into(), value);
        }
        // If posting fails there is nobody left to tell.
        let _ = self.post.call2(&JsValue::NULL, message.unchecked_ref(), transfer.as_ref());
    }
}

/// An error as an event.
pub(crate) fn failed(error: &WorkerError) -> Event {
    Event::Failed { error: error.failure() }
}

/// What a panic says, with its place in the source where the build kept it.
fn what(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("no reason was given");
    match info.location().filter(|location| location.line() > 0) {
        Some(location) => format!("{message} ({location})"),
        None => message.to_owned(),
    }
}

/// Tells the page about a panic before the module dies of it.
fn report_panics(shared: &Rc<Shared>) {
    thread_local!(static POST: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) });
    POST.with(|post| *post.borrow_mut() = Some(shared.clone()));
    std::panic::set_hook(Box::new(|info| {
        let error = Failure {
            code: "panicked".to_owned(),
            message: format!("the engine stopped unexpectedly: {}", what(info)),
            hint: "The engine is started again with the model you had. If it happens again, use the CPU or report it."
                .to_owned(),
        };
        POST.with(|post| {
            if let Ok(Some(shared)) = post.try_borrow().as_deref() {
                shared.post(0, &Event::Failed { error });
            }
        });
    }));
}
