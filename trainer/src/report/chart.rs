//! Charts as SVG, drawn by `plotters`.
//!
//! plotters knows fixed colours only. Here each stands for a role, and the finished SVG names the role as a class instead:
//! the style sheet decides what it looks like on paper, on a bright and on a dark screen.

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use crate::evaluation::Estimate;
use crate::logbook::{number, thinned};

/// Points of a curve at most; longer ones are averaged over equal stretches.
pub(super) const POINTS: usize = 400;
/// Runs that get a colour of their own; after them the colours begin anew.
pub(super) const COLOURS: usize = 8;

/// Size of a chart on the page. It is drawn at twice that, because plotters rounds to whole units.
const SIZE: (u32, u32) = (380, 230);
const STRIP: (u32, u32) = (180, 22);
const SCALE: u32 = 2;
/// Curves with so few points show them.
const FEW: usize = 16;
/// Larger values are no measurements, and their differences no numbers.
const LARGEST: f64 = 1e100;

/// What is drawn, and so how it is to look.
#[derive(Debug, Clone, Copy)]
enum Ink {
    Text,
    Grid,
    /// Of the run at this place.
    Run(usize),
    /// Of the same run, what its line is to be compared with.
    Before(usize),
}

impl Ink {
    /// All that may be drawn.
    fn all() -> impl Iterator<Item = Ink> {
        let runs = (0..COLOURS).flat_map(|run| [Ink::Run(run), Ink::Before(run)]);
        [Ink::Text, Ink::Grid].into_iter().chain(runs)
    }

    /// The colour that stands for it until the SVG is finished.
    fn colour(self) -> RGBColor {
        match self {
            Ink::Text => RGBColor(1, 0, 0),
            Ink::Grid => RGBColor(2, 0, 0),
            Ink::Run(run) => RGBColor(3, 0, (run % COLOURS) as u8),
            Ink::Before(run) => RGBColor(4, 0, (run % COLOURS) as u8),
        }
    }

    fn name(self) -> String {
        match self {
            Ink::Text => "text".to_owned(),
            Ink::Grid => "grid".to_owned(),
            Ink::Run(run) => format!("run{run}"),
            Ink::Before(run) => format!("before{run}"),
        }
    }
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// Place of the run it belongs to.
    pub run: usize,
    /// Whether it only shows what was before, dotted.
    pub before: bool,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// A chart of lines; `None` where there is nothing to draw. `range` makes several charts comparable.
///
/// # Errors
/// plotters cannot draw it.
pub(super) fn lines(
    title: &str,
    unit: &str,
    lines: &[Line],
    range: Option<(f64, f64)>,
) -> Result<Option<String>> {
    let drawn: Vec<Line> = lines.iter().filter_map(drawable).collect();
    let all = || drawn.iter().flat_map(|line| &line.points);
    if drawn.is_empty() {
        return Ok(None);
    }
    let across = widened(extent(all().map(|point| point.0)), 0.0);
    let up = widened(
        range.unwrap_or_else(|| extent(all().map(|point| point.1))),
        0.04,
    );
    let mut svg = String::new();
    let size = (SIZE.0 * SCALE, SIZE.1 * SCALE);
    draw_lines(&mut svg, size, unit, &drawn, [across, up])
        .map_err(|error| anyhow!("the chart of {title} cannot be drawn: {error}"))?;
    Ok(Some(finished(&svg, size, title)))
}

/// Smallest and largest value of all lines, if there are any.
pub(super) fn range(lines: &[Line]) -> Option<(f64, f64)> {
    let drawn: Vec<Line> = lines.iter().filter_map(drawable).collect();
    let values = drawn.iter().flat_map(|line| &line.points);
    (!drawn.is_empty()).then(|| extent(values.map(|point| point.1)))
}

/// An interval as a strip for a table's cell: `range` is that of the whole column; where 0 lies in it there is a mark.
///
/// # Errors
/// plotters cannot draw it.
pub(super) fn strip(estimate: &Estimate, run: usize, range: (f64, f64)) -> Result<String> {
    let mut svg = String::new();
    let size = (STRIP.0 * SCALE, STRIP.1 * SCALE);
    draw_strip(&mut svg, size, estimate, run, widened(range, 0.05))
        .map_err(|error| anyhow!("an interval cannot be drawn: {error}"))?;
    let title = format!(
        "{}, from {} to {}",
        number(estimate.mean),
        number(estimate.low),
        number(estimate.high)
    );
    Ok(finished(&svg, size, &title))
}

/// What the strips of a column must have room for.
pub(super) fn span<'a>(estimates: impl Iterator<Item = &'a Estimate>) -> (f64, f64) {
    extent(estimates.flat_map(|one| [one.low, one.mean, one.high]))
}

