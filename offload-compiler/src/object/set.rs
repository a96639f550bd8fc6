//! `--set VARIABLE=VALUE`: initial values of global variables, typed by BTF.

use super::data::Variable;
use super::maps::MapTable;
use crate::btf::{Btf, Kind, TypeId};
use offwire_diag::{Diagnostic, codes::object as code};

/// Furthest byte of a section without contents that may be set: `.bss` may be declared with gigabytes.
const MAX_BSS: usize = 1 << 24;

/// Writes the values into the initial contents of the maps.
pub(super) fn apply(
    set: &[(String, String)],
    btf: Option<&Btf<'_>>,
    variables: &[Variable],
    table: &mut MapTable,
) -> Result<(), Diagnostic> {
    for (name, text) in set {
        let btf = btf.ok_or_else(|| {
            Diagnostic::error(code::NO_BTF, format!("`{name}` cannot be set: the object has no BTF"))
                .with_help("build it with `clang -g`")
        })?;
        let variable = find(name, variables)?;
        let bytes = encode(btf, variable.ty, text.trim()).map_err(|reason| {
            Diagnostic::error(code::BAD_VALUE, format!("`{text}` is not a value for `{name}`")).with_reason(reason)
        })?;
        store(table, variable, &bytes).ok_or_else(|| {
            Diagnostic::error(code::BAD_VALUE, format!("`{name}` does not lie inside of its section"))
        })?;
    }
    Ok(())
}

fn find<'v>(name: &str, variables: &'v [Variable]) -> Result<&'v Variable, Diagnostic> {
    let mut found = variables.iter().filter(|variable| variable.name == name);
    match (found.next(), found.next()) {
        (Some(variable), None) => Ok(variable),
        (Some(_), Some(_)) => {
            Err(Diagnostic::error(code::UNKNOWN_VARIABLE, format!("several variables are called `{name}`")))
        }
        (None, _) => {
            let names: Vec<&str> = variables.iter().map(|variable| variable.name.as_str()).take(40).collect();
            let help = match names.as_slice() {
                [] => "the object has no global variables".to_owned(),
                names => format!("its variables: {}", names.join(", ")),
            };
            Err(Diagnostic::error(code::UNKNOWN_VARIABLE, format!("the object has no variable `{name}`"))
                .with_help(help))
        }
    }
}

fn store(table: &mut MapTable, variable: &Variable, bytes: &[u8]) -> Option<()> {
    let index = table.data.get(&variable.section)?.as_ref().ok()?;
    let spec = &mut table.maps.get_mut(usize::from(index.0))?.spec;
    let from = usize::try_from(variable.offset).ok()?;
    let to = from.checked_add(bytes.len())?;
    if to > usize::try_from(spec.value_size).ok()? {
        return None;
    }
    if spec.init.len() < to {
        if to > MAX_BSS {
            return None;
        }
        spec.init.resize(to, 0);
    }
    spec.init.get_mut(from..to)?.copy_from_slice(bytes);
    Some(())
}

/// A decimal or hexadecimal number, with sign.
fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(|first: char| first.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits.parse::<u64>().ok()?,
    };
    let magnitude = i128::from(magnitude);
    Some(if negative { magnitude.checked_neg()? } else { magnitude })
}

fn encode(btf: &Btf<'_>, ty: TypeId, text: &str) -> Result<Vec<u8>, String> {
    let ty = btf.resolve(ty).ok_or("its type cannot be read")?;
    let size = ty.own_size().unwrap_or(0);
    let (value, signed, is_bool) = match ty.kind {
        Kind::Int => {
            let (signed, _, is_bool, ..) = btf.int(&ty).ok_or("its type cannot be read")?;
            let value = match text {
                "true" if is_bool => Some(1),
                "false" if is_bool => Some(0),
                text => number(text),
            };
            (value, signed, is_bool)
        }
        Kind::Enum | Kind::Enum64 => {
            let by_name = btf.enumerators(&ty).find(|(name, _)| name.as_ref() == text).map(|(_, value)| {
                if ty.flag { i128::from(value) } else { i128::from(u64::from_le_bytes(value.to_le_bytes())) }
            });
            (by_name.or_else(|| number(text)), ty.flag, false)
        }
        _ => return Err("only integers, enums and bools can be set".to_owned()),
    };
    let value = value.ok_or("it is not a number (decimal, or hexadecimal with 0x)")?;
    let bits = match size {
        1 | 2 | 4 | 8 => size.saturating_mul(8),
        _ => return Err(format!("variables of {size} bytes cannot be set")),
    };
    let span = 1_i128 << bits;
    let (low, high) = match (is_bool, signed) {
        (true, _) => (0, 1),
        (false, true) => ((span >> 1).saturating_neg(), (span >> 1).saturating_sub(1)),
        (false, false) => (0, span.saturating_sub(1)),
    };
    if value < low || value > high {
        return Err(format!("the type holds {low} to {high}"));
    }
    let bytes = value.to_le_bytes();
    let length = usize::try_from(size).unwrap_or(0);
    bytes.get(..length).map(<[u8]>::to_vec).ok_or_else(|| format!("variables of {size} bytes cannot be set"))
}
