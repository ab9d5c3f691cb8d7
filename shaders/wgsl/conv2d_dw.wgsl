// Gradient of conv2d with respect to the weights, one workgroup per weight: Σ x·dy over pictures and output pixels. The
// teaching version; conv2d.wgsl lists the others.

@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) wgs: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let group_ins = p.ins / p.groups;
    let group_outs = p.outs / p.groups;
    for (var e = group.x; e < p.outs * group_ins * p.kh * p.kw; e += wgs.x) {
        let kx = e % p.kw;
        let ky = e / p.kw % p.kh;
        let i = e / p.kw / p.kh % group_ins;
        let o = e / p.kw / p.kh / group_ins;
        let c = o / group_outs * group_ins + i;
        var sum = 0.0;
        for (var t = lane; t < p.batch * p.oh * p.ow; t += WIDTH) {
            let ox = t % p.ow;
            let oy = t / p.ow % p.oh;
            let b = t / p.ow / p.oh;
            let row = oy * p.stride_y + ky * p.dilation_y - p.pad_y;
            let col = ox * p.stride_x + kx * p.dilation_x - p.pad_x;
            if row < p.h && col < p.w {
                sum += x[((b * p.ins + c) * p.h + row) * p.w + col] * dy[((b * p.outs + o) * p.oh + oy) * p.ow + ox];
            }
        }
        sum = group_sum(sum, lane);
        if lane == 0u {
            dw[e] = sum;
        }
    }
}
