//! Chains of capabilities behind a VFIO structure (`struct vfio_info_cap_header` of include/uapi/linux/vfio.h).

/// Bytes of the header: identity, version, offset of the next one.
const HEADER: usize = 8;

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capability<'a> {
    /// Identity.
    pub(crate) id: u16,
    /// What follows its header, up to the end of the structure.
    pub(crate) body: &'a [u8],
}

/// All capabilities of a structure; offsets count from its first byte, `first` is 0 if there are none. A chain that leaves the
/// bytes or does not move on is refused.
pub(crate) fn capabilities(structure: &[u8], first: u32) -> Result<Vec<Capability<'_>>, &'static str> {
    let mut found = Vec::new();
    let mut behind = 0usize;
    let mut next = first;
    while next != 0 {
        let at = usize::try_from(next).map_err(|_| "a capability lies outside")?;
        if at < behind {
            return Err("a chain of capabilities does not move on");
        }
        let header = structure.get(at..).and_then(|rest| rest.split_at_checked(HEADER));
        let Some((header, body)) = header else { return Err("a capability lies outside") };
        found.push(Capability { id: u16_at(header, 0).unwrap_or(0), body });
        next = u32_at(header, 4).unwrap_or(0);
        behind = at + HEADER;
    }
    Ok(found)
}

/// A little-endian number of 16 bits.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A little-endian number of 32 bits.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A little-endian number of 64 bits.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Pairs of numbers of 64 bits behind a count of 32 bits and as many unused ones: sparse areas, address ranges.
pub(crate) fn pairs(body: &[u8], most: usize) -> Result<Vec<(u64, u64)>, &'static str> {
    let count = u32_at(body, 0).and_then(|count| usize::try_from(count).ok()).ok_or("a list has no count")?;
    if count > most {
        return Err("a list is longer than it may be");
    }
    let pair = |index: usize| Some((u64_at(body, 8 + 16 * index)?, u64_at(body, 16 + 16 * index)?));
    (0..count).map(|index| pair(index).ok_or("a list is shorter than its count")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(id: u16, next: u32) -> Vec<u8> {
        let mut bytes = id.to_le_bytes().to_vec();
        bytes.extend(1u16.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        bytes
    }

    #[test]
    fn a_chain_is_walked_once() {
        let mut bytes = vec![0; 32];
        bytes.extend(header(1, 48));
        bytes.extend([7; 8]);
        bytes.extend(header(9, 0));
        let found = capabilities(&bytes, 32).expect("a good chain");
        assert_eq!(found.iter().map(|capability| capability.id).collect::<Vec<_>>(), [1, 9]);
        assert_eq!(found[0].body[..8], [7; 8]);
        assert!(found[1].body.is_empty());
        assert_eq!(capabilities(&bytes, 0), Ok(vec![]));
    }

    #[test]
    fn a_chain_that_turns_back_or_leaves_is_refused() {
        for next in [32, 33, 39, 1, 41, 57, 1 << 30, u32::MAX] {
            let mut bytes = vec![0; 32];
            bytes.extend(header(1, next));
            bytes.extend([0; 8]);
            assert!(capabilities(&bytes, 32).is_err(), "next {next}");
        }
        assert!(capabilities(&[0; 7], 1).is_err());
    }

    #[test]
    fn lists_keep_to_their_count() {
        let mut body = 2u32.to_le_bytes().to_vec();
        body.extend([0; 4]);
        for word in [1u64, 2, 3, 4] {
            body.extend(word.to_le_bytes());
        }
        assert_eq!(pairs(&body, 2), Ok(vec![(1, 2), (3, 4)]));
        assert!(pairs(&body, 1).is_err());
        assert!(pairs(&body[..39], 2).is_err());
        assert!(pairs(&body[..3], 2).is_err());
    }
}
