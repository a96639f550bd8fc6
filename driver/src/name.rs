//! Names in records: UTF-8, padded with zeros.

/// Bytes of a name.
pub(crate) const BYTES: usize = 64;

/// The name in a record; what is no UTF-8 is replaced.
pub(crate) fn decode(bytes: &[u8; BYTES]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(BYTES);
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A name for a record, cut before the character that does not fit.
pub(crate) fn encode(name: &str) -> [u8; BYTES] {
    let mut end = name.len().min(BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = [0; BYTES];
    bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(decode(&encode("flows")), "flows");
        assert_eq!(decode(&encode("")), "");
        let long = "ä".repeat(40);
        assert_eq!(decode(&encode(&long)), "ä".repeat(32));
        let odd = format!("x{long}");
        assert_eq!(decode(&encode(&odd)), format!("x{}", "ä".repeat(31)));
        assert_eq!(decode(&[0xff; BYTES]), "\u{fffd}".repeat(64));
    }
}
