//! The convolutions of well-known networks, in the order in which they run.

/// One convolution; the padding is "same" for stride 1, kernel/2 on each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conv {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Pixels a side of the input.
    pub(super) size: usize,
    pub(super) groups: usize,
    /// Whether a network needs the gradient of its input: not in the first layer, which sees the picture.
    pub(super) input_gradient: bool,
}

impl Conv {
    fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, size: usize) -> Conv {
        Conv { inputs, outputs, kernel, stride, size, groups: 1, input_gradient: true }
    }

    fn depthwise(channels: usize, stride: usize, size: usize) -> Conv {
        Conv { groups: channels, ..Conv::new(channels, channels, 3, stride, size) }
    }

    /// Pixels a side of the output.
    pub(super) fn output(&self) -> usize {
        (self.size + 2 * (self.kernel / 2) - self.kernel) / self.stride + 1
    }

    /// Multiplications and additions of a forward pass for one picture.
    pub(super) fn operations(&self) -> usize {
        let window = self.inputs / self.groups * self.kernel * self.kernel;
        2 * self.outputs * self.output() * self.output() * window
    }
}

/// Distinct convolutions of a list with how often each occurs.
pub(super) fn counted(list: &[Conv]) -> Vec<(Conv, usize)> {
    let mut distinct: Vec<(Conv, usize)> = Vec::new();
    for conv in list {
        match distinct.iter_mut().find(|(other, _)| other == conv) {
            Some((_, count)) => *count += 1,
            None => distinct.push((*conv, 1)),
        }
    }
    distinct
}

/// ResNet-50 as torchvision has it (the 3×3 convolution of a bottleneck has its stride), for pictures of `size` pixels
/// a side.
pub(super) fn resnet50(size: usize) -> Vec<Conv> {
    let stem = Conv { input_gradient: false, ..Conv::new(3, 64, 7, 2, size) };
    let mut size = stem.output().div_ceil(2); // behind the max pooling
    let (mut list, mut channels) = (vec![stem], 64);
    for (width, blocks, first_stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
        for block in 0..blocks {
            let stride = if block == 0 { first_stride } else { 1 };
            let reduce = Conv::new(channels, width, 1, 1, size);
            let middle = Conv::new(width, width, 3, stride, size);
            let expand = Conv::new(width, 4 * width, 1, 1, middle.output());
            list.extend([reduce, middle, expand]);
            if block == 0 {
                list.push(Conv::new(channels, 4 * width, 1, stride, size)); // the shortcut's
            }
            (channels, size) = (4 * width, expand.size);
        }
    }
    list
}

/// MobileNetV2 as torchvision has it, for pictures of `size` pixels a side.
pub(super) fn mobilenetv2(size: usize) -> Vec<Conv> {
    let stem = Conv { input_gradient: false, ..Conv::new(3, 32, 3, 2, size) };
    let (mut list, mut channels, mut size) = (vec![stem], 32, stem.output());
    // (expansion, channels, blocks, stride of the first)
    let stages = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ];
    for (expansion, outputs, blocks, first_stride) in stages {
        for block in 0..blocks {
            let wide = expansion * channels;
            if expansion > 1 {
                list.push(Conv::new(channels, wide, 1, 1, size));
            }
            let middle = Conv::depthwise(wide, if block == 0 { first_stride } else { 1 }, size);
            size = middle.output();
            list.extend([middle, Conv::new(wide, outputs, 1, 1, size)]);
            channels = outputs;
        }
    }
    list.push(Conv::new(channels, 1280, 1, 1, size));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations of a forward pass, in 10⁹ multiply-adds.
    fn cost(list: &[Conv]) -> f64 {
        list.iter().map(Conv::operations).sum::<usize>() as f64 / 2e9
    }

    fn weights(list: &[Conv]) -> usize {
        list.iter().map(|c| c.outputs * c.inputs / c.groups * c.kernel * c.kernel).sum()
    }

    #[test]
    fn the_lists_are_those_of_the_networks() {
        // Parameters without batch norm and classifier: 25,557,032 − 53,120 − 2,049,000 and 3,504,872 − 34,112 − 1,281,000.
        assert_eq!((resnet50(224).len(), weights(&resnet50(224))), (53, 23_454_912));
        assert_eq!((mobilenetv2(224).len(), weights(&mobilenetv2(224))), (52, 2_189_760));
        // Known costs at 224 pixels: 4.09 and 0.30, with the classifier's 0.002 and 0.001.
        assert!((cost(&resnet50(224)) - 4.087).abs() < 0.001, "{}", cost(&resnet50(224)));
        assert!((cost(&mobilenetv2(224)) - 0.2995).abs() < 0.001, "{}", cost(&mobilenetv2(224)));
    }

    #[test]
    fn counting_loses_none() {
        for list in [resnet50(256), mobilenetv2(256)] {
            let distinct = counted(&list);
            assert_eq!(distinct.iter().map(|(_, count)| count).sum::<usize>(), list.len());
            assert!(distinct.len() < list.len());
            assert_eq!(distinct.iter().filter(|(conv, _)| !conv.input_gradient).count(), 1);
        }
    }
}
