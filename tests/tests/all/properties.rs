//! What must hold for all shapes: the algebra of broadcasting, inverses, and that every linear map's gradient is its
//! adjoint, ⟨f(x), y⟩ = ⟨x, f*(y)⟩.

use autograd::device::{DeviceHandle, Reduce, View};
use autograd::ops::conv::ConvOptions;
use autograd::ops::{ResizeMode, concat};
use autograd::random::Key;
use autograd::tensor::shape::{axis_indices, broadcast, broadcast_strides, contiguous_strides, numel};
use autograd::{Real, Tape, Tensor, Var};
use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::RngSeed;
use tests::ref_device::RefDevice;

/// The same cases in every run: a failure on one machine is a failure on all.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..5usize, 0..5)
}

/// A shape and another that broadcasts to it: some leading axes missing, some sizes 1.
fn expansions() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let with_choices = |shape: Vec<usize>| {
        let ones = prop::collection::vec(any::<bool>(), shape.len());
        (0..=shape.len(), ones, Just(shape))
    };
    shapes().prop_flat_map(with_choices).prop_map(|(missing, ones, shape)| {
        let small = shape.iter().zip(ones).map(|(&size, one)| if one { 1 } else { size });
        (small.skip(missing).collect(), shape)
    })
}

/// A shape with at least one axis, and a subset of its axes.
fn shape_and_axes() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    prop::collection::vec(1..5usize, 1..5).prop_flat_map(|shape| {
        let axes: Vec<usize> = (0..shape.len()).collect();
        (Just(shape), subsequence(axes.clone(), 0..=axes.len()))
    })
}

fn draw<T: Real>(shape: &[usize], site: u64) -> Tensor<T> {
    Tensor::randn(shape, Key::default(), site)
}

fn dot(a: &Tensor<f64>, b: &Tensor<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-10 * (1.0 + a.abs().max(b.abs()))
}

fn all_close(a: &Tensor<f64>, b: &Tensor<f64>) -> bool {
    a.shape() == b.shape() && a.as_slice().iter().zip(b.as_slice()).all(|(&a, &b)| close(a, b))
}

fn same_bits(a: &Tensor<f64>, b: &Tensor<f64>) -> bool {
    a.shape() == b.shape() && a.as_slice() == b.as_slice()
}

