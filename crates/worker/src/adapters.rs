//! LoRA adapters of the open model.

use std::rc::Rc;

use glassbox_engine::Model;
use glassbox_formats::{Adapter, FileSet};
use glassbox_protocol::Event;

use crate::{convert, error::WorkerError, host::Shared};

impl Shared {
    /// Attaches an adapter.
    pub async fn attach(&self, id: u32, files: FileSet, scale: f32) -> Result<(), WorkerError> {
        let adapter = Adapter::open(files).await?;
        self.adapt(id, async |model| Ok(model.attach(&adapter, scale).await.map(|_| ())?)).await
    }

    /// Scales an adapter's terms.
    pub async fn scale_adapter(&self, id: u32, adapter: u32, scale: f32) -> Result<(), WorkerError> {
        self.adapt(id, async |model| found(adapter, model.set_scale(adapter as usize, scale)?)).await
    }

    /// Takes an adapter off.
    pub async fn detach(&self, id: u32, adapter: u32) -> Result<(), WorkerError> {
        self.adapt(id, async |model| found(adapter, model.detach(adapter as usize))).await
    }

    /// Changes the model's adapters and answers with all that are attached then. Requests run one after the
    /// other, so that nobody else holds the model meanwhile; where the change fails, it is as before.
    async fn adapt(
        &self,
        id: u32,
        change: impl AsyncFnOnce(&mut Model) -> Result<(), WorkerError>,
    ) -> Result<(), WorkerError> {
        let mut model = self.model.borrow_mut().take().ok_or(WorkerError::NoModel)?;
        let changed = match Rc::get_mut(&mut model) {
            Some(model) => change(model).await,
            None => Err(WorkerError::Busy),
        };
        let event = Event::Adapted { adapters: convert::adapters(&model) };
        *self.model.borrow_mut() = Some(model);
        changed?;
        // They were of the model as it was.
        self.runs.clear();
        self.post(id, &event);
        self.post_memory();
        Ok(())
    }
}

/// Whether there was an adapter of that id, as a result.
fn found(adapter: u32, there: bool) -> Result<(), WorkerError> {
    if there { Ok(()) } else { Err(WorkerError::NoAdapter(adapter)) }
}
