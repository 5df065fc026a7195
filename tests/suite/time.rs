//! Time travel: playback, marks, the two moments and what is told of them; on real runs, with a clock of the test's own.

use egui_kittest::kittest::{NodeT as _, Queryable as _};
use faer::{Mat, Side};
use kernelscope::analysis::MomentComparer;
use kernelscope::run::{Event, History, RunState, Snapshot};
use kernelscope::ui::App;
use kernelscope::ui::playback::clock::Clock;
use kernelscope::ui::playback::{Mark, Marks, Moment, PER_SECOND, Player, Which};
use kernelscope::ui::views::View;

use super::ui::{Ui, endless, press, until, until_seen, window};
use super::{read_all, start, tiny};

/// The record of a small run that has ended, which keeps at most so many bytes.
fn history(bytes: u64) -> History {
    let mut history = History::new(bytes, 10_000);
    let mut spec = tiny();
    spec.kernel.per_epoch = 12;
    read_all(&start(spec)).into_iter().for_each(|event| history.push(event));
    history
}

fn epochs(history: &History) -> Vec<f64> {
    history.snapshots().iter().map(|snapshot| snapshot.row.epoch).collect()
}

#[test]
fn playback_goes_by_the_clock_it_is_given() {
    let history = history(u64::MAX);
    let epochs = epochs(&history);
    let (mut clock, mut playback) = (Clock::default(), Player::default());
    let second = 1.0 / PER_SECOND;
    // Nothing lies ahead of the newest: it begins at the start.
    playback.start(&mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[0]));
    playback.tick(100.0, &mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[0]), "time begins with the first frame");
    playback.tick(100.0 + 1.01 * second, &mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[1]));
    playback.tick(100.0 + 1.6 * second, &mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[1]), "half of a snapshot is owed");
    playback.tick(100.0 + 2.02 * second, &mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[2]));
    // Four times as fast; and a minute behind another window is no leap.
    playback.set_speed(4.0);
    playback.tick(100.0 + 3.03 * second, &mut clock, &history, None);
    assert_eq!(clock.chosen(), Some(epochs[6]));
    playback.set_speed(0.25);
    playback.tick(200.0, &mut clock, &history, None);
    let place = epochs.iter().position(|epoch| Some(*epoch) == clock.chosen()).unwrap();
    assert!(place <= 7, "snapshot {place}");
    // Round a stretch, from its last snapshot to its first one.
    let stretch = Some((epochs[3], epochs[5]));
    playback.set_speed(1.0);
    playback.start(&mut clock, &history, stretch);
    let mut seen = Vec::new();
    for tick in 0..7 {
        playback.tick(300.0 + 1.001 * second * f64::from(tick), &mut clock, &history, stretch);
        seen.push(epochs.iter().position(|epoch| Some(*epoch) == clock.chosen()).unwrap());
    }
    assert_eq!(seen, [3, 4, 5, 3, 4, 5, 3]);
    // Without one it comes to the newest, follows it, and rests.
    for tick in 0..1000 {
        playback.tick(400.0 + second * f64::from(tick), &mut clock, &history, None);
    }
    assert!(clock.is_following() && !playback.is_playing() && playback.next_frame().is_none());
    // What is in view turns its page.
    clock.show(0.0, 0.5);
    clock.seek(0.4);
    playback.start(&mut clock, &history, None);
    for tick in 0..12 {
        playback.tick(500.0 + 1.001 * second * f64::from(tick), &mut clock, &history, None);
        let (from, to) = clock.range(&history);
        assert!((from..=to).contains(&clock.cursor(&history)) && (to - from - 0.5).abs() < 1e-9);
    }
    assert!(clock.range(&history).0 > 0.3);
}

fn cursor(harness: &Ui) -> f64 {
    harness.state().clock().cursor(harness.state().history())
}

fn key(harness: &mut Ui, key: egui::Key) {
    harness.key_press(key);
    // One frame hears it, the next carries it out.
    harness.run_steps(2);
}

