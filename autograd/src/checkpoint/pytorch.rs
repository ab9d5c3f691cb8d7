//! State dicts in the files of `torch.save`.
//!
//! A pickle (see [`pickle`]) describes the tensors; their numbers lie outside it, in *storages* that tensors may share.
//! Since PyTorch 1.6 both are members of a zip archive, which is not compressed:
//!
//! ```text
//! NAME/data.pkl      the pickle
//! NAME/byteorder     "little"; absent from older files
//! NAME/data/0        the numbers of the storage with key 0, and so on
//! ```
//!
//! Before, and with `_use_new_zipfile_serialization=False`, they followed each other:
//!
//! ```text
//! pickle of 0x1950a86a20f9469cfc6c
//! pickle of 1001                                   the version
//! pickle of {"little_endian": True, …}
//! pickle of the object
//! pickle of ["KEY", "KEY", …]                      the storages in the order in which they follow
//! for every key: the number of elements in 8 bytes, the elements
//! ```
//!
//! Accepted are a dictionary of tensors under their names, and a dictionary that holds one under a key of [`WRAPPINGS`].
//!
//! Source: `torch/serialization.py` of PyTorch 2.15 (`_save`, `_legacy_save`).

use super::file::is_addressable;
use super::host::{HostTensor, decode};
use super::pickle::{self, Pickle, Storage, Value, View};
use crate::tensor::shape::{contiguous_strides, numel};
use safetensors::Dtype;
use std::collections::{HashMap, HashSet};
use std::io::{self, Cursor};
use zip::{CompressionMethod, ZipArchive};

/// Where scripts that save more than weights keep them.
const WRAPPINGS: [&str; 3] = ["state_dict", "model", "model_state_dict"];

const ZIP: &[u8] = b"PK\x03\x04";
/// 0x1950a86a20f9469cfc6c, the lowest byte first.
const MAGIC: Value = Value::Long(&[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]);
const VERSION: Value = Value::Int(1001);
const OPCODE_PROTO: u8 = 0x80;

/// Tensors together may take so many times the space of their file: 8 for truth values, which become 64-bit integers, and
/// twice that for tensors that share numbers. More is a mistake, or made to fill the memory. Small files may take more.
const MAX_EXPANSION: usize = 16;
const SMALL_FILE: usize = 1 << 20;

/// Whether these are the first bytes of a zip archive or of a pickle. A safetensors file has a `{` behind its length.
pub(super) fn is_pytorch(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) || (bytes.first() == Some(&OPCODE_PROTO) && bytes.get(8) != Some(&b'{'))
}

/// What a file holds, whichever way it is packed: the pickle, the object, the bytes of every storage.
struct Content<'a> {
    pickle: Pickle<'a>,
    object: Value<'a>,
    storages: HashMap<&'a str, &'a [u8]>,
}

/// Names, types in the file, and tensors of a state dict. The error is a reason in words.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Dtype, HostTensor)>, String> {
    let content = if bytes.starts_with(ZIP) { read_zip(bytes) } else { read_legacy(bytes) }?;
    let mut allowance = MAX_EXPANSION * bytes.len().max(SMALL_FILE);
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for &(key, value) in &content.pickle.dicts[state_dict(&content)?] {
        let Value::Text(name) = key else { return Err(format!("a key is {}, not a name", describe(key))) };
        let Value::Tensor(number) = value else {
            return Err(format!("{name:?} is {}, not a tensor", describe(value)));
        };
        if !names.insert(name) {
            return Err(format!("two tensors are named {name:?}"));
        }
        let view = &content.pickle.tensors[number];
        let dtype = view.storage.dtype;
        let tensor = tensor(view, content.storages[view.storage.key], &mut allowance);
        tensors.push((
            name.to_owned(),
            dtype,
            tensor.map_err(|reason| format!("tensor {name:?}: {reason}"))?,
        ));
    }
    Ok(tensors)
}

// ---- containers ------------------------------------------------------------------------------------------------------

