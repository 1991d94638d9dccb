//! Panics of `ort`, which has some for what should not happen (a library without the version it announces, a null pointer),
//! as errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` returns, or the message that it panicked with. Whatever `work` had in its hands must not be used afterwards.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("panic without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_comes_back_as_its_message() {
        assert_eq!(guarded(|| 7), Ok(7));
        assert_eq!(guarded(|| panic!("as it was")), Err::<(), _>("as it was".to_owned()));
        let number = 3;
        assert_eq!(guarded(|| panic!("number {number}")), Err::<(), _>("number 3".to_owned()));
    }
}
