//! A font of 5 × 7 dots: enough to label pictures, and nothing to install.

use image::{Rgb, RgbImage};

/// Dots of a glyph, and of the step from one to the next.
const WIDTH: u32 = 5;
const ADVANCE: u32 = WIDTH + 1;

/// Height of a line of text at scale 1.
pub(crate) const HEIGHT: u32 = 7;

/// Width of `text`; every dot is a square of `scale` pixels.
pub(crate) fn text_width(text: &str, scale: u32) -> u32 {
    (text.chars().count() as u32 * ADVANCE).saturating_sub(1) * scale
}

/// Writes `text` with its upper left corner at (x, y), as far as `right`; lower case becomes upper case.
pub(crate) fn write(
    picture: &mut RgbImage,
    text: &str,
    (x, y): (u32, u32),
    right: u32,
    scale: u32,
    ink: Rgb<u8>,
) {
    let right = right.min(picture.width());
    for (index, letter) in text.chars().enumerate() {
        let left = x + index as u32 * ADVANCE * scale;
        for (row, dots) in glyph(letter).split(' ').enumerate() {
            for (column, _) in dots.bytes().enumerate().filter(|&(_, dot)| dot == b'1') {
                let (dot_x, dot_y) = (left + column as u32 * scale, y + row as u32 * scale);
                for py in dot_y..(dot_y + scale).min(picture.height()) {
                    for px in dot_x..(dot_x + scale).min(right) {
                        picture.put_pixel(px, py, ink);
                    }
                }
            }
        }
    }
}

/// Seven rows of five dots, from the top; a box for what the font lacks.
fn glyph(letter: char) -> &'static str {
    match letter.to_ascii_uppercase() {
        'A' => "01110 10001 10001 11111 10001 10001 10001",
        'B' => "11110 10001 10001 11110 10001 10001 11110",
        'C' => "01110 10001 10000 10000 10000 10001 01110",
        'D' => "11100 10010 10001 10001 10001 10010 11100",
        'E' => "11111 10000 10000 11110 10000 10000 11111",
        'F' => "11111 10000 10000 11110 10000 10000 10000",
        'G' => "01110 10001 10000 10111 10001 10001 01111",
        'H' => "10001 10001 10001 11111 10001 10001 10001",
        'I' => "01110 00100 00100 00100 00100 00100 01110",
        'J' => "00111 00010 00010 00010 00010 10010 01100",
        'K' => "10001 10010 10100 11000 10100 10010 10001",
        'L' => "10000 10000 10000 10000 10000 10000 11111",
        'M' => "10001 11011 10101 10101 10001 10001 10001",
        'N' => "10001 11001 10101 10101 10011 10001 10001",
        'O' => "01110 10001 10001 10001 10001 10001 01110",
        'P' => "11110 10001 10001 11110 10000 10000 10000",
        'Q' => "01110 10001 10001 10001 10101 10010 01101",
        'R' => "11110 10001 10001 11110 10100 10010 10001",
        'S' => "01111 10000 10000 01110 00001 00001 11110",
        'T' => "11111 00100 00100 00100 00100 00100 00100",
        'U' => "10001 10001 10001 10001 10001 10001 01110",
        'V' => "10001 10001 10001 10001 01010 01010 00100",
        'W' => "10001 10001 10001 10101 10101 11011 10001",
        'X' => "10001 10001 01010 00100 01010 10001 10001",
        'Y' => "10001 10001 01010 00100 00100 00100 00100",
        'Z' => "11111 00001 00010 00100 01000 10000 11111",
        '0' => "01110 10001 10011 10101 11001 10001 01110",
        '1' => "00100 01100 00100 00100 00100 00100 01110",
        '2' => "01110 10001 00001 00110 01000 10000 11111",
        '3' => "11110 00001 00001 01110 00001 00001 11110",
        '4' => "00010 00110 01010 10010 11111 00010 00010",
        '5' => "11111 10000 11110 00001 00001 10001 01110",
        '6' => "00110 01000 10000 11110 10001 10001 01110",
        '7' => "11111 00001 00010 00100 01000 01000 01000",
        '8' => "01110 10001 10001 01110 10001 10001 01110",
        '9' => "01110 10001 10001 01111 00001 00010 01100",
        ' ' => "00000 00000 00000 00000 00000 00000 00000",
        '.' => "00000 00000 00000 00000 00000 01100 01100",
        ',' => "00000 00000 00000 00000 01100 00100 01000",
        ':' => "00000 01100 01100 00000 01100 01100 00000",
        '-' => "00000 00000 00000 11111 00000 00000 00000",
        '+' => "00000 00100 00100 11111 00100 00100 00000",
        '=' => "00000 00000 11111 00000 11111 00000 00000",
        '/' => "00001 00001 00010 00100 01000 10000 10000",
        '(' => "00010 00100 01000 01000 01000 00100 00010",
        ')' => "01000 00100 00010 00010 00010 00100 01000",
        '<' => "00010 00100 01000 10000 01000 00100 00010",
        '>' => "01000 00100 00010 00001 00010 00100 01000",
        '%' => "11000 11001 00010 00100 01000 10011 00011",
        '#' => "01010 01010 11111 01010 11111 01010 01010",
        '_' => "00000 00000 00000 00000 00000 00000 11111",
        '?' => "01110 10001 00001 00110 00100 00000 00100",
        '✓' => "00000 00001 00011 10010 10110 11100 01000",
        '✗' => "10001 11011 01110 00100 01110 11011 10001",
        _ => "11111 10001 10001 10001 10001 10001 11111",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_are_complete_and_distinct() {
        let letters: Vec<char> =
            ('A'..='Z').chain('0'..='9').chain(" .,:-+=/()<>%#_?✓✗\u{fffd}".chars()).collect();
        for (i, &letter) in letters.iter().enumerate() {
            let rows: Vec<&str> = glyph(letter).split(' ').collect();
            assert_eq!(rows.len(), HEIGHT as usize, "{letter}");
            assert!(rows.iter().all(|row| row.len() == WIDTH as usize), "{letter}");
            let twin = letters[..i].iter().find(|&&other| glyph(other) == glyph(letter));
            assert_eq!(twin, None, "{letter} looks like another glyph");
        }
    }

    #[test]
    fn text_fills_its_width_and_stops_at_the_right() {
        let blank = RgbImage::from_pixel(40, 20, Rgb([255; 3]));
        let ink = |right: u32| {
            let mut page = blank.clone();
            write(&mut page, "hh", (3, 2), right, 2, Rgb([0; 3]));
            page.enumerate_pixels()
                .filter(|(_, _, p)| p.0 == [0; 3])
                .map(|(x, y, _)| (x, y))
                .collect::<Vec<_>>()
        };
        let all = ink(40);
        assert_eq!(all.len(), 2 * 17 * 4, "an H has 17 dots");
        assert_eq!(all.iter().map(|p| p.0).max(), Some(3 + text_width("hh", 2) - 1));
        assert_eq!(all.iter().map(|p| p.1).max(), Some(2 + 7 * 2 - 1));
        assert_eq!(ink(13).len(), 17 * 4, "the second letter lies beyond the right edge");
        assert_eq!(text_width("", 2), 0);
    }
}
