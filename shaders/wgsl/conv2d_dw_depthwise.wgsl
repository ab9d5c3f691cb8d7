// The same as conv2d_dw where every input channel is a group of its own: a workgroup sums four weights of a row at a time, so
// dy is fetched once for four products. The sums are cut into pieces: dw is [pieces, out, kh, kw], and its sum over the
// first axis is the gradient.
// conv2d.wgsl lists the versions and how to run them.

@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

// Four pixels of a row of x, which begins at `first`, that neighbouring weights multiply; 0 in the padding.
fn four(first: u32, left: u32) -> vec4f {
    var values = vec4f();
    for (var e = 0u; e < 4u; e += 1u) {
        let col = left + e * p.dilation_x;
        if col < p.w {
            values[e] = x[first + col];
        }
    }
    return values;
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let terms = p.batch * p.oh * p.ow;
    let pieces = (terms + p.piece - 1u) / p.piece;
    let fours = (p.kw + 3u) / 4u;
    for (var e = group.x; e < pieces * p.outs * p.kh * fours; e += groups.x) {
        let kx = e % fours * 4u;
        let ky = e / fours % p.kh;
        let o = e / fours / p.kh % p.outs;
        let piece = e / fours / p.kh / p.outs;
        let c = o / (p.outs / p.ins);
        var sums = vec4f();
        for (var t = piece * p.piece + lane; t < min((piece + 1u) * p.piece, terms); t += WIDTH) {
            let b = t / p.ow / p.oh;
            let row = t / p.ow % p.oh * p.stride_y + ky * p.dilation_y - p.pad_y;
            let left = t % p.ow * p.stride_x + kx * p.dilation_x - p.pad_x;
            if row < p.h {
                let pixel = t % (p.oh * p.ow);
                sums += dy[(b * p.outs + o) * p.oh * p.ow + pixel] * four(((b * p.ins + c) * p.h + row) * p.w, left);
            }
        }
        for (var i = 0u; i < 4u; i += 1u) {
            let sum = group_sum(sums[i], lane);
            if lane == 0u && kx + i < p.kw {
                dw[((piece * p.outs + o) * p.kh + ky) * p.kw + kx + i] = sum;
            }
        }
    }
}
