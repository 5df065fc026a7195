//! Formats numbers as text, and chooses the ranges and ticks of axes. All functions are pure; a number has the same form in the
//! window and in figures.

/// Formats a number to three significant digits, with a power of ten where there would be many zeros.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(0.00995..999_500.0).contains(&size) {
        let exponent = size.log10().floor() as i32;
        let mantissa = value / 10f64.powi(exponent);
        // 9.96 would print as 10.0.
        let (mantissa, exponent) =
            if mantissa.abs() >= 9.95 { (mantissa / 10.0, exponent + 1) } else { (mantissa, exponent) };
        format!("{mantissa:.1}e{exponent}")
    } else if size < 0.995 {
        format!("{value:.3}")
    } else if size < 9.995 {
        format!("{value:.2}")
    } else if size < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    };
    text.replace('-', "−")
}

/// Formats a whole number in groups of three with thin spaces: 12 345.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of bytes with a unit.
pub fn bytes(value: u64) -> String {
    let mib = value as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.0} MB") } else { format!("{:.1} GB", mib / 1024.0) }
}

/// Formats seconds with a unit.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() => "–".to_owned(),
        s if s < 1.0 => "under 1 s".to_owned(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 90.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// Formats an exponent as superscript digits.
fn superscript(exponent: i64) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    exponent.to_string().chars().map(digit).collect()
}

/// Formats an index as subscript digits.
pub fn subscript(index: usize) -> String {
    let digit = |c: char| char::from_u32(0x2080 + c.to_digit(10).unwrap_or(0)).unwrap_or(c);
    index.to_string().chars().map(digit).collect()
}

/// Formats the label of a tick; `value` is as stored (log10 on a logarithmic axis), `span` is the length of the axis.
pub fn tick(value: f64, span: f64, log: bool) -> String {
    if !log {
        return plain(value, span);
    }
    let nearest = value.round();
    if span >= 1.5 && (value - nearest).abs() < 1e-6 {
        return format!("10{}", superscript(nearest as i64));
    }
    let size = 10f64.powf(value);
    if span < 0.6 {
        // So short a range has the ticks of a linear axis of about this length.
        return plain(size, size * (10f64.powf(span / 2.0) - 10f64.powf(-span / 2.0)));
    }
    without_zeros(&number(size).replace('−', "-")).replace('-', "−")
}

/// Formats with just enough digits to distinguish the ticks of an axis of this span.
fn plain(value: f64, span: f64) -> String {
    let size = value.abs();
    if size < span * 1e-9 {
        return "0".to_owned();
    }
    // Decimal places; negative where the last digits before the point are zeros.
    let places = 1i32.saturating_sub((span / 2.0).log10().floor() as i32);
    let text = if size >= 1e6 || (size < 1e-4 && span < 1e-3) {
        let digits = places.saturating_add(size.log10().floor() as i32).clamp(0, 12) as usize;
        format!("{value:.digits$e}")
    } else {
        let decimals = places.clamp(0, 12) as usize;
        format!("{value:.decimals$}")
    };
    without_zeros(&text).replace('-', "−")
}

/// Returns the smallest of 1, 2 or 5 times a power of ten that is at least `least`.
pub fn nice_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|&step| step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Returns the ticks of a linear axis, at most `most` of them.
pub fn linear_marks(from: f64, to: f64, most: usize) -> Vec<f64> {
    let step = nice_step((to - from) / most.max(1) as f64);
    let first = (from / step).ceil() as i64;
    let last = (to / step).floor() as i64;
    if last - first > 1000 {
        return Vec::new();
    }
    (first..=last).map(|place| place as f64 * step).collect()
}

/// Returns the places of the short ticks of an axis of log10 values: 2 to 9 times each power of ten, or 2 and 5 times where
/// there is room for no more than `most`; none where these are too many, and on a linear axis.
pub fn minor_marks(log: bool, (from, to): (f64, f64), most: usize) -> Vec<f64> {
    if !log || !(to - from).is_finite() || to - from > most as f64 {
        return Vec::new();
    }
    let within = |factors: &[u8]| -> Vec<f64> {
        let decades = (from.floor() as i32)..=(to.ceil() as i32);
        let places =
            decades.flat_map(|decade| factors.iter().map(move |&by| f64::from(decade) + f64::from(by).log10()));
        places.filter(|place| (from..=to).contains(place)).collect()
    };
    [&[2, 3, 4, 5, 6, 7, 8, 9][..], &[2, 5]]
        .into_iter()
        .map(within)
        .find(|places| places.len() <= most)
        .unwrap_or_default()
}

