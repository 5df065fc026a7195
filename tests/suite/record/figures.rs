//! Figures: any record can be drawn, and what is written in them is what the record says.

use kernelscope::chart::palette::task_colour;
use kernelscope::chart::{Figure, Format, render, write_all};
use kernelscope::run::{Ending, Event, History};

use super::stream::{events, spec};

fn history(events: impl IntoIterator<Item = Event>) -> History {
    let mut history = History::default();
    events.into_iter().for_each(|event| history.push(event));
    history
}

fn finished(step: u64) -> Ending {
    Ending::Finished { step }
}

#[test]
fn any_record_can_be_drawn() {
    let one_row = events(&spec(1, 1.0), finished).into_iter().take(4);
    let no_switch = events(&spec(1, 2.0), finished);
    let many = events(&spec(12, 1.0), finished);
    let records = [history([]), history(one_row), history(no_switch), history(many)];
    for record in &records {
        for figure in Figure::ALL {
            let svg = String::from_utf8(render(record, figure, Format::Svg).unwrap()).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"), "{figure:?}");
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{figure:?}");
        }
    }
}

#[test]
fn spikes_and_dips_are_written_beside_their_points() {
    let record = history(events(&spec(2, 4.0), finished));
    let svg = |figure| String::from_utf8(render(&record, figure, Format::Svg).unwrap()).unwrap();
    let velocity = svg(Figure::Velocity);
    assert!(velocity.contains("×10"), "the planted ratio");
    assert!(velocity.contains("training task 1") && velocity.contains(">task 2<") || velocity.contains("task 2\n"));
    let [red, green, blue] = task_colour(1);
    assert!(velocity.contains(&format!("#{red:02X}{green:02X}{blue:02X}")), "the colour of task 1");
    assert!(svg(Figure::LambdaMax).contains("−20 %"), "the planted dip");
    assert!(svg(Figure::Gram).contains("At the spike, epoch 4.25"));
    let calm = history(events(&spec(1, 4.0), finished));
    assert!(!String::from_utf8(render(&calm, Figure::Velocity, Format::Svg).unwrap()).unwrap().contains('×'));
}

#[test]
fn pictures_are_pictures_of_the_same_size() {
    let place = tempfile::tempdir().unwrap();
    let record = history(events(&spec(2, 2.0), finished));
    let paths = write_all(&record, &place.path().join("figures"), Format::Png).unwrap();
    let of_images = Figure::ALL.iter().filter(|figure| !matches!(figure, Figure::Circle | Figure::Disk));
    assert_eq!(paths.len(), of_images.count());
    for path in paths {
        let picture = image::open(&path).unwrap().to_rgb8();
        assert!(picture.width() >= 1600 && picture.height() >= 700, "{path:?}");
        let white = picture.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
        let all = (picture.width() * picture.height()) as usize;
        assert!(white > all / 20 && white < all, "{path:?}: {white} of {all} pixels are white");
    }
}

#[test]
fn neighbouring_tasks_never_share_a_colour() {
    for number in 1..64 {
        assert_ne!(task_colour(number), task_colour(number + 1));
    }
}

/// The texts of an SVG: where each is put, its anchor, its size and its words.
fn texts(svg: &str) -> Vec<(f64, f64, String, f64, String)> {
    let mut found = Vec::new();
    for piece in svg.split("<text ").skip(1) {
        let (head, rest) = piece.split_once('>').unwrap();
        let words = rest.split_once("</text>").unwrap().0.trim().to_owned();
        if head.contains("rotate") {
            continue;
        }
        let attribute = |name: &str| {
            let after = head.split_once(&format!("{name}=\"")).unwrap().1;
            after.split_once('"').unwrap().0.to_owned()
        };
        let number = |name: &str| attribute(name).parse::<f64>().unwrap();
        found.push((number("x"), number("y"), attribute("text-anchor"), number("font-size"), words));
    }
    found
}

