// Pooling of [planes, H, W]: the largest value of every window (KIND 0) or its sum by a divisor (KIND 1). Windows are
// pairs start, end: first those of the output rows, then those of the columns.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

// divisor 0: the number of pixels in the window
struct Params { planes: u32, h: u32, w: u32, oh: u32, ow: u32, divisor: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> windows: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.planes * p.oh * p.ow; e += groups.x * 256u) {
        let ox = e % p.ow;
        let oy = e / p.ow % p.oh;
        let plane = e / p.ow / p.oh * p.h;
        let top = windows[2u * oy];
        let bottom = windows[2u * oy + 1u];
        let left = windows[2u * (p.oh + ox)];
        let right = windows[2u * (p.oh + ox) + 1u];
        var largest = x[(plane + top) * p.w + left];
        var sum = 0.0;
        for (var row = top; row < bottom; row += 1u) {
            for (var col = left; col < right; col += 1u) {
                let value = x[(plane + row) * p.w + col];
                sum += value;
                largest = select(largest, value, value > largest);
            }
        }
        if KIND == 0u {
            y[e] = largest;
        } else {
            y[e] = sum / f32(select(p.divisor, (bottom - top) * (right - left), p.divisor == 0u));
        }
    }
}
