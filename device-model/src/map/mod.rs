//! Maps: what they hold (`table`, `index`), when things happen to them (`unit`), how a context talks to them (`port`), and the
//! user's side (`control`).

pub(crate) mod control;
pub(crate) mod index;
pub(crate) mod port;
pub(crate) mod table;
pub(crate) mod unit;
