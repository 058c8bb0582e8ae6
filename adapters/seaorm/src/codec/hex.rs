//! Bytes as hexadecimal digits, for databases whose JSON has no bytes.

use super::CodecError;

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Appends the digits of bytes.
pub(crate) fn push(digits: &mut String, bytes: &[u8]) {
    digits.reserve(bytes.len() * 2);
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            digits.push(DIGITS.get(usize::from(half)).copied().map_or('0', char::from));
        }
    }
}

/// The bytes that digits stand for.
pub(crate) fn bytes(digits: &str) -> Result<Vec<u8>, CodecError> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CodecError::Unreadable);
    }
    pairs.iter().map(|[high, low]| Ok(half(*high)? << 4 | half(*low)?)).collect()
}

const fn half(digit: u8) -> Result<u8, CodecError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(CodecError::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_written() {
        let all: Vec<u8> = (0..=255).collect();
        let mut digits = String::new();
        push(&mut digits, &all);
        assert!(digits.starts_with("000102") && digits.ends_with("FDFEFF"));
        assert_eq!(bytes(&digits), Ok(all));
        assert_eq!(bytes("0"), Err(CodecError::Unreadable));
        assert_eq!(bytes("0g"), Err(CodecError::Unreadable));
    }
}
