//! One HTML file with everything in it: pictures, numbers, style and script.

use super::{BlockView, Explained, base64, numbers};
use crate::picture::heat_colour;
use anyhow::{Context, Result};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;

/// Writes the page; returns its size in bytes.
///
/// # Errors
/// If the file cannot be written.
pub fn write_page(explained: &Explained, path: &Path) -> Result<usize> {
    let page = html(explained)?;
    std::fs::write(path, &page).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(page.len())
}

/// The page. It holds Q, K and V of every block, N·C numbers each, never a map of N × N, and 4·C² numbers of its
/// projections.
fn html(explained: &Explained) -> Result<String> {
    let names = explained.pictures.iter().map(|(name, picture)| (name.as_str(), picture));
    let mut pictures = String::new();
    for (name, picture) in names.chain(explained.saliency.iter().map(|picture| ("saliency", picture))) {
        writeln!(
            pictures,
            r#"<img class="source" alt="{name}" src="data:image/png;base64,{}">"#,
            png(picture)?
        )?;
    }
    // In a script element nothing but its end is special; "<" is the same character for JSON in another spelling.
    let data = data(explained)?.to_string().replace('<', "\\u003c");
    let title = escaped(&format!("What a token attends to: {}", explained.title));
    // The picture's own texts come last, so that nothing in them is taken for a place to fill.
    let mut page = include_str!("page.html").to_owned();
    for (place, content) in [
        ("{{style}}", include_str!("page.css")),
        ("{{script}}", concat!(include_str!("diffusion.js"), include_str!("page.js"))),
        ("{{pictures}}", &pictures),
        ("{{data}}", &data),
        ("{{title}}", &title),
    ] {
        page = page.replacen(place, content, 1);
    }
    Ok(page)
}

/// What the script reads.
fn data(explained: &Explained) -> Result<Value> {
    let blocks: Vec<Value> = explained.blocks.iter().map(block).collect::<Result<_>>()?;
    let scale = (0..=255u8).flat_map(|i| heat_colour(f32::from(i) / 255.0).0);
    let (row, column) = explained.token;
    Ok(json!({
        "title": explained.title,
        "pictures": explained.pictures.iter().map(|(name, _)| json!({ "name": name })).collect::<Vec<_>>(),
        "saliency": explained.saliency.is_some(),
        "prediction": explained.prediction,
        "fusion": explained.fusion.kind,
        "network": explained.cda,
        "token": row * explained.blocks[0].grid[1] + column,
        "scale": scale.map(|byte| format!("{byte:02x}")).collect::<String>(),
        "blocks": blocks,
    }))
}

fn block(view: &BlockView) -> Result<Value> {
    let text = |tensor: &autograd::Var| Ok::<_, anyhow::Error>(base64::of_numbers(&numbers(tensor.value())?));
    let weights: Vec<String> = view.cross.weights.iter().map(text).collect::<Result<_>>()?;
    Ok(json!({
        "name": view.name,
        "note": view.note,
        "pair": view.pair,
        "grid": view.grid,
        "heads": view.r.q.size(1),
        "q_r": text(&view.r.q)?, "k_r": text(&view.r.k)?, "v_r": text(&view.r.v)?,
        "q_d": text(&view.d.q)?, "k_d": text(&view.d.k)?, "v_d": text(&view.d.v)?,
        "weights": weights,
        "bias": text(&view.cross.bias)?,
    }))
}

/// A picture as a PNG in base64.
fn png(picture: &RgbImage) -> Result<String> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(base64::of_bytes(bytes.get_ref()))
}

/// Text as HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
