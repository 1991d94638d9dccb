//! What a device is made of: the name that its maker gave it, and its memory.

use std::ffi::OsStr;

use eagleeye_engine::{Device, LIBTORCH_VERSION, device};
use eagleeye_spec::TrainedBy;
use nvml_wrapper::Nvml;

/// NVML as the driver installs it; the name without a number comes with development files only.
const NVML: &str = "libnvidia-ml.so.1";

/// A processor or a card. What is not known is absent; nothing depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    pub name: Option<String>,
    /// The card's memory, or the machine's.
    pub memory_bytes: Option<u64>,
}

impl Hardware {
    pub fn of(device: Device) -> Self {
        match device {
            Device::Cpu => Self { name: processor(), memory_bytes: machine_memory() },
            Device::Cuda(index) => card(index),
            _ => Self::default(),
        }
    }

    /// What a fine-tuning that ends here says of this program and its device.
    pub fn trained_by(device: Device) -> TrainedBy {
        TrainedBy {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: device::name(device),
            hardware: Self::of(device).name,
            libtorch: Some(LIBTORCH_VERSION.to_owned()),
        }
    }
}

/// The name of the machine's processor.
pub fn processor() -> Option<String> {
    named_in(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn named_in(cpuinfo: &str) -> Option<String> {
    let (_, name) = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "))?;
    Some(name.trim().to_owned())
}

fn machine_memory() -> Option<u64> {
    total_in(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn total_in(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = total.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// libtorch numbers the cards that `CUDA_VISIBLE_DEVICES` leaves, and NVML all of them.
fn card(index: usize) -> Hardware {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    let Ok(nvml) = Nvml::builder().lib_path(OsStr::new(NVML)).init() else { return Hardware::default() };
    let device = match place(visible.as_deref(), index) {
        Place::Number(number) => nvml.device_by_index(number),
        Place::Uuid(uuid) => nvml.device_by_uuid(uuid),
    };
    let Ok(device) = device else { return Hardware::default() };
    Hardware { name: device.name().ok(), memory_bytes: device.memory_info().ok().map(|memory| memory.total) }
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Number(u32),
    Uuid(String),
}

fn place(visible: Option<&str>, index: usize) -> Place {
    let entry = visible.and_then(|visible| visible.split(',').nth(index)).map(str::trim);
    match entry {
        Some(entry) => entry.parse().map_or_else(|_| Place::Uuid(entry.to_owned()), Place::Number),
        None => Place::Number(index as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_a_name_and_its_machine_memory() {
        let cpuinfo = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU @ 2.00GHz\nflags\t: fpu\n";
        assert_eq!(named_in(cpuinfo).as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(named_in("processor\t: 0\nBogoMIPS\t: 50.00\n"), None, "as on ARM");
        assert_eq!(total_in("MemTotal:       24683376 kB\nMemFree:  17 kB\n"), Some(24_683_376 * 1024));
        assert_eq!(total_in("MemFree: 17 kB\n"), None);
        assert!(Hardware::of(Device::Cpu).memory_bytes.is_some_and(|bytes| bytes > 1 << 28));
    }

    #[test]
    fn cards_are_counted_as_libtorch_counts_them() {
        assert_eq!(place(None, 1), Place::Number(1));
        assert_eq!(place(Some("3, 2"), 1), Place::Number(2));
        assert_eq!(place(Some("GPU-8d1f"), 0), Place::Uuid("GPU-8d1f".to_owned()));
    }
}