type Drawing = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn draw_lines(
    svg: &mut String,
    size: (u32, u32),
    unit: &str,
    lines: &[Line],
    [across, up]: [(f64, f64); 2],
) -> Drawing {
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin_top(16)
        .margin_right(24)
        .x_label_area_size(68)
        .y_label_area_size(104)
        .build_cartesian_2d(across.0..across.1, up.0..up.1)?;
    let font = ("sans-serif", 30).into_font().color(&Ink::Text.colour());
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Ink::Grid.colour().stroke_width(1))
        .axis_style(Ink::Grid.colour().stroke_width(2))
        .label_style(font.clone())
        .axis_desc_style(font)
        .x_desc(unit)
        .x_labels(5)
        .y_labels(5)
        .x_label_formatter(&|value| tick(*value))
        .y_label_formatter(&|value| tick(*value))
        .draw()?;
    for line in lines {
        let ink = if line.before {
            Ink::Before(line.run)
        } else {
            Ink::Run(line.run)
        };
        let style = ink.colour().stroke_width(4);
        chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
        if line.points.len() <= FEW && !line.before {
            let dot = |point: &(f64, f64)| Circle::new(*point, 6, ink.colour().filled());
            chart.draw_series(line.points.iter().map(dot))?;
        }
    }
    root.present()
}

fn draw_strip(
    svg: &mut String,
    size: (u32, u32),
    estimate: &Estimate,
    run: usize,
    range: (f64, f64),
) -> Drawing {
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(4)
        .build_cartesian_2d(range.0..range.1, -1.0..1.0)?;
    if range.0 < 0.0 && range.1 > 0.0 {
        let zero = [(0.0, -1.0), (0.0, 1.0)];
        let style = Ink::Grid.colour().stroke_width(2);
        chart.draw_series([PathElement::new(zero.to_vec(), style)])?;
    }
    let Estimate { mean, low, high } = *estimate;
    let ink = Ink::Run(run).colour();
    let style = ink.stroke_width(3);
    chart.draw_series([ErrorBar::new_horizontal(0.0, low, mean, high, style, 16)])?;
    chart.draw_series([Circle::new((mean, 0.0), 7, ink.filled())])?;
    root.present()
}

/// The line with what can be drawn of it, thinned.
fn drawable(line: &Line) -> Option<Line> {
    let possible = |value: f64| value.is_finite() && value.abs() < LARGEST;
    let points = line.points.iter().copied();
    let points: Vec<_> = points
        .filter(|(x, y)| possible(*x) && possible(*y))
        .collect();
    (!points.is_empty()).then(|| Line {
        points: thinned(&points, POINTS),
        ..line.clone()
    })
}

fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// The range with a margin of this share at both ends; around what is practically a single value there is always some
/// (plotters looks for labels between the ends, and rounding must leave it some).
fn widened((low, high): (f64, f64), share: f64) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > (size * 1e-9).max(1e-12) {
        let margin = (high - low) * share;
        (low - margin, high + margin)
    } else {
        let margin = (size * 0.1).max(1e-3);
        (low - margin, high + margin)
    }
}

