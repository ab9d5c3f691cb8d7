//! Exact Euclidean distance transform: which foreground pixel is nearest?
//!
//! Squared distance separates, (Δrow)² + (Δcolumn)², so one sweep down and up every column and one along
//! every row suffice, and the time is proportional to the number of pixels (Felzenszwalb & Huttenlocher,
//! "Distance transforms of sampled functions", 2012). Among equally near pixels the leftmost column wins,
//! and within it the upper row.

/// For every pixel, the index of its nearest foreground pixel (its own index on the foreground).
///
/// # Panics
/// If there is no foreground.
pub(super) fn nearest_foreground(truth: &[bool], height: usize, width: usize) -> Vec<usize> {
    let in_column = nearest_in_column(truth, height, width);
    let mut nearest = Vec::with_capacity(truth.len());
    for row in 0..height {
        let candidates = &in_column[row * width..(row + 1) * width];
        nearest.extend(nearest_in_row(row, candidates).map(|(row, column)| row * width + column));
    }
    nearest
}

/// For every pixel, the row of the nearest foreground pixel of its column.
fn nearest_in_column(truth: &[bool], height: usize, width: usize) -> Vec<Option<usize>> {
    let mut nearest = vec![None; truth.len()];
    for row in 0..height {
        for i in row * width..(row + 1) * width {
            nearest[i] = if truth[i] {
                Some(row)
            } else if row > 0 {
                nearest[i - width]
            } else {
                None
            };
        }
    }
    for row in (0..height - 1).rev() {
        for i in row * width..(row + 1) * width {
            let below = nearest[i + width];
            if below.is_some_and(|b| nearest[i].is_none_or(|n| row.abs_diff(b) < row.abs_diff(n))) {
                nearest[i] = below;
            }
        }
    }
    nearest
}

/// A candidate column, and the first column of the row whose pixels it is nearest to.
struct Reign {
    column: usize,
    from: i64,
}

/// For every pixel of a row, the nearest of the columns' candidates, as (row, column).
///
/// A candidate's squared distance along the row is a parabola in x; all have the same width, so two cross
/// once, and the lower envelope is found like a convex hull, with a stack.
fn nearest_in_row(row: usize, candidates: &[Option<usize>]) -> impl Iterator<Item = (usize, usize)> {
    let lift = |column: usize| candidates[column].map(|r| row.abs_diff(r).pow(2) as i64);
    let mut envelope: Vec<Reign> = Vec::new();
    for (column, column_lift) in (0..candidates.len()).filter_map(|c| lift(c).map(|l| (c, l))) {
        let mut from = 0;
        while let Some(top) = envelope.last() {
            let top_lift = lift(top.column).expect("only candidates are on the envelope");
            from = takeover((top.column as i64, top_lift), (column as i64, column_lift)).max(0);
            if from > top.from {
                break;
            }
            envelope.pop(); // Beaten wherever it reigned.
            from = 0;
        }
        if from < candidates.len() as i64 {
            envelope.push(Reign { column, from });
        }
    }
    assert!(!envelope.is_empty(), "a nearest foreground pixel needs foreground");
    let mut current = 0;
    (0..candidates.len() as i64).map(move |x| {
        while envelope.get(current + 1).is_some_and(|next| next.from <= x) {
            current += 1;
        }
        let column = envelope[current].column;
        (candidates[column].expect("only candidates are on the envelope"), column)
    })
}

/// The first x at which the right parabola (x − j)² + g_j lies strictly below the left (x − i)² + g_i.
fn takeover((i, g_i): (i64, i64), (j, g_j): (i64, i64)) -> i64 {
    (j * j + g_j - i * i - g_i).div_euclid(2 * (j - i)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Try them all, column by column from the left and downwards; only strictly nearer ones replace.
    fn by_search(truth: &[bool], height: usize, width: usize) -> Vec<usize> {
        let distance = |a: usize, b: usize| {
            (a / width).abs_diff(b / width).pow(2) + (a % width).abs_diff(b % width).pow(2)
        };
        let by_columns: Vec<usize> = (0..width)
            .flat_map(|column| (0..height).map(move |row| row * width + column))
            .filter(|&i| truth[i])
            .collect();
        let nearest = |pixel: usize| {
            by_columns.iter().copied().min_by_key(|&i| distance(pixel, i)).expect("some foreground")
        };
        (0..truth.len()).map(nearest).collect()
    }

    #[test]
    fn equals_exhaustive_search_ties_included() {
        let mut state = 1_u32;
        for (height, width) in [(1, 1), (1, 9), (9, 1), (2, 2), (7, 12), (12, 7), (15, 15)] {
            for one_in in [2, 5, 20, 1000] {
                let mut truth: Vec<bool> = (0..height * width)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (state >> 16).is_multiple_of(one_in)
                    })
                    .collect();
                let somewhere = state as usize % truth.len();
                truth[somewhere] = true;
                let found = nearest_foreground(&truth, height, width);
                assert_eq!(found, by_search(&truth, height, width), "{height} x {width}: {truth:?}");
            }
        }
    }
}
