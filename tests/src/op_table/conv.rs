//! Convolutions and their transposes.

use super::{Row, normal};
use autograd::Real;
use autograd::ops::conv::ConvOptions;

pub(super) fn rows<T: Real>() -> Vec<Row<T>> {
    let mut rows = vec![with_bias(), transposed_with_bias()];
    rows.extend(CONVOLUTIONS.iter().map(|case| case.forward()));
    rows.extend(TRANSPOSED.iter().map(|(case, output_padding)| case.transposed(*output_padding)));
    rows
}

struct Case {
    name: &'static str,
    x: [usize; 4],
    w: [usize; 4],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

impl Case {
    fn options(&self) -> ConvOptions {
        let Case { stride, padding, dilation, groups, .. } = *self;
        ConvOptions { stride, padding, dilation, groups }
    }

    fn forward<T: Real>(&self) -> Row<T> {
        let options = self.options();
        Row::new(self.name, vec![normal(&self.x), normal(&self.w)], move |x| {
            x[0].conv2d(&x[1], None, options)
        })
    }

    fn transposed<T: Real>(&self, output_padding: [usize; 2]) -> Row<T> {
        let options = self.options();
        Row::new(self.name, vec![normal(&self.x), normal(&self.w)], move |x| {
            x[0].conv_transpose2d(&x[1], None, options, output_padding)
        })
    }
}

fn with_bias<T: Real>() -> Row<T> {
    let inputs = vec![normal(&[2, 3, 4, 5]), normal(&[4, 3, 3, 3]), normal(&[4])];
    let options = ConvOptions { padding: [1, 1], ..ConvOptions::default() };
    Row::new("conv2d: with bias", inputs, move |x| x[0].conv2d(&x[1], Some(&x[2]), options))
}

fn transposed_with_bias<T: Real>() -> Row<T> {
    let inputs = vec![normal(&[2, 3, 2, 3]), normal(&[3, 2, 2, 2]), normal(&[2])];
    let options = ConvOptions { stride: [2, 2], ..ConvOptions::default() };
    Row::new("conv_transpose2d: with bias", inputs, move |x| {
        x[0].conv_transpose2d(&x[1], Some(&x[2]), options, [0, 0])
    })
}

const PLAIN: Case = Case {
    name: "conv2d",
    x: [2, 3, 4, 5],
    w: [2, 3, 3, 2],
    stride: [1, 1],
    padding: [0, 0],
    dilation: [1, 1],
    groups: 1,
};

const CONVOLUTIONS: &[Case] = &[
    PLAIN,
    Case { name: "conv2d: padded", padding: [1, 2], ..PLAIN },
    Case { name: "conv2d: stride", x: [1, 3, 6, 7], stride: [2, 3], ..PLAIN },
    Case {
        name: "conv2d: stride, pixels left over",
        x: [1, 3, 6, 6],
        stride: [2, 3],
        padding: [1, 0],
        ..PLAIN
    },
    Case { name: "conv2d: dilated", x: [1, 3, 6, 5], dilation: [2, 3], padding: [0, 1], ..PLAIN },
    Case {
        name: "conv2d: everything at once",
        x: [2, 4, 7, 6],
        w: [6, 2, 3, 2],
        stride: [2, 1],
        padding: [2, 1],
        dilation: [1, 2],
        groups: 2,
    },
    Case { name: "conv2d: one by one", x: [2, 3, 2, 3], w: [4, 3, 1, 1], ..PLAIN },
    Case { name: "conv2d: one by one, groups", x: [2, 4, 2, 3], w: [2, 2, 1, 1], groups: 2, ..PLAIN },
    Case { name: "conv2d: one by one, stride", x: [1, 3, 4, 5], w: [2, 3, 1, 1], stride: [2, 2], ..PLAIN },
    Case { name: "conv2d: one by one, padded", x: [1, 3, 2, 2], w: [2, 3, 1, 1], padding: [1, 1], ..PLAIN },
    Case { name: "conv2d: kernel as large as the picture", x: [2, 2, 3, 4], w: [3, 2, 3, 4], ..PLAIN },
    Case { name: "conv2d: one channel", x: [2, 1, 4, 4], w: [1, 1, 2, 3], ..PLAIN },
    Case { name: "conv2d: depthwise", x: [2, 3, 4, 5], w: [3, 1, 3, 3], padding: [1, 1], groups: 3, ..PLAIN },
    Case {
        name: "conv2d: depthwise, stride and dilation",
        x: [2, 3, 7, 6],
        w: [3, 1, 3, 2],
        stride: [2, 3],
        padding: [2, 1],
        dilation: [2, 1],
        groups: 3,
    },
    Case { name: "conv2d: depthwise with multiplier", x: [1, 2, 4, 4], w: [4, 1, 3, 3], groups: 2, ..PLAIN },
    Case {
        name: "conv2d: wider padding than kernel",
        x: [1, 2, 2, 2],
        w: [2, 2, 2, 2],
        padding: [3, 2],
        ..PLAIN
    },
];

const GROWING: Case = Case {
    name: "conv_transpose2d",
    x: [2, 3, 2, 3],
    w: [3, 2, 3, 2],
    stride: [1, 1],
    padding: [0, 0],
    dilation: [1, 1],
    groups: 1,
};

const TRANSPOSED: &[(Case, [usize; 2])] = &[
    (GROWING, [0, 0]),
    (Case { name: "conv_transpose2d: stride", stride: [2, 3], ..GROWING }, [0, 0]),
    (Case { name: "conv_transpose2d: output padding", stride: [2, 3], padding: [1, 0], ..GROWING }, [1, 2]),
    (
        Case { name: "conv_transpose2d: groups", x: [1, 4, 3, 2], w: [4, 3, 2, 3], groups: 2, ..GROWING },
        [0, 0],
    ),
    (
        Case {
            name: "conv_transpose2d: everything at once",
            x: [2, 4, 3, 2],
            w: [4, 1, 3, 2],
            stride: [2, 2],
            padding: [1, 1],
            dilation: [1, 2],
            groups: 2,
        },
        [1, 0],
    ),
    (
        Case { name: "conv_transpose2d: depthwise", w: [3, 1, 2, 2], stride: [2, 2], groups: 3, ..GROWING },
        [1, 1],
    ),
    (Case { name: "conv_transpose2d: one by one", w: [3, 2, 1, 1], ..GROWING }, [0, 0]),
];
