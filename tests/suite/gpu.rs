//! The GPU: the same numbers as on the CPU, and a run that survives its loss. A software driver will do.

use super::{FIVE, sized};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use burn::tensor::{Device, DeviceKind, Tensor};
use burn_wgpu::wgpu;
use kernelscope::data::{Prepared, prepare};
use kernelscope::lab::device::faster;
use kernelscope::lab::{Control, live};
use kernelscope::model::{ChosenDevice, adapters, each_read, gpu};
use kernelscope::run::{BlockMetrics, Ending, Event, Row, Sink};
use kernelscope::spec::{Activation, NetworkSpec, Optimiser, Spec};
use kernelscope::train::{NetworkTrainer, StepOptions};
use kernelscope::worker::{Command, DeviceChoice, Job, Worker};

use super::{Missing, ending, read_all, skipped, start, tiny};

fn never() -> bool {
    false
}

/// A learner, its probes and its first batch.
struct Set {
    learner: NetworkTrainer,
    probes: Tensor<2>,
    pixels: Vec<f32>,
    labels: Vec<usize>,
}

fn set(spec: &Spec, device: &Device) -> Set {
    let data = prepare(spec).unwrap();
    let shape = data.set.shape();
    let learner = NetworkTrainer::new(spec, shape.image, shape.classes, device);
    let probes = learner.upload(&data.probes.pixels, data.probes.len());
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    data.stream.task(1).batch(&(0..16).collect::<Vec<_>>(), &mut pixels, &mut labels);
    Set { learner, probes, pixels, labels }
}

fn weights(learner: &NetworkTrainer) -> Vec<f64> {
    learner.network().named().into_iter().flat_map(|tensor| tensor.values).map(f64::from).collect()
}

/// ‖a − b‖/‖b‖.
fn gap(a: &[f64], b: &[f64]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    (square(&mut a.iter().zip(b).map(|(a, b)| a - b)) / square(&mut b.iter().copied())).sqrt()
}

#[test]
fn a_kernel_and_a_step_are_the_same_as_on_the_cpu() {
    let gpu = match gpu(true) {
        Ok(gpu) => gpu,
        Err(why) => return skipped(Missing::Installable, &format!("the GPU's numbers: {why}")),
    };
    for kind in FIVE {
        let mut spec = tiny();
        spec.network = NetworkSpec { width: spec.network.width, ..sized(kind, &[("blocks", 2)]) };
        let [mut here, mut there] = [&Device::flex(), &gpu.device].map(|device| set(&spec, device));
        let [a, b] = [&there, &here].map(|set| set.learner.kernel(&set.probes, true, &never).unwrap().trace);
        let kernels = gap(&a, &b);
        let before = weights(&here.learner);
        let [a, b] = [&mut there, &mut here].map(|set| {
            set.learner.step(&set.pixels, &set.labels, &StepOptions::at(0.1), false);
            weights(&set.learner).iter().zip(&before).map(|(now, then)| now - then).collect::<Vec<f64>>()
        });
        let steps = gap(&a, &b);
        eprintln!("{kind:?} on {}: kernel {kernels:.1e}, step {steps:.1e} from the CPU's", gpu.description);
        assert!(kernels <= 1e-4 && steps <= 1e-3, "{kind:?}: kernel {kernels:e}, step {steps:e}");
    }
}

/// Every activation is the exact one there too, and so is its slope: the tanh approximation of GELU is 1e-4 off.
#[test]
fn every_activation_is_the_same_as_on_the_cpu() {
    let gpu = match gpu(true) {
        Ok(gpu) => gpu,
        Err(why) => return skipped(Missing::Installable, &format!("the GPU's activations: {why}")),
    };
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Erf] {
        let mut spec = tiny();
        spec.network.activation = activation;
        let [here, there] = [&Device::flex(), &gpu.device].map(|device| set(&spec, device));
        let [a, b] = [&there, &here].map(|set| set.learner.kernel(&set.probes, false, &never).unwrap().trace);
        let kernels = gap(&a, &b);
        eprintln!("{activation:?} on {}: kernel {kernels:.1e} from the CPU's", gpu.description);
        assert!(kernels <= 1e-5, "{activation:?}: {kernels:e}");
    }
}

#[test]
fn a_copy_takes_the_same_steps() {
    for change in ["training.optimiser=sgd", "training.momentum=0.9", "training.optimiser=adam", "network.alpha=3.0"] {
        let mut spec = tiny();
        spec.set(change).unwrap();
        spec.training.weight_decay = 0.01;
        let Set { mut learner, pixels, labels, .. } = set(&spec, &Device::flex());
        let step = |learner: &mut NetworkTrainer| {
            (0..3).map(|_| learner.step(&pixels, &labels, &StepOptions::at(0.01), true)).last()
        };
        step(&mut learner);
        let mut copy = learner.copy_to(&Device::flex());
        assert_eq!(step(&mut learner), step(&mut copy), "{change}");
        assert_eq!(weights(&learner), weights(&copy), "{change}");
    }
}

/// A device of our own, which nobody misses: the one of the process is for the other tests.
fn own_device() -> Option<&'static (Device, wgpu::Device)> {
    static OWN: std::sync::OnceLock<Option<(Device, wgpu::Device)>> = std::sync::OnceLock::new();
    OWN.get_or_init(|| {
        adapters().iter().any(|adapter| adapter.software).then_some(())?;
        let (device, setup) = Device::wgpu_options().device_kind(DeviceKind::Cpu).init_with_setup().ok()?;
        Some((device, setup.device))
    })
    .as_ref()
}

fn rows(events: &[Event]) -> Vec<&Row> {
    events
        .iter()
        .filter_map(|event| if let Event::Snapshot(snapshot) = event { Some(&snapshot.row) } else { None })
        .collect()
}

