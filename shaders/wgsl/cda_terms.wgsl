// Two or three terms of Cross-Diffusion Attention, rows of `dim` channels each: added, y = a·A + b·B (+ c·C), or, if JOINED,
// side by side, y = [a·A | b·B | c·C]. One invocation per element of y; `Gpu::weighted_sum` and `Gpu::side_by_side` run it.
// One version, for which `dim` matters only if JOINED. To run it beside matrices: cargo test -p tests vulkan::diffusion

override JOINED: u32;

struct Params { len: u32, dim: u32, count: u32, a: f32, b: f32, c: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> first: array<f32>;
@group(0) @binding(2) var<storage, read> second: array<f32>;
@group(0) @binding(3) var<storage, read> third: array<f32>;

// Element e of term number `which`.
fn term(which: u32, e: u32) -> f32 {
    switch which {
        case 0u: { return p.a * first[e]; }
        case 1u: { return p.b * second[e]; }
        default: { return p.c * third[e]; }
    }
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.len; e += groups.x * 256u) {
        if JOINED != 0u {
            let row = e / p.dim / p.count;
            y[e] = term(e / p.dim % p.count, row * p.dim + e % p.dim);
        } else {
            var sum = term(0u, e) + term(1u, e);
            if p.count > 2u {
                sum += term(2u, e);
            }
            y[e] = sum;
        }
    }
}
