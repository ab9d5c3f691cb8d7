//! The measures as they are written down: every distance in a table, every row sorted.

use super::{ReidScores, Set};

type Table = Vec<Vec<f64>>;

/// Squared distances of normalised rows, `[Q, G]`.
pub(super) fn plain_table(query: &Set, gallery: &Set) -> Table {
    let unit = |row: &Vec<f64>| {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.iter().map(|x| x / length).collect::<Vec<f64>>()
    };
    let gallery: Table = gallery.rows.iter().map(unit).collect();
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    query.rows.iter().map(unit).map(|a| gallery.iter().map(|b| distance(&a, b)).collect()).collect()
}

/// The places of a row by distance; equal ones in their order.
fn sorted(row: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[a].partial_cmp(&row[b]).unwrap());
    order
}

pub(super) fn plain_score(query: &Set, gallery: &Set, table: &Table) -> Option<ReidScores> {
    let (mut ap, mut inp, mut cmc, mut skipped) = (0.0, 0.0, [0.0; 3], 0);
    for (row, (id, cam)) in table.iter().zip(&query.labels) {
        let mut order = sorted(row);
        order.retain(|&j| gallery.labels[j] != (*id, *cam));
        let hits: Vec<bool> = order.iter().map(|&j| gallery.labels[j].0 == *id).collect();
        let count = hits.iter().filter(|&&hit| hit).count();
        if count == 0 {
            skipped += 1;
            continue;
        }
        let precision = |k: usize| hits[..=k].iter().filter(|&&hit| hit).count() as f64 / (k + 1) as f64;
        ap += (0..hits.len()).filter(|&k| hits[k]).map(precision).sum::<f64>() / count as f64;
        inp += count as f64 / (hits.iter().rposition(|&hit| hit).unwrap() + 1) as f64;
        for (sum, k) in cmc.iter_mut().zip([1, 5, 10]) {
            *sum += if hits.iter().take(k).any(|&hit| hit) { 1.0 } else { 0.0 };
        }
    }
    let queries = query.rows.len() - skipped;
    let n = queries as f64;
    let [rank1, rank5, rank10] = cmc.map(|sum| sum / n);
    (queries > 0).then(|| ReidScores {
        mean_ap: ap / n,
        rank1,
        rank5,
        rank10,
        mean_inp: inp / n,
        queries,
        skipped,
    })
}

/// Final distances `[Q, G]` by tables of all pictures, with the constants of the paper.
pub(super) fn plain_reranked(query: &Set, gallery: &Set) -> Table {
    let all = Set {
        rows: [&query.rows[..], &gallery.rows].concat(),
        labels: [&query.labels[..], &gallery.labels].concat(),
    };
    let n = all.rows.len();
    let mut original = plain_table(&all, &all);
    for row in &mut original {
        let largest = row.iter().copied().fold(0.0, f64::max);
        row.iter_mut().for_each(|d| *d /= largest);
    }
    let ranks: Vec<Vec<usize>> = original.iter().map(|row| sorted(row)).collect();
    let first = |i: usize, k: usize| &ranks[i][..k.min(n)];
    let reciprocal = |i: usize, k: usize| -> Vec<usize> {
        first(i, k + 1).iter().copied().filter(|&j| first(j, k + 1).contains(&i)).collect()
    };
    let mut weights = vec![vec![0.0; n]; n];
    for i in 0..n {
        let core = reciprocal(i, 20);
        let mut member = vec![false; n];
        core.iter().for_each(|&j| member[j] = true);
        for &j in &core {
            let more = reciprocal(j, 10);
            let known = more.iter().filter(|k| core.contains(k)).count();
            if known as f64 > 2.0 / 3.0 * more.len() as f64 {
                more.iter().for_each(|&k| member[k] = true);
            }
        }
        let raw: Vec<f64> = (0..n).map(|j| if member[j] { (-original[i][j]).exp() } else { 0.0 }).collect();
        let sum: f64 = raw.iter().sum();
        weights[i] = raw.iter().map(|w| w / sum).collect();
    }
    let mean = |i: usize, j: usize| {
        first(i, 6).iter().map(|&m| weights[m][j]).sum::<f64>() / first(i, 6).len() as f64
    };
    let expanded: Table = (0..n).map(|i| (0..n).map(|j| mean(i, j)).collect()).collect();
    let last = |i: usize, j: usize| {
        let pairs = || expanded[i].iter().zip(&expanded[j]);
        let least: f64 = pairs().map(|(a, b)| a.min(*b)).sum();
        let most: f64 = pairs().map(|(a, b)| a.max(*b)).sum();
        (1.0 - 0.3) * (1.0 - least / most) + 0.3 * original[i][j]
    };
    (0..query.rows.len()).map(|i| (query.rows.len()..n).map(|j| last(i, j)).collect()).collect()
}
