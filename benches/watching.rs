//! Measures the window on a watched folder of 10,000 steps of an MLP of width 512, with 160 probes, and how long a step that is
//! saved while it watches takes to the screen: `cargo bench --bench watching`.
//!
//! The files of all steps are one file on the disk; the log has a line for each. The window is driven without a display, as by
//! the other benches, and frames are timed from beginning to end.

mod driven_window;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use driven_window::DrivenWindow;
use kernelscope::ui::App;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const STEPS: u64 = 10_000;
const WIDTH: usize = 512;
const PROBES: usize = 160;
const PIXELS: usize = 784;
/// Limits: the first kernel on screen, a step that is saved later, and a frame.
const FIRST: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(2);
const FRAME: Duration = Duration::from_millis(50);

/// What kernelscope.export writes of Sequential(Flatten, Linear, ReLU, Linear, ReLU, Linear).
const GRAPH: &str = r#"{"format":1,"torch":"2.15.0+cu132","kernelscope":"0.1.0","module":"Sequential","input":
{"name":"input","shape":[1,1,28,28],"dtype":"float32"},"output":{"node":"linear_2","shape":[1,10]},"aliases":{},"lines":[
{"name":"p_1_weight","op":"parameter","shape":[512,784],"dtype":"float32","target":"1.weight","module":"Linear","trained":true},
{"name":"p_1_bias","op":"parameter","shape":[512],"dtype":"float32","target":"1.bias","module":"Linear","trained":true},
{"name":"p_3_weight","op":"parameter","shape":[512,512],"dtype":"float32","target":"3.weight","module":"Linear","trained":true},
{"name":"p_3_bias","op":"parameter","shape":[512],"dtype":"float32","target":"3.bias","module":"Linear","trained":true},
{"name":"p_5_weight","op":"parameter","shape":[10,512],"dtype":"float32","target":"5.weight","module":"Linear","trained":true},
{"name":"p_5_bias","op":"parameter","shape":[10],"dtype":"float32","target":"5.bias","module":"Linear","trained":true},
{"name":"input","op":"input","shape":[1,1,28,28],"dtype":"float32"},
{"name":"flatten","op":"aten::flatten.using_ints","shape":[1,784],"dtype":"float32","args":{"self":{"node":"input"},"start_dim":1,"end_dim":-1}},
{"name":"linear","op":"aten::linear","shape":[1,512],"dtype":"float32","args":{"input":{"node":"flatten"},"weight":{"node":"p_1_weight"},"bias":{"node":"p_1_bias"}}},
{"name":"relu","op":"aten::relu","shape":[1,512],"dtype":"float32","args":{"self":{"node":"linear"}}},
{"name":"linear_1","op":"aten::linear","shape":[1,512],"dtype":"float32","args":{"input":{"node":"relu"},"weight":{"node":"p_3_weight"},"bias":{"node":"p_3_bias"}}},
{"name":"relu_1","op":"aten::relu","shape":[1,512],"dtype":"float32","args":{"self":{"node":"linear_1"}}},
{"name":"linear_2","op":"aten::linear","shape":[1,10],"dtype":"float32","args":{"input":{"node":"relu_1"},"weight":{"node":"p_5_weight"},"bias":{"node":"p_5_bias"}}},
{"name":"output","op":"output","shape":[1,10],"dtype":"float32","args":{"input":{"node":"linear_2"}}}]}"#;

