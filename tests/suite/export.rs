//! What leaves the window: pictures are what was drawn, numbers are those of the record, an animation has every snapshot, and
//! the copied line repeats the run.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser as _;
use egui::{Color32, Pos2, Stroke, Theme, pos2, vec2};
use egui_kittest::kittest::Queryable as _;
use kernelscope::cli::{Cli, Command};
use kernelscope::paint::offscreen_renderer::OffscreenRenderer;
use kernelscope::paint::{raster, svg};
use kernelscope::run::{Block, Ending, Metric, RunState};
use kernelscope::spec::{Change, Effect, PRESETS, STUDIES, Spec, controls_of, preset};
use kernelscope::storage::write_new;
use kernelscope::ui::export::{ViewExport, What};
use kernelscope::ui::views::View;
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};
use quick_xml::events::Event;

use super::ui::{Ui, press, until, window};
use super::{tiny, wait_for};

/// Reads an SVG: what is no XML fails here. The names of its elements, its words, and the data of its paths.
fn read(text: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut names, mut words, mut paths, mut open) = (Vec::new(), Vec::new(), Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(element) | Event::Empty(element) = &event {
            names.push(String::from_utf8(element.name().as_ref().to_vec()).unwrap());
            for attribute in element.attributes() {
                let attribute = attribute.unwrap();
                if attribute.key.as_ref() == b"d" {
                    paths.push(String::from_utf8(attribute.value.to_vec()).unwrap());
                }
            }
        }
        match event {
            Event::Start(_) => open += 1,
            Event::End(_) => open -= 1,
            Event::Text(text) => words.push(text.decode().unwrap().into_owned()),
            Event::GeneralRef(name) => {
                words.push(if name.decode().unwrap() == "lt" { "<".to_owned() } else { "&".to_owned() });
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0, "every element is closed");
    (names, words, paths)
}

#[test]
fn what_egui_paints_is_what_stands_in_the_file() {
    let mut renderer = OffscreenRenderer::new(2.0);
    let points: Vec<Pos2> = (0..500).map(|at| pos2(10.0 + at as f32 / 5.0, 40.0 + (at % 7) as f32)).collect();
    let square = egui::Rect::from_min_size(pos2(10.0, 10.0), vec2(20.0, 20.0));
    let mut texture = None;
    let drawing = renderer.draw(vec2(160.0, 90.0), Theme::Light, |ui| {
        let painter = ui.painter();
        painter.rect_filled(square, 0.0, Color32::from_rgb(200, 30, 40));
        painter.add(egui::Shape::line(points.clone(), Stroke::new(1.5, Color32::BLUE)));
        painter.text(
            pos2(60.0, 20.0),
            egui::Align2::LEFT_CENTER,
            "a < b & ‖Δw‖",
            egui::FontId::monospace(11.0),
            Color32::BLACK,
        );
        let texture = texture.get_or_insert_with(|| {
            let pixels = [Color32::GREEN, Color32::RED, Color32::BLUE, Color32::WHITE];
            let image = egui::ColorImage::new([2, 2], pixels.to_vec());
            ui.ctx().load_texture("four", image, egui::TextureOptions::NEAREST)
        });
        let whole = egui::Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0));
        let place = egui::Rect::from_min_size(pos2(120.0, 60.0), vec2(20.0, 20.0));
        painter.image(texture.id(), place, whole, Color32::WHITE);
    });
    let mut file = Vec::new();
    svg::svg(&drawing, "a & b", Color32::WHITE, &mut file).unwrap();
    let (names, words, paths) = read(std::str::from_utf8(&file).unwrap());
    assert!(words.concat().contains("a < b & ‖Δw‖"), "{words:?}");
    let curve = paths.iter().max_by_key(|path| path.len()).unwrap();
    assert_eq!(curve.matches(['M', 'L']).count(), points.len(), "as many points as were drawn");
    assert_eq!(names.iter().filter(|name| *name == "image").count(), 1);

    let pixels = raster::Rasterizer::of(&drawing).print(&drawing, Color32::WHITE);
    assert_eq!((pixels.width, pixels.height), (320, 180), "two pixels a point");
    let at = |x: usize, y: usize| {
        let place = 3 * (y * usize::from(pixels.width) + x);
        [pixels.rgb[place], pixels.rgb[place + 1], pixels.rgb[place + 2]]
    };
    assert_eq!(at(40, 40), [200, 30, 40]);
    assert_eq!(at(4, 4), [255; 3], "the ground");
    assert_eq!(
        [at(245, 125), at(275, 125), at(245, 155), at(275, 155)],
        [[0, 255, 0], [255, 0, 0], [0, 0, 255], [255; 3]]
    );
    let dark = |x: std::ops::Range<usize>, y: std::ops::Range<usize>| {
        y.flat_map(|y| x.clone().map(move |x| at(x, y))).filter(|rgb| rgb.iter().all(|part| *part < 90)).count()
    };
    let letters = dark(118..300, 25..55);
    assert!((150..2500).contains(&letters), "{letters} pixels of letters");
}