/// A label of an axis: whole numbers as such, others without idle zeros, with digits enough to tell neighbours apart.
fn tick(value: f64) -> String {
    let size = value.abs();
    if value == value.round() && size < 1e6 {
        return format!("{value:.0}");
    }
    if !(1e-4..1e6).contains(&size) {
        return number(value);
    }
    let decimals = (4 - size.log10().floor() as i32).max(1) as usize;
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Classes for the colours, a name for those who do not see the picture, and the size left to the page.
fn finished(svg: &str, (width, height): (u32, u32), title: &str) -> String {
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let mut body = body.replace('\n', "");
    for ink in Ink::all() {
        let RGBColor(red, green, blue) = ink.colour();
        let name = ink.name();
        for attribute in ["stroke", "fill"] {
            let colour = format!("{attribute}=\"#{red:02X}{green:02X}{blue:02X}\"");
            body = body.replace(&colour, &format!("class=\"{attribute}-{name}\""));
        }
    }
    let title = html_escape::encode_double_quoted_attribute(title);
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\">{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(run: usize, points: &[(f64, f64)]) -> Line {
        Line {
            run,
            before: false,
            points: points.to_vec(),
        }
    }

    fn drawn(all: &[Line]) -> Option<String> {
        lines("a \"title\" & <more>", "step", all, None).unwrap()
    }

    #[test]
    fn a_chart_has_a_line_per_run_and_classes_instead_of_colours() {
        let one = line(0, &[(0.0, 1.0), (1.0, 3.0)]);
        let other = line(1, &[(0.0, 2.0), (1.0, 2.5)]);
        let svg = drawn(&[one, other]).unwrap();
        assert!(svg.starts_with("<svg viewBox=\"0 0 760 460\" role=\"img\""));
        assert!(svg.ends_with("</svg>"), "{svg}");
        for class in ["stroke-run0", "stroke-run1", "fill-text", "stroke-grid"] {
            assert!(svg.contains(&format!("class=\"{class}\"")), "{class}");
        }
        assert!(!svg.contains("=\"#") && !svg.contains("://"), "{svg}");
        assert!(svg.contains("a &quot;title&quot; &amp; &lt;more"), "{svg}");
    }

    #[test]
    fn a_curve_has_four_hundred_points_at_most() {
        let long: Vec<(f64, f64)> = (0..10_000).map(|x| (f64::from(x), 0.5)).collect();
        let svg = drawn(&[line(0, &long)]).unwrap();
        let polyline = svg
            .split("<polyline")
            .find(|one| one.contains("stroke-run0"));
        let points = polyline.unwrap().split("points=\"").nth(1).unwrap();
        let count = points.split('"').next().unwrap().split_whitespace().count();
        assert!((200..=POINTS).contains(&count), "{count}");
    }

    #[test]
    fn what_is_no_number_is_not_drawn() {
        assert!(drawn(&[]).is_none());
        assert!(drawn(&[line(0, &[(0.0, f64::NAN), (1.0, f64::INFINITY)])]).is_none());
        let wild = [(0.0, 1e308), (1.0, -1e308), (2.0, 0.5)];
        assert!(drawn(&[line(0, &wild)]).unwrap().contains("<circle"));
        // Differences of rounding only.
        for around in [0.0, 1.0, -3e8] {
            let flat = [
                (0.0, around),
                (1.0, around + 1e-15),
                (2.0, around * (1.0 + 1e-14)),
            ];
            assert!(drawn(&[line(0, &flat)]).unwrap().contains("<polyline"));
        }
        // A run beyond the last colour takes the first again.
        let many = drawn(&[line(COLOURS, &wild)]).unwrap();
        assert!(many.contains("fill-run0"), "{many}");
    }

    #[test]
    fn an_interval_stands_where_its_numbers_are() {
        // 320 and some units from −1 to 1: 0 is in the middle.
        let estimate = Estimate {
            mean: 0.0,
            low: -0.5,
            high: 0.5,
        };
        let svg = strip(&estimate, 2, (-1.0, 1.0)).unwrap();
        let at = |tag: &str, name: &str| -> Vec<i32> {
            svg.split('<')
                .filter(|part| part.starts_with(tag))
                .filter_map(|part| part.split(&format!("{name}=\"")).nth(1))
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        let dot = at("circle", "cx");
        assert!((dot[0] - 180).abs() <= 1, "{svg}");
        assert!(svg.contains("stroke-grid") && svg.contains("fill-run2"));
    }

    #[test]
    fn labels_have_no_idle_zeros() {
        for (value, text) in [
            (0.0, "0"),
            (20.0, "20"),
            (0.5, "0.5"),
            (0.125, "0.125"),
            (2e-5, "2.00e-5"),
            (1500.5, "1500.5"),
            (0.0015, "0.0015"),
            (5e-4, "0.0005"),
            (0.1 + 0.2, "0.3"),
            (-12.5, "-12.5"),
        ] {
            assert_eq!(tick(value), text);
        }
    }
}
