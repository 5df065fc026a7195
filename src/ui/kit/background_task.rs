//! Work beside the window: a thread that takes one order at a time and answers it.
//!
//! Guarantees: the window never waits; while one order is worked on no other is taken, so that a view may ask in every frame
//! and asks for what is wanted by then. The thread ends when this is dropped, after what it has in hand.

use crossbeam_channel::{Receiver, Sender, bounded};

/// The thread, as a view holds it.
pub struct Aside<I, O> {
    orders: Sender<I>,
    answers: Receiver<O>,
    waiting: bool,
}

impl<I: Send + 'static, O: Send + 'static> Aside<I, O> {
    /// Starts the thread; `wake` is called with each answer.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(
        name: &str,
        mut work: impl FnMut(I) -> O + Send + 'static,
        wake: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = bounded::<I>(1);
        let (outbox, answers) = bounded(1);
        let run = move || {
            for order in inbox {
                if outbox.send(work(order)).is_err() {
                    return;
                }
                wake();
            }
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self { orders, answers, waiting: false })
    }

    /// The answer to the last order, once.
    pub fn answer(&mut self) -> Option<O> {
        let answer = self.answers.try_recv().ok()?;
        self.waiting = false;
        Some(answer)
    }

    /// Whether an order is being worked on.
    pub fn is_busy(&self) -> bool {
        self.waiting
    }

    /// Gives an order, unless one is being worked on; whether it was taken.
    pub fn order(&mut self, order: I) -> bool {
        let taken = !self.waiting && self.orders.try_send(order).is_ok();
        self.waiting |= taken;
        taken
    }
}