/// ⟨f(x), y⟩ and ⟨x, gradient of f for y⟩ for a linear f.
fn both_sides(x: &Tensor<f64>, f: impl Fn(&Var<f64>) -> Var<f64>) -> (f64, f64) {
    let tape = Tape::new();
    let leaf = tape.leaf(x.clone());
    let fx = f(&leaf);
    let y = draw(fx.shape(), 77);
    let left = dot(fx.value(), &y);
    let grads = fx.backward_with(y);
    (left, dot(x, grads.of(&leaf).expect("f depends on x")))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn broadcasting_commutes_and_associates(a in shapes(), b in shapes(), c in shapes()) {
        prop_assert_eq!(broadcast(&a, &b), broadcast(&b, &a));
        let left = broadcast(&a, &b).and_then(|ab| broadcast(&ab, &c));
        let right = broadcast(&b, &c).and_then(|bc| broadcast(&a, &bc));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn broadcasting_to_a_shape_gives_that_shape((small, shape) in expansions()) {
        prop_assert_eq!(broadcast(&small, &shape), Some(shape.clone()));
        prop_assert_eq!(broadcast(&shape, &shape), Some(shape));
    }

    #[test]
    fn broadcast_strides_read_what_expand_gives((small, shape) in expansions()) {
        let x = draw::<f64>(&small, 0);
        let expanded = x.expand(&shape);
        let (strides, own) = (broadcast_strides(&small, &shape), contiguous_strides(&shape));
        for e in 0..numel(&shape) {
            let at: usize = (0..shape.len()).map(|a| e / own[a] as usize % shape[a] * strides[a] as usize).sum();
            prop_assert_eq!(expanded.as_slice()[e], x.as_slice()[at]);
        }
    }

    #[test]
    fn broadcast_arithmetic_is_arithmetic_on_expanded((small, shape) in expansions()) {
        let (a, b) = (draw::<f64>(&small, 0), draw::<f64>(&shape, 1));
        let (sum, difference) = (a.add(&b), a.sub(&b));
        let expanded = a.expand(&shape);
        prop_assert!(same_bits(&sum, &expanded.add(&b)));
        prop_assert!(same_bits(&difference, &expanded.sub(&b)));
        prop_assert!(same_bits(&sum, &b.add(&a)));
    }

    #[test]
    fn sum_to_is_the_adjoint_of_expand((small, shape) in expansions()) {
        let (x, y) = (draw(&small, 0), draw(&shape, 1));
        prop_assert!(close(dot(&x.expand(&shape), &y), dot(&x, &y.sum_to(&small))));
    }

    #[test]
    fn an_order_and_its_inverse_cancel(
        (shape, order) in shapes().prop_flat_map(|shape| {
            let axes: Vec<usize> = (0..shape.len()).collect();
            (Just(shape), Just(axes).prop_shuffle())
        })
    ) {
        let x = draw::<f64>(&shape, 0);
        let mut inverse = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| inverse[from] = to);
        let there = x.permute(&order);
        prop_assert_eq!(there.shape(), order.iter().map(|&axis| shape[axis]).collect::<Vec<_>>());
        let back = there.permute(&inverse);
        prop_assert!(same_bits(&back, &x));
    }

    #[test]
    fn what_is_split_is_joined_again(
        (shape, axis, cuts) in shapes().prop_filter("an axis to cut", |shape| !shape.is_empty())
            .prop_flat_map(|shape| {
                let axes = 0..shape.len();
                (Just(shape), axes)
            })
            .prop_flat_map(|(mut shape, axis)| {
                shape[axis] += 3;
                let places: Vec<usize> = (1..shape[axis]).collect();
                (Just(shape), Just(axis), subsequence(places.clone(), 0..=places.len()))
            })
    ) {
        let x = Var::constant(draw::<f64>(&shape, 0));
        let ends = cuts.iter().copied().chain([shape[axis]]);
        let sizes: Vec<usize> = ends.scan(0, |start, end| Some(end - std::mem::replace(start, end))).collect();
        let parts = x.split(axis as isize, &sizes);
        prop_assert_eq!(parts.len(), sizes.len());
        let joined = concat(&parts.iter().collect::<Vec<_>>(), axis as isize);
        prop_assert!(same_bits(joined.value(), x.value()));
    }

    #[test]
    fn reducing_axes_together_or_one_by_one_is_the_same((shape, axes) in shape_and_axes()) {
        let x = draw::<f64>(&shape, 0);
        for kind in [Reduce::Sum, Reduce::Max, Reduce::Min] {
            let together = x.reduce(kind, &axes);
            let one_by_one = axes.iter().fold(x.clone(), |x, &axis| x.reduce(kind, &[axis]));
            prop_assert!(all_close(&together, &one_by_one));
        }
    }

    #[test]
    fn axes_from_the_back_are_axes_from_the_front((shape, axes) in shape_and_axes()) {
        let ndim = shape.len() as isize;
        let from_back: Vec<isize> = axes.iter().rev().map(|&axis| axis as isize - ndim).collect();
        prop_assert_eq!(axis_indices("test", &from_back, shape.len()), axes);
    }

    #[test]
    fn placing_is_the_adjoint_of_a_strided_read(
        axes in prop::collection::vec((1..4usize, 0..3usize, 0..3usize, 1..3usize, any::<bool>()), 1..4),
        accumulate in any::<bool>(),
    ) {
        // Per axis: `len` elements, `step` apart, `before` and `after` left out, forwards or backwards.
        let size = |&(len, before, after, step, _): &_| before + (len - 1) * step + 1 + after;
        let whole: Vec<usize> = axes.iter().map(size).collect();
        let part: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let mut view = View { offset: 0, strides: contiguous_strides(&whole) };
        for (stride, &(len, before, _, step, backwards)) in view.strides.iter_mut().zip(&axes) {
            let first = if backwards { before + (len - 1) * step } else { before };
            view.offset += first * *stride as usize;
            *stride *= step as isize * if backwards { -1 } else { 1 };
        }
        let (x, y) = (draw::<f64>(&whole, 0), draw::<f64>(&part, 1));
        let placed = y.place(None, &whole, &view, accumulate);
        prop_assert!(close(dot(&x.strided(&part, &view), &y), dot(&x, &placed)));
        prop_assert!(same_bits(&placed.strided(&part, &view), &y));
    }

    #[test]
    fn accumulating_places_adds_and_the_other_replaces(shape in shapes(), scale in -2.0..2.0f64) {
        let (x, y) = (draw::<f64>(&shape, 0), draw::<f64>(&shape, 1).scale(scale));
        let whole = View { offset: 0, strides: contiguous_strides(&shape) };
        let added = y.place(Some(x.clone()), &shape, &whole, true);
        let replaced = y.place(Some(x.clone()), &shape, &whole, false);
        prop_assert!(same_bits(&added, &x.add(&y)));
        prop_assert!(same_bits(&replaced, &y));
    }
}

