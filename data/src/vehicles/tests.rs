//! temporary
use super::*;
use std::path::Path;

#[test]
#[ignore]
fn sheet() {
    let rows = std::env::var("ROWS").unwrap();
    let ids: Vec<u32> = rows.split(',').map(|v| v.parse().unwrap()).collect();
    let cams: Vec<u32> = std::env::var("COLS").unwrap().split(',').map(|v| v.parse().unwrap()).collect();
    let h: usize = std::env::var("H").unwrap().parse().unwrap();
    let mut out = Array3::zeros((3, h * ids.len(), 4 * h * cams.len()));
    let start = std::time::Instant::now();
    for (r, &id) in ids.iter().enumerate() {
        for (c, &cam) in cams.iter().enumerate() {
            let p = render(1, id, cam, 1, h);
            for ((ch, y, x), v) in p.rgb.indexed_iter() {
                out[[ch, r * h + y, c * 4 * h + x]] = *v;
            }
            for ((_, y, x), v) in p.nir.indexed_iter() {
                for ch in 0..3 {
                    out[[ch, r * h + y, c * 4 * h + 2 * h + x]] = *v;
                }
            }
        }
    }
    eprintln!("{:?} a picture", start.elapsed() / (ids.len() * cams.len()) as u32);
    crate::image_io::write_rgb(Path::new("/tmp/reidsheet.png"), out.view()).unwrap();
}
