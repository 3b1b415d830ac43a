//! Opening devices and models, and choosing which device a model runs on.

use std::{rc::Rc, sync::Arc};

use glassbox_engine::{Calibration, EngineError, Model, OpenDevice, Summary, device, team::Team};
use glassbox_formats::FileSet;
use glassbox_model::Decoder;
use glassbox_protocol::{self as protocol, ChosenDevice, DeviceInfo, DeviceKind, Event, LoadStage, VERSION};

use crate::{convert, error::WorkerError, host::Shared, requests::Work, team::WorkerTeam};

/// How a page wants a model to be computed.
pub(crate) struct Computing {
    pub device: Option<DeviceKind>,
    pub precision: Option<protocol::Precision>,
    pub threads: u32,
}

/// What the engine was started with.
pub(crate) struct Started {
    /// The device that was chosen before the module was loaded.
    device: OpenDevice,
    chosen: ChosenDevice,
    /// How quick that GPU and the CPU beside it are, where it is known.
    calibration: Option<Calibration>,
}

impl Started {
    /// The device for a model, and why: what was asked for, else what should be quicker, else what was
    /// started with.
    fn choose(
        &self,
        asked: Option<DeviceKind>,
        summary: &Summary,
    ) -> Result<(OpenDevice, String), WorkerError> {
        let gpu = self.device.gpu.then_some(&self.device);
        let (kind, reason) = match (asked, gpu, self.calibration) {
            (Some(DeviceKind::Cpu), ..) => (DeviceKind::Cpu, "The CPU was asked for.".to_owned()),
            (Some(DeviceKind::Gpu), ..) => (DeviceKind::Gpu, self.chosen.reason.clone()),
            (None, Some(_), Some(calibration)) => quicker(&calibration, summary),
            (None, ..) => (self.chosen.kind, self.chosen.reason.clone()),
        };
        match (kind, gpu) {
            (DeviceKind::Cpu, None) => Ok((self.device.clone(), self.chosen.reason.clone())),
            (DeviceKind::Cpu, Some(_)) => Ok((device::cpu(), reason)),
            (DeviceKind::Gpu, Some(gpu)) => Ok((gpu.clone(), reason)),
            (DeviceKind::Gpu, None) => Err(no_gpu()),
        }
    }

    fn info(&self, device: &OpenDevice, reason: String) -> DeviceInfo {
        convert::device(device, &self.chosen, reason)
    }
}

/// What needs a GPU where there is none.
fn no_gpu() -> WorkerError {
    EngineError::NoGpu("the engine was started on the CPU".to_owned()).into()
}

/// The device that the calibration says a model decodes on sooner.
fn quicker(calibration: &Calibration, summary: &Summary) -> (DeviceKind, String) {
    let (bytes, layers) = (summary.dtypes.values().sum(), summary.spec.layers);
    let (cpu, gpu) = (calibration.cpu.token_ms(bytes, layers), calibration.gpu.token_ms(bytes, layers));
    let kind = if calibration.prefers_gpu(bytes, layers) { DeviceKind::Gpu } else { DeviceKind::Cpu };
    let reason = format!(
        "Measured on this machine: a token should take about {} ms on the GPU, {} ms on the CPU.",
        figure(gpu),
        figure(cpu)
    );
    (kind, reason)
}

/// Two significant digits of a time.
fn figure(ms: f64) -> String {
    let digits = if ms >= 10.0 {
        0
    } else if ms >= 1.0 {
        1
    } else {
        2
    };
    format!("{ms:.digits$}")
}

impl Shared {
    /// Opens the device that the loader chose this module for.
    pub async fn start(&self, id: u32, chosen: ChosenDevice) -> Result<(), WorkerError> {
        let device = match chosen.kind {
            DeviceKind::Cpu => device::cpu(),
            DeviceKind::Gpu => device::gpu().await?,
        };
        let started = Started { device, chosen, calibration: None };
        let info = started.info(&started.device, started.chosen.reason.clone());
        *self.started.borrow_mut() = Some(started);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.post(id, &Event::Started { device: info, version, protocol: VERSION });
        Ok(())
    }

