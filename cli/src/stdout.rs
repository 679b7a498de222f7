//! Printing that ends quietly when nobody reads on, as in `spendstream report | head`; the standard macros panic.

use std::io::{ErrorKind, Write};

/// Writes to standard output. A reader that has gone ends the process; no command changes anything after it has begun to print.
///
/// # Panics
/// When standard output cannot be written for another reason, as the standard macros do.
pub fn write(text: std::fmt::Arguments<'_>) {
    match std::io::stdout().write_fmt(text) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => panic!("failed printing to stdout: {error}"),
    }
}

/// In place of the standard macro, in all modules below.
macro_rules! print {
    ($($text:tt)*) => { $crate::stdout::write(format_args!($($text)*)) };
}

/// In place of the standard macro, in all modules below.
macro_rules! println {
    () => { $crate::stdout::write(format_args!("\n")) };
    ($($text:tt)*) => { $crate::stdout::write(format_args!("{}\n", format_args!($($text)*))) };
}