/// A random convolution: sizes of the weights, options, and a picture that the kernel fits.
#[derive(Clone, Debug)]
struct Convolution {
    x: [usize; 4],
    w: [usize; 4],
    options: ConvOptions,
}

fn pairs(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

fn convolutions() -> impl Strategy<Value = Convolution> {
    let channels = (1..3usize, 1..3usize, 1..4usize, 1..3usize); // batch, in and out per group, groups
    let window = (pairs(1..4), pairs(1..4), pairs(0..3), pairs(1..3)); // kernel, stride, padding, dilation
    (channels, window, pairs(0..4)).prop_map(|((batch, ins, outs, groups), window, extra)| {
        let (kernel, stride, padding, dilation) = window;
        let size = [0, 1].map(|i| {
            let span = dilation[i] * (kernel[i] - 1) + 1;
            (span + extra[i]).saturating_sub(2 * padding[i]).max(1)
        });
        Convolution {
            x: [batch, ins * groups, size[0], size[1]],
            w: [outs * groups, ins, kernel[0], kernel[1]],
            options: ConvOptions { stride, padding, dilation, groups },
        }
    })
}

fn pictures() -> impl Strategy<Value = Vec<usize>> {
    (1..3usize, 1..3usize, 3..8usize, 3..8usize).prop_map(|(b, c, h, w)| vec![b, c, h, w])
}

/// The same on the host and on the reference device, within 1e-5 of the largest value.
fn agrees_with_reference(inputs: &[Tensor], f: impl Fn(&[Var]) -> Var) -> bool {
    let handle = DeviceHandle::new(RefDevice::new());
    let here: Vec<Var> = inputs.iter().cloned().map(Var::constant).collect();
    let there: Vec<Var> = inputs.iter().map(|x| Var::constant(x.to_device(&handle).unwrap())).collect();
    let (here, there) = (f(&here), f(&there).value().to_host().unwrap());
    let (here, there) = (here.value().as_slice(), there.as_slice());
    let largest = here.iter().fold(0f32, |max, x| max.max(x.abs()));
    here.len() == there.len() && here.iter().zip(there).all(|(a, b)| (a - b).abs() <= 1e-5 * largest + 1e-6)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn convolution_gradients_are_adjoints(c in convolutions()) {
        let (x, w) = (draw(&c.x, 0), draw(&c.w, 1));
        let (left, right) = both_sides(&x, |x| x.conv2d(&Var::constant(w.clone()), None, c.options));
        prop_assert!(close(left, right), "dx: {left} is not {right}");
        let (left, right) = both_sides(&w, |w| Var::constant(x.clone()).conv2d(w, None, c.options));
        prop_assert!(close(left, right), "dw: {left} is not {right}");
    }

    #[test]
    fn convolutions_agree_with_seven_loops(c in convolutions()) {
        let inputs = [draw(&c.x, 0), draw(&c.w, 1)];
        prop_assert!(agrees_with_reference(&inputs, |x| x[0].conv2d(&x[1], None, c.options)));
    }

    #[test]
    fn transposed_convolutions_are_adjoint_to_convolutions(c in convolutions()) {
        let (x, w) = (draw(&c.x, 0), draw(&c.w, 1));
        let forward = Var::constant(x.clone()).conv2d(&Var::constant(w.clone()), None, c.options);
        let y = draw(forward.shape(), 2);
        // What the stride leaves over at the border comes back as output padding.
        let output_padding = [0, 1].map(|i| {
            let span = c.options.dilation[i] * (c.w[2 + i] - 1) + 1;
            (c.x[2 + i] + 2 * c.options.padding[i] - span) % c.options.stride[i]
        });
        let back = Var::constant(y.clone()).conv_transpose2d(&Var::constant(w), None, c.options, output_padding);
        prop_assert!(close(dot(forward.value(), &y), dot(&x, back.value())));
    }

    #[test]
    fn resizing_gradients_are_adjoints(shape in pictures(), size in pairs(1..12), mode in 0..3usize) {
        let mode = [
            ResizeMode::Nearest,
            ResizeMode::Bilinear { align_corners: false },
            ResizeMode::Bilinear { align_corners: true },
        ][mode];
        let (left, right) = both_sides(&draw(&shape, 0), |x| x.interpolate(size, mode));
        prop_assert!(close(left, right), "{left} is not {right}");
        prop_assert!(agrees_with_reference(&[draw(&shape, 0)], |x| x[0].interpolate(size, mode)));
        // The weights of every pixel add up to 1.
        let flat = Var::constant(Tensor::<f64>::ones(&shape)).interpolate(size, mode);
        prop_assert!(all_close(flat.value(), &Tensor::ones(flat.shape())));
    }

    #[test]
    fn mean_pooling_gradients_are_adjoints(
        shape in pictures(),
        kernel in pairs(1..4),
        stride in pairs(1..4),
        pad in any::<bool>(),
        even in pairs(1..6),
    ) {
        let padding = kernel.map(|k| if pad { k / 2 } else { 0 });
        let (left, right) = both_sides(&draw(&shape, 0), |x| x.avg_pool2d(kernel, stride, padding));
        prop_assert!(close(left, right), "{left} is not {right}");
        let (left, right) = both_sides(&draw(&shape, 0), |x| x.adaptive_avg_pool2d(even));
        prop_assert!(close(left, right), "{left} is not {right}");
        let input = [draw(&shape, 0)];
        prop_assert!(agrees_with_reference(&input, |x| x[0].avg_pool2d(kernel, stride, padding)));
        prop_assert!(agrees_with_reference(&input, |x| x[0].max_pool2d(kernel, stride, padding)));
        prop_assert!(agrees_with_reference(&input, |x| x[0].adaptive_max_pool2d(even)));
    }

    #[test]
    fn unfolding_gradients_are_adjoints_and_columns_make_convolutions(c in convolutions()) {
        let ConvOptions { stride, padding, dilation, .. } = c.options;
        let kernel = [c.w[2], c.w[3]];
        let x = draw::<f64>(&c.x, 0);
        let (left, right) = both_sides(&x, |x| x.unfold(kernel, stride, padding, dilation));
        prop_assert!(close(left, right), "{left} is not {right}");

        let w = Var::constant(draw::<f64>(&[3, c.x[1], kernel[0], kernel[1]], 1));
        let x = Var::constant(x);
        let direct = x.conv2d(&w, None, ConvOptions { groups: 1, ..c.options });
        let product = w.reshape(&[3, -1]).matmul(&x.unfold(kernel, stride, padding, dilation));
        prop_assert!(all_close(&product.value().with_shape(direct.shape()), direct.value()));
    }
}
