//! The extension module `rollkeeper._native`: the engine as Python sees it. The public face is the pure Python package
//! around it (`python/rollkeeper`), which turns what comes back into records and lazy iterators. Everything here is
//! private to that package.
//!
//! One file a subject: `enter` is the one way into the engine (interpreter lock released, Ctrl-C noticed, errors turned
//! into exceptions), `convert` the one way in which documents cross, `connector` the way back out to Python objects.

mod analyze;
mod arguments;
mod callback;
mod connector;
mod convert;
mod engine;
mod enter;
mod errors;
mod impact;
mod mapping;
mod pure;
mod rows;
mod testing;
mod transport;

/// The module's list of contents.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::analyze::{Analysis, analyze};
    #[pymodule_export]
    use crate::engine::Engine;
    #[pymodule_export]
    use crate::enter::_shutdown;
    #[pymodule_export]
    use crate::impact::Impact;
    #[pymodule_export]
    use crate::mapping::Mapping;
    #[pymodule_export]
    use crate::pure::{
        can_change, canonical, check_expression, codes, evaluate, match_accounts, next_state, parse_time, render,
    };
    #[pymodule_export]
    use crate::testing::{MockTarget, VirtualClock, check_connector};
}
