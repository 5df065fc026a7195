//! Prints to standard output and standard error, either of which may be closed or full: then only the text is lost.
//!
//! Guarantees: no command fails because its output is not read; control characters, which a name from a file may contain,
//! do not reach a terminal. The macros have the names of the standard library's, which panic instead, and replace them in
//! the whole of `cli`.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// True once text for standard output was lost although it is still open.
static LOST: AtomicBool = AtomicBool::new(false);

macro_rules! print {
    ($($words:tt)*) => { $crate::cli::print::out(format_args!($($words)*)) };
}

macro_rules! println {
    ($($words:tt)*) => { $crate::cli::print::out(format_args!("{}\n", format_args!($($words)*))) };
}

macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::print::err(format_args!($($words)*)) };
}

macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::print::err(format_args!("{}\n", format_args!($($words)*))) };
}

/// Prints to standard output.
pub(super) fn out(words: Arguments<'_>) {
    if let Err(err) = write(&mut io::stdout().lock(), words)
        // A reader that closes the pipe needs no more.
        && err.kind() != ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Prints to standard error.
pub(super) fn err(words: Arguments<'_>) {
    // There is no other place to report it.
    let _ = write(&mut io::stderr().lock(), words);
}

/// Returns whether a part of standard output could not be written although it is still open.
pub(super) fn output_was_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn write(to: &mut impl Write, words: Arguments<'_>) -> io::Result<()> {
    to.write_all(plain(&words.to_string()).as_bytes())?;
    to.flush()
}

/// Escapes control characters.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && !matches!(letter, '\n' | '\t') {
            plain.extend(letter.escape_unicode());
        } else {
            plain.push(letter);
        }
    }
    plain
}
