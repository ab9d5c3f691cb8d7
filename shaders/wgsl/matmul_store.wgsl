// How a product ends: C = alpha·sum, C = alpha·sum + bias, or C = alpha·sum + beta·D. EPILOGUE: 0, 1, 2.
// Included by other shaders; nothing to run by itself.

override EPILOGUE: u32;

@group(0) @binding(0) var<storage, read_write> c: array<f32>; // [batch, m, n]
@group(0) @binding(1) var<storage, read> a: array<Element>;
@group(0) @binding(2) var<storage, read> b: array<Element>;
@group(0) @binding(3) var<storage, read> added: array<f32>;   // bias [n] or D [batch, m, n]

// Element (i, j) of product `item`, unless it lies outside.
fn store(item: u32, i: u32, j: u32, sum: f32) {
    if i >= p.m || j >= p.n {
        return;
    }
    let at = (item * p.m + i) * p.n + j;
    switch EPILOGUE {
        case 0u: { c[at] = p.alpha * sum; }
        case 1u: { c[at] = p.alpha * sum + added[j]; }
        default: { c[at] = p.alpha * sum + p.beta * added[at]; }
    }
}