fn main() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let folder = place.path().join("watched");
    write(&folder);
    let mut window = DrivenWindow::new();
    let begun = Instant::now();
    window.app.watch(folder.clone());
    window.frames_until(|app| !app.history().rows().is_empty());
    let first = begun.elapsed();
    let newest = |app: &App| app.history().rows().last().map_or(0, |row| row.step);
    window.frames_until(|app| newest(app) >= STEPS - 1);
    let all = begun.elapsed();
    let (rows, passed_over) = (window.app.history().rows().len(), window.app.history().passed_over());
    let mut slowest = Duration::ZERO;
    for step in STEPS..STEPS + 8 {
        // At any moment between two looks at the log.
        let pause = Instant::now() + Duration::from_millis(137 * (step - STEPS));
        window.frames_until(|_| Instant::now() >= pause);
        save(&folder, step);
        let saved = Instant::now();
        window.frames_until(|app| newest(app) >= step);
        slowest = slowest.max(saved.elapsed());
    }
    let longest = window.longest();
    println!(
        "the first kernel after {first:.0?}; the newest after {all:.1?}, {rows} steps shown and {passed_over} passed over"
    );
    println!(
        "a step that is saved later after {slowest:.0?} at most; {} frames, the longest {longest:.1?}",
        window.count()
    );
    let verdict = if first <= FIRST && slowest <= LATER && longest <= FRAME { "within" } else { "ABOVE" };
    println!("{verdict} the limits of {FIRST:?}, {LATER:?} and {FRAME:?}");
}

/// Numbers between −1 and 1 that are the same each time.
fn noise(count: usize, scale: f32) -> Vec<u8> {
    let value = |at: usize| ((at as f32 * 12.9898).sin() * 43_758.547).fract() * scale;
    (0..count).flat_map(|at| value(at).to_le_bytes()).collect()
}

fn write(folder: &Path) {
    fs::create_dir_all(folder.join("steps")).expect("room on the disk");
    let about = r#"{"format": 1, "every": 5, "lag": 1, "network": null}"#;
    fs::write(folder.join("watch.json"), about).expect("room on the disk");
    fs::write(folder.join("graph.json"), GRAPH).expect("room on the disk");
    let inputs = noise(PROBES * PIXELS, 1.0);
    let labels: Vec<u8> = (0..PROBES).flat_map(|at| (at as i64 % 10).to_le_bytes()).collect();
    let probes = [
        ("inputs", TensorView::new(Dtype::F32, vec![PROBES, 1, 28, 28], &inputs).expect("it fits")),
        ("labels", TensorView::new(Dtype::I64, vec![PROBES], &labels).expect("it fits")),
    ];
    let probes = safetensors::serialize(probes, None).expect("it fits");
    fs::write(folder.join("probes.safetensors"), probes).expect("room on the disk");
    (0..STEPS).for_each(|step| save(folder, step));
}

/// Saves a step as kernelscope.Watch does; the weights are those of the first one.
fn save(folder: &Path, step: u64) {
    let file = |step: u64| folder.join("steps").join(format!("{step:012}.safetensors"));
    if step == 0 {
        let shapes = [
            ("1.weight", vec![WIDTH, PIXELS]),
            ("1.bias", vec![WIDTH]),
            ("3.weight", vec![WIDTH, WIDTH]),
            ("3.bias", vec![WIDTH]),
            ("5.weight", vec![10, WIDTH]),
            ("5.bias", vec![10]),
        ];
        let data: Vec<Vec<u8>> =
            shapes.iter().map(|(_, shape)| noise(shape.iter().product(), (WIDTH as f32).powf(-0.5))).collect();
        let views = shapes.iter().zip(&data).map(|((name, shape), data)| {
            (*name, TensorView::new(Dtype::F32, shape.clone(), data.as_slice()).expect("it fits"))
        });
        let bytes = safetensors::serialize(views, None).expect("it fits");
        fs::write(file(0), bytes).expect("room on the disk");
    } else {
        fs::hard_link(file(0), file(step)).expect("a link");
    }
    let line = format!("{{\"step\": {step}, \"task\": {}, \"loss\": 0.5}}\n", (2 * step / STEPS).min(1));
    let log = OpenOptions::new().append(true).create(true).open(folder.join("log.jsonl"));
    log.and_then(|mut log| log.write_all(line.as_bytes())).expect("room on the disk");
}
