//! Computes the range, the ticks and the tick labels of an axis.
//!
//! Guarantees: for any values the range is finite, not empty, and has between two and about ten ticks; a value outside is drawn
//! at the edge.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::number_format::without_zeros;

/// One axis, linear or logarithmic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    log: bool,
    /// Of logarithms, for a logarithmic axis.
    low: f64,
    high: f64,
    /// Values at labelled lines.
    ticks: Vec<f64>,
    style: Style,
}

/// The number format that all ticks share.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Style {
    Decimals(usize),
    /// With a power of ten, and so many digits behind the point at most.
    Power(usize),
    /// In full: values that were chosen, not found.
    Exact,
    /// The n-th name stands at n.
    Names(Vec<String>),
}

impl Scale {
    /// An axis on which all these values can be seen. A logarithmic one leaves out what is not above 0, and what is more than
    /// twelve decades below the largest.
    pub(crate) fn of(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let shown = values.filter(|value| value.abs() < 1e300 && (!log || *value > 1e-300));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low <= high { (low, high) } else { (if log { 0.1 } else { 0.0 }, 1.0) };
        if log { Self::logarithmic(low.log10(), high.log10()) } else { Self::linear(low, high, 0.06) }
    }

    /// An axis of exactly this range.
    pub(crate) fn exact(low: f64, high: f64) -> Self {
        Self::linear(low, high, 0.0)
    }

    /// An axis of things that have names and no size: the n-th one is at n.
    pub(crate) fn names(names: Vec<String>) -> Self {
        let last = names.len().max(1) as f64 - 1.0;
        let ticks = (0..names.len()).map(|place| place as f64).collect();
        Self { log: false, low: -0.5, high: last + 0.5, ticks, style: Style::Names(names) }
    }

    /// An axis on which exactly these values are ticks.
    pub(crate) fn values(values: &[f64], log: bool) -> Self {
        Self { ticks: values.to_vec(), style: Style::Exact, ..Self::of(values.iter().copied(), log) }
    }

    fn linear(low: f64, high: f64, pad: f64) -> Self {
        let size = high.abs().max(low.abs());
        let half = match high - low {
            // All values are the same: show it in the middle.
            _ if size == 0.0 => 0.5,
            span if span <= 1e-9 * size => 0.1 * size,
            // So nearly the same that ticks would need more digits than there is room for.
            span if span < 1e-5 * size => 0.5 * (1e-5 * size - span),
            _ => 0.0,
        };
        let (low, high) = (low - half, high + half);
        let step = nice((high - low) / 5.0);
        let pad = pad * (high - low);
        let (low, high) = (low - pad, high + pad);
        let (ticks, style) = steps(low, high, step);
        Self { log: false, low, high, ticks, style }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let low = low.max(high - 12.0);
        let pad = (0.06 * (high - low)).max(0.08);
        let (low, high) = (low - pad, high + pad);
        let stride = ((high - low) / 6.0).ceil() as i32;
        let between: &[f64] = match high - low {
            span if span < 1.2 => &[1.0, 2.0, 3.0, 5.0, 7.0],
            span if span < 2.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let decades = (low.floor() as i32..=high.ceil() as i32).filter(|decade| decade.rem_euclid(stride) == 0);
        let ticks = decades.flat_map(|decade| between.iter().map(move |part| part * 10f64.powi(decade)));
        let ticks: Vec<f64> = ticks.filter(|tick| (low..=high).contains(&tick.log10())).collect();
        let (ticks, style) = if ticks.len() < 2 {
            // Between 3 and 5 there is none of them: so short an axis has the ticks of a linear one.
            let (low, high) = (10f64.powf(low), 10f64.powf(high));
            steps(low, high, nice((high - low) / 5.0))
        } else {
            let style = if ticks.iter().all(|&tick| is_short(tick)) { Style::Exact } else { Style::Power(0) };
            (ticks, style)
        };
        Self { log: true, low, high, ticks, style }
    }

    /// The values at the ends.
    pub(crate) fn ends(&self) -> (f64, f64) {
        if self.log { (10f64.powf(self.low), 10f64.powf(self.high)) } else { (self.low, self.high) }
    }

    /// Whether this value can be drawn.
    pub(crate) fn shows(&self, value: f64) -> bool {
        value.is_finite() && (!self.log || value > 0.0)
    }

    pub(crate) fn ticks(&self) -> &[f64] {
        &self.ticks
    }

    /// What stands at a tick.
    pub(crate) fn label(&self, tick: f64) -> String {
        match &self.style {
            Style::Names(names) => names.get(tick.round().max(0.0) as usize).cloned().unwrap_or_default(),
            _ if tick == 0.0 => "0".to_owned(),
            Style::Decimals(decimals) => format!("{tick:.decimals$}").replace('-', "−"),
            Style::Power(digits) => without_zeros(&format!("{tick:.digits$e}")).replace('-', "−"),
            Style::Exact => exact(tick).replace('-', "−"),
        }
    }
}

impl Ranged for Scale {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let place = if self.log { value.log10() } else { *value };
        let part = ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        from + (part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // The light lines between the labelled ones are not drawn.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        let (low, high) = self.ends();
        low..high
    }
}

impl ValueFormatter<f64> for Scale {
    fn format(value: &f64) -> String {
        plain(*value, None)
    }

    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// Returns the multiples of this step from `low` to `high`, and a format in which no two look the same.
fn steps(low: f64, high: f64, step: f64) -> (Vec<f64>, Style) {
    let first = (low / step).ceil();
    let ticks = (0..20).map(|place| (first + f64::from(place)) * step).take_while(|&tick| tick <= high + 1e-9 * step);
    let ticks: Vec<f64> = ticks.map(|tick| if tick.abs() < 1e-9 * step { 0.0 } else { tick }).collect();
    let largest = ticks.iter().fold(0.0f64, |largest, tick| largest.max(tick.abs()));
    let place = step.log10().floor();
    let style = if is_short(largest) {
        Style::Decimals((-place).clamp(0.0, 12.0) as usize)
    } else {
        Style::Power((largest.log10().floor() - place).clamp(0.0, 12.0) as usize)
    };
    (ticks, style)
}

/// Formats a number with all its digits except those that only rounding errors produced.
fn exact(value: f64) -> String {
    let decimals = (11.0 - value.abs().log10().floor()).clamp(0.0, 15.0) as usize;
    let text = if is_short(value) { format!("{value:.decimals$}") } else { format!("{value:.11e}") };
    without_zeros(&text)
}

/// Formats a number in plain notation while that is short, else with a power of ten.
pub(crate) fn plain(value: f64, decimals: Option<usize>) -> String {
    let magnitude = value.abs();
    let text = if value == 0.0 {
        "0".to_owned()
    } else if !is_short(value) {
        return power(value);
    } else if let Some(decimals) = decimals {
        format!("{value:.decimals$}")
    } else {
        // Two digits that count.
        let decimals = (1.0 - magnitude.log10().floor()).max(0.0) as usize;
        without_zeros(&format!("{value:.decimals$}"))
    };
    text.replace('-', "−")
}

fn is_short(value: f64) -> bool {
    value == 0.0 || (1e-3 * (1.0 - 1e-9)..1e5 * (1.0 - 1e-9)).contains(&value.abs())
}

fn power(value: f64) -> String {
    format!("{value:.1e}").replace(".0e", "e").replace('-', "−")
}

/// The next larger 1, 2 or 5 times a power of ten.
fn nice(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}
