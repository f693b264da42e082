//! Text people type: how long it may be, and what it may not contain; and digits for texts of our own.

/// Why a text was not taken, as a sentence for a person without its subject: "must not be empty".
pub type Complaint = String;

/// Of a video's title.
pub const TITLE_MAX_CHARS: usize = 200;
/// Of a video's description.
pub const DESCRIPTION_MAX_CHARS: usize = 5_000;
/// Of the label a file came with.
pub const FILE_NAME_MAX_CHARS: usize = 255;

/// Writes the last digits of `number` over all of `place`. For texts that every commit has: the formatter takes several times as long.
pub fn write_digits(mut number: u64, place: &mut [u8]) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// One line: not empty, at most `max` characters, no control characters and nothing that reorders text.
pub fn check_line(text: &str, max: usize) -> Result<(), Complaint> {
    if text
        .chars()
        .all(|letter| letter.is_whitespace() || is_invisible(letter))
    {
        return Err("must not be empty".into());
    }
    check_length(text, max)?;
    match text
        .chars()
        .find(|letter| letter.is_control() || is_reordering(*letter) || is_line_break(*letter))
    {
        Some(letter) => Err(format!(
            "must not contain control characters (found U+{:04X})",
            letter as u32
        )),
        None => Ok(()),
    }
}

/// Several lines: at most `max` characters, no control characters but line breaks and tabs.
pub fn check_lines(text: &str, max: usize) -> Result<(), Complaint> {
    check_length(text, max)?;
    let allowed = |letter: char| matches!(letter, '\n' | '\r' | '\t');
    match text
        .chars()
        .find(|letter| letter.is_control() && !allowed(*letter))
    {
        Some(letter) => Err(format!(
            "must not contain control characters (found U+{:04X})",
            letter as u32
        )),
        None => Ok(()),
    }
}

/// A file's name as a label, never a path: one line without separators or markup.
pub fn check_file_name(name: &str) -> Result<(), Complaint> {
    check_line(name, FILE_NAME_MAX_CHARS)?;
    if name.contains(['/', '\\']) || name == "." || name == ".." {
        return Err("must be a plain file name, without a path".into());
    }
    if name.contains(['<', '>']) {
        return Err("must not contain < or >".into());
    }
    Ok(())
}

fn check_length(text: &str, max: usize) -> Result<(), Complaint> {
    let length = text.chars().count();
    if length > max {
        return Err(format!("must be at most {max} characters long (it has {length})"));
    }
    Ok(())
}

/// Unicode's own line and paragraph separators, which are not control characters.
const fn is_line_break(letter: char) -> bool {
    matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Letters that leave no trace on the page: a title of nothing else is empty to whoever reads it.
const fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
        | '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}')
}

/// Bidirectional overrides and isolates (Unicode TR 36, "Trojan Source").
const fn is_reordering(letter: char) -> bool {
    matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_of_the_world_are_taken() {
        for name in [
            "a.mp4",
            "naïve café 日本語 🎬.mp4",
            "CON.mp4",
            ".hidden",
            "-i.mp4",
            "$(touch x).mp4",
            "%03d.mp4",
            "\u{200F}פרק א.mp4",
            "...",
        ] {
            assert_eq!(check_file_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn tricks_are_refused() {
        for name in [
            "../../etc/cron.d/x.mp4",
            "..\\x.mp4",
            "<img src=x>.mp4",
            "a\0b.mp4",
            "a\nb.mp4",
            "",
            "..",
            "\u{200B}\u{FEFF}",
            "a\u{2028}b.mp4",
            "\u{202E}4pm.exe",
        ] {
            assert!(check_file_name(name).is_err(), "{name:?}");
        }
        assert!(check_line(&"x".repeat(10_000), TITLE_MAX_CHARS).is_err());
    }
}
