//! Structs that C fills in and that grow at the end: options and tables of functions. Each begins with its own size, by
//! which an older or newer caller is understood.

use crate::boundary::null;
use engine::{Code, Fault};
use std::mem::{MaybeUninit, size_of};

/// A struct that C fills in.
///
/// # Safety
/// The type is `repr(C)`, begins with `struct_size: usize`, and every field may be all zero bytes.
pub(crate) unsafe trait Table: Copy {}

/// Copies what C filled in. Fields that an older caller does not know are zero; a newer caller's further fields must
/// be zero, because what they ask for cannot be given.
///
/// # Safety
/// `pointer` is NULL or leads to as many readable bytes as its first field, a `usize`, says.
pub(crate) unsafe fn read_table<T: Table>(pointer: *const T, least: usize, name: &str) -> Result<T, Fault> {
    if pointer.is_null() {
        return Err(null(name));
    }
    // SAFETY: the caller promises at least the first field; it is aligned because the table is.
    let given = unsafe { pointer.cast::<usize>().read() };
    if given < least {
        let message = format!("`struct_size` of `{name}` is smaller than the smallest version of the struct");
        return Err(Fault::new(Code::InvalidArgument, message).at(name));
    }
    let known = given.min(size_of::<T>());
    let mut table = MaybeUninit::<T>::zeroed();
    // SAFETY: `known` is within both structs, and the caller's is no part of ours.
    unsafe { std::ptr::copy_nonoverlapping(pointer.cast::<u8>(), table.as_mut_ptr().cast::<u8>(), known) };
    for offset in known..given {
        // SAFETY: the caller promises `given` readable bytes.
        if unsafe { pointer.cast::<u8>().add(offset).read() } != 0 {
            let message = format!("`{name}` asks for something that this version of the library does not have");
            return Err(Fault::new(Code::InvalidArgument, message).at(name));
        }
    }
    // SAFETY: a `Table` may be all zero, and what was copied over the zeros came from the same type.
    Ok(unsafe { table.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Known {
        struct_size: usize,
        first: u64,
        second: u64,
    }
    // SAFETY: integers only.
    unsafe impl Table for Known {}

    #[test]
    fn what_an_older_caller_does_not_know_is_zero() {
        let old: [usize; 2] = [16, 7];
        // SAFETY: the array is as long as its first field says.
        let table = unsafe { read_table::<Known>(old.as_ptr().cast(), 16, "known") }.unwrap();
        assert_eq!((table.struct_size, table.first, table.second), (16, 7, 0));
    }

    #[test]
    fn a_newer_caller_is_taken_only_where_it_asks_for_nothing_new() {
        let mut new: [usize; 4] = [32, 7, 8, 0];
        // SAFETY: the array is as long as its first field says.
        assert!(unsafe { read_table::<Known>(new.as_ptr().cast(), 16, "known") }.is_ok());
        new[3] = 1;
        // SAFETY: as above.
        assert!(unsafe { read_table::<Known>(new.as_ptr().cast(), 16, "known") }.is_err());
    }

    #[test]
    fn a_size_that_was_not_set_is_refused() {
        let unset: [usize; 2] = [0, 7];
        // SAFETY: only the first field is read.
        assert!(unsafe { read_table::<Known>(unset.as_ptr().cast(), 16, "known") }.is_err());
    }
}
