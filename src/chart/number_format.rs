//! Numbers as people read them, where window and figures must agree: no zeros that say nothing, factors, changes.

/// A number without the zeros behind its last digit: `3.00` is 3, `1.50e6` is 1.5e6 and `300` stays; nothing is below 0 that
/// has only zeros.
pub fn without_zeros(number: &str) -> String {
    let (mantissa, exponent) = number.find('e').map_or((number, ""), |place| number.split_at(place));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let mantissa = if mantissa == "-0" { "0" } else { mantissa };
    format!("{mantissa}{exponent}")
}

/// A factor: two digits that count, or all of them before the point; 3.0 was measured to a tenth, and is not written 3.
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

/// A change by this factor: 0.85 is −15 %. It has a decimal where it would else be none.
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
