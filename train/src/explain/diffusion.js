"use strict";
// The equations of cda/src/diffusion.rs for one token, in 64-bit floats, from the network's own Q, K and V.
//
//   P_m = softmax(Q_m·K_mᵀ/√d)                  m = r, d; N × N for each head
//   S_m = P_mᵀ (official) or P_m (paper)         P first normalised, if the network does that
//   X_ab ← α·S_a·X_ab·S_bᵀ + (1−α)·Y            from X = I (or Y), T times
//
// A row of X needs no product of two N × N matrices. With a_k = e_iᵀ·S_aᵏ, which is row i of S_aᵏ,
//
//   e_iᵀ·X⁽ᵀ⁾ = αᵀ·a_T·X⁽⁰⁾·(S_bᵀ)ᵀ + (1−α)·Σ αᵏ·a_k·Y·(S_bᵀ)ᵏ        k = 0 … T−1
//
// which is evaluated from the inside: z ← α·z·S_bᵀ + (1−α)·a_k·Y for k = T−1 … 0, from z = a_T·X⁽⁰⁾.

/** Base64 of 32-bit floats (little-endian) as numbers. */
function floats(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return Float64Array.from(new Float32Array(bytes.buffer));
}

function dot(x, y) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * y[i];
  return sum;
}

/** target + scale·x, in place. */
function addTo(target, scale, x) {
  for (let i = 0; i < x.length; i++) target[i] += scale * x[i];
  return target;
}

const scaled = (scale, x) => x.map((value) => scale * value);
const sum = (x) => x.reduce((total, value) => total + value, 0);
const norm = (x) => Math.sqrt(dot(x, x));

/** Row `i` of a matrix with rows of `width` numbers. */
const rowOf = (matrix, i, width) => matrix.subarray(i * width, (i + 1) * width);

/** The row vector x times M, M with rows of `width` numbers. */
function times(x, matrix, width) {
  const y = new Float64Array(width);
  for (let i = 0; i < x.length; i++) addTo(y, x[i], rowOf(matrix, i, width));
  return y;
}

/** The row vector x times Mᵀ. */
function timesTransposed(x, matrix) {
  const y = new Float64Array(matrix.length / x.length);
  for (let i = 0; i < y.length; i++) y[i] = dot(x, rowOf(matrix, i, x.length));
  return y;
}

function softmax(x) {
  const largest = x.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = x.map((value) => Math.exp(value - largest));
  return scaled(1 / sum(powers), powers);
}

/** One MutualFormer block's queries, keys and values of both modalities, `[H, N, d]` each. */
class Block {
  constructor(data, network) {
    Object.assign(this, { network, heads: data.heads, n: data.grid[0] * data.grid[1] });
    this.q = { r: floats(data.q_r), d: floats(data.q_d) };
    this.k = { r: floats(data.k_r), d: floats(data.k_d) };
    this.v = { r: floats(data.v_r), d: floats(data.v_d) };
    this.d = this.q.r.length / (this.heads * this.n); // channels of a head
    this.weights = data.weights.map(floats); // of O_r, U_rd, O_d, U_dr, [C, C] each
    this.bias = floats(data.bias);
    this.maps = new Map();
  }

  /** Q, K or V of one head, `[N, d]`. */
  ofHead(all, h) {
    return rowOf(all, h, this.n * this.d);
  }

  /** Row `i` of softmax(Q_a·K_bᵀ/√d): an affinity P where a = b, else cross-attention. */
  attention(h, a, b, i) {
    const query = rowOf(this.ofHead(this.q[a], h), i, this.d);
    return softmax(scaled(1 / Math.sqrt(this.d), timesTransposed(query, this.ofHead(this.k[b], h))));
  }

  /** The whole of it, `[N, N]`; made once. */
  map(h, a, b) {
    const name = h + a + b;
    if (!this.maps.has(name)) {
      const map = new Float64Array(this.n * this.n);
      for (let i = 0; i < this.n; i++) map.set(this.attention(h, a, b, i), i * this.n);
      this.maps.set(name, map);
    }
    return this.maps.get(name);
  }

  /** P as the diffusion takes it: D_row^−½·P·D_col^−½ for norm = "degree", whose row sums are 1. */
  normalised(h, m) {
    const p = this.map(h, m, m);
    if (this.network.norm !== "degree") return p;
    const name = "normalised" + h + m;
    if (!this.maps.has(name)) {
      const columns = times(new Float64Array(this.n).fill(1), p, this.n);
      this.maps.set(name, p.map((value, at) => value / Math.sqrt(columns[at % this.n])));
    }
    return this.maps.get(name);
  }

  /** x·S_m, or x·S_mᵀ. */
  spread(x, h, m, preset, transposed) {
    const p = this.normalised(h, m);
    return (preset === "official") !== transposed ? timesTransposed(x, p) : times(x, p, this.n);
  }

  /** x·Y for the direction a → b. */
  timesSource(x, h, a, b) {
    if (this.network.affinity === "cross") return times(x, this.map(h, a, b), this.n);
    return addTo(times(x, this.map(h, "r", "r"), this.n), 1, times(x, this.map(h, "d", "d"), this.n));
  }

  /** Row `i` of S_m. */
  affinityRow(h, m, i, preset) {
    return this.spread(unit(this.n, i), h, m, preset, false);
  }

  /** Row `i` of X_ab after `steps` steps; Infinity is the fixed point, up to a share of 1e-9. */
  diffused(h, [a, b], i, { alpha, steps, preset }) {
    const few = steps === Infinity ? Math.max(1, Math.ceil(Math.log(1e-9) / Math.log(alpha))) : steps;
    const powers = [unit(this.n, i)]; // a_0 … a_T
    for (let k = 0; k < few; k++) powers.push(this.spread(powers[k], h, a, preset, false));
    let z = this.network.init === "affinity" ? this.timesSource(powers[few], h, a, b) : powers[few];
    for (let k = few - 1; k >= 0; k--) {
      const source = this.timesSource(powers[k], h, a, b);
      z = addTo(scaled(alpha, this.spread(z, h, b, preset, true)), 1 - alpha, source);
    }
    return this.network.renormalise_rows ? scaled(1 / sum(z), z) : z;
  }

  /**
   * What token `i` of the cross branch's output owes to V_r and to V_d through `heads`, `[C]` each. `row(h, ab)` is the
   * token's row of a cross-affinity; `values(ab)` names the modality whose V it weights.
   */
  contributions(heads, i, row, values) {
    const parts = { r: new Float64Array(this.bias.length), d: new Float64Array(this.bias.length) };
    const terms = [
      { m: "r", row: (h) => this.attention(h, "r", "r", i) }, // O_r
      { m: values("rd"), row: (h) => row(h, "rd") }, // U_rd
      { m: "d", row: (h) => this.attention(h, "d", "d", i) }, // O_d
      { m: values("dr"), row: (h) => row(h, "dr") }, // U_dr
    ];
    terms.forEach((term, which) => {
      const joined = new Float64Array(this.bias.length); // heads side by side, those left out 0
      for (const h of heads) {
        joined.set(times(term.row(h), this.ofHead(this.v[term.m], h), this.d), h * this.d);
      }
      addTo(parts[term.m], 1, timesTransposed(joined, this.weights[which]));
    });
    return parts;
  }
}

/** e_i. */
function unit(n, i) {
  const e = new Float64Array(n);
  e[i] = 1;
  return e;
}