#[test]
fn the_past_plays_while_training_goes_on_and_following_is_one_press_away() {
    let mut harness = window(endless());
    press(&mut harness, "Start");
    until(&mut harness, "a past", |app| app.history().snapshots().len() > 30);
    harness.get_by_label("Following");
    assert!(harness.query_by_label("Follow").is_none());
    key(&mut harness, egui::Key::K);
    assert!(harness.state().travel().playback.is_playing());
    let (began, rows) = (cursor(&harness), harness.state().history().rows().len());
    until(&mut harness, "the cursor to move", |app| app.clock().chosen().is_some_and(|epoch| epoch > began));
    until(&mut harness, "training to go on", |app| app.history().rows().len() > rows + 4);
    assert!(harness.state().travel().playback.is_playing(), "training is faster than it is played");
    // Paused, the cursor stays and training does not.
    key(&mut harness, egui::Key::K);
    let stands = cursor(&harness);
    let rows = harness.state().history().rows().len();
    until(&mut harness, "training to go on", |app| app.history().rows().len() > rows + 4);
    assert_eq!(cursor(&harness), stands);
    assert!(epochs(harness.state().history()).contains(&stands), "it stands on a snapshot");
    press(&mut harness, "Follow");
    assert!(harness.state().clock().is_following());
    harness.get_by_label("Following");
    // A press on the strip of the run ends following, too; here in the middle, which may be planned only.
    harness.get_by_label("Time").click();
    harness.run_steps(4);
    assert!(!harness.state().clock().is_following());
    press(&mut harness, "Follow");
    // Speeds are chosen from their list, playing round by a key.
    press(&mut harness, "Speed of playback");
    press(&mut harness, "×8");
    assert_eq!(harness.state().travel().playback.speed(), 8.0);
    key(&mut harness, egui::Key::O);
    let range = harness.state().clock().range(harness.state().history());
    let app = harness.state();
    assert_eq!(app.travel().stretch(app.clock(), app.history()), Some(range), "what is in view");
    key(&mut harness, egui::Key::O);
    let app = harness.state();
    assert_eq!(app.travel().stretch(app.clock(), app.history()), None, "without A and B there is no more");
    harness.check_accessibility();
}

#[test]
fn marks_are_set_found_and_removed_by_keys_and_by_the_pointer() {
    let mut harness = window(tiny());
    assert!(harness.get_by_label("Mark").accesskit_node().is_disabled(), "there is no moment yet");
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(_)));
    let of = |harness: &Ui, place: usize| epochs(harness.state().history())[place];
    let (first, second) = (of(&harness, 2), of(&harness, 7));
    for place in [7, 2] {
        let steps = epochs(harness.state().history()).len() - 1 - place;
        key(&mut harness, egui::Key::End);
        for _ in 0..steps {
            key(&mut harness, egui::Key::ArrowLeft);
        }
        key(&mut harness, egui::Key::M);
    }
    let marks = |harness: &Ui| harness.state().travel().marks.all().iter().map(|mark| mark.epoch).collect::<Vec<_>>();
    assert_eq!(marks(&harness), [first, second]);
    key(&mut harness, egui::Key::End);
    assert!(harness.get_by_label("Next mark").accesskit_node().is_disabled());
    key(&mut harness, egui::Key::Comma);
    assert_eq!(cursor(&harness), second);
    key(&mut harness, egui::Key::Comma);
    assert_eq!(cursor(&harness), first);
    assert!(harness.get_by_label("Previous mark").accesskit_node().is_disabled());
    key(&mut harness, egui::Key::Period);
    assert_eq!(cursor(&harness), second);
    harness.check_accessibility();
    // M once more removes the mark at the cursor; the right button that under the pointer.
    key(&mut harness, egui::Key::M);
    assert_eq!(marks(&harness), [first]);
    press(&mut harness, &format!("Mark at epoch {first:.2}"));
    assert_eq!(cursor(&harness), first);
    harness.get_by_label(&format!("Mark at epoch {first:.2}")).click_secondary();
    harness.run_steps(4);
    assert!(marks(&harness).is_empty());
    // Those of a run go with it.
    key(&mut harness, egui::Key::A);
    key(&mut harness, egui::Key::M);
    assert!(harness.state().travel().marks.moment(Which::A).is_some() && marks(&harness).len() == 1);
    press(&mut harness, "Restart");
    assert!(harness.state().travel().marks.moment(Which::A).is_none() && marks(&harness).is_empty());
}

fn press_last(harness: &mut Ui, name: &str) {
    harness.get_all_by_label(name).last().expect(name).click();
    harness.run_steps(3);
}