#[test]
fn no_file_is_written_over() {
    let place = tempfile::tempdir().unwrap();
    // What a killed program has left goes; what another one may be writing stays.
    let [old, new] = ["old", "new"].map(|name| place.path().join(format!(".kernelscope-{name}.tmp")));
    for path in [&old, &new] {
        fs::write(path, "half of a picture").unwrap();
    }
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    write_new(place.path(), "first", "txt", |_| Ok(())).unwrap();
    assert!(!old.exists() && new.exists());
    fs::remove_file(new).unwrap();
    fs::remove_file(place.path().join("first.txt")).unwrap();
    let folder = place.path().join("new");
    let write =
        |text: &'static str| write_new(&folder, "run", "csv", |to| std::io::Write::write_all(to, text.as_bytes()));
    let names: Vec<PathBuf> = ["a", "b", "c"].map(|text| write(text).unwrap()).to_vec();
    assert_eq!(names, ["run.csv", "run-2.csv", "run-3.csv"].map(|name| folder.join(name)));
    assert_eq!(fs::read_to_string(&names[0]).unwrap(), "a");
    write_new(&folder, "run", "csv", |_| Err(std::io::ErrorKind::Interrupted.into())).unwrap_err();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "what fails leaves nothing");
}

/// A window whose run has ended, and where its files go.
fn finished(spec: Spec) -> (Ui, Folder) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("exports");
    let mut harness = window(spec);
    harness.state_mut().exports_mut().set_folder(path.clone());
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(Ending::Finished { .. })));
    (harness, Folder { path, seen: BTreeSet::new(), _place: place })
}

struct Folder {
    path: PathBuf,
    seen: BTreeSet<PathBuf>,
    _place: tempfile::TempDir,
}

impl Folder {
    fn files(&self) -> BTreeSet<PathBuf> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().map(|entry| entry.unwrap().path());
        // Others are being written.
        entries.filter(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.')).collect()
    }

    /// Waits for a file more than there were; none where the window says something of this instead.
    #[track_caller]
    fn next_or(&mut self, harness: &mut Ui, refusal: &str) -> Option<PathBuf> {
        let path = wait_for("a file, or why there is none", || {
            harness.step();
            let path = self.files().difference(&self.seen).next().cloned();
            let refused = || harness.state().toasts().texts().any(|text| text.starts_with(refusal));
            if path.is_some() || refused() { Some(path) } else { None }
        })?;
        self.seen.insert(path.clone());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        until(harness, "the word", |app| app.toasts().texts().any(|text| text.ends_with(&name)));
        harness.run_steps(3);
        Some(path)
    }

    #[track_caller]
    fn next(&mut self, harness: &mut Ui) -> PathBuf {
        self.next_or(harness, "Nothing was saved").expect("nothing is refused")
    }
}

