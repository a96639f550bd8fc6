//! Types that are their bytes.

/// A type that keys or values of maps can be: a number of bytes, as the program sees them on a little-endian machine.
///
/// Numbers in network order are byte arrays. A struct of a program becomes `Plain` by writing down its fields with
/// their padding.
pub trait Plain: Sized {
    /// Bytes.
    const BYTES: usize;

    /// Writes it to [`Plain::BYTES`] bytes.
    fn put(&self, bytes: &mut [u8]);

    /// Reads it from [`Plain::BYTES`] bytes.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($number:ty),*) => {
        $(impl Plain for $number {
            const BYTES: usize = size_of::<$number>();

            fn put(&self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }

            fn get(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$number>()];
                own.copy_from_slice(bytes);
                <$number>::from_le_bytes(own)
            }
        })*
    };
}

plain!(u8, u16, u32, u64, u128, i8, i16, i32, i64, i128);

impl<T: Plain, const N: usize> Plain for [T; N] {
    const BYTES: usize = T::BYTES * N;

    fn put(&self, bytes: &mut [u8]) {
        for (item, bytes) in self.iter().zip(bytes.chunks_exact_mut(T::BYTES.max(1))) {
            item.put(bytes);
        }
    }

    fn get(bytes: &[u8]) -> Self {
        std::array::from_fn(|item| T::get(&bytes[item * T::BYTES..(item + 1) * T::BYTES]))
    }
}

impl<A: Plain, B: Plain> Plain for (A, B) {
    const BYTES: usize = A::BYTES + B::BYTES;

    fn put(&self, bytes: &mut [u8]) {
        let (first, second) = bytes.split_at_mut(A::BYTES);
        self.0.put(first);
        self.1.put(second);
    }

    fn get(bytes: &[u8]) -> Self {
        let (first, second) = bytes.split_at(A::BYTES);
        (A::get(first), B::get(second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_was_put_in() {
        let value = ([1u8, 2, 3, 4], (0x0506_u16, [-7i32; 2]));
        let mut bytes = [0; <([u8; 4], (u16, [i32; 2])) as Plain>::BYTES];
        value.put(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 6, 5, 0xf9, 0xff, 0xff, 0xff, 0xf9, 0xff, 0xff, 0xff]);
        assert_eq!(<([u8; 4], (u16, [i32; 2]))>::get(&bytes), value);
    }
}
