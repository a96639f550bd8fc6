//! Allocated words become an image: addresses, targets, encoding, debug table, cycle budget.

mod budget;
mod dump;
mod layout;

pub use budget::{Bound, bound};
pub use dump::{dump, dump_set};
pub use layout::{Laid, LayoutError, layout};
