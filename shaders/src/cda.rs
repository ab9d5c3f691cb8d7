//! One step of Cross-Diffusion Attention, made of attention's pieces: P_m applied, P_mᵀ applied, and the gradient of scores.
//! P_m = softmax(scale·Q_m·K_mᵀ) and V_m are a modality's affinities and values, α is the share of the diffusion: see
//! [`Device::cda`](autograd::device::Device::cda) and the course's chapter 8.
//!
//! With m one modality and o the other (the host does the same in one pass, see `autograd/src/cpu/cda.rs`):
//!
//! ```text
//! O_m = P_m·V_m
//! U_m = α·P_mᵀ·O_o + (1−α)·P_m·V_o + (1−α)·O_o
//! ```
//!
//! and backward, with G_m = dU_m:
//!
//! ```text
//! D_m  = dO_m + α·P_o·G_o + (1−α)·G_o
//! dP_m = [D_m | (1−α)·G_m | α·O_o]·[V_m | V_o | G_m]ᵀ         its row sums of P_m∘dP_m by what P_m makes of the right factor
//! dV_m = P_mᵀ·D_m + (1−α)·P_oᵀ·G_o
//! ```

use crate::attention::{Map, ScoreGradient};
use crate::gpu::{Gpu, float, int};
use crate::memory::Block;
use crate::shader::CDA_TERMS;
use autograd::device::{AttentionSizes, CdaSizes, DeviceResult};

impl Gpu {
    /// O_r, O_d, U_rd, U_dr and the statistics of both maps; see [`autograd::device::Device::cda`].
    pub(crate) fn cda(
        &self,
        z: CdaSizes,
        r: [&Block; 3],
        d: [&Block; 3],
    ) -> DeviceResult<([Block; 4], [Block; 2])> {
        let CdaSizes { heads, tokens, dim, scale, alpha } = z;
        let sizes = AttentionSizes {
            heads,
            queries: tokens,
            keys: tokens,
            dim,
            value_dim: dim,
            scale,
            transposed: false,
        };
        let (o_r, stats_r) = self.attention(sizes, r[0], r[1], r[2])?;
        let (o_d, stats_d) = self.attention(sizes, d[0], d[1], d[2])?;
        let u = |map: Map, v_o: &Block, o_o: &Block| {
            let across = self.apply(&map, false, None, v_o, dim)?;
            let back = self.apply(&map, true, None, o_o, dim)?;
            self.weighted_sum(&[(alpha, &back), (1.0 - alpha, &across), (1.0 - alpha, o_o)])
        };
        let u_rd = u(map(z, r, &stats_r), d[2], &o_d)?;
        let u_dr = u(map(z, d, &stats_d), r[2], &o_r)?;
        Ok(([o_r, o_d, u_rd, u_dr], [stats_r, stats_d]))
    }

    /// dq, dk, dv of both modalities; see [`autograd::device::Device::cda_backward`].
    pub(crate) fn cda_backward(
        &self,
        z: CdaSizes,
        inputs: [[&Block; 3]; 2],
        o: [&Block; 2],
        stats: [&Block; 2],
        [do_r, do_d, du_r, du_d]: [&Block; 4],
    ) -> DeviceResult<[[Block; 3]; 2]> {
        let (dim, alpha, rest) = (z.dim, z.alpha, 1.0 - z.alpha);
        let (d_o, g) = ([do_r, do_d], [du_r, du_d]);
        let maps = [map(z, inputs[0], stats[0]), map(z, inputs[1], stats[1])];
        // P_m·G_m, and D_m, all that arrives at O_m.
        let p_g =
            [self.apply(&maps[0], false, None, g[0], dim)?, self.apply(&maps[1], false, None, g[1], dim)?];
        let arriving = |m: usize| self.weighted_sum(&[(1.0, d_o[m]), (alpha, &p_g[1 - m]), (rest, g[1 - m])]);
        let arrived = [arriving(0)?, arriving(1)?];
        let of_modality = |m: usize| -> DeviceResult<[Block; 3]> {
            let [q, k, v] = inputs[m];
            let other = 1 - m;
            let v_other = inputs[other][2];
            let across = self.apply(&maps[m], false, None, v_other, dim)?; // P_m·V_o
            let a = self.side_by_side(dim, [(1.0, &arrived[m]), (rest, g[m]), (alpha, o[other])])?;
            let b = self.side_by_side(dim, [(1.0, v), (1.0, v_other), (1.0, g[m])])?;
            let applied = self.side_by_side(dim, [(1.0, o[m]), (1.0, &across), (1.0, &p_g[m])])?; // P_m·B
            let dots = self.row_dots(&a, &applied, 3 * dim)?;
            let gradient = Some(ScoreGradient { a: &a, b: &b, depth: 3 * dim, dots: &dots });
            let dq = self.apply(&maps[m], false, gradient, k, dim)?;
            let dk = self.apply(&maps[m], true, gradient, q, dim)?;
            let own = self.apply(&maps[m], true, None, &arrived[m], dim)?;
            let lent = self.apply(&maps[other], true, None, g[other], dim)?;
            Ok([dq, dk, self.weighted_sum(&[(1.0, &own), (rest, &lent)])?])
        };
        Ok([of_modality(0)?, of_modality(1)?])
    }

    /// a·A + b·B (+ c·C) of two or three terms.
    fn weighted_sum(&self, terms: &[(f64, &Block)]) -> DeviceResult<Block> {
        let y = self.allocate(terms[0].1.len())?;
        self.terms(false, &y, 1, terms)?;
        Ok(y)
    }

    /// [a·A | b·B | c·C], rows of `dim` each.
    fn side_by_side(&self, dim: usize, terms: [(f64, &Block); 3]) -> DeviceResult<Block> {
        let y = self.allocate(3 * terms[0].1.len())?;
        self.terms(true, &y, dim, &terms)?;
        Ok(y)
    }

    fn terms(&self, joined: bool, y: &Block, dim: usize, terms: &[(f64, &Block)]) -> DeviceResult<()> {
        let third = terms.get(2).unwrap_or(&terms[0]); // of two it is not read
        let inputs = [terms[0].1, terms[1].1, third.1];
        let sizes = [y.len(), dim, terms.len()].map(int);
        let factors = [terms[0].0, terms[1].0, third.0].map(float);
        self.map(&CDA_TERMS, &[u32::from(joined)], &[y], &inputs, &[sizes, factors].concat())
    }
}

/// P of a modality, given its Q, K, V and statistics.
fn map<'a>(z: CdaSizes, [q, k, _]: [&'a Block; 3], stats: &'a Block) -> Map<'a> {
    Map { heads: z.heads, queries: z.tokens, keys: z.tokens, dim: z.dim, scale: z.scale, q, k, stats }
}
