// How the product of a layer with GELU ends: h = alpha·sum + bias, and gelu(h) = h·Φ(h). Both are stored, for the gradient
// of GELU is computed from h.
// Included by other shaders; nothing to run by itself.

@group(0) @binding(0) var<storage, read_write> y: array<f32>; // gelu(h), [batch, m, n]
@group(0) @binding(1) var<storage, read_write> h: array<f32>; // [batch, m, n]
@group(0) @binding(2) var<storage, read> a: array<Element>;
@group(0) @binding(3) var<storage, read> b: array<Element>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;    // [n]

// Element (i, j) of product `item`, unless it lies outside.
fn store(item: u32, i: u32, j: u32, sum: f32) {
    if i >= p.m || j >= p.n {
        return;
    }
    let at = (item * p.m + i) * p.n + j;
    let before = p.alpha * sum + bias[j];
    h[at] = before;
    y[at] = before * normal_cdf(before);
}
