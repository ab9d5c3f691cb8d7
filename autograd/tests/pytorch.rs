//! Files of `torch.save`: both formats give the values PyTorch wrote, and whatever is not a state dict, or is made to do
//! harm, is an error in words. `fixtures/pytorch/make.py` wrote the files.

use autograd::TensorFile;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn parse(bytes: &[u8]) -> Result<TensorFile, String> {
    TensorFile::parse(bytes, Path::new("it.pth")).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(bytes: &[u8], words: &str) {
    let message = parse(bytes).unwrap_err();
    assert!(message.starts_with("it.pth ") && message.contains(words), "{words:?} is not in {message:?}");
}

// ---- what PyTorch wrote ----------------------------------------------------------------------------------------------

/// Name, type in the file, shape and values, in order.
type Listed = (&'static str, &'static str, Vec<usize>, Vec<f64>);

/// What the script put into `zip.pt` and `legacy.pt`.
fn listed() -> Vec<Listed> {
    let grid = |rows: &[usize], columns: &[usize]| -> Vec<f64> {
        rows.iter().flat_map(|row| columns.iter().map(move |column| (6 * row + column) as f64)).collect()
    };
    let every: Vec<usize> = (0..6).collect();
    // shared as [2, 3, 4]; element [k, i, j] of the permuted view is [i, j, k] of that
    let permuted = (0..4).flat_map(|k| (0..6).map(move |ij| (4 * ij + k) as f64)).collect();
    let tiny = f64::from(f32::from_bits(1));
    let singles = vec![f64::from(0.1_f32), -0.0, f64::from(3e38_f32), tiny, f64::INFINITY, f64::NEG_INFINITY];
    vec![
        ("f64", "F64", vec![3], vec![1.5, -2.25, 1e300]),
        ("f32", "F32", vec![2, 3], singles),
        ("f16", "F16", vec![4], vec![1.0, -2.0, 65504.0, 2f64.powi(-24)]),
        ("bf16", "BF16", vec![3], vec![1.0, -3.0, 2f64.powi(100)]),
        ("i64", "I64", vec![2], vec![-(2f64.powi(62)), 5.0]),
        ("i32", "I32", vec![2], vec![-2147483648.0, 2147483647.0]),
        ("i16", "I16", vec![2], vec![-32768.0, 32767.0]),
        ("i8", "I8", vec![2], vec![-128.0, 127.0]),
        ("u8", "U8", vec![2], vec![0.0, 255.0]),
        ("bool", "BOOL", vec![3], vec![1.0, 0.0, 1.0]),
        ("shared", "F32", vec![4, 6], grid(&[0, 1, 2, 3], &every)),
        ("transposed", "F32", vec![6, 4], (0..6).flat_map(|column| grid(&[0, 1, 2, 3], &[column])).collect()),
        ("column", "F32", vec![4], grid(&[0, 1, 2, 3], &[2])),
        ("corner", "F32", vec![2, 3], grid(&[1, 2], &[2, 3, 4])),
        ("permuted", "F32", vec![4, 2, 3], permuted),
        ("repeated", "F32", vec![3, 2], grid(&[2, 2, 2], &[1, 2])),
        ("last", "F32", vec![], vec![23.0]),
        ("empty", "F32", vec![0, 3], vec![]),
        ("scalar", "I64", vec![], vec![7.0]),
        ("parameter", "F32", vec![2, 1], vec![0.5, 0.25]),
        ("frozen", "F32", vec![2, 1], vec![1.0, 1.0]),
    ]
}

#[test]
fn both_formats_hold_what_pytorch_wrote() {
    for name in ["zip.pt", "legacy.pt"] {
        let file = TensorFile::read(fixture(name)).unwrap();
        let listed = listed();
        assert_eq!(file.tensors.len(), listed.len(), "{name}");
        assert!(file.metadata.is_empty(), "{name}");
        for ((found, tensor), (expected, dtype, shape, values)) in file.tensors.iter().zip(&listed) {
            assert_eq!(found, expected, "{name}");
            assert_eq!(file.stored_dtype(found).unwrap(), *dtype, "{name}: {found}");
            assert_eq!(tensor.shape(), shape, "{name}: {found}");
            let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(tensor.to::<f64>().as_slice()), bits(values), "{name}: {found}");
        }
    }
}

