//! The C ABI: every verb of the engine as a C function, with the header `include/rollkeeper.h` made from this crate.
//!
//! Each function checks its arguments, enters the engine, calls one verb and turns the outcome into a status. It holds
//! no logic of its own. The conventions are told once, at the top of the header (`ffi/cbindgen.toml`). All unsafe code
//! of the product is here: raw pointers are read and written in `boundary`, `table` and `context`, and every
//! exported function states in `# Safety` what its caller promises.

#![expect(unsafe_code, reason = "a C ABI takes raw pointers; the rest of the product forbids unsafe code")]

mod boundary;
mod context;
mod failure;
mod filter;
mod handle;
mod impact;
mod iterator;
mod reply;
mod table;

mod analyze;
mod apps;
mod connector;
mod credentials;
mod evidence;
mod holds;
mod mapping;
mod open;
mod pure;
mod reconciliations;
mod requests;
mod schema;
mod status;
mod testing;
mod transport;
mod users;
mod version;
mod work;

// The C interface is:
pub use analyze::*;
pub use apps::*;
pub use boundary::rollkeeper_string_free;
pub use connector::*;
pub use context::{Clock, Log, Secrets};
pub use credentials::*;
pub use evidence::*;
pub use failure::*;
pub use handle::{EngineHandle, rollkeeper_engine_free};
pub use holds::*;
pub use impact::*;
pub use iterator::{IteratorHandle, rollkeeper_iterator_free, rollkeeper_iterator_next};
pub use mapping::*;
pub use open::*;
pub use pure::*;
pub use reconciliations::*;
pub use reply::*;
pub use requests::*;
pub use schema::*;
pub use status::*;
pub use testing::*;
pub use transport::TransportTable;
pub use users::*;
pub use version::*;
pub use work::*;
