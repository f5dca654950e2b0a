//! Curves as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 120.0;
/// Points of a curve at most; longer ones are averaged over equal stretches.
const POINTS: usize = 160;

/// One curve with its largest and smallest value; `None` where there is nothing to draw.
pub(super) fn chart(title: &str, values: &[(f64, f64)]) -> Option<String> {
    let (first, last) = (values.first()?, values.last()?);
    let shown = thinned(values);
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

fn thinned(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = values.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let count = part.len() as f64;
        let sum = part
            .iter()
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (sum.0 / count, sum.1 / count)
    };
    values.chunks(stretch).map(mean).collect()
}

/// A number with as many digits as one reads.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e6).contains(&size) {
        format!("{value:.2e}")
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}")
    }
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

    #[test]
    fn long_curves_are_averaged() {
        let values: Vec<(f64, f64)> = (0..1000)
            .map(|x| (f64::from(x), f64::from(x % 2)))
            .collect();
        let shown = thinned(&values);
        assert!(shown.len() <= POINTS && (shown[3].1 - 0.5).abs() < 0.1);
    }

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (0.0, "0"),
            (0.12345, "0.123"),
            (1234.5, "1234"),
            (1e-5, "1.00e-5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
