//! Helpers in workers of their own: both ends of what `web/src/worker/team.ts` sends between them.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use glassbox_engine::team::{Share, ShareShape, Team};
use js_sys::{Array, Float32Array, Function, Promise, Uint8Array};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use wasm_bindgen::{JsCast, JsError};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// The loader's end of a team.
    #[wasm_bindgen(typescript_type = "Team")]
    type Workers;

    #[wasm_bindgen(method, js_name = handOver)]
    fn hand_over(this: &Workers, helper: u32, shape: &[u32], parts: Array);

    /// Resolves once every helper holds what it was given; rejects where one cannot.
    #[wasm_bindgen(method)]
    fn ready(this: &Workers) -> Promise;

    #[wasm_bindgen(method)]
    fn begin(this: &Workers, matrix: u32, x: &[f32]);

    #[wasm_bindgen(method)]
    fn end(this: &Workers, helper: u32, out: &mut [f32]) -> bool;

    #[wasm_bindgen(method)]
    fn dismiss(this: &Workers);

    #[wasm_bindgen(method, getter)]
    fn helpers(this: &Workers) -> u32;

    #[wasm_bindgen(method, getter)]
    fn room(this: &Workers) -> u32;
}

thread_local! {
    /// The teams there are: matrices are `Send`, and what JavaScript owns is not.
    static TEAMS: RefCell<Vec<Option<Workers>>> = const { RefCell::new(Vec::new()) };
    /// Bytes that helpers hold.
    static HELD: Cell<u64> = const { Cell::new(0) };
}

/// A team of workers, dismissed when the last matrix that they share is gone.
pub(crate) struct WorkerTeam {
    index: usize,
    helpers: usize,
    room: usize,
    held: std::sync::atomic::AtomicU64,
}

impl WorkerTeam {
    /// So many helpers, where the browser lets workers share memory; `recruit` is the loader's.
    ///
    /// # Errors
    /// What the loader rejects with, where a helper does not come up.
    pub async fn recruit(recruit: &Function, helpers: u32) -> Result<Option<Arc<Self>>, JsValue> {
        let answer: Promise = recruit.call1(&JsValue::NULL, &helpers.into())?.dyn_into()?;
        let workers = JsFuture::from(answer).await?;
        if workers.is_null() {
            return Ok(None);
        }
        let workers: Workers = workers.unchecked_into();
        let (helpers, room) = (workers.helpers() as usize, workers.room() as usize);
        let index = TEAMS.with_borrow_mut(|teams| {
            teams.push(Some(workers));
            teams.len() - 1
        });
        Ok(Some(Arc::new(Self { index, helpers, room, held: 0.into() })))
    }

    /// Waits until every helper holds its shares.
    ///
    /// # Errors
    /// What a helper says that has no room for them.
    pub async fn ready(&self) -> Result<(), JsValue> {
        let ready = self.with(Workers::ready);
        JsFuture::from(ready).await.map(|_| ())
    }

    fn with<T>(&self, ask: impl FnOnce(&Workers) -> T) -> T {
        TEAMS.with_borrow(|teams| ask(teams[self.index].as_ref().expect("dismissed only when dropped")))
    }
}

impl Team for WorkerTeam {
    fn helpers(&self) -> usize {
        self.helpers
    }

    fn room(&self) -> usize {
        self.room
    }

    fn hand_over(&self, helper: usize, shape: &ShareShape, parts: &[&[u8]]) {
        let bytes: u64 = parts.iter().map(|part| part.len() as u64).sum();
        self.held.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        HELD.set(HELD.get() + bytes);
        let parts = parts.iter().map(|part| Uint8Array::from(*part)).collect();
        self.with(|workers| workers.hand_over(helper as u32, &shape.words(), parts));
    }

    fn begin(&self, matrix: u32, x: &[f32]) {
        self.with(|workers| workers.begin(matrix, x));
    }

    fn end(&self, helper: usize, out: &mut [f32]) -> bool {
        self.with(|workers| workers.end(helper as u32, out))
    }
}

impl Drop for WorkerTeam {
    fn drop(&mut self) {
        HELD.set(HELD.get() - self.held.load(std::sync::atomic::Ordering::Relaxed));
        let workers = TEAMS.with_borrow_mut(|teams| teams[self.index].take());
        if let Some(workers) = workers {
            workers.dismiss();
        }
    }
}

/// Bytes of weights that helpers hold beside the model's own.
pub(crate) fn helper_bytes() -> u64 {
    HELD.get()
}

/// The other end: the shares of one helper.
#[wasm_bindgen]
#[derive(Default)]
pub struct Helper {
    shares: Vec<Share>,
    x: Vec<f32>,
}

#[wasm_bindgen]
impl Helper {
    /// A helper that holds nothing yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Helper {
        Helper::default()
    }

    /// Takes its share of the next matrix: `parts` are the `Uint8Array`s that `handOver` was given.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn take(&mut self, shape: &[u32], parts: Array) -> Result<(), JsError> {
        let shape =
            ShareShape::from_words(shape).ok_or_else(|| JsError::new("this is no shape of a share"))?;
        let mut share = Share::new(shape).map_err(|error| JsError::new(&error.to_string()))?;
        for (to, from) in share.parts().into_iter().zip(parts.iter()) {
            from.unchecked_into::<Uint8Array>().copy_to(to);
        }
        self.shares.push(share);
        Ok(())
    }

    /// Multiplies `x` `[tokens, in_features]` with its share of a matrix and writes `[tokens, rows]` to the start of
    /// `out`; both may lie in memory that workers share.
    pub fn multiply(&mut self, matrix: usize, x: &Float32Array, out: &Float32Array) {
        self.x.resize(x.length() as usize, 0.0);
        x.copy_to(&mut self.x);
        let part = self.shares[matrix].multiply(&self.x);
        out.subarray(0, part.len() as u32).copy_from(&part);
    }
}
