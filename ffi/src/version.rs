//! Which version of the library a program was compiled against, and which one it runs with.

use std::ffi::{CStr, c_char};

/// The version as one number: major × 1,000,000 + minor × 1,000 + patch.
pub const ROLLKEEPER_VERSION_NUMBER: u32 = 1000;
/// The version of the binary interface. It rises on any break; from version 1.0 on the interface only grows.
pub const ROLLKEEPER_ABI_VERSION: u32 = 1;

/// The version of the library at run time, as static text.
#[unsafe(no_mangle)]
pub extern "C" fn rollkeeper_version() -> *const c_char {
    const TEXT: &CStr = c"0.1.0";
    TEXT.as_ptr()
}

/// The version of the library at run time, as ROLLKEEPER_VERSION_NUMBER.
#[unsafe(no_mangle)]
pub extern "C" fn rollkeeper_version_number() -> u32 {
    ROLLKEEPER_VERSION_NUMBER
}

/// The version of the binary interface at run time. A program that loads the library dynamically compares it with
/// ROLLKEEPER_ABI_VERSION before anything else.
#[unsafe(no_mangle)]
pub extern "C" fn rollkeeper_abi_version() -> u32 {
    ROLLKEEPER_ABI_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_that_of_the_package() {
        let mut parts = env!("CARGO_PKG_VERSION").split('.').map(|part| part.parse::<u32>().unwrap());
        let number = parts.next().unwrap() * 1_000_000 + parts.next().unwrap() * 1000 + parts.next().unwrap();
        assert_eq!(ROLLKEEPER_VERSION_NUMBER, number);
        let declared = format!("#define ROLLKEEPER_VERSION \"{}\"", env!("CARGO_PKG_VERSION"));
        assert!(include_str!("../cbindgen.toml").contains(&declared));
        // SAFETY: the function gives static text that ends with NUL.
        assert_eq!(unsafe { CStr::from_ptr(rollkeeper_version()) }.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}
