//! Line plots as SVG: losses over steps, curves of measures.
//!
//! Lines differ in colour and in dash pattern, and the colours differ in lightness, so that a plot reads
//! on a bad projector, in grey, and without colour vision. Text stays text in the file; the viewer's
//! sans-serif font draws it, and none is needed here.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::element::DashedPathElement;
use plotters::prelude::*;

/// Width and height of a plot; SVG scales, so only the proportions and the relative text size matter.
const SIZE: (u32, u32) = (1200, 720);
const FONT: &str = "sans-serif";
const TEXT: i32 = 26;
const STROKE: u32 = 4;
/// Length of the piece of line shown in the legend.
const SAMPLE: i32 = 70;

/// Okabe and Ito's palette for all kinds of colour vision, without its yellow.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
];
/// (dash, gap) in pixels; a gap of 0 is a solid line.
const DASHES: [(u32, u32); 5] = [(1, 0), (24, 12), (6, 10), (50, 14), (14, 24)];

/// A longer line is drawn through the means of neighbours, or noise would paint over its dashes.
const MOST_POINTS: usize = 300;

/// One line of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// Its (x, y) in the order they are joined; points that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

impl Series {
    /// A line with its name.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Series {
        Series { name: name.into(), points }
    }

    /// The points to draw: the finite ones, and of very many the means of equally many neighbours.
    fn drawable(&self) -> Vec<(f64, f64)> {
        let finite: Vec<(f64, f64)> =
            self.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
        let group = finite.len().div_ceil(MOST_POINTS).max(1);
        let mean = |points: &[(f64, f64)], part: fn(&(f64, f64)) -> f64| {
            points.iter().map(part).sum::<f64>() / points.len() as f64
        };
        finite.chunks(group).map(|points| (mean(points, |p| p.0), mean(points, |p| p.1))).collect()
    }
}

/// Draws `series` into the SVG file `path`, with a legend if there is more than one.
///
/// A line of more than 300 points is smoothed: it joins the means of equally many neighbours each.
///
/// # Errors
/// If the file cannot be written.
pub fn line_plot(path: &Path, title: &str, x_label: &str, y_label: &str, series: &[Series]) -> Result<()> {
    let points = || series.iter().flat_map(Series::drawable);
    let x_range = padded(points().map(|p| p.0), 0.0);
    let y_range = padded(points().map(|p| p.1), 0.04);
    draw(path, [title, x_label, y_label], series, x_range, y_range)
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

/// As [`line_plot`] with logarithmic axes marked at powers of two, on which y = c·xᵖ is a straight line of slope p. All
/// values must be positive.
///
/// # Errors
/// If the file cannot be written.
pub fn log_log_plot(path: &Path, title: &str, x_label: &str, y_label: &str, series: &[Series]) -> Result<()> {
    let range = |part: fn((f64, f64)) -> f64, share: f64| {
        let Range { start, end } =
            padded(series.iter().flat_map(Series::drawable).map(|p| part(p).ln()), share);
        (start.exp()..end.exp()).log_scale().base(2.0)
    };
    draw(path, [title, x_label, y_label], series, range(|p| p.0, 0.0), range(|p| p.1, 0.04))
        .map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
}

fn draw<X, Y>(
    path: &Path,
    [title, x_label, y_label]: [&str; 3],
    series: &[Series],
    x_range: X,
    y_range: Y,
) -> Result<(), Box<dyn Error>>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let page = SVGBackend::new(path, SIZE).into_drawing_area();
    page.fill(&WHITE)?;
    let (plot, legend) = page.split_horizontally(SIZE.0 - legend_width(series));
    let mut chart = ChartBuilder::on(&plot)
        .caption(title, (FONT, TEXT * 5 / 4))
        .margin(24)
        .x_label_area_size(80)
        .y_label_area_size(110)
        .build_cartesian_2d(x_range, y_range)?;
    chart
        .configure_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .x_label_formatter(&|&x| tick(x))
        .y_label_formatter(&|&y| tick(y))
        .label_style((FONT, TEXT))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(225, 225, 225))
        .draw()?;
    for (index, line) in series.iter().map(Series::drawable).enumerate() {
        let (dash, gap, style) = line_style(index);
        if gap == 0 {
            chart.draw_series(LineSeries::new(line, style))?;
        } else {
            chart.draw_series(DashedLineSeries::new(line, dash, gap, style))?;
        }
    }
    if series.len() > 1 {
        draw_legend(&legend, series)?;
    }
    page.present()?;
    Ok(())
}