#[test]
fn integers_are_exact_where_floats_would_not_be() {
    let file = TensorFile::read(fixture("zip.pt")).unwrap();
    let Some(autograd::HostTensor::I64(integers)) = file.get("i32") else { panic!("not integers") };
    assert_eq!(integers.values(), [i64::from(i32::MIN), i64::from(i32::MAX)]);
}

#[test]
fn weights_are_found_inside_a_training_scripts_file() {
    let file = TensorFile::read(fixture("wrapped.pt")).unwrap();
    let values = |name: &str| file.get(name).unwrap().to::<f64>().as_slice().to_vec();
    assert_eq!(file.tensors.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["weight", "bias"]);
    assert_eq!((values("weight"), values("bias")), (vec![2.0, 3.0], vec![4.0]));
}

#[test]
fn what_was_read_can_be_written_as_safetensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    let read = TensorFile::read(fixture("legacy.pt")).unwrap();
    read.write(&path).unwrap();
    let again = TensorFile::read(&path).unwrap();
    assert_eq!(again.tensors.len(), read.tensors.len());
    for (name, tensor) in &read.tensors {
        let other = again.get(name).unwrap();
        assert_eq!(other.shape(), tensor.shape(), "{name}");
        assert_eq!(other.to::<f64>().as_slice(), tensor.to::<f64>().as_slice(), "{name}");
    }
}

// ---- damage ----------------------------------------------------------------------------------------------------------

#[test]
fn a_file_cut_short_anywhere_is_an_error() {
    for name in ["zip.pt", "legacy.pt"] {
        let whole = bytes(name);
        assert!(parse(&whole).is_ok());
        for length in 0..whole.len() {
            let message = parse(&whole[..length]).unwrap_err();
            assert!(message.starts_with("it.pth is cut short or not a"), "{name}, {length} bytes: {message}");
        }
    }
}

#[test]
fn no_changed_byte_is_more_than_an_error() {
    for name in ["zip.pt", "legacy.pt", "wrapped.pt"] {
        let mut changed = bytes(name);
        for position in 0..changed.len() {
            let old = changed[position];
            for new in [old ^ 1, old ^ 0x80, !old, 0, b'.'] {
                changed[position] = new;
                // An integer or a letter of a name may well have become another; what counts is that nothing panics.
                if let Err(message) = parse(&changed) {
                    assert!(message.starts_with("it.pth"), "{name}, byte {position}: {message}");
                }
            }
            changed[position] = old;
        }
    }
}

#[test]
fn a_changed_number_is_noticed_where_there_is_a_checksum() {
    let mut changed = bytes("zip.pt");
    let numbers = [0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b]; // 1, -2, 65504 in 16 bits
    let position = changed.windows(6).position(|window| window == numbers).unwrap();
    changed[position] = 1;
    refused(&changed, "\"zip/data/2\" in the archive: Invalid checksum");
}

// ---- programs --------------------------------------------------------------------------------------------------------

#[test]
fn nothing_is_executed() {
    let os_system = "only tensors are read, nothing is executed";
    refused(
        b"\x80\x02cposix\nsystem\nX\x02\0\0\0ls\x85R.",
        &format!("GLOBAL posix.system at byte 2: {os_system}"),
    );
    refused(b"\x80\x02cbuiltins\neval\n.", "GLOBAL builtins.eval at byte 2: only tensors");
    refused(b"\x80\x02ctorch\nload\n.", "GLOBAL torch.load at byte 2: only tensors");
    refused(
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
        "GLOBAL torch._utils._rebuild_tensor_v2.",
    );
    refused(b"\x80\x02cno\nend", "it ends at byte 9, inside the pickle's GLOBAL opcode");
    refused(b"\x80\x02c\x1b[2Jposix\nsystem\n.", "GLOBAL \\u{1b}[2Jposix.system at byte 2");
    refused(
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93.",
        "SHORT_BINUNICODE at byte 2: not needed for tensors",
    );
    refused(
        b"\x80\x02X\x05\0\0\0posixX\x06\0\0\0system\x93.",
        "STACK_GLOBAL at byte 23: not needed for tensors",
    );
    refused(b"\x80\x02(X\x02\0\0\0lsiposix\nsystem\n.", "INST at byte 10: not needed");
    refused(b"\x80\x02(cposix\nsystem\nX\x02\0\0\0lso.", "GLOBAL posix.system at byte 3");
    refused(b"\x80\x02ccollections\nOrderedDict\n)\x81.", "NEWOBJ at byte 28: not needed");
    refused(b"\x80\x02\x82\x01.", "EXT1 at byte 2: not needed");
    refused(b"\x80\x02P0\n.", "PERSID at byte 2: not needed");
    refused(b"\x80\x02\xff.", "0xff at byte 2 is not an opcode");
}

