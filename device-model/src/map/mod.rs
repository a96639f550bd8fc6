//! Maps: what they hold (`table`) and how it is found (`index` with `pool` and `lru`, `trie`, `ring`), when things happen to them
//! (`unit`: what is on its way; `flags`: of updates; `find`: index banks; `value`: value banks; `lock`), what is told of it
//! (`note`), how a context talks to them (`port`), which of them a program reaches (`view`), and the user's side (`control`,
//! `next`, `outer`).

pub(crate) mod control;
mod find;
pub(crate) mod flags;
pub(crate) mod index;
mod lock;
pub(crate) mod lru;
mod next;
mod note;
mod outer;
pub(crate) mod pool;
pub(crate) mod port;
pub(crate) mod ring;
pub(crate) mod table;
pub(crate) mod trie;
pub(crate) mod unit;
mod value;
pub(crate) mod view;
