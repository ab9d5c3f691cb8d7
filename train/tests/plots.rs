//! Plots are files with all their words in them, whatever the points are.

use std::fs;

use train::plots::{Series, line_plot, log_log_plot};

fn drawn(series: &[Series]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    line_plot(&path, "Loss <per step>", "step", "loss", series).unwrap();
    fs::read_to_string(path).unwrap()
}

fn falling(name: &str, rate: f64) -> Series {
    Series::new(name, (0..200).map(|i| (f64::from(i), (-rate * f64::from(i)).exp())).collect())
}

#[test]
fn title_axes_and_legend_are_written() {
    let svg = drawn(&[falling("training", 0.02), falling("validation", 0.01)]);
    for text in ["Loss &lt;per step&gt;", "\nstep\n", "\nloss\n", "\ntraining\n", "\nvalidation\n", "\n100\n"]
    {
        assert!(svg.contains(text), "{text:?} is missing");
    }
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn one_line_needs_no_legend() {
    assert!(!drawn(&[falling("training", 0.02)]).contains("training"));
}

#[test]
fn every_line_is_solid_or_dashed_its_own_way() {
    let pieces = |index: usize| {
        let flat = Series::new("", vec![(0.0, 0.0), (1.0, 0.0)]);
        let hidden = Series::new("", Vec::new());
        let series: Vec<Series> =
            (0..5).map(|i| if i == index { flat.clone() } else { hidden.clone() }).collect();
        drawn(&series).matches("<polyline").count()
    };
    let mut counts: Vec<usize> = (0..5).map(pieces).collect();
    counts.sort_unstable();
    counts.dedup();
    assert_eq!(counts.len(), 5, "two dash patterns cut a line into equally many pieces");
}

#[test]
fn points_that_are_not_finite_are_left_out() {
    let clean = Series::new("loss", vec![(0.0, 3.0), (2.0, 1.0)]);
    let broken = Series::new("loss", vec![(0.0, 3.0), (1.0, f64::NAN), (f64::INFINITY, 0.0), (2.0, 1.0)]);
    assert_eq!(drawn(&[clean]), drawn(&[broken]));
}

#[test]
fn nothing_to_draw_is_an_empty_plot() {
    assert!(drawn(&[]).contains("\nstep\n"));
    assert!(drawn(&[Series::new("a", Vec::new()), Series::new("b", vec![(1.0, 1.0)])]).contains("\nb\n"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("plot.svg");
    let error = line_plot(&path, "", "", "", &[]).unwrap_err().to_string();
    assert!(error.contains("missing") && error.contains("plot.svg"), "{error}");
}

#[test]
fn a_power_is_a_straight_line_on_logarithmic_axes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plot.svg");
    let cubes = Series::new("cubes", [1.0_f64, 10.0, 100.0].map(|x| (x, x.powi(3))).into());
    log_log_plot(&path, "Cubes", "x", "y", &[cubes]).unwrap();
    let svg = fs::read_to_string(path).unwrap();
    let line = svg.lines().find(|line| line.contains("<polyline") && line.matches(',').count() == 3);
    let points = line.and_then(|line| line.split("points=\"").nth(1)).expect("a line of three points");
    let points: Vec<Vec<f64>> = points
        .split('"')
        .next()
        .unwrap()
        .split_whitespace()
        .map(|point| point.split(',').map(|number| number.parse().unwrap()).collect())
        .collect();
    for axis in [0, 1] {
        let middle = (points[0][axis] + points[2][axis]) / 2.0;
        assert!((points[1][axis] - middle).abs() <= 1.0, "{points:?}"); // pixels
    }
}
