//! Depth maps from NumPy's `.npy` and `.npz` files.

use std::io::{Cursor, Read};
use std::path::Path;

use ndarray::{Array2, ArrayD, Axis, Ix2};
use ndarray_npy::{ReadNpyError, ReadNpyExt, ReadableElement};
use zip::ZipArchive;

use crate::error::DataError;
use crate::image_io::Grey;

const NPY_MAGIC: &[u8] = b"\x93NUMPY";
const ZIP_MAGIC: &[u8] = b"PK";

/// Whether these are the bytes of a `.npy` file.
pub(crate) fn is_npy(bytes: &[u8]) -> bool {
    bytes.starts_with(NPY_MAGIC)
}

/// Whether these are the bytes of a `.npz` file, which is a zip archive.
pub(crate) fn is_npz(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP_MAGIC)
}

/// The one array of a `.npy` file, `[H, W]`; `path` is for messages.
pub(crate) fn read_npy(path: &Path, bytes: &[u8]) -> Result<Grey, DataError> {
    parse(bytes).map_err(|reason| DataError::Array { path: path.to_owned(), reason })
}

/// The first array of a `.npz` file under whatever key, `[H, W]`; `path` is for messages.
pub(crate) fn read_npz(path: &Path, bytes: &[u8]) -> Result<Grey, DataError> {
    first_member(bytes)
        .and_then(|npy| parse(&npy))
        .map_err(|reason| DataError::Array { path: path.to_owned(), reason })
}

fn first_member(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let mut member = archive.by_index(0).map_err(|e| e.to_string())?;
    let mut npy = Vec::new();
    member.read_to_end(&mut npy).map_err(|e| e.to_string())?;
    Ok(npy)
}

/// A file declares its element type, and the reader wants to be asked for the right one: ask for each in turn.
fn parse(npy: &[u8]) -> Result<Grey, String> {
    let attempts: [fn(&[u8]) -> Attempt; 4] = [
        |npy| attempt::<f32>(npy, |v| v, f32::INFINITY),
        |npy| attempt::<f64>(npy, |v| v as f32, f32::INFINITY),
        |npy| attempt::<u8>(npy, f32::from, 255.0),
        |npy| attempt::<u16>(npy, f32::from, 65535.0),
    ];
    let parsed = attempts.iter().find_map(|attempt| attempt(npy));
    let (values, full_scale) = parsed.ok_or("its elements are none of f32, f64, u8, u16")??;
    Ok(Grey { values: to_matrix(values)?, full_scale })
}

/// `None` if the file holds another element type; else the array with its full scale, or what is wrong with it.
type Attempt = Option<Result<(ArrayD<f32>, f32), String>>;

fn attempt<T: ReadableElement + Copy>(npy: &[u8], to_f32: fn(T) -> f32, full_scale: f32) -> Attempt {
    match ArrayD::<T>::read_npy(npy) {
        Ok(values) => Some(Ok((values.mapv(to_f32), full_scale))),
        Err(ReadNpyError::WrongDescriptor(_)) => None,
        Err(error) => Some(Err(error.to_string())),
    }
}

/// Drops axes of length one, so that `[1, H, W]` and `[H, W, 1]` are accepted as `[H, W]`.
fn to_matrix(mut values: ArrayD<f32>) -> Result<Array2<f32>, String> {
    let shape = values.shape().to_vec();
    while values.ndim() > 2 {
        let one = values.shape().iter().position(|&length| length == 1);
        let axis = one.ok_or_else(|| format!("its shape is {shape:?}, not [H, W]"))?;
        values = values.index_axis_move(Axis(axis), 0);
    }
    values.into_dimensionality::<Ix2>().map_err(|_| format!("its shape is {shape:?}, not [H, W]"))
}
