//! Reads tensors into host memory. No other file does (`tests/suite/house.rs`): a read from a graphics card makes the processor
//! wait for everything that the card was given before, so the number of reads is what a kernel or a step on it is held to.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::{Device, Tensor, TensorData, Transaction};

use super::device::is_host;

thread_local! {
    static READS: Cell<u64> = const { Cell::new(0) };
}

/// Returns the number of times that this thread has waited for a tensor from a device other than the host.
pub fn device_reads() -> u64 {
    READS.get()
}

/// Returns the values of a tensor, row-major.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    count_read(&tensor.device());
    values(tensor.into_data())
}

/// Returns the values of several tensors of one device, which are read together.
pub fn read_all<const D: usize>(tensors: Vec<Tensor<D>>) -> Vec<Vec<f32>> {
    let Some(first) = tensors.first() else { return Vec::new() };
    let device = first.device();
    if is_host(&device) {
        return tensors.into_iter().map(|tensor| values(tensor.into_data())).collect();
    }
    count_read(&device);
    each_read(transaction(tensors).execute(), values)
}

/// Returns the same tensor in host memory.
pub fn on_host<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if is_host(&tensor.device()) {
        return tensor;
    }
    let shape = tensor.dims();
    Tensor::from_data(TensorData::new(read(tensor), shape), &Device::flex())
}

/// Tensors of a device that are on their way to host memory: whoever waits for them waits for what the device was given before
/// they were asked for, and not for what it was given since.
pub struct PendingRead(Option<Reading>);

/// What was read, or why it could not be.
type Outcome = Result<Vec<TensorData>, String>;

enum Reading {
    Done(Outcome),
    Under(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

impl PendingRead {
    /// Asks for these tensors, of a device other than the host.
    pub fn of<const D: usize>(tensors: Vec<Tensor<D>>) -> Self {
        let reading = transaction(tensors).execute_async();
        let mut reading = Box::pin(async { reading.await.map_err(|err| format!("{err:?}")) });
        // The first poll puts the copies into the device's queue.
        Self(Some(match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Reading::Done(outcome),
            Poll::Pending => Reading::Under(reading),
        }))
    }

    /// Waits for the values of each tensor, row-major.
    pub fn wait(mut self) -> Vec<Vec<f32>> {
        READS.set(READS.get() + 1);
        let reading = self.0.take().expect("it is waited for once");
        each_read(reading.wait().expect("the device gives back what it was given"), values)
    }
}

impl Reading {
    fn wait(self) -> Outcome {
        match self {
            Self::Done(outcome) => outcome,
            Self::Under(reading) => pollster::block_on(reading),
        }
    }
}

impl Drop for PendingRead {
    // The device would fail at the next read if its memory were still held for one that nobody waits for.
    fn drop(&mut self) {
        let left = self.0.take();
        // A lost device says so to whoever uses it next.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if let Some(Ok(sent)) = left.map(Reading::wait) {
                each_read(sent, drop);
            }
        }));
    }
}

fn transaction<const D: usize>(tensors: Vec<Tensor<D>>) -> Transaction {
    tensors.into_iter().fold(Transaction::default(), Transaction::register)
}

/// Returns what `of` makes of each of them. Letting go of what a device has sent panics if the device was lost since; a second
/// panic while the first one unwinds would end the program, so all but the first are held back.
pub fn each_read<T, R>(sent: Vec<T>, of: impl Fn(T) -> R) -> Vec<R> {
    let made: Vec<_> = sent.into_iter().map(|one| catch_unwind(AssertUnwindSafe(|| of(one)))).collect();
    made.into_iter().map(|made| made.unwrap_or_else(|lost| resume_unwind(lost))).collect()
}

fn count_read(device: &Device) {
    if !is_host(device) {
        READS.set(READS.get() + 1);
    }
}

fn values(data: TensorData) -> Vec<f32> {
    data.try_into_vec_as().expect("the tensors of this program that are read are of 32-bit floats")
}