#[test]
fn only_tensors_are_constructed() {
    let made = "what it calls is not the making of a tensor or an empty OrderedDict";
    refused(b"\x80\x02ctorch\nFloatStorage\nK\x05\x85R.", &format!("REDUCE at byte 25: {made}"));
    refused(b"\x80\x02ccollections\nOrderedDict\nK\x05\x85R.", made);
    refused(b"\x80\x02ccollections\nOrderedDict\nK\x05R.", made);
    refused(b"\x80\x02X\x02\0\0\0ls)R.", made);
    refused(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", made);
    refused(b"\x80\x02ctorch._utils\n_rebuild_parameter\n(K\x01\x88}tR.", made);
    for (program, words) in [
        (&b"\x80\x02)}b."[..], "BUILD at byte 4: only an OrderedDict may have attributes"),
        (b"\x80\x02}X\x02\0\0\0lsb.", "BUILD at byte 10: only an OrderedDict"),
        (b"\x80\x02b.", "BUILD at byte 2: there are too few values on the stack"),
        (b"\x80\x02).)", "a pickle, but not one that torch.save wrote"),
        (b"\x80\x02.", "STOP at byte 2: there are too few values"),
        (b"\x80\x02)(.", "STOP at byte 4: there are too few values"),
        (b"\x80\x02t.", "TUPLE at byte 2: there is no MARK"),
        (b"\x80\x02)(\x85.", "TUPLE1 at byte 4: there are too few values"),
        (b"\x80\x02K\x01K\x02a.", "APPEND at byte 6: what it extends is not a list"),
        (b"\x80\x02]K\x01K\x02s.", "SETITEM at byte 7: what it fills is not a dictionary"),
        (b"\x80\x02}(K\x01u.", "SETITEMS at byte 6: a key is without its value"),
        (b"\x80\x02h\x07.", "BINGET at byte 2: value 7 was never put"),
        (b"\x80\x02X\xff\xff\xff\xffa.", "it ends at byte 9, inside the pickle's BINUNICODE opcode"),
        (b"\x80\x02X\x02\0\0\0\xff\xfe.", "BINUNICODE at byte 2: invalid utf-8"),
        (b"\x80\x02Q.", "BINPERSID at byte 2: there are too few values"),
        (b"\x80\x02)Q.", "BINPERSID at byte 3: it does not name a storage"),
    ] {
        refused(program, words);
    }
}

#[test]
fn bombs_stay_small() {
    let program = |body: &[u8]| [b"\x80\x02", body, b"."].concat();
    let not_torch = "not one that torch.save wrote";
    // A million tuples within each other, a list in itself, a tree of 2^1000 leaves, a memo with gaps.
    refused(&program(&[b")".to_vec(), vec![0x85; 1_000_000]].concat()), not_torch);
    refused(&program(b"]q\0h\0a"), not_torch);
    let doubling: Vec<u8> = b")q\0".iter().chain(b"h\0h\0\x86q\0".repeat(1000).iter()).copied().collect();
    refused(&program(&doubling), not_torch);
    refused(&program(b")r\xff\xff\xff\xffj\xff\xff\xff\xff"), not_torch);
    refused(&program(&vec![b'('; 1_000_000]), "there are too few values");
}

// ---- tensors that cannot be -----------------------------------------------------------------------------------------

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn integers(values: &[i64]) -> Vec<u8> {
    let each = values.iter().flat_map(|value| [b"\x8a\x08", &value.to_le_bytes()[..]].concat());
    [b"(".to_vec(), each.collect(), b"t".to_vec()].concat()
}

/// The opcodes of a tensor in storage "s", which is said to hold `count` numbers.
fn tensor(storage: &str, count: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let count = [b"\x8a\x08", &count.to_le_bytes()[..]].concat();
    let id = [
        b"(",
        &text("storage")[..],
        b"ctorch\n",
        storage.as_bytes(),
        b"\n",
        &text("s"),
        &text("cpu"),
        &count,
    ];
    let offset = [b"\x8a\x08", &offset.to_le_bytes()[..]].concat();
    let rest = [&b"tQ"[..], &offset, &integers(shape), &integers(strides), b"\x89}tR"];
    [b"ctorch._utils\n_rebuild_tensor_v2\n(", &id.concat()[..], &rest.concat()].concat()
}

/// A legacy file around an object, with a storage "s" of `held` bytes, said to be `count` numbers.
fn legacy(object: &[u8], count: i64, held: usize) -> Vec<u8> {
    let system = [b"\x80\x02}", &text("little_endian")[..], b"\x88s."].concat();
    let keys = [b"\x80\x02]", &text("s")[..], b"a."].concat();
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    let object = [b"\x80\x02", object, b"."].concat();
    [&magic[..], &system, &object, &keys, &count.to_le_bytes(), &vec![0; held]].concat()
}

/// A dictionary.
fn dict(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(name, value)| [&text(name)[..], value].concat());
    [b"}(".to_vec(), entries.collect(), b"u".to_vec()].concat()
}

