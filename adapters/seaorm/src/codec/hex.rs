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

/// Puts the bytes that digits stand for in the place of what was there.
pub(crate) fn read(digits: &str, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
    bytes.clear();
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(CodecError::Unreadable);
    }
    for [high, low] in pairs {
        bytes.push(half(*high)? << 4 | half(*low)?);
    }
    Ok(())
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
        let mut bytes = vec![7];
        assert_eq!(read(&digits, &mut bytes), Ok(()));
        assert_eq!(bytes, all);
        assert_eq!(read("0", &mut bytes), Err(CodecError::Unreadable));
        assert_eq!(read("0g", &mut bytes), Err(CodecError::Unreadable));
    }
}
