//! Pooling, resizing, and rows picked by number. What is irregular about them (windows, taps, index lists) is worked out
//! on the host and uploaded; gradients collect what they need instead of scattering, so that no atomics are needed.

use crate::gpu::{Gpu, float, int};
use crate::memory::Block;
use crate::shader::{GATHER, POOL2D, POOL2D_BACKWARD, RESIZE2D, RESIZE2D_BACKWARD, SCATTER_ADD};
use autograd::device::{DeviceResult, Pool, PoolGeometry, ResizeGeometry, Tap};

impl Gpu {
    pub(crate) fn pool2d(&self, g: &PoolGeometry, x: &Block) -> DeviceResult<Block> {
        let y = self.allocate(g.planes * g.rows.len() * g.cols.len())?;
        let windows = self.table(windows(g))?;
        self.map(&POOL2D, &[pool_code(g.kind)], &[&y], &[x, &windows], &pool_params(g))?;
        Ok(y)
    }

    pub(crate) fn pool2d_backward(&self, g: &PoolGeometry, x: &Block, dy: &Block) -> DeviceResult<Block> {
        let dx = self.allocate(x.len())?;
        let (windows, covers) = (self.table(windows(g))?, self.table(covers(g))?);
        let inputs = [x, dy, &windows, &covers];
        self.map(&POOL2D_BACKWARD, &[pool_code(g.kind)], &[&dx], &inputs, &pool_params(g))?;
        Ok(dx)
    }

    pub(crate) fn resize2d(&self, g: &ResizeGeometry, x: &Block) -> DeviceResult<Block> {
        let y = self.allocate(g.planes * g.rows.len() * g.cols.len())?;
        let words = |tap: &Tap| [int(tap.low), int(tap.high), float(tap.weight)];
        let taps = self.table(g.rows.iter().chain(&g.cols).flat_map(words).collect())?;
        self.map(&RESIZE2D, &[], &[&y], &[x, &taps], &resize_params(g))?;
        Ok(y)
    }

    pub(crate) fn resize2d_backward(&self, g: &ResizeGeometry, dy: &Block) -> DeviceResult<Block> {
        let dx = self.allocate(g.planes * g.input[0] * g.input[1])?;
        let lists = self.table(readers(g))?;
        self.map(&RESIZE2D_BACKWARD, &[], &[&dx], &[dy, &lists], &resize_params(g))?;
        Ok(dx)
    }

    pub(crate) fn gather(&self, x: &Block, rows: &[usize], inner: usize) -> DeviceResult<Block> {
        let y = self.allocate(rows.len() * inner)?;
        let numbers = self.upload(&rows.iter().map(|&row| int(row)).collect::<Vec<u32>>())?;
        self.map(&GATHER, &[], &[&y], &[x, &numbers], &[int(y.len()), int(inner)])?;
        Ok(y)
    }

    pub(crate) fn scatter_add(
        &self,
        dy: &Block,
        rows: &[usize],
        inner: usize,
        total: usize,
    ) -> DeviceResult<Block> {
        let dx = self.allocate(total * inner)?;
        let mut sources = vec![Vec::new(); total];
        rows.iter().enumerate().for_each(|(i, &row)| sources[row].push(int(i)));
        let lists = self.upload(&lists(&sources, 0))?;
        self.map(&SCATTER_ADD, &[], &[&dx], &[dy, &lists], &[int(dx.len()), int(inner)])?;
        Ok(dx)
    }
}

fn pool_code(kind: Pool) -> u32 {
    match kind {
        Pool::Max => 0,
        Pool::Avg => 1,
    }
}

fn pool_params(g: &PoolGeometry) -> [u32; 6] {
    let divisor = g.divisor.unwrap_or(0); // 0: the number of pixels in the window
    [g.planes, g.input[0], g.input[1], g.rows.len(), g.cols.len(), divisor].map(int)
}

fn resize_params(g: &ResizeGeometry) -> [u32; 5] {
    [g.planes, g.input[0], g.input[1], g.rows.len(), g.cols.len()].map(int)
}

/// Start and end of every window, rows before columns.
fn windows(g: &PoolGeometry) -> Vec<u32> {
    g.rows.iter().chain(&g.cols).flat_map(|&(start, end)| [int(start), int(end)]).collect()
}

/// For every input row and column, the first output that covers it and the one after the last. Starts and ends of
/// windows never decrease, so what covers a row is one range.
fn covers(g: &PoolGeometry) -> Vec<u32> {
    let along = |len: usize, windows: &[(usize, usize)]| -> Vec<u32> {
        let range = |at: usize| {
            let first = windows.partition_point(|&(_, end)| end <= at);
            let after = windows.partition_point(|&(start, _)| start <= at);
            [int(first), int(after.max(first))]
        };
        (0..len).flat_map(range).collect()
    };
    [along(g.input[0], &g.rows), along(g.input[1], &g.cols)].concat()
}

/// For every input row and column, the outputs that read it, with their weights.
fn readers(g: &ResizeGeometry) -> Vec<u32> {
    let along = |len: usize, taps: &[Tap]| -> Vec<Vec<u32>> {
        let mut readers = vec![Vec::new(); len];
        for (output, tap) in taps.iter().enumerate() {
            readers[tap.low].extend([int(output), float(1.0 - tap.weight)]);
            readers[tap.high].extend([int(output), float(tap.weight)]);
        }
        readers
    };
    // Two sets of lists, rows and columns, each behind its starts: all starts first, then all lists.
    let (rows, cols) = (along(g.input[0], &g.rows), along(g.input[1], &g.cols));
    let row_words: usize = rows.iter().map(Vec::len).sum();
    let (row_starts, col_starts) = (rows.len() + 1, cols.len() + 1);
    let rows = lists(&rows, col_starts);
    let cols = lists(&cols, row_starts + row_words);
    let (row_starts, row_lists) = rows.split_at(row_starts);
    let (col_starts, col_lists) = cols.split_at(col_starts);
    [row_starts, col_starts, row_lists, col_lists].concat()
}

/// Where every list starts and the last one ends, then the lists; starts count words from the beginning, and `between`
/// words more that the caller puts between starts and lists.
fn lists(lists: &[Vec<u32>], between: usize) -> Vec<u32> {
    let mut start = lists.len() + 1 + between;
    let mut words = vec![int(start)];
    for list in lists {
        start += list.len();
        words.push(int(start));
    }
    words.extend(lists.iter().flatten());
    words
}
