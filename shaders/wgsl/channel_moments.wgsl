// Mean and biased variance of every channel of [batch, channels, inner], in two passes. One workgroup per channel.
// One version. To run it beside the host: cargo test -p tests vulkan::statistics

struct Params { batch: u32, channels: u32, inner: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> means: array<f32>;
@group(0) @binding(1) var<storage, read_write> vars: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;

fn at(e: u32, channel: u32) -> u32 {
    return (e / p.inner * p.channels + channel) * p.inner + e % p.inner;
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let count = p.batch * p.inner;
    for (var channel = group.x; channel < p.channels; channel += groups.x) {
        var sum = 0.0;
        for (var e = lane; e < count; e += WIDTH) {
            sum += x[at(e, channel)];
        }
        let mean = group_sum(sum, lane) / f32(count);
        var squares = 0.0;
        for (var e = lane; e < count; e += WIDTH) {
            let centred = x[at(e, channel)] - mean;
            squares += centred * centred;
        }
        let total = group_sum(squares, lane);
        if lane == 0u {
            means[channel] = mean;
            vars[channel] = total / f32(count);
        }
    }
}
