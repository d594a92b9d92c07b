//! The pure function `analyze`.