#[test]
fn a_view_is_saved_by_its_button_as_picture_and_as_numbers() {
    let (mut harness, mut folder) = finished(tiny());
    let mut save = |harness: &mut Ui, view: &str, what: &str| {
        press(harness, &format!("Export {view}"));
        press(harness, what);
        folder.next(harness)
    };
    let velocity = save(&mut harness, "Kernel velocity", "Save as SVG");
    assert!(velocity.ends_with("own-settings-kernel-velocity-epoch-3.svg"), "{velocity:?}");
    harness.get_by_label("Open folder");
    let (names, words, _) = read(&fs::read_to_string(&velocity).unwrap());
    assert!(words.iter().any(|word| word == "Kernel velocity"), "{words:?}");
    assert!(!words.iter().any(|word| word == "?"), "nothing to press is in a picture");
    assert!(names.iter().filter(|name| *name == "path").count() > 10);

    // The window is dark or light; the picture is light.
    harness.ctx.set_theme(Theme::Dark);
    harness.run_steps(2);
    let kernel = save(&mut harness, "Kernel", "Save as PNG");
    let picture = image::open(&kernel).unwrap().to_rgb8();
    assert!(picture.width() > 600 && picture.height() > 600, "twice the size on screen: {:?}", picture.dimensions());
    assert!(picture.get_pixel(8, 40).0.iter().all(|part| *part > 240), "a light ground");
    harness.key_press(egui::Key::I);
    harness.run_steps(3);
    assert!(!harness.state().exports().light);
    let dark = save(&mut harness, "Kernel", "Save as PNG");
    assert!(dark.to_string_lossy().ends_with("-2.png"), "{dark:?} stands beside the first");
    assert!(image::open(&dark).unwrap().to_rgb8().get_pixel(8, 40).0.iter().all(|part| *part < 60), "as the window");

    let numbers = save(&mut harness, "Kernel velocity", "Save numbers as CSV");
    assert!(numbers.to_string_lossy().contains("epochs-0-3"), "{numbers:?}");
    let mut table = csv::Reader::from_path(&numbers).unwrap();
    let rows: Vec<(String, f64, f64)> = table.deserialize().map(|row| row.unwrap()).collect();
    let history = harness.state().history();
    for (metric, block, name) in [
        // Ten probes a task are few.
        (Metric::VelocityDebiased, Block::Task(1), "velocity_debiased, task 1"),
        (Metric::VelocityDebiased, Block::Task(2), "velocity_debiased, task 2"),
        (Metric::StepNorm, Block::All, "step_norm, all"),
    ] {
        let wanted: Vec<(f64, f64)> = history.series(block, metric).into_iter().filter(|at| at.1 > 0.0).collect();
        let found: Vec<(f64, f64)> = rows.iter().filter(|row| row.0 == name).map(|row| (row.1, row.2)).collect();
        assert!(!wanted.is_empty());
        assert_eq!(found, wanted, "{name}, bit for bit");
    }
    let matrix = save(&mut harness, "Kernel", "Save numbers as CSV");
    let gram = &harness.state().history().snapshots().last().unwrap().gram;
    assert!(matrix.ends_with("own-settings-kernel-epoch-3.csv"), "{matrix:?}");
    let rows: Vec<csv::StringRecord> = csv::Reader::from_path(&matrix).unwrap().records().map(Result::unwrap).collect();
    let read: Vec<f64> =
        rows.iter().flat_map(|row| row.iter().skip(3).map(|cell| cell.parse::<f64>().unwrap())).collect();
    assert_eq!(read, gram.to_vec());
}

