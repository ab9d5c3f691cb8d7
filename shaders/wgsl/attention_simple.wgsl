// Y = softmax(scale·Q·Kᵀ)·X without the matrix: the teaching version, one invocation for each query.
//
// A softmax seems to need all scores of a row before the first weight is known: their maximum m and the sum of e^(s − m). The
// *online* softmax goes on with the largest score so far. What has been added up for it is too large by e^(new − old) when a
// larger one turns up, so it is shrunk by e^(old − new), and the sum with it; in the end the result is the same.
//
// Versions, from teaching to fast: this one, whose running row of Y lies in the result itself, so that any number of channels
// will do; `attention.wgsl`, the same in tiles. `Gpu::attention_by` runs either, `Gpu::attention` this one for a few queries.
// The statistics m and 1/Σ of every row, [heads, queries, 2], are for the backward pass: `attention_apply.wgsl`.
// To run both beside the product with the matrix: cargo test -p shaders both_versions_of_attention

struct Params { heads: u32, queries: u32, keys: u32, dim: u32, channels: u32, scale: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> x: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.heads * p.queries; i += groups.x * 256u) {
        let first_key = i / p.queries * p.keys; // of the query's head
        var largest = -3.4028234e38;
        var sum = 0.0;
        for (var c = 0u; c < p.channels; c += 1u) {
            y[i * p.channels + c] = 0.0;
        }
        for (var key = first_key; key < first_key + p.keys; key += 1u) {
            var score = 0.0;
            for (var l = 0u; l < p.dim; l += 1u) {
                score += q[i * p.dim + l] * k[key * p.dim + l];
            }
            score *= p.scale;
            let larger = max(largest, score);
            let shrink = exp(largest - larger);
            let weight = exp(score - larger);
            largest = larger;
            sum = sum * shrink + weight;
            for (var c = 0u; c < p.channels; c += 1u) {
                let e = i * p.channels + c;
                y[e] = y[e] * shrink + weight * x[key * p.channels + c];
            }
        }
        for (var c = 0u; c < p.channels; c += 1u) {
            y[i * p.channels + c] /= sum;
        }
        stats[2u * i] = largest;
        stats[2u * i + 1u] = 1.0 / sum;
    }
}
