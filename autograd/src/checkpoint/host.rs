//! One tensor of a checkpoint, and its bytes.

use crate::device::DeviceError;
use crate::plain::Indices;
use crate::real::{Dtype, Real};
use crate::tensor::Tensor;
use safetensors::Dtype as FileDtype;
use std::io::{self, Write};

/// A tensor in host memory of one of the types a checkpoint holds.
#[derive(Clone, Debug)]
pub enum HostTensor {
    /// 32-bit floats.
    F32(Tensor<f32>),
    /// 64-bit floats.
    F64(Tensor<f64>),
    /// 64-bit integers: counters.
    I64(Indices),
}

impl HostTensor {
    /// A copy of a tensor, brought to host memory, in its own type.
    pub fn of<T: Real>(tensor: &Tensor<T>) -> Result<HostTensor, DeviceError> {
        let host = tensor.to_host()?;
        Ok(match T::DTYPE {
            Dtype::F32 => HostTensor::F32(host.cast()),
            Dtype::F64 => HostTensor::F64(host.cast()),
        })
    }

    /// A whole number without axes.
    pub fn count(count: u64) -> HostTensor {
        HostTensor::I64(Indices::new(vec![count as i64], &[]))
    }

    /// The values in the type asked for, rounded to the nearest where it is narrower.
    pub fn to<T: Real>(&self) -> Tensor<T> {
        match self {
            HostTensor::F32(tensor) => tensor.cast(),
            HostTensor::F64(tensor) => tensor.cast(),
            HostTensor::I64(integers) => Tensor::from_vec(
                integers.values().iter().map(|&x| T::of(x as f64)).collect(),
                integers.shape(),
            ),
        }
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            HostTensor::F32(tensor) => tensor.shape(),
            HostTensor::F64(tensor) => tensor.shape(),
            HostTensor::I64(integers) => integers.shape(),
        }
    }

    /// The format's name of the type and the bytes of one element.
    pub(super) fn dtype(&self) -> (&'static str, usize) {
        match self {
            HostTensor::F32(_) => ("F32", 4),
            HostTensor::F64(_) => ("F64", 8),
            HostTensor::I64(_) => ("I64", 8),
        }
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            HostTensor::F32(tensor) => {
                tensor.as_slice().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
            HostTensor::F64(tensor) => {
                tensor.as_slice().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
            HostTensor::I64(integers) => {
                integers.values().iter().try_for_each(|x| out.write_all(&x.to_le_bytes()))
            }
        }
    }
}

/// Little-endian bytes as a tensor, or `None` for a type without a counterpart here.
pub(super) fn decode(dtype: FileDtype, bytes: &[u8], shape: &[usize]) -> Option<HostTensor> {
    use FileDtype::{BF16, F16, F32, F64, I64};
    let singles = |values: Vec<f32>| HostTensor::F32(Tensor::from_vec(values, shape));
    Some(match dtype {
        F64 => HostTensor::F64(Tensor::from_vec(words(bytes, f64::from_le_bytes), shape)),
        F32 => singles(words(bytes, f32::from_le_bytes)),
        F16 => singles(words(bytes, |half| widen_f16(u16::from_le_bytes(half)))),
        // bfloat16 is the upper half of an f32.
        BF16 => singles(words(bytes, |half| f32::from_bits(u32::from(u16::from_le_bytes(half)) << 16))),
        I64 => HostTensor::I64(Indices::new(words(bytes, i64::from_le_bytes), shape)),
        _ => return None,
    })
}

fn words<const SIZE: usize, N>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> N) -> Vec<N> {
    bytes.as_chunks().0.iter().map(|&word| number(word)).collect()
}

/// IEEE half precision: 1 sign, 5 exponent and 10 fraction bits. The exponent is moved by the difference of the biases,
/// 127 − 15, which a product with 2¹¹² does for normal and subnormal numbers alike; infinities and NaN keep theirs.
fn widen_f16(half: u16) -> f32 {
    let (sign, rest) = (u32::from(half >> 15) << 31, u32::from(half & 0x7fff) << 13);
    let infinite = half & 0x7c00 == 0x7c00;
    let magnitude =
        if infinite { rest | 0x7f80_0000 } else { (f32::from_bits(rest) * 2f32.powi(112)).to_bits() };
    f32::from_bits(sign | magnitude)
}
