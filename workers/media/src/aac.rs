//! AAC as containers carry it: bare, or behind ADTS headers, and the description that an MP4 needs.

const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/// The AudioSpecificConfig of AAC-LC.
pub fn low_complexity_configuration(sample_rate: u32, channels: u32) -> Option<Vec<u8>> {
    let rate = u16::try_from(SAMPLE_RATES.iter().position(|&rate| rate == sample_rate)?).ok()?;
    let channels = u16::try_from(channels)
        .ok()
        .filter(|channels| (1..=2).contains(channels))?;
    let bits = 2u16 << 11 | rate << 7 | channels << 3;
    Some(bits.to_be_bytes().to_vec())
}

/// What a packet holds when a header stands before it, and the packet itself when none does.
pub fn without_adts(packet: &[u8]) -> &[u8] {
    match packet {
        [0xff, second, ..] if second & 0xf6 == 0xf0 && packet.len() > 9 => {
            let header = if second & 1 == 1 { 7 } else { 9 };
            &packet[header..]
        }
        _ => packet,
    }
}

/// The object type of an AudioSpecificConfig: 2 is AAC-LC.
pub fn object_type(configuration: &[u8]) -> u8 {
    configuration.first().map_or(0, |first| first >> 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_of_48_khz_stereo_is_the_well_known_one() {
        let configuration = low_complexity_configuration(48_000, 2).expect("a standard rate");
        assert_eq!(configuration, [0x11, 0x90]);
        assert_eq!(object_type(&configuration), 2);
        assert_eq!(low_complexity_configuration(44_123, 2), None);
    }

    #[test]
    fn a_header_is_taken_off_and_nothing_else() {
        let with_header = [0xff, 0xf1, 0x4c, 0x80, 0x01, 0x5f, 0xfc, 1, 2, 3];
        assert_eq!(without_adts(&with_header), [1, 2, 3]);
        assert_eq!(without_adts(&[0x21, 0x10]), [0x21, 0x10]);
    }
}
