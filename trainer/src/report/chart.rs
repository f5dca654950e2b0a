//! Curves as SVG.

use std::fmt::Write as _;

use crate::logbook::{number, thinned};

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 120.0;
/// Points of a curve at most; longer ones are averaged over equal stretches.
const POINTS: usize = 160;

/// One curve with its largest and smallest value; `None` where there is nothing to draw.
pub(super) fn chart(title: &str, values: &[(f64, f64)]) -> Option<String> {
    let (first, last) = (values.first()?, values.last()?);
    let shown = thinned(values, POINTS);
    let low = shown.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let high = shown
        .iter()
        .map(|(_, y)| *y)
        .fold(f64::NEG_INFINITY, f64::max);
    let place = |value: f64, from: f64, to: f64, length: f64| {
        if to > from {
            (value - from) / (to - from) * length
        } else {
            length / 2.0
        }
    };
    let mut points = String::new();
    for (x, y) in &shown {
        let x = place(*x, shown[0].0, shown[shown.len() - 1].0, WIDTH);
        let y = HEIGHT - place(*y, low, high, HEIGHT);
        let _ = write!(points, "{x:.1},{y:.1} "); // writing to a String cannot fail
    }
    let title = html_escape::encode_text(title);
    Some(format!(
        "<figure><figcaption><span>{}</span> <b>{}</b></figcaption>\
         <svg viewBox=\"-4 -4 {} {}\" role=\"img\" aria-label=\"{title}, from {} to {}\">\
         <polyline points=\"{points}\"/></svg>\
         <div class=\"axis\"><span>step {}</span><span>{} … {}</span><span>{}</span></div></figure>\n",
        // Long names may break after a slash.
        title.replace('/', "/<wbr>"),
        number(last.1),
        WIDTH + 8.0,
        HEIGHT + 8.0,
        number(first.1),
        number(last.1),
        first.0,
        number(low),
        number(high),
        last.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_fills_its_frame_and_a_flat_one_lies_in_the_middle() {
        let rising = chart("reward", &[(0.0, 1.0), (5.0, 3.0), (10.0, 2.0)]).unwrap();
        assert!(
            rising.contains("points=\"0.0,120.0 160.0,0.0 320.0,60.0 \""),
            "{rising}"
        );
        assert!(rising.contains("1.000 … 3.000") && rising.contains("<b>2.000</b>"));
        let flat = chart("kl", &[(0.0, 0.0), (1.0, 0.0)]).unwrap();
        assert!(flat.contains("0.0,60.0 320.0,60.0"), "{flat}");
        assert!(chart("none", &[]).is_none());
    }
}
