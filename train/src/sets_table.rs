//! The table of papers on RGB-D salient objects: a row for every data set, four measures as columns.

use crate::summary::{Headline, SetSummary};
use std::fmt::Write as _;

/// A set's names in collections, in lower case without punctuation, and what MutualFormer's paper reports on it.
type PaperRow = (&'static [&'static str], Headline);

const PAPER: [PaperRow; 6] = [
    (&["nju2k", "njud"], row(0.922, 0.923, 0.954, 0.032)),
    (&["nlpr"], row(0.932, 0.925, 0.965, 0.021)),
    (&["dutrgbd", "dut"], row(0.936, 0.946, 0.966, 0.024)),
    (&["sip"], row(0.894, 0.902, 0.932, 0.043)),
    (&["stereo", "stere"], row(0.908, 0.908, 0.947, 0.038)),
    (&["lfsd"], row(0.872, 0.879, 0.911, 0.062)),
];

const fn row(structure: f64, max_f: f64, max_e: f64, mae: f64) -> Headline {
    Headline { structure, max_f, max_e, mae }
}

/// The table, three digits as in the paper; below a set that the paper reports on, indented, the paper's numbers.
pub fn sets_table<'a>(sets: impl IntoIterator<Item = (&'a str, SetSummary)>) -> String {
    let mut text =
        format!("{:<20} {:>8} {:>6} {:>6} {:>6} {:>6}\n", "set", "pictures", "Sm", "Fmax", "Emax", "MAE");
    let mut line = |name: &str, images: &str, scores: &Headline| {
        let Headline { structure, max_f, max_e, mae } = scores;
        writeln!(text, "{name:<20} {images:>8} {structure:>6.3} {max_f:>6.3} {max_e:>6.3} {mae:>6.3}")
            .expect("writing to a string succeeds");
    };
    for (name, SetSummary { images, scores }) in sets {
        line(name, &images.to_string(), &scores);
        if let Some(scores) = in_the_paper(name) {
            line("  in the paper", "", &scores);
        }
    }
    text
}

/// The paper's numbers for the set of this name.
fn in_the_paper(name: &str) -> Option<Headline> {
    let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    PAPER.iter().find(|(names, _)| names.contains(&plain.as_str())).map(|&(_, scores)| scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_numbers_stand_below_its_sets_only() {
        let ours = SetSummary { images: 300, scores: row(0.5, 0.25, 0.75, 0.125) };
        let table = sets_table([("NLPR", ours), ("My set", ours), ("DUT-RGBD", ours)]);
        let expected = "\
set                  pictures     Sm   Fmax   Emax    MAE
NLPR                      300  0.500  0.250  0.750  0.125
  in the paper                 0.932  0.925  0.965  0.021
My set                    300  0.500  0.250  0.750  0.125
DUT-RGBD                  300  0.500  0.250  0.750  0.125
  in the paper                 0.936  0.946  0.966  0.024
";
        assert_eq!(table, expected);
        for name in ["NJU2K", "sip", "STERE", "STEREO", "lfsd", "dut_rgbd"] {
            assert!(in_the_paper(name).is_some(), "{name}");
        }
        for name in ["", "scenes", "NJU", "SSD"] {
            assert!(in_the_paper(name).is_none(), "{name}");
        }
    }
}
