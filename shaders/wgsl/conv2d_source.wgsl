// Which output read an input pixel: conv2d backwards, along one axis.
// Included by other shaders; nothing to run by itself.

// The output whose window has `at` under its kernel element `k`, or 0xffffffff where there is none.
fn source(at: u32, k: u32, padding: u32, dilation: u32, stride: u32, outputs: u32) -> u32 {
    let reach = at + padding;
    if reach < k * dilation || (reach - k * dilation) % stride != 0u {
        return 0xffffffffu;
    }
    let out = (reach - k * dilation) / stride;
    return select(0xffffffffu, out, out < outputs);
}
