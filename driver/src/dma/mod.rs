//! Memory that the device may use.
//!
//! A [`DmaSpace`] belongs to one transport: it hands out device addresses and maps memory there. A [`DmaBuf`] is such memory. It is
//! never a slice: the device may write at any moment, so bytes are copied and words are read and written with order.

mod buf;
mod iova;

pub use buf::{DmaBuf, DmaSpace, Pages};
pub use iova::IovaAllocator;
