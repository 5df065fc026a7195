//! Figures: any record can be drawn, and what is written in them is what the record says.

use kernelscope::record::figures::{Figure, Format, render, write_all};
use kernelscope::record::palette::task_colour;
use kernelscope::record::{Ending, Event, History};

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
