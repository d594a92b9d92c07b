//! The delivery protocol, as far as it decides: whether a request may be sent, what came of it, what follows, and from when
//! on anything can be believed. Pure; `core/docs/delivery.md` tells it as a whole, and the model check
//! (`core/tests/model_check.rs`) explores it with these very functions.

mod answer;
mod clock;
mod removal;
mod send;

pub use answer::{
    After, Answer, Facts, GHOST_LOOKS, GHOST_WAIT, Then, after_answer, after_interruption, ends_uncertain, way_on,
};
pub use clock::{Guard, Reference, Turn};
pub use removal::{Confirmed, Doubt, after_removal, doubtful_until};
pub use send::{
    Call, Due, Look, Means, SEND_WINDOW, SKEW, Step, Window, before_send, create_look, is_current, may_send,
    raises_access, window,
};