/// A mark outlives its snapshot, and A keeps its kernel.
#[test]
fn moments_outlive_what_a_long_record_thins_away() {
    let whole = history(u64::MAX);
    let bytes = whole.snapshot_bytes();
    let mut thinned = History::new(bytes / 3, 10_000);
    let mut marks = Marks::default();
    let mut chosen: Option<std::sync::Arc<Snapshot>> = None;
    for (place, snapshot) in whole.snapshots().iter().enumerate() {
        thinned.push(Event::Snapshot(std::sync::Arc::clone(snapshot)));
        if place == 2 {
            marks.toggle(Mark { step: snapshot.row.step, epoch: snapshot.row.epoch });
            marks.choose(Which::A, snapshot);
            chosen = Some(std::sync::Arc::clone(snapshot));
        }
    }
    let chosen = chosen.unwrap();
    assert!(thinned.snapshots().iter().all(|snapshot| snapshot.row.step != chosen.row.step), "it was thinned away");
    assert_eq!(marks.before(f64::INFINITY), Some(chosen.row.epoch));
    assert_eq!(marks.at(chosen.row.epoch).map(|mark| mark.step), Some(chosen.row.step));
    let shown = thinned.snapshot_at(chosen.row.epoch).unwrap();
    assert!(shown.row.step < chosen.row.step, "the nearest before it is shown");
    assert_eq!(marks.moment(Which::A).unwrap().gram, chosen.gram);
}

/// All numbers of a comparison, by other means: loops and faer's own decompositions.
struct Expected {
    drift: f64,
    scale: f64,
    distance: f64,
    overlaps: Vec<f64>,
    shared: f64,
    angle: f64,
}

fn expected(a: &Snapshot, b: &Snapshot, rows: std::ops::Range<usize>, leading: usize) -> Expected {
    let (whole, n) = (a.eigenvalues.len(), rows.len());
    let block =
        |snapshot: &Snapshot| Mat::from_fn(n, n, |r, c| snapshot.gram[(rows.start + r) * whole + rows.start + c]);
    let (a, b) = (block(a), block(b));
    // U-centred (Székely & Rizzo 2014), because these are few probes.
    let centred = |gram: &Mat<f64>| {
        let hollow = Mat::from_fn(n, n, |r, c| if r == c { 0.0 } else { gram[(r, c)] });
        let sums: Vec<f64> = (0..n).map(|r| (0..n).map(|c| hollow[(r, c)]).sum()).collect();
        let (all, count) = (sums.iter().sum::<f64>(), n as f64);
        Mat::from_fn(n, n, |r, c| match r == c {
            true => 0.0,
            false => hollow[(r, c)] - (sums[r] + sums[c]) / (count - 2.0) + all / ((count - 1.0) * (count - 2.0)),
        })
    };
    let dot = |a: &Mat<f64>, b: &Mat<f64>| (0..n * n).map(|at| a[(at / n, at % n)] * b[(at / n, at % n)]).sum::<f64>();
    let (ca, cb) = (centred(&a), centred(&b));
    let cka = dot(&ca, &cb) / (dot(&ca, &ca) * dot(&cb, &cb)).sqrt();
    let vectors = |gram: &Mat<f64>, count: usize| {
        let found = gram.self_adjoint_eigen(Side::Lower).unwrap();
        Mat::from_fn(n, count, |r, c| found.U()[(r, n - 1 - c)])
    };
    let all = vectors(&a, n).transpose() * vectors(&b, n);
    let product = vectors(&a, leading).transpose() * vectors(&b, leading);
    let cosines: Vec<f64> = product.singular_values().unwrap();
    let gap = &b - &a;
    Expected {
        drift: (dot(&gap, &gap) / dot(&a, &a)).sqrt(),
        scale: (dot(&b, &b) / dot(&a, &a)).sqrt(),
        distance: 1.0 - cka,
        overlaps: (0..n * n).map(|at| all[(at / n, at % n)].powi(2)).collect(),
        shared: cosines.iter().map(|cosine| cosine.powi(2)).sum::<f64>() / leading as f64,
        angle: cosines.iter().copied().fold(1.0, f64::min).acos(),
    }
}

#[test]
fn a_comparison_finds_what_loops_and_another_solver_find() {
    let history = history(u64::MAX);
    let mut comparer = MomentComparer::default();
    let snapshots = history.snapshots();
    let pairs = [(0, snapshots.len() - 1), (3, snapshots.len() - 1), (3, 4)];
    for (rows, leading) in [(0..10, 5), (10..20, 5), (0..20, 10)] {
        for (a, b) in pairs {
            let (a, b) = (&snapshots[a], &snapshots[b]);
            let moments = [Moment::of(a), Moment::of(b)];
            let found = comparer.compare(rows.clone(), leading, moments).unwrap();
            let expected = expected(a, b, rows.clone(), leading);
            let close = |what: &str, found: f64, expected: f64| {
                assert!((found - expected).abs() < 1e-7 * (1.0 + expected), "{what}: {found} against {expected}");
            };
            close("drift", found.drift, expected.drift);
            close("scale", found.scale, expected.scale);
            close("distance", found.distance, expected.distance);
            close("shared", found.shared, expected.shared);
            close("angle", found.angle, expected.angle);
            assert_eq!((found.vectors, found.leading, found.len()), (rows.len().min(16), leading, rows.len()));
            for at in 0..found.vectors * found.vectors {
                let (row, column) = (at / found.vectors, at % found.vectors);
                close("an overlap", found.overlaps[at], expected.overlaps[row * rows.len() + column]);
            }
            if rows == (0..20) {
                for (found, told) in found.eigenvalues.iter().zip([&a.eigenvalues, &b.eigenvalues]) {
                    found.iter().zip(told).for_each(|(found, told)| close("an eigenvalue", *found, *told));
                }
            }
        }
    }
    let moment = Moment { gram: vec![f64::NAN; 400].into(), ..Moment::of(&snapshots[0]) };
    let broken = [Moment { step: 1_000_000, ..moment }, Moment::of(&snapshots[1])];
    let words = comparer.compare(0..20, 10, broken).unwrap_err();
    assert!(words.contains("diverged"), "{words}");
}