fn read_zip(bytes: &[u8]) -> Result<Content<'_>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    if archive.has_overlapping_files().map_err(|error| error.to_string())? {
        return Err("members of the archive lie on top of each other".to_owned());
    }
    let root = archive
        .file_names()
        .find_map(|name| {
            name.ok()?.strip_suffix("/data.pkl").filter(|root| !root.contains('/')).map(str::to_owned)
        })
        .ok_or("the archive has no data.pkl")?;
    if archive.index_for_name(&format!("{root}/byteorder")).is_some() {
        let order = member(bytes, &mut archive, &format!("{root}/byteorder"))?;
        if order != b"little" {
            return Err("its numbers are not little-endian".to_owned());
        }
    }
    let program = member(bytes, &mut archive, &format!("{root}/data.pkl"))?;
    let (pickle, object, _) = pickle::read(program, 0).map_err(|reason| format!("data.pkl: {reason}"))?;
    let mut storages = HashMap::new();
    for storage in &pickle.storages {
        if !storages.contains_key(storage.key) {
            let numbers = member(bytes, &mut archive, &format!("{root}/data/{}", storage.key))?;
            storages.insert(storage.key, numbers);
        }
    }
    Ok(Content { pickle, object, storages })
}

/// The bytes of a member, in place; they agree with the checksum.
fn member<'a>(
    bytes: &'a [u8],
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    name: &str,
) -> Result<&'a [u8], String> {
    let broken = |reason: String| format!("{name:?} in the archive: {reason}");
    let mut member = archive.by_name(name).map_err(|error| broken(error.to_string()))?;
    if member.compression() != CompressionMethod::Stored || member.size() != member.compressed_size() {
        return Err(broken("it is compressed, which torch.save does not do".to_owned()));
    }
    io::copy(&mut member, &mut io::sink()).map_err(|error| broken(error.to_string()))?;
    let start = member.data_start().and_then(|start| usize::try_from(start).ok());
    let slice = start.and_then(|start| bytes.get(start..)?.get(..usize::try_from(member.size()).ok()?));
    slice.ok_or_else(|| broken("it lies outside the file".to_owned()))
}

fn read_legacy(bytes: &[u8]) -> Result<Content<'_>, String> {
    let (_, magic, position) = pickle::read(bytes, 0)?;
    if magic != MAGIC {
        return Err("it is a pickle, but not one that torch.save wrote".to_owned());
    }
    let (_, version, position) = pickle::read(bytes, position)?;
    if version != VERSION {
        return Err(format!("its version is {}, not 1001", describe(version)));
    }
    let (system, information, position) = pickle::read(bytes, position)?;
    let little = if let Value::Dict(dict) = information { system.entry(dict, "little_endian") } else { None };
    if little != Some(Value::Bool(true)) {
        return Err("its numbers are not little-endian".to_owned());
    }
    let (pickle, object, position) = pickle::read(bytes, position)?;
    let (listed, keys, mut position) = pickle::read(bytes, position)?;
    let Value::List(keys) = keys else { return Err("the list of storages is missing".to_owned()) };

    let dtypes: HashMap<&str, Dtype> = pickle.storages.iter().map(|s| (s.key, s.dtype)).collect();
    let mut storages = HashMap::new();
    for &key in &listed.lists[keys] {
        let Value::Text(key) = key else { return Err("the list of storages does not hold keys".to_owned()) };
        let dtype = dtypes.get(key).ok_or_else(|| format!("storage {key:?} belongs to no tensor"))?;
        let short = || format!("it ends inside storage {key:?}, which starts at byte {position}");
        let (count, rest) = bytes[position..].split_first_chunk().ok_or_else(short)?;
        let size = usize::try_from(u64::from_le_bytes(*count))
            .ok()
            .and_then(|count| count.checked_mul(width(*dtype)));
        let numbers = size.and_then(|size| rest.get(..size)).ok_or_else(short)?;
        position += count.len() + numbers.len();
        storages.insert(key, numbers);
    }
    if let Some(storage) = pickle.storages.iter().find(|storage| !storages.contains_key(storage.key)) {
        return Err(format!("storage {:?} is missing", storage.key));
    }
    Ok(Content { pickle, object, storages })
}

