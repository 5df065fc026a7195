//! A writer that fails once and is quiet from then on.
//!
//! The library of zip archives finishes one that is let go of half-way, and prints to standard error where that fails too. What
//! comes after the first failure therefore seems to go well; the failure itself has been told by then.

use std::io::{self, Seek, SeekFrom, Write};

/// Passes writes on until one fails, and from then on claims success, so that the zip library prints nothing when it is dropped.
pub(super) struct Hushed<W> {
    inner: W,
    failed: bool,
}

impl<W: Write + Seek> Hushed<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, failed: false }
    }

    fn told<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.failed |= done.is_err();
        done
    }
}

impl<W: Write + Seek> Write for Hushed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Ok(bytes.len());
        }
        let done = self.inner.write(bytes);
        self.told(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed {
            return Ok(());
        }
        let done = self.inner.flush();
        self.told(done)
    }
}

impl<W: Write + Seek> Seek for Hushed<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if self.failed {
            return Ok(0);
        }
        let done = self.inner.seek(to);
        self.told(done)
    }
}
