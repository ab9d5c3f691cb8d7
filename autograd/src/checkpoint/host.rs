//! One tensor of a checkpoint, and its bytes.

use super::half;
use crate::device::DeviceError;
use crate::plain::Indices;
use crate::real::{Dtype, Real};
use crate::tensor::Tensor;
use safetensors::Dtype as FileDtype;
use std::io::{self, Write};

/// A tensor in host memory of one of the types a checkpoint holds.
#[derive(Clone, Debug)]
pub enum HostTensor {
    /// 32-bit floats. 16-bit floats of a file are widened.
    F32(Tensor<f32>),
    /// 64-bit floats.
    F64(Tensor<f64>),
    /// 64-bit integers: counters. Narrower integers and truth values of a file are widened.
    I64(Indices),
}

impl HostTensor {
    /// A copy of a tensor, brought to host memory, in its own type.
    ///
    /// # Errors
    /// A failure of the device the values live on.
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

    /// The type its numbers are written in.
    pub(super) fn dtype(&self, floats: Floats) -> FileDtype {
        match self {
            HostTensor::F32(tensor) if floats == Floats::Half && tensor.shape().len() >= 2 => FileDtype::F16,
            HostTensor::F32(_) => FileDtype::F32,
            HostTensor::F64(_) => FileDtype::F64,
            HostTensor::I64(_) => FileDtype::I64,
        }
    }

    pub(super) fn write(&self, floats: Floats, out: &mut impl Write) -> io::Result<()> {
        match self {
            HostTensor::F32(tensor) if self.dtype(floats) == FileDtype::F16 => {
                tensor.as_slice().iter().try_for_each(|&x| out.write_all(&half::narrow(x).to_le_bytes()))
            }
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

/// How `f32` tensors are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Floats {
    /// As they are.
    Own,
    /// In 16 bits, if they have two axes or more.
    Half,
}

/// Little-endian bytes as a tensor, or `None` for a type without a counterpart here.
pub(super) fn decode(dtype: FileDtype, bytes: &[u8], shape: &[usize]) -> Option<HostTensor> {
    use FileDtype::{BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, U8, U16, U32};
    let singles = |values: Vec<f32>| HostTensor::F32(Tensor::from_vec(values, shape));
    let integers = |values: Vec<i64>| HostTensor::I64(Indices::new(values, shape));
    Some(match dtype {
        F64 => HostTensor::F64(Tensor::from_vec(words(bytes, f64::from_le_bytes), shape)),
        F32 => singles(words(bytes, f32::from_le_bytes)),
        F16 => singles(words(bytes, |word| half::widen(u16::from_le_bytes(word)))),
        // bfloat16 is the upper half of an f32.
        BF16 => singles(words(bytes, |word| f32::from_bits(u32::from(u16::from_le_bytes(word)) << 16))),
        I64 => integers(words(bytes, i64::from_le_bytes)),
        I32 => integers(words(bytes, |word| i32::from_le_bytes(word).into())),
        I16 => integers(words(bytes, |word| i16::from_le_bytes(word).into())),
        I8 => integers(words(bytes, |word| i8::from_le_bytes(word).into())),
        U32 => integers(words(bytes, |word| u32::from_le_bytes(word).into())),
        U16 => integers(words(bytes, |word| u16::from_le_bytes(word).into())),
        U8 => integers(words(bytes, |word| u8::from_le_bytes(word).into())),
        BOOL => integers(words(bytes, |[byte]: [u8; 1]| (byte != 0).into())),
        _ => return None,
    })
}

fn words<const SIZE: usize, N>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> N) -> Vec<N> {
    bytes.as_chunks().0.iter().map(|&word| number(word)).collect()
}
