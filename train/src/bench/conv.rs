//! Convolutions without bias in `f32`. Backward is the gradient of the weights and, except in a network's first layer,
//! that of the input.

use super::clock::{Clock, Machine};
use super::conv_lists::{Conv, counted, mobilenetv2, resnet50};
use super::{Net, giga, medians, show};
use crate::cli::positive;
use crate::device::DeviceArgs;
use anyhow::{Result, ensure};
use autograd::ops::ConvOptions;
use autograd::random::Key;
use autograd::{Tape, Tensor, Var};
use clap::Args;
use serde::Serialize;

#[derive(Args)]
pub(crate) struct ConvArgs {
    /// Whose convolutions to measure
    #[arg(long, default_value = "resnet50")]
    net: Net,
    /// Input channels of one convolution to measure instead
    #[arg(long = "in", value_name = "N", value_parser = positive, requires = "out", conflicts_with = "net")]
    input: Option<usize>,
    /// Output channels of that one
    #[arg(long, value_name = "N", value_parser = positive, requires = "input")]
    out: Option<usize>,
    /// Pixels a side of its kernel; the padding is half of it
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 3, requires = "input")]
    kernel: usize,
    /// Its step between windows
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1, requires = "input")]
    stride: usize,
    /// Its channel groups; as many as channels make it depthwise
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1, requires = "input")]
    groups: usize,
    /// Pixels a side of the input: the network's or that one's
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 256)]
    size: usize,
    /// Pictures
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 2)]
    batch: usize,
    /// Repetitions after one to warm up
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 5)]
    repeat: usize,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct ConvReport {
    shapes: Vec<ConvLine>,
    /// Sum over the list, every shape as often as it occurs.
    forward_ms: f64,
    /// As `forward_ms`.
    backward_ms: f64,
    threads: usize,
    #[serde(flatten)]
    machine: Machine,
}

#[derive(Serialize)]
struct ConvLine {
    #[serde(rename = "in")]
    inputs: usize,
    #[serde(rename = "out")]
    outputs: usize,
    kernel: usize,
    stride: usize,
    size: usize,
    batch: usize,
    groups: usize,
    /// How often the network has it.
    count: usize,
    /// Whether `backward_ms` holds the gradient of the input.
    input_gradient: bool,
    forward_ms: f64,
    backward_ms: f64,
    #[serde(skip)]
    operations: usize,
    /// Input, weights and output of the forward pass.
    #[serde(skip)]
    bytes: usize,
}

impl ConvArgs {
    pub(super) fn run(&self) -> Result<()> {
        let (list, clock) = (counted(&self.list()?), Clock::open(self.device)?);
        let measure = |(conv, count)| measure(conv, count, self.batch, self.repeat, &clock);
        let shapes: Vec<ConvLine> = list.into_iter().map(measure).collect::<Result<_>>()?;
        let sum =
            |ms: fn(&ConvLine) -> f64| shapes.iter().map(|line| line.count as f64 * ms(line)).sum::<f64>();
        let report = ConvReport {
            forward_ms: sum(|line| line.forward_ms),
            backward_ms: sum(|line| line.backward_ms),
            threads: rayon::current_num_threads(),
            machine: clock.machine(),
            shapes,
        };
        show(&report, self.json, table)
    }

    fn list(&self) -> Result<Vec<Conv>> {
        let (Some(inputs), Some(outputs)) = (self.input, self.out) else {
            ensure!(self.size >= 32, "the networks need pictures of at least 32 pixels, not {}", self.size);
            return Ok(match self.net {
                Net::Resnet50 => resnet50(self.size),
                Net::Mobilenetv2 => mobilenetv2(self.size),
            });
        };
        let ConvArgs { kernel, stride, groups, size, .. } = *self;
        ensure!(
            inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups),
            "{groups} groups do not divide {inputs} input and {outputs} output channels"
        );
        ensure!(
            kernel <= size + 2 * (kernel / 2),
            "a kernel of {kernel} pixels does not fit a picture of {size}"
        );
        Ok(vec![Conv { inputs, outputs, kernel, stride, size, groups, input_gradient: true }])
    }
}

fn measure(conv: Conv, count: usize, batch: usize, repeat: usize, clock: &Clock) -> Result<ConvLine> {
    let Conv { inputs, outputs, kernel, stride, size, groups, input_gradient } = conv;
    let options = ConvOptions { stride: [stride; 2], padding: [kernel / 2; 2], groups, ..Default::default() };
    let key = Key::default();
    let random = |shape: [usize; 4], site| clock.place.tensor(&Tensor::randn(&shape, key, site));
    let x = random([batch, inputs, size, size], 0)?;
    let weight = random([outputs, inputs / groups, kernel, kernel], 1)?;
    let dy = random([batch, outputs, conv.output(), conv.output()], 2)?;
    let [forward_ms, backward_ms] = medians(repeat, || {
        let tape = Tape::new();
        let x = if input_gradient { tape.leaf(x.clone()) } else { Var::constant(x.clone()) };
        let weight = tape.leaf(weight.clone());
        let (forward_ms, y) = clock.timed(|| x.conv2d(&weight, None, options))?;
        let (backward_ms, _) = clock.timed(|| y.backward_with(dy.clone()))?;
        Ok([forward_ms, backward_ms])
    })?;
    let operations = batch * conv.operations();
    let bytes = size_of::<f32>() * (x.numel() + weight.numel() + dy.numel());
    Ok(ConvLine {
        inputs,
        outputs,
        kernel,
        stride,
        size,
        batch,
        groups,
        count,
        input_gradient,
        forward_ms,
        backward_ms,
        operations,
        bytes,
    })
}

fn table(report: &ConvReport) -> String {
    // What the processor has in its caches does not pass its memory, so bytes a second say something of devices only.
    let bytes = report.machine.is_device();
    let title = |pass: &str| format!("{pass:>13}{:>9}{}", "GFLOP/s", if bytes { "     GB/s" } else { "" });
    let mut text =
        format!("{:<32}{:>5}{}{}\n", "convolution", "count", title("forward ms"), title("backward ms"));
    for line in &report.shapes {
        let ConvLine { inputs, outputs, kernel, stride, size, groups, .. } = line;
        let grouped = if *groups > 1 { format!(" /{groups}") } else { String::new() };
        let name = format!("{inputs}->{outputs}{grouped} {kernel}x{kernel} s{stride} at {size}");
        let rates = |passes: usize, ms: f64| {
            let gb = if bytes { format!("{:>9.2}", giga(passes * line.bytes, ms)) } else { String::new() };
            format!("{ms:>13.3}{:>9.1}{gb}", giga(passes * line.operations, ms))
        };
        // Both gradients together read and write every tensor of the forward pass, or its gradient, twice.
        let passes = if line.input_gradient { 2 } else { 1 };
        text += &format!(
            "{name:<32}{:>5}{}{}\n",
            line.count,
            rates(1, line.forward_ms),
            rates(passes, line.backward_ms)
        );
    }
    if report.shapes.iter().any(|line| !line.input_gradient) {
        text += "backward: gradients of input and weights; of the weights alone in the first layer\n";
    }
    text + &format!(
        "sum by count: forward {:.1} ms, backward {:.1} ms, {}",
        report.forward_ms,
        report.backward_ms,
        report.machine.in_words(report.threads)
    )
}