    /// Times GPU and CPU, unless that has been done before. Without a GPU there is nothing to choose, and it is an
    /// error.
    pub async fn calibrate(&self, id: u32, known: Option<protocol::Calibration>) -> Result<(), WorkerError> {
        let gpu = self.started(|started| Ok(started.device.clone()))?;
        if !gpu.gpu {
            return Err(no_gpu());
        }
        let calibration = match known {
            Some(known) => convert::calibration(&known),
            None => {
                let work = Work::new(self, id);
                let measured = Calibration::measure(&device::cpu(), &gpu, &work).await?;
                gpu.device.memory_cleanup();
                measured
            }
        };
        if let Some(started) = self.started.borrow_mut().as_mut() {
            started.calibration = Some(calibration);
        }
        self.post(id, &Event::Calibrated { calibration: convert::calibrated(&calibration) });
        Ok(())
    }

    /// Opens a model in place of the one before.
    pub async fn open(&self, id: u32, files: FileSet, asked: Computing) -> Result<(), WorkerError> {
        let (checkpoint, summary, tokenizer) = glassbox_engine::inspect(files.clone()).await?;
        let (device, reason) = self.started(|started| started.choose(asked.device, &summary))?;
        let device = match asked.precision {
            Some(precision) => device.with_precision(convert::asked_precision(precision)),
            None => device,
        };
        let work = Work::new(self, id);
        let mut model = Model::load((checkpoint, summary, tokenizer), &device, &work).await?;
        model.decoder = self.share(model.decoder, asked.threads, device.gpu).await;
        if device.gpu {
            work.progress(LoadStage::Warmup, 0.0, 1.0);
            model.warm_up(&work).await?;
            work.progress(LoadStage::Warmup, 1.0, 1.0);
        }
        // Lets a last wish to stop in; from here to the answer nothing can come between.
        self.pause.take().await;
        if glassbox_engine::Host::stopped(&work) {
            return Err(WorkerError::Aborted);
        }
        // Only now is the model before given up: a load that fails leaves it in place.
        self.forget();
        let opened = Event::Opened {
            model: convert::model(&model),
            device: self.started(|started| Ok(started.info(&device, reason)))?,
        };
        *self.model.borrow_mut() = Some(Rc::new(model));
        *self.files.borrow_mut() = Some(files);
        self.post(id, &opened);
        self.post_memory();
        Ok(())
    }

    /// Lets helpers have a share of a model on the CPU, where several threads are asked for and can be had; else, or
    /// where there is no room for them, it is as it was, which [`Decoder::threads`] tells.
    async fn share(&self, decoder: Decoder, threads: u32, gpu: bool) -> Decoder {
        if threads < 2 || gpu {
            return decoder;
        }
        let Ok(Some(team)) = WorkerTeam::recruit(&self.recruit, threads - 1).await else { return decoder };
        let shared: Arc<dyn Team> = team.clone();
        let with_team = decoder.with_team(&shared);
        if team.ready().await.is_ok() { with_team } else { decoder }
    }

    /// Closes the model.
    pub fn close(&self, id: u32) {
        self.forget();
        self.post(id, &Event::Closed);
        self.post_memory();
    }

    /// Gives the model up with all that is kept of it.
    fn forget(&self) {
        *self.model.borrow_mut() = None;
        *self.files.borrow_mut() = None;
        *self.fingerprint.borrow_mut() = None;
        self.runs.clear();
        // Dropping tensors alone only returns their memory to a pool.
        if let Some(started) = self.started.borrow().as_ref() {
            started.device.device.memory_cleanup();
        }
    }

    /// Bytes reserved on the GPU, where the engine was started on one.
    pub fn device_bytes(&self) -> Option<u64> {
        self.started.borrow().as_ref().and_then(|started| started.device.reserved_bytes())
    }

    fn started<T>(&self, read: impl FnOnce(&Started) -> Result<T, WorkerError>) -> Result<T, WorkerError> {
        self.started.borrow().as_ref().ok_or(WorkerError::NotStarted).and_then(read)
    }
}
