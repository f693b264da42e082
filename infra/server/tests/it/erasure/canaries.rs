//! Words that are nowhere else in the world, and every form in which a file might have them.

use std::fmt::{self, Write};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// A word that must not be found, with what it says about a person.
pub struct Canary {
    pub what: &'static str,
    pub word: String,
    forms: Vec<Finder<'static>>,
}

/// Where a canary was found, and in which form.
pub struct Sighting {
    pub what: &'static str,
    form: usize,
    at: PathBuf,
}

impl fmt::Debug for Sighting {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "the {} in form {} in {}",
            self.what,
            self.form,
            self.at.display()
        )
    }
}

impl Canary {
    pub fn new(what: &'static str, word: impl Into<String>) -> Self {
        let word = word.into();
        let forms = forms(&word);
        Self {
            what,
            forms: forms.iter().map(|form| Finder::new(form).into_owned()).collect(),
            word,
        }
    }

    /// Of what is no text.
    pub fn of_bytes(what: &'static str, bytes: &[u8]) -> Self {
        let mut forms = encoded(bytes);
        forms.push(bytes.to_vec());
        Self {
            what,
            forms: forms.iter().map(|form| Finder::new(form).into_owned()).collect(),
            word: format!("{} bytes", bytes.len()),
        }
    }

    pub fn form_in(&self, bytes: &[u8]) -> Option<usize> {
        self.forms.iter().position(|form| form.find(bytes).is_some())
    }
}

/// As it is, in the other case, in UTF-16, and [`encoded`].
fn forms(word: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        word.as_bytes().to_vec(),
        word.to_uppercase().into_bytes(),
        word.to_lowercase().into_bytes(),
        word.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        word.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    ];
    forms.extend(encoded(word.as_bytes()));
    forms
}

/// In hexadecimal, and in Base64 wherever in three bytes it begins.
fn encoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    let hexadecimal = bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes all text");
        text
    });
    let mut forms = vec![hexadecimal.to_uppercase().into_bytes(), hexadecimal.into_bytes()];
    for before in 0..3 {
        let mut padded = vec![b'.'; before];
        padded.extend_from_slice(bytes);
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            // The first and the last letters depend on the neighbours.
            let begin = (before * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            forms.push(encoded.as_bytes()[begin..end].to_vec());
        }
    }
    forms
}

/// Looks through every file below `folder`, unfinished and hidden ones too, also for names of files. What goes away meanwhile is
/// passed over.
pub fn look(folder: &Path, canaries: &[Canary]) -> Result<Vec<Sighting>> {
    let mut sightings = Vec::new();
    for entry in there(std::fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        see(&path, name, canaries, &mut sightings);
        if path.is_dir() {
            sightings.extend(look(&path, canaries)?);
        } else if path.is_file()
            && let Some(bytes) = there(std::fs::read(&path))?
        {
            see(&path, &bytes, canaries, &mut sightings);
        }
    }
    Ok(sightings)
}

/// Nothing for what is not there.
pub fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks through what is kept at this place.
pub fn see(path: &Path, bytes: &[u8], canaries: &[Canary], sightings: &mut Vec<Sighting>) {
    for canary in canaries {
        if let Some(form) = canary.form_in(bytes) {
            sightings.push(Sighting {
                what: canary.what,
                form,
                at: path.to_owned(),
            });
        }
    }
}

#[test]
fn every_form_of_a_word_is_seen_and_no_other_word() {
    let canary = Canary::new("name", "Xanthippe-7f3a");
    let seen = |bytes: &[u8]| canary.form_in(bytes).is_some();
    for padding in 0..4 {
        let text = format!("{}Xanthippe-7f3a and more", "x".repeat(padding));
        assert!(seen(text.as_bytes()));
        assert!(seen(STANDARD_NO_PAD.encode(&text).as_bytes()), "{padding}");
        assert!(seen(URL_SAFE_NO_PAD.encode(&text).as_bytes()), "{padding}");
    }
    assert!(seen(b"58616e7468697070652d37663361"));
    assert!(seen(b"XANTHIPPE-7F3A"));
    assert!(!seen(b"Xanthippe-7f3b"));
    // The last letter may show in part only.
    assert!(!seen(STANDARD_NO_PAD.encode("Xanthippe-8f3a").as_bytes()));
}
