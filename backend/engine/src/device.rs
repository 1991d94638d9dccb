//! Where tensors live and compute, chosen when the program runs.

use std::path::Path;
use std::str::FromStr;

use tch::{Cuda, Device};

/// What `--device` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device where there is one, else the CPU.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("unknown device `{0}`: use auto, cpu or cuda:N")]
    Unknown(String),
    #[error("cuda:{index} does not exist: libtorch sees {count} CUDA devices")]
    Absent { index: usize, count: usize },
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|n| n.parse().ok());
                index.map(Self::Cuda).ok_or_else(|| DeviceError::Unknown(text.to_owned()))
            }
        }
    }
}

/// A device and why it was chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    pub device: Device,
    /// A phrase.
    pub reason: String,
}

/// Where NVIDIA's driver says that it is there.
const DRIVER: &str = "/proc/driver/nvidia/version";

impl DeviceChoice {
    /// The device itself.
    pub fn resolve(self) -> Result<Device, DeviceError> {
        Ok(self.choose()?.device)
    }

    /// The device, and why it is this one.
    pub fn choose(self) -> Result<Chosen, DeviceError> {
        let count = if Cuda::is_available() { Cuda::device_count().max(0) as usize } else { 0 };
        chosen(self, count, Path::new(DRIVER).exists())
    }
}

fn chosen(choice: DeviceChoice, count: usize, has_driver: bool) -> Result<Chosen, DeviceError> {
    let (device, reason) = match choice {
        DeviceChoice::Cpu => (Device::Cpu, "it was asked for".to_owned()),
        DeviceChoice::Cuda(index) if index < count => (Device::Cuda(index), "it was asked for".to_owned()),
        DeviceChoice::Cuda(index) => return Err(DeviceError::Absent { index, count }),
        DeviceChoice::Auto if count == 1 => (Device::Cuda(0), "it is the CUDA device that libtorch sees".to_owned()),
        DeviceChoice::Auto if count > 1 => {
            let reason = format!(
                "it is the first of {count} CUDA devices; the others need a worker each, with `--device cuda:N`"
            );
            (Device::Cuda(0), reason)
        }
        DeviceChoice::Auto if has_driver => {
            let reason = "this machine has an NVIDIA driver, but libtorch sees no CUDA device: it may be built without CUDA \
                          (`cargo xtask setup --cuda`), or its CUDA libraries are not found";
            (Device::Cpu, reason.to_owned())
        }
        DeviceChoice::Auto => (Device::Cpu, "libtorch sees no CUDA device".to_owned()),
    };
    Ok(Chosen { device, reason })
}

/// What a device is called in reports: `cpu` or, as `--device` takes it, `cuda:0`.
pub fn name(device: Device) -> String {
    match device {
        Device::Cpu => "cpu".to_owned(),
        Device::Cuda(index) => format!("cuda:{index}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Sets how many threads one operation may use. Results are the same to the last digit only for the same number.
pub fn set_threads(threads: usize) {
    tch::set_num_threads(threads.clamp(1, 1024) as i32);
}

/// Threads of one operation.
pub fn threads() -> i32 {
    tch::get_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_read() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cpu".parse(), Ok(DeviceChoice::Cpu));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        let unknown = "tpu".parse::<DeviceChoice>().unwrap_err();
        assert_eq!(unknown.to_string(), "unknown device `tpu`: use auto, cpu or cuda:N");
    }

    #[test]
    fn a_device_is_called_what_it_is_asked_for_by() {
        for device in [Device::Cpu, Device::Cuda(2)] {
            let choice: DeviceChoice = name(device).parse().unwrap();
            assert_eq!(choice, if device == Device::Cpu { DeviceChoice::Cpu } else { DeviceChoice::Cuda(2) });
        }
    }

    #[test]
    fn a_choice_says_why() {
        let auto = |count, has_driver| chosen(DeviceChoice::Auto, count, has_driver).unwrap();
        assert_eq!(auto(0, false), Chosen { device: Device::Cpu, reason: "libtorch sees no CUDA device".to_owned() });
        assert!(auto(0, true).reason.contains("has an NVIDIA driver, but"));
        assert_eq!(auto(1, true).device, Device::Cuda(0));
        assert!(auto(4, true).reason.contains("the first of 4 CUDA devices"));
        assert_eq!(chosen(DeviceChoice::Cuda(1), 2, true).unwrap().reason, "it was asked for");
        assert_eq!(chosen(DeviceChoice::Cuda(2), 2, true), Err(DeviceError::Absent { index: 2, count: 2 }));
    }

    #[test]
    fn a_device_that_is_not_there_is_refused() {
        let error = DeviceChoice::Cuda(1000).resolve().unwrap_err();
        assert!(error.to_string().starts_with("cuda:1000 does not exist"), "{error}");
    }
}
