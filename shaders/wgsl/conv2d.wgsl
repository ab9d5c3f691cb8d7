// Cross-correlation of x [B, in, H, W] with weight [out, in/groups, kh, kw], one invocation per element of the result.
//
// The versions of the convolution (conv2d), its gradient with respect to x (conv2d_dx) and to the weights (conv2d_dw):
//   conv2d, conv2d_dx, conv2d_dw    the definitions; what narrow convolutions and other numbers of groups use
//   …_tiled                         one group: a product in tiles whose operands are looked up, never laid out
//   …_depthwise                     a group for each input channel
// `shaders/src/convolution.rs` says which convolution takes which. To check them against each other:
//   cargo test -p shaders convolution
// To time one, its gradients included: `mutualformer bench conv --in 64 --out 64 --size 64 --device vulkan`.

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) wgs: vec3u) {
    let group_ins = p.ins / p.groups;
    let group_outs = p.outs / p.groups;
    for (var e = id.x; e < p.batch * p.outs * p.oh * p.ow; e += wgs.x * 256u) {
        let ox = e % p.ow;
        let oy = e / p.ow % p.oh;
        let o = e / p.ow / p.oh % p.outs;
        let b = e / p.ow / p.oh / p.outs;
        var sum = 0.0;
        for (var i = 0u; i < group_ins; i += 1u) {
            let plane = (b * p.ins + o / group_outs * group_ins + i) * p.h;
            for (var ky = 0u; ky < p.kh; ky += 1u) {
                // Rows in the padding above wrap around to huge numbers, and so fail the test like those below.
                let row = oy * p.stride_y + ky * p.dilation_y - p.pad_y;
                if row >= p.h {
                    continue;
                }
                for (var kx = 0u; kx < p.kw; kx += 1u) {
                    let col = ox * p.stride_x + kx * p.dilation_x - p.pad_x;
                    if col < p.w {
                        sum += x[(plane + row) * p.w + col] * weight[((o * group_ins + i) * p.kh + ky) * p.kw + kx];
                    }
                }
            }
        }
        y[e] = sum;
    }
}
