//! Formats numbers alike in the window and the figures: without trailing zeros, as factors, as changes.

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
