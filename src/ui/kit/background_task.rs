//! Runs the background threads of the window: a thread that does one job after another, and the cache that views build on
//! it.
//!
//! Guarantees: the window never waits; while one request is processed no other is accepted, so that a view may request in every
//! frame and the latest request is processed next. A thread ends when its handle is dropped, after its current job.

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
    /// When the system cannot create a thread.
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

    /// Returns the response to the last request, once.
    pub fn response(&mut self) -> Option<Response> {
        let response = self.responses.try_recv().ok()?;
        self.busy = false;
        Some(response)
    }

    /// Returns whether a request is being processed.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Submits a request unless one is being processed; returns whether it was accepted.
    pub fn request(&mut self, request: Request) -> bool {
        let taken = !self.busy && self.requests.try_send(request).is_ok();
        self.busy |= taken;
        taken
    }
}

/// A computation of a view on its own thread, with a cache of the last responses by key.
///
/// Guarantees: the thread starts when the view is first drawn; a response stays until `keep` others were requested after it;
/// after a [`reset`](Self::reset) no earlier response appears.
pub struct BackgroundTask<Key, Request, Response> {
    name: &'static str,
    keep: usize,
    thread: Option<BackgroundThread<(Key, Request), (Key, Response)>>,
    /// The cached responses, the most recently requested first.
    known: VecDeque<(Key, Response)>,
}

impl<Key, Request, Response> BackgroundTask<Key, Request, Response>
where
    Key: Clone + PartialEq + Send + 'static,
    Request: Send + 'static,
    Response: Send + 'static,
{
    /// Creates a task that caches `keep` responses, on a thread of this name.
    pub fn new(name: &'static str, keep: usize) -> Self {
        Self { name, keep, thread: None, known: VecDeque::new() }
    }

    /// Starts the thread, unless it runs; each response repaints the window of `ctx`.
    ///
    /// # Errors
    /// When the system cannot create a thread.
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

    /// Returns the response to this key if it is cached; otherwise submits the request, unless the thread is busy, in which case
    /// a later call does.
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

    /// Returns all cached responses with their keys, the most recently requested first.
    pub fn known(&self) -> impl Iterator<Item = &(Key, Response)> {
        self.known.iter()
    }

    /// Clears all responses and discards the one in progress, as another run begins.
    pub fn reset(&mut self) {
        self.thread = None;
        self.known.clear();
    }
}
