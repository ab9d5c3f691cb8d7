//! A value: shape and storage, cheap to clone, no gradient.

mod dispatch;
pub mod shape;

use crate::cpu::recycle::{self, Recycled};
use crate::device::{Buffer, DeviceError, DeviceHandle, View};
use crate::random::Key;
use crate::real::Real;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use rand_distr::{Distribution, StandardNormal};
use std::fmt;
use std::sync::Arc;

/// An n-dimensional array of `f32` or `f64`, always contiguous and row-major.
///
/// Cloning shares the storage; writing in place (optimisers, gradient sums, [`Tensor::place`]) copies it first when it is
/// shared.
/// PyTorch equivalent: a contiguous `torch.Tensor` without `requires_grad`; see [`crate::Var`] for the other kind.
#[derive(Clone)]
pub struct Tensor<T: Real = f32> {
    pub(crate) storage: Storage<T>,
}

#[derive(Clone)]
pub(crate) enum Storage<T: Real> {
    Cpu(HostBuffer<T>),
    Device(DeviceBuffer),
}

/// Values in host memory, shared between clones, with the shape they are read in.
#[derive(Clone)]
pub(crate) struct HostBuffer<T: Real> {
    values: Arc<Recycled<T>>,
    shape: Vec<usize>,
}

/// A buffer on a device with the shape it is read in. `data` is `None` after a failure (see [`crate::device`]).
#[derive(Clone)]
pub(crate) struct DeviceBuffer {
    pub handle: DeviceHandle,
    pub data: Option<Buffer>,
    pub shape: Vec<usize>,
}

impl<T: Real> Tensor<T> {
    /// A tensor of `shape` over `values` in row-major order. Panics if their number does not fit.
    #[track_caller]
    pub fn from_vec(values: Vec<T>, shape: &[usize]) -> Tensor<T> {
        assert!(
            values.len() == shape::numel(shape),
            "from_vec: {} values do not fill shape {shape:?}, which has {}",
            values.len(),
            shape::numel(shape)
        );
        let values = Arc::new(Recycled::new(values));
        Tensor { storage: Storage::Cpu(HostBuffer { values, shape: shape.to_vec() }) }
    }

