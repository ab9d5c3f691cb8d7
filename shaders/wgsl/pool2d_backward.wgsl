// Gradient of pool2d, one invocation per input pixel: it collects dy from the windows that cover it, all of it where the
// pixel is the first largest of its window (KIND 0), its share otherwise (KIND 1).
// `covers` has, for every input row and then column, the first output that covers it and the one after the last.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

override KIND: u32;

struct Params { planes: u32, h: u32, w: u32, oh: u32, ow: u32, divisor: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dx: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> windows: array<u32>;
@group(0) @binding(4) var<storage, read> covers: array<u32>;

// What the window of output (oy, ox) gives to input element `at`, per unit of dy.
fn share(plane: u32, oy: u32, ox: u32, at: u32) -> f32 {
    let top = windows[2u * oy];
    let bottom = windows[2u * oy + 1u];
    let left = windows[2u * (p.oh + ox)];
    let right = windows[2u * (p.oh + ox) + 1u];
    if KIND == 1u {
        return 1.0 / f32(select(p.divisor, (bottom - top) * (right - left), p.divisor == 0u));
    }
    var best = (plane + top) * p.w + left;
    for (var row = top; row < bottom; row += 1u) {
        for (var col = left; col < right; col += 1u) {
            let here = (plane + row) * p.w + col;
            if x[here] > x[best] {
                best = here;
            }
        }
    }
    return select(0.0, 1.0, best == at);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var e = id.x; e < p.planes * p.h * p.w; e += groups.x * 256u) {
        let col = e % p.w;
        let row = e / p.w % p.h;
        let plane = e / p.w / p.h;
        var sum = 0.0;
        for (var oy = covers[2u * row]; oy < covers[2u * row + 1u]; oy += 1u) {
            for (var ox = covers[2u * (p.h + col)]; ox < covers[2u * (p.h + col) + 1u]; ox += 1u) {
                sum += share(plane * p.h, oy, ox, e) * dy[(plane * p.oh + oy) * p.ow + ox];
            }
        }
        dx[e] = sum;
    }
}
