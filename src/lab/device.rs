//! Chooses the device of a run: the requested one, or the faster one by a measurement.
//!
//! The trial takes steps and measures a kernel with the spec's own network, images and probes on throwaway learners, so
//! it changes no result. A software driver that presents itself as a GPU is never tried, because it is always slower.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use burn::tensor::Device;

use crate::data::{Prepared, Targets, batch_order, batch_range};
use crate::model::{ChosenDevice, DeviceChoice, choose, gpu};
use crate::spec::{Cost, Spec};
use crate::train::{NetworkTrainer, StepOptions};

/// Opens the device for a run of this spec on these images. Where the choice is not available, the description gives the
/// reason.
pub fn for_run(choice: DeviceChoice, spec: &Spec, data: &Prepared, cancelled: &dyn Fn() -> bool) -> ChosenDevice {
    match choice {
        DeviceChoice::Auto | DeviceChoice::Gpu if spec.kernel.predict => {
            ChosenDevice::cpu(Some("the linearised networks are trained there"))
        }
        DeviceChoice::Cpu | DeviceChoice::Gpu => choose(choice),
        DeviceChoice::Auto => match gpu(false) {
            Ok(gpu) => faster(gpu, spec, data, cancelled),
            Err(why) => ChosenDevice::cpu(Some(&why)),
        },
    }
}

/// Returns the GPU or the CPU, whichever takes less time for the steps and kernels of this spec, with the times in its
/// description.
pub fn faster(gpu: ChosenDevice, spec: &Spec, data: &Prepared, cancelled: &dyn Fn() -> bool) -> ChosenDevice {
    let cost = Cost::of(spec, &data.set.shape());
    let whole = |trial: &Trial| trial.step.mul_f64(cost.steps as f64) + trial.kernel.mul_f64(cost.snapshots as f64);
    let Some(on_cpu) = Trial::on(&Device::flex(), spec, data, cancelled) else { return ChosenDevice::cpu(None) };
    match catch_unwind(AssertUnwindSafe(|| Trial::on(&gpu.device, spec, data, cancelled))) {
        Ok(Some(on_gpu)) if whole(&on_gpu) < whole(&on_cpu) => {
            ChosenDevice { description: format!("{}: {}", gpu.description, on_gpu.against(&on_cpu)), ..gpu }
        }
        Ok(Some(on_gpu)) => {
            let words = format!("CPU: {} on the {}", on_cpu.against(&on_gpu), gpu.description);
            ChosenDevice { description: words, ..ChosenDevice::cpu(None) }
        }
        Ok(None) => ChosenDevice::cpu(None),
        Err(_) => ChosenDevice::cpu(Some(&format!("{} failed its trial", gpu.description))),
    }
}

/// The times measured on a device.
struct Trial {
    step: Duration,
    kernel: Duration,
}

impl Trial {
    /// Measures a device; `None` when cancelled.
    fn on(device: &Device, spec: &Spec, data: &Prepared, cancelled: &dyn Fn() -> bool) -> Option<Self> {
        let shape = data.set.shape();
        let mut learner = NetworkTrainer::new(spec, shape.image, data.set.outputs(), device);
        let probes = learner.upload(&data.probes.pixels, data.probes.len());
        let number = *spec.tasks.sequence().first()?;
        let task = data.stream.task(number);
        let order = batch_order(spec.seed, number, 0, task.train_len());
        let (mut pixels, mut labels, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let first = &order[batch_range(0, spec.training.batch, task.train_len())];
        for _ in 0..spec.training.average {
            task.append(first, &mut pixels, &mut labels);
            values.extend(task.values(first));
        }
        let rate = spec.effective_rate(spec.training.rate);
        let step = best(4, device, || {
            (!cancelled())
                .then(|| learner.begin_step(&pixels, Targets::of(&labels, &values), &StepOptions::at(rate), false))
        })?;
        let kernel = best(2, device, || learner.kernel(&probes, false, cancelled))?;
        Some(Self { step, kernel })
    }

    fn against(&self, other: &Self) -> String {
        let words = |time: Duration| {
            let ms = 1e3 * time.as_secs_f64();
            if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
        };
        let [step, kernel] = [self.step, self.kernel].map(words);
        format!("step {step} against {}, kernel {kernel} against {}", words(other.step), words(other.kernel))
    }
}

/// Returns the shortest of several repetitions but the first, in which a GPU compiles its programs. `None` when `work`
/// was cancelled.
fn best<T>(goes: usize, device: &Device, mut work: impl FnMut() -> Option<T>) -> Option<Duration> {
    let mut shortest = Duration::MAX;
    for go in 0..goes {
        let began = Instant::now();
        work()?;
        // A GPU works asynchronously. A failure here fails the trial, as it would fail the run.
        if let Err(err) = device.sync() {
            panic!("{err}");
        }
        if go > 0 {
            shortest = shortest.min(began.elapsed());
        }
    }
    Some(shortest)
}
