//! F-measure and E-measure: what remains of a prediction once a threshold has made it black and white.

use super::pair::Pair;
use super::{Curves, EPS, THRESHOLDS, sum};

/// Weight of precision against recall in the F-measure (Achanta et al., 2009).
const BETA_SQUARED: f64 = 0.3;

/// What a threshold detects.
#[derive(Clone, Copy)]
pub(super) struct Detected {
    /// Detected pixels that are foreground: true positives.
    hits: usize,
    /// Detected pixels that are background: false positives.
    false_alarms: usize,
}

impl Detected {
    /// Detected is what is at least twice as bright as the mean (threshold min(2 mean p, 1)).
    pub fn at_adaptive_threshold(pair: &Pair) -> Detected {
        let threshold = (2.0 * sum::mean(&pair.pred)).min(1.0);
        let mut detected = Detected { hits: 0, false_alarms: 0 };
        for (&p, &g) in pair.pred.iter().zip(&pair.truth) {
            detected.add(usize::from(p >= threshold), g);
        }
        detected
    }

    /// For every threshold t: detected is where floor(255 p) ≥ t.
    ///
    /// One histogram of the foreground and one of the background, summed from the bright end.
    fn at_every_threshold(pair: &Pair) -> [Detected; THRESHOLDS] {
        let mut detected = [Detected { hits: 0, false_alarms: 0 }; THRESHOLDS];
        for (&p, &g) in pair.pred.iter().zip(&pair.truth) {
            detected[(p * 255.0) as usize].add(1, g);
        }
        for t in (0..THRESHOLDS - 1).rev() {
            let brighter = detected[t + 1];
            detected[t].hits += brighter.hits;
            detected[t].false_alarms += brighter.false_alarms;
        }
        detected
    }

    fn add(&mut self, pixels: usize, foreground: bool) {
        if foreground {
            self.hits += pixels;
        } else {
            self.false_alarms += pixels;
        }
    }

    fn total(self) -> usize {
        self.hits + self.false_alarms
    }

    /// TP / (TP + FP), and 0 where nothing is detected.
    fn precision(self) -> f64 {
        self.hits as f64 / self.total().max(1) as f64
    }

    /// TP / #foreground, and 0 where there is no foreground.
    fn recall(self, pair: &Pair) -> f64 {
        self.hits as f64 / pair.foreground.max(1) as f64
    }
}

impl Curves {
    pub(super) fn of(pair: &Pair) -> Curves {
        let detected = Detected::at_every_threshold(pair);
        Curves {
            precision: detected.map(Detected::precision),
            recall: detected.map(|d| d.recall(pair)),
            f: detected.map(|d| f_measure(d, pair)),
            e: detected.map(|d| e_measure(d, pair)),
        }
    }
}

/// F = (1 + β²) P R / (β² P + R), and 0 where nothing of the foreground is detected.
pub(super) fn f_measure(detected: Detected, pair: &Pair) -> f64 {
    if detected.hits == 0 {
        return 0.0;
    }
    let (p, r) = (detected.precision(), detected.recall(pair));
    (1.0 + BETA_SQUARED) * p * r / (BETA_SQUARED * p + r)
}

/// E = Σ φ / (N − 1), φ = (ξ + 1)² / 4, ξ = 2ab / (a² + b²), where a and b are the detection and the
/// truth (0 or 1) less their means (Fan et al., 2018).
///
/// A pixel can be in four states only (detected or not, foreground or not), so four terms suffice. Against
/// a truth without foreground or without background, every pixel that agrees counts 1.
pub(super) fn e_measure(detected: Detected, pair: &Pair) -> f64 {
    let n = pair.pixels();
    let missed = pair.foreground - detected.hits;
    let left_alone = n - pair.foreground - detected.false_alarms;
    let aligned = if pair.foreground == 0 {
        left_alone as f64
    } else if pair.foreground == n {
        detected.hits as f64
    } else {
        let mean_detection = detected.total() as f64 / n as f64;
        let mean_truth = pair.foreground as f64 / n as f64;
        let phi = |detection: f64, truth: f64| {
            let (a, b) = (detection - mean_detection, truth - mean_truth);
            let xi = 2.0 * (a * b) / (a * a + b * b + EPS);
            (xi + 1.0).powi(2) / 4.0
        };
        detected.hits as f64 * phi(1.0, 1.0)
            + detected.false_alarms as f64 * phi(1.0, 0.0)
            + missed as f64 * phi(0.0, 1.0)
            + left_alone as f64 * phi(0.0, 0.0)
    };
    aligned / (n as f64 - 1.0 + EPS)
}