#[test]
fn every_view_has_a_picture_and_its_numbers_or_says_why_not() {
    let mut spec = tiny();
    spec.kernel.predict = true;
    spec.kernel.optimiser = true;
    let (mut harness, mut folder) = finished(spec);
    let order = |view, what| ViewExport { view, size: vec2(420.0, 260.0), what };
    for view in View::ALL {
        harness.state_mut().exports_mut().order(order(view, What::Svg));
        let picture = folder.next(&mut harness);
        let (_, words, _) = read(&fs::read_to_string(&picture).unwrap());
        assert!(words.iter().any(|word| word == view.title()) && words.len() > 2, "{picture:?}: {words:?}");
        harness.state_mut().exports_mut().order(order(view, What::Csv));
        match folder.next_or(&mut harness, view.title()) {
            Some(numbers) => {
                let rows = csv::Reader::from_path(&numbers).unwrap().into_records().map(Result::unwrap).count();
                assert!(rows > 0, "{view:?}");
            }
            // A run of images has no circle, disk, fork or modes of the squared error; the map of distances is being made, as
            // are the ratios; no moments and no other run were chosen.
            None => {
                let without = [
                    View::Circle,
                    View::Disk,
                    View::Forks,
                    View::Modes,
                    View::Distances,
                    View::LagRatios,
                    View::Compare,
                    View::Beside,
                ];
                assert!(without.contains(&view), "{view:?} has numbers");
            }
        }
    }
}

/// An entry of the menu, which is read together with its key.
fn choose(harness: &mut Ui, command: &str) {
    press(harness, "Menu");
    press(harness, "File");
    harness.get_by_label_contains(command).click();
    harness.run_steps(4);
}

#[test]
fn the_window_is_one_picture_and_the_run_an_animation_of_all_its_snapshots() {
    let (mut harness, mut folder) = finished(tiny());
    choose(&mut harness, "Export window as PNG");
    let window = folder.next(&mut harness);
    let picture = image::open(&window).unwrap().to_rgb8();
    assert_eq!(picture.dimensions(), (2560, 1600), "all of it, twice as large");
    let light = picture.pixels().filter(|pixel| pixel.0.iter().all(|part| *part > 235)).count();
    assert!(light > 2560 * 1600 / 2, "light: {light}");

    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::G);
    let film = folder.next(&mut harness);
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(fs::File::open(&film).unwrap()).unwrap();
    assert_eq!((decoder.width(), decoder.height()), (960, 520));
    let (mut frames, mut still) = (0, 0);
    while let Some(frame) = decoder.read_next_frame().unwrap() {
        (frames, still) = (frames + 1, still + usize::from(frame.width < 8));
    }
    assert!(still <= 1, "the cursor moves in each, but where a task ends");
    assert_eq!(frames, harness.state().history().snapshots().len());

    // Given up, it leaves nothing.
    choose(&mut harness, "Export animation");
    press(&mut harness, "Cancel the animation");
    until(&mut harness, "the end of it", |app| app.exports().film().is_none());
    assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 2);
}

