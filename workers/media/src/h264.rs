//! H.264 as containers carry it: start codes or lengths, and the description that an MP4 needs.

const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_PPS: u8 = 8;
const NAL_DELIMITER: u8 = 9;
const NAL_FILLER: u8 = 12;

/// How the units of a copied stream are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Start codes (MPEG-TS, x264's output).
    StartCodes,
    /// Each unit after its length in this many bytes (MP4, Matroska, FLV).
    Lengths(usize),
}

/// The layout of a stream, from what its container gives as description.
pub fn layout(extradata: &[u8]) -> Option<Layout> {
    match extradata {
        [1, _, _, _, lengths, ..] if extradata.len() >= 7 => {
            Some(Layout::Lengths(usize::from(lengths & 3) + 1))
        }
        [0, 0, 1, ..] | [0, 0, 0, 1, ..] => Some(Layout::StartCodes),
        _ => None,
    }
}

/// The AVCDecoderConfigurationRecord for the description; already one in `Lengths` layouts.
pub fn configuration(extradata: &[u8]) -> Option<Vec<u8>> {
    if let Layout::Lengths(_) = layout(extradata)? {
        return Some(extradata.to_vec());
    }
    let of_kind = |kind: u8| {
        units(extradata)
            .filter(move |unit| unit[0] & 31 == kind)
            .collect::<Vec<_>>()
    };
    let (sequence, picture) = (of_kind(NAL_SPS), of_kind(NAL_PPS));
    let first = sequence.first().filter(|unit| unit.len() >= 4)?;
    let mut record = vec![
        1,
        first[1],
        first[2],
        first[3],
        0xff,
        0xe0 | u8::try_from(sequence.len()).ok()? & 31,
    ];
    for unit in &sequence {
        push_with_length(&mut record, unit)?;
    }
    record.push(u8::try_from(picture.len()).ok()?);
    for unit in &picture {
        push_with_length(&mut record, unit)?;
    }
    if matches!(first[1], 100 | 110 | 122 | 144) {
        // 4:2:0, 8 bits: the only thing that comes here.
        record.extend_from_slice(&[0xfd, 0xf8, 0xf8, 0]);
    }
    Some(record)
}

fn push_with_length(record: &mut Vec<u8>, unit: &[u8]) -> Option<()> {
    record.extend_from_slice(&u16::try_from(unit.len()).ok()?.to_be_bytes());
    record.extend_from_slice(unit);
    Some(())
}

/// RFC 6381, from an AVCDecoderConfigurationRecord.
pub fn codec_string(configuration: &[u8]) -> String {
    let byte = |n: usize| configuration.get(n).copied().unwrap_or(0);
    format!("avc1.{:02x}{:02x}{:02x}", byte(1), byte(2), byte(3))
}

/// Appends an access unit with four-byte lengths to `out`; what only transport needs is left out.
pub fn append_sample(out: &mut Vec<u8>, access_unit: &[u8], layout: Layout) {
    match layout {
        Layout::Lengths(4) => out.extend_from_slice(access_unit),
        Layout::Lengths(bytes) => {
            with_lengths(access_unit, bytes).for_each(|unit| append_unit(out, unit));
        }
        Layout::StartCodes => units(access_unit)
            .filter(|unit| !matches!(unit[0] & 31, NAL_DELIMITER | NAL_FILLER))
            .for_each(|unit| append_unit(out, unit)),
    }
}

fn append_unit(out: &mut Vec<u8>, unit: &[u8]) {
    let length = u32::try_from(unit.len()).expect("a packet is shorter than 2 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(unit);
}

/// Nothing after this picture refers to anything before it.
pub fn is_clean_start(access_unit: &[u8], layout: Layout) -> bool {
    let is_idr = |unit: &[u8]| unit[0] & 31 == NAL_IDR;
    match layout {
        Layout::StartCodes => units(access_unit).any(is_idr),
        Layout::Lengths(bytes) => with_lengths(access_unit, bytes).any(is_idr),
    }
}

/// The record as it has to be once samples carry four-byte lengths.
pub fn with_four_byte_lengths(mut configuration: Vec<u8>) -> Vec<u8> {
    if let Some(lengths) = configuration.get_mut(4) {
        *lengths |= 3;
    }
    configuration
}

fn with_lengths(mut rest: &[u8], bytes: usize) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let length = rest
                .get(..bytes)?
                .iter()
                .fold(0usize, |sum, &byte| sum << 8 | usize::from(byte));
            let unit = rest.get(bytes..bytes.checked_add(length)?)?;
            rest = &rest[bytes + length..];
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// The units between start codes, without trailing zeros; none is empty.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut next = after_start_code(stream, 0).map(|(_, after)| after);
    std::iter::from_fn(move || {
        loop {
            let start = next?;
            let (end, after) = match after_start_code(stream, start) {
                Some((code, after)) => (code, Some(after)),
                None => (stream.len(), None),
            };
            next = after;
            let zeros = stream[start..end]
                .iter()
                .rev()
                .take_while(|&&byte| byte == 0)
                .count();
            let unit = &stream[start..end - zeros];
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

/// Where the next 00 00 01 begins and ends.
fn after_start_code(stream: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from + 2;
    while at < stream.len() {
        match stream[at] {
            0 => at += 1,
            1 if stream[at - 1] == 0 && stream[at - 2] == 0 => return Some((at - 2, at + 1)),
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: [u8; 25] = [
        0, 0, 0, 1, 9, 0xf0, 0, 0, 0, 1, 0x67, 100, 0, 30, 0xac, 0, 0, 1, 0x68, 0xeb, 0, 0, 1, 0x65, 0x88,
    ];

    #[test]
    fn units_are_found_between_start_codes_of_either_length() {
        let found: Vec<&[u8]> = units(&STREAM).collect();
        assert_eq!(
            found,
            [
                &[9, 0xf0][..],
                &[0x67, 100, 0, 30, 0xac],
                &[0x68, 0xeb],
                &[0x65, 0x88]
            ]
        );
    }

    #[test]
    fn a_description_is_made_from_parameter_sets() {
        let record = configuration(&STREAM).expect("has both sets");
        assert_eq!(
            record,
            [
                1, 100, 0, 30, 0xff, 0xe1, 0, 5, 0x67, 100, 0, 30, 0xac, 1, 0, 2, 0x68, 0xeb, 0xfd, 0xf8,
                0xf8, 0
            ]
        );
        assert_eq!(codec_string(&record), "avc1.64001e");
        assert_eq!(layout(&record), Some(Layout::Lengths(4)));
    }

    #[test]
    fn a_sample_has_lengths_and_no_delimiter() {
        let mut sample = Vec::new();
        append_sample(&mut sample, &STREAM, Layout::StartCodes);
        assert_eq!(
            sample,
            [
                0, 0, 0, 5, 0x67, 100, 0, 30, 0xac, 0, 0, 0, 2, 0x68, 0xeb, 0, 0, 0, 2, 0x65, 0x88
            ]
        );
        assert!(is_clean_start(&sample, Layout::Lengths(4)));
        assert!(is_clean_start(&STREAM, Layout::StartCodes));
    }

    #[test]
    fn lying_lengths_are_not_followed() {
        assert!(!is_clean_start(
            &[0xff, 0xff, 0xff, 0xff, 0x65],
            Layout::Lengths(4)
        ));
    }
}
