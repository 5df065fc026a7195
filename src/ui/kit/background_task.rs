//! Background threads of the window: one that does one job after the other, and what views build on it.
//!
//! Guarantees: the window never waits; while one request is worked on no other is taken, so that a view may ask in every frame and
//! the latest request is the one that is worked on next. A thread ends when its handle is dropped, after the job that it is on.

use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, bounded};

/// A thread that takes one request at a time and returns the response over a channel.
pub struct BackgroundThread<Request, Response> {
    requests: Sender<Request>,
    responses: Receiver<Response>,
    busy: bool,
}

impl<Request: Send + 'static, Response: Send + 'static> BackgroundThread<Request, Response> {
    /// Starts the thread; `wake` is called with each response.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        name: &str,
        mut work: impl FnMut(Request) -> Response + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (requests, inbox) = bounded::<Request>(1);
        let (outbox, responses) = bounded(1);
        let run = move || {
            for request in inbox {
                if outbox.send(work(request)).is_err() {
                    return;
                }
                wake();
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { requests, responses, busy: false })
    }

    /// The response to the last request, once.
    pub fn response(&mut self) -> Option<Response> {
        let response = self.responses.try_recv().ok()?;
        self.busy = false;
        Some(response)
    }

    /// Whether a request is being worked on.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Gives a request, unless one is being worked on; whether it was taken.
    pub fn request(&mut self, request: Request) -> bool {
        let taken = !self.busy && self.requests.try_send(request).is_ok();
        self.busy |= taken;
        taken
    }
}

/// What a view computes on a thread of its own: the last responses, each under the key that says what it is the response to.
///
/// Guarantees: the thread starts when the view is first drawn; a response is kept until `keep` others were wanted after it; once
/// the task was [`reset`](Self::reset), nothing of what was asked for before is seen.
pub struct BackgroundTask<Key, Request, Response> {
    name: &'static str,
    keep: usize,
    thread: Option<BackgroundThread<(Key, Request), (Key, Response)>>,
    /// The one that was wanted last first.
    known: VecDeque<(Key, Response)>,
}

impl<Key, Request, Response> BackgroundTask<Key, Request, Response>
where
    Key: Clone + PartialEq + Send + 'static,
    Request: Send + 'static,
    Response: Send + 'static,
{
    /// A task that keeps so many responses, whose thread will have this name.
    pub fn new(name: &'static str, keep: usize) -> Self {
        Self { name, keep, thread: None, known: VecDeque::new() }
    }

    /// Starts the thread, unless it runs; each response repaints the window of `ctx`.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        &mut self,
        ctx: &egui::Context,
        mut work: impl FnMut(&Key, Request) -> Response + Send + 'static,
    ) -> std::io::Result<()> {
        if self.thread.is_none() {
            let ctx = ctx.clone();
            let work = move |(key, request)| {
                let response = work(&key, request);
                (key, response)
            };
            self.thread = Some(BackgroundThread::start(self.name, work, move || ctx.request_repaint())?);
        }
        Ok(())
    }

    /// The response to this key, if it is known; else asks for it, unless the thread is at work on another: then the next call
    /// does.
    pub fn get(&mut self, key: &Key, request: impl FnOnce() -> Request) -> Option<&Response> {
        let thread = self.thread.as_mut()?;
        if let Some(response) = thread.response() {
            self.known.push_front(response);
            self.known.truncate(self.keep);
        }
        match self.known.iter().position(|(known, _)| known == key) {
            Some(place) => self.known.make_contiguous()[..=place].rotate_right(1),
            None => {
                if !thread.is_busy() {
                    thread.request((key.clone(), request()));
                }
                return None;
            }
        }
        self.known.front().map(|(_, response)| response)
    }

    /// All responses that are kept, with their keys, the one that was wanted last first.
    pub fn known(&self) -> impl Iterator<Item = &(Key, Response)> {
        self.known.iter()
    }

    /// Forgets all responses and the one that is being worked on, as another run begins.
    pub fn reset(&mut self) {
        self.thread = None;
        self.known.clear();
    }
}
