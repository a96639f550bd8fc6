//! Maps: what they hold (`table`, `index`), when things happen to them (`unit`), how a context talks to them (`port`), and the
//! user's side (`control`).

pub(crate) mod control;
pub(crate) mod index;
pub(crate) mod lru;
pub(crate) mod pool;
pub(crate) mod port;
pub(crate) mod ring;
pub(crate) mod table;
pub(crate) mod trie;
pub(crate) mod unit;