#[test]
fn the_files_made_here_are_right_where_nothing_is_wrong() {
    let file =
        parse(&legacy(&dict(&[("x", tensor("FloatStorage", 6, 0, &[2, 3], &[3, 1]))]), 6, 24)).unwrap();
    assert_eq!(file.get("x").unwrap().to::<f32>().as_slice(), [0.0; 6]);
}

#[test]
fn views_stay_inside_their_storage() {
    let of = |offset, shape: &[i64], strides: &[i64]| {
        legacy(&dict(&[("x", tensor("FloatStorage", 6, offset, shape, strides))]), 6, 24)
    };
    for fits in
        [of(5, &[1], &[1]), of(0, &[3, 2], &[1, 3]), of(5, &[1, 1], &[i64::MAX, 9]), of(9, &[0], &[1])]
    {
        parse(&fits).unwrap();
    }
    let outside = "does not fit in 6 numbers";
    refused(
        &of(6, &[1], &[1]),
        "tensor \"x\": shape [1] with strides [1] from element 6 on does not fit in 6 numbers",
    );
    refused(&of(6, &[], &[]), outside);
    refused(&of(0, &[7], &[1]), outside);
    refused(&of(0, &[2, 3], &[4, 1]), outside);
    refused(&of(0, &[2], &[i64::MAX]), outside);
    refused(&of(i64::MAX, &[2], &[i64::MAX]), outside);
    refused(&of(0, &[i64::MAX, i64::MAX], &[0, 0]), outside);
    refused(&of(0, &[0, i64::MAX, i64::MAX], &[1, 1, 1]), outside);
    refused(&of(0, &[2, 3], &[1]), outside);
    refused(&of(-1, &[1], &[1]), "-1 is not a size");
    refused(&of(0, &[-2], &[1]), "-2 is not a size");
    refused(&of(0, &[2], &[-1]), "-1 is not a size");
    refused(&of(0, &[1; 65], &[1; 65]), "a tensor of 65 axes");
    // An expanded view may be large, but not beyond reason.
    parse(&of(0, &[1000, 1000], &[0, 0])).unwrap();
    refused(&of(0, &[1 << 40], &[0]), "more than 16 times the space of the file");
    let many = vec![("x", tensor("FloatStorage", 6, 0, &[1000, 1000], &[0, 0])); 5];
    let names = ["a", "b", "c", "d", "e"];
    let many: Vec<_> = names.into_iter().zip(many).map(|(name, (_, view))| (name, view)).collect();
    refused(&legacy(&dict(&many), 6, 24), "tensor \"e\": with shape [1000, 1000]");
}

