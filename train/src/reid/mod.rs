//! Re-identification: training and use of networks that find the pictures of one object.

pub mod losses;
pub mod sheet;
