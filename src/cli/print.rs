//! Prints to standard output and standard error, of which either may be closed or full: then these words are lost, and nothing else.
//!
//! Guarantees: no command breaks because nobody reads what it says; control characters, which a name out of a file may hold,
//! do not reach a terminal. The macros have the names of the standard library's, which break the program instead, and stand in
//! their place in the whole of `cli`.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether words for standard output were lost though somebody waits for them.
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

/// To standard output.
pub(super) fn out(words: Arguments<'_>) {
    if let Err(err) = write(&mut io::stdout().lock(), words)
        // Whoever closes a pipe has read enough.
        && err.kind() != ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// To standard error.
pub(super) fn err(words: Arguments<'_>) {
    // There is nobody left to tell.
    let _ = write(&mut io::stderr().lock(), words);
}

/// Whether a part of standard output could not be written, though nobody closed it.
pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

fn write(to: &mut impl Write, words: Arguments<'_>) -> io::Result<()> {
    to.write_all(plain(&words.to_string()).as_bytes())?;
    to.flush()
}

/// The text with its control characters spelt out.
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
