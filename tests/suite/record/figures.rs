//! Figures: any record can be drawn, and what is written in them is what the record says.

use std::collections::BTreeMap;

use kernelscope::chart::palette::task_colour;
use kernelscope::chart::{Figure, Format};
use kernelscope::paint::theme::Tokens;
use kernelscope::paint::{page, render, write_all};
use kernelscope::run::{Ending, Event, History};
use quick_xml::events::Event as Xml;

use super::super::recorded::recorded;
use super::stream::{events, spec};

fn history(events: impl IntoIterator<Item = Event>) -> History {
    let mut history = History::default();
    events.into_iter().for_each(|event| history.push(event));
    history
}

fn finished(step: u64) -> Ending {
    Ending::Finished { step }
}

/// Reads an SVG, which must be well-formed: its elements with their attributes, pictures without their pixels, and with their words.
fn elements(svg: &str) -> Vec<Element> {
    let mut reader = quick_xml::Reader::from_str(svg);
    let (mut found, mut open): (Vec<Element>, usize) = (Vec::new(), 0);
    loop {
        let event = reader.read_event().unwrap();
        if let Xml::Start(element) | Xml::Empty(element) = &event {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let attributes = element.attributes().map(|attribute| {
                let attribute = attribute.unwrap();
                let value = text(&attribute.value);
                let is_picture = value.starts_with("data:image/png;base64,");
                (text(attribute.key.as_ref()), if is_picture { String::new() } else { value })
            });
            found.push(Element {
                name: text(element.name().as_ref()),
                attributes: attributes.collect(),
                words: String::new(),
            });
        }
        match event {
            Xml::Start(_) => open += 1,
            Xml::End(_) => open -= 1,
            Xml::Text(text) => found.last_mut().unwrap().words += &text.decode().unwrap(),
            Xml::Eof => break,
            _ => {}
        }
    }
    assert_eq!(open, 0, "every element is closed");
    found
}

struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    words: String,
}

impl Element {
    fn number(&self, attribute: &str) -> f64 {
        self.attributes[attribute].parse().unwrap()
    }
}

