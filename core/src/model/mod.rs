//! Records: plain data, with the shape in which they are stored and shown.

mod app;

pub use app::*;
