// Gradient of conv2d with respect to x, one invocation per element: every output that read it gives dy·w back. The
// teaching version; conv2d.wgsl lists the others.

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) wgs: vec3u) {
    let group_ins = p.ins / p.groups;
    let group_outs = p.outs / p.groups;
    for (var e = id.x; e < p.batch * p.ins * p.h * p.w; e += wgs.x * 256u) {
        let col = e % p.w;
        let row = e / p.w % p.h;
        let c = e / p.w / p.h % p.ins;
        let b = e / p.w / p.h / p.ins;
        let first_out = c / group_ins * group_outs;
        var sum = 0.0;
        for (var ky = 0u; ky < p.kh; ky += 1u) {
            let oy = source(row, ky, p.pad_y, p.dilation_y, p.stride_y, p.oh);
            if oy == 0xffffffffu {
                continue;
            }
            for (var kx = 0u; kx < p.kw; kx += 1u) {
                let ox = source(col, kx, p.pad_x, p.dilation_x, p.stride_x, p.ow);
                if ox == 0xffffffffu {
                    continue;
                }
                for (var o = first_out; o < first_out + group_outs; o += 1u) {
                    let at_w = ((o * group_ins + c % group_ins) * p.kh + ky) * p.kw + kx;
                    sum += dy[((b * p.outs + o) * p.oh + oy) * p.ow + ox] * weight[at_w];
                }
            }
        }
        dx[e] = sum;
    }
}