#[test]
fn any_record_can_be_drawn() {
    let one_row = events(&spec(1, 1.0), finished).into_iter().take(4);
    let no_switch = events(&spec(1, 2.0), finished);
    let many = events(&spec(12, 1.0), finished);
    // A switch, and of the snapshots round it only one is left: there is a change, of 0.
    let mut snapshots = 0;
    let one_of_two_tasks = events(&spec(2, 1.0), finished).into_iter().filter(|event| {
        snapshots += usize::from(matches!(event, Event::Snapshot(_)));
        !matches!(event, Event::Snapshot(_)) || snapshots == 1
    });
    let records = [history([]), history(one_row), history(no_switch), history(one_of_two_tasks), history(many)];
    for record in &records {
        for figure in Figure::ALL {
            let svg = String::from_utf8(render(record, figure, Format::Svg).unwrap()).unwrap();
            assert!(svg.starts_with("<?xml") && svg.trim_end().ends_with("</svg>"), "{figure:?}");
            for element in elements(&svg) {
                let said = element.attributes.values().chain([&element.words]);
                assert!(said.clone().all(|said| !said.contains("NaN") && !said.contains("inf")), "{figure:?}");
            }
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
    let [red, green, blue, _] = Tokens::in_theme(false).task(1).to_array();
    assert!(velocity.contains(&format!("stroke=\"#{red:02x}{green:02x}{blue:02x}\"")), "the window's colour of task 1");
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

/// A text of an SVG that is not turned.
struct Written {
    left: f64,
    right: f64,
    baseline: f64,
    size: f64,
    /// Whether it is in the font of ticks.
    is_tick: bool,
    words: String,
}

fn texts(svg: &str) -> Vec<Written> {
    let texts = elements(svg).into_iter().filter(|element| element.name == "text");
    let upright = texts.filter(|text| !text.attributes.contains_key("transform"));
    let written = |text: Element| Written {
        left: text.number("x"),
        right: text.number("x") + text.number("textLength"),
        baseline: text.number("y"),
        size: text.number("font-size"),
        is_tick: text.attributes["font-family"].contains("monospace"),
        words: text.words,
    };
    upright.map(written).collect()
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
            let root = &elements(&svg)[0];
            let (wide, high) = (root.number("width"), root.number("height"));
            let found = texts(&svg);
            assert!(found.len() > 8, "{figure:?}");
            let is_mark = |text: &&Written| text.words.starts_with(['×', '−']) && !text.is_tick;
            assert_eq!(
                found.iter().any(|text| is_mark(&text)),
                matches!(figure, Figure::Velocity | Figure::LambdaMax),
                "{figure:?}, {rows}"
            );
            for Written { left, right, baseline, size, words, .. } in &found {
                assert!(*left >= 0.0 && *right <= wide, "{figure:?}, {rows}: “{words}” from {left} to {right}");
                assert!(baseline - size >= -1.0 && *baseline <= high, "{figure:?}, {rows}: “{words}” at {baseline}");
            }
            // No text stands over another one.
            for (place, one) in found.iter().enumerate() {
                for other in &found[..place] {
                    let beside = one.right <= other.left + 0.5 || other.right <= one.left + 0.5;
                    let apart = (one.baseline - other.baseline).abs() >= 0.7 * one.size.min(other.size);
                    assert!(beside || apart, "{figure:?}, {rows}: “{}” over “{}”", one.words, other.words);
                }
            }
        }
    }
}

#[test]
fn a_figure_made_twice_is_the_same_to_the_byte() {
    let place = tempfile::tempdir().unwrap();
    let record = history(events(&spec(2, 2.0), finished));
    for format in [Format::Svg, Format::Png] {
        let all = write_all(&record, place.path(), format).unwrap();
        for (path, figure) in all.iter().zip(Figure::ALL) {
            // On a thread of its own, as a worker does it, and after other figures or alone.
            let alone = std::thread::scope(|scope| scope.spawn(|| render(&record, figure, format)).join().unwrap());
            assert!(std::fs::read(path).unwrap() == alone.unwrap(), "{figure:?}");
        }
    }
}

/// A figure is as wide as a column of a paper, where no letter is smaller than those of its captions.
#[test]
fn no_text_of_a_figure_is_smaller_than_nine_points() {
    let of_recorded = ["width-16-seed-1", "adam", "circle", "disk"].map(|name| {
        let record = recorded(name);
        let figures = Figure::ALL.into_iter().filter(|figure| figure.is_of(&record));
        figures.map(|figure| render(&record, figure, Format::Svg).unwrap()).collect::<Vec<_>>()
    });
    assert!(of_recorded[0].len() == 8 && of_recorded.iter().all(|figures| figures.len() >= 8));
    for svg in of_recorded.into_iter().flatten() {
        let found = elements(std::str::from_utf8(&svg).unwrap());
        // Points of the file, of which 96 are an inch; a paper counts 72.
        let inches = found[0].number("width") / 96.0;
        assert!(inches <= 5.5, "{inches} inches wide");
        let texts: Vec<&Element> = found.iter().filter(|element| element.name == "text").collect();
        assert!(texts.len() > 4);
        for text in texts {
            let size = text.number("font-size") * 72.0 / 96.0;
            assert!(size >= 9.0, "“{}” has {size} points", text.words);
        }
    }
}

/// λ_max as a function of the step, all else as it was.
fn with_lambda_max(of: impl Fn(u64) -> f64) -> History {
    let change = |event: Event| match event {
        Event::Snapshot(snapshot) => {
            let mut snapshot = kernelscope::run::Snapshot::clone(&snapshot);
            let step = snapshot.row.step;
            snapshot.row.blocks.iter_mut().for_each(|block| block.lambda_max = kernelscope::run::finite(of(step)));
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
    // On logarithmic axes, too.
    let calm = with_lambda_max(|_| 12.0);
    let logarithmic =
        [Figure::Velocity, Figure::Eigenvalues, Figure::Susceptibility].map(|figure| (calm.clone(), figure));
    let linear = curves.into_iter().map(|of| (with_lambda_max(of), Figure::LambdaMax));
    for (record, figure) in linear.chain(logarithmic) {
        let svg = String::from_utf8(render(&record, figure, Format::Svg).unwrap()).unwrap();
        // The labels of the upper panel's left axis.
        let on_the_left =
            |text: &Written| text.is_tick && text.left < 0.1 * f64::from(page::WIDTH) && text.baseline < 190.0;
        let ticks: Vec<String> = texts(&svg).into_iter().filter(on_the_left).map(|text| text.words).collect();
        let different: std::collections::BTreeSet<&String> = ticks.iter().collect();
        assert!(ticks.len() >= 2, "{figure:?}: {ticks:?}");
        assert_eq!(different.len(), ticks.len(), "{ticks:?}");
    }
}
