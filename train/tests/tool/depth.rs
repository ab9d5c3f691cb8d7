//! `import-depth`: other people's depth as a picture the loader reads.

use crate::desk::Desk;
use image::{ImageBuffer, Luma};

/// Distances in millimetres: the left half near, the right half far, one corner missing.
fn millimetres(x: usize, y: usize) -> u16 {
    match (x, y) {
        (0, 0) => 0,
        (x, _) if x < 4 => 1000,
        _ => 4000,
    }
}

fn assert_imported(desk: &Desk) {
    let levels = image::open(desk.path("out.png")).unwrap().into_luma8();
    assert_eq!(levels.dimensions(), (8, 5));
    let found = [(0, 0), (1, 0), (7, 4)].map(|(x, y)| levels.get_pixel(x, y).0[0]);
    assert_eq!(found, [0, 255, 8], "missing, nearest, farthest");
}

#[test]
fn sixteen_bit_pictures_hold_millimetres() {
    let desk = Desk::new();
    ImageBuffer::from_fn(8, 5, |x, y| Luma([millimetres(x as usize, y as usize)]))
        .save(desk.path("mm.png"))
        .unwrap();
    let said = desk.ok("import-depth mm.png --out out.png");
    assert_eq!(
        said,
        "out.png: 5 x 8 (height x width), read as mm: 97.5% valid, stored values 1000 to 4000\n"
    );
    assert_imported(&desk);
}

#[test]
fn so_do_numpy_files() {
    let desk = Desk::new();
    let values = (0..5).flat_map(|y| (0..8).map(move |x| f32::from(millimetres(x, y)).to_le_bytes()));
    desk.write("depth.npy", npy(&values.flatten().collect::<Vec<u8>>()));
    desk.ok("import-depth depth.npy --out out.png");
    assert_imported(&desk);
}

/// A NumPy file, version 1.0, of 5 rows of 8 floats.
fn npy(values: &[u8]) -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 8), }";
    let padded = format!("{header:<117}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((padded.len() as u16).to_le_bytes());
    file.extend(padded.bytes());
    file.extend(values);
    file
}

#[test]
fn the_format_can_be_said() {
    let desk = Desk::new();
    ImageBuffer::from_fn(8, 5, |x, y| Luma([millimetres(x as usize, y as usize)]))
        .save(desk.path("mm.png"))
        .unwrap();
    desk.ok("import-depth mm.png --format disparity --out out.png");
    let levels = image::open(desk.path("out.png")).unwrap().into_luma8();
    assert_eq!((levels.get_pixel(1, 0).0[0], levels.get_pixel(7, 4).0[0]), (8, 255));
    let error = desk.misused("import-depth mm.png --format cm --out out.png");
    assert!(error.contains("near-bright, far-bright, mm or disparity"), "{error}");
}

#[test]
fn what_is_no_depth_is_named() {
    let desk = Desk::new();
    desk.write("notes.txt", "no picture");
    let error = desk.refuses("import-depth notes.txt --out out.png");
    assert!(error.contains("notes.txt"), "{error}");
    let error = desk.misused("import-depth notes.txt --out out.jpg");
    assert!(error.contains("end in .png"), "{error}");
    assert!(!desk.path("out.png").exists());
}