/// The run as it is when it is cut off: `rows` snapshots after its only switch.
fn cut_off(rows: usize) -> History {
    let all = events(&spec(2, 4.0), finished);
    let mut left = rows;
    let kept = all.into_iter().take_while(|event| match event {
        Event::Snapshot(snapshot) if snapshot.row.task == 2 => {
            left = left.wrapping_sub(1);
            left != usize::MAX
        }
        Event::Ended(_) => false,
        _ => true,
    });
    history(kept)
}

#[test]
fn no_word_of_a_figure_is_cut_wherever_its_mark_is() {
    // The spike and the dip are the very last snapshot, among the last ones, or far from the end.
    for rows in [1, 2, 3, 16] {
        let record = cut_off(rows);
        for figure in [Figure::Velocity, Figure::LambdaMax, Figure::Accuracy, Figure::Alignment, Figure::Eigenvalues] {
            let svg = String::from_utf8(render(&record, figure, Format::Svg).unwrap()).unwrap();
            let of = |name: &str| -> f64 {
                let after = svg.split_once(&format!("{name}=\"")).unwrap().1;
                after.split_once('"').unwrap().0.parse().unwrap()
            };
            let (wide, high) = (of("<svg width"), of("height"));
            let found = texts(&svg);
            assert!(found.len() > 8, "{figure:?}");
            let marks = found.iter().filter(|text| text.4.starts_with(['×', '−']) && text.3 > 15.0).count();
            assert_eq!(marks > 0, matches!(figure, Figure::Velocity | Figure::LambdaMax), "{figure:?}, {rows}");
            for (x, y, anchor, size, words) in found {
                // About what a sans-serif letter takes on average, with some to spare.
                let width = 0.6 * size * words.chars().count() as f64;
                let (left, right) = match anchor.as_str() {
                    "start" => (x, x + width),
                    "end" => (x - width, x),
                    _ => (x - width / 2.0, x + width / 2.0),
                };
                assert!(left >= -1.0 && right <= wide + 1.0, "{figure:?}, {rows}: “{words}” from {left} to {right}");
                assert!(y >= 0.0 && y <= high, "{figure:?}, {rows}: “{words}” at {y}");
            }
        }
    }
}

/// λ_max as a function of the step, all else as it was.
fn with_lambda_max(of: impl Fn(u64) -> f64) -> History {
    let change = |event: Event| match event {
        Event::Snapshot(snapshot) => {
            let mut snapshot = kernelscope::run::Snapshot::clone(&snapshot);
            let step = snapshot.row.step;
            snapshot.row.blocks.iter_mut().for_each(|block| block.lambda_max = of(step));
            Event::Snapshot(std::sync::Arc::new(snapshot))
        }
        other => other,
    };
    history(events(&spec(2, 4.0), finished).into_iter().map(change))
}

#[test]
fn no_two_ticks_of_an_axis_say_the_same() {
    type Of = Box<dyn Fn(u64) -> f64>;
    let curves: [Of; 9] = [
        Box::new(|_| 12.0),
        Box::new(|_| 0.0),
        Box::new(|_| 4e-5),
        Box::new(|_| 123_456.0),
        Box::new(|step| 123_456.0 + step as f64 * 1e-3),
        Box::new(|step| 0.000_123 + step as f64 * 1e-11),
        Box::new(|step| 12.0 + step as f64 * 1e-10),
        Box::new(|step| 7e11 + step as f64 * 1e7),
        Box::new(|step| step as f64 * 1e-9),
    ];
    for of in curves {
        let record = with_lambda_max(of);
        let svg = String::from_utf8(render(&record, Figure::LambdaMax, Format::Svg).unwrap()).unwrap();
        // The labels of the upper panel's left axis.
        let mut ticks: Vec<String> =
            texts(&svg).into_iter().filter(|text| text.2 == "end" && text.1 < 380.0).map(|text| text.4).collect();
        ticks.retain(|words| !words.starts_with('×') && !words.ends_with('%'));
        let different: std::collections::BTreeSet<&String> = ticks.iter().collect();
        assert!(ticks.len() >= 2, "{ticks:?}");
        assert_eq!(different.len(), ticks.len(), "{ticks:?}");
    }
}
