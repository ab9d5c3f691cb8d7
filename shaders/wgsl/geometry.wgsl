// The sizes of a convolution, as `autograd::device::Conv2dGeometry` has them. The sums of dw run over all pixels of all
// pictures; where they are cut into pieces, `piece` is how many terms one has, and somebody adds the results.
// Included by other shaders; nothing to run by itself.

struct Params {
    batch: u32, ins: u32, outs: u32, groups: u32,
    h: u32, w: u32, kh: u32, kw: u32,
    stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32,
    dilation_y: u32, dilation_x: u32, oh: u32, ow: u32,
    piece: u32,
}
var<immediate> p: Params;
