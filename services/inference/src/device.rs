//! Where candle computes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where candle's tensors are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// In main memory, on all cores.
    #[default]
    Cpu,
    /// On the first NVIDIA GPU, in a build with the feature `cuda`.
    Cuda,
}

/// Why there is no such device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The build lacks it.
    #[error(
        "this program was built without CUDA; build it with `cargo build --release -p server --features cuda`"
    )]
    NotBuilt,
    /// The machine lacks it.
    #[error("no NVIDIA GPU can be used")]
    NotThere(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Device {
    /// The device as candle knows it.
    ///
    /// # Errors
    /// [`DeviceError`] where this build or this machine has no such device.
    pub fn open(self) -> Result<candle_core::Device, DeviceError> {
        match self {
            Self::Cpu => Ok(candle_core::Device::Cpu),
            Self::Cuda if !candle_core::utils::cuda_is_available() => Err(DeviceError::NotBuilt),
            Self::Cuda => {
                candle_core::Device::new_cuda(0).map_err(|error| DeviceError::NotThere(error.into()))
            }
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        })
    }
}

/// Not the name of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a device is cpu or cuda")]
pub struct NotADevice;

impl FromStr for Device {
    type Err = NotADevice;

    fn from_str(name: &str) -> Result<Self, NotADevice> {
        [Self::Cpu, Self::Cuda]
            .into_iter()
            .find(|device| device.to_string() == name)
            .ok_or(NotADevice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_cuda_says_so() {
        assert!(matches!(Device::Cpu.open(), Ok(candle_core::Device::Cpu)));
        assert_eq!("cuda".parse(), Ok(Device::Cuda));
        assert_eq!("gpu".parse::<Device>(), Err(NotADevice));
        if !cfg!(feature = "cuda") {
            assert!(matches!(Device::Cuda.open(), Err(DeviceError::NotBuilt)));
        }
    }
}
