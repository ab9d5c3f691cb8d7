//! Convolutions of any geometry against their definition, in `f64`: values and both gradients.

use autograd::ops::conv::ConvOptions;
use autograd::random::Key;
use autograd::{Tape, Tensor};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tests::levels::pass_at_every_level;

/// The same cases in every run: a failure on one machine is a failure on all.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 600,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// x `[B, groups·cin, H, W]`, w `[groups·cout, cin, kh, kw]`.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    cin: usize,
    cout: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    options: ConvOptions,
}

impl Case {
    /// Height and width of the result, or `None` if a window does not fit.
    fn output(&self) -> Option<[usize; 2]> {
        let ConvOptions { stride, padding, dilation, .. } = self.options;
        let side = |i: usize| {
            let span = dilation[i] * (self.kernel[i] - 1) + 1;
            Some((self.input[i] + 2 * padding[i]).checked_sub(span)? / stride[i] + 1)
        };
        Some([side(0)?, side(1)?])
    }

    fn x_shape(&self) -> [usize; 4] {
        [self.batch, self.options.groups * self.cin, self.input[0], self.input[1]]
    }

    fn w_shape(&self) -> [usize; 4] {
        [self.options.groups * self.cout, self.cin, self.kernel[0], self.kernel[1]]
    }

    fn y_shape(&self) -> [usize; 4] {
        let [h, w] = self.output().expect("the window fits");
        [self.batch, self.options.groups * self.cout, h, w]
    }

    /// Calls `term` with the places of x, w and y for every product x·w that y is a sum of.
    fn for_each_term(&self, mut term: impl FnMut(usize, usize, usize)) {
        let ConvOptions { stride, padding, dilation, .. } = self.options;
        let (x, w, y) = (self.x_shape(), self.w_shape(), self.y_shape());
        let at =
            |shape: [usize; 4], i: [usize; 4]| ((i[0] * shape[1] + i[1]) * shape[2] + i[2]) * shape[3] + i[3];
        // The pixel of x under place `k` of the window `o`, unless it lies in the padding.
        let under = |axis: usize, o: usize, k: usize| {
            let padded = o * stride[axis] + k * dilation[axis];
            padded.checked_sub(padding[axis]).filter(|&pixel| pixel < x[2 + axis])
        };
        for b in 0..self.batch {
            for co in 0..y[1] {
                for ci in 0..self.cin {
                    let channel = co / self.cout * self.cin + ci;
                    for (oh, ow) in (0..y[2]).flat_map(|oh| (0..y[3]).map(move |ow| (oh, ow))) {
                        for (kh, kw) in (0..w[2]).flat_map(|kh| (0..w[3]).map(move |kw| (kh, kw))) {
                            if let (Some(ih), Some(iw)) = (under(0, oh, kh), under(1, ow, kw)) {
                                let of_x = at(x, [b, channel, ih, iw]);
                                term(of_x, at(w, [co, ci, kh, kw]), at(y, [b, co, oh, ow]));
                            }
                        }
                    }
                }
            }
        }
    }

    fn check(&self) {
        let draw = |shape: &[usize], site: u64| Tensor::<f64>::randn(shape, Key::default(), site);
        let (x, w, dy) = (draw(&self.x_shape(), 1), draw(&self.w_shape(), 2), draw(&self.y_shape(), 3));
        let tape = Tape::new();
        let (vx, vw) = (tape.leaf(x.clone()), tape.leaf(w.clone()));
        let vy = vx.conv2d(&vw, None, self.options);
        let grads = vy.backward_with(dy.clone());

        let (mut y, mut dx, mut dw) = (vec![0.0; dy.numel()], vec![0.0; x.numel()], vec![0.0; w.numel()]);
        let (x, w, dy) = (x.as_slice(), w.as_slice(), dy.as_slice());
        self.for_each_term(|i, j, o| {
            y[o] += x[i] * w[j];
            dx[i] += dy[o] * w[j];
            dw[j] += dy[o] * x[i];
        });
        let (of_x, of_w) = (grads.of(&vx).expect("x is used"), grads.of(&vw).expect("w is used"));
        for (name, found, expected) in [("y", vy.value(), y), ("dx", of_x, dx), ("dw", of_w, dw)] {
            let largest = expected.iter().fold(0f64, |max, x| max.max(x.abs()));
            for (i, (a, b)) in found.as_slice().iter().zip(&expected).enumerate() {
                assert!((a - b).abs() <= 1e-12 * (1.0 + largest), "{self:?}: {name}[{i}] is {a}, not {b}");
            }
        }
    }
}

/// Strides beyond the kernel, paddings beyond its reach, dilations, groups (one channel each is a kernel of its own),
/// kernels that are not square, widths below and above a register tile's.
fn cases() -> impl Strategy<Value = Case> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let channels = (1..4usize, 1..4usize, 1..5usize, 1..6usize);
    let input = (1..12usize, prop_oneof![3 => 1..20usize, 1 => 30..75usize]);
    let geometry = (pair(1..6), pair(1..4), pair(0..7), pair(1..4));
    let fits = |case: &Case| case.output().is_some();
    (channels, input, geometry)
        .prop_map(|((batch, groups, cin, cout), (height, width), (kernel, stride, padding, dilation))| Case {
            batch,
            cin,
            cout,
            input: [height, width],
            kernel,
            options: ConvOptions { stride, padding, dilation, groups },
        })
        .prop_filter("a window fits", fits)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_geometry_follows_the_definition(case in cases()) {
        case.check();
    }

    #[test]
    fn any_depthwise_geometry_follows_the_definition(case in cases(), channels in 1..6usize) {
        let options = ConvOptions { groups: channels, ..case.options };
        Case { cin: 1, cout: 1, options, ..case }.check();
    }
}

/// The shapes the networks use, at even and odd sizes, with several tiles of pixels.
#[test]
fn the_usual_geometries_follow_the_definition() {
    for (kernel, stride, padding) in [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3), (8, 4, 0)] {
        for input in [[16, 14], [23, 22], [22, 23], [17, 65], [41, 43]] {
            for (groups, cin, cout) in [(1, 3, 15), (1, 17, 33), (2, 5, 7), (6, 1, 1), (3, 1, 2)] {
                let options = ConvOptions {
                    stride: [stride; 2],
                    padding: [padding; 2],
                    groups,
                    ..ConvOptions::default()
                };
                Case { batch: 2, cin, cout, input, kernel: [kernel; 2], options }.check();
            }
        }
    }
}

#[test]
fn convolutions_pass_at_every_level() {
    pass_at_every_level(
        "convolutions",
        &[
            "any_geometry_follows_the_definition",
            "any_depthwise_geometry_follows_the_definition",
            "the_usual_geometries_follow_the_definition",
        ],
    );
}
