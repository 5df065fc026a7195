//! The devices that tensors can live on, opened once, with words for people.
//!
//! The CPU always works. A GPU is opened on demand; where there is none, a software driver poses as one, it was lost, or it
//! cannot be opened, the answer is a sentence and no panic: burn's lazy and default devices *panic* without an adapter, so
//! they are not used; its wgpu runtime can be opened only once per process, so it is kept.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use burn_wgpu::wgpu;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The faster one, where there is a GPU.
    #[default]
    Auto,
    Cpu,
    Gpu,
}

/// The device of a run.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Without autodiff.
    pub device: Device,
    /// For people: which, and after a colon or in brackets, why.
    pub words: String,
}

impl Chosen {
    /// The CPU, and in brackets why, if there is something to say.
    pub fn cpu(why: Option<&str>) -> Self {
        let words = why.map_or_else(|| "CPU".to_owned(), |why| format!("CPU ({why})"));
        Self { device: Device::flex(), words }
    }
}

/// A graphics adapter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    pub name: String,
    /// Vulkan, GL, …
    pub api: String,
    /// A driver that only imitates a GPU on the processor: 20 to 40 times slower than the CPU device.
    pub software: bool,
}

impl AdapterInfo {
    fn of(info: &wgpu::AdapterInfo) -> Self {
        Self {
            name: info.name.clone(),
            api: format!("{:?}", info.backend),
            software: info.device_type == wgpu::DeviceType::Cpu,
        }
    }

    /// For people: `GPU NVIDIA RTX 4090 (Vulkan)`.
    pub fn words(&self) -> String {
        let software = if self.software { ", a software driver" } else { "" };
        format!("GPU {} ({}{software})", self.name, self.api)
    }
}

/// The graphics adapters of this machine. Opens the drivers: takes some 50 ms, never call it on the UI thread.
pub fn adapters() -> Vec<AdapterInfo> {
    // Without OpenGL, which burn cannot use and whose set-up complains on a machine with no display.
    let backends = wgpu::Backends::PRIMARY;
    let without_display = wgpu::InstanceDescriptor::new_without_display_handle();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor { backends, ..without_display });
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    found.iter().map(|adapter| AdapterInfo::of(&adapter.get_info())).collect()
}

/// The device for work of a moment, which no trial would pay for: the CPU, unless a GPU is asked for.
pub fn choose(choice: DeviceChoice) -> Chosen {
    match choice {
        DeviceChoice::Cpu => Chosen::cpu(None),
        DeviceChoice::Gpu => gpu(true).unwrap_or_else(|why| Chosen::cpu(Some(&why))),
        DeviceChoice::Auto => match adapters().into_iter().find(|adapter| !adapter.software) {
            Some(gpu) => Chosen::cpu(Some(&format!("{} is there: --device gpu uses it", gpu.name))),
            None => Chosen::cpu(Some("no GPU found")),
        },
    }
}

/// The GPU, a software driver among them only if `software` may serve. Else why there is none, as part of a sentence.
pub fn gpu(software: bool) -> Result<Chosen, String> {
    // Asked before it is opened: the runtime would panic on some drivers that have no usable adapter.
    if !adapters().iter().any(|adapter| software || !adapter.software) {
        return Err("no GPU found".to_owned());
    }
    let (device, info) = open().as_ref().map_err(String::clone)?;
    if info.software && !software {
        return Err("no GPU found".to_owned());
    }
    if !answers(device) {
        return Err("the GPU was lost; start the program again to use it".to_owned());
    }
    Ok(Chosen { device: device.clone(), words: info.words() })
}

/// Whether a value comes back from the device: it does not once the device was lost, which may be found out by asking twice.
pub fn answers(device: &Device) -> bool {
    let ask = || Tensor::<1>::ones([1], device).try_into_data().is_ok_and(|data| data.iter::<f32>().eq([1.0]));
    (0..2).all(|_| catch_unwind(ask).unwrap_or(false))
}

fn open() -> &'static Result<(Device, AdapterInfo), String> {
    static GPU: OnceLock<Result<(Device, AdapterInfo), String>> = OnceLock::new();
    GPU.get_or_init(|| {
        let (device, setup) =
            Device::wgpu_options().init_with_setup().map_err(|err| format!("the GPU cannot be opened: {err}"))?;
        Ok((device, AdapterInfo::of(&setup.adapter.get_info())))
    })
}
