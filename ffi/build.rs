//! Gives the shared library its SONAME, which `cargo build` leaves out. Its number is that of the ABI.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,librollkeeper.so.1");
    }
}