/// Every line's name beside a piece of the line, from top to bottom.
fn draw_legend(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    series: &[Series],
) -> Result<(), Box<dyn Error>> {
    for (index, line) in series.iter().enumerate() {
        let y = 90 + index as i32 * TEXT * 3 / 2;
        let sample = [(0, y), (SAMPLE, y)];
        let (dash, gap, style) = line_style(index);
        if gap == 0 {
            area.draw(&PathElement::new(sample, style))?;
        } else {
            area.draw(&DashedPathElement::new(sample, dash, gap, style))?;
        }
        let text = (SAMPLE + 12, y - TEXT / 3);
        area.draw(&Text::new(line.name.clone(), text, (FONT, TEXT)))?;
    }
    Ok(())
}

/// Room for the longest name; letters are about half as wide as they are high.
fn legend_width(series: &[Series]) -> u32 {
    if series.len() < 2 {
        return 0;
    }
    let letters = series.iter().map(|s| s.name.chars().count()).max().unwrap_or(0) as u32;
    (SAMPLE as u32 + 24 + letters * TEXT as u32 / 2).min(SIZE.0 / 2)
}

/// Dash, gap and stroke of the line with this index.
fn line_style(index: usize) -> (u32, u32, ShapeStyle) {
    let (dash, gap) = DASHES[index % DASHES.len()];
    (dash, gap, COLOURS[index % COLOURS.len()].stroke_width(STROKE))
}

/// The range that holds all values, widened on both sides by a share of it; never empty.
fn padded(values: impl Iterator<Item = f64>, share: f64) -> Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return 0.0..1.0; // There are no values.
    }
    let pad = if low == high { 0.5 * low.abs().max(1.0) } else { share * (high - low) };
    low - pad..high + pad
}

/// A number at an axis: at most five decimals and no zeros after them; very large and very small numbers
/// in powers of ten.
fn tick(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        return format!("{:e}", format!("{value:.3e}").parse::<f64>().unwrap_or(value));
    }
    let text = format!("{value:.5}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".to_string() } else { short.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (250.0, "250"),
            (0.1 + 0.2, "0.3"),
            (-1.25, "-1.25"),
            (0.0001, "1e-4"),
            (3.0000000000000004e-5, "3e-5"),
            (2_500_000.0, "2.5e6"),
        ];
        for (value, text) in cases {
            assert_eq!(tick(value), text);
        }
    }

    #[test]
    fn ranges_are_never_empty() {
        assert_eq!(padded([].into_iter(), 0.04), 0.0..1.0);
        assert_eq!(padded([7.0].into_iter(), 0.04), 3.5..10.5);
        assert_eq!(padded([0.0, 0.0].into_iter(), 0.04), -0.5..0.5);
        assert_eq!(padded([3.0, 1.0, 2.0].into_iter(), 0.5), 0.0..4.0);
    }

    #[test]
    fn long_lines_are_thinned_to_means() {
        let zigzag = |n: u32| Series::new("", (0..n).map(|i| (f64::from(i), f64::from(i % 2))).collect());
        assert_eq!(zigzag(300).drawable(), zigzag(300).points);
        let thinned = zigzag(600).drawable();
        assert_eq!(thinned.len(), 300);
        assert_eq!((thinned[0], thinned[299]), ((0.5, 0.5), (598.5, 0.5)));
    }
}