/// Returns the ticks of an axis of log10 values: decades for a long range, 1-2-5 for about one decade, else round values.
pub fn log_marks(from: f64, to: f64, most: usize) -> Vec<f64> {
    let span = to - from;
    if span >= 1.5 {
        let step = (span / most.max(1) as f64).ceil().max(1.0) as i64;
        let first = (from / step as f64).ceil() as i64;
        let last = (to / step as f64).floor() as i64;
        return (first..=last).map(|place| (place * step) as f64).collect();
    }
    if span >= 0.6 {
        let fine = within_decades((from, to), &[1.0, 2.0, 5.0]);
        return if fine.len() <= most.max(2) { fine } else { within_decades((from, to), &[1.0, 3.0]) };
    }
    linear_marks(10f64.powf(from), 10f64.powf(to), most)
        .into_iter()
        .filter(|value| *value > 0.0)
        .map(f64::log10)
        .collect()
}

/// Returns these multiples of the powers of ten in a range of log10 values, as log10 values.
fn within_decades((from, to): (f64, f64), digits: &[f64]) -> Vec<f64> {
    let decades = from.floor() as i32..=to.ceil() as i32;
    let marks = decades.flat_map(|decade| digits.iter().map(move |digit| f64::from(decade) + digit.log10()));
    marks.filter(|mark| (from..=to).contains(mark)).collect()
}

/// Returns the ticks of an axis in print, as stored, and the span by which [`tick`] labels them: as [`marks`], but a logarithmic
/// axis on which there would be but one has more.
pub fn marks_in_print(log: bool, range: (f64, f64), most: usize) -> (Vec<f64>, f64) {
    let (marks, span) = (marks(log, range, most), range.1 - range.0);
    // Those at the very edge have no label.
    let inside = marks.iter().filter(|mark| (range.0 + 0.05 * span..range.1 - 0.05 * span).contains(mark));
    if !log || inside.count() > 1 {
        return (marks, span);
    }
    let digits: &[f64] = if span < 1.5 { &[1.0, 2.0, 3.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
    // Labelled as on a short axis: in full.
    (within_decades(range, digits), span.min(1.0))
}

/// Returns the ticks of an axis, as stored: log10 values on a logarithmic one.
pub fn marks(log: bool, (from, to): (f64, f64), most: usize) -> Vec<f64> {
    if log { log_marks(from, to, most) } else { linear_marks(from, to, most) }
}

/// Applies [`settle`] to a linear axis. Values that are equal, or too close for ticks of a few digits, get a wider range than
/// `least`.
pub fn settle_linear((low, high): (f64, f64), least: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    let room = match high - low {
        _ if size == 0.0 => 1.0,
        span if span > 1e-9 * size => 1e-3 * size,
        _ => 0.2 * size,
    };
    settle((low, high), least.max(room))
}

/// Rounds a range outwards to a coarse grid, so that an axis does not jitter as data arrive; values are as stored (log10 on a
/// logarithmic axis).
pub fn settle((low, high): (f64, f64), least: f64) -> (f64, f64) {
    let span = (high - low).max(least);
    let middle = (low + high) / 2.0;
    let (low, high) = if high - low < least { (middle - least / 2.0, middle + least / 2.0) } else { (low, high) };
    let step = nice_step(span / 12.0);
    let margin = span * 0.06;
    (((low - margin) / step).floor() * step, ((high + margin) / step).ceil() * step)
}

/// Removes the trailing zeros of a decimal: `3.00` becomes 3, `1.50e6` becomes 1.5e6 and `300` stays; a number of only zeros
/// has no minus sign.
pub fn without_zeros(number: &str) -> String {
    let (mantissa, exponent) = number.find('e').map_or((number, ""), |place| number.split_at(place));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let mantissa = if mantissa == "-0" { "0" } else { mantissa };
    format!("{mantissa}{exponent}")
}

/// Formats a factor with two significant digits, or all before the point; 3.0 keeps its zero, as it was measured to a tenth.
pub fn times(ratio: f64) -> String {
    let text = match ratio {
        9.95..999_500.0 => format!("{ratio:.0}"),
        0.995..9.95 => format!("{ratio:.1}"),
        0.0995..0.995 => format!("{ratio:.2}"),
        0.0 => "0".to_owned(),
        ratio if ratio.is_finite() => format!("{ratio:.1e}"),
        _ => return "–".to_owned(),
    };
    text.replace('-', "−")
}

/// Formats the change by a factor: 0.85 is −15 %. A change that would round to none has a decimal.
pub fn change(factor: f64) -> String {
    let percent = 100.0 * (factor - 1.0);
    if !percent.is_finite() {
        return "–".to_owned();
    }
    let text = if percent.abs() < 0.95 { format!("{percent:.1}") } else { format!("{percent:.0}") };
    let text = without_zeros(&text);
    let sign = if text.starts_with('-') || text == "0" { "" } else { "+" };
    format!("{sign}{text} %").replace('-', "−")
}

/// Formats a number with this many decimals, or with a power of ten where it would be long.
pub fn fixed(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let is_short = (1e-3..1e5).contains(&value.abs());
    let text = if is_short { format!("{value:.decimals$}") } else { format!("{value:.1e}").replace(".0e", "e") };
    text.replace('-', "−")
}