    /// Takes over an `ndarray` array, copying it only if it is not row-major already.
    pub fn from_array(array: ArrayD<T>) -> Tensor<T> {
        let shape = array.shape().to_vec();
        let array = if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() };
        match array.into_raw_vec_and_offset() {
            (values, None | Some(0)) if values.len() == shape::numel(&shape) => {
                Tensor::from_vec(values, &shape)
            }
            (values, offset) => {
                Tensor::from_vec(values[offset.unwrap_or(0)..][..shape::numel(&shape)].to_vec(), &shape)
            }
        }
    }

    /// A tensor without axes. PyTorch equivalent: `torch.tensor(x)`.
    pub fn scalar(x: T) -> Tensor<T> {
        Tensor::from_vec(vec![x], &[])
    }

    /// One value everywhere. PyTorch equivalent: `torch.full`.
    pub fn full(shape: &[usize], value: T) -> Tensor<T> {
        Tensor::from_vec(recycle::filled(shape::numel(shape), value), shape)
    }

    /// PyTorch equivalent: `torch.zeros`.
    pub fn zeros(shape: &[usize]) -> Tensor<T> {
        Tensor::full(shape, T::zero())
    }

    /// PyTorch equivalent: `torch.ones`.
    pub fn ones(shape: &[usize]) -> Tensor<T> {
        Tensor::full(shape, T::one())
    }

    /// Values of a function of the position in row-major order.
    pub fn from_fn(shape: &[usize], f: impl FnMut(usize) -> T) -> Tensor<T> {
        Tensor::from_vec((0..shape::numel(shape)).map(f).collect(), shape)
    }

    /// Independent normal values of mean 0 and standard deviation 1, drawn in `f64`, so that both types get the same.
    /// PyTorch equivalent: `torch.randn` (other numbers).
    pub fn randn(shape: &[usize], key: Key, site: u64) -> Tensor<T> {
        let mut rng = key.rng(site);
        Tensor::from_fn(shape, |_| T::of(StandardNormal.sample(&mut rng)))
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        match &self.storage {
            Storage::Cpu(buffer) => &buffer.shape,
            Storage::Device(buffer) => &buffer.shape,
        }
    }

    /// Number of axes.
    pub fn ndim(&self) -> usize {
        self.shape().len()
    }

    /// Size of an axis; negative axes count from the back.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape()[shape::axis_index("size", axis, self.ndim())]
    }

    /// Number of elements.
    pub fn numel(&self) -> usize {
        shape::numel(self.shape())
    }

    /// The device this tensor lives on, or `None` for host memory.
    pub fn device(&self) -> Option<&DeviceHandle> {
        match &self.storage {
            Storage::Cpu(_) => None,
            Storage::Device(buffer) => Some(&buffer.handle),
        }
    }

    /// The values of a host tensor in row-major order. Panics for a device tensor: read it with `to_host` first.
    #[track_caller]
    pub fn as_slice(&self) -> &[T] {
        match &self.storage {
            Storage::Cpu(buffer) => buffer.values.as_slice(),
            Storage::Device(buffer) => {
                panic!("as_slice: the tensor lives on {}; call to_host first", buffer.handle.name())
            }
        }
    }

    /// The values of a host tensor, to be changed in place; copied first if another tensor shares them.
    #[track_caller]
    pub(crate) fn host_mut(&mut self) -> &mut [T] {
        match &mut self.storage {
            Storage::Cpu(buffer) => Arc::make_mut(&mut buffer.values).as_mut_slice(),
            Storage::Device(buffer) => {
                panic!("the operands live apart: one of them on {}", buffer.handle.name())
            }
        }
    }

    /// A host tensor as an `ndarray` view.
    #[track_caller]
    pub fn view(&self) -> ArrayViewD<'_, T> {
        ArrayViewD::from_shape(IxDyn(self.shape()), self.as_slice()).expect("shape and values agree")
    }

    /// A copy in host memory (a cheap clone if it is there already). For a device tensor this is where failures of
    /// earlier ops appear.
    ///
    /// # Errors
    /// What failed on the device, now or in an earlier op; the message names op, shapes and device.
    ///
    /// PyTorch equivalent: `tensor.cpu()`.
    pub fn to_host(&self) -> Result<Tensor<T>, DeviceError> {
        match &self.storage {
            Storage::Cpu(_) => Ok(self.clone()),
            Storage::Device(buffer) => {
                let values = buffer.handle.read("to_host", &[&buffer.shape], |device| {
                    device.download(buffer.data.as_ref().expect("a missing buffer means a recorded error"))
                })?;
                let values = values.into_iter().map(|x| T::of(f64::from(x))).collect();
                Ok(Tensor::from_vec(values, &buffer.shape))
            }
        }
    }

    /// The only value of a tensor with one element. PyTorch equivalent: `Tensor.item`.
    ///
    /// # Errors
    /// A failure of any earlier op on the device it lives on.
    #[track_caller]
    pub fn item(&self) -> Result<T, DeviceError> {
        assert!(
            self.numel() == 1,
            "item: the tensor has {} elements (shape {:?})",
            self.numel(),
            self.shape()
        );
        Ok(self.to_host()?.as_slice()[0])
    }

    /// The only values of several tensors with one element each, which live in one place, in a single read.
    ///
    /// # Errors
    /// As [`Tensor::item`].
    #[track_caller]
    pub fn items(tensors: &[&Tensor<T>]) -> Result<Vec<T>, DeviceError> {
        let together = (0..).zip(tensors).fold(None, |together, (offset, tensor)| {
            let view = View { offset, strides: vec![1] };
            Some(tensor.with_shape(&[1]).place(together, &[tensors.len()], &view, false))
        });
        together.map_or(Ok(Vec::new()), |together| Ok(together.to_host()?.as_slice().to_vec()))
    }

    /// The same values in the other type. Host tensors only.
    #[track_caller]
    pub fn cast<U: Real>(&self) -> Tensor<U> {
        Tensor::from_vec(self.as_slice().iter().map(|&x| U::of(x.f64())).collect(), self.shape())
    }

    /// The same values in another shape of as many elements; no copy. At most one size may be −1 and is inferred.
    /// PyTorch equivalent: `Tensor.view`.
    #[track_caller]
    pub fn reshape(&self, sizes: &[isize]) -> Tensor<T> {
        let shape = infer_shape(self.shape(), sizes);
        let storage = match &self.storage {
            Storage::Cpu(buffer) => Storage::Cpu(HostBuffer { shape, ..buffer.clone() }),
            Storage::Device(buffer) => Storage::Device(DeviceBuffer { shape, ..buffer.clone() }),
        };
        Tensor { storage }
    }

    /// As [`Tensor::reshape`] with plain sizes.
    #[track_caller]
    pub fn with_shape(&self, shape: &[usize]) -> Tensor<T> {
        self.reshape(&shape.iter().map(|&size| size as isize).collect::<Vec<_>>())
    }
}

impl Tensor<f32> {
    /// A copy on a device. PyTorch equivalent: `Tensor.to(device)`. Only `f32` tensors live on devices.
    ///
    /// # Errors
    /// A device without memory for it.
    pub fn to_device(&self, handle: &DeviceHandle) -> Result<Tensor, DeviceError> {
        let host = self.to_host()?;
        let data = handle.read("to_device", &[self.shape()], |device| device.upload(host.as_slice()))?;
        let buffer = DeviceBuffer { handle: handle.clone(), data: Some(data), shape: self.shape().to_vec() };
        Ok(Tensor { storage: Storage::Device(buffer) })
    }
}

#[track_caller]
fn infer_shape(from: &[usize], sizes: &[isize]) -> Vec<usize> {
    let known: usize = sizes.iter().filter(|&&size| size >= 0).map(|&size| size as usize).product();
    let unknown = sizes.iter().filter(|&&size| size < 0).count();
    let total = shape::numel(from);
    let fits = match unknown {
        0 => known == total,
        1 => known > 0 && total.is_multiple_of(known),
        _ => false,
    };
    assert!(fits, "reshape: shape {from:?} with {total} elements cannot become {sizes:?}");
    sizes.iter().map(|&size| if size < 0 { total / known } else { size as usize }).collect()
}

impl<T: Real> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.storage {
            Storage::Cpu(_) => write!(f, "Tensor{:?} {}", self.shape(), self.view()),
            Storage::Device(buffer) => write!(f, "Tensor{:?} on {}", self.shape(), buffer.handle.name()),
        }
    }
}
