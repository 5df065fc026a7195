//! Opening a run folder of 500 MB: `cargo bench --bench open`. How long until its first view, and the longest frame meanwhile.
//!
//! The folder is written by the program's own writer into a temporary place; its numbers are synthetic, which a bench may be.
//! Times are those that pass, because a frame that waits for a disk is a frame that stands still.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{RawInput, Rect, pos2, vec2};
use kernelscope::record::{
    Block, BlockMetrics, Ending, Event, Probe, Row, RunInfo, Snapshot, SnapshotCost, TaskInfo, TaskStart, create,
};
use kernelscope::spec::Spec;
use kernelscope::ui::App;

const PROBES: usize = 160;
/// Of 205 kB each.
const SNAPSHOTS: u64 = 2440;
/// Until the first view, and of one frame.
const FIRST: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(50);

fn main() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let out = place.path().join("large");
    write(&out);
    let bytes = std::fs::metadata(out.join("kernels.npz")).expect("the kernels").len();
    println!("a run folder with {:.0} MB of kernels", bytes as f64 / 1e6);
    let mut app = App::new(Spec::default(), Box::new(|_, _| unreachable!("no run is started")));
    let ctx = egui::Context::default();
    let mut frames = Vec::new();
    let mut frame = |app: &mut App| {
        let began = Instant::now();
        app.tick(&ctx);
        let size = Rect::from_min_size(pos2(0.0, 0.0), vec2(1600.0, 1000.0));
        let raw = RawInput { screen_rect: Some(size), ..RawInput::default() };
        let mut output = ctx.run_ui(raw, |ui| app.show(ui));
        output.textures_delta.clear();
        std::hint::black_box(ctx.tessellate(output.shapes, output.pixels_per_point));
        frames.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(4));
    };
    // Fonts are laid out in the first frames of any window.
    (0..10).for_each(|_| frame(&mut app));
    let warm = 10;
    let asked = Instant::now();
    app.open(vec![out]);
    while app.session().is_none() {
        frame(&mut app);
    }
    frame(&mut app);
    let curves = asked.elapsed();
    let here = |app: &App| app.history().snapshots().last().is_some_and(|found| !found.gram.is_empty());
    while !here(&app) {
        frame(&mut app);
    }
    let kernel = asked.elapsed();
    while app.history().snapshot_bytes() < 90 << 20 {
        frame(&mut app);
    }
    let all = asked.elapsed();
    // Through all of time, also where Grams come and go.
    for step in 0..300 {
        app.seek(f64::from(step) / 300.0 * 25.0);
        frame(&mut app);
    }
    let longest = frames[warm..].iter().max().copied().unwrap_or_default();
    println!("curves after {curves:.0?}, the kernel at the cursor after {kernel:.0?}, as many as stay after {all:.0?}");
    println!("{} frames, the longest {longest:.1?}", frames.len() - warm);
    let verdict = if kernel <= FIRST && longest <= FRAME { "within" } else { "ABOVE" };
    println!("{verdict} the limits of {FIRST:?} and {FRAME:?}");
}

fn write(out: &Path) {
    let spec = Spec::default();
    let mut folder = create(out, &spec, false).expect("a folder").folder;
    let mut take = |event: Event| folder.take(&event).expect("room on the disk");
    let task = |number: usize| TaskInfo {
        number,
        name: format!("task {number}"),
        classes: (5 * (number - 1)..5 * number).collect(),
        train_images: 3000,
        steps_per_epoch: 100,
    };
    take(Event::Started(Arc::new(RunInfo {
        spec,
        tasks: vec![task(1), task(2)],
        class_names: (0..10).map(|class| format!("class {class}")).collect(),
        probes: (0..PROBES).map(|probe| Probe { task: 1 + probe / 80, label: probe / 16 }).collect(),
        image: [1, 28, 28],
        thumbnails: vec![128; PROBES * 784].into(),
        parameters: 269_322,
        device: "CPU".to_owned(),
        planned_steps: SNAPSHOTS,
    })));
    take(Event::Task(TaskStart { task: 1, from: None, step: 0, epoch: 0.0 }));
    for step in 0..SNAPSHOTS {
        take(Event::Snapshot(Arc::new(snapshot(step))));
        if step == SNAPSHOTS / 2 {
            take(Event::Task(TaskStart { task: 2, from: Some(1), step, epoch: epoch(step) }));
        }
    }
    take(Event::Ended(Ending::Finished { step: SNAPSHOTS - 1 }));
}

fn epoch(step: u64) -> f64 {
    25.0 * step as f64 / SNAPSHOTS as f64
}

fn snapshot(step: u64) -> Snapshot {
    let noise = |salt: f64| ((step as f64 * 12.9898 + salt).sin() * 43_758.547).fract().abs();
    let entry = |at: usize| {
        let (row, column) = ((at / PROBES) as f64, (at % PROBES) as f64);
        (100.0 + noise(0.0)) * (-(row - column).abs() / 20.0).exp()
    };
    let block = |block: Block, salt: f64| BlockMetrics {
        block,
        loss: noise(salt),
        lag_steps: Some(25),
        velocity: Some(1e-3 * (0.5 + noise(salt + 1.0))),
        velocity_uncentred: Some(1e-3 * (0.5 + noise(salt + 2.0))),
        velocity_angle: Some(1e-2),
        step_norm: Some(0.1 + noise(salt + 4.0)),
        susceptibility: Some(1e-2),
        distance: noise(salt + 5.0),
        distance_switch: None,
        scale: 1.0,
        rotation: 0.1,
        drift: 0.1,
        lambda_max: 1e4 * (1.0 + noise(salt + 6.0)),
        lambda_min: 1.0,
        trace: 2e4,
        frobenius: 1e4,
        effective_rank: 5.0,
        asymmetry: 1e-7,
        alignment: 0.5 + 0.1 * noise(salt + 7.0),
        alignment_centred: Some(0.4),
        alignment_full: None,
        sharpness: None,
        sharpness_loss: None,
        infinite_error: None,
    };
    let eigenvalues: Vec<f64> = (1..=PROBES).map(|index| 1e4 / ((PROBES + 1 - index) as f64).powi(2)).collect();
    let row = Row {
        step,
        epoch: epoch(step),
        task: 1 + usize::from(step > SNAPSHOTS / 2),
        at_switch: step == SNAPSHOTS / 2,
        blocks: vec![block(Block::All, 0.0), block(Block::Task(1), 10.0), block(Block::Task(2), 20.0)],
        accuracy: Vec::new(),
        predictions: Vec::new(),
        layers: Arc::default(),
        tensors: Arc::default(),
        cross: Arc::default(),
        logits: Arc::default(),
        optimiser: Arc::default(),
        train_loss: Some(0.5),
        rate: 0.01,
        grad_norm: Some(1.0),
        cost: SnapshotCost::default(),
    };
    Snapshot {
        row,
        gram: (0..PROBES * PROBES).map(entry).collect(),
        tensors: Arc::default(),
        block_eigenvalues: vec![eigenvalues[..80].to_vec(), eigenvalues[80..].to_vec()],
        eigenvalues,
        outputs: None,
    }
}
