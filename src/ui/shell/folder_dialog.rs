//! Opens the dialogs that choose a folder or a file without blocking the window.
//!
//! The dialog belongs to another program (the desktop's portal), and may take minutes or never return; a separate thread waits
//! for it, and the window polls that thread in each frame. Where no portal runs the dialog returns no path, and the text field
//! beside the button takes the path instead.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// A dialog that is open.
#[derive(Debug)]
pub struct FolderDialog {
    answer: Receiver<Option<PathBuf>>,
}

impl FolderDialog {
    /// Opens a folder dialog with this title; `wake` is called when it returns.
    pub fn open(title: &str, wake: crate::worker::Waker) -> std::io::Result<Self> {
        // Some systems require that it is created on the main thread; only its result is awaited elsewhere.
        Self::wait(rfd::AsyncFileDialog::new().set_title(title).pick_folder(), wake)
    }

    /// Opens a dialog for a file with this extension.
    pub fn file(title: &str, ending: &str, wake: crate::worker::Waker) -> std::io::Result<Self> {
        let dialog = rfd::AsyncFileDialog::new().set_title(title).add_filter(ending, &[ending]);
        Self::wait(dialog.pick_file(), wake)
    }

    fn wait(
        dialog: impl Future<Output = Option<rfd::FileHandle>> + Send + 'static,
        wake: crate::worker::Waker,
    ) -> std::io::Result<Self> {
        Ok(Self { answer: wait(dialog, |path| path, wake)? })
    }

    /// Returns the result, once: `Some(None)` when no path was chosen.
    pub fn poll(&self) -> Option<Option<PathBuf>> {
        match self.answer.try_recv() {
            Ok(folder) => Some(folder),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }
}

/// A dialog for a file.
pub enum FileRequest {
    /// An existing file with this extension.
    Open { title: &'static str, ending: &'static str },
    /// A file to be written, with this default name.
    Save { title: &'static str, name: String },
}

/// Opens a dialog and processes the chosen file on the thread that waits for it.
pub fn ask<T: Send + 'static>(
    request: FileRequest,
    then: impl FnOnce(PathBuf) -> T + Send + 'static,
    wake: crate::worker::Waker,
) -> std::io::Result<Receiver<Option<T>>> {
    match request {
        FileRequest::Open { title, ending } => {
            let dialog = rfd::AsyncFileDialog::new().set_title(title).add_filter(ending, &[ending]);
            wait(dialog.pick_file(), then, wake)
        }
        FileRequest::Save { title, name } => {
            wait(rfd::AsyncFileDialog::new().set_title(title).set_file_name(name).save_file(), then, wake)
        }
    }
}

fn wait<T: Send + 'static>(
    dialog: impl Future<Output = Option<rfd::FileHandle>> + Send + 'static,
    then: impl FnOnce(PathBuf) -> T + Send + 'static,
    wake: crate::worker::Waker,
) -> std::io::Result<Receiver<Option<T>>> {
    let (send, answer) = bounded(1);
    let wait = move || {
        let chosen = block_on(dialog).map(|file| then(file.path().to_owned()));
        // The receiver is gone if the window has closed; then the result does not matter.
        let _ = send.send(chosen);
        wake();
    };
    std::thread::Builder::new().name("folder dialog".to_owned()).spawn(wait)?;
    Ok(answer)
}

/// Runs a future to completion on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake};
    use std::thread::Thread;

    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
