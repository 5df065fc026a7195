//! Choosing a folder or a file without stopping the window.
//!
//! The dialog is another program's (the desktop's portal), and may take minutes or never answer; a thread of its own waits
//! for it, and the window asks that thread in each frame. Where no portal runs nothing is chosen, and the text field beside
//! the button takes the path instead.

use std::path::PathBuf;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

/// A dialog that is open.
#[derive(Debug)]
pub struct FolderDialog {
    answer: Receiver<Option<PathBuf>>,
}

impl FolderDialog {
    /// Opens it under this title; `wake` is called when there is an answer.
    pub fn open(title: &str, wake: crate::worker::Waker) -> std::io::Result<Self> {
        // Made here, as some systems demand of the main thread; only its answer is awaited elsewhere.
        Self::wait(rfd::AsyncFileDialog::new().set_title(title).pick_folder(), wake)
    }

    /// The same of a file whose name ends so.
    pub fn file(title: &str, ending: &str, wake: crate::worker::Waker) -> std::io::Result<Self> {
        let dialog = rfd::AsyncFileDialog::new().set_title(title).add_filter(ending, &[ending]);
        Self::wait(dialog.pick_file(), wake)
    }

    fn wait(
        asked: impl Future<Output = Option<rfd::FileHandle>> + Send + 'static,
        wake: crate::worker::Waker,
    ) -> std::io::Result<Self> {
        let (send, answer) = bounded(1);
        let wait = move || {
            let folder = block_on(asked).map(|folder| folder.path().to_owned());
            // Nobody listens when the window has gone; then the answer does not matter.
            let _ = send.send(folder);
            wake();
        };
        std::thread::Builder::new().name("folder dialog".to_owned()).spawn(wait)?;
        Ok(Self { answer })
    }

    /// The answer, once: `Some(None)` when nothing was chosen.
    pub fn poll(&self) -> Option<Option<PathBuf>> {
        match self.answer.try_recv() {
            Ok(folder) => Some(folder),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }
}

/// Waits for a future on this thread.
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
