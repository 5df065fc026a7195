//! Defines the option `--device`.

use clap::ValueEnum;

use crate::worker::DeviceChoice;

/// Lists the values of `--device`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Device {
    Auto,
    Cpu,
    Gpu,
}

impl From<Device> for DeviceChoice {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => Self::Auto,
            Device::Cpu => Self::Cpu,
            Device::Gpu => Self::Gpu,
        }
    }
}
