// Generated from hw/spec by `cargo xtask codegen`; do not edit.

use super::enums::{AluOp, Base, CmpOp, RequestOp, Space, Src, StoreOp};
use crate::Target;

/// One decoded word. The default is all zeros: a word that does nothing and goes on at address 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
    /// Unit `read`, field `ra:6`, bits 287 to 282.
    pub ra: u8,
    /// Unit `read`, field `rb:6`, bits 281 to 276.
    pub rb: u8,
    /// Unit `read`, field `rc:6`, bits 275 to 270.
    pub rc: u8,
    /// Unit `guard`, field `g_en:1`, bits 269 to 269.
    pub g_en: bool,
    /// Unit `guard`, field `g_base:Base`, bits 268 to 267.
    pub g_base: Base,
    /// Unit `guard`, field `g_len:10`, bits 266 to 257.
    pub g_len: u16,
    /// Unit `load`, field `ld_space:Space`, bits 256 to 255.
    pub ld_space: Space,
    /// Unit `load`, field `ld_base:Base`, bits 254 to 253.
    pub ld_base: Base,
    /// Unit `load`, field `ld_off:10s`, bits 252 to 243.
    pub ld_off: i16,
    /// Unit `load`, field `ld_dismiss:1`, bits 242 to 242.
    pub ld_dismiss: bool,
    /// Unit `load`, field `x0_delta:4`, bits 241 to 238.
    pub x0_delta: u8,
    /// Unit `load`, field `x0_size:4`, bits 237 to 234.
    pub x0_size: u8,
    /// Unit `load`, field `x0_swap:1`, bits 233 to 233.
    pub x0_swap: bool,
    /// Unit `load`, field `x1_delta:4`, bits 232 to 229.
    pub x1_delta: u8,
    /// Unit `load`, field `x1_size:4`, bits 228 to 225.
    pub x1_size: u8,
    /// Unit `load`, field `x1_swap:1`, bits 224 to 224.
    pub x1_swap: bool,
    /// Unit `alu1`, field `a1_op:Alu`, bits 223 to 219.
    pub a1_op: AluOp,
    /// Unit `alu1`, field `a1_w:1`, bits 218 to 218.
    pub a1_w: bool,
    /// Unit `alu1`, field `a1_a:Src`, bits 217 to 214.
    pub a1_a: Src,
    /// Unit `alu1`, field `a1_b:Src`, bits 213 to 210.
    pub a1_b: Src,
    /// Unit `alu2`, field `a2_op:Alu`, bits 209 to 205.
    pub a2_op: AluOp,
    /// Unit `alu2`, field `a2_w:1`, bits 204 to 204.
    pub a2_w: bool,
    /// Unit `alu2`, field `a2_a:Src`, bits 203 to 200.
    pub a2_a: Src,
    /// Unit `alu2`, field `a2_b:Src`, bits 199 to 196.
    pub a2_b: Src,
    /// Unit `compare1`, field `c1_op:Cmp`, bits 195 to 192.
    pub c1_op: CmpOp,
    /// Unit `compare1`, field `c1_w:1`, bits 191 to 191.
    pub c1_w: bool,
    /// Unit `compare1`, field `c1_a:Src`, bits 190 to 187.
    pub c1_a: Src,
    /// Unit `compare1`, field `c1_b:Src`, bits 186 to 183.
    pub c1_b: Src,
    /// Unit `compare2`, field `c2_op:Cmp`, bits 182 to 179.
    pub c2_op: CmpOp,
    /// Unit `compare2`, field `c2_w:1`, bits 178 to 178.
    pub c2_w: bool,
    /// Unit `compare2`, field `c2_a:Src`, bits 177 to 174.
    pub c2_a: Src,
    /// Unit `compare2`, field `c2_b:Src`, bits 173 to 170.
    pub c2_b: Src,
    /// Unit `store`, field `st_op:StoreOp`, bits 169 to 167.
    pub st_op: StoreOp,
    /// Unit `store`, field `st_space:Space`, bits 166 to 165.
    pub st_space: Space,
    /// Unit `store`, field `st_base:Base`, bits 164 to 163.
    pub st_base: Base,
    /// Unit `store`, field `st_off:10s`, bits 162 to 153.
    pub st_off: i16,
    /// Unit `store`, field `st_kill1:1`, bits 152 to 152.
    pub st_kill1: bool,
    /// Unit `store`, field `st_kill2:1`, bits 151 to 151.
    pub st_kill2: bool,
    /// Unit `store`, field `s0_delta:4`, bits 150 to 147.
    pub s0_delta: u8,
    /// Unit `store`, field `s0_size:4`, bits 146 to 143.
    pub s0_size: u8,
    /// Unit `store`, field `s0_src:Src`, bits 142 to 139.
    pub s0_src: Src,
    /// Unit `store`, field `s0_swap:1`, bits 138 to 138.
    pub s0_swap: bool,
    /// Unit `store`, field `s1_delta:4`, bits 137 to 134.
    pub s1_delta: u8,
    /// Unit `store`, field `s1_size:4`, bits 133 to 130.
    pub s1_size: u8,
    /// Unit `store`, field `s1_src:Src`, bits 129 to 126.
    pub s1_src: Src,
    /// Unit `store`, field `s1_swap:1`, bits 125 to 125.
    pub s1_swap: bool,
    /// Unit `write`, field `w0_src:Src`, bits 124 to 121.
    pub w0_src: Src,
    /// Unit `write`, field `w0_reg:3`, bits 120 to 118.
    pub w0_reg: u8,
    /// Unit `write`, field `w1_src:Src`, bits 117 to 114.
    pub w1_src: Src,
    /// Unit `write`, field `w1_reg:3`, bits 113 to 111.
    pub w1_reg: u8,
    /// Unit `immediate`, field `i0:16s`, bits 110 to 95.
    pub i0: i16,
    /// Unit `immediate`, field `i1:16s`, bits 94 to 79.
    pub i1: i16,
    /// Unit `request`, field `q_op:RequestOp`, bits 78 to 73.
    pub q_op: RequestOp,
    /// Unit `request`, field `q_map:8`, bits 72 to 65.
    pub q_map: u8,
    /// Unit `request`, field `q_kspace:Space`, bits 64 to 63.
    pub q_kspace: Space,
    /// Unit `request`, field `q_kbase:Base`, bits 62 to 61.
    pub q_kbase: Base,
    /// Unit `request`, field `q_koff:10s`, bits 60 to 51.
    pub q_koff: i16,
    /// Unit `request`, field `q_vspace:Space`, bits 50 to 49.
    pub q_vspace: Space,
    /// Unit `request`, field `q_vsrc:Src`, bits 48 to 45.
    pub q_vsrc: Src,
    /// Unit `request`, field `q_dst:4`, bits 44 to 41.
    pub q_dst: u8,
    /// Unit `request`, field `q_null:1`, bits 40 to 40.
    pub q_null: bool,
    /// Unit `target`, field `t1:Target`, bits 39 to 27.
    pub t1: Target,
    /// Unit `target`, field `t2:Target`, bits 26 to 14.
    pub t2: Target,
    /// Unit `target`, field `next:Target`, bits 13 to 1.
    pub next: Target,
}
