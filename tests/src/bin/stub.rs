//! Runs the SCIM stub by itself: prints its port in one line and serves until standard input is closed.
//!
//! `stub [--generated N] [--duplicates] [--page N] [--pages FILE]`

use rollkeeper_tests::stub::{Options, Stub};
use std::io::{self, Read, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut options = Options::default();
    let mut pages = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().ok_or_else(|| format!("`{argument}` needs a number"));
        match argument.as_str() {
            "--generated" => options.generated = number()?.parse()?,
            "--page" => options.page = number()?.parse()?,
            "--pages" => pages = Some(arguments.next().ok_or("`--pages` needs a file")?),
            "--duplicates" => options.unique = false,
            _ => return Err(format!("unknown argument `{argument}`").into()),
        }
    }
    let pages = pages.map(std::fs::read_to_string).transpose()?.unwrap_or_default();
    let stub = Stub::start_with(options, pages.lines().map(str::to_owned).collect())?;
    drop(pages);
    writeln!(io::stdout(), "{}", stub.port())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
