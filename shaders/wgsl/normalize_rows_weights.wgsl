// Partial sums of dw = Σ dy·x̂ and db = Σ dy over the rows of [rows, n]: chunk c takes rows c, c + chunks, … Results are
// [chunks, n]; `reduce` adds the chunks up.
// One version. To run it beside the host: cargo test -p tests vulkan::every_row

struct Params { rows: u32, n: u32, chunks: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read_write> db: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> rstds: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = id.x; i < p.chunks * p.n; i += groups.x * 256u) {
        let j = i % p.n;
        var sum_w = 0.0;
        var sum_b = 0.0;
        for (var row = i / p.n; row < p.rows; row += p.chunks) {
            let d = dy[row * p.n + j];
            sum_w += d * (x[row * p.n + j] - means[row]) * rstds[row];
            sum_b += d;
        }
        dw[i] = sum_w;
        db[i] = sum_b;
    }
}
