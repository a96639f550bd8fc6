//! One module a verb of `dev`.

pub(super) mod serve;
