//! Opens the devices on which tensors can be stored, each once, with descriptions for users.
//!
//! The CPU always works. A GPU is opened on demand; if there is none, if it is only a software driver, if it was lost or
//! cannot be opened, the result is a sentence and never a panic: burn's lazy and default devices *panic* without an
//! adapter, so they are not used; its wgpu runtime can be opened only once per process, so the device is stored.

use std::panic::catch_unwind;
use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use burn_wgpu::wgpu;

/// The device requested by the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The faster one, if there is a GPU.
    #[default]
    Auto,
    Cpu,
    Gpu,
}

/// The device of a run.
#[derive(Clone, Debug)]
pub struct ChosenDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// Description for users: the device and, after a colon or in brackets, the reason for the choice.
    pub description: String,
}

impl ChosenDevice {
    /// Returns the CPU, with the reason in brackets if there is one.
    pub fn cpu(why: Option<&str>) -> Self {
        let words = why.map_or_else(|| "CPU".to_owned(), |why| format!("CPU ({why})"));
        Self { device: Device::flex(), description: words }
    }
}

/// A graphics adapter of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    pub name: String,
    /// Name of the graphics API: Vulkan, GL, …
    pub api: String,
    /// True for a driver that emulates a GPU on the processor: 20 to 40 times slower than the CPU device.
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

    /// Returns the description for users: `GPU NVIDIA RTX 4090 (Vulkan)`.
    pub fn words(&self) -> String {
        let software = if self.software { ", a software driver" } else { "" };
        format!("GPU {} ({}{software})", self.name, self.api)
    }
}

/// Returns the graphics adapters of this machine. Opens the drivers, which takes some 50 ms: never call it on the UI
/// thread.
pub fn adapters() -> Vec<AdapterInfo> {
    // Without OpenGL, which burn cannot use and whose set-up prints warnings on a machine without a display.
    let backends = wgpu::Backends::PRIMARY;
    let without_display = wgpu::InstanceDescriptor::new_without_display_handle();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor { backends, ..without_display });
    let found = pollster::block_on(instance.enumerate_adapters(backends));
    found.iter().map(|adapter| AdapterInfo::of(&adapter.get_info())).collect()
}

/// Returns the device for short work that does not justify a timing trial: the CPU, unless a GPU is requested.
pub fn choose(choice: DeviceChoice) -> ChosenDevice {
    match choice {
        DeviceChoice::Cpu => ChosenDevice::cpu(None),
        DeviceChoice::Gpu => gpu(true).unwrap_or_else(|why| ChosenDevice::cpu(Some(&why))),
        DeviceChoice::Auto => match adapters().into_iter().find(|adapter| !adapter.software) {
            Some(gpu) => ChosenDevice::cpu(Some(&format!("{} is there: --device gpu uses it", gpu.name))),
            None => ChosenDevice::cpu(Some("no GPU found")),
        },
    }
}

/// Returns the GPU, or a software driver if `software` allows it; the error is the reason, as part of a sentence.
pub fn gpu(software: bool) -> Result<ChosenDevice, String> {
    // Checked before opening: the runtime would panic on some drivers without a usable adapter.
    if !adapters().iter().any(|adapter| software || !adapter.software) {
        return Err("no GPU found".to_owned());
    }
    let (device, info) = open().as_ref().map_err(String::clone)?;
    if info.software && !software {
        return Err("no GPU found".to_owned());
    }
    if !responds(device) {
        return Err("the GPU was lost; start the program again to use it".to_owned());
    }
    Ok(ChosenDevice { device: device.clone(), description: info.words() })
}

/// Returns whether tensors of this device are in host memory.
pub fn is_host(device: &Device) -> bool {
    *device == Device::flex()
}

/// Returns whether the device responds. A lost device does not, which may show only at the second read.
pub fn responds(device: &Device) -> bool {
    let read_back = || Tensor::<1>::ones([1], device).try_into_data().is_ok_and(|data| data.iter::<f32>().eq([1.0]));
    (0..2).all(|_| catch_unwind(read_back).unwrap_or(false))
}

fn open() -> &'static Result<(Device, AdapterInfo), String> {
    static GPU: OnceLock<Result<(Device, AdapterInfo), String>> = OnceLock::new();
    GPU.get_or_init(|| {
        let (device, setup) =
            Device::wgpu_options().init_with_setup().map_err(|err| format!("the GPU cannot be opened: {err}"))?;
        Ok((device, AdapterInfo::of(&setup.adapter.get_info())))
    })
}