// ---- tensors ---------------------------------------------------------------------------------------------------------

/// The dictionary that holds the tensors.
fn state_dict(content: &Content) -> Result<usize, String> {
    let Value::Dict(dict) = content.object else {
        return Err(format!("it holds {}, not a state dict", describe(content.object)));
    };
    for key in WRAPPINGS {
        if let Some(Value::Dict(wrapped)) = content.pickle.entry(dict, key) {
            return Ok(wrapped);
        }
    }
    if content.pickle.dicts[dict].iter().any(|(_, value)| matches!(value, Value::Tensor(_))) {
        return Ok(dict);
    }
    Err(format!("it holds no tensors, nor a state dict under one of the keys {}", WRAPPINGS.join(", ")))
}

/// A copy of what a view shows, in row-major order.
fn tensor(view: &View, numbers: &[u8], allowance: &mut usize) -> Result<HostTensor, String> {
    let Storage { dtype, key, count } = view.storage;
    if count.checked_mul(width(dtype)).is_none_or(|size| size > numbers.len()) {
        let size = numbers.len();
        return Err(format!(
            "storage {key:?} should hold {count} numbers of type {dtype}, but has {size} bytes"
        ));
    }
    let View { offset, shape, strides, .. } = view;
    if !is_inside(view) {
        return Err(format!(
            "shape {shape:?} with strides {strides:?} from element {offset} on does not fit in {count} numbers"
        ));
    }
    let taken = numel(shape).saturating_mul(if dtype == Dtype::F32 { 4 } else { 8 });
    *allowance = allowance.checked_sub(taken).ok_or_else(|| {
        format!("with shape {shape:?} the tensors take more than {MAX_EXPANSION} times the space of the file")
    })?;
    let tensor = decode(dtype, &gather(view, numbers), shape);
    Ok(tensor.expect("every type on the allow list can be decoded"))
}

/// Whether all elements lie in the storage.
fn is_inside(view: &View) -> bool {
    if view.shape.len() != view.strides.len() || !is_addressable(&view.shape) {
        return false;
    }
    let mut axes = view.shape.iter().zip(&view.strides);
    let last = axes.try_fold(view.offset, |last, (&size, &stride)| {
        last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
    });
    view.shape.contains(&0) || last.is_some_and(|last| last < view.storage.count)
}

/// The bytes of a view's elements in row-major order.
fn gather(view: &View, numbers: &[u8]) -> Vec<u8> {
    if view.shape.contains(&0) {
        return Vec::new();
    }
    let width = width(view.storage.dtype);
    // Axes of one element may have any stride.
    let own = contiguous_strides(&view.shape);
    let mut axes = view.shape.iter().zip(&view.strides).zip(own);
    if axes.all(|((&size, &stride), own)| size == 1 || stride == own as usize) {
        return numbers[view.offset * width..][..numel(&view.shape) * width].to_vec();
    }
    // Positions of the elements, axis by axis: every position so far starts a row of the next axis.
    let mut positions = vec![view.offset];
    for (&size, &stride) in view.shape.iter().zip(&view.strides) {
        let row = |start: usize| (0..size).map(move |i| start + i * stride);
        positions = positions.into_iter().flat_map(row).collect();
    }
    positions.into_iter().flat_map(|e| &numbers[e * width..][..width]).copied().collect()
}

/// Bytes of one element; all types on the allow list have whole ones.
fn width(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

/// A value in words, for messages.
fn describe(value: Value) -> String {
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(_) => "a long integer".to_owned(),
        Value::Float(value) => value.to_string(),
        Value::Text(_) => "a text".to_owned(),
        Value::Name(_) => "a function or type".to_owned(),
        Value::Tuple(_) => "a tuple".to_owned(),
        Value::List(_) => "a list".to_owned(),
        Value::Dict(_) => "a dictionary".to_owned(),
        Value::Storage(_) => "a storage".to_owned(),
        Value::Tensor(_) => "a tensor".to_owned(),
    }
}
