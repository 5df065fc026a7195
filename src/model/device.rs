//! Which device the tensors live on, decided once per run, in words that the status bar shows.
//!
//! The CPU always works. The GPU is asked for; where there is none, a software driver poses as one, or it cannot be opened,
//! the run goes on with the CPU and says why: a missing GPU is no error. burn's lazy and default devices *panic* without an adapter, so
//! they are not used; its wgpu runtime can be opened only once per process, so it is kept.

use std::sync::OnceLock;

use burn::tensor::Device;
use burn_wgpu::wgpu;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, unless a GPU is asked for; says whether one was found.
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
    /// For people: `CPU`, or why not the GPU.
    pub words: String,
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

/// The graphics adapters of this machine. Opens the drivers: takes some 50 ms, never call it on the UI thread.
pub fn adapters() -> Vec<AdapterInfo> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    found
        .iter()
        .map(|adapter| {
            let info = adapter.get_info();
            AdapterInfo {
                name: info.name,
                api: format!("{:?}", info.backend),
                software: info.device_type == wgpu::DeviceType::Cpu,
            }
        })
        .collect()
}

/// Opens the device that fits the choice.
pub fn choose(choice: DeviceChoice) -> Chosen {
    let cpu = |words: String| Chosen { device: Device::flex(), words };
    match choice {
        DeviceChoice::Cpu => cpu("CPU".to_owned()),
        DeviceChoice::Auto => match adapters().into_iter().find(|adapter| !adapter.software) {
            Some(gpu) => cpu(format!("CPU ({} is there: --device gpu uses it)", gpu.name)),
            None => cpu("CPU (no GPU found)".to_owned()),
        },
        DeviceChoice::Gpu => match open_gpu() {
            Ok(gpu) => gpu.clone(),
            Err(why) => cpu(format!("CPU ({why})")),
        },
    }
}

fn open_gpu() -> Result<&'static Chosen, &'static String> {
    static GPU: OnceLock<Result<Chosen, String>> = OnceLock::new();
    GPU.get_or_init(|| {
        // Asked before it is opened: the runtime would panic on some drivers that have no usable adapter.
        if adapters().is_empty() {
            return Err("no GPU found".to_owned());
        }
        let (device, setup) =
            Device::wgpu_options().init_with_setup().map_err(|err| format!("the GPU cannot be opened: {err}"))?;
        let info = setup.adapter.get_info();
        let software = if info.device_type == wgpu::DeviceType::Cpu { ", a software driver" } else { "" };
        Ok(Chosen { device, words: format!("GPU: {}{software} ({:?})", info.name, info.backend) })
    })
    .as_ref()
}
