//! Printing that ends quietly when nobody reads on, as in `spendstream report | head`; the standard macros panic.

use std::io::{ErrorKind, Write};

/// Writes to standard output. A reader that has gone ends the process; no command changes anything after it has begun to print.
/// So does an output that cannot be written, such as a full disk, with an error.
pub fn write(text: std::fmt::Arguments<'_>) {
    end_unless(std::io::stdout().write_fmt(text));
}

/// As [`write()`], of bytes.
pub fn write_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    end_unless(out.write_all(bytes).and_then(|()| out.flush()));
}

fn end_unless(written: std::io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("spendstream: write to standard output: {error}");
            std::process::exit(1);
        }
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