/// The settings that a copied line means.
fn meant(line: &str) -> Spec {
    let words = shlex::split(line).unwrap();
    let cli = Cli::try_parse_from(&words).unwrap();
    match cli.command.unwrap() {
        Command::Run(run) => run.settings.read(|| PRESETS[0].spec(), preset).unwrap(),
        Command::Study(of) => of.settings.study(of.of.as_deref()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_preset_and_study_is_a_short_line() {
    for preset in PRESETS {
        let line = Spec { seed: 7, ..preset.spec() }.command_line(None).unwrap();
        let spec = meant(&line);
        assert!(spec.same_run(&Spec { seed: 7, ..preset.spec() }), "{line}");
        let name = preset.name;
        assert_eq!(line, format!("kernelscope run --preset {name} --set seed=7 --out {name}-seed-7"));
    }
    for study in STUDIES {
        let line = study.spec().command_line(None).unwrap();
        let elsewhere = study.spec().command_line(Some(std::path::Path::new("my studies/one"))).unwrap();
        assert!(elsewhere.ends_with(" --out 'my studies/one'"), "{elsewhere}");
        let name = study.name;
        assert_eq!(line, format!("kernelscope study --preset {name} --out kernelscope-studies/{name}"));
    }
    // Controls of another run, and a choice of them.
    let mut spec = preset("cnn").unwrap().spec();
    spec.study = Some(controls_of(&spec));
    let line = spec.command_line(None).unwrap();
    assert!(line.starts_with("kernelscope study --preset controls ") && meant(&line) == spec, "{line}");
    spec.study.as_mut().unwrap().variants.truncate(3);
    assert_eq!(meant(&spec.command_line(None).unwrap()), spec);
    let mut spec = STUDIES[0].spec();
    let of = spec.study.as_mut().unwrap();
    of.seeds = vec![3, 4];
    of.protocol.halvings = 2;
    let line = spec.command_line(None).unwrap();
    assert_eq!(meant(&line), spec, "{line}");
}

const SETTINGS: &[&str] = &[
    "network.width=96",
    "network.depth=5",
    "network.parametrisation=ntk",
    "network.alpha=0.125",
    "network.norm=layer",
    "training.rate=0.1",
    "training.rate=1e-7",
    "training.rate_width=256",
    "training.optimiser=adam",
    "training.frozen=[\"fc1\", \"blocks.0\"]",
    "training.masked=true",
    "training.replay=50",
    "tasks.epochs=[3, 2.5]",
    "tasks.steps=[7, 9]",
    "tasks.order=[2, 1]",
    "tasks.classes=[[0, 1], [2, 3], [4, 5]]",
    "kernel.piecewise=0.5",
    "kernel.predict=true",
    "data.source=idx",
    "data.path=/my data/it's \"here\" $HOME",
    "data.path=2024",
    "data.path=true",
    "data.samples=12",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_copied_line_repeats_the_run(
        place in any::<prop::sample::Index>(),
        changed in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        seed in 0u64..i64::MAX as u64,
        rate in 1e-12..1e3f64,
        step in prop::option::of(0u64..1_000_000),
        path in prop::option::of("[ -~äλ]{1,24}"),
    ) {
        let mut spec = PRESETS[place.index(PRESETS.len())].spec();
        for which in changed {
            let setting = SETTINGS[which.index(SETTINGS.len())];
            let of_text = setting.strip_prefix("network.").and_then(|setting| setting.split('=').next());
            // Of depth and norm, what the preset's network declares and admits; a refusal leaves everything as it was.
            match of_text.filter(|name| ["depth", "norm"].contains(name)) {
                Some(name) => {
                    let before = spec.clone();
                    let declares = spec.network.declares(name);
                    if spec.set(setting).is_err() {
                        prop_assert_eq!(&spec, &before);
                    } else {
                        prop_assert!(declares);
                    }
                }
                None => spec.set(setting).unwrap(),
            }
        }
        (spec.seed, spec.kernel.lag, spec.window.pace) = (seed, rate, 3.0);
        spec.changes.extend(step.map(|step| Change { step, ..Effect::Rate(rate).into() }));
        if let Some(path) = path {
            spec.data.path = Some(PathBuf::from(path));
        }
        let line = spec.command_line(None).unwrap();
        let found = meant(&line);
        // The line may be used in any folder, so its paths are absolute.
        spec.root_paths(std::path::Path::new(""));
        prop_assert!(found.same_run(&spec), "{}\n{:?}\n{:?}", line, found, spec);
        prop_assert_eq!(line.lines().count(), 1);
    }
}

/// Of many runs over the one that is shown the window has a picture, which belongs to it; on paper each is a line.
#[test]
fn runs_that_lie_over_one_another_are_in_the_picture_however_many_there_are() {
    let (mut harness, mut folder) = finished(tiny());
    let mut lines = |harness: &mut Ui| {
        let order = ViewExport { view: View::Velocity, size: vec2(420.0, 260.0), what: What::Svg };
        harness.state_mut().exports_mut().order(order);
        read(&fs::read_to_string(folder.next(harness)).unwrap()).2.len()
    };
    let alone = lines(&mut harness);
    let history = std::sync::Arc::new(harness.state().history().clone());
    for place in 0..14 {
        harness.state_mut().runs_mut().add(format!("run {place}"), None, history.clone(), None);
    }
    harness.run_steps(6);
    assert!(lines(&mut harness) >= alone + 14);
}
