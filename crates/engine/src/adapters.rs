//! LoRA adapters of an open model: kept apart from its weights, so that each can be scaled and
//! switched off.

use glassbox_formats::Adapter;

use crate::{EngineError, Model};

/// An adapter that is attached to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Attached {
    /// What [`Model::detach`] and [`Model::set_scale`] take. Never used twice in one model.
    pub id: usize,
    /// The adapter's name, from its folder or file.
    pub name: String,
    /// The model it was made for, as its maker calls it.
    pub base: Option<String>,
    /// Number of its parameters.
    pub parameters: u64,
    /// What its terms are multiplied by: 1 as trained, 0 off.
    pub scale: f32,
}

impl Model {
    /// The adapters that are attached, in the order they were.
    pub fn adapters(&self) -> &[Attached] {
        &self.adapters
    }

    /// Attaches an adapter, behind those that are there: their terms add up. Gives its id.
    ///
    /// # Errors
    /// `adapter_mismatch` where it is not for this model's projections; the model is as before then.
    pub async fn attach(&mut self, adapter: &Adapter, scale: f32) -> Result<usize, EngineError> {
        let id = self.next_adapter;
        self.decoder.attach(id, adapter, scale).await?;
        self.next_adapter += 1;
        self.adapters.push(Attached {
            id,
            name: adapter.name.clone(),
            base: adapter.base.clone(),
            parameters: adapter.parameters(),
            scale,
        });
        Ok(id)
    }

    /// Takes an adapter off; gives false where there is none of that id.
    pub fn detach(&mut self, id: usize) -> bool {
        let count = self.adapters.len();
        self.adapters.retain(|adapter| adapter.id != id);
        self.decoder.detach(id);
        self.adapters.len() < count
    }

    /// Scales an adapter's terms: 1 as trained, 0 off (the numbers are then exactly the base's), more or
    /// less than that, or negative. Gives false where there is none of that id.
    ///
    /// # Errors
    /// `adapter_mismatch` where the scale is no finite number.
    pub fn set_scale(&mut self, id: usize, scale: f32) -> Result<bool, EngineError> {
        self.decoder.set_adapter_scale(id, scale)?;
        let found = self.adapters.iter_mut().find(|adapter| adapter.id == id);
        Ok(found.map(|adapter| adapter.scale = scale).is_some())
    }
}
