//! 01xx and 02xx: the ELF object and its BTF.

crate::codes::codes! {
    NOT_AN_OBJECT = 0101, "not a BPF object";
}