/// The number behind a word on screen.
#[track_caller]
fn shown(harness: &Ui, name: &str) -> f64 {
    let begins = format!("{name} ");
    let texts = harness.get_all_by_label_contains(&begins).filter_map(|node| {
        let node = node.accesskit_node();
        node.value().or_else(|| node.label()).filter(|text| text.starts_with(&begins))
    });
    let texts: Vec<String> = texts.collect();
    let [text] = &texts[..] else { panic!("{name} should be there once: {texts:?}") };
    let value = text[begins.len()..].trim().trim_end_matches('°').replace('−', "-");
    value.parse().unwrap_or_else(|_| panic!("“{text}” ends in a number"))
}

#[test]
fn the_numbers_on_screen_are_those_of_the_two_moments() {
    let mut harness = window(tiny());
    harness.state_mut().arrange(&[View::Compare]);
    press(&mut harness, "Start");
    until(&mut harness, "the end", |app| matches!(app.history().state(), RunState::Ended(_)));
    harness.get_by_label_contains("press A; training goes on");
    harness.check_accessibility();
    let last = harness.state().history().snapshots().last().unwrap().clone();
    press(&mut harness, &format!("Epoch {:.2} as A", last.row.epoch));
    harness.get_by_label_contains("A is epoch");
    for _ in 0..6 {
        key(&mut harness, egui::Key::ArrowLeft);
    }
    let before = harness.state().history().snapshot_at(cursor(&harness)).unwrap().clone();
    assert!(before.row.step < last.row.step);
    key(&mut harness, egui::Key::B);
    let told = |harness: &Ui| harness.query_by_label_contains("largest angle ").is_some();
    until_seen(&mut harness, "numbers", told);
    let expected = expected(&last, &before, 0..10, 5);
    let close = |name: &str, expected: f64| {
        let found = shown(&harness, name);
        // Three digits are shown.
        assert!((found / expected - 1.0).abs() < 0.006, "{name}: {found} against {expected}");
    };
    close("‖B − A‖/‖A‖", expected.drift);
    close("‖B‖/‖A‖", expected.scale);
    close("CKA", 1.0 - expected.distance);
    // Where it is small it has two digits.
    assert!((shown(&harness, "S") / expected.distance - 1.0).abs() < 0.05, "{}", expected.distance);
    close("first 5 share", expected.shared);
    let angle = shown(&harness, "largest angle");
    assert!((angle - expected.angle.to_degrees()).abs() < 0.051, "{angle} against {}", expected.angle);
    // Playing round is from B to A now; every place can hold the view, and A pressed again lets go of it.
    key(&mut harness, egui::Key::O);
    key(&mut harness, egui::Key::O);
    let app = harness.state();
    let stretch = app.travel().stretch(app.clock(), app.history());
    assert_eq!(stretch, Some((before.row.epoch, last.row.epoch)));
    for other in [View::Gram, View::Velocity, View::Scale, View::Accuracy] {
        press(&mut harness, &format!("View: {}", other.title()));
        press_last(&mut harness, View::Compare.title());
        harness.get_by_label("Kernel B − A");
        harness.check_accessibility();
    }
    for (name, way) in [("Kernel A", "A = "), ("Overlap of the eigenvectors of A and B", "⟨u")] {
        harness.get_by_label(name).hover();
        harness.run_steps(4);
        assert!(harness.query_all_by_label_contains(way).next().is_some(), "{name} says what is under the pointer");
    }
    key(&mut harness, egui::Key::B);
    harness.get_by_label_contains("A is epoch");
    let done = |app: &App| app.travel().marks.both().is_none();
    assert!(done(harness.state()));
}
