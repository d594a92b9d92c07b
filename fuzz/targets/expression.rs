//! Text → compile → evaluate.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rollkeeper::Timestamp;
use rollkeeper::expression::{Expression, Inputs, Variable};
use rollkeeper_fuzz::{account, bounded, user};

fuzz_target!(|text: &str| {
    let (user, account) = (user(), account());
    let inputs = Inputs { current: Some(&account), token: "2", iteration: 1, ..Inputs::new(&user, Timestamp::default()) };
    bounded(|| {
        if let Ok(expression) = Expression::compile(text, &Variable::ALL) {
            let first = expression.evaluate(&inputs);
            assert_eq!(first, expression.evaluate(&inputs), "the same record gives the same value");
        }
    });
});