/// Takes the device away a few steps after a snapshot: in the middle of things.
struct Thief<'a> {
    inner: &'a mut dyn Control,
    /// Steps left, once the snapshot was told.
    left: Arc<Mutex<Option<u32>>>,
    device: wgpu::Device,
}

impl Control for Thief<'_> {
    fn poll(&mut self) -> Option<Command> {
        let mut left = self.left.lock().unwrap();
        if *left == Some(0) {
            self.device.destroy();
        }
        *left = left.and_then(|left| left.checked_sub(1));
        drop(left);
        self.inner.poll()
    }

    fn wait(&mut self, at_most: Duration) -> Option<Command> {
        self.inner.wait(at_most)
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}

#[test]
fn when_the_gpu_is_lost_the_cpu_goes_on_as_if_nothing_had_been() {
    let Some((device, handle)) = own_device() else {
        return skipped(Missing::Installable, "the loss of a GPU: no software driver to lose");
    };
    // With a state of the optimiser, which must survive too.
    let mut spec = tiny();
    spec.training.optimiser = Optimiser::Adam;
    spec.training.rate = 0.001;
    spec.kernel.per_epoch = 1;
    let job = spec.clone();
    let lab = move |control: &mut dyn Control, mut sink: Box<dyn Sink + Send>| {
        let open =
            |_: &Prepared, _: &dyn Fn() -> bool| ChosenDevice { device: device.clone(), description: "GPU".to_owned() };
        let left = Arc::new(Mutex::new(None));
        let begin = Arc::clone(&left);
        let watching = move |event: Event| {
            if matches!(&event, Event::Snapshot(snapshot) if snapshot.row.step == 12) {
                *begin.lock().unwrap() = Some(4);
            }
            sink.emit(event)
        };
        let mut control = Thief { inner: control, left, device: handle.clone() };
        live::run_on(&job, &open, false, &mut control, Box::new(watching));
    };
    let events = read_all(&Worker::with_lab(Box::new(lab), Box::new(|| {})));
    let expected = read_all(&start(spec));
    assert_eq!(ending(&events), ending(&expected));
    let warning = |event: &Event| match event {
        Event::Warning { step, message, .. } if *step > 0 => Some((*step, message.clone())),
        _ => None,
    };
    let warnings: Vec<_> = events.iter().filter_map(warning).collect();
    let [(step, message)] = &warnings[..] else { panic!("it is said once: {warnings:?}") };
    assert!((15..24).contains(step) && message.contains(&format!("At step {step} the GPU was lost")), "{message}");
    assert!(message.contains(&format!("{} steps old", step - 12)), "the copy is that of the last snapshot: {message}");
    assert!(events.iter().any(|event| matches!(event, Event::Moved(words) if words == "CPU (the GPU was lost)")));
    // Each snapshot once, at the steps and with the numbers of a run on the CPU.
    let (found, expected) = (rows(&events), rows(&expected));
    let steps = |rows: &[&Row]| rows.iter().map(|row| row.step).collect::<Vec<_>>();
    assert_eq!(steps(&found), steps(&expected));
    for (found, expected) in found.iter().zip(&expected) {
        let (a, b) = (&found.blocks[0], &expected.blocks[0]);
        let apart = |of: fn(&BlockMetrics) -> Option<f64>| (of(a).unwrap() / of(b).unwrap() - 1.0).abs();
        let off = apart(|block| block.lambda_max).max(apart(|block| block.loss));
        assert!(off < 1e-3, "step {}: off by {off:e}", found.step);
    }
    assert!(found.last().unwrap().blocks[0].step_norm.is_some(), "displacements are told again");
}

#[test]
fn the_trial_takes_the_faster_and_says_both_times() {
    let gpu = match gpu(true) {
        Ok(gpu) => gpu,
        Err(why) => return skipped(Missing::Installable, &format!("the trial of devices: {why}")),
    };
    let spec = tiny();
    let data = prepare(&spec).unwrap();
    let chosen = faster(gpu.clone(), &spec, &data, &never);
    eprintln!("{}", chosen.description);
    assert_eq!(chosen.description.matches(" against ").count(), 2, "{}", chosen.description);
    assert!(chosen.description.contains(&gpu.description), "{}", chosen.description);
    let on_cpu = chosen.device == Device::flex();
    assert_eq!(on_cpu, chosen.description.starts_with("CPU: "), "{}", chosen.description);
}

#[test]
fn without_a_real_gpu_the_cpu_is_taken_and_says_so() {
    if adapters().iter().any(|adapter| !adapter.software) {
        return skipped(Missing::Hardware, "a machine without a GPU: this one has one");
    }
    let worker = Worker::start(Job { spec: tiny(), device: DeviceChoice::Auto, paced: false }, Box::new(|| {}));
    let events = read_all(&worker);
    let Event::Started(info) = &events[0] else { panic!("{:?}", events[0]) };
    assert_eq!(info.origin.words(), "CPU (no GPU found)");
    assert!(matches!(ending(&events), Ending::Finished { .. }));
}

/// What a lost device has sent: to let go of it is a panic.
struct OfLostDevice;

impl Drop for OfLostDevice {
    fn drop(&mut self) {
        panic!("the device is lost");
    }
}

#[test]
fn a_device_that_is_lost_while_it_is_read_is_one_panic_and_no_abort() {
    let sent = vec![Some(OfLostDevice), None, Some(OfLostDevice), Some(OfLostDevice)];
    let read = std::panic::catch_unwind(|| each_read(sent, |one| one.is_some()));
    assert_eq!(read.unwrap_err().downcast_ref::<&str>(), Some(&"the device is lost"));
    assert_eq!(each_read(vec![1, 2, 3], |one| 2 * one), [2, 4, 6]);
}
