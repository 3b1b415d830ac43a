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
        let mut model = self.take_model()?;
        let attached = match Rc::get_mut(&mut model) {
            Some(model) => model.attach(&adapter, scale).await.map(|_| ()).map_err(WorkerError::Engine),
            None => Err(WorkerError::Busy),
        };
        self.put_back(id, model, attached)
    }

    /// Scales an adapter's terms.
    pub fn scale_adapter(&self, id: u32, adapter: u32, scale: f32) -> Result<(), WorkerError> {
        self.adapt(id, adapter, |model| Ok(model.set_scale(adapter as usize, scale)?))
    }

    /// Takes an adapter off.
    pub fn detach(&self, id: u32, adapter: u32) -> Result<(), WorkerError> {
        self.adapt(id, adapter, |model| Ok(model.detach(adapter as usize)))
    }

    /// Changes the model's adapters by `change`, which tells whether there is one of that id.
    fn adapt(
        &self,
        id: u32,
        adapter: u32,
        change: impl FnOnce(&mut Model) -> Result<bool, WorkerError>,
    ) -> Result<(), WorkerError> {
        let mut model = self.take_model()?;
        let changed = match Rc::get_mut(&mut model) {
            Some(model) => change(model),
            None => Err(WorkerError::Busy),
        };
        let found = changed.and_then(|found| match found {
            true => Ok(()),
            false => Err(WorkerError::NoAdapter(adapter)),
        });
        self.put_back(id, model, found)
    }

    /// Requests run one after the other, so that nobody else holds the model.
    fn take_model(&self) -> Result<Rc<Model>, WorkerError> {
        self.model.borrow_mut().take().ok_or(WorkerError::NoModel)
    }

    /// Puts the model back and, where it was changed, answers with its adapters.
    fn put_back(
        &self,
        id: u32,
        model: Rc<Model>,
        changed: Result<(), WorkerError>,
    ) -> Result<(), WorkerError> {
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
