//! The SOD measures on pictures of every shape against values of the reference, PySODMetrics 1.6.2: single pixels, thin
//! strips, objects and holes of one pixel, levels beside the threshold, flat and noisy maps, thousands of columns.

use train::metrics::sod::score_image;

fn white(inside: bool) -> usize {
    if inside { 255 } else { 0 }
}

fn texture(x: usize, y: usize) -> usize {
    (17 * x + 13 * y + 11 * ((x * y) % 7)) % 256
}

fn disc(x: usize, y: usize) -> usize {
    white(x.abs_diff(4).pow(2) + y.abs_diff(5).pow(2) < 9)
}

/// A grey value at column x and row y.
type Picture = fn(usize, usize) -> usize;

/// S, MAE, adpF, maxF, meanF, adpE, maxE, meanE, and weighted F; NaN where the reference divides by zero.
type Expected = ([f64; 8], f64);

#[test]
#[rustfmt::skip] // One case, one line.
fn pictures_of_every_shape() {
    let cases: [(&str, usize, usize, Picture, Picture, Expected); 15] = [
        ("one pixel, found", 1, 1, |_, _| 200, |_, _| 255, ([0.7843137254901961, 0.21568627450980393, 0.0, 1.0, 0.78515625, 0.0, 4503599627370496.0, 3536029394927616.0], 0.9974228502059919)),
        ("one pixel, a false alarm", 1, 1, |_, _| 200, |_, _| 0, ([0.21568627450980393, 0.7843137254901961, 0.0, 0.0, 0.0, 4503599627370496.0, 4503599627370496.0, 967570232442880.0], 0.0)),
        ("a row", 1, 7, texture, |x, _| white(x == 3), ([f64::NAN, 0.5, 0.0, 0.3023255813953489, 0.12534997300145667, 0.871378134891644, 0.871378134891644, 0.4419137072766932], 0.32754721081589244)),
        ("a column", 7, 1, texture, |_, y| white(y == 2 || y == 3), ([f64::NAN, 0.5476190476190476, 0.0, 0.46428571428571425, 0.19031801070425564, 0.5782248520710048, 0.5782248520710048, 0.4290989194516523], 0.5127898076911672)),
        ("four pixels", 2, 2, |x, y| 100 * x + y, |x, y| white(x == y), ([0.7563996599364629, 0.5, 0.8125, 0.8125, 0.5028317953653382, 0.8515187376725833, 0.8515187376725833, 0.6644877958579878], 0.7627910969483317)),
        ("an object of one pixel", 5, 5, texture, |x, y| white(x == 1 && y == 2), ([0.3777398040751822, 0.5167901234567901, 0.0, 0.07975460122699386, 0.026041671442734924, 0.975844637044669, 0.975844637044669, 0.3091732358123501], 0.07808675363058669)),
        ("an object in the last column", 6, 5, texture, |x, _| white(x == 4), ([f64::NAN, 0.3874371859296482, 0.4642857142857143, 0.6842105263157895, 0.3917548455760058, 0.4329697458331761, 0.8640710327978343, 0.44616581926382337], 0.45145772815377255)),
        ("a hole of one pixel", 5, 6, texture, |x, y| white(x != 1 || y != 2), ([0.3108953554080791, 0.5313628899835796, 0.13402061855670103, 0.9741602067183464, 0.651425541684355, 0.01969848573605897, 0.9804651332910447, 0.2919852815943582], 0.8497466956626581)),
        ("levels about the threshold", 9, 11, |x, y| 128 + (x + y) % 2, |x, y| 127 + (x * y) % 3, ([0.3017218012846014, 0.48484848484848486, 0.2585895117540687, 0.25925925925925924, 0.2585921279552609, 0.4137365816798671, 0.4137365816798671, 0.41310695058114955], 0.42716069944529783)),
        ("constant, object", 12, 10, |_, _| 128, disc, ([0.39944827295905005, 0.5011437908496732, 0.0, 0.25490196078431376, 0.12844669117647062, 0.25210084033613445, 0.25210084033613445, 0.25210084033613445], 0.2604024374218427)),
        ("all but one pixel black", 9, 9, |x, y| usize::from(x == 4 && y == 4), disc, ([0.36378510872715997, 0.2962962962962963, 0.15294117647058827, 0.3672316384180791, 0.15377824858757067, 0.28556823126081593, 0.28556823126081593, 0.2854414998887034], 0.316794793330598)),
        ("black and white", 20, 30, |x, y| white((x * x + 3 * y) % 5 < 2), |x, y| white((x * y + x) % 7 < 3), ([0.2547894084340131, 0.52, 0.44909090909090904, 0.5652173913043479, 0.44954452816205537, 0.4707127034380749, 0.4707127034380749, 0.46985217476163876], 0.6160845104424206)),
        ("a long strip", 3, 9000, texture, |x, _| white((x / 1000) % 3 == 1), ([0.3253739704131595, 0.49965214233841687, 0.016215253029223095, 0.3939393939393939, 0.33078703750055594, 0.25630057429947867, 0.5747991059259261, 0.4011141940947505], 0.41952249042908046)),
        ("a tall strip", 9000, 3, texture, |_, y| white((y / 1000) % 3 == 1), ([0.324777401779529, 0.4999658678286129, 0.01575757575757576, 0.3939393939393939, 0.33024526602251564, 0.2562180648869111, 0.5741569030927762, 0.40083901123217963], 0.41923077044404033)),
        ("a large picture", 400, 600, |x, y| (x * x / 37 + y * y / 53 + x * y / 97) % 256, |x, y| white(x.abs_diff(300).pow(2) / 9 + y.abs_diff(180).pow(2) / 4 < 900), ([0.32636195891902964, 0.497230408496732, 0.02323335687416226, 0.08998985896615741, 0.08480853821574078, 0.35997737211311676, 0.8939863219103042, 0.33310286483740703], 0.07767974921770629)),
    ];
    for (name, height, width, pred, mask, expected) in cases {
        check(name, (height, width), pred, mask, expected);
    }
}

fn check(name: &str, (height, width): (usize, usize), pred: Picture, mask: Picture, expected: Expected) {
    let bytes = |picture: Picture| -> Vec<u8> {
        (0..height * width).map(|i| picture(i % width, i / width) as u8).collect()
    };
    let s = score_image(&bytes(pred), &bytes(mask), height, width).scores;
    let found = [
        ("S", s.structure),
        ("MAE", s.mae),
        ("adpF", s.adaptive_f),
        ("maxF", s.max_f),
        ("meanF", s.mean_f),
        ("adpE", s.adaptive_e),
        ("maxE", s.max_e),
        ("meanE", s.mean_e),
        ("wF", s.weighted_f),
    ];
    let (eight, weighted_f) = expected;
    for ((key, found), expected) in found.into_iter().zip(eight.into_iter().chain([weighted_f])) {
        let agrees = if expected.is_nan() { found.is_finite() } else { (found - expected).abs() < 1e-9 };
        assert!(agrees, "{name} {key}: found {found}, expected {expected}");
    }
}
