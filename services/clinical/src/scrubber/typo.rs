//! Words that are one slip of the keyboard apart.

/// Whether `a` and `b` differ by at most one insertion, deletion, substitution or exchange of neighbours (Damerau 1964:
/// four of five misspellings are one of these).
pub(crate) fn is_near(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (short, long) = (&short[same..], &long[same..]);
    if short.len() < long.len() {
        return short == &long[1..];
    }
    match (short, long) {
        ([], []) => true,
        ([_, short @ ..], [_, long @ ..]) if short == long => true,
        ([a, b, short @ ..], [c, d, long @ ..]) => a == d && b == c && short == long,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_near_and_two_are_not() {
        for (a, b) in [
            ("quill", "quill"),
            ("quill", "quil"),
            ("quill", "quilll"),
            ("quill", "uill"),
            ("quill", "qiull"),
            ("quill", "qualls"),
            ("quill", "quila"),
            ("quill", "aquill"),
        ] {
            let near = a != "quill" || b != "qualls";
            assert_eq!(is_near(a.as_bytes(), b.as_bytes()), near, "{a} {b}");
            assert_eq!(is_near(b.as_bytes(), a.as_bytes()), near, "{b} {a}");
        }
        assert!(
            !is_near(b"quill", b"iuqll")
                && !is_near(b"ab", b"ba x")
                && is_near(b"ab", b"ba")
                && is_near(b"", b"a")
        );
    }
}
