//! A prediction and its truth, in the form the measures work on.

/// A prediction stretched to [0, 1] with its binary truth, row by row.
pub(super) struct Pair {
    pub height: usize,
    pub width: usize,
    pub pred: Vec<f64>,
    pub truth: Vec<bool>,
    /// How many pixels of the truth are foreground.
    pub foreground: usize,
}

impl Pair {
    /// g = mask > 128; p = pred / 255, then (p − min p) / (max p − min p) unless p is constant.
    pub fn new(pred: &[u8], mask: &[u8], height: usize, width: usize) -> Pair {
        let pixels = height * width;
        assert!(pixels > 0, "cannot score an empty picture ({height} x {width})");
        assert_eq!(pred.len(), pixels, "a prediction of {height} x {width} has {pixels} pixels");
        assert_eq!(mask.len(), pixels, "a mask of {height} x {width} has {pixels} pixels");

        // The order of these operations decides on which side of a threshold a pixel ends up.
        let unit = |byte: u8| f64::from(byte) / 255.0;
        let darkest = unit(pred.iter().copied().min().unwrap_or(0));
        let brightest = unit(pred.iter().copied().max().unwrap_or(0));
        let stretched: [f64; 256] = std::array::from_fn(|byte| {
            let p = unit(byte as u8);
            if brightest == darkest { p } else { (p - darkest) / (brightest - darkest) }
        });

        let truth: Vec<bool> = mask.iter().map(|&m| m > 128).collect();
        Pair {
            height,
            width,
            pred: pred.iter().map(|&p| stretched[usize::from(p)]).collect(),
            foreground: truth.iter().filter(|&&g| g).count(),
            truth,
        }
    }

    pub fn pixels(&self) -> usize {
        self.pred.len()
    }
}
