//! Bytes as hexadecimal digits, for databases whose JSON has no bytes.

use super::CodecError;

/// Decodes hexadecimal digits into `bytes`, and replaces what it held.
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
    fn digits_are_read_as_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        let digits: Vec<String> = all.iter().map(|byte| format!("{byte:02X}")).collect();
        let digits = digits.concat();
        let mut bytes = vec![7];
        assert_eq!(read(&digits, &mut bytes), Ok(()));
        assert_eq!(bytes, all);
        assert_eq!(read("0", &mut bytes), Err(CodecError::Unreadable));
        assert_eq!(read("0g", &mut bytes), Err(CodecError::Unreadable));
    }
}
