//! Lower-case hexadecimal.

pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .collect()
}

/// Only lower case: that is how signatures and digests are written.
pub(crate) fn decode_32(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_one_spelling() {
        let bytes: [u8; 32] = std::array::from_fn(|at| (at * 17) as u8);
        let text = encode(&bytes);
        assert_eq!(decode_32(&text), Some(bytes));
        for wrong in [
            "",
            &text[1..],
            &text[2..],
            &text.to_uppercase(),
            &"ä".repeat(32),
        ] {
            assert_eq!(decode_32(wrong), None);
        }
    }
}