#[test]
fn storages_hold_what_they_promise() {
    let x = |storage, count| dict(&[("x", tensor(storage, count, 0, &[1], &[1]))]);
    refused(&legacy(&x("FloatStorage", 6), 6, 23), "it ends inside storage \"s\"");
    refused(&legacy(&x("FloatStorage", 6), i64::MAX, 24), "it ends inside storage \"s\"");
    refused(&legacy(&x("FloatStorage", 6), -1, 24), "it ends inside storage \"s\"");
    refused(
        &legacy(&x("FloatStorage", 7), 6, 24),
        "storage \"s\" should hold 7 numbers of type F32, but has 24 bytes",
    );
    refused(&legacy(&x("FloatStorage", i64::MAX), 6, 24), "should hold 9223372036854775807 numbers");
    refused(&legacy(&x("ComplexFloatStorage", 6), 6, 48), "GLOBAL torch.ComplexFloatStorage");
    refused(&legacy(&x("UntypedStorage", 6), 6, 48), "GLOBAL torch.UntypedStorage");
    refused(&legacy(&dict(&[]), 6, 24), "storage \"s\" belongs to no tensor");
    let whole = legacy(&x("FloatStorage", 6), 6, 24);
    let place = |words: &[u8]| whole.windows(words.len()).position(|window| window == words).unwrap();
    let changed = |position: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[position] = byte;
        bytes
    };
    refused(&changed(place(b"\x88s."), 0x89), "not little-endian");
    refused(&changed(place(b"M\xe9\x03") + 1, 0xea), "its version is 1002, not 1001");
    refused(&changed(place(b"]X\x01\0\0\0s") + 6, b't'), "storage \"t\" belongs to no tensor");
}

#[test]
fn only_state_dicts_are_taken() {
    let x = || tensor("FloatStorage", 6, 0, &[1], &[1]);
    let file = |object: &[u8]| legacy(object, 6, 24);
    refused(&file(&x()), "it holds a tensor, not a state dict");
    refused(&file(&[b"]", &x()[..], b"a"].concat()), "it holds a list, not a state dict");
    refused(
        &file(&dict(&[("weights", dict(&[("x", x())]))])),
        "nor a state dict under one of the keys state_dict, model",
    );
    refused(&file(&dict(&[("x", x()), ("step", b"K\x03".to_vec())])), "\"step\" is 3, not a tensor");
    refused(&file(&dict(&[("x", x()), ("x", x())])), "two tensors are named \"x\"");
    refused(&file(&[b"}K\x03", &x()[..], b"s"].concat()), "a key is 3, not a name");
    for key in ["state_dict", "model", "model_state_dict"] {
        let wrapped = dict(&[("loss", x()), (key, dict(&[("w", x())]))]);
        assert!(parse(&file(&wrapped)).unwrap().get("w").is_some(), "{key}");
    }
}

// ---- archives --------------------------------------------------------------------------------------------------------

/// `zip.pt`, packed again: `change` may give a member another content, or none.
fn packed(compression: CompressionMethod, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
    let mut old = ZipArchive::new(Cursor::new(bytes("zip.pt"))).unwrap();
    let mut new = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..old.len() {
        let mut member = old.by_index(i).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut content = Vec::new();
        std::io::copy(&mut member, &mut content).unwrap();
        let Some(content) = change(&name, content) else { continue };
        new.start_file(name, SimpleFileOptions::default().compression_method(compression)).unwrap();
        new.write_all(&content).unwrap();
    }
    new.finish().unwrap().into_inner()
}

#[test]
fn archives_have_every_member_uncompressed() {
    let stored = CompressionMethod::Stored;
    assert_eq!(parse(&packed(stored, |_, content| Some(content))).unwrap().tensors.len(), listed().len());
    // Files from before PyTorch 2.1 do not tell the order of bytes.
    assert!(parse(&packed(stored, |name, content| (name != "zip/byteorder").then_some(content))).is_ok());
    let big = packed(stored, |name, content| {
        Some(if name.ends_with("byteorder") { b"big".to_vec() } else { content })
    });
    refused(&big, "not little-endian");
    refused(&packed(CompressionMethod::Deflated, |_, content| Some(content)), "it is compressed");
    refused(&packed(stored, |name, content| (name != "zip/data.pkl").then_some(content)), "has no data.pkl");
    refused(
        &packed(stored, |name, content| (name != "zip/data/10").then_some(content)),
        "\"zip/data/10\" in the archive",
    );
    let short = |name: &str, mut content: Vec<u8>| {
        content.truncate(if name == "zip/data/10" { 95 } else { usize::MAX });
        Some(content)
    };
    refused(&packed(stored, short), "storage \"10\" should hold 24 numbers of type F32, but has 95 bytes");
    let hostile = |name: &str, content: Vec<u8>| {
        Some(if name == "zip/data.pkl" { b"\x80\x02cposix\nsystem\n.".to_vec() } else { content })
    };
    refused(&packed(stored, hostile), "data.pkl: GLOBAL posix.system at byte 2");
    refused(b"PK\x03\x04 and nothing else", "not a PyTorch file");
}
